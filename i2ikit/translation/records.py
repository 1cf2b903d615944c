"""What a run shows when it ends, merged from its receipts; and how a run is removed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from i2ikit.data.samples import Source
from i2ikit.data.sizes import Geometry
from i2ikit.data.writers import FolderWriter
from i2ikit.errors import RunError
from i2ikit.labels.whole_set import SetLabels
from i2ikit.translation.home import Home, remove_files
from i2ikit.translation.plan import Plan, load_plan
from i2ikit.translation.receipts import Receipt, is_done, noted_files, read_receipts

METADATA = "metadata.jsonl"
_CARRIED = "carried.jsonl"
_SHOWN_FAILURES = 5


@dataclass
class Totals:
    """What became of the inputs of the receipts read so far."""

    num_inputs: int = 0
    num_outputs: int = 0
    num_failed: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, receipt: Receipt) -> None:
        """Count a receipt's outcomes, and keep the first few failures."""
        self.num_inputs += len(receipt.outcomes)
        self.num_outputs += sum(len(outcome.metadata) for outcome in receipt.outcomes)
        self.num_failed += len(receipt.failures)
        room = _SHOWN_FAILURES - len(self.failures)
        self.failures += [outcome.failure for outcome in receipt.failures[:room]]


def merge(home: Home, plan: Plan, source: Source, set_labels: SetLabels) -> None:
    """Write the run's records and the data set's own files.

    `metadata.jsonl` has a line an output, `.i2ikit/styles.jsonl` one a style that `--styles` can
    ask for again, `.i2ikit/errors.jsonl` one an input that failed.

    Raises:
        RunError: two outputs have one name.
        SampleError: labels of the whole data set were exchanged while the run was under way.
        OSError: OUT can't be written.
    """
    if plan.num_inputs is None:
        _check_names(home, plan)
    with (
        _lines(home, home.root / METADATA) as metadata,
        _lines(home, home.folder / "styles.jsonl") as styles,
        _lines(home, home.folder / "errors.jsonl") as errors,
    ):
        for _, receipt in read_receipts(home, plan):
            for outcome in receipt.outcomes if receipt else ():
                metadata.writelines(map(to_line, outcome.metadata))
                styles.writelines(map(to_line, outcome.styles))
                if outcome.failure:
                    errors.write(to_line({"key": outcome.key, "reason": outcome.failure}))
    _carry(home, plan, source, set_labels)
    if is_complete(home, plan):
        shutil.rmtree(home.scratch, ignore_errors=True)


def _carry(home: Home, plan: Plan, source: Source, set_labels: SetLabels) -> None:
    """Write the files of the whole data set, their places moved, and note them."""
    geometries = dict(_geometries(home, plan)) if set_labels.names else {}
    with (
        FolderWriter(home.root, home.scratch) as writer,
        _lines(home, home.folder / _CARRIED) as notes,
    ):
        for name, file in source.carried.items():
            data = file.read()
            if geometries:
                data = set_labels.move(name, data, geometries)
            writer.add({name: data})
            notes.write(to_line({"file_name": name, "sha256": hashlib.sha256(data).hexdigest()}))


def _geometries(home: Home, plan: Plan) -> Iterator[tuple[str, Geometry]]:
    """Yield the key and geometry of each input whose pixels moved."""
    for _, receipt in read_receipts(home, plan):
        for outcome in receipt.outcomes if receipt else ():
            if outcome.geometry:
                yield outcome.key, Geometry.from_json(outcome.geometry)


def read_carried(home: Home) -> dict[str, str]:
    """Return the SHA-256 of every file of the whole data set that was written."""
    try:
        lines = (home.folder / _CARRIED).read_text(encoding="utf-8").splitlines()
        return {row["file_name"]: row["sha256"] for row in map(json.loads, lines)}
    except (OSError, ValueError, TypeError, KeyError):  # none, or damaged
        return {}


def to_line(row: Mapping[str, Any]) -> str:
    """Return a row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False) + "\n"


@contextmanager
def _lines(home: Home, path: Path) -> Iterator[TextIO]:
    """Open a file that is put in place when all is written; one without lines isn't there."""
    temporary = home.scratch_file()
    with temporary.open("w", encoding="utf-8", errors="surrogatepass") as file:
        yield file
    if temporary.stat().st_size:
        temporary.replace(path)
    else:
        temporary.unlink()
        path.unlink(missing_ok=True)


def _check_names(home: Home, plan: Plan) -> None:
    """Find outputs of one name, where only reading the tars could tell the samples' keys."""
    first: dict[str, str] = {}
    for shard, receipt in read_receipts(home, plan):
        for name in receipt.files if receipt else ():
            other = first.setdefault(name, shard.part)
            if other != shard.part:
                raise RunError(
                    f"{name} was written from both {other} and {shard.part}",
                    hint="write shards (wds:OUT), or give their samples different keys",
                )


def is_complete(home: Home, plan: Plan) -> bool:
    """Tell whether every shard of the plan is done."""
    return all(is_done(home, shard) for shard in plan.shards)


def remove_run(home: Home) -> None:
    """Delete what the run in OUT wrote, and nothing else.

    Its records are set aside first: after a kill, half an output can't pass for a finished one,
    and the next start ends the removal.
    """
    home.folder.rename(home.removed.folder)
    finish_removal(home)


def finish_removal(home: Home) -> None:
    """Delete what a run wrote whose records are set aside, if there is one."""
    aside = home.removed
    if not aside.folder.exists():
        return
    try:
        plan = load_plan(aside)
    except RunError:  # damaged: which files were its own can't be told any more
        plan = None
    if plan is not None:
        remove_files(home.root, _written(aside, plan))
    shutil.rmtree(aside.folder)


def _written(home: Home, plan: Plan) -> set[str]:
    written = {METADATA, *read_carried(home)}
    for shard, receipt in read_receipts(home, plan):
        written |= noted_files(home, shard)
        written |= set(receipt.files) if receipt else set()
    return written
