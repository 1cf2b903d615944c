"""UNIT's training: the published losses, who learns from which, and files as published."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from i2ikit import loading
from i2ikit.checkpoints import load_strictly
from i2ikit.errors import OptionError
from i2ikit.hookspecs import ModelEntry
from i2ikit.model import Direction
from i2ikit.options import make_options
from i2ikit.plugins import discover, resolve
from i2ikit.training.stepping import Stepper
from i2ikit.two_domain_training.published import read_yaml
from i2ikit_unit.model import Unit
from i2ikit_unit.training import UnitTraining, UnitTrainingOptions
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

GOLDEN = Path(__file__).parents[1] / "golden" / "unit"
TINY = {"dim": 4, "n_res": 1, "dis_dim": 4, "n_layer": 2, "num_scales": 2}


def make(**changed: Any) -> UnitTraining:
    torch.manual_seed(0)
    return UnitTraining(UnitTrainingOptions.model_validate({**TINY, **changed}))


def generators(training: UnitTraining) -> tuple[Unit, Unit]:
    return training.domains.generator("a"), training.domains.generator("b")


def noisy(mean: Tensor, rng: torch.Generator) -> Tensor:
    return mean + torch.randn(mean.shape, generator=rng)


@torch.no_grad()
def expected_of_discriminators(
    training: UnitTraining, a: Tensor, b: Tensor, rng: torch.Generator
) -> dict[str, Tensor]:
    gen_a, gen_b = generators(training)
    dis_a, dis_b = (training.domains.discriminator("a"), training.domains.discriminator("b"))
    fake_b = gen_b.dec(noisy(gen_a.enc(a), rng))
    fake_a = gen_a.dec(noisy(gen_b.enc(b), rng))
    return {
        "dis_a": distance(dis_a, fake_a, 0) + distance(dis_a, a, 1),
        "dis_b": distance(dis_b, fake_b, 0) + distance(dis_b, b, 1),
    }


@torch.no_grad()
def expected_of_generators(
    training: UnitTraining, a: Tensor, b: Tensor, rng: torch.Generator
) -> dict[str, Tensor]:
    """The table of the fact sheet's section 6, with its noise of section 2."""
    gen_a, gen_b = generators(training)
    dis_a, dis_b = (training.domains.discriminator("a"), training.domains.discriminator("b"))
    mean_a, mean_b = gen_a.enc(a), gen_b.enc(b)
    code_a = noisy(mean_a, rng)
    fake_b = gen_b.dec(code_a)
    again_a = gen_b.enc(fake_b)
    cycle_a = gen_a.dec(noisy(again_a, rng))
    code_b = noisy(mean_b, rng)
    fake_a = gen_a.dec(code_b)
    again_b = gen_a.enc(fake_a)
    cycle_b = gen_b.dec(noisy(again_b, rng))
    return {
        "gen_recon_x_a": 10 * (gen_a.dec(code_a) - a).abs().mean(),
        "gen_recon_x_b": 10 * (gen_b.dec(code_b) - b).abs().mean(),
        "gen_recon_kl_a": 0.01 * (mean_a**2).mean(),
        "gen_recon_kl_b": 0.01 * (mean_b**2).mean(),
        "gen_cyc_x_a": 10 * (cycle_a - a).abs().mean(),
        "gen_cyc_x_b": 10 * (cycle_b - b).abs().mean(),
        "gen_recon_kl_cyc_aba": 0.01 * (again_a**2).mean(),
        "gen_recon_kl_cyc_bab": 0.01 * (again_b**2).mean(),
        "gen_adv_a": distance(dis_a, fake_a, 1),
        "gen_adv_b": distance(dis_b, fake_b, 1),
    }


def test_a_step_has_the_published_losses_and_the_second_update_sees_the_first() -> None:
    training, a, b = make(), pictures(1), pictures(2)
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
    """Upstream crashes on a cycle of weight 0."""
    training = make(recon_x_cyc_w=0, recon_kl_w=0, recon_kl_cyc_w=0)
    _, update = training.updates(*batch(), seeded())
    assert update.losses.keys() == {f"gen_{t}_{d}" for t in ("recon_x", "adv") for d in "ab"}


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


