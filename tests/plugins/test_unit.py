"""UNIT: upstream's numbers from upstream's checkpoints, and what is said about wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from i2ikit import nn
from i2ikit.checkpoints import load_strictly
from i2ikit.errors import CheckpointError, OptionError
from i2ikit.model import RGB
from i2ikit.options import make_options
from i2ikit_unit.model import Unit
from i2ikit_unit.options import UnitOptions

GOLDEN = Path(__file__).parents[1] / "golden" / "unit"
BASE = GOLDEN / "base/gen_00000001.pt"
CHECKPOINTS = [BASE, GOLDEN / "base/gen_torch03_format.pt", GOLDEN / "variant/gen_00120000.pt"]


def load(path: Path, direction: Any = "a2b", folded: bool = True) -> Unit:
    found = Unit.read_checkpoint(path, direction)
    model = Unit(make_options(UnitOptions, {}, certain=found.options, hints=found.hints))
    load_strictly(model, found.weights, path.name)
    model.eval()
    if folded:
        nn.fold(model)
    return model


def golden(path: Path) -> dict[str, Tensor]:
    return load_file(path.parent / "golden.safetensors")


@pytest.fixture(params=CHECKPOINTS, ids=lambda path: path.stem)
def checkpoint(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@torch.inference_mode()
@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_outputs_agree_with_upstream(checkpoint: Path, direction: str, folded: bool) -> None:
    """The mean of the latent code decoded, and with upstream's training noise added to it."""
    model, tensors = load(checkpoint, direction, folded), golden(checkpoint)
    names = [name for name in tensors if name.startswith(direction)]
    for name in names:
        _, image, *noisy = name.split(".")
        hidden = model.encode(image=tensors[f"input.{image}"])
        if noisy:
            hidden = hidden + tensors[f"noise.{direction}.{image}"]
        torch.testing.assert_close(model.decode(hidden, None), tensors[name], atol=1e-4, rtol=0)
    assert len(names) >= 2


@torch.inference_mode()
@pytest.mark.parametrize(("direction", "domain"), [("a2b", "a"), ("b2a", "b")])
def test_latent_codes_agree_with_upstream(checkpoint: Path, direction: str, domain: str) -> None:
    """Also of a picture whose sides are no multiples of four, which the encoder floors."""
    model, tensors = load(checkpoint, direction), golden(checkpoint)
    names = [name for name in tensors if name.startswith(f"hidden.{domain}.")]
    for name in names:
        hidden = model.encode(image=tensors[f"input.{name.split('.')[2]}"])
        torch.testing.assert_close(hidden, tensors[name], atol=2e-4, rtol=0)
    assert len(names) >= 2


@torch.inference_mode()
@pytest.mark.parametrize("folded", [True, False])
def test_reconstruction_agrees_with_upstream(folded: bool) -> None:
    """Domain A's own code: the encoder of one direction, the decoder of the other."""
    encoder, decoder = load(BASE, "a2b", folded), load(BASE, "b2a", folded)
    tensors = golden(BASE)
    output = decoder.decode(encoder.encode(image=tensors["input.one"]), None)
    torch.testing.assert_close(output, tensors["recon.a.one"], atol=1e-4, rtol=0)


def test_published_configurations_have_these_tensors() -> None:
    configs = json.loads((GOLDEN / "full_config_keys.json").read_text())["configs"]
    with torch.device("meta"):
        own = {name: list(value.shape) for name, value in Unit().state_dict().items()}
    assert all(config["gen"] == own for config in configs.values())


def test_facts() -> None:
    model = load(GOLDEN / "variant")
    assert (model.noise_shape, model.reference_inputs) == ((), None)
    assert model.inputs == {"image": RGB()}
    assert model.size.multiple_of == 8


def test_network_for_two_channels_is_refused() -> None:
    """When it is made, not at the first picture."""
    with pytest.raises(OptionError, match="1 or 3 channels, the network 2"):
        Unit(UnitOptions(input_dim=2))


def test_munit_checkpoint_is_named() -> None:
    munit = GOLDEN.parent / "munit/base/gen_00000001.pt"
    with pytest.raises(CheckpointError, match=r"a MUNIT checkpoint.*--model munit"):
        Unit.read_checkpoint(munit, "a2b")


def test_other_generators_are_no_unit_checkpoint(tmp_path: Path) -> None:
    torch.save({"a": {}, "b": {}}, tmp_path / "file.pt")
    with pytest.raises(CheckpointError, match="is no UNIT checkpoint"):
        Unit.read_checkpoint(tmp_path / "file.pt", "a2b")
