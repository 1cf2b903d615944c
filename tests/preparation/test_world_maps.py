from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2ikit.errors import RunError, UsageError
from i2ikit.preparation import world_maps
from i2ikit.preparation.world_maps import (
    BAND,
    PERIOD,
    RAMP,
    SEAS,
    places,
    prepare_world_maps,
    read_labels,
    split_instances,
)

EVERYWHERE = np.ones((1800, 3600), bool)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_each_square_lies_in_one_training_tile(size: int) -> None:
    tiles = list(places(EVERYWHERE, size + size // 2, size // 2, is_test=False))
    squares = [
        (row + down, column + right)
        for row, column in tiles
        if row == tiles[0][0]
        for down in (0,)
        for right in range(size // 2)
    ]
    assert len(set(squares)) == len(squares)
    columns = sorted(column for _, column in squares)
    inside = [c for c in range(BAND, PERIOD - size + 1) if c in set(columns)]
    assert inside == list(range(BAND, inside[-1] + 1))


@pytest.mark.parametrize("size", [32, 64, 128])
def test_tests_are_of_places_that_training_never_sees(size: int) -> None:
    train, test = np.zeros((2, 3600), bool)
    for _, column in places(EVERYWHERE, size + size // 2, size // 2, is_test=False):
        train[column : column + size + size // 2] = True
    for _, column in places(EVERYWHERE, size, size // 4, is_test=True):
        test[column : column + size] = True
    assert test.any()
    assert not (train & test).any()


def test_tiles_of_the_sea_are_left_out() -> None:
    land = np.zeros((1800, 3600), bool)
    land[300:400, 200:300] = True
    found = list(places(land, 96, 32, is_test=False))
    assert found
    for row, column in found:
        assert land[row : row + 96, column : column + 96].mean() >= 0.35


def test_labels_are_read_off_the_reliefs_colours() -> None:
    seas = [(20, 90, 180), (40, 160, 230), (160, 215, 245)]
    stripes = np.repeat(np.array([*seas, *RAMP], np.uint8), 20, axis=0)
    labels = read_labels(Image.fromarray(np.repeat(stripes[:, None], 20, axis=1)))
    level = [SEAS + 3 * ground + 1 for ground in range(len(RAMP))]
    assert labels[10::20, 10].tolist() == [0, 1, 2, *level]


def test_slopes_in_the_light_and_in_the_shade_have_labels_of_their_own() -> None:
    ground = np.full((40, 40, 3), RAMP[2], np.int16)
    ground[10:13] += 15
    ground[28:31] -= 15
    labels = read_labels(Image.fromarray(ground.astype(np.uint8)))
    shades = [(int(label) - SEAS) % 3 for label in labels[[11, 20, 29], 20]]
    assert shades == [2, 1, 0]


def test_instances_are_the_connected_areas_of_land() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[0, :2], labels[4:, 4:], labels[4:, 6:], labels[:, 3] = 4, 4, 7, 2
    instances = split_instances(labels)
    assert np.unique(instances).tolist() == [0, 1000, 1001]
    assert (instances == 1000).sum() == 16


@pytest.fixture
def an_island(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world with land at one place for training and one for tests."""
    mask = np.zeros((1800, 3600), np.uint8)
    mask[400:600, 0:300] = 1
    colours = np.random.default_rng(0).integers(0, 256, (1800, 3600, 3), dtype=np.uint8)
    layers = {"relief": colours, "satellite": 255 - colours, "wall": colours // 2}
    maps = {"label": mask * np.uint8(4), "land": mask, "mask": mask}
    monkeypatch.setattr(world_maps, "read_layers", lambda: {**layers, **maps})


@pytest.mark.usefixtures("an_island")
def test_the_layers_of_a_tile_are_of_one_place(tmp_path: Path) -> None:
    found = prepare_world_maps(tmp_path / "maps")
    assert found.train > 0 < found.test
    for part, side in (("train", 96), ("test", 64)):
        names = {p.name for p in (tmp_path / "maps" / part / "mask").iterdir()}
        for layer in ("relief", "satellite", "wall", "label", "instance", "land", "mask"):
            folder = tmp_path / "maps" / part / layer
            assert {p.name for p in folder.iterdir()} == names
        tile = {
            layer: np.asarray(Image.open(tmp_path / "maps" / part / layer / min(names)))
            for layer in ("relief", "satellite", "label", "instance", "mask")
        }
        assert tile["relief"].shape == (side, side, 3)
        assert (tile["satellite"] == 255 - tile["relief"]).all()
        assert (tile["label"] == tile["mask"] * 4).all()
        assert (tile["instance"] == tile["mask"].astype(int) * 1000).all()


@pytest.mark.usefixtures("an_island")
def test_a_folder_that_is_there_is_kept(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is there already"):
        prepare_world_maps(tmp_path)


def test_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--size 100 is none of 32, 64, 96, 128"):
        prepare_world_maps(tmp_path / "maps", size=100)


def test_the_real_maps_agree_about_land_and_sea() -> None:
    layers = world_maps.read_layers()
    rows = slice(world_maps.TOP, world_maps.BOTTOM)
    is_sea = layers["label"][rows] < SEAS
    assert (is_sea == (layers["mask"][rows] == 0)).mean() > 0.985
    assert (is_sea == (layers["land"][rows] == 0)).all()
    assert {name: layer.shape[:2] for name, layer in layers.items()} == dict.fromkeys(
        layers, (1800, 3600)
    )
