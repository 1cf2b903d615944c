"""What counts as a picture of a set, for everything that a set may be."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import i2ikit
from i2ikit.data.images import Pixels
from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.evaluate.sets import Picture, as_pixels, decode_stored, group_by_key, open_set
from tests.conftest import picture, pixels
from tests.evaluate.conftest import IMAGES


def names(images: Any, root: Path | None = None) -> list[str]:
    found = [one.name for one in open_set(images).read()]
    return [str(Path(name).relative_to(root)) for name in found] if root else found


def test_a_folder_is_read_whole_and_in_order(pictures: Path) -> None:
    picture().save(pictures / "b" / "UPPER.JPG")
    (pictures / "notes.txt").touch()
    (pictures / ".hidden.png").touch()
    opened = open_set(str(pictures))
    assert (opened.location, opened.count) == (str(pictures), 6)
    assert names(pictures, pictures) == [
        *("a/0.png", "a/1.png", "b/2.png", "b/3.png", "b/4.png", "b/UPPER.JPG")
    ]
    assert [one.key for one in opened.read()] == ["a/0", "a/1", "b/2", "b/3", "b/4", "b/UPPER"]


def test_a_set_can_be_read_twice(pictures: Path) -> None:
    opened = open_set(pictures)
    assert list(opened.read()) == list(opened.read())


def test_the_golden_folders_are_counted(golden: Any) -> None:
    for folder in ("real", "fake", "styles"):
        assert open_set(IMAGES / folder).count == len(golden["images"][folder])


def write_tar(path: Path, *members: str) -> Path:
    with tarfile.open(path, "w") as tar:
        for seed, name in enumerate(members):
            buffer = io.BytesIO()
            picture(seed=seed).save(buffer, "PNG")
            member = tarfile.TarInfo(name)
            member.size = buffer.tell()
            buffer.seek(0)
            tar.addfile(member, buffer)
    return path


@pytest.mark.parametrize("place", ["", "a-0.tar", "a-{0..1}.tar"])
def test_tars_are_read_alone_in_folders_and_brace_lists(tmp_path: Path, place: str) -> None:
    write_tar(tmp_path / "a-0.tar", "x.png", "y.png")
    write_tar(tmp_path / "a-1.tar", "z.png")
    opened = open_set(tmp_path / place)
    found = list(opened.read())
    assert opened.count == len(found) == (2 if place == "a-0.tar" else 3)
    data = [one.file.read() for one in found if one.file]
    assert np.array_equal(decode_stored(data[1], "y"), np.array(picture(seed=1)))


def test_a_tar_that_breaks_off_is_a_picture_with_a_problem(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", "x.png", "y.png")
    write_tar(tmp_path / "b.tar", "z.png")
    opened = open_set(tmp_path)
    path.write_bytes(path.read_bytes()[:600])
    problems = {one.name: one.problem for one in opened.read()}
    assert any("a.tar" in problem for problem in problems.values())
    assert any("z" in name and not problem for name, problem in problems.items())


def test_a_manifest_names_its_pictures(pictures: Path) -> None:
    table = pictures.parent / "list.csv"
    table.write_text("image,text\nin/b/3.png,tree\nin/a/0.png,sea\nin/gone.png,none\n")
    found = list(open_set(table).read())
    assert [Path(one.name).name for one in found] == ["3.png", "0.png", "gone.png"]
    assert [bool(one.problem) for one in found] == [False, False, True]


def test_one_picture_is_a_set_of_one(pictures: Path) -> None:
    assert names(pictures / "a/0.png", pictures) == ["a/0.png"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "x does not exist"),
        (lambda root: root.mkdir(), "no pictures in .*x: it is empty"),
        (
            lambda root: (root.mkdir(), (root / "a.txt").touch()),
            r"no pictures among 1 files in .*x; suffixes seen: \.txt",
        ),
        (lambda root: root.touch(), "x is no picture, tar or manifest by its name"),
    ],
)
def test_what_holds_no_pictures_is_told_in_a_sentence(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "x")
    with pytest.raises(SourceError, match=message):
        open_set(tmp_path / "x")


# outputs of a translation


@pytest.fixture
def translated(fakes: None, pictures: Path, tmp_path: Path) -> Path:
    """Return an OUT with two styles of each input, and a text that travels along."""
    (pictures / "a/0.txt").write_text("tree")
    i2ikit.translate(pictures, tmp_path / "out", model="tint", style_sample=2)
    return tmp_path / "out"


def test_of_a_translation_only_its_outputs_count(translated: Path) -> None:
    picture().save(translated / "label.png")
    opened = open_set(translated)
    found = list(opened.read())
    assert opened.count == len(found) == 10
    assert [(one.key, one.style_index) for one in found[:3]] == [("a/0", 0), ("a/0", 1), ("a/1", 0)]
    assert found[0].name == str(translated / "a/0_s00.png")


def test_an_output_that_was_lost_is_named(translated: Path) -> None:
    (translated / "b/3_s01.png").unlink()
    with pytest.raises(SourceError, match=r"lacks b/3_s01\.png, which its metadata\.jsonl lists"):
        open_set(translated)


def test_a_translation_that_has_not_finished_is_refused(translated: Path) -> None:
    (translated / "metadata.jsonl").unlink()
    with pytest.raises(SourceError, match="out holds a translation that hasn't finished"):
        open_set(translated)


def test_translated_shards_keep_keys_and_style_indices(
    fakes: None, pictures: Path, tmp_path: Path
) -> None:
    i2ikit.translate(pictures, f"wds:{tmp_path / 'out'}", model="tint", style_sample=2)
    found = list(open_set(tmp_path / "out").read())
    assert len(found) == 10
    assert {(one.key, one.style_index) for one in found} == {
        (key, index) for key in ("a/0", "a/1", "b/2", "b/3", "b/4") for index in (0, 1)
    }


def test_pictures_are_grouped_by_key_in_the_order_of_styles() -> None:
    mixed = [("x", 1), ("y", None), ("x", 0), ("x", 2)]
    groups = group_by_key(Picture(f"{key}{n}", key, style_index=n) for key, n in mixed)
    assert {key: [one.style_index for one in group] for key, group in groups.items()} == {
        "x": [0, 1, 2],
        "y": [None],
    }


# arrays


RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "array",
    [
        RGB,
        RGB[:, ::-1][:, ::-1],
        torch.from_numpy(RGB).permute(2, 0, 1),
        torch.from_numpy(RGB).permute(2, 0, 1) / 127.5 - 1,
        (torch.from_numpy(RGB).permute(2, 0, 1) / 127.5 - 1).double(),
    ],
)
def test_a_picture_may_be_an_array_or_tensor(array: Any) -> None:
    found = as_pixels(array)
    assert np.array_equal(found, RGB)
    assert found.dtype == np.uint8


@pytest.mark.parametrize("largest", [1.5, 255.0])
def test_floats_of_another_range_are_refused(largest: float) -> None:
    with pytest.raises(UsageError, match=rf"holds {largest:g}, outside \[-1, 1\]"):
        as_pixels(torch.full((3, 4, 4), largest))


@pytest.mark.parametrize("images", [None, 3])
def test_what_is_no_set_is_a_sentence(images: Any) -> None:
    with pytest.raises(UsageError, match="is no set of pictures"):
        open_set(images)


def test_a_single_array_is_no_set() -> None:
    with pytest.raises(UsageError, match=r"a single array of shape \(9, 9, 3\)"):
        open_set(np.zeros((9, 9, 3), dtype=np.uint8))


def test_a_grey_array_gives_three_equal_channels() -> None:
    assert np.array_equal(as_pixels(RGB[:, :, 0]), RGB[:, :, [0, 0, 0]])


def test_a_square_of_three_rows_is_told_by_its_type() -> None:
    """(3, 3, 3) is (H, W, 3) in numpy and (3, H, W) in torch."""
    cube = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    assert np.array_equal(as_pixels(cube), cube)
    assert np.array_equal(as_pixels(torch.from_numpy(cube)), cube.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (RGB / 255, r"float64 \(5, 7, 3\)"),
        (RGB[:, :, :2], r"uint8 \(5, 7, 2\)"),
        (torch.zeros(1, 3, 4, 4), r"torch\.float32 \(1, 3, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), r"int64 \(4, 4, 3\)"),
        (Image.new("RGB", (2, 2)), "Image"),
        ("a.png", "str"),
    ],
)
def test_anything_else_is_refused_by_what_it_is(array: Any, what: str) -> None:
    with pytest.raises(UsageError, match=f"a picture was given as {what}"):
        as_pixels(array)


def test_floats_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(SampleError, match="NaN"):
        as_pixels(torch.full((3, 2, 2), torch.nan))


def test_arrays_are_counted_where_they_can_be() -> None:
    assert open_set([RGB, RGB]).count == 2
    opened = open_set(iter([RGB, RGB]))
    assert opened.count is None
    assert [one.name for one in opened.read()] == ["picture 0", "picture 1"]


# files


def test_files_are_seen_as_other_packages_see_them(golden: Any) -> None:
    """The exceptions are those that are told in a warning."""
    ours = {"grey16.png", "grey_alpha.png", "palette_transparent.png", "rgba.png"}
    for name, known in golden["images"]["odd"].items():
        if "error" in known:
            continue
        found: Pixels = decode_stored((IMAGES / "odd" / name).read_bytes(), name)
        with Image.open(IMAGES / "odd" / name) as image:
            assert np.array_equal(found, np.array(image.convert("RGB"))) == (name not in ours), name


def test_transparency_is_white_and_sixteen_bits_are_scaled() -> None:
    glass, deep = (
        decode_stored((IMAGES / "odd" / name).read_bytes(), name)
        for name in ("rgba.png", "grey16.png")
    )
    stored = pixels(IMAGES / "odd/rgba.png")
    assert (glass[stored[:, :, 3] == 0] == 255).all()
    levels = pixels(IMAGES / "odd/grey16.png").astype(int)
    assert np.array_equal(deep[:, :, 0], (levels + 128) // 257)
