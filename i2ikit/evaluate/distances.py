"""The metrics on two sets of pictures, a function each; `measure` takes several in one pass."""

from __future__ import annotations

from pathlib import Path

from i2ikit.evaluate.compare import measure
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.results import Result
from i2ikit.evaluate.sides import SideLike


def fid(
    real: SideLike,
    generated: SideLike,
    *,
    dims: int = 2048,
    weights: str | Path | None = None,
    convention: str = "pytorch-fid",
    interval: bool = False,
    compute: Compute | None = None,
) -> Result:
    """Measure the Fréchet Inception distance; below 10,000 pictures `parts` has KID beside it.

    Args:
        real: a folder, tars, a manifest, statistics (.npz), or pictures as arrays.
        generated: the same; of an output folder of `translate`, the translated pictures.
        dims: Inception's layer: 64, 192, 768 or 2048.
        weights: a file to use instead of the official one.
        convention: "pytorch-fid", "clean-fid" or "torch-fidelity": whose number is wanted.
        interval: whether to add an interval, from halves of both sides.
        compute: devices, batch size, cache and so on.

    Raises:
        I2IError: what and why, in a sentence.
    """
    return measure(
        real,
        generated,
        {"fid": {}},
        dims=dims,
        weights=weights,
        convention=convention,
        interval=interval,
        compute=compute,
    )["fid"]


def fd(
    real: SideLike,
    generated: SideLike,
    *,
    features: str = "efficientnet-lite0",
    dims: int | None = None,
    weights: str | Path | None = None,
    interval: bool = False,
    compute: Compute | None = None,
) -> Result:
    """Measure the Fréchet distance in any feature space; not to be called FID. See `fid`.

    Args:
        real: as for `fid`.
        generated: as for `fid`.
        features: the space, as `i2ikit weights` lists it.
        dims: which of its layers; None: its usual one.
        weights: a file to use instead of the official one.
        interval: whether to add an interval, from halves of both sides.
        compute: devices, batch size, cache and so on.
    """
    return measure(
        real,
        generated,
        {"fd": {}},
        features=features,
        dims=dims,
        weights=weights,
        interval=interval,
        compute=compute,
    )["fd"]


def kid(
    real: SideLike,
    generated: SideLike,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 2020,
    features: str = "inception",
    dims: int | None = None,
    weights: str | Path | None = None,
    convention: str = "",
    interval: bool = False,
    compute: Compute | None = None,
) -> Result:
    """Measure the kernel Inception distance, unbiased at any number of pictures. See `fid`.

    Args:
        real: as for `fid`; statistics won't do.
        generated: as for `fid`; statistics won't do.
        subsets: how many subsets are drawn; 0: all pictures at once, as whenever a side has no
            more than a subset.
        subset_size: pictures of each side in a subset.
        seed: of the subsets.
        features: the feature space.
        dims: which of its layers; None: its usual one.
        weights: a file to use instead of the official one.
        convention: as for `fid`; "": the space's usual.
        interval: whether to add an interval, from halves of both sides.
        compute: devices, batch size, cache and so on.
    """
    return measure(
        real,
        generated,
        {"kid": {"subsets": subsets, "subset_size": subset_size, "seed": seed}},
        features=features,
        dims=dims,
        weights=weights,
        convention=convention,
        interval=interval,
        compute=compute,
    )["kid"]


def precision_recall(
    real: SideLike,
    generated: SideLike,
    *,
    k: int | None = None,
    features: str = "inception",
    dims: int | None = None,
    weights: str | Path | None = None,
    convention: str = "",
    interval: bool = False,
    compute: Compute | None = None,
) -> Result:
    """Measure precision, recall, density and coverage (`parts`); the value is precision. See `kid`.

    `k` is the neighbour that ends a ball; None: 3 for precision and recall, 5 for the other two.
    """
    return measure(
        real,
        generated,
        {"precision-recall": {"k": k}},
        features=features,
        dims=dims,
        weights=weights,
        convention=convention,
        interval=interval,
        compute=compute,
    )["precision-recall"]


def fid_infinity(
    real: SideLike,
    generated: SideLike,
    *,
    points: int = 15,
    seed: int = 0,
    dims: int | None = None,
    weights: str | Path | None = None,
    convention: str = "",
    interval: bool = False,
    compute: Compute | None = None,
) -> Result:
    """Extrapolate the Fréchet distance to infinitely many generated pictures. See `kid`.

    The line is fitted to `points` random parts of growing size, drawn by `seed`.
    """
    return measure(
        real,
        generated,
        {"fid-infinity": {"points": points, "seed": seed}},
        dims=dims,
        weights=weights,
        convention=convention,
        interval=interval,
        compute=compute,
    )["fid-infinity"]
