"""MUNIT's training: adversarial, with reconstruction of pictures, contents and styles.

Written from Huang, Liu, Belongie and Kautz, "Multimodal Unsupervised Image-to-Image Translation",
arXiv:1804.04732; settings and their defaults are the published ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from i2ikit import CheckpointFiles, Training, Update
from i2ikit.training.contract import Fields, draw, network_options
from i2ikit.two_domain_training.domains import (
    DOMAINS,
    Domains,
    Term,
    step_rate,
    suited_scales,
    weighted,
)
from i2ikit.two_domain_training.options import Domain, TwoDomainTrainingOptions
from i2ikit.two_domain_training.perceptual import read_perceptual
from i2ikit.two_domain_training.published import generator_files, read_yaml
from i2ikit_munit.checkpoint import as_munit, unit_options
from i2ikit_munit.model import Munit
from i2ikit_munit.options import MunitOptions


class MunitTrainingOptions(TwoDomainTrainingOptions, MunitOptions):
    """Settings of MUNIT's training, by their published names."""

    recon_s_w: float = Field(1, ge=0, description="weight of reconstructing a style code")
    recon_c_w: float = Field(1, ge=0, description="weight of reconstructing a content code")
    recon_x_cyc_w: float = Field(0, ge=0, description="weight of the style-augmented cycle")


class MunitTraining(Training):
    """Both domains' content encoders, style encoders, MLPs and decoders, made together."""

    offers_translation = True
    Options = MunitTrainingOptions
    options: MunitTrainingOptions

    @classmethod
    def suited(cls, size: int) -> dict[str, Any]:
        """Return as many scales of the discriminators as squares of this side are large for."""
        return suited_scales(size)

    @classmethod
    def read_settings(cls, path: Path) -> Mapping[str, Any]:
        """Return the options that a YAML file of the original program states."""
        return read_yaml(path, cls.Options).options

    @classmethod
    def start_options(cls, path: Path, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the options of the networks in a checkpoint, MUNIT's or UNIT's."""
        del given
        unit = unit_options(path)
        return network_options(Munit, path) if unit is None else unit

    def start_from(self, path: Path) -> None:
        """Take over both generators; discriminators stay new.

        UNIT's encoders and decoders are MUNIT's content encoders, and decoders without styles. The
        style encoders are new then, and so are the MLPs, whose styles change UNIT's look a little.
        """
        if unit_options(path) is None:
            self.domains.start_from(path)
            return
        for domain in DOMAINS:
            self.domains.generator(domain).mlp.start_neutral()
        self.domains.start_from(path, as_munit)

    def __init__(self, options: MunitTrainingOptions | None = None) -> None:
        super().__init__(options)
        self.domains = Domains(Munit, self.options)
        a, b = (self.domains.generator(domain) for domain in DOMAINS)
        self.inputs_a, self.inputs_b = a.inputs, b.inputs
        self.size = self.domains.size
        self.optimizers = self.domains.optimizers()
        self._perceptual = read_perceptual(self.options)

    def updates(self, a: Fields, b: Fields, rng: torch.Generator) -> Iterator[Update]:
        """Yield the discriminators' update ("dis"), then the generators' ("gen")."""
        return self.domains.updates(a["image"], b["image"], rng, self._translate, self._losses)

    def _draw_styles(self, image: Tensor, rng: torch.Generator) -> Tensor:
        return draw(rng, len(image), self.options.style_dim, like=image)

    def _translate(
        self, source: Domain, target: Domain, image: Tensor, rng: torch.Generator
    ) -> Tensor:
        """Return pictures with the content of `image` and drawn styles of the target."""
        here, there = self.domains.generator(source), self.domains.generator(target)
        style = there.mlp(self._draw_styles(image, rng))
        output: Tensor = there.dec(here.enc_content(image), style)
        return output

    def _losses(
        self, source: Domain, target: Domain, image: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return translations, and the terms of pictures that go from source to target and back.

        Equations 1 to 4 of the paper, without its expectations: eq. 1 is `recon_x`, eq. 2
        `recon_c`, eq. 3 `recon_s`, and eq. 4 `adv`, in the form of least squares by default.
        The cycle and the perceptual loss are of section 5.1.
        """
        options = self.options
        here, there = self.domains.generator(source), self.domains.generator(target)
        drawn = self._draw_styles(image, rng)
        content, own_style = here.enc_content(image), here.mlp(here.enc_style(image))
        fake = there.dec(content, there.mlp(drawn))
        content_again = there.enc_content(fake)
        decoded = here.dec
        terms: dict[str, Term] = {
            f"gen_recon_x_{source}": (
                options.recon_x_w,
                lambda: F.l1_loss(decoded(content, own_style), image),
            ),
            f"gen_recon_s_{target}": (
                options.recon_s_w,
                lambda: F.l1_loss(there.enc_style(fake), drawn),
            ),
            f"gen_recon_c_{source}": (
                options.recon_c_w,
                lambda: F.l1_loss(content_again, content),
            ),
            f"gen_cycrecon_x_{source}": (
                options.recon_x_cyc_w,
                lambda: F.l1_loss(decoded(content_again, own_style), image),
            ),
            f"gen_adv_{target}": (
                options.gan_w,
                lambda: self.domains.discriminator(target).generator_loss(fake),
            ),
        }
        if self._perceptual:
            perceptual = partial(self._perceptual, fake, image)
            terms[f"gen_vgg_{target}"] = (options.vgg_w, perceptual)
        return fake, weighted(terms)

    def rate(self, step: int, steps: int) -> float:
        """Return the published schedule: times `gamma` each `step_size` steps."""
        del steps
        return step_rate(self.options, step)

    def checkpoint(self, step: int) -> CheckpointFiles:
        """Return `gen_XXXXXXXX` with both generators, and config.yaml."""
        a, b = (_published(self.domains.generator(domain)) for domain in DOMAINS)
        return generator_files(step, a, b, self.options)


def _published(generator: Munit) -> dict[str, Tensor]:
    """Return a generator's weights, with the statistics that adaptive norms hold but never use.

    The original program saves them, so that its strict loading asks for them.
    """
    weights = dict(generator.state_dict())
    for name, bias in list(weights.items()):
        if re.fullmatch(r"dec\.model\.0\..+\.conv\.bias", name):
            norm = name.removesuffix("conv.bias") + "norm"
            weights[f"{norm}.running_mean"] = torch.zeros_like(bias)
            weights[f"{norm}.running_var"] = torch.ones_like(bias)
    return weights
