"""pix2pixHD's training (arXiv:1711.11585), and the feature clusters that are made after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Adam

from i2ikit.checkpoints import load_strictly, part_of
from i2ikit.errors import SourceError, UsageError
from i2ikit.model import Content, SizeRule, Style
from i2ikit.training.contract import (
    CheckpointFiles,
    Fields,
    Tensors,
    Training,
    Update,
    network_options,
)
from i2ikit.training.initial import draw_weights
from i2ikit_pix2pixhd import features
from i2ikit_pix2pixhd.discriminators import (
    Judgement,
    MultiscaleDiscriminator,
    VGGLoss,
    feature_matching,
    gan_loss,
)
from i2ikit_pix2pixhd.model import Pix2PixHD
from i2ikit_pix2pixhd.networks import norm_factory
from i2ikit_pix2pixhd.options import RGB_CHANNELS
from i2ikit_pix2pixhd.training_options import Pix2PixHDTrainingOptions, read_opt_txt


class Pix2PixHDTraining(Training):
    """A generator against discriminators that see its input beside the picture.

    With features, the encoder is trained through the generator alone, as a part of it.
    """

    Options = Pix2PixHDTrainingOptions
    paired = True
    options: Pix2PixHDTrainingOptions

    @classmethod
    def read_settings(cls, path: Path) -> Mapping[str, Any]:
        """Return the options that an `opt.txt` of the original program states."""
        return read_opt_txt(path)

    @classmethod
    def start_options(cls, path: Path, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the options of the networks in a checkpoint, which may lack some enhancers."""
        stated = network_options(Pix2PixHD, path)
        stated.pop("num_clusters", None)
        wanted = str(given.get("n_local_enhancers", ""))
        if wanted.isdecimal():  # each enhancer's layers are half as wide as those within it
            stated["ngf"] >>= max(0, int(wanted) - stated["n_local_enhancers"])
        return stated

    def start_from(self, path: Path) -> None:
        """Take over generator and encoder, or the coarser generator inside.

        Raises:
            UsageError: `load_pretrain` names a checkpoint, too.
            CheckpointError: it can't be read, or doesn't fit.
        """
        if self.options.load_pretrain:
            raise UsageError(
                f"two checkpoints to start from: --start-from {path} and -o load_pretrain="
                f"{self.options.load_pretrain}",
                hint="they mean the same: give one",
            )
        _start_from(self.model, path)

    def __init__(self, options: Pix2PixHDTrainingOptions | None = None) -> None:
        """Make the networks; read those that the options name.

        Raises:
            CheckpointError: `load_pretrain` or `vgg` can't be read, or is something else.
        """
        super().__init__(options)
        given = self.options
        self.model = Pix2PixHD(given.for_model())
        self.discriminator = MultiscaleDiscriminator(
            given.num_channels - given.feat_num + RGB_CHANNELS,
            given.ndf,
            given.n_layers_D,
            given.num_D,
            norm_factory(given.norm, "stored"),
        )
        draw_weights(self, "gaussian")
        if given.load_pretrain:
            _start_from(self.model, Path(given.load_pretrain))
        self.vgg_loss = VGGLoss(Path(given.vgg)) if given.vgg and given.lambda_feat else None
        self.inputs_a = self.model.inputs
        rules = (self.model.size, self.model.reference_size)
        self.size = SizeRule(
            multiple_of=max(rule.multiple_of for rule in rules if rule),  # they are powers of two
            # the smallest scale must have two pixels, or instance norm has nothing to go by
            minimum=max(2**given.num_D, *(rule.minimum for rule in rules if rule)),
        )
        self.optimizers = {
            "generator": Adam(self.model.parameters(), given.lr, (given.beta1, 0.999)),
            "discriminator": Adam(self.discriminator.parameters(), given.lr, (given.beta1, 0.999)),
        }

    def updates(self, a: Fields, b: Fields, rng: torch.Generator) -> Iterator[Update]:
        """Yield the generator's update, then the discriminators'; nothing is drawn.

        Terms have upstream's names; its discriminators' loss is the mean of `D_fake` and `D_real`,
        so they are halves here.
        """
        del rng
        real = b["image"]
        content = self.model.encode(**a)
        fake = self.model.decode(content, self._style(real, content))
        # its graph waits for the second update: these weights don't change in the first
        on_real = self._judge(content, real)
        yield Update(["generator"], self._generator_losses(content, fake, real, on_real))
        on_fake = self._judge(content, fake.detach())
        losses = {"D_fake": self._gan(on_fake, 0.0) / 2, "D_real": self._gan(on_real, 1.0) / 2}
        yield Update(["discriminator"], losses)

    def _style(self, real: Tensor, content: Content) -> Style:
        """Return the mean features of the real picture's own instances."""
        if not self.options.has_features:
            return None
        ids = {self.options.pooled_by: content["ids"]}
        return self.model.style_from_reference(image=real, **ids)

    def _judge(self, content: Content, image: Tensor) -> Judgement:
        judgement: Judgement = self.discriminator(torch.cat([content["planes"], image], dim=1))
        return judgement

    def _gan(self, judgement: Judgement, target: float) -> Tensor:
        return gan_loss(judgement, target, least_squares=not self.options.no_lsgan)

    def _generator_losses(
        self, content: Content, fake: Tensor, real: Tensor, on_real: Judgement
    ) -> dict[str, Tensor]:
        """Return the terms of eq. 5, and the VGG loss of section 4 (there λ is 10, too)."""
        weight = self.options.lambda_feat
        on_fake = self._judge(content, fake)
        losses = {"G_GAN": self._gan(on_fake, 1.0)}
        if weight and not self.options.no_ganFeat_loss:
            losses["G_GAN_Feat"] = weight * feature_matching(on_fake, on_real)
        if self.vgg_loss:
            losses["G_VGG"] = weight * self.vgg_loss(fake, real)
        return losses

    def rate(self, step: int, steps: int) -> float:
        """Return 1 for half of the steps, then less and less, linearly to 0."""
        return min(1.0, 2 * (1 - step / steps))

    def on_step(self, step: int, steps: int) -> None:
        """Let only the finest enhancer learn in the first `niter_fix_global` steps."""
        if not self.options.niter_fix_global:
            return
        is_fixed = step < self.options.num_fixed_steps(steps)
        finest = f"generator.model{self.options.n_local_enhancers}_"
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not is_fixed or name.startswith(finest))

    def checkpoint(self, step: int) -> CheckpointFiles:
        """Return the generator, and the encoder, as the original program saves its latest."""
        del step
        tensors: dict[str, Tensors] = {"latest_net_G": self.model.generator.state_dict()}
        if self.options.has_features:
            tensors["latest_net_E"] = self.model.encoder.state_dict()
        return CheckpointFiles(tensors, {"opt.txt": self.options.settings()}, ".pth")


