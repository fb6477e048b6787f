"""The stages one by one, each against its definition written out plainly."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import islice, pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import fftconvolve, firwin

from airmark import keysearch, masking, pattern, predict, statistic, stream, thresholds
from airmark.assets import data_path
from airmark.confirm import Confirmed, ConfirmStage
from airmark.detector import Detector
from airmark.embedder import QUIETEST_DB, TARGET_SCORE, Mark, embed
from airmark.errors import AirmarkError
from airmark.frames import DRAWN_SIGNS, FrameStage, InputStage, drawn_signs, window
from airmark.grid import Grid
from airmark.keys import Key
from airmark.lags import LagGrid
from airmark.limiter import without_clipping
from airmark.pattern import LOUDNESS
from airmark.peaks import HOLD, Peak, PeakStage
from airmark.profile import profile, profile_of_shape
from airmark.screen import ScreenStage
from airmark.stream import (
    AGREED_POWER,
    FRAME,
    LEAST_POWER,
    MOST_POWER,
    CausalPattern,
    RateConverter,
    StreamEmbedder,
    causal_mark,
)
from airmark.template import TemplateStage

RATE = 16_000
SMALL = profile_of_shape(6, 2)

Samples = NDArray[np.float64]


@cache
def keys() -> list[Key]:
    return list(islice(keysearch.Search(profile(), np.random.default_rng(11)).found(), 2))


def small_key(seed: int = 0) -> Key:
    return Key(np.random.default_rng(seed).choice([-1, 1], SMALL.key_shape), SMALL)


def one_bit(frames: int, seed: int = 0) -> NDArray[np.complex64]:
    """Random frames as stage 1 gives them, (frames, bins)."""
    parts = np.random.default_rng(seed).choice([-1.0, 1.0], (2, frames, len(SMALL.bins)))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


@cache
def clip(seconds: float = 4.0) -> Samples:
    x, rate = soundfile.read(data_path("music/vibeace_0.flac"))
    assert rate == RATE
    return np.asarray(x[: round(seconds * RATE)])


def bands() -> NDArray[np.int64]:
    """Band of the key of each of the frames' bins, (bins,)."""
    edges = LagGrid(SMALL).edges[:: SMALL.subbands // SMALL.bands]
    return np.asarray([band for band in range(SMALL.bands) for _ in range(edges[band], edges[band + 1])])


# Limiter


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 4, 32]))
def test_a_mark_is_lowered_smoothly_and_only_where_it_must(seed: int, reach: int):
    rng = np.random.default_rng(seed)
    host = np.clip(rng.standard_normal((1500, 3)) * [0.3, 0.3, 0.05], -1.0, 1.0)
    mark = np.where(np.arange(1500) % 700 < 350, 0.2, -0.2)[:, None].repeat(3, axis=1)
    top = 0.9
    out = without_clipping(host, mark, top, reach)
    assert (np.abs(host + out) <= np.maximum(top, np.abs(host))).all()
    gain = out / mark
    assert gain.min() > -1e-12
    assert gain.max() < 1 + 1e-12
    assert np.abs(np.diff(gain, axis=0)).max() <= 1 / (2 * reach + 1) + 1e-9
    over = np.abs(host + mark) > top
    near = np.array([[over[max(0, t - 2 * reach) : t + 2 * reach + 1, c].any() for c in range(3)] for t in range(1500)])
    assert np.abs(gain[~near] - 1).max() < 1e-12
    assert np.abs(without_clipping(-host, -mark, top, reach) + out).max() < 1e-12
    alone = np.concatenate([without_clipping(host[:, [c]], mark[:, [c]], top, reach) for c in range(3)], axis=1)
    assert np.abs(alone - out).max() < 1e-12


# Masking


def test_strengths_at_the_limits_are_allowed():
    masking.check_strength(masking.QUIETEST_DB)
    masking.check_strength(masking.LOUDEST_DB)
    masking.check_strength(None)


@pytest.mark.parametrize(
    ("strength", "message"),
    [
        (0, "0 dB is audible: give at most -6, or None for auto"),
        (math.inf, "inf dB is audible"),
        (-61.5, "-61.5 dB leaves nothing to find"),
        (math.nan, "nan is not a number: give -60 to -6 dB, or None for auto"),
        ("auto", "auto is not a number: give -60 to -6 dB, or None for auto"),
    ],
)
def test_other_strengths_are_refused(strength, message):
    with pytest.raises(AirmarkError, match=message):
        masking.check_strength(strength)


def test_a_stream_has_no_auto():
    with pytest.raises(AirmarkError, match=r"None is not a number: give -60 to -6 dB$"):
        masking.check_strength(None, auto="")


def steady(samples: int) -> Samples:
    """The same 64 samples over and over: every moment is alike, so nothing is held down."""
    return np.tile(np.random.default_rng(0).standard_normal(64), samples // 64 + 1)[:samples]


def level_of(power: Samples) -> Samples:
    """The level of a steady sound whose frames have that power, (257,)."""
    window = Grid(profile(), 512).window
    spectrum = np.sqrt(power).astype(np.complex128)[None]
    return masking.levels(steady(masking.HISTORY + 512), masking.HISTORY, 1, window, spectrum)[0]


def test_a_tone_hides_noise_51_db_a_bark_either_way():
    """60 dB, drawn to the mean by 15 %."""
    hz = np.arange(257) * RATE / 512
    bark = masking.bark(hz)
    for tone in (48, 100, 160):
        level = 10 * np.log10(level_of(np.eye(257)[tone]))
        for way in (-1, 1):
            one, two = (int(np.argmin(np.abs(bark - bark[tone] - way * by))) for by in (1, 2))
            assert level[one] - level[two] == pytest.approx(51, abs=3)
    # And a flat spectrum stays flat, at its own level.
    flat = 10 * np.log10(level_of(np.ones(257)))
    assert np.abs(flat[10:250]).max() < 1


def test_the_level_follows_the_quietest_moment():
    """Over sounds that rise and fall; each frame's loops as the docstring has them."""
    rng = np.random.default_rng(1)
    frame, count = 512, 24
    hop = frame // 2
    envelope = np.repeat(10 ** rng.uniform(-3, 0, 30), 320)[: masking.HISTORY + (count + 1) * hop]
    host = rng.standard_normal(len(envelope)) * envelope
    grid = Grid(profile(), frame)
    spectra = grid.analyse(host, masking.HISTORY, count)
    levels = masking.levels(host, masking.HISTORY, count, grid.window, spectra)
    alike = np.stack([masking.levels(steady(4096), 512, 1, grid.window, s[None])[0] for s in spectra])
    factor = levels / alike
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(128) / 128)
    hz, frame_hz = np.arange(65) * 125.0, np.arange(257) * 31.25
    edges = (0, 300, 800, 1600, 3000, 5000, 8001)

    def moment(start: int, low: float, high: float) -> float:
        power = np.abs(np.fft.rfft(host[start : start + 128] * hann)) ** 2
        return float(power[(hz >= low) & (hz < high)].sum())

    lowered = 0
    for t in range(count):
        starts = [masking.HISTORY + t * hop + 64 * i for i in range(7)]
        for low, high in pairwise(edges):
            held = [max(moment(s - 64 * b, low, high) * 10 ** (-0.035 * 4 * b) for b in range(9)) for s in starts]
            usual = float(np.mean([moment(s, low, high) for s in starts]))
            expected = min(1.0, 2 * min(held) / usual)
            assert factor[t, (frame_hz >= low) & (frame_hz < high)] == pytest.approx(expected, rel=1e-6)
            lowered += expected < 0.5
    assert lowered > 10


