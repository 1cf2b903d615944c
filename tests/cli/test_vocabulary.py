"""What recipes know of the program's commands."""

from __future__ import annotations

from typing import Annotated

import typer

from i2ikit.cli.app import app
from i2ikit.cli.vocabulary import read_vocabulary
from i2ikit.recipes import Parameter

VOCABULARY = read_vocabulary(app)


def parameter(command: str, name: str) -> Parameter:
    return next(found for found in VOCABULARY[command].parameters if found.name == name)


def test_parameters_have_the_names_that_users_type() -> None:
    names = [found.name for found in VOCABULARY["train"].parameters]
    assert names[:5] == ["a", "b", "out", "model", "size"]
    assert {"load-size", "flip", "option", "field-a", "json"} <= set(names)


def test_arguments_and_flags_are_told_apart() -> None:
    assert parameter("translate", "in").flag == ""
    assert parameter("translate", "style-sample").flag == "--style-sample"
    assert parameter("translate", "option").flag == "-o"
    flip = parameter("train", "flip")
    assert (flip.flag, flip.off_flag, flip.kind) == ("--flip", "--no-flip", "bool")


def test_kinds_and_choices_are_those_of_the_annotations() -> None:
    assert parameter("train", "steps").kind == "int"
    assert parameter("train", "average").kind == "float"
    assert parameter("translate", "checkpoint").kind == "place"
    assert parameter("translate", "style-from").kind == "place"
    assert parameter("translate", "direction").choices == ("a2b", "b2a")
    assert parameter("translate", "model").kind == "text"
    assert parameter("train", "model").is_required
    assert not parameter("train", "seed").is_required


def test_each_text_is_known_to_be_no_place() -> None:
    """A new flag's text is a place only if its metavar says so; a change there must be seen."""
    texts = {
        found.name
        for command in VOCABULARY.values()
        for found in command.parameters
        if found.kind == "text" and not found.choices
    }
    assert texts == {
        *("model", "name", "option", "device", "batch-size", "features", "convention", "metrics"),
        *("classifier", "segmenter", "pairs", "relabel", "download", "map", "network"),
        *("mix", "styles"),
    }


def test_forms_are_told_apart() -> None:
    assert parameter("translate", "field").form == "named"
    assert parameter("eval labels", "ignore").form == "many"
    assert parameter("eval stats", "images").form == "many"
    assert parameter("eval stats", "output").form == "one"


def test_labelled_sets_are_places() -> None:
    assert parameter("eval adaptation", "source").kind == "place"
    assert parameter("eval adaptation", "adapted").form == "named"


def test_bounds_are_read() -> None:
    small = typer.Typer()

    @small.command("bound")
    def bound(number: Annotated[int, typer.Option(min=1, max=3)] = 2) -> None: ...

    @small.command("other")
    def other() -> None: ...

    (found,) = read_vocabulary(small)["bound"].parameters
    assert (found.minimum, found.maximum) == (1, 3)


def test_each_out_is_known_to_be_written_or_read() -> None:
    """A new command's OUT is written, unless the vocabulary says that it is read."""
    outs = {
        (command.name, found.is_output)
        for command in VOCABULARY.values()
        for found in command.parameters
        if found.name in ("out", "output", "feed", "report")
    }
    assert outs == {
        ("audit", False),
        ("checkpoints pack", True),
        ("demo", True),
        ("eval cis", False),
        ("eval lpips", False),
        ("eval stats", True),
        ("feed build", True),
        ("feed check", False),
        ("feed gate", True),
        ("prepare aligned", True),
        ("prepare baselines", True),
        ("prepare mnist", True),
        ("prepare optdigits", True),
        ("prepare rendered-digits", True),
        ("prepare world-maps", True),
        ("train", True),
        ("translate", True),
    }


def test_clusters_are_added_to_the_checkpoint_that_is_read() -> None:
    checkpoint = parameter("features cluster", "checkpoint")
    assert checkpoint.is_input
    assert checkpoint.is_output


def test_recipes_are_no_steps_and_steps_are_done_whole() -> None:
    assert not {"run", "recipes"} & set(VOCABULARY)
    names = {found.name for command in VOCABULARY.values() for found in command.parameters}
    assert not {"plan", "shard", "time-limit"} & names
