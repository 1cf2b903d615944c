"""Noise that depends on nothing but what it is for."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor


def draw_noise(seed: int, scope: str, style_index: int, shape: tuple[int, ...]) -> Tensor:
    """Return standard normal noise, float32 on the CPU, as a function of the arguments alone.

    So neither order, batch size, sharding nor the number of styles asked for can change a draw.

    Args:
        seed: the run's seed.
        scope: what shares the noise: a sample's key, a folder, or the whole run.
        style_index: which of the scope's styles.
        shape: of the noise, without a batch dimension.
    """
    draws = keyed_generator(seed, style_index, scope)
    return torch.from_numpy(draws.standard_normal(shape, dtype=np.float32))


def keyed_generator(seed: int, number: int, scope: str) -> np.random.Generator:
    """Return a counter-based generator (Philox), keyed with the hash of the arguments."""
    name = f"{seed}\0{number}\0{scope}".encode("utf-8", "surrogatepass")
    key = int.from_bytes(hashlib.sha256(name).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=key))
