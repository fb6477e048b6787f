"""The demo: one short recording, marked, through a set of living rooms, and found again.

``run`` computes everything anew; nothing in its result is stored. The key and the noises are drawn from fixed seeds, so
that two runs give the same figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from airmark import assets, audio, curve, thresholds
from airmark.channel import SMALL_LOUDSPEAKER_HZ, Channel
from airmark.detector import Detection, Detector
from airmark.embedder import Embedder, Mark, places_of
from airmark.errors import AirmarkError
from airmark.keys import Key
from airmark.keysearch import generate

Real = npt.NDArray[np.float64]

SEED = 1
"""Draws the demo's key and noises. Whoever reads this can make its key: it protects nothing."""
RECORDING = "demo.flac"
NEAR_S = (3.0, 7.5)
"""Where marks are wanted, give or take a second."""
MEASURED_ROOM = "rir/homula_S2_R2.flac"
FEET_20_M = 6.1


@dataclass(frozen=True)
class Case:
    """One way from the loudspeaker to the detector."""

    name: str
    channel: Channel
    marked: bool = True
    """False: the original goes that way, and nothing may be found."""
    beyond: bool = False
    """Known to be more than the method can take: its marks may be missed."""

    @property
    def file(self) -> str:
        """Name of its received recording."""
        return f"received-{self.name.lower().replace(' ', '-')}.wav"

    @property
    def way(self) -> str:
        """What happens to the sound, in words made from the channel itself."""
        channel = self.channel
        words = []
        if channel.codec_before is not None:
            codec, _, bitrate = channel.codec_before.partition(":")
            words.append(f"{codec.upper()} at {bitrate.removesuffix('k')} kbit/s")
        if channel.rir is not None:
            row = next(row for row in assets.manifest() if row["path"] == MEASURED_ROOM)
            words.append(f"measured {row['room']}, {float(row['distance_m']):.1f} m, RT60 {row['rt60_s']} s")
        else:
            words.append(f"{channel.distance_m:g} m, RT60 {channel.rt60_s:g} s")
        if channel.noise is not None:
            what = "talkers" if channel.noise == "babble" else f"{channel.noise} noise"
            words.append(f"{what} at {channel.snr_db:g} dB SNR")
        if channel.drift_ppm:
            words.append(f"clocks {channel.drift_ppm:g} ppm apart")
        return "; ".join(words)


def cases() -> list[Case]:
    """The ways of the demo; every one begins with a small loudspeaker, and every simulated room is that of seed 0."""
    small = SMALL_LOUDSPEAKER_HZ
    far = Channel(loudspeaker_hz=small, distance_m=FEET_20_M, rt60_s=0.5)
    room = Channel(loudspeaker_hz=small, distance_m=3.0, rt60_s=0.4)
    return [
        Case("Near", Channel(loudspeaker_hz=small, distance_m=1.0, rt60_s=0.3)),
        Case("Across the room", far),
        Case("Measured room", Channel(loudspeaker_hz=small, rir=assets.data_path(MEASURED_ROOM))),
        Case("Reverberant", replace(far, rt60_s=0.8)),
        Case("Noisy", replace(room, noise="pink", snr_db=20.0)),
        Case("Voices", replace(room, noise="babble", snr_db=10.0)),
        Case("MP3", replace(room, codec_before="mp3:64k")),
        Case("Clocks apart", replace(room, drift_ppm=100.0)),
        Case("All at once", replace(far, codec_before="mp3:64k", noise="pink", snr_db=20.0, drift_ppm=100.0)),
        Case("Loud noise", replace(room, noise="pink", snr_db=0.0), beyond=True),
        Case("Unmarked", far, marked=False),
    ]


@dataclass(frozen=True)
class Heard:
    """What became of one mark in one case."""

    true_s: float
    """Where it begins in the received recording, by the direct sound, seconds of the receiver's clock."""
    score: float
    """The detection's; of a mark that was missed, the highest score within a pattern's length of its place."""
    detection: Detection | None
    """None: missed."""

    @property
    def late_ms(self) -> float | None:
        """How much later than ``true_s`` it was found: a room's echoes carry much of its sound."""
        return None if self.detection is None else (self.detection.time_s - self.true_s) * 1e3


