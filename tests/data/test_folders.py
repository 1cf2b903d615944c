"""Folders: what is found, how it is named, what travels along, how fields are matched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ikit.data.folders import FolderSource, open_folder, open_picture, parse_field
from i2ikit.data.keys import PICTURE_SUFFIXES, escapes
from i2ikit.data.pictures import walk
from i2ikit.data.samples import Sample
from i2ikit.errors import SampleError, SourceError


def fill(root: Path, *names: str) -> Path:
    """Make files that hold their own names."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def open_(
    root: Path, inputs: Sequence[str] = ("image",), fields: Mapping[str, str] | None = None
) -> FolderSource:
    parsed = {name: parse_field(name, text) for name, text in (fields or {}).items()}
    return open_folder("IN", root, walk(root), inputs=inputs, fields=parsed)


def read(source: FolderSource) -> dict[str, Sample]:
    return {sample.key: sample for sample in source.read("", None)}


def contents(sample: Sample) -> dict[str, str]:
    return {name: file.read().decode() for name, file in sample.fields.items()}


def test_pictures_are_found_at_any_depth_in_code_point_order(tmp_path: Path) -> None:
    source = open_(fill(tmp_path, "b.JPG", "a/z.webp", "a-b.png", "B.tif"))
    assert source.parts[0].keys == ("B", "a-b", "a/z", "b")
    assert [contents(sample)["image"] for sample in source.read("", None)] == [
        "B.tif",
        "a-b.png",
        "a/z.webp",
        "b.JPG",
    ]


def test_hidden_files_and_records_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", ".b.png", ".i2ikit/c.png", "__MACOSX/d.png", "Thumbs.db")
    assert walk(tmp_path) == ["a.png"]


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root = fill(tmp_path / "in", "a.png", "deep/b.png")
    fill(tmp_path / "far", "c.png")
    (root / "link").symlink_to(tmp_path / "far")
    (root / "deep/circle").symlink_to(root)
    (root / "self.png").symlink_to(root / "self.png")
    assert walk(root) == ["a.png", "deep/b.png", "link/c.png", "self.png"]


def test_a_broken_link_is_an_unreadable_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone")
    with pytest.raises(SampleError, match=r"a\.png can't be read: No such file"):
        read(open_(tmp_path))["a"].fields["image"].read()


def test_a_name_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.png").write_text("")
    with pytest.raises(SourceError, match="not UTF-8"):
        walk(tmp_path)


def test_pictures_that_share_a_stem_keep_their_suffix_and_share_sidecars(tmp_path: Path) -> None:
    samples = read(open_(fill(tmp_path, "grey.jpg", "grey.png", "grey.txt")))
    assert list(samples) == ["grey.jpg", "grey.png"]
    assert contents(samples["grey.png"]) == {"image": "grey.png"}
    for sample in samples.values():
        assert sample.sidecars[".txt"].read() == b"grey.txt"


def test_a_clash_with_a_kept_suffix_is_an_error(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "a.jpg", "a.png.jpg")
    with pytest.raises(SourceError, match=r"a\.png and .*a\.png\.jpg would both be named 'a\.png'"):
        open_(tmp_path)


def test_files_of_the_same_stem_travel_with_a_picture(tmp_path: Path) -> None:
    names = ["a.cls", "a.mask.txt", "a.png", "a.b.json", "x/a.txt", "x/a.jpg", "x/a"]
    source = open_(fill(tmp_path, *names, "classes.txt", "a.b.jpg"))
    ends = {key: sample.sidecars.keys() for key, sample in read(source).items()}
    assert ends == {"a": {".cls", ".mask.txt"}, "a.b": {".json"}, "x/a": {".txt"}}
    assert source.carried.keys() == {"classes.txt", "x/a"}
    assert dict(source.names())["a"] == (".cls", ".mask.txt")


