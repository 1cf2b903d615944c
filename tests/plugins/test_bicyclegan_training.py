"""BicycleGAN's training: the formulas of the paper, and weights that its model reads back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Adam

from i2ikit import Update, load_model
from i2ikit.errors import OptionError
from i2ikit.model import RGB, Grey, SizeRule
from i2ikit.options import make_options
from i2ikit.training.contract import CheckpointFiles, Fields
from i2ikit.training.stepping import Stepper
from i2ikit_bicyclegan.discriminators import Discriminator
from i2ikit_bicyclegan.model import BicycleGan
from i2ikit_bicyclegan.networks import Generator
from i2ikit_bicyclegan.options import BicycleGanOptions
from i2ikit_bicyclegan.training import BicycleGanTraining
from i2ikit_bicyclegan.training_options import BicycleGanTrainingOptions

GOLDEN = Path(__file__).parent.parent / "golden" / "bicyclegan"
#: Weights are large and rates high, so that one update shows in the next.
TINY: dict[str, Any] = {
    "levels": 5,
    "ngf": 4,
    "nz": 3,
    "encoder": "resnet_64",
    "nef": 3,
    "ndf": 4,
    "init_type": "kaiming",
    "lr": 0.01,
}
NO_TERMS: dict[str, Any] = {
    "lambda_L1": 0,
    "lambda_kl": 0,
    "lambda_z": 0,
    "lambda_GAN": 0,
    "lambda_GAN2": 0,
}


def tiny(kind: type[BicycleGanTraining] = BicycleGanTraining, **given: Any) -> BicycleGanTraining:
    torch.manual_seed(3)
    return kind(make_options(BicycleGanTrainingOptions, {**TINY, **given}))


def pictures(side: int = 64, count: int = 4, input_nc: int = 3) -> tuple[Fields, Fields]:
    """Return smooth pictures, and others that follow from them by colour."""
    draws = torch.Generator().manual_seed(4)
    small = torch.rand(count, 3, 4, 4, generator=draws) * 2 - 1
    a = F.interpolate(small, size=(side, side), mode="bilinear")
    return {"image": a[:, :input_nc]}, {"image": -a.roll(1, dims=1)}


def step(
    training: BicycleGanTraining, a: Fields, b: Fields, count: int = 1, seed: int = 5
) -> list[dict[str, float]]:
    """Return the losses of so many steps on one batch."""
    stepper = Stepper(training, torch.device("cpu"), "fp32")
    rng = torch.Generator().manual_seed(seed)
    return [stepper.step([(dict(a), dict(b))], rng, 0, 100) for _ in range(count)]


def answers(weights: dict[str, nn.Parameter], x: Tensor, strides: tuple[int, ...]) -> list[Tensor]:
    """Return what a discriminator of two scales says: four or five convolutions, the middle ones
    normalised, by their published names."""
    results = []
    for scale in ("model_0", "model_1"):
        y = x
        last = 3 * len(strides) - 1
        for index, stride in zip([0, *range(2, last, 3)], strides, strict=True):
            name = f"{scale}.{index}"
            y = F.conv2d(y, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, 1)
            y = F.leaky_relu(F.instance_norm(y) if index else y, 0.2)
        name = f"{scale}.{last}"
        results.append(F.conv2d(y, weights[f"{name}.weight"], weights[f"{name}.bias"], 1, 1))
        x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    return results


class PlainStep:
    """The fact sheet's section 6 in plain torch, on copies of a training's networks."""

    def __init__(self, training: BicycleGanTraining) -> None:
        self.options = training.options
        self.generator = deepcopy(training.generator)
        self.encoder = deepcopy(training.encoder)
        self.weights = {
            name: dict(deepcopy(network).named_parameters())
            for name, network in training.discriminators.items()
        }

    def adam(self, parameters: Iterator[nn.Parameter]) -> Adam:
        return Adam(parameters, lr=self.options.lr, betas=(0.5, 0.999))

    def judge(self, name: str, a: Tensor, b: Tensor, target: float) -> Tensor:
        strides = (2, 2, 2, 1) if self.options.netD == "basic_256_multi" else (2, 2, 1)
        seen = torch.cat([a, b], 1) if self.options.conditional_D else b
        total = torch.zeros(())
        for answer in answers(self.weights[name], seen, strides):
            if self.options.gan_mode == "lsgan":
                total = total + ((answer - target) ** 2).mean()
            else:
                chance = answer.sigmoid() if target else 1 - answer.sigmoid()
                total = total - chance.log().mean()
        return total

    def losses(self, a: Tensor, b: Tensor, noise: Tensor, z: Tensor) -> dict[str, float]:
        half = len(a) // 2
        second = "D" if self.options.use_same_D else "D2"
        of_g, of_e = (self.adam(n.parameters()) for n in (self.generator, self.encoder))
        mu, logvar = self.encoder(b[:half])
        encoded = self.generator(a[:half], mu + torch.exp(logvar / 2) * noise)
        drawn = self.generator(a[:half], z)
        terms = {
            "G_GAN": self.judge("D", a[:half], encoded, 1),
            "G_GAN2": self.judge(second, a[:half], drawn, 1),
            "kl": 0.01 * -0.5 * torch.sum(1 + logvar - mu**2 - torch.exp(logvar)),
            "G_L1": 10 * (encoded - b[:half]).abs().mean(),
        }
        torch.autograd.backward(list(terms.values()))
        of_g.step()
        of_e.step()
        guess, _ = self.encoder(self.generator(a[:half], z))
        terms["z_L1"] = 0.5 * (guess - z).abs().mean()
        encoded, drawn = encoded.detach(), drawn.detach()
        terms["D"] = self.judge("D", a[:half], encoded, 0) + self.judge("D", a[:half], b[:half], 1)
        terms["D2"] = self.judge(second, a[:half], drawn, 0) + self.judge(
            second, a[half:], b[half:], 1
        )
        return {name: float(term.detach()) for name, term in terms.items()}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"conditional_D": True, "input_nc": 1},
        {"gan_mode": "vanilla", "netD": "basic_128_multi", "netD2": "basic_128_multi"},
        {"use_same_D": True},
        {"where_add": "input", "upsample": "bilinear", "nl": "lrelu"},
    ],
    ids=lambda given: "-".join(given) or "default",
)
def test_a_step_has_the_losses_of_the_formulas(given: dict[str, Any]) -> None:
    """Also: the regression of z sees the weights that the first update moved."""
    training = tiny(**given)
    a, b = pictures(input_nc=training.options.input_nc)
    rng = torch.Generator().manual_seed(5)
    torch.randint(2**62, (), generator=rng)  # the seed of dropout
    noise, z = torch.randn(2, 3, generator=rng), torch.randn(2, 3, generator=rng)
    expected = PlainStep(training).losses(a["image"], b["image"], noise, z)
    (losses,) = step(training, a, b)
    assert losses == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_regression_of_z_sees_moved_weights() -> None:
    """Its first value changes with the rate of the update before."""
    slow, fast = (step(tiny(lr=lr), *pictures())[0] for lr in (1e-9, 0.01))
    assert slow["G_L1"] == fast["G_L1"]
    assert abs(slow["z_L1"] - fast["z_L1"]) > 1e-3


class One(BicycleGanTraining):
    """A training of one update a step."""

    number = 0

    def updates(self, a: Fields, b: Fields, rng: torch.Generator) -> Iterator[Update]:
        yield list(super().updates(a, b, rng))[self.number]


@pytest.mark.parametrize(
    ("number", "given", "moved"),
    [
        (0, {}, {"generator", "encoder"}),
        (1, {}, {"generator"}),
        (2, {}, {"discriminators.D", "discriminators.D2"}),
        (0, {"use_same_D": True}, {"generator", "encoder"}),
        (2, {"use_same_D": True}, {"discriminators.D"}),
    ],
)
def test_an_update_moves_the_networks_that_it_names(
    monkeypatch: pytest.MonkeyPatch, number: int, given: dict[str, Any], moved: set[str]
) -> None:
    monkeypatch.setattr(One, "number", number)
    training = tiny(One, **given)
    before = deepcopy(training.state_dict())
    step(training, *pictures())
    for name, parameter in training.named_parameters():
        takes_part = name.startswith(tuple(moved))
        assert (parameter.grad is not None) == takes_part, name
        if takes_part and parameter.dim() > 1:  # a bias before a norm changes nothing
            assert not torch.equal(parameter, before[name]), name
        elif not takes_part:
            assert torch.equal(parameter, before[name]), name


def test_every_network_has_its_optimizer() -> None:
    training = tiny()
    owned = [p for o in training.optimizers.values() for g in o.param_groups for p in g["params"]]
    assert list(training.optimizers) == ["G", "E", "D", "D2"]
    adams = [(o.defaults["lr"], o.defaults["betas"]) for o in training.optimizers.values()]
    assert adams == [(0.01, (0.5, 0.999))] * 4
    assert {id(p) for p in owned} == {id(p) for p in training.parameters()}
    assert len(owned) == len(list(training.parameters()))


@pytest.mark.parametrize(
    ("given", "terms", "optimizers"),
    [
        ({}, {"G_GAN", "G_GAN2", "kl", "G_L1", "z_L1", "D", "D2"}, {"G", "E", "D", "D2"}),
        ({"lambda_GAN2": 0, "lambda_z": 0}, {"G_GAN", "kl", "G_L1", "D"}, {"G", "E", "D"}),
        ({"lambda_GAN": 0}, {"G_GAN2", "kl", "G_L1", "z_L1", "D2"}, {"G", "E", "D2"}),
        ({**NO_TERMS, "lambda_z": 1}, {"z_L1"}, {"G", "E"}),
        ({**NO_TERMS, "lambda_GAN2": 1, "use_same_D": 1}, {"G_GAN2", "D2"}, {"G", "E", "D"}),
        ({**NO_TERMS, "lambda_L1": 1}, {"G_L1"}, {"G", "E"}),
    ],
)
def test_terms_without_weight_are_left_out(
    given: dict[str, Any], terms: set[str], optimizers: set[str]
) -> None:
    training = tiny(**given)
    (losses,) = step(training, *pictures())
    assert (set(losses), set(training.optimizers)) == (terms, optimizers)


def test_discriminators_have_the_published_names_and_shapes() -> None:
    config = json.loads((GOLDEN / "full_config_keys.json").read_text())["configs"]["all.D"]
    options = BicycleGanTrainingOptions()
    with torch.device("meta"):
        network = Discriminator(options, options.netD)
    shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
    assert shapes == config["keys"]


def test_conditional_discriminators_also_see_the_input() -> None:
    training = tiny(conditional_D=True, input_nc=1, num_Ds=1)
    shapes = {
        name: tuple(value.shape) for name, value in training.discriminators.named_parameters()
    }
    assert shapes["D2.model_0.0.weight"] == (4, 4, 4, 4)
    assert "D2.model_1.0.weight" not in shapes


def write(files: CheckpointFiles, folder: Path, suffix: str) -> Path:
    """Write a checkpoint as the loop does, in our format or the original one."""
    for name, tensors in files.tensors.items():
        assert not isinstance(tensors, Tensor)
        if suffix == ".safetensors":
            flat = {key: value for key, value in tensors.items() if isinstance(value, Tensor)}
            save_file(flat, folder / (name + suffix))
        else:
            torch.save(dict(tensors), folder / (name + suffix))
    for name, text in files.texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize(
    "given",
    [
        {"levels": 6, "use_dropout": True},
        {"levels": 6, "upsample": "bilinear", "nl": "elu", "norm": "none"},
        {"where_add": "input", "input_nc": 1, "norm": "batch", "use_dropout": True},
        {"where_add": "input", "nl": "lrelu", "upsample": "bilinear"},
    ],
    ids=lambda given: "-".join(map(str, given.values())),
)
def test_model_reads_the_checkpoint_back(
    given: dict[str, Any], suffix: str, tmp_path: Path
) -> None:
    """Small pictures included, and what no weight tells: activation, channels, size of a style."""
    training = tiny(**given)
    a, b = pictures(input_nc=training.options.input_nc)
    step(training, a, b, count=2)
    files = training.checkpoint(2)
    assert (files.suffix, list(files.texts)) == (".pth", ["opt.txt"])
    model = load_model("bicyclegan", write(files, tmp_path, suffix))
    assert isinstance(model, BicycleGan)
    shared = set(BicycleGanOptions.model_fields) - {"first_inputs"}
    assert model.options.model_dump(include=shared) == training.options.model_dump(include=shared)
    training.eval()
    z = torch.randn(4, 3)
    with torch.inference_mode():
        assert torch.equal(model.decode(a["image"], z), training.generator(a["image"], z))
        style = model.style_from_reference(image=b["image"])
        assert torch.equal(style, training.encoder(b["image"])[0])


@pytest.mark.parametrize(
    "fixture", ["all_unet128", "all_unet256_bilinear", "input_unet128_batchnorm"]
)
def test_published_weights_keep_their_names(fixture: str) -> None:
    """They go on from where they were, for a step."""
    read = BicycleGan.read_checkpoint(GOLDEN / fixture, "a2b")
    given = {"ndf": 2, "use_dropout": True}
    training = BicycleGanTraining(
        make_options(BicycleGanTrainingOptions, given, certain=read.options)
    )
    for letter, network in (("G", training.generator), ("E", training.encoder)):
        network.load_state_dict(torch.load(GOLDEN / fixture / f"latest_net_{letter}.pth"))
    step(training, *pictures(training.options.encoder_side, 2, training.options.input_nc))
    for name, tensors in training.checkpoint(1).tensors.items():
        original = torch.load(GOLDEN / fixture / f"{name}.pth")
        assert not isinstance(tensors, Tensor)
        assert tensors.keys() == original.keys()
        assert any(not torch.equal(tensors[key], original[key]) for key in original)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "rates"),
    [
        ({}, {0: 1, 50: 1, 75: 0.5, 99: 0.02, 100: 0}),
        ({"niter": 25, "niter_decay": 75}, {0: 1, 25: 1, 85: 0.2, 100: 0}),
        ({"niter": 0}, {0: 1, 50: 0.5, 100: 0}),
        ({"niter_decay": 0}, {0: 1, 100: 1}),
    ],
)
def test_rate_is_constant_then_falls_to_zero(
    given: dict[str, Any], rates: dict[int, float]
) -> None:
    training = tiny(**given)
    assert {at: training.rate(at, 100) for at in rates} == pytest.approx(rates)


def test_defaults_are_the_published_ones() -> None:
    options = BicycleGanTrainingOptions()
    assert (options.lr, options.beta1, options.init_type, options.init_gain) == (
        *(0.0002, 0.5),
        *("xavier", 0.02),
    )
    assert (options.lambda_L1, options.lambda_z, options.lambda_kl) == (10, 0.5, 0.01)
    assert (options.lambda_GAN, options.lambda_GAN2, options.num_Ds) == (1, 1, 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"encoder": "none"}, "a training learns styles: it can't be with encoder=none, nz=3"),
        ({"nz": "0"}, "can't be with encoder=resnet_64, nz=0"),
        (NO_TERMS, "are all 0"),
        ({"levels": "7"}, "levels=7 takes multiples of 128, and encoder=resnet_64 reads 64×64"),
        ({"num_Ds": "3"}, r"num_Ds=3 scales needs pictures of 96 pixels, and encoder=resnet_64"),
        ({"lambda_z": "-1"}, "-o lambda_z=-1: Input should be greater than or equal to 0"),
        ({"gan_mode": "wgangp"}, "-o gan_mode=wgangp: Input should be 'lsgan' or 'vanilla'"),
        ({"lr": "0"}, "-o lr=0: Input should be greater than 0"),
    ],
)
def test_options_out_of_bounds_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        tiny(**given)


def test_facts_follow_the_options() -> None:
    training = tiny(input_nc=1)
    assert (training.inputs_a, training.inputs_b) == ({"image": Grey()}, {"image": RGB()})
    assert (training.paired, training.size) == (True, SizeRule(fixed=(64, 64)))


@pytest.mark.parametrize(("where_add", "levels", "dropouts"), [("all", 8, 3), ("input", 6, 1)])
def test_dropout_is_for_training_and_has_no_names(
    where_add: str, levels: int, dropouts: int
) -> None:
    given = {**TINY, "where_add": where_add, "levels": levels, "encoder": "resnet_256"}
    options = make_options(BicycleGanTrainingOptions, given)
    plain, dropping = Generator(options), Generator(options, use_dropout=True)
    dropping.load_state_dict(plain.state_dict())
    assert sum(isinstance(layer, nn.Dropout) for layer in dropping.modules()) == dropouts
    inputs = torch.rand(1, 3, 2**levels, 2**levels), torch.rand(1, 3)
    assert not torch.equal(dropping(*inputs), dropping(*inputs))
    assert torch.equal(dropping.eval()(*inputs), plain.eval()(*inputs))


@pytest.mark.parametrize(
    ("term", "given"),
    [
        ("G_L1", {"init_type": "normal", "upsample": "bilinear", "ngf": 8}),
        ("z_L1", {**NO_TERMS, "lambda_z": 1, "nef": 8}),
    ],
)
def test_steps_learn_colours_and_to_show_z(term: str, given: dict[str, Any]) -> None:
    losses = [one[term] for one in step(tiny(lr=0.005, **given), *pictures(), count=40)]
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])


def test_dropout_is_asked_for() -> None:
    """With it, losses depend on the seed of dropout too."""
    plain, dropping = (step(tiny(levels=6, use_dropout=on), *pictures())[0] for on in (0, 1))
    assert plain["kl"] == dropping["kl"]
    assert plain["G_L1"] != dropping["G_L1"]


def test_same_seed_gives_the_same_losses() -> None:
    """With dropout, which follows the seed too."""
    one, same, other = (
        step(tiny(use_dropout=True, levels=6), *pictures(), count=3, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one == same != other
