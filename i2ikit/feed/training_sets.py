"""Labelled sets as users name them: pictures with labels, or the training split of a built feed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from i2ikit.errors import SourceError
from i2ikit.feed.manifest import HEAD, Row, read_head, read_manifest
from i2ikit.feed.store import Store
from i2ikit.labels.finding import Kind
from i2ikit.labels.labelled import Labelled, LabelledSet, open_labelled, refuse_objects

_SPLIT = "train"


def open_training_set(text: str, on_error: Literal["skip", "stop"] = "stop") -> LabelledSet:
    """Return the pictures and labels of a feed's training split, or of `PICTURES[=LABELS]`.

    Args:
        text: what the user wrote: FEED, or what `open_labelled` takes.
        on_error: whether a picture of PICTURES without label is left out or an error.

    Raises:
        RunError: a feed of another version.
        SourceError: the set can't be read, or holds nothing with a label.
        SampleError: a picture of PICTURES lacks its label, and `on_error` is "stop"; or a tar of
            the feed can't be read.
        UsageError: it has objects.
    """
    if not (Path(text) / HEAD).is_file():
        return open_labelled(text, on_error)
    feed = Path(text)
    kind: Kind = read_head(feed)["kind"]
    if kind == "objects":
        raise refuse_objects(text)
    rows = [row for row in read_manifest(feed) if row.split == _SPLIT]
    if not rows:
        raise SourceError(f"{feed} has no pictures in its split '{_SPLIT}'")
    store = Store(feed)
    return LabelledSet(text, kind, tuple(_label(store, row) for row in rows))


def holds_classes(text: str) -> bool:
    """Tell whether a set is a feed whose masks were mapped to classes when it was built."""
    return (Path(text) / HEAD).is_file() and bool(read_head(Path(text))["map"])


def _label(store: Store, row: Row) -> Labelled:
    label = row.class_name if row.mask is None else store.file(row.mask)
    return Labelled(row.file_name, store.file(row.file_name), label or "", row.source_key)
