"""The C detector in Python: how it is built, what it refuses, how it reads sound, its state, and threads."""

from __future__ import annotations

import copy
import gc
import importlib
import pickle
import re
import shutil
import subprocess
import sys
import threading
import time
import tracemalloc
from functools import cache
from itertools import islice
from pathlib import Path
from types import ModuleType

import cffi
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import airmark
from airmark import fixed, keysearch, native
from airmark.assets import data_path
from airmark.embedder import embed
from airmark.errors import AirmarkError
from airmark.fixed.detector import RawDetection, key_columns
from airmark.native import NativeDetector, detections_alone, ffi, lib, numeric_version, version
from airmark.profile import profile
from scripts import script
from tooling import PATH, needs

TOP = Path(__file__).parents[1]
HEADER = TOP / "firmware/lib/airmark/src/airmark.h"
RATE = 16_000
THRESHOLD = 1659

Samples = NDArray[np.int16]


@cache
def columns() -> list[list[int]]:
    """Of two keys."""
    return [key_columns(key) for key in islice(keysearch.Search(profile(), np.random.default_rng(11)).found(), 2)]


@cache
def marked(key: int = 0) -> Samples:
    """Music with a mark at 1 s, 5 s."""
    host, rate = soundfile.read(data_path("music/vibeace_0.flac"), stop=5 * RATE)
    assert rate == RATE
    owner = next(islice(keysearch.Search(profile(), np.random.default_rng(11)).found(), key, None))
    samples = embed(host, rate, owner, at=[1.0], strength=-14, judge=False).samples[:, 0]
    out = np.round(samples * 32767).astype(np.int16)
    out.setflags(write=False)
    return out


def detector(keys: list[list[int]] | None = None, **options) -> NativeDetector:
    return NativeDetector(keys or columns(), RATE, **{"early": False, "threshold_q8": THRESHOLD, **options})


@cache
def found() -> list[RawDetection]:
    """What one whole push of the marked music gives."""
    detections = detector(early=True).push(marked())
    assert detections
    return detections


def generator() -> ModuleType:
    """bindings/generate.py."""
    return script(TOP / "bindings/generate.py")


# What is built


def test_extension_is_compiled_and_installed():
    from airmark import _native

    assert Path(_native.__file__).suffix in (".so", ".pyd")
    assert TOP / "reference" not in Path(_native.__file__).parents


def test_versions_agree():
    project = re.search(r'^version = "(.*)"$', (TOP / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version() == project[1] == airmark.__version__
    specified = re.search(r"^NUMERIC_VERSION (\d+)$", (TOP / "reference/SPEC.md").read_text("utf-8"), re.MULTILINE)
    assert numeric_version() == int(specified[1]) == fixed.NUMERIC_VERSION


def test_room_for_64_keys():
    assert NativeDetector.MAX_KEYS == 64
    room = NativeDetector.STATE_BYTES - 64 * lib.AIRMARK_BYTES_A_KEY
    assert 8_000 < room < 14_000
    keys = np.random.default_rng(4).integers(0, 1 << 32, (64, 4)).tolist()
    together, alone = detector(keys), [detector([key]) for key in keys]
    for piece in np.array_split(marked()[2 * RATE :], 200):
        for d in (together, *alone):
            d.push(piece)
        assert together.score_q8 == max(d.score_q8 for d in alone)


def test_all_that_the_header_declares_is_there():
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text("utf-8"), flags=re.DOTALL)
    functions = re.findall(r"^[\w *]*?\b(airmark_\w+)\([^{}]*?\);", text, re.DOTALL | re.MULTILINE)
    assert {"airmark_init", "airmark_push", "airmark_status_text"} <= set(functions)
    structures = set(re.findall(r"^\} (airmark_\w+);", text, re.MULTILINE))
    assert {"airmark_t", "airmark_config_t", "airmark_detection_t"} <= structures
    constants = re.findall(r"^#define (AIRMARK_\w+) ", text, re.MULTILINE)
    assert {"AIRMARK_MAX_KEYS", "AIRMARK_VERSION"} <= set(constants)
    statuses = re.findall(r"^ +(AIRMARK_\w+) = ", text, re.MULTILINE)
    assert "AIRMARK_BAD_RATE" in statuses
    for name in [*functions, *constants, *statuses]:
        assert hasattr(lib, name), name
    for name in structures:
        assert ffi.sizeof(name) > 0


def test_declarations_follow_the_header():
    text = HEADER.read_text("utf-8")
    new = """
#define AIRMARK_NEW 3 /* of the
new kind */
#ifndef AIRMARK_CHOSEN
#define AIRMARK_CHOSEN 7 // unless the build says so
#endif
typedef struct { uint16_t many[AIRMARK_NEW]; } airmark_new_t;
airmark_status_t airmark_new(const airmark_t *detector,
                             airmark_new_t *out);
"""
    at = text.rindex("#ifdef __cplusplus")
    module = generator()
    assert not re.search(r"\b(u?int\d+_t|size_t|airmark_(?!t\b)\w+)\b", Path(module.__file__).read_text("utf-8"))
    ffi = cffi.FFI()
    declarations = module.declarations(text[:at] + new + text[at:])
    ffi.cdef(declarations)
    assert ffi.sizeof("airmark_new_t") == 6
    assert ffi.typeof("airmark_new_t").fields[0][0] == "many"
    assert re.search(r"airmark_new\(const airmark_t \*detector,\s+airmark_new_t \*out\);", declarations)
    assert "#define AIRMARK_CHOSEN ..." in declarations.splitlines()


def test_without_the_extension_one_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "airmark._native", None)
    monkeypatch.delitem(sys.modules, "airmark.native")
    with pytest.raises(AirmarkError, match=r"^the c engine is missing: .*gcc, libc6-dev and python3-dev") as caught:
        importlib.import_module("airmark.native")
    assert "\n" not in str(caught.value)


