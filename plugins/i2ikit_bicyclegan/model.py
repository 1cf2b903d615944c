"""BicycleGAN as an i2ikit model (arXiv:1711.11586)."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from i2ikit.errors import ModelError
from i2ikit.model import RGB, Checkpoint, Direction, Grey, Model, SizeRule
from i2ikit_bicyclegan import checkpoint
from i2ikit_bicyclegan.networks import Generator, StyleEncoder
from i2ikit_bicyclegan.options import BicycleGanOptions


class BicycleGan(Model):
    """One direction of a paired translation, with styles drawn or taken from examples.

    Content is the picture itself: a style enters the first convolution already. A style is z,
    (B, nz).
    """

    Options = BicycleGanOptions
    options: BicycleGanOptions
    official_range = "truncate"

    def __init__(self, options: BicycleGanOptions | None = None) -> None:
        """Make the generator, and the style encoder if the options have one."""
        options = options or BicycleGanOptions()
        super().__init__(options)
        side = 2**options.levels
        self.inputs = {"image": RGB() if options.input_nc == 3 else Grey()}
        self.size = SizeRule(multiple_of=side, minimum=side)
        self.noise_shape = (options.nz,) if options.nz else ()
        self.generator = Generator(options)
        self.encoder: StyleEncoder | None = None
        if options.encoder != "none" and options.nz:
            self.encoder = StyleEncoder(options)
            self.reference_inputs = {"image": RGB()}
            self.reference_size = SizeRule(fixed=(options.encoder_side, options.encoder_side))

    @classmethod
    def read_checkpoint(cls, path: Path, direction: Direction) -> Checkpoint:
        """Read a `NAME_net_G.pth` (with its `NAME_net_E.pth`, if there), or the folder of both.

        Raises:
            CheckpointError: not a BicycleGAN generator; the message says what it is.
        """
        del direction  # a checkpoint holds one, whichever it was trained for
        return checkpoint.read(path)

    def encode(self, *, image: Tensor) -> Tensor:
        """Return the picture, (B, input_nc, H, W) in [-1, 1]."""
        return image

    def style_from_noise(self, noise: Tensor, content: Tensor) -> Tensor:
        """Return the noise: z is drawn from a standard normal distribution."""
        del content
        return noise

    def style_from_reference(self, *, image: Tensor) -> Tensor:
        """Return the mean style, (B, nz), of example outputs, (B, 3, S, S), S `encoder_side`."""
        if self.encoder is None:
            raise ModelError("this BicycleGAN has no style encoder (net_E) to read examples with")
        mu, _ = self.encoder(image)
        return mu  # type: ignore[no-any-return]

    def decode(self, content: Tensor, style: Tensor | None) -> Tensor:
        """Translate pictures (B, input_nc, H, W) with styles (B, nz); None when nz is 0."""
        return self.generator(content, style)  # type: ignore[no-any-return]
