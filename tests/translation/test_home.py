"""The folder of a run's records, and the lock on it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from i2ikit.translation.home import Home, remove_files


def test_only_one_is_alone_at_a_time(tmp_path: Path) -> None:
    home, order = Home(tmp_path / "out"), []

    def second() -> None:
        with home.alone():
            order.append("second")

    waiting = threading.Thread(target=second)
    with home.alone():
        waiting.start()
        time.sleep(0.1)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_files_go_with_the_folders_that_they_leave_empty(tmp_path: Path) -> None:
    for name in ("a/b/c.png", "a/mine.txt", "x/y.png"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("")
    remove_files(tmp_path / "out", ["a/b/c.png", "x/y.png", "gone.png", "../outside.txt"])
    assert [path.name for path in sorted((tmp_path / "out").rglob("*"))] == ["a", "mine.txt"]
