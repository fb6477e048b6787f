"""The channel: what lies between the embedder's samples and the detector's.

``Channel(...).apply(samples, rate, seed)`` takes a recording through these stages, each only where it is asked for:

1. ``codec_before``: the broadcast, stream or file that carries the recording to the loudspeaker;
2. ``loudspeaker_hz``: the band that a small loudspeaker radiates;
3. the room: a measured response (``rir``) or a simulated one (``distance_m``, ``rt60_s``);
4. ``noise`` at ``snr_db``: it meets the microphone in the same air, but neither the loudspeaker nor the response;
5. ``microphone_hz``: the microphone's band;
6. ``drift_ppm``, ``level_db``: the converter, where the receiver's clock begins to count and its gain is set;
7. ``noise_suppression``, ``gain_control``: a headset's, digital, so they run on the receiver's clock;
8. ``codec_after``: the radio link or the file that carries the received recording to the detector;
9. ``crop_s``: the part of it that the detector is given.

Stages 2, 3, 5 and 7 are one loudspeaker and one microphone: they take the mean of the channels first. Nothing here
keeps or draws on global state: the same samples, channel and seed give the same samples. Room responses and files are
cached, as read-only arrays.

A sample i of the input is at ``ReceivedAudio.place(i)`` of the output. That counts the delays that codecs declare, the
room's direct sound, the noise suppressor, the clock and the crop, but not the phase of the band limits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft, optimize, signal

from airmark import audio, codecs
from airmark.errors import AirmarkError, MissingExtraError

Samples = NDArray[np.float32]

SPEED_OF_SOUND = 343.0
"""m/s, of dry air at 20 °C."""
SMALL_LOUDSPEAKER_HZ = (150.0, 10_000.0)
"""The band of a small loudspeaker, as in a smart speaker, television or telephone: an assumption, not a measurement."""
NOISES = ("white", "pink", "brown", "babble")
TALKERS = 8
RT60_LIMIT_S = 1.5
"""The longest RT60 that is simulated: the image sources needed grow with its third power."""
DEPTH_DB = 45.0
"""How far a simulated response has decayed where it ends."""
HEADSET_RATE = 16_000
SUPPRESSOR_DELAY = 96
"""Samples at 16 kHz by which WebRTC's noise suppressor is late: the overlap of its 16 ms frames, hop 10 ms."""


@dataclass(frozen=True)
class ReceivedAudio:
    """What the receiver holds, and where the input's samples are in it."""

    samples: Samples
    """(n,) or (n, channels); full scale 1, which it may exceed."""
    rate: int
    """Hz, by the receiver's clock; the input's."""
    delay_samples: float
    """Place of the input's sample 0: codecs, the room's direct sound and noise suppression, less what was cropped."""
    speed: float
    """Receiver's samples per input's sample: 1 + drift_ppm / 1,000,000."""
    stages: tuple[str, ...]
    """One line of text for each stage that was applied."""

    def place(self, sample: float) -> float:
        """The place, in received samples, of that sample of the input."""
        return sample * self.speed + self.delay_samples


