"""batch, translate and restore: from arrays to pictures, in batches whose size the plan fixes.

Sums of floats depend on the shape of a batch, so its size must not follow from how many pictures
happen to be there: a CPU takes one at a time (several side by side, each in a thread of its own), a
GPU full batches, the last one padded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from i2ikit.data.images import Array, Pixels, to_pixels, to_tensor
from i2ikit.data.sizes import restore
from i2ikit.devices import autocast
from i2ikit.errors import I2IError, ModelError, RunError
from i2ikit.model import Content, Model, map_tree
from i2ikit.translation.job import Translator
from i2ikit.translation.stages import Failed, Loaded, Translated
from i2ikit.translation.styles import MatchedStyles, Target

#: A GPU's batch holds about this many pixels, and at most `_MOST_PICTURES` pictures.
_BATCH_PIXELS = 1024 * 1024
_MOST_PICTURES = 16
#: When this many pictures wait for others of their size, the largest group goes without.
_MOST_WAITING = 64


def micro_batch(translator: Translator, height: int, width: int) -> int:
    """Return how many pictures of a size go through the network at once."""
    if translator.device.type == "cpu" or isinstance(translator.styles, MatchedStyles):
        return 1
    return max(1, min(_MOST_PICTURES, _BATCH_PIXELS // (height * width)))


def batch(
    translator: Translator, items: Iterable[Loaded | Failed]
) -> Iterator[list[Loaded] | Failed]:
    """Group samples of one size; failures pass by."""
    waiting: dict[tuple[int, int], list[Loaded]] = {}
    for item in items:
        if isinstance(item, Failed):
            yield item
            continue
        height, width = next(iter(item.inputs.values())).shape[:2]
        group = waiting.setdefault((height, width), [])
        group.append(item)
        if len(group) == micro_batch(translator, height, width):
            yield waiting.pop((height, width))
        elif sum(map(len, waiting.values())) >= _MOST_WAITING:
            yield waiting.pop(max(waiting, key=lambda size: len(waiting[size])))
    yield from waiting.values()


def translate_batch(
    translator: Translator, group: list[Loaded] | Failed
) -> Sequence[Translated | Failed]:
    """Encode a batch once, decode it once a style, and restore the sizes.

    If that fails, the sample that is to blame is found and is the only one to fail.
    """
    if isinstance(group, Failed):
        return [group]
    try:
        return _translate(translator, group)
    except torch.OutOfMemoryError:
        raise RunError(
            "the device ran out of memory", hint="--size makes smaller pictures, --device cpu"
        ) from None
    except (ModelError, RunError):
        raise
    except Exception as error:  # a network raises what it likes at an input that it can't take
        if len(group) > 1:
            return [one for loaded in group for one in translate_batch(translator, [loaded])]
        return [_blame(group[0], error)]


def _blame(loaded: Loaded, error: Exception) -> Failed:
    files = loaded.sample.fields.values()
    name = next((file.name for file in files), f"'{loaded.sample.key}'")
    if isinstance(error, I2IError):
        return Failed(loaded.index, loaded.sample.key, f"{name}: {error}")
    reason = f"the model failed: {type(error).__name__}: {error}"
    return Failed(loaded.index, loaded.sample.key, f"{name}: {reason}")


@torch.inference_mode()
def _translate(translator: Translator, group: Sequence[Loaded]) -> list[Translated]:
    """Return the batch's outputs; all of them, so that a failure leaves none half done."""
    model, styles = translator.model, translator.styles
    height, width = next(iter(group[0].inputs.values())).shape[:2]
    padded = _pad(group, micro_batch(translator, height, width))
    targets = [_target(translator, loaded) for loaded in padded]
    pictures: list[list[Pixels]] = [[] for _ in group]
    rows: list[list[dict[str, Any]]] = [[] for _ in group]
    with autocast(translator.device, translator.precision):
        content = model.encode(**_inputs(translator, padded))
        for index in range(styles.num_styles):
            style = styles.make(model, targets, index, content)
            decoded = _check(model.decode(content, style), len(padded), height, width)
            for position, loaded in enumerate(group):
                pixels = to_pixels(decoded[position], translator.rounding)
                pictures[position].append(restore(pixels, loaded.size, model.size))
                single = _only(content, position)
                rows[position] += styles.rows(model, targets[position], index, single)
    return [Translated(*made) for made in zip(group, pictures, rows, strict=True)]


def _pad(group: Sequence[Loaded], size: int) -> list[Loaded]:
    return [*group, *[group[-1]] * (size - len(group))]


def _inputs(translator: Translator, group: Sequence[Loaded]) -> dict[str, Tensor]:
    device, kinds = translator.device, translator.model.inputs
    return {
        name: torch.cat([to_tensor(loaded.inputs[name], kind) for loaded in group]).to(device)
        for name, kind in kinds.items()
    }


def _target(translator: Translator, loaded: Loaded) -> Target:
    if loaded.reference is None:
        return Target(loaded.sample.key)
    return Target(
        loaded.sample.key, reference_tensors(translator.model, loaded.reference, translator.device)
    )


def reference_tensors(
    model: Model, arrays: Mapping[str, Array], device: torch.device
) -> dict[str, Tensor]:
    """Return an example picture's arrays as the batch of one that `style_from_reference` takes."""
    kinds = model.reference_inputs or {}
    return {name: to_tensor(arrays[name], kinds[name]).to(device) for name in kinds}


def _only(content: Content, position: int) -> Content:
    return map_tree(lambda leaf: leaf[position : position + 1], content)


def _check(decoded: Tensor, count: int, height: int, width: int) -> Tensor:
    expected = (count, 3, height, width)
    if tuple(decoded.shape) != expected:
        raise ModelError(f"decode returned {tuple(decoded.shape)} where {expected} was due")
    return decoded
