"""MUNIT: upstream's numbers from upstream's checkpoints, and what is said about wrong ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from i2ikit import nn
from i2ikit.checkpoints import load_strictly
from i2ikit.errors import CheckpointError, OptionError
from i2ikit.model import RGB, Grey
from i2ikit.options import make_options
from i2ikit_munit.model import Munit
from i2ikit_munit.options import MunitOptions

GOLDEN = Path(__file__).parents[1] / "golden" / "munit"
BASE = GOLDEN / "base/gen_00000001.pt"
CHECKPOINTS = [BASE, GOLDEN / "base/gen_torch03_format.pt", GOLDEN / "variant/gen_00120000.pt"]


def load(path: Path, direction: Any = "a2b", folded: bool = True, **given: Any) -> Munit:
    found = Munit.read_checkpoint(path, direction)
    model = Munit(make_options(MunitOptions, given, certain=found.options, hints=found.hints))
    load_strictly(model, found.weights, path.name)
    model.eval()
    if folded:
        nn.fold(model)
    return model


def golden(path: Path) -> dict[str, Tensor]:
    return load_file(path.parent / "golden.safetensors")


def by_domain(model_a2b: Munit, model_b2a: Munit, source: str) -> tuple[Munit, Munit]:
    """Return the model that holds a domain's encoder, and the one that holds its style side."""
    return (model_a2b, model_b2a) if source == "a" else (model_b2a, model_a2b)


