"""BicycleGAN: the original program's numbers, and checkpoints read for what they are."""

from __future__ import annotations

import json
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from i2ikit import load_model
from i2ikit.errors import CheckpointError, ModelError, OptionError
from i2ikit.model import RGB, Grey, SizeRule
from i2ikit_bicyclegan.model import BicycleGan
from i2ikit_bicyclegan.networks import Generator, ResidualBlock, StyleEncoder
from i2ikit_bicyclegan.options import BicycleGanOptions

GOLDEN = Path(__file__).parent.parent / "golden" / "bicyclegan"
#: What the weights of a fixture can't tell.
FIXTURES: dict[str, dict[str, Any]] = {
    "all_unet128": {},
    "all_unet256_bilinear": {},
    "input_unet128_batchnorm": {},
    "input_unet128_lrelu": {"nz": 8, "nl": "lrelu"},
}
TINY: dict[str, Any] = {"levels": 5, "ngf": 2, "nz": 3, "nef": 2}


@cache
def golden(fixture: str) -> dict[str, Tensor]:
    return load_file(GOLDEN / fixture / "golden.safetensors")


def load(path: Path, **given: Any) -> BicycleGan:
    model = load_model("bicyclegan", path, options=given)
    assert isinstance(model, BicycleGan)
    return model


@cache
def golden_model(fixture: str) -> BicycleGan:
    return load(GOLDEN / fixture, **FIXTURES[fixture])


def golden_picture(fixture: str, image: str, side: str) -> Tensor:
    """Return a golden input; runs that store none have those of `plain`."""
    for name in (image, "plain." + image.partition(".")[2]):
        if (stored := golden(fixture).get(f"{name}.{side}")) is not None:
            return stored
        if (pixels := golden(fixture).get(f"{name}.{side}_uint8")) is not None:
            return (pixels.float() / 255 - 0.5) / 0.5
    raise AssertionError(f"{fixture} has no {side} for {image}")


def golden_outputs() -> list[tuple[str, str]]:
    """Return fixture and name of every picture that a generator made."""
    return [
        (fixture, name)
        for fixture in FIXTURES
        for name in sorted(golden(fixture))
        if ".fake" in name and "saved" not in name
    ]


def encoded_images() -> list[tuple[str, str]]:
    return [
        (fixture, name.removesuffix(".mu"))
        for fixture in FIXTURES
        for name in sorted(golden(fixture))
        if name.endswith(".mu")
    ]


@pytest.mark.parametrize(("fixture", "name"), golden_outputs())
@torch.inference_mode()
def test_pictures_are_those_of_the_original(fixture: str, name: str) -> None:
    """Runs with drawn, encoded and shared styles, square and wide."""
    model = golden_model(fixture)
    image, _, row = name.partition(".fake")
    step = 4 if row.endswith("_sub4") else 1
    noise = golden(fixture)[f"{image}.z_used"][[int(row.removesuffix("_sub4"))]]
    content = model.encode(image=golden_picture(fixture, image, "real_A"))
    output = model.decode(content, model.style_from_noise(noise, content))
    torch.testing.assert_close(
        output[:, :, ::step, ::step], golden(fixture)[name], rtol=0, atol=5e-5
    )


@pytest.mark.parametrize(("fixture", "image"), encoded_images())
@torch.inference_mode()
def test_encoded_styles_are_those_of_the_original(fixture: str, image: str) -> None:
    encoder = golden_model(fixture).encoder
    assert encoder is not None
    mu, log_variance = encoder(golden_picture(fixture, image, "real_B"))
    torch.testing.assert_close(mu, golden(fixture)[f"{image}.mu"], rtol=0, atol=1e-5)
    torch.testing.assert_close(log_variance, golden(fixture)[f"{image}.logvar"], rtol=0, atol=1e-5)


@torch.inference_mode()
def test_style_of_an_example_is_its_mean() -> None:
    """As the original's test uses it: row 0 of its styles."""
    example = golden_picture("all_unet128", "plain.img0", "real_B")
    style = golden_model("all_unet128").style_from_reference(image=example)
    expected = golden("all_unet128")["plain.img0.z_used"][:1]
    torch.testing.assert_close(style, expected, rtol=0, atol=1e-5)


