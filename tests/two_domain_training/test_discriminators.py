"""The multi-scale discriminator: published tensors, sizes, norms and losses."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import torch

from i2ikit.two_domain_training.discriminators import MultiScaleDiscriminator
from i2ikit.two_domain_training.options import TwoDomainTrainingOptions
from tests.conftest import GOLDEN
from tests.two_domain_training.formulas import answers, pictures, sharpen


def test_published_discriminators_have_these_tensors() -> None:
    configs = json.loads((GOLDEN / "munit" / "full_config_keys.json").read_text())["configs"]
    with torch.device("meta"):
        dis = MultiScaleDiscriminator(3, TwoDomainTrainingOptions())
    own = {name: list(value.shape) for name, value in dis.state_dict().items()}
    assert all(config["dis"] == own for config in configs.values())


@torch.no_grad()
def test_published_discriminator_gives_maps_of_16_8_and_4() -> None:
    dis = MultiScaleDiscriminator(3, TwoDomainTrainingOptions(dis_dim=1))
    assert [tuple(x.shape) for x in dis(torch.zeros(1, 3, 256, 256))] == [
        (1, 1, side, side) for side in (16, 8, 4)
    ]


@pytest.mark.parametrize(
    ("norm", "names"),
    [
        ("none", set()),
        ("in", set()),
        ("ln", {"norm.gamma", "norm.beta"}),
        ("bn", {"norm.weight", "norm.bias"}),
        ("sn", {"conv.parametrizations.weight.original"}),
    ],
)
def test_norms_spare_the_first_layer_and_the_last(norm: Any, names: set[str]) -> None:
    dis = MultiScaleDiscriminator(3, TwoDomainTrainingOptions(dis_dim=8, dis_norm=norm))
    own = {name for name, _ in dis.named_parameters()}
    plain = {"conv.weight", "conv.bias"} - ({"conv.weight"} if norm == "sn" else set())
    for scale, layer in itertools.product(range(3), (1, 2, 3)):
        prefix = f"cnns.{scale}.{layer}."
        found = {name.removeprefix(prefix) for name in own if name.startswith(prefix)}
        assert found == plain | names
    assert {"cnns.0.0.conv.weight", "cnns.0.4.weight"} <= own
    assert sum(name.startswith("cnns.0.0.") for name in own) == 2
    loss = dis.loss(pictures(1, 64, 64), pictures(2, 64, 64))
    torch.autograd.grad(loss, list(dis.parameters()))


@torch.no_grad()
@pytest.mark.parametrize("size", [(16, 24), (27, 18)])
def test_answers_are_the_published_ones(size: tuple[int, int]) -> None:
    """Also at odd sizes, where halving and averaging meet the border."""
    torch.manual_seed(0)
    dis = MultiScaleDiscriminator(3, TwoDomainTrainingOptions(dis_dim=4, n_layer=2))
    sharpen(dis)
    image = pictures(1, *size)
    for found, expected in zip(dis(image), answers(dis, image), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_cross_entropy_is_offered() -> None:
    """The fact sheet: sigmoid cross entropy instead of squares, summed over the scales."""
    options = TwoDomainTrainingOptions(dis_dim=4, n_layer=2, num_scales=2, gan_type="nsgan")
    torch.manual_seed(0)
    dis, a, b = MultiScaleDiscriminator(3, options), pictures(1), pictures(2)
    sharpen(dis)
    real = torch.stack([-answer.sigmoid().log().mean() for answer in answers(dis, a)]).sum()
    fake = torch.stack([-(1 - answer.sigmoid()).log().mean() for answer in answers(dis, b)]).sum()
    torch.testing.assert_close(dis.loss(a, b), real + fake)
    torch.testing.assert_close(dis.generator_loss(a), real)


@pytest.mark.parametrize(("kind", "deviation"), [("gaussian", 0.02), ("kaiming", (2 / 256) ** 0.5)])
def test_first_weights_are_drawn_as_asked(kind: str, deviation: float) -> None:
    options = TwoDomainTrainingOptions.model_validate({"dis_dim": 16, "dis_init": kind})
    weight = MultiScaleDiscriminator(3, options).state_dict()["cnns.0.1.conv.weight"]
    assert float(weight.std()) == pytest.approx(deviation, rel=0.1)
