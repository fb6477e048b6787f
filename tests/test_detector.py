"""The detector: the right place, clock and key, whatever the cut, level, rate or type of sound; nothing from junk."""

from __future__ import annotations

import json
import os
import sys
from array import array
from dataclasses import replace
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import firwin
from scipy.stats import poisson

from airmark import channel, keysearch, statistic, thresholds
from airmark.assets import data_path
from airmark.cli import main
from airmark.confirm import ConfirmStage
from airmark.detector import Detection, Detector, is_built
from airmark.embedder import embed
from airmark.errors import AirmarkError
from airmark.frames import DRAWN_SIGNS, ZERO, FrameStage, InputStage, window
from airmark.keys import Key
from airmark.lags import LagGrid
from airmark.profile import profile, profile_of_shape
from memory import growth
from tooling import needs_engine

RATE = 16_000
HOP = profile().hop
MARK = profile().mark_samples
ENGINES = ("full", "float", "fixed")
ANY_KEY = ENGINES[:2]
"""Engines that take keys of other profiles."""
LONG = os.environ.get("AIRMARK_LONG") == "1"

Samples = NDArray[np.float64]


@cache
def keys() -> list[Key]:
    return list(islice(keysearch.Search(profile(), np.random.default_rng(11)).found(), 3))


@cache
def clip(name: str = "music/vibeace_0.flac", seconds: float = 7.0, rate: int = RATE) -> Samples:
    x, own = soundfile.read(data_path(name))
    x = x[: round(seconds * own)]
    out: Samples = x if own == rate else np.clip(soxr.resample(x, own, rate, "VHQ"), -1, 1)
    out.setflags(write=False)
    return out


@cache
def marked(
    rate: int = RATE, at: tuple[float, ...] = (2.5,), key: int = 0, seconds: float = 7.0, strength: float = -12
) -> Samples:
    """The clip with marks at fixed strength, (n,)."""
    host = clip(seconds=seconds, rate=rate)
    out: Samples = embed(host, rate, keys()[key], at=at, strength=strength, judge=False).samples[:, 0]
    out.setflags(write=False)
    return out


def detect(samples: NDArray, rate: int = RATE, which: list[Key] | None = None, **options) -> list[Detection]:
    detector = Detector(which or keys()[:1], rate, **({"engine": "float"} | options))
    return detector.process(samples) + detector.flush()


def cut(samples: NDArray, rng: np.random.Generator, longest: int) -> list[NDArray]:
    """Blocks of random sizes, many of a single sample and some empty."""
    out = []
    start = 0
    while start < len(samples):
        size = int(rng.choice([0, 1, 1, rng.integers(1, 300), rng.integers(1, longest)]))
        out.append(samples[start : start + size])
        start += size
    return out


# Place and clock


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_the_place_is_right_at_every_rate(rate: int, engine: str):
    found = detect(marked(rate), rate, engine=engine)
    assert len(found) == 1
    assert abs(found[0].sample - 2.5 * rate) <= HOP * rate / RATE
    assert found[0].time_s == found[0].sample / rate
    assert found[0].key == 0
    assert abs(found[0].drift_ppm) <= 10


@pytest.mark.parametrize("engine", ENGINES)
def test_the_place_is_right_between_hops(engine: str):
    off = []
    for shift in range(0, 2 * HOP, 37):
        found = detect(marked()[shift:], engine=engine)
        assert len(found) == 1
        off.append(found[0].sample - (2.5 * RATE - shift))
    assert max(map(abs, off)) <= HOP / 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("ppm", [-200, -170, -130, -100, -63, -25, 0, 10, 40, 75, 115, 150, 200])
def test_the_clock_is_measured(ppm: float, rate: int, engine: str):
    received = channel.drift(marked(rate), ppm)
    found = detect(received, rate, engine=engine)
    assert len(found) == 1
    assert abs(found[0].drift_ppm - ppm) <= 10
    assert abs(found[0].sample - 2.5 * rate * (1 + ppm * 1e-6)) <= HOP * rate / RATE


