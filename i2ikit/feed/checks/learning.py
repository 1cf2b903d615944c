"""A small network that learns from the sources what their labels say, to look for it in outputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import ceil

import torch.nn.functional as F
from torch import Tensor, nn

from i2ikit.data.sizes import shrunk_size
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.own import OwnNetwork
from i2ikit.feed.probe import Probe, step_counter
from i2ikit.feed.probe_networks import choose_network
from i2ikit.feed.probe_sets import Frame, Reading, decode, load_set
from i2ikit.labels.finding import Kind
from i2ikit.labels.labelled import LabelledSet

_STEPS = 600
#: Pictures an update, and the most that their shorter sides have: it's a matter of minutes.
_SCALES: dict[Kind, tuple[int, int]] = {"class": (64, 128), "mask": (16, 64)}
#: Pictures that are held in memory, evenly spread over all.
_MOST = 20_000
#: Pictures whose commonest size all get.
_LOOKED_AT = 100


def learn(found: LabelledSet, compute: Compute) -> OwnNetwork:
    """Return a network trained as `eval adaptation` trains its own, on labelled sources alone.

    Of more than 20,000 sources it learns from a part.

    It takes pictures of any size, (B, 3, H, W) in [-1, 1], and returns logits: (B, classes) in the
    order of the names, or (B, ids, h, w).

    Raises:
        SampleError: a picture or mask can't be used, and the work stops at such.
        SourceError: none can be used.
    """
    batch_size, side = _SCALES[found.kind]
    found = replace(found, samples=found.samples[:: ceil(len(found.samples) / _MOST)])
    frame = _choose_frame(found, side)
    sources = load_set(found, Reading(frame, found.classes, None), compute)
    num_classes = len(found.classes) or max(sources.classes, default=0) + 1
    chosen = choose_network(None, found.kind)
    probe = Probe(chosen, num_classes, _STEPS, batch_size, compute.devices()[0])
    network = probe.train(sources, 0, step_counter(compute, _STEPS))
    return OwnNetwork("the network that learned from the sources", _Framed(network, frame))


class _Framed(nn.Module):
    """Shows a network pictures in the size that it has learned from."""

    def __init__(self, network: nn.Module, frame: Frame) -> None:
        super().__init__()
        self.network, self.frame = network, frame

    def forward(self, pictures: Tensor) -> Tensor:
        if pictures.shape[-2:] != self.frame:
            pictures = F.interpolate(
                pictures, self.frame, mode="bicubic", antialias=True, align_corners=False
            ).clamp(-1, 1)
        logits: Tensor = self.network(pictures)
        return logits


def _choose_frame(found: LabelledSet, most: int) -> Frame:
    sizes = Counter(decode(one.picture).shape[:2] for one in found.samples[:_LOOKED_AT])
    height, width = sizes.most_common(1)[0][0]
    return shrunk_size((height, width), min(most, height, width))
