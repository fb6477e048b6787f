"""The module airmark on MicroPython: the host's bits on every interpreter, types, cost, examples, and a new user's way.

Skipped where a compiler, an emulator or the Debian archive is missing, unless the environment variable CI is set.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from airmark import thresholds
from tooling import in_ci, needs

FOLDER = Path(__file__).with_name("micropython")
sys.path.insert(0, str(FOLDER))

import interpreters  # noqa: E402
import listening_cost  # noqa: E402

TOOLS = (
    *("make", "dpkg-source", "arm-none-eabi-gcc", "qemu-system-arm", "riscv64-unknown-elf-gcc", "qemu-system-riscv32"),
    "micropython",
)
EXAMPLES = sorted((interpreters.GLUE / "examples").glob("*.py"))

pytestmark = needs(*TOOLS, extras="emulators micropython")


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    try:
        interpreters.build()
    except interpreters.RunError as error:
        if "boards/micropython/get: " in str(error) and not in_ci():
            pytest.skip(f"no source of MicroPython: {error}")
        raise


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return interpreters.files(tmp_path_factory.mktemp("device") / "files")


@cache
def unix(*arguments: str | Path, cwd: Path | None = None) -> str:
    """What MicroPython for this computer prints, the module inside."""
    environment = os.environ | {"MICROPYPATH": ".frozen"}
    return interpreters.run([interpreters.BUILD / "unix/micropython", *arguments], 60, env=environment, cwd=cwd)


@pytest.mark.parametrize("interpreter", interpreters.INTERPRETERS, ids=str)
def test_every_interpreter_gives_the_bits_of_the_host(interpreter: interpreters.Interpreter, files: Path):
    text, passed, failed, _ = interpreter.result(files)
    assert not failed, text
    vectors = json.loads((files / "vectors/index.json").read_text())["cases"]
    assert text.count("ok vector ") == len(vectors)
    # Some are of a device only, and one of an interpreter without a lock for its threads.
    others = {"CPython": 20, interpreters.STOCK: 27}.get(interpreter.name, 26)
    assert passed == len(vectors) + others


def test_a_difference_is_told(files: Path, tmp_path: Path):
    """A vector that is not what comes out, a clip with one score changed, and a crash, are failures."""
    other = tmp_path / "files"
    shutil.copytree(files, other)
    vector = ("vectors/mark.json", '"score_q8": 3127', '"score_q8": 3128')
    for name, old, new in (vector, ("clip.json", "[[160", "[[161")):
        text = (other / name).read_text()
        assert old in text
        (other / name).write_text(text.replace(old, new))
    (unix_inside,) = (one for one in interpreters.INTERPRETERS if one.name == "unix")
    text, _, failed, _ = unix_inside.result(other)
    assert "\nnot ok clip\n" in text
    assert "not ok vector mark.json\n" in text
    assert failed > 2
    (other / "clip.json").write_text("{")
    assert unix_inside.result(other)[2] > 0


def test_all_names_of_the_package_mean_the_same():
    """What the stub has is there, and on the host too but for what it says is a device's only."""
    import airmark

    stub = ast.parse((interpreters.GLUE / "airmark.pyi").read_text())
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    names = {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)} | {"AirmarkError"} | set(classes)
    assert {name for name in names if not hasattr(airmark, name)} == {"MAX_KEYS"}
    on_device = unix("-c", f"import airmark\nfor name in {sorted(names)}: getattr(airmark, name)\nprint(dir(airmark))")
    assert set(ast.literal_eval(on_device)) - names <= {"__name__", "__class__", "__dict__"}
    for name in ("Detector", "Detection", "Gate", "Answer", "Word", "GateConfig"):
        public = {
            getattr(node, "name", None) or node.target.id
            for node in classes[name].body
            if isinstance(node, (ast.FunctionDef, ast.AnnAssign))
        } - {"__init__"}
        host = getattr(airmark, name)
        instances = {"Detector": {"keys", "rate", "threshold", "engine", "first_sample"}}
        fields = getattr(host, "__dataclass_fields__", {})
        missing = {one for one in public if not hasattr(host, one) and one not in fields}
        assert missing == instances.get(name, set())
        assert not {field for field in fields if field not in public}


