"""Image bytes to arrays, arrays to tensors, tensors to pixels, pixels to bytes."""

from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import ExifTags, Image, ImageCms
from safetensors.torch import load_file
from torchvision.transforms import functional
from torchvision.utils import save_image

from i2ikit.data.images import (
    _PICTURE_FORMATS,
    MAX_PIXELS,
    Array,
    Header,
    ImageFormat,
    Rounding,
    decode_image,
    encode_image,
    read_header,
    to_pixels,
    to_tensor,
)
from i2ikit.errors import ModelError, SampleError
from i2ikit.model import RGB, Grey, InputKind, InstanceMap, LabelMap
from tests.odd_pictures import colours, write_odd_pictures

GOLDEN = Path(__file__).parents[1] / "golden"


def file(picture: Image.Image | npt.NDArray[Any], form: str = "PNG", **settings: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()


def decoded(data: bytes, kind: InputKind | None = None) -> Array:
    return decode_image(data, kind or RGB(), "x").array


def png(width: int, height: int, bits: int, rows: bytes) -> bytes:
    """A grey PNG written by hand: any bit depth, any claimed size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# pictures, as a viewer shows them


def test_every_readable_odd_picture_has_its_shown_size(tmp_path: Path) -> None:
    for name, (width, height) in write_odd_pictures(tmp_path).readable.items():
        array = decoded((tmp_path / name).read_bytes())
        assert array.shape == (height, width, 3), name
        assert array.dtype == np.uint8, name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("truncated.jpg", "can't be decoded: image file is truncated"),
        ("empty.jpg", "is empty"),
        ("night/text.png", "holds no picture"),
    ],
)
def test_unreadable_picture_is_named_with_its_reason(
    tmp_path: Path, name: str, reason: str
) -> None:
    assert name in write_odd_pictures(tmp_path).unreadable
    with pytest.raises(SampleError, match=f"^{name} {reason}"):
        decode_image((tmp_path / name).read_bytes(), RGB(), name)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_lossless_colours_are_exact(form: str) -> None:
    assert np.array_equal(decoded(file(colours(), form)), colours())


def test_palette_is_looked_up() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert decoded(file(image)).tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_alpha_is_laid_over_white() -> None:
    data = file(np.array([[[100, 0, 200, 0], [100, 0, 200, 255], [100, 0, 200, 51]]], np.uint8))
    assert decoded(data).tolist() == [[[255, 255, 255], [100, 0, 200], [224, 204, 244]]]


def test_transparent_palette_entry_is_white() -> None:
    image = Image.new("P", (1, 1))
    image.putpalette([10, 20, 30])
    assert decoded(file(image, transparency=b"\x00")).tolist() == [[[255, 255, 255]]]


def test_grey_with_alpha_is_laid_over_white() -> None:
    assert decoded(file(Image.new("LA", (1, 1), (80, 0))), Grey()).tolist() == [[255]]


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bits_are_divided_by_257_and_rounded(form: str, order: str) -> None:
    values = np.arange(65536).reshape(256, 256)
    array = decoded(file(values.astype(order), form), Grey())
    assert np.array_equal(array, (values + 128) // 257)


def test_float_pictures_reach_from_0_to_1() -> None:
    values = np.array([[0.0, 0.25, 1.0]], np.float32)
    assert decoded(file(values, "TIFF"), Grey()).tolist() == [[0, 64, 255]]


@pytest.mark.parametrize("value", [-0.5, 255.0, np.nan])
def test_float_values_of_another_range_are_refused(value: float) -> None:
    with pytest.raises(SampleError, match="outside 0…1"):
        decoded(file(np.array([[0.0, value]], np.float32), "TIFF"))


def test_cmyk_jpeg_shows_its_colours() -> None:
    data = file(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    assert np.abs(decoded(data)[0, 0].astype(int) - [255, 0, 0]).max() <= 2


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_files_give_three_equal_channels(mode: str) -> None:
    grey = Image.fromarray(colours()).convert(mode)
    array = decoded(file(grey))
    assert (array == np.asarray(grey.convert("L"))[:, :, None]).all()


def test_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("L", (4, 4), 40), Image.new("L", (4, 4), 200)]
    data = file(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decoded(data, Grey()).max() == 40


def swapped_profile(name: str) -> bytes:
    """An sRGB profile of another name, whose red and green have changed places."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"_XYZ").replace(b"gXYZ", b"rXYZ").replace(b"_XYZ", b"gXYZ")
    return swapped.replace("sRGB".encode("utf-16-be"), name.encode("utf-16-be"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_embedded_profile_is_converted_to_srgb(mode: str) -> None:
    picture = Image.new("RGB", (2, 2), (255, 0, 0)).convert(mode)
    data = file(picture, icc_profile=swapped_profile("swap"))
    assert np.abs(decoded(data)[0, 0].astype(int) - [0, 255, 0]).max() <= 2


@pytest.mark.parametrize("profile", [b"broken", swapped_profile("sRGB")])
def test_a_broken_profile_and_one_named_srgb_change_nothing(profile: bytes) -> None:
    assert np.array_equal(decoded(file(colours(), icc_profile=profile)), colours())


# pictures, as they are stored


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_as_stored_leaves_rotations_and_profiles_out(form: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    profile = swapped_profile("swap")
    data = file(Image.fromarray(colours()), form, exif=exif, icc_profile=profile)
    found = decode_image(data, RGB(), "x", as_stored=True)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(found.array, np.array(image.convert("RGB")))
    assert (found.orientation, found.stored_size) == (1, (24, 16))
    assert decode_image(data, RGB(), "x").orientation == 6


def test_as_stored_turns_a_tiff_as_pillow_itself_does() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = file(colours(), "TIFF", exif=exif)
    found = decode_image(data, RGB(), "x", as_stored=True).array
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(found, np.array(image.convert("RGB")))


def test_as_stored_still_lays_alpha_over_white_and_scales_16_bits() -> None:
    clear = file(np.array([[[100, 0, 200, 0]]], np.uint8))
    deep = file(np.array([[0, 257 * 7, 65535]], np.uint16))
    assert decode_image(clear, RGB(), "x", as_stored=True).array.tolist() == [[[255] * 3]]
    assert decode_image(deep, Grey(), "x", as_stored=True).array.tolist() == [[0, 7, 255]]


# heads of files


@pytest.mark.parametrize(
    ("form", "mode"), [("PNG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("WEBP", "RGB")]
)
def test_header_tells_format_and_size(form: str, mode: str) -> None:
    data = file(Image.fromarray(colours(30, 20)).convert(mode), form)
    assert read_header(data, "x") == Header(form, 30, 20)


def turned() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 8
    return file(colours(30, 20), "JPEG", exif=exif)


@pytest.mark.parametrize(
    ("data", "trait"),
    [
        (file(Image.new("RGBA", (30, 20))), "transparency"),
        (file(Image.new("LA", (30, 20))), "transparency"),
        (file(Image.new("P", (30, 20)), transparency=b"\x00"), "transparency"),
        (file(np.zeros((20, 30), np.uint16)), "more than 8 bits"),
        (file(np.zeros((20, 30), np.float32), "TIFF"), "more than 8 bits"),
        (turned(), "EXIF rotation"),
        (file(colours(30, 20), icc_profile=swapped_profile("swap")), "colour profile"),
    ],
)
def test_header_tells_what_not_all_software_heeds(data: bytes, trait: str) -> None:
    header = read_header(data, "x")
    assert header.traits == (trait,)
    assert (header.width, header.height) == (30, 20)


def test_an_embedded_srgb_profile_is_no_trait() -> None:
    profile = swapped_profile("sRGB")
    assert read_header(file(colours(), icc_profile=profile), "x").traits == ()


def test_header_needs_only_the_head_of_a_file() -> None:
    data = file(colours(64, 64), "JPEG")
    assert read_header(data[: len(data) // 2], "x") == Header("JPEG", 64, 64)


@pytest.mark.parametrize(("data", "reason"), [(b"", "is empty"), (b"text", "holds no picture")])
def test_what_is_no_picture_has_no_header(data: bytes, reason: str) -> None:
    with pytest.raises(SampleError, match=f"^x.png {reason}"):
        read_header(data, "x.png")


# EXIF


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("kind", [RGB(), InstanceMap()])
@pytest.mark.parametrize(
    ("orientation", "corners"),
    [
        (1, [[0, 1], [2, 3]]),
        (2, [[1, 0], [3, 2]]),
        (3, [[3, 2], [1, 0]]),
        (4, [[2, 3], [0, 1]]),
        (5, [[0, 2], [1, 3]]),
        (6, [[2, 0], [3, 1]]),
        (7, [[3, 1], [2, 0]]),
        (8, [[1, 3], [0, 2]]),
    ],
)
def test_pictures_and_maps_are_turned_upright(
    form: str, kind: InputKind, orientation: int, corners: list[list[int]]
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = np.zeros((4, 6), np.uint8)
    stored[0, -1], stored[-1, 0], stored[-1, -1] = 1, 2, 3
    result = decode_image(file(stored, form, exif=exif), kind, "x")
    plane = result.array if result.array.ndim == 2 else result.array[:, :, 0]
    assert plane[:: len(plane) - 1, :: len(plane[0]) - 1].tolist() == corners
    assert (result.orientation, result.stored_size) == (orientation, (6, 4))


def test_broken_exif_is_ignored() -> None:
    assert decode_image(file(colours(), exif=b"Exif\x00\x00broken"), RGB(), "x").orientation == 1


# maps


def test_palette_map_gives_indices() -> None:
    ids = np.array([[0, 1], [2, 34]], np.uint8)
    image = Image.fromarray(ids).convert("P")
    image.putpalette([90, 80, 70] * 35)
    assert np.array_equal(decoded(file(image), LabelMap(35)), ids)


def test_sixteen_bit_ids_do_not_wrap() -> None:
    ids = np.array([[0, 26001], [33007, 65535]], np.uint16)
    array = decoded(file(ids), InstanceMap())
    assert np.array_equal(array, ids)
    assert array.dtype == np.int32


def test_one_bit_map_gives_0_and_1() -> None:
    array = decoded(file(np.array([[False, True]])), LabelMap(2))
    assert array.tolist() == [[0, 1]]


@pytest.mark.parametrize(("bits", "row"), [(2, b"\x00\x1b"), (4, b"\x00\x01\x23")])
def test_few_bit_grey_ids_are_not_scaled(bits: int, row: bytes) -> None:
    assert decoded(png(4, 1, bits, row), LabelMap(4)).tolist() == [[0, 1, 2, 3]]


def test_label_out_of_range_is_told_with_its_place() -> None:
    ids = np.zeros((3, 5), np.uint8)
    ids[1, 4] = ids[2, 0] = 255
    with pytest.raises(SampleError, match=r"x: label 255 is outside 0…34 \(2 such .* x=4, y=1"):
        decoded(file(ids), LabelMap(35))


def test_negative_instance_id_is_refused() -> None:
    with pytest.raises(SampleError, match="instance id -1 is outside"):
        decoded(file(np.full((2, 2), -1, np.int32), "TIFF"), InstanceMap())


def test_colour_picture_is_no_map() -> None:
    with pytest.raises(SampleError, match="colour picture"):
        decoded(file(colours()), LabelMap(256))


def test_jpeg_is_no_map() -> None:
    with pytest.raises(SampleError, match="JPEG file, which may change ids"):
        decoded(file(np.zeros((8, 8), np.uint8), "JPEG"), LabelMap(35))


# what can't be read


@pytest.mark.parametrize("form", _PICTURE_FORMATS)
def test_a_file_cut_short_is_an_error_in_every_format(form: str) -> None:
    data = file(colours(64, 64), form)
    decoded(data)
    with pytest.raises(SampleError, match=r"can't be decoded|holds no picture"):
        decoded(data[: len(data) // 2])


def test_any_damage_is_a_sample_error_or_a_picture() -> None:
    rng = np.random.default_rng(0)
    for form in ("PNG", "JPEG", "TIFF", "GIF"):
        whole = np.frombuffer(file(colours(), form), np.uint8)
        for _ in range(30):
            data = whole.copy()
            data[rng.integers(0, len(data), 3)] = rng.integers(0, 256, 3)
            try:
                decoded(data.tobytes())
            except SampleError as error:
                assert str(error).startswith("x ")  # noqa: PT017


@pytest.mark.parametrize(("width", "height"), [(9460, 9460), (50_000, 50_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bomb_is_refused_by_its_header(width: int, height: int) -> None:
    with pytest.raises(SampleError, match=f"more than {MAX_PIXELS} pixels"):
        decoded(png(width, height, 1, b""))


def test_large_map_of_the_world_is_no_bomb() -> None:
    rows = (b"\x00" + bytes(10800 // 8)) * 5400
    assert decoded(png(10800, 5400, 1, rows), Grey()).shape == (5400, 10800)


def test_threads_decode_the_same() -> None:
    data = [file(colours(20 + i, 30), "JPEG") for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decoded, data * 4))
    assert all(np.array_equal(a, decoded(b)) for a, b in zip(together, data * 4, strict=True))


# tensors


def test_rgb_tensor_equals_torchvision_bit_for_bit() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    array = np.stack([levels, levels.T, 255 - levels], axis=-1)
    unit = functional.to_tensor(Image.fromarray(array))
    expected = functional.normalize(unit, [0.5] * 3, [0.5] * 3)
    tensor = to_tensor(array, RGB())
    assert torch.equal(tensor, expected[None])
    assert tensor.is_contiguous()


def test_grey_tensor_has_one_channel() -> None:
    tensor = to_tensor(np.array([[0, 255]], np.uint8), Grey())
    assert torch.equal(tensor, torch.tensor([[[[-1.0, 1.0]]]]))


def test_map_tensor_keeps_ids() -> None:
    tensor = to_tensor(np.array([[7, 65535]], np.int32), InstanceMap())
    assert tensor.tolist() == [[[[7, 65535]]]]
    assert tensor.dtype == torch.int64


def test_every_level_survives_the_way_there_and_back() -> None:
    array = np.arange(768).astype(np.uint8).reshape(16, 16, 3)
    assert np.array_equal(to_pixels(to_tensor(array, RGB())[0]), array)


# pixels


def test_range_is_mapped_clamped_and_rounded_half_up() -> None:
    row = torch.tensor([-1.5, -1.0, 2 * 0.5 / 255 - 1, 0.0, 1.0, 1.5])
    assert to_pixels(row.expand(3, 1, 6))[0, :, 0].tolist() == [0, 0, 1, 128, 255, 255]


@pytest.mark.parametrize("case", ["munit/a2b.one.rand2", "munit/b2a.two.rand0"])
@pytest.mark.parametrize(("name", "rounding"), [("u8_plain", "round"), ("u8_saved", "stretch")])
def test_munit_goldens_are_exact(case: str, name: str, rounding: Rounding) -> None:
    check_golden(case, name, rounding)


@pytest.mark.parametrize("case", ["unit/a2b.one", "unit/a2b.two"])
@pytest.mark.parametrize(("name", "rounding"), [("u8_plain", "round"), ("u8_saved", "stretch")])
def test_unit_goldens_are_exact(case: str, name: str, rounding: Rounding) -> None:
    check_golden(case, name, rounding)


def check_golden(case: str, name: str, rounding: Rounding) -> None:
    family, _, key = case.partition("/")
    golden = load_file(GOLDEN / family / "base/golden.safetensors")
    pixels = to_pixels(golden[key][0], rounding)
    assert np.array_equal(pixels, golden[f"{name}.{key}"].numpy())


@pytest.mark.parametrize(
    ("family", "floats", "saved"),
    [
        ("pix2pixhd", "fake_image", "saved_uint8"),
        ("bicyclegan", "fake1", "fake1_saved_uint8"),
    ],
)
def test_truncated_goldens_are_exact(family: str, floats: str, saved: str) -> None:
    checked = 0
    for path in sorted(GOLDEN.glob(f"{family}/*/golden.safetensors")):
        golden = load_file(path)
        for key in (key for key in golden if key.endswith(saved)):
            pixels = to_pixels(golden[key.removesuffix(saved) + floats][0], "truncate")
            assert np.array_equal(pixels, golden[key].numpy()), (path, key)
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize("contrast", [1e-5, 0.5])
def test_stretching_equals_torchvisions(contrast: float) -> None:
    """A contrast below 1e-5 is not stretched to the full range."""
    picture = torch.linspace(-contrast / 2, contrast / 2, 192).reshape(3, 8, 8)
    buffer = io.BytesIO()
    save_image((picture + 1) / 2, buffer, format="png", normalize=True)
    assert np.array_equal(to_pixels(picture, "stretch"), decoded(buffer.getvalue()))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_output_that_is_no_number_is_a_sample_error(value: float) -> None:
    with pytest.raises(SampleError, match="NaN"):
        to_pixels(torch.full((3, 2, 2), value))


def test_output_without_three_channels_is_the_models_fault() -> None:
    with pytest.raises(ModelError, match=r"shape \(1, 2, 2\)"):
        to_pixels(torch.zeros(1, 2, 2))


# files


@pytest.mark.parametrize(("image_format", "tolerance"), [("png", 0), ("jpg", 4), ("webp", 12)])
def test_encoded_pixels_come_back(image_format: ImageFormat, tolerance: int) -> None:
    data = encode_image(colours(), image_format)
    assert np.abs(decoded(data).astype(int) - colours()).mean() <= tolerance
    assert data == encode_image(colours(), image_format)
    form = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[image_format]
    assert Image.open(io.BytesIO(data)).format == form


def test_jpg_keeps_colour_at_full_resolution() -> None:
    array = np.zeros((16, 16, 3), np.uint8)
    array[:, ::2] = (255, 0, 0)
    assert np.abs(decoded(encode_image(array, "jpg")).astype(int) - array).max() < 40


def test_picture_too_long_for_its_format_is_a_sample_error() -> None:
    with pytest.raises(SampleError, match="20000x1 picture can't be saved as webp"):
        encode_image(np.zeros((1, 20000, 3), np.uint8), "webp")
