"""A network of the user's and labels of the sources."""

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
from i2ikit.feed import gate
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
    for given in ({"classifier": classify}, {"labels": str(tmp_path / "in")}):
        with pytest.raises(UsageError, match="--labels goes with --segmenter or --classifier"):
            gate(out, tmp_path / "gate", **given)
    with pytest.raises(UsageError, match="--segmenter needs a mask for each picture"):
        gate(out, tmp_path / "gate", labels=str(tmp_path / "in"), segmenter=bright)
