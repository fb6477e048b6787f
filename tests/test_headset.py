"""The program `headset` on an emulated Cortex-M4: its answers are those of the gate in Python on the same sound.

Skipped where a cross compiler or an emulator is missing, unless the environment variable CI is set.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from airmark.assets import data_path
from airmark.channel import SMALL_LOUDSPEAKER_HZ, Channel
from airmark.detector import FLUSH_FRAMES, is_built
from airmark.embedder import embed
from airmark.fixed.detector import FixedDetector, RawDetection, key_columns
from airmark.gate import Gate, GateConfig, Told, Verdict, Word
from airmark.thresholds import threshold
from airmark.version import __version__
from airmark.words import place_for_word
from cores import CORES, LIBRARY, PORT, ROOT, Build, NotRunError, emulated, run
from programs import STRICT, Pcm, demo_key
from programs import scripted_with as raw_scripted_with

PROGRAM = ROOT / "firmware/src/headset.c"
RATE, WAIT, PIECE, AWAKE = 16_000, 8_000, 160, 32_000
WAITING = 4
"""Words that may wait."""
SILENCE = FLUSH_FRAMES * 256
"""Samples of it that follow the sound."""
THRESHOLD = 1322
"""One false alarm a day."""
MARKED = (3.2, 3.8), (6.9, 7.6)
"""Words of a broadcast, seconds, each with a mark placed for it."""
LIVE = (0.5, 1.1), (5.0, 5.5)
"""Words of a person beside it."""
LATE_S = 0.15
"""The engine reports a word so long after its end."""


@cache
def heard() -> tuple[Pcm, tuple[Word, ...]]:
    """Speech with marks for its words, through a room, and what the wake-word engine says of it."""
    host, rate = soundfile.read(data_path("speech/libri_F_2007_2817.flac"))
    assert rate == RATE
    marked = embed(host, RATE, demo_key(), words=MARKED, strength=-10, judge=False)
    assert len(marked.marks) == len(MARKED)
    way = Channel(loudspeaker_hz=SMALL_LOUDSPEAKER_HZ, distance_m=1.5, rt60_s=0.3, noise="pink", snr_db=25.0)
    received = way.apply(marked.samples[:, 0], RATE, seed=1)
    pcm = np.rint(np.clip(received.samples * 2**15, -(2**15), 2**15 - 1)).astype("<i2")
    words = []
    for start, end in sorted((*MARKED, *LIVE)):
        first, last = (round(received.place(s * RATE)) for s in (start, end))
        words.append(Word(first, last, last + round(LATE_S * RATE)))
    return np.append(pcm, np.zeros(RATE, "<i2")), tuple(words)


def told(samples: Pcm, early: bool) -> list[RawDetection]:
    columns, options = [key_columns(demo_key())], {"early": early, "threshold_q8": THRESHOLD}
    if not is_built("c"):
        return FixedDetector(columns, RATE, **options).push(samples)
    from airmark.native import NativeDetector

    return NativeDetector(columns, RATE, **options).push(samples)


def expected(samples: Pcm, words: tuple[Word, ...], early: bool = True, wait: int = WAIT) -> list[str]:
    """The lines, by the gate in Python."""
    after = np.append(samples, np.zeros(SILENCE, "<i2"))
    gate, marks = Gate(GateConfig(RATE, wait)), told(after, early)
    lines = [f"headset airmark={__version__} rate={RATE} keys=1 threshold={THRESHOLD / 256:.3f} wait={wait}"]
    to_come, waiting, awake, now = list(words), [], 0, 0

    def wake(word: Word, limited: bool) -> None:
        nonlocal awake
        lines.extend(["led on"] * (now >= awake))
        lines.append(f"wake start={word.start} limited={limited:d} heard={now}")
        awake = now + AWAKE

    def answer_all() -> None:
        for word in list(waiting):
            answer = gate.ask(word)
            if answer.verdict is Verdict.WAIT:
                continue
            waiting.remove(word)
            if answer.mark is not None and answer.verdict is Verdict.SUPPRESS:
                lines.append(f"suppress start={word.start} mark={answer.mark.sample} heard={now}")
            else:
                wake(word, answer.limited)

    for now in (*range(PIECE, len(after) + 1, PIECE), len(after)):
        while marks and marks[0].at <= now:
            mark = marks.pop(0)
            gate.mark(Told(*mark[:5]), mark.at)
            lines.append(f"mark sample={mark.sample} key=0 early={mark.early:d} heard={mark.at}")
        gate.heard(now)
        while to_come and to_come[0].reported <= now:
            word = to_come.pop(0)._replace(reported=now)
            if word.end > len(samples):
                continue
            lines.append(f"word start={word.start} end={word.end} reported={now}")
            if len(waiting) == WAITING:
                answer_all()
            if len(waiting) == WAITING:
                wake(waiting.pop(0), limited=True)
            waiting.append(word)
        answer_all()
        if awake and now >= awake:
            awake = 0
            lines.append("led off")
    for word in waiting:
        wake(word, limited=True)
    return [*lines, f"end samples={len(samples)} lost=0"]


def table(words: tuple[Word, ...]) -> str:
    rows = ", ".join(f"{{{word.start}u, {word.end}u, {word.reported}u}}" for word in words)
    return f"static const airmark_gate_word_t headset_words[] = {{{rows}}};\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[str]]:
    """What runs the program on a core, with words in a table or the stand-in's own, and gives its lines."""

    def said(samples: Pcm, words: tuple[Word, ...] | None, *macros: str, core: str = "m4") -> list[str]:
        folder = tmp_path_factory.mktemp(core)
        given = []
        if words is not None:
            (folder / "words.h").write_text(table(words), "utf-8")
            given = [f'HEADSET_WORDS="{folder}/words.h"']
        build = Build(CORES[core], ('DETECTOR_KEYS="demo_key.h"', *given, *macros), folder)
        ports = [PORT / name for name in ("emulated.c", "emulated_audio.c", "emulated_timer.c")]
        alone = [LIBRARY / "airmark_fifo.c", LIBRARY / "airmark_gate.c"]
        elf = build.link("headset.elf", PROGRAM, *ports, *alone, *build.objects)
        (folder / "input").write_bytes(samples.tobytes())
        return run(build.core.command(elf), cwd=folder, timeout=120).splitlines()

    return said


