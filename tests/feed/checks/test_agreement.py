"""Labels of the sources, and a network that looks for them: the user's, or one that learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import i2ikit
from i2ikit.errors import ModelError, UsageError
from i2ikit.feed import Limits, gate
from i2ikit.feed.checks import learning
from i2ikit.feed.probe_sets import ProbeSet, load_set
from i2ikit.labels.labelled import LabelledSet
from tests.feed.scenes import read_lines, save

pytestmark = pytest.mark.usefixtures("fakes")

Network = Callable[[Tensor], Tensor]


def bright(pictures: Tensor) -> Tensor:
    """Return logits of two classes for each pixel: dark, bright."""
    level = pictures.mean(dim=1, keepdim=True)
    return torch.cat([-level, level], dim=1)


def ids(pictures: Tensor) -> Tensor:
    return bright(pictures).argmax(dim=1)


def classify(pictures: Tensor) -> Tensor:
    return bright(pictures).mean(dim=(2, 3))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return OUT of dark/a and light/b, whose left halves are of the other kind."""
    for name, level in (("dark/a", 20), ("light/b", 230)):
        levels = np.full((8, 8, 3), level, np.uint8)
        levels[:, :4] = 255 - levels[:, :4]
        levels[:2] = level  # so that they aren't even
        save(levels, tmp_path / "in" / f"{name}.png")
    i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo")
    return tmp_path / "out"


def agreements(report: Path) -> dict[str, Any]:
    rows = read_lines(report / "report.jsonl")
    return {row["key"]: row["measures"].get("agreement") for row in rows}


def masks(root: Path, mask: np.ndarray) -> str:
    for name in ("dark/a", "light/b"):
        save(mask, root / "masks" / f"{name}.png")
    return f"{root / 'in'}={root / 'masks'}"


@pytest.mark.parametrize("network", [bright, ids])
def test_pixels_are_compared_with_masks(out: Path, tmp_path: Path, network: Network) -> None:
    labels = masks(tmp_path, np.ones((8, 8), np.uint8))
    summary = gate(out, tmp_path / "gate", labels=labels, segmenter=network)
    assert agreements(tmp_path / "gate") == {"dark/a": 24 / 64, "light/b": 40 / 64}
    assert summary.reasons["agreement < 0.5"] == 1


def test_pixels_of_the_label_255_do_not_count(out: Path, tmp_path: Path) -> None:
    mask = np.full((8, 8), 255, np.uint8)
    mask[:2] = 1
    gate(out, tmp_path / "gate", labels=masks(tmp_path, mask), segmenter=bright)
    assert agreements(tmp_path / "gate") == {"dark/a": 0, "light/b": 1}
    labels = masks(tmp_path, np.full((8, 8), 255, np.uint8))
    gate(out, tmp_path / "none", labels=labels, segmenter=bright)
    assert agreements(tmp_path / "none") == {"dark/a": None, "light/b": None}


def test_masks_take_the_size_of_the_outputs(out: Path, tmp_path: Path) -> None:
    i2ikit.translate(tmp_path / "in", tmp_path / "small", model="echo", size=4)
    labels = masks(tmp_path, np.ones((8, 8), np.uint8))
    assert (
        gate(tmp_path / "small", tmp_path / "gate", labels=labels, segmenter=bright).failures == ()
    )


def test_a_mask_of_another_size_is_a_failure(out: Path, tmp_path: Path) -> None:
    labels = masks(tmp_path, np.ones((4, 8), np.uint8))
    with pytest.raises(i2ikit.I2IError, match=r"a\.png is 8x4, its picture 8x8"):
        gate(out, tmp_path / "gate", labels=labels, segmenter=bright)


def test_classes_are_logits_in_the_order_of_their_names(out: Path, tmp_path: Path) -> None:
    gate(out, tmp_path / "gate", labels=f"{tmp_path / 'in'}", classifier=classify)
    assert agreements(tmp_path / "gate") == {"dark/a": 1, "light/b": 1}


