"""How far a piece of work is, for whoever watches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a piece of work on many inputs is.

    Attributes:
        done: inputs done, those of earlier starts included.
        total: inputs to do; None where that isn't known.
        failed: those of `done` that failed.
        resumed: those of `done` that were done before: by earlier starts, or found in a cache.
    """

    done: int
    total: int | None
    failed: int
    resumed: int
