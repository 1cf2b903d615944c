"""Where the styles of a run come from: drawn, listed in a file, or taken from example pictures.

All answer the same questions: how many there are for an input (`num_styles`), what a plan must
remember of them (`describe`), which styles a batch of inputs gets (`make`), and how to ask for one
of them again (`rows`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from i2ikit.errors import I2IError, ModelError, SampleError
from i2ikit.model import Content, Model, Style, map_tree
from i2ikit.translation.noise import draw_noise

StylesPer = Literal["sample", "folder", "run"]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """What a style is wanted for: a sample, and its own example picture if it has one."""

    key: str
    reference: Mapping[str, Tensor] | None = None


class Styles(Protocol):
    """The styles of a run."""

    @property
    def num_styles(self) -> int:
        """Return how many outputs an input has."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what makes these styles differ from others, for the plan."""
        ...

    def encode(self, model: Model) -> None:
        """Do what all inputs share, under the arithmetic of the run."""
        ...

    def make(self, model: Model, targets: Sequence[Target], index: int, content: Content) -> Style:
        """Return style `index` of each target, batched like `content`."""
        ...

    def rows(
        self, model: Model, target: Target, index: int, content: Content
    ) -> list[dict[str, Any]]:
        """Return what `--styles` would have to say to get this style of this target again."""
        ...


class _NothingShared:
    def encode(self, model: Model) -> None:
        """Do nothing: these styles are made for each input."""


@dataclass(frozen=True)
class NoStyles(_NothingShared):
    """One output per input, for a model without styles."""

    num_styles: int = 1

    def describe(self) -> dict[str, Any]:
        return {"kind": "none"}

    def make(self, model: Model, targets: Sequence[Target], index: int, content: Content) -> Style:
        return None

    def rows(
        self, model: Model, target: Target, index: int, content: Content
    ) -> list[dict[str, Any]]:
        return []


@dataclass(frozen=True)
class DrawnStyles(_NothingShared):
    """Styles from noise keyed by seed, scope and index."""

    num_styles: int
    per: StylesPer
    seed: int

    def describe(self) -> dict[str, Any]:
        return {"kind": "drawn", "count": self.num_styles, "per": self.per, "seed": self.seed}

    def make(self, model: Model, targets: Sequence[Target], index: int, content: Content) -> Style:
        noise = torch.stack([self.noise(model, target.key, index) for target in targets])
        return model.style_from_noise(_beside(content, noise), content)

    def rows(
        self, model: Model, target: Target, index: int, content: Content
    ) -> list[dict[str, Any]]:
        noise = self.noise(model, target.key, index)
        name = {"key": target.key, "style_index": index}
        if not model.choice_fields:
            return [{**name, "noise": noise.flatten().tolist()}]
        chosen = model.choices_from_noise(_beside(content, noise[None]), content)
        return [{**name, **row} for row in chosen[0]]

    def noise(self, model: Model, key: str, index: int) -> Tensor:
        """Return the noise of an input's style, (*noise_shape,)."""
        return draw_noise(self.seed, self._scope(key), index, model.noise_shape)

    def _scope(self, key: str) -> str:
        if self.per == "sample":
            return f"sample/{key}"
        return f"folder/{PurePosixPath(key).parent}" if self.per == "folder" else "run"


@dataclass(frozen=True)
class PickedStyles(_NothingShared):
    """Of the styles drawn for an input, the one picked by its key."""

    drawn: DrawnStyles
    indices: Mapping[str, int]
    num_styles: int = 1

    def describe(self) -> dict[str, Any]:
        return {**self.drawn.describe(), "picked": dict(self.indices)}

    def make(self, model: Model, targets: Sequence[Target], index: int, content: Content) -> Style:
        noise = [
            self.drawn.noise(model, target.key, self.indices[target.key]) for target in targets
        ]
        return model.style_from_noise(_beside(content, torch.stack(noise)), content)

    def rows(
        self, model: Model, target: Target, index: int, content: Content
    ) -> list[dict[str, Any]]:
        return self.drawn.rows(model, target, self.indices[target.key], content)


