"""Files beside the pictures: tables and lists for other programs, and the tars of shards."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from i2ikit.data.keys import split_picture
from i2ikit.data.writers import TarWriter
from i2ikit.feed.drawing import draw
from i2ikit.feed.manifest import Row, write_lines
from i2ikit.feed.objects import ObjectReader

#: Pictures a tar: a few seconds of reading, and enough tars to spread over workers.
SHARD_PICTURES = 1000


def pack_shards(feed: Path, rows: Sequence[Row], seed: int, objects: ObjectReader) -> list[Row]:
    """Move loose files into tars that webdataset reads; return the rows with their new names.

    Pictures lie there in an order drawn by the seed, as readers shuffle within a tar or two only.
    """
    packed: list[Row] = []
    for split, mine in _by_split(rows).items():
        mine.sort(key=lambda row: draw(seed, "shard", row.file_name))
        for start in range(0, len(mine), SHARD_PICTURES):
            tar = f"{split}-{start // SHARD_PICTURES:06d}.tar"
            with TarWriter(feed, tar, feed) as writer:
                for row in mine[start:][:SHARD_PICTURES]:
                    text = describe_member(row, objects)
                    packed.append(_pack(feed, writer, tar, row, text))
    _remove_empty(feed, {row.split for row in rows})
    return packed


def _pack(feed: Path, writer: TarWriter, tar: str, row: Row, text: bytes) -> Row:
    member = row.file_name.partition("/")[2]
    key = split_picture(member)[0]
    files = {member: _take(feed / row.file_name)}
    names: dict[str, Any] = {}
    for kind, name in (("mask", row.mask), ("objects", row.objects)):
        if name is not None:
            own = name.partition("/")[2]
            files[own] = _take(feed / name)
            names[kind] = f"{tar}/{own}"
    if row.class_name is not None:
        files[f"{key}.cls"] = row.class_name.encode()
    files[f"{key}.json"] = text
    writer.add(files)
    return replace(row, file_name=f"{tar}/{member}", **names)


def _take(path: Path) -> bytes:
    data = path.read_bytes()
    path.unlink()
    return data


def _remove_empty(feed: Path, splits: Iterable[str]) -> None:
    for split in splits:
        for folder in sorted((feed / split).rglob("*"), reverse=True):
            folder.rmdir()
        (feed / split).rmdir()


def describe_member(row: Row, objects: ObjectReader) -> bytes:
    """Return the `.json` of a picture in a tar."""
    found = objects.one_picture(row) if row.objects is not None else {}
    text = json.dumps({**_describe(row), "epoch": row.epoch, **found}, ensure_ascii=False)
    return text.encode()


def _describe(row: Row) -> dict[str, Any]:
    return {
        "origin": row.origin,
        "source_key": row.source_key,
        "style_index": row.style_index,
    }


def write_coco(feed: Path, rows: Sequence[Row], objects: ObjectReader) -> list[str]:
    """Write each split's `annotations/instances_SPLIT.json`; return their names."""
    names = []
    (feed / "annotations").mkdir()
    for split, mine in _by_split(rows).items():
        names.append(f"annotations/instances_{split}.json")
        text = json.dumps(objects.coco(mine), ensure_ascii=False)
        (feed / names[-1]).write_text(text, encoding="utf-8")
    return names


def write_tables(feed: Path, rows: Sequence[Row], objects: ObjectReader) -> list[str]:
    """Write each split's `metadata.jsonl`, as Hugging Face reads it; return their names."""
    names = []
    has_epochs = any(row.epoch is not None for row in rows)  # then all rows have the column
    for split, mine in _by_split(rows).items():
        start = len(split) + 1
        names.append(f"{split}/metadata.jsonl")
        table = (
            {**_table_row(row, start, objects), **({"epoch": row.epoch} if has_epochs else {})}
            for row in mine
        )
        write_lines(feed / names[-1], table)
    return names


def _table_row(row: Row, start: int, objects: ObjectReader) -> Mapping[str, Any]:
    label: Mapping[str, Any] = {"label": row.class_name}
    if row.mask is not None:
        label = {"mask_file_name": row.mask[start:]}
    if row.objects is not None:
        label = {"objects": objects.table(row)}
    return {"file_name": row.file_name[start:], **label, **_describe(row)}


def write_epochs(feed: Path, rows: Sequence[Row]) -> list[str]:
    """Write `epochs/SPLIT/000.txt` …, the file names that an epoch shows; return the lists' names.

    Nothing is written if every epoch shows every picture.
    """
    names = []
    for split, mine in _by_split(rows).items():
        last = max((row.epoch for row in mine if row.epoch is not None), default=-1)
        for epoch in range(last + 1):
            shown = [row.file_name for row in mine if row.epoch in (None, epoch)]
            names.append(f"epochs/{split}/{epoch:03d}.txt")
            (feed / names[-1]).parent.mkdir(parents=True, exist_ok=True)
            (feed / names[-1]).write_text("".join(f"{name}\n" for name in shown), "utf-8")
    return names


def _by_split(rows: Iterable[Row]) -> dict[str, list[Row]]:
    splits: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        splits[row.split].append(row)
    return splits
