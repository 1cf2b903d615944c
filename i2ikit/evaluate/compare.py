"""Comparing a real and a generated set: each picture goes through the network once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from i2ikit.errors import ModelError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.features import Features, Measured
from i2ikit.evaluate.kernel import KidOptions, measure_kid
from i2ikit.evaluate.resampling import HALVES, interval_of
from i2ikit.evaluate.results import (
    SMALL,
    Result,
    compare_sides,
    versions,
    warn_of_counts,
    warn_of_weights,
)
from i2ikit.evaluate.sides import Asked, Side, SideLike, read_sides
from i2ikit.hookspecs import FeaturesEntry, MetricEntry
from i2ikit.options import NoOptions, Options, make_options
from i2ikit.plugins import Catalogue, blaming, discover, resolve


@dataclass(frozen=True)
class Metric:
    """A metric with its options, ready to be measured."""

    entry: MetricEntry
    options: Options

    def __call__(self, real: Features, generated: Features) -> Measured:
        name = self.entry.name
        function = resolve(self.entry.metric)
        with blaming(f"metric '{name}'"):
            measured = function(real, generated, self.options)
        if not isinstance(measured, Measured):
            raise ModelError(f"metric '{name}' returned {measured!r}, no Measured")
        value, parts = float(measured.value), {n: float(v) for n, v in measured.parts.items()}
        if not all(map(isfinite, (value, *parts.values()))):
            raise ModelError(f"metric '{name}' is {value} with parts {parts}: not all are numbers")
        return replace(measured, value=value, parts=parts)

    def interval(self, value: float, real: Features, generated: Features) -> tuple[float, float]:
        """Return an interval around the value, within what the metric can be."""
        spread = interval_of(lambda x, y: self(x, y).value, value, real, generated)
        least, greatest = self.entry.bounds
        low, high = (min(max(end, least), greatest) for end in spread)
        return low, high


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
        interval: whether to add an interval, from halves of both sides.
        compute: devices, batch size, cache and so on.

    Raises:
        I2IError: what and why, in a sentence.
    """
    compute = compute or Compute()
    compute.check()
    catalogue = discover(compute.blocked)
    if features is not None:
        catalogue.find(FeaturesEntry, features.partition(":")[0])
    chosen = choose_metrics(catalogue, metrics)
    name = common_space(chosen, features)
    by_statistics = all(metric.entry.by_statistics for metric in chosen) and not interval
    asked = Asked(name, dims, convention, weights)
    sides = read_sides((real, generated), asked, compute, by_statistics=by_statistics)
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
    if not metrics:
        raise UsageError("no metric is named", hint="fid, kid, precision-recall …")
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
    common = _warnings(real, generated)
    a, b = real.features, generated.features
    measured = {metric.entry.name: metric(a, b) for metric in metrics}
    beside = _kid_beside(metrics, measured, a, b)
    results = {}
    for metric in metrics:
        name = metric.entry.name
        found, is_biased = measured[name], metric.entry.is_biased
        protocol = {**found.card, **({"interval": HALVES} if interval else {})}
        warnings = [*(warn_of_counts(a.n, b.n) if is_biased else ()), *common]
        results[name] = Result(
            name,
            found.value,
            {**found.parts, **(beside if is_biased else {})},
            metric.interval(found.value, a, b) if interval else None,
            {**card, "protocol": protocol, "warnings": warnings},
        )
    return results


def _kid_beside(
    metrics: Sequence[Metric], measured: Mapping[str, Measured], a: Features, b: Features
) -> dict[str, float]:
    """Return KID where a biased metric is taken of few pictures, and nobody asked for it."""
    counts = [len(side.known) for side in (a, b) if side.known is not None]
    is_wanted = any(metric.entry.is_biased for metric in metrics)
    if not is_wanted or "kid" in measured or len(counts) < 2 or not 2 <= min(counts) < SMALL:
        return {}
    return {"kid": measure_kid(a, b, KidOptions()).value}


def _warnings(real: Side, generated: Side) -> list[str]:
    found = [
        f"{side.features.location} doesn't say what it was made with: that weights and resize agree"
        " is taken on trust"
        for side in (real, generated)
        if not side.made_with
    ]
    found += compare_sides(real.description, generated.description)
    return found + warn_of_weights([real.made_with, generated.made_with])
