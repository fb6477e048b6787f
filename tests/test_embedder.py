"""The embedder: marks where they were asked for, as strong as asked for, and nothing else changed."""

from __future__ import annotations

import json
import sys
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from airmark import embedder, keysearch
from airmark.assets import data_path
from airmark.audio import quantise
from airmark.cli import main
from airmark.detector import Detector
from airmark.embedder import embed
from airmark.errors import AirmarkError, MissingExtraError
from airmark.keys import Key
from airmark.profile import profile

RATE = 16_000
MARK = profile().mark_samples
HOP = profile().hop

Samples = NDArray[np.float64]


@cache
def keys() -> list[Key]:
    return list(islice(keysearch.Search(profile(), np.random.default_rng(12)).found(), 2))


@cache
def clip(name: str = "music/vibeace_0.flac", rate: int = RATE, seconds: float = 6.0) -> Samples:
    x, own = soundfile.read(data_path(name))
    x = x[: round(seconds * own)]
    x = x if own == rate else soxr.resample(x, own, rate, "VHQ")
    out = quantise(np.clip(x, -1, 1 - 2.0**-15), "PCM_16")
    out.setflags(write=False)
    return out


def places(samples: NDArray, rate: int = RATE, key: Key | None = None) -> list[int]:
    detector = Detector(key or keys()[0], rate, engine="float")
    return [d.sample for d in detector.process(samples) + detector.flush()]


def outside(n: int, marks: list[embedder.Mark]) -> NDArray[np.bool_]:
    """Which of n samples are in no mark."""
    out = np.ones(n, bool)
    for mark in marks:
        out[mark.sample : mark.sample + mark.samples] = False
    return out


# Places


