"""The program, run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from i2ikit.cli import main

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(fakes: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return a function that runs the program and gives (exit status, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["i2ikit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        printed = capsys.readouterr()
        return code if isinstance(code, int) else 0, printed.out, printed.err

    return run