@dataclass(frozen=True)
class Channel:
    """A way from the embedder to the detector; the stages and their order are this module's.

    Raises AirmarkError at once where values are out of range or don't go together.
    """

    rir: str | Path | None = None
    """A measured room: a sound file with its response, of which the first channel counts."""
    distance_m: float | None = None
    """A simulated room: metres from loudspeaker to microphone, 0.1 to 20; needs rt60_s."""
    rt60_s: float | None = None
    """A simulated room: seconds in which its sound falls by 60 dB, 0.1 to 1.5, or 0 for the free field."""
    room_seed: int = 0
    """Which of the rooms with that distance and RT60: size and places are drawn by it."""
    noise: str | Path | None = None
    """white, pink, brown, babble (``noise_like``) or a sound file, repeated from a random place on; needs snr_db."""
    snr_db: float | None = None
    """Level of the sound over the noise at the microphone, dB, over the active part of the sound (``active_part``)."""
    drift_ppm: float = 0.0
    """How much the receiver's clock is fast, parts per million: it counts that many more samples."""
    codec_before: str | None = None
    """Codec before the air, as ``codecs.parse`` reads it."""
    codec_after: str | None = None
    """Codec after the microphone."""
    loudspeaker_hz: tuple[float, float] | None = None
    """Band of the loudspeaker, Hz, e.g. SMALL_LOUDSPEAKER_HZ; see ``band_limit``."""
    microphone_hz: tuple[float, float] | None = None
    """Band of the microphone, Hz."""
    gain_control: bool = False
    """A headset's gain control, see ``headset``."""
    noise_suppression: bool = False
    """A headset's noise suppression, see ``headset``."""
    level_db: float = 0.0
    """Gain of the converter, dB; with 0 the room leaves the level of a white sound as it is."""
    crop_s: tuple[float, float] | None = None
    """The part of the received audio to keep: from, to, in seconds of the received audio."""

    def __post_init__(self) -> None:
        """Refuse what can't be done."""
        if self.rir is not None and (self.distance_m is not None or self.rt60_s is not None):
            raise AirmarkError("room: give a measured response, or distance and RT60 of a simulated one, not both")
        if (self.distance_m is None) != (self.rt60_s is None):
            raise AirmarkError("room: a simulated one needs both, the distance in metres and the RT60 in seconds")
        if self.distance_m is not None and self.rt60_s is not None:
            _check_room(self.distance_m, self.rt60_s)
        if (self.noise is None) != (self.snr_db is None):
            raise AirmarkError("noise: needs both, its kind or file and the SNR in dB")
        for name, value in (("SNR", self.snr_db), ("level", self.level_db)):
            if value is not None and not abs(value) <= 200:
                raise AirmarkError(f"{name} of {value:g} dB: must be between -200 and 200")
        _check_drift(self.drift_ppm)
        for codec in (self.codec_before, self.codec_after):
            if codec is not None:
                codecs.parse(codec)
        for band in (self.loudspeaker_hz, self.microphone_hz):
            if band is not None:
                _check_band(band)
        if self.crop_s is not None and not 0 <= self.crop_s[0] < self.crop_s[1] < math.inf:
            raise AirmarkError(f"crop from {self.crop_s[0]:g} s to {self.crop_s[1]:g} s: must be rising, from 0 on")

    def apply(self, samples: NDArray[Any], rate: int, seed: int = 0) -> ReceivedAudio:
        """Play samples through the channel.

        samples: (n,) or (n, channels), full scale 1. rate: Hz, 8,000 to 192,000. seed: draws the noise, from 0 on.

        Raises AirmarkError for samples that are empty or not finite, for a file that can't be read, for a codec that
        refuses its input, for an SNR of silence, and for a crop outside the received audio; MissingExtraError without
        the package for a headset.
        """
        given = np.asarray(samples)
        if not 1 <= given.ndim <= 2 or given.size == 0:
            raise AirmarkError(f"channel: needs samples of shape (n,) or (n, channels), not {given.shape}")
        if not np.isfinite(given).all():
            raise AirmarkError("channel: the recording has samples that are not numbers")
        audio.check_loudest(given, "channel: the recording")
        x = np.array(given, np.float32)
        audio.check_rate(rate, "channel")
        return _Run(self, x, rate, seed).received()

    def channels(self, channels: int) -> int:
        """How many channels are received of an input of that many: 1 where anything is in the way that has but one."""
        one = (
            *(self.rir, self.distance_m, self.loudspeaker_hz, self.microphone_hz),
            *(self.gain_control or None, self.noise_suppression or None),
        )
        specs = [spec for spec in (self.codec_before, self.codec_after) if spec is not None]
        mono = any(value is not None for value in one) or any(codecs.parse(spec).mono for spec in specs)
        return 1 if mono else channels