@pytest.mark.parametrize("pattern", ["adaptive", "causal", "noise"])
@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 96_000])
def test_marks_are_where_they_were_asked_for(pattern: str, rate: int):
    host = clip(rate=rate)
    embedded = embed(host, rate, keys()[0], at=[3.8, 0.8], pattern=pattern, strength=-12, judge=False)
    assert [m.sample for m in embedded.marks] == [round(0.8 * rate), round(3.8 * rate)]
    assert {m.samples for m in embedded.marks} == {-(-MARK * rate // RATE)}
    assert [m.time_s for m in embedded.marks] == [m.sample / rate for m in embedded.marks]
    assert embedded.samples.shape == (len(host), 1)
    changed = embedded.samples[:, 0] != host
    assert not changed[outside(len(host), embedded.marks)].any()
    assert changed[~outside(len(host), embedded.marks)].mean() > 0.9
    found = places(embedded.samples, rate)
    assert len(found) == 2
    assert all(abs(f - m.sample) <= HOP * rate / RATE for f, m in zip(found, embedded.marks, strict=True))


def test_the_host_is_left_alone():
    host = clip().copy()
    embed(host, RATE, keys()[0], at=[1.0], strength=-12, judge=False)
    assert np.array_equal(host, clip())


def test_near_moves_to_a_better_place():
    """A host that sounds only after the place asked for."""
    host = clip().copy()
    host[: round(1.6 * RATE)] = 0
    asked = 1.0
    at, near = (
        embed(host, RATE, keys()[0], strength=-14, judge=False, **{kind: [asked]}).marks[0] for kind in ("at", "near")
    )
    assert at.sample == asked * RATE
    assert abs(near.sample - asked * RATE) <= embedder.NEAR_S * RATE
    assert near.sample > at.sample
    assert near.predicted_score > at.predicted_score


@pytest.mark.parametrize(("at", "near"), [(0.2, 1.5), (3.5, 0.9), (2.2, 0.0), (0.0, 3.9)])
def test_near_gives_way_to_at_and_to_the_ends(at: float, near: float):
    marks = embed(clip(), RATE, keys()[0], at=[at], near=[near], strength=-14, judge=False).marks
    first, second = (m.sample for m in marks)
    assert second - first >= MARK
    assert round(at * RATE) in (first, second)
    assert abs((second if at < near else first) - near * RATE) <= embedder.NEAR_S * RATE
    assert first >= 0
    assert second + MARK <= len(clip())


def test_everywhere_is_mark_after_mark_from_the_first_sound():
    host = clip().copy()
    host[:5000] = 0
    first = int(np.flatnonzero(host)[0])
    marks = embed(host, RATE, keys()[0], strength=-14, judge=False).marks
    assert [m.sample for m in marks] == list(range(first, len(host) - MARK + 1, MARK))


def test_span():
    marks = embed(clip(), RATE, keys()[0], span=(1.5, 6.0), strength=-14, judge=False).marks
    assert [m.sample for m in marks] == [24_000, 24_000 + MARK]
    marks = embed(clip(), RATE, keys()[0], near=[1.6], span=(1.5, 6.0), strength=-14, judge=False).marks
    assert 24_000 <= marks[0].sample <= 6 * RATE - MARK


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": [1.0, 2.0]}, "over another one"),
        ({"at": [1.0, 1.0]}, "over another one"),
        ({"at": [5.5]}, "not inside"),
        ({"at": [100.0]}, "not inside"),
        ({"near": [100.0]}, "not inside"),
        ({"at": [-1.0]}, "no place"),
        ({"at": [1e300]}, "no place"),
        ({"at": [np.nan]}, "no place"),
        ({"near": [np.inf]}, "no place"),
        ({"at": [1.0], "span": (2.0, 6.0)}, "not inside"),
        ({"span": (3.0, 2.0)}, "not inside"),
        ({"span": (3.0, 3.0)}, "not inside"),
        ({"span": (0.0, 8.0)}, "not inside"),
        ({"span": (-1.0, 3.0)}, "no place"),
        ({"span": (0.0, np.nan)}, "no place"),
        ({"span": (0.0, 1.0)}, "too short"),
        ({"strength": -3.0}, "audible"),
        ({"strength": np.nan}, "strength"),
        ({"strength": np.inf}, "audible"),
        ({"strength": -200.0}, "nothing to find"),
        ({"pattern": "loud"}, "no pattern 'loud'"),
        ({"at": 1.0}, r"at is a sequence of places in seconds, such as \[3.0\], not 1.0"),
        ({"at": ["x"]}, r"at is a sequence of places in seconds, such as \[3.0\], not \['x'\]"),
        ({"near": "x"}, "near is a sequence of places"),
        ({"strength": "auto"}, "auto is not a number: give -60 to -6 dB, or None for auto"),
        ({"key": "k.json"}, "a key is what Key.load gives, not str"),
        ({"samples": [0.0]}, r"the recording is an array of shape \(n,\) or \(n, channels\), not list"),
        ({"samples": None}, "not NoneType"),
    ],
)
def test_wrong_use(options: dict, message: str):
    with pytest.raises(AirmarkError, match=message):
        embed(**({"samples": clip(), "rate": RATE, "key": keys()[0], "judge": False} | options))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_numbers(value: float):
    host = clip().copy()
    host[3] = value
    with pytest.raises(AirmarkError, match="not finite"):
        embed(host, RATE, keys()[0], judge=False)


@pytest.mark.parametrize("shape", [(0,), (0, 2), (1,), (MARK - 1, 2)])
def test_recordings_too_short_for_a_mark(shape: tuple[int, ...]):
    with pytest.raises(AirmarkError, match=r"too short|not inside"):
        embed(np.ones(shape), RATE, keys()[0])


def test_silence_is_not_marked():
    with pytest.raises(AirmarkError, match="digital silence"):
        embed(np.zeros(5 * RATE), RATE, keys()[0])
    host = np.concatenate([np.zeros(3 * RATE), clip()])
    with pytest.raises(AirmarkError, match=r"digital silence at 0\.500 s"):
        embed(host, RATE, keys()[0], at=[0.5, 3.5], strength=-14, judge=False)
    embedded = embed(np.concatenate([clip(), np.zeros(5 * RATE)]), RATE, keys()[0], strength=-14, judge=False)
    assert embedded.silent
    assert max(m.sample for m in embedded.marks) < min(embedded.silent)
    assert max(embedded.silent) > len(clip()) + 2 * RATE

    embedded = embed(host, RATE, keys()[0], at=[3.5], strength=-14, judge=False)
    assert not embedded.samples[: 3 * RATE].any()
    # A mark half in silence: the silent half stays silent.
    embedded = embed(host, RATE, keys()[0], at=[2.0], strength=-12, judge=False)
    assert np.abs(embedded.samples[: 3 * RATE - 512]).max() == 0


