"""Boards: the golden vectors on every emulated core, errors found there, PlatformIO's commands, settings that agree.

What compiles or runs is skipped where a tool is missing, unless the environment variable CI is set.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airmark import demo
from airmark.keysearch import generate
from cores import CORES
from scripts import script
from tooling import PATH, needs

TOP = Path(__file__).parents[1]
FIRMWARE = TOP / "firmware"
PORT = TOP / "boards/port"
INDEX = json.loads((TOP / "tests/vectors/index.json").read_text("utf-8"))
CASES = [Path(case["file"]).stem for case in INDEX["cases"]]
EMULATED = ("host", "m0", "m4", "m7", "m33", "m55", "rv32imc", "rv32imac", "lx106")
TOOLS = (
    *("arm-none-eabi-gcc", "riscv64-unknown-elf-gcc", "xtensa-lx106-elf-gcc"),
    *("qemu-system-arm", "qemu-system-riscv32", "qemu-system-xtensa", "cppcheck"),
)
emulated = needs(*TOOLS, ".platformio", ".SCons", extras="boards emulators")


def settings() -> dict[str, dict[str, str]]:
    """The environments of platformio.ini, with what they extend."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(FIRMWARE / "platformio.ini", "utf-8")

    def of(section: str) -> dict[str, str]:
        own = dict(parser[section])
        parents = re.split(r"[,\s]+", own.pop("extends", "").strip())
        return {key: value for parent in parents if parent for key, value in of(parent).items()} | own

    common = dict(parser["env"])
    return {name[4:]: common | of(name) for name in parser.sections() if name.startswith("env:")}


ENVIRONMENTS = settings()
REAL = {name: options for name, options in ENVIRONMENTS.items() if name not in EMULATED}


def case_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((TOP / f"tests/vectors/{name}.json").read_text("utf-8"))
    return found


def tool(name: str) -> Any:
    """A module of boards/tools, or of boards/platformio by its path there."""
    return script(TOP / f"boards/{name}.py")


def copy(folder: Path) -> Path:
    """What boards/run needs of the clone, somewhere else, to be changed."""
    ignored = shutil.ignore_patterns(".pio", "__pycache__", "keys.h", "words.h", "input")
    for part in ("boards", "firmware", "tests/vectors"):
        shutil.copytree(TOP / part, folder / part, ignore=ignored)
    return folder


def run(top: Path, *arguments: str, workspace: Path | None = None, flags: str = "") -> subprocess.CompletedProcess[str]:
    """boards/run of a clone. workspace: where it builds, else in the clone."""
    environment = os.environ | {"PLATFORMIO_BUILD_FLAGS": flags}
    environment.pop("PLATFORMIO_CORE_DIR", None)
    if workspace:
        environment["PLATFORMIO_WORKSPACE_DIR"] = str(workspace)
    command = [sys.executable, top / "boards/run", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=900)


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert done.stdout.startswith("{"), done.stderr
    return {row["core"]: row for row in json.loads(done.stdout)["rows"]}


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), "utf-8")


# The golden vectors