@needs("cmake", "ninja", extras="boards")
@pytest.mark.parametrize("cc", [None, "no-such-compiler"])
def test_without_a_compiler_nothing_is_built(tmp_path, cc):
    cmake, build = shutil.which("cmake", path=PATH), tmp_path / "build"
    made_by = [f"-DCMAKE_MAKE_PROGRAM={shutil.which('ninja', path=PATH)}", f"-DPython_EXECUTABLE={sys.executable}"]
    environment = {"PATH": str(tmp_path)} | ({"CC": cc} if cc else {})
    arguments = [cmake, "-G", "Ninja", "-S", str(TOP / "bindings"), "-B", str(build), *made_by]
    configured = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=60)
    assert configured.returncode == 0, configured.stderr
    assert "the c engine is left out, for want of a C compiler" in " ".join(configured.stderr.split())
    subprocess.run([cmake, "--build", str(build)], env=environment, capture_output=True, check=True, timeout=60)
    install = [cmake, "--install", str(build), "--prefix", str(tmp_path / "prefix")]
    subprocess.run(install, env=environment, capture_output=True, check=True, timeout=60)
    assert not list(tmp_path.rglob("_native*"))


# What is refused


@pytest.mark.parametrize(
    ("keys", "rate", "options", "message"),
    [
        ([[1, 2, 3, 4]], 11_025, {}, r"a rate that is not 8000, .* \(given: 11025 Hz"),
        ([[1, 2, 3, 4]], 0, {}, "a rate that is not"),
        ([[1, 2, 3, 4]], -16_000, {}, "takes a rate, from 0 to 4294967295, not -16000"),
        ([[1, 2, 3, 4]], 2**32 + 16_000, {}, "takes a rate"),
        ([[1, 2, 3, 4]], 16_000.0, {}, "takes a rate"),
        ([], RATE, {}, r"no key, more than .* 0 keys of at most 64"),
        ([[1, 2, 3, 4], [1, 2, 3, 0]], RATE, {}, "or one never written"),
        ([[2**32 - 1, 2, 3, 4]], RATE, {}, "or one never written"),
        ([[1, 2, 3, 4]] * 65, RATE, {}, "65 keys of at most 64"),
        ([[1, 2, 3, 4]] * 256, RATE, {}, "256 keys of at most 64"),
        ([[1, 2, 3, 4]] * 257, RATE, {}, "257 keys of at most 64"),
        ([[1, 2, 3, 4], [1, 2, 3]], RATE, {}, "key 1 is not 4 words of 32 bits"),
        ([[1, 2, 3, 4, 5]], RATE, {}, "key 0 is not 4 words of 32 bits"),
        ([[1, 2, 3, -7654321]], RATE, {}, "key 0 is not 4 words of 32 bits"),
        ([[1, 2, 3, 2**32]], RATE, {}, "key 0 is not 4 words of 32 bits"),
        ([[1, 2, 3, 4.0]], RATE, {}, "key 0 is not 4 words of 32 bits"),
        ([7], RATE, {}, "key 0 is not 4 words of 32 bits"),
        ([[1, 2, 3, 4]], RATE, {"threshold_q8": 255}, r"a threshold below a score of 1 .*255/256"),
        ([[1, 2, 3, 4]], RATE, {"threshold_q8": 65_536}, "takes a threshold, in 1/256, from 0 to 65535, not 65536"),
        ([[1, 2, 3, 4]], RATE, {"threshold_q8": 6.48}, "takes a threshold"),
        ([[1, 2, 3, 4]], RATE, {"first_sample": -1}, "takes the first sample's number"),
        ([[1, 2, 3, 4]], RATE, {"first_sample": 2**63}, "takes the first sample's number"),
    ],
)
def test_refuses_in_one_line(keys, rate, options, message):
    with pytest.raises(AirmarkError, match=message) as caught:
        NativeDetector(keys, rate, **{"early": False, "threshold_q8": THRESHOLD, **options})
    assert "\n" not in str(caught.value)
    assert "7654321" not in str(caught.value)
    assert caught.value.__cause__ is None


