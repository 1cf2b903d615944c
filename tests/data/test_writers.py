"""Writers: files in their place or not at all, tars that webdataset reads."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from i2ikit.data.keys import member_key, output_stem
from i2ikit.data.writers import FolderWriter, TarWriter, Writer, tar_name
from i2ikit.errors import RunError


def folder_writer(root: Path) -> Writer:
    return FolderWriter(root / "out", root / "scratch")


def tar_writer(root: Path) -> Writer:
    return TarWriter(root / "out", "x/t.tar", root / "scratch")


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_files_come_to_their_place_at_once(tmp_path: Path) -> None:
    with FolderWriter(tmp_path / "out", tmp_path / "scratch") as writer:
        writer.add({"x/a.png": b"1", "x/a.txt": b"2"})
        writer.add({"x/a.png": b"3"})
        assert files(tmp_path) == ["out/x/a.png", "out/x/a.txt"]
    assert (tmp_path / "out/x/a.png").read_bytes() == b"3"


def test_a_tar_comes_to_its_place_when_closed(tmp_path: Path) -> None:
    with tar_writer(tmp_path) as writer:
        writer.add({"a.png": b"1"})
        assert not (tmp_path / "out").exists()
    assert files(tmp_path) == ["out/x/t.tar"]


def test_an_aborted_tar_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RunError), tar_writer(tmp_path) as writer:
        writer.add({"a.png": b"1", "../b.png": b"2"})
    assert files(tmp_path) == []


def test_equal_contents_give_equal_tars(tmp_path: Path) -> None:
    digests = set()
    for turn in "12":
        with tar_writer(tmp_path / turn) as writer:
            writer.add({"ä" * 200 + "/a.png": b"1", "b.png": b""})
        digests.add(hashlib.sha256((tmp_path / turn / "out/x/t.tar").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_members_belong_to_nobody_and_no_time(tmp_path: Path) -> None:
    with tar_writer(tmp_path) as writer:
        writer.add({"a.png": b"1"})
    with tarfile.open(tmp_path / "out/x/t.tar") as tar:
        [member] = tar.getmembers()
    assert (member.mtime, member.uid, member.gid, member.uname, member.mode) == (0, 0, 0, "", 0o644)


@pytest.mark.filterwarnings(  # webdataset leaves its tar to the garbage collector
    "ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_webdataset_reads_what_was_written(tmp_path: Path) -> None:
    import webdataset

    keys = ["v1.0/grey.jpg", "ä" * 120, "b c"]
    stems = [output_stem(member_key(key), 1, 2) for key in keys]
    with tar_writer(tmp_path) as writer:
        for stem in stems:
            writer.add({f"{stem}.png": stem.encode(), f"{stem}.mask.txt": b"", f"{stem}.cls": b"7"})
    samples = list(webdataset.WebDataset(str(tmp_path / "out/x/t.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == stems
    assert [sample["png"].decode() for sample in samples] == stems
    assert all(sample["cls"] == b"7" and sample["mask.txt"] == b"" for sample in samples)


@pytest.mark.parametrize("make", [folder_writer, tar_writer])
@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../../x", "a//b", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(
    tmp_path: Path, make: Callable[[Path], Writer], name: str
) -> None:
    with pytest.raises(RunError, match="was refused"), make(tmp_path) as writer:
        writer.add({name: b"1"})
    assert files(tmp_path) == []


def test_a_tar_never_leads_elsewhere_itself(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="was refused"):
        TarWriter(tmp_path, "../t.tar", tmp_path)


def test_a_member_twice_is_an_error(tmp_path: Path) -> None:
    with tar_writer(tmp_path) as writer:
        writer.add({"a.png": b"1"})
        with pytest.raises(RunError, match=r"would hold 'a\.png' twice"):
            writer.add({"a.png": b"1"})


def test_a_file_where_a_folder_must_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(RunError, match=r"out/a\.png can't be written: File exists"):
        folder_writer(tmp_path).add({"a.png": b"1"})
    with pytest.raises(RunError, match=r"out/x/t\.tar can't be written: Not a directory"):
        tar_writer(tmp_path).close()
    assert files(tmp_path / "scratch") == []


def test_a_full_disk_is_an_error_and_leaves_no_scratch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(RunError, match=r"a\.png can't be written: No space left"):
        folder_writer(tmp_path).add({"a.png": b"1"})
    assert files(tmp_path) == []


@pytest.mark.parametrize("part", ["x/a.tar", "x/a.TGZ", "x/a.tar.gz"])
def test_a_written_tar_is_named_as_plain(part: str) -> None:
    assert tar_name(part) == "x/a.tar"


def test_a_link_in_the_output_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "else").mkdir()
    (tmp_path / "out" / "b").symlink_to(tmp_path / "else")
    writer = FolderWriter(tmp_path / "out", tmp_path / "out" / "tmp")
    with pytest.raises(RunError, match="is a link that leads out of"):
        writer.add({"b/c/1.png": b"1"})
    assert not list((tmp_path / "else").iterdir())


def test_the_output_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    with FolderWriter(tmp_path / "out", tmp_path / "out" / "tmp") as writer:
        writer.add({"b/1.png": b"1"})
    assert (tmp_path / "real" / "b" / "1.png").read_bytes() == b"1"
