"""The settings of pix2pixHD, and how the generator's input channels split."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from i2ikit.options import Options

RGB_CHANNELS = 3


class Pix2PixHDOptions(Options):
    """Upstream's names and defaults. All but the first four are read off a checkpoint's weights.

    The generator takes label planes (or a picture), one edge map and the features, in this order.
    The weights tell only the sum, `input_nc`: what is not given is worked out from it.
    """

    label_nc: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="number of label classes; 0 for pictures as input. Left out: opt.txt's, else"
        " the input channels that edges and features leave (3 without edges: pictures)",
    )
    no_instance: bool | None = Field(
        None,
        description="whether the generator takes no edge map of the instances. Left out: opt.txt's,"
        " else what label_nc and the input channels leave room for (if nothing tells: edges)",
    )
    label_feat: bool = Field(
        False, description="whether features belong to label classes instead of instances"
    )
    batch_stats: Literal["stored", "image"] = Field(
        "stored",
        description="batch norm with the statistics stored in the checkpoint, or with each image's"
        " own, as the original program does; instance norm has no choice",
    )
    norm: Literal["instance", "batch"] = Field("instance", description="normalisation")
    ngf: int = Field(64, ge=1, description="channels at the finest level of the generator")
    n_downsample_global: int = Field(
        4, ge=0, le=10, description="downsamplings of the global generator"
    )
    n_blocks_global: int = Field(
        9, ge=0, le=100, description="residual blocks of the global generator"
    )
    n_local_enhancers: int = Field(
        0, ge=0, le=5, description="local enhancers around the global generator"
    )
    n_blocks_local: int = Field(
        3, ge=0, le=100, description="residual blocks of each local enhancer"
    )
    upsample: Literal["basic", "bilinear"] = Field(
        "basic",
        description="basic: transposed convolutions, as published; bilinear: resize, then convolve",
    )
    input_nc: int | None = Field(
        None, ge=1, description="all input channels of the generator; left out: as the rest says"
    )
    feat_num: int = Field(0, ge=0, description="feature channels; 0 for a model without styles")
    nef: int = Field(0, ge=0, description="channels of the feature encoder; 0 for none")
    n_downsample_encoder: int = Field(4, ge=0, le=10, description="downsamplings of the encoder")
    num_clusters: tuple[int, ...] = Field(
        (), description="number of feature clusters of each class, from class 0; empty for none"
    )

    @property
    def num_labels(self) -> int:
        """The number of label classes; 0 if the input is a picture."""
        return self._split()[0]

    @property
    def has_edges(self) -> bool:
        """Whether the generator sees the edges of the instance map."""
        return self._split()[1]

    @property
    def num_channels(self) -> int:
        """What the generator's first convolution takes."""
        return (self.num_labels or RGB_CHANNELS) + self.has_edges + self.feat_num

    @property
    def pooled_by(self) -> Literal["label", "instance"]:
        """The map whose ids carry the features."""
        return "label" if self.label_feat else "instance"

    def _split(self) -> tuple[int, bool]:
        labels, no_instance = self.label_nc, self.no_instance
        if self.input_nc is None:
            return (35 if labels is None else labels), not no_instance
        room = self.input_nc - self.feat_num
        if no_instance is None:
            no_instance = room == (labels or RGB_CHANNELS)
        if labels is None:
            is_picture = no_instance and room == RGB_CHANNELS
            labels = 0 if is_picture else max(room - (not no_instance), 0)
        return labels, not no_instance

    @model_validator(mode="after")
    def _channels_add_up(self) -> Self:
        if self.input_nc is None or self.num_channels == self.input_nc:
            return self
        planes = f"label_nc {self.num_labels}" if self.num_labels else "3 picture channels"
        message = (
            f"{planes} + {int(self.has_edges)} edge map + {self.feat_num} features make"
            f" {self.num_channels} channels, but the weights take {self.input_nc};"
            " check -o label_nc and -o no_instance"
        )
        if not self.feat_num and self.num_channels < self.input_nc:
            message += (
                "; if the rest are features, *_net_E.pth or features_clustered_*.npy is missing"
                " beside the weights"
            )
        raise ValueError(message)

    @model_validator(mode="after")
    def _labels_carry_features(self) -> Self:
        if self.label_feat and self.feat_num and not self.num_labels:
            raise ValueError("label_feat needs label maps, but the input is a picture (label_nc 0)")
        return self