@dataclass(frozen=True)
class ListedNoise(_NothingShared):
    """Noise vectors from a file: the same ones for every key, or each key's own."""

    vectors: Mapping[str, Tensor]  # key, or "" for every key -> (N, *noise_shape)
    digest: str

    @property
    def num_styles(self) -> int:
        return max(len(vectors) for vectors in self.vectors.values())

    def describe(self) -> dict[str, Any]:
        return {"kind": "listed", "count": self.num_styles, "sha256": self.digest}

    def make(self, model: Model, targets: Sequence[Target], index: int, content: Content) -> Style:
        noise = torch.stack([self._noise(target.key, index) for target in targets])
        return model.style_from_noise(_beside(content, noise), content)

    def rows(
        self, model: Model, target: Target, index: int, content: Content
    ) -> list[dict[str, Any]]:
        noise = self._noise(target.key, index)
        return [{"key": target.key, "style_index": index, "noise": noise.flatten().tolist()}]

    def _noise(self, key: str, index: int) -> Tensor:
        vectors = self.vectors.get(key, self.vectors.get(""))
        if vectors is None or index >= len(vectors):
            raise SampleError(f"--styles has no style {index} for '{key}'")
        return vectors[index]


@dataclass(frozen=True)
class ListedChoices(_NothingShared):
    """Explicit choices from a file, such as the cluster of each instance."""

    choices: Mapping[str, Sequence[Sequence[Row]]]  # key -> rows of each style
    digest: str

    @property
    def num_styles(self) -> int:
        return max(map(len, self.choices.values()))

    def describe(self) -> dict[str, Any]:
        return {"kind": "chosen", "count": self.num_styles, "sha256": self.digest}

    def make(self, model: Model, targets: Sequence[Target], index: int, content: Content) -> Style:
        return model.style_from_choices(
            [self._rows(target.key, index) for target in targets], content
        )

    def rows(
        self, model: Model, target: Target, index: int, content: Content
    ) -> list[dict[str, Any]]:
        key = target.key
        return [{"key": key, "style_index": index, **row} for row in self._rows(key, index)]

    def _rows(self, key: str, index: int) -> Sequence[Row]:
        styles = self.choices.get(key, ())
        if index >= len(styles):
            raise SampleError(f"--styles has no choices for '{key}', style {index}")
        return styles[index]


@dataclass(frozen=True)
class ReferenceStyles:
    """One style per example picture, the same for every input.

    Attributes:
        inputs: what the style encoder takes of each picture, batches of one.
        names: the pictures' keys.
        digest: SHA-256 over all their files.
    """

    inputs: Sequence[Mapping[str, Tensor]]
    names: Sequence[str]
    digest: str
    _styles: list[Style] = field(default_factory=list)

    @property
    def num_styles(self) -> int:
        return len(self.inputs)

    def describe(self) -> dict[str, Any]:
        return {"kind": "reference", "names": list(self.names), "sha256": self.digest}

    @torch.inference_mode()
    def encode(self, model: Model) -> None:
        for name, inputs in zip(self.names, self.inputs, strict=True):
            try:
                self._styles.append(model.style_from_reference(**inputs))
            except I2IError:
                raise
            except Exception as error:  # a network raises what it likes
                reason = f"{type(error).__name__}: {error}"
                raise ModelError(f"--style-from: the model failed at '{name}': {reason}") from error

    def make(self, model: Model, targets: Sequence[Target], index: int, content: Content) -> Style:
        return map_tree(
            lambda leaf: leaf.expand(len(targets), *leaf.shape[1:]), self._styles[index]
        )

    def rows(
        self, model: Model, target: Target, index: int, content: Content
    ) -> list[dict[str, Any]]:
        return []


@dataclass(frozen=True)
class MatchedStyles(_NothingShared):
    """One style per input, from the example picture of the same key in `folder`."""

    folder: str
    num_styles: int = 1

    def describe(self) -> dict[str, Any]:
        return {"kind": "matched", "folder": self.folder}

    def make(self, model: Model, targets: Sequence[Target], index: int, content: Content) -> Style:
        (target,) = targets  # examples differ in size, so they come one at a time
        if target.reference is None:
            raise SampleError(f"--style-from has no picture for '{target.key}'")
        return model.style_from_reference(**target.reference)

    def rows(
        self, model: Model, target: Target, index: int, content: Content
    ) -> list[dict[str, Any]]:
        return []


def _beside(content: Content, noise: Tensor) -> Tensor:
    """Return `noise` on the device that holds `content`."""
    devices: list[torch.device] = []
    map_tree(lambda leaf: devices.append(leaf.device), content)
    return noise.to(devices[0]) if devices else noise
