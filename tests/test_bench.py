"""The program `bench`: its figures are those of tests/cost, on emulated cores and this computer; every counter counts.

Skipped where a compiler or an emulator is missing, unless the environment variable CI is set. Counters of real boards
compile, and count under QEMU or with stand-ins; none was run on hardware.
"""

from __future__ import annotations

import configparser
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from airmark.fixed.vectors import Layer, Mark, Noise, sound
from airmark.native import version
from cores import CORES, KEYS, LIBRARY, PORT, ROOT, Build, Host, Setting, emulated, emulator, measure, run
from tooling import needs

PROGRAM = ROOT / "firmware/src/bench.c"
COUNTER = Path(__file__).with_name("bench") / "counter.c"
STANDINS = Path(__file__).with_name("standins")
INCLUDES = (f"-I{LIBRARY}", f"-I{PORT}", f"-I{Path(__file__).with_name('vectors')}", f"-I{ROOT / 'firmware/src'}")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wcast-qual", "-pedantic", "-Werror")
STRICT = (*WARNINGS, "-std=c99", *INCLUDES)
ON = (*CORES, "lx106", "host")
SECONDS = 5
WARM = 210
"""Blocks, as bench.c has it."""
MOST_STACK = 1280
"""Bytes that are looked at."""

lx106 = needs("xtensa-lx106-elf-gcc", "qemu-system-xtensa")
marked = {"lx106": lx106}
everywhere = pytest.mark.parametrize("core", [pytest.param(on, marks=marked.get(on, emulated)) for on in ON])


# Building and running


@cache
def folder() -> tempfile.TemporaryDirectory[str]:
    """Goes with the process."""
    return tempfile.TemporaryDirectory(prefix="airmark-bench-")


def new_folder() -> Path:
    return Path(tempfile.mkdtemp(dir=folder().name))


@cache
def objects(compiler: str, *flags: str) -> list[Path]:
    """The detector, compiled without tests/cost."""
    library = [path for path in sorted(LIBRARY.glob("*.c")) if path.name not in ("airmark_fifo.c", "airmark_gate.c")]
    place = new_folder()
    run([compiler, *STRICT, *flags, "-O2", "-ffunction-sections", "-c", *library], cwd=place)
    return [place / f"{source.stem}.o" for source in library]


def link(compiler: str, flags: Sequence[str], *parts: str | Path) -> Path:
    """A program of these parts and the detector."""
    made = new_folder() / "bench.elf"
    run([compiler, *STRICT, *flags, "-O2", "-Wl,--gc-sections", *parts, *objects(compiler, *flags), "-o", made])
    return made


def files(*names: str) -> list[Path]:
    return [PORT / name for name in names]


@cache
def build(core: str, *macros: str) -> Build:
    return Build(CORES[core], macros, new_folder())


@cache
def bench(core: str, *macros: str) -> Path:
    """The program, of the files that platformio.ini names."""
    if core == "host":
        return link("gcc", (), PROGRAM, *files("host.c", "host_counter.c"))
    if core == "lx106":
        made = emulator.board(core)["build"]
        script = ROOT / "boards/platformio" / made["ldscript"]
        options = ("-nostartfiles", "-Wl,--no-warn-rwx-segments", "-T", script)
        port = files("lx106.c", "emulated_counter.c")
        return link(f"{made['prefix']}gcc", made["flags"].split(), *options, PROGRAM, *port)
    own = build(core, *macros)
    port = files("emulated.c", "emulated_console.c", "emulated_counter.c")
    return own.link("part.elf", *STRICT, PROGRAM, *port, *own.objects)


