"""Label consistency: does a segmenter find the labels again in pictures made from label maps?

The "FCN score" of pix2pix (Isola et al. 2017, arXiv:1611.07004), with the user's segmenter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from i2ikit.data.folders import parse_field
from i2ikit.data.images import decode_image
from i2ikit.data.pictures import PictureIndex, walk
from i2ikit.data.samples import File
from i2ikit.errors import ModelError, SampleError, UsageError, counted
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.own import OwnLike, OwnNetwork, load_own, look
from i2ikit.evaluate.results import Result, describe_side, versions
from i2ikit.evaluate.sets import (
    Images,
    Picture,
    PictureSet,
    find_lonely,
    open_set,
)
from i2ikit.model import LabelMap

#: Label maps hold 16 bits at most; which ids are classes is checked here, since some are ignored.
_ANY_LABEL = LabelMap(1 << 16)

Counts = npt.NDArray[np.int64]


class Segmenter(nn.Module):
    """The user's network, deciding for a class: (B, 3, H, W) to (B, H, W) class ids.

    Attributes:
        num_classes: how many there are; None until the network's first logits tell.
    """

    def __init__(self, network: OwnNetwork, num_classes: int | None) -> None:
        """Wrap the network."""
        super().__init__()
        self.network = network
        self.num_classes = num_classes

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the likeliest class of each pixel; logits of a lower resolution are resized.

        Raises:
            ModelError: the network returned another shape.
            UsageError: it returned ids, and nobody said how many classes there are.
        """
        answer: Tensor = self.network(pictures)
        height, width = pictures.shape[-2:]
        fits = answer.ndim == 4 and answer.shape[2] <= height and answer.shape[3] <= width
        if fits and answer.is_floating_point():
            return self._decide(answer.float(), (height, width))
        if answer.shape != (len(pictures), height, width) or answer.is_floating_point():
            raise ModelError(
                f"{self.network.name} returned {answer.dtype} of shape {tuple(answer.shape)} for"
                f" pictures of shape {tuple(pictures.shape)}",
                hint=f"logits ({len(pictures)}, classes, {height}, {width}), or smaller, or integer"
                f" ids ({len(pictures)}, {height}, {width}) are due",
            )
        if self.num_classes is None:
            raise UsageError(
                f"{self.network.name} returns class ids, which don't tell how many classes there"
                " are",
                hint="say --num-classes",
            )
        return answer

    def _decide(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        self.num_classes = self.num_classes or logits.shape[1]
        if logits.shape[1] != self.num_classes:
            raise ModelError(
                f"{self.network.name} returned logits of {logits.shape[1]} classes, not of"
                f" {self.num_classes}"
            )
        if logits.shape[-2:] != size:
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return logits.argmax(dim=1)


def label_consistency(
    labels: str | Path,
    generated: Images,
    *,
    segmenter: OwnLike,
    num_classes: int | None = None,
    ignore: Sequence[int] = (255,),
    compute: Compute | None = None,
) -> Result:
    """Measure the mean IoU of label maps and what a segmenter sees in the pictures made from them.

    The mean is over the classes that are in the labels or in the predictions, of one confusion
    matrix over the whole set. `parts` has `pixel_accuracy`, `class_accuracy` (the mean recall of
    the classes in the labels), and "iou N" of each class.

    Args:
        labels: a folder of label maps, grey or palette files, as `DIR` or `DIR:SUFFIX`.
        generated: the pictures, paired with the label maps by their keys; an input's several
            outputs are each compared.
        segmenter: (B, 3, H, W) float32 in [-1, 1], of the pictures' own size, to logits
            (B, classes, H, W), which may be smaller, or integer class ids (B, H, W), in the ids of
            the label maps: a callable, or "module:function", which is called without arguments and
            returns it. A module is put into eval mode and onto the device.
        num_classes: how many classes there are, from 0; None: as many as the logits have.
        ignore: labels whose pixels don't count.
        compute: devices, batch size and so on; of several devices, the first.

    Raises:
        UsageError: a label map without a picture, a picture without one, or every pixel ignored.
        SampleError: a label outside the classes, or sizes that differ, and the work stops at such.
        ModelError: the segmenter breaks its contract.
        I2IError: labels, pictures or segmenter are not there, or can't be read.
    """
    compute = compute or Compute()
    compute.check()
    if num_classes is not None and num_classes < 2:
        raise UsageError(f"--num-classes {num_classes} is less than 2")
    maps, pictures = _open_labels(labels), open_set(generated)
    found = list(pictures.read())  # a generator, or a remote tar, is read but once
    pictures = PictureSet(pictures.location, len(found), lambda: iter(found))
    keys = {picture.key for picture in found if not picture.problem}
    lonely = find_lonely(maps.keys, str(labels), keys, pictures.location, compute.on_error)
    paired = [picture for picture in found if picture.problem or picture.key in maps.keys]
    pictures, tally = replace(pictures, read=lambda: iter(paired)), Tally(failures=lonely)
    network = Segmenter(load_own(segmenter, "--segmenter"), num_classes)
    judge = partial(_count_pixels, maps, network, tuple(ignore))
    seen = look(network, pictures, compute, tally, judge)
    confusion: Counts = np.asarray(sum(counts.numpy() for _, counts in seen), dtype=np.int64)
    measured = score_confusion(confusion, ignore)
    card = {
        **network.network.card("segmenter"),
        "precision": compute.precision,
        "labels": str(labels),
        "generated": describe_side(pictures.location, tally),
        "versions": versions(),
        "protocol": _protocol(confusion, ignore),
        "warnings": ["the segmenter's own errors count too: real pictures give the upper bound"],
    }
    return Result("label-consistency", measured.pop("miou"), measured, card=card)


def score_confusion(confusion: Counts, ignore: Sequence[int] = ()) -> dict[str, float]:
    """Return miou, pixel_accuracy, class_accuracy and each class's IoU.

    Args:
        confusion: (classes, classes) pixels, by the label and by the prediction.
        ignore: classes that are left out of the means, as their labels are.

    Raises:
        UsageError: there are none.
    """
    if not confusion.any():
        raise UsageError("every pixel of the label maps is ignored", hint="see --ignore")
    hits, labelled = confusion.diagonal(), confusion.sum(axis=1)
    union = labelled + confusion.sum(axis=0) - hits
    places = [place for place in np.flatnonzero(union) if place not in ignore]
    iou = {f"iou {place}": float(hits[place] / union[place]) for place in places}
    return {
        "miou": float(np.mean(list(iou.values()))),
        "pixel_accuracy": float(hits.sum() / confusion.sum()),
        "class_accuracy": float((hits[labelled > 0] / labelled[labelled > 0]).mean()),
        **iou,
    }


def _protocol(confusion: Counts, ignore: Sequence[int]) -> dict[str, Any]:
    present = np.count_nonzero(confusion.sum(axis=0) + confusion.sum(axis=1))
    return {
        "classes": len(confusion),
        "classes_present": int(present),
        "ignored_labels": ", ".join(map(str, ignore)) or "none",
        "pixels": int(confusion.sum()),
        "pictures_as_shown": "of their own size, in [-1, 1]",
    }


def _open_labels(labels: str | Path) -> PictureIndex:
    folder = parse_field("label", str(labels))
    index = PictureIndex(folder.path, walk(folder.path), folder.suffix)
    if not index.keys:
        raise UsageError(f"no label maps in {labels}", hint="grey or palette files are read")
    return index


def _count_pixels(
    maps: PictureIndex, network: Segmenter, ignore: Sequence[int], picture: Picture, seen: Tensor
) -> Tensor:
    """Return a picture's confusion matrix, (classes, classes) int64.

    Raises:
        SampleError: the label map can't be read, has another size or labels that are no classes.
        ModelError: the segmenter saw a class that is none.
    """
    classes, path = network.num_classes or 0, maps.path(picture.key)
    file = File(str(path), path)
    labels = torch.from_numpy(decode_image(file.read(), _ANY_LABEL, file.name).array).long()
    ids = seen.long()
    if labels.shape != ids.shape:
        raise SampleError(
            f"{picture.name} is {_size(ids)}, and its label map {file.name} {_size(labels)}"
        )
    counts = ~torch.isin(labels, torch.tensor(ignore, dtype=torch.long))
    labels, ids = labels[counts], ids[counts]
    if (wrong := labels[labels >= classes]).numel():
        raise SampleError(
            f"{file.name}: label {wrong[0]} is outside 0…{classes - 1}",
            hint=f"{counted(len(wrong), 'such pixel')}; --ignore {wrong[0]} leaves them out",
        )
    if (wrong := ids[(ids < 0) | (ids >= classes)]).numel():
        raise ModelError(
            f"{network.network.name} saw class {wrong[0]} in {picture.name}, outside"
            f" 0…{classes - 1}"
        )
    return torch.bincount(labels * classes + ids, minlength=classes**2).view(classes, classes)


def _size(ids: Tensor) -> str:
    return f"{ids.shape[1]}x{ids.shape[0]}"
