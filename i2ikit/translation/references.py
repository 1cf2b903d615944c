"""Reading example pictures: those given with `--style-from`, and one at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from i2ikit.data.images import decode_image
from i2ikit.data.samples import REFERENCE, Sample
from i2ikit.data.sizes import shrink
from i2ikit.data.sources import open_source
from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.model import Model
from i2ikit.translation.load import fit_reference
from i2ikit.translation.network import reference_tensors
from i2ikit.translation.styles import ReferenceStyles

_OTHER_INPUTS = "--field reference.NAME=DIR[:SUFFIX] says where its other inputs are"


def read_references(
    location: str, fields: Mapping[str, str], model: Model, device: torch.device
) -> ReferenceStyles:
    """Return the styles of one picture, or of every picture in a folder, in the order of names.

    Other inputs of the style encoder (pix2pixHD's instance map) come from `--field
    reference.NAME=DIR`, matched by key.

    Raises:
        UsageError: a picture can't be read, or lacks an input.
    """
    kinds = model.reference_inputs or {}
    own = {
        name.removeprefix(REFERENCE): where
        for name, where in fields.items()
        if name.startswith(REFERENCE)
    }
    try:
        source = open_source(location, inputs=tuple(kinds), fields=own)
    except SourceError as error:
        hint = error.hint if len(kinds) == 1 else _OTHER_INPUTS
        raise UsageError(f"--style-from: {error.message}", hint=hint) from None
    samples = [sample for part in source.parts for sample in source.read(part.name, None)]
    hashes = hashlib.sha256()
    inputs = []
    for sample in samples:
        inputs.append(_load(model, sample, device))
        for file in sample.fields.values():
            hashes.update(file.read())
    return ReferenceStyles(inputs, [sample.key for sample in samples], hashes.hexdigest())


def _load(model: Model, sample: Sample, device: torch.device) -> dict[str, Tensor]:
    try:
        return load_example(model, sample, device)
    except SampleError as error:
        hint = _OTHER_INPUTS if sample.problem else error.hint
        raise UsageError(f"--style-from: {error.message}", hint=hint) from None


def load_example(
    model: Model, sample: Sample, device: torch.device, size: int | None = None
) -> dict[str, Tensor]:
    """Return a sample's pictures as `style_from_reference` takes them, a batch of one on `device`.

    Args:
        model: it takes examples.
        sample: its fields are the model's `reference_inputs`.
        device: where the model is.
        size: the shorter side that pictures are resized to; None: they stay as they are.

    Raises:
        SampleError: a picture is missing or can't be read, or they differ in size.
    """
    if sample.problem:
        raise SampleError(sample.problem)
    kinds = model.reference_inputs or {}
    arrays = {}
    for name, kind in kinds.items():
        file = sample.fields[name]
        array = decode_image(file.read(), kind, file.name).array
        arrays[name] = array if size is None else shrink(array, kind, size)
    fitted = fit_reference(arrays, kinds, model.reference_size or model.size)
    return reference_tensors(model, fitted, device)