def test_a_recording_beyond_what_was_asked_for_is_refused():
    host = clip() / np.abs(clip()).max() * 1.01
    with pytest.raises(AirmarkError, match=r"of full scale, beyond PCM_24: lower"):
        embed(host, RATE, keys()[0], at=[0.5], strength=-14, judge=False, sample_type="PCM_24")


def test_a_sample_that_no_sound_has_is_refused():
    """Of such a one the model of hearing ends the program."""
    host = clip().copy()
    host[100] = 1e30
    with pytest.raises(AirmarkError, match="beyond 1e\\+06 times full scale"):
        embed(host, RATE, keys()[0], at=[1.0])


def test_a_sample_type_that_there_is_not_is_refused():
    with pytest.raises(AirmarkError, match="no sample type 'int16': there are PCM_"):
        embed(clip(), RATE, keys()[0], at=[1.0], sample_type="int16")


def test_places_may_be_an_array():
    at, span = np.array([0.5, 3.0]), np.array([0.0, 6.0])
    embedded = embed(clip(), RATE, keys()[0], at=at, span=span, strength=-14, judge=False)
    assert [mark.time_s for mark in embedded.marks] == at.tolist()


# Strength and quality


@pytest.mark.parametrize("pattern", ["adaptive", "causal", "noise"])
def test_louder_is_predicted_higher(pattern: str):
    marks = [
        embed(clip(), RATE, keys()[0], at=[2.0], pattern=pattern, strength=db).marks[0]
        for db in (-30, -24, -18, -14, -10)
    ]
    scores = [m.predicted_score for m in marks]
    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + 3
    snrs = [m.quality.snr_db for m in marks if m.quality]
    assert np.diff(snrs) == pytest.approx([-6, -6, -4, -4], abs=0.1)
    mos = [m.quality.zimtohrli for m in marks if m.quality and m.quality.zimtohrli]
    assert mos == sorted(mos, reverse=True)
    assert [m.strength_db for m in marks] == [-30, -24, -18, -14, -10]


@pytest.mark.parametrize("name", ["music/vibeace_0.flac", "music/brahms_0.flac", "speech/libri_M_6836_7278.flac"])
def test_auto_keeps_to_its_target_and_its_limit(name: str):
    marks = embed(clip(name), RATE, keys()[0], at=[0.4, 3.1]).marks
    assert len(marks) == 2
    for mark in marks:
        assert mark.quality is not None
        assert mark.quality.zimtohrli is not None
        assert embedder.QUIETEST_DB <= mark.strength_db <= embedder.LOUDEST_DB
        assert mark.quality.zimtohrli >= embedder.LEAST_ZIMTOHRLI or mark.strength_db == embedder.QUIETEST_DB
        assert mark.weak == (mark.predicted_score < embedder.WEAK_SCORE)
        if mark.predicted_score < embedder.TARGET_SCORE:
            # As strong as it may be: another dB would be heard.
            louder = embed(
                clip(name), RATE, keys()[0], at=[mark.time_s], strength=min(mark.strength_db + 1, embedder.LOUDEST_DB)
            )
            quality = louder.marks[0].quality
            assert quality is not None
            heard = (quality.zimtohrli or 0) < embedder.LEAST_ZIMTOHRLI + 2e-3
            assert heard or mark.strength_db == embedder.LOUDEST_DB


