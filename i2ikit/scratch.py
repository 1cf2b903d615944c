"""Folders and files that are there whole, or not at all. Light."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from i2ikit.errors import RunError


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Give a scratch folder, which becomes `output` in the end; an error removes it.

    Raises:
        RunError: `output` is there already.
    """
    with _scratch_beside(output) as folder:
        folder.chmod(0o755)
        yield folder
        folder.rename(output)


@contextmanager
def new_file(output: Path) -> Iterator[Path]:
    """Give a scratch path, whose file becomes `output` in the end; an error removes it.

    Raises:
        RunError: `output` is there already.
    """
    with _scratch_beside(output) as folder:
        yield folder / output.name
        (folder / output.name).rename(output)


@contextmanager
def _scratch_beside(output: Path) -> Iterator[Path]:
    if output.exists():
        raise RunError(f"{output} is there already", hint="name a new one, or remove it")
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        yield folder
    finally:  # nothing is left of it if it was renamed
        shutil.rmtree(folder, ignore_errors=True)
