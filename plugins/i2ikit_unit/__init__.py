"""UNIT for i2ikit: one picture to one, through a shared latent space (arXiv:1703.00848)."""

from __future__ import annotations

from i2ikit.hookspecs import ModelEntry, hookimpl


@hookimpl
def i2ikit_models() -> list[ModelEntry]:
    """Offer the model `unit`."""
    return [
        ModelEntry(
            "unit",
            model="i2ikit_unit.model:Unit",
            options="i2ikit_unit.options:UnitOptions",
            training="i2ikit_unit.training:UnitTraining",
            summary="unpaired, one output per input",
            paper="arXiv:1703.00848",
        )
    ]
