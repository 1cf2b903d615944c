"""`feed check`: whether a feed holds exactly what was built, with the labels of its sources."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from i2ikit.ahead import ahead
from i2ikit.data.keys import split_picture
from i2ikit.data.manifests import read_rows
from i2ikit.devices import default_workers
from i2ikit.errors import SampleError
from i2ikit.feed.comparing import SourceTruth, open_truth
from i2ikit.feed.manifest import HEAD, REJECTED, Row, hash_bytes, read_head, read_manifest
from i2ikit.feed.masks import read_ids
from i2ikit.feed.objects import ObjectReader
from i2ikit.feed.packing import describe_member
from i2ikit.feed.store import Store, split_name
from i2ikit.labels.id_maps import IGNORED
from i2ikit.labels.labelled import sort_classes
from i2ikit.progress import Progress

_DEPTH = 4


@dataclass
class Checked:
    """What `check` found.

    Attributes:
        num_pictures: lines of the manifest.
        num_sources: different sources among them.
        kind: "class", "mask" or "objects".
        classes: pictures of the feed by class; or objects; with masks, pixels by class or id.
        source_classes: the same of the sources, each counted once.
        wrong: what is wrong, by its kind: names or sentences.
        notes: what could not be compared.
    """

    num_pictures: int = 0
    num_sources: int = 0
    kind: str = "class"
    classes: Mapping[str, int] = field(default_factory=dict)
    source_classes: Mapping[str, int] = field(default_factory=dict)
    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.wrong.values())


def check(feed: str | Path, *, on_progress: Callable[[Progress], None] | None = None) -> Checked:
    """Check a feed against its records, and its labels against those of the sources.

    Raises:
        RunError: the folder holds no feed.
        SourceError: its manifest can't be read.
    """
    root = Path(feed)
    head, rows = read_head(root), list(read_manifest(root))
    sources = {(row.origin == "target", row.source_key) for row in rows}
    found = Checked(len(rows), len(sources), head["kind"])
    _check_generated(found, root, head)
    _check_promise(found, root, head, rows)
    _check_splits(found, rows)
    truth = open_truth(head)
    found.notes += truth.notes
    _check_pictures(found, Store(root), head, rows, truth, on_progress)
    _check_strangers(found, root, head, rows)
    found.wrong = {kind: list(dict.fromkeys(names)) for kind, names in found.wrong.items() if names}
    return found


def _check_generated(found: Checked, root: Path, head: Mapping[str, Any]) -> None:
    for name, digest in head["files"].items():
        if not (root / name).is_file():
            found.wrong["missing files"].append(name)
        elif hash_bytes((root / name).read_bytes()) != digest:
            found.wrong["changed files"].append(name)


def _check_promise(found: Checked, root: Path, head: Mapping[str, Any], rows: list[Row]) -> None:
    """Check that each picture of each source is there once."""
    counts = Counter((row.origin, row.source_key, row.style_index) for row in rows)
    found.wrong["doubled pictures"] += [
        f"{origin} '{key}'" + (f", style {style}" if style is not None else "")
        for (origin, key, style), count in counts.items()
        if count > 1
    ]
    places = Counter((row.split, row.origin) for row in rows)
    for split, promised in head["counts"].items():
        for origin, number in promised.items():
            if (there := places[split, origin]) != number:
                found.wrong["incomplete"].append(f"{split}: {there} {origin}, not {number}")
    if set(head["mix"]) == {"translated"} and not head["num_left_out"]:
        found.wrong["incomplete"] += _short_of_styles(root, head, rows)


def _short_of_styles(root: Path, head: Mapping[str, Any], rows: list[Row]) -> Iterator[str]:
    """Yield the sources that have another number of translations than was asked for."""
    rejected: Counter[str] = Counter()
    if (root / REJECTED).is_file():
        rejected.update(row["source_key"] for _, row in read_rows(root / REJECTED))
    most = head["styles"] if isinstance(head["styles"], int) else head["num_styles"]
    for key, count in Counter(row.source_key for row in rows).items():
        due = min(most, head["num_styles"] - rejected[key])
        if count != due:
            yield f"'{key}' has {count} translations, not {due}"


def _check_splits(found: Checked, rows: list[Row]) -> None:
    """Check that no source, and no picture of one, is in two splits."""
    owners: dict[tuple[str, str], tuple[str, str]] = {}
    leaks = []
    for row in rows:
        side = "target" if row.origin == "target" else "source"
        for owner in ((side, row.source_key), ("picture", row.source_sha256 or "")):
            split, key = owners.setdefault(owner, (row.split, row.source_key))
            if owner[1] and split != row.split:
                leaks.append(f"'{key}' ({split}) is '{row.source_key}' ({row.split})")
    found.wrong["in two splits"] += leaks


@dataclass
class _Looked:
    """What one picture's files are like."""

    row: Row
    wrong: list[tuple[str, str]]
    ids: Mapping[str, int]


