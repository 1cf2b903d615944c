"""A folder of every odd picture: translated at its size, or recorded with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import i2ikit
from i2ikit.errors import SampleError
from tests.conftest import pixels
from tests.odd_pictures import OddPictures, write_odd_pictures

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def odd(tmp_path: Path) -> OddPictures:
    return write_odd_pictures(tmp_path / "in")


def output_name(name: str) -> str:
    """Return where an odd picture's output is; two of them share a stem and keep their suffix."""
    return (
        f"{name}.png"
        if name.endswith(("grey.jpg", "grey.png"))
        else f"{name.rpartition('.')[0]}.png"
    )


@pytest.mark.parametrize("model", ["echo", "padded-echo"])
def test_every_readable_one_has_an_output_of_its_size(
    odd: OddPictures, tmp_path: Path, model: str
) -> None:
    summary = i2ikit.translate(tmp_path / "in", tmp_path / "out", model=model)
    assert summary.num_outputs == len(odd.readable)
    for name, (width, height) in odd.readable.items():
        assert pixels(tmp_path / "out" / output_name(name)).shape == (height, width, 3), name


def test_every_unreadable_one_is_recorded_with_its_reason(odd: OddPictures, tmp_path: Path) -> None:
    summary = i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo")
    assert summary.num_failed == len(odd.unreadable)
    lines = (tmp_path / "out" / ".i2ikit" / "errors.jsonl").read_text().splitlines()
    reasons = [json.loads(line)["reason"] for line in lines]
    for name in odd.unreadable:
        (reason,) = [reason for reason in reasons if name in reason]
        assert len(reason.rpartition(name)[2]) > 5


def test_stop_names_the_first_unreadable_one(odd: OddPictures, tmp_path: Path) -> None:
    with pytest.raises(SampleError) as caught:
        i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo", on_error="stop")
    assert min(odd.unreadable) in str(caught.value)
