"""`cluster`: from a training set to clusters of its features, from which styles can be drawn."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from i2ikit.ahead import ahead
from i2ikit.data.samples import Sample, Source
from i2ikit.data.sources import open_source
from i2ikit.devices import arithmetic, choose_device, default_workers
from i2ikit.errors import (
    CheckpointError,
    PluginError,
    RunError,
    SampleError,
    SourceError,
    UsageError,
)
from i2ikit.hookspecs import ModelEntry
from i2ikit.loading import load, resolve_model
from i2ikit.model import Model
from i2ikit.plugins import Catalogue, blaming, discover
from i2ikit.progress import Progress
from i2ikit.translation.references import load_example

__all__ = ["ClusterSummary", "cluster"]

OnProgress = Callable[[Progress], None]

#: Of files of clusters: as original programs write them, and as they are written here.
_SUFFIXES = (".npy", ".safetensors")


@dataclass(frozen=True)
class ClusterSummary:
    """What `cluster` has made.

    Attributes:
        path: the file, beside the checkpoint's weights.
        num_pictures: how many were encoded.
        num_centres: of each class, by its name.
    """

    path: Path
    num_pictures: int
    num_centres: Mapping[str, int]


def cluster(
    source: str | Path,
    *,
    model: str,
    checkpoint: str | Path,
    options: Mapping[str, Any] | None = None,
    num_clusters: int = 10,
    seed: int = 0,
    fields: Mapping[str, str] | None = None,
    size: int | None = None,
    device: str = "auto",
    restart: bool = False,
    blocked: Iterable[str] = (),
    on_progress: OnProgress | None = None,
) -> ClusterSummary:
    """Encode a training set and put clusters of its features beside the checkpoint's weights.

    The file is written when all is done, whole; the checkpoint then draws styles.

    Args:
        source: the real pictures: a folder, tars or a manifest.
        model: a name that `i2ikit models` lists.
        checkpoint: a folder, or the generator's file, with an encoder.
        options: the model's own.
        num_clusters: the most centres of each class.
        seed: of the starts of k-means.
        fields: what else the encoder takes of each sample: {"instance": "DIR[:SUFFIX]"}.
        size: resize pictures to this shorter side, as they were for the training.
        device: "auto", "cpu", "cuda" …
        restart: replace clusters that are there.
        blocked: plugins not to import.
        on_progress: called after each picture.

    Raises:
        I2IError: what and why, in a sentence.
    """
    _check_numbers(num_clusters, seed, size)
    blocked = tuple(blocked)
    _check_model(discover(blocked), model)
    place, path = choose_device(device), Path(checkpoint)
    if not path.exists():
        raise CheckpointError(
            f"checkpoint {path} does not exist",
            hint="clusters are put beside its weights: give their folder or file",
        )
    network = load(model, path, options=options, blocked=blocked).model.to(place)
    folder = path if path.is_dir() else path.parent
    there = _check_checkpoint(network, path, folder, restart=restart)
    opened = _open(str(source), network, fields or {})
    pictures = _Pictures(opened, network, place, size, on_progress)
    with (
        arithmetic(torch.get_num_threads()),
        torch.inference_mode(),
        blaming(f"model '{model}'"),
        closing(pictures.read()) as examples,
    ):
        centres = network.cluster_features(examples, num_clusters, seed)
    target = folder / f"{network.cluster_files.replace('*', f'{num_clusters:03}')}.safetensors"
    _replace(there, target, centres)
    counts = {name: len(values) for name, values in centres.items()}
    return ClusterSummary(target, pictures.num_done, counts)


def _check_numbers(num_clusters: int, seed: int, size: int | None) -> None:
    for flag, value, least in (
        ("--num-clusters", num_clusters, 1),
        ("--seed", seed, 0),
        ("--size", size, 1),
    ):
        if value is not None and value < least:
            raise UsageError(f"{flag} {value} is less than {least}")


def _check_model(catalogue: Catalogue, name: str) -> None:
    if resolve_model(catalogue.find(ModelEntry, name)).cluster_files:
        return
    others = [entry.name for entry, _ in catalogue.offered(ModelEntry) if _has_clusters(entry)]
    raise UsageError(
        f"model '{name}' draws no styles from clusters of features",
        hint=f"those that do: {', '.join(others) or 'none'}",
    )


def _has_clusters(entry: ModelEntry) -> bool:
    try:
        return bool(resolve_model(entry).cluster_files)
    except PluginError:  # another model's plugin may be broken
        return False


def _check_checkpoint(model: Model, path: Path, folder: Path, *, restart: bool) -> list[Path]:
    """Return the files of clusters that are there, which may be replaced."""
    if model.reference_inputs is None:
        raise UsageError(
            f"{path} has no encoder, so there are no features to cluster",
            hint="it was trained without features, or the encoder's file is missing beside it",
        )
    there = sorted(
        chain.from_iterable(folder.glob(model.cluster_files + suffix) for suffix in _SUFFIXES)
    )
    if there and not restart:
        raise RunError(f"{there[0]} is there already", hint="--restart replaces it")
    if not os.access(folder, os.W_OK):
        raise RunError(f"{folder} can't be written", hint="copy the checkpoint to where it can")
    return there


def _open(location: str, model: Model, fields: Mapping[str, str]) -> Source:
    kinds = tuple(model.reference_inputs or {})
    for name in fields:
        if name not in kinds:
            raise UsageError(
                f"--field {name} is of no use", hint=f"the encoder takes {' and '.join(kinds)}"
            )
    return open_source(location, inputs=kinds, fields=fields)


@dataclass
class _Pictures:
    """The pictures of a source as examples for the encoder, a few of them loaded ahead."""

    source: Source
    model: Model
    device: torch.device
    size: int | None
    on_progress: OnProgress | None
    num_done: int = 0

    def read(self) -> Generator[dict[str, Tensor]]:
        """Yield them in order, and count those that were used."""
        parts = self.source.parts
        samples = chain.from_iterable(self.source.read(part.name, None) for part in parts)
        counts = [len(part.keys) for part in parts if part.keys is not None]
        total = sum(counts) if len(counts) == len(parts) else None
        workers = default_workers()
        with ThreadPoolExecutor(workers) as pool:
            for example in ahead(self._load, samples, pool, 2 * workers):
                yield example
                self.num_done += 1
                if self.on_progress:
                    self.on_progress(Progress(self.num_done, total, 0, 0))
        if not self.num_done:
            raise SourceError(f"{self.source.location} holds no pictures")

    def _load(self, sample: Sample) -> dict[str, Tensor]:
        try:
            return load_example(self.model, sample, self.device, self.size)
        except SampleError as error:
            raise SampleError(f"'{sample.key}': {error.message}", hint=error.hint) from None


def _replace(there: Iterable[Path], target: Path, centres: Mapping[str, Tensor]) -> None:
    """Put a file into its place, whole; others go just before, so that there are never two sets."""
    scratch = target.with_name(f".{target.name}.part")
    try:
        save_file({name: value.cpu().contiguous() for name, value in centres.items()}, scratch)
        for old in there:
            if old != target:
                old.unlink()
        scratch.replace(target)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RunError(f"{target} can't be written: {reason}") from None
    finally:
        scratch.unlink(missing_ok=True)
