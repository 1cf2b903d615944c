"""What a user asks of a run, checked and turned into settings before the first image."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch

import i2ikit
from i2ikit.data.images import ImageFormat
from i2ikit.data.keys import split_picture
from i2ikit.data.samples import REFERENCE, Source
from i2ikit.devices import PRECISIONS, Precision
from i2ikit.errors import UsageError
from i2ikit.labels.places import LabelFrame
from i2ikit.loading import Loaded
from i2ikit.model import Direction, Model
from i2ikit.translation.listed import read_styles
from i2ikit.translation.look import look_at_sizes
from i2ikit.translation.plan import Settings
from i2ikit.translation.references import read_references
from i2ikit.translation.styles import (
    DrawnStyles,
    MatchedStyles,
    NoStyles,
    Styles,
    StylesPer,
)

#: A CPU works on at most this many input pixels at a time, for the sake of memory.
_PIXELS_AT_ONCE = 8 * 1024 * 1024
MATCHED = "matched:"
SHARDS = "wds:"


@dataclass(frozen=True)
class Request:
    """The arguments of `i2ikit.translate`, which documents them."""

    source: str
    output: str
    model: str
    checkpoint: str | Path | None = None
    direction: Direction = "a2b"
    options: Mapping[str, Any] = field(default_factory=dict)
    style_sample: int | None = None
    style_from: str | None = None
    styles: Path | None = None
    styles_per: StylesPer = "sample"
    seed: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    label_frame: LabelFrame | None = None
    format: ImageFormat = "png"
    range: Literal["fixed", "official"] = "fixed"
    device: str = "auto"
    precision: Precision = "fp32"

    @property
    def root(self) -> Path:
        """Return the output folder."""
        return Path(self.output.removeprefix(SHARDS))


def check_request(request: Request) -> None:
    """Refuse what makes no sense whatever the model.

    Raises:
        UsageError: a value out of bounds, or options that exclude each other.
    """
    ways = {
        "--style-sample": request.style_sample is not None,
        "--style-from": request.style_from is not None,
        "--styles": request.styles is not None,
    }
    given = [name for name, is_given in ways.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other")
    if request.style_sample is not None and request.style_sample < 1:
        raise UsageError(f"--style-sample {request.style_sample} is less than 1")
    if request.size is not None and request.size < 1:
        raise UsageError(f"--size {request.size} is less than 1")
    for name, value, allowed in (
        ("--label-frame", request.label_frame or "stored", ("stored", "shown")),
        ("--format", request.format, ("png", "jpg", "webp")),
        ("--range", request.range, ("fixed", "official")),
        ("--precision", request.precision, tuple(PRECISIONS)),
        ("--styles-per", request.styles_per, ("sample", "folder", "run")),
    ):
        if value not in allowed:
            raise UsageError(f"{name} {value} is none of {', '.join(allowed)}")
    if request.style_from in ("", MATCHED):
        raise UsageError("--style-from names nothing", hint="an unset variable, perhaps")
    idle = [name for name in request.fields if name.startswith(REFERENCE)]
    if idle and request.style_from is None:
        raise UsageError(f"--field {idle[0]} is of no use", hint="it goes with --style-from")
    _check_places(request)


def _check_places(request: Request) -> None:
    if not request.source or not request.root.name:
        raise UsageError("IN or OUT is empty", hint="an unset variable, perhaps")
    if split_picture(request.root.name)[1] and not request.root.is_dir():
        raise UsageError(f"OUT {request.root} is called like a picture", hint="name a folder")
    output, source = request.root.resolve(), Path(request.source)
    if "://" in request.source or not source.exists():
        return
    inside = source.resolve()
    if output == inside or (source.is_dir() and output.is_relative_to(inside)):
        raise UsageError(
            f"OUT {request.root} is IN, or inside it", hint="choose a folder beside it"
        )


def all_fields(request: Request, model: Model) -> dict[str, str]:
    """Return the fields to look up for every sample, matched example pictures among them."""
    own = {n: w for n, w in request.fields.items() if not n.startswith(REFERENCE)}
    if not (request.style_from or "").startswith(MATCHED) or not model.reference_inputs:
        return own
    folder = (request.style_from or "").removeprefix(MATCHED)
    return {**request.fields, REFERENCE + next(iter(model.reference_inputs)): folder}


def choose_styles(request: Request, model: Model, device: torch.device) -> Styles:
    """Return where the run's styles come from.

    Raises:
        UsageError: the model can't take its styles from there.
    """
    if request.style_from is not None:
        return _example_styles(request, request.style_from, model, device)
    if request.styles is not None:
        return read_styles(request.styles, model)
    if model.noise_shape:
        return DrawnStyles(request.style_sample or 1, request.styles_per, request.seed)
    if request.style_sample is not None:
        raise UsageError(
            f"--style-sample {request.style_sample}: model '{request.model}' draws no styles"
            + (" with this checkpoint" if model.reference_inputs else ""),
            hint=_other_ways(model),
        )
    if model.reference_inputs is not None:
        raise UsageError(
            f"model '{request.model}' takes its style from an example picture",
            hint="give --style-from IMG, DIR or matched:DIR",
        )
    return NoStyles()


def _other_ways(model: Model) -> str:
    """Return what to do where a checkpoint has no styles to draw."""
    if model.reference_inputs is None:
        return "leave it out"
    clusters = ", or make clusters to draw from: i2ikit features cluster"
    return "use --style-from" + (clusters if model.cluster_files else "")


def _example_styles(request: Request, location: str, model: Model, device: torch.device) -> Styles:
    if model.reference_inputs is None:
        raise UsageError(
            f"--style-from {location}: model '{request.model}' takes no example pictures",
            hint="--style-sample N draws styles" if model.noise_shape else "leave it out",
        )
    if location.startswith(MATCHED):
        return MatchedStyles(_absolute(location.removeprefix(MATCHED)))
    return read_references(location, request.fields, model, device)


def make_settings(
    request: Request, loaded: Loaded, source: Source, styles: Styles, device: torch.device
) -> Settings:
    """Return everything about the request that decides a pixel or a name."""
    return Settings(
        model=request.model,
        checkpoint=loaded.digest,
        direction=request.direction,
        options=loaded.model.options.model_dump(mode="json"),
        styles=styles.describe(),
        source=_absolute(request.source),
        fields={name: _absolute(place) for name, place in sorted(request.fields.items())},
        size=request.size,
        format=request.format,
        range=request.range,
        output="shards" if request.output.startswith(SHARDS) else "folder",
        precision=request.precision,
        backend=device.type,
        threads=choose_threads(source, next(iter(loaded.model.inputs))),
        versions={
            "i2ikit": i2ikit.__version__,
            "torch": torch.__version__,
            "numpy": version("numpy"),
            "pillow": version("pillow"),
            "machine": platform.machine(),
        },
        label_frame=request.label_frame,
    )


def _absolute(place: str) -> str:
    """Return a place that means the same from any folder; what is no path stays as it is."""
    is_path = "://" not in place and ("/" in place or Path(place).exists())
    return os.path.abspath(place) if is_path else place  # noqa: PTH100 - keeps links and braces


def choose_threads(source: Source, field: str) -> int:
    """Return how many threads should compute one picture on a CPU.

    Pictures side by side, a thread each, are faster than one picture on many threads, which wait
    for each other at every layer. Threads are left over where there are few pictures, or where
    they are so large that many at once would not fit in memory.
    """
    cores = torch.get_num_threads()
    known = [len(part.keys) for part in source.parts if part.keys is not None]
    pictures = sum(known) if len(known) == len(source.parts) else cores
    sizes = look_at_sizes(source, field)
    largest = max((width * height for width, height in sizes), default=1)
    at_once = min(cores, pictures, _PIXELS_AT_ONCE // largest)
    return cores // max(1, at_once)
