"""pix2pixHD's training (arXiv:1711.11585)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam

from i2ikit.checkpoints import load_strictly, part_of
from i2ikit.errors import CheckpointError, UsageError
from i2ikit.model import Content, SizeRule, Style
from i2ikit.training.contract import (
    CheckpointFiles,
    Fields,
    Tensors,
    Training,
    Update,
    network_options,
)
from i2ikit.training.initial import draw_weights
from i2ikit_pix2pixhd.discriminators import (
    Judgement,
    MultiscaleDiscriminator,
    VGGLoss,
    feature_matching,
    gan_loss,
)
from i2ikit_pix2pixhd.model import Pix2PixHD
from i2ikit_pix2pixhd.networks import norm_factory
from i2ikit_pix2pixhd.options import RGB_CHANNELS
from i2ikit_pix2pixhd.training_options import Pix2PixHDTrainingOptions, read_opt_txt


class Pix2PixHDTraining(Training):
    """A generator against discriminators that see its input beside the picture.

    With features, the encoder is trained through the generator alone, as a part of it.
    """

    Options = Pix2PixHDTrainingOptions
    paired = True
    options: Pix2PixHDTrainingOptions

    @classmethod
    def read_settings(cls, path: Path) -> Mapping[str, Any]:
        """Return the options that an `opt.txt` of the original program states."""
        return read_opt_txt(path)

    @classmethod
    def start_options(cls, path: Path, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the options of the networks in a checkpoint, which may lack some enhancers."""
        stated = network_options(Pix2PixHD, path)
        stated.pop("num_clusters", None)
        wanted = str(given.get("n_local_enhancers", ""))
        if wanted.isdecimal():  # each enhancer's layers are half as wide as those within it
            stated["ngf"] >>= max(0, int(wanted) - stated["n_local_enhancers"])
        return stated

    def start_from(self, path: Path) -> None:
        """Take over generator and encoder, or the coarser generator inside.

        Raises:
            UsageError: `load_pretrain` names a checkpoint, too.
            CheckpointError: it can't be read, or doesn't fit.
        """
        if self.options.load_pretrain:
            raise UsageError(
                f"two checkpoints to start from: --start-from {path} and -o load_pretrain="
                f"{self.options.load_pretrain}",
                hint="they mean the same: give one",
            )
        _start_from(self.model, path)

    def __init__(self, options: Pix2PixHDTrainingOptions | None = None) -> None:
        """Make the networks; read those that the options name.

        Raises:
            CheckpointError: `load_pretrain` or `vgg` can't be read, or is something else.
        """
        super().__init__(options)
        given = self.options
        self.model = Pix2PixHD(given.for_model())
        self.discriminator = MultiscaleDiscriminator(
            given.num_channels - given.feat_num + RGB_CHANNELS,
            given.ndf,
            given.n_layers_D,
            given.num_D,
            norm_factory(given.norm, "stored"),
        )
        draw_weights(self, "gaussian")
        if given.load_pretrain:
            _start_from(self.model, Path(given.load_pretrain))
        self.vgg_loss = VGGLoss(Path(given.vgg)) if given.vgg and given.lambda_feat else None
        self.inputs_a = self.model.inputs
        rules = (self.model.size, self.model.reference_size)
        self.size = SizeRule(
            multiple_of=max(rule.multiple_of for rule in rules if rule),  # they are powers of two
            # the smallest scale must have two pixels, or instance norm has nothing to go by
            minimum=max(2**given.num_D, *(rule.minimum for rule in rules if rule)),
        )
        self.optimizers = {
            "generator": Adam(self.model.parameters(), given.lr, (given.beta1, 0.999)),
            "discriminator": Adam(self.discriminator.parameters(), given.lr, (given.beta1, 0.999)),
        }

    def updates(self, a: Fields, b: Fields, rng: torch.Generator) -> Iterator[Update]:
        """Yield the generator's update, then the discriminators'; nothing is drawn.

        Terms have upstream's names; its discriminators' loss is the mean of `D_fake` and `D_real`,
        so they are halves here.
        """
        del rng
        real = b["image"]
        content = self.model.encode(**a)
        fake = self.model.decode(content, self._style(real, content))
        # its graph waits for the second update: these weights don't change in the first
        on_real = self._judge(content, real)
        yield Update(["generator"], self._generator_losses(content, fake, real, on_real))
        on_fake = self._judge(content, fake.detach())
        losses = {"D_fake": self._gan(on_fake, 0.0) / 2, "D_real": self._gan(on_real, 1.0) / 2}
        yield Update(["discriminator"], losses)

    def _style(self, real: Tensor, content: Content) -> Style:
        """Return the mean features of the real picture's own instances."""
        if not self.options.has_features:
            return None
        ids = {self.options.pooled_by: content["ids"]}
        return self.model.style_from_reference(image=real, **ids)

    def _judge(self, content: Content, image: Tensor) -> Judgement:
        judgement: Judgement = self.discriminator(torch.cat([content["planes"], image], dim=1))
        return judgement

    def _gan(self, judgement: Judgement, target: float) -> Tensor:
        return gan_loss(judgement, target, least_squares=not self.options.no_lsgan)

    def _generator_losses(
        self, content: Content, fake: Tensor, real: Tensor, on_real: Judgement
    ) -> dict[str, Tensor]:
        """Return the terms of eq. 5, and the VGG loss of section 4 (there λ is 10, too)."""
        weight = self.options.lambda_feat
        on_fake = self._judge(content, fake)
        losses = {"G_GAN": self._gan(on_fake, 1.0)}
        if weight and not self.options.no_ganFeat_loss:
            losses["G_GAN_Feat"] = weight * feature_matching(on_fake, on_real)
        if self.vgg_loss:
            losses["G_VGG"] = weight * self.vgg_loss(fake, real)
        return losses

    def rate(self, step: int, steps: int) -> float:
        """Return 1 for half of the steps, then less and less, linearly to 0."""
        return min(1.0, 2 * (1 - step / steps))

    def on_step(self, step: int, steps: int) -> None:
        """Let the global part, and all enhancers but the finest, wait `niter_fix_global` steps.

        The encoder learns from the first step, as upstream's does: its features are inputs of the
        enhancer, too.
        """
        if not self.options.niter_fix_global:
            return
        is_fixed = step < self.options.num_fixed_steps(steps)
        learning = (f"generator.model{self.options.n_local_enhancers}_", "encoder.")
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not is_fixed or name.startswith(learning))

    def checkpoint(self, step: int) -> CheckpointFiles:
        """Return the generator, and the encoder, as the original program saves its latest."""
        del step
        tensors: dict[str, Tensors] = {"latest_net_G": self.model.generator.state_dict()}
        if self.options.has_features:
            tensors["latest_net_E"] = self.model.encoder.state_dict()
        return CheckpointFiles(tensors, {"opt.txt": self.options.settings()}, ".pth")


