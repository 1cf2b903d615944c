"""UNIT in one direction: the source's encoder, the target's decoder.

Written from Liu, Breuel and Kautz, "Unsupervised Image-to-Image Translation Networks",
arXiv:1703.00848. As published, the domains share no weights, and the encoder gives the mean of a
latent code of unit variance; noise is added to it in training only.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from i2ikit.model import Checkpoint, Content, Direction, Model, Style
from i2ikit.two_domain import ContentEncoder, Decoder, picture, size_rule
from i2ikit_unit.checkpoint import read_checkpoint
from i2ikit_unit.options import UnitOptions


class Unit(Model):
    """Unsupervised translation, one output per input. Content: the mean of the latent code."""

    Options = UnitOptions
    directions = ("a2b", "b2a")
    official_range = "stretch"
    options: UnitOptions

    def __init__(self, options: UnitOptions | None = None) -> None:
        super().__init__(options)
        self.inputs = {"image": picture(self.options.input_dim)}
        self.size = size_rule(self.options)
        self.enc = ContentEncoder(self.options)
        self.dec = Decoder(self.options)

    @classmethod
    def read_checkpoint(cls, path: Path, direction: Direction) -> Checkpoint:
        """Read `gen_XXXXXXXX.pt`, or the newest one of a folder."""
        return read_checkpoint(path, direction)

    def encode(self, **inputs: Tensor) -> Content:
        """Return the mean of the latent code, (B, C, H / 2^n, W / 2^n)."""
        return self.enc(inputs["image"])

    def decode(self, content: Content, style: Style) -> Tensor:
        """Return (B, 3, H, W) in [-1, 1]; a grey picture is repeated to three channels."""
        del style  # None: UNIT has no styles
        output: Tensor = self.dec(content)
        return output.expand(-1, 3, -1, -1)
