"""The outputs of a complete translation, and where their sources are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from i2ikit.data.manifests import read_rows
from i2ikit.data.samples import File, Sample, Source
from i2ikit.data.sources import open_source
from i2ikit.errors import RunError, counted
from i2ikit.feed.store import Store
from i2ikit.labels.finding import Labels
from i2ikit.labels.set_objects import OBJECTS, open_objects
from i2ikit.translation.home import Home
from i2ikit.translation.plan import Plan, load_plan
from i2ikit.translation.receipts import is_done
from i2ikit.translation.records import METADATA, read_carried


@dataclass(frozen=True)
class Translation:
    """A complete run of `translate`.

    Attributes:
        root: its OUT.
        plan: what the run fixed.
        failed: keys of inputs that have no outputs because they failed.
    """

    root: Path
    plan: Plan
    failed: frozenset[str]

    @property
    def store(self) -> Store:
        """Reads the outputs."""
        return Store(self.root)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the line of each output, in the order of the plan."""
        for _, row in read_rows(self.root / METADATA):
            yield row

    @cached_property
    def carried(self) -> Mapping[str, File]:
        """The files of the whole set, by their names."""
        return {name: self.store.file(name) for name in read_carried(Home(self.root))}

    @property
    def keys(self) -> Collection[str]:
        """The keys of all inputs."""
        return {row["key"] for row in self.rows()} | self.failed

    @cached_property
    def objects(self) -> Labels:
        """What finds the objects of an output: beside it, or in COCO's files of the whole set.

        Raises:
            SampleError: such a file can't be read.
        """
        return open_objects(OBJECTS, self.carried, self.keys)

    def sample(self, name: str, key: str, ends: Iterable[str]) -> Sample:
        """Return an output as a sample, with the files beside it that end so.

        Args:
            name: the output's.
            key: of its source.
            ends: what follows the stem in the names of these files.

        Raises:
            SampleError: its tar can't be read.
        """
        stem = name.rpartition(".")[0]
        beside = {end: self.store.file(stem + end) for end in ends if stem + end in self.store}
        return Sample(key, {"image": File(name, b"")}, beside)

    def open_sources(self) -> Source:
        """Return what reads the pictures that were translated.

        Raises:
            SourceError: they are no longer where they were.
        """
        settings = self.plan.settings
        return open_source(settings.source, inputs=("image",), fields=settings.fields)


def open_translation(root: Path) -> Translation:
    """Return a translation whose every input has its outputs, or is recorded as failed.

    Raises:
        RunError: no run, one that isn't complete, or one that lacks outputs.
    """
    home = Home(root)
    plan = load_plan(home)
    if plan is None:
        raise RunError(f"{root} holds no run of i2ikit", hint="name the OUT of a translation")
    undone = sum(not is_done(home, shard) for shard in plan.shards)
    if undone:
        raise RunError(
            f"{root} holds a part of its run: {undone} of {counted(len(plan.shards), 'shard')}"
            " are not done",
            hint="run i2ikit translate again, to its end",
        )
    if not (root / METADATA).is_file():
        raise RunError(f"{root} holds no outputs: it has no {METADATA}", hint=_audit(root))
    errors = home.folder / "errors.jsonl"
    failed = {row["key"] for _, row in read_rows(errors)} if errors.is_file() else set()
    translation = Translation(root, plan, frozenset(failed))
    _check_outputs(translation)
    return translation


def _check_outputs(translation: Translation) -> None:
    """Refuse a run that lacks outputs, by their names; `audit` compares their contents."""
    counts: Counter[str] = Counter()
    store, plan = translation.store, translation.plan
    for row in translation.rows():
        if row["file_name"] not in store:
            raise RunError(
                f"{translation.root} lacks {row['file_name']}, which its {METADATA} lists",
                hint=_audit(translation.root),
            )
        counts[row["key"]] += 1
    planned = {key for shard in plan.shards for key in shard.keys or ()} | set(counts)
    for key in sorted(planned - translation.failed):
        if counts[key] != plan.num_styles:
            raise RunError(
                f"{translation.root} has {counted(counts[key], 'output')} of '{key}', not"
                f" {plan.num_styles}",
                hint=_audit(translation.root),
            )


def _audit(root: Path) -> str:
    return f"i2ikit audit {root} says what else is wrong"
