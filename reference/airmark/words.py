"""Where a mark must lie for a wake word in a recording, so that a headset's gate (airmark.gate) suppresses it in time.

A word lasts about 0.6 s and a mark 2 s, and the detector tells it only after its end. So the mark begins before the
word and ends within it: late enough to cover more of it than the gate asks for, early enough to be told in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from airmark import gate
from airmark.errors import AirmarkError

ANSWER_S = 0.3
"""After a word's end its mark is told, at the latest."""
MARK_S = gate.MARK / 16_000
TAIL_S = max(gate.latest(rate) / rate for rate in gate.RATES) - MARK_S
"""After its end a mark is told, at the latest, whatever waits in the detector's queue."""
EARLY_STEPS = 16
"""Of the detector for a first half, at most: 9 of the template and 7 of confirm (SPEC.md)."""
EARLY_TAIL_S = (gate.HOP * ((EARLY_STEPS - 1) // 2) + gate.FRAME + gate.LAST_SLOT) / 16_000
"""After its first half's end a mark is told by a detector that decides early, where nothing else waits in its queue.

The candidate comes with the half's last frame, at most a frame late; two steps are done after each frame.
"""
SPARE_S = 0.032
"""By which a place may be told wrongly, either way, and still count: two of the detector's frames."""


ROUNDING_S = 1e-6


class SpokenWord(NamedTuple):
    """A wake word in a recording, in seconds."""

    start: float
    end: float


class _Range(NamedTuple):
    """Where a mark may begin, in seconds."""

    first: float
    """The mark covers enough of the word from here on."""
    last: float
    """The whole mark is told in time up to here."""
    last_early: float
    """Its first half is, mostly, up to here."""


def place_for_word(
    start: float,
    end: float,
    *,
    answer: float = ANSWER_S,
    early: bool = False,
    span: tuple[float, float] | None = None,
    mark_s: float = MARK_S,
) -> float:
    """Where the mark for the word from start to end begins, in seconds, as all arguments are.

    answer: after the word's end the mark is told, at the latest. early: the headset decides early (``early`` of
    Detector): where there is too little sound before the word, the mark may begin so late that only its first half is
    in time; a first half is enough for clear marks only. span: the part of the recording in which the mark must lie.
    mark_s: a mark's length. Raises AirmarkError where there is no such place.
    """
    return places_for_words([(start, end)], answer=answer, early=early, span=span, mark_s=mark_s)[0]


def places_for_words(
    words: Sequence[tuple[float, float]],
    *,
    at: Sequence[float] = (),
    answer: float = ANSWER_S,
    early: bool = False,
    span: tuple[float, float] | None = None,
    mark_s: float = MARK_S,
) -> list[float]:
    """Where marks for several words begin, in order; see ``place_for_word``.

    at: marks that there will be anyway. A word needs no mark of its own where one of these, or another word's, does.
    Raises AirmarkError for words that can't be had each with a mark.
    """
    spoken = sorted((SpokenWord(*word) for word in words), key=lambda word: word.end)
    places: list[float] = []
    for word in spoken:
        within = _range(word, answer, mark_s)
        if any(within.first <= place <= within.last for place in (*at, *places)):
            continue
        place = _place(word, within, early, span, mark_s)
        other = next((taken for taken in (*at, *places) if abs(taken - place) < mark_s - 1e-9), None)
        if other is not None:
            raise AirmarkError(
                f"the word at {word.start:.3f} s needs a mark at {place:.3f} s, which would lie over the one at "
                f"{other:.3f} s: leave out one of them"
            )
        places.append(place)
    return places


def covers(place: float, word: tuple[float, float], mark_s: float = MARK_S) -> bool:
    """Whether a mark that begins there covers the word, as a gate with its default overlap says it."""
    start, end = word
    first, last = gate.begins(start, end, mark_s, gate.needed(end - start, mark_s))
    return first <= place <= last


def _range(word: SpokenWord, answer: float, mark_s: float) -> _Range:
    start, end = word
    if not 0 <= start < end <= 1e9:
        raise AirmarkError(f"a word from {start:g} to {end:g} s: give its start and its end, in seconds")
    if not 0 <= answer <= 10:
        raise AirmarkError(f"an answer {answer:g} s after a word's end: give 0 to 10 seconds")
    first, last_covering = gate.begins(start, end, mark_s, gate.needed(end - start, mark_s))
    first += SPARE_S
    last = min(end, end + answer - TAIL_S) - mark_s
    if first > last + ROUNDING_S:
        least = first - (end - TAIL_S - mark_s)
        raise AirmarkError(
            f"the word at {start:.3f} s lasts {end - start:.3f} s: a mark that covers half of it is told up to "
            f"{least:.3f} s after its end: allow for as much (--answer {ceil(1000 * (least - ROUNDING_S)) / 1000:g})"
            if least <= TAIL_S
            else f"the word at {start:.3f} s lasts {end - start:.3f} s: too short to be covered by a mark"
        )
    last_early = min(last_covering - SPARE_S, end + answer - EARLY_TAIL_S - mark_s / 2)
    return _Range(first, last, last_early)


def _place(word: SpokenWord, within: _Range, early: bool, span: tuple[float, float] | None, mark_s: float) -> float:
    """As late as is in time; where there is no sound for that, and early, at the part's start."""
    begin, stop = span or (0.0, float("inf"))
    place = within.last
    if word.end > stop:
        raise AirmarkError(f"the word from {word.start:.3f} to {word.end:.3f} s ends after the sound, at {stop:.3f} s")
    if place >= begin:
        return place
    may_be_early = begin <= within.last_early and begin + mark_s <= stop
    if early and may_be_early:
        return begin
    raise AirmarkError(
        f"the word at {word.start:.3f} s is too near the start: its mark would have to begin {begin - place:.3f} s "
        f"before the sound at {begin:.3f} s; give as much more sound before it"
        + (", or let the headset decide early (--early)" if may_be_early and not early else "")
    )