def test_only_the_asked_keys_are_read_and_lost_ones_are_a_problem(tmp_path: Path) -> None:
    source = open_(fill(tmp_path, "a.png", "b.png"))
    samples = list(source.read("", ["b", "gone"]))
    assert [(sample.key, sample.problem) for sample in samples] == [
        ("b", ""),
        ("gone", "'gone' is no longer in IN"),
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "it is empty"),
        (["a.txt", "b.npy", "c/d.txt"], "among 3 files in .*; suffixes seen: .npy .txt"),
    ],
)
def test_a_folder_without_pictures_says_what_is_there(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        open_(fill(tmp_path, *names))


@pytest.mark.parametrize("table", ["metadata.jsonl", "metadata.csv"])
def test_the_metadata_of_an_imagefolder_become_columns(tmp_path: Path, table: str) -> None:
    fill(tmp_path, "x/a.png", "b.png")
    if table.endswith("csv"):
        (tmp_path / table).write_text("file_name,text\nx/a.png,a dog\n")
    else:
        (tmp_path / table).write_text(json.dumps({"file_name": "x/a.png", "text": "a dog"}))
    source = open_(tmp_path)
    assert [sample.columns for sample in source.read("", None)] == [{}, {"text": "a dog"}]
    assert source.carried == {}


def test_another_metadata_csv_is_carried(tmp_path: Path) -> None:
    (fill(tmp_path, "a.png") / "metadata.csv").write_text("id,text\n1,x\n")
    assert open_(tmp_path).carried.keys() == {"metadata.csv"}


def test_another_metadata_jsonl_is_an_error(tmp_path: Path) -> None:
    (fill(tmp_path, "a.png") / "metadata.jsonl").write_text('\n{"id": 1}\n')
    with pytest.raises(SourceError, match="line 2: no 'file_name'"):
        open_(tmp_path)


def test_fields_are_matched_by_key(tmp_path: Path) -> None:
    fill(tmp_path / "label", "x/a.png", "b.png")
    fill(tmp_path / "inst", "x/a.tif", "b_i.png")
    source = open_(tmp_path / "label", ("label", "instance"), {"instance": f"{tmp_path}/inst"})
    samples = read(source)
    assert contents(samples["x/a"]) == {"label": "x/a.png", "instance": "x/a.tif"}
    assert samples["b"].problem == f"no instance for 'b' in {tmp_path}/inst"


def test_a_lacking_field_that_is_no_input_is_no_problem(tmp_path: Path) -> None:
    fill(tmp_path / "in", "a.png", "b.png")
    fill(tmp_path / "masks", "a.png")
    sample = read(open_(tmp_path / "in", fields={"mask": f"{tmp_path}/masks"}))["b"]
    assert (list(sample.fields), sample.problem) == (["image"], "")


@pytest.mark.parametrize("mask", ["grey.jpg", "grey.png", "grey.jpg.png"])
def test_a_key_that_kept_its_suffix_finds_its_field(tmp_path: Path, mask: str) -> None:
    fill(tmp_path / "in", "grey.jpg", "grey.png")
    fill(tmp_path / "masks", mask)
    sample = read(open_(tmp_path / "in", fields={"mask": f"{tmp_path}/masks"}))["grey.jpg"]
    [file] = sample.sidecars.values()
    assert file.read().decode() == mask


def test_suffixes_choose_the_inputs_and_the_fields_of_one_folder(tmp_path: Path) -> None:
    names = [f"c/x_gtFine_{kind}.png" for kind in ("labelIds", "instanceIds", "color")]
    root = fill(tmp_path, *names, "c/x_gtFine_polygons.json", "c/x_gtFine_labelIds.txt")
    fields = {"label": f"{root}:_gtFine_labelIds", "instance": f"{root}:_gtFine_instanceIds"}
    source = open_(root, ("label", "instance"), fields)
    [sample] = source.read("", None)
    assert sample.key == "c/x"
    assert contents(sample) == {"label": names[0], "instance": names[1]}
    assert sample.sidecars.keys() == {".txt"}
    assert source.carried.keys() == {"c/x_gtFine_polygons.json"}


@pytest.mark.parametrize(
    ("mask", "text"), [("masks/a.png", "/masks"), ("a_mask.png", ":_mask"), ("m/a_m.png", "/m:_m")]
)
def test_pictures_of_a_field_inside_the_folder_are_no_inputs(
    tmp_path: Path, mask: str, text: str
) -> None:
    source = open_(fill(tmp_path, "a.png", mask), fields={"mask": f"{tmp_path}{text}"})
    assert source.parts[0].keys == ("a",)
    assert read(source)["a"].sidecars[".mask.png"].read().decode() == mask
    assert dict(source.names()) == {"a": (".mask.png",)}


@pytest.mark.parametrize(
    ("inputs", "fields", "message"),
    [
        (("label", "instance"), {}, "no instance is given"),
        (("image",), {"mask": "far"}, "no mask in .*far fits an input.* 'a', it has 'b'"),
        (("image",), {"mask": "in"}, "the folder of the inputs themselves"),
        (("image",), {"mask": "gone"}, "gone does not exist"),
        (("image",), {"mask": "in/a.png"}, "a.png is a file"),
        (("image",), {"mask": "text"}, "no pictures among 1 files"),
        (("image",), {"image": "far"}, "is outside of IN"),
        (("image",), {"image": "in:_x"}, "none of the 1 files .* ends with '_x'; the first is a"),
    ],
)
def test_fields_amiss_are_an_error(
    tmp_path: Path, inputs: tuple[str, ...], fields: dict[str, str], message: str
) -> None:
    fill(tmp_path, "in/a.png", "far/b.png", "text/a.txt")
    with pytest.raises(SourceError, match=message):
        open_(tmp_path / "in", inputs, {name: f"{tmp_path}/{at}" for name, at in fields.items()})


def test_one_picture_brings_its_sidecars_and_fields(tmp_path: Path) -> None:
    root = fill(tmp_path, "a.png", "a.txt", "a.jpg", "ab.txt", "inst/a.tif")
    fields = {"instance": parse_field("instance", f"{root}/inst")}
    path = root / "a.png"
    source = open_picture("a.png", path, inputs=("label", "instance"), fields=fields)
    [sample] = source.read("", None)
    assert (sample.key, source.carried) == ("a", {})
    assert contents(sample) == {"label": "a.png", "instance": "inst/a.tif"}
    assert sample.sidecars.keys() == {".txt"}


letters = st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
parts = st.text(letters, min_size=1, max_size=12).filter(lambda name: name[0] not in ".xy")
pictures = st.tuples(
    st.sampled_from(["", "x/", "y.png/"]),
    parts,
    st.sampled_from([*sorted(PICTURE_SUFFIXES), ".PNG"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(pictures, min_size=1, max_size=6, unique=True))
def test_any_names_give_as_many_unique_harmless_keys(
    names: list[tuple[str, str, str]],
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        wanted = {above + stem + suffix for above, stem, suffix in names}
        fill(root, *wanted)
        try:
            source = open_(root)
        except SourceError as error:
            assert "would both be named" in error.message  # noqa: PT017 (it may also succeed)
            return
        samples = list(source.read("", None))
        assert {contents(sample)["image"] for sample in samples} == wanted
        assert len({sample.key for sample in samples}) == len(wanted)
        assert not any(escapes(sample.key) for sample in samples)
