"""pix2pixHD's training against the fact sheet's formulas, written out in plain torch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from i2ikit.errors import CheckpointError, OptionError
from i2ikit.hookspecs import ModelEntry
from i2ikit.loading import load_model
from i2ikit.model import RGB, InstanceMap, LabelMap, SizeRule
from i2ikit.options import make_options
from i2ikit.plugins import discover, resolve
from i2ikit.training.contract import CheckpointFiles, Training
from i2ikit.training.stepping import Stepper
from i2ikit_pix2pixhd.discriminators import MultiscaleDiscriminator, feature_matching
from i2ikit_pix2pixhd.model import Pix2PixHD
from i2ikit_pix2pixhd.networks import norm_factory
from i2ikit_pix2pixhd.training import Pix2PixHDTraining
from i2ikit_pix2pixhd.training_options import Pix2PixHDTrainingOptions
from tests.plugins.test_pix2pixhd import FULL, GOLDEN
from tests.plugins.test_pix2pixhd import load as load_golden

TINY: dict[str, Any] = {
    **dict.fromkeys(("n_downsample_global", "n_downsample_encoder"), 1),
    **dict.fromkeys(("n_blocks_global", "n_blocks_local"), 1),
    **dict.fromkeys(("ngf", "nef", "ndf"), 4),
    "label_nc": 3,
    "n_layers_D": 2,
}
FEATURES = {"feat_num": 2}
LABEL_FEATURES = {"feat_num": 2, "label_feat": True}
LOCAL = {"n_local_enhancers": 1}
RGB_ONLY = {"label_nc": 0, "no_instance": True}
STAGES = ((0, 2), (5, 7), (10, 12, 14, 16), (19, 21, 23, 25), (28,))
Sides = tuple[dict[str, Tensor], dict[str, Tensor]]


def make(seed: int = 0, **given: Any) -> Pix2PixHDTraining:
    torch.manual_seed(seed)
    return Pix2PixHDTraining(make_options(Pix2PixHDTrainingOptions, TINY | given))


def batch(training: Training, seed: int = 0, side: int = 16) -> Sides:
    rng = torch.Generator().manual_seed(seed)
    image = torch.rand(2, 3, side, side, generator=rng) * 2 - 1
    a = {}
    if "label" in training.inputs_a:
        a["label"] = torch.randint(3, (2, 1, side, side), generator=rng)
    if "instance" in training.inputs_a:
        a["instance"] = torch.arange(side).repeat(2, 1, side, 1) // 5 + 1000 * a["label"]
    if "image" in training.inputs_a:
        a["image"] = image.flip(1)
    return a, {"image": image}


def steps(training: Training, data: Sides, count: int, total: int = 100) -> list[dict[str, float]]:
    stepper = Stepper(training, torch.device("cpu"), "fp32")
    rng = torch.Generator().manual_seed(1)
    return [stepper.step([data], rng, step, total) for step in range(count)]


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file named as VGG19's, two or three channels wide."""
    rng, weights, channels = torch.Generator().manual_seed(5), {}, 3
    for width, stage in zip((2, 3, 3, 2, 3), STAGES, strict=True):
        for index in stage:
            kernel = torch.randn(width, channels, 3, 3, generator=rng) * 0.5
            weights[f"features.{index}.weight"] = kernel
            weights[f"features.{index}.bias"] = torch.rand(width, generator=rng) * 0.1
            channels = width
    weights["features.30.weight"] = weights["classifier.0.weight"] = torch.zeros(1)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(weights, path)
    return path


# -- the fact sheet, written out


def plain_planes(a: dict[str, Tensor]) -> Tensor:
    if "image" in a:
        return a["image"]
    label = F.one_hot(a["label"][:, 0], 3).permute(0, 3, 1, 2).float()
    around = F.pad(a["instance"].float(), (1, 1, 1, 1), mode="replicate")
    middle = around[..., 1:-1, 1:-1]
    edges = middle != around[..., 1:-1, 2:]
    for other in (around[..., 1:-1, :-2], around[..., 2:, 1:-1], around[..., :-2, 1:-1]):
        edges = edges | (middle != other)
    return torch.cat([label, edges.float()], 1)


