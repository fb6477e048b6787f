"""The C detector and gate of firmware/lib/airmark, run from Python: what the headset computes, bit by bit.

The extension behind it, airmark._native, is compiled with the package where there is a C compiler (see bindings/).
Where it was not, importing this module raises AirmarkError, one line that says so; all else of the package works.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from airmark.errors import AirmarkError
from airmark.fixed.detector import RawDetection
from airmark.gate import (
    Answer,
    GateConfig,
    GateError,
    Status,
    Told,
    Verdict,
    Word,
    whole_mark,
    whole_sample,
    whole_word,
)

if TYPE_CHECKING:
    from airmark.detector import Detection

try:
    from airmark._native import ffi, lib
except ModuleNotFoundError as error:
    if error.name != "airmark._native":
        raise
    raise AirmarkError(
        "the c engine is missing: no C compiler or no Python headers were found when airmark was installed; install "
        "both (Debian: gcc, libc6-dev and python3-dev) and then airmark again"
    ) from None


def version() -> str:
    """The C detector's version."""
    text: bytes = ffi.string(lib.AIRMARK_VERSION)
    return text.decode("ascii")


def numeric_version() -> int:
    """The number that changes whenever one bit of the C detector's output does; see SPEC.md."""
    return int(lib.AIRMARK_NUMERIC_VERSION)


LISTENERS = 64
"""Keys that hear the same frames in ``detections_alone``, each alone; between so many Python can be interrupted."""
ROOM = 64
"""Detections of a key for which there is room at first; where more are told, all is heard again."""


class NativeDetector:
    """Finds the marks of several keys in a stream of 16-bit samples of one channel.

    The interpreter goes on while the C code runs (cffi releases the GIL), so that detectors in several threads use
    several cores. Calls of one detector wait for each other.
    """

    STATE_BYTES: int = ffi.sizeof("airmark_t")
    """Memory of one detector, with room for MAX_KEYS keys."""
    MAX_KEYS: int = lib.AIRMARK_MAX_KEYS
    """Keys that one detector can listen for."""

    def __init__(
        self,
        columns: Sequence[Sequence[int]] | npt.NDArray[np.integer[Any]],
        rate: int,
        *,
        early: bool,
        threshold_q8: int,
        first_sample: int = 0,
    ) -> None:
        """Listen for marks.

        columns: of each key the four 32-bit words of SPEC.md, 2; they are copied. rate: of the input, Hz. early: tell
        a mark from its first half too. threshold_q8: lowest score reported, in 1/256. first_sample: number of the
        first sample pushed. Raises AirmarkError for what the C detector refuses.
        """
        # The C code keeps the pointer: the keys must live as long as the state.
        self._keys = _keys(columns)
        count = len(self._keys)
        config = _config(self._keys, rate, early, threshold_q8, first_sample)
        self._state = ffi.new("airmark_t *")
        status = lib.airmark_init(self._state, config) if count <= self.MAX_KEYS else lib.AIRMARK_BAD_KEYS
        _begun(status, rate, f"{count} keys of at most {self.MAX_KEYS}", threshold_q8)
        self._lock = threading.Lock()
        self._pushed = 0

    def push(self, samples: npt.NDArray[np.int16]) -> list[RawDetection]:
        """Take the next samples, (n,) of int16; returns the marks that became certain, in that order.

        A view of one channel among several is read where it lies. Raises AirmarkError for any other array.
        """
        _one_channel(samples)
        step, rest = divmod(samples.strides[0], samples.itemsize)
        if step < 1 or rest or not samples.flags.aligned:
            samples, step = np.ascontiguousarray(samples), 1
        first = ffi.cast("const int16_t *", samples.ctypes.data)
        detection, found = ffi.new("airmark_detection_t *"), ffi.new("bool *")
        detections = []
        with self._lock:
            done, count = 0, len(samples)
            while done < count:
                taken = lib.airmark_push(self._state, first + done * step, count - done, step, detection, found)
                done += taken
                self._pushed += taken
                if found[0]:
                    d = detection
                    detections.append(RawDetection(d.sample, d.score_q8, d.drift_ppm_q4, d.key, d.early, self._pushed))
        return detections

    def reset(self) -> None:
        """Forget all sound, counts and reports: the next sample is number ``first_sample`` again."""
        with self._lock:
            lib.airmark_reset(self._state)
            self._pushed = 0

    @property
    def score_q8(self) -> int:
        """The first stage's score at the newest frame, highest of all keys, in 1/256; 0 in the first two seconds."""
        with self._lock:
            return int(lib.airmark_score_q8(self._state))

    @property
    def dropped(self) -> int:
        """Candidates that could not be looked at in time since the last reset, at most 65535."""
        with self._lock:
            return int(lib.airmark_dropped(self._state))

    def __reduce__(self) -> NoReturn:
        """Refuses copies and pickles: the state holds the address of its keys."""
        raise TypeError("a NativeDetector can be neither copied nor pickled: make another with the same arguments")


