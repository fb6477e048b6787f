"""Codecs: what a lossy codec, or a headset's radio link, leaves of a recording.

``roundtrip`` encodes and decodes in memory and returns the decoded stream as a receiver without gapless playback plays
it: late by ``delay_samples``, the delay that the codec declares (or that its filter bank has by construction). The
input's sample i is at i + delay_samples of the output, and the whole input is in it.

======== =============================================================== ==================== ========================
name     what it is                                                      sample rates, Hz     default bit rate, bit/s
======== =============================================================== ==================== ========================
mp3      MPEG-1/2 layer III (LAME)                                       8,000 to 48,000      128k
mp2      MPEG-1/2 layer II, of DAB and DVB broadcasts                    16,000 to 48,000     128k
aac      AAC low complexity (FFmpeg)                                     8,000 to 96,000      128k
ac3      Dolby Digital, of DVB broadcasts and films                      32,000 to 48,000     192k
opus     Opus (libopus)                                                  48,000               96k
vorbis   Ogg Vorbis (libvorbis, its quality 4)                           8,000 to 192,000     of its own choice
sbc      Bluetooth A2DP's SBC: 8 sub-bands, 16 blocks                    44,100, 48,000       193k mono, 328k stereo
msbc     Bluetooth hands-free, wide band: SBC, 15 blocks, bitpool 26     16,000, mono         fixed
cvsd     Bluetooth hands-free, narrow band: delta modulation, 64 kbit/s  8,000, mono          fixed
amr      AMR narrow band, of mobile telephony                            8,000, mono          12.2k
g722     ITU-T G.722, of DECT and Internet telephony                     16,000, mono         fixed
gsm      GSM 06.10 full rate                                             8,000, mono          fixed
alaw     ITU-T G.711 A-law                                               8,000, mono          fixed
mulaw    ITU-T G.711 µ-law                                               8,000, mono          fixed
adpcm    IMA ADPCM as in WAV files                                       8,000 to 192,000     fixed
======== =============================================================== ==================== ========================

A codec that lacks the input's rate gets the next higher one that it has, or its highest; soxr converts there and back
(linear phase, no delay). A codec of one channel gets the mean of the channels. FFmpeg's coders come with PyAV, those of
libsndfile with soundfile; CVSD is written here after the Bluetooth Core Specification, volume 2, part B, 9.2. LC3 is
not among them: no package that Airmark depends on has an encoder for it.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from airmark.errors import AirmarkError

PADDING = 8192
"""Zeros that are encoded after a sound."""
MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
SPEC = re.compile(r"(?P<name>[a-z0-9]+)(?::(?P<bitrate>\d+(?:\.\d+)?)k)?")


@dataclass(frozen=True)
class _Kind:
    """One kind of codec: which package has it, and what it can do."""

    package: str
    """av, soundfile or here."""
    coder: str = ""
    """FFmpeg's name of the encoder, or soundfile's format and subtype with a / between."""
    decoder: str = ""
    rates: tuple[int, ...] = ()
    """Sample rates it takes, Hz, rising; empty: any."""
    mono: bool = False
    bitrate: tuple[int, int] | None = None
    """Default bit rate for one and for two channels, bit/s, or the most it has at its rate; None: it has no choice."""
    constant: bool = False
    """Whether its bit rate is the same for every sound."""
    delay: int | None = None
    """Samples from input to output; None: the encoder declares it in its first packet."""
    options: dict[str, str] = field(default_factory=dict)


KINDS = {
    "mp3": _Kind("av", "libmp3lame", "mp3", MPEG_RATES, bitrate=(128_000, 128_000), constant=True),
    "mp2": _Kind("av", "mp2", "mp2", MPEG_RATES[3:], bitrate=(128_000, 128_000), constant=True),
    "aac": _Kind("av", "aac", "aac", (*MPEG_RATES, 64000, 88200, 96000), bitrate=(128_000, 128_000)),
    "ac3": _Kind("av", "ac3", "ac3", (32000, 44100, 48000), bitrate=(192_000, 192_000), constant=True),
    "opus": _Kind("av", "libopus", "libopus", (48000,), bitrate=(96_000, 96_000)),
    "vorbis": _Kind("soundfile", "OGG/VORBIS", delay=0),
    # Analysis and synthesis are one polyphase filter of 80 taps each, 8 samples at a time: 80 - 8 + 1.
    "sbc": _Kind("av", "sbc", "sbc", (44100, 48000), bitrate=(193_000, 328_000), constant=True, delay=73),
    "msbc": _Kind("av", "sbc", "sbc", (16000,), mono=True, delay=73, options={"msbc": "1"}),
    "cvsd": _Kind("here", rates=(8000,), mono=True, delay=0),
    # The encoder declares 50 samples; its 5 ms of look-ahead are 40, and so many are measured.
    "amr": _Kind(
        "av",
        "libopencore_amrnb",
        "libopencore_amrnb",
        (8000,),
        mono=True,
        bitrate=(12_200, 12_200),
        constant=True,
        delay=40,
    ),
    "g722": _Kind("av", "g722", "g722", (16000,), mono=True),
    "gsm": _Kind("soundfile", "WAV/GSM610", rates=(8000,), mono=True, delay=0),
    "alaw": _Kind("soundfile", "WAV/ALAW", rates=(8000,), mono=True, delay=0),
    "mulaw": _Kind("soundfile", "WAV/ULAW", rates=(8000,), mono=True, delay=0),
    "adpcm": _Kind("soundfile", "WAV/IMA_ADPCM", delay=0),
}


@dataclass(frozen=True)
class Codec:
    """A codec and its bit rate, as ``parse`` reads them from ``NAME[:BITRATE]``."""

    name: str
    bitrate: int | None
    """bit/s; None: the default."""

    @property
    def mono(self) -> bool:
        """Whether it has one channel only."""
        return KINDS[self.name].mono

    def rate(self, rate: int) -> int:
        """The sample rate, Hz, at which the codec runs for an input of that rate."""
        rates = KINDS[self.name].rates or (rate,)
        return next((r for r in rates if r >= rate), rates[-1])


def names() -> list[str]:
    """The codecs that ``parse`` knows, by name."""
    return list(KINDS)


def parse(spec: str) -> Codec:
    """Read ``NAME`` or ``NAME:BITRATE``, the bit rate in kbit/s with a k, as in ``mp3:64k``.

    Raises AirmarkError where there is no such codec, or where it takes no bit rate.
    """
    match = SPEC.fullmatch(spec.strip().lower())
    if match is None or match["name"] not in KINDS:
        raise AirmarkError(f"no codec '{spec}': give one of {', '.join(KINDS)}, with a bit rate as in mp3:64k")
    name = match["name"]
    if match["bitrate"] is None:
        return Codec(name, None)
    if KINDS[name].bitrate is None:
        raise AirmarkError(f"codec '{spec}': {name} has no choice of bit rate; give '{name}' alone")
    bitrate = round(float(match["bitrate"]) * 1000)
    if not 4000 <= bitrate <= 640_000:
        raise AirmarkError(f"codec '{spec}': the bit rate must be between 4k and 640k")
    return Codec(name, bitrate)


def roundtrip(samples: NDArray[Any], rate: int, spec: str | Codec) -> tuple[NDArray[np.float32], int, float]:
    """Encode and decode.

    samples: (n,) or (n, channels), full scale 1; what exceeds it is clipped, as at any encoder's input.
    rate: Hz. spec: as ``parse`` reads it.

    Returns the decoded samples, (n + delay,) or (n + delay, channels) float32 ((n + delay,) where the codec has one
    channel); the rate, which is the input's; and the delay in samples at that rate, a fraction where the codec runs at
    another rate.

    Raises AirmarkError for a codec that doesn't exist, that refuses the bit rate, or for more than two channels.
    """
    codec = parse(spec) if isinstance(spec, str) else spec
    kind = KINDS[codec.name]
    x = np.asarray(samples, np.float32)
    if not 1 <= x.ndim <= 2 or x.size == 0:
        raise AirmarkError(f"codec {codec.name}: needs samples of shape (n,) or (n, channels), not {x.shape}")
    flat = x.ndim == 1 or kind.mono
    x = x.mean(axis=1, keepdims=True, dtype=np.float32) if x.ndim == 2 and kind.mono else x.reshape(len(x), -1)
    if x.shape[1] > 2:
        raise AirmarkError(f"codec {codec.name}: takes one or two channels, not {x.shape[1]}; mix them down first")
    run = codec.rate(rate)
    inside = np.clip(x if run == rate else soxr.resample(x, rate, run), -1.0, 1.0)
    if kind.package == "av":
        y, delay = _through_av(inside, run, codec)
    elif kind.package == "soundfile":
        y, delay = _through_soundfile(inside, run, kind), 0
    else:
        y, delay = cvsd(inside[:, 0])[:, None], 0
    back = y if run == rate else soxr.resample(y, run, rate)
    late = delay * rate / run
    length = len(x) + math.ceil(late)
    out = np.zeros((length, x.shape[1]), np.float32)
    out[: len(back)] = back[:length]
    return (out[:, 0] if flat else out), rate, late


def _through_av(x: NDArray[np.float32], rate: int, codec: Codec) -> tuple[NDArray[np.float32], int]:
    """Encode and decode (n, channels) with FFmpeg; gives at least n + delay samples, and the delay."""
    packets, extradata, declared = encode(x, rate, codec)
    kind = KINDS[codec.name]
    return _decode(packets, extradata, rate, x.shape[1], kind), declared if kind.delay is None else kind.delay


def encode(x: NDArray[np.float32], rate: int, codec: Codec) -> tuple[list[bytes], bytes | None, int]:
    """The packets of one of FFmpeg's encoders, its stream header (or None) and the delay that it declares, samples.

    x: (n, channels), full scale 1, at a rate (Hz) that the codec has; PADDING zeros follow it, so that a decoder that
    is late gives all of it.

    Raises AirmarkError for a bit rate that the codec refuses or doesn't have.
    """
    channels = x.shape[1]
    if codec.bitrate:
        # Encoders take the nearest bit rate that they have, and say nothing.
        sent = _sent_for_noise(codec, rate, channels)
        if sent > 1.3 * codec.bitrate or (KINDS[codec.name].constant and sent < 0.85 * codec.bitrate):
            raise AirmarkError(
                f"codec {codec.name}: has no {codec.bitrate / 1000:g}k at {rate} Hz, {channels} channel(s), and would "
                f"send about {sent / 1000:.0f}k; ask for a bit rate nearer to that"
            )
    return _packets(x, rate, codec)


@lru_cache(maxsize=64)
def _sent_for_noise(codec: Codec, rate: int, channels: int) -> float:
    """bit/s of two seconds of white noise: of tones and beats Opus and AAC send up to twice what they are asked for."""
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, (2 * rate, channels)).astype(np.float32)
    packets, _, _ = _packets(noise, rate, codec)
    return 8 * sum(map(len, packets)) * rate / (len(noise) + PADDING)


def _packets(x: NDArray[np.float32], rate: int, codec: Codec) -> tuple[list[bytes], bytes | None, int]:
    """As encode, whatever the bit rate that comes of it."""
    import av

    kind = KINDS[codec.name]
    channels = x.shape[1]
    padded = np.concatenate([x, np.zeros((PADDING, channels), np.float32)])
    try:
        coder: Any = av.CodecContext.create(kind.coder, "w")
        coder.sample_rate = rate
        coder.layout = "mono" if channels == 1 else "stereo"
        coder.format = coder.codec.audio_formats[0].name
        coder.time_base = Fraction(1, rate)
        coder.thread_count = 1
        coder.options = kind.options
        if kind.bitrate:
            coder.bit_rate = codec.bitrate or kind.bitrate[channels - 1]
        frame = av.AudioFrame.from_ndarray(padded.reshape(1, -1), format="flt", layout=coder.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        packets = [*coder.encode(frame), *coder.encode(None)]
    except (av.FFmpegError, ValueError, NotImplementedError) as error:
        asked = f"{codec.bitrate / 1000:g}k" if codec.bitrate else "its default bit rate"
        raise AirmarkError(
            f"codec {codec.name}: the encoder refuses {asked} at {rate} Hz, {channels} channel(s); try another bit rate"
        ) from error
    return [bytes(packet) for packet in packets], coder.extradata, -(packets[0].pts or 0)


def _decode(
    packets: list[bytes], extradata: bytes | None, rate: int, channels: int, kind: _Kind
) -> NDArray[np.float32]:
    """Decode packets that carry no side data, so that the decoder leaves the codec's delay in; (n, channels)."""
    import av

    coder: Any = av.CodecContext.create(kind.decoder, "r")
    coder.sample_rate = rate
    coder.layout = "mono" if channels == 1 else "stereo"
    coder.thread_count = 1
    if extradata and kind.decoder != "libopus":  # in Opus's header is nothing but the order to skip the delay
        coder.extradata = extradata
    frames = [frame for packet in packets for frame in coder.decode(av.Packet(packet))] + coder.decode(None)
    parts = []
    for frame in frames:
        data = frame.to_ndarray()
        part = data.T if frame.format.is_planar else data.reshape(-1, channels)
        parts.append(part.astype(np.float32) / (32768.0 if part.dtype == np.int16 else 1.0))
    return np.concatenate(parts)


