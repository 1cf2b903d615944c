"""Terms of losses that trainings share."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor


def lsgan(answers: Iterable[Tensor], target: float) -> Tensor:
    """Return the mean squared distance of a discriminator's answers from 0 or 1, over its scales.

    Scales are summed (Mao et al. 2017, arXiv:1611.04076, eq. 2, without the halves).
    """
    terms = [(answer.float() - target).square().mean() for answer in answers]
    return sum(terms[1:], terms[0])


def cross_entropy(answers: Iterable[Tensor], target: float) -> Tensor:
    """Return the mean cross-entropy of a discriminator's answers with 0 or 1, over its scales.

    Answers are taken before the sigmoid, scales are summed. With targets of 1 it is the loss of a
    generator that maximises log D, the non-saturating form (Goodfellow et al. 2014,
    arXiv:1406.2661, section 3).
    """
    terms = [
        F.binary_cross_entropy_with_logits(answer, torch.full_like(answer, target))
        for answer in answers
    ]
    return sum(terms[1:], terms[0])
