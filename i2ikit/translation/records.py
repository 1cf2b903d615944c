"""What a finished run shows: its receipts merged, in the order of the plan."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from i2ikit.data.samples import Source
from i2ikit.data.writers import FolderWriter
from i2ikit.errors import RunError
from i2ikit.translation.plan import Plan, load_plan
from i2ikit.translation.receipts import (
    Receipt,
    is_done,
    noted_files,
    read_receipts,
)

METADATA = "metadata.jsonl"
CARRIED = "carried.jsonl"
_SHOWN_FAILURES = 5
REMOVED = ".i2ikit-removed"


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


def merge(root: Path, plan: Plan, source: Source) -> None:
    """Write the run's records and the data set's own files.

    `metadata.jsonl` has a line an output, `.i2ikit/styles.jsonl` one a style that `--styles` can
    ask for again, `.i2ikit/errors.jsonl` one an input that failed.

    Raises:
        RunError: two outputs have one name, or OUT can't be written.
    """
    home = root / ".i2ikit"
    if plan.num_inputs is None:
        _check_names(home, plan)
    try:
        with (
            _lines(home, root / METADATA) as metadata,
            _lines(home, home / "styles.jsonl") as styles,
            _lines(home, home / "errors.jsonl") as errors,
        ):
            for _, receipt in read_receipts(home / "receipts", plan):
                for outcome in receipt.outcomes if receipt else ():
                    metadata.writelines(map(to_line, outcome.metadata))
                    styles.writelines(map(to_line, outcome.styles))
                    if outcome.failure:
                        errors.write(to_line({"key": outcome.key, "reason": outcome.failure}))
    except OSError as error:
        raise RunError(f"{root} can't be written: {error.strerror}") from None
    _carry(root, source)
    if is_complete(root, plan):
        shutil.rmtree(home / "tmp", ignore_errors=True)


def _carry(root: Path, source: Source) -> None:
    """Copy the files of the whole data set, and note them."""
    home = root / ".i2ikit"
    with FolderWriter(root, home) as writer, _lines(home, home / CARRIED) as notes:
        for name, file in source.carried.items():
            data = file.read()
            writer.add({name: data})
            notes.write(to_line({"file_name": name, "sha256": hashlib.sha256(data).hexdigest()}))


def read_carried(home: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of the whole data set that was copied."""
    path = home / CARRIED
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = map(json.loads, lines)
    return {row["file_name"]: row["sha256"] for row in rows}


def hash_file(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_line(row: Mapping[str, Any]) -> str:
    """Return a row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False) + "\n"


@contextmanager
def _lines(home: Path, path: Path) -> Iterator[TextIO]:
    """Open a file that is put in place when all is written; one without lines isn't there."""
    temporary = home / f"{path.name}.{uuid.uuid4().hex}.tmp"
    with temporary.open("w", encoding="utf-8", errors="surrogatepass") as file:
        yield file
    if temporary.stat().st_size:
        temporary.replace(path)
    else:
        temporary.unlink()
        path.unlink(missing_ok=True)


def _check_names(home: Path, plan: Plan) -> None:
    """Find outputs of one name, where only reading the tars could tell the samples' keys."""
    first: dict[str, str] = {}
    for shard, receipt in read_receipts(home / "receipts", plan):
        for name in receipt.files if receipt else ():
            other = first.setdefault(name, shard.part)
            if other != shard.part:
                raise RunError(
                    f"{name} was written from both {other} and {shard.part}",
                    hint="write shards (wds:OUT), or give their samples different keys",
                )


def is_complete(root: Path, plan: Plan) -> bool:
    """Return whether every shard of the plan is done."""
    return all(is_done(root / ".i2ikit" / "receipts", shard) for shard in plan.shards)


def remove_run(root: Path) -> None:
    """Delete what the run in OUT wrote, and nothing else.

    Its records are set aside first: after a kill, half an output can't pass for a finished one,
    and the next start ends the removal.
    """
    (root / ".i2ikit").rename(root / REMOVED)
    finish_removal(root)


def finish_removal(root: Path) -> None:
    """Delete what a run wrote whose records are set aside, if there is one."""
    aside = root / REMOVED
    if not aside.exists():
        return
    plan = load_plan(aside)
    if plan is not None:
        _remove_files(root, _written(aside, plan))
    shutil.rmtree(aside)


def _written(home: Path, plan: Plan) -> set[str]:
    written = {METADATA, *read_carried(home)}
    for shard, receipt in read_receipts(home / "receipts", plan):
        written |= noted_files(home / "receipts", shard)
        written |= set(receipt.files) if receipt else set()
    return written


def _remove_files(root: Path, names: set[str]) -> None:
    for name in names:
        (root / name).unlink(missing_ok=True)
    for folder in sorted({(root / name).parent for name in names}, reverse=True):
        _remove_empty(folder, root)


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