def plain_pooled(encoded: Tensor, ids: Tensor) -> Tensor:
    out = torch.zeros_like(encoded)
    for index, own in enumerate(ids):
        for value in own.unique():
            mask = (own == value).float()
            mean = (encoded[index] * mask).sum((1, 2), keepdim=True) / mask.sum()
            out[index] = out[index] + mean * mask
    return out


def plain_judgement(weights: dict[str, Tensor], x: Tensor) -> list[list[Tensor]]:
    """Two scales; two layers that halve, one that doesn't, one that answers."""
    scales = []
    for scale in (1, 0):
        y, outputs = x, []
        for layer, stride in enumerate((2, 2, 1, 1)):
            name = f"scale{scale}_layer{layer}.0"
            y = F.conv2d(y, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, 2)
            if layer in (1, 2):
                y = F.instance_norm(y)
            if layer < 3:
                y = F.leaky_relu(y, 0.2)
            outputs.append(y)
        scales.append(outputs)
        x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    return scales


def plain_vgg(path: Path, fake: Tensor, real: Tensor) -> Tensor:
    weights, total = torch.load(path), torch.zeros(())
    for stage, factor in zip(STAGES, (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), strict=True):
        for index in stage:
            conv = weights[f"features.{index}.weight"], weights[f"features.{index}.bias"]
            fake, real = (F.relu(F.conv2d(x, *conv, padding=1)) for x in (fake, real))
            if index == stage[0]:
                total = total + factor * (fake - real).abs().mean()
        if stage != STAGES[-1]:
            fake, real = F.max_pool2d(fake, 2), F.max_pool2d(real, 2)
    return total


def plain_gan(judgement: list[list[Tensor]], target: float, *, lsgan: bool) -> Tensor:
    total = torch.zeros(())
    for outputs in judgement:
        if lsgan:
            total = total + ((outputs[-1] - target) ** 2).mean()
        else:
            p = torch.sigmoid(outputs[-1])
            total = total - (target * p.log() + (1 - target) * (1 - p).log()).mean()
    return total


def backward(losses: Mapping[str, Tensor], inputs: list[Tensor] | None = None) -> None:
    total = torch.stack(list(losses.values())).sum()
    total.backward(inputs=inputs)  # type: ignore[no-untyped-call]


def plain_steps(training: Pix2PixHDTraining, data: Sides, count: int) -> list[dict[str, float]]:
    """Upstream's step: the discriminators see the picture made before the generator moved."""
    options, (a, b) = training.options, data
    model = copy.deepcopy(training.model)
    weights = {n: v.detach().clone() for n, v in training.discriminator.state_dict().items()}
    for value in weights.values():
        value.requires_grad_()
    moves = torch.optim.Adam(model.parameters(), 2e-4, (0.5, 0.999))
    judges = torch.optim.Adam(weights.values(), 2e-4, (0.5, 0.999))
    planes, real, logged = plain_planes(a), b["image"], []
    for _ in range(count):
        x = planes
        if options.feat_num:
            ids = a["label" if options.label_feat else "instance"]
            x = torch.cat([planes, plain_pooled(model.encoder(real), ids)], 1)
        fake = model.generator(x)
        on_fake = plain_judgement(weights, torch.cat([planes, fake], 1))
        on_real = plain_judgement(weights, torch.cat([planes, real], 1))
        terms = {"G_GAN": plain_gan(on_fake, 1, lsgan=not options.no_lsgan)}
        if options.lambda_feat:
            terms["G_GAN_Feat"] = torch.zeros(())
            for one, other in zip(on_fake, on_real, strict=True):
                for output, wanted in zip(one[:-1], other[:-1], strict=True):
                    l1 = (output - wanted.detach()).abs().mean()
                    terms["G_GAN_Feat"] = terms["G_GAN_Feat"] + (4 / 3) * (1 / 2) * 10 * l1
        if options.vgg:
            terms["G_VGG"] = 10 * plain_vgg(Path(options.vgg), fake, real)
        on_detached = plain_judgement(weights, torch.cat([planes, fake.detach()], 1))
        halves = {
            "D_fake": plain_gan(on_detached, 0, lsgan=not options.no_lsgan) / 2,
            "D_real": plain_gan(on_real, 1, lsgan=not options.no_lsgan) / 2,
        }
        for optimizer in (moves, judges):
            optimizer.zero_grad()
        backward(halves, list(weights.values()))
        backward(terms, list(model.parameters()))
        moves.step()
        judges.step()
        logged.append({name: value.item() for name, value in (terms | halves).items()})
    return logged


