"""The integer model of the fixed-point detector: each stage against its definition, written out plainly."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import fields
from fractions import Fraction
from functools import cache
from itertools import combinations, islice, pairwise
from math import cos, floor, isqrt, pi, sin, sqrt
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from airmark import channel, keysearch, statistic
from airmark.assets import data_path
from airmark.detector import Detection, Detector
from airmark.embedder import embed
from airmark.errors import AirmarkError
from airmark.fixed import confirm, tables, template
from airmark.fixed import statistic as fixed_statistic
from airmark.fixed.confirm import Band
from airmark.fixed.detector import DriftTap, FixedDetector, PlaceTap, RawDetection, Taps, key_columns
from airmark.fixed.frames import (
    FrameStage,
    band_words,
    bits,
    pack,
    popcount,
    signs,
    spectrum,
    transform,
    unpack,
    windowed,
)
from airmark.fixed.input import InputStage
from airmark.fixed.peaks import PeakStage, sample_of
from airmark.fixed.screen import Candidate, ScreenStage
from airmark.fixed.tables import EDGES, HALF, RATES, WHOLE, Rate, Span
from airmark.frames import Frames
from airmark.keys import Key
from airmark.lags import LagGrid
from airmark.profile import profile, profile_of_shape
from airmark.screen import ScreenStage as FloatScreen
from airmark.template import TemplateStage

RATE = 16_000
NATIVE = tuple(RATES)

Ints = NDArray[np.int64]
Samples = NDArray[np.int16]


@cache
def keys() -> list[Key]:
    return list(islice(keysearch.Search(profile(), np.random.default_rng(11)).found(), 3))


def columns(count: int = 1) -> list[list[int]]:
    return [key_columns(key) for key in keys()[:count]]


def pcm(samples: NDArray) -> Samples:
    return np.clip(np.rint(samples * 32_768), -32_768, 32_767).astype(np.int16)


KEPT = "music/vibeace_0.flac"
"""The recording whose marked stretch is a file."""


@cache
def marked(rate: int = RATE, name: str = KEPT, ppm: float = 0.0, noise_db: float = -40.0) -> Samples:
    """6.5 s of a shipped recording with a mark at 2.5 s, white noise and a drifting clock.

    The bounds of test_it_finds_* are those of one sound, so its marked stretch is a file (tests/README.md) and does not
    move with the embedder.
    """
    host, own = soundfile.read(data_path(name))
    host = host[: round(6.5 * own)]
    if name == KEPT:
        stretch, _ = soundfile.read(Path(__file__).parent / "marks/vibeace_0.wav")
        start = round(2.5 * own)
        samples = np.concatenate([host[:start], stretch, host[start + len(stretch) :]])
    else:
        samples = embed(host, own, keys()[0], at=[2.5], strength=-14, judge=False).samples[:, 0]
    samples = samples if own == rate else soxr.resample(samples, own, rate, "VHQ")
    noise = np.random.default_rng(7).standard_normal(len(samples)) * samples.std() * 10 ** (noise_db / 20)
    return pcm(channel.drift(np.clip(samples + noise, -0.99, 0.99), ppm))


def random_frames(count: int, rate: int = RATE, seed: int = 0, alike: float = 0.0) -> Ints:
    """Words of random frames, a share of whose bits repeat every four frames, (count, 15)."""
    rng = np.random.default_rng(seed)
    strings = rng.integers(0, 2, (count, 2, 231))
    same = np.tile(rng.integers(0, 2, (4, 2, 231)), (-(-count // 4), 1, 1))[:count]
    strings = np.where(rng.random(strings.shape) < alike, same, strings)
    strings[:, :, RATES[rate].used_bins :] = 0
    return pack(strings.astype(np.int64))


def as_floats(words: Ints, rate: int = RATE) -> Frames:
    """Frames as the float engine has them: (frames, bins) of +-1 +-1j, 0 where a bin carries nothing."""
    parts = 1.0 - 2 * unpack(words)
    parts[..., RATES[rate].used_bins :] = 0
    return np.asarray(parts[..., 0, :] + 1j * parts[..., 1, :], np.complex64)


def run(samples: Samples, rate: int = RATE, count: int = 1, **options) -> tuple[list[RawDetection], Taps]:
    taps = Taps()
    detector = FixedDetector(columns(count), rate, **{"early": False, "threshold_q8": 1400, "taps": taps} | options)
    return detector.push(samples), taps


# Tables


def test_tables_are_bounded_symmetric_and_read_only():
    w, (c, s) = tables.window(), tables.turns()
    assert (w[1:] == w[:0:-1]).all()
    assert (w[0], w.max()) == (0, 32_752)
    assert (np.abs([c, s]) <= 32_767).all()
    assert (c == np.roll(s, -128)).all()
    assert (s[1:] == -s[:0:-1]).all()
    assert sorted(tables.reversed_digits()) == list(range(256))
    assert tables.inverse_roots().tolist() == sorted(tables.inverse_roots(), reverse=True)
    assert tables.inverse_roots().max() < 2**15
    for table in (w, c, tables.reversed_digits(), tables.inverse_roots(), tables.slopes(), tables.filters(48_000)):
        assert table.dtype == np.int64
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1
    assert tables.slopes().tolist() == [2550, 6409, 10_301, 14_194]
    assert 31 * 3200 * int(tables.slopes().max()) + 2**19 < 2**31


def test_no_entry_of_a_table_is_near_a_tie():
    """So that whoever computes them with another library rounds them alike."""
    angles = [2 * pi * k / 512 for k in range(512)]
    values = [32_767 * f(a) for a in angles for f in (sin, cos)] + [32_752 * sin(pi * n / 512) for n in range(512)]
    values += [2**22 / sqrt(256 * (i + 64) + 128) for i in range(192)]
    values += [2**24 / sqrt(r * (r - 1) * bins / 2) for r in (16, 32) for bins in (231, 115, 99)]
    assert min(abs(value % 1 - 0.5) for value in values) > 1e-6


@pytest.mark.parametrize("hz", [32_000, 44_100, 48_000])
def test_filters(hz: int):
    h, rate = tables.filters(hz), RATES[hz]
    assert h.shape == (rate.phases, rate.taps)
    assert (h == h[::-1, ::-1]).all()
    assert 32_768 * np.abs(h).sum(axis=1).max() + 2**14 < 2**31
    hertz = np.array([100, 1000, 3000, 6000, 10_500, 13_000])
    turns = np.exp(-2j * np.pi * hertz[:, None] * np.arange(rate.taps) / hz)
    gain_db = 20 * np.log10(np.abs(turns @ h.T) / 32_768)
    assert (np.abs(gain_db[:3]) < 0.5).all()
    assert (np.abs(gain_db[3]) < 3).all()
    assert (gain_db[4:] < -25).all()


# Input


def resampled(samples: Samples, rate: Rate) -> list[int]:
    """SPEC 3, output by output."""
    n, d, taps = rate.numerator, rate.denominator, rate.taps
    x = [0] * (taps - 1) + samples.tolist()
    h = tables.filters(rate.hz).tolist()
    out: list[int] = []
    while (i := len(out) * n // d) < len(samples):
        p = len(out) * n % d * 64 // d if rate.phases > 1 else 0
        total = sum(h[p][k] * x[i + k] for k in range(taps))
        out.append(max(-32_768, min(32_767, (total + 2**14) >> 15)))
    return out


@pytest.mark.parametrize("hz", [32_000, 44_100, 48_000])
def test_resampling(hz: int):
    loud = np.random.default_rng(0).choice(np.array([-32_768, 32_767], np.int16), 1500)
    expected = resampled(loud, RATES[hz])
    for pieces in (1, 7, 400):
        stage = InputStage(RATES[hz])
        out = [stage.process(piece.astype(np.int64)) for piece in np.array_split(loud, pieces)]
        assert np.concatenate(out).tolist() == expected
    assert min(expected) == -32_768
    arrived = [stage.arrival(m) for m in range(len(expected) + 1)]
    assert arrived[0] == 0
    assert arrived[-2] < len(loud) <= arrived[-1]


# Frames


def one_transform(z: list[complex]) -> tuple[list[complex], int]:
    """SPEC 4.3, value by value; complex numbers of whole parts."""

    def digits(values: list[complex]) -> int:
        parts = [int(part) for v in values for part in (v.real, v.imag)]
        return max((c if c >= 0 else ~c).bit_length() for c in parts)

    def butterfly(t0: complex, t1: complex, t2: complex, t3: complex) -> list[complex]:
        return [t0 + t1 + t2 + t3, t0 - 1j * t1 - t2 + 1j * t3, t0 - t1 + t2 - t3, t0 + 1j * t1 - t2 - 1j * t3]

    a = [0j] * 256
    for i in range(256):
        a[int("".join(reversed(np.base_repr(i, 4).zfill(4))), 4)] = z[i]
    for g in range(64):
        a[4 * g : 4 * g + 4] = butterfly(*a[4 * g : 4 * g + 4])
    for stage in (1, 2, 3):
        length = 4**stage
        q = max(0, digits(a) - 12)
        for g in range(0, 256, 4 * length):
            for k in range(length):
                t = []
                for m in range(4):
                    r, i = int(a[g + k + m * length].real), int(a[g + k + m * length].imag)
                    u = 2 * m * k * 64 // length % 512
                    c, s = round(32_767 * cos(2 * pi * u / 512)), round(32_767 * sin(2 * pi * u / 512))
                    if m == 0:
                        half = 2 ** (q - 1) if q else 0
                        t.append(complex((r + half) >> q, (i + half) >> q))
                    else:
                        half = 2 ** (14 + q)
                        t.append(complex((r * c + i * s + half) >> (15 + q), (i * c - r * s + half) >> (15 + q)))
                for m, value in enumerate(butterfly(*t)):
                    a[g + k + m * length] = value
    return a, digits(a)


def one_frame(x: list[int], eight: bool, draws: list[int]) -> list[int]:
    """SPEC 4.1 to 4.5 of one frame: x with the sample before it, to 15 words."""
    d = [max(-32_768, min(32_767, b - a)) for a, b in pairwise(x)]
    together = 0
    for value in d:
        together |= value ^ -(value < 0)
    e = together.bit_length()
    w = [round(32_752 * sin(pi * n / 512)) for n in range(512)]
    if eight:
        v = [y for n in range(256) for y in ((d[n] * w[2 * n] + 2 ** (e + 1)) >> (e + 2), 0)]
    else:
        v = [(d[n] * w[n] + 2 ** (e + 1)) >> (e + 2) for n in range(512)]
    assert max(map(abs, v)) <= 8188
    a, top = one_transform([complex(v[2 * i], v[2 * i + 1]) for i in range(256)])
    spectrum = {}
    for k in range(10, 129):
        one, two = a[k], a[256 - k]
        c, s = round(32_767 * cos(2 * pi * k / 512)), round(32_767 * sin(2 * pi * k / 512))
        sr, si = int(one.real + two.real) >> 1, int(one.imag + two.imag) >> 1
        dr, di = int(one.real - two.real) >> 1, int(one.imag - two.imag) >> 1
        p, m = c * si - s * dr, c * dr + s * si
        spectrum[k] = (32_768 * sr + p, 32_768 * di - m)
        if 16 <= k <= 127:
            spectrum[256 - k] = (32_768 * sr - p, -32_768 * di - m)
    assert all(-(2**31) <= part < 2**31 for parts in spectrum.values() for part in parts)
    words = [0] * 15
    for j in range(99 if eight else 231):
        for string in (0, 1):
            part = spectrum[j + 10][string]
            word, bit = (7 * string + j // 32, j % 32) if j < 224 else (14, 7 * string + j - 224)
            faint = e == 0 or -(2 ** (top + 3)) <= part < 2 ** (top + 3)
            words[word] |= (draws[word] >> bit & 1 if faint else int(part < 0)) << bit
    return words


def draws(count: int) -> list[list[int]]:
    x, out = 0x41524D4B, []
    for _ in range(count * 15):
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        out.append(x)
    return [out[15 * f : 15 * f + 15] for f in range(count)]


SOUNDS = ("noise", "faint", "full scale", "recording", "silence", "last bit", "offset", "sine")


def sound(name: str, n: int) -> Samples:
    rng = np.random.default_rng(3)
    return {
        "noise": lambda: rng.integers(-8000, 8000, n).astype(np.int16),
        "faint": lambda: rng.integers(-2, 3, n).astype(np.int16),
        "full scale": lambda: rng.choice(np.array([-32_768, 32_767], np.int16), n),
        "recording": lambda: marked()[30_000 : 30_000 + n],
        "silence": lambda: np.zeros(n, np.int16),
        # Differences of 0 and -1 alone: silent by the definition of the level.
        "last bit": lambda: -(np.arange(n, dtype=np.int16) // 7),
        "offset": lambda: np.full(n, -32_768, np.int16),
        "sine": lambda: np.rint(30_000 * np.sin(np.arange(n) * 0.4)).astype(np.int16),
    }[name]()


@pytest.mark.parametrize("hz", [8000, 16_000])
@pytest.mark.parametrize("name", SOUNDS)
def test_frames(name: str, hz: int):
    hop = RATES[hz].hop
    count = 4
    samples = sound(name, hop * (count + 1) + 5)
    frames = FrameStage(RATES[hz]).process(samples.astype(np.int64))
    padded = [0, *samples.tolist()]
    drawn = draws(count)
    expected = [one_frame(padded[hop * f : hop * (f + 2) + 1], hz == 8000, drawn[f]) for f in range(count)]
    assert frames.tolist() == expected
    if name == "silence":
        last = -1 if hz == 16_000 else 3
        assert frames[0, :last].tolist() == drawn[0][:last]


@pytest.mark.parametrize("name", ["noise", "recording", "full scale", "sine"])
def test_the_transform_is_one(name: str):
    """Within 1e-3 of the largest value, at whatever level; and its signs are the float transform's but the faint."""
    samples = sound(name, 512 * 20).astype(np.int64)
    differences = np.clip(np.diff(samples, prepend=0), -32_768, 32_767).reshape(20, 512)
    z, silent = windowed(differences)
    assert not silent.any()
    assert 4094 <= np.abs(z).max() <= 8188
    values, top = transform(z)
    exact = np.fft.fft(z[:, 0] + 1j * z[:, 1])
    scale = np.abs(exact).max(axis=1) / np.abs(values[:, 0] + 1j * values[:, 1]).max(axis=1)
    scale = 2.0 ** np.rint(np.log2(scale))
    off = np.abs((values[:, 0] + 1j * values[:, 1]) * scale[:, None] - exact).max(axis=1)
    assert (off < 1e-3 * np.abs(exact).max(axis=1)).all()
    assert (np.abs(values) < 2**15).all()
    assert (top <= 15).all()
    real = np.fft.rfft(z.swapaxes(1, 2).reshape(20, 512))[:, 10:241]
    parts = spectrum(values) * scale[:, None, None] / 2**15
    expected = np.stack([real.real, real.imag], axis=1)
    assert np.abs(parts - expected).max() < 2e-3 * np.abs(expected).max()
    negative, faint = signs(differences)
    clear = np.abs(expected) > 3e-3 * np.abs(real).max(axis=1)[:, None, None]
    assert (negative[clear] == (expected[clear] < 0)).all()
    assert not faint[clear].any()


