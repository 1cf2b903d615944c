"""What pix2pixHD makes of label and instance maps: planes, edges, and features of instances.

A style is a table: `ids` (B, K) int64 and `features` (B, K, F) float, where a row of id -1 is
padding (no pixel has that id). Ids are those of the instance map, or of the label map with
`label_feat`: the values of the map as they are, so up to 255 from an 8-bit file and up to 65535
from a 16-bit one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ikit.errors import SampleError

FeatureTable: TypeAlias = dict[str, Tensor]

#: Cityscapes ids: below this the id is the class; from here on class · 1000 + number of the object.
IDS_PER_CLASS = 1000


def one_hot(label: Tensor, num_classes: int) -> Tensor:
    """Return (B, num_classes, H, W) float planes of a (B, 1, H, W) int64 label map.

    Raises:
        SampleError: a label outside 0 … num_classes - 1.
    """
    for value in (int(label.min()), int(label.max())):
        if not 0 <= value < num_classes:
            raise SampleError(
                f"the label map holds {value}, but the model knows 0 to {num_classes - 1}"
            )
    planes = label.new_zeros((len(label), num_classes, *label.shape[2:]), dtype=torch.float32)
    return planes.scatter_(1, label, 1.0)


def edge_map(instance: Tensor) -> Tensor:
    """Return 1.0 where an id differs from one of its four neighbours, else 0.0; (B, 1, H, W)."""
    across = instance[..., 1:] != instance[..., :-1]
    down = instance[..., 1:, :] != instance[..., :-1, :]
    edges = F.pad(across, (1, 0)) | F.pad(across, (0, 1))
    edges |= F.pad(down, (0, 0, 1, 0)) | F.pad(down, (0, 0, 0, 1))
    return edges.float()


def class_of(ids: Tensor) -> Tensor:
    """Return the classes of Cityscapes instance ids; labels are their own."""
    return torch.where(ids < IDS_PER_CLASS, ids, ids // IDS_PER_CLASS)


def pool(features: Tensor, ids: Tensor) -> FeatureTable:
    """Average `features` (B, F, H, W) over the pixels of each id in `ids` (B, 1, H, W)."""
    return pad_tables([_pool_one(*pair) for pair in zip(features, ids, strict=True)])


def _pool_one(features: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    unique, rows, counts = torch.unique(ids, return_inverse=True, return_counts=True)
    # Summed in double: neither the number of pixels nor the order of a GPU's sums can show.
    sums = features.new_zeros((len(unique), len(features)), dtype=torch.float64)
    sums.index_add_(0, rows.flatten(), features.flatten(1).T.double())
    return unique, (sums / counts[:, None]).float()


def pad_tables(tables: Sequence[tuple[Tensor, Tensor]]) -> FeatureTable:
    """Return one batch of (ids (K,), features (K, F)) tables, padded to the longest."""
    rows = max(len(ids) for ids, _ in tables)
    return {
        "ids": torch.stack([F.pad(ids, (0, rows - len(ids)), value=-1) for ids, _ in tables]),
        "features": torch.stack([F.pad(f, (0, 0, 0, rows - len(ids))) for ids, f in tables]),
    }


def paint(table: FeatureTable, ids: Tensor) -> Tensor:
    """Return the (B, F, H, W) feature map that gives each pixel of `ids` (B, 1, H, W) its features.

    An id that the table lacks gets the mean over the table's ids of its class, or else zeros.
    """
    images = zip(table["ids"], table["features"], ids, strict=True)
    return torch.stack([_paint_one(*image) for image in images])


def _paint_one(known: Tensor, features: Tensor, ids: Tensor) -> Tensor:
    wanted = ids.flatten()
    painted, found = _look_up(wanted, known, features)
    means, class_found = _look_up(class_of(wanted), *_pool_one(features.T, class_of(known)))
    painted = torch.where(found, painted, torch.where(class_found, means, 0))
    return painted.T.reshape(-1, *ids.shape[1:])


def _look_up(wanted: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the value of each wanted key, (N, F), and whether it was there, (N, 1)."""
    keys, order = keys.sort()
    places = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    return values[order][places], (keys[places] == wanted)[:, None]
