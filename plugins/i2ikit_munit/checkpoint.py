"""From the original program's file to the weights of one direction."""

from __future__ import annotations

from pathlib import Path

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
        is_unit = any(name.startswith("enc.") for name in generators.weights["a"])
        what, hint = ("a UNIT", "use --model unit") if is_unit else ("no MUNIT", "")
        raise CheckpointError(f"{generators.path} is {what} checkpoint", hint=hint)
    options = infer_options(weights, "enc_content", generators.path)
    options["style_dim"] = shape_of(weights, "enc_style.model.6.weight", generators.path)[0]
    options["mlp_dim"] = shape_of(weights, "mlp.model.0.fc.weight", generators.path)[0]
    return Checkpoint(weights, options, generators.hints, (generators.path,))
