"""Reading the example pictures given with `--style-from`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from i2ikit.data.images import decode_image
from i2ikit.data.samples import REFERENCE, Sample
from i2ikit.data.sources import open_source
from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.model import Model, SizeRule
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
    kinds = model.reference_inputs or {}
    rule: SizeRule = model.reference_size or model.size
    try:
        if sample.problem:
            raise SampleError(sample.problem, hint=_OTHER_INPUTS)
        arrays = {}
        for name, kind in kinds.items():
            file = sample.fields[name]
            arrays[name] = decode_image(file.read(), kind, file.name).array
        fitted = fit_reference(arrays, kinds, rule)
    except SampleError as error:
        raise UsageError(f"--style-from: {error.message}", hint=error.hint) from None
    return reference_tensors(model, fitted, device)
