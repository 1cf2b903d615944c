"""Which steps are done: what each was made from, told by fingerprints.

A step's fingerprint is the SHA-256 of its command line, i2ikit's version, the content of what it
reads, and the fingerprints of the steps that made any of that. So a change anywhere reaches all
that depends on it, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from i2ikit.recipes.digests import Digests, is_there
from i2ikit.recipes.loading import Recipe
from i2ikit.recipes.lock import Lock, lock_path, read_lock, versions
from i2ikit.recipes.steps import Step


@dataclass(frozen=True)
class Seen:
    """A step as it stands.

    Attributes:
        step: which.
        fingerprint: what it would be done as now.
        inputs: hash of each place that it reads, and fingerprint of each step ("step NAME").
        state: whether it was done so, was done otherwise, or has to be done.
        reasons: why it isn't done; of a step that is, what is to be said of it.
    """

    step: Step
    fingerprint: str
    inputs: Mapping[str, str]
    state: Literal["done", "changed", "to do"]
    reasons: tuple[str, ...] = ()

    @property
    def needed_steps(self) -> list[str]:
        """Names of the steps whose outputs it reads."""
        return [name.removeprefix(_STEP) for name in self.inputs if name.startswith(_STEP)]


_STEP = "step "


def inspect(recipe: Recipe) -> list[Seen]:
    """Return how each step stands; writes nothing."""
    lock, digests = read_lock(recipe.out, recipe.name), open_digests(recipe)
    seen: dict[str, Seen] = {}
    for step in recipe.steps:
        seen[step.name] = look_at(step, recipe, seen, lock, digests)
    return list(seen.values())


def open_digests(recipe: Recipe) -> Digests:
    """Return the hashes that a recipe's folder keeps."""
    return Digests(recipe.out / "steps" / ".hashes.json")


def look_at(
    step: Step, recipe: Recipe, earlier: Mapping[str, Seen], lock: Lock, digests: Digests
) -> Seen:
    """Return how a step stands.

    Args:
        step: which.
        recipe: its recipe.
        earlier: the steps before it.
        lock: what was done.
        digests: of contents.
    """
    inputs = _find_inputs(step, recipe, earlier, digests)
    now = versions()
    told = {"argv": step.argv, "inputs": inputs, "i2ikit": now["i2ikit"]}
    fingerprint = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    entry = lock.steps.get(step.name)
    gone = [str(path) for path in _made(step) if not path.exists()]
    if entry is None:
        return Seen(step, fingerprint, inputs, "to do", tuple(_missing(step, earlier)))
    if entry.fingerprint != fingerprint:
        reasons = entry.differences(step.argv, inputs, now)
        return Seen(step, fingerprint, inputs, "changed", tuple(reasons))
    if gone:
        reason = f"{', '.join(gone)} is gone"
        return Seen(step, fingerprint, inputs, "to do", (reason,))
    if entry.begun_again:
        return Seen(step, fingerprint, inputs, "to do", ("begun again, and not come to its end",))
    failed = ("with inputs that failed",) if entry.status else ()
    return Seen(step, fingerprint, inputs, "done", failed)


def _made(step: Step) -> tuple[Path, ...]:
    """Return the places whose absence means that a step must be done: all but what it printed.

    A step that writes nothing else has only that.
    """
    return step.outputs[:-1] or step.outputs


def _find_inputs(
    step: Step, recipe: Recipe, earlier: Mapping[str, Seen], digests: Digests
) -> dict[str, str]:
    """Return hashes of what a step reads, by the recipe's own words for the places."""
    inputs: dict[str, str] = {}
    made = {_resolved(path) for other in recipe.steps for path in other.outputs}
    made |= {_resolved(lock_path(recipe.out)), _resolved(recipe.out / "steps")}
    for place in _local_places(step, earlier):
        path = _resolved(place)
        makers = _makers(path, earlier)
        inputs |= {f"{_STEP}{name}": earlier[name].fingerprint for name in makers}
        inside = any(_contains(output, path) for name in makers for output in _of(earlier[name]))
        content = "" if inside else digests.of(place, made)
        if content:
            inputs[str(place)] = content
    return inputs


def _local_places(step: Step, earlier: Mapping[str, Seen]) -> Iterator[Path]:
    """Yield the paths among what a step is given: those that exist, or that a step will make."""
    for text in step.places:
        pieces = [text] if is_there(text) else text.split("=")
        for piece in pieces:
            for candidate in _candidates(piece):
                if is_there(candidate) or _makers(_resolved(candidate), earlier):
                    yield Path(candidate)
                    break


def _candidates(text: str) -> list[str]:
    """Return what may be a path in `PATH`, `PATH:SUFFIX`, `matched:PATH`."""
    parts = [text, text.rpartition(":")[0], text.partition(":")[2]]
    return [part for part in dict.fromkeys(parts) if part]


def _makers(path: Path, earlier: Mapping[str, Seen]) -> list[str]:
    """Return the steps that write a path, a folder around it, or something in it."""
    return [
        name
        for name, seen in earlier.items()
        if any(_contains(output, path) or _contains(path, output) for output in _of(seen))
    ]


def _of(seen: Seen) -> list[Path]:
    return [_resolved(path) for path in seen.step.outputs]


def _contains(folder: Path, path: Path) -> bool:
    return path == folder or folder in path.parents


def _missing(step: Step, earlier: Mapping[str, Seen]) -> list[str]:
    """Return what a step needs that is not there, and that no step makes."""
    return [
        f"{text} is not there"
        for text in step.needs
        if "://" not in text and "{" not in text  # a URL, a list of tars
        if not any(is_there(c) or _makers(_resolved(c), earlier) for c in _candidates(text))
    ]


def _resolved(path: str | Path) -> Path:
    return Path(path).resolve()