BLANK = [
    ffi.new(
        "airmark_key_t[]", [{"columns": [blank if i == place else 5 + i for i in range(at, at + 4)]} for at in (0, 4)]
    )
    for blank in (0, 2**32 - 1)
    for place in range(8)
]
WRONG = {
    "no detector": ("AIRMARK_BAD_ARGUMENT", None),
    "no configuration": ("AIRMARK_BAD_ARGUMENT", None),
    "no rate": ("AIRMARK_BAD_RATE", {"rate": 0}),
    "a rate between": ("AIRMARK_BAD_RATE", {"rate": 22_050}),
    "a rate beyond 16 bits": ("AIRMARK_BAD_RATE", {"rate": 65_536 + 16_000}),
    "keys nowhere": ("AIRMARK_BAD_KEYS", {"keys": ffi.NULL}),
    "no keys": ("AIRMARK_BAD_KEYS", {"key_count": 0}),
    "too many keys": ("AIRMARK_BAD_KEYS", {"key_count": 65}),
    "most keys": ("AIRMARK_BAD_KEYS", {"key_count": 255}),
    **{f"a blank column {i}": ("AIRMARK_BAD_KEYS", {"keys": blank}) for i, blank in enumerate(BLANK)},
    "no threshold": ("AIRMARK_BAD_THRESHOLD", {"threshold_q8": 0}),
    "a threshold just too low": ("AIRMARK_BAD_THRESHOLD", {"threshold_q8": 255}),
}
"""What airmark_init gives, and for which numbers of its configuration."""


def test_every_status_is_given():
    statuses = set(re.findall(r"^ +(AIRMARK_\w+) = -?\d", HEADER.read_text("utf-8"), re.MULTILINE))
    assert {status for status, _ in WRONG.values()} == statuses - {"AIRMARK_OK"}
    texts = {ffi.string(lib.airmark_status_text(getattr(lib, status))) for status in statuses}
    assert len(texts) == len(statuses)
    assert ffi.string(lib.airmark_status_text(77)) not in texts