def detections_alone(
    columns: Sequence[Sequence[int]] | npt.NDArray[np.integer[Any]],
    rate: int,
    samples: npt.NDArray[np.int16],
    *,
    early: bool,
    threshold_q8: int,
) -> list[list[RawDetection]]:
    """Of each key what a NativeDetector of that key alone tells of ``samples``, bit by bit, for a fraction of the work.

    columns, rate, early, threshold_q8: as NativeDetector takes them, but any number of keys. samples: (n,) of int16,
    the whole sound, with the silence in which the last marks are told. Input and frames are the same for all keys and
    made once for LISTENERS of them. Raises AirmarkError for what the C detector refuses.
    """
    keys = _keys(columns)
    _one_channel(samples)
    samples = np.ascontiguousarray(samples)
    first = ffi.cast("const int16_t *", samples.ctypes.data)
    memory = ffi.new("uint64_t[]", -(-lib.airmark_alone_bytes(LISTENERS) // 8))
    told = ffi.new("size_t *")
    out: list[list[RawDetection]] = [[] for _ in range(len(keys))]
    config = _config(keys, rate, early, threshold_q8, 0)
    for start in range(0, len(keys), LISTENERS):
        count = min(LISTENERS, len(keys) - start)
        told[0] = ROOM * count
        room = 0
        while told[0] > room:
            room = told[0]
            found = ffi.new("airmark_alone_t[]", room)
            status = lib.airmark_alone(config, keys + start, count, memory, first, len(samples), found, room, told)
            _begun(status, rate, f"{len(keys)} keys", threshold_q8)
        for i in range(told[0]):
            d, at, of = found[i].detection, found[i].at, start + found[i].listener
            out[of].append(RawDetection(d.sample, d.score_q8, d.drift_ppm_q4, 0, d.early, at))
    return out


class NativeGate:
    """The gate of airmark_gate.h; see ``airmark.gate``."""

    STATE_BYTES: int = ffi.sizeof("airmark_gate_t")

    def __init__(self, config: GateConfig, first_sample: int = 0) -> None:
        """For a detector whose first sample is number first_sample. Raises GateError."""
        own = ffi.new("airmark_gate_config_t *")
        own.rate = _held(config.rate, 32)
        own.wait = config.wait
        own.overlap_percent = _held(config.overlap_percent, 8)
        for key in config.keys:
            own.keys[key // 32] |= 1 << key % 32
        self._state = ffi.new("airmark_gate_t *")
        _done(lib.airmark_gate_init(self._state, own, _count(first_sample)))

    def reset(self, first_sample: int) -> None:
        """Forget all marks: the detector begins anew, with that number."""
        _done(lib.airmark_gate_reset(self._state, _count(first_sample)))

    def mark(self, detection: Told | Detection, heard: int) -> None:
        """A mark was told; heard: number of the next sample then, more than the last one given to ``heard``."""
        new = whole_mark(detection)
        own = ffi.new("airmark_detection_t *", new._asdict() | {"sample": _count(new.sample)})
        _done(lib.airmark_gate_mark(self._state, own, _count(heard)))

    def heard(self, heard: int) -> None:
        """All samples before that number were pushed, and all marks that this brought were given."""
        _done(lib.airmark_gate_heard(self._state, _count(heard)))

    def ask(self, word: Word) -> Answer:
        """The answer for a word."""
        own = ffi.new("airmark_gate_word_t *", [_count(number) for number in whole_word(word)])
        answer = ffi.new("airmark_gate_answer_t *")
        _done(lib.airmark_gate_ask(self._state, own, answer))
        verdict, mark = Verdict(answer.verdict), answer.mark
        covering = Told(mark.sample, mark.score_q8, mark.drift_ppm_q4, mark.key, mark.early)
        has_mark = answer.late or verdict is Verdict.SUPPRESS
        return Answer(verdict, answer.sample, answer.limited, answer.late, covering if has_mark else None)

    def state(self) -> bytes:
        """All that it remembers, byte by byte."""
        return bytes(ffi.buffer(self._state))


def _count(number: int) -> int:
    return _held(whole_sample(number), 64)


def _held(number: int, bits: int) -> int:
    """Held to what so many bits can say, none of which is right where it is not; the C code is to refuse it."""
    return number if 0 <= number < 1 << bits else (1 << bits) - 1


def _done(status: int) -> None:
    if status != lib.AIRMARK_GATE_OK:
        raise GateError(Status(status))


def _config(keys: Any, rate: int, early: bool, threshold_q8: int, first_sample: int) -> Any:
    """An airmark_config_t with these; keys: an array of airmark_key_t, which must live as long. Raises AirmarkError."""
    config = ffi.new("airmark_config_t *")
    config.keys = keys
    config.rate = _whole(rate, "a rate", 32)
    config.key_count = min(len(keys), 255)
    config.early = bool(early)
    config.threshold_q8 = _whole(threshold_q8, "a threshold, in 1/256", 16)
    config.first_sample = _whole(first_sample, "the first sample's number", 63)
    return config


def _begun(status: int, rate: int, keys: str, threshold_q8: int) -> None:
    """Raises AirmarkError, with what was given, where a configuration was refused."""
    if status != lib.AIRMARK_OK:
        text = ffi.string(lib.airmark_status_text(status)).decode("utf-8")
        raise AirmarkError(f"the c engine refuses {text} (given: {rate} Hz, {keys}, a threshold of {threshold_q8}/256)")


def _keys(columns: Sequence[Sequence[int]] | npt.NDArray[np.integer[Any]]) -> Any:
    """An array of airmark_key_t with these words. Raises AirmarkError, never showing one: they are secret."""
    words = lib.AIRMARK_BANDS
    keys = ffi.new("airmark_key_t[]", len(columns))
    for i, key in enumerate(columns):
        try:
            values = [operator.index(word) for word in key]
        except TypeError:
            values = []
        if len(values) != words or not all(0 <= value < 1 << 32 for value in values):
            raise AirmarkError(f"key {i} is not {words} words of 32 bits") from None
        keys[i].columns = values
    return keys


def _one_channel(samples: Any) -> None:
    """Raises AirmarkError unless that is an array (n,) of int16."""
    if not (isinstance(samples, np.ndarray) and samples.ndim == 1 and samples.dtype == np.int16):
        given = f"{samples.dtype} {samples.shape}" if isinstance(samples, np.ndarray) else type(samples).__name__
        raise AirmarkError(f"the c engine takes an array (n,) of int16, one channel, not {given}")


def _whole(value: int, what: str, bits: int) -> int:
    """That number. Raises AirmarkError where it is not a whole one of so many bits."""
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number < 1 << bits:
        raise AirmarkError(f"the c engine takes {what}, from 0 to {(1 << bits) - 1}, not {value}") from None
    return number