class _Run:
    """One application of a channel: the samples on their way, and what has happened to them."""

    def __init__(self, channel: Channel, x: Samples, rate: int, seed: int) -> None:
        self.channel, self.x, self.rate, self.seed = channel, x, rate, seed
        self.delay = 0.0
        self.speed = 1.0
        self.stages: list[str] = []

    def received(self) -> ReceivedAudio:
        """Go through all stages."""
        channel = self.channel
        self._codec(channel.codec_before, "before the air")
        self._band(channel.loudspeaker_hz, "loudspeaker")
        self._room()
        self._noise()
        self._band(channel.microphone_hz, "microphone")
        self._converter()
        self._headset()
        self._codec(channel.codec_after, "after the microphone")
        self._crop()
        return ReceivedAudio(self.x, self.rate, self.delay, self.speed, tuple(self.stages))

    def _mono(self) -> None:
        if self.x.ndim == 2:
            self.x = self.x.mean(axis=1, dtype=np.float32)

    def _codec(self, spec: str | None, where: str) -> None:
        if spec is None:
            return
        self.x, _, late = codecs.roundtrip(self.x, self.rate, spec)
        self.delay += late
        run = codecs.parse(spec).rate(self.rate)
        self.stages.append(f"codec {where}: {spec} at {run} Hz, {late:.4g} samples late")

    def _band(self, band_hz: tuple[float, float] | None, what: str) -> None:
        if band_hz is None:
            return
        self._mono()
        self.x = band_limit(self.x, self.rate, band_hz)
        self.stages.append(f"{what}: {band_hz[0]:g} to {band_hz[1]:g} Hz")

    def _room(self) -> None:
        channel = self.channel
        if channel.rir is not None:
            response = room_response(channel.rir, self.rate)
            late: float = direct_sound(response, self.rate)
            what = str(channel.rir)
        elif channel.distance_m is not None and channel.rt60_s is not None:
            response = simulated_room(channel.distance_m, channel.rt60_s, self.rate, channel.room_seed)
            late = channel.distance_m / SPEED_OF_SOUND * self.rate
            what = f"simulated, {channel.distance_m:g} m, RT60 {channel.rt60_s:g} s, room seed {channel.room_seed}"
        else:
            return
        self._mono()
        self.x = convolve_room(self.x, response)
        self.delay += late
        self.stages.append(f"room: {what}, direct sound {late:.4g} samples late")

    def _noise(self) -> None:
        channel = self.channel
        if channel.noise is None or channel.snr_db is None:
            return
        rng = np.random.default_rng(self.seed)
        if str(channel.noise) in NOISES:
            noise = noise_like(str(channel.noise), len(self.x), self.rate, rng)
        else:
            noise = _noise_file(channel.noise, self.rate)
        self.x = add_noise(self.x, noise, channel.snr_db, rng, active_part(self.x, self.rate))
        self.stages.append(f"noise: {channel.noise} at an SNR of {channel.snr_db:g} dB, seed {self.seed}")

    def _converter(self) -> None:
        channel = self.channel
        if channel.drift_ppm:
            self.x = drift(self.x, channel.drift_ppm)
            self.speed = 1 + channel.drift_ppm * 1e-6
            self.delay *= self.speed
            self.stages.append(f"clock: {channel.drift_ppm:+g} ppm")
        if channel.level_db:
            self.x = self.x * np.float32(10 ** (channel.level_db / 20))
            self.stages.append(f"level: {channel.level_db:+g} dB")

    def _headset(self) -> None:
        gain, suppression = self.channel.gain_control, self.channel.noise_suppression
        if not (gain or suppression):
            return
        self._mono()
        self.x, late = headset(self.x, self.rate, gain, suppression)
        self.delay += late
        what = " and ".join(["noise suppression"] * suppression + ["gain control"] * gain)
        self.stages.append(f"headset: {what}, {late:.4g} samples late")

    def _crop(self) -> None:
        if self.channel.crop_s is None:
            return
        first, last = (round(s * self.rate) for s in self.channel.crop_s)
        if last > len(self.x) or first == last:
            seconds = len(self.x) / self.rate
            raise AirmarkError(f"crop to {self.channel.crop_s[1]:g} s: the received audio has {seconds:.3f} s")
        self.x = self.x[first:last]
        self.delay -= first
        self.stages.append(f"crop: {self.channel.crop_s[0]:g} to {self.channel.crop_s[1]:g} s")


