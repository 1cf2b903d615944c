"""MUNIT in one direction: the source's content encoder, the target's style encoder and decoder."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from i2ikit.model import Checkpoint, Content, Direction, Model, SizeRule, Style
from i2ikit.two_domain import ContentEncoder, Decoder, picture, size_rule
from i2ikit_munit.checkpoint import read_checkpoint
from i2ikit_munit.networks import MLP, StyleEncoder
from i2ikit_munit.options import MunitOptions


class Munit(Model):
    """Multimodal unsupervised translation (arXiv:1804.04732).

    Content: the content code, and the decoder's first convolution of it, which no style touches.
    Style: the parameters of the decoder's adaptive instance norms, (B, n_res, 2, 2, C).
    """

    Options = MunitOptions
    directions = ("a2b", "b2a")
    reference_size = SizeRule(minimum=16)  # the style encoder halves four times
    official_range = "stretch"
    options: MunitOptions

    def __init__(self, options: MunitOptions | None = None) -> None:
        super().__init__(options)
        self.inputs = {"image": picture(self.options.input_dim)}
        self.reference_inputs = {"image": picture(self.options.output_dim)}
        self.noise_shape = (self.options.style_dim,)
        self.size = size_rule(self.options)
        self.enc_content = ContentEncoder(self.options)
        self.enc_style = StyleEncoder(self.options)
        self.mlp = MLP(self.options)
        self.dec = Decoder(self.options)

    @classmethod
    def read_checkpoint(cls, path: Path, direction: Direction) -> Checkpoint:
        """Read `gen_XXXXXXXX.pt`, or the newest one of a folder."""
        return read_checkpoint(path, direction)

    def encode(self, **inputs: Tensor) -> Content:
        """Return the content code and its first convolution, both (B, C, H / 2^n, W / 2^n)."""
        content = self.enc_content(inputs["image"])
        return content, self.dec.first_conv(content)

    def style_from_noise(self, noise: Tensor, content: Content) -> Style:
        """Return the style of a style code, (B, style_dim), which in MUNIT is the noise itself."""
        del content
        return self.mlp(noise)

    def style_from_reference(self, **inputs: Tensor) -> Style:
        """Return the style of pictures of the target domain, at least 16 pixels a side."""
        return self.mlp(self.enc_style(inputs["image"]))

    def decode(self, content: Content, style: Style) -> Tensor:
        """Return (B, 3, H, W) in [-1, 1]; a grey picture is repeated to three channels."""
        code, convolved = content
        output: Tensor = self.dec(code, style, convolved)
        return output.expand(-1, 3, -1, -1)
