"""Training sets from originals and translations, with their labels; what they are worth.

Names are resolved when first used, so that importing this loads nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i2ikit.feed.domain_gap import adaptation

_HOMES = {
    "adaptation": "domain_gap",
}

__all__ = ["adaptation"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'i2ikit.feed' has no attribute '{name}'")
    return getattr(importlib.import_module(f"i2ikit.feed.{_HOMES[name]}"), name)
