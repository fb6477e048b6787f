"""Marks for wake words: where they are placed, that the gate counts them and in time, and what embed says of it."""

from __future__ import annotations

import json
from math import ceil

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from airmark import audio, gate
from airmark.assets import data_path
from airmark.cli import main
from airmark.embedder import embed
from airmark.errors import AirmarkError
from airmark.fixed import confirm, template
from airmark.fixed.detector import FixedDetector, key_columns
from airmark.fixed.tables import HALF, rate_of
from airmark.gate import Gate, GateConfig, Told, Verdict, Word
from airmark.keys import Key
from airmark.profile import profile
from airmark.words import ANSWER_S, EARLY_STEPS, EARLY_TAIL_S, MARK_S, TAIL_S, covers, place_for_word, places_for_words

SPEECH = data_path("speech/libri_F_2007_2817.flac")
SPARE_S = 2 * 256 / 16_000
"""By which a place may be told wrongly: two frames, not what the module allows for."""


def random_key(seed: int = 5) -> Key:
    return Key(np.random.default_rng(seed).choice((-1, 1), (32, 1, 4)), profile())


def ask(place: int, told: int, word: tuple[float, float], rate: int, wait: int) -> Verdict:
    start, end = (round(s * rate) for s in word)
    one = Gate(GateConfig(rate, wait))
    one.mark(Told(place), told)
    one.heard(told + rate)
    return one.ask(Word(start, end, end)).verdict


@settings(max_examples=300, deadline=None)
@given(
    st.floats(3, 100), st.floats(0.15, 4), st.floats(0.25, 3), st.sampled_from(gate.RATES), st.floats(-SPARE_S, SPARE_S)
)
def test_the_gate_counts_the_mark_placed_for_a_word_and_in_time(start, lasts, answer, rate, wrong):
    """Told as late as can be, and a little aside."""
    word = (start, start + lasts)
    if answer < TAIL_S + SPARE_S - max(lasts / 2, lasts - MARK_S / 2) - 1e-5:
        with pytest.raises(AirmarkError, match="after its end: allow for"):
            place_for_word(*word, answer=answer)
        return
    place = place_for_word(*word, answer=answer)
    at = round(place * rate)
    wait = ceil(answer * rate) + 2
    assert ask(at, at + gate.latest(rate), word, rate, wait) is Verdict.SUPPRESS
    moved = round((place + wrong * 0.99) * rate)
    assert ask(moved, at + gate.latest(rate), word, rate, wait) is Verdict.SUPPRESS
    assert covers(place, word)


@given(st.floats(0.2, 4), st.floats(0.3, 1))
def test_a_word_near_the_start_needs_early_decisions_or_is_refused(start, lasts):
    word = (start, start + lasts)
    usual = place_for_word(start + 10, start + 10 + lasts) - 10
    if usual >= 0:
        assert place_for_word(*word) == pytest.approx(usual)
        assert place_for_word(*word, early=True) == pytest.approx(usual)
        return
    with pytest.raises(AirmarkError, match=r"too near the start: its mark would have to begin 0\.|1\."):
        place_for_word(*word)
    if word[1] + ANSWER_S < MARK_S / 2 + EARLY_TAIL_S:
        with pytest.raises(AirmarkError, match="too near the start"):
            place_for_word(*word, early=True)
    else:
        assert place_for_word(*word, early=True) == 0
        assert covers(0, word)


def test_words_share_a_mark_where_one_does_for_both_and_clash_where_none_does():
    first = place_for_word(5.0, 5.6)
    assert places_for_words([(5.05, 5.62), (5.0, 5.6)]) == [first]
    assert places_for_words([(5.0, 5.6)], at=[first - 0.1]) == []
    assert places_for_words([(8.0, 8.6), (5.0, 5.6)]) == [first, place_for_word(8.0, 8.6)]
    with pytest.raises(AirmarkError, match=r"6\.500 s needs a mark at 4\.941 s, which would lie over the one at"):
        places_for_words([(5.0, 5.6), (6.5, 7.1)])
    with pytest.raises(AirmarkError, match="would lie over the one at 4"):
        places_for_words([(5.0, 5.6)], at=[4.0])


