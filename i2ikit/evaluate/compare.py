"""Comparing a real and a generated set: each picture goes through the network once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from i2ikit.errors import UsageError
from i2ikit.evaluate.bootstrap import interval_of
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.features import Features, Measured
from i2ikit.evaluate.kernel import KidOptions, measure_kid
from i2ikit.evaluate.moments import Statistics
from i2ikit.evaluate.results import (
    SMALL,
    Result,
    compare_sides,
    versions,
    warn_of_counts,
    warn_of_weights,
)
from i2ikit.evaluate.sides import Side, SideLike, read_sides
from i2ikit.evaluate.space import open_space
from i2ikit.hookspecs import MetricEntry
from i2ikit.options import NoOptions, Options, make_options
from i2ikit.plugins import Catalogue, discover, resolve


@dataclass(frozen=True)
class Metric:
    """A metric with its options, ready to be measured."""

    entry: MetricEntry
    options: Options

    def __call__(self, real: Features, generated: Features) -> Measured:
        measured = resolve(self.entry.metric)(real, generated, self.options)
        if not isinstance(measured, Measured):
            raise UsageError(f"metric '{self.entry.name}' returned {measured!r}, no Measured")
        return measured


def measure(
    real: SideLike,
    generated: SideLike,
    metrics: Mapping[str, Mapping[str, Any]],
    *,
    features: str | None = None,
    dims: int | None = None,
    weights: str | Path | None = None,
    convention: str = "",
    interval: bool = False,
    compute: Compute | None = None,
) -> dict[str, Result]:
    """Measure several metrics on one extraction of features.

    Args:
        real: a folder, tars, a manifest, statistics (.npz), or pictures as arrays.
        generated: the same; of an output folder of `translate`, the translated pictures.
        metrics: options by the names of the metrics.
        features: the feature space; None: that of the metrics.
        dims: which of its layers.
        weights: a file of weights to use instead of the official one.
        convention: the package whose number is wanted.
        interval: whether to bootstrap an interval.
        compute: devices, batch size, cache and so on.

    Raises:
        I2IError: what and why, in a sentence.
    """
    compute = compute or Compute()
    compute.check()
    catalogue = discover(compute.blocked)
    chosen = choose_metrics(catalogue, metrics)
    name = common_space(chosen, features)
    open_it = partial(
        open_space,
        catalogue,
        name,
        dims=dims,
        weights=weights,
        convention=convention,
        download=compute.download,
    )
    by_statistics = all(metric.entry.by_statistics for metric in chosen) and not interval
    sides = read_sides((real, generated), open_it, compute, by_statistics=by_statistics)
    return compare(chosen, sides[0], sides[1], interval=interval)


def choose_metrics(catalogue: Catalogue, metrics: Mapping[str, Mapping[str, Any]]) -> list[Metric]:
    """Return metrics by their names, their options checked.

    Raises:
        UsageError: no such metric, or options it can't take.
    """
    chosen = []
    for name, given in metrics.items():
        entry = catalogue.find(MetricEntry, name)
        options = resolve(entry.options) if entry.options else NoOptions
        chosen.append(Metric(entry, make_options(options, given)))
    return chosen


def common_space(metrics: Sequence[Metric], features: str | None = None) -> str:
    """Return the feature space in which metrics are measured together: `features`, or their own.

    Raises:
        UsageError: they have different ones, or a metric isn't defined in `features`.
    """
    names = {metric.entry.features for metric in metrics}
    if features is None and len(names) > 1:
        raise UsageError(
            f"the metrics are measured in different spaces: {', '.join(sorted(names))}",
            hint="--features NAME chooses one for all",
        )
    name = features or names.pop()
    for metric in metrics:
        if metric.entry.only and name != metric.entry.features:
            raise UsageError(
                f"{metric.entry.name} is measured in '{metric.entry.features}', not in '{name}'",
                hint="fd is the Fréchet distance in any space",
            )
    return name


def compare(
    metrics: Sequence[Metric], real: Side, generated: Side, *, interval: bool = False
) -> dict[str, Result]:
    """Return the results of metrics on two sides that were read."""
    card = {
        **(real.made_with or generated.made_with),
        "real": real.description,
        "generated": generated.description,
        "versions": versions(),
    }
    warnings = _warnings(real, generated)
    return {
        metric.entry.name: _result(metric, real, generated, card, warnings, interval=interval)
        for metric in metrics
    }


def _result(
    metric: Metric,
    real: Side,
    generated: Side,
    card: Mapping[str, Any],
    warnings: Sequence[str],
    *,
    interval: bool,
) -> Result:
    a, b = real.features, generated.features
    measured = metric(a, b)
    parts, own = dict(measured.parts), list(warnings)
    if metric.entry.by_statistics:
        own = [*warn_of_counts(a.n, b.n), *own]
        if _is_small(a) and _is_small(b):
            parts["kid"] = measure_kid(a, b, KidOptions()).value
    spread = interval_of(lambda x, y: metric(x, y).value, a, b) if interval else None
    return Result(
        metric.entry.name,
        measured.value,
        parts,
        spread,
        {**card, "protocol": measured.card, "warnings": own},
    )


def _is_small(side: Features) -> bool:
    """Tell whether a side is one for which KID is worth seeing, and can be had."""
    return side.known is not None and 2 <= len(side.known) < SMALL


def _warnings(real: Side, generated: Side) -> list[str]:
    found = [
        f"{side.features.location} doesn't say what it was made with: that weights and resize agree"
        " is taken on trust"
        for side in (real, generated)
        if not side.made_with
    ]
    found += compare_sides(real.description, generated.description)
    return found + warn_of_weights([real.made_with, generated.made_with])


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
    compute = compute or Compute()
    compute.check()
    open_it = partial(
        open_space,
        discover(compute.blocked),
        features,
        dims=dims,
        weights=weights,
        convention=convention,
        download=compute.download,
    )
    (side,) = read_sides((images,), open_it, compute, by_statistics=True)
    found = side.features.statistics
    card = {**side.made_with, "pictures": side.description, "versions": versions()}
    return Statistics(found.mu, found.sigma, side.features.n, card)
