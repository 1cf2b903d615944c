"""What `-o` may say for MUNIT."""

from __future__ import annotations

from pydantic import Field

from i2ikit.two_domain import TwoDomainOptions


class MunitOptions(TwoDomainOptions):
    """Everything but `activ` and `pad_type` is read off the weights."""

    style_dim: int = Field(8, ge=1, le=1024, description="length of a style code, and of its noise")
    mlp_dim: int = Field(
        256, ge=1, le=8192, description="width of the MLP that a style goes through"
    )
