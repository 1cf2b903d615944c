"""Training sets from originals and translations, with their labels.

Names are resolved when first used, so that importing this loads nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i2ikit.feed.gate_report import GateSummary
    from i2ikit.feed.gating import gate, measure_pixels
    from i2ikit.feed.limits import Limits

_HOMES = {
    "GateSummary": "gate_report",
    "Limits": "limits",
    "gate": "gating",
    "measure_pixels": "gating",
}

__all__ = ["GateSummary", "Limits", "gate", "measure_pixels"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'i2ikit.feed' has no attribute '{name}'")
    return getattr(importlib.import_module(f"i2ikit.feed.{_HOMES[name]}"), name)