@pytest.mark.parametrize(
    ("word", "options", "message"),
    [
        ((4.0, 3.0), {}, "from 4 to 3 s: give its start and its end"),
        ((-1.0, 3.0), {}, "from -1 to 3 s"),
        ((float("nan"), 3.0), {}, "give its start and its end"),
        ((4.0, 4.6), {"answer": -0.1}, "give 0 to 10 seconds"),
        ((4.0, 4.6), {"answer": 0.1}, r"--answer 0\.143"),
        ((4.0, 4.03), {}, "too short to be covered"),
        ((4.0, 4.6), {"span": (0.0, 4.5)}, r"from 4\.000 to 4\.600 s ends after the sound, at 4\.500 s"),
        ((4.0, 4.6), {"span": (3.0, 9.0)}, r"0\.559 s before the sound at 3\.000 s"),
    ],
)
def test_refuses_words_that_cannot_be_had(word, options, message):
    with pytest.raises(AirmarkError, match=message):
        place_for_word(*word, **options)


def test_the_answer_that_an_error_names_is_enough():
    assert place_for_word(4.0, 4.6, answer=0.143) > 0


def test_python_marks_before_the_word_and_a_headset_suppresses_it():
    recording = audio.read(SPEECH)
    host, rate, key = recording.samples[: 8 * recording.rate], recording.rate, random_key()
    word = (4.0, 4.6)
    marked = embed(host, rate, key, words=[word], strength=-10, judge=False)
    assert [mark.sample for mark in marked.marks] == [round(place_for_word(*word) * rate)]
    pcm = np.rint(np.clip(marked.samples[:, 0], -1, 0.9999) * 32_768).astype(np.int16)
    detector = FixedDetector([key_columns(key)], rate, early=False, threshold_q8=1_632)
    one = Gate(GateConfig(rate, round(0.35 * rate)))
    for told in detector.push(pcm):
        one.mark(Told(*told[:5]), told.at)
    one.heard(len(pcm))
    answers = [one.ask(Word(s, s + 9_600, s + 9_600)) for s in (32_000, 64_000, 96_000)]
    assert [answer.verdict for answer in answers] == [Verdict.WAKE, Verdict.SUPPRESS, Verdict.WAKE]
    assert answers[1].sample <= 73_600 + 0.3 * rate


def test_first_halves_are_told_when_words_reckons_with_them():
    """As soon as that, and hardly later: it is a bound for a candidate that need not wait.

    Of sound that comes as it was marked, louder marks score less: hardly anything but one pattern is in it then.
    """
    drifts = range(-200 * 16, 200 * 16 + 1, 8)
    most = max(len(confirm.schedule(HALF, drift, rate_of(16_000))) for drift in drifts)
    assert template.STEPS + most == EARLY_STEPS
    recording, key, after = audio.read(SPEECH), random_key(), []
    for at in (0.7, 1.9, 3.103, 4.4):
        host, rate = recording.samples[: round((at + 2.5) * recording.rate)], recording.rate
        marked = embed(host, rate, key, at=[at], strength=-14, judge=False)
        pcm = np.rint(np.clip(marked.samples[:, 0], -1, 0.9999) * 32_768).astype(np.int16)
        detector = FixedDetector([key_columns(key)], rate, early=True, threshold_q8=1_632)
        (first,) = detector.push(pcm)
        assert first.early
        after.append((first.at - first.sample) / rate - MARK_S / 2)
    assert max(after) <= EARLY_TAIL_S
    assert min(after) > EARLY_TAIL_S - 0.06


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("key") / "key.json"
    random_key().save(path)
    return path


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


