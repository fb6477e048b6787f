"""The library as packages: each manifest by its system's rules, each build with what there is of the system, the guide.

What ESP-IDF, Zephyr and Arduino do is done by stand-ins (tests/packages) and by those of their tools that PyPI has.
Skipped where a tool is missing, unless the environment variable CI is set.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import tarfile
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import tooling
from airmark import Key, embed
from airmark.cli import main
from airmark.thresholds import threshold
from tooling import PATH

TOP = Path(__file__).parents[1]
LIBRARY = TOP / "firmware/lib/airmark"
GUIDE = TOP / "firmware/README.md"
PLATFORM = TOP / "boards/platformio"
STANDINS = Path(__file__).with_name("packages")
SOURCES = len(list((LIBRARY / "src").glob("*.c")))
SKETCH = LIBRARY / "examples/Detector"
WARNINGS = [f"-W{name}" for name in ("all", "extra", "conversion", "sign-conversion", "shadow", "cast-qual", "error")]
STRICT = [*WARNINGS, "-pedantic"]
CORTEX_M4 = ["-mcpu=cortex-m4", "-mthumb", "--specs=picolibc.specs"]
MARK_S = 3.0
# Commands of this environment first, as the guide's reader has them.
ENVIRONMENT = os.environ | {
    "PATH": PATH,
    "AIRMARK": str(TOP),
    "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
}

needed = partial(tooling.needed, extras="emulators boards")


def run(*command: object, cwd: Path | None = None, **environment: object) -> str:
    """What a command prints, on whichever way; it has to succeed."""
    words = [str(word) for word in command]
    own = ENVIRONMENT | {name: str(value) for name, value in environment.items()}
    both = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(words, cwd=cwd, env=own, text=True, check=False, timeout=240, **both)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}"
    return done.stdout


def refused(*command: object) -> str:
    """What a command that has to fail says."""
    words = [str(word) for word in command]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode != 0
    return " ".join(done.stderr.split())


def sources() -> set[str]:
    return {path.stem for path in (LIBRARY / "src").glob("*.c")}


def properties(path: Path) -> dict[str, str]:
    """Of Arduino's library.properties."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


# Versions


def versions() -> dict[str, str]:
    lines = {
        LIBRARY / "src/airmark.h": r'#define AIRMARK_VERSION "(.*)"',
        LIBRARY / "library.json": r'  "version": "(.*)",',
        LIBRARY / "library.properties": r"version=(.*)",
        LIBRARY / "idf_component.yml": r'version: "(.*)"',
        TOP / "pyproject.toml": r'version = "(.*)"',
        TOP / "firmware/CHANGELOG.md": r"## (\S+)",
    }
    return {
        path.name: re.findall(f"^{line}$", path.read_text("utf-8"), re.MULTILINE)[0] for path, line in lines.items()
    }


def test_there_is_one_version():
    assert len(set(versions().values())) == 1, versions()
    assert re.fullmatch(r"\d+\.\d+\.\d+", versions()["airmark.h"])


