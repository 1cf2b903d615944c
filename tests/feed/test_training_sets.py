import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from i2ikit.errors import SourceError
from i2ikit.feed.training_sets import open_training_set
from i2ikit.labels.labelled import LabelledSet
from tests.feed.shifted import write_halves

ROW = {"file_name": "left/0.png", "split": "train", "source_key": "left/0", "class": "left"}


MASK = {"file_name": "b.png", "split": "train", "source_key": "b", "mask": "m.png"}


def write_feed(folder: Path, *rows: dict[str, Any]) -> LabelledSet:
    folder.mkdir(exist_ok=True)
    (folder / "feed.json").write_text("{}")
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_training_set(str(folder))


def test_other_sets_are_pictures_with_labels(tmp_path: Path) -> None:
    text = write_halves(tmp_path / "set", inverted=False)
    assert open_training_set(text).classes == ("left", "right")


def test_the_labelled_pictures_of_a_feeds_training_split_count(tmp_path: Path) -> None:
    write_halves(tmp_path / "feed", inverted=False)
    unlabelled = {"file_name": "right/0.png", "split": "train", "source_key": "x"}
    held_out = ROW | {"split": "val", "file_name": "left/1.png"}
    found = write_feed(tmp_path / "feed", ROW, unlabelled, held_out)
    (one,) = found.samples
    assert (found.kind, one.label, one.source_key) == ("class", "left", "left/0")
    assert one.picture.read() == (tmp_path / "feed" / "left" / "0.png").read_bytes()


def test_pictures_of_shards_are_read(tmp_path: Path) -> None:
    write_halves(tmp_path / "halves", inverted=False)
    (tmp_path / "feed").mkdir()
    with tarfile.open(tmp_path / "feed" / "train-000.tar", "w") as tar:
        tar.add(tmp_path / "halves" / "left" / "0.png", "a/0.png")
    found = write_feed(tmp_path / "feed", ROW | {"file_name": "train-000.tar/a/0.png"})
    picture = (tmp_path / "halves" / "left" / "0.png").read_bytes()
    assert found.samples[0].picture.read() == picture


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW | {"split": "val"}], "holds no labelled picture of split 'train'"),
        ([ROW, MASK], "holds classes and masks"),
        ([{k: v for k, v in ROW.items() if k != "source_key"}], "line 1: source_key is missing"),
        ([{k: v for k, v in ROW.items() if k != "file_name"}], "line 1: no file_name"),
        ([ROW | {"file_name": "gone.tar/a.png"}], r"gone\.tar can't be read"),
    ],
)
def test_a_feed_that_is_amiss_is_named(
    tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        write_feed(tmp_path / "feed", *rows)
