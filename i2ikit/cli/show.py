"""The progress of a piece of work, on stderr."""

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


def progress_bar(console: Console) -> Bar:
    """Return a context manager that shows bars on a terminal, and nothing elsewhere."""
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
        console=console,
        disable=not console.is_terminal,
    )


class ProgressView:
    """Shows one piece of work: as a bar on a terminal, now and then as a line in a log."""

    def __init__(self, bar: Bar, doing: str, noun: str) -> None:
        """Show nothing before the first report, from which time is counted."""
        self._bar, self._doing, self._noun = bar, doing, noun
        self._start = self._last_line = 0.0
        self._first: int | None = None
        self._task: TaskID | None = None

    def report(self, progress: Progress, note: str = "") -> None:
        """Take in how far the work is, and what else is to be said."""
        now, fresh = time.monotonic(), progress.done - progress.resumed
        if self._first is None:
            self._first, self._start, self._last_line = fresh, now, now
        rate = (fresh - self._first) / max(now - self._start, 1e-9)
        shown = f"{rate:.1f} {self._noun}/s"
        failed = f"{progress.failed} failed" if progress.failed else note
        if self._bar.console.is_terminal:
            self._move_bar(progress, shown, failed)
        elif now - self._last_line > _LOG_INTERVAL:
            self._last_line = now
            line = ", ".join(filter(None, (self._position(progress), shown, failed)))
            self._bar.console.print(line)

    def _move_bar(self, progress: Progress, rate: str, failed: str) -> None:
        if self._task is None:
            self._task = self._bar.add_task(self._doing, total=progress.total, rate="", failed="")
        self._bar.update(self._task, completed=progress.done, rate=rate, failed=failed)

    def _position(self, progress: Progress) -> str:
        total = "?" if progress.total is None else str(progress.total)
        return f"{progress.done}/{total} {self._noun}"
