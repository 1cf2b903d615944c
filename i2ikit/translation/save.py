"""save: from pictures to files, with the lines that describe them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from i2ikit.data.images import encode_image
from i2ikit.data.keys import member_key, output_stem
from i2ikit.data.writers import tar_name
from i2ikit.errors import SampleError
from i2ikit.translation.job import Job
from i2ikit.translation.plan import Settings, Shard
from i2ikit.translation.receipts import Outcome
from i2ikit.translation.stages import Failed, Saved, Translated

#: What file systems take as a name, in bytes.
_LONGEST_NAME = 255


def save_sample(job: Job, tar: str, item: Translated | Failed) -> Saved | Failed:
    """Encode one sample's outputs, sidecars beside each; `tar` is the output tar's name or ""."""
    if isinstance(item, Failed):
        return item
    try:
        return _save(job, tar, item)
    except SampleError as error:
        return Failed(item.loaded.index, item.loaded.sample.key, str(error))


def _save(job: Job, tar: str, item: Translated) -> Saved:
    loaded, settings = item.loaded, job.plan.settings
    files: dict[str, bytes] = {}
    metadata, measured = [], []
    for index, pixels in enumerate(item.pictures):
        key = member_key(loaded.sample.key) if tar else loaded.sample.key
        stem = output_stem(key, index, job.translator.styles.num_styles)
        name = f"{stem}.{settings.format}"
        data = encode_image(pixels, settings.format)
        _add(files, {name: data})
        _add(files, {stem + suffix: data for suffix, data in loaded.sidecars.items()})
        metadata.append(_describe(job, item, index, f"{tar}/{name}" if tar else name))
        if job.meter:
            as_written = pixels if settings.format == "png" else None
            measured.append(job.meter.prepare(name, data, as_written))
    hashes = {} if tar else {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    _check_lengths(files)
    geometry = loaded.geometry.to_json() if loaded.geometry.is_changed else {}
    outcome = Outcome(
        loaded.index, loaded.sample.key, metadata, list(item.style_rows), geometry, hashes
    )
    return Saved(outcome, files, measured)


def _check_lengths(files: Mapping[str, bytes]) -> None:
    for name in files:
        length = len(name.rpartition("/")[2].encode("utf-8", "surrogateescape"))
        if length > _LONGEST_NAME:
            raise SampleError(f"'{name}' has {length} bytes, too long for a file's name")


def _add(files: dict[str, bytes], more: dict[str, bytes]) -> None:
    """Add files; only reading can tell that a sample of a remote tar has two for one name."""
    for name in more.keys() & files.keys():
        raise SampleError(f"two files of the sample would both be written to '{name}'")
    files.update(more)


def output_tar(settings: Settings, shard: Shard) -> str:
    """Return the name of the tar that a shard's outputs go to, or "" for loose files."""
    if settings.output == "folder":
        return ""
    if not shard.part:
        return f"shard-{shard.name}.tar"
    return tar_name(shard.part)


def _describe(job: Job, item: Translated, index: int, name: str) -> dict[str, Any]:
    """Return the line of `metadata.jsonl` for one output."""
    settings, sample = job.plan.settings, item.loaded.sample
    line: dict[str, Any] = {
        "file_name": name,
        "key": sample.key,
        "style_index": index,
        "model": settings.model,
        "checkpoint": settings.checkpoint,
        "direction": settings.direction,
    }
    if "seed" in settings.styles:
        line["seed"] = settings.styles["seed"]
    if "names" in settings.styles:
        line["style_from"] = settings.styles["names"][index]
    if item.loaded.geometry.is_changed:
        line["geometry"] = item.loaded.geometry.to_json()
    for column, value in sample.columns.items():
        while column in line:
            column = f"source_{column}"
        line[column] = value
    return line
