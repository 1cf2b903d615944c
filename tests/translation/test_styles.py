"""Styles from files, from example pictures, and asked for again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import i2ikit
from i2ikit.errors import ModelError, UsageError
from i2ikit.model import RGB, InstanceMap
from tests.conftest import picture, pixels
from tests.fakes import Tint
from tests.translation.test_run import metadata, tree

pytestmark = pytest.mark.usefixtures("fakes")

ONLY_STYLE: dict[str, Any] = {"model": "tint", "options": {"strength": 1}}


def first_colours(out: Path, key: str = "a/0") -> list[list[int]]:
    """Return the colour that each style gave an input."""
    return [pixels(path)[0, 0].tolist() for path in sorted(out.glob(f"{key}*.png"))]


def expected(noise: list[float]) -> list[int]:
    return ((torch.tensor(noise).tanh() + 1) / 2 * 255 + 0.5).to(torch.uint8).tolist()


@pytest.mark.parametrize("kind", ["npy", "npy with ones", "safetensors", "jsonl"])
def test_listed_noise_is_used_for_every_input(pictures: Path, tmp_path: Path, kind: str) -> None:
    vectors = np.array([[0.5, -0.5, 1], [0, 2, -2]], dtype=np.float32)
    path = tmp_path / f"styles.{kind.split()[0]}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps({"noise": row}) + "\n" for row in vectors.tolist()))
    elif kind == "safetensors":
        save_file({"z": torch.from_numpy(vectors)}, path)
    else:
        np.save(path, vectors[:, :, None, None] if "ones" in kind else vectors)
    i2ikit.translate(pictures, tmp_path / "out", styles=path, **ONLY_STYLE)
    for key in ("a/0", "b/4"):
        assert first_colours(tmp_path / "out", key) == [expected(row) for row in vectors.tolist()]


def test_the_styles_of_a_run_can_be_asked_for_again(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "one", model="tint", style_sample=3)
    used = tmp_path / "one" / ".i2ikit" / "styles.jsonl"
    i2ikit.translate(pictures, tmp_path / "two", model="tint", styles=used)
    first, second = tree(tmp_path / "one"), tree(tmp_path / "two")
    assert {n: d for n, d in first.items() if n.endswith("png")} == {
        n: d for n, d in second.items() if n.endswith("png")
    }


def test_one_style_of_a_run_can_be_asked_for_alone(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "one", model="tint", style_sample=3)
    lines = (tmp_path / "one" / ".i2ikit" / "styles.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    (tmp_path / "mine.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows if row["style_index"] == 2)
    )
    i2ikit.translate(pictures, tmp_path / "two", model="tint", styles=tmp_path / "mine.jsonl")
    assert tree(tmp_path / "one")["b/3_s02.png"] == tree(tmp_path / "two")["b/3.png"]


def test_an_input_without_a_listed_style_fails_alone(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(json.dumps({"key": "a/0", "noise": [0, 0, 0]}))
    summary = i2ikit.translate(
        pictures, tmp_path / "out", styles=tmp_path / "s.jsonl", model="tint"
    )
    assert (summary.num_outputs, summary.num_failed) == (1, 4)
    assert "--styles has no style 0 for 'a/1'" in summary.failures[0]


def test_an_example_picture_gives_its_style_to_every_input(pictures: Path, tmp_path: Path) -> None:
    Image.new("RGB", (7, 5), (10, 200, 30)).save(tmp_path / "example.png")
    i2ikit.translate(
        pictures, tmp_path / "out", style_from=str(tmp_path / "example.png"), **ONLY_STYLE
    )
    assert first_colours(tmp_path / "out", "b/4") == [[10, 200, 30]]
    assert metadata(tmp_path / "out")[0]["style_from"] == "example"


def test_a_folder_of_examples_gives_a_style_each(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    for index, colour in enumerate([(0, 0, 0), (255, 255, 255), (0, 0, 255)]):
        Image.new("RGB", (4, 4), colour).save(tmp_path / "examples" / f"{index}.png")
    i2ikit.translate(
        pictures, tmp_path / "out", style_from=str(tmp_path / "examples"), **ONLY_STYLE
    )
    colours = [[0, 0, 0], [255, 255, 255], [0, 0, 255]]
    assert first_colours(tmp_path / "out") == colours


def test_matched_examples_pair_by_key(pictures: Path, tmp_path: Path) -> None:
    for index in (0, 1):
        path = tmp_path / "examples" / "a" / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (100 * index,) * 3).save(path, quality=100)
    summary = i2ikit.translate(
        pictures, tmp_path / "out", style_from=f"matched:{tmp_path / 'examples'}", **ONLY_STYLE
    )
    assert first_colours(tmp_path / "out", "a/1") == [[100, 100, 100]]
    assert (summary.num_outputs, summary.num_failed) == (2, 3)
    assert not any(".reference" in name for name in tree(tmp_path / "out"))


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """Return a label folder; the instance maps lie beside it in `instances`."""
    for folder in ("labels", "instances"):
        (tmp_path / folder).mkdir()
    ids = np.array([[7, 7, 26001], [7, 26001, 26001]], dtype=np.uint16)
    Image.fromarray(np.array([[0, 0, 1], [0, 1, 1]], dtype=np.uint8)).save(
        tmp_path / "labels" / "x.png"
    )
    Image.fromarray(ids).save(tmp_path / "instances" / "x.png")
    return tmp_path / "labels"


def test_explicit_choices_are_read_and_written(maps: Path, tmp_path: Path) -> None:
    rows = [{"key": "x", "instance": 7, "level": 2}, {"key": "x", "instance": 26001, "level": 10}]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fields = {"instance": str(tmp_path / "instances")}
    i2ikit.translate(
        maps, tmp_path / "out", model="paint", fields=fields, styles=tmp_path / "c.jsonl"
    )
    made = pixels(tmp_path / "out" / "x.png")[:, :, 0]
    assert made.tolist() == [[153, 153, 255], [153, 255, 255]]


def test_one_choice_of_a_run_can_be_asked_for_alone(maps: Path, tmp_path: Path) -> None:
    fields = {"instance": str(tmp_path / "instances")}
    i2ikit.translate(maps, tmp_path / "one", model="paint", fields=fields, style_sample=3)
    lines = (tmp_path / "one" / ".i2ikit" / "styles.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    mine = [json.dumps(row) + "\n" for row in rows if row["style_index"] == 2]
    (tmp_path / "mine.jsonl").write_text("".join(mine))
    wanted: dict[str, Any] = {"model": "paint", "fields": fields}
    i2ikit.translate(maps, tmp_path / "two", styles=tmp_path / "mine.jsonl", **wanted)
    assert tree(tmp_path / "one")["x_s02.png"] == tree(tmp_path / "two")["x.png"]


def test_listed_noise_goes_by_its_index(pictures: Path, tmp_path: Path) -> None:
    rows = [{"style_index": i, "noise": [i, 0, 0]} for i in (2, 0, 1)]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    i2ikit.translate(pictures, tmp_path / "out", styles=tmp_path / "s.jsonl", **ONLY_STYLE)
    assert first_colours(tmp_path / "out") == [expected([i, 0, 0]) for i in (0.0, 1.0, 2.0)]


def test_drawn_choices_can_be_asked_for_again(maps: Path, tmp_path: Path) -> None:
    fields = {"instance": str(tmp_path / "instances")}
    i2ikit.translate(maps, tmp_path / "one", model="paint", fields=fields, style_sample=3)
    used = tmp_path / "one" / ".i2ikit" / "styles.jsonl"
    assert json.loads(used.read_text().splitlines()[0])["instance"] == 7
    i2ikit.translate(maps, tmp_path / "two", model="paint", fields=fields, styles=used)
    for index in range(3):
        name = f"x_s{index:02d}.png"
        assert tree(tmp_path / "one")[name] == tree(tmp_path / "two")[name]


def test_a_label_out_of_range_is_named(maps: Path, tmp_path: Path) -> None:
    Image.fromarray(np.array([[9, 0, 1], [0, 1, 1]], dtype=np.uint8)).save(maps / "x.png")
    fields = {"instance": str(tmp_path / "instances")}
    summary = i2ikit.translate(maps, tmp_path / "out", model="paint", fields=fields)
    assert "x.png: label 9 is outside 0…4" in summary.failures[0]


def test_maps_of_different_sizes_are_named(maps: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((5, 5), dtype=np.uint8)).save(tmp_path / "instances" / "x.png")
    fields = {"instance": str(tmp_path / "instances")}
    summary = i2ikit.translate(maps, tmp_path / "out", model="paint", fields=fields)
    assert "differ in size: label 3×2, instance 5×5" in summary.failures[0]


@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("s.npy", b"no array", "can't be read"),
        ("s.txt", b"1 2 3", "is of no known kind"),
        ("s.jsonl", b"", "lists no styles"),
        ("s.jsonl", b"{", "line 1 is no JSON"),
        ("s.jsonl", b"3", "line 1 is no JSON object"),
        ("s.jsonl", b'{"noise": [1, 2]}', "holds styles of (2,) numbers; the model takes 3"),
        ("s.jsonl", b'{"noise": [1]}\n{"noise": [1, 2]}', "different lengths: [1, 2]"),
        ("s.jsonl", b'{"noise": [1, 2, 3], "style_index": -1}', "a style_index of -1"),
        ("s.jsonl", b'{"noise": [1, 2, 3], "style_index": "a"}', "a style_index of 'a'"),
        ("s.jsonl", b"\xff\xfe", "line 1 is no JSON"),
        ("s.jsonl", b'{"noise": "loud"}', "a line without noise"),
        ("s.jsonl", b'{"key": "x", "level": 1}', "has no explicit choices"),
    ],
)
def test_a_file_of_styles_that_makes_no_sense(
    pictures: Path, tmp_path: Path, name: str, content: bytes, phrase: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        i2ikit.translate(pictures, tmp_path / "out", model="tint", styles=tmp_path / name)
    assert phrase in str(caught.value)


def test_a_pickled_array_is_not_read(pictures: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.array([{"code": 1}]), allow_pickle=True)
    with pytest.raises(UsageError, match="can't be read"):
        i2ikit.translate(pictures, tmp_path / "out", model="tint", styles=tmp_path / "s.npy")


def test_an_unreadable_example_is_refused_before_the_run(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "e.png").write_text("no picture")
    with pytest.raises(UsageError, match=r"--style-from: .*e\.png holds no picture"):
        i2ikit.translate(
            pictures, tmp_path / "out", model="tint", style_from=str(tmp_path / "e.png")
        )
    assert not (tmp_path / "out").exists()


def test_an_example_without_its_map_is_refused_with_the_flag_for_it(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tint, "reference_inputs", {"image": RGB(), "instance": InstanceMap()})
    (tmp_path / "maps" / "a").mkdir(parents=True)
    Image.new("L", (12, 8)).save(tmp_path / "maps" / "a" / "0.png")
    with pytest.raises(UsageError, match=r"--style-from: no instance for 'a/1' .*reference\.NAME"):
        i2ikit.translate(
            pictures,
            tmp_path / "out",
            model="tint",
            style_from=str(pictures),
            fields={"reference.instance": str(tmp_path / "maps")},
        )


def test_a_model_that_fails_at_an_example_is_one_sentence(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture().save(tmp_path / "e.png")
    monkeypatch.setattr(Tint, "style_from_reference", lambda self, image: 1 / 0)
    with pytest.raises(ModelError, match="the model failed at 'e': ZeroDivisionError"):
        i2ikit.translate(pictures, tmp_path / "out", model="tint", style_from=tmp_path / "e.png")


def test_drawn_styles_differ_between_inputs(pictures: Path, tmp_path: Path) -> None:
    picture().save(pictures / "a" / "0.png")
    i2ikit.translate(pictures, tmp_path / "out", **ONLY_STYLE)
    assert first_colours(tmp_path / "out", "a/0") != first_colours(tmp_path / "out", "a/1")