# Grid and pattern


@pytest.mark.parametrize("frame", [256, 512])
def test_frames_add_up_to_the_host(frame: int):
    grid = Grid(SMALL, frame)
    host = np.random.default_rng(0).standard_normal(30 * grid.hop)
    again = grid.synthesise(grid.analyse(host, 0, 29))
    assert np.abs(again - host)[grid.hop : -grid.hop].max() < 1e-12


@pytest.mark.parametrize("frame", [256, 512])
def test_every_frame_and_bin_has_its_sign(frame: int):
    key, grid = small_key(), Grid(SMALL, frame)
    signs = grid.signs(key.columns)
    assert signs.shape == (grid.count, frame // 2 + 1)
    low, high = ((b - 0.5) * RATE / SMALL.fft for b in (SMALL.bins.start, SMALL.bins.stop))
    width = (high - low) / SMALL.bands
    for t in range(grid.count):
        repetition, rest = divmod(t * grid.hop, SMALL.pattern_samples)
        for k in range(frame // 2 + 1):
            at = (k * RATE / frame - low) / width
            if abs(at - round(at)) * width > RATE / SMALL.fft:
                wanted = key.signs[repetition, rest // SMALL.block_samples, int(at)] if 0 < at < SMALL.bands else 0
                assert signs[t, k] == wanted


def mark_of(kind: str, hosts: Samples) -> Samples:
    if kind == "causal":
        return causal_mark(hosts, keys()[0], pattern.MARGIN)
    return pattern.make(hosts, keys()[0].columns, profile(), kind)


@pytest.mark.parametrize("kind", pattern.PATTERNS)
def test_a_mark_rises_falls_and_has_the_hosts_level(kind: str):
    hosts = np.random.default_rng(3).standard_normal((2, 2 * pattern.MARGIN + profile().mark_samples)) * [[1], [0.1]]
    marks = mark_of(kind, hosts)
    for part in (marks, marks[:, ::-1]):
        assert np.abs(part[:, 0]).max() < 0.02 * np.abs(part).max()
        rise = part[:, 64:].std(axis=1) / part[:, 8:16].std(axis=1)
        assert (rise > 3).all()
    low, high = (round(hz * marks.shape[1] / RATE) for hz in profile().band_hz)
    power = np.abs(np.fft.rfft(marks, axis=1)) ** 2
    host = np.abs(np.fft.rfft(hosts[:, pattern.MARGIN :][:, : marks.shape[1]], axis=1)) ** 2
    level_db = 10 * np.log10(power[:, low:high].sum(axis=1) / host[:, low:high].sum(axis=1))
    # Frames whose phases have nothing to do with each other lose half where they overlap.
    expected_db = {"adaptive": 0.2, "causal": -1.1, "noise": -3.0}[kind]
    assert level_db == pytest.approx([expected_db] * 2, abs=0.3)
    assert (power[:, : low * 3 // 4].sum(axis=1) < 1e-3 * power.sum(axis=1)).all()


@pytest.mark.parametrize("kind", pattern.PATTERNS)
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_mark_lies_where_its_host_sounds(kind: str, rate: int):
    """A burst in silence. Before its attack the mark is held down and after its end it sounds on: 6 ms later.

    The adaptive pattern's short frames sound on for less: 2 ms.
    The causal pattern gains strength as it follows the host: 18 ms later. Where a rate converter's ringing has gone
    before the burst, that counts as heard, so that strength comes sooner: 2 ms.
    """
    later_s = []
    time = np.arange(3 * rate) / rate
    for seed in range(6):
        burst = np.zeros(3 * rate)
        inside = slice(round(1.4 * rate), round(1.7 * rate))
        burst[inside] = 0.1 * np.random.default_rng(seed).standard_normal(inside.stop - inside.start)
        marked = embed(burst, rate, keys()[0], at=[0.5], pattern=kind, strength=-12, judge=False).samples[:, 0]
        added, host = ((x**2 * time).sum() / (x**2).sum() for x in (marked - burst, burst))
        later_s.append(added - host)
    expected_s = {"adaptive": 0.002, "causal": {16_000: 0.0185, 44_100: 0.0015}[rate], "noise": 0.006}[kind]
    assert np.mean(later_s) == pytest.approx(expected_s, abs=0.003)


def share(kind: str, host: Samples) -> float:
    """How much of the mark adds to its host in amplitude."""
    mark = mark_of(kind, host[None])[0]
    return float(np.corrcoef(mark, host[pattern.MARGIN :][: len(mark)])[0, 1])


def test_a_pattern_follows_the_host_along_the_key(monkeypatch: pytest.MonkeyPatch):
    """Of white noise some root of pi / 4 R lies along the key, and what raises magnitudes is held back.

    Of a host that is a mark all lies along it, once it is known, however much of that is kept.
    """
    noise = np.random.default_rng(5).standard_normal(2 * pattern.MARGIN + profile().mark_samples)
    held_back = pattern.RADIAL * np.sqrt(2 / (1 + pattern.RADIAL**2))
    assert share("adaptive", noise) == pytest.approx(np.sqrt(np.pi / 4 / 32) * held_back, abs=0.02)
    assert abs(share("causal", noise)) < 0.03
    assert abs(share("noise", noise)) < 0.03
    monkeypatch.setattr(pattern, "RADIAL", 0.5)
    alike = np.pad(mark_of("adaptive", noise[None])[0], pattern.MARGIN)
    assert share("adaptive", alike) > 0.85
    assert share("causal", alike) > 0.7


@pytest.mark.parametrize(
    ("kind", "expected_db"), [("adaptive", [-1.4, 4.9, -2.8]), ("causal", [-4.9, 2.8, -1.4]), ("noise", [0, 0, 0])]
)
def test_a_mark_is_soft_where_it_would_be_heard_first(
    kind: str, expected_db: list[float], monkeypatch: pytest.MonkeyPatch
):
    """Under 1 kHz and over 4 kHz it is lowered; 0.3 of a bin's level is its own, and stays (without agreement)."""
    monkeypatch.setattr(stream, "AGREED_POWER", 0.0)
    monkeypatch.setattr(stream, "LEAST_POWER", 1.0)
    noise = np.random.default_rng(5).standard_normal((1, 2 * pattern.MARGIN + profile().mark_samples))
    hz = np.fft.rfftfreq(profile().mark_samples, 1 / RATE)

    def levels_db() -> Samples:
        power = np.abs(np.fft.rfft(mark_of(kind, noise)[0])) ** 2
        spans = ((400, 950), (1450, 2950), (4100, 7400))
        return np.array([10 * np.log10(power[(hz > low) & (hz < high)].mean()) for low, high in spans])

    emphasised = levels_db()
    monkeypatch.setattr(pattern, "EMPHASIS_DB", {})
    assert emphasised - levels_db() == pytest.approx(expected_db, abs=0.3)


@pytest.mark.parametrize(("low", "high", "alone"), [(0, 950, 0), (1050, 1350, None), (1450, 8000, 1)])
def test_the_adaptive_mark_is_of_long_frames_below_and_of_short_ones_above(
    low: int, high: int, alone: int | None, monkeypatch: pytest.MonkeyPatch
):
    """From 1 to 1.4 kHz its amplitude passes from the ones to the others."""
    noise = np.random.default_rng(5).standard_normal((1, 2 * pattern.MARGIN + profile().mark_samples))
    marks = [mark_of("adaptive", noise)[0]]
    for frame in (512, 256):
        monkeypatch.setattr(pattern, "FRAMES", {"adaptive": ((frame, (1.0, 1.0)),)})
        marks.append(mark_of("adaptive", noise)[0])
    hz = np.fft.rfftfreq(len(noise[0]) - 2 * pattern.MARGIN, 1 / RATE)
    inside = (hz > low) & (hz < high)
    both, *each = np.fft.rfft(marks)
    share = np.interp(hz, [1000, 1400], [1, 0])
    rest = np.abs([both - share * each[0] - (1 - share) * each[1], both - each[0], both - each[1]]) ** 2
    power = np.sum(np.abs(both[inside]) ** 2)
    assert rest[0, inside].sum() < 0.05 * power  # Frames smear the passage a little.
    for i in (0, 1):
        assert (rest[1 + i, inside].sum() < 0.01 * power) == (i == alone)


def test_loud_repetitions_lead_and_bins_that_agree_get_more():
    """Bins of one frame: 4 repetitions that agree, 4 that cancel, 1 loud one against 3 faint ones, and silence."""
    turned = np.array([[1, 1, 16j, 0], [1, -1, 1, 0], [1, 1j, 1, 0], [1, -1j, 1, 0]], complex)[:, None]
    phases, shares = pattern.heard_along(turned)
    assert np.abs(phases) == pytest.approx(1)
    assert phases[0, 0] == pytest.approx(1)
    assert phases[0, 2] == pytest.approx(np.exp(1j * np.arctan2(4, 3)))  # root of 16 against 3
    assert shares[0] == pytest.approx([0.3 + 2, 0.3, 0.3 + 2 * 5 / 7, 0.3])
    rng = np.random.default_rng(4)
    signs = rng.standard_normal((32, 40, 100, 2)) @ [1, 1j]
    assert np.mean((pattern.heard_along(signs / np.abs(signs))[1] - 0.3) ** 2) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("radial", [0.2, 0.5])
def test_a_mark_turns_the_phase_and_some_of_it_raises_the_host(radial: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pattern, "RADIAL", radial)
    rng = np.random.default_rng(2)
    angles, turns = 2 * np.pi * rng.random((2, 40, 25))
    sizes = 10 ** rng.uniform(-3, 3, (40, 25))
    level = 10 ** rng.uniform(-2, 2, (40, 25))
    host = sizes * np.exp(1j * turns)
    bound = np.minimum(np.maximum(sizes, 0.1 * level**0.5), 3 * level**0.5)
    amplitude = (level**0.5) ** 0.7 * bound**0.3 * np.sqrt(2 / (1 + radial**2))
    relative = angles - turns
    wanted = amplitude * (radial * np.cos(relative) + 1j * np.sin(relative)) * np.exp(1j * turns)
    marks = pattern.hidden(np.exp(1j * angles), level, host)
    assert np.abs(marks / wanted - 1).max() < 1e-9
    assert not pattern.hidden(np.exp(1j * angles), level, 0 * host).any()
    # As much power as without, over all phases.
    even = np.exp(2j * np.pi * np.arange(64) / 64)
    assert (np.abs(pattern.hidden(even, np.ones(64), np.ones(64, complex))) ** 2).mean() == pytest.approx(1)


@pytest.mark.parametrize("kind", pattern.PATTERNS)
def test_channels_share_the_pattern_of_their_mix(kind: str):
    host = np.random.default_rng(6).standard_normal(2 * pattern.MARGIN + profile().mark_samples)
    marks = mark_of(kind, np.stack([0 * host, host]))
    assert not marks[0].any()
    assert np.abs(marks[1] - mark_of(kind, host[None])[0]).max() < 1e-9


def test_noise_phases_are_all_round():
    phases = pattern.noise_phases((50, 257))
    assert np.abs(np.abs(phases) - 1).max() < 1e-12
    assert abs(phases.mean()) < 0.03
    assert abs((phases**2).mean()) < 0.03


def test_each_causal_mark_follows_its_own_host():
    """After a mark every phase has the weight of one repetition again."""
    maker = CausalPattern(keys()[0])
    sound = np.random.default_rng(7).standard_normal((1, masking.HISTORY + FRAME))
    for _ in range(maker.grid.count - 1):
        maker.process(sound)
    band = np.abs(maker.signs[0]) > 0
    heard = maker.weight[0][band]
    maker.process(sound)
    assert maker.weight[0][band] == pytest.approx(heard / profile().repetitions)
    assert np.abs(maker.along) == pytest.approx(maker.weight * (np.abs(maker.along) > 0))
    assert maker._heard_along(0)[1][band] == pytest.approx(LEAST_POWER + AGREED_POWER)


def test_the_next_causal_mark_holds_one_repetition_of_the_last_no_louder_than_its_own():
    rng = np.random.default_rng(9)
    loud, other = rng.standard_normal((2, 1, masking.HISTORY + FRAME))
    for quiet in (1.0, 1e-3):
        maker = CausalPattern(keys()[0])
        for _ in range(maker.grid.count):
            maker.process(loud)
        carried, signs = maker.along[0].copy(), maker.signs[0]
        band = signs != 0
        for _ in range(maker.repetition):
            maker.process(quiet * other)
        phases, shares = maker._heard_along(0)
        weight, before = maker.weight[0], np.abs(carried)
        own = np.where(weight < 2 * before, weight / 2, weight - before)
        turned = maker.along[0] - np.minimum(before, own) * pattern.unit(carried)
        assert np.abs(turned)[band] == pytest.approx(own[band])
        # The mark is fainter than its host: it changes what that weighs a little.
        host = np.fft.rfft(quiet * other[0, masking.HISTORY :] * maker.grid.window)
        assert own[band] == pytest.approx(np.abs(host[band]) ** LOUDNESS, rel=0.5)
        agreed = np.abs(maker.along[0]) / maker.weight[0]
        assert shares[band] == pytest.approx(np.minimum(LEAST_POWER + 2 * AGREED_POWER * agreed**2, MOST_POWER)[band])
        assert phases[band] == pytest.approx(pattern.unit(maker.along[0])[band])


def causal_shares(hosts: list[Samples]) -> Samples:
    """The share of the mark's power, frame by frame, in bins that have signs; hosts: a frame each, repeated along."""
    maker = CausalPattern(keys()[0])
    band = np.abs(maker.signs[0]) > 0
    shares = []
    for t in range(len(hosts) * maker.repetition):
        shares.append(maker._heard_along(t % maker.repetition)[1][band].mean())
        maker.process(hosts[t // maker.repetition][None])
    return np.array(shares).reshape(len(hosts), -1).mean(axis=1)


def test_the_causal_mark_is_stronger_where_the_host_agrees_and_after_a_pause():
    rng = np.random.default_rng(8)
    silence = np.zeros(masking.HISTORY + FRAME)
    sounds = [rng.standard_normal(masking.HISTORY + FRAME) for _ in range(12)]
    changing = causal_shares(sounds)
    assert changing[:2] == pytest.approx([AGREED_POWER + LEAST_POWER] * 2, abs=0.1)
    assert (np.diff(changing[2:]) > -0.05).all()
    assert changing[-1] > changing[1]
    paused = causal_shares([sounds[0], *[silence] * 9, *sounds[1:3]])
    assert paused[10] > 4 * changing[1]
    assert max(paused.max(), changing.max()) <= MOST_POWER
    assert causal_shares([silence] * 4) == pytest.approx([AGREED_POWER + LEAST_POWER] * 4)


# Frames


def hissing_tones(seed: int, hz: float, hiss: float) -> Samples:
    """Two seconds of a loud tone that changes its phase, and white noise."""
    rng = np.random.default_rng(seed)
    phases = np.repeat(rng.random(8), RATE // 4)
    tone = np.sin(2 * np.pi * (hz * np.arange(2 * RATE) / RATE + phases))
    return np.asarray(tone + hiss * rng.standard_normal(2 * RATE))


@pytest.mark.parametrize("highest_hz", [None, 3800.0])
def test_frames_are_the_signs_of_differences_of_what_is_not_faint(highest_hz: float | None):
    """Bin by bin as the docstrings have it, however the sound is cut."""
    p, table = profile(), drawn_signs()
    # Where bins of 6 kHz are not used nothing is faint beside its tones.
    tones = [hissing_tones(1, 6000.0, 1e-3), hissing_tones(2, 1000.0, 1e-4)]
    sound = np.concatenate([*tones, 1e-7 * clip(0.5), clip(1.0)])
    stage, rng = FrameStage(p, highest_hz), np.random.default_rng(0)
    cuts = np.sort(rng.integers(0, len(sound), 200))
    got = np.concatenate([stage.process(part) for part in np.split(sound, cuts)])
    assert len(got) == (len(sound) - p.fft) // p.hop + 1
    last = (highest_hz or 7500.0) * p.fft / RATE
    used = np.array(p.bins) <= last
    faint = 0
    for t, frame in enumerate(got):
        stretch = [sound[n] - (sound[n - 1] if n else 0.0) for n in range(t * p.hop, t * p.hop + p.fft)]
        spectrum = np.fft.rfft(np.array(stretch) * window(p.fft))[p.bins.start : p.bins.stop]
        for part, parts in enumerate((spectrum.real, spectrum.imag)):
            largest = max(np.abs(spectrum.real[used]).max(), np.abs(spectrum.imag[used]).max())
            drawn = table[(1237 * t + np.arange(len(p.bins))) % DRAWN_SIGNS, part]
            zero = np.abs(parts) < max(2.0**-16, largest / 2048)
            faint += int((zero & used & (np.abs(parts) >= 2.0**-16)).sum())
            expected = np.where(zero, drawn, np.sign(parts)) * used
            assert np.array_equal((frame.real, frame.imag)[part], expected)
    assert faint > 1000


def test_an_offset_turns_no_sign():
    steps = np.random.default_rng(10).integers(-30, 31, 2 * RATE) / 32_768
    plain, offset = (FrameStage(profile()).process(x) for x in (steps, steps + 0.5))
    assert np.array_equal(plain, offset)


@pytest.mark.parametrize("hz", [20, 50])
def test_hum_turns_few_signs(hz: int):
    """40 dB over white noise; undifferenced, 50 Hz turn 3 % of the signs, 11 % of the lowest band's."""
    noise = 1e-3 * np.random.default_rng(10).standard_normal(4 * RATE)
    hum = 0.1 * np.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(4 * RATE) / RATE)
    plain, humming = (FrameStage(profile()).process(x) for x in (noise, noise + hum))
    turned = (plain.real != humming.real) | (plain.imag != humming.imag)
    assert turned.mean() < 0.01
    assert turned[:, bands() == 0].mean() < 0.03


def test_parts_far_under_the_loudest_are_drawn():
    """Beside a tone of 1 kHz; what its side lobes leave over 5 kHz is 90 dB under it."""
    high = np.array(profile().bins) * RATE / profile().fft > 5000
    silent = FrameStage(profile()).process(np.zeros(2 * RATE))[:, high]
    drawn = {
        under_db: (FrameStage(profile()).process(hissing_tones(3, 1000.0, 10 ** (-under_db / 20)))[:, high] == silent)
        for under_db in (30, 90, 120)
    }
    steady = np.ones(len(silent), bool)
    for change in range(RATE // 4, 2 * RATE, RATE // 4):
        steady[max(0, (change - 512) // 256) : change // 256 + 1] = False
    assert drawn[120][steady].all()
    assert drawn[90][steady].all()
    # A quarter of all pairs of signs are alike by chance.
    assert drawn[30].mean() == pytest.approx(0.25, abs=0.03)


def test_what_is_under_half_a_step_is_drawn():
    noise = np.random.default_rng(8).standard_normal(4000)
    silent, faint, heard = (FrameStage(profile()).process(gain * noise) for gain in (0.0, 1e-8, 1e-3))
    assert np.array_equal(silent, faint)
    assert (silent != heard).mean() > 0.6
    # Two parts of a bin and two bins are drawn apart.
    for one, other in ((silent.real, silent.imag), (silent.real[:, 1:], silent.real[:, :-1])):
        assert abs((one * other).mean()) < 0.2


def test_windows_overlap_to_one():
    for length in (256, 512):
        squares = window(length) ** 2
        assert np.abs(squares[: length // 2] + squares[length // 2 :] - 1).max() < 1e-12


def test_channels_are_averaged():
    left, right = np.random.default_rng(9).standard_normal((2, 1000))
    heard = InputStage(RATE, profile()).process(np.stack([left, right], axis=1))
    assert np.abs(heard - (left + right) / 2).max() < 1e-15


@pytest.mark.parametrize(("hz", "gain"), [(1000, 1.0), (7000, 1.0), (9500, 0.0), (15_000, 0.0), (21_000, 0.0)])
def test_the_band_passes_and_nothing_folds_into_it(hz: int, gain: float):
    tone = np.sin(2 * np.pi * hz * np.arange(88_200) / 44_100)
    heard = InputStage(44_100, profile()).process(tone)[4000:24_000]
    assert heard.std() * np.sqrt(2) == pytest.approx(gain, abs=1e-3)


# Embedder


def test_marks_fit_to_the_sample():
    mark = profile().mark_samples
    host = clip(5.0)
    for length, count in ((mark, 1), (mark + 1, 1), (2 * mark - 1, 1), (2 * mark, 2)):
        assert len(embed(host[-length:], RATE, keys()[0], strength=-14, judge=False).marks) == count
    neighbours = embed(host[: 2 * mark], RATE, keys()[0], at=[0.0, mark / RATE], strength=-14, judge=False).marks
    assert [m.sample for m in neighbours] == [0, mark]


def auto(host: Samples) -> Mark:
    return embed(host, RATE, keys()[0], at=[0.5], sample_type="PCM_16").marks[0]


def test_auto_is_the_weakest_that_reaches_the_target():
    noise = 0.1 * np.random.default_rng(0).standard_normal(3 * RATE)
    mark = auto(noise)
    assert mark.predicted_score >= TARGET_SCORE
    assert mark.strength_db > QUIETEST_DB
    weaker = embed(noise, RATE, keys()[0], at=[0.5], strength=mark.strength_db - 1, judge=False).marks[0]
    assert weaker.predicted_score < TARGET_SCORE


def test_auto_goes_to_the_limit_and_no_further():
    host = 0.05 * clip()
    host[round(1.2 * RATE) :] = 0
    mark = auto(host)
    assert mark.predicted_score < TARGET_SCORE
    assert mark.strength_db == masking.LOUDEST_DB


def test_auto_makes_up_for_what_was_lowered():
    noise = np.clip(0.4 * np.random.default_rng(0).standard_normal(3 * RATE), -1, 1 - 2.0**-15)
    lowered, free = auto(noise), auto(0.25 * noise)
    assert lowered.lowered
    assert not free.lowered
    assert lowered.strength_db > free.strength_db + 3


def test_a_mark_of_another_rate_ends_softly():
    """What the rate conversion rings on past the mark would be cut off at a fiftieth of its level."""
    rate = 44_100
    host = 0.1 * np.random.default_rng(1).standard_normal(3 * rate)
    marked = embed(host, rate, keys()[0], at=[0.5], strength=-10, judge=False)
    (mark,) = marked.marks
    added = (marked.samples[:, 0] - host)[mark.sample : mark.sample + mark.samples]
    for end in (added, added[::-1]):
        assert np.abs(end[:8]).max() < 0.004 * added.std()


def test_quality_is_over_the_mark_and_a_quarter_of_a_second():
    host = clip(4.0)
    marked = embed(host, RATE, keys()[0], at=[1.0], strength=-14)
    part = slice(RATE * 3 // 4, RATE + profile().mark_samples + RATE // 4)
    added = marked.samples[part, 0] - host[part]
    assert marked.marks[0].quality is not None
    snr_db = 10 * np.log10((host[part] ** 2).sum() / (added**2).sum())
    assert marked.marks[0].quality.snr_db == pytest.approx(snr_db, abs=0.01)


# Rate converter and stream


def test_a_burst_of_other_rates_leaves_nothing_over_the_lower_half():
    tone = np.sin(2 * np.pi * 9500 * np.arange(48_000) / 48_000)[:, None]
    down = np.concatenate(list(RateConverter(48_000, RATE, 1).process(tone)))
    assert np.abs(down[200:]).max() < 0.01
    steady_level = np.concatenate(list(RateConverter(44_100, RATE, 1).process(np.ones((44_100, 1)))))
    assert np.abs(steady_level[200:-200] - 1).max() < 1e-9


def test_marks_follow_each_other_through_silence():
    embedder = StreamEmbedder(keys()[0], RATE, 1)
    embedder.process(np.concatenate([clip(1.0), np.zeros(3 * RATE)]))
    assert embedder.marks == 2


def test_strength_is_decibels():
    host = clip(1.5)
    for maker in ("stream", "file"):
        added = []
        for strength in (-40.0, -20.0):
            if maker == "stream":
                embedder = StreamEmbedder(keys()[0], RATE, 1, strength=strength)
                out = np.concatenate([embedder.process(host), embedder.flush()])[embedder.delay :, 0] - host
            else:
                long = np.concatenate([host, host])
                out = embed(long, RATE, keys()[0], at=[0.0], strength=strength, judge=False).samples[:, 0] - long
            added.append(out.std())
        assert added[1] / added[0] == pytest.approx(10, rel=1e-6)


# Lag products


def test_bands_are_whole_sub_bands():
    with pytest.raises(ValueError, match="sub-bands"):
        LagGrid(replace(SMALL, subbands=SMALL.bands + 1))


def test_lag_products_are_products_of_repetitions():
    grid, frames = LagGrid(SMALL), one_bit(SMALL.mark_frames)
    products = grid.block_products(frames)
    x = frames.reshape(SMALL.repetitions, SMALL.blocks, SMALL.block_frames, -1).astype(np.complex128)
    turned = {drift: grid.pair_values(products, drift) for drift in (0.0, 130.0)}
    key = small_key()
    sums = grid.lag_sums(products, grid.signs_of_pairs(key.columns))
    expected_sums = np.zeros_like(sums)
    hz = np.array([(SMALL.bins[lo] + SMALL.bins[hi - 1]) / 2 * 31.25 for lo, hi in pairwise(grid.edges)])
    band = np.arange(SMALL.subbands) // (SMALL.subbands // SMALL.bands)
    for pair, (early, late) in enumerate(zip(*grid.pairs, strict=True)):
        assert early < late
        for block in range(SMALL.blocks):
            each = (x[late, block] * x[early, block].conj()).sum(axis=0)
            sub = np.array([each[lo:hi].sum() for lo, hi in pairwise(grid.edges)])
            assert np.array_equal(products[block, pair], sub)
            seconds = (late - early) * SMALL.pattern_samples / RATE
            for drift, values in turned.items():
                real = (sub * np.exp(2j * np.pi * drift * 1e-6 * hz * seconds)).real
                for b in range(SMALL.bands):
                    assert values[block * SMALL.bands + b, pair] == pytest.approx(real[band == b].sum(), abs=1e-9)
            expected_sums[late - early - 1] += sub * (key.signs[late, block] * key.signs[early, block])[band]
    assert np.abs(sums - expected_sums).max() < 1e-9
    gram = grid.gram(turned[0.0])
    assert np.array_equal(gram, gram.swapaxes(1, 2))
    assert not gram[:, np.arange(6), np.arange(6)].any()
    assert gram[3, 4, 1] == turned[0.0][3, list(zip(*grid.pairs, strict=True)).index((1, 4))]


# Screen


def test_the_screen_is_the_agreement_of_short_lags():
    grid, key = LagGrid(SMALL), small_key()
    screen = ScreenStage(grid, [small_key(1).columns, key.columns])
    for frame in one_bit(SMALL.mark_frames + 40, 5):
        screen.process(frame)
    screen.reset()
    fresh = ScreenStage(grid, [small_key(1).columns, key.columns])
    frames = one_bit(SMALL.mark_frames + 25, 6)
    assert [screen.process(frame).tolist() for frame in frames] == [fresh.process(frame).tolist() for frame in frames]
    screen.reset()
    for count, frame in enumerate(frames, 1):
        got = screen.process(frame)[1]
        if count < SMALL.mark_frames or count % 5:
            continue
        x = frames[count - SMALL.mark_frames : count].astype(np.complex128)
        x = x.reshape(SMALL.repetitions, SMALL.blocks, SMALL.block_frames, -1)
        agreement = power = 0.0
        for late in range(SMALL.repetitions):
            for early in range(max(0, late - 4), late):
                each = (x[late] * x[early].conj()).real.sum(axis=1)
                for block in range(SMALL.blocks):
                    for b in range(SMALL.bands):
                        value = each[block, bands() == b].sum()
                        agreement += value * key.signs[late, block, b] * key.signs[early, block, b]
                        power += value**2
        assert got == pytest.approx(agreement / np.sqrt(power), abs=1e-9)


# Template


def test_the_template_is_the_energy_along_the_key():
    grid, used = LagGrid(SMALL), np.arange(len(SMALL.bins)) < 150
    key = small_key()
    stage = TemplateStage(grid, [small_key(1).columns, key.columns], used)
    frames = (one_bit(SMALL.mark_frames, 7) * used).astype(np.complex64)
    got = stage.process(frames, 1)
    x = frames.reshape(SMALL.repetitions, SMALL.blocks, SMALL.block_frames, -1)
    signs = key.signs[:, :, bands()][:, :, None]
    seconds = np.arange(SMALL.repetitions) * SMALL.pattern_samples / RATE
    for drift, score in zip(SMALL.drifts_ppm, got, strict=True):
        turns = np.round(4 * drift * 1e-6 * np.outer(seconds, np.array(SMALL.bins) * RATE / SMALL.fft))
        along = (x * signs * (1j**turns)[:, None, None]).sum(axis=0)
        parts, r = 2 * SMALL.blocks * SMALL.block_frames * 150, SMALL.repetitions
        expected = ((np.abs(along) ** 2).sum() - r * parts) / np.sqrt(2 * r * (r - 1) * parts)
        assert score == pytest.approx(expected, abs=1e-6)


def test_the_template_is_standard_on_independent_frames():
    stage = TemplateStage(LagGrid(SMALL), [small_key().columns], np.ones(len(SMALL.bins), bool))
    scores = [stage.process(one_bit(SMALL.mark_frames, seed), 0)[0] for seed in range(200)]
    assert abs(np.mean(scores)) < 0.25
    assert 0.85 < np.std(scores) < 1.15


# Confirm


@cache
def marked_frames() -> NDArray[np.complex64]:
    """Frames of a weak mark, from its place on."""
    samples = embed(clip(), RATE, keys()[0], at=[1.0], strength=-18, judge=False).samples[:, 0]
    start = RATE - 128
    return FrameStage(profile()).process(samples[start:])[: profile().mark_frames]


@pytest.mark.parametrize("ppm", [-190.0, -67.0, -9.0, 0.0, 21.0, 88.0, 190.0])
def test_confirm_finds_the_drift_that_agrees_best(ppm: float):
    grid = LagGrid(profile())
    stage = ConfirmStage(grid, [keys()[1].columns, keys()[0].columns])
    earlier, later = grid.pairs
    clean = grid.block_products(marked_frames())
    products = clean * grid.turns(np.arange(1, profile().repetitions), -ppm)[0][later - earlier - 1]
    got = stage.score(products, 1)
    drifts = np.arange(-260, 261, 2.0)
    signs = grid.signs_of_pairs(keys()[0].columns)
    agreements = [float((grid.pair_values(products, d) * signs).sum()) for d in drifts]
    assert got.drift_ppm == pytest.approx(drifts[int(np.argmax(agreements))], abs=4)
    assert got.agreement == pytest.approx(max(agreements), rel=1e-3)
    gram = grid.gram(grid.pair_values(products, got.drift_ppm))
    # Of all four bands, or of the lower two alone, a little lowered.
    low = np.array([True, True, False, False])
    columns = keys()[0].columns
    scores = statistic.score(gram, columns), statistic.score(gram[low], columns[low]) - statistic.LOW_HANDICAP
    assert got.score == pytest.approx(float(max(scores)))
    assert got.score > 6


def test_confirm_scores_all_bands_or_the_lower_ones():
    grid = LagGrid(SMALL)
    columns = small_key().columns
    stage = ConfirmStage(grid, [columns])
    lower = [block * SMALL.bands + band for block in range(SMALL.blocks) for band in range(SMALL.bands // 2)]
    better = []
    for seed in range(50):
        products = grid.block_products(one_bit(SMALL.mark_frames, seed))
        got = stage.score(products, 0)
        gram = grid.gram(grid.pair_values(products, got.drift_ppm))
        whole, low = float(statistic.score(gram, columns)), float(statistic.score(gram[lower], columns[lower])) - 0.3
        assert got.score == pytest.approx(max(whole, low), abs=1e-9)
        better.append(low > whole)
    assert 4 < sum(better) < 40


# Peaks


def reported(scores: dict[int, tuple[float, float]], stage: PeakStage, frames: int = 400) -> list[tuple[int, int]]:
    """Frame of each peak and frame at which it was reported; scores: (score, agreement) by frame."""
    out = []
    for frame in range(frames):
        at = scores.get(frame)
        peak = stage.process(frame, Confirmed(at[0], at[1], 0.0) if at else None)
        if peak is not None:
            out.append((peak.frame, frame))
    return out


def test_peaks_are_reported_once_and_in_time():
    half = profile().mark_frames // 2
    stage = PeakStage(profile(), 6.0)
    assert reported({10: (6.0, 50.0)}, stage) == [(10, 10 + HOLD)]
    assert HOLD == 4
    for scores, expected in (
        ({10: (5.999, 50.0)}, []),
        ({10: (7.0, 50.0), 12: (7.0, 60.0), 13: (7.0, 55.0)}, [12]),
        ({10: (7.0, 50.0), 13: (7.0, 50.0)}, [10]),
        ({10: (7.0, 50.0), 14: (7.0, 60.0)}, [14]),
        ({10: (7.0, 50.0), 15: (7.0, 60.0)}, [10, 15]),
        ({10: (7.0, 50.0), 10 + half: (9.0, 49.0)}, [10]),
        ({10: (7.0, 50.0), 11 + half: (7.0, 49.0)}, [10, 11 + half]),
        ({10: (7.0, 50.0), 10 + half: (7.0, 51.0)}, [10, 10 + half]),
        ({10: (7.0, 50.0), 11: (5.0, 60.0)}, [10]),
    ):
        stage.reset()
        assert [frame for frame, _ in reported(scores, stage)] == expected


def test_nothing_is_left_after_a_reset():
    stage = PeakStage(profile(), 6.0)
    stage.process(0, Confirmed(7.0, 50.0, 0.0))
    stage.reset()
    assert reported({}, stage, 10) == []
    reported({5: (7.0, 90.0)}, stage, 20)
    stage.process(20, Confirmed(5.0, 33.0, 0.0))
    stage.reset()
    peaks = [stage.process(frame, Confirmed(7.0, 50.0, 0.0) if frame == 0 else None) for frame in range(6)]
    found = [peak for peak in peaks if peak is not None]
    assert [(peak.frame, peak.before, peak.after) for peak in found] == [(0, 0.0, 0.0)]


def test_a_peak_lies_between_its_neighbours():
    stage = PeakStage(profile(), 6.0)
    agreements = {4: 30.0, 5: 50.0, 6: 40.0}
    peaks = [stage.process(t, Confirmed(7.0, agreements[t], 0.0) if t in agreements else None) for t in range(12)]
    (peak,) = [p for p in peaks if p is not None]
    assert (peak.frame, peak.before, peak.after) == (5, 30.0, 40.0)
    top = -np.polyfit([-1, 0, 1], [30, 50, 40], 2)[1] / 2 / np.polyfit([-1, 0, 1], [30, 50, 40], 2)[0]
    assert peak.offset() == pytest.approx(top)


@pytest.mark.parametrize(("before", "after", "offset"), [(417.8, 89.6, -0.5), (89.6, 417.8, 0.5), (253.9, 89.6, -0.5)])
def test_a_peak_lies_no_further_than_half_a_frame_off(before: float, after: float, offset: float):
    """Also where a neighbour agrees more, but scores under the threshold."""
    assert Peak(7, Confirmed(7.0, 253.8, 0.0), before, after).offset() == pytest.approx(offset, abs=1e-3)


# Thresholds


def test_one_false_alarm_a_year_is_a_score_of_6_48():
    assert thresholds.threshold(thresholds.ONE_A_YEAR) == pytest.approx(6.48, abs=0.005)
    assert thresholds.per_day(6.0, 3) == pytest.approx(3 * thresholds.per_day(6.0))


@pytest.mark.parametrize("per_day", [1e-10, 1.001e4, np.inf])
def test_rates_out_of_range(per_day: float):
    with pytest.raises(AirmarkError, match="1e-9 to 10000"):
        thresholds.threshold(per_day)


# Detector


def test_the_first_stages_let_through_what_is_just_over_the_threshold():
    marked = embed(clip(), RATE, keys()[0], at=[1.0], strength=-15, judge=False).samples[:, 0]
    scores = []
    for seed in range(8, 16):
        heard = marked + 0.07 * marked.std() * np.random.default_rng(seed).standard_normal(len(marked))
        full, staged = (Detector(keys()[0], engine=engine) for engine in ("full", "float"))
        found = full.process(heard) + full.flush()
        assert staged.process(heard) + staged.flush() == found
        scores += [d.score for d in found]
    assert len(scores) >= 6
    assert min(scores) < 7


def test_marks_of_two_keys_in_one_frame_come_in_order():
    host = embed(clip(), RATE, keys()[0], at=[1.0], strength=-12, judge=False).samples
    both = embed(host, RATE, keys()[1], at=[0.994], strength=-12, judge=False).samples
    found = Detector(keys(), engine="full").process(both)
    assert [d.key for d in found] == [1, 0]
    assert found[0].sample < found[1].sample


def test_the_level_is_the_highest_of_all_keys():
    marked = embed(clip(), RATE, keys()[0], at=[1.0], strength=-12, judge=False).samples[: round(3.06 * RATE)]
    levels = []
    for which in (keys()[:1], keys()[1:], keys()):
        detector = Detector(which, engine="float")
        detector.process(marked)
        levels.append(detector.score)
    assert levels[0] > levels[1] + 1
    assert levels[2] == levels[0]


# Prediction


def test_a_mark_in_a_pause_is_predicted_lower():
    host = clip().copy()
    host[: round(0.6 * RATE)] *= 10
    same, pause = (embed(x, RATE, keys()[0], at=[1.0], strength=-12, judge=False).marks[0] for x in (clip(), host))
    assert pause.predicted_score < same.predicted_score - 2


def test_what_follows_a_mark_is_nothing_to_its_prediction():
    marked = embed(clip(), RATE, keys()[0], at=[1.0], strength=-12, judge=False).samples[:, 0]
    followed = np.concatenate([marked, np.random.default_rng(0).standard_normal(RATE)])
    scores = [predict.Predictor(keys()[0]).score(heard, RATE, 0.01) for heard in (marked, followed)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert predict.Predictor(keys()[0]).score(np.zeros(4 * RATE), RATE, 0.01) == pytest.approx(0, abs=0.1)


def test_a_prediction_looks_at_the_detectors_frames():
    rng = np.random.default_rng(4)
    low = firwin(511, 3000, fs=RATE)
    heard = fftconvolve(rng.standard_normal(profile().mark_samples + profile().fft), low, mode="same") + 0.3
    got = predict.Predictor(keys()[0])._frames(heard)
    frames = FrameStage(profile()).process(heard)[: profile().mark_frames]
    for part, wanted in ((got.real, frames.real), (got.imag, frames.imag)):
        assert part.shape == wanted.shape
        assert np.array_equal(part[part != 0], wanted[part != 0])
        # The upper half is as good as empty.
        assert (part[:, bands() == 0] != 0).mean() > 0.99
        assert (part[:, bands() == 3] != 0).mean() < 0.01


def test_the_rooms_are_what_they_are_called():
    for (rt60_s, direct_db), room in zip(predict.ROOMS, predict._rooms(), strict=True):
        tail = room[1:]
        assert room[0] == 1
        assert -10 * np.log10((tail**2).sum()) == pytest.approx(direct_db, abs=0.01)
        early, late = (10 * np.log10((room[at : at + RATE // 20] ** 2).mean()) for at in (RATE // 20, RATE // 5))
        assert early - late == pytest.approx(0.15 * 60 / rt60_s, abs=2)
    noises = predict._noises(40_000)
    assert (noises**2).mean(axis=1) == pytest.approx(np.ones(3))
    power = np.abs(np.fft.rfft(noises, axis=1)) ** 2
    octaves = [power[:, hz * 40_000 // RATE : 2 * hz * 40_000 // RATE].sum(axis=1) for hz in (200, 3200)]
    assert 10 * np.log10(octaves[0] / octaves[1]) == pytest.approx([12.0, 0.0, -12.0], abs=0.7)


def test_a_prediction_is_what_the_detector_finds_in_the_rooms():
    marked = embed(clip(), RATE, keys()[0], at=[1.0], strength=-12, judge=False)
    confirm = ConfirmStage(LagGrid(profile()), [keys()[0].columns])
    scores = []
    for room in predict._rooms():
        heard = fftconvolve(marked.samples[:, 0], room)[: len(marked.samples)]
        # The clip sounds alike all along.
        power = (heard[RATE : RATE + profile().mark_samples] ** 2).mean() / 100
        for noise in predict._noises(len(heard)):
            noisy = heard + noise * np.sqrt(power)
            starts = (RATE - 128 + profile().hop * hops for hops in (-1, 0, 1))
            frames = (FrameStage(profile()).process(noisy[start:])[: profile().mark_frames] for start in starts)
            scores.append(max(confirm.process(each, 0).score for each in frames))
    # The detector takes the best place; the prediction looks from 0 to half a hop beside it.
    assert 0 < np.mean(scores) - marked.marks[0].predicted_score < 1.5