def band_limit(samples: NDArray[Any], rate: int, band_hz: tuple[float, float]) -> Samples:
    """A loudspeaker or a microphone as a band-pass: Butterworth, 12 dB an octave on each side, causal.

    samples: (n,) or (n, channels). band_hz: its -3 dB points; an upper one over 0.45 of the rate (Hz) limits nothing.
    """
    _check_band(band_hz)
    low, high = band_hz
    if low >= 0.45 * rate:
        raise AirmarkError(f"band from {low:g} Hz: nothing is left of a recording at {rate} Hz")
    parts = [signal.butter(2, low, "highpass", fs=rate, output="sos")]
    if high < 0.45 * rate:
        parts.append(signal.butter(2, high, "lowpass", fs=rate, output="sos"))
    out: Samples = signal.sosfilt(np.concatenate(parts), samples, axis=0).astype(np.float32)
    return out


def convolve_room(samples: NDArray[Any], response: NDArray[Any]) -> Samples:
    """What reaches the microphone: samples (n,) through a room's response (m,), as (n + m - 1,).

    The response is scaled to an energy of 1, so that a white sound keeps its level: how loud it is received is
    ``level_db``'s business, and the absolute level of measured responses is rarely known.
    """
    h = np.asarray(response, np.float32)
    energy = float(np.sum(h.astype(np.float64) ** 2))
    if not 0 < energy < math.inf:
        raise AirmarkError("room: its response is silent or not finite")
    out: Samples = signal.oaconvolve(np.asarray(samples, np.float32), h / np.float32(math.sqrt(energy)))
    return out.astype(np.float32, copy=False)


def room_response(path: str | Path, rate: int) -> Samples:
    """A measured room response, its first channel, converted to rate (Hz); (n,), read-only.

    Raises AirmarkError where the file can't be read.
    """
    return _clip(str(path), rate, _stamp(path), False)


def direct_sound(response: NDArray[Any], rate: int) -> int:
    """The place of the direct sound in a room's response, samples.

    The onset is the first sample within 20 dB of the peak (ISO 3382-1); the direct sound is the largest sample of the
    millisecond that follows it.
    """
    magnitude = np.abs(response)
    onset = int(np.argmax(magnitude >= 0.1 * magnitude.max()))
    return onset + int(np.argmax(magnitude[onset : onset + max(1, round(rate / 1000))]))


def simulated_room(
    distance_m: float, rt60_s: float, rate: int, seed: int = 0, size: tuple[float, float, float] | None = None
) -> Samples:
    """The response of a simulated shoebox room, by image sources (pyroomacoustics); (n,), read-only, cached.

    distance_m: metres between loudspeaker and microphone, 0.1 to 20. rt60_s: 0.1 to 1.5, or 0 for the free field.
    rate: Hz. seed: draws the room's size, where it isn't given, and both places. size: length, width, height, metres.

    The walls absorb alike, and as much as gives the RT60 (as T20) by the decay that image sources have in a box of that
    shape, averaged over all directions. (Sabine's formula assumes a diffuse field, and gave 0.64 s for 0.5 s in a room
    of 9 x 6 x 3 m.) The response begins when the loudspeaker does: its direct sound is at distance_m / 343 * rate; it
    ends 45 dB down. Images keep their sign, so lows pile up: far from the loudspeaker a reflection can exceed the
    direct sound there.

    Raises AirmarkError for values out of range, a room too small for the distance and one too large for the RT60.
    """
    _check_room(distance_m, rt60_s)
    return _simulated_room(float(distance_m), float(rt60_s), int(rate), int(seed), size)


@lru_cache(maxsize=64)
def _simulated_room(
    distance_m: float, rt60_s: float, rate: int, seed: int, size: tuple[float, float, float] | None
) -> Samples:
    import pyroomacoustics as pra

    rng = np.random.default_rng(seed)
    if size is None:
        length = max(rng.uniform(3.5, 5.0), distance_m * rng.uniform(1.0, 1.3) + 1.2)
        size = (length, length * rng.uniform(0.6, 0.9), rng.uniform(2.4, 3.0))
    source, microphone = _places(distance_m, size, rng)
    absorption, order = 1.0, 0
    reach_s = distance_m / SPEED_OF_SOUND
    if rt60_s:
        absorption = _absorption(size, distance_m, rt60_s)
        reach_s += rt60_s * DEPTH_DB / 60
        order = math.ceil(SPEED_OF_SOUND * reach_s * math.sqrt(sum(1 / side**2 for side in size)))
    room = pra.ShoeBox(size, fs=rate, materials=pra.Material(absorption), max_order=order)
    room.set_sound_speed(SPEED_OF_SOUND)
    room.add_source(source)
    room.add_microphone(microphone)
    threads = pra.constants.get("num_threads")
    try:
        # The order in which threads add up shows in the last bits, and their number changes from process to process.
        pra.constants.set("num_threads", 1)
        room.compute_rir()
    finally:
        pra.constants.set("num_threads", threads)
    response = np.asarray(room.rir[0][0], np.float32)
    early = pra.constants.get("frac_delay_length") // 2
    out: Samples = response[early : early + math.ceil(reach_s * rate) + early].copy()
    out.setflags(write=False)
    return out


