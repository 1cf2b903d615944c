"""Both domains' networks, their optimizers, and the updates that translate both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Adam

from i2ikit.checkpoints import load_strictly
from i2ikit.model import Model, SizeRule
from i2ikit.training.contract import Update
from i2ikit.training.initial import draw_weights, gain_of
from i2ikit.two_domain import read_generators
from i2ikit.two_domain_training.discriminators import MultiScaleDiscriminator
from i2ikit.two_domain_training.options import (
    AnyTrainingOptions,
    Domain,
    TwoDomainTrainingOptions,
    of_domain,
)

DOMAINS: tuple[Domain, Domain] = ("a", "b")
#: Where a translation starts and ends.
WAYS: tuple[tuple[Domain, Domain], ...] = (("a", "b"), ("b", "a"))

#: Of source, target, the source's pictures and the generator of random numbers: the translations.
Translate: TypeAlias = Callable[[Domain, Domain, Tensor, torch.Generator], Tensor]
#: Of the same: the translations, and the terms of the generators' loss that they cause.
Losses: TypeAlias = Callable[
    [Domain, Domain, Tensor, torch.Generator], tuple[Tensor, Mapping[str, Tensor]]
]

#: Of a generator and the weights of another model's: all weights that the generator begins with.
Convert: TypeAlias = Callable[[nn.Module, Mapping[str, Tensor]], Mapping[str, Tensor]]

AnyGenerator = TypeVar("AnyGenerator", bound=Model)


class Domains(nn.Module, Generic[AnyGenerator]):
    """A generator and a discriminator for each of the domains "a" and "b".

    A generator is the model whose source and target is its domain.

    Attributes:
        size: the sides of pictures that all of the networks take.
    """

    def __init__(
        self, make: Callable[[AnyTrainingOptions], AnyGenerator], options: AnyTrainingOptions
    ) -> None:
        """Make the networks, generators by `make`; weights are drawn from torch's generator."""
        super().__init__()
        self._options: TwoDomainTrainingOptions = options
        both = {domain: of_domain(options, domain) for domain in DOMAINS}
        self.generators = nn.ModuleDict({domain: make(own) for domain, own in both.items()})
        self.discriminators = nn.ModuleDict(
            {domain: MultiScaleDiscriminator(own.input_dim, own) for domain, own in both.items()}
        )
        draw_weights(self.generators, options.init, gain_of(options.init))
        a = self.generator("a")
        rules = (a.size, a.reference_size or a.size)
        halvings = options.n_layer + options.num_scales - 1
        smallest = max(2**halvings, *(rule.minimum for rule in rules))
        self.size = SizeRule(multiple_of=a.size.multiple_of, minimum=smallest)

    def generator(self, domain: Domain) -> AnyGenerator:
        """Return a domain's encoders and decoder."""
        return cast("AnyGenerator", self.generators[domain])

    def discriminator(self, domain: Domain) -> MultiScaleDiscriminator:
        """Return what tells a domain's pictures from translations into it."""
        return cast("MultiScaleDiscriminator", self.discriminators[domain])

    def start_from(self, path: Path, convert: Convert | None = None) -> None:
        """Take over both generators of a file that the model reads; discriminators stay new.

        Args:
            path: the file, or its folder.
            convert: for the generators of another model.

        Raises:
            CheckpointError: it can't be read, or doesn't fit.
        """
        found = read_generators(path)
        for domain in DOMAINS:
            where = f"{found.path}, domain {domain.upper()},"
            generator, weights = self.generator(domain), found.weights[domain]
            load_strictly(generator, convert(generator, weights) if convert else weights, where)

    def optimizers(self) -> dict[str, Adam]:
        """Return new optimizers: "dis" of both discriminators, "gen" of both generators."""
        options = self._options
        networks = {"dis": self.discriminators, "gen": self.generators}
        return {
            name: Adam(
                network.parameters(),
                options.lr,
                (options.beta1, options.beta2),
                weight_decay=options.weight_decay,
            )
            for name, network in networks.items()
        }

    def updates(
        self, a: Tensor, b: Tensor, rng: torch.Generator, translate: Translate, losses: Losses
    ) -> Iterator[Update]:
        """Yield the discriminators' update, then the generators', each with draws of its own.

        Args:
            a: pictures of A, (B, C, H, W) in [-1, 1].
            b: pictures of B.
            rng: goes to `translate` and `losses`.
            translate: makes what the discriminators see.
            losses: gives translations with the generators' terms, the adversarial one among them.
        """
        images = {"a": a, "b": b}
        with torch.no_grad():
            fakes = {there: translate(here, there, images[here], rng) for here, there in WAYS}
        weight = self._options.gan_w
        yield Update(
            ("dis",),
            {
                f"dis_{domain}": weight * self.discriminator(domain).loss(image, fakes[domain])
                for domain, image in zip(DOMAINS, images.values(), strict=True)
            },
        )
        translation, terms = losses("a", "b", a, rng)
        _, back = losses("b", "a", b, rng)
        yield Update(("gen",), {**terms, **back}, translation)


def suited_scales(size: int) -> dict[str, int]:
    """Return how many scales of the discriminator pictures of this side are large enough for.

    A scale less for each halving below 64 pixels, the least that the published four layers take.
    """
    return {"num_scales": max(1, min(3, size.bit_length() - 4))}


#: A term's weight, and how to compute it without.
Term: TypeAlias = tuple[float, Callable[[], Tensor]]


def weighted(terms: Mapping[str, Term]) -> dict[str, Tensor]:
    """Return the terms times their weights; those of weight 0 are left out, and not computed."""
    return {name: weight * compute() for name, (weight, compute) in terms.items() if weight}


def step_rate(options: TwoDomainTrainingOptions, step: int) -> float:
    """Return what the learning rates are multiplied by after so many steps."""
    if options.lr_policy == "constant":
        return 1.0
    rate: float = options.gamma ** (step // options.step_size)
    return rate
