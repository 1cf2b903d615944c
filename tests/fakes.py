"""Tiny models with exact answers, offered like a plugin's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from i2ikit import (
    RGB,
    Checkpoint,
    InstanceMap,
    LabelMap,
    Model,
    ModelEntry,
    NoOptions,
    Options,
    SizeRule,
    hookimpl,
)
from i2ikit.checkpoints import read_state_dict


class Echo(Model):
    """Gives back the picture."""

    def encode(self, *, image: Tensor) -> Tensor:
        return image

    def decode(self, content: Tensor, style: None) -> Tensor:
        return content


class PaddedEcho(Echo):
    """Gives back the picture, but only takes multiples of 32."""

    size = SizeRule(multiple_of=32, minimum=64)


class FixedEcho(Echo):
    """Gives back the picture, but only takes one size."""

    size = SizeRule(fixed=(16, 24))


class Mirror(Echo):
    """Gives back the picture's mirror image."""

    keeps_places = False

    def decode(self, content: Tensor, style: None) -> Tensor:
        return content.flip(-1)


class TintOptions(Options):
    strength: float = Field(0.5, ge=0, le=1, description="how much of the colour is added")


class Tint(Model):
    """Lays a drawn colour over the picture; an example picture gives its mean colour."""

    Options = TintOptions
    noise_shape = (3,)
    reference_inputs: Mapping[str, RGB] = {"image": RGB()}
    official_range = "stretch"
    options: TintOptions

    def encode(self, *, image: Tensor) -> dict[str, Tensor]:
        return {"image": image}

    def style_from_noise(self, noise: Tensor, content: object) -> Tensor:
        return noise.tanh()

    def style_from_reference(self, *, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3))

    def decode(self, content: dict[str, Tensor], style: Tensor) -> Tensor:
        share = self.options.strength
        return (1 - share) * content["image"] + share * style[:, :, None, None]


class Palette(Tint):
    """Knows the mean colours of a training set, the first few of them."""

    cluster_files = "palette_*"

    def __init__(self, options: TintOptions | None = None) -> None:
        super().__init__(options)
        self.gain = torch.nn.Parameter(torch.ones(1))

    @classmethod
    def read_checkpoint(cls, path: Path, direction: object) -> Checkpoint:
        file = path / "gain.safetensors" if path.is_dir() else path
        return Checkpoint(read_state_dict(file), files=(file,))

    def cluster_features(
        self, examples: Iterable[Mapping[str, Tensor]], num_clusters: int, seed: int
    ) -> dict[str, Tensor]:
        means = [self.style_from_reference(**example) for example in examples]
        return {"colour": torch.cat(means)[:num_clusters]}


class Paint(Model):
    """Paints each instance with a level: chosen, drawn or, without features, its label's."""

    inputs: Mapping[str, LabelMap | InstanceMap] = {"label": LabelMap(5), "instance": InstanceMap()}
    noise_shape = (4,)
    choice_fields = ("instance", "level")

    def encode(self, *, label: Tensor, instance: Tensor) -> dict[str, Tensor]:
        return {"label": label, "instance": instance}

    def style_from_noise(self, noise: Tensor, content: dict[str, Tensor]) -> Tensor:
        return self.style_from_choices(self.choices_from_noise(noise, content), content)

    def choices_from_noise(
        self, noise: Tensor, content: dict[str, Tensor]
    ) -> list[list[dict[str, int]]]:
        return [
            [
                {"instance": int(id_), "level": int(row[place % 4].sigmoid() * 10)}
                for place, id_ in enumerate(ids.unique())
            ]
            for row, ids in zip(noise, content["instance"], strict=True)
        ]

    def style_from_choices(
        self, rows: Sequence[Sequence[Mapping[str, int]]], content: dict[str, Tensor]
    ) -> Tensor:
        painted = torch.zeros_like(content["instance"], dtype=torch.float32)
        for place, chosen in enumerate(rows):
            for row in chosen:
                here = content["instance"][place] == row["instance"]
                painted[place][here] = row["level"] / 10
        return painted

    def decode(self, content: dict[str, Tensor], style: Tensor) -> Tensor:
        return style.expand(-1, 3, -1, -1)


class Fragile(Echo):
    """Fails at black pictures, and answers NaN to white ones."""

    def decode(self, content: Tensor, style: None) -> Tensor:
        if (content == -1).flatten(1).all(1).any():
            raise ValueError("too dark")
        is_white = (content == 1).flatten(1).all(1)
        return torch.where(is_white[:, None, None, None], torch.nan, content)


class OneWay(Echo):
    """Has weights and one direction."""

    def __init__(self, options: NoOptions | None = None) -> None:
        super().__init__(options)
        self.gain = torch.nn.Parameter(torch.ones(1))


class Negative(OneWay):
    """Turns levels round, there and back."""

    directions = ("a2b", "b2a")

    def decode(self, content: Tensor, style: None) -> Tensor:
        return -content


@hookimpl
def i2ikit_models() -> list[ModelEntry]:
    return [
        ModelEntry("echo", model="tests.fakes:Echo"),
        ModelEntry("padded-echo", model="tests.fakes:PaddedEcho"),
        ModelEntry("fixed-echo", model="tests.fakes:FixedEcho"),
        ModelEntry("mirror", model="tests.fakes:Mirror"),
        ModelEntry("tint", model="tests.fakes:Tint", options="tests.fakes:TintOptions"),
        ModelEntry("palette", model="tests.fakes:Palette", options="tests.fakes:TintOptions"),
        ModelEntry("paint", model="tests.fakes:Paint"),
        ModelEntry("fragile", model="tests.fakes:Fragile"),
        ModelEntry("one-way", model="tests.fakes:OneWay"),
        ModelEntry("negative", model="tests.fakes:Negative"),
    ]
