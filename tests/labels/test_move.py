"""Files of labels whose picture's geometry changes: each format, and what is refused."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from i2ikit.data.sizes import Geometry
from i2ikit.errors import SampleError
from i2ikit.labels.coco import decode_runs, encode_runs
from i2ikit.labels.move import move_columns, move_labels
from i2ikit.labels.places import LabelFrame
from tests.odd_pictures import mask_of_two_colours

HALVED = Geometry((20, 10), 1, (10, 5))
MIRRORED = Geometry((20, 10), 2, (20, 10))
TURNED = Geometry((20, 10), 6, (10, 20))  # clockwise: (x, y) lies at (10 - y, x)
SHOWN: LabelFrame = "shown"
STORED: LabelFrame = "stored"


def voc(body: str, width: int = 20, height: int = 10) -> bytes:
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>{size}{body}</annotation>".encode()


def voc_box(*edges: float) -> str:
    names = ("xmin", "ymin", "xmax", "ymax")
    inner = "".join(f"<{n}>{v:g}</{n}>" for n, v in zip(names, edges, strict=True))
    return f"<object><name>cat</name><bndbox>{inner}</bndbox></object>"


def labelme(points: list[list[float]], kind: str = "polygon", **more: object) -> bytes:
    shape = {"label": "cat", "points": points, "shape_type": kind, **more}
    tree = {"version": "5", "shapes": [shape], "imageWidth": 20, "imageHeight": 10}
    return json.dumps(tree).encode()


def points_of(data: bytes) -> object:
    return json.loads(data)["shapes"][0]["points"]


def coco(**annotation: object) -> bytes:
    image = {"width": 20, "height": 10}
    return json.dumps({"image": image, "annotations": [{"id": 7, **annotation}]}).encode()


def annotation_of(data: bytes) -> dict[str, object]:
    return dict(json.loads(data)["annotations"][0])


def mask(ids: np.ndarray, mode: str = "L", form: str = "PNG", **options: object) -> bytes:
    image, buffer = Image.fromarray(ids), io.BytesIO()
    if mode == "P":
        image.putpalette(list(range(48)))
    image.save(buffer, form, **options)
    return buffer.getvalue()


IDS = np.arange(200, dtype=np.uint8).reshape(10, 20) % 16


def refused(name: str, data: bytes, geometry: Geometry, frame: LabelFrame | None = None) -> str:
    with pytest.raises(SampleError) as caught:
        move_labels(name, data, geometry, frame)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "moved"),
    [
        ("3 0.25 0.5 0.5 0.25", "3 0.750000 0.5 0.5 0.25"),
        ("3 0 0 0.25 0 0.25 0.5", "3 1.000000 0 0.750000 0 0.750000 0.5"),
        (
            "3 0.25 0.5 0.5 0.5 0.1 0.375 2 0 0 0",
            "3 0.750000 0.5 0.5 0.5 0.900000 0.375 2 0 0 0",
        ),
    ],
)
def test_yolo_boxes_polygons_and_poses_are_mirrored(line: str, moved: str) -> None:
    text = move_labels("a.txt", f"{line}\r\n\n".encode(), MIRRORED, STORED).decode()
    assert text == f"{moved}\r\n\n"


def test_yolo_is_the_same_at_another_size() -> None:
    data = b"0 .5 .50 1 1\r\n1 0 0 1 0 1 1 0 1"
    assert move_labels("a.txt", data, HALVED) == data


def test_a_turn_swaps_the_sides_of_a_box() -> None:
    moved = move_labels("a.txt", b"0 0.2 0.4 0.1 0.3", TURNED, STORED)
    assert moved == b"0 0.600000 0.200000 0.300000 0.100000"


def test_points_that_may_be_of_poses_or_polygons_are_not_turned() -> None:
    data = b"0 0.5 0.5 0.4 0.4 0.4 0.6 0.5 0.5"
    assert "poses of two numbers a keypoint" in refused("a.txt", data, MIRRORED, STORED)
    assert move_labels("a.txt", data, HALVED) == data
    certain = data + b"\n0 0 0 1 0 1 1"  # lines of two lengths are of polygons
    assert move_labels("a.txt", certain, MIRRORED, STORED).startswith(b"0 0.5 0.5 0.6")


@pytest.mark.parametrize(
    "line", ["0 1 2", "0 1e-1 1e-1", "0 .1 .1 .1 .1 .9", "0 .5 .5 1 1 .1 .1 7"]
)
def test_lines_that_yolo_does_not_know_are_refused(line: str) -> None:
    assert "of YOLO's" in refused("a.txt", line.encode(), HALVED)


def test_voc_counts_pixels_from_one() -> None:
    moved = move_labels("a.xml", voc(voc_box(1, 1, 4, 10)), HALVED)
    assert moved == voc(voc_box(1, 1, 2, 5), 10, 5)
    assert move_labels("a.xml", voc(voc_box(1, 1, 4, 10)), TURNED) == voc(
        voc_box(1, 1, 10, 4), 10, 20
    )


def test_voc_that_begins_at_zero_leaves_the_end_out() -> None:
    both = voc_box(0, 2, 4, 10) + voc_box(3, 4, 20, 10)
    moved = move_labels("a.xml", voc(both), HALVED)
    assert moved == voc(voc_box(0, 1, 2, 5) + voc_box(1.5, 2, 10, 5), 10, 5)


def test_voc_parts_polygons_and_comments_are_kept() -> None:
    polygon = "<polygon><x1>{}</x1><y1>{}</y1><x2>{}</x2><y2>{}</y2></polygon>"
    body = "<!-- mine --><object><name>7 cats</name>{}<part><bndbox><xmin>{}</xmin><ymin>1</ymin>\
<xmax>{}</xmax><ymax>2</ymax></bndbox></part></object>"
    data = voc(body.format(polygon.format(1, 1, 20, 1), 2, 3))
    moved = move_labels("a.xml", b"<?xml version='1.0'?>\n" + data, MIRRORED, STORED)
    expected = voc(body.format(polygon.format(20, 1, 1, 1), 18, 19))
    assert moved == b'<?xml version="1.0" encoding="utf-8"?>\n' + expected


def test_voc_with_places_unknown_is_refused() -> None:
    data = voc("<object><name>cat</name><robndbox><cx>4</cx></robndbox></object>")
    assert "a.xml: <robndbox> may hold coordinates" in refused("a.xml", data, HALVED)


@pytest.mark.parametrize(
    ("points", "kind", "moved"),
    [
        ([[0, 0], [4, 2], [19, 9.5]], "polygon", [[0, 0], [2, 1], [9.5, 4.75]]),
        ([[8, 6], [2, 4]], "rectangle", [[1, 2], [4, 3]]),
        ([[10, 5], [10, 7]], "circle", [[5, 2.5], [5, 3.5]]),
        ([[20, 10]], "point", [[10, 5]]),
    ],
)
def test_labelme_shapes_move(
    points: list[list[float]], kind: str, moved: list[list[float]]
) -> None:
    assert points_of(move_labels("a.json", labelme(points, kind), HALVED)) == moved


def test_labelme_states_the_new_size_and_drops_the_old_picture() -> None:
    tree = json.loads(labelme([])) | {"imageData": "iVBO", "mine": "kept"}
    moved = json.loads(move_labels("a.json", json.dumps(tree).encode(), HALVED))
    assert (moved["imageWidth"], moved["imageHeight"], moved["imageData"]) == (10, 5, None)
    assert (list(moved), moved["mine"]) == (list(tree), "kept")


@pytest.mark.parametrize(
    ("kind", "more"), [("mask", {"mask": "iVBO"}), ("polygon", {"cuboid": [1, 2]})]
)
def test_labelme_shapes_that_cannot_move_are_refused(kind: str, more: dict[str, object]) -> None:
    data = labelme([[0, 0], [1, 1]], kind, **more)
    assert "may hold coordinates" in refused("a.json", data, HALVED)


def test_coco_boxes_polygons_keypoints_and_areas_move() -> None:
    data = coco(
        bbox=[2, 4, 6, 2],
        segmentation=[[2, 4, 8, 4, 8, 6]],
        keypoints=[2, 4, 2, 0, 0, 0],
        area=12,
        category_id=3,
    )
    row = annotation_of(move_labels("a.json", data, TURNED))
    assert row == {
        "id": 7,
        "bbox": [4, 2, 2, 6],
        "segmentation": [[6, 2, 6, 8, 4, 8]],
        "keypoints": [5, 2, 2, 0, 0, 0],  # pixel (2, 4) becomes pixel (9 - 4, 2)
        "area": 12,
        "category_id": 3,
    }
    assert annotation_of(move_labels("a.json", data, HALVED))["area"] == 3


def test_coco_masks_of_runs_move_as_masks() -> None:
    ids = (IDS > 7).astype(np.int32)
    data = coco(segmentation={"size": [10, 20], "counts": encode_runs(ids)})
    moved = annotation_of(move_labels("a.json", data, TURNED))["segmentation"]
    assert isinstance(moved, dict)
    assert moved["size"] == [20, 10]
    assert np.array_equal(decode_runs(moved["counts"], 10, 20), np.rot90(ids, -1))


def test_runs_begin_with_zeros() -> None:
    ids = np.array([[1, 0], [1, 1]], np.int32)
    assert encode_runs(ids) == [0, 2, 1, 1]
    assert np.array_equal(decode_runs([0, 2, 1, 1], 2, 2), ids)


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"segmentation": {"size": [10, 20], "counts": "PX0"}}, "compressed mask of runs"),
        ({"crop_box": [0, 0, 4, 4]}, "'crop_box' may hold coordinates"),
        ({"bbox": [0, 0, 4, 4, 30]}, "can't be read as labels"),
    ],
)
def test_coco_rows_that_cannot_move_are_refused(annotation: dict[str, object], reason: str) -> None:
    assert reason in refused("a.json", coco(**annotation), HALVED)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.mask.png", mask(IDS)),
        ("a.png", mask(IDS, "P", bits=4)),
        ("a.png", mask(IDS.astype(np.uint16) * 4000)),
        ("a.png", mask(IDS > 3)),
        ("a.tif", mask(IDS, form="TIFF", compression="tiff_lzw")),
        ("a.tif", mask(IDS.astype(np.int32) * 100_000, form="TIFF")),
    ],
    ids=["8 bits", "palette", "16 bits", "1 bit", "TIFF", "TIFF of 32 bits"],
)
def test_masks_move_in_their_own_format(name: str, data: bytes) -> None:
    moved = move_labels(name, data, TURNED)
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(moved)) as after:
        assert (after.format, after.mode) == (before.format, before.mode)
        if after.format == "PNG":
            assert moved[24:26] == data[24:26]  # bits of a pixel, and what they mean
        assert after.info.get("compression") == before.info.get("compression")
        assert np.array_equal(np.asarray(after), np.rot90(np.asarray(before), -1))
        assert after.getpalette() == before.getpalette()


def test_a_mask_shrinks_to_the_ids_at_its_pixels_centres() -> None:
    moved = move_labels("a.png", mask(IDS), HALVED)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(moved))), IDS[1::2, 1::2])


def test_ids_beyond_a_short_palette_stay_as_they_are() -> None:
    moved = move_labels("a.png", mask_of_two_colours(IDS), HALVED)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(moved))), IDS[1::2, 1::2])


def test_masks_that_cannot_be_kept_as_they_are_are_refused() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert "rotation of its own" in refused("a.png", mask(IDS, exif=exif), TURNED)
    assert "a BMP file" in refused("a.bmp", mask(IDS, form="BMP"), HALVED)
    colour = mask(np.zeros((10, 20, 3), np.uint8))
    assert "colour picture" in refused("a.png", colour, HALVED)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.cls", b"3"),
        ("a.txt", b"2 cats on a chair"),
        ("a.txt", b""),
    ],
)
def test_classes_and_captions_are_carried(name: str, data: bytes) -> None:
    assert move_labels(name, data, TURNED) == data


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.npy", b"\x93NUMPY"),
        ("a.json", b'{"box": [1, 2, 3, 4]}'),
        ("a.xml", b"<kitti><x>3</x></kitti>"),
        ("a.txt", b"Car 0.00 0 -1.58 587.01 173.33"),
        ("a.txt", b"377,117,463,117,465,130,378,130,Genaxis"),
    ],
)
def test_what_nobody_knows_is_refused_unless_it_speaks_of_what_is_shown(
    name: str, data: bytes
) -> None:
    assert "may hold coordinates" in refused(name, data, HALVED)
    assert "EXIF rotation" in refused(name, data, TURNED, STORED)
    assert "leave out --size" in refused(name, data, HALVED, SHOWN)
    assert move_labels(name, data, TURNED, SHOWN) == data


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", b"0 0.9 0.5 0.4 0.1"),
        ("a.txt", b"0 100 120 40 30"),
        ("a.xml", voc(voc_box(1, 1, 21, 10))),
        ("a.json", labelme([[0, 0], [20.6, 5], [1, 1]])),
        ("a.json", coco(bbox=[-1, 0, 4, 4])),
        ("a.json", coco(bbox=[float("nan"), 0, 4, 4])),
    ],
)
def test_places_outside_of_the_picture_are_refused(name: str, data: bytes) -> None:
    message = refused(name, data, HALVED)
    assert message.startswith(f"{name}: the ")
    assert message.endswith("reaches outside of 20×10")


def test_half_a_pixel_outside_is_no_error() -> None:
    assert points_of(move_labels("a.json", labelme([[20.4, 10]]), HALVED)) == [[10.2, 5]]


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.xml", b"<annotation>"), ("a.json", b"{"), ("a.txt", b"\xff 1 1"), ("a.png", b"no")],
)
def test_damaged_files_are_said_by_name(name: str, data: bytes) -> None:
    assert refused(name, data, HALVED).startswith(name)


def test_a_stated_size_tells_which_picture_is_meant() -> None:
    stored, shown = voc(voc_box(1, 1, 4, 10)), voc(voc_box(1, 1, 10, 4), 10, 20)
    assert move_labels("a.xml", stored, TURNED, SHOWN) == shown
    assert move_labels("a.xml", shown, TURNED, STORED) == shown
    turned_and_halved = Geometry((20, 10), 6, (5, 10))
    assert move_labels("a.xml", shown, turned_and_halved) == voc(voc_box(1, 1, 5, 2), 5, 10)


def test_a_stated_size_of_no_picture_is_an_error_with_both() -> None:
    message = refused("a.xml", voc("", 640, 480), TURNED)
    assert message == "a.xml speaks of a picture of 640×480, and its own has 20×10 or 10×20"
    assert "its own has 20×10" in refused("a.png", mask(IDS[:5]), HALVED)


def test_who_does_not_tell_is_asked_for_the_frame() -> None:
    assert "--label-frame stored" in refused("a.txt", b"0 .5 .5 1 1", TURNED)
    assert "--label-frame stored" in refused("a.png", mask(IDS), MIRRORED)
    assert move_labels("a.txt", b"0 .5 .5 1 1", TURNED, SHOWN) == b"0 .5 .5 1 1"
    assert move_labels("a.png", mask(IDS), MIRRORED, SHOWN) == mask(IDS)


def test_boxes_of_the_column_objects_move() -> None:
    objects = {"bbox": [[2, 4, 6, 2]], "area": [12], "categories": [3, 4], "tags": ["a"]}
    moved = move_columns({"text": "a cat", "objects": objects}, "a", HALVED)
    assert moved == {
        "text": "a cat",
        "objects": {"bbox": [[1, 2, 3, 1]], "area": [3], "categories": [3, 4], "tags": ["a"]},
    }


@pytest.mark.parametrize(
    "columns",
    [
        {"points": [[1, 2]]},
        {"objects": [[1, 2]]},
        {"objects": {"bbox": [[1, 2]]}},
        {"objects": {"bbox": [], "points": [[1, 2]]}},
    ],
)
def test_other_columns_of_lists_are_refused(columns: dict[str, object]) -> None:
    with pytest.raises(SampleError, match=r"the column '.*' of 'a'"):
        move_columns(columns, "a", HALVED)


def test_columns_that_speak_of_what_is_shown_stay() -> None:
    columns = {"points": [[1, 2]], "objects": {"bbox": [[1, 2, 3, 4]]}}
    assert move_columns(columns, "a", TURNED, SHOWN) == columns
