"""Tars: samples as webdataset groups them, fields, and everything that may be wrong with one."""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import fsspec
import pytest

from i2ikit.data.samples import Sample
from i2ikit.data.shards import Tar, TarSource, split_member
from i2ikit.errors import SourceError


def make_tar(path: Path, *names: str, mode: str = "w") -> Path:
    """Make a tar whose members hold their own names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name.encode())
            tar.addfile(member, io.BytesIO(name.encode()))
    return path


def open_(
    *paths: Path, inputs: Sequence[str] = ("image",), fields: Mapping[str, str] | None = None
) -> TarSource:
    tars = [Tar(path.name, str(path)) for path in paths]
    return TarSource("IN", tars, inputs=inputs, fields=fields or {})


def read(source: TarSource, keys: Sequence[str] | None = None) -> list[Sample]:
    return list(source.read(source.parts[0].name, keys))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.jpg", ("a", "jpg")),
        ("./x.y/a.mask.png", ("x.y/a", "mask.png")),
        ("README", None),
        ("x/._a.jpg", None),
        ("__MACOSX/a.jpg", None),
        ("__meta__/a.json", None),
        ("../../x", ("../../x", "")),
        ("../.a.jpg", ("../", "a.jpg")),
    ],
)
def test_a_member_is_split_at_the_first_dot(path: str, expected: tuple[str, str] | None) -> None:
    assert split_member(path) == expected


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_is_one_part_whose_samples_bring_their_other_fields(
    tmp_path: Path, mode: str
) -> None:
    names = ["x/a.JPG", "x/a.cls", "x/a.mask.png", "b.png", "b.json"]
    source = open_(make_tar(tmp_path / "t.tar", *names, mode=mode))
    assert [(part.name, part.keys, part.splittable) for part in source.parts] == [
        ("t.tar", ("x/a", "b"), False)
    ]
    first, second = read(source)
    assert first.fields["image"].read() == b"x/a.JPG"
    assert first.fields["image"].name == f"{tmp_path}/t.tar/x/a.JPG"
    assert {end: file.read() for end, file in first.sidecars.items()} == {
        ".cls": b"x/a.cls",
        ".mask.png": b"x/a.mask.png",
    }
    assert (second.key, list(second.sidecars)) == ("b", [".json"])
    assert list(source.names()) == [("x/a", [".cls", ".mask.png"]), ("b", [".json"])]


def test_only_the_asked_keys_are_read_and_lost_ones_are_a_problem(tmp_path: Path) -> None:
    source = open_(make_tar(tmp_path / "t.tar", "a.png", "b.png"))
    samples = read(source, ["b", "gone"])
    assert [(sample.key, sample.problem[:21]) for sample in samples] == [
        ("b", ""),
        ("gone", "'gone' is no longer i"),
    ]


def test_fields_are_found_by_name_or_as_told(tmp_path: Path) -> None:
    tar = make_tar(tmp_path / "t.tar", "a.label.png", "a.inst.PNG", "a.jpg", "a.txt")
    source = open_(tar, inputs=("label", "instance"), fields={"instance": ".inst.png"})
    [sample] = read(source)
    assert {name: file.read() for name, file in sample.fields.items()} == {
        "label": b"a.label.png",
        "instance": b"a.inst.PNG",
    }
    assert sample.sidecars.keys() == {".jpg", ".txt"}


def test_a_sample_without_an_input_is_a_problem(tmp_path: Path) -> None:
    tar = make_tar(tmp_path / "t.tar", "a.png", "b.txt", "b.mask.png")
    problems = [sample.problem for sample in read(open_(tar))]
    assert problems == ["", "holds no image: its fields are txt, mask.png"]


def test_a_field_in_no_sample_is_an_error(tmp_path: Path) -> None:
    tar = make_tar(tmp_path / "t.tar", "a.label.png", "a.txt")
    with pytest.raises(SourceError, match=r"holds inst\.png: fields are like label\.png, txt"):
        open_(tar, inputs=("label", "instance"), fields={"instance": "inst.png"})


@pytest.mark.parametrize("name", ["../../x", "/etc/x.jpg", "a/../../b.png", "C:/x.png", "a\nb.png"])
def test_an_unsafe_member_is_a_problem_under_a_safe_key(tmp_path: Path, name: str) -> None:
    source = open_(make_tar(tmp_path / "t.tar", "a.png", name, "b.png"))
    samples = read(source)
    assert [sample.key for sample in samples] == ["a", "t.tar!1", "b"]
    assert source.parts[0].keys == ("a", "t.tar!1", "b")
    assert samples[1].problem
    assert not samples[1].fields


@pytest.mark.parametrize("field", ["a\\..\\b", "t\nxt"])
def test_an_unsafe_field_is_a_problem(tmp_path: Path, field: str) -> None:
    [sample] = read(open_(make_tar(tmp_path / "t.tar", "a.png", f"a.{field}")))
    assert sample.problem.startswith("its name")


class Bomb:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("field", ["pkl", "x.PICKLE", "pyd", "pth", "pt", "pkl.gz"])
def test_a_pickle_is_never_loaded_but_reported(tmp_path: Path, field: str) -> None:
    data = pickle.dumps(Bomb())
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for name in ("a.png", f"a.{field}"):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    [sample] = read(open_(tmp_path / "t.tar"))
    assert (sample.problem, sample.sidecars) == (f"holds a pickle field '{field}'", {})


def test_members_that_are_no_files_are_ignored(tmp_path: Path) -> None:
    kinds = [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for number, kind in enumerate(kinds):
            member = tarfile.TarInfo(f"{number}.png")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
        tar.addfile(tarfile.TarInfo("a.png"))
    assert [sample.key for sample in read(open_(tmp_path / "t.tar"))] == ["a"]


def test_a_key_in_two_tars_is_an_error_that_names_both(tmp_path: Path) -> None:
    paths = [make_tar(tmp_path / name, "a.png") for name in ("1.tar", "2.tar")]
    with pytest.raises(SourceError, match=r"1\.tar and .*2\.tar both hold the key 'a'"):
        open_(*paths)


def test_members_of_a_sample_must_lie_side_by_side(tmp_path: Path) -> None:
    tar = make_tar(tmp_path / "t.tar", "a.png", "b.png", "a.txt")
    with pytest.raises(SourceError, match=r"t\.tar holds the key 'a' twice"):
        open_(tar)


def test_a_field_twice_is_a_problem(tmp_path: Path) -> None:
    [sample] = read(open_(make_tar(tmp_path / "t.tar", "a.png", "a.txt", "a.txt")))
    assert sample.problem == "holds the field 'txt' twice"


def damage(path: Path, how: str) -> None:
    """Damage a tar of four members, 1024 bytes each, so that the third's end is not seen."""
    data = path.read_bytes()
    cut = {"in a header": 3172, "in the data": 2570, "between members": 3072}
    if how in cut:
        path.write_bytes(data[: cut[how]])
    else:
        path.write_bytes(data[:3072] + b"#" * 512 + data[3584:])


