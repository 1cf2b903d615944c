"""Sizes made legal, restored, and recorded."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from i2ikit.data.images import Array, Pixels, decode_image
from i2ikit.data.sizes import Geometry, fit, restore, shrink
from i2ikit.errors import ModelError
from i2ikit.model import RGB, Grey, InputKind, InstanceMap, LabelMap, SizeRule

# Busy machines stretch any deadline; the same examples at every run.
examples = settings(deadline=None, derandomize=True, max_examples=60)

SIDES = st.integers(1, 300)
PADDING = st.builds(SizeRule, multiple_of=st.integers(1, 64), minimum=st.integers(1, 128))
FIXED = st.builds(SizeRule, fixed=st.tuples(st.integers(1, 90), st.integers(1, 90)))


def pixels(height: int, width: int) -> Pixels:
    rng = np.random.default_rng(height * 1000 + width)
    return rng.integers(0, 256, (height, width, 3)).astype(np.uint8)


def ids(height: int, width: int) -> npt.NDArray[np.int32]:
    return (np.arange(height * width, dtype=np.int32) * 7919 % 65536).reshape(height, width)


@examples
@given(SIDES, SIDES, st.one_of(PADDING, FIXED))
def test_fit_gives_the_size_the_rule_asks_for(height: int, width: int, rule: SizeRule) -> None:
    for array, kind in ((pixels(height, width), RGB()), (ids(height, width), InstanceMap())):
        fitted = fit(array, kind, rule)
        assert fitted.shape[:2] == rule.fit(height, width)
        assert fitted.dtype == array.dtype


@examples
@given(SIDES, SIDES, PADDING)
def test_restore_undoes_padding_exactly(height: int, width: int, rule: SizeRule) -> None:
    array = pixels(height, width)
    padded = fit(array, RGB(), rule).astype(np.uint8)
    assert np.array_equal(restore(padded, (height, width), rule), array)


@examples
@given(SIDES, SIDES, FIXED)
def test_restore_gives_a_resized_picture_its_size_back(
    height: int, width: int, rule: SizeRule
) -> None:
    resized = fit(pixels(height, width), RGB(), rule).astype(np.uint8)
    assert restore(resized, (height, width), rule).shape == (height, width, 3)


@examples
@given(SIDES, SIDES, st.one_of(PADDING, FIXED), st.integers(1, 300))
def test_maps_never_get_new_ids(height: int, width: int, rule: SizeRule, side: int) -> None:
    array = ids(height, width)
    is_known = np.zeros(65536, bool)
    is_known[array] = True
    for changed in (fit(array, LabelMap(65536), rule), shrink(array, InstanceMap(), side)):
        assert is_known[changed].all()


@examples
@given(SIDES, SIDES, st.integers(1, 300))
def test_shrink_keeps_the_aspect_within_half_a_pixel(height: int, width: int, side: int) -> None:
    new_height, new_width = shrink(ids(height, width), InstanceMap(), side).shape
    assert min(new_height, new_width) == side
    scale = side / min(height, width)
    assert abs(new_height - height * scale) <= 0.5
    assert abs(new_width - width * scale) <= 0.5


@examples
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5))
def test_enlarging_a_map_repeats_each_id(height: int, width: int, times: int) -> None:
    array = ids(height, width)
    enlarged = shrink(array, InstanceMap(), min(height, width) * times)
    assert np.array_equal(enlarged, array.repeat(times, 0).repeat(times, 1))


def test_shrinking_a_map_takes_the_middle_of_each_block() -> None:
    array = ids(9, 15)
    assert np.array_equal(shrink(array, InstanceMap(), 3), array[1::3, 1::3])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([5], [5, 5, 5, 5, 5, 5, 5, 5]),
        ([1, 2], [1, 2, 1, 2, 1, 2, 1, 2]),
        ([1, 2, 3], [1, 2, 3, 2, 1, 2, 3, 2]),
        ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6, 5, 4]),
    ],
)
def test_padding_reflects_without_repeating_the_edge(row: list[int], expected: list[int]) -> None:
    padded = fit(np.array([row], np.int32), InstanceMap(), SizeRule(multiple_of=8))
    assert padded.tolist() == [expected] * 8


def test_a_legal_picture_is_left_alone() -> None:
    array = pixels(16, 32)
    assert fit(array, RGB(), SizeRule(multiple_of=16)) is array
    assert fit(array, RGB(), SizeRule(fixed=(16, 32))) is array


@pytest.mark.parametrize("kind", [RGB(), Grey()])
def test_shrinking_a_picture_averages(kind: InputKind) -> None:
    """A fine chequerboard becomes grey; without antialiasing it would stay black or white."""
    board: Array = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = shrink(board if isinstance(kind, Grey) else np.stack([board] * 3, -1), kind, 8)
    assert abs(small.astype(int) - 127).max() <= 12


def test_output_of_another_size_is_the_models_fault() -> None:
    with pytest.raises(ModelError, match="was given 32x16 and made 64x32"):
        restore(pixels(32, 64), (10, 20), SizeRule(multiple_of=16))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("times", [1, 3])
def test_affine_says_where_a_pixel_went(orientation: int, times: int) -> None:
    """One pixel of a 6x4 map is found in the output at the place that the transform says."""
    stored = np.zeros((4, 6), np.uint8)
    stored[1, 4] = 255
    decoded = decode_image(_with_orientation(stored, orientation), InstanceMap(), "x")
    output = shrink(decoded.array, InstanceMap(), 4 * times)
    size = (output.shape[1], output.shape[0])
    a, b, c, d, e, f = Geometry(decoded.stored_size, orientation, size).affine()
    x, y = a * 4.5 + b * 1.5 + c, d * 4.5 + e * 1.5 + f
    assert output[int(y), int(x)] == 255


def _with_orientation(stored: Pixels, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("orientation", "size", "is_changed"),
    [(1, (6, 4), False), (3, (6, 4), True), (1, (3, 2), True)],
)
def test_a_turn_or_another_size_is_a_change(
    orientation: int, size: tuple[int, int], is_changed: bool
) -> None:
    assert Geometry((6, 4), orientation, size).is_changed is is_changed


def test_metadata_tells_the_geometry() -> None:
    assert Geometry((60, 40), 6, (20, 30)).to_json() == {
        "source_size": [60, 40],
        "exif_orientation": 6,
        "size": [20, 30],
        "affine": [0, -0.5, 20, 0.5, 0, 0],
    }