def test_marks_in_a_row_keep_to_the_limit_together():
    """The first is heard once the second is made, and lowered; what is said of each is true in the end."""
    host = clip("demo.flac")[4000 : 4000 + 2 * MARK]
    embedded = embed(host, RATE, keys()[0])
    marks = embedded.marks
    assert np.diff([mark.sample for mark in marks]).tolist() == [MARK]
    for mark in marks:
        part = slice(max(0, mark.sample - RATE // 4), mark.sample + MARK + RATE // 4)
        assert mark.quality == embedder.quality.measure(host[part], embedded.samples[part, 0], RATE)
        assert mark.quality.zimtohrli is not None
        assert mark.quality.zimtohrli >= 4.951
    alone = embed(host[:MARK], RATE, keys()[0], at=[0.0]).marks[0]
    assert marks[0].strength_db < alone.strength_db
    assert np.array_equal(embed(host, RATE, keys()[0], judge=False).samples, embedded.samples)


def test_the_score_told_is_that_of_the_mark_put_in_last():
    make = embedder.Embedder(keys()[0], RATE)
    host = clip()[:, None]
    marks = make._make(make._hosts(host, 0))

    def put(*strengths_db: float) -> embedder.Mark:
        added = embedder._Added(make, host, host.copy(), 0, marks, 1.0, "FLOAT", 1.0)
        for strength_db in strengths_db:
            added.put(strength_db)
            assert added.predicted_score() == added.mark().predicted_score
        return added.mark()

    assert put(-10, -30) == put(-30)
    assert put(-30).predicted_score < put(-10).predicted_score - 1


@pytest.mark.parametrize(("beside", "expected_db"), [(0.5, -5.4), (2, 0)])
def test_a_mark_is_lowered_for_its_neighbours_only_where_that_helps(beside: float, expected_db: float):
    """A mark 2.4 dB over the limit, and a neighbour that takes half of what may be heard: 3 dB less; or twice of it."""
    make = embedder.Embedder(keys()[0], RATE)
    host = clip()[:, None]
    samples = host.copy()
    added = embedder._Added(make, host, samples, 0, make._make(make._hosts(host, 0)), 1.0, "FLOAT", 1.0)
    added.put(-10)
    mark = added.mark()
    power = np.mean((samples - host) ** 2)

    def judge(host: Samples, samples: Samples, *_: object) -> embedder.quality.Quality:
        return embedder.quality.Quality(0.0, 5 - 0.049 * (beside + 10**0.24 * np.mean((samples - host) ** 2) / power))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "_judge", judge)
        lower = make._among_neighbours(host, samples, mark, 1.0, "FLOAT", 1.0)
    assert lower.strength_db == pytest.approx(-10 + expected_db, abs=0.25)
    assert 10 * np.log10(np.mean((samples - host) ** 2) / power) == pytest.approx(lower.strength_db + 10)


def test_causal_auto_stays_where_pesq_does_not_hear_it():
    mark = embed(clip("speech/libri_M_6836_7278.flac"), RATE, keys()[0], at=[0.4], pattern="causal").marks[0]
    assert mark.predicted_score < embedder.TARGET_SCORE
    assert mark.strength_db == -8


@pytest.mark.parametrize("strength", [None, -14.0])
def test_quality_is_given_where_it_was_asked_for(strength: float | None):
    for judge in (True, False):
        marks = embed(clip(), RATE, keys()[0], at=[0.5], strength=strength, judge=judge).marks
        assert (marks[0].quality is not None) == judge


def spied(monkeypatch: pytest.MonkeyPatch, told: list | None = None) -> list[tuple[int, bool, int]]:
    """Fills up with every judgement: samples heard, whether by ViSQOL too, length of ``told`` by then."""
    calls = []
    measure = embedder.quality.measure

    def spy(host: Samples, samples: Samples, rate: int, visqol: bool = False) -> embedder.quality.Quality:
        calls.append((len(host), visqol, len(told or ())))
        return measure(host, samples, rate)

    monkeypatch.setattr(embedder.quality, "measure", spy)
    monkeypatch.setattr(embedder.quality, "check_visqol", lambda: None)
    return calls


@pytest.mark.parametrize(("judge", "steps"), [(True, 4), (False, 2)])
def test_progress_ends_when_all_is_judged(judge: bool, steps: int, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[int, int]] = []
    calls = spied(monkeypatch, told)
    make = embedder.Embedder(keys()[0], RATE, strength=-14, judge=judge)
    marks = make.embed(clip()[:, None], None, progress=lambda done, total: told.append((done, total))).marks
    assert told == [(done, steps) for done in range(steps + 1)]
    assert [(visqol, at) for _, visqol, at in calls] == ([(False, 3), (False, 4)] if judge else [])
    assert len(marks) == 2


def test_what_follows_a_mark_counts_once_it_is_made(monkeypatch: pytest.MonkeyPatch):
    """Strength auto hears a mark with what comes before it and no later mark's place; at the end all is heard."""
    calls = spied(monkeypatch)
    host = clip()[100:][: 2 * MARK + RATE // 2, None]
    embedder.Embedder(keys()[0], RATE, visqol=True).embed(host, None)
    margin = RATE // 4
    *heard, first, last = [length for length, visqol, _ in calls if not visqol]
    assert (first, last) == (MARK + margin, MARK + 2 * margin)
    assert set(heard) == {MARK, MARK + 2 * margin}
    assert heard == sorted(heard)
    assert calls[len(heard) + 2 :] == [(MARK + margin, True, 0), (MARK + 2 * margin, True, 0)]


@pytest.mark.parametrize("rate", [8000, 16_000, 192_000])
def test_power_is_of_the_mix_where_it_sounds(rate: int):
    noise = np.random.default_rng(0).standard_normal((rate, 2))
    silence = np.zeros((rate, 2))
    power = float((noise.mean(axis=1) ** 2).mean())
    assert embedder._power(np.concatenate([silence, noise, silence]), rate) == pytest.approx(power, rel=0.05)
    assert embedder._power(silence, rate) == 0
    # A burst of 1 ms is in one frame of 20 ms, whatever the rate.
    burst = np.zeros((rate, 1))
    burst[: rate // 1000] = 1
    assert embedder._power(burst, rate) == pytest.approx(1 / 20, rel=0.01)


@settings(max_examples=60)
@given(
    limit=st.integers(-250, -10).map(lambda quarters: quarters / 4 + 0.1),
    target=st.integers(-24, 2),
    lost=st.integers(0, 3),
    pattern=st.sampled_from(["adaptive", "causal"]),
)
@example(limit=-2.4, target=-13, lost=1, pattern="causal")  # one decibel more would be over its loudest
def test_auto_settles_at_the_target_or_the_last_quarter_decibel_that_is_not_heard(
    limit: float, target: int, lost: int, pattern: str
):
    """For a mark that reaches its score at ``target`` dB, written at ``lost`` more, and is heard over ``limit``."""
    tried: list[float] = []

    def predict(db: float) -> float:
        return embedder.TARGET_SCORE + db - target

    class Added(embedder._Added):
        def __init__(self) -> None:
            pass

        def put(self, strength_db: float) -> None:
            tried.append(strength_db)

        def predicted_score(self) -> float:
            return predict(tried[-1] - lost)

    def judge() -> embedder.quality.Quality:
        return embedder.quality.Quality(0.0, 5 - 0.049 * float(np.exp(0.23 * (tried[-1] - limit))))

    make = embedder.Embedder(keys()[0], RATE, pattern=pattern)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(embedder.LOUDEST_AUTO_DB, "causal", -12.5)  # no whole decibel
        make._auto(Added(), judge, predict)
        wanted = min(max(target + lost, -18), -12.5 if pattern == "causal" else -6)
        expected = wanted if wanted <= limit else max(np.floor(4 * limit) / 4, -40)
        assert tried[-1] == expected
        assert len(tried) <= 1 + lost + 2 + 3
        tried.clear()
        make._auto(Added(), lambda: embedder.quality.Quality(0.0, None), predict)
        assert tried[-1] == wanted


def test_near_takes_the_place_that_is_predicted_best():
    asked = 1.5
    places = [round(asked * RATE) + step * RATE // 8 for step in range(-8, 9)]
    scores = [embed(clip(), RATE, keys()[0], at=[at / RATE], strength=-12, judge=False).marks[0] for at in places]
    best = max(scores, key=lambda mark: mark.predicted_score)
    (near,) = embed(clip(), RATE, keys()[0], near=[asked], strength=-30, judge=False).marks
    assert near.sample == best.sample


def test_a_missing_model_is_told_before_the_work(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "visqol", None)
    with pytest.raises(MissingExtraError, match="quality"):
        embedder.Embedder(keys()[0], RATE, visqol=True)


def test_a_weak_place_is_called_weak():
    host = clip("speech/libri_M_6836_7278.flac").copy()
    host[RATE : 3 * RATE] *= 1e-3
    host[: RATE // 2 * 3] = 0
    mark = embed(host, RATE, keys()[0], at=[0.2], judge=False).marks[0]
    assert mark.weak


# Clipping


@pytest.mark.parametrize("sample_type", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("pattern", ["adaptive", "causal"])
def test_a_full_scale_host_does_not_clip(pattern: str, sample_type: str):
    top = 1 - 2.0**-15 if sample_type == "PCM_16" else 1 - 2.0**-23 if sample_type == "PCM_24" else 1.0
    host = quantise(np.clip(clip() / np.abs(clip()).max() * 5, -1, top), sample_type)
    embedded = embed(host, RATE, keys()[0], at=[0.6, 3.5], pattern=pattern, strength=-10, sample_type=sample_type)
    assert embedded.samples.max() <= top
    assert embedded.samples.min() >= -1
    assert all(m.lowered for m in embedded.marks)
    assert np.array_equal(embedded.samples, quantise(embedded.samples, sample_type))
    # No more samples at full scale than the host has: the mark doesn't flatten its peaks.
    before, after = ((np.abs(x) >= top).sum() for x in (host, embedded.samples))
    assert after <= 1.2 * before + 20
    assert len(places(embedded.samples)) == 2


def test_square_waves_at_full_scale_stay_in_range():
    time = np.arange(4 * RATE) / RATE
    host = quantise(np.clip(np.sign(np.sin(2 * np.pi * 220.5 * time)), -1, 1 - 2.0**-15), "PCM_16")
    embedded = embed(host, RATE, keys()[0], at=[1.0], strength=-9, sample_type="PCM_16", judge=False)
    assert np.abs(embedded.samples).max() <= 1


def test_float_beyond_full_scale_keeps_its_own_peak():
    host = clip() / np.abs(clip()).max() * 2.5
    embedded = embed(host, RATE, keys()[0], at=[1.0], strength=-10, judge=False)
    assert np.abs(embedded.samples).max() <= np.abs(host).max()


def test_a_quiet_host_is_not_lowered():
    assert not embed(clip() * 0.1, RATE, keys()[0], at=[1.0], strength=-10, judge=False).marks[0].lowered


# Channels


def test_channels_alike_are_marked_alike():
    mono = embed(clip(), RATE, keys()[0], at=[1.0])
    stereo = embed(np.stack([clip()] * 2, axis=1), RATE, keys()[0], at=[1.0])
    assert np.array_equal(stereo.samples[:, 0], stereo.samples[:, 1])
    assert stereo.samples[:, 0] == pytest.approx(mono.samples[:, 0], abs=1e-12)
    assert mono.marks == stereo.marks


def test_each_channel_hides_its_own_mark():
    other = clip("music/brahms_0.flac")
    n = min(len(other), len(clip()))
    host = np.stack([clip()[:n], other[:n], np.zeros(n)], axis=1)
    embedded = embed(host, RATE, keys()[0], at=[1.0], strength=-12)
    assert not embedded.samples[:, 2].any()
    assert abs(places(embedded.samples)[0] - RATE) <= HOP
    for channel in (0, 1):
        assert abs(places(embedded.samples[:, channel])[0] - RATE) <= HOP
        added = embedded.samples[:, channel] - host[:, channel]
        # Each is as far under its own host. In the band, for 18 dB more of the first host lies below it.
        spectra = np.abs(np.fft.rfft([x[RATE : RATE + MARK] for x in (host[:, channel], added)])) ** 2
        low, high = (round(hz * MARK / RATE) for hz in profile().band_hz)
        assert 10 * np.log10(np.divide(*spectra[:, low:high].sum(axis=1))) == pytest.approx(15, abs=1)


@pytest.mark.parametrize("channels", [5, 8])
def test_many_channels(channels: int):
    rng = np.random.default_rng(0)
    host = clip()[:, None] * rng.uniform(0.2, 1, channels)
    embedded = embed(host, RATE, keys()[0], at=[1.0], strength=-14, judge=False)
    assert embedded.samples.shape == host.shape
    assert len(places(embedded.samples)) == 1


# Files, through the command line


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "alpha.json"
    keys()[0].save(path)
    return path


@pytest.mark.parametrize(
    ("suffix", "subtype", "rate", "channels"),
    [
        ("flac", "PCM_16", 16_000, 1),
        ("flac", "PCM_24", 44_100, 2),
        ("wav", "PCM_U8", 22_050, 1),
        ("wav", "PCM_16", 48_000, 2),
        ("wav", "PCM_24", 11_025, 3),
        ("wav", "PCM_32", 8000, 2),
        ("wav", "FLOAT", 44_100, 2),
        ("wav", "DOUBLE", 96_000, 1),
        ("aiff", "PCM_16", 32_000, 2),
    ],
)
def test_every_sample_outside_the_marks_is_the_same(
    suffix: str, subtype: str, rate: int, channels: int, tmp_path: Path, key_file: Path, capsys
):
    rng = np.random.default_rng(3)
    host = clip(rate=rate)[:, None] * rng.uniform(0.4, 0.9, channels) + 3e-6 * rng.standard_normal(channels)
    host[: rate // 10] = 0
    source, out = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    soundfile.write(source, host, rate, subtype)
    before = source.read_bytes()
    argv = ["embed", str(source), str(out), "--key", str(key_file), "--at", "0.7", "--near", "3.5", "--json"]
    assert main([*argv, "--strength", "-12"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert source.read_bytes() == before
    old, new = (soundfile.SoundFile(path) for path in (source, out))
    assert [getattr(new, name) for name in ("samplerate", "channels", "frames", "subtype", "format")] == [
        getattr(old, name) for name in ("samplerate", "channels", "frames", "subtype", "format")
    ]
    kind = "float64" if subtype in ("FLOAT", "DOUBLE") else "int32"
    old_samples, new_samples = (file.read(dtype=kind, always_2d=True) for file in (old, new))
    inside = np.zeros(len(host), bool)
    for mark in report["marks"]:
        inside[mark["sample"] : mark["sample"] + mark["samples"]] = True
        assert set(mark["quality"]) == {"snr_db", "zimtohrli", "visqol"}
        assert mark["quality"]["zimtohrli"] > 4
        assert mark["time_s"] == pytest.approx(mark["sample"] / rate)
    assert inside.sum() == 2 * -(-MARK * rate // RATE)
    assert np.array_equal(old_samples[~inside], new_samples[~inside])
    assert (old_samples[inside] != new_samples[inside]).any()
    assert main(["detect", str(out), "--key", str(key_file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["detections"]
    marks = report["marks"]
    if subtype == "PCM_U8":
        # The first place is quiet: its mark is a tenth of a step of 8 bits, and rounding leaves 1 sample in 700 of it.
        assert marks.pop(0)["predicted_score"] < 1
    for detection, mark in zip(found, marks, strict=True):
        assert abs(detection["sample"] - mark["sample"]) <= HOP * rate / RATE
        assert detection["key"] == "alpha"


def test_detect_says_found_and_not_found(tmp_path: Path, key_file: Path, capsys):
    plain, out = tmp_path / "plain.wav", tmp_path / "marked.wav"
    soundfile.write(plain, clip(), RATE)
    assert main(["embed", str(plain), str(out), "--key", str(key_file), "--at", "2", "--strength", "-12"]) == 0
    text = capsys.readouterr().out
    assert "2.000 s" in text
    assert "-12 dB" in text
    other = tmp_path / "beta.json"
    keys()[1].save(other)
    assert main(["detect", str(plain), "--key", str(key_file)]) == 1
    assert "no mark" in capsys.readouterr().out
    assert main(["detect", str(out), "--key", str(other)]) == 1
    for engine in ("full", "float"):
        capsys.readouterr()
        assert main(["detect", str(out), "--key", str(other), str(key_file), "--engine", engine, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["engine"] == engine
        assert report["duration_s"] == pytest.approx(len(clip()) / RATE)
        assert [d["key"] for d in report["detections"]] == ["alpha"]
        assert set(report["detections"][0]) == {"sample", "time_s", "score", "drift_ppm", "early", "key", "fingerprint"}
    assert main(["detect", str(out), "--key", str(key_file), "--threshold", "50"]) == 1
    assert main(["detect", str(out), "--key", str(key_file), "--false-alarms-per-day", "0.001"]) == 0


def test_an_existing_output_is_overwritten_with_force(tmp_path: Path, key_file: Path, capsys):
    source, out = tmp_path / "in.wav", tmp_path / "out.wav"
    soundfile.write(source, clip(), RATE)
    out.write_text("old")
    argv = ["embed", str(source), str(out), "--key", str(key_file), "--at", "2", "--strength", "-12"]
    assert main(argv) == 2
    assert out.read_text() == "old"
    assert main([*argv, "--force"]) == 0
    assert soundfile.info(out).frames == len(clip())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.wav", "out.wav"]


def test_a_lossy_output_needs_lossy_and_keeps_the_mark(tmp_path: Path, key_file: Path, capsys):
    source, out = tmp_path / "in.wav", tmp_path / "out.mp3"
    soundfile.write(source, clip(rate=44_100), 44_100)
    argv = ["embed", str(source), str(out), "--key", str(key_file), "--at", "2", "--strength", "-12"]
    assert main(argv) == 2
    assert not out.exists()
    assert main([*argv, "--lossy"]) == 0
    capsys.readouterr()
    assert main(["detect", str(out), "--key", str(key_file), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["detections"]) == 1


# Strength auto at its edges


def test_a_place_that_hides_nothing_gets_a_mark_that_is_not_heard():
    time = np.arange(48_000) / 16_000
    bursts = 0.3 * np.random.default_rng(1).standard_normal(48_000) * ((time % 0.25) < 0.03)
    mark = embed(bursts, 16_000, keys()[0], at=[0.5]).marks[0]
    assert mark.weak
    assert mark.quality is not None
    assert mark.quality.zimtohrli is not None
    assert mark.quality.zimtohrli >= 4.95


def test_a_mark_that_was_lowered_is_raised_again():
    host = np.clip(4 * clip() / np.abs(clip()).max(), -1, 1 - 2.0**-15)
    mark = embed(host, 16_000, keys()[0], at=[0.5], sample_type="PCM_16").marks[0]
    assert mark.lowered
    quality = mark.quality
    assert quality is not None
    assert quality.zimtohrli is not None
    assert (
        mark.predicted_score >= embedder.TARGET_SCORE
        or quality.zimtohrli < 4.96
        or mark.strength_db == embedder.LOUDEST_DB
    )


def test_near_leaves_room_for_the_next():
    host = np.tile(clip(), 4)
    marks = embed(host, 16_000, keys()[0], near=[3.0, 5.06], judge=False, strength=-14).marks
    assert len(marks) == 2


def test_channels_that_cancel_are_marked_all_the_same():
    left = clip()
    marked = embed(np.stack([left, -left], axis=1), 16_000, keys()[0], at=[0.5], judge=False, strength=-14)
    assert np.any(marked.samples[:, 0] != left)


def test_integers_are_taken_at_their_scale():
    samples = np.round(clip() * 32767).astype(np.int16)
    a = embed(samples, 16_000, keys()[0], at=[0.5], judge=False, strength=-14)
    b = embed(samples / 32768.0, 16_000, keys()[0], at=[0.5], judge=False, strength=-14)
    assert np.array_equal(a.samples, b.samples)
