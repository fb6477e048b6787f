"""The wake-word gate: the rules of airmark_gate.h, held by the one in C and the one in Python, which answer alike."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airmark import audio, gate
from airmark.assets import data_path
from airmark.detector import Detection, is_built
from airmark.embedder import embed
from airmark.errors import AirmarkError
from airmark.fixed.detector import FixedDetector, RawDetection, key_columns
from airmark.fixed.peaks import sample_of
from airmark.fixed.tables import RING, rate_of
from airmark.gate import Answer, Gate, GateConfig, GateError, Status, Told, Verdict, Word
from airmark.keys import Key
from airmark.profile import profile
from tooling import in_ci, needs_engine

RATE = 16_000
LENGTH, LATEST = 32_768, 39_338
START = 100_000
"""Of most words here: 9,600 samples, of which a mark must cover 4,800."""
WORD = Word(START, START + 9_600, START + 9_600)
NEED = 4_800

WITH_C = is_built("c") or in_ci()


def native(config: GateConfig, first_sample: int = 0) -> gate.AnyGate:
    from airmark.native import NativeGate

    return NativeGate(config, first_sample)


GATES: list[Callable[..., gate.AnyGate]] = [Gate, native] if WITH_C else [Gate]
needs_c = needs_engine("c")


@pytest.fixture(params=GATES)
def make(request):
    return request.param


def asked(make, marks: Iterable[tuple[int, int]], heard: int, word: Word = WORD, wait: int = 40_000, **more) -> Answer:
    """The answer, the marks being (first sample, heard when told)."""
    one = make(GateConfig(RATE, wait, **more))
    for sample, at in sorted(marks, key=lambda mark: mark[1]):
        one.mark(Told(sample), at)
    one.heard(heard)
    return one.ask(word)


# Rules, one by one


@pytest.mark.parametrize(
    ("sample", "covers"),
    [
        (START + NEED - LENGTH - 1, False),
        (START + NEED - LENGTH, True),
        (START - 5_000, True),
        (START + NEED, True),
        (START + NEED + 1, False),
    ],
)
def test_a_mark_covers_a_word_by_half_of_it_whether_it_begins_before_or_after(make, sample, covers):
    verdict = asked(make, [(sample, WORD.end + 1)], WORD.end + 60_000).verdict
    assert verdict == (Verdict.SUPPRESS if covers else Verdict.WAKE)


def test_a_word_longer_than_a_mark_needs_half_a_mark(make):
    word = Word(START, START + 100_000, START + 100_000)
    for sample, covers in ((START - LENGTH // 2, True), (START - LENGTH // 2 - 1, False)):
        verdict = asked(make, [(sample, START + 30_000)], START + 200_000, word).verdict
        assert verdict == (Verdict.SUPPRESS if covers else Verdict.WAKE)


def test_waits_until_no_mark_can_come_any_more_and_wakes_then(make):
    certain = WORD.end - NEED + LATEST
    assert asked(make, [], certain - 1) == Answer(Verdict.WAIT, certain)
    assert asked(make, [], certain) == Answer(Verdict.WAKE, certain)


def test_a_limit_answers_sooner_and_says_so(make):
    deadline = WORD.end + 8_000
    assert asked(make, [], deadline - 1, wait=8_000) == Answer(Verdict.WAIT, deadline)
    assert asked(make, [], deadline, wait=8_000) == Answer(Verdict.WAKE, deadline, limited=True)


def test_a_mark_told_at_the_deadline_counts_and_one_sample_later_is_late(make):
    deadline = WORD.end + 8_000
    in_time = asked(make, [(START, deadline)], deadline, wait=8_000)
    assert in_time == Answer(Verdict.SUPPRESS, deadline, mark=Told(START))
    late = asked(make, [(START, deadline + 1)], deadline + 1, wait=8_000)
    assert late == Answer(Verdict.WAKE, deadline, limited=True, late=True, mark=Told(START))


def test_what_is_known_when_a_word_is_reported_counts_even_after_the_limit(make):
    word = WORD._replace(reported=WORD.end + 20_000)
    answer = asked(make, [(START, WORD.end + 15_000)], word.reported, word, wait=100)
    assert answer == Answer(Verdict.SUPPRESS, WORD.end + 15_000, mark=Told(START))
    assert asked(make, [], word.reported, word, wait=100) == Answer(Verdict.WAKE, word.reported, limited=True)


def test_a_detector_may_lag_behind_the_engine(make):
    word = WORD._replace(reported=WORD.end + 5_000)
    assert asked(make, [], WORD.end - 4_000, word, wait=0) == Answer(Verdict.WAIT, word.reported)


def test_suppresses_as_soon_as_told_even_before_all_was_heard(make):
    one = make(GateConfig(RATE, 40_000))
    one.heard(WORD.end)
    one.mark(Told(START - 8_000, 2_000, -40, 0, True), WORD.end + 3_000)
    assert one.ask(WORD) == Answer(Verdict.SUPPRESS, WORD.end + 3_000, mark=Told(START - 8_000, 2_000, -40, 0, True))


def test_takes_what_the_detector_in_python_gives(make):
    one = make(GateConfig(RATE, 40_000))
    one.mark(Detection(START, START / RATE, 7.25, -12.5, 0, early=True), WORD.end)
    assert one.ask(WORD).mark == Told(START, 1_856, -200, 0, early=True)


@pytest.mark.parametrize("key", [-1, 256])
def test_refuses_keys_that_there_are_not(make, key: int):
    with pytest.raises(AirmarkError, match="a key's index, a whole number from 0 to 255, not"):
        make(GateConfig(RATE, 40_000, keys=[key]))


def test_only_marks_of_some_keys_suppress(make):
    for key in (0, 1, 31, 32, 63, 255):
        one = make(GateConfig(RATE, 40_000, keys={1, 32, 255}))
        one.mark(Told(START, key=key), WORD.end)
        one.heard(WORD.end + 40_000)
        assert one.ask(WORD).verdict == (Verdict.SUPPRESS if key in (1, 32, 255) else Verdict.WAKE)


def test_a_mark_told_twice_counts_once_with_the_place_first_told(make):
    """It would cover the word only at the second place, a repetition later at most."""
    first = START + NEED - LENGTH - 1_000
    for apart, verdict in ((1_024, Verdict.WAKE), (1_025, Verdict.SUPPRESS)):
        assert asked(make, [(first, START), (first + apart, START + 1)], WORD.end + 60_000).verdict == verdict
    one = make(GateConfig(RATE, 40_000))
    one.mark(Told(first, key=0), START)
    one.mark(Told(first + 1_024, key=1), START)
    one.heard(WORD.end + 60_000)
    assert one.ask(WORD).mark == Told(first + 1_024, key=1)


def test_of_several_marks_that_cover_the_first_one_told_is_given(make):
    marks = [(START + 100, WORD.end + 50), (START - 9_000, WORD.end + 70), (START + 3_000, WORD.end + 50)]
    assert asked(make, marks, WORD.end + 100).mark == Told(START + 100)


def test_forgets_the_marks_that_begin_first_and_refuses_words_they_might_cover(make):
    one = make(GateConfig(RATE, 0))
    for i in range(gate.MARKS + 1):
        one.mark(Told(START + 2_000 * i), START + 40_000 + i)
    one.heard(START + 60_000)
    with pytest.raises(GateError) as caught:
        one.ask(Word(START - LENGTH, START - LENGTH + 9_600, START))
    assert caught.value.status is Status.FORGOTTEN
    # One that is remembered covers this; what is forgotten ended before that began.
    assert one.ask(Word(START, START + 9_600, START + 50_000)).verdict is Verdict.SUPPRESS
    late = Word(START + LENGTH + 10_000, START + LENGTH + 50_000, START + 90_000)
    assert one.ask(late).verdict is Verdict.WAIT
    one.reset(0)
    assert one.ask(Word(START - LENGTH, START - LENGTH + 9_600, START)).verdict is Verdict.WAIT


def test_a_mark_that_begins_before_all_that_are_remembered_is_forgotten_itself(make):
    one = make(GateConfig(RATE, 0))
    for i in range(gate.MARKS):
        one.mark(Told(START + 2_000 * i), START + 40_000 + i)
    one.mark(Told(START - 50_000), START + 41_000)
    one.heard(START + 60_000)
    with pytest.raises(GateError):
        one.ask(Word(START - 50_000, START - 40_000, START - 40_000))
    assert one.ask(Word(START, START + 9_600, START + 50_000)).mark == Told(START)


@pytest.mark.parametrize(
    ("config", "status"),
    [
        (GateConfig(22_050, 0), Status.BAD_RATE),
        (GateConfig(0, 0), Status.BAD_RATE),
        (GateConfig(-16_000, 0), Status.BAD_RATE),
        (GateConfig((1 << 32) + RATE, 0), Status.BAD_RATE),
        (GateConfig(RATE, 0, 0), Status.BAD_OVERLAP),
        (GateConfig(RATE, 0, 101), Status.BAD_OVERLAP),
        (GateConfig(RATE, 0, 256 + 50), Status.BAD_OVERLAP),
        (GateConfig(RATE, 0, -3), Status.BAD_OVERLAP),
    ],
)
def test_refuses_a_wrong_configuration(make, config, status):
    with pytest.raises(GateError) as caught:
        make(config)
    assert caught.value.status is status


def refused(call: Callable[[], object]) -> Status | None:
    try:
        call()
    except GateError as error:
        return error.status
    return None


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda make, one: make(GateConfig(16_000.0, 0)), "a rate, a whole number, not 16000.0"),
        (lambda make, one: make(GateConfig(RATE, -1)), "a wait, a whole number from 0 to 4294967295, not -1"),
        (lambda make, one: make(GateConfig(RATE, 1 << 32)), "a wait, .* not 4294967296"),
        (lambda make, one: make(GateConfig(RATE, 1.5)), "a wait, .* not 1.5"),
        (lambda make, one: make(GateConfig(RATE, 0, 50.5)), "an overlap in percent, a whole number, not 50.5"),
        (lambda make, one: make(GateConfig(RATE, 0, keys=[1.5])), "a key's index, .* not 1.5"),
        (lambda make, one: make(GateConfig(RATE, 0, keys=["1"])), "a key's index, .* not '1'"),
        (lambda make, one: make(GateConfig(RATE, 0), 0.5), "a sample's number, a whole number, not 0.5"),
        (lambda make, one: one.reset(0.5), "a sample's number"),
        (lambda make, one: one.heard(START + 40_000.5), "a sample's number, a whole number, not 140000.5"),
        (lambda make, one: one.mark(Told(START + 0.5), START + 40_000), "a sample's number"),
        (lambda make, one: one.mark(Told(START), START + 40_000.0), "a sample's number"),
        (lambda make, one: one.mark(Told(START, key=300), START + 40_000), "a key's index, .* not 300"),
        (lambda make, one: one.mark(Told(START, key=-1), START + 40_000), "a key's index, .* not -1"),
        (lambda make, one: one.mark(Told(START, key=0.0), START + 40_000), "a key's index, .* not 0.0"),
        (lambda make, one: one.mark(Told(START, 1 << 16), START + 40_000), "a score in 1/256, .* 0 to 65535, not"),
        (lambda make, one: one.mark(Told(START, 7.5), START + 40_000), "a score in 1/256, .* not 7.5"),
        (lambda make, one: one.mark(Told(START, 0, 1 << 15), START + 40_000), "a drift in 1/16 ppm, .* not 32768"),
        (lambda make, one: one.ask(Word(START, START + 9_600.0, START + 9_600)), "a sample's number"),
        (lambda make, one: one.ask((START, START + 9_600)), "start, end and report, not 2 numbers"),
    ],
)
def test_refuses_what_is_no_number_of_its_own_in_one_line_and_goes_on(make, call, says):
    one = make(GateConfig(RATE, 8_000))
    one.mark(Told(START), WORD.end)
    one.heard(START + 36_000)
    with pytest.raises(AirmarkError, match=says) as caught:
        call(make, one)
    assert type(caught.value) is AirmarkError
    assert "\n" not in str(caught.value)
    assert one.ask(WORD) == Answer(Verdict.SUPPRESS, WORD.end, mark=Told(START))
    one.heard(START + 36_000)


def test_a_configuration_keeps_keys_that_are_given_but_once(make):
    config = GateConfig(RATE, 40_000, keys=(key for key in (1, 2)))
    for _ in range(2):
        one = make(config)
        one.mark(Told(START, key=2), WORD.end)
        assert one.ask(WORD).verdict is Verdict.SUPPRESS


def test_numbers_of_numpy_are_numbers(make):
    one = make(GateConfig(np.int32(RATE), np.uint8(200), np.uint8(50), np.arange(3)), np.int64(5))
    one.mark(Told(np.int32(START), np.uint16(1_700), np.int16(-3), np.uint8(2)), np.int64(WORD.end))
    word = Word(*np.array(WORD, np.int32))
    assert one.ask(word) == Answer(Verdict.SUPPRESS, WORD.end, mark=Told(START, 1_700, -3, 2))


def test_refuses_wrong_calls_and_goes_on(make):
    one = make(GateConfig(RATE, 8_000), first_sample=1_000)
    far = 1 << 63
    one.mark(Told(START), WORD.end)
    one.heard(START + 36_000)
    for call, status in (
        (lambda: make(GateConfig(RATE, 0), far), Status.BAD_SAMPLE),
        (lambda: make(GateConfig(RATE, 0), -1), Status.BAD_SAMPLE),
        (lambda: make(GateConfig(RATE, 0), 1 << 64), Status.BAD_SAMPLE),
        (lambda: one.reset(far), Status.BAD_SAMPLE),
        (lambda: one.heard(far), Status.BAD_SAMPLE),
        (lambda: one.heard(-1), Status.BAD_SAMPLE),
        (lambda: one.heard(START + 35_999), Status.BACKWARDS),
        (lambda: one.mark(Told(START + 9_000), START + 36_000), Status.BACKWARDS),
        (lambda: one.mark(Told(far), START + 36_001), Status.BAD_SAMPLE),
        (lambda: one.mark(Told(-1), START + 36_001), Status.BAD_SAMPLE),
        (lambda: one.mark(Told(START), far), Status.BAD_SAMPLE),
        (lambda: one.ask(Word(START, START, START)), Status.BAD_WORD),
        (lambda: one.ask(Word(START, START + 2, START + 1)), Status.BAD_WORD),
        (lambda: one.ask(Word(START, far - 1, far)), Status.BAD_SAMPLE),
    ):
        assert refused(call) is status
    assert one.ask(WORD).verdict is Verdict.SUPPRESS


@needs_c
def test_c_refuses_null_pointers_and_names_every_status():
    from airmark.native import ffi, lib

    own, null = ffi.new("airmark_gate_t *"), ffi.NULL
    for status in (
        lib.airmark_gate_init(null, ffi.new("airmark_gate_config_t *"), 0),
        lib.airmark_gate_init(own, null, 0),
        lib.airmark_gate_reset(null, 0),
        lib.airmark_gate_mark(null, ffi.new("airmark_detection_t *"), 1),
        lib.airmark_gate_mark(own, null, 1),
        lib.airmark_gate_heard(null, 1),
        lib.airmark_gate_ask(null, ffi.new("airmark_gate_word_t *"), ffi.new("airmark_gate_answer_t *")),
        lib.airmark_gate_ask(own, null, ffi.new("airmark_gate_answer_t *")),
        lib.airmark_gate_ask(own, ffi.new("airmark_gate_word_t *"), null),
    ):
        assert status == lib.AIRMARK_GATE_BAD_ARGUMENT
    assert ffi.sizeof("airmark_gate_t") < 400
    for status, text in gate.TEXTS.items():
        assert ffi.string(lib.airmark_gate_status_text(status)).decode() == text
        assert getattr(lib, f"AIRMARK_GATE_{status.name}") == status
    assert (lib.AIRMARK_GATE_MARKS, lib.AIRMARK_GATE_OVERLAP) == (gate.MARKS, gate.OVERLAP)
    assert list(Verdict) == [lib.AIRMARK_GATE_WAIT, lib.AIRMARK_GATE_WAKE, lib.AIRMARK_GATE_SUPPRESS]
    for rate in (*gate.RATES, 0, 11_025, 96_000):
        assert (lib.airmark_gate_length(rate), lib.airmark_gate_latest(rate)) == (gate.length(rate), gate.latest(rate))


def test_a_detector_that_begins_anew_loses_marks_and_the_gate_waits_and_wakes(make):
    """The numbers go on after a long gap: nothing is to be said to the gate."""
    one = make(GateConfig(RATE, 8_000), first_sample=500)
    one.heard(START + 3_000)
    one.heard(START + 9_000_000)
    word = Word(START + 8_999_000, START + 9_006_000, START + 9_006_000)
    assert one.ask(WORD) == Answer(Verdict.WAKE, WORD.end + 8_000, limited=True)
    assert one.ask(word) == Answer(Verdict.WAIT, word.end + 8_000)
    one.heard(word.end + 8_000)
    assert one.ask(word).verdict is Verdict.WAKE


def test_after_a_reset_numbers_begin_again_and_old_marks_are_gone(make):
    one = make(GateConfig(RATE, 8_000))
    one.mark(Told(START), START + 36_000)
    one.heard(START + 36_000)
    one.reset(0)
    one.heard(1)
    assert one.ask(WORD) == Answer(Verdict.WAIT, WORD.end + 8_000)
    one.mark(Told(START), WORD.end)
    assert one.ask(WORD).verdict is Verdict.SUPPRESS


def test_refuses_only_words_that_the_last_of_the_forgotten_marks_might_cover(make):
    """All marks are told long after these words' deadlines, so that none suppresses them."""
    one = make(GateConfig(RATE, 0))
    told = START + 200_000
    for i in range(gate.MARKS + 3):
        one.mark(Told(START + 2_000 * i), told)
    one.heard(told)
    last = START + 2 * 2_000 + LENGTH - NEED
    for start, status in ((last, Status.FORGOTTEN), (last + 1, None)):
        assert refused(lambda start=start: one.ask(Word(start, start + 9_600, start + 9_600))) is status
    one.reset(0)
    assert one.ask(Word(0, 9_600, 9_600)).verdict is Verdict.WAIT


