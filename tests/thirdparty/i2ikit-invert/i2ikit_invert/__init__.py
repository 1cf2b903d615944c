"""Negatives of pictures, as a plugin of i2ikit."""

from i2ikit import ModelEntry, hookimpl


@hookimpl
def i2ikit_models():
    return [
        ModelEntry(
            "invert",
            model="i2ikit_invert.model:Invert",
            options="i2ikit_invert.model:InvertOptions",
            summary="The negative of a picture",
        )
    ]