@emulated
def test_every_core_gives_the_golden_vectors(tmp_path: Path):
    done = run(TOP, "--json", workspace=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    everywhere = rows(done)
    assert tuple(everywhere) == EMULATED
    for core, row in everywhere.items():
        assert [case["name"] for case in row["cases"]] == CASES, core
        # Even the 16 KB of the Cortex-M0 hold eight keys: nothing is skipped anywhere.
        assert {case["result"] for case in row["cases"]} == {"passed"}, core
        assert (row["passed"], row["failed"], row["skipped"], row["fault"]) == (len(CASES), 0, 0, ""), core


@emulated
def test_what_a_build_cannot_run_is_skipped_with_its_reason(tmp_path: Path):
    flags = "-DAIRMARK_MAX_KEYS=1 -DAIRMARK_RESAMPLE=0"
    done = run(TOP, "--json", "m0", workspace=tmp_path, flags=flags)
    assert done.returncode == 0, done.stdout + done.stderr
    row = rows(done)["m0"]
    wanted = {}
    for name in CASES:
        case = case_of(name)
        if len(case["keys"]) > 1:
            wanted[name] = f"its {len(case['keys'])} keys are more than AIRMARK_MAX_KEYS, 1"
        elif case["rate"] > 16_000:
            wanted[name] = f"its rate of {case['rate']} Hz needs AIRMARK_RESAMPLE"
    assert {case["name"]: case["why"] for case in row["cases"] if case["result"] == "skipped"} == wanted
    assert len(wanted) > 10
    assert (row["passed"], row["failed"], row["skipped"]) == (len(CASES) - len(wanted), 0, len(wanted))


OLD_GCC = "-D__GNUC__=9"
"""The DSP instructions by assembly instead of intrinsics."""


@emulated
def test_kernels_for_an_old_compiler_give_the_same(tmp_path: Path):
    done = run(TOP, "--json", "m4", workspace=tmp_path / "right", flags=OLD_GCC)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert rows(done)["m4"]["passed"] == len(CASES)
    top = copy(tmp_path / "wrong")
    change(
        top / "firmware/lib/airmark/src/airmark_internal.h",
        '__asm__(#name " %0, %1, %2" :',
        '__asm__(#name " %0, %2, %1" :',
    )
    for flags, failed in (("", False), (OLD_GCC, True)):
        assert (rows(run(top, "--json", "m4", flags=flags))["m4"]["failed"] > 0) == failed


@emulated
def test_a_wrong_kernel_fails_on_the_cores_that_have_it(tmp_path: Path):
    top = copy(tmp_path)
    source = top / "firmware/lib/airmark/src/airmark_internal.h"
    change(source, "(uint32_t)am_shadd16(am_signed(a), am_signed(b))", "(uint32_t)__uhadd16(a, b)")
    done = run(top, "--json", "m0", "m4", "m33")
    assert done.returncode == 1, done.stderr
    found = rows(done)
    assert (found["m0"]["passed"], found["m0"]["fault"]) == (len(CASES), "")
    for core in ("m4", "m33"):
        failed = [case for case in found[core]["cases"] if case["result"] == "failed"]
        assert len(failed) == found[core]["failed"] > 10
        assert {case["why"].split(",")[0] for case in failed} <= {"stage frames", "stage screen"}
    shown = run(top, "m33")
    assert shown.returncode == 1
    assert f"m33      {found['m33']['passed']:3} passed, {found['m33']['failed']} failed, 0 skipped" in shown.stdout
    assert "m33: mark failed: stage frames, values: got " in shown.stdout


@emulated
def test_a_wrong_table_and_a_program_that_dies_are_found(tmp_path: Path):
    top = copy(tmp_path)
    tables = top / "firmware/lib/airmark/src/airmark_tables.c"
    text = tables.read_text("utf-8")
    entry = re.search(r"airmark_filter_44\[64\]\[12\] = \{\s*\{\s*(?:0x\w+,\s+){6}0x(\w+)", text)
    assert entry
    changed = f"{int(entry[1].rstrip('u'), 16) ^ 16:08x}u"
    tables.write_text(text[: entry.start(1)] + changed + text[entry.end(1) :], "utf-8")
    # On the emulated cores an illegal instruction, when some cases were told.
    change(
        top / "firmware/src/vectors.c",
        "        name = vector->name;\n",
        (
            "        name = vector->name;\n"
            "        if (number == 20u && sizeof(void *) == 4u) {\n"
            "            __builtin_trap();\n"
            "        }\n"
        ),
    )
    done = run(top, "--json", "host", "m7", "rv32imc")
    assert done.returncode == 1, done.stderr
    found = rows(done)
    failed = {case["name"]: case["why"] for case in found["host"]["cases"] if case["result"] == "failed"}
    assert set(failed) == {name for name in CASES if case_of(name)["rate"] == 44_100}
    assert all(why.startswith("stage input, values: got ") for why in failed.values())
    assert (len(failed), found["host"]["fault"]) == (found["host"]["failed"], "")
    for core in ("m7", "rv32imc"):
        assert found[core]["fault"].startswith(f"it ended before its end, after 19 of {len(CASES)} cases")
        assert found[core]["passed"] + found[core]["failed"] == 19


@emulated
def test_differences_beside_the_stages_are_told(tmp_path: Path):
    top = copy(tmp_path)
    (mark,), (early,) = (case_of(name)["detections"] for name in ("mark", "early"))
    change(top / "tests/vectors/mark.json", f'"drift_ppm_q4": {mark["drift_ppm_q4"]}', '"drift_ppm_q4": 123')
    change(top / "tests/vectors/early.json", f'"at": {early["at"]}', '"at": 5000000000')
    change(top / "tests/vectors/silence.json", '"dropped": 0', '"dropped": 1')
    change(top / "tests/vectors/loop.json", '"rate": 16000', '"rate": 16001')
    done = run(top, "host")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1:] == [
        "host: silence failed: dropped candidates: got 0, wanted 1",
        f"host: mark failed: a detection's drift: got {mark['drift_ppm_q4']}, wanted 123",
        f"host: early failed: samples taken when a detection is told: got {early['at']}, wanted 5000000000",
        "host: loop failed: airmark_init: got -2, wanted 0",
    ]


