"""The program `detector`: real audio through rooms and emulated cores, its lines those of the host; gaps; its keys.

Skipped where a cross compiler or an emulator is missing, unless the environment variable CI is set. Where AIRMARK_AUDIO
names a folder of recordings, some of those are played to it too.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from airmark.assets import data_path, manifest
from airmark.channel import SMALL_LOUDSPEAKER_HZ, Channel
from airmark.commands.export import header
from airmark.detector import FLUSH_FRAMES
from airmark.embedder import embed
from airmark.fixed import vectors
from airmark.fixed.detector import RawDetection, key_columns
from airmark.native import NativeDetector, version
from airmark.profile import profile
from cores import CORES, LIBRARY, PORT, ROOT, Build, NotRunError, emulated, run
from programs import DEMO_KEY, Pcm, demo_key
from programs import scripted_with as raw_scripted_with

FOLDER = os.environ.get("AIRMARK_AUDIO")
PROGRAM = ROOT / "firmware/src/detector.c"
RATE = 16_000
THRESHOLD = 1632
"""AIRMARK_DEFAULT_THRESHOLD_Q8."""
MARK = profile().mark_samples
DECIDED = FLUSH_FRAMES * profile().hop
"""Samples after which the detector has decided on all it heard."""
ON = ("m0", "m4", "m33", "m55", "rv32imc")
RECORDINGS = (
    "speech/libri_F_2007_2817.flac",
    "speech/libri_M_6836_7278.flac",
    "music/vibeace_0.flac",
    "music/brahms_0.flac",
)
WAYS = (
    Channel(loudspeaker_hz=SMALL_LOUDSPEAKER_HZ, distance_m=1.5, rt60_s=0.3),
    Channel(loudspeaker_hz=SMALL_LOUDSPEAKER_HZ, distance_m=3.0, rt60_s=0.4, noise="pink", snr_db=20.0, drift_ppm=80.0),
)
MORE = 8
"""Recordings of AIRMARK_AUDIO."""


# Sound


def pcm(samples: NDArray[np.floating]) -> Pcm:
    return np.rint(np.clip(samples * 2**15, -(2**15), 2**15 - 1)).astype("<i2")


@cache
def sounds() -> dict[str, tuple[Pcm, list[int]]]:
    """What the microphone hears, and where the marks begin in it."""
    top = Path(FOLDER) if FOLDER else data_path()
    paths = [data_path(name) for name in RECORDINGS]
    if FOLDER:
        rows = [row for row in manifest(top) if row["kind"] in ("speech", "music") and row["rate"] == str(RATE)]
        paths += [top / row["path"] for row in rows[:: max(1, len(rows) // MORE)]]
    found = {}
    for i, path in enumerate(paths):
        host, rate = soundfile.read(path, stop=8 * RATE, always_2d=True)
        assert rate == RATE
        host = host.mean(axis=1)
        # The last mark ends half a second before the sound does.
        at = [0.5, 3.3, len(host) / RATE - MARK / RATE - 0.5]
        at = at if at[2] - at[1] > 2.1 else [at[0], at[2]]
        marked = embed(host, RATE, demo_key(), at=at, strength=-14, judge=False)
        way = WAYS[i % len(WAYS)]
        heard = way.apply(marked.samples[:, 0], RATE, seed=i)
        places = [round(heard.place(mark.sample)) for mark in marked.marks]
        found[f"{path.stem}, marked"] = pcm(heard.samples), places
        found[path.stem] = pcm(way.apply(host, RATE, seed=i).samples), []
    return found


# What the program should say


def rounded(value: int, unit: int, places: int) -> str:
    scaled = (abs(value) * 10**places + unit // 2) // unit
    return f"{'-' * (value < 0)}{scaled // 10**places}.{scaled % 10**places:0{places}}"


def line(d: RawDetection) -> str:
    place = f"sample={d.sample} seconds={rounded(d.sample, RATE, 3)}"
    scale = f"score={rounded(d.score_q8, 256, 3)} drift_ppm={rounded(d.drift_ppm_q4, 16, 2)}"
    return f"detection {place} {scale} key={d.key} early={d.early:d}"


def host_detector(first_sample: int = 0, early: bool = False) -> NativeDetector:
    columns = [key_columns(demo_key())]
    return NativeDetector(columns, RATE, early=early, threshold_q8=THRESHOLD, first_sample=first_sample)


def title() -> str:
    return f"detector airmark={version()} rate={RATE} keys=1 threshold={rounded(THRESHOLD, 256, 3)}"


def end(samples: int, lost: int = 0, dropped: int = 0) -> str:
    return f"end samples={samples} lost={lost} dropped={dropped}"


def without_lamp(said: str) -> list[str]:
    lines = said.splitlines()
    lamp = [line for line in lines if line.startswith("led ")]
    assert lamp == ["led on", "led off"] * (len(lamp) // 2) + ["led on"] * (len(lamp) % 2)
    return [line for line in lines if not line.startswith("led ")]


def heard_to_the_end(detector: NativeDetector, samples: Pcm) -> list[str]:
    """The lines of detections, with what is told in the silence behind the sound."""
    return [line(d) for d in detector.push(np.append(samples, np.zeros(DECIDED, np.int16)))]


def expected(samples: Pcm, early: bool = False) -> list[str]:
    return [title(), *heard_to_the_end(host_detector(early=early), samples), end(len(samples))]


# Emulated cores


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Callable[[Pcm], list[str]]]:
    """What gives, for a core and macros, what runs the program there and gives the lines it writes."""
    return cache(lambda *setting: built(tmp_path_factory.mktemp(setting[0]), *setting))


def built(folder: Path, core: str, *macros: str) -> Callable[[Pcm], list[str]]:
    build = Build(CORES[core], ('DETECTOR_KEYS="demo_key.h"', *macros), folder)
    ports = [PORT / name for name in ("emulated.c", "emulated_audio.c", "emulated_timer.c")]
    elf = build.link("detector.elf", PROGRAM, *ports, LIBRARY / "airmark_fifo.c", *build.objects)

    def said(samples: Pcm, *options: str) -> list[str]:
        (folder / "input").write_bytes(samples.tobytes())
        return without_lamp(run(build.core.command(elf, *options), cwd=folder, timeout=120))

    return said


def test_marks_are_found_in_these_sounds_and_nothing_where_there_are_none():
    total = missed = 0
    for samples, places in sounds().values():
        found = [d.sample for d in host_detector().push(samples)]
        near = {place for place in places for sample in found if abs(sample - place) < 1024}
        assert len(found) == len(near)
        total += len(places)
        missed += len(places) - len(near)
    assert total >= 9
    assert missed <= total // 4


@emulated
@pytest.mark.parametrize("core", ON)
def test_says_what_the_host_says(program, core: str):
    said = program(core)
    for name, (samples, _) in sounds().items():
        assert said(samples) == expected(samples), name


@emulated
def test_says_early_what_the_host_says(program):
    said = program("m4", "DETECTOR_EARLY=1")
    samples = np.concatenate([samples for samples, places in sounds().values() if places][:2])
    lines = expected(samples, early=True)
    assert any(line.endswith("early=1") for line in lines)
    assert said(samples) == lines


@emulated
@pytest.mark.parametrize("length", [0, 1, 159, 160, 161, 511])
def test_short_files_end(program, length: int):
    samples = np.arange(length, dtype="<i2")
    assert program("rv32imc")(samples) == expected(samples)


# A microphone that does not wait: a block of 10 ms comes every 205,000 ticks of 16 MHz. An instruction takes 2^shift
# ns: shift 6 makes a core of 20 million instructions a second.
PACED = ("m0", "PORT_AUDIO_TICKS=205000")


@emulated
def test_a_slow_core_keeps_up(program):
    samples, _ = music()
    assert program(*PACED)(samples, "-icount", "shift=6,sleep=off") == expected(samples)


@emulated
def test_a_core_that_is_too_slow_tells_what_it_lost(program):
    samples, _ = music()
    lines = program(*PACED)(samples, "-icount", "shift=7,sleep=off")
    gaps = [list(map(int, re.findall(r"\d+", said))) for said in lines if said.startswith("lost")]
    heard = samples.copy()
    for at, count in gaps:
        assert count <= DECIDED
        heard[at : at + count] = 0
    lost = sum(count for _, count in gaps)
    assert len(gaps) > 5
    assert 5000 < lost < len(samples) - 5000
    told = heard_to_the_end(host_detector(), heard)
    assert told
    assert [said for said in lines if said.startswith("detection")] == told
    assert lines[-1].startswith(f"end samples={len(samples)} lost={lost} ")


@emulated
@pytest.mark.parametrize(("core", "ticks"), [("m4", 250_000), ("rv32imc", 100_000)])
def test_the_core_sleeps_between_blocks(program, core: str, ticks: int):
    # A block each 10 ms of this computer's time. An emulator whose core is awake takes all of it.
    samples = music()[0][: 3 * RATE]
    paced = program(core, f"PORT_AUDIO_TICKS={ticks}")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    lines = paced(samples)
    after, took = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    assert lines[-1].startswith(f"end samples={len(samples)} ")
    assert took > 2.9
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5


@emulated
@pytest.mark.parametrize(
    ("begin", "why"),
    [
        (None, r'^no file "input" in this folder: 16-bit samples of 16 kHz, one channel, no header, as .*\n\Z'),
        (b"RIFF", r'^the file "input" has a header: wanted are 16-bit samples of 16 kHz, .*\n\Z'),
    ],
)
def test_a_file_that_is_missing_or_has_a_header_is_refused(tmp_path: Path, begin: bytes | None, why: str):
    for core in ("m4", "rv32imc"):
        folder = tmp_path / core
        folder.mkdir()
        built(folder, core)
        if begin:
            (folder / "input").write_bytes(begin + bytes(1000))
        command = CORES[core].command(folder / "detector.elf")
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (2, "")
        assert re.search(why, done.stdout)


def on_host(folder: Path) -> Path:
    program = folder / "detector"
    run(["gcc", *FOR_HOST, PROGRAM, PORT / "host.c", *sorted(LIBRARY.glob("*.c")), "-o", program])
    return program


def test_the_host_refuses_what_is_no_sound(tmp_path: Path):
    command = ["sh", "-c", f"exec '{on_host(tmp_path)}' \"$@\"", "sh"]
    (tmp_path / "byte").write_bytes(b"\0")
    for given, why in {
        "</dev/null": "has no sound",
        f"<{tmp_path}/byte": "has no sound",
        f"<{tmp_path}": "cannot be read: Is a directory",
        "<&-": "cannot be read: Bad file descriptor",
    }.items():
        shell = [*command[:2], f"{command[2]} {given}", *command[3:]]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), given
        assert done.stderr.startswith(f"standard input {why}: wanted are 16-bit samples of 16 kHz, "), done.stderr


def test_the_host_tells_where_sound_cannot_be_read_any_more(tmp_path: Path):
    """From a connection that the other side resets."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as ours:
        ours.connect(server.getsockname())
        its, _ = server.accept()
        pipes = {"stdin": its, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with its, subprocess.Popen([on_host(tmp_path)], text=True, **pipes) as process:
            ours.sendall(bytes(2_000))
            assert process.stdout.readline() == f"{title()}\n"
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ours.close()
            out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error.count("\n")) == (2, "", 1)
    assert error.startswith("standard input cannot be read: Connection reset by peer: wanted are 16-bit samples ")


