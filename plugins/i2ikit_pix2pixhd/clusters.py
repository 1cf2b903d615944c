"""The feature clusters of `encode_features.py`, read without running any of a pickle's code.

`features_clustered_*.npy` is a NumPy file around a pickled dict {class: (k, F) float array}. NumPy
would unpickle it with everything that a pickle may do, and even its own classes trust what they
are given. Here the pickle's few names stand for plain records, and arrays are made from those.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2ikit.checkpoints import read_state_dict
from i2ikit.errors import CheckpointError
from i2ikit_pix2pixhd.features import IDS_PER_CLASS

#: What files of clusters beside the weights are called, with their number in place of the star.
FILES = "features_clustered_*"


def read_clusters(path: Path) -> dict[int, Tensor]:
    """Return the centres of each class that has any, {class: (k, F) float32}.

    A `.safetensors` file holds the same as plain data: one tensor a class, named by its number.

    Raises:
        CheckpointError: damaged, something else, or a pickle that asks for anything but arrays.
    """
    if path.suffix == ".safetensors":
        named = read_state_dict(path)
        return _checked({int(n) if n.isdecimal() else n: v for n, v in named.items()}, path)
    try:
        loaded = _unpickle(path)
        return _checked({key: _tensor(value) for key, value in loaded.items()}, path)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged pickle raises whatever its bytes lead to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} can't be read as feature clusters: {reason}") from None


def pack_clusters(clusters: Mapping[int, Tensor]) -> tuple[Tensor, tuple[int, ...]]:
    """Return the centres as one (classes, most centres, F) tensor, and each class's number."""
    counts = tuple(len(clusters.get(label, ())) for label in range(max(clusters) + 1))
    num_features = next(iter(clusters.values())).shape[1]
    packed = torch.zeros(len(counts), max(counts), num_features)
    for label, centres in clusters.items():
        packed[label, : len(centres)] = centres
    return packed, counts


class _DType:
    """Stands for `numpy.dtype`."""

    def __init__(self, name: str, *_: object) -> None:
        self.name, self.byte_order = name, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.byte_order = state[1]


class _Array:
    """Stands for `numpy.ndarray`; holds the state that a pickle would hand to it."""

    def __init__(self, *_: object) -> None:
        self.shape: tuple[int, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.shape, self.dtype, self.is_fortran, self.data = state


_STAND_INS: dict[tuple[str, str], type[_Array | _DType]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
}


class _Unpickler(pickle.Unpickler):
    """Knows four names; anything else that a pickle asks for is refused."""

    def __init__(self, file: io.BufferedIOBase, path: Path) -> None:
        super().__init__(file, encoding="latin1")  # how Python 2 wrote the bytes of arrays
        self.path = path

    def find_class(self, module: str, name: str) -> type[_Array | _DType]:
        if (module, name) not in _STAND_INS:
            raise CheckpointError(
                f"{self.path} was refused: it asks for {module}.{name}, not only arrays",
                hint="make it again with encode_features.py, or convert it to .safetensors",
            )
        return _STAND_INS[module, name]


def _unpickle(path: Path) -> Mapping[object, object]:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"NumPy file version {version}, expected (1, 0)")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if shape != () or dtype.kind != "O":
            raise ValueError(f"an array of {dtype} {shape}, not a dict of centres")
        array = _Unpickler(file, path).load()
    (loaded,) = array.data
    if not isinstance(loaded, dict):
        raise TypeError(f"a {type(loaded).__name__}, not a dict of centres")
    return loaded


def _tensor(array: object) -> Tensor:
    if not isinstance(array, _Array) or array.dtype.name not in ("f4", "f8"):
        raise TypeError("it holds something else than float arrays")
    data = array.data.encode("latin1") if isinstance(array.data, str) else array.data
    dtype = np.dtype(array.dtype.byte_order + array.dtype.name)
    values = np.frombuffer(data, dtype).astype(np.float32)
    if array.is_fortran:
        return torch.from_numpy(values.reshape(array.shape[::-1]).T.copy())
    return torch.from_numpy(values.reshape(array.shape))


def _checked(clusters: Mapping[Any, Tensor], path: Path) -> dict[int, Tensor]:
    odd = [key for key in clusters if type(key) is not int or not 0 <= key < IDS_PER_CLASS]
    if odd:
        raise CheckpointError(f"{path} names a class {odd[0]!r}, not 0 to {IDS_PER_CLASS - 1}")
    lengths = {tuple(centres.shape[1:]) for centres in clusters.values()}
    if len(lengths) != 1 or any(centres.dim() != 2 for centres in clusters.values()):
        raise CheckpointError(f"{path} holds no centres of one length, but {sorted(lengths)}")
    if not any(len(centres) for centres in clusters.values()):
        raise CheckpointError(f"{path} holds no centres at all")
    return {label: centres.float() for label, centres in clusters.items() if len(centres)}
