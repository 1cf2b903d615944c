"""Picture files ↔ arrays ↔ tensors. Value ranges change here and nowhere else.

A picture is decoded as a viewer would show it; a map's ids are taken exactly as the file holds
them. Every function is safe to call from several threads at once.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image, ImageCms, ImageFile, UnidentifiedImageError
from torch import Tensor

from i2ikit.errors import ModelError, SampleError
from i2ikit.model import RGB, Grey, InputKind, LabelMap

#: uint8 (H, W, 3): red, green, blue.
Pixels: TypeAlias = npt.NDArray[np.uint8]
#: A decoded file: uint8 (H, W, 3) for RGB, uint8 (H, W) for Grey, int32 (H, W) for maps.
Array: TypeAlias = npt.NDArray[np.integer]
Rounding: TypeAlias = Literal["round", "truncate", "stretch"]
ImageFormat: TypeAlias = Literal["png", "jpg", "webp"]

#: Larger pictures are refused as decompression bombs; where Pillow begins to warn.
MAX_PIXELS = 89_478_485

_MAP_FORMATS = ("PNG", "TIFF", "BMP", "DIB", "GIF")
# Named, because Pillow knows more: its EPS reader, for one, starts Ghostscript.
_WITH_FRAMES = ("GIF", "TIFF", "WEBP")
_PICTURE_FORMATS = (*_MAP_FORMATS, "JPEG", "WEBP", "PPM", "JPEG2000", "TGA", "AVIF")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoded:
    """A file's contents, upright.

    Attributes:
        array: what the kind asks for, see `Array`.
        orientation: the EXIF orientation that was undone, 2 … 8, or 1: shown as stored.
    """

    array: Array
    orientation: int

    @property
    def stored_size(self) -> tuple[int, int]:
        """The (width, height) in the file, before it was turned."""
        height, width = self.array.shape[:2]
        return (height, width) if self.orientation >= 5 else (width, height)


def decode_image(data: bytes, kind: InputKind, name: str, *, as_stored: bool = False) -> Decoded:
    """Return the first picture in a file's bytes, as `kind` wants it.

    Colours: palettes, CMYK, 16 bits and embedded colour profiles become 8-bit sRGB, transparency
    is laid over white. Maps: a palette file's indices, a grey file's values. Both are turned
    upright as EXIF says.

    Args:
        data: the whole file.
        kind: what the model takes; maps must be lossless grey or palette files.
        name: the file's name, for messages.
        as_stored: leave out EXIF rotations (but those of TIFFs) and colour profiles, as software
            for training and evaluating networks mostly does.

    Raises:
        SampleError: no picture, damaged, cut short, too large, or ids that can't be read as such.
    """
    with _opened(data, name) as image:
        return _decode(image, kind, name, as_stored=as_stored)


@dataclass(frozen=True)
class Header:
    """What is known of a picture before it is unpacked.

    Attributes:
        format: "PNG", "JPEG" …
        width: as stored, in pixels.
        height: as stored.
        traits: what not all software heeds: "transparency", "more than 8 bits", "EXIF rotation",
            "colour profile" (another than sRGB), "further frames".
    """

    format: str
    width: int
    height: int
    traits: tuple[str, ...] = ()


def read_header(data: bytes, name: str) -> Header:
    """Return what the head of a file's bytes says.

    Raises:
        SampleError: no picture.
    """
    with _opened(data, name) as image:
        found = {
            "transparency": image.has_transparency_data,
            "more than 8 bits": image.mode.startswith(("I", "F")),
            "EXIF rotation": image.format != "TIFF" and _orientation(image) > 1,
            "colour profile": _foreign_profile(image) is not None,
            "further frames": image.format in _WITH_FRAMES and getattr(image, "n_frames", 1) > 1,
        }
        traits = tuple(name for name, is_there in found.items() if is_there)
        return Header(image.format or "", image.width, image.height, traits)


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[ImageFile.ImageFile]:
    """Open a file's bytes; whatever Pillow raises becomes a sentence."""
    if not data:
        raise SampleError(f"{name} is empty")
    try:
        with Image.open(io.BytesIO(data), formats=_PICTURE_FORMATS) as image:
            yield image
    except SampleError:
        raise
    except UnidentifiedImageError:
        hint = f"{', '.join(_PICTURE_FORMATS)} are read"
        raise SampleError(f"{name} holds no picture", hint=hint) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(name) from None
    except Exception as error:  # on damaged files Pillow raises whatever the format's parser raises
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SampleError(f"{name} can't be decoded: {reason}") from None


