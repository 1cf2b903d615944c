"""Label consistency: does a segmenter find the labels again in pictures made from label maps?

The "FCN score" of pix2pix (Isola et al. 2017, arXiv:1611.07004), with the user's segmenter, or a
small one that is fitted to real pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from i2ikit.errors import ModelError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.label_maps import IGNORED, LabelMaps, open_labels
from i2ikit.evaluate.own import OwnLike, OwnNetwork, load_own, look
from i2ikit.evaluate.pixel_classifier import Fitted, fit_classifier
from i2ikit.evaluate.results import Result, compare_sides, describe_side, versions
from i2ikit.evaluate.sets import Images, Picture

Counts = npt.NDArray[np.int64]


class Segmenter(nn.Module):
    """A network, the user's mostly, deciding for a class: (B, 3, H, W) to (B, H, W) class ids.

    Attributes:
        num_classes: how many there are; None until the network's first logits tell, which ids
            never do.
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
    segmenter: OwnLike | None = None,
    fit_pictures: Images | None = None,
    fit_labels: str | Path | None = None,
    fit_seed: int | None = None,
    num_classes: int | None = None,
    ignore: Sequence[int] = (255,),
    relabel: Mapping[int, int] | None = None,
    compute: Compute | None = None,
) -> Result:
    """Measure the mean IoU of label maps and what a segmenter sees in the pictures made from them.

    The mean is over the classes that are in the labels or in the predictions, of one confusion
    matrix over the whole set. `parts` has `pixel_accuracy`, `class_accuracy` (the mean recall of
    the classes in the labels), and "iou N" of each class.

    The segmenter is yours, or a small pixel classifier that is fitted to real pictures first, see
    `fit_classifier`. Either makes errors of its own: measure held-out real pictures too.

    Args:
        labels: a folder of label maps, grey or palette files, as `DIR` or `DIR:SUFFIX`.
        generated: the pictures, paired with the label maps by their keys; an input's several
            outputs are each compared.
        segmenter: (B, 3, H, W) float32 in [-1, 1], of the pictures' own size, to logits
            (B, classes, H, W), which may be smaller, or integer class ids (B, H, W), in the ids of
            the label maps, as relabelled: a callable, or "module:function", which is called without
            arguments and returns it. A module is put into eval mode and onto the device.
        fit_pictures: instead of a segmenter, real pictures of the target to fit one to.
        fit_labels: their label maps, as `labels`.
        fit_seed: of the fit; None: 0.
        num_classes: how many classes there are, from 0; None: as many as the logits, or the label
            maps of the fit, have.
        ignore: labels whose pixels don't count, as relabelled.
        relabel: ids of label maps (of `labels` and `fit_labels`) that stand for others: {2: 0}
            takes 2 for 0. None: none.
        compute: devices, batch size and so on; of several devices, the first.

    Raises:
        UsageError: a label map without a picture, a picture without one, or every pixel ignored;
            both a segmenter and something to fit one to, or neither.
        SampleError: a label outside the classes, or sizes that differ, and the work stops at such.
        ModelError: the segmenter breaks its contract.
        I2IError: labels, pictures or segmenter are not there, or can't be read.
    """
    compute = compute or Compute()
    compute.check()
    if num_classes is not None and num_classes < 2:
        raise UsageError(f"--num-classes {num_classes} is less than 2")
    maps = open_labels(labels, relabel or {}, ignore)
    pictures, tally = maps.pair(generated, compute.on_error)
    fit = _Fit(fit_pictures, fit_labels, fit_seed)
    network, fitted = _make_segmenter(segmenter, fit, num_classes, maps, compute)
    seen = look(network, pictures, compute, tally, partial(_count_pixels, maps, network))
    confusion: Counts = np.asarray(sum(counts.numpy() for _, counts in seen), dtype=np.int64)
    measured = score_confusion(confusion, ignore)
    made = describe_side(pictures.location, tally)
    protocol = _protocol(confusion, maps)
    card = {
        **network.network.card("segmenter"),
        "precision": compute.precision,
        "labels": str(labels),
        **({"real": fitted.side} if fitted else {}),
        "generated": made,
        "versions": versions(),
        "protocol": {**protocol, **fitted.protocol} if fitted else protocol,
        "warnings": [
            "the segmenter's own errors count too: real pictures give the upper bound",
            *(compare_sides(fitted.side, made) if fitted else ()),
        ],
    }
    return Result("label-consistency", measured.pop("miou"), measured, card=card)


@dataclass(frozen=True)
class _Fit:
    """What was given to fit a segmenter to."""

    pictures: Images | None
    labels: str | Path | None
    seed: int | None


def _make_segmenter(
    given: OwnLike | None, fit: _Fit, num_classes: int | None, maps: LabelMaps, compute: Compute
) -> tuple[Segmenter, Fitted | None]:
    """Return the user's segmenter, or one that is fitted now, and how.

    Raises:
        UsageError: not exactly one of them was asked for.
    """
    if given is not None:
        if fit != _Fit(None, None, None):
            raise UsageError(
                "--segmenter was given, and --fit-pictures, --fit-labels or --fit-seed too",
                hint="your network judges, or one that is fitted",
            )
        return Segmenter(load_own(given, "--segmenter"), num_classes), None
    if fit.pictures is None or fit.labels is None:
        raise UsageError(
            "nothing judges the pictures",
            hint="give --segmenter; or --fit-pictures and --fit-labels, real pictures with their"
            " label maps",
        )
    truth = open_labels(fit.labels, maps.relabel, maps.ignore)
    fitted = fit_classifier(
        fit.pictures, truth, num_classes=num_classes, seed=fit.seed or 0, compute=compute
    )
    return Segmenter(fitted.network, fitted.num_classes), fitted


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


def _protocol(confusion: Counts, maps: LabelMaps) -> dict[str, Any]:
    present = np.count_nonzero(confusion.sum(axis=0) + confusion.sum(axis=1))
    relabelled = ", ".join(f"{old}={new}" for old, new in maps.relabel.items())
    return {
        "classes": len(confusion),
        "classes_present": int(present),
        "ignored_labels": ", ".join(map(str, maps.ignore)) or "none",
        **({"relabelled": relabelled} if relabelled else {}),
        "pixels": int(confusion.sum()),
        "pictures_as_shown": "of their own size, in [-1, 1]",
    }


def _count_pixels(maps: LabelMaps, network: Segmenter, picture: Picture, seen: Tensor) -> Tensor:
    """Return a picture's confusion matrix, (classes, classes) int64.

    Raises:
        SampleError: the label map can't be read, has another size or labels that are no classes.
        ModelError: the segmenter saw a class that is none.
        UsageError: it returned ids, and nobody said how many classes there are.
    """
    if network.num_classes is None:
        raise UsageError(
            f"{network.network.name} returns class ids, which don't tell how many classes there"
            " are",
            hint="say --num-classes",
        )
    classes, labels = network.num_classes, maps.read(picture.key)
    labels.check(picture.name, seen.shape, classes)
    counts = labels.ids != IGNORED
    ids, saw = labels.ids[counts], seen.long()[counts]
    if (wrong := saw[(saw < 0) | (saw >= classes)]).numel():
        raise ModelError(
            f"{network.network.name} saw class {wrong[0]} in {picture.name}, outside"
            f" 0…{classes - 1}"
        )
    return torch.bincount(ids * classes + saw, minlength=classes**2).view(classes, classes)