@pytest.fixture(scope="module", params=CHECKPOINTS, ids=lambda path: path.stem)
def checkpoint(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@torch.inference_mode()
@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_outputs_agree_with_upstream(checkpoint: Path, direction: str, folded: bool) -> None:
    """Drawn styles and styles from an example, in both directions, folded and plain."""
    model, tensors = load(checkpoint, direction, folded), golden(checkpoint)
    names = [name for name in tensors if name.startswith(direction)]
    for name in names:
        _, image, *how = name.split(".")
        content = model.encode(image=tensors[f"input.{image}"])
        if how[0] == "guided_by":
            style = model.style_from_reference(image=tensors[f"input.{how[1]}"])
        else:
            code = tensors["style_rand"][int(how[0].removeprefix("rand")), :, 0, 0]
            style = model.style_from_noise(code[None], content)
        output = model.decode(content, style)
        torch.testing.assert_close(output, tensors[name], atol=1e-4, rtol=0)
    assert len(names) >= 2


@torch.inference_mode()
def test_codes_agree_with_upstream(checkpoint: Path) -> None:
    """Content codes, style codes and norm parameters of both domains."""
    both, tensors = (load(checkpoint, "a2b"), load(checkpoint, "b2a")), golden(checkpoint)
    for domain in "ab":
        encoder, styler = by_domain(*both, domain)
        for image in ("one", "two"):
            x = tensors[f"input.{image}"]
            code = tensors[f"style_enc.{domain}.{image}"].flatten(1)
            expected = tensors[f"content.{domain}.{image}"]
            torch.testing.assert_close(encoder.encode(image=x)[0], expected, atol=2e-4, rtol=0)
            torch.testing.assert_close(styler.enc_style(x), code, atol=1e-5, rtol=0)
        style = styler.style_from_noise(tensors["style_rand"][:1].flatten(1), None).flatten(1)
        expected = tensors[f"adain_params.{domain}.rand0"]
        torch.testing.assert_close(style, expected, atol=1e-5, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize("folded", [True, False])
def test_reconstruction_agrees_with_upstream(folded: bool) -> None:
    """Domain A's own content and style: the encoder of one direction, the decoder of the other."""
    encoder, decoder = load(BASE, "a2b", folded), load(BASE, "b2a", folded)
    tensors = golden(BASE)
    x = tensors["input.one"]
    content = encoder.enc_content(x)
    output = decoder.dec(content, decoder.style_from_reference(image=x))
    torch.testing.assert_close(output, tensors["recon.a.one"], atol=1e-4, rtol=0)


@torch.inference_mode()
def test_batch_pairs_contents_with_styles() -> None:
    model, x = load(BASE), golden(BASE)["input.one"]
    content = model.encode(image=torch.cat([x, x.flip(3)]))
    style = model.style_from_noise(golden(BASE)["style_rand"][:2].flatten(1), content)
    first = model.decode(tuple(t[:1] for t in content), style[:1])
    torch.testing.assert_close(model.decode(content, style)[:1], first, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_drawn_styles_run_neither_the_style_encoder_nor_the_first_convolution_twice() -> None:
    model, ran = load(BASE), []
    first = model.dec.get_submodule("model.0.model.0.model.0.conv")
    for name, module in {"style encoder": model.enc_style, "first": first}.items():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    content = model.encode(image=torch.zeros(1, 3, 16, 16))
    for _ in range(3):
        model.decode(content, model.style_from_noise(torch.zeros(1, 8), content))
    assert ran == ["first"]


def test_published_configurations_have_these_tensors() -> None:
    """And the adaptive norms' dummy statistics, which are dropped on reading."""
    configs = json.loads((GOLDEN / "full_config_keys.json").read_text())["configs"]
    with torch.device("meta"):
        own = {name: list(value.shape) for name, value in Munit().state_dict().items()}
    for config in configs.values():
        kept = {name: shape for name, shape in config["gen"].items() if ".running_" not in name}
        assert kept == own


def test_facts_follow_the_options() -> None:
    model = Munit(MunitOptions(dim=2, n_downsample=3, style_dim=5, input_dim=1, n_res=1))
    assert (model.size.multiple_of, model.size.minimum) == (8, 16)
    assert model.noise_shape == (5,)
    assert (model.inputs, model.reference_inputs) == ({"image": Grey()}, {"image": RGB()})


@torch.inference_mode()
@pytest.mark.parametrize("n_downsample", [0, 1, 2, 3])
def test_smallest_sizes_work(n_downsample: int) -> None:
    """The size rule's minimum, and the style encoder's 16 pixels, are enough for reflection."""
    model = Munit(MunitOptions(dim=2, n_downsample=n_downsample, n_res=1, mlp_dim=4)).eval()
    side = model.size.minimum
    reference_side = model.reference_size.minimum if model.reference_size else side
    style = model.style_from_reference(image=torch.zeros(1, 3, reference_side, reference_side))
    output = model.decode(model.encode(image=torch.zeros(1, 3, side, side)), style)
    assert output.shape == (1, 3, side, side)


@torch.inference_mode()
def test_grey_target_comes_out_as_rgb() -> None:
    model = Munit(MunitOptions(dim=2, n_res=1, mlp_dim=4, output_dim=1)).eval()
    content = model.encode(image=torch.rand(1, 3, 16, 16))
    output = model.decode(content, model.style_from_noise(torch.zeros(1, 8), content))
    assert output.shape == (1, 3, 16, 16)


def test_options_are_read_off_the_weights() -> None:
    certain = Munit.read_checkpoint(CHECKPOINTS[2], "a2b").options
    assert certain == {
        "input_dim": 3,
        "output_dim": 3,
        "dim": 3,
        "n_downsample": 3,
        "n_res": 3,
        "style_dim": 4,
        "mlp_dim": 12,
    }


def test_option_against_the_weights_is_refused() -> None:
    with pytest.raises(OptionError, match="style_dim is 8 in the weights"):
        load(BASE, style_dim="16")


def test_folder_gives_its_newest_generators() -> None:
    assert Munit.read_checkpoint(GOLDEN / "base", "a2b").files == (BASE,)


@pytest.mark.parametrize("place", [".", ".."])
def test_settings_file_gives_hints(tmp_path: Path, place: str) -> None:
    """Beside the checkpoint, or above the `checkpoints` folder that training makes."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    shutil.copy(BASE, folder)
    (folder / place / "config.yaml").write_text("gen: {activ: lrelu, pad_type: zero, dim: 99}")
    assert load(folder).options.activ == "lrelu"
    assert load(folder).options.pad_type == "zero"
    assert load(folder, pad_type="replicate").options.pad_type == "replicate"


def test_prelu_is_read_off_the_weights(tmp_path: Path) -> None:
    weights = {"activ": "prelu", "dim": 2, "n_res": 1, "mlp_dim": 4}
    generator = Munit(MunitOptions.model_validate(weights)).state_dict()
    torch.save({"a": generator, "b": generator}, tmp_path / "gen_00000001.pt")
    assert load(tmp_path).options.activ == "prelu"


def test_safetensors_with_prefixed_names(tmp_path: Path) -> None:
    both = torch.load(BASE, weights_only=True)
    flat = {f"{d}.{name}": v for d, weights in both.items() for name, v in weights.items()}
    save_file(flat, tmp_path / "munit.safetensors")
    read = Munit.read_checkpoint(tmp_path / "munit.safetensors", "b2a").weights
    original = Munit.read_checkpoint(BASE, "b2a").weights
    assert read.keys() == original.keys()
    assert all(torch.equal(read[name], original[name]) for name in read)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"gen": {"state": {}}, "dis": {}}, "state of the optimizers.*gen_XXXXXXXX.pt"),
        ({d: {"cnns.0.0.conv.weight": torch.zeros(1)} for d in "ab"}, "holds discriminators"),
        ({"model.1.weight": torch.zeros(1)}, "no generators 'a' and 'b', but 'model.1.weight'"),
        ([1, 2], "but a list"),
        ({"a": 1, "b": {}}, "'a' holds something else"),
        ({"a": {}, "b": {}}, "is no MUNIT checkpoint"),
        ({d: {"enc.model.0.conv.weight": torch.zeros(1)} for d in "ab"}, "UNIT.*--model unit"),
        ({d: {"enc_content.x": torch.zeros(1)} for d in "ab"}, "no enc_content.model.0.conv"),
        ({d: {"enc_content.model.0.conv.weight": torch.zeros(1)} for d in "ab"}, r"is \(1,\)"),
        (
            {d: {"enc_content.model.0.conv.weight": torch.zeros(2, 3, 7, 7)} for d in "ab"},
            "1.model.0",
        ),
    ],
)
def test_wrong_file_is_named(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(CheckpointError, match=message):
        Munit.read_checkpoint(tmp_path / "file.pt", "a2b")


@pytest.mark.parametrize("lost", ["dec.model.5.conv.weight", "enc_style.model.6.weight"])
def test_missing_tensor_that_tells_an_option(tmp_path: Path, lost: str) -> None:
    both = torch.load(BASE, weights_only=True)
    del both["b"][lost]
    torch.save(both, tmp_path / "file.pt")
    with pytest.raises(CheckpointError, match=lost):
        Munit.read_checkpoint(tmp_path / "file.pt", "a2b")


def test_other_missing_tensors_are_listed(tmp_path: Path) -> None:
    both = torch.load(BASE, weights_only=True)
    del both["b"]["mlp.model.1.fc.bias"]
    torch.save(both, tmp_path / "file.pt")
    with pytest.raises(CheckpointError, match=r"1 missing \(mlp.model.1.fc.bias\)"):
        load(tmp_path / "file.pt")


def test_folder_without_generators(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no gen_XXXXXXXX\.pt"):
        Munit.read_checkpoint(tmp_path, "a2b")


def test_unreadable_settings_file(tmp_path: Path) -> None:
    shutil.copy(BASE, tmp_path)
    (tmp_path / "config.yaml").write_text("gen: [")
    with pytest.raises(CheckpointError, match=r"config.yaml can't be read"):
        Munit.read_checkpoint(tmp_path, "a2b")
