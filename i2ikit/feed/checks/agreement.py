"""Whether a network finds the source's labels in an output: the user's, or one that learns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from i2ikit.data.images import Pixels, decode_image, to_tensor
from i2ikit.data.samples import File
from i2ikit.data.sizes import shrink
from i2ikit.errors import ModelError, SampleError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.consistency import Segmenter
from i2ikit.evaluate.networks import Replicas
from i2ikit.evaluate.own import OwnLike, load_own
from i2ikit.feed.checks.learning import learn
from i2ikit.labels.id_maps import IGNORED
from i2ikit.labels.labelled import open_labelled
from i2ikit.model import RGB, LabelMap

#: Masks hold 16 bits at most.
_ANY_ID = LabelMap(1 << 16)


@dataclass(frozen=True)
class Agreement:
    """A classifier or segmenter, with the labels of the sources.

    Attributes:
        name: the network's, for messages.
        network: to logits (B, classes), or of a segmenter to ids (B, H, W).
        labels: name of a class, or file of a mask, by the source's key.
        places: the place of a class among the logits, by its name; empty for masks.
        num_classes: how many logits are due; 0 where the classes are numbers, and more may be.
        size: the shorter side that sources were resized to, if they were.
    """

    name: str
    network: Replicas
    labels: Mapping[str, str | File]
    places: Mapping[str, int]
    num_classes: int
    size: int | None

    def measure(self, output: Pixels, key: str) -> float | None:
        """Return the share of pixels in which a segmenter agrees; of a classifier, 0 or 1.

        Pixels of the label 255 don't count; None where no other is.

        Raises:
            SampleError: the source has no label, or its mask doesn't fit.
            ModelError: the network breaks its contract.
        """
        if key not in self.labels:
            raise SampleError(f"'{key}' has no label in --labels")
        label = self.labels[key]
        if isinstance(label, str):
            return float(self._classify(output) == self.places[label])
        ids = self._read_mask(label, output)
        counts = ids != IGNORED
        seen = self.network(to_tensor(output, RGB()))[0]
        return float((seen == ids)[counts].float().mean()) if counts.any() else None

    def _classify(self, output: Pixels) -> int:
        logits = self.network(to_tensor(output, RGB()))[0]
        due = self.num_classes or max(self.places.values()) + 1
        fits = logits.ndim == 1 and len(logits) >= due
        if not fits or (self.num_classes and len(logits) > due):
            raise ModelError(
                f"{self.name} returned {tuple(logits.shape)} for a picture, where a logit for each"
                f" of {due} classes is due",
                hint="the classes are those of --labels, in the order of their names",
            )
        return int(logits.argmax())

    def _read_mask(self, file: File, output: Pixels) -> Tensor:
        """Return the ids of a mask in the output's geometry, (H, W) int64."""
        ids = decode_image(file.read(), _ANY_ID, file.name).array
        if self.size is not None:
            ids = shrink(ids, _ANY_ID, self.size)
        if ids.shape != output.shape[:2]:
            (height, width), (rows, columns) = ids.shape, output.shape[:2]
            raise SampleError(f"{file.name} is {width}x{height}, its picture {columns}x{rows}")
        return torch.from_numpy(ids).long()


def load_agreement(
    labels: str | None,
    segmenter: OwnLike | None,
    classifier: OwnLike | None,
    size: int | None,
    compute: Compute,
) -> Agreement | None:
    """Return what compares a network's answers with labels; None where no labels were given.

    Without a network, a small one learns from the sources and their labels.

    Raises:
        UsageError: a network without labels, two of them, or labels of the other kind.
        I2IError: the network or the labels can't be had.
    """
    given = segmenter if segmenter is not None else classifier
    if labels is None and given is None:
        return None
    if labels is None or (segmenter is not None and classifier is not None):
        raise UsageError(
            "--segmenter or --classifier, one of them, goes with --labels",
            hint="the network judges, the labels say what it should find",
        )
    labelled = open_labelled(labels, compute.on_error)
    flag, due = ("--classifier", "class") if segmenter is None else ("--segmenter", "mask")
    if given is not None and labelled.kind != due:
        raise UsageError(f"{flag} needs a {due} for each picture, {labels} has another kind")
    own = learn(labelled, compute) if given is None else load_own(given, flag)
    network: nn.Module = Segmenter(own, None) if labelled.kind == "mask" else own
    are_places = given is not None and all(name.isdecimal() for name in labelled.classes)
    return Agreement(
        own.name,
        Replicas(network.eval(), compute.devices()[:1], compute.precision),
        {sample.key: sample.label for sample in labelled.samples},
        {n: int(n) if are_places else place for place, n in enumerate(labelled.classes)},
        0 if are_places else len(labelled.classes),
        size,
    )
