"""Template (SPEC 7): frames added up along the key, for each drift: where to look closer."""

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
    template_scale,
    template_turns,
    used_bins_of_bands,
)  # fmt: skip

CHAINS = 5
STEPS = 10
FRAMES = 5
"""That come at most while a place is looked at."""


class Decision(NamedTuple):
    """What the template makes of a candidate."""

    passed: bool
    place: int
    """n*, number of the mark's first frame."""
    drift: int
    """Q4 ppm."""
    offset: int
    """Samples of the frames' rate."""
    z: int
    """Q8."""


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
    """E of each place for each drift (SPEC 7.2): (2 groups: all and low, 3, DRIFTS). chains: CHAINS of chain_sums."""
    c, s = template_turns(4 * len(chains[0]))
    of_chains = []
    for a in chains:
        y = (a[1:, :, :1] * c - a[1:, :, 1:] * s).sum(axis=0)
        of_chains.append(a[0, :, :1] + (y + 2**13 >> 14))
    each = np.stack(of_chains)  # (CHAINS, BANDS, DRIFTS)
    of_places = np.stack([each[i] + each[i + 2] for i in range(3)])
    return np.stack([of_places.sum(axis=1), of_places[:, :LOW_BANDS].sum(axis=1)])


def decide(e: Ints, place: int, span: Span, rate: Rate) -> Decision:
    """The decision (SPEC 7.3) on a candidate. e: the curves; place: n."""
    n_b = used_bins_of_bands(rate)
    best = []
    for group, count in enumerate((BANDS, LOW_BANDS)):
        highest = max(((i, k) for i in (1, 0, 2) for k in range(DRIFTS)), key=lambda ik: int(e[group][ik]))
        bins = int(n_b[:count].sum())
        over = int(e[group][highest]) - span.repetitions * bins
        best.append((max(0, over * template_scale(span.repetitions, bins) >> 16), highest))
    low = best[1][0] - LOW_HANDICAP > best[0][0]
    z = max(best[0][0], best[1][0] - LOW_HANDICAP)
    (i, k), energy = best[low][1], e[int(low)].tolist()
    kc = min(max(k, 1), DRIFTS - 2)
    left, middle, right = energy[i][kc - 1 : kc + 2]
    aside = _vertex(left, middle, right, DRIFT_STEP // 2, DRIFT_STEP)
    offset = _vertex(energy[0][k], energy[1][k], energy[2][k], HOP // 2, HOP // 2) if i == 1 else 0
    drift = DRIFT_STEP * (kc - DRIFTS // 2) + aside
    return Decision(z >= span.least_template, place - 1 + i, drift, offset, z)


def _vertex(left: int, middle: int, right: int, half_step: int, limit: int) -> int:
    """Where the parabola through three points two half steps apart peaks, from the middle one, limited."""
    bend = 2 * middle - left - right
    if bend <= 0:
        return 0
    size = min(half_step * abs(right - left) // bend, limit)
    return size if right > left else -size
