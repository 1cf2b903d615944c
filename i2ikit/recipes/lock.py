"""`OUT/recipe.lock`: what was done, by which command line, from what."""

from __future__ import annotations

import difflib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

import i2ikit
from i2ikit.errors import RunError

FORMAT: Literal[1] = 1


class Entry(BaseModel):
    """A step that was done.

    `begun_again`: it was to be done once more, and hasn't come to its end since.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    status: int
    argv: tuple[str, ...]
    inputs: dict[str, str]
    versions: dict[str, str]
    begun_again: bool = False

    def differences(
        self, argv: Sequence[str], inputs: Mapping[str, str], versions: Mapping[str, str]
    ) -> list[str]:
        """Return what is another now, as sentences' parts."""
        found = _changed_words(self.argv, argv)
        for name in sorted({*self.inputs, *inputs}):
            if self.inputs.get(name) != inputs.get(name):
                found.append(f"{name} {_verb(name in self.inputs, name in inputs)}")
        was, now = self.versions.get("i2ikit"), versions["i2ikit"]
        return found if was == now else [*found, f"i2ikit {now} instead of {was}"]


def _verb(was: bool, is_now: bool) -> str:
    return "has changed" if was and is_now else "is new" if is_now else "is no input any more"


def _changed_words(was: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return `--steps 8 instead of 4` for each run of words that differs."""
    found = []
    for kind, i, j, k, m in difflib.SequenceMatcher(a=was, b=now, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        flag = f"{now[k - 1]} " if k and now[k - 1].startswith("-") else ""
        new, old = " ".join(now[k:m]), " ".join(was[i:j])
        found.append(f"{flag}{new or 'nothing'} instead of {old or 'nothing'}")
    return found


class Lock(BaseModel):
    """The steps of a recipe that were done."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = FORMAT
    recipe: str
    steps: dict[str, Entry] = {}


def lock_path(out: Path) -> Path:
    """Return the file of the lock of a recipe's folder."""
    return out / "recipe.lock"


def read_lock(out: Path, recipe: str) -> Lock:
    """Return what was done in a folder; an empty lock if nothing was.

    Raises:
        RunError: the file is no lock, or another recipe's.
    """
    path = lock_path(out)
    if not path.exists():
        return Lock(recipe=recipe)
    try:
        lock = Lock.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        hint = "remove it, and every step is done again"
        raise RunError(f"{path} can't be read as a lock of this version", hint=hint) from None
    if lock.recipe != recipe:
        hint = "give another folder: --var out=FOLDER"
        raise RunError(f"{out} holds what recipe '{lock.recipe}' made", hint=hint)
    return lock


def write_lock(out: Path, lock: Lock) -> None:
    """Write the lock in one go: it is there as it was, or as it is."""
    write_atomically(lock_path(out), json.dumps(lock.model_dump(), indent=2))


def write_atomically(path: Path, text: str) -> None:
    """Write a file under another name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text + "\n", encoding="utf-8")
    scratch.replace(path)


def versions() -> dict[str, str]:
    """Return what a step is done with, without importing it."""
    torch = importlib.metadata.version("torch")
    return {"i2ikit": i2ikit.__version__, "torch": torch, "python": platform.python_version()}
