"""Features of a set: the same however they are computed, and every failure by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from i2ikit.data.images import encode_image
from i2ikit.errors import ModelError, SampleError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import Tally, extract
from i2ikit.evaluate.features import Features, FeatureSink, Rows
from i2ikit.evaluate.inception import open_inception
from i2ikit.evaluate.resizing import torch_bilinear
from i2ikit.evaluate.sets import Picture, open_set
from i2ikit.evaluate.space import FeatureSpace
from tests.conftest import picture
from tests.evaluate.conftest import IMAGES
from tests.evaluate.fakes import DIMS, open_stub

ODD = IMAGES / "odd"
SETTINGS = [(1, 0), (3, 2), (7, 1), (64, 4)]


def extracted(
    images: Any, space: FeatureSpace, compute: Compute | None = None
) -> tuple[Rows, Tally]:
    found: list[Rows] = []
    compute = compute or Compute(device="cpu", cache=False)
    tally = extract(open_set(images), space, compute, lambda rows, _: found.append(rows))
    rows = np.concatenate(found) if found else np.empty((0, space.dims), np.float32)
    return rows, tally


@pytest.mark.parametrize(("batch_size", "workers"), SETTINGS)
def test_batch_size_and_workers_change_no_feature(batch_size: int, workers: int) -> None:
    space = open_stub()
    expected, _ = extracted(IMAGES / "real", space)
    compute = Compute(device="cpu", batch_size=batch_size, workers=workers, cache=False)
    found, tally = extracted(IMAGES / "real", space, compute)
    assert tally.n == 48
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_batch_size_and_workers_change_no_inception_feature(inception_weights: Path) -> None:
    space = open_inception(argument="", dims=64, weights=inception_weights, convention="")
    expected, _ = extracted(IMAGES / "styles", space, Compute(device="cpu", cache=False))
    compute = Compute(device="cpu", batch_size=1, workers=0, cache=False)
    found, _ = extracted(IMAGES / "styles", space, compute)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_set_of_files_has_a_digest(pictures: Path) -> None:
    paths = sorted(pictures.rglob("*.png"))
    (pictures / "a" / "broken.png").write_bytes(b"no picture")  # it doesn't count
    digests = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)
    _, tally = extracted(pictures, open_stub())
    assert tally.files.digest() == hashlib.sha256(digests).digest()


def test_features_come_in_the_order_of_the_set(pictures: Path) -> None:
    space = open_stub()
    rows, _ = extracted(pictures, space, Compute(device="cpu", batch_size=2, workers=3))
    for path, row in zip(sorted(pictures.rglob("*.png")), rows, strict=True):
        with Image.open(path) as image, torch.inference_mode():
            prepared = torch_bilinear(np.array(image), 32)
            expected = space.network(prepared[None])[0]
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)


def test_two_devices_share_the_work_in_order(pictures: Path) -> None:
    expected, _ = extracted(pictures, open_stub())
    shared = Compute(device="cpu,cpu", batch_size=1, cache=False)
    np.testing.assert_allclose(extracted(pictures, open_stub(), shared)[0], expected, rtol=1e-6)


def test_a_lower_precision_is_used_where_asked_for() -> None:
    expected, _ = extracted(IMAGES / "styles", open_stub())
    rows, _ = extracted(
        IMAGES / "styles", open_stub(), Compute(device="cpu", precision="bf16", cache=False)
    )
    assert not np.allclose(rows, expected, rtol=1e-5)
    assert rows == pytest.approx(expected, rel=0.1, abs=0.1)


def test_arrays_have_the_features_of_their_files(pictures: Path) -> None:
    expected, _ = extracted(pictures, open_stub())
    arrays = [picture(seed=seed) for seed in range(5)]
    rows, tally = extracted([np.array(one) for one in arrays], open_stub())
    assert np.array_equal(rows, expected)
    assert (tally.formats, tally.sizes) == ({"array": 5}, {(12, 8): 5})


def test_torch_is_left_as_it_was(pictures: Path) -> None:
    space, before = open_stub(), (torch.get_num_threads(), torch.get_rng_state())
    extracted(pictures, space)
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


# what can't be read


def test_of_the_odd_folder_sixteen_count_and_two_are_named() -> None:
    rows, tally = extracted(ODD, open_stub())
    assert len(rows) == tally.n == 16
    assert tally.formats == {"PNG": 10, "JPEG": 5, "WEBP": 1}
    assert tally.traits == {"transparency": 3, "more than 8 bits": 1, "EXIF rotation": 1}
    first, second = tally.failures
    assert f"{ODD / 'not_an_image.png'} holds no picture" in first
    assert f"{ODD / 'truncated.png'} can't be decoded" in second


@pytest.mark.parametrize("batch_size", [1, 64])
def test_stopping_at_the_first_is_a_choice(batch_size: int) -> None:
    compute = Compute(device="cpu", batch_size=batch_size, cache=False, on_error="stop")
    with pytest.raises(SampleError, match=r"not_an_image\.png holds no picture.*--on-error skip"):
        extracted(ODD, open_stub(), compute)


def test_a_file_that_vanishes_is_named(pictures: Path) -> None:
    opened = open_set(pictures)
    (pictures / "b/3.png").unlink()
    rows: list[Rows] = []
    tally = extract(
        opened, open_stub(), Compute(device="cpu", cache=False), lambda found, _: rows.append(found)
    )
    assert tally.n == 4
    assert len(tally.failures) == 1
    assert str(pictures / "b/3.png") in tally.failures[0]


@pytest.mark.parametrize("batch_size", [1, 8])
def test_features_that_are_no_numbers_end_the_work_with_the_pictures_name(
    pictures: Path, batch_size: int
) -> None:
    Image.new("RGB", (9, 9)).save(pictures / "b/black.png")
    compute = Compute(device="cpu", batch_size=batch_size, cache=False)
    with pytest.raises(ModelError, match=r"features of .*b/black\.png hold NaN"):
        extracted(pictures, open_stub(argument="nan"), compute)


def test_features_of_another_length_than_stated_are_refused(pictures: Path) -> None:
    with pytest.raises(
        ModelError, match=rf"'stub' have shape \(5, {DIMS - 1}\) where \(5, {DIMS}\)"
    ):
        extracted(pictures, open_stub(argument="short"))


def test_an_array_that_is_no_picture_ends_the_work() -> None:
    with pytest.raises(UsageError, match="a picture was given as float64"):
        extracted([np.zeros((4, 4, 3))], open_stub())


@pytest.mark.parametrize("batch_size", [2, 100])
def test_progress_is_told_after_each_batch(pictures: Path, batch_size: int) -> None:
    (pictures / "a/1.png").write_bytes(b"")
    told: list[tuple[int, int]] = []
    extract(
        open_set(pictures),
        open_stub(),
        Compute(device="cpu", batch_size=batch_size, cache=False),
        lambda rows, keys: None,
        lambda tally: told.append((tally.n, len(tally.failures))),
    )
    assert told[-1] == (4, 1)
    assert len(told) == -(-5 // batch_size)


# features gathered


def gathered(batches: list[Rows], most: int | None = None) -> Features:
    with closing(FeatureSink(3, most=most)) as sink:
        for rows in batches:
            sink.add(rows)
        return sink.features("x")


BATCHES = [np.random.default_rng(n).normal(size=(n, 3)).astype(np.float32) for n in (4, 1, 5)]


@pytest.mark.parametrize("most", [None, 10])
def test_gathered_features_lie_on_the_disk_and_are_the_same(most: int | None) -> None:
    found = gathered(BATCHES, most)
    assert isinstance(found.known, np.memmap)
    assert np.array_equal(found.rows, np.concatenate(BATCHES))
    assert (found.n, found.dims) == (10, 3)


def test_beyond_the_most_only_statistics_are_kept() -> None:
    found = gathered(BATCHES, most=9)
    assert (found.known, found.n, found.dims) == (None, 10, 3)
    whole = gathered(BATCHES).statistics
    np.testing.assert_allclose(found.statistics.mu, whole.mu, rtol=1e-12)
    np.testing.assert_allclose(found.statistics.sigma, whole.sigma, rtol=1e-12)
    with pytest.raises(UsageError, match="x holds statistics"):
        _ = found.rows


def test_nothing_gathered_is_no_feature() -> None:
    assert gathered([]).rows.shape == (0, 3)


def test_features_may_be_taken_more_than_once() -> None:
    taken = gathered(BATCHES).take(np.array([2, 2, 7]))
    assert np.array_equal(taken.rows, np.concatenate(BATCHES)[[2, 2, 7]])
    assert taken.n == 3


def test_pictures_are_read_only_a_little_ahead(pictures: Path) -> None:
    data = encode_image(np.zeros((4, 4, 3), np.uint8), "png")
    for index in range(60):
        (pictures / f"{index}.png").write_bytes(data)
    opened, counts, held = open_set(pictures), {"read": 0, "done": 0}, []

    def read() -> Iterator[Picture]:
        for one in opened.read():
            counts["read"] += 1
            yield one

    def add(rows: Rows, keys: Sequence[str]) -> None:
        held.append(counts["read"] - counts["done"])
        counts["done"] += len(rows)

    compute = Compute(device="cpu", batch_size=4, workers=2, cache=False)
    extract(replace(opened, read=read), open_stub(), compute, add)
    assert counts["done"] == 65
    assert max(held) < 30
