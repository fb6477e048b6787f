"""The ports for real boards compile for their cores, and do what they should with stand-ins for the vendors' calls.

Nothing here was run on hardware; see tests/standins/README.md.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cores import CORES, LIBRARY, PORT, ROOT, NotRunError, emulated, run
from scripts import script
from tooling import PATH, needed

STANDINS = Path(__file__).with_name("standins")
FIFO = LIBRARY / "airmark_fifo.c"
INCLUDES = (f"-I{LIBRARY}", f"-I{PORT}", f"-I{STANDINS}")
WARNINGS = ("-Wall", "-Wextra", "-Werror")
OWN = ("-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wcast-qual", "-pedantic")
EMULATED = ("emulated.c", "emulated_audio.c", "emulated_timer.c")
MISHAP = {"stm32": 160, "zephyr": 4000, "esp32": 640}
"""Samples lost where the driver stops, or does not tell of a buffer."""


@dataclass(frozen=True)
class Port:
    source: str
    standin: str
    cores: tuple[str, ...]
    """Names in CORES, of the boards' processors or the like."""
    options: tuple[str, ...] = ()

    @property
    def cxx(self) -> bool:
        return self.source.endswith(".cpp")

    @property
    def language(self) -> str:
        return "-std=c++11" if self.cxx else "-std=gnu11"

    @property
    def include(self) -> str:
        return f"-I{STANDINS / self.standin}"


PORTS = {
    "stm32l4": Port("stm32l4.c", "stm32", ("m4",)),
    "esp32": Port("esp32.c", "esp32", ("rv32imc",)),
    "zephyr": Port("zephyr.c", "zephyr", ("m4", "m33"), ("-pthread",)),
    "arduino, mbed": Port("arduino_pdm.cpp", "arduino", ("m4", "m0"), ("-DARDUINO_ARCH_MBED",)),
    "arduino, pico": Port("arduino_pdm.cpp", "arduino", ("m0", "m33")),
}
HELD = Port("esp32.c", "esp32", (), ("-DFIRST_ROUND_HELD",))
"""Interrupts held back while the port learns the order of its buffers."""


@pytest.mark.parametrize("port", [*PORTS.values(), HELD], ids=[*PORTS, "esp32, held back at first"])
def test_every_sample_arrives_or_is_told_as_lost(port: Port, tmp_path: Path):
    hardware = STANDINS / port.standin / ("hardware.cpp" if port.cxx else "hardware.c")
    compiler = "g++" if port.cxx else "gcc"
    needed(compiler)
    # Threads that take turns: ThreadSanitizer sees whether they do.
    checks = "-fsanitize=thread" if "-pthread" in port.options else "-fsanitize=address,undefined"
    common = ("-g", "-O1", *INCLUDES, port.include, *port.options, *WARNINGS, checks, "-fno-sanitize-recover")
    objects = []
    for source in (FIFO, STANDINS / "program.c"):
        run(["gcc", "-std=gnu11", *common, "-c", source, "-o", tmp_path / f"{source.stem}.o"])
        objects.append(tmp_path / f"{source.stem}.o")
    run([compiler, port.language, *common, PORT / port.source, hardware, *objects, "-o", tmp_path / "program"])
    *_, last = run([tmp_path / "program"], timeout=100).splitlines()
    read, lost, gaps, mishaps = map(int, last.split())
    assert read >= 200_000
    assert lost > 10_000
    assert gaps > 5
    one = MISHAP.get(port.standin, 0)
    assert mishaps == 0 if one == 0 else mishaps >= 2 * one


@emulated
@pytest.mark.parametrize(("port", "core"), [(name, core) for name, port in PORTS.items() for core in port.cores])
def test_compiles_for_its_core(port: str, core: str, tmp_path: Path):
    it = PORTS[port]
    target = CORES[core]
    compiler = f"{target.prefix}{'g++' if it.cxx else 'gcc'}"
    # The vendors' headers are none of ours, and their macros hide casts.
    options = (*WARNINGS, *(OWN if not it.cxx else ()), "-O2", *INCLUDES, "-isystem", STANDINS / it.standin)
    flags = (*target.flags.split(), "--specs=picolibc.specs", it.language, *it.options)
    run([compiler, *flags, *options, "-c", PORT / it.source, "-o", tmp_path / "port.o"])
    wanted = set(re.findall(r" T (\w+)", run([f"{target.prefix}nm", tmp_path / "port.o"])))
    assert {"port_audio_start", "port_audio_read", "port_audio_done", "port_write", "port_led"} <= wanted


