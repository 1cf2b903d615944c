"""Training a BicycleGAN on pairs (arXiv:1711.11586, section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from i2ikit.checkpoints import load_strictly, part_of
from i2ikit.errors import UsageError
from i2ikit.model import RGB, Grey, SizeRule
from i2ikit.training.contract import (
    CheckpointFiles,
    Fields,
    Training,
    Update,
    draw,
    network_options,
)
from i2ikit.training.initial import draw_weights
from i2ikit_bicyclegan.checkpoint import read_opt_txt
from i2ikit_bicyclegan.discriminators import Discriminator, gan_loss
from i2ikit_bicyclegan.model import BicycleGan
from i2ikit_bicyclegan.networks import Generator, StyleEncoder
from i2ikit_bicyclegan.training_options import BicycleGanTrainingOptions

#: Halvings of the original program's generators.
_LEVELS = {"unet_128": 7, "unet_256": 8}
_NO_ENCODER = ("encoder", "none")


@dataclass(frozen=True)
class Pair:
    """Inputs (B, input_nc, S, S) with outputs (B, 3, S, S) of theirs, real or generated."""

    a: Tensor
    b: Tensor


class BicycleGanTraining(Training):
    """G and E against two discriminators, D on encoded styles and D2 on drawn ones.

    The first half of a batch is translated twice: with the styles that E reads off its own B
    (cVAE-GAN, section 3.2), and with drawn ones (cLR-GAN, section 3.3). The second half are the
    real pictures that D2 sees.
    """

    Options = BicycleGanTrainingOptions
    options: BicycleGanTrainingOptions
    paired = True
    batch_size = 2
    batch_multiple = 2

    @classmethod
    def suited(cls, size: int) -> dict[str, Any]:
        """Return the generator and the encoder that squares of 64, 128 or 256 pixels need."""
        known = {64: (6, "resnet_64"), 128: (7, "resnet_128"), 256: (8, "resnet_256")}
        if size not in known:
            return {}
        levels, encoder = known[size]
        return {"levels": levels, "encoder": encoder}

    @classmethod
    def read_settings(cls, path: Path) -> Mapping[str, Any]:
        """Return the options that an `opt.txt` of the original program states."""
        stated: dict[str, Any] = dict(read_opt_txt(path))
        if not stated:
            raise UsageError(f"{path} holds no settings: lines of NAME: VALUE are expected")
        stated["levels"] = _LEVELS.get(stated.get("netG", ""), stated.get("levels", 8))
        stated["encoder"] = stated.get("netE", "resnet_256")
        return stated

    @classmethod
    def start_options(cls, path: Path, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the options of the networks in a checkpoint; one without encoder leaves its open.

        A new encoder is the one that suits the size, or that is given.
        """
        del given
        stated = network_options(BicycleGan, path)
        return {name: value for name, value in stated.items() if (name, value) != _NO_ENCODER}

    def start_from(self, path: Path) -> None:
        """Take over G, and E if it is there; discriminators stay new."""
        weights = BicycleGan.read_checkpoint(path, "a2b").weights
        load_strictly(self.generator, part_of(weights, "generator."), f"generator of {path}")
        if encoder := part_of(weights, "encoder."):
            load_strictly(self.encoder, encoder, f"encoder of {path}")

    def __init__(self, options: BicycleGanTrainingOptions | None = None) -> None:
        """Make G, E and the discriminators that have a weight."""
        options = options or BicycleGanTrainingOptions()
        super().__init__(options)
        self.inputs_a = {"image": RGB() if options.input_nc == 3 else Grey()}
        self.size = SizeRule(fixed=(options.encoder_side, options.encoder_side))
        self.generator = Generator(options, use_dropout=options.use_dropout)
        self.encoder = StyleEncoder(options)
        self.discriminators = nn.ModuleDict(_discriminators(options))
        init = "gaussian" if options.init_type == "normal" else options.init_type
        draw_weights(self, init, options.init_gain)
        networks = {"G": self.generator, "E": self.encoder, **self.discriminators}
        self.optimizers = {
            name: Adam(network.parameters(), lr=options.lr, betas=(options.beta1, 0.999))
            for name, network in networks.items()
        }

    def updates(self, a: Fields, b: Fields, rng: torch.Generator) -> Iterator[Update]:
        """Yield the steps of G and E together, of G alone, and of the discriminators.

        The discriminators see the pictures of the first step.
        """
        options, half = self.options, len(a["image"]) // 2
        real = Pair(a["image"][:half], b["image"][:half])
        others = Pair(a["image"][half:], b["image"][half:])
        noise, z = (draw(rng, len(real.a), options.nz, like=real.a) for _ in range(2))
        encoded, losses = self._autoencode(real, noise)
        drawn = Pair(real.a, self.generator(real.a, z)) if options.lambda_GAN2 else None
        if drawn:
            losses["G_GAN2"] = options.lambda_GAN2 * self._distance("D2", drawn, 1.0)
        if losses:
            yield Update(("G", "E"), losses)
        if options.lambda_z:
            yield Update(("G",), {"z_L1": options.lambda_z * self._latent_error(real.a, z)})
        losses = {}
        if options.lambda_GAN:
            losses["D"] = self._confusion("D", real, encoded)
        if drawn:
            losses["D2"] = self._confusion("D2", others, drawn)
        if losses:
            yield Update(tuple(self.discriminators), losses)

    def _autoencode(self, real: Pair, noise: Tensor) -> tuple[Pair, dict[str, Tensor]]:
        """Translate with the pictures' own styles; return that, and the terms of the cVAE-GAN."""
        options = self.options
        mu, log_variance = (value.float() for value in self.encoder(real.b))
        fake = Pair(real.a, self.generator(real.a, mu + (log_variance / 2).exp() * noise))
        losses = {}
        if options.lambda_GAN:
            losses["G_GAN"] = options.lambda_GAN * self._distance("D", fake, 1.0)
        if options.lambda_L1:
            losses["G_L1"] = options.lambda_L1 * F.l1_loss(fake.b, real.b)
        if options.lambda_kl:
            losses["kl"] = options.lambda_kl * kl_from_normal(mu, log_variance)
        return fake, losses

    def _latent_error(self, a: Tensor, z: Tensor) -> Tensor:
        """Return |z - E(G(A, z))|, the latent regression of section 3.3; E's mean is its guess.

        Only G learns from it: were E to, G and E could hide z in what no one sees (section 3.4).
        """
        mu, _ = self.encoder(self.generator(a, z))
        return F.l1_loss(mu.float(), z)

    def _distance(self, name: str, pair: Pair, target: float) -> Tensor:
        """Return how far the answers to (A, B), or to B alone, are from 1 (real) or 0."""
        discriminator = self.discriminators["D" if self.options.use_same_D else name]
        seen = torch.cat([pair.a, pair.b], dim=1) if self.options.conditional_D else pair.b
        return gan_loss(discriminator(seen), target, self.options.gan_mode)

    def _confusion(self, name: str, real: Pair, fake: Pair) -> Tensor:
        """Return a discriminator's loss: generated pictures, which it can't change, are 0."""
        fake = Pair(fake.a, fake.b.detach())
        return self._distance(name, fake, 0.0) + self._distance(name, real, 1.0)

    def rate(self, step: int, steps: int) -> float:
        """Return 1 for a share of niter, then a linear decay that ends at 0 after the last step."""
        length = self.options.niter + self.options.niter_decay
        decaying = steps * self.options.niter_decay / max(length, 1)
        return min(1.0, (steps - step) / decaying) if decaying else 1.0

    def checkpoint(self, step: int) -> CheckpointFiles:
        """Return the `latest_net_G.pth`, `latest_net_E.pth` and `opt.txt` of the original."""
        del step  # the original numbers by epochs, which a run of steps doesn't have
        return CheckpointFiles(
            tensors={
                "latest_net_G": self.generator.state_dict(),
                "latest_net_E": self.encoder.state_dict(),
            },
            texts={"opt.txt": _opt_txt(self.options)},
            suffix=".pth",
        )


def kl_from_normal(mu: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mu, variance), N(0, 1)), summed over the numbers of all styles, (B, nz) each.

    L_KL of section 3.2, in the closed form of Kingma and Welling (arXiv:1312.6114, appendix B). It
    is no mean over the batch, as in the original program: its weight belongs to batches of 2.
    """
    return -0.5 * (1 + log_variance - mu.square() - log_variance.exp()).sum()


def _discriminators(options: BicycleGanTrainingOptions) -> dict[str, Discriminator]:
    made = {}
    if options.lambda_GAN or (options.lambda_GAN2 and options.use_same_D):
        made["D"] = Discriminator(options, options.netD)
    if options.lambda_GAN2 and not options.use_same_D:
        made["D2"] = Discriminator(options, options.netD2)
    return made


def _opt_txt(options: BicycleGanTrainingOptions) -> str:
    """Return the options as the original program lists them; a model reads back its own."""
    values = options.model_dump(exclude={"first_inputs"})
    lines = [f"{name:>25}: {value!s:<30}" for name, value in sorted(values.items())]
    return "\n".join(["----------------- Options ---------------", *lines, "-" * 41, ""])
