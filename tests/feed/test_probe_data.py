import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.feed import probe_data
from i2ikit.feed.probe_data import check_memory, choose_frame, load_all
from i2ikit.feed.probe_sets import ProbeSet, Reading, load_set
from i2ikit.feed.training_sets import open_training_set
from i2ikit.labels.labelled import open_labelled
from tests.feed.shifted import write_halves, write_squares

STOP = Compute(workers=0, on_error="stop")


def load(text: str, frame: tuple[int, int], compute: Compute = STOP) -> ProbeSet:
    found = open_labelled(text, compute.on_error)
    return load_set(found, Reading(frame, found.classes, None), compute)


def add(folder: Path, name: str, width: int, height: int) -> None:
    Image.fromarray(np.zeros((height, width), np.uint8)).save(folder / "left" / name)


def test_pictures_have_the_tests_own_size_or_a_shorter_side(tmp_path: Path) -> None:
    (tmp_path / "wide" / "left").mkdir(parents=True)
    add(tmp_path / "wide", "0.png", 32, 16)
    test = open_labelled(str(tmp_path / "wide"))
    assert choose_frame(test, None) == (16, 32)
    assert choose_frame(test, 8) == (8, 16)


def test_a_test_of_several_sizes_needs_one(tmp_path: Path) -> None:
    text = write_halves(tmp_path / "set", inverted=False)
    add(tmp_path / "set", "odd.png", 20, 10)
    with pytest.raises(UsageError, match="have 2 sizes"):
        choose_frame(open_labelled(text), None)
    assert choose_frame(open_labelled(text), 12) == (12, 12)
    assert load(text, (12, 12)).pictures.shape == (17, 12, 12, 3)


def test_grey_pictures_and_classes_become_arrays(tmp_path: Path) -> None:
    found = load(write_halves(tmp_path / "set", inverted=False, count=2), (8, 8))
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.pictures[0, 0, 0].tolist()[0] >= 180 > found.pictures[2, 0, 0].tolist()[0]
    assert found.side["n"] == 4


def test_masks_are_resized_to_the_nearest(tmp_path: Path) -> None:
    found = load(write_squares(tmp_path / "set", inverted=False), (8, 8))
    assert found.labels.shape == (8, 8, 8)
    assert found.classes == {0, 1}
    assert (found.labels == 1).sum((1, 2)).tolist() == [16] * 8


def test_too_large_sets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = open_labelled(write_halves(tmp_path / "set", inverted=False))
    monkeypatch.setattr(probe_data, "MOST_BYTES", 16 * 8 * 8 * 3)
    check_memory([found], (8, 8))
    with pytest.raises(UsageError, match="16 pictures of 8x9 take"):
        check_memory([found], (9, 8))


def test_a_damaged_picture_stops_or_is_left_out(tmp_path: Path) -> None:
    text = write_halves(tmp_path / "set", inverted=False, count=2)
    (tmp_path / "set" / "left" / "0.png").write_bytes(b"no picture")
    with pytest.raises(SampleError, match=r"0\.png holds no picture"):
        load(text, (8, 8))
    found = load(text, (8, 8), Compute(workers=0))
    assert found.labels.tolist() == [0, 1, 1]
    assert len(found.side["failed"]) == 1


def test_a_set_of_damaged_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "set" / "left").mkdir(parents=True)
    (tmp_path / "set" / "left" / "0.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"no picture of .* can be used: .*0\.png"):
        load(str(tmp_path / "set"), (8, 8), Compute(workers=0))


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    text = write_squares(tmp_path / "set", inverted=False, count=1)
    Image.fromarray(np.zeros((9, 16), np.uint8)).save(tmp_path / "set" / "masks" / "0.png")
    with pytest.raises(SampleError, match=r"0\.png is 16x9 and its picture 16x16"):
        load(text, (16, 16))


def test_ids_beyond_the_ignored_one_need_a_map(tmp_path: Path) -> None:
    text = write_squares(tmp_path / "set", inverted=False, count=1)
    ids = Image.fromarray(np.full((16, 16), 256, np.uint16))
    ids.save(tmp_path / "set" / "masks" / "0.png")
    with pytest.raises(SampleError, match="256 is no class below 255"):
        load(text, (16, 16))


def test_a_feed_whose_masks_were_mapped_is_not_mapped_again(tmp_path: Path) -> None:
    squares = write_squares(tmp_path / "set", inverted=False, count=1)
    shutil.copytree(tmp_path / "set", tmp_path / "feed")
    (tmp_path / "feed" / "feed.json").write_text(
        '{"format": 1, "kind": "mask", "map": "cityscapes19"}'
    )
    (tmp_path / "feed" / "manifest.jsonl").write_text(
        '{"file_name": "pictures/0.png", "split": "train", "origin": "original", "sha256": "",'
        ' "source_key": "0", "style_index": null, "mask": "masks/0.png"}\n'
    )
    (tmp_path / "map.csv").write_text("id,class\n0,1\n1,0\n")
    opened = {"set": open_labelled(squares), "feed": open_training_set(str(tmp_path / "feed"))}
    data = load_all(opened, "set", size=None, map=str(tmp_path / "map.csv"), compute=STOP)
    assert (data.sets["feed"].labels == 1 - data.test.labels).all()
