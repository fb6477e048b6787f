"""The search for keys that bound what unmarked hosts can do to them.

Some sounds repeat themselves without any mark: steady tones, beats, loops. Their Gram matrices (airmark.statistic) are
known up to a few parameters, so the highest score that they can reach under given signs is found by trying them all,
and keygen keeps only keys under which it is low. Scores here are ``Q / deviation`` of airmark.statistic; the detector's
own scale, which allows for the rank, is lower for these hosts. The hosts, each in one band and alike in all bands:

steady
    ``C[r, q] = cos(w (r - q))``: a tone, a beat, a sound that comes back with every repetition.
stationary
    Any mixture of those: the key's lag sums projected on the cone of cosines (non-negative least squares).
gated
    A tone that is on for d blocks in every P (``g[r] g[q] cos(w (r - q))``; P = 2, 2.5...32), and a loop of P blocks
    of which d sound (the product of two blocks is 0 unless they are a multiple of P apart; P = 2...32); every d and
    every phase that put the edges at the start or in the middle of a block.

Maxima over w are taken on grids. Q is a trigonometric polynomial in w of degree below R, and on the 32 R points of the
steady grid a polynomial's maximum is missed by at most 0.5 % (Ehlich and Zeller's 1 / cos(pi / 32)). On the coarser
grid of the gated hosts up to 2 % was missed; edges and periods at quarters of a block added nothing (one key, 80,000
hosts).

A key is drawn at random, band by band, and thrown away where it breaks a limit, so that all keys within the limits are
equally likely. Only where fewer than 1 in 1000 rows of signs pass at random (R = 48 and more) is each descended from a
random start to lower lag sums first, and their number is not known.

``python -m airmark.keysearch`` measures the default profile's yield (5 minutes). Last result: 2^83.2 keys, standard
error 0.2 bits, those that differ only in the signs of whole columns counted once; of 1,086,464 rows drawn 6.5 % stayed
within the limit for steady hosts, 29 % of these for stationary ones, 7 % of these for gated ones, and 64 of 354 groups
of four within the limits for all bands together. On the detector's own scale the worst steady, stationary and gated
hosts of those 64 keys reached 1.7, 4.2 and 3.9. Over their 2,016 pairs a key scored at most 4.4 on the clean marks of
another (median 2.3), none near the threshold of 6.5. Sounds that are each the worst stationary one for their band are
not bounded together: all four such at once reached 8.3 before the allowance for rank.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations, islice
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.optimize import nnls

from airmark import statistic
from airmark.errors import AirmarkError
from airmark.keys import Key, keys_of_one_profile
from airmark.profile import Profile
from airmark.profile import profile as profile_named

Floats = npt.NDArray[np.floating[Any]]

STEADY = 2.0
"""Highest score of a steady tone or beat."""
STATIONARY = 4.25
"""Highest score of the worst stationary host."""
CROSS = 4.0
"""Highest score, on the detector's scale, of a key on the clean mark of one it was made apart from."""
LONGEST_PERIOD = 32
"""Blocks; the longest period of the gated hosts."""
GATED: dict[tuple[int, int, int], tuple[float, float]] = {(32, 1, 4): (5.7, 4.9)}
"""Highest score of gated hosts in one band and alike in all, by shape of key; see measure_yield for the choice. For
another shape the limits are the 20th percentiles of a pilot sample. Here 7 % of the rows that pass the other limits
stay under the first, and 18 % of such rows drawn for all bands stay together under all limits: 4 s a key."""
PILOT = 40
"""Rows of signs, and groups of them, in a pilot sample."""
SECONDS = 120.0
"""Time after which the search for a key gives up."""
LONGEST = 256
"""Blocks; the longest mark that a key is searched for: the tables of gated hosts grow with it."""


