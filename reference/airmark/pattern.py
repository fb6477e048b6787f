"""The mark itself: a pattern repeated with the key's signs, shaped to what the host hides.

The detector does not know the pattern, so the embedder chooses it. ``noise`` is the published scheme: the same noise
for every host. ``adaptive`` takes the host's own component along the key: of every bin the mean phase of the host over
the repetitions, each turned by the key's sign, so that the mark adds to what is there in amplitude and not in power.
Loud repetitions count more in it, because rooms leave more of them; and of the mark's power more goes where the
repetitions agree already, because the detector adds up squares (``heard_along``).
It is made twice: in long frames under some 1.2 kHz and in short ones above (FRAMES).
``causal`` does the same from what was played already, host and mark; it lives in airmark.stream, as it needs no more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from airmark import masking
from airmark.grid import Grid, Spectra
from airmark.profile import Profile

Real = npt.NDArray[np.float64]

PATTERNS = ("adaptive", "causal", "noise")
LONG_FRAME, SHORT_FRAME = 512, 256
"""Samples of the embedder's frames: 32 and 16 ms."""
CROSSOVER_HZ = (1000.0, 1400.0)
FRAMES = {"adaptive": ((LONG_FRAME, (1.0, 0.0)), (SHORT_FRAME, (0.0, 1.0))), "noise": ((LONG_FRAME, (1.0, 1.0)),)}
"""Frames that a pattern is made in, and each one's share of the mark's amplitude under and over CROSSOVER_HZ.

A mark in short frames is less smeared in time and can be louder, but PESQ minds it: with one emphasis 4.01 in short
frames all over, 4.38 in long ones and 4.32 in both (39 marks in speech). That short ones tell a voice's harmonics apart
less well would explain it, but was not looked into.
"""
EMPHASIS_HZ = (1000.0, 1400.0, 3000.0, 4000.0)
EMPHASIS_DB = {"adaptive": (-2.0, 7.0, 7.0, -4.0), "causal": (-7.0, 4.0, 4.0, -2.0)}
"""How a pattern's level is raised and lowered by frequency: straight lines between these, and even beyond them.

Without it 40 % of what Zimtohrli hears of a mark in speech lies under 1.5 kHz, and 31 % of its predicted score, or 23 %
where the noise is 12 dB under (26 adaptive marks). The mark changes by 0.7 of these decibels (OWN), a causal one by
0.85 with the agreement that comes of its own sound (white noise).
"""
MARGIN = masking.HISTORY + LONG_FRAME
"""Samples of host needed before and after the mark."""
RAMP = 64
"""Samples over which the mark's first and last edge rise and fall."""

RADIAL = 0.2
"""Share of the mark's amplitude that is kept of its part in phase with the host.

Of 0.3, 0.2 and 0.1 none finds more than another, and each a third of a point more than 0.5 (300 adaptive marks), at
0.04 to 0.09 less PESQ on speech and a higher ViSQOL. Of causal marks, soft under 1 kHz, 2 in 100 more are
found with 0.35 and 1 with 0.2 (150 marks).
"""
LOUDNESS = 0.5
"""Power of a repetition's magnitude in its weight in the mean phase: 0 counts all alike, 1 as they are."""
LEAST_AGREEMENT = 0.3
"""What a bin whose repetitions cancel still gets of the mark's power; 1 more is for as much agreement as chance has."""
OWN = 0.3
"""Share, in dB, that a bin's own magnitude has in the mark's, against the smoothed spectrum."""


def noise_phases(shape: tuple[int, int]) -> Spectra:
    """The noise pattern: unit phases, the same for every host and key. shape: (frames of a pattern, bins)."""
    phases = np.random.default_rng(0x5EED).random(shape)
    return np.asarray(np.exp(2j * np.pi * phases))


def unit(spectra: Spectra) -> Spectra:
    """Each value divided by its magnitude, 0 where that is 0 or so small that its reciprocal overflows. Any shape."""
    size = np.abs(spectra)
    return np.divide(spectra, size, out=np.zeros_like(spectra), where=size >= np.finfo(np.float64).tiny)


