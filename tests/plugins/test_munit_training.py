"""MUNIT's training: the published losses, who learns from which, and files as published."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from i2ikit import loading
from i2ikit.checkpoints import drop_running_statistics, load_strictly
from i2ikit.errors import OptionError
from i2ikit.hookspecs import ModelEntry
from i2ikit.model import Direction, Grey, SizeRule
from i2ikit.options import make_options
from i2ikit.plugins import discover, resolve
from i2ikit.training.stepping import Stepper
from i2ikit.two_domain_training.published import read_yaml
from i2ikit_munit.model import Munit
from i2ikit_munit.training import MunitTraining, MunitTrainingOptions
from tests.two_domain_training.formulas import (
    assert_same,
    batch,
    distance,
    move,
    pictures,
    run,
    seeded,
    sharpen,
    write,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "munit"
TINY = {
    "dim": 4,
    "mlp_dim": 8,
    "style_dim": 3,
    "n_res": 1,
    "dis_dim": 4,
    "n_layer": 2,
    "num_scales": 2,
}


def make(**changed: Any) -> MunitTraining:
    torch.manual_seed(0)
    return MunitTraining(MunitTrainingOptions.model_validate({**TINY, **changed}))


def generators(training: MunitTraining) -> tuple[Munit, Munit]:
    return training.domains.generator("a"), training.domains.generator("b")


def discriminators(training: MunitTraining) -> tuple[nn.Module, nn.Module]:
    return training.domains.discriminator("a"), training.domains.discriminator("b")


@torch.no_grad()
def expected_of_discriminators(
    training: MunitTraining, a: Tensor, b: Tensor, rng: torch.Generator
) -> dict[str, Tensor]:
    gen_a, gen_b = generators(training)
    dis_a, dis_b = discriminators(training)
    style_b = torch.randn(len(a), 3, generator=rng)
    style_a = torch.randn(len(b), 3, generator=rng)
    fake_b = gen_b.dec(gen_a.enc_content(a), gen_b.mlp(style_b))
    fake_a = gen_a.dec(gen_b.enc_content(b), gen_a.mlp(style_a))
    return {
        "dis_a": distance(dis_a, fake_a, 0) + distance(dis_a, a, 1),
        "dis_b": distance(dis_b, fake_b, 0) + distance(dis_b, b, 1),
    }


@torch.no_grad()
def expected_of_generators(
    training: MunitTraining, a: Tensor, b: Tensor, rng: torch.Generator
) -> dict[str, Tensor]:
    """The table of the fact sheet's section 5, with the cycle at its published weight."""
    gen_a, gen_b = generators(training)
    dis_a, dis_b = discriminators(training)
    style_b = torch.randn(len(a), 3, generator=rng)
    style_a = torch.randn(len(b), 3, generator=rng)
    content_a, own_a = gen_a.enc_content(a), gen_a.enc_style(a)
    content_b, own_b = gen_b.enc_content(b), gen_b.enc_style(b)
    fake_b = gen_b.dec(content_a, gen_b.mlp(style_b))
    fake_a = gen_a.dec(content_b, gen_a.mlp(style_a))
    again_a, again_b = gen_b.enc_content(fake_b), gen_a.enc_content(fake_a)
    return {
        "gen_recon_x_a": 10 * (gen_a.dec(content_a, gen_a.mlp(own_a)) - a).abs().mean(),
        "gen_recon_x_b": 10 * (gen_b.dec(content_b, gen_b.mlp(own_b)) - b).abs().mean(),
        "gen_recon_s_a": (gen_a.enc_style(fake_a) - style_a).abs().mean(),
        "gen_recon_s_b": (gen_b.enc_style(fake_b) - style_b).abs().mean(),
        "gen_recon_c_a": (again_a - content_a).abs().mean(),
        "gen_recon_c_b": (again_b - content_b).abs().mean(),
        "gen_cycrecon_x_a": 10 * (gen_a.dec(again_a, gen_a.mlp(own_a)) - a).abs().mean(),
        "gen_cycrecon_x_b": 10 * (gen_b.dec(again_b, gen_b.mlp(own_b)) - b).abs().mean(),
        "gen_adv_a": distance(dis_a, fake_a, 1),
        "gen_adv_b": distance(dis_b, fake_b, 1),
    }


def test_a_step_has_the_published_losses_and_the_second_update_sees_the_first() -> None:
    training, a, b = make(recon_x_cyc_w=10), pictures(1), pictures(2)
    sharpen(training.domains.discriminators)
    drawn = seeded()
    updates = training.updates(*batch(), seeded())
    first = next(updates)
    assert_same(first.losses, expected_of_discriminators(training, a, b, drawn))
    state = drawn.get_state()
    stale = expected_of_generators(training, a, b, drawn)
    move(training, first)
    second = next(updates)
    drawn.set_state(state)
    fresh = expected_of_generators(training, a, b, drawn)
    assert_same(second.losses, fresh)
    assert abs(stale["gen_adv_a"] - fresh["gen_adv_a"]) > 1e-4
    assert (first.optimizers, second.optimizers) == (("dis",), ("gen",))
    assert next(updates, None) is None