@needs("cc", extras="test")
def test_what_a_small_build_refuses(tmp_path: Path):
    """Without AIRMARK_RESAMPLE, and with room for one key."""
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "airmark.h"\n'
        "static const airmark_key_t keys[2] = {{{1, 2, 3, 4}}, {{5, 6, 7, 8}}};\n"
        "static airmark_t detector;\n"
        "int main(void)\n{\n"
        "    const unsigned rates[] = {8000, 16000, 32000, 44100, 48000};\n"
        "    for (int i = 0; i < 10; i++) {\n"
        "        airmark_config_t config = AIRMARK_CONFIG(rates[i / 2], keys, (uint8_t)(1 + i % 2));\n"
        "        airmark_status_t status = airmark_init(&detector, &config);\n"
        '        printf("%d %s\\n", status, airmark_status_text(status));\n'
        "    }\n    return 0;\n}\n"
    )
    sources = sorted(HEADER.parent.glob("airmark*.c"))
    command = ["cc", "-std=c99", "-O1", "-DAIRMARK_RESAMPLE=0", f"-I{HEADER.parent}", "main.c", *sources, "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    out = subprocess.run([tmp_path / "main"], check=True, capture_output=True, text=True).stdout.splitlines()
    fits = ["0 no error", "-3 no key, more than AIRMARK_MAX_KEYS, or one never written"]
    assert out == 2 * fits + 6 * ["-2 a rate that is not 8000 or 16000 Hz"]


@pytest.mark.parametrize("why", WRONG)
def test_an_error_changes_nothing_in_the_middle_of_a_mark(why: str):
    status, changed = WRONG[why]
    keys = ffi.new("airmark_key_t[]", [{"columns": key} for key in columns()])
    config = ffi.new("airmark_config_t *", [RATE, keys, 2, True, THRESHOLD, 0])
    state = ffi.new("airmark_t *")
    assert lib.airmark_init(state, config) == lib.AIRMARK_OK
    one, told, is_told = ffi.new("airmark_detection_t *"), [], ffi.new("bool *")
    sound = ffi.from_buffer("int16_t[]", marked())
    at, middle = 0, RATE + 5001
    while at < len(sound):
        end = middle if at < middle else len(sound)
        at += lib.airmark_push(state, sound + at, end - at, 1, one, is_told)
        if is_told[0]:
            told.append(RawDetection(one.sample, one.score_q8, one.drift_ppm_q4, one.key, one.early, at))
        if at == middle:
            before = bytes(ffi.buffer(state))
            for name, value in (changed or {}).items():
                setattr(config, name, value)
            given = (ffi.NULL if why == "no detector" else state, ffi.NULL if why == "no configuration" else config)
            assert lib.airmark_init(*given) == getattr(lib, status)
            assert bytes(ffi.buffer(state)) == before
    assert told == found()


@pytest.mark.parametrize(
    ("samples", "given"),
    [
        (np.zeros(4), r"float64 \(4,\)"),
        (np.zeros(4, np.uint16), r"uint16 \(4,\)"),
        (np.zeros(4, ">i2"), r">i2 \(4,\)"),
        (np.zeros((4, 2), np.int16), r"int16 \(4, 2\)"),
        (np.zeros((), np.int16), r"int16 \(\)"),
        ([0, 0], "list"),
        (b"\0\0", "bytes"),
    ],
)
def test_refuses_other_sound(samples, given):
    d = detector()
    with pytest.raises(AirmarkError, match=f"takes an array .* of int16, one channel, not {given}$"):
        d.push(samples)
    assert d.push(marked()) == detector().push(marked())


@pytest.mark.parametrize("of", [copy.copy, copy.deepcopy, pickle.dumps])
def test_refuses_copies(of):
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        of(detector())


@pytest.mark.parametrize("rate", [8_000, 16_000, 32_000, 44_100, 48_000])
def test_takes_every_rate_and_numpy_numbers(rate):
    words = np.array(columns(), np.uint32)
    d = NativeDetector(words, np.int64(rate), early=True, threshold_q8=np.uint16(THRESHOLD), first_sample=2**63 - 1)
    assert d.push(np.zeros(rate, np.int16)) == []


# How sound is read


def test_finds_the_mark_and_says_when():
    (whole,) = detector().push(marked())
    assert abs(whole.sample - RATE) < 512
    assert whole.key == 0
    assert whole.early is False
    assert whole.score_q8 > THRESHOLD
    assert all(type(value) is int for value in whole if value is not False)
    end = RATE + profile().mark_samples
    assert end < whole.at < end + 0.4 * RATE
    (early,) = found()
    assert early.early is True
    assert early.at < whole.at - 0.9 * RATE


def test_cuts_change_nothing():
    rng = np.random.default_rng(1)
    sound = marked()
    for longest in (2, 300, 20_000):
        d = detector(early=True)
        detections = []
        start = 0
        while start < len(sound):
            end = start + int(rng.integers(0, longest))
            detections += d.push(sound[start:end])
            start = min(end, len(sound))
        assert detections == found()


def views() -> dict[str, Samples]:
    """The same sound in every layout."""
    sound = marked()
    n = len(sound)
    noise = np.random.default_rng(2).integers(-32768, 32768, (n, 6), dtype=np.int16)
    stereo, six, backwards = noise[:, :2].copy(), noise.copy(), sound[::-1].copy()
    stereo[:, 1] = six[:, 4] = sound
    planar = np.asfortranarray(stereo)
    record = np.zeros(n, np.dtype([("tag", np.uint8), ("left", np.int16), ("right", np.int16)]))
    record["right"] = sound
    frame = np.zeros(n, np.dtype([("stamp", np.int64), ("left", np.int16), ("rest", np.uint8, 5)]))
    frame["left"] = sound
    return {
        "interleaved": stereo[:, 1],
        "six channels": six[:, 4],
        "planar": planar[:, 1],
        "backwards": backwards[::-1],
        "odd places": record["right"],
        "odd steps": frame["left"],
        "every third": np.repeat(sound, 3)[::3],
    }


@pytest.mark.parametrize("layout", list(views()))
def test_layouts(layout):
    view = views()[layout]
    before = view.copy()
    assert detector(early=True).push(view) == found()
    assert np.array_equal(view, before)


def test_one_value_for_all():
    a, b = detector(), detector()
    a.push(np.broadcast_to(np.int16(7), (RATE,)))
    b.push(np.full(RATE, 7, np.int16))
    assert a.push(marked()) == b.push(marked())
    assert a.score_q8 == b.score_q8


def test_empty_and_single_samples():
    d = detector(early=True)
    for empty in (np.zeros(0, np.int16), marked()[:0], np.zeros((0, 2), np.int16)[:, 1]):
        assert d.push(empty) == []
    assert d.push(marked()[:1][::-1]) == []
    assert d.push(np.broadcast_to(marked()[1], (1,))) == []
    assert d.push(marked()[2:]) == found()


def test_a_channel_is_read_where_it_lies():
    stereo = np.zeros((1 << 20, 2), np.int16)
    d = detector()
    tracemalloc.start()
    try:
        d.push(stereo[:, 1])
        assert tracemalloc.get_traced_memory()[1] < 1 << 16
        d.push(stereo[::-1, 1])
        assert tracemalloc.get_traced_memory()[1] > 1 << 20
    finally:
        tracemalloc.stop()


# State


def test_reset_forgets_all():
    d = detector(early=True, first_sample=5)
    first = d.push(marked())
    assert first == [detection._replace(sample=detection.sample + 5) for detection in found()]
    d.reset()
    levels = []
    for start in range(0, first[0].at + RATE, 256):
        d.push(marked()[start : start + 256])
        levels.append(d.score_q8)
    assert max(levels) > 400
    d.reset()
    assert d.score_q8 == d.dropped == 0
    assert d.push(marked()) == first


def test_a_second_pass_counts_on():
    d = detector()
    # Whole frames, so that the second pass has the same ones.
    sound = np.append(marked(), np.zeros(-len(marked()) % 256, np.int16))
    (one,), (two,) = d.push(sound), d.push(sound)
    assert two.at - one.at == len(sound)
    assert abs(two.sample - one.sample - len(sound)) < 64


def test_detectors_side_by_side():
    other = detector(columns()[::-1])
    alone = {0: detector().push(marked()), 1: other.push(marked())}
    assert [d.key for d in alone[0] + alone[1]] == [0, 1]
    many = {i: detector(columns()[:: (1, -1)[i % 2]]) for i in range(6)}
    heard = {i: [] for i in many}
    for start in range(0, len(marked()), 1000):
        for i, d in many.items():
            heard[i] += d.push(marked()[start : start + 1000])
    assert all(heard[i] == alone[i % 2] for i in many)


def test_keys_live_as_long_as_the_detector():
    words = np.array(columns(), np.uint32)
    d = NativeDetector(words, RATE, early=True, threshold_q8=THRESHOLD)
    words[:] = 0
    del words
    gc.collect()
    # Whatever was freed is used again, and overwritten.
    litter = [ffi.new("airmark_key_t[]", n) for n in range(1, 65) for _ in range(50)]
    for block in litter:
        ffi.memmove(block, b"\xff" * ffi.sizeof(block), ffi.sizeof(block))
    assert d.push(marked()) == found()


def test_a_refused_detector_leaves_nothing_behind():
    for _ in range(1000):
        with pytest.raises(AirmarkError):
            detector([[1, 2, 3, 4]], threshold_q8=0)


# Many keys, each alone


def each_alone(keys: list[list[int]], samples: Samples, rate: int, early: bool, threshold_q8: int):
    """As ``detections_alone``, of a detector for each key."""
    made = (NativeDetector([key], rate, early=early, threshold_q8=threshold_q8) for key in keys)
    return [one.push(samples) for one in made]


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("rate", [8000, 16_000, 32_000, 44_100, 48_000])
def test_each_key_alone_tells_what_its_own_detector_tells(rate: int, early: bool):
    """Keys near each other's, so that many have candidates at once; of more than are heard together."""
    rng = np.random.default_rng(6)
    near = [[word ^ 1 << int(rng.integers(32)) for word in columns()[i % 2]] for i in range(70)]
    keys = [*columns(), *near, columns()[0]]
    marks = np.concatenate([marked(), marked(1)]).astype(float)
    heard = np.interp(np.arange(0, len(marks), RATE / rate), np.arange(len(marks)), marks).astype(np.int16)
    found = detections_alone(keys, rate, heard, early=early, threshold_q8=700)
    assert found == each_alone(keys, heard, rate, early, 700)
    assert sum(map(bool, found)) > 70
    assert early in {one.early for told in found for one in told} <= {False, early}
    assert found[-1] == found[0]


@pytest.mark.parametrize("early", [False, True])
def test_each_key_alone_however_much_is_told(early: bool, monkeypatch):
    """Sound that repeats is full of marks to a key of nearly one sign; and an odd one of a batch."""
    monkeypatch.setattr(native, "LISTENERS", 3)
    monkeypatch.setattr(native, "ROOM", 1)
    rng = np.random.default_rng(7)
    loop = (3000 * np.resize(rng.standard_normal(1024), 30 * RATE)).astype(np.int16)
    loop += (3000 * rng.standard_normal(len(loop))).astype(np.int16)
    keys = [[1] * 4, columns()[0], [2] * 4, [4] * 4]
    found = detections_alone(keys, RATE, loop[::-1], early=early, threshold_q8=256)
    assert found == each_alone(keys, loop[::-1], RATE, early, 256)
    assert sum(map(len, found[:3])) > 3
    assert len(found[3]) > 1
    assert detections_alone([], RATE, loop, early=True, threshold_q8=256) == []
    assert detections_alone(keys, RATE, loop[:0], early=True, threshold_q8=256) == [[]] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 22_050}, r"the c engine refuses a rate that .* \(given: 22050 Hz, 3 keys, a threshold of 900/256\)"),
        ({"threshold_q8": 255}, "the c engine refuses a threshold"),
        ({"keys": [*columns(), [1, 2, 0, 3]]}, "the c engine refuses no key, .* or one never written"),
        ({"keys": [*columns(), [1, 2, 3]]}, "key 2 is not 4 words of 32 bits"),
        ({"samples": np.zeros((9, 2), np.int16)}, r"takes an array \(n,\) of int16, one channel, not int16 \(9, 2\)"),
    ],
)
def test_each_key_alone_refuses(change: dict, message: str):
    given = {"keys": [*columns(), columns()[0]], "rate": RATE, "samples": marked(), "threshold_q8": 900} | change
    with pytest.raises(AirmarkError, match=message):
        detections_alone(given["keys"], given["rate"], given["samples"], early=True, threshold_q8=given["threshold_q8"])


