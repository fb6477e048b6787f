"""Frames (SPEC 4): samples to one-bit spectra, every 16 ms."""

from __future__ import annotations

import numpy as np

from airmark.fixed.tables import BANDS, BINS, FFT, FIRST_BIN, Ints, Rate, reversed_digits, turns, window

WORDS = 15
"""Of a frame: 14 words of 32 bits and the rest."""
SEED = 0x41524D4B
"""State of the generator of drawn signs after a reset."""
POINTS = FFT // 2
WORD = 0xFFFFFFFF
WHOLE_WORDS = 7
"""Words of a string of signs that hold 32; its rest holds REST."""
REST = BINS - 32 * WHOLE_WORDS


class FrameStage:
    """Turns samples into frames, whatever the size of the pieces they come in."""

    def __init__(self, rate: Rate) -> None:
        """rate: the input's; at 8,000 Hz the samples are of that rate, otherwise of the frames'."""
        self.rate = rate
        self.used = pack(np.ones((2, BINS), np.int64) * (np.arange(BINS) < rate.used_bins))
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self.pending = np.zeros(1, np.int64)
        """The sample before the next frame, and those of the frame that have come."""
        self.drawn = SEED

    def process(self, samples: Ints) -> Ints:
        """Take the next samples; returns the frames now complete, (frames, WORDS)."""
        hop, length = self.rate.hop, self.rate.length
        self.pending = np.concatenate([self.pending, samples])
        complete = max(0, (len(self.pending) - 1 - length) // hop + 1)
        if not complete:
            return np.zeros((0, WORDS), np.int64)
        differences = np.clip(np.diff(self.pending), -32_768, 32_767)
        frames = np.lib.stride_tricks.sliding_window_view(differences, length)[::hop][:complete]
        self.pending = self.pending[complete * hop :]
        negative, faint = (pack(bits) for bits in signs(frames))
        return (negative & ~faint | self._draws(complete) & faint) & self.used

    def _draws(self, frames: int) -> Ints:
        """The next draws for some frames, (frames, WORDS)."""
        x, draws = self.drawn, []
        for _ in range(frames * WORDS):
            x ^= x << 13 & WORD
            x ^= x >> 17
            x ^= x << 5 & WORD
            draws.append(x)
        self.drawn = x
        return np.array(draws, np.int64).reshape(frames, WORDS)


def signs(differences: Ints) -> tuple[Ints, Ints]:
    """Which parts are negative and which are faint (SPEC 4.5).

    differences: of frames, (frames, 512), or (frames, 256) at 8,000 Hz. Returns two (frames, 2, BINS) of 0 and 1, the
    real parts before the imaginary ones.
    """
    points, silent = windowed(differences)
    values, h = transform(points)
    parts = spectrum(values)
    limit = (1 << h + 3)[:, None, None]
    faint = (parts >= -limit) & (parts < limit) | silent[:, None, None]
    return (parts < 0).astype(np.int64), faint.astype(np.int64)


def windowed(differences: Ints) -> tuple[Ints, Ints]:
    """Differences of frames (frames, n), windowed and brought to one level (SPEC 4.2).

    Returns (frames, 2, 256), the real and imaginary parts of z, and which frames are silent, (frames,).
    """
    e = bits(np.bitwise_or.reduce(magnitude(differences), axis=1))[:, None]
    step = FFT // differences.shape[1]
    v = differences * window()[::step] + (1 << e + 1) >> e + 2
    # At 8,000 Hz every second value is 0, so that all imaginary parts are.
    z = v.reshape(len(v), POINTS, 2).swapaxes(1, 2) if step == 1 else np.stack([v, np.zeros_like(v)], axis=1)
    return z, e[:, 0] == 0


def transform(z: Ints) -> tuple[Ints, Ints]:
    """The complex transform of (frames, 2, 256), in place of the same shape, and H of each frame (SPEC 4.3)."""
    a: Ints = z[:, :, reversed_digits()]
    t0, t1, t2, t3 = np.moveaxis(a.reshape(-1, 2, POINTS // 4, 4), 3, 0)
    a = _butterfly([t0, t1, t2, t3], axis=-1).reshape(a.shape)
    for length in (4, 16, 64):
        q = np.maximum(0, _level(a) - 12)[:, None, None]
        legs = a.reshape(-1, 2, POINTS // (4 * length), 4, length)
        turned: list[Ints] = []
        for m in range(4):
            re, im = legs[:, 0, :, m], legs[:, 1, :, m]
            if m == 0:
                half = (1 << q) >> 1
                t = re + half >> q, im + half >> q
            else:
                c, s = turns()[:, 2 * m * np.arange(length) * (64 // length) % FFT]
                half = 1 << 14 + q
                t = re * c + im * s + half >> 15 + q, im * c - re * s + half >> 15 + q
            turned.append(np.stack(t, axis=1))
        a = _butterfly(turned, axis=-2).reshape(a.shape)
    return a, _level(a)


def _butterfly(t: list[Ints], axis: int) -> Ints:
    """Four legs (frames, 2, ...) to four, put side by side along a new axis."""
    t0, t1, t2, t3 = t
    even, odd, sum13 = t0 + t2, t0 - t2, t1 + t3
    # -j (t1 - t3)
    turned = np.stack([t1[:, 1] - t3[:, 1], t3[:, 0] - t1[:, 0]], axis=1)
    return np.stack([even + sum13, odd + turned, even - sum13, odd - turned], axis=axis)


def spectrum(a: Ints) -> Ints:
    """The transform (frames, 2, 256) as that of the real values: (frames, 2, BINS) (SPEC 4.4)."""
    k = np.arange(FIRST_BIN, POINTS // 2 + 1)
    left, right = a[:, :, k], a[:, :, POINTS - k]
    total, difference = left + right >> 1, left - right >> 1
    c, s = turns()[:, k]
    p = c * total[:, 1] - s * difference[:, 0]
    m = c * difference[:, 0] + s * total[:, 1]
    out = np.empty((len(a), 2, BINS), np.int64)
    out[:, 0, k - FIRST_BIN] = 32_768 * total[:, 0] + p
    out[:, 1, k - FIRST_BIN] = 32_768 * difference[:, 1] - m
    mirrored = slice(16 - FIRST_BIN, POINTS // 2 - FIRST_BIN)  # k = 16..127
    at = POINTS - k[mirrored] - FIRST_BIN
    out[:, 0, at] = (32_768 * total[:, 0] - p)[:, mirrored]
    out[:, 1, at] = (-32_768 * difference[:, 1] - m)[:, mirrored]
    return out


def _level(a: Ints) -> Ints:
    """h of each frame: binary digits of the OR over all parts. a: (frames, 2, 256)."""
    return bits(np.bitwise_or.reduce(magnitude(a), axis=(1, 2)))


def magnitude(c: Ints) -> Ints:
    """Element by element c ^ -(c < 0): c without its sign."""
    return c ^ (c >> 63)


def bits(v: Ints) -> Ints:
    """The number of binary digits of each v, 0 to 2^62 - 1."""
    return np.searchsorted(1 << np.arange(62, dtype=np.int64), v, side="right").astype(np.int64)


def pack(strings: Ints) -> Ints:
    """Strings of 0 and 1 (..., 2, BINS), R and I, to words (..., WORDS)."""
    whole = strings[..., : 32 * WHOLE_WORDS].reshape(*strings.shape[:-2], 2 * WHOLE_WORDS, 32)
    words = (whole << np.arange(32)).sum(axis=-1)
    rests = (strings[..., 32 * WHOLE_WORDS :] << np.arange(REST)).sum(axis=-1)
    return np.concatenate([words, rests[..., :1] | rests[..., 1:] << REST], axis=-1)


def unpack(words: Ints) -> Ints:
    """Words (..., WORDS) to strings of 0 and 1, (..., 2, BINS)."""
    whole = words[..., : 2 * WHOLE_WORDS, None] >> np.arange(32) & 1
    rests = words[..., -1:, None] >> np.arange(2 * REST).reshape(2, REST) & 1
    return np.concatenate([whole.reshape(*words.shape[:-1], 2, 32 * WHOLE_WORDS), rests], axis=-1)


def band_words(words: Ints) -> Ints:
    """Words of frames (..., WORDS) to two words of each band (SPEC 4.6): (..., 2 strings, BANDS, 2)."""
    out = np.empty((*words.shape[:-1], 2, BANDS, 2), np.int64)
    for string in range(2):
        w = [words[..., WHOLE_WORDS * string + i] for i in range(WHOLE_WORDS)]
        rest7 = words[..., -1] >> REST * string & (1 << REST) - 1
        out[..., string, 0, 0] = w[0]
        out[..., string, 0, 1] = w[1] & 0x01FFFFFF
        out[..., string, 1, 0] = w[2]
        out[..., string, 1, 1] = w[1] & 0xFE000000 | w[3] & 0x0007FFFF
        out[..., string, 2, 0] = w[4]
        out[..., string, 2, 1] = w[3] & 0xFFF80000 | w[5] & 0x00001FFF
        out[..., string, 3, 0] = w[6]
        out[..., string, 3, 1] = w[5] & 0xFFFFE000 | rest7
    return out


def popcount(words: Ints) -> Ints:
    """pc of each word of 32 bits."""
    v = words - (words >> 1 & 0x55555555)
    v = (v & 0x33333333) + (v >> 2 & 0x33333333)
    v = v + (v >> 4) & 0x0F0F0F0F
    count: Ints = v * 0x01010101 >> 24 & 0xFF
    return count