def test_terms_without_weight_are_not_listed() -> None:
    training = make(recon_s_w=0, recon_c_w=0)
    _, update = training.updates(*batch(), seeded())
    assert update.losses.keys() == {f"gen_{t}_{d}" for t in ("recon_x", "adv") for d in "ab"}


def test_weights_multiply_their_terms() -> None:
    weights = {"gan_w": 2, "recon_x_w": 20, "recon_s_w": 2, "recon_c_w": 2}
    plain, doubled = (
        [update.losses for update in make(**given).updates(*batch(), seeded())]
        for given in ({}, weights)
    )
    for before, after in zip(plain, doubled, strict=True):
        assert_same(after, {name: 2 * value.detach() for name, value in before.items()})


@pytest.mark.parametrize(("place", "owner"), [(0, "dis"), (1, "gen")])
def test_only_the_owner_of_an_update_learns(
    monkeypatch: pytest.MonkeyPatch, place: int, owner: str
) -> None:
    training = make()
    updates = training.updates
    monkeypatch.setattr(
        training, "updates", lambda *args: itertools.islice(updates(*args), place, place + 1)
    )
    before = {name: value.clone() for name, value in training.named_parameters()}
    Stepper(training, torch.device("cpu"), "fp32").step([batch()], seeded(), 0, 10)
    block = {"dis": "domains.discriminators.", "gen": "domains.generators."}[owner]
    for name, parameter in training.named_parameters():
        if name.startswith(block):
            assert parameter.grad is not None, name
            assert parameter.ndim < 2 or not torch.equal(parameter, before[name]), name
        else:
            assert parameter.grad is None, name
            assert torch.equal(parameter, before[name]), name


def test_optimizers_are_published_adam_and_own_everything_once() -> None:
    training = make()
    owned = [p for o in training.optimizers.values() for g in o.param_groups for p in g["params"]]
    assert len(owned) == len({id(p) for p in owned}) == len(list(training.parameters()))
    for optimizer in training.optimizers.values():
        assert isinstance(optimizer, torch.optim.Adam)
        settings = optimizer.param_groups[0]
        names = ("lr", "betas", "weight_decay")
        assert tuple(settings[name] for name in names) == (1e-4, (0.5, 0.999), 1e-4)


@torch.no_grad()
@pytest.mark.parametrize("layout", ["upstream", "safetensors"])
@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_checkpoint_is_read_back(tmp_path: Path, layout: str, direction: Direction) -> None:
    """With the options that weights can't tell; B's pictures are grey."""
    training = make(activ="lrelu", pad_type="zero", output_dim=1)
    path = write(training.checkpoint(120), tmp_path, layout)
    assert path.stem == "gen_00000120"
    model = loading.load("munit", path, direction).model
    a, b = generators(training)
    here, there = (a, b) if direction == "a2b" else (b, a)
    image = pictures() if direction == "a2b" else pictures()[:, :1]
    noise = torch.randn(2, 3, generator=seeded())
    content = model.encode(image=image)
    output = model.decode(content, model.style_from_noise(noise, content))
    own = there.dec(here.enc_content(image), there.mlp(noise)).expand(-1, 3, -1, -1)
    torch.testing.assert_close(output, own, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["base/gen_00000001.pt", "variant/gen_00120000.pt"])
def test_published_checkpoint_trained_further_keeps_its_keys(name: str) -> None:
    golden = torch.load(GOLDEN / name, weights_only=True)
    found = Munit.read_checkpoint(GOLDEN / name, "a2b")
    settings = read_yaml((GOLDEN / name).parent / "config.yaml", MunitTrainingOptions)
    training = MunitTraining(
        make_options(MunitTrainingOptions, {}, certain=found.options, hints=settings.options)
    )
    for domain, generator in zip("ab", generators(training), strict=True):
        load_strictly(generator, drop_running_statistics(golden[domain]), domain)
    Stepper(training, torch.device("cpu"), "fp32").step([batch(64, 64)], seeded(), 0, 10)
    ((_, tensors),) = training.checkpoint(1).tensors.items()
    for domain in "ab":
        weights = cast("Mapping[str, Tensor]", tensors[domain])
        assert {n: v.shape for n, v in weights.items()} == {
            n: v.shape for n, v in golden[domain].items()
        }
        for n, value in golden[domain].items():
            if "running_" in n or value.ndim > 1:
                assert torch.equal(weights[n], value) == ("running_" in n), n