def published(name: str) -> tuple[BicycleGanOptions, dict[str, list[int]]]:
    """Return the options of a full-size network of the original, and its names and shapes."""
    config = json.loads((GOLDEN / "full_config_keys.json").read_text())["configs"][name]
    network = config["network"]
    if name.endswith(".E"):
        given = {"encoder": network["netE"], "nef": network["ndf"], "nz": network["output_nc"]}
    else:
        given = {key: network[key] for key in ("input_nc", "nz", "ngf", "where_add", "upsample")}
        given["levels"] = 8 if network["netG"] == "unet_256" else 7
    return BicycleGanOptions.model_validate(given), config["keys"]


@pytest.mark.parametrize(
    "name",
    [
        "edges2shoes.G",
        "facades.G",
        "unet_256_input.G",
        "unet_128_all.G",
        "unet_256_all_bilinear.G",
        "all.E",
        "resnet_128.E",
        "conv_256.E",
    ],
)
def test_names_and_shapes_are_those_of_published_weights(name: str) -> None:
    options, expected = published(name)
    with torch.device("meta"):
        network = StyleEncoder(options) if name.endswith(".E") else Generator(options)
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == expected


@pytest.mark.parametrize(
    ("where_add", "upsample", "expected"),
    [
        ("input", "basic", {"model.model.1.model.2.model.4", "model.model.1.model.4"}),
        ("input", "bilinear", {"model.model.1.model.2.model.6", "model.model.1.model.6"}),
        ("all", "basic", {"model.submodule.down.1", "model.submodule.up.1"}),
    ],
)
def test_layers_without_norm_move_up(where_add: str, upsample: str, expected: set[str]) -> None:
    options = BicycleGanOptions.model_validate(
        {**TINY, "norm": "none", "where_add": where_add, "upsample": upsample}
    )
    names = Generator(options).state_dict()
    assert expected <= {name.rpartition(".")[0] for name in names}


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [("resnet_128", {"conv.1.conv.1", "conv.1.conv.3.0"}), ("conv_128", {"conv.4", "conv.6"})],
)
def test_encoder_layers_without_norm_move_up(encoder: str, expected: set[str]) -> None:
    options = BicycleGanOptions.model_validate({**TINY, "norm": "none", "encoder": encoder})
    names = StyleEncoder(options).state_dict()
    assert expected <= {name.rpartition(".")[0] for name in names}


def test_shortcut_without_norm_sees_the_activated_input() -> None:
    """The original activates in place; with the main branch at 0 only the shortcut is left."""
    block = ResidualBlock(1, 1, "none")
    for parameter in block.conv.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.full((1, 1, 2, 2), -1.0)
    assert torch.equal(block(x), block.shortcut(0.2 * x))


def tiny(**given: Any) -> BicycleGan:
    torch.manual_seed(1)
    model = BicycleGan(BicycleGanOptions.model_validate({**TINY, "encoder": "none", **given}))
    return model.eval().requires_grad_(requires_grad=False)


#: Norms change with every layout: 3 of them and 4 encoders meet in all ways in 12 layouts.
ENCODERS = ("resnet_128", "resnet_256", "conv_128", "conv_256")
LAYOUTS = [
    {"where_add": where_add, "upsample": upsample, "norm": norm, "input_nc": input_nc}
    for where_add, input_nc in (("all", 3), ("input", 1))
    for upsample in ("basic", "bilinear")
    for norm in ("instance", "batch", "none")
]


@pytest.mark.parametrize(("layout", "encoder"), list(zip(LAYOUTS, cycle(ENCODERS), strict=False)))
def test_weights_tell_all_options_that_shape_them(
    layout: dict[str, Any], encoder: str, tmp_path: Path
) -> None:
    """Also read back: in one file with both networks' prefixes."""
    model = tiny(**layout, encoder=encoder)
    path = tmp_path / "model.safetensors"
    save_file(model.state_dict(), path)
    loaded = load(path)
    assert loaded.options == model.options
    assert torch.equal(
        loaded.state_dict()["encoder.fc.0.bias"], model.state_dict()["encoder.fc.0.bias"]
    )


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: "-".join(map(str, layout.values())))
@torch.inference_mode()
def test_batch_of_three_equals_singles(layout: dict[str, Any]) -> None:
    model = tiny(**layout)
    images, noise = torch.rand(3, layout["input_nc"], 32, 32), torch.randn(3, 3)
    singles = [model.decode(images[[row]], noise[[row]]) for row in range(3)]
    torch.testing.assert_close(model.decode(images, noise), torch.cat(singles), rtol=0, atol=1e-5)


