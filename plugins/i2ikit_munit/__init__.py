"""MUNIT for i2ikit: one picture to many, by content code and style code (arXiv:1804.04732)."""

from __future__ import annotations

from i2ikit.hookspecs import ModelEntry, hookimpl


@hookimpl
def i2ikit_models() -> list[ModelEntry]:
    """Offer the model `munit`."""
    return [
        ModelEntry(
            "munit",
            model="i2ikit_munit.model:Munit",
            options="i2ikit_munit.options:MunitOptions",
            training="i2ikit_munit.training:MunitTraining",
            summary="unpaired, many outputs per input: styles drawn, or taken from an example",
            paper="arXiv:1804.04732",
        )
    ]
