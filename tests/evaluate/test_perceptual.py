"""LPIPS: the numbers of its own package, from vectors that are computed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lpips
import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor

from i2ikit.data.images import to_tensor
from i2ikit.errors import CheckpointError, ModelError, SampleError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.embedding import embed
from i2ikit.evaluate.perceptual import BACKBONES, distances, open_perceptual
from i2ikit.evaluate.sets import Picture
from i2ikit.evaluate.weights import find_weights
from i2ikit.model import RGB
from i2ikit.progress import Progress
from tests.conftest import picture, pixels
from tests.evaluate.conftest import IMAGES

STYLES = IMAGES / "styles"
NETS = list(BACKBONES)
LEAST = {"alex": 31, "squeeze": 17, "vgg": 16}


def style(name: str) -> Tensor:
    return to_tensor(pixels(STYLES / name), RGB())


def members(count: int, side: int = 32, first: int = 0) -> list[Picture]:
    seeds = range(first, first + count)
    arrays = [np.array(picture(side, side, seed)) for seed in seeds]
    return [Picture(f"picture {seed}", "", array=a) for seed, a in zip(seeds, arrays, strict=True)]


@pytest.fixture(scope="module", params=NETS)
def measured(request: pytest.FixtureRequest, backbones: dict[str, Path]) -> tuple[str, Any]:
    """Return a network's name, and what gives LPIPS of two files of styles."""
    perceptual = open_perceptual(request.param, "0.1", backbones[request.param])
    with torch.inference_mode():
        vectors = {path.name: perceptual.network(style(path.name))[0] for path in STYLES.iterdir()}
    return request.param, lambda a, b: float(distances([vectors[a], vectors[b]])[0, 1])


def test_pairs_are_as_far_apart_as_in_lpips(golden: Any, measured: tuple[str, Any]) -> None:
    net, distance = measured
    known = golden["lpips"][net]
    pairs = {tuple(names.split("|")): value for names, value in known["pairs"].items()}
    pairs |= {(f"{name[:3]}.png", name): value for name, value in known["input_to_style"].items()}
    assert len(pairs) == 30
    assert {pair: distance(*pair) for pair in pairs} == pytest.approx(pairs, rel=1e-4)


def test_a_distance_is_symmetric_and_0_to_itself(golden: Any, measured: tuple[str, Any]) -> None:
    net, distance = measured
    swapped = golden["lpips"][net]["swapped_in0_style1_style0"]
    assert distance("in0_style1.png", "in0_style0.png") == pytest.approx(swapped, rel=1e-4)
    assert distance("in0.png", "in0.png") == golden["lpips"][net]["same_image"] == 0


@pytest.mark.parametrize("net", NETS)
def test_each_layer_gives_its_share(golden: Any, backbones: dict[str, Path], net: str) -> None:
    network = open_perceptual(net, "0.1", backbones[net]).network
    with torch.inference_mode():
        layers = [network.layers(style(f"in0_style{place}.png")) for place in (0, 1)]
    shares = [float((a - b).square().sum()) for a, b in zip(*layers, strict=True)]
    known = golden["lpips"][net]["per_layer_in0_style0_style1"]
    assert shares == pytest.approx(known, rel=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
@pytest.mark.parametrize("version", ["0.0", "0.1"])
@pytest.mark.parametrize("net", NETS)
def test_both_versions_agree_with_a_call_of_lpips(
    backbones: dict[str, Path], net: str, version: str
) -> None:
    theirs = lpips.LPIPS(net=net, version=version, pnet_rand=True, verbose=False)
    values = torch.load(backbones[net])
    own = {name: f"features.{name.partition('.')[2]}" for name in theirs.net.state_dict()}
    theirs.net.load_state_dict({name: values[theirs_name] for name, theirs_name in own.items()})
    a, b = style("in1_style0.png"), style("in1_style4.png")
    with torch.inference_mode():
        rows = open_perceptual(net, version, backbones[net]).network(torch.cat([a, b]))
        assert float(distances(list(rows))[0, 1]) == pytest.approx(float(theirs(a, b)), rel=1e-5)


def test_the_network_is_ready_and_quiet(
    backbones: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    state = torch.get_rng_state()
    perceptual = open_perceptual("squeeze", "0.1", backbones["squeeze"])
    assert not any(module.training for module in perceptual.network.modules())
    assert not any(parameter.requires_grad for parameter in perceptual.network.parameters())
    assert capfd.readouterr() == ("", "")
    assert torch.equal(torch.get_rng_state(), state)


def test_the_card_says_what_was_measured_with(backbones: dict[str, Path]) -> None:
    perceptual = open_perceptual("alex", "0.0", backbones["alex"])
    digest = find_weights(BACKBONES["alex"], backbones["alex"]).sha256
    card = perceptual.card()
    assert (card["net"], card["lpips_version"], card["range"]) == ("alex", "0.0", "[-1, 1]")
    assert (card["weights"], card["weights_sha256"]) == ("alex.pth", digest)
    assert card["weights_official"] is False
    assert "not the official file" in perceptual.warnings()[0]


def test_a_file_with_the_classifier_will_do(tmp_path: Path, backbones: dict[str, Path]) -> None:
    values = torch.load(backbones["alex"]) | {"classifier.1.weight": torch.zeros(2, 2)}
    torch.save(values, tmp_path / "whole.pth")
    whole = open_perceptual("alex", "0.1", tmp_path / "whole.pth").network.state_dict()
    part = open_perceptual("alex", "0.1", backbones["alex"]).network.state_dict()
    assert whole.keys() == part.keys()
    assert all(torch.equal(value, part[name]) for name, value in whole.items())


def test_torchvisions_own_layout_fits(tmp_path: Path) -> None:
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), tmp_path / "net.pth")
    assert open_perceptual("squeeze", "0.1", tmp_path / "net.pth").weights == "net.pth"


