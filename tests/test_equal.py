"""The C detector against the integer model, bit for bit, on random and adversarial sound and parameters.

Detections with all their fields, the running level and the count of dropped candidates must agree. AIRMARK_SAMPLES:
how many samples each of the two hears at least, all cases together (20,000,000 by default); where it is set, other
cases are drawn each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from airmark import channel, keysearch
from airmark.assets import data_path
from airmark.embedder import embed
from airmark.fixed.detector import LEAST_THRESHOLD, FixedDetector, RawDetection, key_columns
from airmark.fixed.tables import RATES
from airmark.keys import Key
from airmark.native import NativeDetector
from airmark.profile import profile

FRAME_RATE = 16_000
BLOCK = 1024
CASE_S = 5
"""Seconds of a case."""
TOTAL = int(os.environ.get("AIRMARK_SAMPLES", "20000000"))
KEYS = 8
HOSTS = (
    "music/vibeace_0.flac",
    "music/brahms_0.flac",
    "speech/libri_F_2007_2817.flac",
    "noise/blanket_coffee-shop.flac",
)

Samples = NDArray[np.int16]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """What both detectors are given."""

    rate: int
    keys: tuple[tuple[int, ...], ...]
    early: bool
    threshold_q8: int
    first_sample: int
    sound: tuple[tuple[str, float, int], ...]
    """Kind, strength from 0 to 1 and seed of each part."""
    pushes: tuple[int, ...] = (160,)
    """Sizes of the pushes, over and over."""
    channels: int = 1
    """C reads the last of so many."""
    reset: int | None = None
    """Samples after which both are reset."""


# Sound


@cache
def owners() -> list[Key]:
    """Whose marks are in the recordings."""
    return list(islice(keysearch.Search(profile(), np.random.default_rng(11)).found(), 2))


def columns(count: int) -> tuple[tuple[int, ...], ...]:
    """The words of the owners' keys, and then of any."""
    others = np.random.default_rng(0).integers(0, 2**32, (KEYS, 4)).tolist()
    return tuple(map(tuple, [*map(key_columns, owners()), *others][:count]))


@cache
def marked(name: str, rate: int) -> Floats:
    """5 s of a shipped recording with a mark of each owner."""
    host, own = soundfile.read(data_path(name))
    host = np.resize(host, 5 * own)
    for key, at in zip(owners(), (0.3, 2.7), strict=True):
        host = embed(host, own, key, at=[at], strength=-14, judge=False).samples[:, 0]
    return host if own == rate else soxr.resample(host, own, rate, "VHQ")


