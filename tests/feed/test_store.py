from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from i2ikit.errors import SampleError
from i2ikit.feed.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.png").write_bytes(b"loose")
    with tarfile.open(tmp_path / "x" / "t.tar", "w") as tar:
        tar.add(tmp_path / "x" / "a.png", "dog/a.png")
    return Store(tmp_path)


def test_loose_files_and_members_are_read_by_name(store: Store) -> None:
    assert store.read("x/a.png") == store.read("x/t.tar/dog/a.png") == b"loose"
    assert "x/t.tar/dog/a.png" in store
    assert "x/t.tar/dog/b.png" not in store


@pytest.mark.parametrize("name", ["x/b.png", "x/t.tar/b.png", "../a.png"])
def test_what_is_not_there_is_named(store: Store, name: str) -> None:
    assert name not in store
    with pytest.raises(SampleError, match=r"b\.png|a\.png"):
        store.read(name)


def test_a_tar_that_changes_is_read_anew(store: Store) -> None:
    assert "x/t.tar/dog/a.png" in store
    (store.root / "x" / "t.tar").write_bytes(b"no tar")
    with pytest.raises(SampleError, match=r"t\.tar can't be read as a tar"):
        store.read("x/t.tar/dog/a.png")