def _check_pictures(
    found: Checked,
    store: Store,
    head: Mapping[str, Any],
    rows: list[Row],
    truth: SourceTruth,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    workers = default_workers()
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    seen: set[str] = set()
    with ThreadPoolExecutor(workers) as pool:
        objects = ObjectReader(store, head.get("numbers", {}), head["classes"])
        look = partial(_look, objects, str(head["layout"]), truth)
        for done, one in enumerate(ahead(look, rows, pool, _DEPTH * workers), start=1):
            for kind, name in one.wrong:
                found.wrong[kind].append(name)
            after.update(one.ids)
            if one.row.origin != "target" and one.row.source_key not in seen:
                seen.add(one.row.source_key)
                before.update(one.ids)
            if on_progress:
                on_progress(Progress(done, len(rows), 0, 0))
    found.classes = {name: after[name] for name in sort_classes(after)}
    found.source_classes = head["source_classes"] if head["kind"] == "class" else dict(before)


def _look(objects: ObjectReader, layout: str, truth: SourceTruth, row: Row) -> _Looked:
    store = objects.store
    wrong: list[tuple[str, str]] = []
    for name, digest in row.files:
        try:
            if name not in store:
                wrong.append(("missing files", name))
            elif hash_bytes(store.read(name)) != digest:
                wrong.append(("changed files", name))
        except SampleError as error:
            wrong.append(("unreadable", str(error)))
    try:
        wrong += [("wrong labels", text) for text in _wrong_labels(objects, layout, truth, row)]
        ids = _count(objects, row)
    except SampleError as error:  # files that are missing or cut off have been named
        wrong += [] if wrong else [("unreadable", str(error))]
        ids = {}
    return _Looked(row, wrong, ids)


def _wrong_labels(
    objects: ObjectReader, layout: str, truth: SourceTruth, row: Row
) -> Iterator[str]:
    """Yield where a picture's label isn't what the manifest, or its source, says."""
    store = objects.store
    if row.class_name is not None:
        stated = _stated_class(store, layout, row)
        if stated != row.class_name:
            yield f"{row.file_name} is filed as '{stated}', not '{row.class_name}'"
    if row.objects is not None:
        if (found := _count(objects, row)) != row.object_classes:
            yield f"{row.file_name} is said to show {row.object_classes}, not {found}"
        if layout == "shards":
            name = f"{split_picture(row.file_name)[0]}.json"
            if store.read(name) != describe_member(row, objects):
                yield f"{name} says something else than {row.objects}"
    if reason := truth.differs(store, row):
        yield f"{row.file_name}: {reason}"


def _stated_class(store: Store, layout: str, row: Row) -> str | None:
    if layout == "imagefolder":
        return row.file_name.split("/")[1]
    if layout == "shards":
        return store.read(f"{split_picture(row.file_name)[0]}.cls").decode("utf-8", "replace")
    return row.class_name  # the table of huggingface is compared as a whole


def _count(objects: ObjectReader, row: Row) -> Mapping[str, int]:
    """Return how many pictures, objects or pixels a row has of each class."""
    if row.objects is not None:
        return Counter(str(one.label) for one in objects.read(row)[1])
    if row.mask is None:
        return {row.class_name or "": 1}
    classes = objects.classes
    data = objects.store.read(row.mask)
    ids, counts = np.unique(read_ids(data, row.mask), return_counts=True)
    known = {IGNORED: "ignored", **dict(enumerate(classes))}
    names = [known.get(number, str(number)) for number in ids.tolist()]
    return dict(zip(names, counts.tolist(), strict=True))


def _check_strangers(found: Checked, root: Path, head: Mapping[str, Any], rows: list[Row]) -> None:
    names = {HEAD, *head["files"], *(name for row in rows for name, _ in row.files)}
    tars = {tar for row in rows if (tar := split_name(root, row.file_name)[0])}
    there = {
        (Path(folder) / name).relative_to(root).as_posix()
        for folder, _, files in os.walk(root)
        for name in files
    }
    found.wrong["strangers"] += sorted(there - names - tars)
    texts = {f"{split_picture(row.file_name)[0]}{end}" for row in rows for end in (".cls", ".json")}
    for tar in sorted(tars):
        store = Store(root)
        try:
            members = {f"{tar}/{member}" for member in store.members(tar)}
        except SampleError:  # named with its pictures
            continue
        if store.is_cut_off(tar):
            found.wrong["cut off"].append(tar)
        found.wrong["strangers"] += sorted(members - names - texts)