def _too_large(name: str) -> SampleError:
    return SampleError(f"{name} has more than {MAX_PIXELS} pixels", hint="it may be a bomb")


def _decode(image: ImageFile.ImageFile, kind: InputKind, name: str, *, as_stored: bool) -> Decoded:
    if image.width * image.height > MAX_PIXELS:  # from the header: nothing is unpacked yet
        raise _too_large(name)
    if isinstance(kind, RGB | Grey):
        upright, orientation = _load(image, as_stored=as_stored)
        shown = _as_shown(upright, name, as_stored=as_stored).convert(
            "RGB" if isinstance(kind, RGB) else "L"
        )
        return Decoded(np.array(shown), orientation)
    _refuse_colour(image, name)
    step = _id_step(image)
    upright, orientation = _load(image, as_stored=as_stored)
    ids = np.asarray(upright).astype(np.int32) // step
    _check_ids(ids, kind, name)
    return Decoded(ids, orientation)


def _load(image: ImageFile.ImageFile, *, as_stored: bool) -> tuple[Image.Image, int]:
    """Return the picture unpacked and upright, and the orientation it had."""
    if image.format == "TIFF":  # Pillow turns these itself while unpacking
        orientation = _orientation(image)
        image.load()
        return image, orientation
    image.load()
    orientation = 1 if as_stored else _orientation(image)
    return (image.transpose(_TURNS[orientation]) if orientation > 1 else image), orientation


def _orientation(image: ImageFile.ImageFile) -> int:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # a damaged EXIF block, which viewers ignore, raises whatever its parser does
        return 1
    return orientation if orientation in _TURNS else 1


def _as_shown(image: Image.Image, name: str, *, as_stored: bool) -> Image.Image:
    """Return the picture opaque, with 8 bits, in a mode that converts to RGB and L."""
    if image.mode.startswith(("I", "F")):
        return _from_wide(image, name)
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    image = image if as_stored else _in_srgb(image)
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _from_wide(image: Image.Image, name: str) -> Image.Image:
    """Return 16-bit values (v / 257) or floats in [0, 1] (255 v) rounded to 8 bits."""
    values = np.asarray(image)
    top = 1 if image.mode == "F" else 65535
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= top):
        raise SampleError(f"{name} has values from {low:g} to {high:g}, outside 0…{top}")
    return Image.fromarray((values.astype(np.float32) * (255 / top) + 0.5).astype(np.uint8))


def _in_srgb(image: Image.Image) -> Image.Image:
    """Return the picture in sRGB if it embeds another colour profile that can be used."""
    source = _foreign_profile(image)
    if source is None:
        return image
    try:
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError):  # of another colour space than the picture
        return image


def _foreign_profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """Return the colour profile that a picture embeds, if it is another than sRGB."""
    data = image.info.get("icc_profile")
    if not data or image.mode not in ("L", "RGB", "RGBA", "CMYK"):
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        # most pictures embed sRGB: sparing them the conversion spares 10 ms each
        return None if "sRGB" in ImageCms.getProfileDescription(profile) else profile
    except (ImageCms.PyCMSError, OSError):  # damaged
        return None


def _refuse_colour(image: ImageFile.ImageFile, name: str) -> None:
    hint = f"ids are read from grey or palette files: {', '.join(_MAP_FORMATS)}"
    if image.format not in _MAP_FORMATS:
        raise SampleError(f"{name} is a {image.format} file, which may change ids", hint=hint)
    if image.mode not in ("1", "L", "P", "I") and not image.mode.startswith("I;16"):
        raise SampleError(f"{name} is a colour picture (mode {image.mode})", hint=hint)


