"""pix2pixHD: High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs.

Ting-Chun Wang, Ming-Yu Liu, Jun-Yan Zhu, Andrew Tao, Jan Kautz, Bryan Catanzaro, CVPR 2018,
arXiv:1711.11585.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from i2ikit.errors import UsageError
from i2ikit.model import (
    RGB,
    Checkpoint,
    Content,
    Direction,
    InputKind,
    InstanceMap,
    LabelMap,
    Model,
    SizeRule,
    Style,
)
from i2ikit_pix2pixhd import checkpoint, choices, clustering, features
from i2ikit_pix2pixhd.clusters import FILES
from i2ikit_pix2pixhd.networks import GlobalGenerator, LocalEnhancer, NormFactory, norm_factory
from i2ikit_pix2pixhd.options import RGB_CHANNELS, Pix2PixHDOptions

#: Entries of a style's noise; an image with more instances goes through them again.
NOISE_LENGTH = 1024


class Pix2PixHD(Model):
    """Label maps (or pictures) to pictures, with one feature vector per instance as the style.

    The style is a table of instance ids and features (see `features`). It comes from a picture
    through the encoder, or from the clusters of the training's features, one cluster per instance.
    Without either, an input has one output.
    """

    Options = Pix2PixHDOptions
    official_range = "truncate"
    cluster_files = FILES
    options: Pix2PixHDOptions
    clusters: Tensor

    def __init__(self, options: Pix2PixHDOptions | None = None) -> None:
        super().__init__(options)
        norm = norm_factory(self.options.norm, self.options.batch_stats)
        self.generator = _generator(self.options, norm)
        if self.options.nef:
            self.encoder = _encoder(self.options, norm)
        counts = self.options.num_clusters
        if counts:
            centres = torch.zeros(len(counts), max(counts), self.options.feat_num)
            self.register_buffer("clusters", centres)
        self._state_facts()

    def _state_facts(self) -> None:
        options = self.options
        self.inputs = _inputs(options)
        self.size = _size_rule(options.n_downsample_global, options.n_local_enhancers)
        if options.nef:
            pooled_by = options.pooled_by
            kind = InstanceMap() if pooled_by == "instance" else LabelMap(options.num_labels)
            self.reference_inputs = {"image": RGB(), pooled_by: kind}
            self.reference_size = _size_rule(options.n_downsample_encoder)
        if options.num_clusters:
            self.noise_shape = (NOISE_LENGTH,)
            self.choice_fields = ("instance", "cluster")

    @classmethod
    def read_checkpoint(cls, path: Path, direction: Direction) -> Checkpoint:
        """Read `*_net_G.pth` or its folder, with the encoder and the clusters beside it."""
        del direction
        return checkpoint.read_checkpoint(path)

    def encode(self, **inputs: Tensor) -> Content:
        """Return the generator's input without features, and the map that carries them.

        Returns:
            {"planes": (B, C, H, W)}: one-hot labels or the picture, then the edges; with features
            also {"ids": (B, 1, H, W) int64}.
        """
        labels = self.options.num_labels
        planes = features.one_hot(inputs["label"], labels) if labels else inputs["image"]
        if self.options.has_edges:
            edges = features.edge_map(inputs["instance"])
            planes = torch.cat([planes, edges.to(planes.dtype)], dim=1)
        if not self.options.feat_num:
            return {"planes": planes}
        return {"planes": planes, "ids": inputs[self.options.pooled_by]}

    def decode(self, content: Content, style: Style) -> Tensor:
        """Return pictures; `style` is {"ids": (B, K), "features": (B, K, F)}."""
        planes = content["planes"]
        if self.options.feat_num:
            if style is None:
                raise UsageError(
                    "this checkpoint has an encoder but no clusters, so it can't draw styles",
                    hint="take a style from a picture, or make clusters: i2ikit features cluster",
                )
            painted = features.paint(style, content["ids"])
            planes = torch.cat([planes, painted.to(planes.dtype)], dim=1)
        out: Tensor = self.generator(planes)
        return out

    def style_from_reference(self, **inputs: Tensor) -> Style:
        """Return the mean features of each instance of example pictures."""
        ids = inputs[self.options.pooled_by]
        encoded = self.encoder(inputs["image"])[..., : ids.shape[2], : ids.shape[3]]
        return features.pool(encoded, ids)

    def style_from_noise(self, noise: Tensor, content: Content) -> Style:
        """Return the style in which each instance has the cluster that its noise falls on."""
        return self.style_from_choices(self.choices_from_noise(noise, content), content)

    def choices_from_noise(self, noise: Tensor, content: Content) -> list[list[dict[str, int]]]:
        """Return the cluster of each instance that has any.

        The j-th instance in ascending order of ids takes entry j of the noise, by its normal
        quantile.
        """
        levels = torch.special.ndtr(noise.cpu().double()).tolist()
        return [
            choices.draw(level, self._instances(ids))
            for level, ids in zip(levels, content["ids"], strict=True)
        ]

    def style_from_choices(
        self, rows: Sequence[Sequence[Mapping[str, int]]], content: Content
    ) -> Style:
        """Return the style of the clusters named; instances of classes without any get zeros.

        Raises:
            SampleError: an instance or cluster that isn't there, or an instance left out.
        """
        return features.pad_tables(
            [self._table(chosen, ids) for chosen, ids in zip(rows, content["ids"], strict=True)]
        )

    def cluster_features(
        self, examples: Iterable[Mapping[str, Tensor]], num_clusters: int, seed: int
    ) -> dict[str, Tensor]:
        """Return the centres of each class's features over a training set, {class: (k, F) float32}.

        Instances are those that the generator was trained with: with `label_feat`, the classes of
        each picture (where the original program still takes the instances).

        Raises:
            SourceError: no instance covers more than 1/64 of its picture.
        """
        pooled_by = self.options.pooled_by
        encoded = ((self.style_from_reference(**one), one[pooled_by]) for one in examples)
        centres = clustering.cluster_rows(clustering.class_rows(encoded), num_clusters, seed)
        return {str(label): values for label, values in centres.items()}

    def _table(self, rows: Sequence[Mapping[str, int]], ids: Tensor) -> tuple[Tensor, Tensor]:
        instances = self._instances(ids)
        table = self.clusters.new_zeros(len(instances), self.options.feat_num)
        places = {id_: place for place, id_ in enumerate(instances)}
        for one, cluster in choices.check(rows, instances):
            table[places[one.id]] = self.clusters[one.label, cluster]
        return torch.tensor(list(instances), device=table.device), table

    def _instances(self, ids: Tensor) -> dict[int, choices.Instance]:
        return choices.instances_of(ids, self.options.num_clusters)


def _generator(options: Pix2PixHDOptions, norm: NormFactory) -> GlobalGenerator | LocalEnhancer:
    channels = (options.num_channels, RGB_CHANNELS, options.ngf)
    depth = (options.n_downsample_global, options.n_blocks_global)
    if not options.n_local_enhancers:
        return GlobalGenerator(*channels, *depth, norm, options.upsample)
    local = (options.n_local_enhancers, options.n_blocks_local)
    return LocalEnhancer(*channels, *depth, *local, norm, options.upsample)


def _encoder(options: Pix2PixHDOptions, norm: NormFactory) -> GlobalGenerator:
    channels = (RGB_CHANNELS, options.feat_num, options.nef)
    return GlobalGenerator(*channels, options.n_downsample_encoder, 0, norm)


def _inputs(options: Pix2PixHDOptions) -> dict[str, InputKind]:
    labels = options.num_labels
    inputs: dict[str, InputKind] = {"label": LabelMap(labels)} if labels else {"image": RGB()}
    if options.has_edges or (options.feat_num and not options.label_feat):
        inputs["instance"] = InstanceMap()
    return inputs


def _size_rule(num_downsamplings: int, num_enhancers: int = 0) -> SizeRule:
    """Return the sizes that come out as they went in, and that reflection padding can take."""
    return SizeRule(
        multiple_of=2 ** (num_downsamplings + num_enhancers),
        minimum=max(4, 2 ** (num_downsamplings + 1)) * 2**num_enhancers,
    )
