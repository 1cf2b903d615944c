"""UNIT's training: adversarial, with a variational autoencoder's terms, there and back.

Written from Liu, Breuel and Kautz, "Unsupervised Image-to-Image Translation Networks",
arXiv:1703.00848; settings and their defaults are the published program's, not the paper's.
"""

from __future__ import annotations

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
from i2ikit_unit.model import Unit
from i2ikit_unit.options import UnitOptions


class UnitTrainingOptions(TwoDomainTrainingOptions, UnitOptions):
    """Settings of UNIT's training, by their published names."""

    recon_kl_w: float = Field(0.01, ge=0, description="weight of the codes' KL divergence")
    recon_x_cyc_w: float = Field(10, ge=0, description="weight of reconstructing after a cycle")
    recon_kl_cyc_w: float = Field(0.01, ge=0, description="the same of translations' codes")


class UnitTraining(Training):
    """Both domains' encoders and decoders, made together."""

    offers_translation = True
    Options = UnitTrainingOptions
    options: UnitTrainingOptions

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
        """Return the options of the networks in a checkpoint."""
        del given
        return network_options(Unit, path)

    def start_from(self, path: Path) -> None:
        """Take over both generators; discriminators stay new."""
        self.domains.start_from(path)

    def __init__(self, options: UnitTrainingOptions | None = None) -> None:
        super().__init__(options)
        self.domains = Domains(Unit, self.options)
        a, b = (self.domains.generator(domain) for domain in DOMAINS)
        self.inputs_a, self.inputs_b = a.inputs, b.inputs
        self.size = self.domains.size
        self.optimizers = self.domains.optimizers()
        self._perceptual = read_perceptual(self.options)

    def updates(self, a: Fields, b: Fields, rng: torch.Generator) -> Iterator[Update]:
        """Yield the discriminators' update ("dis"), then the generators' ("gen")."""
        return self.domains.updates(a["image"], b["image"], rng, self._translate, self._losses)

    def _translate(
        self, source: Domain, target: Domain, image: Tensor, rng: torch.Generator
    ) -> Tensor:
        """Return pictures decoded from a code drawn around the mean."""
        mean = self.domains.generator(source).enc(image)
        output: Tensor = self.domains.generator(target).dec(_sample(mean, rng))
        return output

    def _losses(
        self, source: Domain, target: Domain, image: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return translations, and the terms of pictures that go from source to target and back.

        Equation 3 of the paper is `recon_x` and `recon_kl`; eq. 5 `adv`, by default in the form of
        least squares; eq. 7 `cyc_x` and `recon_kl_cyc`.
        One draw serves both decoders; the translation's code is drawn anew.
        """
        options = self.options
        here, there = self.domains.generator(source), self.domains.generator(target)
        mean = here.enc(image)
        code = _sample(mean, rng)
        fake = there.dec(code)
        mean_again = there.enc(fake)
        terms: dict[str, Term] = {
            f"gen_recon_x_{source}": (
                options.recon_x_w,
                lambda: F.l1_loss(here.dec(code), image),
            ),
            f"gen_recon_kl_{source}": (options.recon_kl_w, lambda: _divergence(mean)),
            f"gen_cyc_x_{source}": (
                options.recon_x_cyc_w,
                lambda: F.l1_loss(here.dec(_sample(mean_again, rng)), image),
            ),
            f"gen_recon_kl_cyc_{source}{target}{source}": (
                options.recon_kl_cyc_w,
                lambda: _divergence(mean_again),
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
        a, b = (self.domains.generator(domain).state_dict() for domain in DOMAINS)
        return generator_files(step, a, b, self.options)


def _sample(mean: Tensor, rng: torch.Generator) -> Tensor:
    """Return a code of N(mean, 1), as (B, C, H, W)."""
    return mean + draw(rng, *mean.shape, like=mean)


def _divergence(mean: Tensor) -> Tensor:
    """Return the KL divergence of N(mean, 1) from N(0, 1) as published: mean squares, no 1/2."""
    return mean.float().square().mean()