@pytest.mark.parametrize(
    "given",
    [{}, FEATURES, LABEL_FEATURES, RGB_ONLY, LOCAL, {"no_lsgan": True}, {"lambda_feat": 0}],
)
def test_three_steps_are_the_fact_sheets(given: dict[str, Any]) -> None:
    """Each term of each step; later ones see what the optimizers did."""
    training = make(**given)
    data = batch(training)
    expected = plain_steps(training, data, 3)
    found = steps(training, data, 3)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-5)
    assert found[0]["D_fake"] != pytest.approx(found[2]["D_fake"], rel=1e-4)


def test_the_vgg_loss_is_the_fact_sheets(vgg: Path) -> None:
    """From pictures of 32 pixels, as the fifth stage sees them sixteen times smaller."""
    training = make(vgg=str(vgg), **FEATURES)
    data = batch(training, side=32)
    expected = plain_steps(training, data, 2)
    assert steps(training, data, 2)[1] == pytest.approx(expected[1], rel=1e-5, abs=1e-5)
    assert expected[1]["G_VGG"] > 0.01


@pytest.mark.parametrize(
    ("given", "terms"),
    [
        ({}, ["G_GAN", "G_GAN_Feat", "D_fake", "D_real"]),
        ({"lambda_feat": 0}, ["G_GAN", "D_fake", "D_real"]),
        ({"no_ganFeat_loss": True}, ["G_GAN", "D_fake", "D_real"]),
    ],
)
def test_terms_without_weight_are_not_there(given: dict[str, Any], terms: list[str]) -> None:
    """Not even as zeros."""
    training = make(**given)
    assert list(steps(training, batch(training), 1)[0]) == terms


def test_a_vgg_file_is_only_read_if_its_loss_has_weight(vgg: Path) -> None:
    """Its weights are no part of the training's state."""
    assert make(vgg=str(vgg), lambda_feat=0).vgg_loss is None
    training = make(vgg=str(vgg))
    assert not any("vgg" in name for name in training.state_dict())
    assert not any("vgg" in name for name, _ in training.named_parameters())
    assert any("vgg" in name for name, _ in training.named_buffers())


# -- who owns what


@pytest.mark.parametrize(("given", "parts"), [(FEATURES, "GED"), (LOCAL, "GD")])
def test_each_update_moves_what_its_optimizer_owns(given: dict[str, Any], parts: str) -> None:
    """The encoder moves with the generator; every parameter belongs to one optimizer."""
    training = make(**given)
    stepper = Stepper(training, torch.device("cpu"), "fp32")
    owned = {
        name: {id(p) for group in optimizer.param_groups for p in group["params"]}
        for name, optimizer in training.optimizers.items()
    }
    assert owned["generator"] == {id(p) for p in training.model.parameters()}
    assert owned["discriminator"] == {id(p) for p in training.discriminator.parameters()}
    assert hasattr(training.model, "encoder") == ("E" in parts)
    a, b = batch(training)
    updates = training.updates(a, b, torch.Generator())
    before = {name: value.clone() for name, value in training.state_dict().items()}
    for name in ("generator", "discriminator"):
        update = next(updates)
        assert list(update.optimizers) == [name]
        stepper._clear([*owned])
        stepper._differentiate([name], update.losses, 1)
        graded = {id(p) for p in training.parameters() if p.grad is not None}
        assert graded == owned[name]
        stepper._move([name])
        moved = {
            n for n, value in training.state_dict().items() if not torch.equal(value, before[n])
        }
        expected = ("model.",) if name == "generator" else ("model.", "discriminator.")
        assert moved
        assert all(n.startswith(expected) for n in moved)
        assert {n for n, _ in training.named_parameters() if n.startswith(expected)} == moved
    assert next(updates, None) is None


def test_discriminators_see_no_graph_of_the_generator() -> None:
    """Their loss has no gradient for it."""
    training = make(**FEATURES)
    updates = training.updates(*batch(training), torch.Generator())
    next(updates)
    backward(next(updates).losses)
    assert all(p.grad is None for p in training.model.parameters())
    assert all(p.grad is not None for p in training.discriminator.parameters())


