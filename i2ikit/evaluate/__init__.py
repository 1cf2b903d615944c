"""Numbers for translated pictures: exact, in one pass, with the protocol that they follow.

Names are resolved when first used, so that importing this loads nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i2ikit.evaluate.compare import measure
    from i2ikit.evaluate.compute import Compute
    from i2ikit.evaluate.consistency import label_consistency
    from i2ikit.evaluate.distances import fd, fid, fid_infinity, kid, precision_recall
    from i2ikit.evaluate.diversity import lpips_diversity
    from i2ikit.evaluate.likeness import psnr, ssim
    from i2ikit.evaluate.moments import Statistics, load_statistics, save_statistics
    from i2ikit.evaluate.paired import lpips_pairs
    from i2ikit.evaluate.pixelwise import pixels
    from i2ikit.evaluate.results import Result
    from i2ikit.evaluate.scores import conditional_inception_score, inception_score
    from i2ikit.evaluate.summaries import merge_statistics, statistics

_HOMES = {
    "Compute": "compute",
    "Result": "results",
    "Statistics": "moments",
    "conditional_inception_score": "scores",
    "fd": "distances",
    "fid": "distances",
    "fid_infinity": "distances",
    "inception_score": "scores",
    "kid": "distances",
    "label_consistency": "consistency",
    "load_statistics": "moments",
    "lpips_diversity": "diversity",
    "lpips_pairs": "paired",
    "measure": "compare",
    "merge_statistics": "summaries",
    "pixels": "pixelwise",
    "precision_recall": "distances",
    "psnr": "likeness",
    "save_statistics": "moments",
    "ssim": "likeness",
    "statistics": "summaries",
}

__all__ = [
    "Compute",
    "Result",
    "Statistics",
    "conditional_inception_score",
    "fd",
    "fid",
    "fid_infinity",
    "inception_score",
    "kid",
    "label_consistency",
    "load_statistics",
    "lpips_diversity",
    "lpips_pairs",
    "measure",
    "merge_statistics",
    "pixels",
    "precision_recall",
    "psnr",
    "save_statistics",
    "ssim",
    "statistics",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'i2ikit.evaluate' has no attribute '{name}'")
    return getattr(importlib.import_module(f"i2ikit.evaluate.{_HOMES[name]}"), name)