@emulated
def test_what_does_not_compile_is_told(tmp_path: Path):
    top = copy(tmp_path)
    change(top / "tests/vectors/index.json", '"numeric_version": ', '"numeric_version": 9')
    done = run(top, "host")
    assert (done.returncode, done.stdout) == (2, "")
    assert "tests/vectors are of another NUMERIC_VERSION" in done.stderr
    assert "Traceback" not in done.stderr


def test_output_that_is_cut_short_or_does_not_add_up_is_a_fault():
    tap = tool("tools/tap")
    good = ["1..3", "ok 1 - a", "not ok 2 - b: stage frames, values: got 1", "ok 3 - c # SKIP its 2 keys", "1 passed"]
    good[-1] = "1 passed, 1 failed, 1 skipped"

    def output(lines: list[str]) -> Any:
        made = tap.Output()
        for line in lines:
            made.add(f"{line}\r\n")
        return made

    assert output(good).fault() == ""
    assert output(good).counts() == (1, 1, 1)
    assert [(case.name, case.why) for case in output(good).cases] == [
        ("a", ""),
        ("b", "stage frames, values: got 1"),
        ("c", "its 2 keys"),
    ]
    for i in range(len(good)):
        assert output(good[:i] + good[i + 1 :]).fault() != "", good[i]
    assert output([*good[:-1], "3 passed, 0 failed, 0 skipped"]).fault() != ""
    assert output(["1..0", "0 passed, 0 failed, 0 skipped"]).fault() == "no case passed"
    assert output([]).fault() != ""


def test_bad_arguments_are_refused(tmp_path: Path):
    done = run(TOP, "m1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no core m1; there are host, m0," in done.stderr
    vectors = [sys.executable, TOP / "boards/tools/vectors.py"]
    for arguments in ([], [tmp_path], [tmp_path / "a", "b"]):
        done = subprocess.run([*vectors, *arguments], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"kind": "mark"', '"kind": "chirp"'),
        ('"amplitude": ', '"volume": '),
        ('"frames": {', '"hops": {'),
        ('"detections": [', '"detections": [{"sample": 1}, '),
        ("{", "["),
    ],
)
def test_vectors_that_are_not_as_their_readme_says_are_refused(tmp_path: Path, old: str, new: str):
    vectors = tool("tools/vectors")
    shutil.copytree(TOP / "tests/vectors", tmp_path / "vectors")
    path = tmp_path / "vectors/mark.json"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(vectors.VectorsError):
        vectors.write(tmp_path / "vectors_data.h", tmp_path / "vectors")
    assert not (tmp_path / "vectors_data.h").exists()


# PlatformIO's commands


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy(tmp_path_factory.mktemp("project")) / "firmware"


def pio(project: Path, *arguments: str, flags: str = "") -> subprocess.CompletedProcess[str]:
    """A command in the project, without any settings of the user's."""
    home = {"HOME": str(project), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no", "PLATFORMIO_BUILD_FLAGS": flags}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PLATFORMIO_")} | home
    command = [sys.executable, "-m", "platformio", *arguments]
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 600}
    return subprocess.run(command, cwd=project, env=environment, check=False, **options)