def test_facts_follow_the_options() -> None:
    model = tiny(encoder="conv_256", input_nc=1)
    assert (model.inputs, model.reference_inputs) == ({"image": Grey()}, {"image": RGB()})
    assert model.size == SizeRule(multiple_of=32, minimum=32)
    assert model.reference_size == SizeRule(fixed=(256, 256))
    assert model.noise_shape == (3,)


def test_without_encoder_there_are_no_examples() -> None:
    model = tiny()
    assert model.reference_inputs is None
    with pytest.raises(ModelError, match="no style encoder"):
        model.style_from_reference(image=torch.zeros(1, 3, 128, 128))


@pytest.mark.parametrize("where_add", ["all", "input"])
def test_without_styles_there_is_one_output(where_add: str) -> None:
    """And the layers are those of `input`, as no level takes z."""
    model = tiny(nz=0, where_add=where_add, encoder="resnet_128")
    assert (model.noise_shape, model.reference_inputs) == ((), None)
    assert "generator.model.model.0.weight" in model.state_dict()
    assert model.decode(torch.zeros(1, 3, 32, 32), None).shape == (1, 3, 32, 32)


def test_corners_can_be_aligned_as_old_torch_did() -> None:
    """Doubling a ramp then gives a ramp with the same ends."""
    generator = tiny(upsample="bilinear", align_corners=True).generator
    double = next(layer for layer in generator.modules() if isinstance(layer, nn.Upsample))
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    torch.testing.assert_close(double(ramp)[0, 0, 0], torch.linspace(0, 3, 8))


def save_networks(model: BicycleGan, folder: Path, name: str = "latest") -> Path:
    """Write G and E as the original program does; return G's path."""
    for letter, network in (("G", model.generator), ("E", model.encoder)):
        if network is not None:
            torch.save(network.state_dict(), folder / f"{name}_net_{letter}.pth")
    return folder / f"{name}_net_G.pth"


def save_changed(changes: dict[str, Tensor], folder: Path) -> Path:
    """Write a generator with some tensors replaced or added; return its path."""
    path = folder / "latest_net_G.pth"
    torch.save(tiny().generator.state_dict() | changes, path)
    return path


@pytest.mark.parametrize(
    ("names", "chosen"),
    [(["latest", "200"], "latest"), (["9", "10", "shoes"], "10"), (["20"], "20")],
)
def test_folder_gives_the_latest_or_the_highest_epoch(
    names: list[str], chosen: str, tmp_path: Path
) -> None:
    for name in names:
        save_networks(tiny(encoder="resnet_128"), tmp_path, name)
    files = BicycleGan.read_checkpoint(tmp_path, "a2b").files
    assert [file.name for file in files] == [f"{chosen}_net_G.pth", f"{chosen}_net_E.pth"]


def test_folder_without_an_epoch_lists_what_it_has(tmp_path: Path) -> None:
    save_networks(tiny(), tmp_path, "shoes")
    with pytest.raises(CheckpointError, match=r"no latest_net_G.pth.*there is shoes_net_G.pth"):
        BicycleGan.read_checkpoint(tmp_path, "a2b")


def test_encoder_with_the_same_name_comes_along(tmp_path: Path) -> None:
    path = save_networks(tiny(encoder="conv_128"), tmp_path, "shoes")
    save_networks(tiny(encoder="resnet_128"), tmp_path, "latest")
    assert BicycleGan.read_checkpoint(path, "a2b").options["encoder"] == "conv_128"


def test_generator_alone_is_enough(tmp_path: Path) -> None:
    path = save_networks(tiny(), tmp_path)
    assert load(path).reference_inputs is None


def test_wrapped_weights_are_unwrapped(tmp_path: Path) -> None:
    """Those saved from a DataParallel have one more prefix."""
    model = tiny()
    weights = {f"module.{name}": value for name, value in model.generator.state_dict().items()}
    save_file(weights, tmp_path / "latest_net_G.safetensors")
    loaded = load(tmp_path)
    assert loaded.state_dict().keys() == model.state_dict().keys()


def test_statistics_of_old_instance_norms_are_dropped(tmp_path: Path) -> None:
    old = {"model.submodule.down.2.running_mean": torch.ones(4)}
    path = save_changed(old, tmp_path)
    assert BicycleGan.read_checkpoint(path, "a2b").options["norm"] == "instance"
    load(path)


def test_batch_norms_of_old_torch_load(tmp_path: Path) -> None:
    """Before 0.4 they did not count batches."""
    weights = tiny(norm="batch").generator.state_dict()
    path = tmp_path / "latest_net_G.pth"
    torch.save({name: value for name, value in weights.items() if value.dim()}, path)
    assert load(path).options.norm == "batch"


