"""Opening: what a location is taken for, and what is said where it is nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from i2ikit.data.folders import FolderSource
from i2ikit.data.manifests import ManifestSource
from i2ikit.data.samples import Source
from i2ikit.data.shards import TarSource
from i2ikit.data.sources import open_source
from i2ikit.errors import SourceError
from tests.data.test_folders import fill
from tests.data.test_shards import make_tar

PIX2PIXHD = Path(__file__).parents[1] / "golden/pix2pixhd"


def open_(location: str | Path, *inputs: str, **fields: str) -> Source:
    return open_source(str(location), inputs=inputs or ("image",), fields=fields)


def part_names(source: Source) -> list[str]:
    return [part.name for part in source.parts]


def test_a_location_is_taken_for_what_it_is(tmp_path: Path) -> None:
    fill(tmp_path, "in/a.png")
    make_tar(tmp_path / "t.tar", "a.png")
    (tmp_path / "m.csv").write_text("image\nin/a.png\n")
    assert isinstance(open_(tmp_path / "in"), FolderSource)
    assert isinstance(open_(tmp_path / "in/a.png"), FolderSource)
    assert isinstance(open_(tmp_path / "t.tar"), TarSource)
    assert isinstance(open_(tmp_path / "m.csv"), ManifestSource)


def test_a_folder_of_tars_is_nested_and_carries_its_other_files(tmp_path: Path) -> None:
    make_tar(tmp_path / "train/a.tar", "a.png")
    make_tar(tmp_path / "b.TAR", "b.png")
    source = open_(fill(tmp_path, "sizes.json"))
    assert part_names(source) == ["b.TAR", "train/a.tar"]
    assert source.carried.keys() == {"sizes.json"}


def test_tars_among_pictures_are_an_error(tmp_path: Path) -> None:
    make_tar(tmp_path / "t.tar", "a.png")
    with pytest.raises(SourceError, match=r"both tars and pictures, like t\.tar and a\.png"):
        open_(fill(tmp_path, "a.png"))


def test_a_brace_list_names_tars_relative_to_what_they_share(tmp_path: Path) -> None:
    for name in ("x/00", "x/01", "y/00", "y/01"):
        make_tar(tmp_path / f"{name}.tar", f"{name}.png")
    assert part_names(open_(f"{tmp_path}/x/{{00..01}}.tar")) == ["00.tar", "01.tar"]
    assert part_names(open_(f"{tmp_path}/{{x,y}}/01.tar")) == ["x/01.tar", "y/01.tar"]


def test_a_brace_list_may_climb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tar(tmp_path / "0.tar", "a.png")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert part_names(open_("../{0..0}.tar")) == ["0.tar"]


def test_urls_are_named_and_kept_for_streaming(tmp_path: Path) -> None:
    data = make_tar(tmp_path / "t.tar", "a.png").read_bytes()
    for number in range(2):
        with fsspec.open(f"memory://bucket/{number}/t.tar", "wb") as file:
            file.write(data)
    source = open_("memory://bucket/{0..1}/t.tar")
    assert [(part.name, part.keys) for part in source.parts] == [
        ("0/t.tar", None),
        ("1/t.tar", None),
    ]
    assert [sample.key for sample in source.read("1/t.tar", None)] == ["a"]


def test_a_file_url_is_a_local_tar(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "my t.tar", "a.png")
    assert open_(path.as_uri()).parts[0].keys == ("a",)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("in/phtos", r"phtos does not exist \(did you mean '.*in/photos'\?\)"),
        ("qqqq/x", r"qqqq/x does not exist \('.*' exists, but has no 'qqqq'\)"),
        ("in/photos/a-{0..2}.tar", r"a-0\.tar does not exist"),
        ("in/photos/{a", r"\{a does not exist"),
        ("in/photos/{a,b}.png", r"a\.png is no tar"),
        ("in/photos/notes.txt", r"notes\.txt is no picture, tar or manifest"),
        ("in/photos/t{,}.tar", r"t\.tar twice"),
    ],
)
def test_what_is_not_there_is_an_error_with_a_hint(
    tmp_path: Path, location: str, message: str
) -> None:
    fill(tmp_path, "in/photos/notes.txt")
    make_tar(tmp_path / "in/photos/t.tar", "a.png")
    with pytest.raises(SourceError, match=message):
        open_(tmp_path / location)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("pipe:cat x.tar", "was refused: no commands are run"),
        ("s3://bucket/{0..1}.tar", "0.tar can't be read: Install s3fs"),
        ("gs://bucket/a.tar", "can't be read: .*gcsfs"),
        ("nope://host/a.tar", "unknown protocol"),
        ("memory://host/a.png", "is no tar"),
    ],
)
def test_a_url_that_cant_be_read_is_an_error(location: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        open_(location)


def test_a_folder_that_cant_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match="can't be listed: Permission denied"):
        open_(tmp_path)


def test_the_layout_of_pix2pixhd_is_recognised() -> None:
    source = open_(PIX2PIXHD / "data", "label", "instance")
    samples = list(source.read("", None))
    assert [sample.key for sample in samples] == ["cat", "coffee"]
    assert {name: Path(file.name).parent.name for name, file in samples[0].fields.items()} == {
        "label": "test_label",
        "instance": "test_inst",
    }


def test_folders_of_two_domains_are_ordinary_ones() -> None:
    """Which of them is the input, the direction decides; so the user names it."""
    keys = open_(PIX2PIXHD / "data_rgb").parts[0].keys
    assert keys == ("test_A/cat", "test_A/ihc", "test_B/cat", "test_B/ihc")


def test_a_layout_for_another_model_is_an_ordinary_folder() -> None:
    assert "test_label/cat" in (open_(PIX2PIXHD / "data").parts[0].keys or ())


def test_one_phase_is_taken_and_of_several_the_test(tmp_path: Path) -> None:
    fill(tmp_path, "val_label/a.png", "readme.txt")
    source = open_(tmp_path, "label")
    assert (source.parts[0].keys, list(source.carried)) == (("a",), ["readme.txt"])
    fill(tmp_path, "extra_label/b.png")
    with pytest.raises(SourceError, match=r"phases extra, val.*give the folder itself"):
        open_(tmp_path, "label")
    fill(tmp_path, "test_label/c.png")
    assert open_(tmp_path, "label").parts[0].keys == ("c",)


def test_cityscapes_suffixes_are_cut_where_no_keys_match(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "test_label/c_gtFine_labelIds.png",
        "test_inst/c_gtFine_instanceIds.png",
        "test_img/c_leftImg8bit.png",
    )
    [sample] = open_(tmp_path, "label", "instance").read("", None)
    assert (sample.key, sorted(sample.fields)) == ("c", ["instance", "label"])


def test_a_field_replaces_that_of_the_layout(tmp_path: Path) -> None:
    fill(tmp_path, "in/test_label/a.png", "in/test_inst/a.png", "mine/a.png")
    [sample] = open_(tmp_path / "in", "label", "instance", instance=f"{tmp_path}/mine").read(
        "", None
    )
    assert sample.fields["instance"].name == f"{tmp_path}/mine/a.png"


def test_opening_loads_no_torch_and_no_numpy() -> None:
    code = (
        "import i2ikit.data.sources, i2ikit.data.writers, sys;"
        "print({*sys.modules} & {'torch', 'numpy'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