def test_the_command_places_marks_for_words(capsys, key_file, tmp_path):
    out = tmp_path / "marked.flac"
    status, text, _ = run(
        capsys, "embed", SPEECH, out, "--key", key_file, "--strength", -14, "--json",
        *("--word", 2.3, 2.9, "--word", 4.6, 5.3, "--at", 5.2),
    )  # fmt: skip
    assert status == 0
    marks = json.loads(text)["marks"]
    assert [len(mark["words"]) for mark in marks] == [1, 1, 0]
    assert [mark["time_s"] for mark in marks] == pytest.approx([0.741, 3.141, 5.2], abs=1e-3)
    for mark in marks[:2]:
        assert 0 < mark["words"][0]["told_after_s"] <= 0.3001
    assert soundfile.info(out).samplerate == 16_000


def test_a_mark_that_may_move_keeps_off_those_for_words(capsys, key_file, tmp_path):
    status, text, _ = run(
        capsys, "embed", SPEECH, tmp_path / "marked.flac", "--key", key_file, "--strength", -14, "--json",
        *("--word", 5, 5.6, "--near", 2.2),
    )  # fmt: skip
    assert status == 0
    moved, fixed = json.loads(text)["marks"]
    assert fixed["time_s"] == pytest.approx(place_for_word(5, 5.6), abs=1e-3)
    assert moved["time_s"] <= fixed["time_s"] - MARK_S


def test_the_command_tells_the_word_and_its_answer(capsys, key_file, tmp_path):
    status, text, error = run(
        capsys, "embed", SPEECH, tmp_path / "marked.flac", "--key", key_file, "--strength", -14,
        *("--word", 1, 1.6, "--word", 5, 5.6, "--early", "--answer", 0.25),
    )  # fmt: skip
    assert status == 0
    early, whole = (line for line in text.splitlines() if "for the word" in line)
    assert early.endswith("for the word 1.000 to 1.600 s, told 0.86 s after it at the latest")
    assert whole.endswith("for the word 5.000 to 5.600 s, told 0.25 s after it at the latest")
    # Of the first word only half a mark is in time: 1.024 s of it, told 0.19 s later, from wherever the sound begins.
    assert error.count("\n") == 1
    assert "the word at 1.000 s: only the first half of its mark is told within 0.25 s (0.42 s before" in error
    assert "the whole mark 0.86 s after the word's end at the latest" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--word", 1, 1.6), "too near the start"),
        (("--word", 5, 400), "ends after the sound, at 8.100 s"),
        (("--word", 5, 5.6, "--at", 4), "would lie over the one at 4.000 s"),
        (("--word", 5, 5.6, "--word", 6.5, 7), "would lie over"),
        (("--word", 5, 5.6, "--answer", 11), "give 0 to 10 seconds"),
        (("--early",), "--early goes with --word"),
        (("--answer", 0.2), "--answer goes with --word"),
        (("--word", 5, 5.6, "--from", 4), "before the sound at 4.000 s"),
    ],
)
def test_the_command_refuses_in_one_line(capsys, key_file, tmp_path, arguments, message):
    out = tmp_path / "marked.flac"
    status, _, error = run(capsys, "embed", SPEECH, out, "--key", key_file, *arguments)
    assert status == 2
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_word_before_which_there_is_only_silence_is_refused(capsys, key_file, tmp_path):
    samples = audio.read(SPEECH).samples[:, 0].copy()
    samples[:40_000] = 0
    soundfile.write(tmp_path / "host.wav", samples, 16_000)
    out = tmp_path / "marked.wav"
    words = ("--word", 1.8, 2.4, "--word", 5, 5.6)
    status, _, error = run(
        capsys, "embed", tmp_path / "host.wav", out, "--key", key_file, "--strength", -14, *words
    )  # fmt: skip
    assert status == 2
    assert "the word at 1.800 s gets no mark: there is only digital silence" in error
    assert not out.exists()


def test_pipes_take_no_words(capsys, key_file):
    for option in (("--word", 1, 2), ("--early",), ("--answer", 0.2)):
        status, _, error = run(capsys, "embed", "-", "-", "--key", key_file, *option)
        assert status == 2
        assert f"{option[0]} is not for pipes" in error
