"""Labelled sets as users name them: pictures with labels, or the training split of a built feed."""

from __future__ import annotations

import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from i2ikit.data.manifests import Row, read_rows
from i2ikit.data.samples import File
from i2ikit.errors import SourceError
from i2ikit.labels.labelled import Kind, Labelled, LabelledSet, open_labelled

_SPLIT = "train"


def open_training_set(text: str, on_error: Literal["skip", "stop"] = "stop") -> LabelledSet:
    """Return the pictures and labels of a built feed, or of `PICTURES[=LABELS]`.

    Of a feed, the labelled pictures of its training split count, originals and translated ones;
    unlabelled pictures of the target, which it may hold as well, don't.

    Args:
        text: what the user wrote: FEED, or what `open_labelled` takes.
        on_error: whether a picture of PICTURES without label is left out or an error.

    Raises:
        SourceError: the set can't be read, or holds nothing with a label.
        SampleError: a picture of PICTURES lacks its label, and `on_error` is "stop".
    """
    if not (Path(text) / "feed.json").is_file():
        return open_labelled(text, on_error)
    feed = Path(text)
    rows = [
        (where, row)
        for where, row in read_rows(feed / "manifest.jsonl")
        if row.get("split") == _SPLIT and ("class" in row or "mask" in row)
    ]
    kinds: set[Kind] = {"class" if "class" in row else "mask" for _, row in rows}
    if len(kinds) != 1:
        what = "classes and masks" if kinds else f"no labelled picture of split '{_SPLIT}'"
        raise SourceError(f"{feed / 'manifest.jsonl'} holds {what}")
    files = _open_files(feed, rows)
    return LabelledSet(text, kinds.pop(), tuple(_label(files, *row) for row in rows))


def holds_classes(text: str) -> bool:
    """Tell whether a set is a feed whose masks were mapped to classes when it was built."""
    head = Path(text) / "feed.json"
    return head.is_file() and bool(json.loads(head.read_text(encoding="utf-8")).get("map"))


def _label(files: Mapping[str, File], where: str, row: Mapping[str, Any]) -> Labelled:
    name = row["file_name"]
    try:
        label = row["class"] if "class" in row else files[row["mask"]]
        return Labelled(name, files[name], label, row["source_key"])
    except KeyError as error:
        raise SourceError(f"{where}: {error.args[0]} is missing") from None


def _open_files(feed: Path, rows: list[Row]) -> dict[str, File]:
    """Return the files that a manifest's rows name, those in tars with their bytes."""
    files: dict[str, File] = {}
    packed: defaultdict[str, set[str]] = defaultdict(set)
    for where, row in rows:
        for name in (row.get("file_name"), row.get("mask", row.get("file_name"))):
            if not isinstance(name, str):
                raise SourceError(f"{where}: no file_name")
            tar, dot, member = name.partition(".tar/")
            if dot:
                packed[f"{tar}.tar"].add(member)
            else:
                files[name] = File(str(feed / name), feed / name)
    for tar, members in packed.items():
        files |= dict(_read_tar(feed, tar, members))
    return files


def _read_tar(feed: Path, tar: str, members: set[str]) -> Iterator[tuple[str, File]]:
    try:
        with tarfile.open(feed / tar) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.name in members else None
                if stream:
                    yield f"{tar}/{member.name}", File(f"{feed / tar}/{member.name}", stream.read())
    except (tarfile.TarError, OSError) as error:
        raise SourceError(f"{feed / tar} can't be read: {error}") from None
