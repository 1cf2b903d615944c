"""A source's split depends on its key, and on nothing that may change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.feed.splits import open_splits


def test_shares_are_kept_and_stable() -> None:
    splits = open_splits("train=0.8,val=0.2", 0, [])
    found = {key: splits(f"k{key}") for key in range(1000)}
    assert 150 < Counter(found.values())["val"] < 250
    again = open_splits("train=0.8,val=0.2", 0, [])
    assert all(again(f"k{key}") == split for key, split in found.items())


def test_the_first_folder_names_a_split() -> None:
    splits = open_splits("folder", 0, [])
    assert splits("val/dog/a") == "val"
    with pytest.raises(SampleError, match="'a' lies in no folder"):
        splits("a")


def test_a_table_names_keys_with_or_without_suffix(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("file_name,split\ndog/a.jpg,val\ndog/b,train\n")
    splits = open_splits(str(tmp_path / "s.csv"), 0, [])
    assert (splits("dog/a"), splits("dog/b")) == ("val", "train")
    with pytest.raises(SampleError, match=r"'dog/c' is not in .*s\.csv"):
        splits("dog/c")


def test_a_key_in_two_splits_by_two_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("key,split\na.jpg,train\na,val\nb.jpg,train\nb.png,val\n")
    splits = open_splits(str(tmp_path / "s.csv"), 0, [])
    assert (splits("b.jpg"), splits("b.png")) == ("train", "val")
    with pytest.raises(SampleError, match="'a' is in the splits train and val of"):
        splits("a")


def test_a_key_in_two_splits_is_named_and_its_first_row_holds(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("key,split\na,train\na,val\n")
    problems: list[str] = []
    assert open_splits(str(tmp_path / "s.csv"), 0, problems)("a") == "train"
    assert [text.partition("s.csv, ")[2] for text in problems] == [
        "line 3: 'a' is in the split 'train' already"
    ]


@pytest.mark.parametrize(
    "text", ["train", "train=x", "train=0.8,val=0.1", "train=1,train=1", "a/b=1", "epochs=1"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--split"):
        open_splits(text, 0, [])


def test_a_table_needs_its_columns(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("key,part\na,train\n")
    with pytest.raises(SourceError, match="line 2: no column key or file_name"):
        open_splits(str(tmp_path / "s.csv"), 0, [])