class Hosts:
    """What hosts can score in one band of a key with R repetitions of M blocks."""

    def __init__(self, repetitions: int, blocks: int) -> None:
        """Prepares the steady and stationary hosts; the gated ones follow when first asked for."""
        self.repetitions, self.blocks = repetitions, blocks
        lags = np.arange(1, repetitions)
        self._pairs = np.sqrt(blocks * (repetitions - lags))
        self._cosines = np.cos(np.outer(lags, np.linspace(0, np.pi, 16 * repetitions + 1)))
        self._weighted = self._cosines * self._pairs[:, None]
        norms = np.linalg.norm(self._weighted, axis=0)
        self._steady = np.divide(self._cosines, norms, out=np.zeros_like(self._cosines), where=norms > 1e-6)
        self.angles = np.linspace(0, np.pi, 2 * repetitions + 1)
        """(2 R + 1,) the phase steps w of the gated hosts, radians a repetition."""
        self._squares = np.cos(np.outer(lags, self.angles)) ** 2

    def lag_sums(self, signs: Floats) -> Floats:
        """(..., R - 1) the sums of s[r] s[r + l] over r and the blocks, l = 1...R-1; signs: (..., M, R) of +-1."""
        sums: Floats = _autocorrelation(signs).sum(axis=-2)
        return sums

    def steady(self, sums: Floats) -> Floats:
        """(...) the highest score of a steady host, from lag sums (..., R - 1)."""
        highest: Floats = (sums @ self._steady).max(axis=-1)
        return highest

    def stationary(self, sums: Floats) -> float:
        """The highest score of any stationary host, from lag sums (R - 1,)."""
        target = sums / self._pairs
        try:
            residual = nnls(self._weighted[:, ::2], target, maxiter=100 * len(self._weighted))[1]
        except RuntimeError:
            residual = 0.0  # Not converged: the length of the target itself is the safe side.
        return float(np.sqrt(max(target @ target - residual**2, 0.0)))

    @cached_property
    def _gates(self) -> tuple[npt.NDArray[np.float32], int, npt.NDArray[np.intp]]:
        """(gates, M, R) the different on-off patterns of first and second halves of blocks; how many of them, the
        first ones, are hosts by themselves (both halves alike); and (pairs, 2) the other hosts' two halves.
        """
        count = self.repetitions * self.blocks
        half = np.arange(2 * count)
        patterns = []
        for period in range(4, 2 * LONGEST_PERIOD + 1):
            phase, length = (index.reshape(-1, 1) for index in np.mgrid[:period, 1:period])
            on = (half - phase) % period < length
            patterns.append(np.packbits(on.reshape(-1, count, 2).swapaxes(1, 2), axis=-1))
        packed = np.concatenate(patterns)
        different, index = np.unique(packed.reshape(-1, packed.shape[-1]), axis=0, return_inverse=True)
        pairs = np.unique(np.sort(index.reshape(-1, 2), axis=1), axis=0)
        alike = pairs[:, 0] == pairs[:, 1]
        whole = pairs[alike, 0]
        # Every eighth comes first: see gated_parts.
        whole = np.concatenate([whole[::8], np.delete(whole, np.s_[::8])])
        order = np.concatenate([whole, np.setdiff1d(np.arange(len(different)), whole)])
        gates = np.unpackbits(different[order], axis=1, count=count).reshape(len(order), -1, self.blocks)
        return gates.swapaxes(1, 2).astype(np.float32), len(whole), np.argsort(order)[pairs[~alike]]

    @cached_property
    def _gate_scales(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """1 / deviation of the gated tones: (whole, angles), and (pairs, angles) with edges inside a block."""
        gates, whole, pairs = self._gates
        counts = _autocorrelation(gates).sum(axis=1)
        first, second = pairs.T
        parts = np.array_split(pairs, 64)
        common = np.concatenate([_autocorrelation(gates[part].prod(axis=1)).sum(axis=1) for part in parts])
        mixed = counts[first] + counts[second] + 2 * common
        return _inverse(counts[:whole] @ self._squares), _inverse(mixed @ self._squares / 4)

    @cached_property
    def _loops(self) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """For each period P: (P, M, R) the blocks of each place in the loop, and (hosts, angles) 1 / deviation."""
        block = np.arange(self.repetitions * self.blocks).reshape(self.repetitions, self.blocks).T
        loops = []
        for period in range(2, LONGEST_PERIOD + 1):
            places = (block % period == np.arange(period)[:, None, None]).astype(np.float32)
            squares = _autocorrelation(places).sum(axis=1) @ self._squares
            if squares.any():
                loops.append((places, _inverse(_windows(squares, 1 / 4))))
        return loops

    def gated_parts(self, signs: Floats) -> Iterator[npt.NDArray[np.float32]]:
        """The scores of all gated hosts in one band, some hosts (hosts, angles) at a time; signs: (M, R) of +-1.

        First every eighth gated tone, on which most rows of signs fail already, then the others.
        """
        signs = np.asarray(signs, np.float32)
        gates, whole, pairs = self._gates
        scale, pair_scale = self._gate_scales
        eighth = -(-whole // 8)
        q = []
        for start, end in ((0, eighth), (eighth, whole)):
            q.append(self._quadratic(gates[start:end], signs))
            yield q[-1] * scale[start:end]
        q.extend(self._quadratic(gates[start : start + 4096], signs) for start in range(whole, len(gates), 4096))
        total: npt.NDArray[np.float32] = np.concatenate(q)
        total = (total[pairs[:, 0]] + total[pairs[:, 1]]) / np.float32(2)
        yield total * pair_scale
        for places, scale in self._loops:
            yield _windows(self._quadratic(places, signs), 1 / 2) * scale

    def gated(self, signs: Floats) -> npt.NDArray[np.float32]:
        """(hosts, angles) the scores of all gated hosts in one band; signs: (M, R) of +-1."""
        return np.concatenate(list(self.gated_parts(signs)))

    def gram(self, host: int, angle: int) -> Floats:
        """(M, R, R) the Gram matrices, diagonals zero, of the gated host in that row and column of ``gated``."""
        gates, whole, pairs = self._gates
        parts: list[tuple[npt.NDArray[np.float32], float]] = []
        if host < whole:
            parts = [(gates[host], 1.0)]
        elif host < whole + len(pairs):
            parts = [(gates[index], 0.5) for index in pairs[host - whole]]
        else:
            host -= whole + len(pairs)
            for places, scale in self._loops:
                if host < len(scale):
                    weights = _windows(np.eye(len(places), dtype=np.float32), 1 / 2)[host]
                    parts = list(zip(places, weights.tolist(), strict=True))
                    break
                host -= len(scale)
        total = sum(weight * on[:, :, None] * on[:, None, :].astype(float) for on, weight in parts)
        gram: Floats = total * self._toeplitz(np.cos(self.angles[angle] * np.arange(1, self.repetitions)))
        return gram

    def steady_gram(self, sums: Floats) -> Floats:
        """(M, R, R) the Gram matrices, diagonals zero, of the worst steady host."""
        return np.repeat(self._toeplitz(self._cosines[:, int(np.argmax(sums @ self._steady))]), self.blocks, axis=0)

    def stationary_gram(self, sums: Floats) -> Floats:
        """(M, R, R) the Gram matrices, diagonals zero, of the worst stationary host."""
        products = self._cosines[:, ::2] @ nnls(self._weighted[:, ::2], sums / self._pairs, maxiter=100 * len(sums))[0]
        return np.repeat(self._toeplitz(products), self.blocks, axis=0)

    def _toeplitz(self, products: Floats) -> Floats:
        repetition = np.arange(self.repetitions)
        gram: Floats = np.append(0.0, products)[np.abs(repetition[:, None] - repetition)][None]
        return gram

    def _quadratic(self, on: npt.NDArray[np.float32], signs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(hosts, angles) Q of tones switched on by ``on`` (hosts, M, R)."""
        spectrum = fft.rfft(on * signs, 4 * self.repetitions, axis=-1)
        power = (spectrum.real**2 + spectrum.imag**2).sum(axis=1)
        q: npt.NDArray[np.float32] = power - on.sum(axis=(1, 2))[:, None]
        return q


def _autocorrelation(values: Floats) -> Floats:
    """(..., R - 1) the sums of v[r] v[r + l] over r, l = 1...R-1, of whole numbers (..., R)."""
    length = values.shape[-1]
    spectrum = fft.rfft(values, 2 * length, axis=-1)
    found: Floats = np.rint(fft.irfft(np.abs(spectrum) ** 2, 2 * length, axis=-1)[..., 1:length])
    return found


def _windows(values: Floats, edge: float) -> Floats:
    """Sums over the places of a loop that are on, from values (P, n): a row for each host.

    For each phase and length 1...P-1 four hosts: all places in full; the first, the last, both at weight ``edge``.
    """
    period = len(values)
    phase, length = (index.reshape(-1) for index in np.mgrid[:period, 1:period])
    running = np.concatenate([np.zeros_like(values[:1]), values, values]).cumsum(axis=0, dtype=values.dtype)
    sums = running[phase + length] - running[phase]
    less_first = (1 - edge) * values[phase]
    less_last = (1 - edge) * values[(phase + length - 1) % period]
    halves = [sums - less_first, sums - less_last, sums - less_first - less_last]
    # Of a single place the first is the last too, and its weight is no matter.
    return np.concatenate([sums, *(half[length > 1] for half in halves)])


def _inverse(squares: Floats) -> npt.NDArray[np.float32]:
    """1 / deviation where the sums of squared lag products are ``squares``; 0 where there are none."""
    found = np.zeros(squares.shape, np.float32)
    np.divide(1, 2 * np.sqrt(np.maximum(squares, 0)), out=found, where=squares > 1e-6)
    return found


hosts = cache(Hosts)


def figures(key: Key) -> dict[str, float]:
    """What hosts can score against a key.

    ``steady``, ``stationary`` and ``gated``, each ``_band``: in one band alone, and ``_all``: alike in all bands;
    ``stationary_each``: another stationary sound in each band, the worst for it (not limited). ``detector_*``: the
    highest score on the detector's own scale of the worst hosts in each band and in all (of gated hosts the 64 worst).
    """
    bands = np.moveaxis(key.signs, (0, 1, 2), (2, 1, 0)).astype(float)
    repetitions, blocks, count = key.signs.shape
    family = hosts(repetitions, blocks)
    sums = family.lag_sums(bands)
    scale = np.sqrt(count)
    stationary = [family.stationary(row) for row in sums]
    gated = [family.gated(band) for band in bands]
    together = np.sum(gated, axis=0) / scale
    columns = [*bands, key.columns]

    def detector(grams: Callable[[int], Iterator[Floats]]) -> float:
        """The highest score of hosts given by their Gram matrices in one band: each band's, then those alike in all."""
        return max(
            float(statistic.score(np.tile(gram, (len(signs) // blocks, 1, 1)), _bands_major(signs, blocks, count)))
            for index, signs in enumerate(columns)
            for gram in grams(index)
        )

    totals = [*sums, sums.sum(axis=0)]
    scores = [*gated, together]
    return {
        "steady_band": float(family.steady(sums).max()),
        "steady_all": float(family.steady(totals[-1]) / scale),
        "stationary_band": max(stationary),
        "stationary_all": family.stationary(totals[-1]) / float(scale),
        "stationary_each": float(np.linalg.norm(stationary)),
        "gated_band": float(max(band.max() for band in gated)),
        "gated_all": float(together.max()),
        "detector_steady": detector(lambda index: iter([family.steady_gram(totals[index])])),
        "detector_stationary": detector(lambda index: iter([family.stationary_gram(totals[index])])),
        "detector_gated": detector(lambda index: (family.gram(*place) for place in _highest(scores[index]))),
    }


def _bands_major(signs: Floats, blocks: int, bands: int) -> Floats:
    """Key.columns (blocks-major) in the order of Gram matrices (M, R, R) tiled once for each band."""
    if len(signs) == blocks:
        return signs
    ordered: Floats = signs.reshape(blocks, bands, -1).swapaxes(0, 1).reshape(len(signs), -1)
    return ordered


def _highest(scores: Floats, count: int = 64) -> list[tuple[int, int]]:
    """The places (row, column) of the highest scores."""
    flat = np.argpartition(scores, -min(count, scores.size), axis=None)[-count:]
    rows, columns = np.unravel_index(flat, scores.shape)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]


def cross_score(key: Key, mark: Key) -> float:
    """The highest score, on the detector's scale, of ``key`` on clean marks of ``mark`` in no other sound.

    Taken over all places at which the two overlap by whole blocks, of one mark in silence and of marks back to back,
    each with a pattern of its own. It is the same with the keys exchanged. Both keys have one profile.
    """
    keys_of_one_profile([key, mark])
    repetitions, blocks, bands = key.signs.shape
    total = repetitions * blocks
    flat = mark.signs.reshape(total, bands)
    place = np.arange(total) + np.arange(1 - total, total)[:, None]
    agreements = key.signs.reshape(1, total, bands) * flat[place % total]
    inside = (place >= 0) & (place < total)

    def segment(on: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        """Q, half its variance and 1/8 of its third cumulant, each (places, bands), over the blocks that are on."""
        shape = (len(on), repetitions, blocks, bands)
        count = np.broadcast_to(on[:, :, None], agreements.shape).reshape(shape).sum(axis=1).astype(float)
        q = (agreements * on[:, :, None]).reshape(shape).sum(axis=1).astype(float) ** 2 - count
        pairs = count * (count - 1)
        return q.sum(axis=1), pairs.sum(axis=1), (pairs * (count - 2)).sum(axis=1)

    one, neighbour = segment(inside), segment(~inside)
    worst = 0.0
    for q, pairs, triples in (one, tuple(a + b for a, b in zip(one, neighbour, strict=True))):
        for used, handicap in ((bands, 0.0), (bands // 2, statistic.LOW_HANDICAP)):
            total, variance, third = (part[:, :used].sum(axis=1) for part in (q, pairs, triples))
            on = variance > 0
            spread = np.sqrt(2 * variance[on])
            scores = statistic.normal_score(total[on] / spread, 8 * third[on] / spread**3) - handicap
            worst = max(worst, float(scores.max(initial=0.0)))
    return worst


@dataclass
class Tally:
    """How many rows and groups of rows came and went."""

    drawn: int = 0
    steady: int = 0
    stationary: int = 0
    rows: int = 0
    groups: int = 0
    keys: int = 0
    descended: bool = False


class Search:
    """The search for keys of one profile."""

    def __init__(
        self,
        owner: Profile,
        rng: np.random.Generator | None = None,
        seconds: float = SECONDS,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Parameters as of generate. Raises AirmarkError where a mark of that profile is too long."""
        self.owner, self.rng, self.seconds = owner, rng, seconds
        self.repetitions, self.blocks, self.bands = owner.key_shape
        if self.repetitions * self.blocks > LONGEST:
            raise AirmarkError(
                f"no keys of {self.repetitions} repetitions and {self.blocks} blocks: more than {LONGEST} blocks in "
                "all; take fewer"
            )
        self.hosts = hosts(self.repetitions, self.blocks)
        self.deadline = time.monotonic() + seconds
        self.tally = Tally()
        self.progress = progress
        self.passing = self._draw_passing()

    def _signs(self, count: int) -> Floats:
        """(count, M, R) of +-1, evenly at random."""
        length = count * self.blocks * self.repetitions
        content = self.rng.bytes(-(-length // 8)) if self.rng else secrets.token_bytes(-(-length // 8))
        bits = np.unpackbits(np.frombuffer(content, np.uint8), count=length)
        return 1.0 - 2.0 * bits.reshape(count, self.blocks, self.repetitions)

    def _check_time(self) -> None:
        if self.progress is not None:
            tally = self.tally
            self.progress(f"{tally.drawn:,} rows drawn, {tally.rows} within the limits, {tally.groups} keys tried")
        if time.monotonic() > self.deadline:
            raise AirmarkError(
                f"no key of {self.repetitions} repetitions and {self.blocks} blocks within the bounds was found in "
                f"{self.seconds:.0f} s; take fewer repetitions or more blocks, or stay apart from fewer keys"
            )

    def _draw_passing(self) -> Iterator[tuple[Floats, Floats]]:
        """Signs (M, R) of single bands, and their lag sums, within the limits for steady and stationary hosts."""
        family, tally = self.hosts, self.tally
        while True:
            signs = self._signs(1024 if self.repetitions * self.blocks <= 128 else 128)
            if tally.descended:
                signs = np.stack([self._descend(row) for row in signs[:16]])
            sums = family.lag_sums(signs)
            tally.drawn += len(signs)
            for index in np.flatnonzero(family.steady(sums) <= STEADY):
                tally.steady += 1
                if family.stationary(sums[index]) <= STATIONARY:
                    tally.stationary += 1
                    yield signs[index], sums[index]
                self._check_time()
            self._check_time()
            tally.descended |= tally.drawn >= 4096 and 1000 * tally.stationary < tally.drawn

    def _descend(self, signs: Floats) -> Floats:
        """Flip single signs, each time the best, while that lowers the sum of squares of the weighted lag sums."""
        signs = signs.copy()
        lags = np.arange(1, self.repetitions)
        weight = 1 / (self.repetitions - lags)
        place = np.arange(self.repetitions)[:, None]
        sums = self.hosts.lag_sums(signs)
        while True:
            self._check_time()
            padded = np.pad(signs, ((0, 0), (lags[-1], lags[-1])))
            ahead, behind = padded[:, place + lags[-1] + lags], padded[:, place + lags[-1] - lags]
            flipped = sums - 2 * signs[:, :, None] * (ahead + behind)
            costs = flipped**2 @ weight
            best = np.unravel_index(int(np.argmin(costs)), costs.shape)
            if costs[best] >= sums**2 @ weight - 1e-9:
                return signs
            signs[best] *= -1
            sums = flipped[best]

    @cached_property
    def limits(self) -> tuple[float, float]:
        """What gated hosts may reach, in one band and in all; see GATED."""
        if self.owner.key_shape in GATED:
            return GATED[self.owner.key_shape]
        rows = [next(self.passing)[0] for _ in range(PILOT)]
        # In long marks the tones gated by whole blocks are most often the worst hosts, and quicker than all.
        parts = 2 if self.repetitions * self.blocks > PILOT else None
        scores = [np.concatenate(list(islice(self.hosts.gated_parts(row), parts))) for row in rows]
        highest = np.array([score.max(initial=0.0) for score in scores])
        limit = 1.02 * float(np.sort(highest)[PILOT // 5]) + 0.05
        within = np.flatnonzero(highest <= limit)
        sample = np.random.default_rng(0)
        groups = [sample.choice(within, self.bands) for _ in range(PILOT)]
        joint = [float(sum(scores[index] for index in group).max(initial=0.0)) / self.bands**0.5 for group in groups]
        return limit, 1.02 * float(np.percentile(joint, 20)) + 0.05

    def rows(self) -> Iterator[tuple[Floats, Floats, Floats]]:
        """Signs (M, R) of bands, their lag sums and the scores of gated hosts, within all limits for one band."""
        for signs, sums in self.passing:
            parts = []
            for part in self.hosts.gated_parts(signs):
                if part.max(initial=0.0) > self.limits[0]:
                    break
                parts.append(part)
            else:
                self.tally.rows += 1
                yield signs, sums, np.concatenate(parts)

    def found(self) -> Iterator[Key]:
        """Keys within all limits, without end."""
        family, rows = self.hosts, self.rows()
        scale = self.bands**0.5
        while True:
            signs, sums, scores = zip(*(next(rows) for _ in range(self.bands)), strict=True)
            self.tally.groups += 1
            total = np.sum(sums, axis=0)
            if (
                np.sum(scores, axis=0).max() <= self.limits[1] * scale
                and family.steady(total) <= STEADY * scale
                and family.stationary(total) <= STATIONARY * scale
            ):
                self.tally.keys += 1
                yield Key(np.moveaxis(np.stack(signs), (0, 1, 2), (2, 1, 0)), self.owner)


def generate(
    profile: Profile | str = "default",
    rng: np.random.Generator | None = None,
    apart_from: Sequence[Key] = (),
    *,
    seconds: float = SECONDS,
    progress: Callable[[str], None] | None = None,
) -> Key:
    """A random key within the limits above, its ``bounds`` filled with ``figures``.

    The signs come from the operating system's randomness, or from ``rng`` (for tests: such a key can be guessed). The
    key and each of ``apart_from`` score at most CROSS on each other's marks. ``progress`` gets a line of text now and
    then. Raises AirmarkError where a key of ``apart_from`` has another profile, or no key is found within ``seconds``.
    """
    owner = profile_named(profile) if isinstance(profile, str) else profile
    if apart_from and keys_of_one_profile(apart_from) != owner:
        raise AirmarkError(
            f"{apart_from[0].name or apart_from[0]}: a key for another profile; give keys of '{owner.name}'"
        )
    search = Search(owner, rng, seconds, progress)
    apart = (key for key in search.found() if all(cross_score(key, other) <= CROSS for other in apart_from))
    key = next(apart)
    return Key(key.signs, owner, bounds=figures(key))


def measure_yield(count: int = 64, rng: np.random.Generator | None = None) -> dict[str, float]:
    """How many keys of the default profile there are within the limits, and how they behave; prints the figures.

    ``count`` keys are searched for. ``family_bits`` is the binary logarithm of the number of keys, those that differ
    only in the signs of whole columns counted once, from the fractions that passed each limit; ``family_bits_error``
    its standard error. ``cross_highest`` is the highest score of any key on another's mark.
    """
    search = Search(profile_named(), rng, np.inf)
    highest = [float(search.hosts.gated(next(search.passing)[0]).max()) for _ in range(200)]
    search.tally = tally = Tally()
    search.passing = search._draw_passing()
    found = search.found()
    keys = []
    start = time.monotonic()
    for _ in range(count):
        keys.append(next(found))
    seconds = (time.monotonic() - start) / count
    measured = [figures(key) for key in keys]
    cross = np.array([cross_score(*pair) for pair in combinations(keys, 2)])
    columns = search.blocks * search.bands
    row_bits = search.repetitions * search.blocks + np.log2(tally.rows / tally.drawn)
    together = np.log2(tally.keys / tally.groups)
    error = np.hypot(search.bands / np.sqrt(tally.rows), 1 / np.sqrt(tally.keys)) / np.log(2)
    results = {
        "family_bits": float(search.bands * row_bits + together - columns),
        "family_bits_error": float(error),
        "seconds_a_key": seconds,
        "cross_pairs": float(len(cross)),
        "cross_median": float(np.median(cross)),
        "cross_highest": float(cross.max()),
    }
    results |= {f"{name}_highest": max(each[name] for each in measured) for name in measured[0]}
    print(
        f"rows of one band: {tally.drawn} drawn, {tally.steady} within the limit for steady hosts, {tally.stationary}"
    )
    print(
        f"  of them for stationary ones, {tally.rows} of them for gated ones; together {tally.keys} of {tally.groups}"
    )
    quantiles = ", ".join(f"{q} %: {np.percentile(highest, q):.2f}" for q in (1, 5, 10, 25, 50, 90))
    print(f"  gated hosts reach, over rows within the first two limits, {quantiles}")
    for name, value in results.items():
        print(f"{name:28}{value:10.3f}")
    return results


if __name__ == "__main__":
    measure_yield()
