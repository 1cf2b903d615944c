"""load and fit: from a sample's files to arrays that the network takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from i2ikit.data.images import Array, Decoded, decode_image
from i2ikit.data.samples import REFERENCE, Sample
from i2ikit.data.sizes import Geometry, fit, shrink
from i2ikit.errors import SampleError
from i2ikit.model import InputKind, Model, SizeRule
from i2ikit.translation.carry import carry
from i2ikit.translation.job import Job, Translator
from i2ikit.translation.stages import Failed, Loaded


def load_sample(job: Job, numbered: tuple[int, Sample]) -> Loaded | Failed:
    """Decode one sample and bring it to a legal size; what goes wrong is returned, not raised."""
    index, sample = numbered
    try:
        return _load(job, index, sample)
    except SampleError as error:
        return Failed(index, sample.key, str(error))


def _load(job: Job, index: int, sample: Sample) -> Loaded:
    if sample.problem:
        raise SampleError(sample.problem)
    kinds = job.translator.model.inputs
    decoded = {name: _decode(sample, name, kind, name) for name, kind in kinds.items()}
    loaded = fit_sample(job.translator, index, sample, decoded)
    sample, sidecars = carry(job, sample, loaded.geometry)
    return replace(loaded, sample=sample, sidecars=sidecars)


def fit_sample(
    translator: Translator, index: int, sample: Sample, decoded: Mapping[str, Decoded]
) -> Loaded:
    """Return a sample, its inputs decoded, at a size that the network takes; nothing travels along.

    Raises:
        SampleError: the inputs differ in size, or its example picture can't be read.
    """
    model = translator.model
    arrays = _resize(translator, decoded)
    size = _common_size(arrays)
    return Loaded(
        index=index,
        sample=sample,
        inputs=_fit(arrays, model.inputs, model.size),
        reference=_load_reference(model, sample),
        size=size,
        geometry=_geometry(decoded, size),
        sidecars={},
    )


def _decode(sample: Sample, field: str, kind: InputKind, what: str) -> Decoded:
    file = sample.fields.get(field)
    if file is None:
        raise SampleError(f"'{sample.key}' has no {what}", hint=f"name it with --field {field}=DIR")
    return decode_image(file.read(), kind, file.name)


def _resize(translator: Translator, decoded: Mapping[str, Decoded]) -> dict[str, Array]:
    wanted, kinds = translator.size, translator.model.inputs
    if wanted is None:
        return {name: one.array for name, one in decoded.items()}
    return {name: shrink(one.array, kinds[name], wanted) for name, one in decoded.items()}


def _common_size(arrays: Mapping[str, Array]) -> tuple[int, int]:
    sizes = {name: (array.shape[0], array.shape[1]) for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        each = ", ".join(f"{name} {width}×{height}" for name, (height, width) in sizes.items())
        raise SampleError(f"the sample's pictures differ in size: {each}")
    return next(iter(sizes.values()))


def _geometry(decoded: Mapping[str, Decoded], size: tuple[int, int]) -> Geometry:
    """Return how the primary picture's pixels moved."""
    primary = next(iter(decoded.values()))
    return Geometry(primary.stored_size, primary.orientation, (size[1], size[0]))


def _load_reference(model: Model, sample: Sample) -> dict[str, Array] | None:
    """Return the sample's own example picture, with the fields that the model wants beside it."""
    kinds = model.reference_inputs or {}
    if not any(name.startswith(REFERENCE) for name in sample.fields):
        return None
    arrays = {}
    for name, kind in kinds.items():
        field = REFERENCE + name if REFERENCE + name in sample.fields else name
        arrays[name] = _decode(sample, field, kind, f"{name} for its example picture").array
    return fit_reference(arrays, kinds, model.reference_size or model.size)


def fit_reference(
    arrays: Mapping[str, Array], kinds: Mapping[str, InputKind], rule: SizeRule
) -> dict[str, Array]:
    """Return an example picture's arrays at a size that the style encoder takes."""
    _common_size(arrays)
    return _fit(arrays, kinds, rule)


def _fit(
    arrays: Mapping[str, Array], kinds: Mapping[str, InputKind], rule: SizeRule
) -> dict[str, Array]:
    return {name: fit(array, kinds[name], rule) for name, array in arrays.items()}
