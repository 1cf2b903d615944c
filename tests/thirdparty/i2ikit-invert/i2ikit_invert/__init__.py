"""Negatives of pictures, and a measure of colours, as a plugin of i2ikit."""

from i2ikit import FeaturesEntry, MetricEntry, ModelEntry, hookimpl


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


@hookimpl
def i2ikit_metrics():
    return [
        MetricEntry(
            "mean-gap",
            metric="i2ikit_invert.measures:measure_gap",
            summary="How far the mean features lie apart",
            features="colours",
        )
    ]


@hookimpl
def i2ikit_features():
    return [
        FeaturesEntry(
            "colours",
            space="i2ikit_invert.measures:open_colours",
            summary="The mean of each 16 × 16 block",
        )
    ]
