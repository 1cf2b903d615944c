"""A feed as a torch data set: the same examples whatever the number of workers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from i2ikit.errors import UsageError
from i2ikit.feed import build, dataset
from tests.conftest import pixels

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def feed(out: Path, tmp_path: Path) -> Path:
    build(out, tmp_path / "feed", styles="epoch")
    return tmp_path / "feed"


@pytest.fixture
def shards(tars: Path, tmp_path: Path) -> Path:
    build(tars, tmp_path / "feed", layout="shards")
    return tmp_path / "feed"


def names(batches: Iterable[Any]) -> list[list[str]]:
    return [batch["file_name"] for batch in batches]


def test_an_example_has_picture_label_and_key(feed: Path) -> None:
    found = dataset(feed)
    assert found.classes == ("cat", "dog")
    example = next(one for one in found if one["key"] == "dog/c")
    levels = torch.from_numpy(pixels(feed / example["file_name"]))
    assert torch.equal(example["image"], (levels.permute(2, 0, 1) / 127.5) - 1)
    assert example["label"] == 1


def test_masks_are_labels_of_pixels(tars: Path, tmp_path: Path) -> None:
    build(tars, tmp_path / "feed", labels="sidecar:mask", layout="shards")
    example = dataset(tmp_path / "feed")[0]
    expected = torch.from_numpy(pixels(tmp_path / "masks" / f"{example['key']}.png")).long()
    assert torch.equal(example["label"], expected)


def test_epochs_show_each_source_once_in_other_styles(feed: Path) -> None:
    found = dataset(feed)
    shown = []
    for epoch in range(4):
        found.set_epoch(epoch)
        assert len(found) == len({one["key"] for one in found}) == 5
        shown.append({one["file_name"] for one in found})
    assert len(set.union(*shown[:3])) == 15
    assert shown[3] == shown[0]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_loader_shows_each_picture_once(shards: Path, num_workers: int) -> None:
    loader = DataLoader(dataset(shards), batch_size=4, num_workers=num_workers)
    batches = list(loader)
    assert batches[0]["image"].shape == (4, 3, 8, 12)
    assert len({name for batch in names(batches) for name in batch}) == 15


def test_an_epoch_reaches_workers_that_persist(feed: Path) -> None:
    found = dataset(feed)
    loader = DataLoader(found, batch_size=5, num_workers=2, persistent_workers=True)
    first, again = names(loader), names(loader)
    found.set_epoch(1)
    assert first == again != names(loader)


def test_streamed_batches_do_not_depend_on_the_workers(shards: Path) -> None:
    found = dataset(shards, iterable=True, batch_size=4)
    alone, shared = (names(DataLoader(found, batch_size=4, num_workers=count)) for count in (0, 2))
    assert alone == shared
    assert len({name for batch in alone for name in batch}) == 15


def test_a_stream_is_shuffled_by_seed_and_epoch(shards: Path) -> None:
    def order(**given: Any) -> list[str]:
        return [one["file_name"] for one in dataset(shards, iterable=True, **given)]

    assert order() == order()
    assert len({tuple(order()), tuple(order(epoch=1)), tuple(order(seed=1))}) == 3


def test_ranks_share_a_stream_evenly(shards: Path) -> None:
    parts = [
        [one["file_name"] for one in dataset(shards, iterable=True, share=(rank, 2))]
        for rank in (0, 1)
    ]
    assert [len(part) for part in parts] == [7, 7]
    assert not set(parts[0]) & set(parts[1])


def test_a_transform_makes_the_examples(feed: Path) -> None:
    found = dataset(feed, transform=lambda example: example["key"])
    assert sorted(found) == ["cat/a", "cat/b", "dog/c", "dog/d", "dog/e"]


def test_any_labelled_set_is_one(source: Path, tmp_path: Path) -> None:
    found = dataset(source)
    assert (len(found), found.classes) == (5, ("cat", "dog"))
    assert [one["label"] for one in found] == [0, 0, 1, 1, 1]
    masked = dataset(f"{source}={tmp_path / 'masks'}")
    assert masked[0]["label"].shape == (8, 12)


def test_an_unknown_split_is_refused(feed: Path) -> None:
    with pytest.raises(UsageError, match=r"has no split 'trian'.*did you mean 'train'"):
        dataset(feed, "trian")


@pytest.mark.parametrize("given", [{"share": (2, 2)}, {"batch_size": 0}])
def test_shares_and_batches_are_checked(feed: Path, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="i is below n"):
        dataset(feed, iterable=True, **given)