@torch.no_grad()
@pytest.mark.parametrize("layout", ["upstream", "safetensors"])
@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_checkpoint_is_read_back(tmp_path: Path, layout: str, direction: Direction) -> None:
    """With the options that weights can't tell; B's pictures are grey."""
    training = make(activ="lrelu", pad_type="zero", output_dim=1)
    path = write(training.checkpoint(120), tmp_path, layout)
    model = loading.load("unit", path, direction).model
    a, b = generators(training)
    here, there = (a, b) if direction == "a2b" else (b, a)
    image = pictures() if direction == "a2b" else pictures()[:, :1]
    own = there.dec(here.enc(image)).expand(-1, 3, -1, -1)
    torch.testing.assert_close(
        model.decode(model.encode(image=image), None), own, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("name", ["base/gen_00000001.pt", "variant/gen_00120000.pt"])
def test_published_checkpoint_trained_further_keeps_its_keys(name: str) -> None:
    golden = torch.load(GOLDEN / name, weights_only=True)
    found = Unit.read_checkpoint(GOLDEN / name, "a2b")
    settings = read_yaml((GOLDEN / name).parent / "config.yaml", UnitTrainingOptions)
    training = UnitTraining(
        make_options(UnitTrainingOptions, {}, certain=found.options, hints=settings.options)
    )
    for domain, generator in zip("ab", generators(training), strict=True):
        load_strictly(generator, golden[domain], domain)
    Stepper(training, torch.device("cpu"), "fp32").step([batch(64, 64)], seeded(), 0, 10)
    ((_, tensors),) = training.checkpoint(1).tensors.items()
    for domain in "ab":
        weights = cast("Mapping[str, Tensor]", tensors[domain])
        assert {n: v.shape for n, v in weights.items()} == {
            n: v.shape for n, v in golden[domain].items()
        }
        assert not any(torch.equal(weights[n], v) for n, v in golden[domain].items() if v.ndim > 1)


def test_published_settings_are_the_defaults() -> None:
    """But for the golden networks' widths; the unused `recon_h_w` is passed over."""
    settings = read_yaml(GOLDEN / "base" / "config.yaml", UnitTrainingOptions)
    options = make_options(UnitTrainingOptions, settings.options)
    assert options == UnitTrainingOptions(dim=6, n_res=2, dis_dim=6)


def test_munits_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "munit.yaml").write_text("recon_s_w: 1\ngen: {dim: 64, style_dim: 8}\n")
    with pytest.raises(OptionError, match="unknown setting recon_s_w"):
        read_yaml(tmp_path / "munit.yaml", UnitTrainingOptions)


def test_rate_is_halved_each_hundred_thousand_steps() -> None:
    training = make()
    assert [training.rate(step, 10**6) for step in (0, 99_999, 100_000, 200_000)] == [
        1,
        1,
        0.5,
        0.25,
    ]


@pytest.mark.parametrize("name", ["recon_kl_w", "recon_x_cyc_w", "recon_kl_cyc_w", "vgg_w"])
def test_options_have_bounds(name: str) -> None:
    with pytest.raises(OptionError, match=f"-o {name}=-1"):
        make_options(UnitTrainingOptions, {name: -1})


def test_perceptual_loss_compares_a_translation_with_its_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stub(fake: Tensor, source: Tensor) -> Tensor:
        return (fake - 2 * source).square().mean()

    monkeypatch.setattr("i2ikit_unit.training.read_perceptual", lambda options: stub)
    training, (a, b) = make(vgg_w=3), batch()
    _, update = training.updates(a, b, seeded())
    gen_a, gen_b = generators(training)
    rng = seeded()
    torch.randn(2, *gen_a.enc(a["image"]).shape, generator=rng)  # the discriminators' update
    fake = gen_b.dec(noisy(gen_a.enc(a["image"]), rng))
    torch.testing.assert_close(update.losses["gen_vgg_b"], 3 * stub(fake, a["image"]))


def test_training_lowers_what_is_reconstructed() -> None:
    losses = run(make(lr=2e-3), 40)
    for name in ("gen_recon_x_a", "gen_recon_x_b", "gen_cyc_x_a", "gen_cyc_x_b"):
        assert losses[-1][name] < 0.6 * losses[0][name], name


def test_same_seed_gives_the_same_losses() -> None:
    assert run(make(), 3) == run(make(), 3)


def test_plugin_offers_the_training() -> None:
    entry = discover().find(ModelEntry, "unit")
    assert resolve(entry.training) is UnitTraining
