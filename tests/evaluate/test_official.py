"""With the official Inception, where it is on this machine: `pytest -m weights`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2ikit import evaluate
from i2ikit.builtin import i2ikit_features
from i2ikit.data.images import Pixels
from i2ikit.errors import CheckpointError
from i2ikit.evaluate.inception import open_inception
from i2ikit.evaluate.sets import decode_stored
from i2ikit.evaluate.weights import find_weights
from tests.evaluate.conftest import IMAGES

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def official() -> Path:
    """Return the official file."""
    (entry,) = [entry for entry in i2ikit_features() if entry.name == "inception"]
    assert entry.weights is not None
    try:
        return find_weights(entry.weights).path
    except CheckpointError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def photos() -> list[Pixels]:
    """Return pictures of different sizes."""
    return [decode_stored(path.read_bytes(), path.name) for path in sorted(IMAGES.rglob("*0.png"))]


def test_features_are_those_of_pytorch_fid(official: Path, photos: list[Pixels]) -> None:
    from pytorch_fid import inception

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            inception,
            "load_state_dict_from_url",
            lambda *_, **__: torch.load(official, weights_only=True),
        )
        theirs = inception.InceptionV3([3]).eval()
    space = open_inception(argument="", dims=2048, weights=official, convention="")
    assert space.is_official
    for pixels in photos:
        unit = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
        with torch.inference_mode():
            expected = theirs(unit)[0].flatten(1)
            found = space.network(space.prepare(pixels)[None])
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_distance_grows_with_noise_and_blur(official: Path, photos: list[Pixels]) -> None:
    """Heusel et al. 2017, arXiv:1706.08500, figure 3."""
    draws = np.random.default_rng(0)

    def with_noise(pixels: Pixels, share: float) -> Pixels:
        noise = draws.integers(0, 256, pixels.shape)
        return np.asarray((1 - share) * pixels + share * noise, dtype=np.uint8)

    def smaller(pixels: Pixels, factor: int) -> Pixels:
        picture, size = Image.fromarray(pixels), (pixels.shape[1], pixels.shape[0])
        small = picture.resize((size[0] // factor, size[1] // factor), Image.Resampling.BOX)
        return np.asarray(small.resize(size, Image.Resampling.BICUBIC))

    noisy = [
        evaluate.fid(photos, [with_noise(p, share) for p in photos], weights=official).value
        for share in (0.0, 0.25, 0.5)
    ]
    blurred = [
        evaluate.fid(photos, [smaller(p, factor) for p in photos], weights=official).value
        for factor in (1, 2, 4)
    ]
    assert noisy[0] < noisy[1] < noisy[2]
    assert blurred[0] < blurred[1] < blurred[2]
