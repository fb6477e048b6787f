"""Profiles: the numbers that embedder and detector share, read from profiles.json.

A profile fixes the frame grid (rate, FFT, hop, band) and the shape of a mark (R repetitions of M blocks of B samples).
A key of another shape belongs to the profile ``NAME/RxM``: the same frame grid, R repetitions of M blocks.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from airmark.errors import AirmarkError

EARLY_REPETITIONS = 8
"""Fewest repetitions from which a mark may be told early."""

SHAPE = re.compile(r"(?P<name>[a-z0-9-]+)(?:/(?P<repetitions>\d{1,4})x(?P<blocks>\d{1,4}))?")


@dataclass(frozen=True)
class Profile:
    """The frame grid and the shape of a mark; durations in samples at ``rate`` unless their name says otherwise."""

    name: str
    rate: int
    """Sample rate of the detector's frame grid, Hz."""
    repetitions: int
    """R, passes of the pattern in one mark."""
    blocks: int
    """M, blocks of one pattern."""
    block_samples: int
    """B, samples of one block; a whole number of hops."""
    fft: int
    """Length of a frame, samples."""
    hop: int
    """Distance of two frames, samples."""
    band_hz: tuple[float, float]
    """Lowest and highest frequency of the bins used, Hz."""
    bands: int
    """Equal parts of the band, each with signs of its own in the key."""
    subbands: int
    """Equal parts of the band whose lag products keep a phase of their own, against clock drift."""
    drifts_ppm: tuple[float, ...]
    """Clock drifts that the detector tries, parts per million."""

    @property
    def key_shape(self) -> tuple[int, int, int]:
        """Repetitions, blocks and bands: the shape of a key's signs."""
        return self.repetitions, self.blocks, self.bands

    @property
    def pattern_samples(self) -> int:
        """T = M B, samples of one repetition."""
        return self.blocks * self.block_samples

    @property
    def mark_samples(self) -> int:
        """D = R M B, samples of one mark."""
        return self.repetitions * self.pattern_samples

    @property
    def block_frames(self) -> int:
        """Frames from one block to the next."""
        return self.block_samples // self.hop

    @property
    def pattern_frames(self) -> int:
        """Frames from one repetition to the next."""
        return self.pattern_samples // self.hop

    @property
    def mark_frames(self) -> int:
        """Frames that one mark spans, from its first to the one after its last."""
        return self.mark_samples // self.hop

    @property
    def early(self) -> Profile | None:
        """The profile of a mark's first half, from which it may be told before it ends; None where that is short."""
        if self.repetitions < 2 * EARLY_REPETITIONS:
            return None
        return replace(self, repetitions=self.repetitions // 2)

    @property
    def bins(self) -> range:
        """The FFT bins used."""
        first = -(-self.band_hz[0] * self.fft // self.rate)
        last = self.band_hz[1] * self.fft // self.rate
        return range(int(first), int(last) + 1)


@cache
def _table() -> dict[str, Any]:
    text = resources.files("airmark").joinpath("profiles.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def names() -> list[str]:
    """The profiles in profiles.json, by name."""
    return sorted(_table())


@cache
def profile(name: str = "default") -> Profile:
    """The profile of that name, ``NAME`` or ``NAME/RxM`` (R repetitions of M blocks).

    Raises AirmarkError where there is no such profile.
    """
    match = SHAPE.fullmatch(name)
    if match is None or match["name"] not in _table():
        raise AirmarkError(f"no profile '{name}': this version has {', '.join(names())} and, of each, NAME/RxM")
    fields = dict(_table()[match["name"]])
    fields["band_hz"] = tuple(fields["band_hz"])
    fields["drifts_ppm"] = tuple(fields["drifts_ppm"])
    found = Profile(name=name, **fields)
    if match["repetitions"]:
        found = replace(found, repetitions=int(match["repetitions"]), blocks=int(match["blocks"]))
        if found.repetitions < 2 or found.blocks < 1:
            raise AirmarkError(f"profile '{name}': a mark needs at least 2 repetitions of at least 1 block")
    return found


def profile_of_shape(repetitions: int | None = None, blocks: int | None = None, name: str = "default") -> Profile:
    """The profile ``name`` with that many repetitions and blocks; None keeps the profile's own."""
    base = profile(name)
    shape = (repetitions or base.repetitions, blocks or base.blocks)
    return base if shape == (base.repetitions, base.blocks) else profile(f"{name}/{shape[0]}x{shape[1]}")