# Any sequence of calls, in samples of 16 kHz; the rate comes to them later

NEAR = st.integers(0, 4 * LENGTH)
BASES = st.sampled_from([0, 1 << 31, 1 << 32, (1 << 63) - 64 * LENGTH])
RATES = st.sampled_from([8_000, 16_000, 44_100, 48_000])
MARKS = st.builds(Told, NEAR, st.just(1_700), st.just(-3), st.integers(0, 2), st.booleans())
STEPS = st.lists(st.tuples(st.lists(MARKS, max_size=3), st.integers(1, 20_000)), max_size=12)
WORDS = st.lists(
    st.builds(lambda start, n, more: Word(start, start + n, start + n + more), NEAR, st.integers(1, 40_000), NEAR),
    min_size=1, max_size=4,
)  # fmt: skip


def at_rate(samples: int, rate: int) -> int:
    """Samples of 16 kHz at another rate, rounded up."""
    return -(-samples * rate // RATE)


def word_at(word: Word, rate: int, base: int) -> Word:
    """At least one sample stays of each length."""
    start = base + at_rate(word.start, rate)
    end = start + at_rate(word.end - word.start, rate)
    return Word(start, end, end + at_rate(word.reported - word.end, rate))


def answer_of(one: gate.AnyGate, word: Word) -> Answer | Status:
    try:
        return one.ask(word)
    except GateError as error:
        return error.status


class Ideal:
    """The rules in their words: nothing is forgotten, and samples in common are counted."""

    def __init__(self, config: GateConfig) -> None:
        self.config, self.marks, self.now = config, [], 0
        self.length, self.repetition, self.latest = (at_rate(n, config.rate) for n in (LENGTH, 1_024, LATEST))
        self.latest += 12 if config.rate > RATE else 0  # resampling

    def mark(self, told: Told, heard: int) -> None:
        same = any(m.key == told.key and abs(m.sample - told.sample) <= self.repetition for _, m in self.marks)
        if told.key in self.config.keys and not same:
            self.marks.append((heard, told))

    def ask(self, word: Word) -> Verdict:
        enough = min(word.end - word.start, self.length) * self.config.overlap_percent

        def covers(sample: int) -> bool:
            return 100 * max(0, min(sample + self.length, word.end) - max(sample, word.start)) >= enough

        begins = range(word.end - min(word.end - word.start, self.length), word.end + 1)
        last = begins[bisect_left(begins, True, key=lambda sample: not covers(sample)) - 1]
        until = max(word.reported, min(last + self.latest, word.end + self.config.wait))
        if any(heard <= until and covers(told.sample) for heard, told in self.marks):
            return Verdict.SUPPRESS
        return Verdict.WAKE if self.now >= until else Verdict.WAIT


@needs_c
def test_c_gives_a_mark_with_its_answer_or_none():
    """airmark_gate.h: of SUPPRESS or late, else zero, also where one is known that was told after the deadline."""
    from airmark.native import ffi, lib

    one = native(GateConfig(RATE, 8_000))
    one.mark(Told(START, 2_000), WORD.end + 8_001)
    answer = ffi.new("airmark_gate_answer_t *")
    for heard, verdict, score in ((WORD.end + 7_999, Verdict.WAIT, 0), (WORD.end + 8_001, Verdict.WAKE, 2_000)):
        one.heard(heard)
        assert lib.airmark_gate_ask(one._state, ffi.new("airmark_gate_word_t *", list(WORD)), answer) == 0
        assert (answer.verdict, answer.late, answer.mark.score_q8) == (verdict, verdict is Verdict.WAKE, score)


@settings(max_examples=200, deadline=None)
@given(STEPS, WORDS, st.sampled_from([0, 3_000, 50_000]), st.sampled_from([1, 50, 75, 100]), BASES, RATES)
def test_any_calls_give_what_the_rules_say_and_the_same_in_c(steps, words, wait, percent, base, rate):
    config = GateConfig(rate, at_rate(wait, rate), percent, keys={0, 2})
    gates, ideal, now = [make(config, base) for make in GATES], Ideal(config), base
    words = [word_at(word, rate, base) for word in words]
    known: dict[Word, Answer] = {}
    for marks, more in steps:
        now += at_rate(more, rate)
        for told in (told._replace(sample=base + at_rate(told.sample, rate)) for told in marks):
            for one in (*gates, ideal):
                one.mark(told, now)
        ideal.now = now
        for one in gates:
            one.heard(now)
        for word in words:
            answer, *others = [answer_of(one, word) for one in gates]
            assert others == [answer] * len(others)
            if answer is Status.FORGOTTEN:
                assert len(ideal.marks) > gate.MARKS
                continue
            forgotten = len(ideal.marks) > gate.MARKS
            assert forgotten or answer.verdict == ideal.ask(word)
            before = known.setdefault(word, answer)
            if before.verdict is Verdict.WAIT:
                # It is known by then, or sooner.
                assert answer.sample <= before.sample
                assert answer.verdict is Verdict.WAIT or now >= answer.sample
                known[word] = answer
            elif before.verdict is Verdict.WAKE:
                assert answer._replace(late=False, mark=None) == before._replace(late=False, mark=None)
            else:
                # Of several marks that cover it the one first told may be forgotten.
                assert answer.verdict is Verdict.SUPPRESS
                assert forgotten or answer == before


@needs_c
@settings(max_examples=50, deadline=None)
@given(st.lists(MARKS, max_size=10), st.integers(1 << 21, 1 << 22), st.integers(0, 1 << 20))
def test_what_c_refuses_leaves_every_byte_as_it_was(marks, now, back):
    one = native(GateConfig(RATE, 8_000))
    for i, told in enumerate(marks):
        one.mark(told, now - 100 + i)
    one.heard(now)
    before, far = one.state(), 1 << 63
    for call in (
        lambda: one.heard(now - 1 - back),
        lambda: one.heard(far + back),
        lambda: one.mark(Told(back), now - back),
        lambda: one.mark(Told(far + back), now + 1),
        lambda: one.reset(far + back),
        lambda: one.ask(Word(now, now - back, now)),
    ):
        assert refused(call) is not None
        assert one.state() == before


# What detectors do


@pytest.mark.parametrize("rate", gate.RATES)
def test_no_mark_can_be_told_later_than_the_bound(rate):
    """By SPEC.md, 6 and 10: the last slot in which the first frame is in the ring, any place, offset and phase."""
    r = rate_of(rate)
    hop, last_slot = (128, 85) if rate == 8_000 else (256, 170)
    worst = 0
    for place in range(200, 200 + 2 * r.denominator):
        # Samples of the frames' rate, or of 8 kHz, when the slot after frame place + RING - 1 is due.
        made = hop * (place + RING - 1) + 2 * hop + last_slot
        heard = made if rate <= 16_000 else (made - 1) * r.numerator // r.denominator + 1
        worst = max(worst, *(heard - sample_of(place, offset, r, 0) for offset in range(-128, 129, 8)))
    assert gate.latest(rate) - 2 <= worst <= gate.latest(rate)


@pytest.fixture(scope="module")
def told_by_detectors():
    """(rate, early, detection) of a recording with marks, in silence and noise, at every rate."""
    import soxr

    key = Key(np.random.default_rng(5).choice((-1, 1), (32, 1, 4)), profile())
    recording = audio.read(data_path("speech/libri_M_6836_7278.flac"))
    host = recording.samples[: 9 * recording.rate, 0]
    marked = embed(host, recording.rate, key, at=[0.5, 3.0, 5.2], strength=-12, judge=False).samples[:, 0]
    marked = marked + np.random.default_rng(3).normal(0, 1e-3, len(marked))
    found = []
    for rate, early in ((8_000, True), (16_000, False), (16_000, True), (44_100, True), (48_000, False)):
        pcm = np.rint(np.clip(soxr.resample(marked, recording.rate, rate), -1, 0.9999) * 32_768).astype(np.int16)
        detector = engine(rate, early, [key_columns(key)] * 6)
        found += [(rate, early, one) for one in detector.push(np.append(pcm, np.zeros(rate, np.int16)))]
    return found


def engine(rate: int, early: bool, columns):
    if not WITH_C:
        return FixedDetector(columns, rate, early=early, threshold_q8=1_400)
    from airmark.native import NativeDetector

    return NativeDetector(columns, rate, early=early, threshold_q8=1_400)


def test_detectors_tell_no_later_than_the_bound(told_by_detectors):
    """Six keys alike, so that candidates wait in the queue."""
    assert {(rate, early) for rate, early, _ in told_by_detectors} >= {(16_000, False), (16_000, True), (44_100, True)}
    for rate, _, one in told_by_detectors:
        assert one.at - one.sample <= gate.latest(rate)
    after_end = [(one.at - one.sample) / rate - 2.048 for rate, early, one in told_by_detectors if not early]
    assert max(after_end) > 0.2


def test_an_early_and_a_whole_detection_are_of_one_mark(make):
    early, whole = RawDetection(START + 300, 1_700, 0, 0, True, 0), RawDetection(START, 2_400, 0, 0, False, 0)
    one = make(GateConfig(RATE, 8_000))
    for detection, heard in ((early, START + 20_000), (whole, START + 37_000)):
        one.mark(Told(*detection[:5]), heard)
    one.heard(START + 60_000)
    assert one.ask(WORD).mark == Told(*early[:5])
