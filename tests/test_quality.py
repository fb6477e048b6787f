"""Quality figures: the top for identical signals, less the more is added, an answer or None at every edge."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from airmark.assets import data_path
from airmark.errors import AirmarkError, MissingExtraError
from airmark.quality import Quality, measure

RATE = 44_100
HOST = sf.read(data_path("demo.flac"), start=4 * RATE, frames=int(1.5 * RATE), always_2d=True)[0]
NOISE = np.random.default_rng(1).standard_normal(HOST.shape)


def noisy(host: np.ndarray, snr_db: float) -> np.ndarray:
    noise = np.resize(NOISE, host.shape)
    return host + noise * np.sqrt(np.sum(host**2) / np.sum(noise**2)) * 10 ** (-snr_db / 20)


def bursts_of_noise(seconds_on: float, *, every_s: float, seconds: float, rate: int = 16_000) -> np.ndarray:
    time_s = np.arange(int(seconds * rate)) / rate
    return np.random.default_rng(1).uniform(-0.3, 0.3, len(time_s)) * (time_s % every_s < seconds_on)


def test_identical_signals_score_the_top():
    assert measure(HOST, HOST, RATE) == Quality(snr_db=np.inf, zimtohrli=5.0)


def test_more_noise_scores_lower():
    levels = (60, 45, 30, 15, 0)
    found = [measure(HOST, noisy(HOST, level), RATE) for level in levels]
    assert [quality.snr_db for quality in found] == pytest.approx(levels, abs=1e-9)
    scores = [5.0] + [quality.zimtohrli for quality in found]
    assert all(better > worse + 0.01 for better, worse in pairwise(scores))


@pytest.mark.parametrize(
    ("package", "model", "field", "top"), [("visqol", "visqol", "visqol", 4.732), ("pesq", "pesq", "pesq_wb", 4.644)]
)
def test_optional_models_follow_the_noise(package, model, field, top):
    pytest.importorskip(package)
    scores = [
        getattr(measure(HOST, marked, RATE, **{model: True}), field)
        for marked in (HOST, noisy(HOST, 40), noisy(HOST, 25), noisy(HOST, 12))
    ]
    assert scores[0] == pytest.approx(top, abs=0.001)
    assert all(better > worse + 0.05 for better, worse in pairwise(scores))
    assert getattr(measure(np.zeros_like(HOST), HOST, RATE, **{model: True}), field) is None
    assert getattr(measure(HOST[: RATE // 5], HOST[: RATE // 5], RATE, **{model: True}), field) is None


def test_pesq_without_utterance_and_beyond_its_length_has_no_answer():
    pytest.importorskip("pesq")
    bursts = bursts_of_noise(0.3, every_s=0.52, seconds=17)
    assert measure(bursts, bursts, 16_000, pesq=True).pesq_wb is None
    part = bursts[: 4 * 16_000]
    assert measure(part, part, 16_000, pesq=True).pesq_wb == pytest.approx(4.644, abs=0.001)
    short_bursts = bursts_of_noise(0.1, every_s=0.4, seconds=8)
    assert measure(short_bursts, noisy(short_bursts, 60), 16_000, pesq=True).pesq_wb is None


def test_worst_channel_counts():
    good, bad = noisy(HOST, 50), noisy(HOST, 20)
    stereo = measure(np.hstack([HOST, HOST]), np.hstack([good, bad]), RATE)
    assert stereo == measure(HOST, bad, RATE)
    assert stereo == measure(HOST[:, 0], bad[:, 0], RATE)


def test_silence():
    silence = np.zeros((RATE, 2))
    assert measure(silence, silence, RATE) == Quality(np.inf, 5.0)
    added = measure(silence, silence + 0.01 * NOISE[:RATE], RATE)
    assert added.snr_db == -np.inf
    assert added.zimtohrli < 4


@settings(max_examples=40)
@given(
    rate=st.sampled_from([8000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000]),
    seconds=st.floats(0, 0.4),
    channels=st.integers(1, 3),
    peak=st.sampled_from([1e-9, 0.01, 1.0, 8.0]),
)
def test_any_length_rate_and_level_has_an_answer_or_none(rate, seconds, channels, peak):
    host = peak * np.random.default_rng(1).uniform(-1, 1, (int(seconds * rate), channels))
    same, other = measure(host, host, rate), measure(host, 0.9 * host, rate)
    if len(host) < 0.25 * rate:
        assert same == Quality(np.inf, None)
        assert other.zimtohrli is None
    else:
        assert same == Quality(np.inf, 5.0)
        assert 1 <= other.zimtohrli <= 5
        assert other.snr_db == pytest.approx(20)


def test_wrong_input():
    with pytest.raises(ValueError, match="one shape"):
        measure(HOST, HOST[1:], RATE)
    with pytest.raises(AirmarkError, match="NaN or infinite"):
        measure(HOST, np.full_like(HOST, np.nan), RATE)


@pytest.mark.parametrize("model", ["visqol", "pesq"])
def test_missing_model_is_named_only_when_asked_for(model, monkeypatch):
    monkeypatch.setitem(sys.modules, model, None)
    assert measure(HOST, HOST, RATE).zimtohrli == 5
    with pytest.raises(MissingExtraError, match=r"reference/install quality"):
        measure(HOST, HOST, RATE, **{model: True})
