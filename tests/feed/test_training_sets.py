"""Labelled sets as users name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2ikit.errors import SourceError
from i2ikit.feed import build
from i2ikit.feed.training_sets import holds_classes, open_training_set
from tests.conftest import pixels

pytestmark = pytest.mark.usefixtures("fakes")


def test_other_sets_are_pictures_with_labels(source: Path) -> None:
    assert open_training_set(str(source)).classes == ("cat", "dog")
    assert not holds_classes(str(source))


@pytest.mark.parametrize("layout", ["imagefolder", "shards"])
def test_the_pictures_of_a_feeds_training_split_count(
    out: Path, tmp_path: Path, layout: str
) -> None:
    feed = tmp_path / "feed"
    (tmp_path / "split.csv").write_text(
        "key,split\ncat/a,train\ncat/b,val\ndog/c,train\ndog/d,val\ndog/e,val\n"
    )
    build(out, feed, layout=layout, split=str(tmp_path / "split.csv"))  # type: ignore[arg-type]
    found = open_training_set(str(feed))
    assert {(one.source_key, one.label) for one in found.samples} == {
        ("cat/a", "cat"),
        ("dog/c", "dog"),
    }
    assert len(found.samples) == 6
    assert all(one.picture.read().startswith(b"\x89PNG") for one in found.samples)


def test_masks_of_a_feed_are_labels(tars: Path, tmp_path: Path) -> None:
    build(tars, tmp_path / "feed", labels="sidecar:mask")
    one = open_training_set(str(tmp_path / "feed")).samples[0]
    assert not isinstance(one.label, str)
    assert isinstance(one.label.data, Path)
    expected = pixels(tmp_path / "masks" / f"{one.source_key}.png")
    assert (pixels(one.label.data) == expected).all()
    assert not holds_classes(str(tmp_path / "feed"))


def test_a_feed_without_a_training_split_is_refused(out: Path, tmp_path: Path) -> None:
    build(out, tmp_path / "feed", split="val=1")
    with pytest.raises(SourceError, match="has no pictures in its split 'train'"):
        open_training_set(str(tmp_path / "feed"))