def test_the_default_thresholds_are_those_of_the_host():
    glue = (interpreters.GLUE / "modairmark.c").read_text()
    (table,) = re.findall(r"one_a_year_q8\[\] = \{\s*AIRMARK_DEFAULT_THRESHOLD_Q8, ([\d,\s]*)\}", glue)
    numbers = [int(number) for number in re.findall(r"\d+", table)]
    assert len(numbers) == 15
    for keys, number in enumerate(numbers, 2):
        assert number == -(-thresholds.threshold(thresholds.ONE_A_YEAR, keys, "c") * 256 // 1)
    (most,) = re.findall(r"#if AIRMARK_MAX_KEYS > (\d+)\n#error", glue)
    assert int(most) == len(numbers) + 1


# Types

STUBS = "1.29.0.post1"
PLANTED = {
    "detector = airmark.Detector([key], 16000, 6.5)": 'Too many positional arguments for "Detector"',
    'detector.process("text")': 'has incompatible type "str"',
    "detector.process(buffer)[0].scoer": '"Detection" has no attribute "scoer"',
    "airmark.Gate(16000)": 'incompatible type "int"; expected "GateConfig"',
    "Pin(3, Pin.OUTT)": 'has no attribute "OUTT"',
    "I2S(0, sck=Pin(1), ws=Pin(2), sd=Pin(3), mode=I2S.RX, bits=16, format=I2S.MONO, rate=16000)": '"ibuf"',
}


@pytest.mark.parametrize("port", ["esp32", "rp2", "stm32"])
def test_examples_fit_the_published_stubs_and_planted_mistakes_are_caught(port: str, tmp_path: Path):
    stubs = interpreters.BUILD / f"stubs/{port}-{STUBS}"
    with interpreters.alone():
        if not stubs.exists():
            part = tmp_path / "stubs"
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", part]
            interpreters.run([*pip, f"micropython-{port}-stubs=={STUBS}"])
            shutil.copytree(part, stubs, dirs_exist_ok=True)
    mypy = [sys.executable, "-m", "mypy", "--config-file", interpreters.GLUE / "mypy.ini"]
    mypy += ["--custom-typeshed-dir", stubs, "--cache-dir", tmp_path / "cache", "--scripts-are-modules"]
    environment = os.environ | {"MYPYPATH": f"{stubs}:{interpreters.GLUE}"}
    scripts = [*EXAMPLES, interpreters.GLUE / "airmark_helpers.py"]
    assert "no issues found in 5 source files" in interpreters.run([*mypy, *scripts], env=environment)
    bad = tmp_path / "bad.py"
    start = "import airmark\nfrom machine import I2S, Pin\nkey = airmark.Key.load('k')\nbuffer = bytearray(9)\n"
    bad.write_text(start + "detector = airmark.Detector([key])\n" + "\n".join(PLANTED) + "\n")
    done = subprocess.run([*mypy, bad], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    for line, words in enumerate(PLANTED.values(), 6):
        assert re.search(rf"^.*bad\.py:{line}: error: .*{re.escape(words)}", done.stdout, re.MULTILINE), done.stdout


# Examples


def example(name: str, files: Path, folder: Path, platform: str, *more: str) -> str:
    for needed in ("secret.json", "clip.pcm"):
        shutil.copyfile(files / needed, folder / needed)
    script = interpreters.GLUE / f"examples/{name}.py"
    printed = unix(FOLDER / "standin/run_example.py", script, platform, *more, cwd=folder)
    assert printed.endswith("over\n")
    return printed


@pytest.mark.parametrize(
    "platform",
    ["esp32: Generic module with ESP32", "esp32: Generic module with ESP32C3", "rp2: Raspberry Pi Pico with RP2040"],
)
def test_examples_find_the_mark(platform: str, files: Path, tmp_path: Path):
    """Run with stand-ins for the microphone and pins; the answers are those of the integer model."""
    clip = json.loads((files / "clip.json").read_text())
    ((sample, score, drift, *_),) = clip["detections"]
    led = {"esp32": 2, "rp2": "LED"}[platform.split(":")[0]]
    lit = example("second_screen", files, tmp_path, platform)
    assert re.search(rf"^Detection\(sample={clip['early'][0][0]}, .* early=True\)\npin {led} 1 at ", lit, re.MULTILINE)
    example("log_detections", files, tmp_path, platform)
    wanted = f"{sample},{sample // 16_000},{score / 256},{drift / 16}\n"
    assert (tmp_path / "detections.csv").read_text() == wanted
    # Pressed within the mark, after it was told; and pressed a second after it began, too early to know.
    assert "part of a broadcast" in example("wake_gate", files, tmp_path, platform, "40000")
    assert f"awake 25280\npin {led} 1" in example("wake_gate", files, tmp_path, platform, "17000")


def test_one_script_runs_on_both(files: Path, tmp_path: Path):
    script = interpreters.GLUE / "examples/file.py"
    arguments = [script, files / "secret.json", tmp_path / "clip.wav"]
    soundfile.write(arguments[-1], np.frombuffer((files / "clip.pcm").read_bytes(), "<i2"), 16_000)
    on_host = interpreters.run([sys.executable, *arguments])
    assert on_host == unix(*arguments)
    ((sample, score, *_),) = json.loads((files / "clip.json").read_text())["detections"]
    assert on_host.split()[:2] == [str(sample), str(score / 256)]


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WAV file of these chunks; one of an odd length is padded."""
    body = b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def form(
    code: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, more: bytes = b""
) -> tuple[bytes, bytes]:
    frame = channels * bits // 8
    return b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits) + more


EXTENSIBLE = struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
BOTH = [[sys.executable], [str(interpreters.BUILD / "unix/micropython")]]


@pytest.mark.parametrize("interpreter", BOTH, ids=["host", "unix"])
def test_the_script_reads_any_wav_file_of_16_bits(interpreter: list[str], files: Path, tmp_path: Path):
    pcm = (files / "clip.pcm").read_bytes()
    other = (b"LIST", b"INFOISFT\x05\0\0\0Lavf")  # of an odd length
    after = (b"LIST", pcm)  # no sound, whatever it holds
    (tmp_path / "plain.wav").write_bytes(riff(form(), (b"data", pcm)))
    (tmp_path / "chunks.wav").write_bytes(riff(other, form(), other, (b"data", pcm), after))
    (tmp_path / "extensible.wav").write_bytes(riff(form(0xFFFE, more=EXTENSIBLE), (b"data", pcm)))
    piped = riff(form(), (b"data", pcm)).replace(b"data" + struct.pack("<I", len(pcm)), b"data\xff\xff\xff\xff")
    (tmp_path / "piped.wav").write_bytes(piped + b"\0")
    said = {
        path.name: interpreters.run([*interpreter, interpreters.GLUE / "examples/file.py", files / "secret.json", path])
        for path in tmp_path.glob("*.wav")
    }
    assert len(said) == 4
    assert set(said.values()) == {said["plain.wav"]}
    assert said["plain.wav"].count("\n") == 1


@pytest.mark.parametrize("interpreter", BOTH, ids=["host", "unix"])
def test_the_script_refuses_what_is_no_such_file(interpreter: list[str], files: Path, tmp_path: Path):
    shutil.copyfile(files / "secret.json", tmp_path / "key.json")
    sound = (b"data", bytes(2000))
    wanted = "give PCM of one channel and 16 bits"
    refused = {
        "stereo.wav": (riff(form(channels=2), sound), f"has channels: 2, bits: 16; {wanted}"),
        "24.wav": (riff(form(bits=24), sound), f"has channels: 1, bits: 24; {wanted}"),
        "float.wav": (riff(form(3, bits=32), sound), f"has format 3, channels: 1, bits: 32; {wanted}"),
        "rate.wav": (riff(form(rate=11), sound), ""),
        "mono.flac": (b"fLaC" + bytes(100), "is not a WAV file"),
        "empty.wav": (b"", "is not a WAV file"),
        "silent.wav": (riff(form()), "is a broken WAV file: there is no sound in it"),
        "bare.wav": (riff(sound), "is a broken WAV file: no format comes before the sound"),
        "nothing.wav": (riff(form(), (b"data", b"")), "is a broken WAV file: there is no sound in it"),
        "pipe.wav": (riff(form()) + b"data\xff\xff\xff\xff", "is a broken WAV file: there is no sound in it"),
        "short.wav": (riff(form(), sound)[:-1001], "is cut short: 1001 of 2000 bytes of sound are missing"),
        "cut.wav": (riff(form(), sound)[:30], "is a broken WAV file: its format is cut off"),
    }
    for name, (content, _) in refused.items():
        (tmp_path / name).write_bytes(content)
    cases = [(["key.json", name], f"{name} {said}" if said else "rate") for name, (_, said) in refused.items()]
    cases += [([], "give a key file and a WAV file"), (["key.json", "none.wav"], "none.wav: cannot read it")]
    cases += [(["none.json", "silent.wav"], "silent.wav"), (["mono.flac", "24.wav"], "24.wav has")]
    (tmp_path / "good.wav").write_bytes(riff(form(), sound))
    cases += [(["none.json", "good.wav"], "none.json: cannot read the key"), (["good.wav", "good.wav"], "good.wav")]
    for names, said in cases:
        command = [*interpreter, interpreters.GLUE / "examples/file.py", *names]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (2, ""), (names, done.stderr)
        assert done.stdout.startswith("file.py: ")
        assert said in done.stdout
        assert done.stdout.count("\n") == 1


# Firmware and packages


@pytest.mark.parametrize(("port", "board"), [("esp32", "AIRMARK_ESP32_S3"), ("rp2", "AIRMARK_PICO")])
def test_boards_have_the_module_inside(port: str, board: str, tmp_path: Path):
    """The vendors' kits are not here: what the definition names is compiled for this computer, and frozen."""
    (tmp_path / "boards").symlink_to(interpreters.source() / f"ports/{port}/boards")
    definition, source = interpreters.GLUE / "board" / board, interpreters.source()
    (tmp_path / "CMakeLists.txt").write_text(
        f"""cmake_minimum_required(VERSION 3.18)
        project(firmware C)
        include("{definition}/mpconfigboard.cmake")
        include("{source}/py/usermod.cmake")
        add_library(firmware OBJECT ${{MICROPY_SOURCE_USERMOD}})
        target_link_libraries(firmware PRIVATE usermod)
        target_include_directories(firmware PRIVATE "{source}" "{source}/ports/unix" "{interpreters.BUILD}/unix"
                                   "{source}/ports/unix/variants/standard")
        target_compile_options(firmware PRIVATE -Wall -Wextra -Werror -Wno-unused-parameter)
        file(WRITE "${{CMAKE_BINARY_DIR}}/manifest" "${{MICROPY_FROZEN_MANIFEST}}")
        """
    )
    cmake = Path(sys.executable).with_name("cmake")
    interpreters.run([cmake if cmake.exists() else "cmake", "-S", tmp_path, "-B", tmp_path / "build"])
    interpreters.run([cmake if cmake.exists() else "cmake", "--build", tmp_path / "build"])
    objects = {path.name for path in (tmp_path / "build").rglob("*.o")}
    sources = {path.name for path in (interpreters.ROOT / "firmware/lib/airmark/src").glob("*.c")} | {"modairmark.c"}
    assert objects == {f"{name}.o" for name in sources}

    (tmp_path / "port/boards").mkdir(parents=True)
    (tmp_path / "port/boards/manifest.py").write_text("")
    tell = (
        f"import sys; sys.path.insert(0, {str(source / 'tools')!r})\n"
        "from manifestfile import MODE_FREEZE, ManifestFile\n"
        f"paths = {{'PORT_DIR': {str(tmp_path / 'port')!r}, 'MPY_DIR': '/', 'MPY_LIB_DIR': ''}}\n"
        "manifest = ManifestFile(MODE_FREEZE, paths)\n"
        f"manifest.execute({(tmp_path / 'build/manifest').read_text()!r})\n"
        "print([file.target_path for file in manifest.files()])"
    )
    assert interpreters.run([sys.executable, "-c", tell]) == "['airmark_helpers.py']\n"
    header = tmp_path / "header.c"
    header.write_text(f'#include "{definition}/mpconfigboard.h"\nchar name[] = MICROPY_HW_BOARD_NAME;\n')
    assert "with airmark" in interpreters.run(["cc", "-E", f"-I{tmp_path}", header])


def test_mpremote_installs_what_the_packages_name(tmp_path: Path):
    """By the installer's own code, with a folder in the device's place."""
    from mpremote import mip

    class Device:
        def fs_exists(self, path: str) -> bool:
            return True

        def fs_writefile(self, path: str, data: bytes, progress_callback: object = None) -> None:
            (tmp_path / Path(path).name).write_bytes(data)

    dist = interpreters.package("armv6m")
    for package in (interpreters.GLUE, dist):
        mip._install_json(Device(), str(package / "package.json"), "", "/lib", None, True)
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"airmark.mpy", "airmark_helpers.py", "second_screen.py", "log_detections.py", "wake_gate.py"}
    # Version 6, and the architecture as MicroPython encodes it.
    header = (tmp_path / "airmark.mpy").read_bytes()[:3]
    assert (header[:2], header[2] >> 2) == (b"M\x06", 4)


# Cost


def test_listening_costs_little_more_than_in_c():
    found = listening_cost.figures()
    assert found.pop("heap")["bytes"] < 13_000
    assert len(found) == 2
    for ways in found.values():
        for way in ("module inside", ".mpy"):
            assert 1.0 < ways[way] / ways["C"] < 1.06, found


# A new user


def test_the_readme_leads_to_a_first_detection(tmp_path: Path):
    """The commands of "First detection" as they stand there, with the interpreter from PyPI and the x64 .mpy."""
    readme = (interpreters.GLUE / "README.md").read_text()
    (commands,) = re.findall(r"^## First detection.*?\n```sh\n(.*?)```", readme, re.DOTALL | re.MULTILINE)
    # In the clone, but for what it writes.
    script = "set -e\n" + commands.replace("build/first", str(tmp_path / "first"))
    script = re.sub(r"^reference/install .*$", ":", script, flags=re.MULTILINE)
    printed = interpreters.run(["bash", "-c", script], cwd=interpreters.ROOT)
    (shown,) = re.findall(r"^```text\n(.*?)```", readme, re.DOTALL | re.MULTILINE)
    put = 3 * 44_100
    for line in (printed.strip().splitlines()[-1], shown):
        sample, score, drift, key = line.split()
        # The way in the room, and up to two hops.
        assert 0 < int(sample) - put < 257 + 2 * 706, printed
        assert float(score) >= 6.37, printed
        assert (abs(float(drift)) < 10, key) == (True, "0"), printed
