"""What a validation measures of translations; of each measure, the less, the better."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol, TypeAlias, get_args

import torch
from torch import Tensor

from i2ikit.data.images import to_pixels
from i2ikit.errors import CheckpointError, UsageError, counted
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.features import Features
from i2ikit.evaluate.frechet import measure_fid
from i2ikit.evaluate.perceptual import open_perceptual
from i2ikit.evaluate.sides import Asked, read_sides
from i2ikit.training.contract import Fields

ValidMetric: TypeAlias = Literal["fd", "l1", "lpips"]
VALID_METRICS: tuple[str, ...] = get_args(ValidMetric)

#: Pictures of a side, below which a Fréchet distance says nothing of their kind.
_LEAST = 16
#: Where it is measured: the space whose weights come with a package, not from a network.
_SPACE = "efficientnet-lite0"
#: Styles of which the nearest to the truth counts.
_STYLES = 4

#: A picture's translations, (1, 3, H, W) in [-1, 1] each; and its true partner by field, if known.
Made: TypeAlias = tuple[Sequence[Tensor], Fields]


class Measure(Protocol):
    """A number for the translations of held-out pictures.

    Attributes:
        num_styles: translations that are wanted of each picture, of models that draw styles.
    """

    num_styles: int

    @abstractmethod
    def __call__(self, made: Iterable[Made]) -> float:
        """Return the number."""
        raise NotImplementedError


class Nearest:
    """The mean distance of translations from the truth; of several styles, of the nearest one."""

    num_styles = _STYLES

    def __init__(self, distance: Callable[[Tensor, Tensor], float]) -> None:
        """Hold the distance of two pictures, (1, 3, H, W) in [-1, 1] each."""
        self._distance = distance

    def __call__(self, made: Iterable[Made]) -> float:
        """Return the mean over pictures."""
        found = [
            min(self._distance(one, picture_of(target)) for one in all_of)
            for all_of, target in made
        ]
        return sum(found) / len(found)


def picture_of(fields: Fields) -> Tensor:
    """Return the picture that a domain's fields begin with, (1, 3, H, W); grey is repeated."""
    return next(iter(fields.values())).expand(-1, 3, -1, -1)


def l1(made: Tensor, truth: Tensor) -> float:
    """Return the mean absolute difference, on the scale from -1 to 1: at most 2."""
    return float((made - truth).abs().mean())


def open_lpips(size: int, device: torch.device) -> Nearest:
    """Return LPIPS 0.1 in AlexNet for squares of this side.

    Raises:
        CheckpointError: AlexNet's weights aren't on this machine.
        UsageError: the squares are too small for it.
    """
    try:
        perceptual = open_perceptual("alex", "0.1")
    except CheckpointError as error:
        raise CheckpointError(
            f"--valid-metric lpips: {error.message}", hint="i2ikit weights says where it may be"
        ) from None
    if size < perceptual.least_side:
        raise UsageError(
            f"--valid-metric lpips takes squares of {perceptual.least_side} pixels or more,"
            f" not --size {size}"
        )
    network = perceptual.network.to(device)

    def distance(made: Tensor, truth: Tensor) -> float:
        with torch.inference_mode():
            return float((network(made) - network(truth)).square().sum())

    return Nearest(distance)


class Frechet:
    """The Fréchet distance of translations from real pictures, in EfficientNet-Lite0's features."""

    num_styles = 1

    def __init__(self, real: Iterable[Tensor], compute: Compute) -> None:
        """Compute the features of the real pictures, (1, 3, H, W) in [-1, 1] each.

        Raises:
            CheckpointError: the package that has the network's weights is not installed.
        """
        self._asked, self._compute = Asked(_SPACE), compute
        self._space = self._asked.open(compute)
        self._real = self._features(real)

    def _features(self, pictures: Iterable[Tensor]) -> Features:
        shown = [to_pixels(picture[0]) for picture in pictures]
        (side,) = read_sides(
            [shown], self._asked, self._compute, by_statistics=True, space=self._space
        )
        return side.features

    def __call__(self, made: Iterable[Made]) -> float:
        """Return the distance of the first style of each picture."""
        first = (all_of[0] for all_of, _ in made)
        return measure_fid(self._real, self._features(first)).value


def check_counts(num_a: int, num_b: int) -> None:
    """Refuse too few pictures for a Fréchet distance.

    Raises:
        UsageError: naming the domain.
    """
    for domain, count in (("a", num_a), ("b", num_b)):
        if count < _LEAST:
            raise UsageError(
                f"--valid-{domain} has {counted(count, 'picture')}: a Fréchet distance needs"
                f" {_LEAST} or more",
                hint="--valid-metric l1 measures pairs, however few",
            )
