"""Terms of losses that trainings share."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor


def lsgan(answers: Iterable[Tensor], target: float) -> Tensor:
    """Return the mean squared distance of a discriminator's answers from 0 or 1, over its scales.

    Scales are summed (Mao et al. 2017, arXiv:1611.04076, eq. 2, without the halves).
    """
    terms = [(answer.float() - target).square().mean() for answer in answers]
    return sum(terms[1:], terms[0])
