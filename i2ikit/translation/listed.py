"""Reading the file given with `--styles`: noise vectors, or explicit choices."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2ikit.errors import UsageError
from i2ikit.model import Model
from i2ikit.translation.styles import ListedChoices, ListedNoise


def read_styles(path: Path, model: Model) -> ListedNoise | ListedChoices:
    """Return the styles listed in a file.

    - `.npy` or `.safetensors` (one tensor): (N, *noise_shape), or any shape of as many numbers;
    - `.jsonl`: a line a style, `{"noise": […]}` for every input, or with a `"key"` for that input;
      for a model with explicit choices, lines of key, style_index and the model's choice fields.
      The `styles.jsonl` of a run is such a file.

    Raises:
        UsageError: not such a file, or of another shape than the model's noise.
    """
    if not path.is_file():
        raise UsageError(f"--styles {path} does not exist")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if path.suffix == ".jsonl":
        rows = _read_rows(path)
        if "noise" in rows[0]:
            return ListedNoise(_group_noise(path, rows, model), digest)
        return ListedChoices(_group_choices(path, rows, model), digest)
    return ListedNoise({"": _shape(path, _read_vectors(path), model)}, digest)


def _read_rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}, line {number} is no JSON: {error}") from None
        if row is not None and not isinstance(row, dict):
            raise UsageError(f"{path}, line {number} is no JSON object")
        rows += [row] if row else []
    if not rows:
        raise UsageError(f"{path} lists no styles")
    return rows


def _read_vectors(path: Path) -> Tensor:
    try:
        if path.suffix == ".npy":
            array = np.load(path, allow_pickle=False)
            return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            (only,) = load_file(path).values()
            return only.float()
    except Exception as error:  # damaged files raise whatever their format's parser raises
        raise UsageError(f"--styles {path} can't be read: {error}") from None
    raise UsageError(
        f"--styles {path} is of no known kind", hint="expected .npy, .safetensors or .jsonl"
    )


def _shape(path: Path, vectors: Tensor, model: Model) -> Tensor:
    """Return vectors as (N, *noise_shape)."""
    size = math.prod(model.noise_shape)
    if not model.noise_shape:
        raise UsageError("--styles lists noise, and this model takes none")
    if vectors.ndim == 1:
        vectors = vectors[None]
    if not len(vectors) or vectors[0].numel() != size:
        raise UsageError(
            f"{path} holds styles of {tuple(vectors.shape[1:])} numbers; the model takes {size}"
        )
    return vectors.reshape(-1, *model.noise_shape)


def _group_noise(path: Path, rows: list[dict[str, Any]], model: Model) -> dict[str, Tensor]:
    grouped: dict[str, list[Tensor]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: _style_index(path, row)):
        try:
            grouped[str(row.get("key", ""))].append(torch.tensor(row["noise"]).float().flatten())
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise UsageError(f"{path} has a line without noise: {json.dumps(row)[:60]}") from None
    lengths = sorted({len(vector) for vectors in grouped.values() for vector in vectors})
    if len(lengths) > 1:
        raise UsageError(f"{path} holds styles of different lengths: {lengths}")
    return {key: _shape(path, torch.stack(vectors), model) for key, vectors in grouped.items()}


def _style_index(path: Path, row: dict[str, Any]) -> int:
    """Return which of its key's styles a line is of; lines of one index keep their order."""
    index = row.get("style_index", 0)
    if not isinstance(index, int) or index < 0:
        raise UsageError(f"{path} has a style_index of {index!r}, not a whole number from 0 up")
    return index


def _group_choices(
    path: Path, rows: list[dict[str, Any]], model: Model
) -> dict[str, list[list[dict[str, int]]]]:
    """Return the rows of each style of each key; the styles that are there, in their order."""
    if not model.choice_fields:
        raise UsageError(f"{path} has no 'noise', and this model has no explicit choices")
    grouped: dict[str, dict[int, list[dict[str, int]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        missing = [name for name in ("key", *model.choice_fields) if name not in row]
        if missing:
            raise UsageError(f"{path} has a line without '{missing[0]}': {json.dumps(row)[:60]}")
        if not all(isinstance(row[name], int) for name in model.choice_fields):
            raise UsageError(f"{path} has a line that is not of whole numbers: {json.dumps(row)}")
        choice = {name: row[name] for name in model.choice_fields}
        grouped[str(row["key"])][_style_index(path, row)].append(choice)
    return {key: [styles[i] for i in sorted(styles)] for key, styles in grouped.items()}
