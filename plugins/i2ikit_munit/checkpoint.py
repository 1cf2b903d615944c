"""From the original program's file to the weights of one direction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from i2ikit.errors import CheckpointError
from i2ikit.model import Checkpoint, Direction
from i2ikit.two_domain import infer_options, read_generators, shape_of


def read_checkpoint(path: Path, direction: Direction) -> Checkpoint:
    """Read the source's content encoder and the target's style encoder, MLP and decoder.

    Raises:
        CheckpointError: not a MUNIT checkpoint, or a damaged one.
    """
    generators = read_generators(path)
    weights = generators.pick(direction, "enc_content.", ("enc_style.", "mlp.", "dec."))
    if not any(name.startswith("enc_content.") for name in weights):
        is_unit = _is_unit(generators.weights["a"])
        what, hint = ("a UNIT", "use --model unit") if is_unit else ("no MUNIT", "")
        raise CheckpointError(f"{generators.path} is {what} checkpoint", hint=hint)
    options = infer_options(weights, "enc_content", generators.path)
    options["style_dim"] = shape_of(weights, "enc_style.model.6.weight", generators.path)[0]
    options["mlp_dim"] = shape_of(weights, "mlp.model.0.fc.weight", generators.path)[0]
    return Checkpoint(weights, options, generators.hints, (generators.path,))


def unit_options(path: Path) -> dict[str, Any] | None:
    """Return the options that UNIT's networks in a checkpoint share with MUNIT's; None of others.

    Raises:
        CheckpointError: it can't be read.
    """
    generators = read_generators(path)
    if not _is_unit(generators.weights["a"]):
        return None
    weights = generators.pick("a2b", "enc.", ("dec.",))
    shared = ("activ", "pad_type")
    hints = {name: generators.hints[name] for name in shared if name in generators.hints}
    return {**hints, **infer_options(weights, "enc", generators.path)}


def as_munit(generator: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return UNIT's weights by MUNIT's names of the same layers, and MUNIT's own of all others."""
    own = generator.state_dict()
    styles = {name: own[name] for name in own if name.startswith(("enc_style.", "mlp."))}
    return styles | {re.sub(r"^enc\.", "enc_content.", name): w for name, w in weights.items()}


def _is_unit(weights: Mapping[str, Tensor]) -> bool:
    return any(name.startswith("enc.") for name in weights)
