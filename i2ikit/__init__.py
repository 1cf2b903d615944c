"""Batch translation of image data sets with pluggable image-to-image models.

Names are resolved when first used, so that importing i2ikit loads nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i2ikit import evaluate, features, feed
    from i2ikit.errors import I2IError
    from i2ikit.evaluate.features import Features, Measured
    from i2ikit.evaluate.space import FeatureSpace
    from i2ikit.hookspecs import (
        CheckpointEntry,
        FeaturesEntry,
        MetricEntry,
        ModelEntry,
        WeightsFile,
        hookimpl,
    )
    from i2ikit.loading import load_model
    from i2ikit.model import RGB, Checkpoint, Grey, InstanceMap, LabelMap, Model, SizeRule
    from i2ikit.options import NoOptions, Options
    from i2ikit.training.contract import CheckpointFiles, Training, Update
    from i2ikit.training.report import TrainSummary
    from i2ikit.training.run import train
    from i2ikit.translation.audit import audit
    from i2ikit.translation.run import RunSummary, translate

__version__ = "0.1.0"

_HOMES = {
    "Checkpoint": "i2ikit.model",
    "CheckpointEntry": "i2ikit.hookspecs",
    "CheckpointFiles": "i2ikit.training.contract",
    "FeatureSpace": "i2ikit.evaluate.space",
    "Features": "i2ikit.evaluate.features",
    "FeaturesEntry": "i2ikit.hookspecs",
    "Grey": "i2ikit.model",
    "I2IError": "i2ikit.errors",
    "InstanceMap": "i2ikit.model",
    "LabelMap": "i2ikit.model",
    "Measured": "i2ikit.evaluate.features",
    "MetricEntry": "i2ikit.hookspecs",
    "Model": "i2ikit.model",
    "ModelEntry": "i2ikit.hookspecs",
    "NoOptions": "i2ikit.options",
    "Options": "i2ikit.options",
    "RGB": "i2ikit.model",
    "RunSummary": "i2ikit.translation.run",
    "SizeRule": "i2ikit.model",
    "TrainSummary": "i2ikit.training.report",
    "Training": "i2ikit.training.contract",
    "Update": "i2ikit.training.contract",
    "WeightsFile": "i2ikit.hookspecs",
    "audit": "i2ikit.translation.audit",
    "hookimpl": "i2ikit.hookspecs",
    "load_model": "i2ikit.loading",
    "train": "i2ikit.training.run",
    "translate": "i2ikit.translation.run",
}

__all__ = [
    "RGB",
    "Checkpoint",
    "CheckpointEntry",
    "CheckpointFiles",
    "FeatureSpace",
    "Features",
    "FeaturesEntry",
    "Grey",
    "I2IError",
    "InstanceMap",
    "LabelMap",
    "Measured",
    "MetricEntry",
    "Model",
    "ModelEntry",
    "NoOptions",
    "Options",
    "RunSummary",
    "SizeRule",
    "TrainSummary",
    "Training",
    "Update",
    "WeightsFile",
    "audit",
    "evaluate",
    "features",
    "feed",
    "hookimpl",
    "load_model",
    "train",
    "translate",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name in ("evaluate", "features", "feed"):
        return importlib.import_module(f"i2ikit.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'i2ikit' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