@emulated
@pytest.mark.parametrize("core", ["m0", "m55", "rv32imc"])
def test_what_runs_under_emulation_compiles_clean(core: str):
    target = CORES[core]
    flags = (*target.flags.split(), "--specs=picolibc.specs", "-std=c99", '-DDETECTOR_KEYS="demo_key.h"')
    sources = [*(PORT / name for name in EMULATED), ROOT / "firmware/src/detector.c"]
    run([f"{target.prefix}gcc", *flags, *WARNINGS, *OWN, "-O2", *INCLUDES, "-fsyntax-only", *sources])


def test_cppcheck_finds_nothing():
    needed("cppcheck")
    checks = ("--quiet", "--inline-suppr", "--enable=warning,style,performance,portability", "--error-exitcode=1")
    sources = [*sorted({PORT / port.source for port in PORTS.values()}), ROOT / "firmware/src/detector.c"]
    run(["cppcheck", *checks, "-DAIRMARK_MAX_KEYS=1", '-DDETECTOR_KEYS="demo_key.h"', *INCLUDES[:2], *sources])


def tidied() -> dict[str, tuple[Path, tuple[str | Path, ...]]]:
    """Programs and ports by name, with what clang needs for each. RISC-V's and Xtensa's registers it does not know."""
    programs = ROOT / "firmware/src"
    found: dict[str, tuple[Path, tuple[str | Path, ...]]] = {}
    for path in (*sorted(programs.glob("*.c")), *sorted(PORT.glob("host*.c"))):
        found[path.name] = path, ("-std=c99", '-DDETECTOR_KEYS="demo_key.h"')
    found["vectors.c"] = programs / "vectors.c", ("-std=c99", "-include", programs / "vectors.h")
    for port in PORTS.values():
        found[port.source] = PORT / port.source, (port.language, "-isystem", STANDINS / port.standin, *port.options)
    found["esp32_counter.c"] = PORT / "esp32_counter.c", ("-std=gnu11", "-isystem", STANDINS / "esp32")
    for path in (*sorted(PORT.glob("emulated*.c")), PORT / "cortex_m_counter.c"):
        found[path.name] = path, ("-std=gnu11", "--target=arm-none-eabi", "-mcpu=cortex-m4")
    return found


@pytest.mark.parametrize("name", tidied())
def test_clang_tidy_finds_nothing(name: str, tmp_path: Path):
    source, options = tidied()[name]
    needed("clang-tidy")
    if "-mcpu=cortex-m4" in options:
        needed(f"{CORES['m4'].prefix}gcc")
        gcc = (f"{CORES['m4'].prefix}gcc", "--specs=picolibc.specs", *CORES["m4"].flags.split())
        (header,) = re.findall(r"\S+/semihost\.h", run([*gcc, "-M", "-include", "semihost.h", "-x", "c", os.devnull]))
        options = (*options, "-isystem", Path(header).parent)
    if name == "vectors.c":
        vectors = script(ROOT / "boards/tools/vectors.py")
        vectors.write(tmp_path / "vectors_data.h")
        options = (*options, f"-I{tmp_path}", f"-DAIRMARK_MAX_KEYS={vectors.most_keys()}")
    config = f"--config-file={LIBRARY.parent / '.clang-tidy'}"
    where = (*INCLUDES, f"-I{ROOT / 'tests/vectors'}", f"-I{ROOT / 'firmware/src'}")
    said = run(["clang-tidy", "--quiet", config, source, "--", *where, *options])
    assert "warning:" not in said, said