def repeating(rate: int, of_key: tuple[int, ...], ppm: float, rng: np.random.Generator) -> Floats:
    """Noise that repeats under a key's signs, band by band: a mark without a host."""
    edges = np.array([10, 67, 125, 183, 241]) * BLOCK // 512
    spectra = np.zeros((4, BLOCK // 2 + 1), complex)
    for b in range(4):
        n = edges[b + 1] - edges[b]
        spectra[b, edges[b] : edges[b + 1]] = np.exp(2j * np.pi * rng.random(n))
    blocks = np.fft.irfft(spectra)
    signs = np.array([[1 - 2 * (word >> (31 - r) & 1) for word in of_key] for r in range(32)])
    sound = (signs @ blocks).ravel()
    sound = channel.drift(sound, ppm) if ppm else sound
    sound = sound if rate == FRAME_RATE else soxr.resample(sound, FRAME_RATE, rate, "VHQ")
    return sound / np.abs(sound).max()


def part(kind: str, strength: float, seed: int, n: int, case: Case) -> Floats:
    """Up to n samples of one kind, in units of the last bit; strength 1 is about full scale."""
    rng = np.random.default_rng(seed)
    level = 32_768.0 ** (1.1 * strength)
    at = np.arange(n)
    if kind == "noise":
        return rng.standard_normal(n) * level
    if kind == "flips":
        return np.where(rng.random(n) < 0.02 + strength / 2, -1.0, 1.0).cumprod() * 32_768
    if kind == "square":
        return np.where(at // int(1 + 400 * rng.random() ** 3) % 2, level, -level)
    if kind == "saw":
        return at * rng.integers(1, 9000) % 65_536 - 32_768.0
    if kind == "tones":
        hertz = rng.uniform(20, case.rate / 2, rng.integers(1, 4))[:, None]
        return level * np.sin(2 * np.pi * hertz / case.rate * at).sum(axis=0)
    if kind == "clicks":
        return np.where(rng.random(n) < 10 ** -rng.uniform(1, 4), level * rng.choice([-1.0, 1.0], n), 0)
    if kind == "silence":
        return np.zeros(n)
    if kind == "constant":
        return np.full(n, rng.choice([-32_768.0, 32_767.0, -1.0, level]))
    if kind == "last bits":
        return rng.integers(-1 - int(3 * strength), 2, n).astype(float)
    if kind == "loop":
        # Whatever repeats with the block agrees at all lags.
        return np.resize(rng.standard_normal(BLOCK * case.rate // FRAME_RATE) * level, n)
    if kind in ("repeating", "crowd"):
        marks = np.zeros(n)
        start = rng.integers(case.rate // 4)
        while start < n:
            of_key = case.keys[rng.integers(len(case.keys))]
            mark = repeating(case.rate, of_key, rng.choice([0, 1, 1]) * rng.uniform(-220, 220), rng)[: n - start]
            marks[start : start + len(mark)] += mark
            start += len(mark) + rng.integers(case.rate // 4) if kind == "repeating" else rng.integers(case.rate)
        return (marks + rng.standard_normal(n) * 10 ** rng.uniform(-3, 0)) * max(level, 300) / 2
    sound = marked(HOSTS[rng.integers(len(HOSTS))], case.rate)
    if kind == "drifting":
        sound = channel.drift(sound, rng.uniform(-200, 200))
    noise = rng.standard_normal(len(sound)) * sound.std() * 10 ** rng.uniform(-3, 0)
    return ((sound + noise) * 10 ** (2 * strength) * 3000)[:n]


KINDS = (
    "noise", "flips", "square", "saw", "tones", "clicks", "silence", "constant", "last bits", "loop", "repeating",
    "crowd", "marked", "drifting",
)  # fmt: skip
MARKS = ("loop", "repeating", "crowd", "marked", "drifting")


def pcm(sound: Floats) -> Samples:
    return np.clip(np.rint(sound), -32_768, 32_767).astype(np.int16)


def sound_of(case: Case, samples: int) -> Samples:
    """The parts in turn, over and over with other seeds, each of up to three seconds or as long as it is."""
    parts: list[Floats] = []
    length = 0
    while length < samples:
        kind, strength, seed = case.sound[len(parts) % len(case.sound)]
        longest = 5 * case.rate if kind in MARKS else int(case.rate * (0.02 + 3 * (seed % 97) / 97))
        parts.append(part(kind, strength, seed + len(parts), min(longest, samples - length), case))
        length += len(parts[-1])
    return pcm(np.concatenate(parts))


# Comparison


def pushes_of(case: Case, samples: int) -> Iterator[tuple[int, int]]:
    """First sample and end of each push."""
    start = i = 0
    while start < samples:
        end = min(samples, start + case.pushes[i % len(case.pushes)])
        yield start, end
        start, i = end, i + 1


def compare(case: Case, sound: Samples) -> list[RawDetection]:
    """Raises AssertionError with the case and the first difference; returns the detections."""
    options = {"early": case.early, "threshold_q8": case.threshold_q8, "first_sample": case.first_sample}
    model = FixedDetector(case.keys, case.rate, **options)
    c = NativeDetector(case.keys, case.rate, **options)
    channels = np.random.default_rng(0).integers(-32_768, 32_768, (len(sound), case.channels), dtype=np.int16)
    channels[:, -1] = sound
    reset = case.reset
    detections = []
    for start, end in pushes_of(case, len(sound)):
        if reset is not None and start >= reset:
            model.reset()
            c.reset()
            reset = None
        found = model.push(sound[start:end])
        heard = {
            "detections": (c.push(channels[start:end, -1]), found),
            "level": (c.score_q8, model.score_q8),
            "dropped": (c.dropped, model.dropped),
        }
        for name, (in_c, expected) in heard.items():
            assert in_c == expected, (
                f"{name} differ after samples {start} to {end}: {in_c} in C, {expected} in the model\n{case}"
            )
        detections += found
    return detections


# Cases

words = st.one_of(
    st.sampled_from([1, 0xFFFFFFFE, 0xAAAAAAAA, 0xCCCCCCCC, 0xFFFF0000, 0x80000000]), st.integers(1, 2**32 - 2)
)
keys = st.one_of(
    # Those of the marks in recordings first.
    st.integers(1, KEYS).map(columns),
    st.lists(st.tuples(words, words, words, words), min_size=1, max_size=8).map(tuple),
    words.map(lambda word: ((word,) * 4,)),
)
pushes = st.one_of(
    st.just((160,)),
    st.lists(st.sampled_from([0, 1, 7, 85, 159, 256, 441, 480, 512, 4096, 50_000]), max_size=5).map(
        lambda s: (*s, 700)
    ),
)
cases = st.builds(
    Case,
    rate=st.just(FRAME_RATE),
    keys=keys,
    early=st.booleans(),
    threshold_q8=st.sampled_from([*[LEAST_THRESHOLD] * 5, 700, 1400, 65_535]),
    first_sample=st.sampled_from([0, 0, 1, 2**32 - 70_000, 2**63 - 1]),
    sound=st.lists(
        st.tuples(st.sampled_from(MARKS) | st.sampled_from(KINDS), st.floats(0, 1), st.integers(0, 2**20)),
        min_size=1,
        max_size=5,
    ).map(tuple),
    pushes=pushes,
    channels=st.integers(1, 3),
    reset=st.one_of(st.none(), st.none(), st.integers(0, CASE_S * max(RATES))),
)


@pytest.mark.parametrize("rate", sorted(RATES))
@settings(
    max_examples=-(-TOTAL // (CASE_S * sum(RATES))),
    derandomize="AIRMARK_SAMPLES" not in os.environ,
    database=None,
    # The message tells all; a smaller case would take minutes to find.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(case=cases)
def test_c_is_the_model(rate: int, case: Case):
    case = replace(case, rate=rate)
    compare(case, sound_of(case, CASE_S * rate))


@pytest.mark.parametrize("rate", sorted(RATES))
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("count", [1, 2, KEYS])
def test_c_finds_the_marks_that_the_model_finds(rate: int, early: bool, count: int):
    sound = pcm(32_768 * np.concatenate([marked(HOSTS[0], rate), np.zeros(rate // 2)]))
    found = compare(Case(rate, columns(count), early, 700, 7, (), channels=2), sound)
    assert any(d.early == early for d in found)
