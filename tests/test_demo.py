"""The demo: what plugins bring with examples, translated, measured and laid out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2ikit.demo import demo
from i2ikit.errors import RunError, UsageError
from tests.conftest import Offer, picture, pixels

OTHERS = ("demo-weights",)


@pytest.fixture
def examples(offer: Offer, tmp_path: Path) -> Path:
    """Offer `one-way`, which gives back its picture, with two examples and their truth."""
    offer("shown", is_default=True, examples={"image": "shown:in"}, truth="shown:truth")
    for seed in range(2):
        for folder in ("in", "truth"):
            path = tmp_path / "shown" / folder / f"{seed}.png"
            path.parent.mkdir(exist_ok=True)
            picture(16, 16, seed).save(path)
    return tmp_path / "shown"


def test_examples_are_translated_and_laid_out(examples: Path, tmp_path: Path) -> None:
    (shown,) = demo(tmp_path / "out", blocked=OTHERS)
    assert shown.name == "shown-weights a2b"
    assert (pixels(shown.folder / "0.png") == pixels(examples / "in" / "0.png")).all()
    sheet = np.asarray(Image.open(shown.sheet))
    for column in range(3):  # input, output, truth
        place = np.s_[18:34, 18 * column : 18 * column + 16]
        assert (sheet[place] == pixels(examples / "in" / "1.png")).all()


def test_they_are_measured_against_the_truth(examples: Path, tmp_path: Path) -> None:
    (shown,) = demo(tmp_path / "same", blocked=OTHERS)
    assert shown.measured["L1"] == 0
    shutil.copy(examples / "truth" / "0.png", examples / "truth" / "1.png")
    (shown,) = demo(tmp_path / "other", blocked=OTHERS)
    assert shown.measured["L1"] > 0.1


def test_the_page_shows_the_sheets(examples: Path, tmp_path: Path) -> None:
    demo(tmp_path / "out", blocked=OTHERS)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert '<img src="shown-weights-a2b.png"' in page
    assert "shown weights, 8 px" in page


def test_a_demo_that_is_stopped_leaves_nothing(examples: Path, tmp_path: Path) -> None:
    def stop(name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo(tmp_path / "new" / "out", blocked=OTHERS, on_start=stop)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_that_is_there_is_kept(examples: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is there already"):
        demo(tmp_path, blocked=OTHERS)


def test_without_examples_there_is_nothing_to_show(offer: Offer, tmp_path: Path) -> None:
    offer("bare", is_default=True)
    with pytest.raises(UsageError, match="no plugin brings"):
        demo(tmp_path / "out", blocked=OTHERS)
