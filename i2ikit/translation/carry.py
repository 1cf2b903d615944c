"""carry: what travels with a sample, its places moved as its picture's pixels move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from i2ikit.data.samples import Sample
from i2ikit.data.sizes import Geometry
from i2ikit.errors import SampleError
from i2ikit.labels.move import has_places, move_columns, move_labels
from i2ikit.translation.job import Job


def carry(job: Job, sample: Sample, geometry: Geometry) -> tuple[Sample, dict[str, bytes]]:
    """Return the sample with its columns moved, and its other files by what follows the key.

    Raises:
        SampleError: labels that can't be moved, or that the model would make wrong.
    """
    files = {end: file.read() for end, file in sample.sidecars.items()}
    if not job.translator.model.keeps_places:
        _refuse_places(job, sample, files)
    if not geometry.is_changed:
        return sample, files
    frame = job.plan.settings.label_frame
    job.set_labels.check(sample.key, geometry)
    moved = {
        end: move_labels(sample.sidecars[end].name, data, geometry, frame)
        for end, data in files.items()
    }
    columns = move_columns(sample.columns, sample.key, geometry, frame)
    return replace(sample, columns=columns), moved


def _refuse_places(job: Job, sample: Sample, files: Mapping[str, bytes]) -> None:
    named = {sample.sidecars[end].name: data for end, data in files.items()}
    suspects = [name for name, data in named.items() if has_places(name, data)]
    suspects += [
        f"the column '{column}' of '{sample.key}'"
        for column, value in sample.columns.items()
        if isinstance(value, list | dict)
    ]
    if suspects:
        model = job.plan.settings.model
        raise SampleError(
            f"{suspects[0]} may hold coordinates, and model '{model}' moves what is in a picture",
            hint="translate the pictures without these labels",
        )
