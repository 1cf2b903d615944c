"""The progress of a run, on stderr."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from i2ikit.progress import Progress

#: A log file gets a line every so many seconds instead of a bar.
_LOG_INTERVAL = 30.0


def err() -> Console:
    """Return the console that progress and remarks go to."""
    return Console(stderr=True, highlight=False)


class ProgressView:
    """Shows a run's progress on stderr: a bar on a terminal, now and then a line in a log.

    Attributes:
        bar: a context manager; within it the bar is shown.
    """

    def __init__(self, console: Console) -> None:
        """Show nothing before the first report."""
        self._console = console
        self._start = self._last_line = time.monotonic()
        self.bar = Bar(
            TextColumn("translating"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def report(self, progress: Progress) -> None:
        """Take in how far the run is."""
        rate = (progress.done - progress.resumed) / max(time.monotonic() - self._start, 1e-9)
        shown = f"{rate:.1f} inputs/s"
        failed = f"{progress.failed} failed" if progress.failed else ""
        if self._console.is_terminal:
            self._move_bar(progress, shown, failed)
        elif time.monotonic() - self._last_line > _LOG_INTERVAL:
            self._last_line = time.monotonic()
            self._console.print(", ".join(filter(None, (_position(progress), shown, failed))))

    def _move_bar(self, progress: Progress, rate: str, failed: str) -> None:
        if self._task is None:
            self._task = self.bar.add_task("", total=progress.total, rate="", failed="")
        self.bar.update(self._task, completed=progress.done, rate=rate, failed=failed)


def _position(progress: Progress) -> str:
    total = "?" if progress.total is None else str(progress.total)
    return f"{progress.done}/{total} inputs"