def heard_along(turned: Spectra) -> tuple[Spectra, Real]:
    """The adaptive pattern: the phases to add along the key, and how the mark's power is dealt out over it.

    turned: the host with the key's signs undone, (repetitions, frames of a pattern, bins). Returns unit phases and
    factors for the power, LEAST_AGREEMENT where the repetitions cancel, 1 more where they agree as much as chance has
    it (rms), each (frames of a pattern, bins).

    The detector's statistic is the energy of the sum over repetitions, so what a little more mark brings to a bin grows
    with what the host has along the key there. A repetition that is faint drowns in a room's noise, whatever its phase.
    """
    weights = np.abs(turned) ** LOUDNESS
    along = (unit(turned) * weights).sum(axis=0)
    weight = weights.sum(axis=0)
    agreed = np.divide(np.abs(along), weight, out=np.zeros_like(weight), where=weight > 0)
    # Where the channels cancel there is no host to follow.
    phases = np.where(along == 0, noise_phases(along.shape), unit(along))
    return phases, LEAST_AGREEMENT + agreed * len(turned) ** 0.5


def hidden(phases: Spectra, level: Real, host: Spectra) -> Spectra:
    """The mark's spectrum at 0 dB: what is to be added to the host, of one shape with all arguments.

    phases: unit, the pattern's with the key's signs; level: masking.levels; host: the host's spectrum. The detector
    hears phases, the ear mostly magnitudes: so the part of the mark that would raise or lower the host's magnitude is
    held back (RADIAL), the part that turns its phase gets that power (on average over phases), and the level follows
    each bin a little (OWN).
    At the same Zimtohrli and ViSQOL that brought 0.2 in score (20 marks, rooms at 20 and 5 dB), at the same PESQ none.
    """
    along = unit(host)
    size = np.sqrt(level)
    size = size ** (1 - OWN) * np.clip(np.abs(host), size / 10, 3 * size) ** OWN
    mark = phases * along.conj()
    gain = (2 / (1 + RADIAL**2)) ** 0.5
    turned: Spectra = gain * size * (RADIAL * mark.real + 1j * mark.imag) * along
    return turned


def emphasis(kind: str, frame: int) -> Real:
    """Factors for the power of a pattern's bins, EMPHASIS_DB; (frame // 2 + 1,)."""
    hz = np.fft.rfftfreq(frame, 1 / masking.RATE)
    return np.asarray(10 ** (np.interp(hz, EMPHASIS_HZ, EMPHASIS_DB.get(kind, np.zeros(4))) / 10))


def make(hosts: Real, columns: Real, profile: Profile, kind: str) -> Real:
    """The mark at 0 dB, that is at the level of the host's smoothed spectrum, for each channel.

    hosts: (channels, MARGIN + mark_samples + MARGIN) at masking.RATE, the mark's place from MARGIN on; columns: the
    key's signs (M bands, R); kind: 'adaptive' or 'noise'. Returns (channels, mark_samples).
    """
    marks = np.zeros((len(hosts), profile.mark_samples))
    for frame, amplitudes in FRAMES[kind]:
        hz = np.fft.rfftfreq(frame, 1 / masking.RATE)
        shares = emphasis(kind, frame) * np.interp(hz, CROSSOVER_HZ, amplitudes) ** 2
        marks += _in_frames(hosts, columns, Grid(profile, frame), kind, shares)
    ramp = (np.arange(RAMP) + 0.5) / RAMP
    marks[:, :RAMP] *= ramp
    marks[:, -RAMP:] *= ramp[::-1]
    return marks


def _in_frames(hosts: Real, columns: Real, grid: Grid, kind: str, shares: Real) -> Real:
    """``make`` in frames of one length, without the ramps. shares: factors for the power, (bins,)."""
    first = MARGIN - grid.lead
    signs = grid.signs(columns)
    repetition = grid.profile.pattern_samples // grid.hop
    mixed = grid.analyse(hosts.mean(axis=0), first, grid.count)
    repetitions = grid.profile.repetitions
    shares = np.tile(shares, (len(mixed), 1))
    if kind == "adaptive":
        phases, agreed = heard_along((signs * mixed).reshape(repetitions, repetition, mixed.shape[1]))
        shares = shares * np.tile(agreed, (repetitions, 1))
    else:
        phases = noise_phases((repetition, mixed.shape[1]))
    phases = np.tile(phases, (repetitions, 1)) * signs
    marks = np.empty((len(hosts), grid.profile.mark_samples))
    for mark, host in zip(marks, hosts, strict=True):
        spectra = mixed if len(hosts) == 1 else grid.analyse(host, first, grid.count)
        level = shares * masking.levels(host, first, grid.count, grid.window, spectra)
        shaped = phases * np.sqrt(level) if kind == "noise" else hidden(phases, level, spectra)
        mark[:] = grid.synthesise(shaped)[grid.lead : grid.lead + grid.profile.mark_samples]
    return marks
