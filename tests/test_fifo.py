"""The FIFO from an interrupt to a task: against a model, on two threads under ThreadSanitizer, and on emulated cores.

Skipped where a compiler or an emulator is missing, unless the environment variable CI is set.
"""

from __future__ import annotations

import re
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cores import CORES, LIBRARY, PORT, Build, emulated, run
from tooling import needs

HERE = Path(__file__).with_name("fifo")
SOURCE = LIBRARY / "airmark_fifo.c"
STRICT = ("-std=gnu99", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", f"-I{LIBRARY}")
STARTS = (0, 2**32 - 1000, 2**31 - 1000)
"""Of the counters, so that they wrap."""
LEAST = 2**32 - 1
"""What a gap of so many or more is told as."""

clang = needs("clang")


def compiled(folder: Path, source: str, *options: str) -> Path:
    program = folder / source.removesuffix(".c")
    run(["clang", *STRICT, *options, HERE / source, SOURCE, "-o", program])
    return program


# Against a model


class Model:
    """The FIFO in Python: what is written goes into a queue, with gaps in it."""

    def __init__(self, size: int, start: int) -> None:
        self.size, self.at = size, start
        self.queue: deque[int] = deque()
        self.next = self.gap = 0

    def room(self) -> int:
        return 0 if self.gap else self.size - len(self.queue)

    def write(self, count: int) -> str:
        stored = min(count, self.room())
        self.queue.extend(range(self.next, self.next + stored))
        self.next += count
        self.gap = min(self.gap + count - stored, LEAST)
        return str(stored)

    stride = write

    def lose(self, count: int) -> str:
        self.next += count
        self.gap = min(self.gap + count, LEAST)
        return "0"

    def peek(self) -> str:
        if self.queue:
            count = min(len(self.queue), self.size - self.at % self.size)
            first, last = ((self.queue[i] + 2**15) % 2**16 - 2**15 for i in (0, count - 1))
            return f"{count} 0 {first} {last}"
        return f"0 {self.gap} 0 0"

    def consume(self, count: int) -> str:
        for _ in range(min(count, len(self.queue))):
            self.queue.popleft()
            self.at += 1
        return "0"

    def skip(self, count: int) -> str:
        self.gap -= min(count, self.gap)
        return "0"

    def answer(self, word: str, number: int) -> str:
        if word == "room":
            return str(self.room())
        return self.peek() if word == "peek" else getattr(self, word)(number)


def commands(most: int) -> st.SearchStrategy[tuple[str, int]]:
    words = st.sampled_from(["write", "write", "stride", "peek", "peek", "consume", "consume", "skip", "room"])
    huge = st.tuples(st.sampled_from(["lose", "skip"]), st.sampled_from([1, 1000, 2**31, 2**32 - 2, 2**32 - 1]))
    return st.one_of(*[st.tuples(words, st.integers(0, most))] * 6, huge)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int, list[tuple[str, int]]], list[str]]:
    program = compiled(tmp_path_factory.mktemp("fifo"), "driver.c", "-fsanitize=address,undefined")

    def drive(size: int, start: int, script: list[tuple[str, int]]) -> list[str]:
        text = f"{size} {start}\n" + "\n".join(f"{word} {number}" for word, number in script)
        done = subprocess.run([program], input=text, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return drive


@clang
@settings(max_examples=120)
@given(data=st.data(), size=st.sampled_from([1, 2, 8, 64]), start=st.sampled_from([*STARTS, 2**32 - 3]))
def test_does_what_the_model_does(driver, data: st.DataObject, size: int, start: int):
    script = data.draw(st.lists(commands(size + 3), min_size=30, max_size=60))
    model = Model(size, start)
    assert driver(size, start, script) == [model.answer(word, number) for word, number in script]


@clang
def test_one_gap_at_a_time_at_its_place(driver):
    script = [("write", 6), ("write", 5), ("consume", 2), ("write", 4), ("room", 0), ("peek", 0), ("consume", 9)]
    script += [("write", 3), ("peek", 0), ("peek", 0), ("write", 1), ("skip", 10), ("room", 0), ("peek", 0)]
    script += [("skip", 1), ("room", 0), ("write", 2), ("peek", 0)]
    answers = driver(8, 0, script)
    assert answers[:6] == ["6", "2", "0", "0", "0", "6 0 2 7"]
    # 3 + 4 + 3 samples are gone, and one more before those are skipped; the next is number 19.
    assert answers[6:] == ["0", "0", "0 10 0 0", "0 10 0 0", "0", "0", "0", "0 1 0 0", "0", "8", "2", "2 0 19 20"]


@clang
def test_bad_sizes_are_refused(tmp_path: Path):
    (tmp_path / "bad.c").write_text(
        '#include "airmark_fifo.h"\n'
        "#include <string.h>\n"
        "int main(void) {\n"
        "    static int16_t samples[8];\n"
        "    airmark_fifo_t fifo, before;\n"
        "    const uint32_t sizes[] = {0, 3, 6, 0x40000001u, 0x80000000u, 0xFFFFFFFFu};\n"
        "    if (airmark_fifo_init(&fifo, samples, AIRMARK_FIFO_LARGEST) != AIRMARK_OK) return 6;\n"
        "    if (airmark_fifo_init(&fifo, samples, 8) != AIRMARK_OK) return 1;\n"
        "    before = fifo;\n"
        "    for (unsigned i = 0; i < 6; i++) {\n"
        "        if (airmark_fifo_init(&fifo, samples, sizes[i]) != AIRMARK_BAD_ARGUMENT) return 2;\n"
        "    }\n"
        "    if (airmark_fifo_init(&fifo, 0, 8) != AIRMARK_BAD_ARGUMENT) return 3;\n"
        "    if (airmark_fifo_init(0, samples, 8) != AIRMARK_BAD_ARGUMENT) return 4;\n"
        "    return memcmp(&fifo, &before, sizeof fifo) ? 5 : 0;\n"
        "}\n",
        "utf-8",
    )
    run(["clang", *STRICT, "-fsanitize=address,undefined", tmp_path / "bad.c", SOURCE, "-o", tmp_path / "bad"])
    run([tmp_path / "bad"])


# Two threads


@clang
@pytest.mark.parametrize(("size", "late"), [(64, 1000), (512, 4), (4096, 100)])
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("slow", [False, True])
def test_two_threads_lose_nothing_untold(size: int, late: int, start: int, slow: bool, tmp_path: Path):
    barriers = ("-include", str(HERE / "slow.h")) if slow else ()
    program = compiled(tmp_path, "threads.c", "-fsanitize=thread", "-pthread", *barriers)
    fewest_gaps = 6 if size < 4096 else 0
    numbers = map(str, (size, 300_000, start, late, fewest_gaps))
    written, lost, gaps = map(int, run([program, *numbers], timeout=100).split())
    assert written + lost >= 300_000
    assert written > 20 * size
    assert lost >= gaps >= fewest_gaps


@clang
def test_threadsanitizer_finds_what_is_wrong(tmp_path: Path):
    # Without the barriers: what the test above rests on.
    macros = ("-DAIRMARK_LOAD_ACQUIRE(p)=(*(p))", "-DAIRMARK_STORE_RELEASE(p,v)=(*(p)=(v))")
    program = compiled(tmp_path, "threads.c", "-fsanitize=thread", "-pthread", *macros)
    done = subprocess.run([program, "64", "100000", "0", "1000", "0"], capture_output=True, text=True, check=False)
    assert "data race" in done.stderr
    assert done.returncode != 0


# Emulated cores


@emulated
@pytest.mark.parametrize("core", ["m0", "m4", "rv32imc"])
def test_an_interrupt_pushes_while_the_task_reads(core: str, tmp_path: Path):
    build = Build(CORES[core], (), tmp_path)
    (tmp_path / "input").touch()
    sources = [HERE / "interrupt.c", SOURCE, PORT / "emulated.c", PORT / "emulated_timer.c"]
    program = build.link("interrupt.elf", *sources)
    # Time counts instructions, 64 ns each: so it is the same each time, however busy the computer.
    numbers = run(build.core.command(program, "-icount", "shift=6,sleep=off"), cwd=tmp_path, timeout=100)
    written, given_up, consumed, lost, gaps, between = map(int, numbers.split())
    assert (written, given_up) == (consumed, lost)
    assert consumed + lost == 1_000_000
    assert lost > gaps > 100
    assert consumed > 100_000
    assert between > 1000


@emulated
@pytest.mark.parametrize("core", CORES)
def test_costs_what_the_header_says(core: str, tmp_path: Path):
    build = Build(CORES[core], (), tmp_path)
    (tmp_path / "input").touch()
    program = build.link("cost.elf", HERE / "cost.c", SOURCE, PORT / "emulated.c")
    lines = run(build.core.command(program, "-icount", f"shift={build.core.shift}"), cwd=tmp_path, timeout=60)
    counts: dict[str, int] = {}
    for word, number in map(str.split, lines.splitlines()):
        counts[word] = max(counts.get(word, 0), int(build.core.instructions(np.array(int(number)))))
    empty = counts.pop("empty")
    assert {"init", "peek", "room", "consume", "skip", "lose", "full", "write0", "write160", "stride160"} == set(counts)
    for word, count in counts.items():
        assert 5 < count - empty <= 50 + 11 * (160 if word.endswith("160") else 0), word
    stated = " ".join((LIBRARY / "airmark_fifo.h").read_text("utf-8").split())
    assert "50 instructions and 11 a sample at * most; all other functions take 50 at most" in stated


@emulated
@pytest.mark.parametrize("core", ["m0", "m4", "rv32imc"])
def test_no_call_for_what_should_be_an_instruction(core: str, tmp_path: Path):
    build = Build(CORES[core], (), tmp_path)
    build.gcc("-c", SOURCE)
    listed = run([f"{build.core.prefix}nm", tmp_path / "airmark_fifo.o"])
    assert re.findall(r" U (\w+)", listed) == []


@clang
@emulated
def test_other_barriers_can_be_defined(tmp_path: Path):
    macros = (
        "-DAIRMARK_LOAD_ACQUIRE(p)=own_load(p)",
        "-DAIRMARK_STORE_RELEASE(p,v)=own_store((p),(v))",
        "-include",
        str(tmp_path / "own.h"),
    )
    (tmp_path / "own.h").write_text(
        "#include <stdint.h>\nuint32_t own_load(const uint32_t *p);\nvoid own_store(uint32_t *p, uint32_t v);\n",
        "utf-8",
    )
    run(["clang", *STRICT, *macros, "-c", SOURCE, "-o", tmp_path / "own.o"])
    assert {"own_load", "own_store"} <= set(re.findall(r" U (\w+)", run(["nm", tmp_path / "own.o"])))
