"""What a shard leaves behind: every output with its hash, every input that failed and why.

Each line is noted before its files are put in place, so that after a kill the half-done shard's
files are known too; the receipt itself appears, by a rename, when the shard is done.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from i2ikit.errors import RunError
from i2ikit.translation.plan import Plan, Shard


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes:
        index: its position in the shard.
        key: its key; a tar's name where reading the tar itself failed.
        metadata: a line of `metadata.jsonl` for each output; none if it failed.
        styles: lines of `styles.jsonl`.
        files: SHA-256 of every file written, by its name under OUT; none if the output is tars.
        failure: why it failed, with the file's name; "" if it didn't.
    """

    index: int
    key: str
    metadata: list[dict[str, Any]] = field(default_factory=list)
    styles: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class Receipt:
    """A shard's record, read back.

    Attributes:
        outcomes: one per input, in the order of the plan.
        tars: SHA-256 of the output tar by name, if the output is tars.
    """

    outcomes: list[Outcome]
    tars: dict[str, str]

    @property
    def failures(self) -> list[Outcome]:
        """Return the inputs that failed."""
        return [outcome for outcome in self.outcomes if outcome.failure]

    @property
    def files(self) -> dict[str, str]:
        """Return the SHA-256 of every file under OUT that the shard wrote."""
        own = {name: digest for o in self.outcomes for name, digest in o.files.items()}
        return own | self.tars


class ReceiptWriter:
    """Notes a shard's outcomes as they come; `commit` makes them the receipt."""

    def __init__(self, folder: Path, shard: Shard) -> None:
        """Open the notes of `shard` under the run's `receipts` folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._shard = shard
        self._folder = folder
        self._notes = folder / f"{shard.name}.{uuid.uuid4().hex}.part"
        self._file = self._notes.open("w", encoding="utf-8")
        self._outcomes: list[Outcome] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def note(self, outcome: Outcome) -> None:
        """Write down what is about to be put in place."""
        self._file.write(json.dumps(asdict(outcome)) + "\n")
        self._file.flush()
        self._outcomes.append(outcome)

    def commit(self, *, is_whole: bool, tars: Mapping[str, str]) -> Receipt:
        """Put the receipt in place of the notes; one that is not whole won't count as done."""
        receipt = Receipt(sorted(self._outcomes, key=lambda o: o.index), dict(tars))
        lines = [*map(asdict, receipt.outcomes), {"tars": receipt.tars}]
        self._file.close()
        final = _path(self._folder, self._shard, is_whole=is_whole)
        try:
            temporary = self._notes.with_suffix(".tmp")
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))
            temporary.replace(final)
            self._notes.unlink()
        except FileNotFoundError:
            raise RunError(
                f"another process is writing shard {self._shard.name} of this run",
                hint="to share a run, give each process its --shard i/n",
            ) from None
        if is_whole:
            _path(self._folder, self._shard, is_whole=False).unlink(missing_ok=True)
        return receipt


def _path(folder: Path, shard: Shard, *, is_whole: bool) -> Path:
    return folder / f"{shard.name}{'' if is_whole else '.limited'}.jsonl"


def is_done(folder: Path, shard: Shard) -> bool:
    """Return whether the shard has left its receipt, not cut short by `--limit`."""
    return _path(folder, shard, is_whole=True).exists()


def read_receipt(folder: Path, shard: Shard) -> Receipt | None:
    """Return the receipt of a shard, whole or cut short, or None if it was never finished."""
    for is_whole in (True, False):
        try:
            text = _path(folder, shard, is_whole=is_whole).read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        *outcomes, end = map(json.loads, text.splitlines())
        return Receipt([Outcome(**outcome) for outcome in outcomes], end["tars"])
    return None


def read_receipts(folder: Path, plan: Plan) -> Iterator[tuple[Shard, Receipt | None]]:
    """Yield every shard of a plan with its receipt, one at a time, in order."""
    for shard in plan.shards:
        yield shard, read_receipt(folder, shard)


def forget_receipt(folder: Path, shard: Shard) -> None:
    """Turn a shard's receipt into notes of an earlier attempt, so that it is run again."""
    _path(folder, shard, is_whole=True).replace(folder / f"{shard.name}.forgotten.part")


def noted_files(folder: Path, shard: Shard) -> set[str]:
    """Return the names that unfinished attempts at a shard may have put in place."""
    names: set[str] = set()
    for path in folder.glob(f"{shard.name}.*.part"):
        for line in path.read_text(encoding="utf-8").splitlines():
            names |= _names(line)
    return names


def _names(line: str) -> set[str]:
    try:
        note = json.loads(line)
    except ValueError:  # the line that a kill cut short: its files were not put in place yet
        return set()
    return set(note.get("files", ())) | set(note.get("tars", ()))


def drop_notes(folder: Path, shard: Shard) -> None:
    """Delete the notes of unfinished attempts at a shard."""
    for path in folder.glob(f"{shard.name}.*.part"):
        path.unlink(missing_ok=True)
