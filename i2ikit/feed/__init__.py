"""Training sets from originals and translations, with their labels; what they are worth.

Names are resolved when first used, so that importing this loads nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i2ikit.feed.building import build
    from i2ikit.feed.checking import Checked, check
    from i2ikit.feed.checks.limits import Limits
    from i2ikit.feed.checks.report import GateSummary
    from i2ikit.feed.datasets import dataset
    from i2ikit.feed.domain_gap import adaptation
    from i2ikit.feed.gating import gate, measure_pixels
    from i2ikit.feed.on_the_fly import TranslateOnTheFly
    from i2ikit.feed.pictures import FeedPicture
    from i2ikit.feed.summary import FeedSummary

_HOMES = {
    "Checked": "checking",
    "FeedPicture": "pictures",
    "FeedSummary": "summary",
    "GateSummary": "checks.report",
    "Limits": "checks.limits",
    "TranslateOnTheFly": "on_the_fly",
    "adaptation": "domain_gap",
    "build": "building",
    "check": "checking",
    "dataset": "datasets",
    "gate": "gating",
    "measure_pixels": "gating",
}

__all__ = [
    "Checked",
    "FeedPicture",
    "FeedSummary",
    "GateSummary",
    "Limits",
    "TranslateOnTheFly",
    "adaptation",
    "build",
    "check",
    "dataset",
    "gate",
    "measure_pixels",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'i2ikit.feed' has no attribute '{name}'")
    return getattr(importlib.import_module(f"i2ikit.feed.{_HOMES[name]}"), name)
