"""What trains a BicycleGAN, under the names of the original program and with its defaults."""

# ruff: noqa: N815 (its names are not ours to choose)

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from i2ikit_bicyclegan.options import BicycleGanOptions

DiscriminatorKind: TypeAlias = Literal["basic_128_multi", "basic_256_multi"]
GanMode: TypeAlias = Literal["lsgan", "vanilla"]


class BicycleGanTrainingOptions(BicycleGanOptions):
    """The settings of a training, beside those of the model."""

    use_dropout: bool = Field(
        False, description="dropout in the generator's inner levels; the published weights had it"
    )
    ndf: int = Field(64, ge=1, description="width of the discriminators")
    netD: DiscriminatorKind = Field(
        "basic_256_multi", description="strided layers of D: 3 (256) or 2 (128)"
    )
    netD2: DiscriminatorKind = Field("basic_256_multi", description="the same of D2")
    num_Ds: int = Field(2, ge=1, le=4, description="scales that each discriminator looks at")
    use_same_D: bool = Field(False, description="D does the work of D2 too")
    conditional_D: bool = Field(False, description="discriminators see the input too")
    gan_mode: GanMode = Field("lsgan", description="least squares, or vanilla: cross-entropy")
    lambda_L1: float = Field(10.0, ge=0, description="weight of |B - G(A, E(B))|")
    lambda_GAN: float = Field(1.0, ge=0, description="weight of D on encoded styles")
    lambda_GAN2: float = Field(1.0, ge=0, description="weight of D2 on drawn styles")
    lambda_z: float = Field(0.5, ge=0, description="weight of |z - E(G(A, z))|, for G alone")
    lambda_kl: float = Field(0.01, ge=0, description="weight of KL(E(B), normal), a sum")
    lr: float = Field(0.0002, gt=0, description="learning rate of Adam")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's memory of gradients")
    niter: int = Field(100, ge=0, description="length at the full rate, relative to niter_decay")
    niter_decay: int = Field(100, ge=0, description="length of the decay to 0, relative to niter")
    init_type: Literal["normal", "xavier", "kaiming", "orthogonal"] = Field(
        "xavier", description="how first weights are drawn"
    )
    init_gain: float = Field(0.02, gt=0, description="their deviation, or its factor")

    @model_validator(mode="after")
    def _has_styles(self) -> BicycleGanTrainingOptions:
        if self.encoder == "none" or not self.nz:
            raise ValueError(
                f"a training learns styles: it can't be with encoder={self.encoder}, nz={self.nz}"
            )
        if not any((self.lambda_L1, self.lambda_GAN, self.lambda_GAN2, self.lambda_z)):
            raise ValueError("lambda_L1, lambda_GAN, lambda_GAN2 and lambda_z are all 0")
        return self

    @model_validator(mode="after")
    def _fits_its_pictures(self) -> BicycleGanTrainingOptions:
        """Check what the encoder leaves no choice of: the size of the pictures."""
        if self.encoder == "none":
            return self
        reads = f"encoder={self.encoder} reads {self.encoder_side}×{self.encoder_side}"
        if self.encoder_side % 2**self.levels:
            raise ValueError(
                f"levels={self.levels} takes multiples of {2**self.levels}, and {reads}"
            )
        halvings = max(num_strides(self.netD), num_strides(self.netD2)) + self.num_Ds - 1
        if self.encoder_side >> halvings < 3:  # two more convolutions take a pixel each
            raise ValueError(
                f"the smallest of num_Ds={self.num_Ds} scales needs pictures of {3 << halvings}"
                f" pixels, and {reads}"
            )
        return self


def num_strides(kind: DiscriminatorKind) -> int:
    """Return how often a discriminator halves its picture."""
    return {"basic_128_multi": 2, "basic_256_multi": 3}[kind]
