"""A folder that is there whole, or not at all."""

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
    if output.exists():
        raise RunError(f"{output} is there already", hint="name a new folder, or remove it")
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        scratch.chmod(0o755)
        yield scratch
        scratch.rename(output)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
