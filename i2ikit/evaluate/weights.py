"""Where the weights of feature networks are: named, in `$I2IKIT_WEIGHTS`, or in torch hub's cache.

A file that is found by its official name must be the official one: its SHA-256 is compared with
the digits that its name or its publisher states. One named explicitly may be any.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from i2ikit.checkpoints import hash_file
from i2ikit.errors import CheckpointError
from i2ikit.hookspecs import WeightsFile

#: Folders to look in, separated as those of PATH.
VARIABLE = "I2IKIT_WEIGHTS"


@dataclass(frozen=True)
class Found:
    """A file of weights.

    Attributes:
        path: where it is.
        sha256: its digest.
        is_official: whether the digest is the official file's; None where that is unknown.
    """

    path: Path
    sha256: str
    is_official: bool | None


def weights_folders() -> list[Path]:
    """Return the folders in which weights are looked for, in order."""
    named = os.environ.get(VARIABLE, "")
    return [*(Path(place) for place in named.split(os.pathsep) if place), hub_folder()]


def hub_folder() -> Path:
    """Return where torch hub keeps what it has downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def find_weights(
    file: WeightsFile, given: str | Path | None = None, flag: str = "--weights"
) -> Found:
    """Return the file to use.

    Args:
        file: what the official one is called, and its digest.
        given: a file to use instead, whatever it is.
        flag: the option that names such a file, for messages.

    Raises:
        CheckpointError: it is nowhere, or what goes by its name is another file.
    """
    if given is not None:
        return _look_at(Path(given), file, flag)
    for folder in weights_folders():
        if (folder / file.name).is_file():
            found = _look_at(folder / file.name, file, flag)
            if found.is_official is False:
                raise CheckpointError(
                    f"{found.path} is not the official file: its SHA-256 begins with "
                    f"{found.sha256[: len(file.sha256)]}, not {file.sha256}",
                    hint=f"it may be cut short: remove it, or name it with {flag} to use it",
                )
            return found
    raise CheckpointError(f"{file.name} is not on this machine", hint=_hint(file, flag))


def _look_at(path: Path, file: WeightsFile, flag: str) -> Found:
    if not path.is_file():
        raise CheckpointError(f"weights {path} do not exist", hint=f"{flag} takes a file")
    digest = hash_file(path)
    return Found(path, digest, digest.startswith(file.sha256) if file.sha256 else None)


def _hint(file: WeightsFile, flag: str) -> str:
    places = " or ".join(str(folder) for folder in weights_folders())
    where = f"put it into {places}, or name it with {flag}"
    if file.url:
        return f"--download fetches it; without a network get {file.url} elsewhere and {where}"
    return where


def download_weights(file: WeightsFile) -> Found:
    """Return the file, fetched into torch hub's folder unless it is on this machine.

    Raises:
        CheckpointError: it can't be fetched, or what arrives is another file.
    """
    if any((folder / file.name).is_file() for folder in weights_folders()):
        return find_weights(file)
    if not file.url:
        raise CheckpointError(f"{file.name} can't be downloaded", hint=_hint(file, "--weights"))
    target = hub_folder() / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(
            file.url, str(target), hash_prefix=file.sha256 or None, progress=False
        )
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{file.url} can't be downloaded: {error}", hint=f"put the file into {target.parent}"
        ) from None
    return find_weights(file)


def missing_extra(package: str, extra: str) -> CheckpointError:
    """Return the error for a feature space whose package is not installed."""
    return CheckpointError(f"{package} is not installed", hint=f"pip install '{extra}'")


def describe_places() -> Sequence[str]:
    """Return the folders as a person would name them."""
    named = os.environ.get(VARIABLE, "")
    return [f"${VARIABLE}" + (f" ({named})" if named else " (not set)"), str(hub_folder())]
