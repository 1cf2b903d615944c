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
from typing import Any

from i2ikit.errors import RunError
from i2ikit.translation.home import Home
from i2ikit.translation.plan import Plan, Shard


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes:
        index: its position in the shard.
        key: its key; a tar's name where reading the tar itself failed.
        metadata: a line of `metadata.jsonl` for each output; none if it failed.
        styles: lines of `styles.jsonl`.
        geometry: how its outputs lie to its file, as `Geometry.to_json` has it; {} if unchanged.
        files: SHA-256 of every file written, by its name under OUT; none if the output is tars.
        failure: why it failed, with the file's name; "" if it didn't.
    """

    index: int
    key: str
    metadata: list[dict[str, Any]] = field(default_factory=list)
    styles: list[dict[str, Any]] = field(default_factory=list)
    geometry: dict[str, Any] = field(default_factory=dict)
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
        """The inputs that failed."""
        return [outcome for outcome in self.outcomes if outcome.failure]

    @property
    def files(self) -> dict[str, str]:
        """The SHA-256 of every file under OUT that the shard wrote."""
        own = {name: digest for o in self.outcomes for name, digest in o.files.items()}
        return own | self.tars


class ReceiptWriter:
    """Notes a shard's outcomes as they come; `commit` makes them the receipt."""

    def __init__(self, home: Home, shard: Shard, tar: str) -> None:
        """Open the notes of `shard`, whose outputs go to `tar` if that is not ""."""
        home.notes.mkdir(parents=True, exist_ok=True)
        home.receipts.mkdir(exist_ok=True)
        self._home, self._shard = home, shard
        self._notes = home.notes / f"{shard.name}.{uuid.uuid4().hex}"
        self._file = self._notes.open("w", encoding="utf-8")
        self._outcomes: list[Outcome] = []
        self._write({"tars": [tar] if tar else []})

    def close(self) -> None:
        """End the notes; without a receipt they stay, as those of a broken-off attempt."""
        self._file.close()

    def note(self, outcome: Outcome) -> None:
        """Write down what is about to be put in place."""
        self._write(asdict(outcome))
        self._outcomes.append(outcome)

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def commit(self, *, is_whole: bool, tars: Mapping[str, str]) -> Receipt:
        """Put the receipt in place of the notes; one that is not whole won't count as done."""
        receipt = Receipt(sorted(self._outcomes, key=lambda o: o.index), dict(tars))
        lines = [*map(asdict, receipt.outcomes), {"tars": receipt.tars}]
        self.close()
        try:
            temporary = self._home.scratch_file()
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))
            temporary.replace(_path(self._home, self._shard, is_whole=is_whole))
            self._notes.unlink()
        except FileNotFoundError:
            raise RunError(
                f"another process is writing shard {self._shard.name} of this run",
                hint="to share a run, give each process its --shard i/n",
            ) from None
        if is_whole:
            _path(self._home, self._shard, is_whole=False).unlink(missing_ok=True)
        return receipt


def _path(home: Home, shard: Shard, *, is_whole: bool) -> Path:
    return home.receipts / f"{shard.name}{'' if is_whole else '.limited'}.jsonl"


def is_done(home: Home, shard: Shard) -> bool:
    """Tell whether the shard has left its receipt, not cut short by `--limit`."""
    return _path(home, shard, is_whole=True).exists()


def read_receipt(home: Home, shard: Shard) -> Receipt | None:
    """Return the receipt of a shard, whole or cut short; None if there is none to be read."""
    for is_whole in (True, False):
        try:
            text = _path(home, shard, is_whole=is_whole).read_text(encoding="utf-8")
            *outcomes, end = map(json.loads, text.splitlines())
            return Receipt([Outcome(**outcome) for outcome in outcomes], dict(end["tars"]))
        except (OSError, ValueError, TypeError, KeyError):
            continue  # not there, or damaged as after a loss of power: as good as never done
    return None


def read_receipts(home: Home, plan: Plan) -> Iterator[tuple[Shard, Receipt | None]]:
    """Yield every shard of a plan with its receipt, one at a time, in order."""
    for shard in plan.shards:
        yield shard, read_receipt(home, shard)


def noted_files(home: Home, shard: Shard) -> set[str]:
    """Return the names that unfinished attempts at a shard may have put in place."""
    names: set[str] = set()
    for path in home.notes.glob(f"{shard.name}.*"):
        for line in path.read_text(encoding="utf-8").splitlines():
            names |= _names(line)
    return names


def _names(line: str) -> set[str]:
    try:
        note = json.loads(line)
    except ValueError:  # the line that a kill cut short: its files were not put in place yet
        return set()
    return {*note.get("files", ()), *note.get("tars", ())}


def drop_notes(home: Home, shard: Shard) -> None:
    """Delete the notes of unfinished attempts at a shard."""
    for path in home.notes.glob(f"{shard.name}.*"):
        path.unlink(missing_ok=True)
