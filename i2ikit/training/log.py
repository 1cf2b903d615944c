"""The log of a training: a line of JSON for each step that is logged."""

from __future__ import annotations

import json
from collections.abc import Mapping

from i2ikit.training.state import Home


def write_log(home: Home, step: int, losses: Mapping[str, float]) -> None:
    """Append a line: the step, and the terms of its losses."""
    with home.log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, **losses}) + "\n")


def trim_log(home: Home, step: int) -> None:
    """Drop the lines of steps that will be done again."""
    if home.log.exists():
        lines = home.log.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if _step_of(line) <= step]
        scratch = home.scratch()
        scratch.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        scratch.replace(home.log)


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):  # the line that a kill cut short
        return float("inf")