def _start_from(model: Pix2PixHD, path: Path) -> None:
    """Copy a checkpoint of the same networks, or of the coarser ones inside.

    Raises:
        CheckpointError: it can't be read, or doesn't fit.
    """
    read = Pix2PixHD.read_checkpoint(path, "a2b")
    weights = part_of(read.weights, "generator.")
    level, levels = read.options["n_local_enhancers"], model.options.n_local_enhancers
    if level < levels:
        weights = _without_head(weights, level)
        finer = tuple(f"model{n}_" for n in range(level + 1, levels + 1))
        own = model.generator.state_dict()
        weights |= {name: value for name, value in own.items() if name.startswith(finer)}
    load_strictly(model.generator, weights, str(path))
    if model.options.nef:
        encoder = part_of(read.weights, "encoder.")
        if not encoder:
            raise CheckpointError(
                f"{path} has no encoder, though features are to be learned",
                hint="put its *_net_E beside the generator: they were trained together",
            )
        load_strictly(model.encoder, encoder, str(path))


def _without_head(weights: Mapping[str, Tensor], level: int) -> dict[str, Tensor]:
    """Return a generator's weights without its last convolution, which makes the colours."""
    finest = f"model{level}_2" if level else "model"
    places = [int(m[1]) for name in weights if (m := re.match(rf"{finest}\.(\d+)\.", name))]
    head = f"{finest}.{max(places)}."
    return {name: value for name, value in weights.items() if not name.startswith(head)}
