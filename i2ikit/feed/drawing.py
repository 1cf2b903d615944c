"""Choices that depend on a seed and a name alone, so that a larger set keeps those of a smaller."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from i2ikit.errors import UsageError
from i2ikit.feed.candidates import ORIGINS, Candidate, Mix, Styles

Name = TypeVar("Name", bound=Hashable)


def draw(seed: int, *names: object) -> float:
    """Return a number in [0, 1), uniform over names, as a function of the arguments alone."""
    text = "\0".join(map(str, (seed, *names))).encode("utf-8", "surrogatepass")
    return (int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 11) / 2**53


def choose_styles(outputs: Sequence[Candidate], styles: Styles, seed: int) -> list[Candidate]:
    """Return all translations, N drawn for each source, or all with the epoch they are used in."""
    if styles == "all":
        return list(outputs)
    places: dict[int, int] = {}
    for group in _by_source(outputs).values():
        ranked = sorted(group, key=lambda one: draw(seed, "style", one.source_key, one.style_index))
        places |= {id(one): place for place, one in enumerate(ranked)}
    if styles == "epoch":
        return [replace(one, epoch=places[id(one)]) for one in outputs]
    return [one for one in outputs if places[id(one)] < styles]


def choose_mix(
    candidates: Sequence[Candidate], mix: Mix, styles: Styles, seed: int
) -> list[Candidate]:
    """Return the most pictures that have the ratios of `mix` in each split, in their order.

    With a style an epoch, the ratios are those of each epoch: translations are drawn by source.

    Raises:
        UsageError: there is nothing of an origin that is to be mixed into a split.
    """
    chosen: set[int] = set()
    for split in dict.fromkeys(one.split for one in candidates):
        of_split = [one for one in candidates if one.split == split]
        chosen |= set(map(id, _mix_split(of_split, mix, styles, seed)))
    return [one for one in candidates if id(one) in chosen]


def _mix_split(
    candidates: Sequence[Candidate], mix: Mix, styles: Styles, seed: int
) -> Iterator[Candidate]:
    units: dict[str, list[list[Candidate]]] = {origin: [] for origin in ORIGINS}
    for origin in ORIGINS:
        of_origin = [one for one in candidates if one.origin == origin]
        is_whole = origin == "translated" and styles == "epoch"
        groups = _by_source(of_origin).values() if is_whole else ([one] for one in of_origin)
        units[origin] = list(groups)
    available = {str(origin): len(units[origin]) for origin in ORIGINS}
    for origin in mix:
        if not available[origin]:
            raise UsageError(
                f"no {origin} pictures are left to mix into the split '{candidates[0].split}'"
            )
    for name, count in _largest(available, mix).items():
        ranked = sorted(units[name], key=lambda unit: _rank(unit[0], styles, seed))
        for unit in ranked[:count]:
            yield from unit


def _by_source(outputs: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for one in outputs:
        groups[one.source_key].append(one)
    return groups


def _rank(one: Candidate, styles: Styles, seed: int) -> float:
    style = None if styles == "epoch" else one.style_index
    return draw(seed, "mix", one.origin, one.source_key, style)


def _largest(available: Mapping[str, int], mix: Mix) -> dict[str, int]:
    """Return how many of each origin make the largest set with the ratios of `mix`."""
    ratios = {origin: Fraction(str(ratio)) for origin, ratio in mix.items()}
    scale = min(available[origin] / ratio for origin, ratio in ratios.items())
    return {origin: int(scale * ratio) for origin, ratio in ratios.items()}
