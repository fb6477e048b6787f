"""What can be said of the detector's C sources without running them: symbols, warnings, linters, wrong configurations.

Skipped where a tool is missing (first: reference/install emulators), unless the environment variable CI is set.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tooling import needed

TOP = Path(__file__).parents[1]
SOURCE = TOP / "firmware/lib/airmark/src"
SOURCES = sorted(SOURCE.glob("*.c"))
WARNINGS = ("all", "extra", "conversion", "sign-conversion", "shadow", "cast-qual", "error")
STRICT = ["-std=c99", *(f"-W{warning}" for warning in WARNINGS), "-pedantic"]
# What some distributions' compilers add by themselves is none of the library's.
BARE = ["-fno-stack-protector", "-U_FORTIFY_SOURCE"]
PICOLIBC = "--specs=picolibc.specs"
COMPILERS = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "m0": ["arm-none-eabi-gcc", PICOLIBC, "-mcpu=cortex-m0", "-mthumb"],
    "m4": ["arm-none-eabi-gcc", PICOLIBC, "-mcpu=cortex-m4", "-mthumb"],
    "m33": ["arm-none-eabi-gcc", PICOLIBC, "-mcpu=cortex-m33", "-mthumb"],
    "rv32imc": ["riscv64-unknown-elf-gcc", PICOLIBC, "-march=rv32imc", "-mabi=ilp32"],
}
CLANG = ["clang", "-nostdlibinc"]
OTHERS = {
    "gcc 9, m4": [*COMPILERS["m4"], "-U__GNUC__", "-D__GNUC__=9"],
    **{
        f"gcc, {core}": ["arm-none-eabi-gcc", PICOLIBC, f"-mcpu={core}", "-marm"]
        for core in ("cortex-a7", "cortex-r5", "arm1176jzf-s", "arm926ej-s")
    },
    "clang, m0": [*CLANG, "--target=thumbv6m-none-eabi", "-mcpu=cortex-m0"],
    "clang, m4": [*CLANG, "--target=thumbv7em-none-eabi", "-mcpu=cortex-m4"],
    "clang, a7": [*CLANG, "--target=armv7a-none-eabi", "-mcpu=cortex-a7"],
    "clang, arm1176": [*CLANG, "--target=armv6-none-eabi", "-mcpu=arm1176jzf-s"],
    "clang, rv32imc": [*CLANG, "--target=riscv32-unknown-elf", "-march=rv32imc"],
}
"""Cores in Arm state, with fewer DSP instructions or no atomic ones, and a GCC whose arm_acle.h lacks intrinsics."""
WITH_DSP = ("m4", "m33")
LEVELS = ("-O2", "-Os", "-O3")
"""Compilers make calls and divisions of loops at some levels only."""
MEMORY = {"memcpy", "memset"}
HELPERS = r"__aeabi_(u?idiv(mod)?|u?ldivmod|lmul|llsl|llsr|lasr|lcmp|ulcmp)|__gnu_thumb1_case_\w+|__clz[sd]i2"
"""What GCC puts in place of instructions that a Cortex-M0 lacks; none for floating point."""


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=600)


def tool(compiler: str, name: str) -> str:
    """The binary tool that goes with a compiler."""
    command = COMPILERS[compiler][0]
    return command.removesuffix("gcc") + name if command.endswith("-gcc") else name


def macros(resample: int = 1, keys: int = 1, dsp: int | None = None) -> list[str]:
    own = [f"-DAIRMARK_RESAMPLE={resample}", f"-DAIRMARK_MAX_KEYS={keys}"]
    return own if dsp is None else [*own, f"-DAIRMARK_DSP={dsp}"]


def objects(compiler: str, folder: Path, *options: str) -> list[Path]:
    needed(COMPILERS[compiler][0], tool(compiler, "nm"))
    done = run(*COMPILERS[compiler], *STRICT, *BARE, *options, "-c", *SOURCES, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return sorted(folder.glob("*.o"))


def symbols(compiler: str, files: list[Path]) -> list[tuple[str, str]]:
    """Kind and name of each."""
    done = run(tool(compiler, "nm"), *files)
    assert done.returncode == 0, done.stderr
    return re.findall(r"^[ 0-9a-f]* (\w) (\S+)$", done.stdout, re.MULTILINE)


def code(path: Path) -> str:
    """A source without comments and strings."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"', " ", path.read_text("utf-8"), flags=re.DOTALL)