def write_options(folder: Path, **values: str) -> None:
    """Write `opt.txt` as the original program does."""
    lines = [f"{name:>25}: {value:<30}\t[default: 7]" for name, value in values.items()]
    text = "\n".join(["----------------- Options ---------------", *lines, "-------- End --------"])
    (folder / "opt.txt").write_text(text + "\n")


def test_options_file_beside_the_weights_is_read(tmp_path: Path) -> None:
    """Also the numbers that the shapes of this layout can't tell."""
    path = save_networks(tiny(where_add="input"), tmp_path)
    write_options(tmp_path, nl="elu", nz="3", input_nc="3", netE="resnet_256", name="x: y")
    options = load(path).options
    assert (options.nl, options.nz, options.input_nc) == ("elu", 3, 3)


def test_weights_win_over_the_options_file(tmp_path: Path) -> None:
    path = save_networks(tiny(), tmp_path)
    write_options(tmp_path, ngf="64", nz="8", where_add="input")
    assert load(path).options.ngf == 2


@pytest.mark.parametrize("input_nc", [1, 3])
def test_style_size_tells_the_input_channels(input_nc: int, tmp_path: Path) -> None:
    path = save_networks(tiny(where_add="input", input_nc=input_nc), tmp_path)
    assert load(path, nz="3").options.input_nc == input_nc


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"the weights show only that input_nc \+ nz is 6; give -o nz="),
        ({"nz": "4"}, r"input_nc is 1 or 3, not 2 \(nz=4\)"),
        ({"nz": "3", "input_nc": "1"}, r"input_nc \+ nz is 6 in the weights, not 1 \+ 3"),
        ({"nz": "3", "ngf": "64"}, "ngf is 2 in the weights, but -o ngf=64 was given"),
    ],
)
def test_options_against_the_weights_are_refused(
    given: dict[str, str], message: str, tmp_path: Path
) -> None:
    path = save_networks(tiny(where_add="input"), tmp_path)
    with pytest.raises(OptionError, match=message):
        load(path, **given)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"fc.0.weight": torch.zeros(8, 4), "fcVar.0.weight": torch.zeros(8, 4)}, "style encoder"),
        ({"model_0.0.weight": torch.zeros(1)}, "BicycleGAN discriminator"),
        ({"a": {"x": torch.zeros(1)}, "b": {}}, "MUNIT or UNIT checkpoint"),
        ({"gen": {"state": {}}, "dis": {"state": {}}}, "optimizer"),
        ({"state": {}, "param_groups": []}, "optimizer"),
        ({"model.1.weight": torch.zeros(1)}, r"something else \(its first name is 'model.1.weight"),
        ([1, 2], "a list, not named tensors"),
    ],
)
def test_wrong_files_are_said_by_name(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "latest_net_G.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        BicycleGan.read_checkpoint(path, "a2b")


@pytest.mark.parametrize("where_add", ["all", "input"])
@pytest.mark.parametrize("damage", ["missing", "flat"])
def test_any_damaged_tensor_is_a_checkpoint_error(
    where_add: str, damage: str, tmp_path: Path
) -> None:
    model = tiny(where_add=where_add, norm="none", encoder="conv_128")
    path = tmp_path / "damaged.safetensors"
    for name in model.state_dict():
        weights = dict(model.state_dict())
        tensor = weights.pop(name)
        if damage == "flat":
            weights[name] = tensor.reshape(-1, 1)
        save_file(weights, path)
        with pytest.raises(CheckpointError):
            load(path)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("model.up.1.weight", (4, 1, 4, 4), "makes pictures of 1 channels, not 3"),
        ("model.down.0.weight", (2, 5, 4, 4), "which leaves 2 beside a style of 3"),
    ],
)
def test_shapes_that_no_option_gives_are_refused(
    name: str, shape: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    path = save_changed({name: torch.zeros(shape)}, tmp_path)
    with pytest.raises(CheckpointError, match=message):
        BicycleGan.read_checkpoint(path, "a2b")


def test_networks_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    save_networks(tiny(nz=4, encoder="resnet_128"), tmp_path)
    save_networks(tiny(), tmp_path)
    with pytest.raises(CheckpointError, match="styles of 3 numbers, but its style encoder makes 4"):
        BicycleGan.read_checkpoint(tmp_path, "a2b")