@pytest.mark.parametrize("version", ["0.0", "0.1"])
def test_a_backbone_of_another_network_is_refused(backbones: dict[str, Path], version: str) -> None:
    with pytest.raises(CheckpointError, match=r"alex\.pth does not fit the network: .* missing"):
        open_perceptual("vgg", version, backbones["alex"])


def test_official_files_are_found_by_their_names(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"alexnet-owt-7be5be79\.pth is not on this machine"):
        open_perceptual("alex", "0.1")
    assert all(file.sha256 in file.name and file.name in file.url for file in BACKBONES.values())


@pytest.mark.parametrize(
    ("net", "version", "message"),
    [
        ("alx", "0.1", r"unknown network 'alx' of LPIPS \(did you mean 'alex'\?\)"),
        ("alex", "0.2", r"--lpips-version 0\.2 is none of 0\.0, 0\.1"),
    ],
)
def test_what_does_not_exist_is_refused(net: str, version: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_perceptual(net, version)


def test_a_negative_weight_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backbones: dict[str, Path]
) -> None:
    (tmp_path / "weights/v0.1").mkdir(parents=True)
    torch.save({"lin0": torch.tensor([1.0, -0.5])}, tmp_path / "weights/v0.1/alex.pth")
    monkeypatch.setattr(lpips, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(CheckpointError, match=r"alex\.pth has a weight of -0\.5"):
        open_perceptual("alex", "0.1", backbones["alex"])


@pytest.mark.parametrize("count", [0, 1, 7])
def test_all_distances_come_at_once(count: int) -> None:
    vectors = list(torch.randn(count, 40_000, generator=torch.Generator().manual_seed(0)) + 10)
    found = distances(vectors)
    direct = [[(a.double() - b.double()).square().sum() for a in vectors] for b in vectors]
    assert found.shape == (count, count)
    assert torch.allclose(found, torch.tensor(direct).reshape(count, count).double(), rtol=1e-12)


@pytest.mark.parametrize("net", NETS)
def test_the_least_side_is_taken(backbones: dict[str, Path], net: str) -> None:
    perceptual = open_perceptual(net, "0.1", backbones[net])
    (found,) = embed([members(1, LEAST[net])], perceptual, Compute(device="cpu"))
    assert found[0].vector is not None


@pytest.mark.parametrize("net", NETS)
def test_a_smaller_picture_is_refused(backbones: dict[str, Path], net: str) -> None:
    perceptual, side = open_perceptual(net, "0.1", backbones[net]), LEAST[net] - 1
    message = f"picture 0 is {side}x{side}: the {net} of LPIPS takes"
    with pytest.raises(SampleError, match=message):
        list(embed([members(2, side)], perceptual, Compute(device="cpu", on_error="stop")))
    (found,) = embed([members(2, side)], perceptual, Compute(device="cpu"))
    assert [one.vector for one in found] == [None, None]
    assert found[0].failure.startswith(message)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("device", ["cpu", "cpu,cpu"])
def test_groups_come_in_order_whoever_computes_them(
    backbones: dict[str, Path], workers: int, device: str
) -> None:
    perceptual = open_perceptual("alex", "0.1", backbones["alex"])
    groups = [members(3), members(1, first=3), members(4, side=40, first=4)]
    compute = Compute(device=device, workers=workers, batch_size=2)
    found = list(embed(groups, perceptual, compute))
    assert [[item.picture for item in group] for group in found] == groups
    for item in (item for group in found for item in group):
        with torch.inference_mode():
            alone = perceptual.network(to_tensor(item.picture.array, RGB()))[0]
        assert item.vector is not None
        assert torch.allclose(item.vector, alone, rtol=1e-4, atol=1e-6)


def test_progress_counts_pictures_and_failures(backbones: dict[str, Path]) -> None:
    perceptual = open_perceptual("alex", "0.1", backbones["alex"])
    seen: list[Progress] = []
    compute = Compute(device="cpu", batch_size=2, on_progress=seen.append)
    group = [*members(2), Picture("broken", "", problem="broken is lost")]
    list(embed([group], perceptual, compute))
    assert [(p.done, p.total, p.failed) for p in seen] == [(2, 3, 0), (3, 3, 1)]


def test_nan_is_no_distance(tmp_path: Path, backbones: dict[str, Path]) -> None:
    values = torch.load(backbones["alex"])
    values["features.0.bias"][0] = float("nan")
    torch.save(values, tmp_path / "nan.pth")
    perceptual = open_perceptual("alex", "0.1", tmp_path / "nan.pth")
    with pytest.raises(ModelError, match="features of picture 0 hold NaN"):
        list(embed([members(1)], perceptual, Compute(device="cpu")))
