"""What an evaluation returns: a number, and how it was obtained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import i2ikit
from i2ikit.errors import counted
from i2ikit.evaluate.extract import Tally

_LOSSY = {"JPEG", "WEBP"}
_NOTHING = hashlib.sha256().hexdigest()
#: Below this many pictures a Fréchet distance is mostly bias.
SMALL = 10_000


@dataclass(frozen=True)
class Result:
    """A number with its protocol card.

    Attributes:
        metric: "fid", "kid" …
        value: the number.
        parts: further numbers: "recall", "std" …
        interval: 95 % of how far it would vary with other pictures, where it was asked for.
        card: everything that decides the number: convention, network, digest, resize, counts of
            both sides, file types, pairs, seeds; and `warnings`, a sentence each.
    """

    metric: str
    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def warnings(self) -> Sequence[str]:
        """What should keep a reader from taking the number at its face."""
        return tuple(self.card.get("warnings", ()))

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)


def describe_side(location: str, tally: Tally, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a card says of one side."""
    shorter = [min(size) for size in tally.sizes]
    files = tally.files.hexdigest()
    side: dict[str, Any] = {
        "location": location,
        "n": tally.n,
        "files_sha256": "" if files == _NOTHING else files,
        "failed": list(tally.failures),
        "file_types": dict(tally.formats.most_common()),
        "traits": dict(tally.traits),
        "passed_over": tally.num_passed_over,
        "sizes": len(tally.sizes),
        "shorter_sides": [min(shorter), max(shorter)] if shorter else [],
        "from_cache": tally.num_cached,
    }
    notes = list(notes)
    if tally.num_passed_over:
        notes.append(
            f"{counted(tally.num_passed_over, 'picture')} in the tars of {location} don't count,"
            f" {tally.first_passed_over} first: names that agree up to their first dot are one"
            " sample"
        )
    side["notes"] = notes
    return side | ({"cache_problem": tally.cache_problem} if tally.cache_problem else {})


def versions() -> dict[str, str]:
    """Return the versions that a card names."""
    found = {name: version(name) for name in ("torch", "numpy", "pillow")}
    return {"i2ikit": i2ikit.__version__, **found}


def compare_sides(*sides: Mapping[str, Any]) -> list[str]:
    """Return warnings about the pictures of sides, described as by `describe_side`."""
    found = [note for side in sides for note in side.get("notes", ())]
    types = [side["file_types"] for side in sides if side.get("file_types")]
    formats = {name for side in types for name in side} - {"array"}
    if len(types) > 1 and formats & _LOSSY and len(formats) > 1:
        found.append(
            f"the sides mix file types ({'; '.join(map(_listed, types))}):"
            " their artefacts alone move these numbers"
        )
    spans = [side["shorter_sides"] for side in sides if side.get("shorter_sides")]
    if len({tuple(span) for span in spans}) > 1:
        found.append(
            f"sizes differ: shorter sides of {' and '.join(map(_show_span, spans))} px:"
            " resizing alone moves these numbers"
        )
    found += _warn_of_traits(sides)
    problems = [side["cache_problem"] for side in sides if side.get("cache_problem")]
    return found + [f"the feature cache can't be used: {problem}" for problem in problems[:1]]


def _warn_of_traits(sides: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for told, names in (
        ("left out of account, as other packages do", ("EXIF rotation", "colour profile")),
        (
            "laid over white and scaled, where other packages drop and clip",
            ("transparency", "more than 8 bits"),
        ),
        ("only the first frame counts", ("further frames",)),
    ):
        counts = {n: sum(side.get("traits", {}).get(n, 0) for side in sides) for n in names}
        if listed := [f"{count} × {name}" for name, count in counts.items() if count]:
            yield f"files with {', '.join(listed)}: {told}"


def _listed(formats: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(formats.items()))


def _show_span(ends: Sequence[int]) -> str:
    """Return the least and the greatest for people: `48…160`, or one number."""
    return "…".join(map(str, dict.fromkeys(ends)))


def warn_of_weights(cards: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return warnings about weights that are not the published ones."""
    return [
        f"{name} is not the official file: its numbers compare with no published ones"
        for name in sorted({c["weights"] for c in cards if c.get("weights_official") is False})
    ]


def warn_of_counts(real: int | None, generated: int | None) -> list[str]:
    """Return warnings about how many pictures a Fréchet distance was taken of."""
    found = []
    if real is None or generated is None:
        found.append("a statistics file doesn't say how many pictures it is of")
    if any(n is not None and n < SMALL for n in (real, generated)):
        found.append(
            f"N is small ({_n(real)} real, {_n(generated)} generated): a Fréchet distance is biased"
            " upward by about 1/N, KID is not; compare at equal N only"
        )
    return found


def _n(n: int | None) -> str:
    return "unknown" if n is None else str(n)