def test_matched_features_of_the_real_picture_are_constants() -> None:
    """Four times the mean over layers and scales, but for the answers."""
    fake, real = (torch.tensor([value], requires_grad=True) for value in (3.0, 1.0))
    loss = feature_matching([[fake, fake, fake]] * 2, [[real, real, 9 * real]] * 2)
    backward({"G_GAN_Feat": loss})
    assert (loss.item(), fake.grad, real.grad) == (8, torch.tensor([4.0]), None)


@pytest.mark.parametrize("share", [0.5, 2])
def test_the_global_part_waits(share: float) -> None:
    """Half of four steps, or two: then everything moves. The encoder never waits."""
    training = make(niter_fix_global=share, **LOCAL, **FEATURES)
    stepper = Stepper(training, torch.device("cpu"), "fp32")
    data, rng = batch(training), torch.Generator().manual_seed(0)
    moved = []
    for step in range(3):
        before = {name: p.detach().clone() for name, p in training.model.named_parameters()}
        stepper.step([data], rng, step, 4)
        named = training.model.named_parameters()
        moved.append({name for name, p in named if not torch.equal(p, before[name])})
    first = {name for name in before if name.startswith(("generator.model1_", "encoder."))}
    assert moved == [first, first, set(before)]


# -- checkpoints


def write(files: CheckpointFiles, folder: Path, *, original: bool) -> Path:
    folder.mkdir(exist_ok=True)
    for name, tree in files.tensors.items():
        tensors = {n: v.clone() for n, v in tree.items() if isinstance(v, Tensor)}
        assert len(tensors) == len(tree)
        if original:
            torch.save(tensors, folder / f"{name}{files.suffix}")
        else:
            save_file(tensors, folder / f"{name}.safetensors")
    for name, text in files.texts.items():
        (folder / name).write_text(text)
    return folder


def generated(training: Pix2PixHDTraining, data: Sides) -> Tensor:
    model = copy.deepcopy(training.model).eval()
    with torch.no_grad():
        content = model.encode(**data[0])
        training_style = training._style(data[1]["image"], content)
        return model.decode(content, training_style)


@pytest.mark.parametrize("original", [True, False])
@pytest.mark.parametrize(
    "given",
    [
        *({}, FEATURES, LABEL_FEATURES, RGB_ONLY, LOCAL, LOCAL | FEATURES, {"norm": "batch"}),
        {"n_local_enhancers": 2, "no_instance": True},
    ],
)
def test_checkpoints_are_read_back(
    tmp_path: Path, given: dict[str, Any], *, original: bool
) -> None:
    """Strictly, with the options that weights can't tell; the picture is the training's."""
    training = make(**given)
    data = batch(training)
    steps(training, data, 1)
    model = load_model("pix2pixhd", write(training.checkpoint(1), tmp_path, original=original))
    assert isinstance(model, Pix2PixHD)
    style = None
    if training.options.feat_num:
        kind = training.options.pooled_by
        style = model.style_from_reference(image=data[1]["image"], **{kind: data[0][kind]})
    assert model.inputs == training.inputs_a
    assert torch.equal(model.decode(model.encode(**data[0]), style), generated(training, data))


def structure(fixture: str) -> dict[str, Any]:
    """Return a golden checkpoint's options, five label classes unless it takes pictures."""
    read = Pix2PixHD.read_checkpoint(GOLDEN / fixture, "a2b").options
    given = {name: value for name, value in read.items() if name != "num_clusters"}
    inputs = RGB_ONLY if fixture.startswith("rgb") else {"label_nc": 5}
    return given | inputs | ({"label_feat": True} if "label" in fixture else {})


@pytest.mark.parametrize(
    "fixture", ["global_a", "local_a", "local_b", "rgb_batchnorm", "feat_instance"]
)
def test_golden_checkpoints_keep_their_keys(fixture: str) -> None:
    """Trained further, files have the names and shapes that they had; weights come from them."""
    training = make(load_pretrain=str(GOLDEN / fixture), **structure(fixture))
    start = {name: value.clone() for name, value in training.model.state_dict().items()}
    golden = load_golden(GOLDEN / fixture).state_dict()
    assert all(torch.equal(value, golden[name]) for name, value in start.items())
    steps(training, batch(training, side=32), 1)
    for name, tensors in training.checkpoint(1).tensors.items():
        original = torch.load(GOLDEN / fixture / f"{name}.pth")
        shapes = {n: tuple(v.shape) for n, v in original.items()}
        assert {n: tuple(v.shape) for n, v in tensors.items() if isinstance(v, Tensor)} == shapes


