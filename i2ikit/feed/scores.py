"""Accuracy, mean IoU, and how much of the gap between two domains is closed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from i2ikit.feed.probe import Confusion
from i2ikit.labels.finding import Kind

METRICS: dict[Kind, str] = {"class": "accuracy", "mask": "miou"}


@dataclass(frozen=True)
class Scores:
    """How well one training set served, over the seeds; all in [0, 1].

    Attributes:
        each: each seed's accuracy or mean IoU.
        classes: the accuracy or IoU of each class that the test has, the mean over seeds.
    """

    each: Sequence[float]
    classes: Mapping[int, float]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.each)

    @property
    def std(self) -> float | None:
        """The standard deviation over seeds, of n - 1; None of one."""
        return statistics.stdev(self.each) if len(self.each) > 1 else None


def score(kind: Kind, confusions: Sequence[Confusion]) -> Scores:
    """Return the scores of confusion matrices, one a seed.

    Classes: the share of pictures that were recognised. Masks: the mean of the IoUs of the classes
    that the test has; one that is only predicted lowers those that it is taken for.
    """
    if kind == "class":
        each = [float(one.diagonal().sum() / one.sum()) for one in confusions]
    else:
        each = [statistics.fmean(_by_class(kind, one).values()) for one in confusions]
    by_class = [_by_class(kind, one) for one in confusions]
    means = {place: statistics.fmean(one[place] for one in by_class) for place in by_class[0]}
    return Scores(each, means)


def _by_class(kind: Kind, confusion: Confusion) -> dict[int, float]:
    """Return the accuracy or IoU of each class that the test has."""
    hits, labelled = confusion.diagonal(), confusion.sum(axis=1)
    of = labelled if kind == "class" else labelled + confusion.sum(axis=0) - hits
    return {int(place): float(hits[place] / of[place]) for place in np.flatnonzero(labelled)}


def gap_closed(source: float, adapted: float, oracle: float) -> float | None:
    """Return (adapted - source) / (oracle - source); None where the oracle is no better.

    1: as good as training on the labelled target; below 0: worse than not adapting at all.
    """
    return (adapted - source) / (oracle - source) if oracle > source else None
