"""The settings of a two-domain training, by their published names and with published defaults."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypeVar

from pydantic import Field

from i2ikit.nn import Activation, Padding
from i2ikit.training.initial import Init
from i2ikit.two_domain import TwoDomainOptions

Domain: TypeAlias = Literal["a", "b"]
GanType: TypeAlias = Literal["lsgan", "nsgan"]
DiscriminatorNorm: TypeAlias = Literal["none", "in", "ln", "bn", "sn"]


class TwoDomainTrainingOptions(TwoDomainOptions):
    """Settings of losses, optimizers and discriminators; A's channels are `input_dim`."""

    lr: float = Field(1e-4, gt=0, description="learning rate of Adam")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's decay of the mean")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's decay of the variance")
    weight_decay: float = Field(1e-4, ge=0, description="L2 penalty, in Adam's gradients")
    lr_policy: Literal["step", "constant"] = Field("step", description="how the rate changes")
    step_size: int = Field(100_000, ge=1, description="steps after which the rate is multiplied")
    gamma: float = Field(0.5, gt=0, le=1, description="what the rate is multiplied by")
    init: Init = Field("kaiming", description="how the generators' first weights are drawn")
    gan_w: float = Field(1, gt=0, description="weight of the adversarial loss")
    recon_x_w: float = Field(10, ge=0, description="weight of reconstructing a picture")
    vgg_w: float = Field(0, ge=0, description="weight of the perceptual loss; needs vgg=FILE")
    vgg: str = Field("", description="file of VGG16's weights, as torchvision has them")
    dis_dim: int = Field(64, ge=1, le=1024, description="channels of a discriminator's first layer")
    dis_norm: DiscriminatorNorm = Field("none", description="norm of a discriminator's layers")
    dis_init: Init = Field(
        "gaussian",
        description="how their first weights are drawn; narrow ones learn sooner with kaiming",
    )
    dis_activ: Activation = Field("lrelu", description="activation of a discriminator's layers")
    dis_pad_type: Padding = Field("reflect", description="padding of a discriminator's layers")
    n_layer: int = Field(4, ge=1, le=8, description="how often a discriminator halves the picture")
    num_scales: int = Field(3, ge=1, le=8, description="picture sizes that are discriminated")
    gan_type: GanType = Field("lsgan", description="least squares, or cross entropy")


AnyTrainingOptions = TypeVar("AnyTrainingOptions", bound=TwoDomainTrainingOptions)


def of_domain(options: AnyTrainingOptions, domain: Domain) -> AnyTrainingOptions:
    """Return the options of one domain's generator, which takes and gives its pictures."""
    channels = options.input_dim if domain == "a" else options.output_dim
    return options.model_copy(update={"input_dim": channels, "output_dim": channels})
