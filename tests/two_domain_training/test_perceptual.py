"""The perceptual loss: VGG16's features as published, from either program's file of weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ikit.errors import CheckpointError
from i2ikit.two_domain_training.options import TwoDomainTrainingOptions
from i2ikit.two_domain_training.perceptual import Perceptual, read_perceptual
from tests.two_domain_training.formulas import pictures, seeded

CONVS = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
NAMES = [f"conv{b}_{i}" for b, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)]


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Tensor]]:
    """Files of drawn weights, as torchvision names them and as upstream does, and the latter."""
    folder, rng = tmp_path_factory.mktemp("vgg"), seeded()
    weights: dict[str, Tensor] = {}
    channels = [3, *(64,) * 2, *(128,) * 2, *(256,) * 3, *(512,) * 6]
    for name, narrow, wide in zip(NAMES, channels, channels[1:], strict=False):
        deviation = (2 / (9 * narrow)) ** 0.5
        weights[f"{name}.weight"] = deviation * torch.randn(wide, narrow, 3, 3, generator=rng)
        weights[f"{name}.bias"] = 0.1 * torch.randn(wide, generator=rng)
    places = dict(zip(NAMES, CONVS, strict=True))
    named = {f"features.{places[n.split('.')[0]]}.{n.split('.')[1]}": v for n, v in weights.items()}
    torch.save(named | {"classifier.0.bias": torch.zeros(1)}, folder / "vgg16-397923af.pth")
    torch.save(weights, folder / "vgg16.weight.pth")
    return folder / "vgg16-397923af.pth", folder / "vgg16.weight.pth", weights


def relu5_3(weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    for name in NAMES:
        if name.endswith("_1") and name != "conv1_1":
            x = F.max_pool2d(x, 2)
        x = F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1).relu()
    return x


def whitened(x: Tensor) -> Tensor:
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt()


@torch.no_grad()
@pytest.mark.parametrize("kind", ["torchvision", "caffe"])
def test_perceptual_loss_is_the_published_one(
    vgg: tuple[Path, Path, dict[str, Tensor]], kind: str
) -> None:
    """BGR from 0 to 255 less the mean for upstream's weights; RGB as torchvision trained its."""
    torchvision, caffe, weights = vgg
    one, two = pictures(1, 48, 48, 1), pictures(2, 48, 48, 1)

    def features(image: Tensor) -> Tensor:
        if kind == "caffe":
            means = torch.tensor([103.939, 116.779, 123.68])[:, None, None]
            return whitened(relu5_3(weights, (image + 1).flip(1) * 127.5 - means))
        mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
        x = ((image + 1) / 2 - mean[:, None, None]) / deviation[:, None, None]
        return whitened(relu5_3(weights, x))

    expected = (features(one) - features(two)).square().mean()
    found = Perceptual(torchvision if kind == "torchvision" else caffe)(one, two)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_perceptual_loss_is_read_where_it_has_a_weight(
    vgg: tuple[Path, Path, dict[str, Tensor]],
) -> None:
    """And is no module, so that a training does not save it."""
    options = TwoDomainTrainingOptions(vgg=str(vgg[0]))
    assert read_perceptual(options) is None
    found = read_perceptual(options.model_copy(update={"vgg_w": 1}))
    assert isinstance(found, Perceptual)
    assert not isinstance(found, nn.Module)


def test_only_the_translation_gets_a_gradient(vgg: tuple[Path, Path, dict[str, Tensor]]) -> None:
    """A grey picture is seen as a colour one."""
    fake, source = (pictures(i, 32, 32)[:, :1].requires_grad_() for i in (1, 2))
    loss = Perceptual(vgg[0])(fake, source)
    gradients = torch.autograd.grad(loss, [fake, source], allow_unused=True)
    assert gradients[0].abs().max() > 0
    assert gradients[1] is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"features.0.weight": torch.zeros(64, 3, 3, 3)}, "does not fit the network: 25 missing"),
        ({"conv1_1.weight": torch.zeros(1), "fc6.bias": torch.zeros(1)}, "fc6.bias, which VGG16"),
    ],
)
def test_other_weights_than_vggs_are_refused(
    tmp_path: Path, content: dict[str, Tensor], message: str
) -> None:
    torch.save(content, tmp_path / "vgg.pth")
    with pytest.raises(CheckpointError, match=message):
        Perceptual(tmp_path / "vgg.pth")