def test_the_changelog_tells_the_numeric_version():
    header = (LIBRARY / "src/airmark.h").read_text("utf-8")
    (numeric,) = re.findall(r"^#define AIRMARK_NUMERIC_VERSION (\d+)$", header, re.MULTILINE)
    newest = re.split(r"^## ", (TOP / "firmware/CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)[1]
    assert f"AIRMARK_NUMERIC_VERSION {numeric}" in newest


def test_the_licence_goes_with_the_folder():
    assert (LIBRARY / "LICENSE").read_bytes() == (TOP / "LICENSE").read_bytes()


# Sound


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the key that the example has, as anyone makes it."""
    folder = tmp_path_factory.mktemp("keys")
    assert main(["keygen", str(folder / "key.json"), "--seed", "1"]) == 0
    assert main(["export", str(folder / "key.json"), str(folder / "keys.h")]) == 0
    return folder


@pytest.fixture(scope="module")
def marked(keys: Path) -> bytes:
    """The clip of the demo with a mark of that key, raw s16 at 16 kHz."""
    host, rate = soundfile.read(TOP / "reference/airmark/data/demo.flac")
    samples = embed(host, rate, Key.load(keys / "key.json"), at=[MARK_S], judge=False).samples[:, 0]
    return np.rint(np.clip(soxr.resample(samples, rate, 16_000), -1, 1) * 32767).astype("<i2").tobytes()


def hears(printed: str) -> bool:
    """Whether one mark is told, and at its place."""
    places = [int(place) for place in re.findall(r"mark at (\d+) ms", printed)]
    return len(places) == 1 and abs(places[0] - 1000 * MARK_S) < 50


# Plain CMake


def cmake(source: Path, build: Path, *options: str) -> Path:
    needed("cmake", "ninja", "cc")
    run("cmake", "-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *options)
    run("cmake", "--build", build)
    return build


def optimised(build: Path) -> list[list[str]]:
    """How each of the library's sources is, by the compiler's options in their order: the last one holds."""
    commands = json.loads((build / "compile_commands.json").read_text("utf-8"))
    ours = [one["command"].split() for one in commands if Path(one["file"]).is_relative_to(LIBRARY)]
    return [[word for word in words if word.startswith("-O")] for words in ours]


def used(program: Path, marked: bytes) -> str:
    """What tests/packages/use.c prints, where it hears the mark."""
    (program.parent / "sound").write_bytes(marked)
    printed = run(program, cwd=program.parent)
    assert hears(printed)
    return printed.splitlines()[0]


USE = """
cmake_minimum_required(VERSION 3.21)
project(use C)
{found}
add_executable(use "{use}")
target_include_directories(use PRIVATE "{keys}")
target_link_libraries(use PRIVATE airmark::airmark)
"""


def project(folder: Path, keys: Path, found: str) -> Path:
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(USE.format(found=found, use=STANDINS / "use.c", keys=keys))
    return folder


def test_cmake_installs_what_find_package_finds(keys: Path, marked: bytes, tmp_path: Path):
    settings = ("-DAIRMARK_MAX_KEYS=3", "-DAIRMARK_RESAMPLE=OFF", f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'there'}")
    build = cmake(LIBRARY, tmp_path / "library", *settings)
    run("cmake", "--install", build)
    installed = {path.name for path in (tmp_path / "there/include").iterdir()}
    assert installed == {path.name for path in (LIBRARY / "src").glob("*.h")} - {"airmark_internal.h"}
    archive = run("ar", "t", build / "libairmark.a").split()
    assert {Path(name).name.split(".")[0] for name in archive} == sources()

    major, minor, _ = versions()["airmark.h"].split(".")
    own = project(tmp_path / "own", keys, f"find_package(airmark {major}.{minor} CONFIG REQUIRED)")
    found = cmake(own, tmp_path / "build", f"-DCMAKE_PREFIX_PATH={tmp_path / 'there'}")
    assert used(found / "use", marked) == "keys 3 3, resample 0 0"

    other = project(tmp_path / "other", keys, f"find_package(airmark {major}.{int(minor) + 1} CONFIG REQUIRED)")
    said = refused("cmake", "-S", other, "-B", tmp_path / "never", f"-DCMAKE_PREFIX_PATH={tmp_path / 'there'}")
    assert f"version: {versions()['airmark.h']}" in said


def test_cmake_takes_the_folder_as_a_subdirectory(keys: Path, marked: bytes, tmp_path: Path):
    own = project(tmp_path / "own", keys, f'set(AIRMARK_MAX_KEYS 255)\nadd_subdirectory("{LIBRARY}" airmark)')
    build = cmake(own, tmp_path / "build", "-DAIRMARK_DSP=OFF")
    assert used(build / "use", marked) == "keys 255 255, resample 1 1"
    # Whatever includes it: it installs nothing of its own.
    assert not (build / "airmark/airmark-config-version.cmake").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("AIRMARK_MAX_KEYS=0", "airmark: AIRMARK_MAX_KEYS is '0'; give a number from 1 to 255"),
        ("AIRMARK_MAX_KEYS=256", "airmark: AIRMARK_MAX_KEYS is '256'; give a number from 1 to 255"),
        ("AIRMARK_DSP=1", "airmark: AIRMARK_DSP is '1'; give AUTO, ON or OFF"),
    ],
)
def test_cmake_refuses_wrong_settings(setting: str, message: str, tmp_path: Path):
    needed("cmake", "ninja", "cc")
    assert message in refused("cmake", "-S", LIBRARY, "-B", tmp_path, "-G", "Ninja", f"-D{setting}")


def test_the_copied_files_compile_as_their_page_says(keys: Path, marked: bytes, tmp_path: Path):
    needed("cc")
    (command,) = re.findall(r"^```sh\n(cc .*)\n```$", (LIBRARY / "README.md").read_text("utf-8"), re.MULTILINE)
    shutil.copytree(LIBRARY / "src", tmp_path / "src")
    shutil.copy(keys / "keys.h", tmp_path)
    shutil.copy(STANDINS / "use.c", tmp_path / "main.c")
    run("bash", "-euc", command, cwd=tmp_path)
    assert used(tmp_path / "product", marked) == "keys 2 2, resample 1 1"


def test_the_copied_files_compile_for_a_board_as_their_page_says(tmp_path: Path):
    needed("arm-none-eabi-gcc")
    (command,) = re.findall(r"^```sh\n(arm-.*)\n```$", (LIBRARY / "README.md").read_text("utf-8"), re.MULTILINE)
    shutil.copytree(LIBRARY / "src", tmp_path / "src")
    run("bash", "-euc", command, cwd=tmp_path)
    assert {path.stem for path in tmp_path.glob("*.o")} == sources()


# ESP-IDF and Zephyr


def configured(kconfig: Path, folder: Path, *settings: str) -> Path:
    """The configuration as ESP-IDF's tool gives it to CMake; its Kconfig language has all that is used of Zephyr's."""
    needed(".kconfgen")
    (folder / "sdkconfig").write_text("".join(f"{setting}\n" for setting in settings))
    out = folder / "sdkconfig.cmake"
    options = ("--kconfig", kconfig, "--config", folder / "sdkconfig", "--output", "cmake", out)
    said = run(sys.executable, "-m", "kconfgen", *options)
    assert "warning" not in said.lower(), said
    return out


@pytest.mark.parametrize("kconfig", ["Kconfig", "zephyr/Kconfig"])
def test_the_configuration_has_the_headers_defaults(kconfig: str, tmp_path: Path):
    header = (LIBRARY / "src/airmark.h").read_text("utf-8")
    defaults = dict(re.findall(r"^#ifndef (AIRMARK_\w+)\n#define \1 (\d+)$", header, re.MULTILINE))
    written = configured(LIBRARY / kconfig, tmp_path, "CONFIG_AIRMARK=y").read_text()
    values = dict(re.findall(r'set\(CONFIG_(\w+) "(\w*)"\)', written))
    assert values["AIRMARK_MAX_KEYS"] == defaults["AIRMARK_MAX_KEYS"]
    assert (values["AIRMARK_RESAMPLE"], defaults["AIRMARK_RESAMPLE"]) == ("y", "1")
    # No macro of the header without an option.
    assert set(defaults) <= set(values)


def test_the_component_builds(keys: Path, marked: bytes, tmp_path: Path):
    settings = ("CONFIG_AIRMARK_MAX_KEYS=5", "# CONFIG_AIRMARK_RESAMPLE is not set")
    values = configured(LIBRARY / "Kconfig", tmp_path, *settings)
    places = (f"-DFOLDER={LIBRARY}", f"-DUSE={STANDINS / 'use.c'}", f"-DKEYS={keys}", f"-DSDKCONFIG={values}")
    build = cmake(STANDINS / "idf", tmp_path / "build", *places)
    assert used(build / "use", marked) == "keys 5 5, resample 0 0"
    assert optimised(build) == [["-Og", "-O2"]] * SOURCES


def test_the_component_registers_in_the_first_pass_and_does_nothing_more(tmp_path: Path):
    needed("cmake")
    run("cmake", f"-DFOLDER={LIBRARY}", "-P", STANDINS / "idf/requirements.cmake", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_components_manifest_is_one():
    needed(".idf_component_tools")
    from idf_component_tools.manager import ManifestManager

    manager = ManifestManager(LIBRARY, "airmark")
    assert manager.is_valid, manager.validation_errors
    manifest = manager.load()
    assert (str(manifest.version), manifest.license) == (versions()["airmark.h"], "MIT")


MODULE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "build": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"cmake": {"type": "string"}, "kconfig": {"type": "string"}},
        },
    },
}
"""What Zephyr's zephyr_module.py allows in zephyr/module.yml, as far as it is used here: paths count from the folder,
`cmake` names one that has a CMakeLists.txt, `kconfig` a file."""


@cache
def module() -> dict[str, str]:
    needed(".yaml", ".jsonschema")
    import jsonschema
    import yaml

    manifest = yaml.safe_load((LIBRARY / "zephyr/module.yml").read_text("utf-8"))
    jsonschema.validate(manifest, MODULE)
    return manifest["build"]


def test_the_module_builds(keys: Path, marked: bytes, tmp_path: Path):
    settings = ("CONFIG_AIRMARK=y", "CONFIG_AIRMARK_MAX_KEYS=5", "CONFIG_AIRMARK_RESAMPLE=n", "CONFIG_AIRMARK_DSP=n")
    values = configured(LIBRARY / module()["kconfig"], tmp_path, *settings)
    places = (f"-DUSE={STANDINS / 'use.c'}", f"-DKEYS={keys}", f"-DDOTCONFIG={values}")
    build = cmake(STANDINS / "zephyr", tmp_path / "build", f"-DMODULE={LIBRARY / module()['cmake']}", *places)
    assert used(build / "use", marked) == "keys 5 5, resample 0 0"
    assert optimised(build) == [["-Os", "-O2"]] * SOURCES
    assert "AIRMARK_DSP=0" in (build / "build.ninja").read_text()


def test_a_module_that_is_not_chosen_adds_nothing(tmp_path: Path):
    needed("cmake", "ninja", "cc")
    values = configured(LIBRARY / module()["kconfig"], tmp_path)
    (tmp_path / "empty.c").write_text("int main(void) { return 0; }\n")
    places = (f"-DUSE={tmp_path / 'empty.c'}", f"-DKEYS={tmp_path}", f"-DDOTCONFIG={values}")
    build = cmake(STANDINS / "zephyr", tmp_path / "build", f"-DMODULE={LIBRARY / module()['cmake']}", *places)
    assert "airmark" not in run("nm", build / "use")
    assert not list(build.glob("**/libairmark.a"))


# Arduino

CATEGORIES = {
    *("Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage"),
    *("Data Processing", "Other"),
}
REQUIRED = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}


def test_arduinos_manifest_keeps_to_the_specification():
    # Arduino's library specification, revision 2.2, and what its linter wants of the name.
    manifest = properties(LIBRARY / "library.properties")
    assert set(manifest) == REQUIRED | {"includes"}
    assert all(manifest.values())
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.-]{0,15}", manifest["name"])
    assert "arduino" not in (manifest["name"] + manifest["maintainer"]).lower()
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert manifest["category"] in CATEGORIES
    assert re.match(r"https://\S+$", manifest["url"])
    assert manifest["sentence"].endswith(".")
    assert not manifest["paragraph"].startswith(manifest["sentence"])
    assert {name for name in manifest["includes"].split(",") if not (LIBRARY / "src" / name).is_file()} == set()
    # A sketch bears the name of its folder; sources of the library are those in src.
    assert (SKETCH / f"{SKETCH.name}.ino").is_file()
    assert not [path for path in LIBRARY.glob("*.[ch]*") if path.suffix in (".c", ".h", ".cpp")]


def test_the_sketch_has_the_key_that_it_says(keys: Path):
    said, *lines = (SKETCH / "keys.h").read_text("utf-8").splitlines()
    assert "keygen --seed 1" in said
    assert lines == (keys / "keys.h").read_text("utf-8").splitlines()[1:]


def preprocessed(sketch: Path, folder: Path) -> Path:
    """The C++ that Arduino makes of a sketch: its core included, and prototypes before the first function."""
    text = sketch.read_text("utf-8")
    functions = list(re.finditer(r"^(\w[\w &*]*\b\w+\([^;{}()]*\))\s*\{$", text, re.MULTILINE))
    assert {"void setup()", "void loop()"} <= {function[1] for function in functions}
    first = functions[0].start()
    prototypes = "".join(f"{function[1]};\n" for function in functions)
    place = f'#line {text.count(chr(10), 0, first) + 1} "{sketch.name}"\n'
    out = folder / f"{sketch.name}.cpp"
    out.write_text(f'#include <Arduino.h>\n#line 1 "{sketch.name}"\n{text[:first]}{prototypes}{place}{text[first:]}')
    return out


def built_sketch(sketch: Path, folder: Path, standard: str = "gnu++17") -> Path:
    """A sketch for this computer, as Arduino builds it: the library's C, the sketch's C++, one include path."""
    needed("cc", "c++")
    folder.mkdir(exist_ok=True)
    paths = [f"-I{STANDINS / 'arduino'}", f"-I{LIBRARY / 'src'}", f"-I{sketch.parent}"]
    run("cc", "-std=gnu11", "-O2", "-c", *paths, *sorted((LIBRARY / "src").glob("*.c")), cwd=folder)
    sketched = preprocessed(sketch, folder)
    run("c++", f"-std={standard}", *STRICT, *paths, sketched, STANDINS / "arduino/main.cpp", "-c", cwd=folder)
    run("c++", *sorted(folder.glob("*.o")), "-o", "sketch", cwd=folder)
    return folder / "sketch"


def heard(sketch: Path, sound: bytes, *arguments: str) -> list[str]:
    done = subprocess.run([sketch, *arguments], input=sound, capture_output=True, check=True, timeout=60)
    return done.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def sketch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_sketch(SKETCH / "Detector.ino", tmp_path_factory.mktemp("sketch"), "gnu++11")


def test_the_sketch_finds_the_mark_and_lights_the_led(sketch: Path, marked: bytes):
    told, on, off = heard(sketch, marked)
    assert hears(told)
    assert re.fullmatch(r"mark at \d+ ms, score \d+\.\d, drift -?\d+\.\d ppm, key 0", told)
    at = int(re.fullmatch(r"LED on at (\d+) ms", on)[1])
    # The mark lasts 2.05 s and is confirmed after that.
    assert 1000 * MARK_S + 2050 < at < 1000 * MARK_S + 2050 + 600
    assert off == f"LED off at {at + 1000} ms"


def test_the_sketch_tells_what_it_loses_and_goes_on(sketch: Path, marked: bytes):
    # Each loop() takes 400 ms, a quarter of a second finds room: nothing else is said, and no mark is made up.
    lines = heard(sketch, marked, "400")
    assert len(lines) > 5
    assert all(re.fullmatch(r"lost \d+ samples: loop\(\) was away for too long", line) for line in lines)
    # Late for a moment each time, but never by more than finds room.
    assert hears(heard(sketch, marked, "15")[0])


def test_a_sketch_with_other_keys_than_the_library_does_not_link(keys: Path, tmp_path: Path):
    # As where a sketch defines the macro and Arduino builds the library without it.
    needed("cc")
    run("cc", "-std=c99", "-c", f"-I{LIBRARY / 'src'}", *sorted((LIBRARY / "src").glob("*.c")), cwd=tmp_path)
    own = ["-DAIRMARK_MAX_KEYS=9", f"-I{LIBRARY / 'src'}", f"-I{keys}", STANDINS / "use.c"]
    command = ["cc", "-std=c99", *own, *sorted(tmp_path.glob("*.o")), "-o", "use"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "airmark_init_max_keys_9_resample_1" in done.stderr


@pytest.mark.parametrize("standard", ["gnu++11", "gnu++17"])
def test_the_sketch_compiles_for_a_board(standard: str, tmp_path: Path):
    needed("arm-none-eabi-g++")
    paths = [f"-I{STANDINS / 'arduino'}", f"-I{LIBRARY / 'src'}", f"-I{SKETCH}"]
    options = [*CORTEX_M4, f"-std={standard}", "-fno-exceptions", "-fno-rtti", *STRICT, *paths]
    run("arm-none-eabi-g++", *options, "-c", preprocessed(SKETCH / "Detector.ino", tmp_path), cwd=tmp_path)


# PlatformIO

PIO = """
import sys
from platformio.package.manifest.schema import ManifestSchema
# The list of licences comes from the net; this is the entry that counts.
ManifestSchema.load_spdx_licenses = staticmethod(lambda: {"licenses": [{"licenseId": "MIT"}]})
from platformio.__main__ import main
sys.exit(main())
"""


def test_platformios_manifest_keeps_to_its_schema():
    needed(".platformio")
    from platformio.package.manifest.parser import ManifestParserFactory
    from platformio.package.manifest.schema import ManifestSchema

    given = ManifestParserFactory.new_from_file(str(LIBRARY / "library.json")).as_dict()
    # Whether the licence's name is in the list it would look up on the net.
    assert given.pop("license") == "MIT"
    loaded = ManifestSchema().load_manifest(given)
    assert (loaded["platforms"], loaded["frameworks"]) == (["*"], ["*"])
    for example in loaded["examples"]:
        assert {path.name for path in (LIBRARY / example["base"]).iterdir()} == set(example["files"])
    # It is read instead of library.properties: both say the same.
    assert properties(LIBRARY / "library.properties")["name"].lower() == loaded["name"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, packed by PlatformIO."""
    needed(".platformio")
    folder = tmp_path_factory.mktemp("packed")
    run(sys.executable, "-c", PIO, "pkg", "pack", LIBRARY, "--output", folder)
    (archive,) = folder.iterdir()
    assert archive.name == f"airmark-{versions()['airmark.h']}.tar.gz"
    return archive


def test_the_packed_archive_has_all_files(packed: Path):
    with tarfile.open(packed) as archive:
        inside = {name for name in archive.getnames() if archive.getmember(name).isfile()}
    assert inside >= {str(path.relative_to(LIBRARY)) for path in LIBRARY.rglob("[!.]*") if path.is_file()}


def test_a_project_builds_and_runs_with_the_packed_archive(packed: Path, keys: Path, marked: bytes, tmp_path: Path):
    needed("pio", "arm-none-eabi-gcc", "qemu-system-arm")
    lines = {
        "platformio": {"default_envs": "m4"},
        "env:m4": {
            "platform": f"symlink://{PLATFORM}",
            "board": "mps2-an386",
            "lib_deps": f"file://{packed}",
            "build_flags": f"-D AIRMARK_MAX_KEYS=7 -D AIRMARK_RESAMPLE=0 -I{keys}",
        },
    }
    text = "".join(
        f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        for section, options in lines.items()
    )
    (tmp_path / "platformio.ini").write_text(text)
    (tmp_path / "src").mkdir()
    shutil.copy(STANDINS / "use.c", tmp_path / "src")
    (tmp_path / "sound").write_bytes(marked)
    printed = run("pio", "run", "-t", "exec", cwd=tmp_path, PLATFORMIO_CORE_DIR=tmp_path / "core")
    assert "keys 7 7, resample 0 0" in printed
    assert hears(printed)


# The guide

BLOCK = re.compile(r"(?:^<!-- (file|run): (\S+) -->\n)?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks() -> list[tuple[str, str, str]]:
    """What the guide's code is for: (file, its path) or (run, the folder); and the code."""
    return [(kind, place, text) for kind, place, _, text in BLOCK.findall(GUIDE.read_text("utf-8")) if kind]


def test_all_code_of_the_guide_is_tested_or_says_not_run():
    text = GUIDE.read_text("utf-8")
    assert len(blocks()) > 12
    for block in BLOCK.finditer(text):
        before = text[: block.start()].rstrip().rsplit("\n\n", 1)[-1]
        # What comes first is reference/install, by which these tests came.
        assert block[1] or "not run" in before or "reference/install" in block[4], block[0]


def follow(folder: str, top: Path) -> str:
    """Do what the guide says for a folder, in its order: write the files, run the commands. Returns what they print."""
    (top / folder).mkdir(exist_ok=True)
    printed = ""
    for kind, place, text in blocks():
        if kind == "file" and place.startswith(f"{folder}/"):
            with (top / place).open("a") as file:
                file.write(text)
        elif kind == "run" and place == folder:
            own = {"HOME": top, "PLATFORMIO_CORE_DIR": top / "core", "CFLAGS": " ".join(STRICT)}
            printed += run("bash", "-euo", "pipefail", "-c", text, cwd=top / folder, **own)
    return printed


@pytest.fixture(scope="module")
def guided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first detection was made."""
    needed("cmake", "ninja", "cc")
    top = tmp_path_factory.mktemp("guided")
    (top / "first.txt").write_text(follow("first", top))
    return top


@pytest.fixture(scope="module")
def microphone(guided: Path) -> bytes:
    """What the guide's recording is at 16 kHz, raw."""
    samples, rate = soundfile.read(guided / "first/heard.wav")
    return np.rint(np.clip(soxr.resample(samples, rate, 16_000), -1, 1) * 32767).astype("<i2").tobytes()


def test_the_guides_first_detection(guided: Path):
    assert hears((guided / "first.txt").read_text())


def test_the_guides_program_refuses_what_it_would_read_wrongly(guided: Path, tmp_path: Path):
    for channels, subtype in ((2, "PCM_16"), (1, "PCM_24")):
        soundfile.write(tmp_path / "heard.wav", np.zeros((1000, channels)), 16_000, subtype)
        program = [guided / "first/build/first"]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout) == (2, "heard.wav: not 16 bits, one channel, a header of 44 bytes\n")


def test_the_guides_program_on_an_emulated_core(guided: Path):
    needed("pio", "arm-none-eabi-gcc", "qemu-system-arm")
    printed = follow("m4", guided)
    assert hears(printed)
    mark = re.compile(r"^mark at .*$", re.MULTILINE)
    assert mark.findall(printed) == mark.findall((guided / "first.txt").read_text())


def test_the_guides_installed_package(guided: Path):
    assert hears(follow("installed", guided))


def test_the_guides_sketch(guided: Path, microphone: bytes):
    for _ in range(2):  # the second time over the first
        follow("arduino", guided)
    libraries = guided / "Arduino/libraries"
    copied = {path.relative_to(libraries / "Airmark") for path in libraries.rglob("*")}
    assert copied == {path.relative_to(LIBRARY) for path in (LIBRARY, *LIBRARY.rglob("*"))}
    sketch = built_sketch(guided / "Arduino/Detector/Detector.ino", guided / "arduino")
    assert hears(heard(sketch, microphone)[0])


def test_the_guides_task(guided: Path, microphone: bytes):
    needed("cc", "arm-none-eabi-gcc")
    follow("task", guided)
    folder = guided / "task"
    paths = [f"-I{LIBRARY / 'src'}", f"-I{STANDINS / 'task'}", f"-I{guided / 'first'}", "-include", "cmsis.h"]
    run("arm-none-eabi-gcc", *CORTEX_M4, "-std=c99", *STRICT, *paths, "-c", "task.c", "-o", "m4.o", cwd=folder)
    files = ["task.c", STANDINS / "task/main.c", *sorted((LIBRARY / "src").glob("*.c"))]
    run("cc", "-std=c99", "-O2", *STRICT, *paths, *files, "-o", "task", cwd=folder)
    assert hears("\n".join(heard(folder / "task", microphone)))


def test_the_guides_gate(guided: Path):
    answers = r"""(?:wait until 6100 ms
)?suppress: told at (\d+) ms of a mark at (\d+) ms
wait until 10100 ms
wake at 10100 ms: limited
wait until 11758 ms
wake at 11758 ms: certain
(wake: no answer for a word that does not end after its start, .*)
"""
    told, mark, refusal = re.search(answers, follow("gate", guided)).groups()
    # After its first half and, at the latest, 0.411 s after its end; in the word's limit.
    assert int(mark) + 1000 < int(told) < min(int(mark) + 2459, 6100)
    # Where the sound ends before the mark is told, silence brings it.
    samples, rate = soundfile.read(guided / "gate/heard.wav")
    (guided / "ends").mkdir()
    soundfile.write(guided / "ends/heard.wav", samples[: (int(told) - 60) * rate // 1000], rate)
    word = (int(mark) + 100, int(mark) + 900, 3000)
    said = run(guided / "gate/build/gate", *word, cwd=guided / "ends")
    (again,) = re.findall(r"^suppress: told at \d+ ms of a mark at (\d+) ms$", said, re.MULTILINE)
    assert abs(int(again) - int(mark)) < 50
    (shown,) = re.findall(r"^```\n\n((?:    .*\n){6})\n- ", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert re.search(answers, shown.replace("    ", ""))[3] == refusal


def test_the_guides_configurations(tmp_path: Path):
    for folder, kconfig, name in (("idf", "Kconfig", "sdkconfig.defaults"), ("zephyr", "zephyr/Kconfig", "prj.conf")):
        follow(folder, tmp_path)
        settings = (tmp_path / folder / name).read_text().splitlines()
        values = configured(LIBRARY / kconfig, tmp_path, *settings).read_text()
        assert 'set(CONFIG_AIRMARK_MAX_KEYS "2")' in values
        assert f'set(CONFIG_AIRMARK_RESAMPLE "{"y" if folder == "zephyr" else ""}")' in values


def test_the_guides_dependency_of_a_component(tmp_path: Path):
    needed(".idf_component_tools")
    from idf_component_tools.manager import ManifestManager

    follow("idf", tmp_path)
    path = tmp_path / "idf/idf_component.yml"
    here = re.sub(r"(?<=path: ).*(?=/firmware/lib/airmark$)", str(TOP), path.read_text(), flags=re.MULTILINE)
    assert str(TOP) in here
    path.write_text(here)
    manager = ManifestManager(tmp_path / "idf", "main")
    assert manager.is_valid, manager.validation_errors
    (dependency,) = manager.load().requirements
    assert (dependency.name.split("/")[-1], Path(dependency.path)) == ("airmark", LIBRARY)


def test_the_guides_thresholds():
    line = r"\| (\d+) " + 3 * r"\| (\d+) \((\d\.\d\d)\) " + r"\|"
    rows = re.findall(f"^{line}$", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert [int(row[0]) for row in rows] == [1, 2, 4, 8, 16, 64]
    for keys_, *cells in rows:
        scores = [threshold(rate / 365.25, int(keys_), "c") for rate in (365.25, 12, 1)]
        assert [int(cell) for cell in cells[::2]] == [math.ceil(256 * score) for score in scores]
        assert cells[1::2] == [f"{score:.2f}" for score in scores]
    of_year = {row[0]: row[5] for row in rows}
    header = (LIBRARY / "src/airmark.h").read_text("utf-8")
    assert re.findall(r"^#define AIRMARK_DEFAULT_THRESHOLD_Q8 (\d+)", header, re.MULTILINE) == [of_year["1"]]
    guide = GUIDE.read_text("utf-8")
    of_day = {row[0]: row[1] for row in rows}
    assert re.findall(r"takes (\d+), for one key", guide) == [of_year["1"]]
    assert re.findall(r"threshold_q8 = (\d+)", guide) == [of_year["4"], of_day["1"]]
