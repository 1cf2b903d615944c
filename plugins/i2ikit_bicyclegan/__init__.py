"""BicycleGAN: one input, many outputs, from paired training (arXiv:1711.11586)."""

from __future__ import annotations

from i2ikit import ModelEntry, hookimpl


@hookimpl
def i2ikit_models() -> list[ModelEntry]:
    """Return the one model of this plugin."""
    return [
        ModelEntry(
            "bicyclegan",
            model="i2ikit_bicyclegan.model:BicycleGan",
            options="i2ikit_bicyclegan.options:BicycleGanOptions",
            training="i2ikit_bicyclegan.training:BicycleGanTraining",
            summary="U-Net with a drawn style; paired training (edges to photos, maps to aerials)",
            paper="arXiv:1711.11586",
        )
    ]
