"""Which of an input's outputs are compared, and how the protocols of papers choose them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from i2ikit.errors import UsageError, counted
from i2ikit.evaluate.space import text_digest

#: Places of two outputs of an input, (P, 2).
Places: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Protocol:
    """How a paper measures.

    Attributes:
        pairs: as `--pairs`.
        num_outputs: of each input; None: all there are.
        net: the network; "" if it is left open.
        version: of LPIPS; "" if it is left open.
        open_question: what its authors leave open, for a warning.
    """

    pairs: str
    num_outputs: int | None = None
    net: str = ""
    version: str = ""
    open_question: str = ""


#: BicycleGAN: README of its repository. MUNIT: issue 25 of its repository, which states no version.
PROTOCOLS = {
    "munit": Protocol(
        "independent",
        38,
        "alex",
        open_question="MUNIT's authors state no version of LPIPS: 0.0 may be theirs",
    ),
    "bicyclegan": Protocol(
        "consecutive",
        20,
        "alex",
        "0.0",
        "BicycleGAN's README says consecutive pairs, a later reply of its author all pairs",
    ),
    "all-pairs": Protocol("all"),
}


@dataclass(frozen=True)
class Pairing:
    """Which of an input's outputs are compared.

    Attributes:
        kind: "all", "consecutive", "independent" or "random".
        count: how many pairs are drawn, if they are.
    """

    kind: str
    count: int = 0

    def choose(self, n: int, name: str, seed: int) -> Places:
        """Return the pairs among `n` outputs of the input called `name`; no pair comes twice.

        Raises:
            UsageError: there are fewer than are to be drawn.
        """
        if self.kind == "consecutive":
            return _steps(np.arange(n - 1))
        if self.kind == "independent":
            return _steps(np.arange(0, n - 1, 2))
        every = np.stack(np.triu_indices(n, 1), axis=1)
        if self.kind == "all":
            return every
        if self.count > len(every):
            raise UsageError(
                f"--pairs random:{self.count}: the {counted(n, 'output')} of '{name}' make"
                f" {counted(len(every), 'pair')}",
                hint="--pairs all takes each",
            )
        generator = np.random.default_rng(int(text_digest(seed, name), 16))
        return every[generator.choice(len(every), self.count, replace=False)]


def _steps(starts: npt.NDArray[np.intp]) -> Places:
    return np.stack([starts, starts + 1], axis=1)


def parse_pairs(text: str) -> Pairing:
    """Return the pairs that `all`, `consecutive`, `independent` or `random:K` names.

    Raises:
        UsageError: it is none of them.
    """
    kind, _, count = text.partition(":")
    if kind == "random" and count.isdecimal() and int(count) > 0:
        return Pairing(kind, int(count))
    if text in ("all", "consecutive", "independent"):
        return Pairing(text)
    raise UsageError(
        f"--pairs {text} is none of all, consecutive, independent, random:K",
        hint="random:50 draws 50 pairs of each input",
    )
