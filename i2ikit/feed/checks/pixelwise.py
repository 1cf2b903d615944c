"""What the pixels of an output, and those of its source, tell without a network.

Both are uint8 (H, W, 3) of one size.
"""

from __future__ import annotations

import numpy as np

from i2ikit.data.images import Pixels

#: Levels added to a spread, so that the noise of flat pictures isn't compared.
_NOISE = 2.0


def saturated(output: Pixels, source: Pixels) -> float:
    """Return the share of pixels with nothing but 0 and 255, beyond that of the source: -1 … 1."""
    return _share_of_extremes(output) - _share_of_extremes(source)


def _share_of_extremes(pixels: Pixels) -> float:
    return float(((pixels == 0) | (pixels == 255)).all(axis=2).mean())


def contrast(output: Pixels, source: Pixels) -> float:
    """Return how widely the output's levels are spread, as a part of the source's spread.

    A spread is the root mean square over channels of the standard deviation, in levels, plus 2.
    """
    return (_spread(output) + _NOISE) / (_spread(source) + _NOISE)


def _spread(pixels: Pixels) -> float:
    variances = pixels.reshape(-1, 3).var(axis=0, dtype=np.float64)
    return float(np.sqrt(variances.mean()))


def change(output: Pixels, source: Pixels) -> float:
    """Return the mean absolute difference of two pictures, in levels.

    The pixels are taken as they are, with no gain or offset fitted to the channels first: a copy is
    the same pixels, and a mere change of colours is what a good translation may be.
    """
    gaps = np.maximum(output, source) - np.minimum(output, source)  # of 8 bits still
    return float(gaps.mean(dtype=np.float64))