def test_classes_that_are_numbers_are_places(out: Path, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("key,class\ndark/a,1\nlight/b,1\n")
    labels = f"{tmp_path / 'in'}={tmp_path / 'c.csv'}"
    gate(out, tmp_path / "gate", labels=labels, classifier=classify)
    assert agreements(tmp_path / "gate") == {"dark/a": 0, "light/b": 1}


def test_a_classifier_of_other_classes_is_named(out: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"returned \(3,\) for a picture, .* each of 2 classes"):
        gate(
            out,
            tmp_path / "gate",
            labels=f"{tmp_path / 'in'}",
            classifier=lambda pictures: torch.zeros(len(pictures), 3),
        )


def test_a_network_and_labels_go_together(out: Path, tmp_path: Path) -> None:
    labels = str(tmp_path / "in")
    for given in ({"classifier": classify}, {"labels": labels, "classifier": classify}):
        with pytest.raises(UsageError, match="one of them, goes with --labels"):
            gate(out, tmp_path / "gate", **given, segmenter=bright)
    with pytest.raises(UsageError, match="one of them, goes with --labels"):
        gate(out, tmp_path / "gate", classifier=classify)
    with pytest.raises(UsageError, match="--segmenter needs a mask for each picture"):
        gate(out, tmp_path / "gate", labels=str(tmp_path / "in"), segmenter=bright)


def crosses_and_bars(root: Path) -> None:
    """Write IN/bar and IN/cross, eight grey pictures each, and a mask for each of what is drawn."""
    rng = np.random.default_rng(0)
    for index in range(16):
        kind, mask = ("bar", "cross")[index % 2], np.zeros((24, 24), np.uint8)
        row, column = rng.integers(6, 18, 2)
        mask[row - 1 : row + 2] = 1
        if kind == "cross":
            mask[:, column - 1 : column + 2] = 1
        levels = 60 + 140 * mask + rng.integers(0, 30, mask.shape, dtype=np.uint8)
        save(levels[..., None].repeat(3, axis=2), root / "in" / kind / f"{index}.png")
        save(mask, root / "masks" / kind / f"{index}.png")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "_STEPS", 150)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["class", "mask"])
def test_without_a_network_one_learns_from_the_sources(tmp_path: Path, kind: str) -> None:
    """An output that shows another source's class, or its shapes elsewhere, is found."""
    crosses_and_bars(tmp_path)
    out, pictures = tmp_path / "out", tmp_path / "in"
    i2ikit.translate(pictures, out, model="echo")
    (out / "bar" / "0.png").write_bytes((out / "cross" / "1.png").read_bytes())
    labels = str(pictures) if kind == "class" else f"{pictures}={tmp_path / 'masks'}"
    gate(out, tmp_path / "gate", labels=labels, limits=Limits(min_agreement=0.9))
    found = agreements(tmp_path / "gate")
    assert [key for key, share in found.items() if share < 0.9] == ["bar/0"]
    gate(out, tmp_path / "again", labels=labels, limits=Limits(min_agreement=0.9))
    assert agreements(tmp_path / "again") == found


@pytest.mark.usefixtures("quick")
def test_of_many_sources_a_part_is_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crosses_and_bars(tmp_path)
    i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo")
    learned: list[int] = []

    def load(found: LabelledSet, *more: Any) -> ProbeSet:
        learned.append(len(found.samples))
        return load_set(found, *more)

    monkeypatch.setattr(learning, "_MOST", 7)
    monkeypatch.setattr(learning, "load_set", load)
    gate(tmp_path / "out", tmp_path / "gate", labels=str(tmp_path / "in"))
    assert learned == [6]
    assert len(agreements(tmp_path / "gate")) == 16


@pytest.mark.usefixtures("quick")
def test_the_network_that_learns_sees_outputs_in_the_size_of_its_sources(tmp_path: Path) -> None:
    crosses_and_bars(tmp_path)
    i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo", size=20)
    gate(tmp_path / "out", tmp_path / "gate", labels=str(tmp_path / "in"))
    assert set(agreements(tmp_path / "gate").values()) == {1}
