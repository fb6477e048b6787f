"""Keeps a mark from clipping: the mark is lowered, smoothly and only where it must be, never the host."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter1d, uniform_filter1d

Real = npt.NDArray[np.float64]

REACH_S = 0.002
"""A mark is lowered over twice this on either side of a sample that would clip."""


def without_clipping(host: Real, mark: Real, top: float, reach: int) -> Real:
    """The mark, lowered where host and mark together would exceed ``top``.

    host, mark: (n, channels); reach: samples, see REACH_S. A sample's gain depends on 2 reach samples on either side.
    """
    over = np.abs(host + mark) > top
    if not over.any():
        return mark
    room = np.clip(top - np.abs(host), 0, None)
    gain = np.where(over, np.divide(room, np.abs(mark), out=np.ones_like(mark), where=mark != 0), 1.0)
    gain = minimum_filter1d(gain, 2 * reach + 1, axis=0, mode="nearest")
    gain = np.clip(uniform_filter1d(gain, 2 * reach + 1, axis=0, mode="nearest"), 0, 1)
    # Rounding in the running mean must not lift a sum over the top by a last bit.
    limit = np.maximum(top, np.abs(host))
    return np.asarray(np.clip(host + mark * gain, -limit, limit) - host)