# Threads


def test_the_interpreter_goes_on_meanwhile():
    busy = detector(columns() * 32, early=True)
    sound = np.random.default_rng(3).integers(-3000, 3000, 480 * RATE, dtype=np.int16)
    times = []

    def work():
        times.append(time.perf_counter())
        busy.push(sound)
        times.append(time.perf_counter())

    thread = threading.Thread(target=work)
    thread.start()
    ticks = []
    while thread.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.001)
    begin, end = times
    quarter = (end - begin) / 4
    assert sum(begin + quarter < tick < end - quarter for tick in ticks) >= 3


def test_two_threads_two_detectors():
    sounds = [np.tile(marked(key), 20) for key in (0, 1)]
    expected = [detector().push(sound) for sound in sounds]
    assert all(len(detections) == 20 for detections in expected)
    assert [{d.key for d in detections} for detections in expected] == [{0}, {1}]
    heard: dict[int, list[RawDetection]] = {}
    start = threading.Barrier(2)

    def work(i: int) -> None:
        d = detector()
        start.wait()
        heard[i] = d.push(sounds[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [heard[0], heard[1]] == expected


def test_threads_on_one_detector_wait():
    silence = np.zeros(2560, np.int16)
    shared, alone = detector(), detector()

    def work() -> None:
        for _ in range(200):
            shared.push(silence)
            assert shared.score_q8 >= 0

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(800):
        alone.push(silence)
    assert shared.push(marked()) == alone.push(marked())