def test_marked_words_are_suppressed_here_and_live_ones_wake():
    samples, words = heard()
    for early in (False, True):
        lines = expected(samples, words, early)
        verdicts = [line.split()[0] for line in lines if line.startswith(("wake", "suppress"))]
        assert verdicts == ["wake", "suppress", "wake", "suppress"]
    for start, end in MARKED:
        assert 0 < place_for_word(start, end) < start


@emulated
@pytest.mark.parametrize("core", ["m4", "m0"])
def test_says_what_python_says(program, core: str):
    samples, words = heard()
    assert program(samples, words, core=core) == expected(samples, words)


@emulated
def test_says_what_python_says_of_whole_marks(program):
    samples, words = heard()
    assert program(samples, words, "HEADSET_EARLY=0") == expected(samples, words, early=False)


@emulated
def test_without_a_table_the_last_of_every_five_seconds_is_a_word(program):
    """Not of the silence that follows: the sound ends less than that before another five are full."""
    samples = np.tile(heard()[0], 3)[: 20 * RATE - SILENCE // 2]
    words = tuple(Word(at - 9_600, at, at) for at in range(5 * RATE, len(samples) + 1, 5 * RATE))
    assert len(words) == 3
    assert len(samples) > 19 * RATE
    assert program(samples, None) == expected(samples, words)


@emulated
def test_of_too_many_waiting_words_the_oldest_wakes(program):
    samples = np.zeros(RATE, "<i2")
    words = tuple(Word(100 * i, 100 * i + 900, 1_600) for i in range(6))
    lines = program(samples, words)
    assert lines == expected(samples, words)
    assert [line for line in lines if line.startswith("wake")][:2] == [
        "wake start=0 limited=1 heard=1600",
        "wake start=100 limited=1 heard=1600",
    ]
    assert sum(line.startswith("wake") for line in lines) == len(words)


# On this computer


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Pcm | int]], list[str]]:
    """What runs the program with a port that does as it is told: arrays are blocks, numbers are samples lost."""
    return scripted_with(tmp_path_factory.mktemp("scripted"), heard()[1])


