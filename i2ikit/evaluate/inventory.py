"""What weights there are on this machine, for every feature space and LPIPS network."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from i2ikit.errors import CheckpointError, I2IError, UsageError, did_you_mean
from i2ikit.evaluate.perceptual import BACKBONES
from i2ikit.evaluate.space import open_space
from i2ikit.evaluate.weights import Found, download_weights, find_weights
from i2ikit.hookspecs import FeaturesEntry, MetricEntry, WeightsFile
from i2ikit.plugins import Catalogue, discover

#: Commands that use a space and are no metrics on two sets.
_OTHER_USERS = {"inception": ["is"]}


def take_inventory(blocked: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return a row for each: its name, the metrics that need it, its file, and what was found."""
    catalogue = discover(blocked)
    metrics = [entry for entry, _ in catalogue.offered(MetricEntry)]
    rows = []
    for entry, _ in catalogue.offered(FeaturesEntry):
        users = [metric.name for metric in metrics if metric.features == entry.name]
        users += _OTHER_USERS.get(entry.name, ())
        state = _needed(catalogue, entry)
        rows.append(_row(entry.name, entry.summary, users, entry.weights, state))
    for net, file in BACKBONES.items():
        rows.append(_row(f"lpips-{net}", f"The {net} of LPIPS", ["lpips", "pairs"], file, []))
    return rows


def _needed(catalogue: Catalogue, entry: FeaturesEntry) -> list[str]:
    """Return whether what a space imports is there, in words; nothing where it always is."""
    if not entry.module:
        return []
    try:
        is_there = importlib.util.find_spec(entry.module) is not None
    except ImportError:  # of the package above it
        is_there = False
    if not is_there:
        return [f"{entry.module} is not installed: pip install '{entry.extra}'"]
    found = [f"{entry.module} is installed"]
    with suppress(I2IError):  # of a space that needs more: a network's name, a file
        if entry.weights is None:
            space = open_space(catalogue, entry.name)
            checked = "the official file" if space.is_official else "its digest is not known"
            found.append(f"{space.weights}, SHA-256 {space.digest[:16]}…: {checked}")
    return found


def _row(
    name: str, summary: str, metrics: list[str], file: WeightsFile | None, state: list[str]
) -> dict[str, Any]:
    found = None
    if file is not None:
        found, told = _look_for(file)
        state = [*state, told]
    return {
        "name": name,
        "summary": summary,
        "metrics": metrics,
        "file": file.name if file else "",
        "url": file.url if file else "",
        "path": str(found.path) if found else "",
        "sha256": found.sha256 if found else "",
        "is_official": found.is_official if found else None,
        "state": state,
    }


def _look_for(file: WeightsFile) -> tuple[Found | None, str]:
    try:
        found = find_weights(file)
    except CheckpointError as error:
        return None, f"{error.message}; it is at {file.url}" if file.url else error.message
    checked = "the official file" if found.is_official else "its digest is not known"
    return found, f"{found.path}, SHA-256 {found.sha256[:16]}…: {checked}"


def download_named(name: str, blocked: Iterable[str] = ()) -> Found:
    """Fetch the official file of a row, unless it is there.

    Raises:
        UsageError: there is no such row, or no such file.
        CheckpointError: it can't be fetched.
    """
    files = _files(discover(blocked))
    if name not in files:
        raise UsageError(f"'{name}' has no file to download", hint=did_you_mean(name, files))
    return download_weights(files[name])


def _files(catalogue: Catalogue) -> dict[str, WeightsFile]:
    spaces = {e.name: e.weights for e, _ in catalogue.offered(FeaturesEntry) if e.weights}
    return spaces | {f"lpips-{net}": file for net, file in BACKBONES.items()}
