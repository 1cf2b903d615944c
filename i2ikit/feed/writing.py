"""Writing the files of a feed, a row for each picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from i2ikit.ahead import ahead
from i2ikit.data.keys import escapes
from i2ikit.devices import default_workers
from i2ikit.errors import SampleError
from i2ikit.feed.layouts import LAYOUTS, LayoutName, Names, name_files
from i2ikit.feed.loading import Found, Loaded, Reading, load
from i2ikit.feed.manifest import Row, hash_bytes
from i2ikit.feed.masks import Mask
from i2ikit.feed.objects import ObjectFile
from i2ikit.feed.summary import OnError
from i2ikit.feed.translated import Translation
from i2ikit.progress import Progress

#: Pictures under way for each thread that decodes.
_DEPTH = 4


def load_all(found: Iterable[Found], reading: Reading) -> Iterator[Loaded]:
    """Yield what each candidate's files hold, in order, some of them read ahead."""
    workers = default_workers()
    with ThreadPoolExecutor(workers) as pool:
        yield from ahead(partial(load, reading=reading), found, pool, _DEPTH * workers)


@dataclass
class Writing:
    """Files being written below a folder.

    Attributes:
        folder: where.
        layout: how they are named.
        translation: where the translations come from.
        on_error: whether a problem stops it all, or is counted.
        problems: gets them, a sentence each.
        taken: names that are written.
        num_blank: masks without a pixel that counts.
    """

    folder: Path
    layout: LayoutName
    translation: Translation
    on_error: OnError
    problems: list[str]
    taken: set[str] = field(default_factory=set)
    num_blank: int = 0

    def write(
        self,
        loaded: Iterable[Loaded],
        total: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> list[Row]:
        """Write pictures and files of labels, and return their rows.

        Raises:
            SampleError: a picture can't be read or named, and that stops it all.
        """
        rows: list[Row] = []
        failed = 0
        for done, one in enumerate(loaded, start=1):
            try:
                rows.append(self._write_one(one))
            except SampleError as error:
                if self.on_error == "stop":
                    raise
                self.problems.append(str(error))
                failed += 1
            if on_progress:
                on_progress(Progress(done, total, failed, 0))
        return rows

    def _write_one(self, one: Loaded) -> Row:
        if one.problem:
            raise SampleError(one.problem)
        self.num_blank += isinstance(one.label, Mask) and one.label.is_blank
        names = name_files(LAYOUTS[self.layout], one.candidate, one.suffix)
        labels = _name_labels(names, one.label) if one.label else []
        files = {names.picture: one.data, **dict(labels)}
        for name in files:
            if name in self.taken or escapes(name):
                raise SampleError(f"'{one.candidate.source_key}' can't be written to {name}")
        for name, data in files.items():
            self.taken.add(name)
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)
        return self._row(one, names.picture, [(name, hash_bytes(data)) for name, data in labels])

    def _row(self, one: Loaded, file_name: str, labels: list[tuple[str, str]]) -> Row:
        candidate, settings = one.candidate, self.translation.plan.settings
        is_made = candidate.origin == "translated"
        files: dict[str, Any] = {}
        if isinstance(one.label, ObjectFile):
            files["object_classes"] = one.label.classes
        kinds = ("objects",) if files else ("mask", "source_mask")
        for kind, (name, digest) in zip(kinds, labels, strict=False):
            files |= {kind: name, f"{kind}_sha256": digest}
        return Row(
            file_name,
            candidate.split,
            candidate.origin,
            candidate.source_key,
            candidate.style_index,
            hash_bytes(one.data),
            class_name=candidate.label if isinstance(candidate.label, str) else None,
            **files,
            epoch=candidate.epoch,
            source_sha256=candidate.source_sha256 or None,
            model=settings.model if is_made else None,
            checkpoint=settings.checkpoint if is_made else None,
            geometry=candidate.geometry.to_json() if candidate.geometry else None,
        )


def _name_labels(names: Names, label: Mask | ObjectFile) -> list[tuple[str, bytes]]:
    """Return the label's files; of a mask's, the one to train on comes first."""
    if isinstance(label, ObjectFile):
        return [(names.objects + label.suffix, label.data)]
    if label.classes is None:
        return [(names.source_mask or names.mask, label.ids)]
    beside = [(names.source_mask, label.ids)] if names.source_mask else []
    return [(names.mask, label.classes), *beside]
