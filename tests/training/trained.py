"""What tests ask of `train` again and again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

import i2ikit

Domains = tuple[Path, Path]


def train(domains: Domains, output: Path, model: str = "pairs", **more: Any) -> i2ikit.TrainSummary:
    settings: dict[str, Any] = {
        "size": 16,
        "steps": 20,
        "batch_size": 2,
        "save_every": 5,
        "sample_every": 0,
        "log_every": 1,
        **more,
    }
    return i2ikit.train(model, *domains, output, **settings)


def log(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def weights(output: Path) -> dict[str, Tensor]:
    return load_file(output / "latest" / "shade.safetensors")
