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

#: Pictures a tar: a few seconds of reading, and enough tars to spread over workers.
SHARD_PICTURES = 1000


def pack_shards(feed: Path, rows: Sequence[Row], seed: int) -> list[Row]:
    """Move loose files into tars that webdataset reads; return the rows with their new names.

    Pictures lie there in an order drawn by the seed, as readers shuffle within a tar or two only.
    """
    packed: list[Row] = []
    for split, mine in _by_split(rows).items():
        mine.sort(key=lambda row: draw(seed, "shard", row.file_name))
        for start in range(0, len(mine), SHARD_PICTURES):
            tar = f"{split}-{start // SHARD_PICTURES:06d}.tar"
            with TarWriter(feed, tar, feed) as writer:
                packed += [_pack(feed, writer, tar, row) for row in mine[start:][:SHARD_PICTURES]]
    _remove_empty(feed, {row.split for row in rows})
    return packed


def _pack(feed: Path, writer: TarWriter, tar: str, row: Row) -> Row:
    member = row.file_name.partition("/")[2]
    key = split_picture(member)[0]
    files = {member: _take(feed / row.file_name)}
    mask = None
    if row.mask is not None:
        mask = f"{tar}/{key}.mask.png"
        files[f"{key}.mask.png"] = _take(feed / row.mask)
    else:
        files[f"{key}.cls"] = (row.class_name or "").encode()
    files[f"{key}.json"] = json.dumps(_describe(row), ensure_ascii=False).encode()
    writer.add(files)
    return replace(row, file_name=f"{tar}/{member}", mask=mask)


def _take(path: Path) -> bytes:
    data = path.read_bytes()
    path.unlink()
    return data


def _remove_empty(feed: Path, splits: Iterable[str]) -> None:
    for split in splits:
        for folder in sorted((feed / split).rglob("*"), reverse=True):
            folder.rmdir()
        (feed / split).rmdir()


def _describe(row: Row) -> dict[str, Any]:
    return {
        "origin": row.origin,
        "source_key": row.source_key,
        "style_index": row.style_index,
        "epoch": row.epoch,
    }


def write_tables(feed: Path, rows: Sequence[Row]) -> list[str]:
    """Write each split's `metadata.jsonl`, as Hugging Face reads it; return their names."""
    names = []
    for split, mine in _by_split(rows).items():
        start = len(split) + 1
        names.append(f"{split}/metadata.jsonl")
        write_lines(feed / names[-1], (_table_row(row, start) for row in mine))
    return names


def _table_row(row: Row, start: int) -> Mapping[str, Any]:
    label = {"label": row.class_name} if row.mask is None else {"mask_file_name": row.mask[start:]}
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
