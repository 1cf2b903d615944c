"""Makes the feature clusters that styles are drawn from (arXiv:1711.11585, section 3.4)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from i2ikit.errors import SourceError
from i2ikit_pix2pixhd.features import FeatureTable, class_of

#: Instances up to 1/64 of their picture are left out of the clusters.
_LEAST_SIZE = 0.5
_RESTARTS = 10
_CANDIDATES = 4
_MOST_ROUNDS = 300


def class_rows(encoded: Iterable[tuple[FeatureTable, Tensor]]) -> dict[int, Tensor]:
    """Return each class's rows, (N, F + 1) double: an instance's mean features, and its size.

    The size is in 32nds of the picture.

    Args:
        encoded: tables of features, and the maps (B, 1, H, W) int64 that they were pooled by. Of
            each nothing is kept but its rows.
    """
    found: dict[int, array[float]] = {}
    length = 0
    for table, maps in encoded:
        length = table["features"].shape[2] + 1
        for pooled, ids in zip(table["features"], maps, strict=True):
            unique, counts = torch.unique(ids, return_counts=True)
            sizes = counts / (ids.numel() // 32)
            rows = torch.cat([pooled[: len(unique)].double(), sizes[:, None].double()], dim=1)
            for label, row in zip(class_of(unique).tolist(), rows.tolist(), strict=True):
                found.setdefault(label, array("d")).extend(row)
    return {
        label: torch.frombuffer(rows, dtype=torch.float64).view(-1, length)
        for label, rows in sorted(found.items())
    }


def cluster_rows(classes: Mapping[int, Tensor], num_clusters: int, seed: int) -> dict[int, Tensor]:
    """Return the centres of each class's large instances, {class: (k, F) float32}.

    K-means: `num_clusters` centres, or as many as there are rows. A class without large instances
    is left out.

    Args:
        classes: rows as `class_rows` returns them.
        num_clusters: the most centres of a class.
        seed: of the starts of k-means.

    Raises:
        SourceError: no instance is large enough.
    """
    rng = torch.Generator().manual_seed(seed)
    clusters = {}
    for label, rows in classes.items():
        large = rows[rows[:, -1] > _LEAST_SIZE, :-1]
        if len(large):
            clusters[label] = k_means(large, min(num_clusters, len(large)), rng).float()
    if not clusters:
        raise SourceError("no instance covers more than 1/64 of its picture: nothing to cluster")
    return clusters


def k_means(rows: Tensor, num_centres: int, rng: torch.Generator) -> Tensor:
    """Return the centres, (num_centres, F), of the best of some starts; `rows` is (N, F).

    In torch, for a dozen lines are less than a dependency, and the same on every machine.
    """
    results = [_settle(rows, _spread(rows, num_centres, rng)) for _ in range(_RESTARTS)]
    return min(results, key=lambda centres: float(_distances(rows, centres).amin(1).sum()))


def _distances(rows: Tensor, centres: Tensor) -> Tensor:
    return (rows[:, None] - centres).square().sum(2)


def _spread(rows: Tensor, num_centres: int, rng: torch.Generator) -> Tensor:
    """Draw rows to start from, by their distance to those already drawn.

    Each is the best of some, as scikit-learn's are (Arthur and Vassilvitskii, k-means++: the
    advantages of careful seeding, 2007, on the greedy variant in its conclusion).
    """
    chosen = rows[torch.randint(len(rows), (1,), generator=rng)]
    while len(chosen) < num_centres:
        nearest = _distances(rows, chosen).amin(1)
        weights = nearest if nearest.any() else torch.ones_like(nearest)  # only equal rows left
        candidates = rows[torch.multinomial(weights, _CANDIDATES, replacement=True, generator=rng)]
        left = torch.minimum(nearest[:, None], _distances(rows, candidates)).sum(0)
        chosen = torch.cat([chosen, candidates[left.argmin(), None]])
    return chosen


def _settle(rows: Tensor, centres: Tensor) -> Tensor:
    """Move each centre to the mean of the rows nearest to it, until none moves (Lloyd 1982)."""
    for _ in range(_MOST_ROUNDS):
        nearest = _distances(rows, centres).argmin(1)
        counts = torch.bincount(nearest, minlength=len(centres))[:, None]
        sums = torch.zeros_like(centres).index_add_(0, nearest, rows)
        moved = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres
