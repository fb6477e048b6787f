"""Template (SPEC 7): frames added up along the key: for each drift, and then for each place near by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from airmark.fixed.frames import unpack
from airmark.fixed.tables import (
    BANDS,
    BINS,
    DRIFT_STEP,
    DRIFTS,
    EDGES,
    HOP,
    LOW_BANDS,
    LOW_HANDICAP,
    Ints,
    Rate,
    Span,
    band_of_bin,
    quarter,
    template_scale,
    template_turns,
    used_bins_of_bands,
)  # fmt: skip

DRIFT_CHAINS = (2, 3)
"""Which chains tell whether a candidate is likely, and a first drift: chain c begins with frame n - 1 + c."""
MORE_CHAINS = (1, 4)
"""Which join them for a likely one, and tell the place too."""
TURNED_CHAINS = (0, 5)
"""Which tell the place, in quarter turns."""
PLACE_BANDS = 3
"""The lower ones, which tell the place."""
CHAINS = 6
SEARCH_STEPS = 4
"""Until two chains tell whether a candidate is likely."""
LAST_SEARCH_STEPS = 8
"""Until four do."""
STEPS = 9
FRAMES = 4
"""That come at most while a place is looked at."""
LEAST = 1920
"""Q8, of two chains' energy along the key and the screen's level together."""
LAST_LEAST = 2368
"""Q8, of four chains' energy."""
MOST_LEVEL = 65_535
"""Of a likely candidate."""
LOW_DRIFT_HANDICAP = 400
"""Q8, by how much the lower bands must be ahead to tell the drift alone."""


class Decision(NamedTuple):
    """What the energy along the key says of a candidate."""

    likely: bool
    low: bool
    """The curve of the lower bands tells the drift, not that of all."""
    z: int
    """Q8."""


class Place(NamedTuple):
    """Where a likely candidate is."""

    place: int
    """n*, number of the mark's first frame."""
    offset: int
    """Samples of the frames' rate."""


def chain_sums(frames: Ints, signs: Ints, rate: Rate) -> Ints:
    """A[q][b] of a chain (SPEC 7.1): (R/4, BANDS, 2), the real and the imaginary part.

    frames: a frame of each repetition, (R, WORDS); signs: the key's, (R, BANDS).
    """
    groups = len(frames) // 4
    turned = unpack(frames) ^ (signs < 0)[:, band_of_bin()][:, None]
    z = (2 - turned.reshape(groups, 4, 2, BINS).sum(axis=1)) * (np.arange(BINS) < rate.used_bins)
    out = np.empty((groups, BANDS, 2), np.int64)
    for b in range(BANDS):
        re, im = z[:, 0, EDGES[b] : EDGES[b + 1]], z[:, 1, EDGES[b] : EDGES[b + 1]]
        same, across = re @ re.T + im @ im.T, im @ re.T - re @ im.T
        for q in range(groups):
            out[q, b] = np.trace(same, -q), np.trace(across, -q)
    return out


def curves(chains: list[Ints]) -> Ints:
    """E for each drift (SPEC 7.2): (2 groups: all and low, DRIFTS). chains: chain_sums of each."""
    c, s = template_turns(4 * len(chains[0]))
    of_bands = np.zeros((BANDS, DRIFTS), np.int64)
    for a in chains:
        y = (a[1:, :, :1] * c - a[1:, :, 1:] * s).sum(axis=0)
        of_bands += a[0, :, :1] + (y + 2**13 >> 14)
    return np.stack([of_bands.sum(axis=0), of_bands[:LOW_BANDS].sum(axis=0)])


def decide(e: Ints, level: int, span: Span, rate: Rate) -> Decision:
    """Whether a candidate is likely (SPEC 7.3). e: the curves of DRIFT_CHAINS; level: the screen's, Q8."""
    z, low = _z(e, len(DRIFT_CHAINS), span, rate)
    return Decision(z + level >= LEAST, low, z)


def decide_again(e: Ints, span: Span, rate: Rate) -> Decision:
    """Whether it still is (SPEC 7.4). e: the curves, with those of MORE_CHAINS."""
    z, low = _z(e, len(DRIFT_CHAINS) + len(MORE_CHAINS), span, rate)
    return Decision(z >= LAST_LEAST, low, z)


def _z(e: Ints, chains: int, span: Span, rate: Rate) -> tuple[int, bool]:
    """z (SPEC 7.3), Q8, and whether the curve of the lower bands tells the drift. e: the curves, of so many chains."""
    n_b = used_bins_of_bands(rate)
    zs = []
    for curve, count in ((e[1], LOW_BANDS), (e[0], BANDS)):
        bins = int(n_b[:count].sum())
        over = int(curve.max()) - chains * span.repetitions // 2 * bins
        zs.append(max(0, over * template_scale(span.repetitions, bins) >> 16))
    low, every = zs
    return max(every, low - LOW_HANDICAP), low - LOW_DRIFT_HANDICAP > every


def find_drift(curve: Ints) -> int:
    """Where a curve peaks (SPEC 7.3), Q4 ppm. curve: of one group, (DRIFTS,)."""
    kc = min(max(int(curve.argmax()), 1), DRIFTS - 2)
    left, middle, right = curve[kc - 1 : kc + 2].tolist()
    return DRIFT_STEP * (kc - DRIFTS // 2) + _vertex(left, middle, right, DRIFT_STEP // 2, DRIFT_STEP)


def chain_energy(chain: Ints, drift: int) -> int:
    """e of PLACE_BANDS bands of one of MORE_CHAINS (SPEC 7.5). chain: its sums; drift: the first, Q4 ppm."""
    of_place = np.where(np.arange(BANDS)[:, None] < PLACE_BANDS, chain, 0)
    return int(curves([of_place])[0, grid_point(drift)])


def grid_point(drift: int) -> int:
    """k of the drift of a curve nearest to one (SPEC 7.5). drift: Q4 ppm, within theirs."""
    return (drift + DRIFT_STEP * (DRIFTS // 2) + DRIFT_STEP // 2) // DRIFT_STEP


def turned_energy(frames: Ints, signs: Ints, drift: int, rate: Rate) -> int:
    """e of PLACE_BANDS bands of one of TURNED_CHAINS (SPEC 7.5).

    frames: a frame of each repetition, (R, WORDS); signs: the key's, (R, BANDS); drift: Q4 ppm.
    """
    r = np.arange(len(frames), dtype=np.int64)[:, None]
    turns = quarter(np.arange(BANDS), r, drift)[:, band_of_bin()]
    parts = (1 - 2 * unpack(frames)) * signs[:, band_of_bin()][:, None]
    re, im = parts[:, 0], parts[:, 1]
    # j^0, j^1, j^2 and j^3 times re + j im; sums of an even number of +-1.
    turned_re = np.choose(turns, [re, -im, -re, im]).sum(axis=0) >> 1
    turned_im = np.choose(turns, [im, re, -im, -re]).sum(axis=0) >> 1
    return int((turned_re**2 + turned_im**2)[: min(EDGES[PLACE_BANDS], rate.used_bins)].sum())


def find_place(e: list[int], place: int) -> Place:
    """Where a candidate is (SPEC 7.5). e: of the chains 0, 1, 4, 5; place: n."""
    # How much more energy four chains in a row have than the four that begin a frame before.
    first, second = e[2] - e[0], e[3] - e[1]
    if first < 0 and first + second <= 0:
        return Place(place - 1, 0)
    if second > 0:
        return Place(place + 1, 0)
    return Place(place, _vertex(-first, 0, second, HOP // 2, HOP // 2))


def _vertex(left: int, middle: int, right: int, half_step: int, limit: int) -> int:
    """Where the parabola through three points two half steps apart peaks, from the middle one, limited."""
    bend = 2 * middle - left - right
    if bend <= 0:
        return 0
    size = min(half_step * abs(right - left) // bend, limit)
    return size if right > left else -size
