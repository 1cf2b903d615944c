"""What a checkpoint makes of pictures, for sheets of samples and for validation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from i2ikit.model import Model
from i2ikit.training.contract import Fields
from i2ikit.translation.noise import draw_noise


@torch.inference_mode()
def translations(
    model: Model, source: Fields, target: Fields, scope: str, num_styles: int
) -> Iterator[Tensor]:
    """Yield the translations of a picture, (1, 3, H, W) in [-1, 1] each, on the model's device.

    Args:
        model: in eval mode.
        source: of one picture, (1, …) each, on the device.
        target: of its partner, whose style is taken if the model can't draw any.
        scope: what the noise of its styles is drawn by, always the same.
        num_styles: how many are made by a model that draws styles; others make one.
    """
    content = model.encode(**{name: source[name] for name in model.inputs})
    for index in range(num_styles if model.noise_shape else 1):
        style = None
        if model.noise_shape:
            noise = draw_noise(0, scope, index, model.noise_shape)[None]
            device = next(iter(source.values())).device
            style = model.style_from_noise(noise.to(device), content)
        elif model.reference_inputs:
            known = {**source, **target}
            style = model.style_from_reference(**{n: known[n] for n in model.reference_inputs})
        yield model.decode(content, style)
