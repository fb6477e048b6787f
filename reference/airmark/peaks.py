"""Stage 5, peaks: from a score at every place to one detection a mark."""

from __future__ import annotations

from dataclasses import dataclass

from airmark.confirm import Confirmed
from airmark.profile import Profile

HOLD = 4
"""Frames that a place must stay the highest before it is reported; a mark's peak is three to five frames wide."""


@dataclass
class Peak:
    """The place of late that agrees best, with its neighbours' agreement for interpolation."""

    frame: int
    confirmed: Confirmed
    before: float
    after: float = 0.0

    def offset(self) -> float:
        """Where a parabola through the three peaks, in frames from ``frame``, -0.5 to 0.5."""
        bend = self.before - 2 * self.confirmed.agreement + self.after
        # What comes before may agree more and yet score under the threshold, or be no news.
        return min(max(0.5 * (self.before - self.after) / bend, -0.5), 0.5) if bend < 0 else 0.0


class PeakStage:
    """Reports a place whose score meets the threshold and that agrees best within HOLD frames on either side.

    Within half a mark after a report, only a better agreement is reported again: the same mark seen off its place. A
    mark that follows another at once is a whole mark away.
    """

    def __init__(self, profile: Profile, threshold: float) -> None:
        """threshold: lowest score that is reported."""
        self.profile, self.threshold = profile, threshold
        self.reset()

    def reset(self) -> None:
        """Forget all scores."""
        self.held: Peak | None = None
        self.last: Peak | None = None
        self.previous = 0.0

    def process(self, frame: int, confirmed: Confirmed | None) -> Peak | None:
        """Take the next place (None: the earlier stages passed it over); returns a peak now certain."""
        agreement = confirmed.agreement if confirmed else 0.0
        if self.held is not None and frame == self.held.frame + 1:
            self.held.after = agreement
        best = (self.held is None or agreement > self.held.confirmed.agreement) and self._is_new(frame, agreement)
        if confirmed is not None and confirmed.score >= self.threshold and best:
            self.held = Peak(frame, confirmed, self.previous)
        self.previous = agreement
        if self.held is not None and frame >= self.held.frame + HOLD:
            self.last, self.held = self.held, None
            return self.last
        return None

    def _is_new(self, frame: int, agreement: float) -> bool:
        if self.last is None or frame - self.last.frame > self.profile.mark_frames // 2:
            return True
        return agreement > self.last.confirmed.agreement