@dataclass(frozen=True)
class Outcome:
    """What the detector made of one case."""

    case: Case
    samples: Real
    """(n,) as received: 16 bits, scaled where it would clip."""
    heard: list[Heard]
    """Of each mark, in order; empty where the sound was not marked."""
    elsewhere: list[Detection]
    """False alarms: where there is no mark."""
    times: Real
    """(places,) s"""
    scores: Real
    """(places,), as airmark.curve gives them."""

    @property
    def found(self) -> int:
        """How many of the marks were found."""
        return sum(h.detection is not None for h in self.heard)

    @property
    def score(self) -> float:
        """The lowest of its marks'; the highest of all places where nothing was marked."""
        return min((h.score for h in self.heard), default=float(self.scores.max()))

    @property
    def as_it_should_be(self) -> bool:
        """All marks found unless that is beyond the limit, and nothing where there is none."""
        return not self.elsewhere and (self.case.beyond or self.found == len(self.heard))


@dataclass(frozen=True)
class Demo:
    """All that the demo shows."""

    key: Key
    rate: int
    original: Real
    """(n, channels)"""
    marked: Real
    """(n, channels)"""
    marks: list[Mark]
    threshold: float
    outcomes: list[Outcome]

    @property
    def false_alarms_a_year(self) -> float:
        """To expect over the threshold, from sound without marks."""
        return thresholds.per_day(self.threshold) * 365.25

    @property
    def as_it_should_be(self) -> bool:
        """Whether every case went as it should."""
        return all(o.as_it_should_be for o in self.outcomes)


def run(progress: Callable[[str, int, int], None] = lambda what, done, total: None) -> Demo:
    """Mark the shipped recording, play it through all cases and detect.

    progress: called before each step with what comes, how many steps are done, and how many there are.
    """
    ways = cases()
    steps = 2 + len(ways)
    progress("searching a key", 0, steps)
    key = generate(rng=np.random.default_rng(SEED))
    progress("marking the recording", 1, steps)
    recording = audio.read(assets.data_path(RECORDING))
    rate = recording.rate
    embedded = Embedder(key, rate).embed(
        recording.samples, places_of((), NEAR_S, rate), sample_type=recording.sample_type
    )
    detector = Detector(key, rate, engine="float")
    outcomes = []
    for i, case in enumerate(ways):
        progress(case.name.lower(), 2 + i, steps)
        sound, marks = (embedded.samples, embedded.marks) if case.marked else (recording.samples, [])
        outcomes.append(play(case, sound, rate, marks, detector))
    progress("done", steps, steps)
    return Demo(key, rate, recording.samples, embedded.samples, embedded.marks, detector.threshold, outcomes)


def play(case: Case, sound: Real, rate: int, marks: list[Mark], detector: Detector) -> Outcome:
    """Send sound (n, channels) with its marks through one case and detect; the detector is reset first."""
    received = case.channel.apply(sound, rate, SEED)
    samples = as_16_bit(received.samples.astype(np.float64))
    if samples.ndim != 1:
        raise AirmarkError(f"case '{case.name}': the demo's cases have a room, and so one channel")
    detector.reset()
    detections = detector.process(samples) + detector.flush()
    times, scores = curve.score_curve(samples, rate, detector.keys[0])
    # A pattern later the key's signs belong to the next repetition: further off, it is not this mark that was found.
    reach_s = detector.profile.pattern_samples / detector.profile.rate
    heard = []
    for mark in marks:
        true_s = received.place(mark.sample) / rate
        near = [d for d in detections if abs(d.time_s - true_s) < reach_s]
        best = max(near, key=lambda d: d.score, default=None)
        missed = float(scores[np.abs(times - true_s) < reach_s].max(initial=0.0))
        heard.append(Heard(true_s, missed if best is None else best.score, best))
        detections = [d for d in detections if d not in near]
    return Outcome(case, samples, heard, detections, times, scores)


def as_16_bit(samples: Real) -> Real:
    """Samples of any shape on the grid of 16 bits, lowered as a whole where one is beyond full scale."""
    peak = float(np.abs(samples).max(initial=0.0))
    highest = 1 - 2.0**-15
    return audio.quantise(samples * min(1.0, highest / peak) if peak else samples, "PCM_16")
