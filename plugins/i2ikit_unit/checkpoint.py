"""From the original program's file to the weights of one direction."""

from __future__ import annotations

from pathlib import Path

from i2ikit.errors import CheckpointError
from i2ikit.model import Checkpoint, Direction
from i2ikit.two_domain import infer_options, read_generators


def read_checkpoint(path: Path, direction: Direction) -> Checkpoint:
    """Read the source's encoder and the target's decoder.

    Raises:
        CheckpointError: not a UNIT checkpoint, or a damaged one.
    """
    generators = read_generators(path)
    weights = generators.pick(direction, "enc.", ("dec.",))
    if not any(name.startswith("enc.") for name in weights):
        is_munit = any(name.startswith("enc_content.") for name in generators.weights["a"])
        what, hint = ("a MUNIT", "use --model munit") if is_munit else ("no UNIT", "")
        raise CheckpointError(f"{generators.path} is {what} checkpoint", hint=hint)
    options = infer_options(weights, "enc", generators.path)
    return Checkpoint(weights, options, generators.hints, (generators.path,))
