"""Outputs grouped by the input that they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import i2ikit
from i2ikit.errors import SourceError, UsageError
from i2ikit.evaluate.groups import read_groups
from tests.conftest import picture

KEYS = ["a/0", "a/1", "b/2", "b/3", "b/4"]


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture().save(root / name)
    return root


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("prefix", ["", "wds:"])
def test_outputs_of_a_translation_are_grouped_by_their_source(
    pictures: Path, tmp_path: Path, prefix: str
) -> None:
    out = tmp_path / "out"
    i2ikit.translate(pictures, f"{prefix}{out}", model="tint", style_sample=3)
    groups = read_groups(out)
    assert (sorted(groups.members), groups.count, groups.grouped_by) == (KEYS, 15, "source")
    for members in groups.members.values():
        assert [member.style_index for member in members] == [0, 1, 2]
        assert [f"_s0{index}" in member.name for index, member in enumerate(members)] == [True] * 3


def test_other_pictures_are_grouped_by_their_folder(tmp_path: Path) -> None:
    groups = read_groups(fill(tmp_path, "x/1.png", "x/2.jpg", "y/z/1.png"))
    assert {name: len(members) for name, members in groups.members.items()} == {"x": 2, "y/z": 1}
    assert groups.grouped_by == "folder"


@pytest.mark.parametrize(
    "outputs",
    [
        [[np.zeros((4, 4, 3), np.uint8)] * 2, [np.zeros((5, 4, 3), np.uint8)]],
        (torch.zeros(count, 3, 4, 4) for count in (2, 1)),
    ],
)
def test_arrays_come_in_groups(outputs: Any) -> None:
    groups = read_groups(outputs)
    assert [len(members) for members in groups.members.values()] == [2, 1]
    assert len({member.name for members in groups.members.values() for member in members}) == 3


def test_pictures_that_belong_to_no_input_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "x/1.png", "x/2.png", "1.png")
    with pytest.raises(UsageError, match=r"1 picture of .*1\.png, can't be grouped"):
        read_groups(tmp_path)


def test_groups_of_one_picture_are_refused_with_their_number(tmp_path: Path) -> None:
    fill(tmp_path, "x/1.png", "y/1.png", "z/1.png")
    with pytest.raises(UsageError, match=r"two pictures: 3 pictures in 3 groups .*--style-sample"):
        read_groups(tmp_path)


@pytest.mark.usefixtures("fakes")
def test_a_translation_of_one_style_is_refused(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    with pytest.raises(UsageError, match="5 pictures in 5 groups"):
        read_groups(tmp_path / "out")


def test_no_groups_are_refused() -> None:
    with pytest.raises(UsageError, match="0 pictures in 0 groups"):
        read_groups([])


def test_a_picture_in_place_of_a_group_is_refused() -> None:
    with pytest.raises(UsageError, match=r"group 0 is a single array of shape \(4, 4, 3\)"):
        read_groups([np.zeros((4, 4, 3), np.uint8)] * 2)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="it is empty"):
        read_groups(tmp_path)
