"""Processes of their own, for what can only be measured so."""

from __future__ import annotations

import os
import sys


def peak_megabytes(arguments: list[str]) -> float:
    """Return the peak resident memory of a Python process with these arguments."""
    command = [sys.executable, *arguments]
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{command} failed with status {status}")
    return usage.ru_maxrss / 1000