@emulated
def test_pio_run_builds_and_runs_the_program_that_is_named(project: Path):
    done = pio(project, "run", "-e", "lx106", "-t", "vectors", "-t", "exec")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CASES)} passed, 0 failed, 0 skipped" in done.stdout
    done = pio(project, "run", "-e", "m0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "src/detector.o" in done.stdout
    ram, flash = re.findall(r"used (\d+) bytes from (\d+)", done.stdout)
    assert 12_000 < int(ram[0]) < int(ram[1]) == 16 * 1024
    assert 20_000 < int(flash[0]) < int(flash[1]) == 256 * 1024
    done = pio(project, "run", "-e", "host")
    assert done.returncode == 0, done.stdout + done.stderr
    program, silence = project / ".pio/build/host/program", bytes(2 * 16_001)
    said = subprocess.run([program], input=silence, capture_output=True, check=True).stdout
    assert said.splitlines()[-1].startswith(b"end samples=16001 lost=0")
    done = pio(project, "run", "-e", "host", "-t", "bench", "-t", "vectors")
    assert done.returncode == 1
    assert "one program of bench, detector, " in done.stdout + done.stderr
    done = pio(project, "run", "-e", "lx106", "-t", "detector")
    assert done.returncode == 1
    assert "Error: lx106 has not all that the program detector needs" in done.stdout + done.stderr
    done = pio(project, "run", "-e", "rv32imc", "-t", "bench", "-t", "exec")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^most \d+ instructions a second$", done.stdout, re.MULTILINE)


def shell(commands: str, folder: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-ec", commands], cwd=folder, env=environment, capture_output=True, check=True, timeout=120)


@emulated
def test_the_headset_of_the_boards_page_says_what_the_page_shows(project: Path):
    """Its commands, in their order, with the key that the demo makes, which is demo_key.h's."""
    page = (TOP / "boards/README.md").read_text("utf-8")
    section = page.split("## A headset that sleeps on\n")[1].split("\n## ")[0]
    make, words, run_it, shown = (
        textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    )
    top = project.parent
    (top / "reference/airmark").mkdir(parents=True)
    (top / "reference/airmark/data").symlink_to(TOP / "reference/airmark/data")
    (top / "airmark-demo").mkdir()
    generate(rng=np.random.default_rng(demo.SEED)).save(top / "airmark-demo/key.json")
    shell(make, project)
    (project / "src/words.h").write_text(words, "utf-8")
    try:
        done = pio(project, *run_it.split()[1:])
        assert done.returncode == 0, done.stdout + done.stderr
        assert shown in done.stdout
        assert "Keys: src/demo_key.h, which is public: no src/keys.h\n" in done.stdout
        # A key of one's own, and macros as the page gives them.
        key, flags = top / "own.json", re.findall(r'`PLATFORMIO_BUILD_FLAGS="([^"]+)"`', section)
        shell(f"airmark keygen {key} && airmark export {key} src/keys.h", project)
        done = pio(project, *run_it.split()[1:], flags=flags[0])
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Keys: src/keys.h\n" in done.stdout
        assert "threshold=6.375 wait=4800\n" in done.stdout
        assert "wake start=51200 limited=1 heard=65600\n" in done.stdout
        (project / "input").unlink()
        done = pio(project, *run_it.split()[1:])
        assert done.returncode == 1
        assert 'no file "input" in this folder: ' in done.stdout
    finally:
        for name in ("words.h", "keys.h"):
            (project / "src" / name).unlink(missing_ok=True)


def test_git_ignores_keys_and_what_the_boards_page_makes():
    secret = ["secret.json", "keys.h", "key.bin", "firmware/src/keys.h", "firmware/secret.json", "firmware/keys.bin"]
    made = [f"firmware/{name}" for name in ("input", "heard.raw", "safe.flac", "src/words.h")]
    command = ["git", "check-ignore", "--no-index", "--stdin"]
    given = "\n".join([*secret, *made, "firmware/lib/airmark/examples/Detector/keys.h", "firmware/src/demo_key.h"])
    done = subprocess.run(command, cwd=TOP, input=given, capture_output=True, text=True, check=False)
    if "not a git repository" in done.stderr:
        pytest.skip("not a clone")
    assert done.stdout.splitlines() == [*secret, *made]


@emulated
def test_tools_that_platformio_has_are_left_alone(project: Path):
    from platformio.dependencies import get_core_dependencies

    tool = project / ".pio/core/packages/tool-cppcheck"
    shutil.rmtree(tool, ignore_errors=True)
    tool.mkdir(parents=True)
    version = get_core_dependencies()["tool-cppcheck"].lstrip("~")
    manifest = {"name": "tool-cppcheck", "version": version, "description": "of the registry"}
    spec = {"owner": "platformio", "id": None, "name": "tool-cppcheck", "requirements": None, "uri": None}
    files = {
        "package.json": json.dumps(manifest),
        ".piopm": json.dumps({"type": "tool", "name": "tool-cppcheck", "version": version, "spec": spec}),
        "cppcheck": "#!/bin/sh\nexit 0\n",
    }
    for name, text in files.items():
        (tool / name).write_text(text, "utf-8")
    try:
        done = pio(project, "run", "-e", "host", "-t", "vectors")
        assert done.returncode == 0, done.stdout + done.stderr
        assert {path.name: path.read_text("utf-8") for path in tool.iterdir()} == files
        assert (tool.parent / "tool-scons/scons.py").exists()
    finally:
        shutil.rmtree(tool)


@emulated
def test_the_settings_have_no_errors(project: Path):
    done = pio(project, "project", "config", "--lint")
    assert done.returncode == 0, done.stderr
    assert "free from linting errors" in done.stdout


@emulated
def test_pio_test_runs_the_vectors(project: Path):
    done = pio(project, "test", "-e", "rv32imac", "--json-output-path", "report.json")
    assert done.returncode == 0, done.stdout + done.stderr
    (suite,) = (s for s in json.loads((project / "report.json").read_text())["test_suites"] if s["status"] != "SKIPPED")
    assert suite["env_name"] == "rv32imac"
    assert [case["name"] for case in suite["test_cases"]] == CASES
    assert {case["status"] for case in suite["test_cases"]} == {"PASSED"}


@emulated
def test_pio_check_finds_nothing_but_what_is_planted(project: Path):
    levels = re.findall(r"--fail-on-defect=\w+", (TOP / "boards/README.md").read_text("utf-8"))
    assert len(levels) == 3  # each names one only
    check = ("check", *levels, "-e", "m4")
    done = pio(project, *check)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No defects found" in done.stdout
    planted = project / "src/planted.c"
    planted.write_text("int planted(void);\nint planted(void)\n{\n    int a[2] = {0, 0};\n    return a[2];\n}\n")
    try:
        done = pio(project, *check)
    finally:
        planted.unlink()
    assert done.returncode == 1
    assert "src/planted.c:5: [high:error]" in done.stdout


@needs("cmake", "ninja", extras="boards emulators")
def test_zephyrs_tables_are_made_anew_where_a_vector_or_what_makes_them_changes(tmp_path: Path):
    """With a stand-in for Zephyr's package, which gives the application its target and Python."""
    zephyr = f'set(PYTHON_EXECUTABLE "{sys.executable}")\nenable_language(C)\nadd_library(app STATIC)\n'
    (tmp_path / "ZephyrConfig.cmake").write_text(zephyr, "utf-8")
    environment = os.environ | {"PATH": PATH, "ZEPHYR_BASE": str(tmp_path)}
    command = ["cmake", "-S", TOP / "boards/zephyr", "-B", tmp_path / "build", "-G", "Ninja", "-DPROGRAM=vectors"]
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    rules = (tmp_path / "build/build.ninja").read_text("utf-8")
    (again,) = re.findall(r"^build build\.ninja\b.*: RERUN_CMAKE (.*)$", rules, re.MULTILINE)
    made_of = {Path(name).resolve() for name in re.split(r"[ |]+", again)}
    assert made_of >= {*(TOP / "tests/vectors").glob("*.json"), TOP / "boards/tools/vectors.py"}


# Settings that agree


def test_cores_are_those_of_the_cost_table():
    emulator = tool("tools/emulator")
    named = {name: ENVIRONMENTS[name]["board"] for name in EMULATED if name not in ("host", "lx106")}
    assert list(named) == list(CORES)
    for name, board in named.items():
        manifest = emulator.board(board)
        command = [str(part) for part in CORES[name].command(Path("p.elf"))]
        assert command == emulator.command(manifest, "p.elf")
        assert CORES[name].flags == manifest["build"]["flags"]
        assert CORES[name].memory[1] == manifest["upload"]["maximum_size"]
        assert CORES[name].memory[3] == manifest["upload"]["maximum_ram_size"]
    assert CORES["m0"].memory[2:] == (0x20000000, 16 * 1024)
    used = {options["board"] for name, options in ENVIRONMENTS.items() if name in EMULATED and name != "host"}
    assert used == {path.stem for path in emulator.BOARDS.glob("*.json")}


def test_only_what_runs_here_is_built_by_default():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(FIRMWARE / "platformio.ini", "utf-8")
    assert tuple(parser["platformio"]["default_envs"].split(", ")) == EMULATED
    here = {name for name, options in ENVIRONMENTS.items() if options["platform"].startswith("symlink:")}
    assert here == set(EMULATED)


def test_headset_parts_and_all_families_are_there():
    platforms = [options["platform"] for options in REAL.values()]
    for name in ("nordicnrf52", "ststm32", "espressif32", "raspberrypi"):
        assert [platform for platform in platforms if name in platform], name
    boards = " ".join(options["board"] for options in REAL.values())
    for part in ("nano33ble", "nrf5340", "esp32-s3", "esp32-c3", "rp2040", "pico2"):
        assert part in boards, part


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environments_name_what_exists(name: str):
    options = ENVIRONMENTS[name]
    if name in REAL:
        for option in ("platform", "board", "framework"):
            assert re.fullmatch(r"\S+", options[option]), option
    for program in (options["custom_program"], *options.get("custom_lacks", "").split()):
        assert (FIRMWARE / f"src/{program}.c").exists(), program
    assert options["custom_program"] not in options.get("custom_lacks", "").split()
    ports = [value for option, value in options.items() if re.fullmatch(r"custom_port(_\w+)?", option)]
    assert options["custom_port"] in ports
    for file in " ".join(ports).split():
        assert (PORT / file).exists(), file


def test_platforms_are_pinned_but_for_those_the_page_names():
    pinned = re.compile(r"@\d+\.\d+\.\d+$|#[0-9a-f]{40}$")
    unpinned = {name for name, options in REAL.items() if not pinned.search(options["platform"])}
    assert unpinned == {"nrf52840_dk", "nrf5340dk"}
    page = " ".join((TOP / "boards/README.md").read_text("utf-8").split())
    assert "Not pinned is `nordicnrf52` for Zephyr," in page
    for name in ("esp32-s3-devkitc-1", "esp32-c3-devkitm-1"):
        platform, version = REAL[name]["platform"].split("@")
        assert f"`{platform}` {version} has ESP-IDF 5.4" in page


def test_ports_define_what_programs_call():
    """What cannot be linked here has all the functions, each once."""
    for name, options in REAL.items():
        text = "".join((PORT / file).read_text("utf-8") for file in options["custom_port"].split())
        text += (PORT / "audio_fifo.h").read_text("utf-8") if '#include "audio_fifo.h"' in text else ""
        for function in ("port_audio_start", "port_audio_read", "port_audio_done", "port_write", "port_led"):
            assert len(re.findall(rf"^[\w\" ]*\b{function}\([^;]*\)\s*\{{", text, re.MULTILINE)) == 1, (name, function)


def test_boards_that_platformio_does_not_know_are_described():
    for path in (TOP / "boards/platformio/more_boards").glob("*.json"):
        manifest = json.loads(path.read_text("utf-8"))
        (options,) = (options for options in REAL.values() if options["board"] == path.stem)
        assert options["framework"] in manifest["frameworks"]
        assert {"name", "vendor", "url", "build", "upload"} <= set(manifest)
        assert {"cpu", "f_cpu", "mcu", "variant"} <= set(manifest["build"])


def test_the_boards_page_tells_of_every_environment():
    page = (TOP / "boards/README.md").read_text("utf-8")
    table = {line.split("|")[1].strip("` "): line for line in page.splitlines() if line.startswith("|")}
    for name, options in ENVIRONMENTS.items():
        row = table[name]
        assert ("not run on hardware" in row) == (name in REAL), name
        if name in REAL:
            assert all(file in row for file in options["custom_port"].split())
            assert f"pio run -e {name} -t upload" in row
        elif name != "host":
            assert options["board"] in row


def test_versions_are_the_library_s():
    version = re.search(r'AIRMARK_VERSION "([^"]+)"', (FIRMWARE / "lib/airmark/src/airmark.h").read_text("utf-8"))
    assert version
    for manifest in (TOP / "boards/platformio/platform.json", PORT / "library.json"):
        assert json.loads(manifest.read_text("utf-8"))["version"] == version[1]


def test_pinned_scons_is_the_one_that_platformio_wants():
    project = (TOP / "pyproject.toml").read_text("utf-8")
    pins = dict(re.findall(r'"(platformio|scons)==([\d.]+)"', project))
    dependencies = pytest.importorskip("platformio.dependencies")
    platformio = pytest.importorskip("platformio")
    assert platformio.__version__ == pins["platformio"]
    major, minor, patch = (int(part) for part in pins["scons"].split("."))
    assert dependencies.get_core_dependencies()["tool-scons"] == f"~{major}.{major}{minor:02}{patch:02}.0"


def test_clang_tidy_gets_no_macros_of_a_cxx_compiler():
    tidy = tool("platformio/tidy")
    given = ["--quiet", "a.c", "--", "-DAIRMARK_MAX_KEYS=2", "-D__cplusplus=201402L", "-D_GNU_SOURCE=1", "-Isrc"]
    assert tidy.arguments(given) == ["--quiet", "a.c", "--", "-DAIRMARK_MAX_KEYS=2", "-Isrc", "-std=c99"]
    assert tidy.arguments(["--version"]) == ["--version"]
