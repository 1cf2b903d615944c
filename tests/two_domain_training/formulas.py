"""What tests of two-domain trainings share: the fact sheets' discriminator, files as written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from i2ikit.training.contract import CheckpointFiles, Training, Update
from i2ikit.training.data import Batch
from i2ikit.training.stepping import Stepper


def pictures(seed: int = 0, height: int = 16, width: int = 24, batch: int = 2) -> Tensor:
    numbers = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))
    return 2 * numbers - 1


def seeded(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(height: int = 16, width: int = 24) -> Batch:
    return {"image": pictures(1, height, width)}, {"image": pictures(2, height, width)}


def move(training: Training, update: Update) -> None:
    """Apply an update by hand."""
    (name,) = update.optimizers
    optimizer = training.optimizers[name]
    parameters = optimizer.param_groups[0]["params"]
    total = sum(update.losses.values(), torch.zeros(()))
    for parameter, gradient in zip(
        parameters, torch.autograd.grad(total, parameters, allow_unused=True), strict=True
    ):
        parameter.grad = gradient
    optimizer.step()


def answers(discriminator: nn.Module, image: Tensor, n_layer: int = 2) -> Iterator[Tensor]:
    """The fact sheet's discriminator, section 5, from nothing but its weights."""
    weights = discriminator.state_dict()
    scales = 1 + max(int(name.split(".")[1]) for name in weights)
    for scale in range(scales):
        x = image
        for layer in range(n_layer):
            name = f"cnns.{scale}.{layer}.conv"
            x = F.pad(x, (1, 1, 1, 1), mode="reflect")
            x = F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride=2)
            x = torch.where(x > 0, x, 0.2 * x)
        name = f"cnns.{scale}.{n_layer}"
        yield F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
        ones = F.avg_pool2d(torch.ones_like(image), 3, 2, padding=1)  # the padding isn't counted
        image = F.avg_pool2d(image, 3, 2, padding=1) / ones


@torch.no_grad()
def sharpen(discriminators: nn.Module) -> None:
    """Make answers differ from picture to picture, which those of drawn weights hardly do."""
    for parameter in discriminators.parameters():
        parameter.mul_(15)


def distance(discriminator: nn.Module, image: Tensor, target: float) -> Tensor:
    squares = [((answer - target) ** 2).mean() for answer in answers(discriminator, image)]
    return torch.stack(squares).sum()


def assert_same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name].detach(), value, atol=1e-5, rtol=1e-5, msg=name)


def write(files: CheckpointFiles, folder: Path, layout: str) -> Path:
    """Write a checkpoint as the loop does; return the file of generators."""
    for name, text in files.texts.items():
        (folder / name).write_text(text)
    ((name, tensors),) = files.tensors.items()
    if layout == "upstream":
        torch.save(tensors, folder / f"{name}{files.suffix}")
        return folder / f"{name}{files.suffix}"
    flat = {
        f"{domain}.{n}": value
        for domain, weights in tensors.items()
        for n, value in cast("Mapping[str, Tensor]", weights).items()
    }
    save_file(flat, folder / f"{name}.safetensors")
    return folder / f"{name}.safetensors"


def run(training: Training, steps: int) -> list[dict[str, float]]:
    """Losses of training between dark and bright noise."""
    stepper, rng = Stepper(training, torch.device("cpu"), "fp32"), seeded()
    batches = [
        ({"image": pictures(i) / 4 - 0.7}, {"image": pictures(~i) / 4 + 0.7}) for i in (1, 2)
    ]
    return [stepper.step([batches[i % 2]], rng, i, steps) for i in range(steps)]
