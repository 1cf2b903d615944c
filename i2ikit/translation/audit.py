"""Whether an output folder holds exactly what its run should have written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from i2ikit.checkpoints import hash_file
from i2ikit.errors import RunError
from i2ikit.translation.home import Home
from i2ikit.translation.plan import Plan, Shard, load_plan
from i2ikit.translation.receipts import Receipt, is_done, read_receipts
from i2ikit.translation.records import METADATA, read_carried, to_line


@dataclass
class Audit:
    """What `audit` found.

    Attributes:
        num_inputs: inputs of the plan; those read so far where remote tars hide the rest.
        num_styles: outputs due per input.
        num_outputs: outputs that the receipts list.
        num_failed: inputs recorded as failed.
        pending: shards without a whole receipt.
        miscounted: inputs with fewer or more outputs than styles.
        missing: files that should be there.
        changed: files whose hash is another.
        strangers: files that the run didn't write.
    """

    num_inputs: int
    num_styles: int
    num_outputs: int = 0
    num_failed: int = 0
    pending: list[str] = field(default_factory=list)
    miscounted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Return whether inputs × styles = outputs + failures, and every file is as written."""
        return not (
            self.pending or self.miscounted or self.missing or self.changed or self.strangers
        )


def audit(output: str | Path) -> Audit:
    """Check an output folder against the records of its run.

    Raises:
        RunError: the folder holds no run.
    """
    root = Path(output)
    home = Home(root)
    plan = load_plan(home)
    if plan is None:
        raise RunError(f"{root} holds no run of i2ikit", hint="name the OUT of a translation")
    found = Audit(num_inputs=plan.num_inputs or 0, num_styles=plan.num_styles)
    expected = read_carried(home)
    metadata = hashlib.sha256()
    for shard, receipt in read_receipts(home, plan):
        if receipt is None or not is_done(home, shard):
            found.pending.append(shard.name)
        if receipt:
            _count(found, plan, shard, receipt)
            expected |= receipt.files
            for outcome in receipt.outcomes:
                metadata.update("".join(map(to_line, outcome.metadata)).encode())
    if found.num_outputs:
        expected[METADATA] = metadata.hexdigest()
    _check_files(found, root, expected)
    found.strangers = sorted(set(_walk(root)) - set(expected))
    return found


def _count(found: Audit, plan: Plan, shard: Shard, receipt: Receipt) -> None:
    if shard.keys is None:
        found.num_inputs += len(receipt.outcomes)
    else:
        known = {outcome.key for outcome in receipt.outcomes}
        found.miscounted += [key for key in shard.keys if key not in known]
    found.num_failed += len(receipt.failures)
    for outcome in receipt.outcomes:
        found.num_outputs += len(outcome.metadata)
        if not outcome.failure and len(outcome.metadata) != plan.num_styles:
            found.miscounted.append(outcome.key)


def _check_files(found: Audit, root: Path, expected: dict[str, str]) -> None:
    for name, digest in sorted(expected.items()):
        path = root / name
        if not path.is_file():
            found.missing.append(name)
        elif hash_file(path) != digest:
            found.changed.append(name)


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        if Path(folder) == root and ".i2ikit" in folders:
            folders.remove(".i2ikit")
        for name in files:
            yield (Path(folder) / name).relative_to(root).as_posix()
