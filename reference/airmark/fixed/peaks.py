"""Peaks (SPEC 10): from the scores of places to one detection a mark."""

from __future__ import annotations

from typing import NamedTuple

from airmark.fixed.tables import FFT, HOP, Rate, Span

NEAR_HALF = 64
"""Frames; a whole mark no further than that from a half already told is the same mark."""


class Report(NamedTuple):
    """The place last reported of a key and span."""

    place: int
    agreement: int


class Verdict(NamedTuple):
    """What becomes of a place."""

    new: bool
    told: bool


class PeakStage:
    """Tells a place once. Frames are counted without end here, so that no old report has to be forgotten."""

    def __init__(self, keys: int, spans: list[Span], threshold: int) -> None:
        """spans: whole, then half where there are halves; threshold: lowest score that is reported, Q8."""
        self.keys, self.spans, self.threshold = keys, spans, threshold
        self.reset()

    def reset(self) -> None:
        """Forget all reports."""
        self.last: list[list[Report | None]] = [[None] * len(self.spans) for _ in range(self.keys)]

    def process(self, place: int, key: int, span: int, score: int, agreement: int) -> Verdict:
        """Take a place with its score and agreement."""
        reports = self.last[key]
        last = reports[span]
        new = last is None or abs(place - last.place) > self.spans[span].length // 2 or agreement > last.agreement
        if score < self.threshold or not new:
            return Verdict(new=False, told=False)
        reports[span] = Report(place, agreement)
        half = reports[-1] if len(reports) > 1 else None
        return Verdict(new=True, told=bool(span) or half is None or abs(place - half.place) > NEAR_HALF)


def sample_of(place: int, offset: int, rate: Rate, first_sample: int) -> int:
    """The input sample at which a mark begins, 64 bits."""
    middle = HOP * place + (FFT - HOP) // 2 + offset
    at = (middle * rate.numerator + rate.denominator // 2) // rate.denominator
    return max(0, first_sample + at - rate.delay)
