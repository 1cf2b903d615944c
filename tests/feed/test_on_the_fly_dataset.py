"""A dataset that translates: the same items whatever loads them, other styles in every epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from i2ikit.errors import SampleError, UsageError
from i2ikit.feed import TranslateOnTheFly, build, dataset
from i2ikit.feed.datasets import FeedDataset
from tests.conftest import pixels
from tests.fakes import Tint

pytestmark = [
    pytest.mark.usefixtures("fakes"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),  # on a single core
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]


@pytest.fixture
def masks(pictures: Path) -> Path:
    """Return a folder of masks, one a picture: ids 0, 1, 2, 3 from left to right."""
    ids = np.arange(12, dtype=np.uint8)[None].repeat(8, 0) // 3
    for path in pictures.rglob("*.png"):
        mask = pictures.parent / "masks" / path.relative_to(pictures)
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(ids).save(mask)
    return pictures.parent / "masks"


def tint(**arguments: Any) -> TranslateOnTheFly:
    return TranslateOnTheFly("tint", **arguments)


def load(found: FeedDataset, **arguments: Any) -> list[Any]:
    return [
        [batch["key"], *(batch[name].tolist() for name in ("image", "label", "style_index"))]
        for batch in DataLoader(found, batch_size=2, **arguments)
    ]


def test_items_have_a_picture_and_a_class(pictures: Path) -> None:
    found = dataset(str(pictures), translate=tint(p=0))
    assert (len(found), found.classes) == (5, ("a", "b"))
    item = found[3]
    assert (item["label"], item["key"], item["style_index"]) == (1, "b/3", -1)
    levels = torch.from_numpy(pixels(pictures / "b" / "3.png")).permute(2, 0, 1)
    assert torch.equal(item["image"], levels / 127.5 - 1)


@pytest.mark.parametrize("size", [None, 4])
def test_a_mask_keeps_to_its_picture(pictures: Path, masks: Path, size: int | None) -> None:
    found = dataset(f"{pictures}={masks}", translate=tint(p=1, size=size))
    item = found[0]
    assert found.classes == ()
    assert item["label"].dtype == torch.int64
    assert item["label"].shape == item["image"].shape[1:]
    assert item["label"][0].unique_consecutive().tolist() == [0, 1, 2, 3]


def test_a_mask_of_another_size_is_refused(pictures: Path, masks: Path) -> None:
    Image.new("L", (5, 4)).save(masks / "a" / "0.png")
    found = dataset(f"{pictures}={masks}", translate=tint())
    with pytest.raises(SampleError, match=r"0\.png is 5×4, and its picture 12×8"):
        found[0]


def test_a_batch_goes_to_the_model_at_once(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("i2ikit.translation.network.micro_batch", lambda *given: 5)
    seen: list[int] = []

    def encode(self: Tint, *, image: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(len(image))
        return {"image": image}

    monkeypatch.setattr(Tint, "encode", encode)
    next(iter(DataLoader(dataset(str(pictures), translate=tint(p=1)), batch_size=5)))
    assert seen == [5]


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_workers": 2, "multiprocessing_context": "fork"},
        pytest.param(
            {"num_workers": 1, "multiprocessing_context": "spawn"}, marks=pytest.mark.slow
        ),
    ],
)
def test_workers_change_nothing(pictures: Path, arguments: dict[str, Any]) -> None:
    found = dataset(str(pictures), translate=tint())
    found.set_epoch(3)
    assert load(found, **arguments) == load(found)


def test_workers_that_stay_see_the_next_epoch(pictures: Path) -> None:
    found = dataset(str(pictures), translate=tint(p=1))
    loader = DataLoader(
        found, num_workers=1, persistent_workers=True, multiprocessing_context="fork"
    )
    for epoch in (0, 4, 0):
        found.set_epoch(epoch)
        expected = [tint(p=1).choose(one.key, epoch) for one in found._entries.every]
        assert [int(item["style_index"]) for item in loader] == expected


def test_items_are_transformed(pictures: Path) -> None:
    def pair(item: dict[str, Any]) -> tuple[Any, int]:
        return item["image"], item["label"]

    image, label = dataset(str(pictures), translate=tint(), transform=pair)[4]
    assert (image.shape, label) == ((3, 8, 12), 1)


def test_a_model_that_takes_maps_is_refused(pictures: Path) -> None:
    with pytest.raises(UsageError, match="the model takes label and instance"):
        dataset(str(pictures), translate=TranslateOnTheFly("paint"))


def test_masks_of_a_model_that_moves_things_are_refused(
    pictures: Path, masks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tint, "keeps_places", False)
    assert len(dataset(str(pictures), translate=tint())) == 5
    with pytest.raises(UsageError, match="the model moves what is in a picture"):
        dataset(f"{pictures}={masks}", translate=tint())


def test_a_feed_is_not_translated_again(out: Path, tmp_path: Path) -> None:
    build(out, tmp_path / "feed")
    with pytest.raises(UsageError, match="is a feed, and holds translations"):
        dataset(tmp_path / "feed", translate=tint())


def test_a_stream_translates_batch_by_batch(pictures: Path) -> None:
    found = dataset(str(pictures), translate=tint(p=1), iterable=True, batch_size=2, epoch=3)
    again = dataset(str(pictures), translate=tint(p=1), epoch=3)
    by_key = {one["key"]: one["image"] for one in again}
    assert all(torch.equal(one["image"], by_key[one["key"]]) for one in found)