def start(core: str, program: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it, in a folder without files."""
    command: list[str | Path] = [program]
    if core == "lx106":
        command = emulator.command(emulator.board(core), program, *options)
    elif core != "host":
        command = CORES[core].command(program, *options)
    more = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "check": False, "timeout": 60}
    return subprocess.run(command, cwd=new_folder(), **more)


@dataclass
class Said:
    """What bench prints."""

    title: dict[str, str]
    sounds: dict[str, dict[str, int]]
    memory: dict[str, int]
    sums: list[str]
    """The lines for a person."""

    @property
    def most(self) -> int:
        return max(one["a_second"] for one in self.sounds.values())

    @property
    def worst(self) -> int:
        return max(one["worst_10ms"] for one in self.sounds.values())


def fields(line: str) -> dict[str, str]:
    return dict(field.split("=") for field in line.split()[1:])


def said(text: str) -> Said:
    lines = text.splitlines()
    title, *sounds, memory, most, worst = lines[:7]
    assert [line.split()[0] for line in lines[:7]] == ["bench", *3 * ["sound"], "memory", "most", "worst"]
    rows = [fields(line) for line in sounds]
    numbers = {row.pop("name"): {name: int(number) for name, number in row.items()} for row in rows}
    return Said(fields(title), numbers, {k: int(v) for k, v in fields(memory).items()}, [most, worst])


@cache
def figures(core: str, *macros: str) -> Said:
    options = emulator.COUNTED if core != "host" else ()
    done = start(core, bench(core, *macros), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 7
    return said(done.stdout)


# The summary


@everywhere
def test_the_summary_adds_up(core: str):
    it = figures(core)
    counter, hz, unit = ("clock_gettime", 10**9, "nanoseconds") if core == "host" else ("icount", 0, "instructions")
    named = {"airmark": version(), "rate": "16000", "keys": "1", "early": "0"}
    assert it.title == {**named, "counter": counter, "hz": str(hz)}
    assert list(it.sounds) == ["noise", "marked", "silence"]
    assert {name: one["found"] for name, one in it.sounds.items()} == {"noise": 0, "marked": 1, "silence": 0}
    for one in it.sounds.values():
        assert (one["seconds"], one["dropped"]) == (SECONDS, 0)
        assert one["worst_10ms"] >= one["a_second"] / 100 > 0
    # Noise makes the detector look at candidates, and a mark makes it look at more; silence costs transforms only.
    assert it.sounds["silence"]["a_second"] < it.sounds["noise"]["a_second"] / 2
    assert it.memory["ram"] == it.memory["state"] + it.memory["stack"]
    assert 256 < it.memory["stack"] < MOST_STACK
    wanted = [f"most {it.most} {unit} a second", f"worst {it.worst} {unit} in 10 ms"]
    if hz:
        parts = (f"{100 * count / of:.3f} % of {hz} Hz" for count, of in ((it.most, hz), (it.worst, hz // 100)))
        wanted = [f"{line} = {part}" for line, part in zip(wanted, parts, strict=True)]
    assert it.sums == wanted


def recipes() -> dict[str, list[Layer]]:
    """What bench makes, by the model of tests/vectors."""
    length = SECONDS * 16_000
    noise = Noise(0, length, seed=1, amplitude=8000)
    at = 125 * 160
    mark = Mark(at, length - at, columns=KEYS[0], seed=1, amplitudes=(800,) * 4)
    return {"noise": [noise], "marked": [noise, mark], "silence": []}


@emulated
@pytest.mark.parametrize("core", ["m0", "m4", "rv32imc"])
def test_the_figures_are_those_of_the_cost_table(core: str):
    hosts = [Host(name, sound(layers, SECONDS * 16_000) / 2.0**15) for name, layers in recipes().items()]
    counts, stack = measure(build(core), Setting(), hosts)
    it = figures(core)
    assert (it.memory["state"], it.memory["stack"]) == (build(core).state_bytes, stack)
    for name, of in counts.items():
        blocks = of.blocks[0]  # of the cut that bench makes
        assert len(blocks) == 100 * SECONDS
        # The same, but for a few instructions about each call.
        assert it.sounds[name]["a_second"] == pytest.approx(100 * np.mean(blocks[WARM:]), rel=0.002)
        assert it.sounds[name]["worst_10ms"] == pytest.approx(max(blocks), rel=0.002)
        assert it.sounds[name]["found"] == of.detections


@emulated
def test_the_boards_page_shows_what_it_prints():
    page = (ROOT / "boards/README.md").read_text("utf-8")
    (shown,) = re.findall(r"(?:^    (?:bench|sound|memory|most|worst) .*\n){7}", page, re.MULTILINE)
    printed = start("m4", bench("m4"), *emulator.COUNTED).stdout
    number = re.compile(r"\b\d+\b")
    assert number.sub("", shown.replace("\n    ", "\n").strip()) == number.sub("", printed.strip())
    told, now = ([int(word) for word in number.findall(text)] for text in (shown, printed))
    version = run(["arm-none-eabi-gcc", "-dumpfullversion"]).strip()
    guide = " ".join((ROOT / "firmware/README.md").read_text("utf-8").split())
    if f"arm-none-eabi-gcc {version}" in guide:  # with which the guide's table was made too
        assert now == told
    else:
        # Other compilers make other instructions, but not many more or fewer.
        assert now == pytest.approx(told, rel=0.05)


@emulated
def test_what_makes_it_slower_or_larger_shows():
    more = ("AIRMARK_MAX_KEYS=2", "BENCH_RATE=48000", "BENCH_EARLY=1")
    base, slow, large = (figures("m4", *macros) for macros in ((), ("AIRMARK_DSP=0",), more))
    assert slow.most > 1.5 * base.most
    assert slow.worst > 1.5 * base.worst
    assert slow.memory["stack"] > base.memory["stack"]
    assert large.memory["state"] == base.memory["state"] + 24
    assert [large.title[name] for name in ("rate", "keys", "early")] == ["48000", "2", "1"]
    assert 1.5 * base.most < large.most < 3 * base.most
    assert [(one["found"], one["dropped"]) for one in large.sounds.values()] == [(0, 0), (1, 0), (0, 0)]


@emulated
def test_a_detector_that_does_not_find_the_mark_is_told(tmp_path: Path):
    text = PROGRAM.read_text("utf-8")
    old = ".amplitudes = {800, 800, 800, 800}"
    assert text.count(old) == 1
    (tmp_path / "bench.c").write_text(text.replace(old, ".amplitudes = {8, 8, 8, 8}"), "utf-8")
    done = start("host", link("gcc", (), tmp_path / "bench.c", *files("host.c", "host_counter.c")))
    assert done.returncode == 1
    assert said(done.stdout).sounds["marked"]["found"] == 0
    assert done.stdout.splitlines()[7:] == [
        "bench: the marks that it found are not those in the sound: this detector does not work"
    ]


@emulated
def test_a_rate_that_the_detector_does_not_take_does_not_compile():
    command = ["gcc", "-std=c11", *INCLUDES, "-fsyntax-only", PROGRAM]
    done = subprocess.run([*command, "-DBENCH_RATE=22050"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "airmark: the rate must be 8000 or 16000" in done.stderr


# Counters


@pytest.mark.parametrize("core", [pytest.param("m0", marks=emulated), pytest.param("lx106", marks=lx106)])
def test_time_that_is_not_counted_in_instructions_is_refused(core: str):
    done = start(core, bench(core))
    assert done.returncode == 1
    assert done.stdout == "bench: nothing to count: instructions take no fixed time: run QEMU with -icount shift=8\n"


def counted(core: str, counter: str) -> subprocess.CompletedProcess[str]:
    own = build(core)
    port = files("emulated.c", "emulated_console.c", "emulated_timer.c", counter)
    return start(core, own.link(f"{counter}.elf", *STRICT, COUNTER, *port), *emulator.COUNTED)


@emulated
@pytest.mark.parametrize(
    ("core", "counter", "wanted", "ticks"),
    [
        # A tick of 16 MHz, or of mcycle's 1 GHz, where an instruction takes 256 ns.
        ("m0", "cortex_m_counter.c", "cycles SysTick 16000000", 16 * 0.256),
        ("rv32imc", "riscv_counter.c", "cycles mcycle 0", 256),
    ],
)
def test_counters_count_and_hold_interrupts_back(core: str, counter: str, wanted: str, ticks: float):
    done = counted(core, counter)
    assert done.returncode == 0, done.stdout + done.stderr
    what, first, second = re.fullmatch(r"(.*) (\d+) (\d+)\n", done.stdout).groups()
    assert what == wanted
    # LOOPS turns of two instructions are between them, and nothing else.
    assert int(second) - int(first) == pytest.approx(100_000 * ticks, abs=5)
    assert int(first) == pytest.approx(100_000 * ticks, rel=0.001)


@emulated
def test_a_counter_that_stands_still_is_refused():
    # QEMU has no CYCCNT.
    done = counted("m4", "cortex_m_counter.c")
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)
    assert done.stdout.startswith("CYCCNT of the DWT stands still")


@emulated
def test_esp32_counter_counts_a_standin():
    standin = STANDINS / "esp32"
    made = link(
        "gcc", (), f"-I{standin}", "-DBENCH_TIMES=2", PROGRAM, *files("host.c", "esp32_counter.c"), standin / "cycles.c"
    )
    done = start("host", made)
    assert done.returncode == 0, done.stdout + done.stderr
    title, *rest = done.stdout.splitlines()
    assert len(rest) == 13
    assert rest[6] == title
    it = said(done.stdout)
    assert (it.title["counter"], it.title["hz"]) == ("esp_cpu", "160000000")
    assert it.sums[0] == f"most {it.most} cycles a second = {it.most / 1.6e6:.3f} % of 160000000 Hz"
    assert 0 < it.most < 16_000_000


@emulated
@pytest.mark.parametrize(
    ("core", "counter", "options"),
    [
        *((core, "cortex_m_counter.c", ()) for core in ("m0", "m4", "m7", "m33", "m55")),
        *((core, "cortex_m_counter.c", ("-DARDUINO=10607", f"-I{STANDINS / 'arduino'}")) for core in ("m0", "m33")),
        ("m4", "cortex_m_counter.c", ("-DARDUINO=10607", "-DARDUINO_ARCH_MBED")),
        ("rv32imc", "esp32_counter.c", (f"-I{STANDINS / 'esp32'}",)),
    ],
)
def test_real_boards_counters_compile_for_their_cores(
    core: str, counter: str, options: tuple[str, ...], tmp_path: Path
):
    target = CORES[core]
    flags = (*target.flags.split(), "--specs=picolibc.specs", *STRICT, "-O2", *options)
    run([f"{target.prefix}gcc", *flags, "-c", PORT / counter, "-o", tmp_path / "counter.o"])
    defined = re.findall(r" T (\w+)", run([f"{target.prefix}nm", tmp_path / "counter.o"]))
    declared = re.findall(r"\b(port_counter_\w+)\(", (PORT / "counter.h").read_text("utf-8"))
    assert set(defined) == set(declared) - {"port_counter_t"}


def test_counters_say_that_they_were_not_run():
    here = {"emulated_counter.c", "host_counter.c"}
    for path in PORT.glob("*_counter.c"):
        assert ("NOT RUN ON HARDWARE" in path.read_text("utf-8")) == (path.name not in here), path.name


def test_every_environment_has_a_counter():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "firmware/platformio.ini", "utf-8")

    def option(section: str, name: str) -> str:
        own = parser[section]
        return own.get(name) or (option(own["extends"], name) if "extends" in own else "")

    for section in (name for name in parser.sections() if name.startswith("env:")):
        assert "bench" not in option(section, "custom_lacks").split()
        port = option(section, "custom_port_bench").split()
        assert len([name for name in port if name.endswith("_counter.c")]) == 1, section
        others = option(section, "custom_port").split()
        assert others[0] == port[0], section


@emulated
def test_cppcheck_finds_nothing():
    checks = ("--quiet", "--inline-suppr", "--enable=warning,style,performance,portability", "--error-exitcode=1")
    sources = [PROGRAM, ROOT / "tests/cost.c", COUNTER, *sorted(PORT.glob("*_counter.c"))]
    run(["cppcheck", *checks, "--std=c99", "-D__arm__", "-DAIRMARK_MAX_KEYS=1", *INCLUDES, *sources])