def _id_step(image: ImageFile.ImageFile) -> int:
    """Return what Pillow multiplies 2-bit and 4-bit grey values by; known only before loading."""
    raw_mode = image.tile[0].args if image.tile else ""
    if isinstance(raw_mode, tuple):
        raw_mode = raw_mode[0]
    return {"L;2": 85, "L;4": 17}.get(str(raw_mode), 1)


def _check_ids(ids: npt.NDArray[np.int32], kind: InputKind, name: str) -> None:
    word, top = "instance id", np.iinfo(np.int32).max
    if isinstance(kind, LabelMap):
        word, top = "label", kind.num_classes - 1
    if ids.min() < 0 or ids.max() > top:
        wrong = np.argwhere((ids < 0) | (ids > top))
        y, x = wrong[0]
        hint = f"{len(wrong)} such pixels, the first at x={x}, y={y}"
        raise SampleError(f"{name}: {word} {ids[y, x]} is outside 0…{top}", hint=hint)


def to_tensor(array: Array, kind: InputKind) -> Tensor:
    """Return a decoded array as a batch of one.

    Pictures: (1, C, H, W) float32 in [-1, 1], the very floats of torchvision's `ToTensor` and
    `Normalize(0.5, 0.5)` (which divide by 255 and then double, exactly). Maps: (1, 1, H, W) int64.
    """
    values = torch.from_numpy(array)
    values = values.permute(2, 0, 1)[None] if values.ndim == 3 else values[None, None]
    if not isinstance(kind, RGB | Grey):
        return values.long()
    floats = values.to(torch.float32, memory_format=torch.contiguous_format)
    return floats.div_(127.5).sub_(1)


def to_pixels(picture: Tensor, rounding: Rounding = "round") -> Pixels:
    """Return a model's output, (3, H, W) in [-1, 1], as 8-bit pixels.

    Args:
        picture: any float type, on any device; converted there, so that bytes are copied back.
        rounding: "round" maps the range itself, half a level up; "truncate" rounds down, as
            pix2pixHD and BicycleGAN save; "stretch" first makes the picture's least value 0 and
            its greatest 1, as MUNIT and UNIT save (torchvision's `save_image(normalize=True)`).

    Raises:
        ModelError: the tensor has another shape.
        SampleError: it holds NaN or infinity.
    """
    if picture.ndim != 3 or picture.shape[0] != 3:
        raise ModelError(f"the model made a picture of shape {tuple(picture.shape)}, not (3, H, W)")
    if not torch.isfinite(picture).all():
        hint = "--precision fp32 has the widest range"
        raise SampleError("the model's output holds NaN or infinity", hint=hint)
    unit = (picture.float() + 1) / 2
    if rounding == "stretch":
        low, high = unit.min(), unit.max()
        unit = (unit - low) / (high - low).clamp(min=1e-5)
    levels = unit * 255 if rounding == "truncate" else unit * 255 + 0.5
    pixels: Pixels = (
        levels.clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
    )
    return pixels


def encode_image(pixels: Pixels, image_format: ImageFormat) -> bytes:
    """Return a file's bytes: the same for the same pixels and the same Pillow.

    png: lossless, deflated by run lengths alone: up to 1.4 times as fast as zlib's level 1 on
    network outputs, and smaller. jpg: quality 95, colour at full resolution. webp: lossy, quality
    95, its fastest method, a quarter of the PNG's size (lossless WebP at that speed is no smaller
    than the PNG).

    Raises:
        SampleError: the format can't hold a picture of this size.
    """
    image, buffer = Image.fromarray(pixels), io.BytesIO()
    try:
        if image_format == "png":
            image.save(buffer, "PNG", compress_level=1, compress_type=Image.RLE)
        elif image_format == "jpg":
            image.save(buffer, "JPEG", quality=95, subsampling=0)
        else:
            image.save(buffer, "WEBP", quality=95, method=0)
    except (OSError, ValueError) as error:
        size = f"{image.width}x{image.height}"
        raise SampleError(f"a {size} picture can't be saved as {image_format}: {error}") from None
    return buffer.getvalue()
