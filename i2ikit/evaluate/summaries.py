"""Mean and covariance of a set's features: made, and merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ikit.errors import UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.moments import Moments, Statistics
from i2ikit.evaluate.results import versions
from i2ikit.evaluate.sides import Asked, SideLike, check_alike, read_sides, side_of_statistics

#: What a description says of the day that pictures were read, and not of the pictures.
_OF_THE_DAY = ("failed", "from_cache", "cache_problem")


def statistics(
    images: SideLike,
    *,
    features: str = "inception",
    dims: int | None = None,
    weights: str | Path | None = None,
    convention: str = "",
    compute: Compute | None = None,
) -> Statistics:
    """Return mean and covariance of a set's features, with the card that a file of them carries.

    Raises:
        I2IError: what and why, in a sentence.
    """
    found, _ = summarise(
        images,
        features=features,
        dims=dims,
        weights=weights,
        convention=convention,
        compute=compute,
    )
    return found


def summarise(
    images: SideLike,
    *,
    features: str = "inception",
    dims: int | None = None,
    weights: str | Path | None = None,
    convention: str = "",
    compute: Compute | None = None,
) -> tuple[Statistics, list[str]]:
    """Do what `statistics` does, and say why pictures were left out."""
    compute = compute or Compute()
    compute.check()
    asked = Asked(features, dims, convention, weights)
    (side,) = read_sides((images,), asked, compute, by_statistics=True)
    found = side.features.statistics
    card = {**side.made_with, "pictures": _lasting(side.description), "versions": versions()}
    failures = list(side.description.get("failed", ()))
    return Statistics(found.mu, found.sigma, side.features.n, card), failures


def _lasting(description: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in description.items() if name not in _OF_THE_DAY}


def merge_statistics(parts: Sequence[Statistics]) -> Statistics:
    """Return the statistics of all pictures that several are of, as if measured together.

    Raises:
        UsageError: there are none, one doesn't say of how many pictures it is, or they were made
            in different spaces.
    """
    if not parts:
        raise UsageError("there are no statistics to merge")
    moments = Moments(parts[0].dims)
    for place, part in enumerate(parts):
        check_alike(
            side_of_statistics("part 0", parts[0]), side_of_statistics(f"part {place}", part)
        )
        if part.n is None:
            raise UsageError(
                f"part {place} doesn't say of how many pictures it is",
                hint="i2ikit eval stats writes that into its files",
            )
        moments.merge(Moments.of(part, part.n))
    made = {name: value for name, value in parts[0].card.items() if name != "pictures"}
    return moments.statistics(made)
