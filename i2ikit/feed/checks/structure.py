"""Whether the edges of an output lie where those of its source do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from i2ikit.data.images import Pixels

Map = npt.NDArray[np.float32]

#: Edges are compared with the mean edge of a square that reaches so far, in pixels.
_REACH = 8
#: Levels by which such a mean is raised, so that the noise of flat regions makes no edges.
_NOISE = 4.0
#: Sources with less edge than this, in levels a pixel on average, have no structure to keep.
_LEAST_EDGE = 1.0
#: Smaller pictures hold too few edges to tell anything.
_LEAST_SIDE = 32
#: Shifts are sought up to this part of the shorter side.
_FARTHEST = 8
#: How much better than in place, and how well at least, edges must agree to be called shifted.
_MARGIN, _LEAST_PEAK = 0.1, 0.15


def structure(output: Pixels, source: Pixels) -> dict[str, float]:
    """Return how well the edges agree, and the shift with which they would agree better.

    An edge is the length of the gradient over all channels, slightly blurred, which forgives an
    error of one pixel, and divided by the mean edge around it: contrast and colours may change.
    `structure` is the correlation of the two maps of edges, -1 … 1. `shift_x` and `shift_y` say by
    how many pixels the output's content must have moved to the right and downwards, up to an eighth
    of the shorter side, if the correlation is better by 0.1 there, and 0.15 at least; else they are
    0. `shift` is the larger of their absolute values.

    Args:
        output: uint8 (H, W, 3).
        source: uint8 (H, W, 3).

    Returns:
        Nothing for a source almost without edges, or a side of less than 32 pixels.
    """
    slopes = _slopes(source)
    if min(source.shape[:2]) < _LEAST_SIDE or slopes.mean() < _LEAST_EDGE:
        return {}
    agreement = _correlate(_edges(_slopes(output)), _edges(slopes))
    reach = min(source.shape[:2]) // _FARTHEST
    near = np.roll(agreement, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    down, right = (int(place) - reach for place in np.unravel_index(near.argmax(), near.shape))
    in_place = float(agreement[0, 0])
    if near.max() < max(in_place + _MARGIN, _LEAST_PEAK):
        down = right = 0
    return {
        "structure": in_place,
        "shift": float(max(abs(right), abs(down))),
        "shift_x": float(right),
        "shift_y": float(down),
    }


def _slopes(pixels: Pixels) -> Map:
    """Return the length of the gradient over all channels, blurred by 1-2-1, (H, W)."""
    levels = np.pad(pixels.astype(np.float32), ((1, 1), (1, 1), (0, 0)), mode="edge")
    across = levels[1:-1, 2:] - levels[1:-1, :-2]
    down = levels[2:, 1:-1] - levels[:-2, 1:-1]
    length = np.sqrt((across**2 + down**2).sum(axis=2)) / 2
    padded = np.pad(length, 1, mode="edge")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    blurred: Map = (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4
    return blurred


def _edges(slopes: Map) -> Map:
    """Return the slopes as parts of the mean around them."""
    edges: Map = slopes / (_mean_around(slopes) + _NOISE / 2)
    return edges


def _mean_around(values: Map) -> Map:
    side = 2 * _REACH + 1
    padded = np.pad(values, _REACH, mode="reflect").astype(np.float64)
    sums = np.pad(padded, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    within = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    means: Map = (within / side**2).astype(np.float32)
    return means


def _correlate(output: Map, source: Map) -> Map:
    """Return the correlation at each shift (down, right) of the output, (H, W); shifts go round."""
    a, b = source - source.mean(), output - output.mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    if scale == 0:  # an output of one colour
        return np.zeros_like(a)
    spectrum = np.fft.rfft2(a).conj() * np.fft.rfft2(b)
    correlation: Map = (np.fft.irfft2(spectrum, a.shape) / scale).astype(np.float32)
    return correlation
