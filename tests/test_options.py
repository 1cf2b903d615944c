"""Options are checked against their fields and against the weights."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from i2ikit.errors import OptionError
from i2ikit.options import NoOptions, Options, make_options, parse_assignments


class Example(Options):
    width: int = Field(ge=1, description="of the first layer")
    kind: str = "plain"


def test_text_is_turned_into_the_fields_type() -> None:
    assert make_options(Example, parse_assignments(["width=8", "kind=odd"])).width == 8


def test_dashes_and_json_are_understood() -> None:
    assert parse_assignments(["a-b=[1, 2]"]) == {"a_b": [1, 2]}


def test_what_was_given_wins_over_hints_and_hints_over_defaults() -> None:
    made = make_options(Example, {"width": 3}, hints={"width": 4, "kind": "hinted", "lr": 0.1})
    assert (made.width, made.kind) == (3, "hinted")


def test_weights_are_believed() -> None:
    assert make_options(Example, {}, certain={"width": 8}, hints={"width": 4}).width == 8
    assert make_options(Example, {"width": "8"}, certain={"width": 8}).width == 8


def test_a_contradiction_names_both_values() -> None:
    with pytest.raises(OptionError, match=r"edges\.pt: width is 8 in the weights, but -o width=16"):
        make_options(Example, {"width": "16"}, certain={"width": 8}, where="edges.pt")


@pytest.mark.parametrize(
    ("options", "given", "phrase"),
    [
        (Example, {"widht": 1}, "unknown option -o widht (did you mean 'width'?)"),
        (NoOptions, {"width": 1}, "it has no options"),
        (Example, {"width": "0"}, "-o width=0: Input should be greater than or equal to 1"),
        (Example, {"width": "wide"}, "-o width=wide: Input should be a valid integer"),
        (Example, {}, "-o width=… is needed: of the first layer"),
    ],
)
def test_mistakes_are_named_as_typed(
    options: type[Options], given: dict[str, Any], phrase: str
) -> None:
    with pytest.raises(OptionError) as caught:
        make_options(options, given)
    assert phrase in str(caught.value)


@pytest.mark.parametrize("text", ["width", "=3", "width=[1,"])
def test_an_assignment_needs_a_name_and_a_value(text: str) -> None:
    with pytest.raises(OptionError):
        parse_assignments([text])


def test_a_name_is_given_once() -> None:
    with pytest.raises(OptionError, match="-o a is given twice"):
        parse_assignments(["a=1", "a=2"])