def test_words_and_bands():
    frames = random_frames(5)
    strings = unpack(frames)
    assert np.array_equal(pack(strings), frames)
    for frame, string in zip(frames.tolist(), strings.tolist(), strict=True):
        for part in (0, 1):
            for j in range(231):
                word, bit = (7 * part + j // 32, j % 32) if j < 224 else (14, 7 * part + j - 224)
                assert frame[word] >> bit & 1 == string[part][j]
    counts = popcount(band_words(frames)).sum(axis=-1)
    for b in range(4):
        assert (counts[:, :, b] == strings[:, :, EDGES[b] : EDGES[b + 1]].sum(axis=-1)).all()
    values = [0, 1, 2, 3, 255, 256, 2**31 - 1, 2**31, 2**32 - 1]
    assert bits(np.array(values)).tolist() == [v.bit_length() for v in values]
    assert popcount(np.array(values)).tolist() == [v.bit_count() for v in values]


# Screen


def sign(of_key: list[int], span: Span, r: int, b: int) -> int:
    """The sign of repetition r, from the words of a key."""
    word = of_key[b] if span is WHOLE else of_key[b] >> 16
    return 1 - 2 * (word >> (span.repetitions - 1 - r) & 1)


def test_keys_become_words():
    for key in keys():
        for span in (WHOLE, HALF):
            of_key = key_columns(key)
            for r in range(span.repetitions):
                for b in range(4):
                    assert sign(of_key, span, r, b) == key.signs[r, 0, b] == tables.signs(tuple(of_key), span)[r, b]


def one_level(q: int, p: int) -> int:
    if q <= 0:
        return 0
    t = 0
    while p * 4**t < 2**14:
        t += 1
    root = round(2**22 / sqrt(256 * ((p * 4**t) >> 8) + 128))
    return q * root >> (14 - t)


@pytest.mark.parametrize("hz", [8000, 16_000])
def test_screen(hz: int):
    """Products, levels of two keys and both spans, and candidates, plainly, at the end of 180 frames."""
    rate, spans, count = RATES[hz], [WHOLE, HALF], 180
    of_keys = columns(2)
    strings = unpack(random_frames(count, hz, alike=0.3))
    # The newest mark that counts ends with frame 131.
    repetition = np.arange(count) // 4 - 1
    bands = np.repeat(np.arange(4), np.diff(EDGES))
    flipped = (keys()[0].signs[:, 0] < 0)[repetition % 32][:, bands]
    flipped[:, rate.used_bins :] = False
    frames = pack(strings ^ flipped[:, None])
    stage = ScreenStage(rate, [tuple(c) for c in of_keys], spans)
    pieces = [stage.process(frames[:50]), stage.process(frames[50:51]), stage.process(frames[51:])]
    blocks = np.concatenate([piece.blocks for piece in pieces])
    levels = np.concatenate([piece.levels for piece in pieces])
    strings = unpack(frames)
    n_b = np.diff(np.minimum(EDGES, rate.used_bins))

    def product(f: int, lag: int, b: int) -> int:
        if f < 0:
            return 0
        old = strings[f - 4 * lag] if f >= 4 * lag else np.zeros_like(strings[0])
        return int(n_b[b] - (strings[f] != old)[:, EDGES[b] : EDGES[b + 1]].sum())

    def value(f: int, lag: int, b: int) -> int:
        c = sum(product(f - a, lag, b) for a in range(4))
        assert blocks[f, lag - 1, b] == c
        return 2 * max(0, min(7, ((c + 256) >> 3) - 28)) - 7

    assert blocks[0].tolist() == [[product(0, lag, b) for b in range(4)] for lag in range(1, 5)]
    assert (levels[:127, :, 0] == 0).all()
    assert (levels[:63, :, 1] == 0).all()
    for f in (127, 131, 179):
        for k, of_key in enumerate(of_keys):
            for s, span in enumerate(spans):
                sums = np.zeros((2, 4), int)
                for lag in range(1, 5):
                    for b in range(4):
                        for i in range(span.repetitions - lag):
                            newer = span.repetitions - 1 - i
                            v = value(f - 4 * i, lag, b)
                            sums[0, b] += sign(of_key, span, newer, b) * sign(of_key, span, newer - lag, b) * v
                            sums[1, b] += v * v
                every = one_level(*sums[:, : 2 if hz == 8000 else 4].sum(axis=1).tolist())
                low = one_level(*sums[:, :2].sum(axis=1).tolist())
                assert levels[f, k, s] == max(every, low - 77, 0)
    assert levels.max() > 400


def test_candidates():
    levels = np.random.default_rng(0).choice([0, 330, 575, 576, 767, 768, 990], (3000, 2, 2))
    stage = ScreenStage(RATES[RATE], [tuple(c) for c in columns(2)], [WHOLE, HALF])
    found = stage._candidates(np.concatenate([stage.levels, levels]))
    expected = []
    for f in range(3000):
        for k in range(2):
            for s, (least, length) in enumerate(((576, 128), (768, 64))):
                now = [int(levels[f - back, k, s]) if f >= back else 0 for back in range(3)]
                if now[0] >= least and now[0] > max(now[1:]):
                    expected.append((f, (f - length + 1, k, s, now[0])))
    assert found == expected
    assert len(found) > 100


def test_the_level_is_the_float_screen_but_for_rounding():
    frames = random_frames(200, alike=0.2)
    stage = ScreenStage(RATES[RATE], [tuple(c) for c in columns(2)], [WHOLE])
    levels = stage.process(frames).levels[:, :, 0] / 256
    float_stage = FloatScreen(LagGrid(profile()), [key.columns for key in keys()[:2]])
    expected = np.array([float_stage.process(frame) for frame in as_floats(frames)])
    near = np.abs(levels - expected)[127:][expected[127:] > 1]
    assert len(near) > 10
    assert near.mean() < 0.25


# Template


SLOPES = [2550, 6409, 10_301, 14_194]


def turn(b: int, lag: int, drift: int) -> int:
    return ((lag * drift * SLOPES[b] + 2**19) >> 20) % 512


def turned(index: int) -> tuple[int, int]:
    """(c, s) of W."""
    return round(32_767 * cos(2 * pi * index / 512)), round(32_767 * sin(2 * pi * index / 512))


@pytest.mark.parametrize("hz", [8000, 16_000])
@pytest.mark.parametrize("span", [WHOLE, HALF])
def test_template(span: Span, hz: int):
    rate, r = RATES[hz], span.repetitions
    frames = random_frames(span.length, hz, alike=0.3)
    of_key = columns()[0]
    strings = unpack(frames)
    chains = [template.chain_sums(frames[c::4], tables.signs(tuple(of_key), span), rate) for c in range(2)]
    used = [range(EDGES[b], min(EDGES[b + 1], rate.used_bins)) for b in range(4)]
    for c in range(2):
        for b in range(4):
            bit = [int(sign(of_key, span, n, b) < 0) for n in range(r)]
            sums = np.zeros(r // 4, complex)
            for j in used[b]:
                z = [
                    2
                    - sum(strings[c + 4 * n, 0, j] ^ bit[n] for n in range(4 * g, 4 * g + 4))
                    + 1j * (2 - sum(strings[c + 4 * n, 1, j] ^ bit[n] for n in range(4 * g, 4 * g + 4)))
                    for g in range(r // 4)
                ]
                for q in range(r // 4):
                    sums[q] += sum(z[g + q] * z[g].conjugate() for g in range(r // 4 - q))
            assert (chains[c][:, b, 0] + 1j * chains[c][:, b, 1] == sums).all()
    curves = template.curves(chains)
    assert curves.shape == (2, 17)
    for group, bands in enumerate((4, 2)):
        for k in (0, 3, 8, 16):
            e = 0
            for c in range(2):
                for b in range(bands):
                    y = 0
                    for q in range(1, r // 4):
                        cosine, sine = turned(turn(b, 4 * q, 400 * (k - 8)))
                        y += int(chains[c][q, b, 0]) * cosine - int(chains[c][q, b, 1]) * sine
                    assert abs(y) + 2**13 < 2**31
                    e += int(chains[c][0, b, 0]) + ((y + 2**13) >> 14)
            assert curves[group, k] == e


def truncated(a: int, b: int) -> int:
    return int(Fraction(a, b))


def one_drift(e: Ints, level: int, span: Span, rate: Rate, again: bool = False) -> tuple[tuple[bool, bool, int], int]:
    """SPEC 7.3, again: 7.4: whether it is likely, which curve tells the drift, z; and the drift."""
    zs, bests = [], []
    for group, bins in enumerate((min(231, rate.used_bins), min(115, rate.used_bins))):
        best = 0
        for k in range(17):
            if e[group, k] > e[group, best]:
                best = k
        r = span.repetitions
        over = int(e[group, best]) - (2 if again else 1) * r * bins
        zs.append((over * round(2**24 / sqrt(r * (r - 1) * bins / 2))) >> 16 if over > 0 else 0)
        bests.append(best)
    taken = zs[1] - 400 > zs[0]
    kc = max(1, min(15, bests[int(taken)]))
    left, middle, right = (int(v) for v in e[int(taken), kc - 1 : kc + 2])
    bend = 2 * middle - left - right
    drift = 400 * (kc - 8) + (max(-400, min(400, truncated(200 * (right - left), bend))) if bend > 0 else 0)
    z = max(zs[0], zs[1] - 77)
    return (z >= 2368 if again else z + level >= 1920, taken, z), drift


@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([3, 100, 5000]),
    level=st.integers(576, 2500),
    whole=st.booleans(),
    eight=st.booleans(),
)
def test_drift(seed: int, spread: int, level: int, whole: bool, eight: bool):
    span, rate = WHOLE if whole else HALF, RATES[8000 if eight else RATE]
    rng = np.random.default_rng(seed)
    least = span.repetitions * np.minimum([231, 115], rate.used_bins)
    e = least[:, None] + rng.integers(-spread, 2 * spread, (2, 17))
    decision = template.decide(e, level, span, rate)
    assert (decision, template.find_drift(e[int(decision.low)])) == one_drift(e, level, span, rate)
    e += least[:, None]
    decision = template.decide_again(e, span, rate)
    assert (decision, template.find_drift(e[int(decision.low)])) == one_drift(e, level, span, rate, again=True)


@pytest.mark.parametrize("hz", [8000, 16_000])
@pytest.mark.parametrize("span", [WHOLE, HALF])
@pytest.mark.parametrize("drift", [0, -1234, 3200, -3600])
def test_energies(span: Span, hz: int, drift: int):
    """SPEC 7.5, in complex numbers, lane by lane."""
    rate, of_key = RATES[hz], columns()[0]
    chain = random_frames(4 * span.repetitions, hz, seed=2, alike=0.3)[::4]
    heard = as_floats(chain, hz).astype(complex)
    expected = 0.0
    for b in range(3):
        turns = [1j ** (((r * drift * SLOPES[b] + 2**26) >> 27) % 4) for r in range(span.repetitions)]
        of_band = [sign(of_key, span, r, b) * turn for r, turn in enumerate(turns)]
        for j in range(EDGES[b], min(EDGES[b + 1], rate.used_bins)):
            total = sum(factor * heard[r, j] for r, factor in enumerate(of_band)) / 2
            assert total.real.is_integer()
            assert total.imag.is_integer()
            expected += total.real**2 + total.imag**2
    assert template.turned_energy(chain, tables.signs(tuple(of_key), span), drift, rate) == expected


@pytest.mark.parametrize("drift", [-3200, -201, -200, -199, 0, 199, 200, 3200])
def test_energy_at_the_nearest_drift(drift: int):
    """SPEC 7.5: of three bands of a chain, at the grid point of the first drift."""
    of_key = tables.signs(tuple(columns()[0]), WHOLE)
    sums = template.chain_sums(random_frames(128, seed=5, alike=0.3)[::4], of_key, RATES[RATE])
    of_bands = [template.curves([sums * (np.arange(4) == b)[:, None]])[0] for b in range(4)]
    nearest = min(range(17), key=lambda k: (abs(400 * (k - 8) - drift), -k))
    assert template.chain_energy(sums, drift) == sum(int(e[nearest]) for e in of_bands[:3])


@given(e=st.lists(st.integers(0, 3) | st.integers(5000, 60_000), min_size=6, max_size=6))
def test_place(e: list[int]):
    f = [e[i] + e[i + 1] + e[i + 2] + e[i + 3] for i in range(3)]
    # The middle one of equals, and of the outer ones the first.
    i = max((1, 0, 2), key=lambda i: f[i])
    offset = 0
    if i == 1 and 2 * f[1] - f[0] - f[2] > 0:
        offset = max(-128, min(128, truncated(128 * (f[2] - f[0]), 2 * f[1] - f[0] - f[2])))
    # Of two neighbouring sums the chains 2 and 3 are in both.
    assert template.find_place([e[0], e[1], e[4], e[5]], 50) == (49 + i, offset)


@pytest.mark.parametrize("span", [WHOLE, HALF])
def test_the_template_is_the_float_one_of_two_chains(span: Span):
    frames = random_frames(span.length, alike=0.3)
    shape = profile() if span is WHOLE else profile().early
    assert shape is not None
    r = span.repetitions
    stage = TemplateStage(LagGrid(shape), [keys()[0].columns[:, :r]], np.ones(231, bool))
    of_key = tables.signs(tuple(columns()[0]), span)
    curves = template.curves([template.chain_sums(frames[c::4], of_key, RATES[RATE]) for c in (1, 2)])
    heard = as_floats(frames)
    heard[::4] = heard[3::4] = 0
    score = stage.process(heard, 0)[4]
    energy = score * sqrt(2 * r * (r - 1) * stage.parts) + r * stage.parts
    # What is added up is half the sum of signs.
    assert curves[0, 8] == pytest.approx(energy / 4, rel=1e-3)
    # Without drift the energies of the bands that tell the place are as those of the curves.
    turned = [template.turned_energy(frames[c::4], of_key, 0, RATES[RATE]) for c in (1, 2)]
    sums = [template.chain_sums(frames[c::4], of_key, RATES[RATE]) for c in (1, 2)]
    assert turned == [template.chain_energy(chain, 0) for chain in sums]


# Confirm


def over_31_degrees(t: int) -> bool:
    """Whether a turn is over 31.6 degrees from a quarter turn."""
    return min(t % 128, -t % 128) > 45


@pytest.mark.parametrize("hz", [8000, 16_000])
@pytest.mark.parametrize("span", [WHOLE, HALF])
@pytest.mark.parametrize("drift", [0, -1234, 1900, 3200, -3600])
def test_confirm(span: Span, hz: int, drift: int):
    """Blocks of complex numbers, their products pair by pair."""
    rate, repetitions = RATES[hz], span.repetitions
    frames = random_frames(span.length, hz, seed=drift % 97, alike=0.3)
    heard = as_floats(frames, hz).astype(complex)
    off, clear = 0, set()
    for b in range(4):
        s = [sign(columns()[0], span, r, b) for r in range(repetitions)]
        n_b = max(0, min(EDGES[b + 1], rate.used_bins) - EDGES[b])
        blocks = [heard[4 * r : 4 * r + 4, EDGES[b] : EDGES[b] + n_b] for r in range(repetitions)]
        c: dict[tuple[int, int], int] = {}
        for x, y in combinations(range(repetitions), 2):
            product = complex((blocks[y] * blocks[x].conj()).sum()) / 2
            t = turn(b, y - x, drift)
            if over_31_degrees(t):
                cosine, sine = turned(t)
                c[x, y] = (int(product.real) * cosine - int(product.imag) * sine + 2**15) >> 16
                off += 1
            else:
                quarter = round(t / 128) % 4
                c[x, y] = (int((product * 1j**quarter).real) + 1) >> 1
                clear.add(quarter)
        found = confirm.pairs(frames, b, drift, rate)
        assert {(x, y): found[x, y] for x, y in c} == c
        assert (np.tril(found) == 0).all()
        assert np.frombuffer(confirm.in_order(found), np.int8).tolist() == [c[pair] for pair in sorted(c)]
        q = sum(s[x] * s[y] * value for (x, y), value in c.items())
        v = sum(value**2 for value in c.values())
        t3 = sum(c[x, y] * c[x, w] * c[y, w] for x, y, w in combinations(range(repetitions), 3))
        assert confirm.statistics(found, np.array(s)) == (q, v, t3)
    if drift:
        assert off > 0
        assert len(clear) > 1


@pytest.mark.parametrize("of_distance", [[116], [116, 0, -116, 0]])
def test_pairs_of_the_largest(of_distance: list[int]):
    """All repetitions alike, or each a quarter turn on from the last."""
    x = np.arange(128) // 4 % 4 if len(of_distance) > 1 else np.zeros(128, np.int64)
    negative = np.stack([(x == 1) | (x == 2), x >= 2], axis=1)
    frames = pack(np.broadcast_to(negative[:, :, None], (128, 2, 231)).astype(np.int64))
    c = confirm.pairs(frames, 1, 0, RATES[RATE])
    for x, y in combinations(range(32), 2):
        assert c[x, y] == of_distance[(y - x) % len(of_distance)]


def one_schedule(span: Span, drift: int, hz: int) -> list[list[int]]:
    """SPEC 8.3, step by step: of each step the bands whose statistics it ends."""
    repetitions = span.repetitions
    steps: list[list[int]] = []
    band, rows, y, x, row = 0, 0, 1, 0, 0  # where the work stands; row: of the statistics
    most, bands = (1420, 2) if hz == 8000 else (1450, 4)
    left = most
    while band <= bands:
        done: list[int] = []
        rows_there = words_there = False
        while band <= bands:
            if band == bands:
                price = 215
            elif rows == repetitions:
                others = repetitions - 1 - row
                price = 27 * others * others // 256 + 11
            elif not rows_there:
                price = 49
            elif not words_there:
                price = 13
            else:
                price = 17 if over_31_degrees(turn(band, y - x, drift)) else 9
            if price > left:
                break
            left -= price
            if band == bands:
                band += 1
            elif rows == repetitions:
                row += 1
                if row == repetitions - 1:
                    done.append(band)
                    band, rows, y, x, row = band + 1, 0, 1, 0, 0
            elif not rows_there:
                rows_there = True
            elif not words_there:
                words_there = True
            else:
                x += 1
                if x == min(rows + 8, y):
                    y, x, words_there = y + 1, rows, False
                if y == repetitions:
                    rows += 8
                    y, x, rows_there = rows + 1, rows, False
        steps.append(done)
        left = most
    return steps


@pytest.mark.parametrize("hz", [8000, 16_000])
@pytest.mark.parametrize("span", [WHOLE, HALF])
def test_steps_of_confirm(span: Span, hz: int):
    counts = set()
    for drift in range(-3600, 3601, 90):
        found = confirm.schedule(span, drift, RATES[hz])
        assert found == one_schedule(span, drift, hz)
        assert [band for step in found for band in step] == list(range(2 if hz == 8000 else 4))
        counts.add(len(found))
    assert len(counts) > 1
    assert max(counts) == {(WHOLE, 8000): 13, (WHOLE, 16_000): 25, (HALF, 8000): 4, (HALF, 16_000): 7}[span, hz]


def test_the_ring_of_c_counts_on_the_most_steps_that_there_are():
    text = (Path(__file__).parents[1] / "firmware/lib/airmark/src/airmark_internal.h").read_text("utf-8")
    most = max(len(confirm.schedule(WHOLE, drift, RATES[RATE])) for drift in range(-3600, 3601, 16))
    assert re.findall(r"AM_(TEMPLATE|CONFIRM)_STEPS = (\d+)", text) == [
        ("TEMPLATE", str(template.STEPS)),
        ("CONFIRM", str(most)),
    ]


# Statistic


@given(st.integers(0, 2**64 - 1))
def test_cube_root(v: int):
    root = fixed_statistic.cube_root(v)
    assert root**3 <= v < (root + 1) ** 3


def one_score(q: int, v: int, t: int) -> int:
    """SPEC 9, in fractions."""
    if q <= 0 or v == 0:
        return 0
    r = isqrt(v * 2**20)
    z = floor(Fraction(q * 2**26, r))
    a = floor(Fraction(t * 2**16, v)) if t >= 0 else 0
    skew = max(floor(Fraction(98_304 * a, r)), 4096)
    y = 2**36 + floor(Fraction(z * skew, 2))
    assert y * 2**21 < 2**64
    root = fixed_statistic.cube_root(y * 2**21)
    return floor(Fraction((root - 2**19) * 3072, skew)) + floor(Fraction(skew * 10_923, 2**28))


def one_handicap(v: int, narrow: bool) -> int:
    """SPEC 9: what a whole mark's score is lowered by."""
    e = next(e for e in range(64) if v // 2**e < 512)
    return sorted((0, 256 * e + v // 2**e + 313 * narrow - 2382, 192))[1]


@given(seed=st.integers(0, 2**32 - 1), alike=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_score(seed: int, alike: float):
    """By definition, and the float engine's of the same pairs but for rounding."""
    rng = np.random.default_rng(seed)
    s = rng.choice([-1, 1], (4, 32))
    own = s[:, :, None] * s[:, None, :] * rng.integers(0, 116) * alike
    grams = np.clip(np.rint(own + rng.standard_normal((4, 32, 32)) * rng.integers(1, 30)), -116, 116).astype(np.int64)
    pairs = np.triu(grams, 1)
    found = [confirm.statistics(c, of_band) for c, of_band in zip(pairs, s, strict=True)]
    q, v, t = np.array(found, object).sum(axis=0)
    q2, v2, t2 = np.array(found[:2], object).sum(axis=0)
    of_all, of_low = one_score(q, v, t), one_score(q2, v2, t2)
    expected = max(of_all, of_low - 77)
    for hz in (8000, RATE):
        lower = one_handicap(v, hz == 8000)
        assert fixed_statistic.scores_of_bands(found, WHOLE, RATES[hz]) == (of_all, of_low, expected - lower)
        assert fixed_statistic.scores_of_bands(found, HALF, RATES[hz]) == (of_all, of_low, expected - 102)
    assert fixed_statistic.agreement(found) == max(1, q)
    both = (pairs + pairs.swapaxes(1, 2)).astype(float)
    exact = float(statistic.score_of_bands(both, s.astype(float), np.array([True, True, False, False])))
    if exact > 0:
        # The least skewness is 2^-8 here and 1e-3 there.
        assert -0.01 - exact**2 / 6 / 256 < expected / 256 - exact < 0.01


def test_score_of_the_largest_and_of_nothing():
    most = confirm.statistics(np.triu(np.full((32, 32), 116), 1), np.ones(32, np.int64))
    expected = one_score(*(4 * value for value in most)) - 192
    assert fixed_statistic.scores_of_bands([most] * 4, WHOLE, RATES[RATE]).place == expected > 1000
    nothing = Band(0, 0, 0)
    assert fixed_statistic.scores_of_bands([nothing] * 4, WHOLE, RATES[RATE]) == (0, 0, 0)
    assert fixed_statistic.scores_of_bands([nothing] * 4, HALF, RATES[RATE]) == (0, 0, -102)
    assert fixed_statistic.score(5, 25, -(10**9)) == one_score(5, 25, -(10**9)) > 0


@pytest.mark.parametrize("hz", [8000, RATE])
def test_host_handicap(hz: int):
    """By definition; and it begins at 1.5 times the variance of signs drawn at random, and ends at 1.7 times that."""
    rate = RATES[hz]
    drawn = 32 * 31 / 2 * rate.used_bins / 2
    assert fixed_statistic.handicap(2**26, HALF, rate) == fixed_statistic.handicap(0, HALF, rate) == 102
    least = next(v for v in range(1, 2**20) if fixed_statistic.handicap(v, WHOLE, rate))
    assert least / drawn == pytest.approx(1.5, rel=0.04)
    most = next(v for v in range(least, 2**20) if fixed_statistic.handicap(v, WHOLE, rate) == 192)
    assert most / least == pytest.approx(2**0.75, rel=0.06)
    for v in (0, 1, 511, 512, 513, 1023, 1024, least - 1, least, most - 1, most, most + 1, 2**26):
        assert fixed_statistic.handicap(v, WHOLE, rate) == one_handicap(v, hz == 8000)


# Peaks and places


def test_peaks():
    peaks = PeakStage(2, [WHOLE, HALF], 1000)

    def told(place: int, key: int, span: int, agreement: int, score: int = 1000) -> bool:
        return peaks.process(place, key, span, score, agreement).told

    assert not told(100, 0, 0, 50, score=999)
    assert told(100, 0, 0, 50)
    assert not told(164, 0, 0, 50)
    assert told(164, 0, 0, 51)
    assert not told(100, 0, 0, 51)
    assert told(229, 0, 0, 1)
    assert told(100, 1, 0, 5)  # another key
    assert told(500, 1, 1, 9)
    assert not told(532, 1, 1, 9)
    assert told(533, 1, 1, 3)
    assert peaks.process(469, 1, 0, 1000, 4) == (True, False)  # a whole mark whose half was told
    assert peaks.process(469, 1, 0, 1000, 4) == (False, False)
    assert not told(597, 1, 0, 5)
    assert told(598, 1, 0, 6)
    assert told(600, 1, 1, 6)  # a half is told whatever whole mark is near
    peaks.reset()
    assert told(533, 1, 1, 3)
    only = PeakStage(1, [WHOLE], 1000)
    assert only.process(10, 0, 0, 1000, 5) == (True, True)


def test_samples_of_places():
    for rate in RATES.values():
        for place, offset in ((0, 0), (187, 55), (1000, -128), (3, 127)):
            exact = Fraction((256 * place + 128 + offset) * rate.numerator, rate.denominator)
            expected = max(0, floor(exact + Fraction(rate.denominator // 2, rate.denominator)) - rate.delay)
            assert sample_of(place, offset, rate, 0) == expected
            assert sample_of(place, offset, rate, 2**40) >= 2**40 + expected
    assert sample_of(-1, -128, RATES[RATE], 0) == 0
    assert sample_of(-1, -128, RATES[RATE], 2**40) == 2**40 - 256


# The whole


def as_lists(taps: Taps) -> dict[str, list]:
    """Taps that can be compared."""

    def plain(value: object) -> object:
        if isinstance(value, np.ndarray):
            return value.tolist()
        return tuple(map(plain, value)) if isinstance(value, tuple) else value

    return {f.name: [plain(item) for item in getattr(taps, f.name)] for f in fields(taps)}


@cache
def in_one(rate: int) -> tuple[list[RawDetection], dict[str, list], int, int]:
    taps = Taps()
    detector = FixedDetector(columns(2), rate, early=True, threshold_q8=700, taps=taps)
    return detector.push(marked(rate)), as_lists(taps), detector.score_q8, detector.dropped


@pytest.mark.parametrize("rate", NATIVE)
@pytest.mark.parametrize("longest", [300, 40_000])
def test_chunking_does_not_matter(rate: int, longest: int):
    rng = np.random.default_rng(longest)
    taps = Taps()
    detector = FixedDetector(columns(2), rate, early=True, threshold_q8=700, taps=taps)
    found, start, samples = [], 0, marked(rate)
    while start < len(samples):
        size = int(rng.choice([0, 1, rng.integers(1, longest)]))
        new = detector.push(samples[start : start + size])
        assert all(start < d.at <= start + size for d in new)
        found += new
        start += size
    assert (found, as_lists(taps), detector.score_q8, detector.dropped) == in_one(rate)
    assert len(found) > 0


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_at_is_the_sample_that_decides(rate: int):
    for detection in in_one(rate)[0]:
        for short in (0, 1):
            found, _ = run(marked(rate)[: detection.at - short], rate, 2, early=True, threshold_q8=700)
            assert (detection in found) == (short == 0)


def test_reset_is_a_new_detector():
    detector = FixedDetector(columns(2), RATE, early=True, threshold_q8=700)
    detector.push(marked()[12_345:70_000])
    detector.reset()
    assert (detector.score_q8, detector.dropped) == (0, 0)
    assert detector.push(marked()) == in_one(RATE)[0]


def test_the_first_sample_has_64_bits():
    plain, _ = run(marked(48_000), 48_000)
    for first in (1, 2**32 - 5, 2**53 + 1, 2**63 - 1):
        late, _ = run(marked(48_000), 48_000, first_sample=first)
        assert late == [d._replace(sample=d.sample + first) for d in plain]
    assert len(plain) == 1


def scheduled(taps: Taps, threshold: int) -> tuple[dict[str, list[tuple[int, Candidate]]], Counter[str]]:
    """SPEC 6 alone: what the stages make of each candidate is taken from the taps, the order of work is not.

    Returns the slots, with the candidate, in which the template decides, places, and confirm ends, and how often what
    else became of a candidate.
    """
    arrival: dict[int, list[Candidate]] = {}
    for candidate in taps.candidates:
        arrival.setdefault(candidate.place + (63 if candidate.span else 127), []).append(candidate)
    drifts = {(*tap.candidate[:3], tap.chains): tap for tap in taps.template if isinstance(tap, DriftTap)}
    places = {tap.candidate[:3]: tap for tap in taps.template if isinstance(tap, PlaceTap)}
    scores = {tap.candidate[:3]: tap.score for tap in taps.statistic}
    queue: list[Candidate] = []
    begun, step, drift = False, 0, 0
    fates: Counter[str] = Counter()
    ends: dict[str, list[tuple[int, Candidate]]] = {"drift": [], "place": [], "score": []}
    for f in range(len(taps.frames)):
        for candidate in arrival.get(f, []):
            before = [one for one in queue if one[:3] == (candidate.place - 1, *candidate[1:3])]
            if before:
                fates["of the frame before"] += 1
                begun = begun and before[0] is not queue[0]
                queue[queue.index(before[0])] = candidate
                continue
            if len(queue) == 4:
                lowest = min(queue[1:] if begun else queue, key=lambda c: c.level)
                if candidate.level <= lowest.level:
                    fates["lost"] += 1
                    continue
                fates["taken out"] += 1
                queue.remove(lowest)
            queue.append(candidate)
        for half in range(sum(256 * f + 511 + wait < len(taps.input) for wait in (85, 170))):
            while queue:
                first = max(queue, key=lambda c: c.level)
                if begun and first.level <= queue[0].level + 64:
                    first = queue[0]
                if first is not queue[0]:
                    queue.remove(first)
                    queue.insert(0, first)
                    fates["begins anew"] += begun
                    begun = False
                if begun or f + 4 - (first.place - 1) < 152:
                    break
                queue.pop(0)
                fates["too late to begin"] += 1
            if not queue:
                continue
            step = step if begun else 0
            begun = True
            if step >= 9 and f - places[first[:3]].place >= 152:
                queue.pop(0)
                begun = False
                fates["too late to go on"] += 1
                continue
            step += 1
            if step in (4, 8):
                ends["drift"].append((2 * f + half, first))
                decided = drifts[(*first[:3], step // 2)]
                if decided.drift is None:
                    fates[f"refused after {step} steps"] += 1
                    queue.pop(0)
                    begun = False
                else:
                    drift = decided.drift
                    if step == 4:
                        first = queue[0] = first._replace(level=max(first.level, decided.z))
            elif step == 9:
                ends["place"].append((2 * f + half, first))
            elif step > 9 and step == 9 + len(one_schedule(HALF if first.span else WHOLE, drift, RATE)):
                ends["score"].append((2 * f + half, first))
                queue.pop(0)
                begun = False
                if scores[first[:3]] >= threshold:
                    near = 32 if first.span else 64
                    far = [c for c in queue if c[1:3] != first[1:3] or abs(c.place - first.place) > near]
                    fates["of a mark found"] += len(queue) - len(far)
                    queue = far
    return ends, fates


def test_slots_queue_and_ring():
    """So many keys are those of the marks, and nearly, that candidates come to all ends that there are."""
    one, other, third = columns(3)
    mixed = [[*one[:3], other[3]], [*one[:2], *third[2:]], [one[0], *other[1:]], [*third[:1], *one[1:]]]
    found: Counter[str] = Counter()
    marks = np.concatenate([marked(), marked(name="music/brahms_0.flac", noise_db=-30), marked(ppm=90)])
    rng = np.random.default_rng(5)
    # A mark of the key with hardly a negative sign at every frame.
    loop = pcm(0.05 * np.resize(rng.standard_normal(1024), 6 * RATE) + 0.1 * rng.standard_normal(6 * RATE))
    for samples, early, of_keys in (
        (marks, False, [one] * 7),
        (marks, True, [one, *mixed, other, one]),
        (loop, True, [[1] * 4, one]),
    ):
        taps = Taps()
        detector = FixedDetector(of_keys, RATE, early=early, threshold_q8=256, taps=taps)
        detector.push(samples)
        ends, fates = scheduled(taps, 256)
        assert [c for _, c in ends["drift"]] == [tap.candidate for tap in taps.template if isinstance(tap, DriftTap)]
        assert [c for _, c in ends["place"]] == [tap.candidate for tap in taps.template if isinstance(tap, PlaceTap)]
        assert [c for _, c in ends["score"]] == [tap.candidate for tap in taps.statistic]
        dropped = sum(fates[fate] for fate in ("lost", "taken out", "too late to begin", "too late to go on"))
        assert detector.dropped == dropped
        told = [slot for (slot, _), tap in zip(ends["score"], taps.peaks, strict=True) if tap.told]
        assert [d.at for d in taps.detections] == [256 * (slot // 2) + 512 + (85, 170)[slot % 2] for slot in told]
        found += fates
    assert len(found) == 9


@pytest.mark.parametrize("name", ["silence", "offset", "full scale", "sine", "last bit"])
@pytest.mark.parametrize("rate", NATIVE)
def test_junk_is_not_a_mark(name: str, rate: int):
    samples = np.concatenate([sound(name, 4 * rate), marked(rate)[: 2 * rate]])
    found, _ = run(samples, rate, 2, early=True)
    assert found == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": []}, "0 keys"),
        ({"columns": [[1, 2, 3]]}, "4 words"),
        ({"columns": [[1, 2, 3, 2**32]]}, "4 words"),
        ({"rate": 22_050}, "does not take 22050 Hz: it takes 8000, 16000"),
        ({"threshold_q8": 255}, "threshold of 255"),
        ({"threshold_q8": 65_536}, "threshold of 65536"),
        ({"first_sample": 2**63}, "first sample"),
    ],
)
def test_wrong_use(change: dict, message: str):
    options = {"columns": columns(), "rate": RATE, "early": False, "threshold_q8": 1659} | change
    with pytest.raises(AirmarkError, match=message):
        FixedDetector(options.pop("columns"), options.pop("rate"), **options)


def test_wrong_samples_and_keys():
    detector = FixedDetector(columns(), RATE, early=False, threshold_q8=1659)
    for bad in (np.zeros(4), np.zeros((4, 2), np.int16)):
        with pytest.raises(AirmarkError, match="16-bit samples"):
            detector.push(bad)  # type: ignore[arg-type]
    other = Key(np.ones((16, 1, 4)), profile_of_shape(16))
    with pytest.raises(AirmarkError, match="32 repetitions of 1 block"):
        key_columns(other)
    with pytest.raises(AirmarkError, match="32 repetitions of 1 block"):
        Detector(other, engine="fixed")


# Against the float engine


def detections(samples: NDArray, rate: int, engine: str, early: bool) -> list[Detection]:
    """Without the handicap of the host, which float has not."""
    detector = Detector(keys()[:1], rate, threshold=5.0, engine=engine, early=early)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixed_statistic, "handicap", lambda v, span, rate: 102 if span is HALF else 0)
        return detector.process(samples) + detector.flush()


def same(expected: Detection, found: Detection, rate: int, score: float, ppm: float, samples: int = 160) -> bool:
    assert found.time_s == found.sample / rate
    assert abs(found.sample - expected.sample) <= samples * rate / RATE
    return abs(found.score - expected.score) <= score and abs(found.drift_ppm - expected.drift_ppm) <= ppm


@pytest.mark.parametrize("rate", [8000, 11_025, *NATIVE[1:], 96_000])
@pytest.mark.parametrize("ppm", [-100.0, 0.0, 100.0])
def test_it_finds_what_the_float_engine_finds(rate: int, ppm: float):
    samples = marked(rate, ppm=ppm)
    (expected,), (found,) = (detections(samples, rate, engine, early=False) for engine in ("float", "fixed"))
    assert same(expected, found, rate, 0.5, {8000: 25, 11_025: 4}.get(rate, 3))


@pytest.mark.parametrize("rate", [16_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("ppm", [-100.0, 0.0, 100.0])
def test_it_finds_the_halves_that_the_float_engine_finds(rate: int, ppm: float):
    samples = marked(rate, ppm=ppm)[: round(4.1 * rate)]
    (expected,), (found,) = (detections(samples, rate, engine, early=True) for engine in ("float", "fixed"))
    assert same(expected, found, rate, 0.4, 15)


@pytest.mark.parametrize(("ppm", "score", "off"), [(-100.0, 0.2, 160), (0.0, 0.5, 160), (100.0, 1.0, 192)])
def test_it_finds_noisy_marks(ppm: float, score: float, off: int):
    """The place, told by three bands of one-bit frames, may be a frame off: at 100 ppm it is, the score 0.91 less."""
    samples = marked(44_100, ppm=ppm, noise_db=-20.0)
    (expected,), (found,) = (detections(samples, 44_100, engine, early=False) for engine in ("float", "fixed"))
    assert same(expected, found, 44_100, score, 20, samples=off)


@pytest.mark.parametrize("rate", NATIVE)
def test_unmarked_recordings_are_silent(rate: int):
    for name in ("music/vibeace_0.flac", "music/brahms_0.flac", "speech/libri_M_6836_7278.flac"):
        samples, own = soundfile.read(data_path(name))
        heard = soxr.resample(samples, own, rate, "VHQ")
        detector = Detector(keys(), rate, engine="fixed", early=True)
        assert detector.process(heard) + detector.flush() == []
