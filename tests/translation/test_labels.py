"""Labels through whole runs: they lie where the pixels are that they speak of."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import i2ikit
from i2ikit.data.images import Array, decode_image
from i2ikit.data.sizes import shrink
from i2ikit.labels.objects import LabelledObject, read_objects
from i2ikit.labels.places import LabelFrame
from i2ikit.labels.set_objects import cut_coco
from i2ikit.model import RGB, InstanceMap
from tests.conftest import pixels

pytestmark = pytest.mark.usefixtures("fakes")

#: Sides of the white square that labels speak of, and how far it keeps from the edge.
BLOCK, MARGIN = 4, 6


@dataclass(frozen=True)
class Scene:
    """A black picture with a white square, stored so that EXIF turns it."""

    width: int
    height: int
    left: int
    top: int
    orientation: int

    def save(self, levels: Array) -> bytes:
        exif, buffer = Image.Exif(), io.BytesIO()
        exif[0x0112] = self.orientation
        Image.fromarray(levels).save(buffer, "PNG", exif=exif)
        return buffer.getvalue()

    def picture(self) -> bytes:
        levels = np.zeros((self.height, self.width, 3), np.uint8)
        levels[self.top : self.top + BLOCK, self.left : self.left + BLOCK] = 255
        return self.save(levels)

    def ids(self) -> Array:
        return np.arange(self.width * self.height, dtype=np.uint16).reshape(self.height, -1)

    def shown(self, data: bytes, kind: RGB | InstanceMap) -> Array:
        return decode_image(data, kind, "a.png").array


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    width, height = draw(st.integers(20, 40)), draw(st.integers(20, 40))
    left = draw(st.integers(MARGIN, width - MARGIN - BLOCK))
    top = draw(st.integers(MARGIN, height - MARGIN - BLOCK))
    return Scene(width, height, left, top, draw(st.integers(1, 8)))


def write_labels(folder: Path, size: tuple[int, int], box: Sequence[int]) -> None:
    """Describe a box in a picture of this size in every format."""
    (width, height), (left, top, right, bottom) = size, box
    middle = (left + right) / 2, (top + bottom) / 2
    shares = (middle[0] / width, middle[1] / height, BLOCK / width, BLOCK / height)
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
    row = {
        "id": 1,
        "image_id": 5,
        "category_id": 2,
        "bbox": [left, top, BLOCK, BLOCK],
        "segmentation": [[side for corner in corners for side in corner]],
        "keypoints": [middle[0] - 0.5, middle[1] - 0.5, 2],
    }
    image = {"id": 5, "file_name": "a.png", "width": width, "height": height}
    (folder / "coco.json").write_text(json.dumps({"images": [image], "annotations": [row]}))


def lay_out(folder: Path, scene: Scene, frame: LabelFrame) -> None:
    """Write a picture with its labels, and a mask in another folder."""
    (folder / "in").mkdir()
    (folder / "masks").mkdir()
    (folder / "in" / "a.png").write_bytes(scene.picture())
    light, ids = scene.shown(scene.picture(), RGB()), scene.ids()
    size, corner = (scene.width, scene.height), (scene.left, scene.top)
    if frame == "shown":
        size = (light.shape[1], light.shape[0])
        rows, columns = np.nonzero(light[..., 0])
        corner = (int(columns.min()), int(rows.min()))
        ids = scene.shown(scene.save(ids), InstanceMap()).astype(np.uint16)
    write_labels(folder / "in", size, (*corner, corner[0] + BLOCK, corner[1] + BLOCK))
    Image.fromarray(ids).save(folder / "masks" / "a.png")


def read_all(out: Path, size: tuple[int, int]) -> list[LabelledObject]:
    names = ("a.txt", "a.xml", "a.json")
    found = [read_objects(name, (out / name).read_bytes(), size) for name in names]
    (coco,) = cut_coco("coco.json", json.loads((out / "coco.json").read_bytes()))
    found.append(read_objects("coco.json", coco[1], size))
    return [one for objects in found for one in objects]


def points(one: LabelledObject) -> list[tuple[float, float]]:
    """Return what an object says of where its middle is."""
    left, top, right, bottom = one.box
    middles = [tuple(np.mean(polygon, axis=0).tolist()) for polygon in one.polygons]
    return [
        ((left + right) / 2, (top + bottom) / 2),
        *((x, y) for x, y in middles),
        *((x, y) for x, y, _ in one.keypoints),
    ]


def middle_of_light(levels: Array) -> tuple[float, float]:
    light = levels[..., 0].astype(float)
    rows, columns = np.indices(light.shape) + 0.5
    return (columns * light).sum() / light.sum(), (rows * light).sum() / light.sum()


@settings(
    deadline=None,
    derandomize=True,
    max_examples=30,
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
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name) / "out"
        lay_out(folder, scene, frame)
        i2ikit.translate(
            folder / "in",
            out,
            model=model,
            size=size,
            label_frame=frame,
            fields={"mask": folder / "masks"},
            workers=0,
            on_error="stop",
        )
        levels = pixels(out / "a.png")
        height, width = levels.shape[:2]
        objects = read_all(out, (width, height))
        assert len(objects) == 4
        scale = min(width, height) / min(scene.width, scene.height)
        for one in objects:
            sides = np.subtract(one.box[2:], one.box[:2])
            assert np.abs(sides - BLOCK * scale).max() < 0.25
            for point in points(one):
                assert np.abs(np.subtract(point, middle_of_light(levels))).max() < 0.5
        ids = scene.shown(scene.save(scene.ids()), InstanceMap())
        expected = ids if size is None else shrink(ids, InstanceMap(), size)
        assert np.array_equal(pixels(out / "a.mask.png"), expected)
