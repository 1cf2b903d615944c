"""What a run fixes before its first image, and how a later start finds it again.

`OUT/.i2ikit/plan.json` holds the settings; the inputs, cut into shards, lie beside it in a file
named by its own hash.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ikit.data.images import ImageFormat
from i2ikit.data.samples import Part, Source
from i2ikit.devices import Precision
from i2ikit.errors import RunError
from i2ikit.labels.places import LabelFrame
from i2ikit.translation.home import Home

#: Loose files are cut into shards of this many inputs: what a kill can lose at most.
SHARD_INPUTS = 32
FORMAT = 1


@dataclass(frozen=True)
class Settings:
    """Everything that decides a pixel or a name. Two runs with equal settings agree.

    `source` and `fields` are places, absolute where they are local: other pictures of the same
    names are another run.

    `threads` is how many compute one picture on a CPU; later starts take over the first one's.
    """

    model: str
    checkpoint: str  # SHA-256
    direction: str
    options: dict[str, Any]
    styles: dict[str, Any]
    source: str
    fields: dict[str, str]
    size: int | None
    format: ImageFormat
    range: str
    output: str  # "folder" or "shards"
    precision: Precision
    backend: str  # "cpu", "cuda", …
    threads: int
    versions: dict[str, str]
    label_frame: LabelFrame | None = None  # plans from before there was one lack it


@dataclass(frozen=True)
class Shard:
    """What is run in one go: some keys of a part of the source, or a whole tar (keys unknown)."""

    index: int
    part: str
    keys: tuple[str, ...] | None

    @property
    def name(self) -> str:
        return f"{self.index:06d}"


@dataclass(frozen=True)
class Plan:
    """A frozen run."""

    settings: Settings
    num_styles: int
    shards: tuple[Shard, ...]

    @property
    def num_inputs(self) -> int | None:
        """Return the number of inputs, or None where remote tars hide it."""
        counts = [None if shard.keys is None else len(shard.keys) for shard in self.shards]
        return None if None in counts else sum(count or 0 for count in counts)


def make_plan(settings: Settings, num_styles: int, source: Source) -> Plan:
    """Cut a source into shards."""
    return Plan(settings, num_styles, tuple(_cut(source.parts, start=0)))


def _cut(parts: Sequence[Part], start: int) -> Iterator[Shard]:
    index = start
    for part in parts:
        for keys in _pieces(part):
            yield Shard(index, part.name, keys)
            index += 1


def _pieces(part: Part) -> Iterator[tuple[str, ...] | None]:
    if part.keys is None or not part.splittable:
        yield part.keys
        return
    for first in range(0, len(part.keys), SHARD_INPUTS):
        yield part.keys[first : first + SHARD_INPUTS]


def save_plan(plan: Plan, home: Home) -> None:
    """Put a plan in place; only one start at a time may do so."""
    home.folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps([shard.part, shard.keys]) + "\n" for shard in plan.shards)
    inputs = f"inputs-{hashlib.sha256(lines.encode()).hexdigest()[:16]}.jsonl"
    _put(home, home.folder / inputs, lines)
    head = {
        "format": FORMAT,
        "num_styles": plan.num_styles,
        "inputs": inputs,
        "settings": dataclasses.asdict(plan.settings),
    }
    _put(home, home.plan, json.dumps(head, indent=2) + "\n")


def _put(home: Home, path: Path, text: str) -> None:
    temporary = home.scratch_file()
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def load_plan(home: Home) -> Plan | None:
    """Return the plan in `home`, or None if there is none.

    Raises:
        RunError: a plan that this version can't read.
    """
    try:
        head = json.loads(home.plan.read_text(encoding="utf-8"))
        if head["format"] != FORMAT:
            raise RunError(
                f"{home.root} was made by another version of i2ikit", hint="--restart starts over"
            )
        lines = (home.folder / Path(head["inputs"]).name).read_text(encoding="utf-8").splitlines()
        shards = tuple(_read_shard(index, line) for index, line in enumerate(lines))
        return Plan(Settings(**head["settings"]), head["num_styles"], shards)
    except (FileNotFoundError, NotADirectoryError):
        if home.plan.exists():
            raise RunError(
                f"{home.folder} has lost the inputs of its plan", hint="--restart starts over"
            ) from None
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{home.plan} can't be read: {error}", hint="--restart starts over"
        ) from None


def _read_shard(index: int, line: str) -> Shard:
    part, keys = json.loads(line)
    return Shard(index, part, None if keys is None else tuple(keys))


def differences(old: Settings, new: Settings) -> list[str]:
    """Return what differs between two runs' settings, a phrase each; of another model only that."""
    if old.model != new.model:
        return [f"model is {old.model} there and {new.model} here"]
    found = []
    for field in dataclasses.fields(Settings):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if field.name == "threads" or before == after:
            continue
        if isinstance(before, dict):
            found += _dict_differences(field.name, before, after)
        else:
            found.append(f"{field.name} is {_show(before)} there and {_show(after)} here")
    return found


def _dict_differences(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        f"{name}.{key} is {_show(old.get(key))} there and {_show(new.get(key))} here"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def _show(value: Any) -> str:
    """Return a value for a message; hashes by their first digits."""
    is_hash = isinstance(value, str) and len(value) == hashlib.sha256().digest_size * 2
    return f"{value[:12]}…" if is_hash else "unset" if value in (None, "") else str(value)


def new_inputs(plan: Plan, source: Source) -> list[Part]:
    """Return the parts of `source`, or pieces of them, that the plan doesn't have."""
    planned: dict[str, set[str] | None] = {}
    for shard in plan.shards:
        known = planned.setdefault(shard.part, set() if shard.keys is not None else None)
        if known is not None:
            known.update(shard.keys or ())
    fresh = []
    for part in source.parts:
        if part.name not in planned:
            fresh.append(part)
        elif part.splittable and part.keys is not None:
            known = planned[part.name] or set()
            keys = tuple(key for key in part.keys if key not in known)
            fresh += [Part(part.name, keys, splittable=True)] if keys else []
    return fresh


def lost_inputs(plan: Plan, source: Source) -> list[str]:
    """Return planned keys, or whole tars, that the source no longer has."""
    there = {part.name: part.keys and set(part.keys) for part in source.parts}
    lost: list[str] = []
    for shard in plan.shards:
        if shard.part not in there:
            lost += shard.keys or [shard.part]
        elif shard.keys is not None:
            known = there[shard.part] or set()
            lost += [key for key in shard.keys if key not in known]
    return lost


def changed_tars(plan: Plan, source: Source) -> list[str]:
    """Return the tars that no longer hold the samples they were planned with."""
    there = {part.name: part.keys for part in source.parts if not part.splittable}
    return [
        shard.part
        for shard in plan.shards
        if there.get(shard.part) is not None and there[shard.part] != shard.keys
    ]


def extend(plan: Plan, fresh: Sequence[Part]) -> Plan:
    """Return the plan with shards for new inputs added after the old ones."""
    more = tuple(_cut(fresh, start=len(plan.shards)))
    return dataclasses.replace(plan, shards=plan.shards + more)
