"""Labels of domain A: numbered the same every time, and cut and mirrored with their pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2ikit.data.samples import File
from i2ikit.errors import I2IError, SampleError, SourceError, UsageError
from i2ikit.model import RGB
from i2ikit.training.data import Augmentation, Item, load_step
from i2ikit.training.labels import LABEL, LabelledPool, Labels, open_labels
from tests.conftest import picture

MAPPED = "id,class,name\n" + "".join(f"{i},{i // 20 or 255},x\n" for i in range(40))


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """Return pictures whose red is the column, and masks of the columns' numbers."""
    columns = np.tile(np.arange(40, dtype=np.uint8), (24, 1))
    folders = tmp_path / "A", tmp_path / "masks"
    for folder, shown in zip(folders, (np.stack([columns] * 3, 2), columns), strict=True):
        folder.mkdir()
        for index in range(3):
            Image.fromarray(shown).save(folder / f"{index}.png")
    (tmp_path / "map.csv").write_text(MAPPED)
    return folders


def items(a: Path) -> dict[str, Item]:
    paths = sorted(a.rglob("*.png"))
    return {
        path.relative_to(a).with_suffix("").as_posix(): {"a.image": (File(str(path), path), RGB())}
        for path in paths
    }


def test_masks_are_cut_mirrored_and_resized_with_their_pictures(places: tuple[Path, Path]) -> None:
    a, masks = places
    pool = LabelledPool(items(a), 3, open_labels(str(a), str(masks), None, 0))
    for number in range(20):
        fields, _ = pool.load(number, Augmentation(size=16, load_size=0, flip=True))
        columns = ((fields["image"][:, :1] + 1) * 127.5).round().long()
        assert torch.equal(fields[LABEL], columns)
    fields, _ = pool.load(0, Augmentation(size=12, load_size=12, flip=False))
    assert set(fields[LABEL].diff(dim=3).flatten().tolist()) == {2}


def test_masks_without_map_have_as_many_classes_as_their_greatest_id(
    places: tuple[Path, Path],
) -> None:
    Image.fromarray(np.array([[46, 255]], np.uint8)).save(places[1] / "2.png")
    a, masks = map(str, places)
    assert open_labels(a, masks, None, None).num_classes == 47


def test_ids_become_the_classes_of_their_map(places: tuple[Path, Path], tmp_path: Path) -> None:
    a, masks = map(str, places)
    labels = open_labels(a, masks, str(tmp_path / "map.csv"), 0)
    pool = LabelledPool(items(places[0]), 3, labels)
    fields, _ = pool.load(0, Augmentation(size=24, load_size=0, flip=False))
    columns = ((fields["image"][:, :1] + 1) * 127.5).round()
    assert labels.num_classes == 2
    assert torch.equal(fields[LABEL], torch.where(columns < 20, 255, 1))


def test_an_id_that_the_map_lacks_names_its_file(places: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("id,class\n0,0\n1,1\n")
    a, masks = map(str, places)
    pool = LabelledPool(items(places[0]), 3, open_labels(a, masks, str(tmp_path / "map.csv"), 0))
    with pytest.raises(SampleError, match=r"masks/\d\.png: ids that --map .* doesn't know: \d+,"):
        pool.load(0, Augmentation(size=24, load_size=0, flip=False))


def test_classes_are_numbered_by_their_names_and_follow_the_draws(tmp_path: Path) -> None:
    """10 after 9; in whatever order their pictures come."""
    for name in ("cat/x", "10/b", "9/a", "cat/a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture(16, 16).save(tmp_path / f"{name}.png")
    labels = open_labels(str(tmp_path), "folder", None, 0)
    assert labels.classes == {"9/a": 0, "10/b": 1, "cat/a": 2, "cat/x": 2}
    pool = LabelledPool(items(tmp_path), 3, labels)
    drawn = [list(items(tmp_path))[pool.place(number)] for number in range(8)]
    a, _ = load_step([pool], Augmentation(16, 0, flip=True), 8, slice(None), 0)
    assert a[LABEL].tolist() == [labels.classes[key] for key in drawn]
    assert len(set(drawn)) == 4


def test_a_picture_without_label_is_named(tmp_path: Path) -> None:
    known = {str(number): (File("", b""), RGB()) for number in range(3)}
    pictures = {key: {"a.image": file} for key, file in known.items()}
    with pytest.raises(SourceError, match="2 pictures of A have no label, '1' for one"):
        LabelledPool(pictures, 0, Labels(2, {"0": 1}, {}))


@pytest.mark.parametrize(
    ("how", "map_name", "error", "words"),
    [
        ("folder", None, SampleError, "'0' lies in no folder"),
        ("nothing", None, UsageError, "no folder or file of labels 'nothing'"),
        ("one.csv", None, UsageError, "--labels-a one.csv tells no two classes apart"),
        ("two.csv", "cityscapes19", UsageError, "--map cityscapes19 is for masks, and"),
        ("masks", "nowhere", UsageError, "--map nowhere is no map"),
        ("some.csv", None, SampleError, r"'2' is not in some\.csv"),
    ],
)
def test_labels_that_make_no_sense_are_a_sentence(
    places: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    map_name: str | None,
    error: type[I2IError],
    words: str,
) -> None:
    monkeypatch.chdir(places[0].parent)
    for name, classes in (("one", "xxx"), ("two", "xyx"), ("some", "xy")):
        rows = "".join(f"{number}.png,{label}\n" for number, label in enumerate(classes))
        Path(f"{name}.csv").write_text(f"file_name,label\n{rows}")
    with pytest.raises(error, match=words):
        open_labels("A", how, map_name, 0)
