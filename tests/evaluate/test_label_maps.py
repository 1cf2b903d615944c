"""Label maps in the ids that a measure asks for; pairs are in test_consistency.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from i2ikit.errors import SampleError, UsageError
from i2ikit.evaluate.label_maps import IGNORED, LabelMaps, Labels, open_labels, parse_relabel
from tests.evaluate.labelled import save


def maps(
    folder: Path, relabel: Mapping[int, int] | None = None, ignore: tuple[int, ...] = (255,)
) -> LabelMaps:
    save(folder / "a.png", [[0, 1], [2, 255]])
    return open_labels(folder, relabel or {}, ignore)


@pytest.mark.parametrize(
    ("relabel", "ignore", "due"),
    [
        ({}, (255,), [[0, 1], [2, IGNORED]]),
        ({2: 0}, (255,), [[0, 1], [0, IGNORED]]),
        ({0: 1, 1: 0}, (), [[1, 0], [2, 255]]),
        ({1: 255}, (255,), [[0, IGNORED], [2, IGNORED]]),
        ({255: 7}, (255,), [[0, 1], [2, 7]]),
    ],
)
def test_ids_are_relabelled_at_once_then_ignored(
    tmp_path: Path, relabel: dict[int, int], ignore: tuple[int, ...], due: list[list[int]]
) -> None:
    assert maps(tmp_path, relabel, ignore).read("a").ids.tolist() == due


def test_sizes_and_labels_that_do_not_fit_are_named(tmp_path: Path) -> None:
    labels: Labels = maps(tmp_path).read("a")
    labels.check("x.png", (2, 2), 3)
    with pytest.raises(SampleError, match=r"x\.png is 3x2, and its label map .*a\.png 2x2"):
        labels.check("x.png", (2, 3), 3)
    with pytest.raises(SampleError, match=r"a\.png: label 2 is outside 0…1 .*--ignore 2"):
        labels.check("x.png", (2, 2), 2)


def test_relabelling_is_written_from_to() -> None:
    assert parse_relabel([]) == {}
    assert parse_relabel(["2=0", "33=1"]) == {2: 0, 33: 1}


@pytest.mark.parametrize("text", ["2", "2=", "=0", "2=-1", "a=b", "2=0=1", "2:0"])
def test_relabelling_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"--relabel {text} is not FROM=TO"):
        parse_relabel([text])


def test_an_id_is_relabelled_once() -> None:
    with pytest.raises(UsageError, match="--relabel 2=1: 2 is relabelled to 0 already"):
        parse_relabel(["2=0", "2=1"])


@pytest.mark.parametrize("relabel", [{2: 1 << 16}, {-1: 0}])
def test_ids_that_no_map_holds_are_refused(tmp_path: Path, relabel: dict[int, int]) -> None:
    with pytest.raises(UsageError, match=r"--relabel .* is outside 0…65535"):
        maps(tmp_path, relabel)
