"""The semantic loss: translations must show what the labels of their sources say.

Unpaired training looks at pictures one set against the other, so it may turn every 3 into a
convincing 8. A small network is trained along that tells what pictures show; its cross-entropy with
the source's labels, on the translations, is a term of the generator's loss.

In the first half of a training the network learns from the source alone, as CyCADA's does (Hoffman
et al. 2018, arXiv:1711.03213), in the second from source pictures and translations alike, as
PixelDA's does (Bousmalis et al. 2017, arXiv:1612.05424, sec. 3.1, eq. 3). One that meets
translations from the start may agree with the generator on an exchange of classes, which early on
is cheap for both; one that never meets them judges by a look that isn't theirs. Labels of the
target are not used.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from i2ikit.errors import ModelError, UsageError
from i2ikit.labels.id_maps import IGNORED
from i2ikit.training.contract import CheckpointFiles, Fields, Training, Update
from i2ikit.training.initial import draw_weights
from i2ikit.training.labels import LABEL, Labels, open_labels
from i2ikit.training.request import Request

_RATE = 1e-3
#: Channels of a classifier's first layer and at most, and the side of its last features.
_FIRST, _MOST, _LAST_SIDE = 32, 128, 4
#: Channels of a segmenter, and how far its 3×3 convolutions reach: 35 pixels in all.
_WIDTH, _DILATIONS = 32, (1, 2, 4, 8, 2)


class SemanticLoss(nn.Module):
    """A network that names classes, of a picture or of its pixels, and the loss of its answers."""

    def __init__(self, weight: float, num_classes: int, size: int, *, is_dense: bool) -> None:
        """Make the network; its weights are drawn from torch's generator.

        Args:
            weight: of the generator's term.
            num_classes: classes are 0 … num_classes - 1.
            size: side of the squares, from 16 pixels up.
            is_dense: whether labels are maps, a class for each pixel.
        """
        super().__init__()
        self.weight = weight
        self._is_dense = is_dense
        self.network = _segmenter(num_classes) if is_dense else _classifier(num_classes, size)
        draw_weights(self.network, "kaiming")

    def forward(self, picture: Tensor, label: Tensor) -> Tensor:
        """Return the mean cross-entropy of the network's answers; pixels of class 255 don't count.

        Args:
            picture: (B, 1 or 3, H, W) in [-1, 1], of either domain.
            label: its classes, int64: (B,), or (B, 1, H, W) of maps.
        """
        logits = self.network(picture.expand(-1, 3, -1, -1)).float()
        if not self._is_dense:
            return F.cross_entropy(logits, label)
        summed = F.cross_entropy(logits, label[:, 0], ignore_index=IGNORED, reduction="sum")
        return summed / (label != IGNORED).sum().clamp(min=1)  # a square may have none that count


class SemanticTraining(Training):
    """Any unpaired training that offers its translations, with the semantic loss.

    The generator's update has a further term, "gen_sem_ab"; the one after it trains the task
    network ("sem") on the source pictures, "sem_a", and past the middle of the training on the same
    translations, too, "sem_ab".
    """

    def __init__(self, inner: Training, loss: SemanticLoss) -> None:
        """Hold the training and the loss; A's pictures come with the field `LABEL`."""
        super().__init__(inner.options)
        self.inner, self.loss, self._is_late = inner, loss, False
        self.inputs_a, self.inputs_b, self.size = inner.inputs_a, inner.inputs_b, inner.size
        self.batch_size, self.batch_multiple = inner.batch_size, inner.batch_multiple
        self.optimizers = {**inner.optimizers, "sem": Adam(loss.parameters(), _RATE)}

    def updates(self, a: Fields, b: Fields, rng: torch.Generator) -> Iterator[Update]:
        """Yield the training's updates, and the task network's after that of the translation.

        Raises:
            ModelError: none of them has a translation, though the training says so.
        """
        fields = {name: value for name, value in a.items() if name != LABEL}
        picture, label, is_found = a[next(iter(self.inputs_a))], a[LABEL], False
        for update in self.inner.updates(fields, b, rng):
            if update.translation is None:
                yield update
                continue
            is_found, translation = True, update.translation
            kept = self.loss.weight * self.loss(translation, label)
            yield Update(update.optimizers, {**update.losses, "gen_sem_ab": kept})
            losses = {"sem_a": self.loss(picture, label)}
            if self._is_late:
                losses["sem_ab"] = self.loss(translation.detach(), label)
            yield Update(("sem",), losses)
        if not is_found:
            name = type(self.inner).__name__
            raise ModelError(f"{name} says that it offers translations, and no update has one")

    def checkpoint(self, step: int) -> CheckpointFiles:
        """Return the training's own checkpoint; the task network translates nothing."""
        return self.inner.checkpoint(step)

    def rate(self, step: int, steps: int) -> float:
        """Return the training's own factor, which is the task network's, too."""
        return self.inner.rate(step, steps)

    def on_step(self, step: int, steps: int) -> None:
        """Prepare the training for its next step."""
        self._is_late = 2 * step > steps
        self.inner.on_step(step, steps)


def add_semantic_loss(request: Request, training: Training) -> tuple[Training, Labels | None]:
    """Return the training with the semantic loss, and A's labels, if they were asked for.

    Raises:
        UsageError: the training can't have it, or the labels make no sense.
        I2IError: the labels can't be read; see `open_labels`.
    """
    if request.semantic_loss is None or request.labels_a is None:
        return training, None
    model = f"model '{request.model}'"
    if training.paired:
        raise UsageError(f"{model} learns from pairs: it has no unpaired translation to keep true")
    if not training.offers_translation:
        raise UsageError(
            f"{model} can't be trained with --semantic-loss: it doesn't offer its translations",
            hint="its Training says offers_translation if it does",
        )
    labels = open_labels(request.a, request.labels_a, request.map, request.workers)
    with torch.random.fork_rng():
        torch.manual_seed(request.seed)
        weight, is_dense = request.semantic_loss, bool(labels.masks)
        loss = SemanticLoss(weight, labels.num_classes, request.size, is_dense=is_dense)
    return SemanticTraining(training, loss), labels


def _classifier(num_classes: int, size: int) -> nn.Sequential:
    """Return a network from (B, 3, size, size) to logits (B, num_classes)."""
    layers: list[nn.Module] = []
    channels, width, side = 3, _FIRST, size
    while side > _LAST_SIDE:
        layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.ReLU()]
        channels, width, side = width, min(2 * width, _MOST), (side + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, num_classes))


def _segmenter(num_classes: int) -> nn.Sequential:
    """Return a network from (B, 3, H, W) to logits (B, num_classes, H, W)."""
    layers: list[nn.Module] = []
    channels = 3
    for dilation in _DILATIONS:
        layers += [nn.Conv2d(channels, _WIDTH, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        channels = _WIDTH
    return nn.Sequential(*layers, nn.Conv2d(channels, num_classes, 1))