def scripted_with(folder: Path, words: tuple[Word, ...], *more: str) -> Callable[[list[Pcm | int]], list[str]]:
    (folder / "words.h").write_text(table(words), "utf-8")
    macros = ('DETECTOR_KEYS="demo_key.h"', f'HEADSET_WORDS="{folder}/words.h"', *more)
    said = raw_scripted_with(PROGRAM, folder, *macros)
    return lambda parts: said(parts).splitlines()


def test_blocks_of_any_length_say_the_same(scripted):
    samples, words = heard()
    cuts = np.sort(np.random.default_rng(1).integers(0, len(samples), 50))
    assert scripted(list(np.split(samples, cuts))) == expected(samples, words)


@pytest.mark.parametrize("lost", [1, 160, 3_001])
def test_zeros_stand_for_a_gap_in_a_mark_and_the_word_is_suppressed(scripted, lost: int):
    samples, words = heard()
    cut = round((place_for_word(*MARKED[0]) + 1.5) * RATE)
    whole = samples.copy()
    whole[cut : cut + lost] = 0
    lines = scripted([samples[:cut], lost, samples[cut + lost :]])
    assert f"lost sample={cut} count={lost}" in lines
    same = [line for line in lines if not line.startswith(("lost", "end"))]
    assert same == expected(whole, words)[:-1]
    assert sum(line.startswith("suppress") for line in lines) == len(MARKED)
    assert lines[-1] == f"end samples={len(samples)} lost={lost}"


def test_after_a_long_gap_the_numbers_go_on_and_words_wake(scripted):
    """The gap takes the first marked word's mark; the word before it waits over the gap, the last one's is whole."""
    samples, words = heard()
    cut, lost = words[0].reported + 1_000, 40_000
    lines = scripted([samples[:cut], lost, samples[cut + lost :]])
    verdicts = [line.split()[:2] for line in lines if line.startswith(("wake", "suppress"))]
    starts = [f"start={word.start}" for word in words]
    assert verdicts == [["wake", starts[0]], ["wake", starts[1]], ["wake", starts[2]], ["suppress", starts[3]]]