# Compilers


@pytest.mark.parametrize(("level", "keys"), [*product(LEVELS, [8]), ("-Os", 1)])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_compiles_clean_and_needs_nothing(compiler: str, level: str, keys: int, tmp_path: Path):
    found = symbols(compiler, objects(compiler, tmp_path, level, *macros(keys=keys)))
    needs = {name for kind, name in found if kind == "U"} - {name for kind, name in found if kind in "TR"}
    if compiler in ("m0", "rv32imc"):
        needs = {name for name in needs if not re.fullmatch(HELPERS, name)}
    assert needs <= MEMORY
    # Neither initialised nor zeroed variables, common ones or others than an object's own, however small.
    assert {kind for kind, _ in found} <= set("UTtRr")
    assert all(name.startswith("airmark_") for kind, name in found if kind in "TR")


@pytest.mark.parametrize("compiler", OTHERS)
def test_compiles_clean_for_others(compiler: str, tmp_path: Path):
    command = OTHERS[compiler]
    needed(command[0], "arm-none-eabi-gcc", "arm-none-eabi-nm")
    if command[0] == "clang":  # GCC knows where its C library's headers are
        known = run(*COMPILERS["m4"], "-M", "-include", "semihost.h", "-x", "c", "/dev/null").stdout
        (header,) = re.findall(r"\S+/semihost\.h", known)
        command = [*command, "-isystem", str(Path(header).parent)]
    done = run(*command, *STRICT, *BARE, "-O2", "-c", *SOURCES, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = run("arm-none-eabi-nm", *sorted(tmp_path.glob("*.o"))).stdout
    needs = {name for name in re.findall(r" U (\S+)$", found, re.MULTILINE) if not name.startswith("airmark_")}
    memory = r"memcpy|memset|__aeabi_mem(cpy|clr|set)[48]?"
    assert {name for name in needs if not re.fullmatch(rf"{HELPERS}|{memory}|__sync_synchronize", name)} == set()


@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_configuration_compiles_clean(compiler: str):
    needed(COMPILERS[compiler][0])
    # Where a compiler has no DSP instructions, 0 is the default.
    for resample, keys, dsp in product((0, 1), (1, 8), (None, 0) if compiler in WITH_DSP else (None,)):
        done = run(*COMPILERS[compiler], *STRICT, *macros(resample, keys, dsp), "-fsyntax-only", *SOURCES)
        assert (done.returncode, done.stderr) == (0, ""), (resample, keys, dsp)


@pytest.mark.parametrize("keys", [1, 8])
@pytest.mark.parametrize("resample", [0, 1])
def test_header_is_cxx_too(resample: int, keys: int, tmp_path: Path):
    needed("g++")
    (tmp_path / "use.cpp").write_text(
        '#include "airmark.h"\n'
        "static const airmark_key_t keys[1] = {{{1, 2, 3, 4}}};\n"
        "airmark_status_t begin(airmark_t *detector);\n"
        "airmark_status_t begin(airmark_t *detector) {\n"
        "    airmark_config_t config = AIRMARK_CONFIG(16000, keys, 1);\n"
        "    return airmark_init(detector, &config);\n"
        "}\n",
        "utf-8",
    )
    strict = [option for option in STRICT if option != "-std=c99"]
    command = ["g++", "-std=c++11", *strict, *macros(resample, keys), f"-I{SOURCE}", "-c", "use.cpp"]
    done = run(*command, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"airmark_init_max_keys_{keys}_resample_{resample}" in run("nm", tmp_path / "use.o").stdout.split()


def test_silence_that_ends_a_sound_is_as_long_as_on_the_host():
    from airmark import Key
    from airmark.detector import FLUSH_FRAMES, _Integers
    from airmark.gate import RATES
    from airmark.profile import profile

    needed("gcc")
    key = Key(np.random.default_rng(0).choice([-1, 1], profile().key_shape), profile())
    wanted = {f"{rate}u": _Integers([key], rate, 6.0, "fixed", True, 0).flushed for rate in RATES}
    held = [f"AIRMARK_FLUSH_SAMPLES({rate}) == {samples}" for rate, samples in wanted.items()]
    held += [f"AIRMARK_FLUSH_FRAMES == {FLUSH_FRAMES}", "AIRMARK_FLUSH_FRAMES >= AIRMARK_RING - 63"]
    text = '#include "airmark.h"\n' + "".join(f'_Static_assert({one}, "{one}");\n' for one in held)
    done = subprocess.run(
        ["gcc", f"-I{SOURCE}", "-x", "c", "-fsyntax-only", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


GATE_AND_DETECTOR = """
#include <stdio.h>
#include "airmark_gate.h"
int main(void)
{
    static airmark_t detector;
    static airmark_gate_t gate;
    static const airmark_key_t keys[1] = {{{1, 2, 3, 4}}};
    for (uint32_t rate = 0; rate <= 200000u; rate++) {
        const airmark_config_t config = AIRMARK_CONFIG(rate, keys, 1);
        const airmark_gate_config_t gate_config = AIRMARK_GATE_CONFIG(rate, 0);
        const bool taken = airmark_init(&detector, &config) == AIRMARK_OK;
        const airmark_gate_status_t status = airmark_gate_init(&gate, &gate_config, 0);
        if (status != (taken ? AIRMARK_GATE_OK : AIRMARK_GATE_BAD_RATE) || taken != (airmark_gate_length(rate) != 0) ||
            taken != (airmark_gate_latest(rate) != 0) || taken != AIRMARK_RATE_IS_SUPPORTED(rate)) {
            printf("not alike: ");
        }
        if (taken) {
            printf("%lu ", (unsigned long)rate);
        }
    }
    puts(airmark_gate_status_text(AIRMARK_GATE_BAD_RATE));
    return 0;
}
"""


@pytest.mark.parametrize(
    ("resample", "said"),
    [
        (0, "8000 16000 a rate that is not 8000 or 16000 Hz\n"),
        (1, "8000 16000 32000 44100 48000 a rate that is not 8000, 16000, 32000, 44100 or 48000 Hz\n"),
    ],
)
def test_the_gate_takes_the_rates_that_the_detector_takes(resample: int, said: str, tmp_path: Path):
    """And needs nothing of it for that."""
    files = objects("gcc", tmp_path, *macros(resample))
    (gate,) = (file for file in files if file.stem == "airmark_gate")
    assert {name for kind, name in symbols("gcc", [gate]) if kind == "U"} <= MEMORY
    (tmp_path / "use.c").write_text(GATE_AND_DETECTOR, "utf-8")
    done = run("gcc", *STRICT, *macros(resample), f"-I{SOURCE}", "use.c", *files, "-o", "use", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert run(tmp_path / "use").stdout == said


# Wrong configurations


def refused(compiler: str, *arguments: str | Path, error: str, cwd: Path | None = None) -> None:
    """Compiling gives one error, and that is it."""
    done = run(*COMPILERS[compiler], *arguments, "-fsyntax-only", cwd=cwd)
    assert done.returncode != 0
    (line,) = re.findall(r"^.*\berror:.*$", done.stderr, re.MULTILINE)
    assert error in line


KEYS = "airmark: AIRMARK_MAX_KEYS must be 1 to 255"
SHAPE = "airmark: the shape of a mark cannot be set"
NO_DSP = "airmark: AIRMARK_DSP is 1 and the core has no DSP instructions"


@pytest.mark.parametrize(("resample", "keys"), [(1, 2), (0, 1)])
@pytest.mark.parametrize("compiler", ["gcc", "clang", "m4"])
def test_files_that_disagree_do_not_link(compiler: str, resample: int, keys: int, tmp_path: Path):
    needed(COMPILERS[compiler][0])
    (tmp_path / "main.c").write_text(
        '#include "airmark.h"\n'
        "int main(void) {\n"
        "    static airmark_t detector;\n"
        "    static const airmark_key_t key = {{1, 2, 3, 4}};\n"
        "    airmark_config_t config = AIRMARK_CONFIG(16000, &key, 1);\n"
        "    return airmark_init(&detector, &config);\n"
        "}\n",
        "utf-8",
    )
    files = objects(compiler, tmp_path, *macros())
    link = [*COMPILERS[compiler], *files, f"-I{SOURCE}", "main.c"]
    own = run(*link, *macros(), "-o", "own", cwd=tmp_path)
    assert own.returncode == 0, own.stderr
    other = run(*link, *macros(resample, keys), "-o", "other", cwd=tmp_path)
    assert other.returncode != 0
    assert f"airmark_init_max_keys_{keys}_resample_{resample}" in other.stderr


@pytest.mark.parametrize(
    ("macro", "message"),
    [
        ("AIRMARK_MAX_KEYS=0", KEYS),
        ("AIRMARK_MAX_KEYS=256", KEYS),
        ("AIRMARK_MAX_KEYS=two", KEYS),
        ("AIRMARK_RESAMPLE=2", "airmark: AIRMARK_RESAMPLE must be 0 or 1"),
        ("AIRMARK_REPETITIONS=16", SHAPE),
        ("AIRMARK_BANDS=8", SHAPE),
        ("AIRMARK_RING=64", SHAPE),
    ],
)
@pytest.mark.parametrize("compiler", ["gcc", "clang", "m4"])
def test_wrong_configurations_are_refused(compiler: str, macro: str, message: str):
    needed(COMPILERS[compiler][0])
    for source in SOURCES:
        refused(compiler, "-std=c99", f"-D{macro}", source, error=message)


@pytest.mark.parametrize(
    ("compiler", "dsp", "message"),
    [
        *((compiler, 1, NO_DSP) for compiler in ("gcc", "clang", "m0", "rv32imc")),
        *((compiler, 2, "airmark: AIRMARK_DSP must be 0 or 1") for compiler in ("gcc", "clang", "m4")),
    ],
)
def test_wrong_kernels_are_refused(compiler: str, dsp: int, message: str):
    needed(COMPILERS[compiler][0])
    sources = [path for path in SOURCES if '"airmark_internal.h"' in path.read_text("utf-8")]
    assert len(sources) > 6
    for source in sources:
        refused(compiler, "-std=c99", f"-DAIRMARK_DSP={dsp}", source, error=message)


RATES = {8_000: 1, 16_000: 1, 32_000: 0, 44_100: 0, 48_000: 0}
"""Whether a rate does without AIRMARK_RESAMPLE."""


@pytest.mark.parametrize("standard", ["c99", "c11"])
@pytest.mark.parametrize("compiler", ["gcc", "clang", "m4"])
def test_a_wrong_rate_can_be_refused(compiler: str, standard: str, tmp_path: Path):
    needed(COMPILERS[compiler][0])
    use, same = tmp_path / "use.c", tmp_path / "same.c"
    use.write_text('#include "airmark.h"\nAIRMARK_REQUIRE_RATE(RATE);\nAIRMARK_REQUIRE_RATE(RATE);\nextern int a;\n')
    same.write_text('#include "airmark.h"\n#if !AIRMARK_RATE_IS_SUPPORTED(RATE)\n#error "no"\n#endif\nextern int a;\n')
    strict = [f"-std={standard}" if option == "-std=c99" else option for option in STRICT]
    for rate, resample in product((0, 8_001, 11_025, 96_000, *RATES), (0, 1)):
        options = [*strict, *macros(resample), f"-DRATE={rate}", f"-I{SOURCE}", "-fsyntax-only"]
        right = rate in RATES and (resample == 1 or RATES[rate] == 1)
        for file in (use, same):
            done = run(*COMPILERS[compiler], *options, file)
            assert (done.returncode == 0) == right, (rate, resample, done.stderr)
            assert right == (done.stderr == "")
            assert right or file == same or re.search(r"rate.must.be.8000.or.16000", done.stderr)


def test_a_wrong_rate_can_be_refused_in_cxx(tmp_path: Path):
    needed("g++")
    (tmp_path / "use.cpp").write_text('#include "airmark.h"\nAIRMARK_REQUIRE_RATE(RATE);\n')
    for standard in ("c++98", "c++11"):
        command = ["g++", f"-std={standard}", f"-I{SOURCE}", "-fsyntax-only", tmp_path / "use.cpp"]
        assert run(*command, "-DRATE=48000").returncode == 0
        done = run(*command, "-DRATE=22050")
        assert done.returncode != 0
        assert re.search(r"rate.must.be.8000.or.16000", done.stderr)


@pytest.mark.parametrize(
    ("name", "right", "wrong", "named"),
    [
        ("airmark.h", "columns[AIRMARK_BANDS];", "columns[AIRMARK_BANDS + 1];", "key must have 16 bytes"),
        ("airmark.h", "AIRMARK_BANDS 4 ", "AIRMARK_BANDS 5 ", "bands must be 4"),
        ("airmark.h", "AIRMARK_REPETITIONS 32 ", "AIRMARK_REPETITIONS 16 ", "repetitions must be 32"),
        ("airmark.h", "AIRMARK_RING 152 ", "AIRMARK_RING 140 ", "ring must hold a mark"),
        ("airmark.h", "AIRMARK_PAIRS 496", "AIRMARK_PAIRS 528", "pairs"),
        ("airmark_internal.h", "AM_BINS = 231", "AM_BINS = 239", "words must hold"),
        ("airmark.h", "AIRMARK_HISTORY ", "AIRMARK_HISTORY 40 //", "history_is_long_enough"),
    ],
)
@pytest.mark.parametrize("standard", ["c99", "c11"])
@pytest.mark.parametrize("compiler", ["gcc", "clang", "m4"])
def test_wrong_limits_are_refused(
    compiler: str, standard: str, name: str, right: str, wrong: str, named: str, tmp_path: Path
):
    needed(COMPILERS[compiler][0])
    shutil.copytree(SOURCE, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / name).read_text("utf-8")
    assert text.count(right) == 1
    (tmp_path / name).write_text(text.replace(right, wrong), "utf-8")
    done = run(*COMPILERS[compiler], f"-std={standard}", "-fsyntax-only", "airmark_input.c", cwd=tmp_path)
    assert done.returncode != 0
    assert re.search(f"error:.*{named.replace(' ', '.')}", done.stderr, re.IGNORECASE), done.stderr


def test_an_int_of_16_bits_is_refused(tmp_path: Path):
    needed("clang")
    (tmp_path / "string.h").write_text(
        "#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t);\nvoid *memset(void *, int, size_t);\n"
    )
    command = ["clang", "--target=msp430", "-std=c99", "-ffreestanding", "-w", f"-I{tmp_path}", "-fsyntax-only"]
    done = run(*command, SOURCE / "airmark_peaks.c")
    assert "airmark_int_must_have_32_bits" in done.stderr


# Sources


def test_no_floating_point_and_no_libm():
    for path in sorted(SOURCE.iterdir()):
        text = path.read_text("utf-8")
        assert not re.findall(r"\b(float|double|_Complex)\b|\b\d+\.\d|\b\d+[eE][+-]\d", code(path)), path.name
        included = set(re.findall(r"^\s*#\s*include\s*[<\"](.*?)[>\"]", text, re.MULTILINE))
        own = {"airmark.h", "airmark_fifo.h", "airmark_gate.h", "airmark_internal.h"}
        allowed = {"stdbool.h", "stddef.h", "stdint.h", "string.h", "arm_acle.h"}
        assert included <= own | allowed, path.name


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_divided_on_the_hot_path(level: str, tmp_path: Path):
    objects("m4", tmp_path, level)
    for name in ("frames", "screen"):
        file = tmp_path / f"airmark_{name}.o"
        done = run(tool("m4", "objdump"), "--disassemble", "--reloc", file)
        assert done.returncode == 0, done.stderr
        assert f"<airmark_{name}" in done.stdout
        assert not re.findall(r"^.*(?:\b[us]div\b|div\w*$).*$", done.stdout, re.MULTILINE), name


# Linters


@pytest.mark.parametrize("keys", [1, 8])
def test_cppcheck_finds_nothing(keys: int):
    needed("cppcheck")
    checks = "--enable=warning,style,performance,portability"
    for resample in (0, 1):
        settings = ["--quiet", "--std=c99", "--inline-suppr", "--error-exitcode=1", *macros(resample, keys)]
        done = run("cppcheck", *settings, checks, *SOURCES)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_clang_tidy_finds_nothing(source: Path):
    needed("clang-tidy")
    done = run("clang-tidy", "--quiet", source, "--", "-std=c99", *macros(keys=8))
    assert done.returncode == 0, done.stdout
    assert "warning:" not in done.stdout, done.stdout