@pytest.mark.parametrize("config", ["label2city_512p", "label2city_1024p"])
def test_discriminators_have_the_originals_names_and_shapes(config: str) -> None:
    """At the published size."""
    network = FULL[f"{config}.D"]["network"]
    in_channels, width, *depths = (
        network[name] for name in ("input_nc", "ndf", "n_layers_D", "num_D")
    )
    with torch.device("meta"):
        norm = norm_factory("instance", "stored")
        judge = MultiscaleDiscriminator(in_channels, width, depths[0], depths[1], norm)
    shapes = {name: list(value.shape) for name, value in judge.state_dict().items()}
    assert shapes == FULL[f"{config}.D"]["keys"]


@pytest.mark.parametrize("given", [{}, FEATURES, {"norm": "batch"}])
def test_a_local_enhancer_starts_from_a_global_checkpoint(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    """All but its head; twice, from coarse to fine; the enhancer's own weights are drawn."""
    coarse = make(1, ngf=8, **given)
    folder = write(coarse.checkpoint(0), tmp_path / "0", original=True)
    one = make(2, load_pretrain=str(folder), **given, **LOCAL)
    known = dict(coarse.model.state_dict())
    shared = [n for n in one.model.state_dict() if not n.startswith("generator.model1_")]
    left = set(known) - set(shared)
    assert {name.rpartition(".")[2] for name in left} == {"weight", "bias"}
    assert len(left) == 2
    assert all(torch.equal(one.model.state_dict()[name], known[name]) for name in shared)
    folder = write(one.checkpoint(0), tmp_path / "1", original=False)
    two = make(3, load_pretrain=str(folder), ngf=2, n_local_enhancers=2, **given)
    known = dict(one.model.state_dict())
    shared = [n for n in two.model.state_dict() if not n.startswith("generator.model2_")]
    assert set(known) - set(shared) == {"generator.model1_2.5.weight", "generator.model1_2.5.bias"}
    assert all(torch.equal(two.model.state_dict()[name], known[name]) for name in shared)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, r"does not fit the network: \d+ of another shape"),
        (LOCAL | {"ngf": 4, "n_blocks_global": 3}, "does not fit the network: .* missing"),
        ({"ngf": 8, "n_blocks_global": 1}, "does not fit the network"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(given: dict[str, Any], sentence: str) -> None:
    """Nothing is loaded in part."""
    base = structure("global_a") | {"input_nc": None}
    with pytest.raises(CheckpointError, match=sentence):
        make(load_pretrain=str(GOLDEN / "global_a"), **(base | {"ngf": 4} | given))


def test_a_start_without_its_encoder_is_refused(tmp_path: Path) -> None:
    """The generator knows its features; new ones would mean something else."""
    folder = write(make(**FEATURES).checkpoint(0), tmp_path, original=True)
    (folder / "opt.txt").unlink()
    (folder / "latest_net_E.pth").unlink()
    with pytest.raises(CheckpointError, match="has no encoder, though features are to be learned"):
        make(load_pretrain=str(folder), **FEATURES)


def test_missing_files_are_named(tmp_path: Path) -> None:
    """Before any step."""
    nowhere = str(tmp_path / "nowhere")
    for given in ({"load_pretrain": nowhere}, {"vgg": nowhere}):
        with pytest.raises(CheckpointError, match="nowhere does not exist"):
            make(0, **given)
    with pytest.raises(
        CheckpointError, match=r"is not torchvision's VGG19: no features\.0\.weight"
    ):
        make(vgg=str(GOLDEN / "global_a" / "latest_net_G.pth"))


# -- facts and options


def test_the_rate_is_constant_for_half_of_the_steps_and_falls_to_nothing() -> None:
    training = make()
    rates = [training.rate(step, 200) for step in (0, 50, 100, 150, 199, 200)]
    assert rates == pytest.approx([1, 1, 1, 0.5, 0.01, 0])


def test_defaults_are_the_published_ones() -> None:
    """The full-size networks' shapes are checked elsewhere."""
    options = Pix2PixHDTrainingOptions()
    assert (options.num_labels, options.has_edges, options.ngf, options.nef) == (35, True, 64, 16)
    assert (options.num_D, options.n_layers_D, options.ndf) == (2, 3, 64)
    assert (options.lr, options.beta1, options.lambda_feat) == (2e-4, 0.5, 10)
    training = make()
    for optimizer in training.optimizers.values():
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (2e-4, (0.5, 0.999))


def test_first_weights_are_drawn_as_published() -> None:
    """N(0, 0.02), and N(1, 0.02) for the scales of batch norm."""
    training = make(norm="batch", ngf=16, **FEATURES)
    for part in (training.model.generator, training.model.encoder, training.discriminator):
        convs = [v for v in part.state_dict().values() if v.dim() == 4]
        values = torch.cat([value.flatten() for value in convs])
        assert values.std().item() == pytest.approx(0.02, rel=0.1)
    scales = [v for n, v in training.model.state_dict().items() if n.endswith(".2.weight")]
    assert all(0 < (value - 1).abs().mean().item() < 0.1 for value in scales)


def test_facts_follow_the_options() -> None:
    """What is asked of each domain, and the sizes."""
    assert make().inputs_a == {"label": LabelMap(3), "instance": InstanceMap()}
    assert make(no_instance=True).inputs_a == {"label": LabelMap(3)}
    assert make(**RGB_ONLY).inputs_a == {"image": RGB()}
    assert make(no_instance=True, **FEATURES).inputs_a.keys() == {"label", "instance"}
    assert make().inputs_b == {"image": RGB()}
    assert make().paired
    assert make(n_local_enhancers=2).size == SizeRule(multiple_of=8, minimum=16)
    assert make(n_downsample_encoder=4, **FEATURES).size == SizeRule(multiple_of=16, minimum=32)
    assert make(n_downsample_encoder=4).size == SizeRule(multiple_of=2, minimum=4)


@pytest.mark.parametrize(
    "given",
    [{}, LOCAL, {"n_downsample_global": 4}, {"num_D": 5}, {"n_downsample_encoder": 4, **FEATURES}],
)
def test_the_least_size_goes_through(given: dict[str, Any]) -> None:
    training = make(**given)
    assert steps(training, batch(training, side=training.size.minimum), 1)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"num_d": 3}, r"unknown option -o num_d \(did you mean 'num_D'"),
        ({"num_D": 0}, "-o num_D=0: Input should be greater than or equal to 1"),
        ({"beta1": 1}, "-o beta1=1: Input should be less than 1"),
        ({"lr": 0}, "-o lr=0: Input should be greater than 0"),
        ({"lambda_feat": -1}, "-o lambda_feat=-1"),
        ({"niter_fix_global": 0.1}, "niter_fix_global needs local enhancers"),
        ({"num_clusters": (3,), **FEATURES}, "clusters are made after it"),
        ({"input_nc": 9}, "but the weights take 9"),
    ],
)
def test_options_have_bounds(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        make(**given)


def test_the_entry_names_the_training() -> None:
    entry = discover().find(ModelEntry, "pix2pixhd")
    assert resolve(entry.training) is Pix2PixHDTraining


# -- learning


@pytest.mark.parametrize("given", [{}, FEATURES])
def test_some_steps_lower_the_reconstruction(given: dict[str, Any]) -> None:
    """Label classes have a colour each; two trainings of one seed agree to the bit."""
    colours = torch.tensor([[0.9, -0.8, 0.1], [-0.7, 0.6, 0.9], [0.0, 0.9, -0.9]])

    def run() -> tuple[list[dict[str, float]], list[float]]:
        training = make(lr=2e-3, **given)
        a, _ = batch(training)
        a["label"] = (torch.arange(16) // 6).repeat(2, 1, 16, 1)
        data = a, {"image": colours[a["label"][:, 0]].permute(0, 3, 1, 2).contiguous()}
        before = (generated(training, data) - data[1]["image"]).abs().mean().item()
        losses = steps(training, data, 40)
        after = (generated(training, data) - data[1]["image"]).abs().mean().item()
        return losses, [before, after]

    losses, (before, after) = run()
    assert after < 0.6 * before
    assert run()[0] == losses