def test_the_host_refuses_sound_with_a_header(tmp_path: Path):
    program = on_host(tmp_path)

    def says(sound: bytes) -> tuple[int, str, str]:
        done = subprocess.run([program], input=sound, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    for begin in (b"RIFF", b"RF64", b"fLaC", b"OggS"):
        status, out, error = says(begin + bytes(1000))
        assert (status, out, error.count("\n")) == (2, "", 1)
        assert error.startswith("standard input has a header: wanted are 16-bit samples of 16 kHz, ")
    for sound in (b"RI", b"\0\0RIFF"):
        status, out, error = says(sound)
        assert (status, error, out.splitlines()[-1]) == (0, "", end(len(sound) // 2))


def test_lines_hold_all_of_a_detection():
    # 1/256 and 1/16 can be had back from the places that are printed.
    for value in (*range(-3000, 3000), 2**31 - 1, -(2**31)):
        assert round(float(rounded(value, 256, 3)) * 256) == value
        assert round(float(rounded(value, 16, 2)) * 16) == value


# Gaps, on this computer


FOR_HOST = ("-std=c99", "-O1", f"-I{LIBRARY}", f"-I{PORT}", '-DDETECTOR_KEYS="demo_key.h"')
Scripted = Callable[[list[Pcm | int]], list[str]]


def scripted_with(folder: Path, *macros: str) -> Scripted:
    """What runs the program with a port that does as it is told, and gives its lines."""
    said = raw_scripted_with(PROGRAM, folder, *macros)
    return lambda parts: without_lamp(said(parts))


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Scripted:
    return scripted_with(tmp_path_factory.mktemp("scripted"), 'DETECTOR_KEYS="demo_key.h"')


def test_programs_of_one_folder_are_kept_apart(tmp_path: Path):
    keys = 'DETECTOR_KEYS="demo_key.h"'
    first, second = scripted_with(tmp_path, keys), scripted_with(tmp_path, keys, "DETECTOR_THRESHOLD_Q8=2048")
    assert (first([])[0], second([])[0].split()[-1]) == (title(), "threshold=8.000")


def music() -> tuple[Pcm, list[int]]:
    (found,) = (sound for name, sound in sounds().items() if name == "vibeace_0, marked")
    return found


def test_a_mark_that_ends_with_the_sound_is_told(scripted):
    samples, places = music()
    samples = samples[: places[-1] + MARK]
    assert len(host_detector().push(samples)) == len(places) - 1
    lines = scripted([samples])
    assert lines == expected(samples)
    assert sum(said.startswith("detection") for said in lines) == len(places)


def test_blocks_of_any_length(scripted):
    samples, _ = music()
    cuts = np.sort(np.random.default_rng(1).integers(0, len(samples), 50))
    assert scripted(list(np.split(samples, cuts))) == expected(samples)


@pytest.mark.parametrize("lost", [1, 160, 3000, DECIDED])
def test_zeros_stand_for_a_gap(scripted, lost: int):
    samples, places = music()
    cut = places[0] + MARK // 2
    after = samples[cut + lost :]
    whole = np.concatenate([samples[:cut], np.zeros(lost, np.int16), after])
    told = heard_to_the_end(host_detector(), whole)
    lines = scripted([samples[:cut], lost, after])
    assert [said for said in lines if said.startswith("detection")] == told
    assert lines[1] == f"lost sample={cut} count={lost}"
    assert lines[-1] == end(len(whole), lost)
    if lost <= 3000:  # the mark is found all the same
        assert len(told) == len(host_detector().push(samples))


@pytest.mark.parametrize("lost", [DECIDED + 1, 1_000_000, 2**32 - 1])
def test_after_a_long_gap_it_begins_anew(scripted, lost: int):
    samples, places = music()
    cut = places[0] + MARK + 100  # what the detector has heard, but not decided on
    before = heard_to_the_end(host_detector(), samples[:cut])
    assert before
    again = cut + lost
    after = heard_to_the_end(host_detector(again), samples)
    assert after
    lines = scripted([samples[:cut], lost, samples])
    assert lines[1] == f"lost sample={cut} count={lost}"
    assert lines[2:-1] == [*before, *after]
    assert lines[-1] == end(again + len(samples), lost)


def test_gaps_add_up(scripted):
    samples, _ = music()
    parts: list[Pcm | int] = []
    for a, b in pairwise(range(0, 60_000, 10_000)):
        parts += [samples[a:b], 50_000]
    lines = scripted(parts)
    assert [said for said in lines if said.startswith("lost")] == [
        f"lost sample={10_000 + 60_000 * i} count=50000" for i in range(5)
    ]
    assert lines[-1] == end(300_000, 250_000)


def test_dropped_candidates_are_counted_over_all(tmp_path: Path):
    (case,) = (case for case in vectors.cases() if case.name == "equals")
    keys = ", ".join("{{" + ", ".join(f"{word:#x}" for word in columns) + "}}" for columns in case.keys)
    (tmp_path / "eight.h").write_text(
        f"static const airmark_key_t airmark_keys[{len(case.keys)}] = {{{keys}}};\n", "utf-8"
    )
    macros = ("AIRMARK_MAX_KEYS=8", "DETECTOR_EARLY=1", f"DETECTOR_THRESHOLD_Q8={case.threshold_q8}")
    said = scripted_with(tmp_path, f'DETECTOR_KEYS="{tmp_path / "eight.h"}"', *macros)
    detector = NativeDetector(case.keys, RATE, early=True, threshold_q8=case.threshold_q8)
    samples = case.samples().astype("<i2")
    told = heard_to_the_end(detector, samples)
    assert told
    assert detector.dropped > 0
    lines = said([samples])
    assert [said for said in lines if said.startswith("detection")] == told
    assert lines[-1] == end(len(samples), 0, detector.dropped)
    # Begun anew after a long gap, it goes on counting.
    lines = said([samples, 2**20, samples])
    counts = [int(said.removeprefix("dropped count=")) for said in lines if said.startswith("dropped")]
    assert counts == sorted(set(counts))
    assert lines[-1] == end(2 * len(samples) + 2**20, 2**20, counts[-1])
    assert counts[-1] >= 2 * detector.dropped


# Keys


def copy_of(program: Path, folder: Path) -> Path:
    """The program somewhere else, with what it includes of its folder, but for the keys."""
    for path in (program, *map(program.with_name, ("line.h", "stream.h", "detector_keys.h"))):
        shutil.copy(path, folder)
    return folder / program.name


def check(program: Path, *options: str) -> None:
    """Let the compiler read it."""
    run(["gcc", "-std=c99", "-fsyntax-only", f"-I{LIBRARY}", f"-I{PORT}", *options, program])


@pytest.mark.parametrize("program", [PROGRAM, PROGRAM.with_name("headset.c")], ids=lambda path: path.stem)
@pytest.mark.parametrize("options", [(), ('-DDETECTOR_KEYS="mine.h"',)], ids=["keys.h", "DETECTOR_KEYS"])
def test_a_missing_key_is_told_with_what_makes_it(program: Path, options: tuple[str, ...], tmp_path: Path):
    wanted = r"keys.h, or what DETECTOR_KEYS names, is not on the include path: 'airmark export KEY.json keys.h'"
    with pytest.raises(NotRunError, match=wanted) as told:
        check(copy_of(program, tmp_path), *options)
    assert "fatal error" not in str(told.value)


@pytest.mark.parametrize("threshold", [255, 65_536])
def test_a_threshold_out_of_range_does_not_compile(threshold: int):
    with pytest.raises(NotRunError, match="DETECTOR_THRESHOLD_Q8 is a score in 1/256, 256 to 65535"):
        check(PROGRAM, '-DDETECTOR_KEYS="demo_key.h"', f"-DDETECTOR_THRESHOLD_Q8={threshold}")


def test_takes_the_header_that_export_writes(tmp_path: Path):
    program = copy_of(PROGRAM, tmp_path)
    (tmp_path / "keys.h").write_text(header([demo_key()]), "utf-8")
    check(program, "-Wall", "-Wextra", "-Werror")
    (tmp_path / "keys.h").rename(tmp_path / "other.h")
    check(program, '-DDETECTOR_KEYS="other.h"')


def test_the_key_that_ships_is_public_and_whole():
    text = DEMO_KEY.read_text("utf-8")
    assert text.startswith("/*\n * PUBLIC")
    assert "SECRET" not in text
    assert f"fingerprint {demo_key().fingerprint} " in text
