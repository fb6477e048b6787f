"""Codecs: each runs, keeps the sound and is as late as it says."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from airmark import codecs
from airmark.assets import data_path
from airmark.errors import AirmarkError


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    """Four seconds of speech at 16 kHz."""
    x: NDArray[np.float32] = soundfile.read(data_path("speech/libri_F_2007_2817.flac"), dtype="float32")[0]
    return x[: 4 * 16000]


def lateness(late: NDArray[np.float32], x: NDArray[np.float32]) -> float:
    """Samples, to a quarter, by which late is behind x: the peak of their cross-correlation."""
    n = 1 << (len(late) + len(x) - 1).bit_length()
    product = np.fft.rfft(late, n) * np.conj(np.fft.rfft(x, n))
    correlation = np.fft.irfft(product, 4 * n)
    peak = int(np.argmax(correlation))
    return (peak - 4 * n if peak > 2 * n else peak) / 4


def advance(y: NDArray[np.float32], delay: float) -> NDArray[np.float64]:
    """y, earlier by that many samples, a fraction too; its start and end are joined, so they must be alike."""
    shift = np.exp(2j * np.pi * np.fft.rfftfreq(len(y)) * delay)
    out: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(y) * shift, len(y))
    return out


def likeness(name: str) -> float:
    """The correlation with the input that a codec must reach: AMR and GSM model the voice, the others its waveform."""
    return {"amr": 0.7, "gsm": 0.8}.get(name, 0.94)


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("name", codecs.names())
def test_is_as_late_as_declared_and_keeps_the_sound(name: str, rate: int, speech: NDArray[np.float32]) -> None:
    x = speech if rate == 16000 else soxr.resample(speech, 16000, rate)
    y, y_rate, delay = codecs.roundtrip(x, rate, name)
    assert y_rate == rate
    assert y.dtype == np.float32
    assert y.shape == (len(x) + int(np.ceil(delay)),)
    assert lateness(y, x) == pytest.approx(delay, abs=1.5 * max(1, rate / codecs.parse(name).rate(rate)))
    aligned = advance(y, delay)[: len(x)]
    assert np.corrcoef(aligned, x)[0, 1] > likeness(name)
    assert np.abs(aligned - x).max() > 1e-4


@pytest.mark.parametrize("name", [name for name in codecs.names() if name not in ("amr", "gsm")])
def test_click_comes_where_declared(name: str) -> None:
    rate = codecs.parse(name).rate(16000)
    x = np.zeros(rate, np.float32)
    burst = np.sin(2 * np.pi * 1000 * np.arange(rate // 250) / rate) * np.hanning(rate // 250)
    place = rate // 2
    x[place : place + len(burst)] = 0.5 * burst
    y, _, delay = codecs.roundtrip(x, rate, name)
    assert lateness(y, x) == pytest.approx(delay, abs=3)


@pytest.mark.parametrize("name", codecs.names())
def test_repeatable(name: str, speech: NDArray[np.float32]) -> None:
    first = codecs.roundtrip(speech[:16000], 16000, name)[0]
    assert np.array_equal(first, codecs.roundtrip(speech[:16000], 16000, name)[0])


@pytest.mark.parametrize("name", codecs.names())
def test_two_channels_stay_apart_or_become_one(name: str, speech: NDArray[np.float32]) -> None:
    rate = 48000
    left = soxr.resample(speech[:16000], 16000, rate)
    right = soxr.resample(speech[20000:36000], 16000, rate)
    y, _, delay = codecs.roundtrip(np.stack([left, right], axis=1), rate, name)
    if codecs.KINDS[name].mono:
        assert y.ndim == 1
        assert np.corrcoef(advance(y, delay)[: len(left)], left + right)[0, 1] > likeness(name)
    else:
        assert y.shape[1] == 2
        for channel, x in enumerate((left, right)):
            assert np.corrcoef(advance(y[:, channel], delay)[: len(x)], x)[0, 1] > likeness(name)


def test_lower_bit_rate_costs_quality(speech: NDArray[np.float32]) -> None:
    x = soxr.resample(speech, 16000, 44100)

    def error(spec: str) -> float:
        y, _, delay = codecs.roundtrip(x, 44100, spec)
        return float(np.mean((y[round(delay) :][: len(x)] - x) ** 2))

    assert error("mp3:32k") > 2 * error("mp3:128k")
    assert error("aac:24k") > 2 * error("aac:96k")


def test_bit_rate_is_the_one_asked_for(speech: NDArray[np.float32]) -> None:
    for spec, asked in (("mp3:64k", 64000), ("opus:32k", 32000), ("aac:96k", 96000), ("amr:12.2k", 12200)):
        codec = codecs.parse(spec)
        rate = codec.rate(44100)
        x = soxr.resample(speech, 16000, rate)[:, None]
        packets, _, _ = codecs.encode(x, rate, codec)
        sent = 8 * sum(map(len, packets)) / ((len(x) + 8192) / rate)
        assert sent == pytest.approx(asked, rel=0.12), spec


def test_msbc_is_the_hands_free_profile_s(speech: NDArray[np.float32]) -> None:
    packets, _, _ = codecs.encode(speech[:, None], 16000, codecs.parse("msbc"))
    # 15 blocks of 8 sub-bands with bitpool 26 are frames of 57 bytes, 7.5 ms each; their sync word is 0xAD.
    assert {len(packet) for packet in packets} == {57}
    assert {packet[:3] for packet in packets} == {b"\xad\0\0"}
    assert len(packets) == (len(speech) + 8192) // 120


def tone_through_cvsd(hz: float, amplitude: float) -> tuple[float, float]:
    """Gain of a tone through CVSD, and its SNR, dB."""
    t = np.arange(16000) / 8000
    y = codecs.cvsd((amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32))[1000:-1000]
    basis = np.stack([np.sin(2 * np.pi * hz * t), np.cos(2 * np.pi * hz * t)], axis=1)[1000:-1000]
    parts = np.linalg.lstsq(basis, y, rcond=None)[0]
    rest = y - basis @ parts
    return float(np.hypot(*parts) / amplitude), float(10 * np.log10(np.mean((basis @ parts) ** 2) / np.mean(rest**2)))


def test_cvsd_follows_a_tone_up_to_its_steepest_slope() -> None:
    # De Jager's best SNR of delta modulation, 0.04 fs³ / (f² fm), is 34 dB at 1,020 Hz, 64 kHz and 4 kHz.
    for amplitude in (0.01, 0.1):
        gain, snr = tone_through_cvsd(1020, amplitude)
        assert gain == pytest.approx(1, abs=0.02)
        assert 25 < snr < 35
    # It climbs 1,280 of 32,768 a bit at most: a steeper tone becomes a triangle, 8/π² of its peak, less the leak.
    peak = 1280 / 32768 * 64000 / 1020 / 4
    gain, snr = tone_through_cvsd(1020, 0.8)
    assert 0.85 < gain / (8 / np.pi**2 * peak / 0.8) < 1
    assert snr < 20
    assert np.abs(codecs.cvsd(np.zeros(8000, np.float32))).max() < 0.002


def test_clips_what_exceeds_full_scale() -> None:
    x = (1.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.float32)
    assert np.array_equal(codecs.roundtrip(x, 8000, "alaw")[0], codecs.roundtrip(x.clip(-1, 1), 8000, "alaw")[0])


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("mp4", "no codec 'mp4': give one of mp3"),
        ("lc3", "no codec 'lc3'"),
        ("mp3:64", "mp3:64k"),
        ("", "no codec ''"),
        ("msbc:60k", "no choice of bit rate"),
        ("opus:9000k", "between 4k and 640k"),
        ("mp2:500k", "refuses 500k"),
        ("mp3:4k", "has no 4k at 48000 Hz"),
        ("mp3:600k", "has no 600k at 48000 Hz"),
        ("amr:64k", "has no 64k at 8000 Hz"),
    ],
)
def test_wrong_spec_is_one_clear_line(spec: str, says: str) -> None:
    with pytest.raises(AirmarkError) as caught:
        codecs.roundtrip(np.zeros(1000, np.float32), 48000, spec)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(0,), (1000, 3), (10, 2, 2)])
def test_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AirmarkError):
        codecs.roundtrip(np.zeros(shape, np.float32), 48000, "mp3")


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
@pytest.mark.parametrize("n", [1, 17, 1000])
@pytest.mark.parametrize("name", codecs.names())
def test_short_sounds_and_any_rate_go_through(name: str, n: int, rate: int) -> None:
    x = (0.1 * np.random.default_rng(n).standard_normal((n, 2))).astype(np.float32)
    y, _, delay = codecs.roundtrip(x, rate, name)
    assert len(y) == n + np.ceil(delay)
    assert np.isfinite(y).all()


@pytest.mark.parametrize("spec", ["opus:32k", "aac:96k"])
def test_codecs_may_spend_more_on_some_sounds(spec: str) -> None:
    t = np.arange(2 * 48000) / 48000
    noise = np.random.default_rng(0).normal(0, 0.1, (len(t), 2))
    tones = np.mean([np.sin(2 * np.pi * f * t) for f in (220, 331, 445, 561, 1013, 1777, 2501, 3333)], axis=0)[:, None]
    sounds = [x.astype(np.float32) for x in (tones, np.where(9 * t % 1 < 0.4, 1, 0)[:, None] * noise)]
    codec = codecs.parse(spec)
    sent = [8 * sum(map(len, codecs.encode(x, 48000, codec)[0])) * 48000 / (len(x) + codecs.PADDING) for x in sounds]
    assert max(sent) > 1.6 * (codec.bitrate or 0)


def test_a_bit_rate_that_a_codec_goes_never_down_to_is_refused(speech: NDArray[np.float32]) -> None:
    fast = soxr.resample(speech, 16000, 48000)
    for samples in (fast, fast[:1000], np.zeros(1000, np.float32)):
        with pytest.raises(AirmarkError, match="has no 8k at 48000 Hz"):
            codecs.roundtrip(samples, 48000, "aac:8k")
