"""The module airmark on a device: the detector and the gate in C, under the names of the Python package on the host.

See README.md beside this file, and airmark.h and airmark_gate.h for what holds of them.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, NamedTuple

from _typeshed import ReadableBuffer

VERSION: str
"""Of the software."""
NUMERIC_VERSION: int
"""Changes whenever one bit of what the detector computes does."""
MAX_KEYS: int
"""Keys that one detector can listen for; 8 unless it was built otherwise."""

AirmarkError = ValueError
"""What is raised for a value that is refused; of a wrong type it is TypeError. On the host it is a class of its own."""

class Key:
    """A secret key of the default profile. Shown or printed it gives its name, never its signs."""

    name: str
    words: bytes
    def __init__(self, words: bytes, name: str = "") -> None:
        """words: 16 bytes: the four words that ``airmark export`` writes, each with its low byte first."""
    @classmethod
    def load(cls, path: str) -> Key:
        """Read a file that ``airmark keygen`` wrote. Raises AirmarkError, one line with the path."""

class Detection:
    """A mark that was found."""

    @property
    def sample(self) -> int:
        """First sample of the mark, counted from first_sample, at the input's rate and clock; 64 bits."""
    @property
    def time_s(self) -> float:
        """The same in seconds. A float of 32 bits is exact to 1 ms for two hours only; then use sample."""
    @property
    def score(self) -> float:
        """Standard normal on unmarked sound; a multiple of 1/256."""
    @property
    def drift_ppm(self) -> float:
        """The receiver's clock against the sender's, positive when it runs fast; a multiple of 1/16."""
    @property
    def key(self) -> int:
        """Index of the key in Detector.keys."""
    @property
    def early(self) -> bool:
        """Told from the mark's first half; sample, score and drift_ppm are then the half's."""

class Detector:
    """Finds the marks of several keys in a stream of sound. It is one object; nothing is allocated afterwards."""

    def __init__(
        self,
        keys: Key | Sequence[Key],
        rate: int = 16_000,
        *,
        threshold: float | None = None,
        engine: Literal["c"] | None = None,
        early: bool = False,
        first_sample: int = 0,
    ) -> None:
        """Listen for marks.

        keys: one to MAX_KEYS. rate: of the input, Hz: 8000, 16000, 32000, 44100 or 48000. threshold: lowest score that
        is reported, rounded up to 1/256, 1 at least; None: that of one false alarm a year, all keys together. early:
        report a mark a second before its end where its first half is enough. first_sample: number of the first one.
        """
    @property
    def keys(self) -> Sequence[Key]: ...
    @property
    def rate(self) -> int: ...
    @property
    def threshold(self) -> float: ...
    @property
    def engine(self) -> str: ...
    @property
    def first_sample(self) -> int: ...
    @property
    def score(self) -> float:
        """A running level: the first stage's score, the highest of all keys; 0 in the first two seconds."""
    @property
    def dropped(self) -> int:
        """Candidates that could not be looked at in time since the last reset."""
    def process(self, samples: ReadableBuffer) -> Sequence[Detection]:
        """Take the next samples; returns the marks that became certain, in that order.

        samples: of one channel, 16 bits, little-endian: array('h'), bytes, bytearray or a memoryview of these. Where
        nothing is found no heap is used. Raises MemoryError where there is none for a mark, when all samples are taken:
        all marks of this call are lost then; RuntimeError, and takes none, while another call is at work.
        """
    def flush(self) -> Sequence[Detection]:
        """End of the stream: returns the marks that wait, or raises, as process. Call reset to go on."""
    def reset(self) -> None:
        """Forget all sound: the next sample is number first_sample."""

class Verdict:
    """What to do about a word."""

    WAIT: ClassVar[int]
    WAKE: ClassVar[int]
    SUPPRESS: ClassVar[int]

class GateConfig:
    """A gate's configuration."""

    rate: int
    wait: int
    overlap_percent: int
    @property
    def keys(self) -> Iterable[int]:
        """Whose marks suppress."""

    def __init__(self, rate: int, wait: int, overlap_percent: int = 50, keys: Iterable[int] = ...) -> None:
        """rate: of the detector's input, Hz. wait: samples after a word's end; the answer comes no later.

        overlap_percent: of the word, or of the mark if that is shorter. keys: whose marks suppress; all by default.
        """

class Word(NamedTuple):
    """A word that a wake-word engine heard, in samples as the detector counts them."""

    start: int
    end: int
    """After its last sample."""
    reported: int
    """Number of the next sample when the engine reported it, end or more."""

class Answer:
    """The answer for a word."""

    @property
    def verdict(self) -> int:
        """One of Verdict's."""
    @property
    def sample(self) -> int:
        """WAIT, WAKE: the deadline; SUPPRESS: what had been heard when the mark was told."""
    @property
    def limited(self) -> bool:
        """WAKE at the limit: a mark might still be told."""
    @property
    def late(self) -> bool:
        """WAKE, and a mark that covers the word was told after the deadline."""
    @property
    def mark(self) -> Detection | None:
        """SUPPRESS or late: the first of those marks that was told."""

class Gate:
    """Whether a wake word that was heard was part of a marked broadcast; the rules are in airmark_gate.h."""

    def __init__(self, config: GateConfig, first_sample: int = 0) -> None:
        """For a detector whose first sample is number first_sample."""
    def reset(self, first_sample: int) -> None:
        """Forget all marks: the detector begins anew, with that number."""
    def mark(self, detection: Detection, heard: int) -> None:
        """A mark was told; heard: number of the next sample then, more than the last one given to heard()."""
    def heard(self, heard: int) -> None:
        """All samples before that number were processed, and all marks that this brought were given."""
    def ask(self, word: Word) -> Answer:
        """The answer for a word. Makes one object."""