def _absorption(size: tuple[float, float, float], distance_m: float, rt60_s: float) -> float:
    """The energy absorption of all walls that gives the RT60 (as T20) at that distance in a box of that size, metres.

    A ray in direction n meets c Σ |n_i| / L_i walls a second and leaves 1 - absorption of itself at each, so the energy
    decays with the mean over all directions of exp(-g w t), w = Σ |n_i| / L_i, g = -c ln(1 - absorption).
    """
    steps = (np.arange(24) + 0.5) / 24
    z, azimuth = np.meshgrid(steps, steps * np.pi / 2)
    flat = np.sqrt(1 - z**2)
    walls = (flat * np.cos(azimuth) / size[0] + flat * np.sin(azimuth) / size[1] + z / size[2]).ravel()

    def excess(g: float) -> float:
        """The T20 of that g, less the RT60 asked for, s; energy integrated backwards (Schroeder)."""
        time = distance_m / SPEED_OF_SOUND + np.linspace(0, 6 / (g * walls.min()), 400)
        left = np.exp(-g * np.outer(time, walls)) @ (1 / walls)
        begin, end = np.interp([5, 25], -10 * np.log10(left / left[0]), time)
        return float(3 * (end - begin)) - rt60_s

    highest = -SPEED_OF_SOUND * math.log(1 - 0.95)
    if excess(highest) > 0:
        what = f"{size[0]:.1f} x {size[1]:.1f} x {size[2]:.1f} m"
        raise AirmarkError(f"room: {what} is too large for an RT60 of {rt60_s:g} s; ask for a longer RT60")
    return 1 - math.exp(-float(optimize.brentq(excess, 0.1, highest)) / SPEED_OF_SOUND)


