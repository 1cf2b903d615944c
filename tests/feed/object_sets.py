"""Pictures with objects, labelled in each of the formats."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import picture

#: The objects of each picture of 12×8 pixels: class, left, top, right, bottom.
OBJECTS = {
    "x/a": [("dog", 2, 2, 6, 4)],
    "x/b": [("cat", 0, 0, 12, 8), ("dog", 4, 4, 8, 8)],
    "y/c": [("cat", 6, 2, 10, 6)],
}
NAMES = ("dog", "cat")


def write_objects(root: Path, form: str) -> Path:
    """Write `root/in` with pictures and their labels: "yolo", "voc" or "coco"."""
    folder = root / "in"
    for seed, (key, objects) in enumerate(OBJECTS.items()):
        path = folder / f"{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(seed=seed).save(path)
        if form == "yolo":
            lines = [
                f"{NAMES.index(name)} {(a + c) / 24} {(b + d) / 16} {(c - a) / 12} {(d - b) / 8}\n"
                for name, a, b, c, d in objects
            ]
            path.with_suffix(".txt").write_text("".join(lines))
            (folder / "classes.txt").write_text("\n".join(NAMES))
        if form == "voc":
            path.with_suffix(".xml").write_text(_voc(objects))
    if form == "coco":
        (folder / "coco.json").write_text(json.dumps(coco()))
    return folder


def _voc(objects: list[tuple[str, int, int, int, int]]) -> str:
    rows = [
        f"<object><name>{name}</name><bndbox><xmin>{a + 1}</xmin><ymin>{b + 1}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d in objects
    ]
    size = "<size><width>12</width><height>8</height></size>"
    return f"<annotation>{size}{''.join(rows)}</annotation>"


def coco() -> dict[str, list[dict[str, object]]]:
    """Return a file of COCO's for all pictures, whose categories count from 7."""
    keys = list(OBJECTS)
    return {
        "images": [
            {"id": place, "file_name": f"{key}.png", "width": 12, "height": 8}
            for place, key in enumerate(keys)
        ],
        "annotations": [
            {
                "id": 10 * place + index,
                "image_id": place,
                "category_id": 7 + NAMES.index(name),
                "bbox": [a, b, c - a, d - b],
                "area": (c - a) * (d - b),
                "iscrowd": 0,
            }
            for place, key in enumerate(keys)
            for index, (name, a, b, c, d) in enumerate(OBJECTS[key])
        ],
        "categories": [{"id": 7 + place, "name": name} for place, name in enumerate(NAMES)],
    }
