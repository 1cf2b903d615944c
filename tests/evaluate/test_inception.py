"""FID's Inception against features of pytorch-fid's own, and weights that don't fit it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from i2ikit.checkpoints import hash_file
from i2ikit.errors import CheckpointError, UsageError
from i2ikit.evaluate.inception import CONVENTIONS, Inception, make_inception, open_inception
from i2ikit.evaluate.sets import decode_stored
from i2ikit.evaluate.space import FeatureSpace
from tests.evaluate.conftest import IMAGES

Change = Callable[[dict[str, Tensor]], object]


def opened(weights: Path, dims: int | None = None, convention: str = "") -> FeatureSpace:
    return open_inception(argument="", dims=dims, weights=weights, convention=convention)


def features(space: FeatureSpace, names: list[str]) -> np.ndarray[Any, Any]:
    prepared = [space.prepare(decode_stored((IMAGES / name).read_bytes(), name)) for name in names]
    with torch.inference_mode():
        return np.asarray(space.network(torch.stack(prepared)))


@pytest.mark.parametrize("dims", [64, 192, 768, 2048])
def test_features_are_pytorch_fids(golden: Any, inception_weights: Path, dims: int) -> None:
    expected = golden["inception"]["features"]
    rows = features(opened(inception_weights, dims), list(expected))
    assert rows.shape == (5, dims)
    for row, known in zip(rows, expected.values(), strict=True):
        np.testing.assert_allclose(row[:64], known[str(dims)]["first64"], rtol=1e-3, atol=2e-3)
        assert np.linalg.norm(row) == pytest.approx(known[str(dims)]["norm"], rel=1e-3)


def test_logits_are_the_last_layer_without_its_bias(inception_weights: Path) -> None:
    space, pooled = opened(inception_weights, 1008), []
    assert isinstance(space.network, Inception)
    space.network.stages["Mixed_7c"].register_forward_hook(
        lambda module, inputs, maps: pooled.append(maps.mean(dim=(2, 3)))
    )
    logits = features(space, ["real/000.png"])
    weights = torch.load(inception_weights, weights_only=True, mmap=True)
    assert logits.shape == (1, space.dims) == (1, 1008)
    expected = pooled[0].numpy() @ weights["fc.weight"].numpy().T
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)


def test_the_network_is_in_evaluation_mode_and_knows_its_weights(inception_weights: Path) -> None:
    space = opened(inception_weights, 64)
    in_training = {type(module) for module in space.network.modules() if module.training}
    assert in_training <= {nn.Identity}
    assert not any(weights.requires_grad for weights in space.network.parameters())
    assert space.digest == hash_file(inception_weights)
    assert space.is_official is False
    assert space.card() == {
        "features": "inception",
        "dims": 64,
        "resize": CONVENTIONS["pytorch-fid"].resize,
        "convention": "pytorch-fid 0.3.0",
        "weights": inception_weights.name,
        "weights_sha256": space.digest,
        "weights_official": False,
    }


def test_a_picture_has_the_same_features_in_any_batch(inception_weights: Path) -> None:
    space, names = opened(inception_weights, 64), ["real/000.png", "real/001.jpg", "real/006.png"]
    alone = np.concatenate([features(space, [name]) for name in names])
    np.testing.assert_allclose(features(space, names), alone, rtol=1e-5, atol=1e-5)


# weights


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Change], Path]:
    """Return a function that writes weights of the right layout, but for a change."""

    def write(change: Change) -> Path:
        with torch.device("meta"):
            template = make_inception().state_dict()
        one = torch.zeros(1)  # every tensor is a view of it: the file stays small
        weights = {
            name: one.expand(old.shape or (1,)).view(old.shape) for name, old in template.items()
        }
        change(weights)
        torch.save(weights, tmp_path / "x.pth")
        return tmp_path / "x.pth"

    return write


def test_counters_of_batches_may_be_absent(changed: Callable[[Change], Path]) -> None:
    def drop(weights: dict[str, Tensor]) -> None:
        for name in [name for name in weights if name.endswith("num_batches_tracked")]:
            del weights[name]

    assert opened(changed(drop), 64).dims == 64


@pytest.mark.parametrize("dims", [64, 2048])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda w: w.pop("Mixed_7c.branch1x1.bn.bias"),
            r"1 missing \(Mixed_7c\.branch1x1\.bn\.bias",
        ),
        (lambda w: w.pop("fc.weight"), r"1 missing \(fc\.weight"),
        (lambda w: w.update(extra=torch.ones(1)), r"1 unexpected \(extra\)"),
        (
            lambda w: w.update({"fc.weight": torch.ones(1000, 1)}),
            r"fc\.weight is \(1000, 1\), expected \(1008, 2048\)",
        ),
        (
            lambda w: w.update({"Conv2d_1a_3x3.conv.weight": torch.ones(1)}),
            r"Conv2d_1a_3x3\.conv\.weight is \(1,\), expected \(32, 3, 3, 3\)",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_whatever_the_dims(
    changed: Callable[[Change], Path], change: Change, message: str, dims: int
) -> None:
    with pytest.raises(CheckpointError, match=rf"x\.pth does not fit the network: .*{message}"):
        opened(changed(change), dims)


def test_a_file_cut_short_is_refused(tmp_path: Path, inception_weights: Path) -> None:
    with inception_weights.open("rb") as file:
        (tmp_path / "cut.pth").write_bytes(file.read(100_000))
    with pytest.raises(CheckpointError, match=r"cut\.pth can't be read as a checkpoint"):
        opened(tmp_path / "cut.pth")


@pytest.mark.parametrize(
    ("argument", "dims", "convention", "message"),
    [
        ("", 100, "", "--dims 100: Inception has features of 64, 192, 768, 2048, 1008"),
        ("", None, "pytorch-fidd", "unknown convention 'pytorch-fidd'.*did you mean 'pytorch-fid'"),
        ("x", None, "", "'inception' take no argument 'x'"),
    ],
)
def test_what_inception_lacks_is_refused_before_weights_are_read(
    argument: str, dims: int | None, convention: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        open_inception(
            argument=argument, dims=dims, weights=Path("none.pth"), convention=convention
        )