def _places(
    distance_m: float, size: tuple[float, float, float], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Loudspeaker and microphone, (3,) metres each, exactly that far apart and 0.4 m off the walls or more."""
    margin = 0.4
    span = np.array(size, np.float64) - 2 * margin
    for attempt in range(20_000):
        # Both at about the height of a table; a steeper line is tried where no flat one fits.
        rise = rng.uniform(-0.3, 0.3) if attempt < 1000 else rng.uniform(-1, 1)
        azimuth = rng.uniform(0, 2 * np.pi)
        across = math.sqrt(1 - rise**2)
        step = distance_m * np.array([across * math.cos(azimuth), across * math.sin(azimuth), rise])
        if np.all(np.abs(step) <= span):
            source = margin + np.maximum(0, -step) + rng.random(3) * (span - np.abs(step))
            return source, source + step
    raise AirmarkError(f"room: {size[0]:g} x {size[1]:g} x {size[2]:g} m is too small for {distance_m:g} m")


def noise_like(kind: str, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """n samples of noise at rate (Hz), mean power 1; (n,).

    kind: white; pink (power falls 3 dB an octave) or brown (6 dB), both level below 20 Hz; babble: eight talkers, each
    a passage of the shipped speech (two readers in each of two clips) that begins at a random place, played at a random
    one of five speeds between 0.85 and 1.2, all of the same active level.

    Raises AirmarkError for another kind.
    """
    if kind == "white":
        noise = rng.standard_normal(n)
    elif kind in ("pink", "brown"):
        size = fft.next_fast_len(max(n, rate // 10), real=True)
        hz = np.maximum(fft.rfftfreq(size, 1 / rate), 20.0)
        spectrum = fft.rfft(rng.standard_normal(size)) / (np.sqrt(hz) if kind == "pink" else hz)
        spectrum[0] = 0
        noise = fft.irfft(spectrum, size)[:n]
    elif kind == "babble":
        noise = np.zeros(n)
        for _ in range(TALKERS):
            talker = _talker(rate, int(rng.integers(5)))
            noise += _looped(talker, n, rng)
    else:
        raise AirmarkError(f"no noise '{kind}': give one of {', '.join(NOISES)}, or a sound file")
    return (noise / math.sqrt(float(np.mean(noise**2)) or 1.0)).astype(np.float32)


@lru_cache(maxsize=32)
def _talker(rate: int, speed: int) -> Samples:
    """The shipped speech, one clip after the other at one level, at rate and one of five speeds; (n,), read-only."""
    from airmark.assets import data_path

    parts = []
    for path in sorted(data_path("speech").glob("*.flac")):
        x = _clip(str(path), rate, _stamp(path), True)
        parts.append(x / math.sqrt(_power(x, active_part(x, rate))))
    factor = (0.85, 0.93, 1.0, 1.09, 1.2)[speed]
    out: Samples = soxr.resample(np.concatenate(parts), rate * factor, rate).astype(np.float32)
    out.setflags(write=False)
    return out


def active_part(samples: NDArray[Any], rate: int) -> NDArray[np.bool_]:
    """Which samples count for the level of a sound: (n,) bool.

    Those in frames of 20 ms whose power is at most 40 dB under the loudest frame's: pauses and fades count only where
    something of the sound is left in them, digital silence never.
    """
    x = np.asarray(samples, np.float64)
    power = x**2 if x.ndim == 1 else np.mean(x**2, axis=1)
    frame = max(1, round(0.02 * rate))
    starts = np.arange(0, len(power), frame)
    lengths = np.diff(np.append(starts, len(power)))
    frames = np.add.reduceat(power, starts) / lengths
    return np.repeat((frames >= 1e-4 * frames.max()) & (frames > 0), lengths)


def add_noise(
    samples: NDArray[Any],
    noise: NDArray[Any],
    snr_db: float,
    rng: np.random.Generator,
    active: NDArray[np.bool_] | None = None,
) -> Samples:
    """samples plus noise, so that the power of the one over that of the other is snr_db.

    samples: (n,) or (n, channels); the same noise in each channel. noise: (m,); begins at a random place where m isn't
    n, and is repeated where it is shorter. active: (n,), the samples over which the powers are means, e.g.
    ``active_part``'s; None: all of them.

    Raises AirmarkError where samples or noise are silent there.
    """
    x = np.asarray(samples, np.float32)
    added = np.asarray(noise, np.float32) if len(noise) == len(x) else _looped(noise, len(x), rng)
    active = np.ones(len(x), np.bool_) if active is None else active
    sound_power, noise_power = _power(x, active), _power(added, active)
    if not sound_power > 0 or not noise_power > 0:
        raise AirmarkError(f"SNR of {snr_db:g} dB: the {'noise' if sound_power > 0 else 'recording'} is silent")
    added = added * np.float32(math.sqrt(sound_power / noise_power) * 10 ** (-snr_db / 20))
    out: Samples = x + (added if x.ndim == 1 else added[:, None])
    return out


def _power(x: Samples, active: NDArray[np.bool_]) -> float:
    """Mean power of (n,) or (n, channels) over the active samples."""
    return float(np.mean(x[active].astype(np.float64) ** 2)) if active.any() else 0.0


def _looped(clip: NDArray[Any], n: int, rng: np.random.Generator) -> Samples:
    """n samples of a clip (m,) from a random place on, over and over."""
    start = int(rng.integers(len(clip)))
    return np.resize(np.roll(clip, -start), n).astype(np.float32, copy=False)


def drift(samples: NDArray[Any], ppm: float) -> Samples:
    """What a receiver records whose clock is fast by ppm: length × (1 + ppm / 1,000,000), so tones come out lower.

    samples: (n,) or (n, channels). By soxr: a sine's error is -105 dB at 7 kHz and -86 dB at 18 kHz, of
    48 kHz.
    """
    _check_drift(ppm)
    out: Samples = soxr.resample(np.asarray(samples, np.float32), 1e6, 1e6 + ppm, quality="VHQ")
    return out


def headset(samples: NDArray[Any], rate: int, gain_control: bool, noise_suppression: bool) -> tuple[Samples, float]:
    """What a headset's or telephone's voice processing leaves: WebRTC's high-pass, suppression (moderate) and AGC2.

    samples: (n,) at rate (Hz), full scale 1. It runs at 16 kHz and 16 bit, so nothing over 8 kHz is left. Returns the
    samples, (n + delay,), and the delay.

    Raises MissingExtraError without the package webrtc-noise-gain.
    """
    try:
        from webrtc_noise_gain import AudioProcessor
    except ImportError as error:
        raise MissingExtraError("a headset's gain control or noise suppression", "headset") from error
    x = np.asarray(samples, np.float32)
    late = SUPPRESSOR_DELAY if noise_suppression else 0
    inside = x if rate == HEADSET_RATE else soxr.resample(x, rate, HEADSET_RATE)
    frame = HEADSET_RATE // 100
    inside = np.pad(inside, (0, late + -(len(inside) + late) % frame))
    pcm = np.rint(inside.astype(np.float64) * 32768).clip(-32768, 32767).astype("<i2")
    # Any gain above 0 means the same adaptive gain control to this version of WebRTC.
    process = AudioProcessor(3 if gain_control else 0, 2 if noise_suppression else 0).Process10ms
    done = b"".join(process(pcm[start : start + frame].tobytes()).audio for start in range(0, len(pcm), frame))
    y = np.frombuffer(done, "<i2").astype(np.float32) / np.float32(32768)
    y = y if rate == HEADSET_RATE else soxr.resample(y, HEADSET_RATE, rate)
    delay = late * rate / HEADSET_RATE
    length = len(x) + math.ceil(delay)
    out = np.zeros(length, np.float32)
    out[: len(y)] = y[:length]
    return out, delay


def _noise_file(path: str | Path, rate: int) -> Samples:
    """A noise recording, the mean of its channels; a name that is neither kind nor file is refused with both."""
    if not Path(path).exists() and isinstance(path, str) and not Path(path).suffix:
        raise AirmarkError(f"no noise '{path}': give one of {', '.join(NOISES)}, or a sound file")
    return _clip(str(path), rate, _stamp(path), True)


def _stamp(path: str | Path) -> tuple[int, int]:
    """What tells one version of a file from the next, so that the cache doesn't give an old one; zeros for no file."""
    try:
        status = Path(path).stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _clip(path: str, rate: int, stamp: tuple[int, int], mix: bool) -> Samples:
    """A sound file at rate: the mean of its channels, or the first one; (n,), read-only."""
    del stamp  # only the cache's business
    recording = audio.read(path)
    x = recording.samples
    audio.check_loudest(x, path)
    out: Samples = (x.mean(axis=1) if mix else x[:, 0]).astype(np.float32)
    if recording.rate != rate:
        out = soxr.resample(out, recording.rate, rate)
    out.setflags(write=False)
    return out


def _check_room(distance_m: float, rt60_s: float) -> None:
    if not 0.1 <= distance_m <= 20:
        raise AirmarkError(f"distance of {distance_m:g} m: must be between 0.1 and 20")
    if rt60_s != 0 and not 0.1 <= rt60_s <= RT60_LIMIT_S:
        limits = f"must be between 0.1 and {RT60_LIMIT_S:g}, or 0 for the free field"
        raise AirmarkError(f"RT60 of {rt60_s:g} s: {limits}; for a longer one give a measured room's response")


def _check_drift(ppm: float) -> None:
    if not abs(ppm) <= 10_000:
        raise AirmarkError(f"drift of {ppm:g} ppm: must be between -10,000 and 10,000")


def _check_band(band_hz: tuple[float, float]) -> None:
    if not 0 < band_hz[0] < band_hz[1] < math.inf:
        raise AirmarkError(f"band from {band_hz[0]:g} to {band_hz[1]:g} Hz: must be rising, from above 0")