def _start_from(model: Pix2PixHD, path: Path) -> None:
    """Copy a checkpoint of the same networks, or of the coarser ones inside.

    Raises:
        CheckpointError: it can't be read, or doesn't fit.
    """
    read = Pix2PixHD.read_checkpoint(path, "a2b")
    weights = part_of(read.weights, "generator.")
    level, levels = read.options["n_local_enhancers"], model.options.n_local_enhancers
    if level < levels:
        weights = _without_head(weights, level)
        finer = tuple(f"model{n}_" for n in range(level + 1, levels + 1))
        own = model.generator.state_dict()
        weights |= {name: value for name, value in own.items() if name.startswith(finer)}
    load_strictly(model.generator, weights, str(path))
    if encoder := part_of(read.weights, "encoder."):
        load_strictly(model.encoder, encoder, str(path))


def _without_head(weights: Mapping[str, Tensor], level: int) -> dict[str, Tensor]:
    """Return a generator's weights without its last convolution, which makes the colours."""
    finest = f"model{level}_2" if level else "model"
    places = [int(m[1]) for name in weights if (m := re.match(rf"{finest}\.(\d+)\.", name))]
    head = f"{finest}.{max(places)}."
    return {name: value for name, value in weights.items() if not name.startswith(head)}


#: Instances up to 1/64 of their picture are left out of the clusters.
_LEAST_SIZE = 0.5
_RESTARTS = 10
_CANDIDATES = 4
_MOST_ROUNDS = 300


