"""The report of a gate: a line an output, counts and quantiles, and the worst to look at."""

from __future__ import annotations

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from i2ikit.errors import SourceError
from i2ikit.feed.checks.limits import Limits
from i2ikit.feed.checks.pairs import Output, Translated
from i2ikit.feed.checks.repeats import LENGTH, Thumbnail, count_repeats
from i2ikit.feed.checks.sheets import Worst, draw_sheets
from i2ikit.translation.records import to_line

#: The report has the values that these shares of the outputs stay below.
_QUANTILES = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)
_DIGITS = 4


@dataclass(frozen=True)
class Measured:
    """An output with what was measured of it.

    Attributes:
        key: its source's.
        output: where it is.
        measures: by name; none if it couldn't be read.
        thumbnails: its own and its source's; None if it couldn't.
        failure: why it couldn't.
    """

    key: str
    output: Output
    measures: Mapping[str, float] = field(default_factory=dict)
    thumbnails: tuple[Thumbnail, Thumbnail] | None = None
    failure: str = ""


@dataclass(frozen=True)
class GateSummary:
    """What a gate found.

    Attributes:
        report: the folder with the details.
        num_outputs: how many there are.
        num_rejected: those that break a limit.
        reasons: how many break each limit, such as `structure < 0.06`; one may break several.
        failures: why others could not be measured; the report has them as rejected too.
    """

    report: Path
    num_outputs: int
    num_rejected: int
    reasons: Mapping[str, int]
    failures: tuple[str, ...]


def write_report(
    folder: Path, made: Translated, limits: Limits, items: Iterable[Measured]
) -> GateSummary:
    """Write the report of measured outputs into a folder; numbers alone are held in memory.

    Raises:
        SourceError: no output could be measured.
    """
    notes, totals, worst = _Notes(folder), _Totals(), Worst(limits)
    notes.take(items)
    with (folder / "report.jsonl").open("w", encoding="utf-8") as lines:
        for row in notes.rows():
            failure, measures = row.pop("failure"), row["measures"]
            broken = limits.broken(measures)
            reasons = [failure] if failure else limits.reasons(measures)
            totals.add(measures, [str(limit) for limit in broken], failure)
            worst.add(row["file_name"], measures)
            lines.write(to_line({**row, "ok": not reasons, "reasons": reasons}))
    notes.remove()
    if totals.num_outputs == len(totals.failures):
        first = totals.failures[0] if totals.failures else "there are none"
        raise SourceError(f"no output of {made.root} can be measured: {first}")
    head = {"translated": str(made.root), "limits": asdict(limits), **totals.to_json()}
    (folder / "report.json").write_text(json.dumps(head, indent=2, ensure_ascii=False) + "\n")
    draw_sheets(folder, made, worst)
    return totals.summarise(folder)


class _Notes:
    """Outputs as they were measured, on disk until all are known and can be compared."""

    def __init__(self, folder: Path) -> None:
        self._lines = folder / "measured.jsonl"
        self._thumbnails = folder / "thumbnails"
        self._inputs: array[int] = array("q")  # of each output with thumbnails

    def take(self, items: Iterable[Measured]) -> None:
        """Note outputs, those of an input side by side."""
        last, number = None, -1
        with self._lines.open("w", encoding="utf-8") as lines, self._thumbnails.open("wb") as small:
            for item in items:
                if item.key != last:
                    last, number = item.key, number + 1
                if item.thumbnails:
                    small.writelines(part.tobytes() for part in item.thumbnails)
                    self._inputs.append(number)
                row = {
                    "file_name": item.output.file_name,
                    "key": item.key,
                    "style_index": item.output.style_index,
                    "measures": {n: round(value, _DIGITS) for n, value in item.measures.items()},
                    "failure": item.failure,
                }
                lines.write(to_line(row))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield what was noted, with the number of repeats."""
        repeats = self._count_repeats()
        with self._lines.open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if not row["failure"]:
                    row["measures"]["repeats"] = int(next(repeats))
                yield row

    def _count_repeats(self) -> Iterator[int]:
        if not self._inputs:
            return iter(())
        pairs = np.memmap(self._thumbnails, np.uint8, "r").reshape(-1, 2, LENGTH)
        inputs = np.frombuffer(self._inputs, np.int64)
        return chain.from_iterable(count_repeats(pairs[:, 0], pairs[:, 1], inputs))

    def remove(self) -> None:
        """Delete them."""
        self._lines.unlink()
        self._thumbnails.unlink()


class _Totals:
    """What became of all outputs."""

    def __init__(self) -> None:
        self.num_outputs = self.num_rejected = 0
        self.reasons: Counter[str] = Counter()
        self.failures: list[str] = []
        self._values: dict[str, array[float]] = defaultdict(lambda: array("d"))

    def add(self, measures: Mapping[str, float], broken: list[str], failure: str) -> None:
        """Count an output, with the limits that it breaks, or why it couldn't be measured."""
        self.num_outputs += 1
        self.num_rejected += bool(broken)
        self.reasons.update(broken)
        self.failures += [failure] if failure else []
        for name, value in measures.items():
            self._values[name].append(value)

    def summarise(self, report: Path) -> GateSummary:
        """Return the totals for the user."""
        reasons = dict(self.reasons.most_common())
        failures = tuple(self.failures)
        return GateSummary(report, self.num_outputs, self.num_rejected, reasons, failures)

    def to_json(self) -> dict[str, Any]:
        """Return the totals for report.json, with quantiles of the measures."""
        return {
            "num_outputs": self.num_outputs,
            "num_rejected": self.num_rejected,
            "reasons": dict(self.reasons.most_common()),
            "failures": self.failures,
            "quantiles": {
                name: dict(zip(map(str, _QUANTILES), _quantiles(values), strict=True))
                for name, values in self._values.items()
            },
        }


def _quantiles(values: array[float]) -> list[float]:
    found: list[float] = np.quantile(np.frombuffer(values), _QUANTILES).round(_DIGITS).tolist()
    return found
