"""What a step sees: decided by the seed and its number, alike for what belongs together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from i2ikit.data.samples import File, Sample
from i2ikit.errors import SourceError
from i2ikit.model import RGB, InputKind, InstanceMap, LabelMap
from i2ikit.training.data import Augmentation, Pool, load_step, make_items, read_arrays
from tests.conftest import picture


@pytest.fixture
def maps(tmp_path: Path) -> Pool:
    """Return a pool of pictures whose red is the column, with maps of the columns' ids."""
    items: list[dict[str, tuple[File, InputKind]]] = []
    for index in range(5):
        columns = np.tile(np.arange(40, dtype=np.uint8), (24, 1))
        Image.fromarray(np.stack([columns, columns * 0 + index, columns], axis=2)).save(
            tmp_path / f"{index}.png"
        )
        Image.fromarray(columns).save(tmp_path / f"{index}-ids.png")
        files = [
            File(str(p), p) for p in (tmp_path / f"{index}-ids.png", tmp_path / f"{index}.png")
        ]
        items.append(
            {
                "a.label": (files[0], LabelMap(64)),
                "a.ids": (files[0], InstanceMap()),
                "b.image": (files[1], RGB()),
            }
        )
    return Pool(items, seed=3)


def columns(image: Tensor) -> Tensor:
    """Return the column that each pixel came from."""
    return ((image[:, :1] + 1) * 127.5).round().long()


def test_what_belongs_together_is_cut_and_mirrored_alike(maps: Pool) -> None:
    augmentation = Augmentation(size=16, load_size=0, flip=True)
    starts, flips = set(), set()
    for number in range(40):
        a, b = maps.load(number, augmentation)
        assert a["label"].shape == (1, 1, 16, 16)
        assert torch.equal(a["label"], columns(b["image"]))
        assert torch.equal(a["label"], a["ids"])
        row = a["label"][0, 0, 0]
        flips.add(bool(row[0] > row[-1]))
        starts.add(int(row.min()))
    assert flips == {True, False}
    assert len(starts) > 10


def test_nothing_is_mirrored_if_it_must_not(maps: Pool) -> None:
    augmentation = Augmentation(size=16, load_size=0, flip=False)
    rows = [maps.load(number, augmentation)[0]["label"][0, 0, 0] for number in range(40)]
    assert all(row[0] < row[-1] for row in rows)


def test_the_middle_is_cut_out_for_measuring(maps: Pool) -> None:
    augmentation = Augmentation(size=16, load_size=0, flip=True)
    item = maps.items[0]
    a, b = augmentation.middle(read_arrays(item), item)
    assert a["label"][0, 0, 0].tolist() == list(range(12, 28))
    assert torch.equal(a["label"], columns(b["image"]))


def test_an_epoch_has_each_item_once_and_the_next_another_order(maps: Pool) -> None:
    augmentation = Augmentation(size=16, load_size=0, flip=True)

    def order(epoch: int) -> list[int]:
        numbers = range(5 * epoch, 5 * epoch + 5)
        return [
            int(((maps.load(n, augmentation)[1]["image"][0, 1, 0, 0] + 1) * 127.5).round())
            for n in numbers
        ]

    orders = [order(epoch) for epoch in range(4)]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len({tuple(order) for order in orders}) > 1


def test_shares_of_a_step_make_up_the_whole(maps: Pool) -> None:
    augmentation = Augmentation(size=16, load_size=24, flip=True)
    whole = load_step([maps], augmentation, 4, slice(None), 7)
    parts = [load_step([maps], augmentation, 4, slice(place, None, 2), 7) for place in (0, 1)]
    for domain in (0, 1):
        for name, value in whole[domain].items():
            assert torch.equal(value[0::2], parts[0][domain][name])
            assert torch.equal(value[1::2], parts[1][domain][name])


def test_smaller_pictures_grow_to_the_size(tmp_path: Path) -> None:
    picture(20, 10).save(tmp_path / "small.png")
    file = File("small.png", tmp_path / "small.png")
    pool = Pool([{"a.image": (file, RGB())}], seed=0)
    a, _ = pool.load(0, Augmentation(size=32, load_size=32, flip=False))
    assert a["image"].shape == (1, 3, 32, 32)


def test_a_sample_that_lacks_a_field_is_named(tmp_path: Path) -> None:
    samples = [Sample("x", {"label": File("x", tmp_path)})]
    with pytest.raises(SourceError, match="'x' of domain A has no instance"):
        make_items(samples, {"label": LabelMap(3), "instance": InstanceMap()}, "a", "--field-a")
