"""The pix2pixHD plugin: label maps or pictures to pictures (Wang et al., CVPR 2018)."""

from __future__ import annotations

from i2ikit.hookspecs import ModelEntry, hookimpl


@hookimpl
def i2ikit_models() -> list[ModelEntry]:
    """Offer pix2pixHD."""
    return [
        ModelEntry(
            name="pix2pixhd",
            model="i2ikit_pix2pixhd.model:Pix2PixHD",
            options="i2ikit_pix2pixhd.options:Pix2PixHDOptions",
            training="i2ikit_pix2pixhd.training:Pix2PixHDTraining",
            summary="label and instance maps (or pictures) to pictures; a style per instance",
            paper="arXiv:1711.11585",
        )
    ]
