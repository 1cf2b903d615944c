"""The log of a training: lines of JSON, and the same for TensorBoard if that is wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from i2ikit.model import Direction
from i2ikit.training.board import Board
from i2ikit.training.state import Home, writing


class Log:
    """Takes down what a training has to say of its steps."""

    def __init__(self, home: Home, board: Board | None = None) -> None:
        """Append to the log of `home`, and write to the board."""
        self._home, self._board = home, board

    def losses(self, step: int, losses: Mapping[str, float], rates: Mapping[str, float]) -> None:
        """Write the terms of the losses; to the board also the learning rates, by optimizer."""
        with writing(self._home):
            self._append(step, losses)
            if self._board:
                self._board.losses(step, losses, rates)

    def validation(self, step: int, metric: str, value: float) -> None:
        """Write what a validation found."""
        with writing(self._home):
            self._append(step, {f"valid_{metric}": value})
            if self._board:
                self._board.validation(step, metric, value)

    def sheets(self, step: int, sheets: Mapping[Direction, Path]) -> None:
        """Write the sheets of samples, by direction, to the board alone."""
        if self._board:
            with writing(self._home):
                for direction, path in sheets.items():
                    self._board.sheet(step, direction, path)

    def _append(self, step: int, values: Mapping[str, float]) -> None:
        with self._home.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")


def trim_log(home: Home, step: int) -> None:
    """Drop the lines of steps that will be done again."""
    with writing(home):
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
