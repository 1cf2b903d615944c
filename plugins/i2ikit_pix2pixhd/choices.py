"""Which feature cluster each instance of an image takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from i2ikit.errors import SampleError
from i2ikit_pix2pixhd.features import class_of


@dataclass(frozen=True)
class Instance:
    """An instance of one image: its id, its class, and how many clusters that class has."""

    id: int
    label: int
    num_clusters: int


def instances_of(ids: Tensor, num_clusters: Sequence[int]) -> dict[int, Instance]:
    """Return the instances of one id map, by id in ascending order.

    Args:
        ids: int64, any shape; of the instance map, or the label map with `label_feat`.
        num_clusters: clusters of each class, from class 0.
    """
    unique = torch.unique(ids)
    labels = class_of(unique).tolist()
    return {
        id_: Instance(id_, label, num_clusters[label] if label < len(num_clusters) else 0)
        for id_, label in zip(unique.tolist(), labels, strict=True)
    }


def draw(levels: Sequence[float], instances: Mapping[int, Instance]) -> list[dict[str, int]]:
    """Return a choice for each instance that has clusters, from numbers in [0, 1].

    The j-th instance takes `levels[j]`, going round; it cuts the clusters into equal parts.
    """
    return [
        {"instance": one.id, "cluster": _part(levels[j % len(levels)], one.num_clusters)}
        for j, one in enumerate(instances.values())
        if one.num_clusters
    ]


def _part(level: float, parts: int) -> int:
    return min(int(level * parts), parts - 1)


def check(
    rows: Sequence[Mapping[str, int]], instances: Mapping[int, Instance]
) -> list[tuple[Instance, int]]:
    """Return each instance that has clusters with the one chosen for it.

    Raises:
        SampleError: an instance or cluster that isn't there, named twice, or left out.
    """
    chosen: dict[int, int] = {}
    for row in rows:
        one = _instance(row["instance"], instances)
        if one.id in chosen:
            raise SampleError(f"instance {one.id} is given two clusters")
        if not 0 <= row["cluster"] < one.num_clusters:
            raise SampleError(
                f"instance {one.id} can't take cluster {row['cluster']}", hint=_range_of(one)
            )
        chosen[one.id] = row["cluster"]
    for one in instances.values():
        if one.num_clusters and one.id not in chosen:
            raise SampleError(f"instance {one.id} is given no cluster", hint=_range_of(one))
    return [(instances[id_], cluster) for id_, cluster in chosen.items()]


def _instance(id_: int, instances: Mapping[int, Instance]) -> Instance:
    if id_ not in instances:
        first = ", ".join(str(known) for known in list(instances)[:8])
        more = f", … {max(instances)}" if len(instances) > 8 else ""
        raise SampleError(f"there is no instance {id_} in the image", hint=f"it has {first}{more}")
    return instances[id_]


def _range_of(one: Instance) -> str:
    if not one.num_clusters:
        return f"class {one.label} has no clusters; leave the instance out"
    return f"class {one.label} has clusters 0 to {one.num_clusters - 1}"