def cluster_features(
    model: Pix2PixHD, pairs: Iterable[tuple[Tensor, Tensor]], num_clusters: int, seed: int
) -> dict[int, Tensor]:
    """Return the centres of each class's features over a training set, {class: (k, F) float32}.

    K-means, on rows of instances that are large enough: `num_clusters` centres or as many as rows.

    Args:
        model: with an encoder, in eval mode.
        pairs: pictures, (B, 3, H, W) in [-1, 1], and instance maps, (B, 1, H, W) int64.
        num_clusters: the most centres of a class (published: 10).
        seed: of the starts of k-means.

    Raises:
        UsageError: the model has no encoder.
        SourceError: no instance is large enough.
    """
    rng = torch.Generator().manual_seed(seed)
    clusters = {}
    for label, rows in sorted(instance_features(model, pairs).items()):
        large = rows[rows[:, -1] > _LEAST_SIZE, :-1]
        if len(large):
            clusters[label] = k_means(large, min(num_clusters, len(large)), rng).float()
    if not clusters:
        raise SourceError("no instance covers more than 1/64 of its picture: nothing to cluster")
    return clusters


def save_clusters(clusters: Mapping[int, Tensor], num_clusters: int, folder: Path) -> Path:
    """Write the centres beside a checkpoint, where its reader looks for them; return the file."""
    path = folder / f"features_clustered_{num_clusters:03}.safetensors"
    save_file({str(label): centres.contiguous() for label, centres in clusters.items()}, path)
    return path


@torch.no_grad()
def instance_features(
    model: Pix2PixHD, pairs: Iterable[tuple[Tensor, Tensor]]
) -> dict[int, Tensor]:
    """Return each class's rows, (N, F + 1) double: an instance's mean features, and its size.

    The size is in 32nds of the picture. Instances are those of the instance map even with
    `label_feat`, as upstream's are. Arguments and errors as `cluster_features`.
    """
    if not model.options.nef:
        raise UsageError("this checkpoint has no encoder, so its features can't be clustered")
    found: dict[int, list[Tensor]] = {}
    for image, instance in pairs:
        height, width = instance.shape[2:]
        table = features.pool(model.encoder(image)[..., :height, :width], instance)
        for ids, pooled in zip(instance, table["features"].double().cpu(), strict=True):
            unique, counts = torch.unique(ids.cpu(), return_counts=True)
            sizes = counts / (height * width // 32)
            rows = torch.cat([pooled[: len(unique)], sizes[:, None].double()], dim=1)
            for label, row in zip(features.class_of(unique).tolist(), rows, strict=True):
                found.setdefault(label, []).append(row)
    return {label: torch.stack(rows) for label, rows in found.items()}


def k_means(rows: Tensor, num_centres: int, rng: torch.Generator) -> Tensor:
    """Return the centres, (num_centres, F), of the best of some starts; `rows` is (N, F).

    In torch, for a dozen lines are less than a dependency, and the same on every machine.
    """
    results = [_settle(rows, _spread(rows, num_centres, rng)) for _ in range(_RESTARTS)]
    return min(results, key=lambda centres: float(_distances(rows, centres).amin(1).sum()))


def _distances(rows: Tensor, centres: Tensor) -> Tensor:
    return (rows[:, None] - centres).square().sum(2)


def _spread(rows: Tensor, num_centres: int, rng: torch.Generator) -> Tensor:
    """Draw rows to start from, by their distance to those already drawn.

    Each is the best of some, as scikit-learn's are (Arthur and Vassilvitskii, k-means++: the
    advantages of careful seeding, 2007, on the greedy variant in its conclusion).
    """
    chosen = rows[torch.randint(len(rows), (1,), generator=rng)]
    while len(chosen) < num_centres:
        nearest = _distances(rows, chosen).amin(1)
        weights = nearest if nearest.any() else torch.ones_like(nearest)  # only equal rows left
        candidates = rows[torch.multinomial(weights, _CANDIDATES, replacement=True, generator=rng)]
        left = torch.minimum(nearest[:, None], _distances(rows, candidates)).sum(0)
        chosen = torch.cat([chosen, candidates[left.argmin(), None]])
    return chosen


def _settle(rows: Tensor, centres: Tensor) -> Tensor:
    """Move each centre to the mean of the rows nearest to it, until none moves (Lloyd 1982)."""
    for _ in range(_MOST_ROUNDS):
        nearest = _distances(rows, centres).argmin(1)
        counts = torch.bincount(nearest, minlength=len(centres))[:, None]
        sums = torch.zeros_like(centres).index_add_(0, nearest, rows)
        moved = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres
