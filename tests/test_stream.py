"""The live embedder: the input again, a fixed delay later, with marks in it; the same however it is cut."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from airmark import keysearch
from airmark.assets import data_path
from airmark.detector import Detector
from airmark.embedder import embed
from airmark.errors import AirmarkError
from airmark.keys import Key
from airmark.pattern import unit
from airmark.profile import profile
from airmark.stream import RateConverter, StreamEmbedder, causal_mark
from memory import growth

RATES = (8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)
MARK = profile().mark_samples
HOP = profile().hop
LONG = os.environ.get("AIRMARK_LONG") == "1"

Samples = NDArray[np.float64]


@cache
def key() -> Key:
    return next(keysearch.Search(profile(), np.random.default_rng(13)).found())


@cache
def clip(rate: int = 16_000, seconds: float = 4.0, name: str = "music/vibeace_0.flac") -> Samples:
    x, own = soundfile.read(data_path(name))
    x = x[: round(seconds * own)]
    out: Samples = 0.8 * (x if own == rate else soxr.resample(x, own, rate, "VHQ"))
    out.setflags(write=False)
    return out


def stereo(rate: int, seconds: float = 4.0) -> Samples:
    x = clip(rate, seconds)
    late = rate // 1000
    return np.stack([x, 0.6 * np.concatenate([np.zeros(late), x[:-late]])], axis=1)


def run(samples: Samples, rate: int, sizes: list[int] | None = None, **options) -> tuple[Samples, StreamEmbedder]:
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    embedder = StreamEmbedder(key(), rate, channels, **options)
    cuts = np.cumsum(sizes) if sizes else []
    blocks = np.split(samples, cuts)
    out = [embedder.process(block) for block in blocks]
    assert [len(o) for o in out] == [len(b) for b in blocks]
    return np.concatenate([*out, embedder.flush()]), embedder


# Delay and place


@pytest.mark.parametrize("rate", RATES)
def test_the_output_is_the_input_later_with_marks_in_it(rate: int):
    marks = 2 if rate < 96_000 else 1
    host = np.concatenate([np.zeros((rate // 2, 2)), stereo(rate, 2.06 * marks + 0.1)])
    out, embedder = run(host, rate)
    assert embedder.delay <= 0.032 * rate
    assert out.shape == (len(host) + embedder.delay, 2)
    assert not out[: embedder.delay].any()
    marked = out[embedder.delay :]
    # Up to the first sound nothing may change, to the bit; the mark's first frame may begin 16 ms before it.
    first = int(np.flatnonzero(host.any(axis=1))[0])
    quiet = first - round(0.02 * rate)
    assert np.array_equal(marked[:quiet], host[:quiet])
    added = marked - host
    ratio_db = 10 * np.log10((host**2).sum() / (added**2).sum())
    assert 8 < ratio_db < 35
    # Nothing over 8 kHz is added, whatever the rate.
    if rate > 22_050:
        spectrum = np.abs(np.fft.rfft(added[:, 0] * np.hanning(len(added)))) ** 2
        hz = np.fft.rfftfreq(len(added), 1 / rate)
        assert spectrum[hz > 9000].sum() < 1e-4 * spectrum.sum()
    detector = Detector(key(), rate, engine="float")
    found = detector.process(out) + detector.flush()
    assert embedder.marks == marks + 1
    assert len(found) == marks
    # The first mark begins with the frame that first has sound in it.
    begin = embedder.delay + first
    assert begin - 0.020 * rate <= found[0].sample <= begin + 0.020 * rate
    for last, following in pairwise(found):
        assert following.sample - last.sample == pytest.approx(MARK * rate / 16_000, abs=HOP * rate / 16_000)


def test_a_sample_beyond_all_bounds_is_refused_and_changes_nothing():
    host = clip(seconds=1.0)
    embedder, untouched = (StreamEmbedder(key(), 16_000, 1) for _ in range(2))
    bad = host.copy()
    bad[77] = -1e160
    with pytest.raises(AirmarkError, match="sample 77 of channel 0"):
        embedder.process(bad)
    assert np.array_equal(embedder.process(host), untouched.process(host))


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_output_is_the_input_and_the_mark(rate: int):
    """What isn't the mark is passed on as it is: the host never goes through a rate converter."""
    host = stereo(rate)
    (weak, embedder), (strong, _) = (run(host, rate, strength=db) for db in (-60.0, -40.0))
    weak, strong = (out[embedder.delay :] - host for out in (weak, strong))
    assert np.abs(strong - 10 * weak).max() < 1e-14
    assert np.abs(strong).max() > 1e-4


def test_causal_in_a_file_is_like_causal_in_a_stream():
    host = clip(seconds=5.0)
    strength = -12.0
    streamed, embedder = run(host, 16_000, strength=strength)
    streamed = streamed[embedder.delay :, 0]
    first = int(np.flatnonzero(host)[0])
    filed = embed(host, 16_000, key(), at=[first / 16_000], pattern="causal", strength=strength, judge=False)
    place = filed.marks[0].sample
    scores = []
    for samples in (streamed, filed.samples[:, 0]):
        detector = Detector(key(), engine="float")
        found = detector.process(samples) + detector.flush()
        assert abs(found[0].sample - place) <= 2 * HOP
        scores.append(found[0].score)
    assert scores[0] == pytest.approx(scores[1], abs=2.0)
    power = [
        float((x[place : place + MARK] - host[place : place + MARK]).std()) for x in (streamed, filed.samples[:, 0])
    ]
    assert power[0] == pytest.approx(power[1], rel=0.1)


# The same whatever the form


@cache
def whole(rate: int) -> Samples:
    return run(stereo(rate, 1.5), rate)[0]


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate=st.sampled_from([8000, 11_025, 16_000, 44_100]),
    longest=st.sampled_from([50, 1000, 30_000]),
)
def test_chunking_does_not_matter(seed: int, rate: int, longest: int):
    host = stereo(rate, 1.5)
    rng = np.random.default_rng(seed)
    sizes: list[int] = []
    if longest == 50:
        sizes.append(int(rng.integers(len(host))))
    while sum(sizes) < len(host) and len(sizes) < 150:
        sizes.append(int(rng.choice([0, 1, 1, rng.integers(1, 20), rng.integers(1, longest)])))
    out, _ = run(host, rate, sizes)
    assert np.array_equal(out, whole(rate))


def test_types_of_samples():
    pcm = np.rint(stereo(16_000, 2.5) * 32767).astype(np.int16)
    out, _ = run(pcm, 16_000)
    assert np.array_equal(out, run(pcm / 32768.0, 16_000)[0])
    assert np.array_equal(run(pcm[:, 0], 16_000)[0], run(pcm[:, :1], 16_000)[0])


def test_channels_alike_are_marked_alike():
    x = clip(44_100)
    out, _ = run(np.stack([x, x, np.zeros_like(x)], axis=1), 44_100)
    assert np.array_equal(out[:, 0], out[:, 1])
    assert not out[:, 2].any()


def test_the_input_is_left_alone():
    x = clip().copy()
    run(x, 16_000)
    assert np.array_equal(x, clip())


# Clipping and silence


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_full_scale_stream_does_not_clip(rate: int):
    top = 1 - 2.0**-15
    host = np.rint(np.clip(6 * stereo(rate), -1, top) * 32768) / 32768
    out, embedder = run(host, rate, strength=-9.0)
    assert out.max() <= top
    assert out.min() >= -1
    detector = Detector(key(), rate, engine="float")
    assert len(detector.process(out) + detector.flush()) >= 1
    before, after = (np.abs(x).max(axis=0) for x in (host, out[embedder.delay :]))
    assert (after <= np.maximum(before, top)).all()


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_silence_stays_silent(rate: int):
    out, embedder = run(np.zeros((3 * rate, 2)), rate)
    assert not out.any()
    assert embedder.marks == 0
    gap = np.concatenate([clip(rate, 1.0), np.zeros(2 * rate), clip(rate, 1.0)])
    out, embedder = run(gap, rate)
    begin, end = embedder.delay + round(1.03 * rate), embedder.delay + round(2.97 * rate)
    assert not out[begin:end].any()


# Wrong use


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 3}, "sample rate of 3 Hz"),
        ({"rate": 1_000_000}, "sample rate of 1000000 Hz"),
        ({"channels": 0}, "0 channels"),
        ({"channels": -1}, "-1 channels"),
        ({"channels": 1.5}, "a number of channels is a whole number, not 1.5"),
        ({"key": "k.json"}, "a key is what Key.load gives, not str"),
        ({"strength": None}, "None is not a number"),
        ({"strength": 0.0}, "audible"),
        ({"strength": np.nan}, "strength"),
    ],
)
def test_wrong_use(options: dict, message: str):
    with pytest.raises(AirmarkError, match=message):
        StreamEmbedder(**({"key": key(), "rate": 48_000, "channels": 2} | options))


def test_blocks_that_are_not_the_streams():
    embedder = StreamEmbedder(key(), 16_000, 2)
    for wrong in ([0.0], None, b"00", "00"):
        with pytest.raises(AirmarkError, match=f"the sound is an array of shape .*, not {type(wrong).__name__}"):
            embedder.process(wrong)  # type: ignore[arg-type]
    with pytest.raises(AirmarkError, match="3 channels, the stream 2"):
        embedder.process(np.zeros((10, 3)))
    bad = np.zeros((10, 2))
    bad[3, 1] = np.nan
    with pytest.raises(AirmarkError, match="not finite"):
        embedder.process(bad)


# Parts


@pytest.mark.parametrize(
    "rates", [(8000, 16_000), (11_025, 16_000), (16_000, 44_100), (48_000, 16_000), (16_000, 192_000)]
)
def test_the_rate_converter_keeps_place_and_level(rates: tuple[int, int]):
    rate, new_rate = rates
    hz = 1234.5
    time = np.arange(rate) / rate
    converter = RateConverter(rate, new_rate, 1)
    y = np.concatenate(list(converter.process(np.sin(2 * np.pi * hz * time)[:, None])))[:, 0]
    middle = np.arange(new_rate // 4, 3 * new_rate // 4)
    expected = np.sin(2 * np.pi * hz * middle / new_rate)
    assert np.sqrt(np.mean((y[middle] - expected) ** 2)) < 3e-3


@pytest.mark.parametrize("rates", [(16_000, 44_101), (16_000, 191_999)])
def test_the_rate_converter_takes_the_nearest_of_its_phases(rates: tuple[int, int]):
    """Of more phases than it keeps: with the one below 7 kHz came out at -64.8 dB, with the nearest at -66.5."""
    rate, new_rate = rates
    x = np.sin(2 * np.pi * 7000 * np.arange(rate) / rate)
    y = np.concatenate(list(RateConverter(rate, new_rate, 1).process(x[:, None])))[:, 0]
    middle = np.arange(new_rate // 4, 3 * new_rate // 4)
    angle = 2 * np.pi * 7000 * middle / new_rate
    basis = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    cosine, sine = np.linalg.lstsq(basis, y[middle], rcond=None)[0]
    # No lean to one side: half a phase would be 0.5 / 4096 of a sample, and 3.4e-4 of a radian.
    assert abs(np.arctan2(cosine, sine)) < 2e-5


@pytest.mark.parametrize("size", [1.0, 1e-300, 3e-308, 1e-309, 5e-324, 0.0])
def test_phases_of_next_to_nothing_are_finite(size: float):
    """A pattern that faded for half an hour became NaN, and with it the stream."""
    values = size * np.array([1 + 1j, -1j, 1])
    with np.errstate(all="raise", under="ignore"):
        phases = unit(values)
    assert np.abs(phases) == pytest.approx(np.full(3, float(size > 2.3e-308)))


# Memory


def test_memory_does_not_grow():
    """An hour of sound where AIRMARK_LONG=1, else 20 s."""
    rate = 16_000
    embedder = StreamEmbedder(key(), rate, 1)
    second = clip(rate, 1.0)

    def play(seconds: int) -> None:
        for _ in range(seconds):
            for block in np.array_split(second, 10):
                assert np.isfinite(embedder.process(block)).all()

    play(3)
    more, most = growth(play, 5, 3600 if LONG else 20)
    assert more < 20_000
    assert most < 5_000_000


# Pipes


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "alpha.json"
    key().save(path)
    return path


def airmark(*arguments: object, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "airmark.cli", *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True, timeout=120, check=False)


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (16_000, 1)])
def test_pipes_are_the_stream_embedder(rate: int, channels: int, key_file: Path):
    host = stereo(rate)[:, :channels]
    pcm = np.rint(host * 32767).astype("<i2")
    done = airmark("embed", "-", "-", "--key", key_file, "--rate", rate, "--channels", channels, data=pcm.tobytes())
    assert done.returncode == 0
    out = np.frombuffer(done.stdout, "<i2").reshape(-1, channels)
    expected, embedder = run(pcm, rate)
    assert len(out) == len(pcm) + embedder.delay
    assert np.array_equal(out, np.rint(expected * 32768).astype(np.int16))
    assert b"2 marks begun" in done.stderr
    found = airmark("detect", "-", "--key", key_file, "--rate", rate, "--channels", channels, data=done.stdout)
    assert found.returncode == 0
    assert b"2 marks in" in found.stdout


