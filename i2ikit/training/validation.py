"""Validation: a number for a checkpoint, from pictures that it was not trained on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from i2ikit.data.sources import open_source
from i2ikit.errors import RunError
from i2ikit.evaluate.compute import Compute
from i2ikit.loading import load_model
from i2ikit.model import InputKind, Model
from i2ikit.training.contract import Fields, Training
from i2ikit.training.data import (
    Augmentation,
    Item,
    check_partners,
    make_items,
    read_arrays,
    read_samples,
)
from i2ikit.training.measures import (
    Frechet,
    Made,
    Measure,
    Nearest,
    check_counts,
    l1,
    open_lpips,
    picture_of,
)
from i2ikit.training.request import Request
from i2ikit.training.samples import translations

#: Pictures of each domain that are measured at most: every n-th of more.
_MOST = 200

Value = TypeVar("Value")


@dataclass(frozen=True)
class Validation:
    """Held-out pictures of A, and what is measured of their translations to B.

    Attributes:
        model: its name.
        items: by key: pictures of A, with their partners if those are known.
        augmentation: how they are resized, and cut out of their middle.
        metric: "fd", "l1" or "lpips".
        measure: the same, ready to be called.
        device: where models translate, in fp32.
        blocked: plugins not to import.
    """

    model: str
    items: Mapping[str, Item]
    augmentation: Augmentation
    metric: str
    measure: Measure
    device: torch.device
    blocked: tuple[str, ...]

    def value(self, checkpoint: Path) -> float:
        """Return the number for a checkpoint; noise is drawn by key, the same every time.

        Raises:
            RunError: it is NaN or infinite.
        """
        model = load_model(self.model, checkpoint, device=self.device, blocked=self.blocked)
        found = self.measure(self._translate(model))
        if not math.isfinite(found):
            raise RunError(f"the validation's {self.metric} is {found}")
        return found

    def _translate(self, model: Model) -> Iterator[Made]:
        for key, item in self.items.items():
            source, target = (
                {name: value.to(self.device) for name, value in fields.items()}
                for fields in self.augmentation.middle(read_arrays(item), item)
            )
            made = translations(model, source, target, key, self.measure.num_styles)
            yield list(made), target


def open_validation(
    request: Request, training: Training, device: torch.device, blocked: Iterable[str]
) -> Validation | None:
    """Return the validation that was asked for, after reading all of its pictures once; or None.

    Raises:
        I2IError: pictures that can't be read, too few, or without partner; or weights of a metric
            that are not there.
    """
    if request.valid_a is None or request.valid_b is None:
        return None
    a = _read(request.valid_a, training.inputs_a, request.valid_fields_a, "a")
    b = _read(request.valid_b, training.inputs_b, request.valid_fields_b, "b")
    metric = request.valid_metric or ("l1" if training.paired else "fd")
    if training.paired or metric != "fd":
        check_partners(a, b)
        a = {key: {**item, **b[key]} for key, item in a.items()}
    if metric == "fd":
        check_counts(len(a), len(b))
    a, b = _spread(a), _spread(b)
    load_size = request.augmentation.load_size
    augmentation = Augmentation(request.size, load_size, flip=False)
    for item in a.values():
        augmentation.middle(read_arrays(item), item)
    real = (augmentation.middle(read_arrays(item), item)[1] for item in b.values())
    measure = _open_measure(metric, real, request, device, tuple(blocked))
    return Validation(request.model, a, augmentation, metric, measure, device, tuple(blocked))


def _read(
    place: str, kinds: Mapping[str, InputKind], fields: Mapping[str, str], domain: str
) -> dict[str, Item]:
    samples = read_samples(open_source(place, inputs=tuple(kinds), fields=fields))
    return {**make_items(samples, kinds, domain, f"--valid-field-{domain}")}


def _spread(items: Mapping[str, Value]) -> dict[str, Value]:
    """Return as many as are measured, evenly spread over all."""
    keys = list(items)
    count = min(len(keys), _MOST)
    return {key: items[key] for key in (keys[n * len(keys) // count] for n in range(count))}


def _open_measure(
    metric: str,
    real: Iterator[Fields],
    request: Request,
    device: torch.device,
    blocked: tuple[str, ...],
) -> Measure:
    if metric == "l1":
        return Nearest(l1)
    if metric == "lpips":
        return open_lpips(request.size, device)
    compute = Compute(
        str(device), workers=request.workers, cache=False, on_error="stop", blocked=blocked
    )
    return Frechet([picture_of(fields) for fields in real], compute)
