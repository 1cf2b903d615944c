"""Everything that i2ikit raises on purpose.

    I2IError                 exit 1
    ├── UsageError           exit 2: the command line, or a call's arguments
    ├── PluginError          a plugin that can't be used, or two that clash
    ├── CheckpointError      a file that is not the checkpoint it should be
    ├── OptionError          exit 2: an option unknown, out of bounds, or against the weights
    ├── SourceError          an input set that can't be listed, or whose names clash
    ├── RunError             an output folder that can't be used, or holds another run
    ├── ModelError           a model that breaks its contract
    └── SampleError          one input that can't be translated; a run counts and goes on

Each carries what happened, with the values, and a hint of what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class I2IError(Exception):
    """An error meant for the user's eyes: one sentence, and a hint where there is one."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(I2IError):
    """What was asked for makes no sense as asked."""

    exit_code = 2


class OptionError(UsageError):
    """A model option that is unknown, out of bounds, or contradicts the weights."""


class PluginError(I2IError):
    """A plugin that is broken, missing, or clashes with another."""


class CheckpointError(I2IError):
    """A file that can't be read as the checkpoint it should be."""


class SourceError(I2IError):
    """An input set that can't be listed as asked."""


class RunError(I2IError):
    """An output place that can't take this run."""


class ModelError(I2IError):
    """A model that doesn't keep the contract."""


class SampleError(I2IError):
    """One input that can't be read or translated; the run records it."""


def counted(number: int, noun: str) -> str:
    """Return `1 input`, `2 inputs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """Return a hint naming the closest of `names`, or all of them."""
    names = sorted(names)
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"there are: {', '.join(names)}" if names else "there are none"