def test_every_port_is_tested_and_says_that_it_was_not_run():
    texts = {path.name: path.read_text("utf-8") for path in PORT.glob("*.c*")}
    files = {name for name, text in texts.items() if "bool port_audio_start(" in text} - {"emulated_audio.c", "host.c"}
    assert files == {port.source for port in PORTS.values()}
    for name in files:
        assert "NOT RUN ON HARDWARE" in texts[name]


# The Zephyr application, with a stand-in for Zephyr's build


ZEPHYR_CONFIG = """
set(PYTHON_EXECUTABLE "${PYTHON}")
enable_language(C)
add_library(app STATIC)
target_compile_options(app PRIVATE -std=gnu11 -O1 -Wall -Wextra -Werror -isystem "${STANDINS}/zephyr")
if(LINKED)
    add_executable(zephyr "${LINKED}" "${STANDINS}/zephyr/hardware.c")
    target_include_directories(zephyr PRIVATE "${STANDINS}" "${STANDINS}/zephyr")
    target_link_libraries(zephyr PRIVATE app pthread)
endif()
"""
CONSOLE = """
#include <stdio.h>
#include <stdlib.h>
#include "hardware.h"
int32_t hardware_sample(void) { return 0; }
void hardware_fail(const char *what) { puts(what); exit(3); }
void hardware_write(const void *text, uint32_t length) { fwrite(text, 1, length, stdout); }
"""


def zephyr(folder: Path, *options: str) -> Path:
    """Build the application with these options; the folder of the build."""
    needed("cmake", "ninja", extras="emulators boards")
    (folder / "ZephyrConfig.cmake").write_text(ZEPHYR_CONFIG, "utf-8")
    (folder / "console.c").write_text(CONSOLE, "utf-8")
    build, cmake = folder / "build", shutil.which("cmake", path=PATH) or "cmake"
    environment = os.environ | {"ZEPHYR_BASE": str(folder), "PATH": PATH}
    values = (f"-DPYTHON={sys.executable}", f"-DSTANDINS={STANDINS}", *options)
    run([cmake, "-S", ROOT / "boards/zephyr", "-B", build, "-G", "Ninja", *values], env=environment)
    run([cmake, "--build", build], env=environment)
    return build


@emulated
@pytest.mark.parametrize("program", ["detector", "headset", "bench", "vectors"])
def test_the_zephyr_application_compiles_each_program(program: str, tmp_path: Path):
    core = CORES["m4"]
    words = tmp_path / "words.h"
    words.write_text("static const airmark_gate_word_t headset_words[] = {{1, 2, 3}};\n", "utf-8")
    flags = f"{core.flags} --specs=picolibc.specs"
    target = ("-DCMAKE_SYSTEM_NAME=Generic", f"-DCMAKE_C_COMPILER={core.prefix}gcc", f"-DCMAKE_C_FLAGS={flags}")
    build = zephyr(tmp_path, *target, f"-DPROGRAM={program}", f"-DWORDS={words}")
    defined = set(re.findall(r" T (\w+)", run([f"{core.prefix}nm", build / "libapp.a"])))
    assert {"main", "port_main", "port_audio_start"} <= defined
    assert ("port_counter_start" in defined) == (program == "bench")


def test_the_zephyr_application_runs_the_vectors(tmp_path: Path):
    """On this computer; what Zephyr's own build adds is not here."""
    needed("gcc")
    build = zephyr(tmp_path, "-DPROGRAM=vectors", f"-DLINKED={tmp_path / 'console.c'}")
    *_, last = run([build / "zephyr"], timeout=100).splitlines()
    assert re.fullmatch(r"[1-9]\d* passed, 0 failed, 0 skipped", last)


def test_the_zephyr_application_refuses_a_program_that_there_is_not(tmp_path: Path):
    with pytest.raises(NotRunError, match="no program 'other': there are detector, headset, bench and vectors"):
        zephyr(tmp_path, "-DPROGRAM=other")


def test_the_zephyr_application_names_what_is_there():
    top = ROOT / "boards/zephyr"
    for overlay in (top / "boards").glob("*.overlay"):
        assert "dmic_dev: &pdm0" in overlay.read_text("utf-8")
    assert len(list((top / "boards").glob("*.overlay"))) == 2