@pytest.mark.parametrize("engine", ENGINES)
def test_marks_back_to_back_are_found_once_each(engine: str):
    host = np.concatenate([clip("music/brahms_0.flac"), clip()])
    embedded = embed(host, RATE, keys()[0], strength=-14, judge=False)
    places = [mark.sample for mark in embedded.marks]
    assert np.diff(places).tolist() == [MARK] * (len(places) - 1)
    found = detect(embedded.samples, engine=engine)
    assert len(found) == len(places) == 5
    assert all(abs(d.sample - place) <= HOP for d, place in zip(found, places, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_a_mark_at_either_end_of_a_file(rate: int, engine: str):
    samples = marked(rate)
    first, last = round(2.5 * rate), -(-MARK * rate // RATE)
    for part, place in ((samples[first:], 0), (samples[: first + last], first), (samples[first : first + last], 0)):
        found = detect(part, rate, engine=engine)
        assert len(found) == 1
        assert abs(found[0].sample - place) <= HOP * rate / RATE
        assert found[0].sample >= 0


@pytest.mark.parametrize("engine", ENGINES)
def test_two_keys_overlap(engine: str):
    one = embed(clip(), RATE, keys()[0], at=[1.5], strength=-12, judge=False).samples
    both = embed(one, RATE, keys()[1], at=[2.6], strength=-12, judge=False).samples
    found = detect(both, which=keys(), engine=engine)
    assert [d.key for d in found] == [0, 1]
    assert abs(found[0].sample - 1.5 * RATE) <= HOP
    assert abs(found[1].sample - 2.6 * RATE) <= HOP


@pytest.mark.parametrize("engine", ENGINES)
def test_keys_do_not_change_each_other(engine: str):
    """Each of several keys finds what it finds alone, under its index."""
    samples = np.concatenate([marked(key=1), marked(key=0)])
    together = detect(samples, which=[keys()[2], keys()[0], keys()[1]], engine=engine, threshold=4.5)
    assert [d.key for d in together if d.score > 7] == [2, 1]
    for index, key in enumerate([keys()[2], keys()[0], keys()[1]]):
        alone = detect(samples, which=[key], engine=engine, threshold=4.5)
        same = [d for d in together if d.key == index]
        assert [(d.sample, d.score, d.drift_ppm) for d in alone] == [(d.sample, d.score, d.drift_ppm) for d in same]


def test_engines_agree():
    """What the staged engine reports has the yardstick's score; here both find all."""
    samples = np.concatenate([marked(), clip("speech/libri_M_6836_7278.flac"), marked(key=1)])
    full, staged = (detect(samples, which=keys(), engine=engine) for engine in ("full", "float"))
    assert [(d.key, d.score) for d in staged] == [(d.key, d.score) for d in full]
    assert len(full) == 2


# From the first half, and from the lower bands


@pytest.mark.parametrize("engine", ENGINES)
def test_an_early_mark_is_told_once_and_a_second_before_its_end(engine: str):
    samples = np.concatenate([marked(), clip()])
    # The integer engines spread their work on whole marks over further frames, and measure the clock less finely.
    later, ppm = (0.2, 20) if engine == "fixed" else (0.0, 10)
    for early, least_s, most_s in ((False, 2.048, 2.2 + later), (True, 1.0, 1.2)):
        detector = Detector(keys()[:1], RATE, engine=engine, early=early)
        told = [
            (d, start / RATE) for start in range(0, len(samples), 160) for d in detector.process(samples[start:][:160])
        ]
        assert len(told) == 1
        detection, at_s = told[0]
        assert least_s < at_s - 2.5 < most_s
        assert abs(detection.sample - 2.5 * RATE) <= 2 * HOP
        assert abs(detection.drift_ppm) <= (ppm if early else 10)


def test_early_decisions_are_those_of_a_key_of_half_the_length():
    """The same places, clocks and scores, these lowered by 0.4, in either engine; and what else there is stays."""
    first_half = Key(keys()[0].signs[:16], profile_of_shape(16))
    samples = np.random.default_rng(4).standard_normal(8 * RATE)
    counts = []
    for engine in ANY_KEY:
        early, late = (set(detect(samples, engine=engine, threshold=2.0, early=early)) for early in (True, False))
        halves = detect(samples, which=[first_half], engine=engine, threshold=2.4)
        assert {(d.sample, d.drift_ppm, round(d.score + 0.4, 9)) for d in early - late} == {
            (d.sample, d.drift_ppm, round(d.score, 9)) for d in halves
        }
        assert early & late
        counts.append(len(halves))
    assert counts[ANY_KEY.index("full")] > counts[ANY_KEY.index("float")] > 0


def test_marks_are_told_early_from_sixteen_repetitions_on():
    halves = [profile_of_shape(repetitions).early for repetitions in (15, 16, 17, 33)]
    assert [half and half.repetitions for half in halves] == [None, 8, 8, 16]
    short = Key(keys()[0].signs[:15], profile_of_shape(15))
    early, late = (detect(clip(), which=[short], threshold=2.0, early=early) for early in (True, False))
    assert early == late != []


def test_early_decisions_leave_the_level_alone():
    early, late = (Detector(keys()[:2], engine="float", early=early) for early in (True, False))
    for start in range(0, 5 * RATE, RATE // 2):
        for detector in (early, late):
            detector.process(marked()[start : start + RATE // 2])
        assert early.score == late.score


@pytest.mark.parametrize("early", [True, False])
def test_a_reset_forgets_marks_and_frames(early: bool):
    """A weaker mark at a place where one was told before, one too faint to be told early, and the first frames."""
    strong = embed(clip(), RATE, keys()[0], at=[2.5], strength=-8, judge=False).samples[:, 0]
    faint = marked() + 0.07 * marked().std() * np.random.default_rng(3).standard_normal(len(marked()))
    detector = Detector(keys()[:1], engine="float", early=early)
    for samples in (strong, marked(), faint, clip()[: 2 * RATE + RATE // 4]):
        part = samples[2 * RATE : 5 * RATE]
        detector.reset()
        new = Detector(keys()[:1], engine="float", early=early)
        told = new.process(part)
        assert len(told) == (len(part) == 3 * RATE)
        assert (detector.process(part), detector.score) == (told, new.score)


def test_early_marks_back_to_back_are_found_once_each():
    host = np.concatenate([clip("music/brahms_0.flac"), clip()])
    places = [mark.sample for mark in embed(host, RATE, keys()[0], strength=-10, judge=False).marks]
    found = detect(embed(host, RATE, keys()[0], strength=-10, judge=False).samples, early=True)
    assert len(found) == len(places) == 5
    assert all(abs(d.sample - place) <= 2 * HOP for d, place in zip(found, places, strict=True))


def test_a_mark_too_faint_for_an_early_decision_is_told_at_its_end():
    noise = np.random.default_rng(3).standard_normal(len(marked()))
    samples = marked() + 0.07 * marked().std() * noise
    (late,), (early,) = detect(samples, early=False), detect(samples, early=True)
    assert late == early
    half = detect(samples[: round((2.5 + 1.3) * RATE)], early=True)
    assert half == []


def test_a_detector_without_early_decisions_reports_no_half_marks():
    half = marked()[: round((2.5 + 1.2) * RATE)]
    assert detect(half) == []
    assert len(detect(half, early=True)) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mark_without_its_upper_bands_is_found_by_the_lower(engine: str):
    """As a telephone codec leaves it: noise in their place, which costs the score of all bands much more."""
    rng = np.random.default_rng(38)
    sound = marked(strength=-16)
    low = firwin(255, 3800, fs=RATE)
    noise = rng.standard_normal(len(sound))
    upper = noise - np.convolve(noise, low, mode="same")
    samples = np.convolve(sound, low, mode="same") + 0.07 * sound.std() * noise + 0.01 * upper
    (found,) = detect(samples, engine=engine, threshold=4.0)
    columns = keys()[0].columns
    stage = ConfirmStage(LagGrid(profile()), [columns])
    frames = FrameStage(profile()).process(samples[round(2.5 * RATE) - HOP // 2 :])[: profile().mark_frames]
    grams = stage.grid.gram(stage.grid.pair_values(stage.grid.block_products(frames), 0.0))
    whole, lower = (float(statistic.score(grams[used], columns[used])) for used in (slice(4), slice(2)))
    assert lower > whole + 1
    assert found.score == pytest.approx(lower - statistic.LOW_HANDICAP, abs=0.5)


@pytest.mark.parametrize("shape", [(16, 2), (8, 4), (24, 1)])
def test_other_shapes_of_key(shape: tuple[int, int]):
    key = keysearch.generate(profile_of_shape(*shape), np.random.default_rng(4))
    samples = embed(clip(), RATE, key, at=[1.7], strength=-12, judge=False).samples
    for engine in ANY_KEY:
        found = detect(samples, which=[key], engine=engine)
        assert len(found) == 1
        assert abs(found[0].sample - 1.7 * RATE) <= HOP


# The same whatever the form


@cache
def whole(rate: int, engine: str, type_name: str) -> tuple[list[Detection], float]:
    detector = Detector(keys(), rate, engine=engine, threshold=3.0)
    found = detector.process(as_type(marked(rate, seconds=5.5, strength=-18), type_name)) + detector.flush()
    return found, detector.score


def as_type(samples: Samples, name: str) -> NDArray:
    return np.rint(samples * 32767).astype(np.int16) if name == "int16" else samples.astype(name)


@settings(max_examples=24)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate=st.sampled_from([8000, 16_000, 44_100, 48_000]),
    engine=st.sampled_from(ENGINES),
    type_name=st.sampled_from(["int16", "float32", "float64"]),
    longest=st.sampled_from([600, 5000, 40_000]),
)
def test_chunking_does_not_matter(seed: int, rate: int, engine: str, type_name: str, longest: int):
    samples = as_type(marked(rate, seconds=5.5, strength=-18), type_name)
    detector = Detector(keys(), rate, engine=engine, threshold=3.0)
    found = [d for block in cut(samples, np.random.default_rng(seed), longest) for d in detector.process(block)]
    found += detector.flush()
    assert (found, detector.score) == whole(rate, engine, type_name)
    assert any(d.score > 7 for d in found)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_single_samples_are_enough(rate: int):
    samples = as_type(marked(rate, seconds=5.5, strength=-18), "float64")
    start = len(samples) // 2
    detector = Detector(keys(), rate, engine="float", threshold=3.0)
    found = detector.process(samples[:start])
    for sample in samples[start : start + 3000]:
        found += detector.process(sample[None])
    found += detector.process(samples[start + 3000 :]) + detector.flush()
    assert found == whole(rate, "float", "float64")[0]


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("engine", ENGINES)
def test_reset_is_a_new_detector(rate: int, engine: str):
    detector = Detector(keys(), rate, engine=engine, threshold=3.0)
    detector.process(clip("speech/libri_M_6836_7278.flac", rate=rate)[: rate * 4 + 123])
    detector.reset()
    assert detector.score == 0
    assert (detector.process(marked(rate, seconds=5.5, strength=-18)) + detector.flush(), detector.score) == whole(
        rate, engine, "float64"
    )


def test_types_of_samples():
    pcm = as_type(marked(), "int16")
    found = detect(pcm, threshold=3.0)
    assert found == detect(pcm / 32768.0, threshold=3.0)
    assert found == detect((pcm / 32768.0).astype(np.float32), threshold=3.0)
    assert found == detect(np.stack([pcm, pcm], axis=1), threshold=3.0)
    assert found == detect(pcm[:, None], threshold=3.0)


@pytest.mark.parametrize("engine", ["float", "fixed"])
def test_buffers_are_taken_as_on_a_device(engine: str):
    pcm = np.rint(marked() * 32_767).astype(np.int16)
    wanted = detect(pcm, engine=engine)
    assert len(wanted) == 1
    data = pcm.astype("<i2").tobytes()
    for buffer in (data, bytearray(data), memoryview(data)[:], array("h", data)):
        assert detect(buffer, engine=engine) == wanted
    for bad in (data[:-1], array("f", [0.0]), array("H", [0]), memoryview(array("h", data))[::2], 3, [1, 2], "text"):
        with pytest.raises(AirmarkError, match="a buffer of sound holds whole 16-bit samples"):
            Detector(keys()[0], RATE, engine=engine).process(bad)


@pytest.mark.parametrize("engine", ["float", "fixed"])
@pytest.mark.parametrize("rate", [RATE, 22_050])
def test_samples_are_counted_from_the_first_ones_number(engine: str, rate: int):
    (at_zero,) = detect(marked(rate), rate, engine=engine)
    (later,) = detect(marked(rate), rate, engine=engine, first_sample=2**40)
    assert later == replace(at_zero, sample=at_zero.sample + 2**40, time_s=later.time_s)
    assert later.time_s == pytest.approx(later.sample / rate)
    for wrong in (-1, 2**63, 1.5):
        with pytest.raises(AirmarkError, match=f"a first sample of {wrong}: give a whole number from 0"):
            Detector(keys()[0], RATE, first_sample=wrong)


@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_integers_a_file_had_nothing_is_missed_unsaid(engine: str):
    """int16 of either byte order is one sound; of other integers nobody can know the full scale."""
    sound = np.round(32767 * marked()).astype(np.int16)
    wanted = detect(sound, RATE, engine=engine)
    assert len(wanted) == 1
    assert detect(sound.astype(">i2"), RATE, engine=engine) == wanted
    for other in (np.int32, np.uint8, np.uint16, bool, complex, object):
        with pytest.raises(AirmarkError, match="the sound is an array of int16, or of floating point"):
            detect(sound.astype(other), RATE, engine=engine)
    for shape in ((RATE, 0), (RATE, 1, 1), ()):
        with pytest.raises(AirmarkError, match="the sound is an array of shape"):
            detect(np.zeros(shape), RATE, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_any_threshold_that_is_a_number_can_be_had(engine: str):
    for threshold in (1e307, -1e307):
        Detector(keys()[0], RATE, threshold=threshold, engine=engine)


def test_a_rate_is_a_whole_number():
    for rate in (16_000.0, True, "16000"):
        with pytest.raises(AirmarkError, match="a sample rate is a whole number of Hz"):
            Detector(keys()[0], rate)  # type: ignore[arg-type]


def test_the_input_is_left_alone():
    samples = marked().copy()
    detect(samples)
    assert np.array_equal(samples, marked())


@pytest.mark.parametrize("level_db", [-60, -50, -40, -20, 0])
def test_level_does_not_matter(level_db: float):
    loudest = marked() / np.abs(marked()).max()
    found = detect(loudest * 10 ** (level_db / 20))
    assert len(found) == 1
    assert abs(found[0].sample - 2.5 * RATE) <= HOP
    if level_db >= -40:
        pcm = np.rint(loudest * 10 ** (level_db / 20) * 32767).astype(np.int16)
        assert len(detect(pcm)) == 1


def test_offset_and_clipping_do_not_hide_a_mark():
    for heard in (marked() * 0.7 + 0.3, np.clip(4 * marked(), -1, 1), -marked()):
        found = detect(heard)
        assert len(found) == 1
        assert abs(found[0].sample - 2.5 * RATE) <= HOP


# Junk


def junk(name: str, rate: int) -> NDArray:
    n = 8 * rate
    time = np.arange(n) / rate
    return {
        "silence": lambda: np.zeros(n),
        "silence, int16": lambda: np.zeros(n, np.int16),
        "negative zero": lambda: -np.zeros(n),
        "offset": lambda: np.full(n, 0.3),
        "full scale": lambda: np.full(n, -1.0),
        "full scale, int16": lambda: np.full(n, -32768, np.int16),
        "flips": lambda: np.where(np.arange(n) % 2, 1.0, -1.0),
        "flips, int16": lambda: np.where(np.arange(n) % 2, 32767, -32768).astype(np.int16),
        "square": lambda: np.sign(np.sin(2 * np.pi * 100 * time)),
        "square on the grid": lambda: np.sign(np.sin(2 * np.pi * 125 * time + 0.1)),
        "clipped": lambda: np.clip(100 * np.sin(2 * np.pi * 441.3 * time), -1, 1),
        "sine": lambda: np.sin(2 * np.pi * 1000 * time),
        "click": lambda: np.eye(1, n, n // 2)[0],
        "clicks": lambda: (np.arange(n) % (rate // 8) == 0).astype(float),
        "last bit": lambda: np.random.default_rng(0).integers(-1, 2, n).astype(np.int16),
        "gaps": lambda: np.where((time * 3) % 1 < 0.5, np.random.default_rng(0).standard_normal(n) * 0.1, 0.0),
        "noise": lambda: np.random.default_rng(1).uniform(-1, 1, n),
        "far beyond full scale": lambda: np.random.default_rng(2).standard_normal(n) * 1e30,
        "denormal": lambda: np.random.default_rng(2).standard_normal(n) * 1e-310,
    }[name]()


JUNK = ("silence", "silence, int16", "negative zero", "offset", "full scale", "full scale, int16", "flips")
JUNK += ("flips, int16", "square", "square on the grid", "clipped", "sine", "click", "clicks", "last bit", "gaps")
JUNK += ("noise", "far beyond full scale", "denormal")


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("name", JUNK)
def test_junk_is_not_a_mark(name: str, rate: int):
    with np.errstate(all="raise", under="ignore"):
        for engine in ENGINES:
            detector = Detector(keys(), rate, engine=engine, threshold=-50.0 if engine == "full" else 0.0)
            levels = []
            found = []
            for block in np.array_split(junk(name, rate), 40):
                found += detector.process(block)
                levels.append(detector.score)
            found += detector.flush()
            assert np.isfinite(levels).all()
            assert np.isfinite([(d.score, d.drift_ppm, d.time_s) for d in found]).all()
            assert all(d.score < thresholds.threshold(thresholds.ONE_A_YEAR) for d in found)
            assert len(found) or engine != "full"


def test_a_gap_of_silence_or_offset_before_a_mark_changes_nothing():
    for before in (np.zeros(3 * RATE), np.full(3 * RATE, 0.5)):
        found = detect(np.concatenate([before, marked()]))
        assert [abs(d.sample - 5.5 * RATE) <= HOP for d in found] == [True]


def test_shipped_recordings_are_silent():
    for name in ("music/vibeace_0.flac", "music/brahms_0.flac", "speech/libri_M_6836_7278.flac"):
        assert detect(clip(name), which=keys(), engine="full") == []


# Wrong use


def test_the_engine_in_c_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "airmark.native", None)
    assert [is_built(engine) for engine in (*ENGINES, "c")] == [True, True, True, False]
    with pytest.raises(AirmarkError, match="the c engine was not built: run 'reference/install'"):
        Detector(keys(), RATE, engine="c")


@needs_engine("c")
@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_the_default_engine_is_c_where_that_takes_the_keys(rate: int):
    detector = Detector(keys()[:1], rate)
    assert detector.engine == "c"
    found = detector.process(marked(rate)) + detector.flush()
    assert found == detect(marked(rate), rate, engine="c")
    assert len(found) == 1
    other = Key(np.ones((16, 1, 4)), profile_of_shape(16))
    assert Detector(other, rate).engine == "float"
    rng = np.random.default_rng(0)
    many = [Key(rng.choice((-1, 1), profile().key_shape), profile()) for _ in range(65)]
    most = import_module("airmark.native").NativeDetector.MAX_KEYS
    assert [Detector(many[:count]).engine for count in (2, 65)] == ["c", "c" if most >= 65 else "float"]


@pytest.mark.parametrize("command", ["detect", "listen --input"])
def test_without_the_engine_in_c_the_command_says_so_once(command: str, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "airmark.native", None)
    assert Detector(keys()).engine == "float"
    keys()[0].save(tmp_path / "default.json")
    Key(np.ones((16, 1, 4)), profile_of_shape(16)).save(tmp_path / "other.json")
    soundfile.write(tmp_path / "sound.wav", np.zeros(RATE // 10), RATE)
    words = [*command.split(), str(tmp_path / "sound.wav"), "--key"]
    assert main([*words, str(tmp_path / "default.json")]) == 1
    out, err = capsys.readouterr()
    assert "engine float" in out
    assert (err.count("\n"), err.count("the c engine was not built")) == (1, 1)
    for more in (["other.json"], ["default.json", "--engine", "float"])[: 1 if "listen" in command else 2]:
        assert main([*words, str(tmp_path / more[0]), *more[1:]]) == 1
        assert capsys.readouterr().err == ""


@needs_engine("c")
def test_detect_names_the_engine_and_its_false_alarms(tmp_path: Path, capsys):
    keys()[0].save(tmp_path / "key.json")
    soundfile.write(tmp_path / "sound.wav", np.zeros(RATE // 10), RATE)
    words = ["detect", str(tmp_path / "sound.wav"), "--key", str(tmp_path / "key.json")]
    for options, engine in ([], "c"), (["--engine", "float"], "float"):
        assert main([*words, *options]) == 1
        year = thresholds.threshold(thresholds.ONE_A_YEAR, engine=engine)
        heading = capsys.readouterr().out.splitlines()[0]
        assert heading == f"threshold {year:.2f} (1 false alarm a year), engine {engine}"
    assert main([*words, "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["engine"] == "c"
    assert result["false_alarms_per_day"] == pytest.approx(thresholds.ONE_A_YEAR)


@needs_engine("c")
@pytest.mark.parametrize(("threshold", "engine", "more"), [(3.9, "c", True), (4, "c", False), (3.9, "float", False)])
def test_detect_says_where_more_false_alarms_come_than_were_counted(threshold, engine, more, tmp_path: Path, capsys):
    keys()[0].save(tmp_path / "key.json")
    soundfile.write(tmp_path / "sound.wav", np.zeros(RATE // 10), RATE)
    words = ["detect", str(tmp_path / "sound.wav"), "--key", str(tmp_path / "key.json"), "--engine", engine]
    assert main([*words, "--threshold", str(threshold)]) == 1
    assert (f"{threshold:.2f} (more than " in capsys.readouterr().out) == more
    assert main([*words, "--threshold", str(threshold), "--json"]) == 1
    assert (json.loads(capsys.readouterr().out)["false_alarms_per_day"] is None) == more


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers(value: float):
    detector = Detector(keys(), RATE, engine="float", threshold=3.0)
    samples = marked(seconds=5.5, strength=-18)
    bad = samples[:1000].copy()
    bad[500] = value
    with pytest.raises(AirmarkError, match="not finite"):
        detector.process(bad)
    # Nothing of the refused block was taken.
    assert detector.process(samples) + detector.flush() == whole(RATE, "float", "float64")[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 3}, "sample rate of 3 Hz"),
        ({"rate": 1_000_000}, "sample rate of 1000000 Hz"),
        ({"engine": "fast"}, "no engine 'fast': there are full, float, fixed, c"),
        ({"threshold": np.nan}, "threshold"),
        ({"threshold": np.inf}, "threshold"),
        ({"threshold": "x"}, "a threshold of x is no score"),
        ({"false_alarms_per_day": "x"}, "false alarms a day"),
        ({"keys": "k.json"}, "a key is what Key.load gives, not str"),
        ({"keys": ["k.json"]}, "a key is what Key.load gives, not str"),
        ({"keys": None}, "a key is what Key.load gives, not NoneType"),
        ({"false_alarms_per_day": np.nan}, "false alarms a day"),
        ({"false_alarms_per_day": 0.0}, "false alarms a day"),
        ({"false_alarms_per_day": -1.0}, "false alarms a day"),
        ({"threshold": 6.0, "false_alarms_per_day": 1.0}, "threshold"),
        ({"keys": []}, "at least one key"),
    ],
)
def test_wrong_use(options: dict, message: str):
    with pytest.raises(AirmarkError, match=message):
        Detector(**({"keys": keys(), "rate": RATE} | options))


def test_keys_of_two_profiles():
    other = Key(np.ones((8, 2, 4)), profile_of_shape(8, 2))
    with pytest.raises(AirmarkError, match="another profile"):
        Detector([keys()[0], other])


# Threshold


@pytest.mark.parametrize("engine", ["float", "c"])
@given(st.floats(1e-7, 30), st.floats(1.01, 10), st.integers(1, 1000), st.floats(-1, 12))
def test_thresholds_are_monotone(engine: str, per_day: float, factor: float, count: int, score: float):
    threshold = thresholds.threshold(per_day, count, engine)
    assert thresholds.threshold(per_day / factor, count, engine) > threshold
    assert thresholds.threshold(per_day, count + 1, engine) > threshold
    assert thresholds.per_day(threshold, count, engine) == pytest.approx(per_day, rel=1e-6)
    assert thresholds.per_day(threshold + 0.1, count, engine) < per_day
    assert thresholds.per_day(score, count, engine) >= thresholds.per_day(score + 0.1, count, engine)


@pytest.mark.parametrize("engine", ["full", "float", "fixed", pytest.param("c", marks=needs_engine("c"))])
def test_the_default_is_one_a_year_all_keys_together(engine: str):
    one, three = Detector(keys()[0], engine=engine), Detector(keys(), engine=engine)
    assert thresholds.per_day(one.threshold, engine=engine) == pytest.approx(1 / 365.25)
    assert thresholds.per_day(three.threshold, 3, engine) == pytest.approx(1 / 365.25)
    assert three.threshold > one.threshold
    assert Detector(keys()[0], engine=engine, false_alarms_per_day=1).threshold < one.threshold
    assert Detector(keys()[0], engine=engine, threshold=4.25).threshold == 4.25


def test_thresholds_of_one_key():
    """One a day, one a month, one a year: what the READMEs and the firmware's tables have."""
    for engines, scores in ((("full", "float"), (5.520, 6.092, 6.478)), (("fixed", "c"), (5.161, 5.918, 6.373))):
        for engine in engines:
            found = [thresholds.threshold(rate, engine=engine) for rate in (1, 12 / 365.25, 1 / 365.25)]
            assert found == pytest.approx(scores, abs=5e-4)


def test_integer_engines_expect_what_was_heard():
    """LET_THROUGH_C against the counts that it was fitted to, in 423.28 days."""
    days = 423.28
    counts = {4.5: 3900, 4.75: 1849, 5.0: 754, 5.25: 300, 5.5: 100, 5.75: 30, 6.0: 4, 6.25: 3}
    for score, heard in counts.items():
        low, high = poisson.interval(0.99, days * thresholds.per_day(score, engine="c"))
        assert low <= heard <= high, score
    # Further down, where it was not fitted, more were heard than it expects, by 2 and 9 %.
    for score, heard in {4.0: 14_098, 4.25: 7675}.items():
        assert 1 < heard / (days * thresholds.per_day(score, engine="c")) < 1.1, score
    assert thresholds.threshold(5e3 / 200, engine="c") > thresholds.LEAST_C
    with pytest.raises(
        AirmarkError, match=r"200 false alarms a day: engine c was counted up to 30\.6 a day with 1 key"
    ):
        thresholds.threshold(200, engine="c")


# The first stages


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_frames_do_not_depend_on_level(seed: int):
    x = np.random.default_rng(seed).standard_normal(2000) * 0.1
    p, gains = profile(), (1.0, 0.125, 8.0, 0.3)
    frames = [FrameStage(p).process(x * gain) for gain in gains]
    differences = np.diff(x, prepend=0.0)
    stretches = np.lib.stride_tricks.sliding_window_view(differences, p.fft)[:: p.hop] * window(p.fft)
    spectra = np.fft.rfft(stretches, axis=1)[:, p.bins.start : p.bins.stop]
    least = np.minimum(np.abs(spectra.real), np.abs(spectra.imag))
    for gain, other in zip(gains[1:], frames[1:], strict=True):
        # Only parts that count as zero at either level may turn, for they are drawn: 1 bin in 9,000 at an eighth.
        assert not ((frames[0] != other) & (least * min(gain, 1) > 1.001 * ZERO)).any()
    assert set(np.unique(frames[0].real)) == set(np.unique(frames[0].imag)) == {-1.0, 1.0}


def test_zeros_are_drawn_and_do_not_repeat():
    frames = FrameStage(profile()).process(np.zeros(RATE * 60))
    assert set(np.unique(frames.real)) == {-1.0, 1.0}
    # All frames draw from one table, so that means scatter by the root of its length, however many frames there are.
    scatter = 1 / np.sqrt(2 * DRAWN_SIGNS)
    assert max(abs(frames.real.mean()), abs(frames.imag.mean())) < 3 * np.sqrt(2) * scatter
    x = np.stack([frames.real, frames.imag], axis=-1).reshape(len(frames), -1)
    products = np.array([(x[lag:] * x[:-lag]).mean() for lag in range(1, 600)])
    assert products.std() < 1.05 * scatter
    # Of 599 normal values the largest is 3.2 deviations out.
    assert np.abs(products).max() < 4 * scatter


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 192_000])
def test_the_rate_conversion_keeps_the_place(rate: int):
    x = np.zeros(rate)
    x[rate // 2] = 1
    stage = InputStage(rate, profile())
    y = np.concatenate([stage.process(x), stage.process(np.zeros(rate))])
    assert int(np.argmax(np.abs(y))) == RATE // 2


# Memory


def test_memory_does_not_grow():
    """An hour of sound where AIRMARK_LONG=1, else a minute: thirty marks' length."""
    rate = 44_100
    detector = Detector(keys()[0], rate, engine="float")
    second = np.random.default_rng(0).integers(-3000, 3000, rate).astype(np.int16)
    second[: len(second) // 2] = marked(rate)[3 * rate : 3 * rate + len(second) // 2] * 32767

    def listen(seconds: int) -> None:
        for _ in range(seconds):
            for block in np.array_split(second, 10):
                detector.process(block)

    listen(10)
    more, most = growth(listen, 5, 3600 if LONG else 60)
    assert more < 20_000
    assert most < 20_000_000


def test_a_key_given_twice_is_refused():
    with pytest.raises(AirmarkError, match="twice"):
        Detector([keys()[0], keys()[0]])