def test_a_pipe_without_options_is_48_khz_stereo(key_file: Path):
    pcm = np.rint(stereo(48_000, 1.0) * 32767).astype("<i2").tobytes()
    plain, said = (
        airmark("embed", "-", "-", "--key", key_file, *options, data=pcm)
        for options in ((), ("--rate", 48_000, "--channels", 2, "--pattern", "causal"))
    )
    assert plain.returncode == 0
    assert plain.stdout == said.stdout != b""


def test_a_pipe_is_marked_while_it_plays(key_file: Path):
    """What comes out is at most the delay behind what went in, block by block."""
    rate = 16_000
    pcm = np.rint(clip(rate, 1.0) * 32767).astype("<i2")
    command = [sys.executable, "-m", "airmark.cli", "embed", "-", "-", "--key", str(key_file)]
    command += ["--rate", str(rate), "--channels", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as pipe:
        assert pipe.stdin is not None
        assert pipe.stdout is not None
        for block in np.split(pcm, 10):
            pipe.stdin.write(block.tobytes())
            pipe.stdin.flush()
            # Blocks until as many samples have come out: a program that waits for more never gives them.
            assert len(pipe.stdout.read(block.nbytes)) == block.nbytes
        pipe.stdin.close()
        rest = pipe.stdout.read()
    assert len(rest) == 2 * StreamEmbedder(key(), rate, 1).delay
    assert pipe.returncode == 0


# Place


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_mark_lies_on_the_sound_it_was_made_for(rate: int):
    """The live mark is the file's causal mark, sample for sample; late by 4 ms it scored a third less in rooms."""
    host = clip(rate)
    embedder = StreamEmbedder(key(), rate, 1, strength=-20)
    out = np.concatenate([embedder.process(host), embedder.flush()])[embedder.delay :, 0]
    live = (out - host)[: 2 * rate]
    at_16k = soxr.resample(host, rate, 16_000, "VHQ") if rate != 16_000 else host
    padded = np.concatenate([np.zeros(2048), at_16k])
    mark = causal_mark(padded[None], key(), 2048 + 64)[0] * 0.1
    wanted = np.concatenate([np.zeros(64), mark])
    wanted = soxr.resample(wanted, 16_000, rate, "VHQ") if rate != 16_000 else wanted
    length = min(len(live), len(wanted))
    assert np.corrcoef(live[:length], wanted[:length])[0, 1] > 0.98
