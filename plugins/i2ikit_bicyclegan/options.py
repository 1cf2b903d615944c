"""What shapes a BicycleGAN, under the names of the original program where it has one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from i2ikit.options import Options

Norm = Literal["instance", "batch", "none"]
#: The number is the side of the pictures that it reads. "resnet_64" is not of the original.
EncoderKind = Literal["none", "resnet_64", "resnet_128", "resnet_256", "conv_128", "conv_256"]


class BicycleGanOptions(Options):
    """The settings of generator and encoder; most are read off the weights."""

    levels: int = Field(8, ge=5, description="halvings: 8 is unet_256, 7 is unet_128")
    ngf: int = Field(64, ge=1, description="width of the generator")
    input_nc: int = Field(3, description="channels of the input: 3 (RGB) or 1 (grey: edges)")
    nz: int = Field(8, ge=0, description="numbers in a style; 0: one output per input")
    where_add: Literal["all", "input"] = Field("all", description="levels that the style enters")
    upsample: Literal["basic", "bilinear"] = Field(
        "basic", description="basic: transposed convolutions; bilinear: resize, then convolve"
    )
    norm: Norm = Field("instance", description="normalisation layers")
    nl: Literal["relu", "lrelu", "elu"] = Field("relu", description="activation of the way up")
    align_corners: bool = Field(
        False, description="for bilinear models trained with torch older than 0.4"
    )
    encoder: EncoderKind = Field("resnet_256", description="style encoder (netE)")
    nef: int = Field(64, ge=1, description="width of the style encoder")
    first_inputs: int | None = Field(
        None, description="input_nc + nz, where the weights show no more than this sum"
    )

    @property
    def encoder_side(self) -> int:
        """Return the side of the squares that the encoder reads, in pixels; "none" has none."""
        return int(self.encoder.rpartition("_")[2])

    @model_validator(mode="after")
    def _split_first_inputs(self) -> BicycleGanOptions:
        total = self.first_inputs
        if total is not None:
            if "nz" not in self.model_fields_set:
                raise ValueError(
                    f"the weights show only that input_nc + nz is {total}; give -o nz=…"
                )
            if "input_nc" not in self.model_fields_set:
                object.__setattr__(self, "input_nc", total - self.nz)  # frozen only from here on
            if self.input_nc + self.nz != total:
                raise ValueError(
                    f"input_nc + nz is {total} in the weights, not {self.input_nc} + {self.nz}"
                )
        if self.input_nc not in (1, 3):
            raise ValueError(f"input_nc is 1 or 3, not {self.input_nc} (nz={self.nz})")
        return self
