"""What `-o` may say for UNIT."""

from __future__ import annotations

from i2ikit.two_domain import TwoDomainOptions


class UnitOptions(TwoDomainOptions):
    """Everything but `activ` and `pad_type` is read off the weights."""