def _through_soundfile(x: NDArray[np.float32], rate: int, kind: _Kind) -> NDArray[np.float32]:
    """Encode and decode (n, channels) with libsndfile."""
    container, subtype = kind.coder.split("/")
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, x.shape[1], subtype, format=container) as file:
        for start in range(0, len(x), 65536):  # libsndfile's Vorbis coder overflows the stack on one long block
            file.write(x[start : start + 65536])
    buffer.seek(0)
    y: NDArray[np.float32] = soundfile.read(buffer, dtype="float32", always_2d=True)[0]
    return y


def cvsd(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bluetooth's CVSD: continuously variable slope delta modulation, one bit a sample at 64 kHz.

    samples: (n,) at 8 kHz, full scale 1. Returns (n,) float32, aligned with the input.

    Bluetooth Core Specification, volume 2, part B, 9.2, with its parameters J = K = 4, smallest and largest step 10 and
    1,280 of 32,768, β = 1 - 1/1,024, h = 1 - 1/32. The decoder's accumulator is the encoder's where no bit is lost, so
    one loop is both.
    """
    fine = np.clip(soxr.resample(samples, 8000, 64000).astype(np.float64) * 32768.0, -32768.0, 32767.0)
    smallest, largest, beta, h = 10.0, 1280.0, 1 - 1 / 1024, 1 - 1 / 32
    step, estimate, run, last = smallest, 0.0, 0, False
    decoded: list[float] = []
    append = decoded.append
    for x in fine.tolist():
        up = x >= estimate
        run = run + 1 if up == last else 1
        last = up
        if run >= 4:  # the last K = 4 bits are equal
            step += smallest
            if step > largest:
                step = largest
        else:
            step *= beta
            if step < smallest:
                step = smallest
        y = estimate + step if up else estimate - step
        if y > 32767.0:
            y = 32767.0
        elif y < -32768.0:
            y = -32768.0
        estimate = h * y
        append(y)
    out: NDArray[np.float32] = soxr.resample(np.array(decoded, np.float32) / np.float32(32768.0), 64000, 8000)
    return out[: len(samples)]
