"""What every command gets from the options before its name."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import typer

from i2ikit.errors import UsageError

#: Exit status of a piece of work that is complete but for inputs that failed.
WITH_FAILURES = 3
#: Exit status after Ctrl-C, as shells have it.
INTERRUPTED = 130


@dataclass(frozen=True)
class Shared:
    """The program's own options.

    Attributes:
        blocked: plugins that must not be imported.
    """

    blocked: tuple[str, ...] = ()


def blocked_plugins(context: typer.Context) -> tuple[str, ...]:
    """Return the plugins named with `-p no:NAME`."""
    shared = context.find_object(Shared)
    return shared.blocked if shared else ()


def complete_model(incomplete: str) -> list[str]:
    """Return the names of models that begin so, for the shell's completion."""
    from i2ikit.hookspecs import ModelEntry
    from i2ikit.plugins import discover

    names = (entry.name for entry, _ in discover().offered(ModelEntry))
    return [name for name in names if name.startswith(incomplete)]


def parse_named(texts: Iterable[str], flag: str, form: str) -> dict[str, str]:
    """Return what a flag that is given as NAME=VALUE, again and again, says by the names.

    Raises:
        UsageError: one has another form, or a name comes twice.
    """
    named: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{flag} {text} is not understood", hint=f"write {form}")
        if name in named:
            raise UsageError(f"{flag} {name} is given twice")
        named[name] = value
    return named


def import_from_here() -> None:
    """Let MODULE:FUNCTION be a file of the folder that the user is in."""
    if "" not in sys.path:
        sys.path.insert(0, "")


def print_json(data: Any) -> None:
    """Print a result for machines."""
    typer.echo(json.dumps(data, indent=2, default=str, ensure_ascii=False))


def format_bytes(count: float) -> str:
    """Return a number of bytes for people: `3.2 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
