"""The channel: each stage does what it says, in the right place, and the same again for the same seed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from airmark import channel as ch
from airmark.assets import data_path
from airmark.channel import Channel
from airmark.commands import simulate
from airmark.errors import AirmarkError, MissingExtraError

RATE = 16000


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    """Five seconds of speech at 16 kHz."""
    x: NDArray[np.float32] = soundfile.read(data_path("speech/libri_M_6836_7278.flac"), dtype="float32")[0]
    return x[: 5 * RATE]


@pytest.fixture(scope="module")
def music() -> NDArray[np.float32]:
    """Ten seconds of the demo at 44.1 kHz."""
    x: NDArray[np.float32] = soundfile.read(data_path("demo.flac"), dtype="float32")[0]
    return x[: 10 * 44100]


def place_of(part: NDArray[np.float32], received: NDArray[np.float32], near: float) -> int:
    """Where part is in received, up to 4,096 samples from near: the peak of their whitened cross-correlation."""
    first = max(0, round(near) - 4096)
    window = received[first : round(near) + len(part) + 4096]
    n = 1 << (len(part) + len(window) - 1).bit_length()
    product = np.fft.rfft(window, n) * np.conj(np.fft.rfft(part, n))
    found = int(np.argmax(np.fft.irfft(product / (np.abs(product) + 1e-9), n)))
    return first + (found if found < len(window) else found - n)


def decay_s(response: NDArray[np.float32], rate: int) -> float:
    """RT60 as T20, by backward integration (Schroeder)."""
    energy = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    level = 10 * np.log10(energy / energy[0])
    return 3 * (int(np.argmax(level < -25)) - int(np.argmax(level < -5))) / rate


# --- rooms ---


@pytest.mark.parametrize(("distance", "rt60"), [(1.0, 0.3), (3.0, 0.3), (3.0, 0.5), (6.1, 0.5), (6.5, 0.8)])
def test_simulated_room_rings_as_long_as_asked(distance: float, rt60: float) -> None:
    measured = [decay_s(ch.simulated_room(distance, rt60, RATE, seed), RATE) for seed in range(3)]
    assert np.mean(measured) == pytest.approx(rt60, rel=0.12)
    assert np.ptp(measured) < 0.2 * rt60


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("distance", [0.5, 3.0, 12.0])
def test_direct_sound_comes_after_the_distance(distance: float, rate: int) -> None:
    response = ch.simulated_room(distance, 0.3, rate, 1)
    assert ch.direct_sound(response, rate) == pytest.approx(distance / 343 * rate, abs=1)


def test_free_field_is_the_direct_sound_alone() -> None:
    response = ch.simulated_room(4.0, 0.0, RATE)
    assert int(np.argmax(response)) == round(4 / 343 * RATE)
    # A band-limited pulse between two samples: nearly all of it is within three samples.
    peak = int(np.argmax(response))
    assert np.sum(response[peak - 3 : peak + 4] ** 2) > 0.9 * np.sum(response**2)


def test_rooms_differ_by_seed_and_are_the_same_for_one() -> None:
    first = ch.simulated_room(3.0, 0.3, RATE, 5)
    assert ch.simulated_room(3.0, 0.3, RATE, 5) is first
    ch._simulated_room.cache_clear()
    assert np.array_equal(ch.simulated_room(3.0, 0.3, RATE, 5), first)
    assert not np.array_equal(ch.simulated_room(3.0, 0.3, RATE, 6)[: len(first)], first)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_measured_direct_sound_is_where_the_set_puts_it() -> None:
    # The set's rooms begin 5 ms before their onset; the direct sound follows within the millisecond.
    for name in ("homula_S1_R2", "homula_S2_R2", "openair_basement", "openair_livingroom"):
        response = ch.room_response(data_path(f"rir/{name}.flac"), RATE)
        assert 4 <= ch.direct_sound(response, RATE) / RATE * 1000 <= 6.5, name


def test_convolve_room_is_convolution_at_unit_energy(speech: NDArray[np.float32]) -> None:
    h = np.array([0, 3, 0, -4], np.float32)
    x = speech[:1000]
    assert ch.convolve_room(x, h) == pytest.approx(np.convolve(x, h / 5), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0.01, 0.3, RATE), "distance of 0.01 m"),
        ((30, 0.3, RATE), "distance of 30 m"),
        ((3, 4.0, RATE), "measured room's response"),
        ((3, 0.02, RATE), "RT60 of 0.02 s"),
        ((3, 0.1, RATE, 0, (30.0, 30.0, 10.0)), "too large for an RT60"),
        ((9, 0.5, RATE, 0, (3.0, 3.0, 2.5)), "too small for 9 m"),
    ],
)
def test_impossible_rooms_are_refused(arguments: tuple[float, float, int], says: str) -> None:
    with pytest.raises(AirmarkError, match=says):
        ch.simulated_room(*arguments)


# --- noise ---


@settings(max_examples=30)
@given(
    snr=st.floats(-20, 60),
    seed=st.integers(0, 2**32),
    channels=st.integers(1, 2),
    gain=st.floats(1e-3, 1),
)
def test_snr_is_the_one_asked_for(snr: float, seed: int, channels: int, gain: float) -> None:
    rng = np.random.default_rng(seed)
    x = (gain * rng.standard_normal((4000, channels)) * np.repeat([1, 0, 0.5, 0], 1000)[:, None]).astype(np.float32)
    x = x[:, 0] if channels == 1 else x
    active = ch.active_part(x, RATE)
    assert 2000 <= active.sum() <= 2560  # the loud halves, to whole frames of 320
    noise = rng.standard_normal(999)
    y = ch.add_noise(x.astype(np.float64), noise, snr, rng, active)
    added = y.astype(np.float64) - x
    measured = 10 * np.log10(np.mean(x[active].astype(np.float64) ** 2) / np.mean(added[active] ** 2))
    assert measured == pytest.approx(snr, abs=0.05)


def test_pauses_do_not_count_for_the_level(speech: NDArray[np.float32]) -> None:
    padded = np.concatenate([np.zeros(3 * RATE, np.float32), speech])
    active = ch.active_part(padded, RATE)
    assert not active[: 3 * RATE - 320].any()
    alone = ch.active_part(speech, RATE)
    assert np.mean(padded[active] ** 2) == pytest.approx(np.mean(speech[alone] ** 2), rel=0.01)
    assert not ch.active_part(np.zeros(1000), RATE).any()


@pytest.mark.parametrize("kind", ch.NOISES)
@pytest.mark.parametrize("n", [1, 100, 40000])
def test_noise_has_unit_power_and_length(kind: str, n: int) -> None:
    noise = ch.noise_like(kind, n, RATE, np.random.default_rng(3))
    assert noise.shape == (n,)
    assert noise.dtype == np.float32
    assert np.mean(noise.astype(np.float64) ** 2) == pytest.approx(1, rel=1e-3)
    assert np.array_equal(noise, ch.noise_like(kind, n, RATE, np.random.default_rng(3)))
    assert not np.array_equal(np.abs(noise), np.abs(ch.noise_like(kind, n, RATE, np.random.default_rng(4)))) or n == 1


@pytest.mark.parametrize(("kind", "slope"), [("white", 0), ("pink", -3.01), ("brown", -6.02)])
def test_noise_has_its_colour(kind: str, slope: float) -> None:
    noise = ch.noise_like(kind, 60 * RATE, RATE, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1 / RATE)
    octaves = [10 * np.log10(np.mean(power[(hz >= low) & (hz < 2 * low)])) for low in (50, 100, 200, 400, 800, 1600)]
    assert np.diff(octaves) == pytest.approx(slope, abs=0.4)


def test_babble_is_many_voices(speech: NDArray[np.float32]) -> None:
    babble = ch.noise_like("babble", 20 * RATE, RATE, np.random.default_rng(1))

    def depth(x: NDArray[np.float32]) -> float:
        """Spread of the level of frames of 20 ms, relative to its mean: large for one voice, small for a crowd."""
        level = np.sqrt(np.mean(x[: len(x) // 320 * 320].reshape(-1, 320) ** 2, axis=1))
        return float(np.std(level) / np.mean(level))

    assert 0.2 < depth(babble) < 0.7 * depth(speech)
    spectrum = np.abs(np.fft.rfft(babble)) ** 2
    hz = np.fft.rfftfreq(len(babble), 1 / RATE)
    assert spectrum[(hz > 100) & (hz < 1000)].sum() > 0.5 * spectrum.sum()


# --- clock ---


@pytest.mark.parametrize("ppm", [200.0, -200.0, 37.5])
@pytest.mark.parametrize(("hz", "limit_db"), [(440.0, -120), (7000.0, -100), (18000.0, -83)])
def test_a_fast_clock_counts_more_samples_and_hears_tones_lower(ppm: float, hz: float, limit_db: float) -> None:
    n, rate = 5 * 48000, 48000
    tone = np.sin(2 * np.pi * hz * np.arange(n) / rate)
    y = ch.drift(tone, ppm)
    assert len(y) == round(n * (1 + ppm * 1e-6))
    ideal = np.sin(2 * np.pi * hz / (1 + ppm * 1e-6) * np.arange(len(y)) / rate)
    inner = slice(1000, -1000)
    assert 10 * np.log10(np.mean((y - ideal)[inner] ** 2) / np.mean(ideal**2)) < limit_db


def test_no_drift_is_no_change_in_length() -> None:
    assert len(ch.drift(np.ones((1000, 2), np.float32), 0.0)) == 1000


# --- bands and headset ---


def test_bands_fall_by_3_db_at_their_ends_and_12_db_an_octave() -> None:
    click = np.zeros(48000, np.float32)
    click[100] = 1
    response = ch.band_limit(click, 48000, ch.SMALL_LOUDSPEAKER_HZ)
    assert not response[:100].any()  # causal
    gain = 20 * np.log10(np.abs(np.fft.rfft(response)) + 1e-12)
    assert gain[[150, 10000]] == pytest.approx(-3.0, abs=0.2)
    assert gain[[1000, 3000]] == pytest.approx(0.0, abs=0.1)
    assert gain[37] - gain[75] == pytest.approx(-12.2, abs=0.6)
    # Over the recording's own band it limits nothing.
    assert ch.band_limit(click, 48000, (150, 30000)) == pytest.approx(ch.band_limit(click, 48000, (150, 90000)))


def test_headset_suppresses_noise_and_raises_a_soft_voice(speech: NDArray[np.float32]) -> None:
    pytest.importorskip("webrtc_noise_gain")
    hiss = 0.01 * np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    quiet, late = ch.headset(hiss, RATE, False, True)
    assert late == 96
    assert np.std(quiet[2 * RATE :]) < 0.7 * np.std(hiss)
    soft = 0.1 * np.concatenate([speech, speech])
    loud, late = ch.headset(soft, RATE, True, False)
    assert late == 0
    assert np.std(loud[len(speech) :]) > 1.5 * np.std(soft)


@pytest.mark.parametrize("rate", [16000, 48000])
@pytest.mark.parametrize("suppression", [False, True])
def test_headset_is_as_late_as_it_says(speech: NDArray[np.float32], rate: int, suppression: bool) -> None:
    pytest.importorskip("webrtc_noise_gain")
    x = speech if rate == RATE else soxr.resample(speech, RATE, rate)
    y, late = ch.headset(x, rate, True, suppression)
    assert len(y) == len(x) + np.ceil(late)
    assert place_of(x, y, 1000) == pytest.approx(late, abs=2 * rate / RATE)


def test_headset_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webrtc_noise_gain", None)
    with pytest.raises(MissingExtraError, match=r"reference/install headset"):
        Channel(gain_control=True).apply(np.ones(1000), RATE)


# --- the whole way ---

WAYS = {
    "nothing": Channel(),
    "simulated room": Channel(distance_m=3.0, rt60_s=0.3, noise="pink", snr_db=20),
    "measured room": Channel(rir=data_path("rir/homula_S1_R2.flac"), noise="babble", snr_db=15),
    "clock": Channel(drift_ppm=200, level_db=-30),
    "clock and room": Channel(distance_m=3.0, rt60_s=0.5, room_seed=1, noise="brown", snr_db=20, drift_ppm=-200),
    "codecs": Channel(codec_before="mp3:64k", codec_after="opus:32k"),
    "codecs and clock": Channel(codec_before="aac:96k", drift_ppm=-150, codec_after="opus:64k"),
    "noise file": Channel(noise=data_path("noise/blanket_coffee-shop.flac"), snr_db=10),
    "small loudspeaker": Channel(loudspeaker_hz=ch.SMALL_LOUDSPEAKER_HZ, microphone_hz=(80, 7000)),
    "cropped": Channel(distance_m=2.0, rt60_s=0.2, drift_ppm=100, crop_s=(1.25, 9.0)),
}


@pytest.mark.parametrize("way", WAYS)
def test_places_are_where_the_channel_says(way: str) -> None:
    sound = (0.1 * np.random.default_rng(0).standard_normal(10 * 44100)).astype(np.float32)
    received = WAYS[way].apply(sound, 44100, 1)
    assert received.rate == 44100
    assert received.samples.dtype == np.float32
    # A part near the end, which 200 ppm move by 70 samples. The drift is undone before comparing, or it
    # would smear the correlation.
    start = 8 * 44100
    samples = soxr.resample(received.samples, received.speed, 1.0)
    expected = received.place(start) / received.speed
    found = place_of(sound[start : start + 16384], samples, expected + 1000)
    assert found == pytest.approx(expected, abs=3)


def test_headset_way_is_where_it_says(speech: NDArray[np.float32]) -> None:
    pytest.importorskip("webrtc_noise_gain")
    way = Channel(
        distance_m=1, rt60_s=0.2, drift_ppm=200, noise_suppression=True, gain_control=True, codec_after="msbc"
    )
    received = way.apply(speech, RATE)
    start = 2 * RATE
    found = place_of(speech[start : start + 2 * RATE], received.samples, received.place(start) - 1000)
    assert found == pytest.approx(received.place(start), abs=4)
    assert received.delay_samples == pytest.approx(1 / 343 * RATE * 1.0002 + 96 + 73)


@pytest.mark.parametrize("way", WAYS)
def test_same_seed_same_samples_and_the_input_is_left_alone(way: str, music: NDArray[np.float32]) -> None:
    x = music[: 3 * 44100].copy()
    short = Channel(**{**vars(WAYS[way]), "crop_s": None})
    first = short.apply(x, 44100, 7)
    np.random.seed(1)  # noqa: NPY002 - global state must not matter
    second = short.apply(x, 44100, 7)
    assert np.array_equal(first.samples, second.samples)
    assert first.stages == second.stages
    assert np.array_equal(x, music[: 3 * 44100])
    if short.noise is not None:
        assert not np.array_equal(first.samples, short.apply(x, 44100, 8).samples)


def test_same_samples_in_another_process() -> None:
    code = (
        "import hashlib, numpy as np; from airmark.channel import Channel;"
        "x = np.random.default_rng(0).standard_normal(16000) * 0.1;"
        "c = Channel(distance_m=3, rt60_s=0.3, noise='babble', snr_db=20, drift_ppm=50, codec_after='msbc');"
        "print(hashlib.sha256(c.apply(x, 16000, 3).samples.tobytes()).hexdigest())"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PRA_NUM_THREADS": "3"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    x = np.random.default_rng(0).standard_normal(16000) * 0.1
    way = Channel(distance_m=3, rt60_s=0.3, noise="babble", snr_db=20, drift_ppm=50, codec_after="msbc")
    assert hashlib.sha256(way.apply(x, 16000, 3).samples.tobytes()).hexdigest() == other.stdout.strip()


def test_noise_is_that_much_under_the_sound_at_the_microphone(speech: NDArray[np.float32]) -> None:
    room = Channel(distance_m=3.0, rt60_s=0.3)
    clean = room.apply(speech, RATE).samples
    noisy = Channel(distance_m=3.0, rt60_s=0.3, noise="pink", snr_db=12).apply(speech, RATE).samples
    active = ch.active_part(clean, RATE)
    snr = 10 * np.log10(np.mean(clean[active] ** 2) / np.mean((noisy - clean)[active] ** 2))
    assert snr == pytest.approx(12, abs=0.05)


def test_no_stage_is_no_change(speech: NDArray[np.float32]) -> None:
    stereo = np.stack([speech, -speech], axis=1)
    received = Channel().apply(stereo, RATE)
    assert np.array_equal(received.samples, stereo)
    assert received.stages == ()
    assert not np.shares_memory(received.samples, stereo)
    assert received.place(1234) == 1234


@pytest.mark.parametrize(
    ("fields", "mono"),
    [
        ({"drift_ppm": 100, "noise": "pink", "snr_db": 20, "codec_before": "mp3"}, False),
        ({"distance_m": 2, "rt60_s": 0.2}, True),
        ({"microphone_hz": (100, 7000)}, True),
        ({"codec_after": "cvsd"}, True),
        ({"gain_control": True}, True),
    ],
)
def test_channels_are_kept_unless_the_way_has_one(
    fields: dict[str, object], mono: bool, speech: NDArray[np.float32]
) -> None:
    if "gain_control" in fields:
        pytest.importorskip("webrtc_noise_gain")
    way = Channel(**fields)  # type: ignore[arg-type]
    y = way.apply(np.stack([speech, 0.5 * speech], axis=1), RATE).samples
    assert (y.ndim == 1) == mono
    assert way.channels(2) == (1 if mono else 2)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"rir": "a.wav", "distance_m": 3, "rt60_s": 0.3}, "not both"),
        ({"distance_m": 3}, "needs both"),
        ({"noise": "pink"}, "needs both"),
        ({"snr_db": 10}, "needs both"),
        ({"noise": "pink", "snr_db": float("nan")}, "SNR of nan dB"),
        ({"codec_before": "mp5"}, "no codec 'mp5'"),
        ({"drift_ppm": 1e6}, "drift"),
        ({"loudspeaker_hz": (500, 100)}, "rising"),
        ({"crop_s": (2, 1)}, "rising"),
        ({"noise": "purple", "snr_db": 10}, "no noise 'purple': give one of white"),
        ({"noise": "nowhere.wav", "snr_db": 10}, "nowhere.wav"),
        ({"rir": "nowhere.wav"}, "nowhere.wav"),
        ({"rir": __file__}, "test_channel.py"),
        ({"crop_s": (0, 100)}, "the received audio has"),
        ({"microphone_hz": (7900, 8000)}, "nothing is left"),
    ],
)
def test_impossible_channels_are_refused_in_one_line(fields: dict[str, object], says: str) -> None:
    with pytest.raises(AirmarkError) as caught:
        Channel(**fields).apply(np.ones(16000), RATE)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "rate", "says"),
    [
        (np.zeros(0), RATE, "shape"),
        (np.full(10, np.nan), RATE, "not numbers"),
        (np.zeros(10), 3, "3 Hz"),
        (np.zeros(10), 1_000_000, "1000000 Hz"),
        (np.zeros(1000), RATE, "the recording is silent"),
    ],
)
def test_impossible_samples_are_refused(x: NDArray[np.float64], rate: int, says: str) -> None:
    with pytest.raises(AirmarkError, match=says):
        Channel(noise="pink", snr_db=10).apply(x, rate)


# --- the command ---


def run(*arguments: object) -> int:
    """Run the subcommand alone, as the command line does."""
    import argparse

    top = argparse.ArgumentParser()
    simulate.add_parser(top.add_subparsers(required=True))
    args = top.parse_args(["simulate", *map(str, arguments)])
    return int(args.run(args))


def test_command_writes_what_python_gives(
    tmp_path: Path, speech: NDArray[np.float32], capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "in.wav", np.stack([speech, speech], axis=1), RATE)
    out = tmp_path / "out.wav"
    options = ("--distance", 3, "--rt60", 0.3, "--noise", "pink", "--snr", 20, "--drift-ppm", 100, "--codec", "mp3:64k")
    assert run(tmp_path / "in.wav", out, *options, "--loudspeaker", "small", "--seed", 4, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    way = Channel(
        distance_m=3,
        rt60_s=0.3,
        noise="pink",
        snr_db=20,
        drift_ppm=100,
        codec_before="mp3:64k",
        loudspeaker_hz=ch.SMALL_LOUDSPEAKER_HZ,
    )
    x = soundfile.read(tmp_path / "in.wav", dtype="float32")[0]
    expected = way.apply(x, RATE, 4)
    y, rate = soundfile.read(out, dtype="float32")
    assert rate == RATE
    assert y == pytest.approx(expected.samples, abs=1e-4)
    assert told["seed"] == 4
    assert told["delay_samples"] == pytest.approx(expected.delay_samples)
    assert told["stages"] == list(expected.stages)
    assert told["channel"]["distance_m"] == 3
    assert len(expected.stages) == 5

    assert run(tmp_path / "in.wav", tmp_path / "again.wav", *options, "--loudspeaker", "small", "--seed", 4) == 0
    text = capsys.readouterr().out.splitlines()
    assert text[:5] == list(expected.stages)
    assert (tmp_path / "again.wav").read_bytes() == out.read_bytes()


def test_command_scales_what_would_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)
    soundfile.write(tmp_path / "in.wav", tone, RATE)
    assert run(tmp_path / "in.wav", tmp_path / "out.wav", "--level", 12) == 0
    assert "scaled by -5.98 dB" in capsys.readouterr().out
    y = soundfile.read(tmp_path / "out.wav")[0]
    assert 0.999 < np.abs(y).max() < 1
    assert np.corrcoef(y, tone)[0, 1] > 0.99999


def test_command_overwrites_nothing_unasked(tmp_path: Path, speech: NDArray[np.float32]) -> None:
    source, out = tmp_path / "in.wav", tmp_path / "out.wav"
    soundfile.write(source, speech, RATE)
    before = source.read_bytes()
    out.write_bytes(b"mine")
    with pytest.raises(AirmarkError, match="--force"):
        run(source, out)
    assert out.read_bytes() == b"mine"
    with pytest.raises(AirmarkError, match="input"):
        run(source, source, "--force")
    assert source.read_bytes() == before
    assert run(source, out, "--force") == 0
    assert np.array_equal(soundfile.read(out)[0], soundfile.read(source)[0])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--codec", "mp5"), "no codec 'mp5'"),
        (("--loudspeaker", "tiny"), "--loudspeaker tiny"),
        (("--seed", -1), "seed"),
        (("--distance", 3), "needs both"),
        (("--noise", "nowhere.wav", "--snr", 3), "nowhere.wav"),
    ],
)
def test_command_refuses_and_writes_nothing(
    options: tuple[object, ...], says: str, tmp_path: Path, speech: NDArray[np.float32]
) -> None:
    soundfile.write(tmp_path / "in.wav", speech, RATE)
    with pytest.raises(AirmarkError, match=says):
        run(tmp_path / "in.wav", tmp_path / "out.wav", *options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav"]


# --- the development recordings ---


@pytest.mark.skipif("AIRMARK_AUDIO" not in os.environ, reason="AIRMARK_AUDIO names no folder of recordings")
def test_places_in_the_measured_rooms_of_the_set() -> None:
    rooms = sorted((Path(os.environ["AIRMARK_AUDIO"]) / "rir" / "16k").glob("*.flac"))
    assert rooms
    sound = (0.1 * np.random.default_rng(0).standard_normal(4 * RATE)).astype(np.float32)
    off = []
    for room in rooms:
        received = Channel(rir=room, noise="brown", snr_db=20, drift_ppm=-100).apply(sound, RATE)
        start = 2 * RATE
        expected = received.place(start)
        off.append(place_of(sound[start : start + 16384], received.samples, expected + 500) - expected)
    # Where a reflection is stronger than the direct sound, the correlation peaks at it.
    assert np.median(np.abs(off)) < 8
    assert np.abs(off).max() < 0.05 * RATE


def test_command_writes_raw_at_another_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tone = 0.4 * np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000)
    soundfile.write(tmp_path / "in.wav", np.stack([tone, -tone / 2], axis=1), 48_000, "PCM_24")
    raw, wav = tmp_path / "out.raw", tmp_path / "out.wav"
    assert run(tmp_path / "in.wav", raw, "--rate", 16_000, "--level", -6) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "s16 at 16000 Hz, 2 channels, no header"
    got = np.frombuffer(raw.read_bytes(), "<i2").reshape(-1, 2) / 2**15
    expected = 0.4 * 10 ** (-6 / 20) * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    inside = slice(1000, 15_000)
    assert got.shape == (16_000, 2)
    assert got[inside, 0] == pytest.approx(expected[inside], abs=1e-4)
    assert got[inside, 1] == pytest.approx(-expected[inside] / 2, abs=1e-4)

    assert run(tmp_path / "in.wav", wav, "--rate", 16_000, "--distance", 3.43, "--rt60", 0, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert soundfile.info(wav).samplerate == told["rate"] == 16_000
    assert (told["speed"], told["delay_samples"]) == pytest.approx((1 / 3, 160))
    assert told["stages"][-1] == "rate: 16000 Hz"


def test_command_keeps_the_rate_of_raw_unless_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.arange(-500, 500, dtype="<i2")
    soundfile.write(tmp_path / "in.wav", x, 44_100)
    assert run(tmp_path / "in.wav", tmp_path / "out.raw") == 0
    assert (tmp_path / "out.raw").read_bytes() == x.tobytes()
    assert capsys.readouterr().out.splitlines()[-1] == "s16 at 44100 Hz, 1 channel, no header"