@pytest.mark.parametrize(
    ("given", "step", "rate"),
    [
        ({}, 0, 1),
        ({}, 99_999, 1),
        ({}, 100_000, 0.5),
        ({}, 250_000, 0.25),
        ({"step_size": 10, "gamma": 0.1}, 25, 0.01),
        ({"lr_policy": "constant"}, 250_000, 1),
    ],
)
def test_rate_is_halved_each_hundred_thousand_steps(
    given: dict[str, Any], step: int, rate: float
) -> None:
    assert make(**given).rate(step, 1_000_000) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("lr", 0), ("beta1", 1), ("gan_w", 0), ("recon_s_w", -1), ("gamma", 2), ("n_layer", 0)),
        *(("gan_type", "wgan"), ("dis_norm", "adain"), ("init", "zeros")),
    ],
)
def test_options_have_bounds(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"-o {name}={value}"):
        make_options(MunitTrainingOptions, {name: value})


def test_facts_follow_the_options() -> None:
    training = make(n_downsample=3, input_dim=1)
    assert (training.size, training.paired) == (SizeRule(multiple_of=8, minimum=16), False)
    assert training.inputs_a == {"image": Grey()}
    assert training.inputs_b == generators(training)[1].inputs


def test_the_least_size_is_the_least_that_goes_through() -> None:
    """The style encoder halves four times; the smallest scale is halved by each layer."""
    assert make().size.minimum == 16
    assert len(list(make().updates(*batch(16, 16), seeded()))) == 2
    assert make(n_layer=4, num_scales=3).size.minimum == 64


def test_training_lowers_what_is_reconstructed() -> None:
    losses = run(make(lr=2e-3), 40)
    for name in ("gen_recon_x_a", "gen_recon_x_b"):
        assert losses[-1][name] < 0.5 * losses[0][name]
    styles = [sum(step[f"gen_recon_s_{d}"] for d in "ab") for step in losses]
    assert sum(styles[-5:]) < sum(styles[:5])


def test_same_seed_gives_the_same_losses() -> None:
    assert run(make(), 3) == run(make(), 3)


def test_fakes_are_made_without_a_graph() -> None:
    """The discriminators' loss leads to no generator."""
    training = make()
    update = next(training.updates(*batch(), seeded()))
    total = sum(update.losses.values(), torch.zeros(()))
    parameters = list(training.domains.generators.parameters())
    assert set(torch.autograd.grad(total, parameters, allow_unused=True)) == {None}


def test_plugin_offers_the_training() -> None:
    entry = discover().find(ModelEntry, "munit")
    assert resolve(entry.training) is MunitTraining


@pytest.mark.parametrize("norm", ["none", "sn"])
def test_discriminators_are_drawn_small_and_generators_as_asked(norm: str) -> None:
    training = make(dis_norm=norm, dis_dim=64, dim=16)
    weights = dict(training.domains.discriminator("a").named_parameters())
    name = "conv.parametrizations.weight.original" if norm == "sn" else "conv.weight"
    assert weights[f"cnns.0.1.{name}"].std().item() == pytest.approx(0.02, rel=0.05)
    conv = training.domains.generator("a").get_parameter("enc_content.model.1.conv.weight")
    assert conv.std().item() == pytest.approx((2 / (16 * 16)) ** 0.5, rel=0.05)


def test_orthogonal_weights_have_the_published_gain() -> None:
    conv = make(init="orthogonal").domains.generator("b").get_parameter("mlp.model.1.fc.weight")
    torch.testing.assert_close(conv @ conv.T, 2 * torch.eye(8), atol=1e-5, rtol=0)


def test_perceptual_loss_compares_a_translation_with_its_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stub(fake: Tensor, source: Tensor) -> Tensor:
        return (fake - 2 * source).square().mean()

    monkeypatch.setattr("i2ikit_munit.training.read_perceptual", lambda options: stub)
    training, (a, b) = make(vgg_w=3), batch()
    _, update = training.updates(a, b, seeded())
    gen_a, gen_b = generators(training)
    rng = seeded()
    torch.randn(4, 3, generator=rng)  # of the discriminators' update
    style_b = torch.randn(2, 3, generator=rng)
    fake = gen_b.dec(gen_a.enc_content(a["image"]), gen_b.mlp(style_b))
    torch.testing.assert_close(update.losses["gen_vgg_b"], 3 * stub(fake, a["image"]))
    assert "gen_vgg_a" in update.losses


def test_perceptual_loss_without_weights_is_refused() -> None:
    with pytest.raises(OptionError, match=r"-o vgg_w=1 needs the weights of VGG16.*-o vgg=FILE"):
        make(vgg_w=1)