def test_the_mark_of_a_word_with_which_the_sound_ends_suppresses_it(tmp_path: Path):
    """It is told, and the word reported, in the silence that follows."""
    samples, words = heard()
    end = words[-1].end
    lines = scripted_with(tmp_path, words, "HEADSET_EARLY=0")([samples[: end // 2], samples[end // 2 : end]])
    assert lines == expected(samples[:end], words, early=False)
    (*_, mark) = (int(line.split("heard=")[1]) for line in lines if line.startswith("mark"))
    assert mark > end
    assert sum(line.startswith(f"suppress start={words[-1].start} ") for line in lines) == 1
    assert lines[-1] == f"end samples={end} lost=0"


def test_a_word_whose_mark_is_told_already_is_suppressed_where_too_many_wait(tmp_path: Path):
    """The last is reported in the 10 ms in which the first half's mark of the others is told."""
    samples, _ = heard()
    (mark, *_) = told(samples, early=True)
    starts = (mark.sample + 7_000 + 100 * i for i in range(WAITING))
    words = (*(Word(start, start + 8_000, mark.at - 3_000) for start in starts), Word(100, 900, mark.at + 1))
    lines = scripted_with(tmp_path, words, "HEADSET_WAIT=20000")(np.array_split(samples, 2))
    assert lines == expected(samples, words, wait=20_000)
    at = -(-mark.at // PIECE) * PIECE
    assert [line for line in lines if line.startswith("suppress")] == [
        f"suppress start={word.start} mark={mark.sample} heard={at}" for word in words[:WAITING]
    ]


def test_a_word_that_ends_after_the_sound_is_none(tmp_path: Path):
    """One that ended with it is, though it is reported in the silence that follows."""
    samples = np.zeros(2_000, "<i2")
    words = (Word(100, 2_000, 2_500), Word(200, 2_001, 2_500), Word(3_000, 4_000, 4_500))
    lines = scripted_with(tmp_path, words)([samples])
    assert lines == expected(samples, words)
    assert [line for line in lines if line.startswith("word")] == ["word start=100 end=2000 reported=2560"]


def test_words_that_the_gate_refuses_or_that_wait_where_all_has_been_told_wake(tmp_path: Path):
    bad, *good = words = (Word(900, 100, 800), Word(100, 1_000, 1_000), Word(200, 1_900, 1_990))
    lines = scripted_with(tmp_path, words, "HEADSET_WAIT=30000")([np.zeros(2_000, "<i2")])
    title, *_ = expected(np.zeros(0, "<i2"), (), wait=30_000)
    assert lines == [
        title,
        f"word start={bad.start} end={bad.end} reported=800",
        "headset: refused: a word that does not end after its start, or was reported before its end",
        "led on",
        f"wake start={bad.start} limited=0 heard=800",
        "word start=100 end=1000 reported=1120",
        "word start=200 end=1900 reported=2080",
        *(f"wake start={word.start} limited=1 heard={2_000 + SILENCE}" for word in good),
        "end samples=2000 lost=0",
    ]


# Macros


def check(*options: str) -> None:
    """Let the compiler read the program."""
    run(["gcc", "-std=c99", *STRICT, f"-I{LIBRARY}", f"-I{PORT}", *options, "-fsyntax-only", PROGRAM])


def test_the_threshold_is_one_false_alarm_a_day_for_the_keys_there_are():
    rows = re.findall(r"KEYS <= (\d+) +\? (\d+)", PROGRAM.read_text("utf-8"))
    (rest,) = re.findall(r"^ +: (\d+)\)$", PROGRAM.read_text("utf-8"), re.MULTILINE)
    assert [keys for keys, _ in rows] == ["1", "2", "4", "8", "16", "64"]
    for keys, q8 in (*rows, (255, rest)):
        assert int(q8) == math.ceil(256 * threshold(1.0, int(keys), "c"))
    assert int(rows[0][1]) == THRESHOLD


def test_the_lines_that_the_program_shows_have_that_threshold():
    shown = re.findall(r"^ \*     headset .* threshold=(\S+) ", PROGRAM.read_text("utf-8"), re.MULTILINE)
    assert shown == [f"{THRESHOLD / 256:.3f}"]


@pytest.mark.parametrize("macro", ["HEADSET_WAIT=-5", "HEADSET_WAIT=5000000000"])
def test_a_wait_that_is_none_does_not_compile(macro: str):
    with pytest.raises(NotRunError, match="HEADSET_WAIT is a number of samples, 0 to 4294967295"):
        check('-DDETECTOR_KEYS="demo_key.h"', f"-D{macro}")


def test_takes_a_threshold():
    check('-DDETECTOR_KEYS="demo_key.h"', "-DHEADSET_THRESHOLD_Q8=1632", "-DHEADSET_WAIT=0")


def test_the_table_is_where_the_program_says_it(tmp_path: Path):
    """It compiles with warnings as errors, with and without one."""
    (tmp_path / "words.h").write_text(table(heard()[1]), "utf-8")
    for more in ([], ['-DHEADSET_WORDS="words.h"']):
        check('-DDETECTOR_KEYS="demo_key.h"', f"-I{tmp_path}", *more)
