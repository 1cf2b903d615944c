"""Printed digits, drawn with fonts and framed as MNIST frames handwritten ones."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from i2ikit.errors import SourceError, UsageError
from i2ikit.preparation.digits import (
    MNIST_SIDE,
    DigitsSummary,
    Grey,
    Split,
    pad,
    write_digits,
)
from i2ikit.preparation.npm import read_package_files

#: Pictures of each face and digit.
_COUNTS: dict[Split, int] = {"train": 20, "test": 4}
#: A digit is drawn on so large a square, in these sizes, turned by up to so many degrees …
_CANVAS, _POINTS, _DEGREES = 112, (70, 92), 12
#: … and scaled so that its longer side has so many of MNIST's 28 pixels.
_LONGER_SIDES = (18, 20)
_FACES = r"-latin-[47]00-(normal|italic)\.woff$"

_NOTICE = """\
Digits drawn with these faces of fontsource's npm packages; each family's licence is in its package
(SIL Open Font License 1.1, or as said there):

{faces}

20 pictures of each face and digit are train/, 4 more of each test/; seed {seed}. Each is turned by
up to 12 degrees, scaled to 18 to 20 pixels by its longer side, laid with its centre of mass into
the middle of 28 x 28, as MNIST is, and padded to 32 x 32 with black. A file is called by its face.
"""


def prepare_rendered_digits(
    fonts: str | Path, output: str | Path, *, seed: int = 0
) -> DigitsSummary:
    """Write digits of each upright and italic face, regular and bold: 20 a digit to train on.

    The framing is MNIST's, so that what tells the two apart is how digits are formed. A face's
    pictures depend on the seed and on its name alone.

    Args:
        fonts: fontsource packages: a .tgz, or a folder that has such or unpacked ones.
        output: a new folder.
        seed: of sizes, turns and scales.

    Raises:
        UsageError: the seed is negative, or fontTools isn't installed.
        SourceError: there is no font, or one can't be read.
        RunError: `output` is there already.
    """
    if seed < 0:
        raise UsageError(f"--seed {seed} is less than 0")
    faces = read_package_files(Path(fonts), _FACES, "files/*-latin-400-normal.woff")
    digits: dict[tuple[Split, str, str], Grey] = {}
    for name, data in faces.items():
        font, face = _open(name, data), name.removesuffix(".woff")
        random = np.random.default_rng([seed, zlib.crc32(face.encode())])
        for split, count in _COUNTS.items():
            for label in "0123456789":
                for place in range(count):
                    digits[split, label, f"{face}-{place:02}"] = _draw(font, label, random)
    notice = _NOTICE.format(faces="\n".join(faces), seed=seed)
    return write_digits(Path(output), digits, notice)


def _open(name: str, data: bytes) -> ImageFont.FreeTypeFont:
    """Return a WOFF font, which Pillow can't open as it is."""
    try:
        from fontTools.ttLib import TTFont, TTLibError
    except ModuleNotFoundError:
        raise UsageError(
            "fonts are unpacked by the package fonttools, which isn't installed",
            hint="pip install 'i2ikit[digits]'",
        ) from None
    unpacked = io.BytesIO()
    try:
        with TTFont(io.BytesIO(data)) as font:
            font.flavor = None
            font.save(unpacked)
        unpacked.seek(0)
        return ImageFont.truetype(unpacked)
    except (TTLibError, OSError) as error:
        raise SourceError(f"{name} can't be read as a font: {error}") from None


def _draw(font: ImageFont.FreeTypeFont, label: str, random: np.random.Generator) -> Grey:
    """Return a digit in a frame of 32 × 32."""
    points = int(random.integers(_POINTS[0], _POINTS[1] + 1))
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    middle = (_CANVAS / 2, _CANVAS / 2)
    ImageDraw.Draw(canvas).text(
        middle, label, fill=255, font=font.font_variant(size=points), anchor="mm"
    )
    degrees = random.uniform(-_DEGREES, _DEGREES)
    turned = canvas.rotate(degrees, Image.Resampling.BICUBIC)
    longer = int(random.integers(_LONGER_SIDES[0], _LONGER_SIDES[1] + 1))
    return pad(_frame(turned.crop(turned.getbbox()), longer))


def _frame(digit: Image.Image, longer: int) -> Grey:
    """Return a digit, cut to its ink, in 28 × 28 with its centre of mass in the middle."""
    scale = longer / max(digit.size)
    width, height = (max(1, round(length * scale)) for length in digit.size)
    scaled = np.asarray(digit.resize((width, height), Image.Resampling.LANCZOS))
    mass = scaled.astype(np.float64)
    top = _corner(mass.sum(axis=1))
    left = _corner(mass.sum(axis=0))
    frame = np.zeros((MNIST_SIDE, MNIST_SIDE), np.uint8)
    frame[top : top + height, left : left + width] = scaled
    return frame


def _corner(profile: npt.NDArray[np.float64]) -> int:
    """Return where a digit begins along one axis, all of it within the frame."""
    length = len(profile)
    centre = profile @ (np.arange(length) + 0.5) / profile.sum()
    return int(np.clip(round(MNIST_SIDE / 2 - centre), 0, MNIST_SIDE - length))
