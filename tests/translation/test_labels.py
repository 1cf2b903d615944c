"""Labels through whole runs: they lie where the pixels are that they speak of."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import i2ikit
from i2ikit.data.images import decode_image
from i2ikit.data.sizes import shrink
from i2ikit.errors import RunError, SourceError
from i2ikit.labels.objects import read_objects, read_set_objects
from i2ikit.labels.places import LabelFrame
from i2ikit.model import InstanceMap
from i2ikit.translation.audit import audit
from i2ikit.translation.run import RunSummary
from tests.conftest import picture, pixels

pytestmark = pytest.mark.usefixtures("fakes")

#: Sides of the white square that labels speak of, and how far it keeps from the edge.
BLOCK, MARGIN = 4, 6


@dataclass(frozen=True)
class Scene:
    """A black picture with a white square, as stored in a file that is shown turned."""

    width: int
    height: int
    left: int
    top: int
    orientation: int

    def stored(self) -> Image.Image:
        levels = np.zeros((self.height, self.width, 3), np.uint8)
        levels[self.top : self.top + BLOCK, self.left : self.left + BLOCK] = 255
        return Image.fromarray(levels)

    def ids(self) -> Image.Image:
        return Image.fromarray(np.arange(self.width * self.height, dtype=np.uint16).reshape(
            self.height, self.width
        ))

    def save(self, image: Image.Image) -> bytes:
        exif, buffer = Image.Exif(), io.BytesIO()
        exif[0x0112] = self.orientation
        image.save(buffer, "PNG", exif=exif)
        return buffer.getvalue()


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    width, height = draw(st.integers(20, 40)), draw(st.integers(20, 40))
    left = draw(st.integers(MARGIN, width - MARGIN - BLOCK))
    top = draw(st.integers(MARGIN, height - MARGIN - BLOCK))
    return Scene(width, height, left, top, draw(st.integers(1, 8)))


def write_labels(folder: Path, scene: Scene, size: tuple[int, int], box: Sequence[float]) -> None:
    """Describe a box in every format, in a picture of this size."""
    (width, height), (left, top, right, bottom) = size, box
    middle = ((left + right) / 2 / width, (top + bottom) / 2 / height)
    shares = (*middle, (right - left) / width, (bottom - top) / height)
    (folder / "a.txt").write_text(" ".join(["0", *(f"{share:.9f}" for share in shares)]))
    (folder / "a.xml").write_text(
        f"<annotation><size><width>{width}</width><height>{height}</height></size><object>"
        f"<name>square</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object></annotation>"
    )
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    shape = {"label": "square", "shape_type": "polygon", "points": corners}
    sides = {"imageWidth": width, "imageHeight": height}
    (folder / "a.json").write_text(json.dumps({"shapes": [shape], **sides}))
    flat = [side for corner in corners for side in corner]
    row = {
        "id": 1,
        "image_id": 5,
        "category_id": 2,
        "bbox": [left, top, right - left, bottom - top],
        "segmentation": [flat],
        "keypoints": [(left + right) / 2 - 0.5, (top + bottom) / 2 - 0.5, 2],
    }
    image = {"id": 5, "file_name": "a.png", "width": width, "height": height}
    (folder / "coco.json").write_text(json.dumps({"images": [image], "annotations": [row]}))


def shown_box(scene: Scene) -> tuple[int, int, int, int]:
    """Return the square's box as a viewer shows it."""
    shown = decode_image(scene.save(scene.stored()), InstanceMapOfRed, "a.png").array
    rows, columns = np.nonzero(shown)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def centroid(path: Path) -> tuple[float, float]:
    """Return where the light of a picture is."""
    light = pixels(path)[..., 0].astype(float)
    rows, columns = np.indices(light.shape) + 0.5
    return (columns * light).sum() / light.sum(), (rows * light).sum() / light.sum()


@settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    scenes(),
    st.sampled_from(["echo", "padded-echo", "fixed-echo"]),
    st.sampled_from([None, 12, 20, 37, 64]),
    st.sampled_from(["stored", "shown"]),
)
def test_labels_lie_where_the_pixels_are(
    scene: Scene, model: str, size: int | None, frame: LabelFrame
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_scene(Path(folder), scene, model, size, frame)