@pytest.mark.parametrize("how", ["in a header", "in the data", "between members", "overwritten"])
def test_a_damaged_tar_gives_what_is_complete_and_then_an_error(tmp_path: Path, how: str) -> None:
    tar = make_tar(tmp_path / "t.tar", "a.png", "b.png", "c.png", "d.png")
    damage(tar, how)
    source = open_(tar)
    assert source.parts[0].keys == ("a", "b")
    samples = source.read("t.tar", source.parts[0].keys)
    assert [next(samples).key, next(samples).key] == ["a", "b"]
    with pytest.raises(SourceError, match=r"t\.tar is damaged or cut off after 'b'"):
        next(samples)


def test_a_cut_compressed_tar_is_an_error(tmp_path: Path) -> None:
    tar = make_tar(tmp_path / "t.tgz", *(f"{i}.png" for i in range(99)), mode="w:gz")
    tar.write_bytes(tar.read_bytes()[:-200])
    source = open_(tar)
    with pytest.raises(SourceError, match=r"damaged or cut off after '\d+'"):
        read(source, source.parts[0].keys)


@pytest.mark.parametrize("data", [b"", b"some text", b"\x1f\x8b\x08 no gzip"])
def test_what_is_no_tar_is_an_error_at_once(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t.tar").write_bytes(data)
    with pytest.raises(SourceError, match=r"t\.tar can't be read as a tar"):
        open_(tmp_path / "t.tar")


def test_tars_without_samples_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no samples in IN: 1 tars are empty"):
        open_(make_tar(tmp_path / "t.tar"))


def open_remote(name: str, data: bytes) -> TarSource:
    url = f"memory://bucket/{name}"
    with fsspec.open(url, "wb") as file:
        file.write(data)
    return TarSource(url, [Tar(name, url)], inputs=("image",), fields={})


def test_a_remote_tar_is_streamed_and_its_keys_not_known(tmp_path: Path) -> None:
    data = make_tar(tmp_path / "t.tar.gz", "a.png", "b.png", "b.txt", mode="w:gz").read_bytes()
    source = open_remote("t.tar.gz", data)
    assert (source.parts[0].keys, list(source.names())) == (None, [])
    assert [(sample.key, *sample.sidecars) for sample in read(source)] == [("a",), ("b", ".txt")]
    assert [sample.key for sample in read(source, ["b"])] == ["b"]


def test_a_key_twice_in_a_remote_tar_is_an_error_when_met(tmp_path: Path) -> None:
    data = make_tar(tmp_path / "t.tar", "a.png", "b.png", "a.png").read_bytes()
    samples = open_remote("twice.tar", data).read("twice.tar", None)
    assert [next(samples).key, next(samples).key] == ["a", "b"]
    with pytest.raises(SourceError, match="holds the key 'a' twice"):
        next(samples)


def test_a_remote_tar_that_is_gone_is_an_error() -> None:
    source = TarSource("IN", [Tar("t", "memory://gone/t.tar")], inputs=("image",), fields={})
    with pytest.raises(SourceError, match=r"gone/t\.tar can't be read"):
        read(source)
