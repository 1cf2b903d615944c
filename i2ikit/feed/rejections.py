"""What a gate's report rejects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from i2ikit.data.manifests import MANIFEST_SUFFIXES, read_rows
from i2ikit.errors import SourceError

_REPORT = "report.jsonl"


def read_rejections(report: Path, outputs: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the reasons for each output that a report rejects, by its file name.

    Args:
        report: lines {"file_name", "ok", "reasons"}; or the folder that holds `report.jsonl`.
        outputs: the file names of the translation.

    Raises:
        SourceError: there is none, it is of another translation, or has lines without verdict.
    """
    path = report / _REPORT if report.is_dir() else report
    if not path.is_file() or path.suffix.lower() not in MANIFEST_SUFFIXES:
        hint = "name the REPORT of i2ikit feed gate"
        raise SourceError(f"--gate {report} is no report, and no folder of one", hint=hint)
    rejected: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for where, row in read_rows(path):
        name, verdict = row.get("file_name"), row.get("ok")
        if not isinstance(name, str) or not isinstance(verdict, bool):
            raise SourceError(f"{where}: no 'file_name', or no 'ok' that is true or false")
        if name not in outputs:
            raise SourceError(f"{where}: '{name}' is no output of this translation")
        seen.add(name)
        if not verdict:
            rejected[name] = tuple(map(str, row.get("reasons") or ()))
    if missing := set(outputs) - seen:
        raise SourceError(
            f"{path} has no line for {len(missing)} of {len(outputs)} outputs, '{min(missing)}'"
            " first",
            hint="it is the report of another translation, or was cut short",
        )
    return rejected
