"""Detection measured: marks drawn at random, made, sent through rooms and codecs, and looked for.

Trial i of every condition uses mark i: the same host, place and key (a condition of three marks in a row has places of
its own). So a mark is made once and heard in many ways, and conditions compare on the same marks; their trials are
paired and not independent of each other. Rooms, noises and clocks are shared in the same way, so that 20, 10 and 5 dB
are the same trial under more and more noise.

Everything drawn for mark i comes from a generator of its own, spawned from the seed, and results are in the order of i:
they are the same for any number of jobs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from airmark import audio, hardhosts, masking, materials, null, quality
from airmark.channel import SMALL_LOUDSPEAKER_HZ, Channel, ReceivedAudio
from airmark.detector import Detection, Detector
from airmark.embedder import FIXED_DB, QUALITY_MARGIN_S, Embedder, Place
from airmark.errors import AirmarkError
from airmark.keys import Key
from airmark.materials import Host, Materials, Room
from airmark.pattern import RAMP
from airmark.stream import LIVE_DB, StreamEmbedder

Real = npt.NDArray[np.float64]

BASELINE = "noise"
"""The published scheme's pattern, embedded at FIXED_DB."""
LEAST_SCORE = 3.5
"""Score from which detections are collected."""
BLOCK_S = 0.01
"""The detector is fed in blocks of this length, as a device feeds it."""
LEAD_S, TAIL_S = 2.0, 2.5
"""Host before and after the marks, where the recording is long enough."""
JITTER_S = 0.1
"""The lead is up to so much longer, at random: places between the detector's hops."""
SPARE_S = 1.0
"""A recording shorter than a condition's marks and so much is not drawn for it."""
DRIFT_PPM = 100.0
"""Clocks are up to so much apart, either way."""
LEVEL_DB = (-26.0, -6.0)
"""Gain of the receiver's converter; what it delivers is 16 bit."""
NEAR_M, FAR_M = (2.5, 3.7), 5.0
SIMULATED_FAR_M, SIMULATED_FAR_RT60_S = (5.0, 10.0), (0.3, 0.9)
SIMULATED_NEAR_RT60_S = (0.2, 0.6)
SIMULATED = 30
"""Simulated rooms of a range."""
KEYS = 32
"""Keys the marks take in turn."""
MARKED_HOSTS, MARKED_S = 24, 20.0
"""Recordings, and how much of each, in which other keys than the marks' are looked for."""
VISQOL_EVERY = 10
"""ViSQOL takes over a second: it judges every tenth mark that stands alone."""


@dataclass(frozen=True)
class Way:
    """One of the ways of a condition, which its trials take in turn."""

    name: str = ""
    codec_before: str | None = None
    codec_after: str | None = None
    drift_ppm: float | None = None
    """None: drawn within DRIFT_PPM."""
    crop: bool = False
    headset: bool = False
    """Gain control and noise suppression between microphone and detector."""


@dataclass(frozen=True)
class Condition:
    """One row of the table."""

    name: str
    title: str
    target: float | None
    """Share of marks to be found."""
    room: str = ""
    """measured, far (measured, from FAR_M on), simulated (far, too), near (measured within NEAR_M) or none."""
    snr_db: float | None = None
    ways: tuple[Way, ...] = (Way(),)
    pattern: str | None = None
    """None: the one asked for; live: by the live embedder, which can't judge a mark before it is played."""
    marks: int = 1
    """In a row; one that is found is enough."""
    full_trials: int = 1000
    """Needed to tell whether the target is met, and whether one engine loses a point against another."""
    target_s: float | None = None
    """Of the median time from the mark's start to the detection."""


CODECS = ("mp3:64k", "aac:96k", "opus:32k", "sbc")
DIGITAL = (
    *(Way(codec.replace(":", " "), codec_before=codec) for codec in CODECS),
    Way("crop", crop=True),
    Way("+200 ppm", drift_ppm=200.0),
    Way("-200 ppm", drift_ppm=-200.0),
)
HEADSET = (Way("mSBC", codec_after="msbc"), Way("CVSD", codec_after="cvsd"), Way("voice processing", headset=True))
CONDITIONS = (
    Condition("digital", "digital: MP3, AAC, Opus, SBC, crop, ±200 ppm", 0.999, ways=DIGITAL, full_trials=4000),
    Condition("rooms-20", "measured rooms, noise 20 dB under", 0.99, "measured", 20.0),
    Condition("rooms-10", "measured rooms, noise 10 dB under", 0.95, "measured", 10.0),
    Condition("rooms-5", "measured rooms, noise 5 dB under", 0.85, "measured", 5.0),
    Condition("far", f"measured rooms from {FAR_M:g} m on, 20 dB", 0.99, "far", 20.0),
    Condition("far-simulated", f"{SIMULATED} simulated rooms, 5 to 10 m, 20 dB", 0.99, "simulated", 20.0),
    Condition("headset", "headset path: mSBC, CVSD, voice processing, 20 dB", 0.95, "measured", 20.0, HEADSET),
    Condition("live", "causal pattern, live, 20 dB", 0.95, "measured", 20.0, pattern="live"),
    Condition("causal", "causal pattern, in a file, 20 dB", None, "measured", 20.0, pattern="causal"),
    Condition("repeated", "three marks in a row (6 s), 5 dB", 0.99, "measured", 5.0, marks=3),
    Condition("time", "time to detect, 2.5 to 3.7 m, 20 dB", None, "near", 20.0, target_s=1.3),
)


@dataclass(frozen=True)
class Recipe:
    """How marks are made."""

    pattern: str
    """adaptive, causal, noise or live."""
    strength_db: float | None
    """None: auto."""
    marks: int = 1


@dataclass(frozen=True)
class Plan:
    """An evaluation, as every job gets it."""

    materials: Materials
    conditions: tuple[Condition, ...]
    keys: tuple[Key, ...]
    trials: dict[str, int]
    """Of each condition, by name."""
    baseline_trials: dict[str, int]
    threshold: float
    """Of the first engine."""
    engines: tuple[str, ...] = ("float",)
    """The first one counts; the others hear the same."""
    pattern: str = "adaptive"
    strength_db: float | None = None
    seed: int = 0
    pesq: bool = False
    visqol: bool = False
    other_thresholds: Mapping[str, float] = field(default_factory=dict)
    """Of engines that have another than the first."""

    def threshold_of(self, engine: str | None = None) -> float:
        """An engine's threshold; None: the first one's."""
        return self.other_thresholds.get(engine or self.engines[0], self.threshold)

    @property
    def marks(self) -> int:
        """How many marks are drawn."""
        return max((*self.trials.values(), *self.baseline_trials.values()), default=0)

    def recipe(self, condition: Condition, baseline: bool) -> Recipe:
        """How a condition's marks are made."""
        if baseline:
            return Recipe(BASELINE, FIXED_DB, condition.marks)
        pattern = condition.pattern or self.pattern
        strength = LIVE_DB if pattern == "live" and self.strength_db is None else self.strength_db
        return Recipe(pattern, strength, condition.marks)

    def wanted(self, index: int) -> dict[Recipe, list[tuple[Condition, bool]]]:
        """The trials of mark ``index`` by how it is made; each a condition, and whether it is the baseline's."""
        out: dict[Recipe, list[tuple[Condition, bool]]] = {}
        for baseline, counts in ((False, self.trials), (True, self.baseline_trials)):
            for condition in self.conditions:
                if index < counts.get(condition.name, 0):
                    out.setdefault(self.recipe(condition, baseline), []).append((condition, baseline))
        return out


@dataclass(frozen=True)
class Made:
    """One mark as it was made, or refused."""

    index: int
    recipe: Recipe
    host: str
    kind: str
    time_s: float
    """Its place in the host."""
    refused: str = ""
    """Why it wasn't made."""
    strength_db: float | None = None
    predicted: float | None = None
    """None where the embedder predicts nothing (live)."""
    snr_db: float | None = None
    zimtohrli: float | None = None
    pesq_wb: float | None = None
    visqol: float | None = None


@dataclass(frozen=True)
class Trial:
    """One mark, or several in a row, heard once."""

    condition: str
    way: str
    index: int
    baseline: bool
    host: str
    kind: str
    refused: bool = False
    room: str = ""
    distance_m: float | None = None
    rt60_s: float | None = None
    noise: str = ""
    snr_db: float | None = None
    drift_ppm: float = 0.0
    scores: dict[str, float | None] = field(default_factory=dict)
    """Highest at a true place, by engine; None: nothing from LEAST_SCORE on."""
    elsewhere: int = 0
    """Detections from the threshold on at no true place, of the first engine."""
    place_error_s: float | None = None
    drift_error_ppm: float | None = None
    latency_s: float | None = None
    """From the first mark's start to the moment of the first detection from the threshold on."""
    latencies_s: dict[str, float | None] = field(default_factory=dict)
    """The same by engine."""
    predicted: float | None = None


@dataclass(frozen=True)
class Marked:
    """A stretch of a host with marks in it."""

    samples: Real
    """(n, channels)."""
    rate: int
    key: Key
    places: list[int]
    """First samples of the marks; empty where they were refused."""
    made: list[Made]


def run_mark(plan: Plan, index: int) -> tuple[list[Made], list[Trial]]:
    """Make mark ``index`` in every way that is needed, and try it in every condition."""
    made: list[Made] = []
    trials: list[Trial] = []
    for recipe, wanted in plan.wanted(index).items():
        marked = make(plan, index, recipe)
        made += marked.made
        heard: dict[Channel, dict[str, _Heard]] = {}
        trials += [_trial(plan, index, marked, condition, baseline, heard) for condition, baseline in wanted]
    return made, trials


def make(plan: Plan, index: int, recipe: Recipe) -> Marked:
    """Draw a host and a place, and mark it."""
    rng = _generator(plan, index, 0)
    key = plan.keys[index % len(plan.keys)]
    mark_s = key.profile.mark_samples / key.profile.rate
    hosts = long_enough(plan.materials.hosts, recipe.marks * mark_s)
    host = hosts[int(rng.random() * len(hosts))]
    samples, rate = _recording(host)
    length = _length(key, rate)
    spare = len(samples) - recipe.marks * length
    lead, tail = (min(round(s * rate), spare // 4) for s in (LEAD_S, TAIL_S))
    place = lead + int(rng.random() * (spare - lead - tail))
    start = max(0, place - lead - int(rng.random() * JITTER_S * rate))
    part = samples[start : place + recipe.marks * length + tail]
    places = [place - start + i * length for i in range(recipe.marks)]
    if recipe.pattern == "live":
        places = _from_sound(part, places, length)
    about = [Made(index, recipe, host.name, host.kind, (start + at) / rate) for at in places]
    try:
        marked, about = _embed(recipe, key, part, rate, places, about)
    except AirmarkError as error:
        return Marked(part, rate, key, [], [replace(one, refused=str(error)) for one in about])
    judged = [_judge(plan, one, part, marked, rate, at, length) for one, at in zip(about, places, strict=True)]
    places = [at for at, one in zip(places, about, strict=True) if not one.refused]
    return Marked(marked, rate, key, places, judged)


@dataclass(frozen=True)
class Outcome:
    """What an evaluation brought."""

    made: list[Made]
    trials: list[Trial]
    unmarked: list[null.Heard]
    """Keys that no mark has, on sound without marks."""
    other_keys: list[null.Heard]
    """The same keys on sound full of other keys' marks."""
    hard_hosts: list[dict[str, Any]]
    seconds: float
    """That it took."""


def steps(plan: Plan, null_keys: Sequence[Key]) -> int:
    """How often ``run`` reports progress."""
    return plan.marks + len(_null_work(plan, null_keys))


def run(
    plan: Plan,
    null_keys: Sequence[Key],
    jobs: int = 1,
    backend: str | None = None,
    scheduler: str | None = None,
    progress: Callable[[], None] | None = None,
) -> Outcome:
    """Run all trials, and listen with ``null_keys``, none of them among the marks', for false alarms.

    jobs: pieces of work at a time, -1 for as many as there are processors. backend: joblib's name of who does them, and
    for dask the address of its scheduler. The result is the same for any of them. Raises AirmarkError for a backend
    that there is not, where no recording is long enough, and for a trial whose way its sound can't go, by its names.
    """
    import joblib

    if plan.marks:
        mark_s = plan.keys[0].profile.mark_samples / plan.keys[0].profile.rate
        for recipe in plan.wanted(0):
            long_enough(plan.materials.hosts, recipe.marks * mark_s)
    began = time.monotonic()
    work: list[Any] = [joblib.delayed(run_mark)(plan, index) for index in range(plan.marks)]
    nulls = _null_work(plan, null_keys)
    work += [joblib.delayed(function)(*given) for _, function, given in nulls]
    results: list[Any] = []
    with _workers(backend, scheduler):
        for result in joblib.Parallel(n_jobs=jobs, return_as="generator")(work):
            results.append(result)
            if progress:
                progress()
    marks, rest = results[: plan.marks], results[plan.marks :]
    of: dict[str, list[Any]] = {"unmarked": [], "other keys": [], "hard hosts": []}
    for (kind, _, _), result in zip(nulls, rest, strict=True):
        of[kind].append(result)
    return Outcome(
        [made for one, _ in marks for made in one],
        [trial for _, ones in marks for trial in ones],
        of["unmarked"],
        of["other keys"],
        of["hard hosts"],
        time.monotonic() - began,
    )


def check_backend(backend: str | None, scheduler: str | None = None) -> None:
    """Raises AirmarkError for a backend that joblib cannot use; of dask, where its scheduler does not answer."""
    with _workers(backend, scheduler):
        pass


def _workers(backend: str | None, scheduler: str | None) -> AbstractContextManager[object]:
    import joblib

    extra = {} if scheduler is None else {"scheduler_host": scheduler}
    try:
        workers: AbstractContextManager[object] = joblib.parallel_config(backend or "loky", **extra)
    except (ValueError, ImportError, OSError) as error:
        told = f"--backend {backend}" if scheduler is None else f"--backend {backend} --scheduler {scheduler}"
        raise AirmarkError(f"{told}: joblib cannot use it: {error}") from None
    return workers


def _null_work(plan: Plan, keys: Sequence[Key]) -> list[tuple[str, Callable[..., Any], tuple[Any, ...]]]:
    """The pieces of work about false alarms: kind, function and arguments."""
    if not keys:
        return []
    paths = [host.path for host in plan.materials.hosts] + plan.materials.noises
    units = [null.Unit(path.stem, audio.info(path).rate, (path,)) for path in paths]
    hosts, engine = plan.materials.hosts, plan.engines[0]
    drawn = np.random.default_rng(plan.seed).permutation(len(hosts))[:MARKED_HOSTS]
    return [
        *(("unmarked", null.hear, (unit, keys, null.LEAST_SCORE, engine)) for unit in units),
        *(("other keys", hear_marked, (plan, hosts[index], keys)) for index in sorted(drawn.tolist())),
        *(("hard hosts", null.hear_host, (name, keys, engine)) for name in hardhosts.names()),
    ]


def hear_marked(plan: Plan, host: Host, keys: Sequence[Key]) -> null.Heard:
    """Listen with keys to a recording marked from end to end with another one."""
    samples, rate = _recording(host)
    embedder = Embedder(plan.keys[0], rate, pattern=plan.pattern, strength=plan.strength_db, judge=False)
    try:
        marked = embedder.embed(samples[: round(MARKED_S * rate)], None).samples
    except AirmarkError:  # too short, or silent
        return null.Heard(host.name, 0.0)
    found, heard = null.events(keys, rate, lambda: [marked.mean(axis=1)], engine=plan.engines[0])
    return null.Heard(host.name, heard / rate, found)


def long_enough(hosts: Sequence[Host], marks_s: float) -> list[Host]:
    """The recordings that can carry marks of that length. Raises AirmarkError where there is none."""
    found = [host for host in hosts if host.seconds >= marks_s + SPARE_S]
    if not found:
        raise AirmarkError(f"no recording of {marks_s + SPARE_S:.1f} s or more: give longer ones by --audio")
    return found


def _from_sound(host: Real, places: list[int], length: int) -> list[int]:
    """Places moved to the first sample that is not silent: there a live mark begins. length: of a mark, samples."""
    sounding = np.flatnonzero(host[places[0] :].any(axis=1))
    late = min(int(sounding[0]) if len(sounding) else 0, len(host) - length - places[-1])
    return [place + late for place in places]


def _embed(
    recipe: Recipe, key: Key, host: Real, rate: int, places: list[int], about: list[Made]
) -> tuple[Real, list[Made]]:
    """The marked host, and each mark with what the embedder tells about it."""
    if recipe.pattern == "live":
        strength = LIVE_DB if recipe.strength_db is None else recipe.strength_db
        # The stream begins where the marks do, so that the first mark has no marks before it to learn from.
        stop = places[-1] + _length(key, rate)
        part = host[places[0] : stop]
        if not part.any():
            raise AirmarkError("there is only digital silence where the marks were wanted: nothing can be marked there")
        live = StreamEmbedder(key, rate, host.shape[1], strength=strength)
        out = host.copy()
        added = np.concatenate([live.process(part), live.flush()])[live.delay :] - part
        # A stream goes on; here it ends as a mark in a file does, or the cut would be heard and not the mark.
        fade = round(RAMP * rate / masking.RATE)
        added[-fade:] *= ((np.arange(fade) + 0.5) / fade)[::-1, None]
        out[places[0] : stop] += added
        return out, [replace(one, strength_db=strength) for one in about]
    embedder = Embedder(key, rate, pattern=recipe.pattern, strength=recipe.strength_db, judge=False)
    embedded = embedder.embed(host, [Place(at) for at in places])
    marks = {mark.sample: mark for mark in embedded.marks}
    told = []
    for one, at in zip(about, places, strict=True):
        mark = marks.get(at)
        if mark is None:
            told.append(replace(one, refused="digital silence"))
        else:
            told.append(replace(one, strength_db=mark.strength_db, predicted=mark.predicted_score))
    return embedded.samples, told


def _length(key: Key, rate: int) -> int:
    return -(-key.profile.mark_samples * rate // key.profile.rate)


def _judge(plan: Plan, made: Made, host: Real, marked: Real, rate: int, place: int, length: int) -> Made:
    """The mark with its quality."""
    if made.refused:
        return made
    margin = round(QUALITY_MARGIN_S * rate)
    part = slice(max(0, place - margin), place + length + margin)
    visqol = plan.visqol and made.index % VISQOL_EVERY == 0 and made.recipe.marks == 1
    found = quality.measure(host[part], marked[part], rate, visqol=visqol, pesq=plan.pesq and made.kind == "speech")
    return replace(
        made, snr_db=found.snr_db, zimtohrli=found.zimtohrli, pesq_wb=found.pesq_wb, visqol=found.visqol
    )  # fmt: skip


def _trial(
    plan: Plan,
    index: int,
    marked: Marked,
    condition: Condition,
    baseline: bool,
    known: dict[Channel, dict[str, _Heard]],
) -> Trial:
    """One trial. known: what was heard of this mark so far; rows that differ in the pattern share it."""
    first = marked.made[0]
    way = condition.ways[index % len(condition.ways)]
    trial = Trial(condition.name, way.name, index, baseline, first.host, first.kind)
    if not marked.places:
        return replace(trial, refused=True, scores=dict.fromkeys(plan.engines))
    channel, room, seed = _channel(plan, index, marked, condition, way)
    heard = known.get(channel)
    if heard is None:
        try:
            received = channel.apply(marked.samples, marked.rate, seed)
        except AirmarkError as error:
            raise AirmarkError(f"{condition.name}, {way.name}, mark {index} in {first.host}: {error}") from None
        pcm = np.round(np.clip(received.samples, -1, 1) * 32767).astype(np.int16)
        heard = known[channel] = {engine: _hear(plan, marked, received, pcm, engine) for engine in plan.engines}
    main = heard[plan.engines[0]]
    predicted = [made.predicted for made in marked.made if made.predicted is not None]
    return replace(
        trial,
        room=room.name if room else "",
        distance_m=room.distance_m if room else None,
        rt60_s=room.rt60_s if room else None,
        noise=str(getattr(channel.noise, "stem", "")),
        snr_db=condition.snr_db,
        drift_ppm=channel.drift_ppm,
        scores={engine: one.best.score if one.best else None for engine, one in heard.items()},
        elsewhere=main.elsewhere,
        latency_s=main.latency_s,
        latencies_s={engine: one.latency_s for engine, one in heard.items()},
        predicted=max(predicted, default=None),
        place_error_s=main.place_error_s,
        drift_error_ppm=main.best.drift_ppm - channel.drift_ppm if main.best else None,
    )


def _channel(
    plan: Plan, index: int, marked: Marked, condition: Condition, way: Way
) -> tuple[Channel, Room | None, int]:
    """The way of a trial, its room and the seed of its noise."""
    rng = _generator(plan, index, 1)
    # Drawn in one order whatever is used, so that conditions share them.
    which_room, which_noise, drift, level, crop_from, crop_to = rng.random(6)
    seed = int(rng.integers(1 << 32))
    drift_ppm = float(DRIFT_PPM * (2 * drift - 1)) if way.drift_ppm is None else way.drift_ppm
    channel = Channel(codec_before=way.codec_before, codec_after=way.codec_after, drift_ppm=drift_ppm)
    if way.crop:
        stretch = (1 + drift_ppm * 1e-6) / marked.rate
        end = marked.places[-1] + _length(marked.key, marked.rate)
        last = end + crop_to * (len(marked.samples) - 1 - end)
        channel = replace(channel, crop_s=(crop_from * marked.places[0] * stretch, last * stretch))
    if not condition.room:
        return channel, None, seed
    room = draw_room(plan, condition, which_room)
    noises = plan.materials.noises
    channel = replace(
        channel,
        loudspeaker_hz=SMALL_LOUDSPEAKER_HZ,
        noise=noises[int(which_noise * len(noises))],
        snr_db=condition.snr_db,
        level_db=float(LEVEL_DB[0] + level * (LEVEL_DB[1] - LEVEL_DB[0])),
        gain_control=way.headset,
        noise_suppression=way.headset,
    )
    if room.path is not None:
        return replace(channel, rir=room.path), room, seed
    return replace(channel, distance_m=room.distance_m, rt60_s=room.rt60_s, room_seed=room.seed), room, seed


def measured_rooms(rooms: Sequence[Room], condition: Condition) -> list[Room]:
    """The measured rooms of a condition; empty where it has simulated ones, or the materials have none for it."""
    if condition.room == "measured":
        return list(rooms)
    known = [(room.distance_m, room) for room in rooms if room.distance_m is not None]
    if condition.room == "far":
        return [room for metres, room in known if metres >= FAR_M]
    if condition.room == "near":
        return [room for metres, room in known if NEAR_M[0] <= metres <= NEAR_M[1]]
    return []


def draw_room(plan: Plan, condition: Condition, where: float) -> Room:
    """The room of a condition at ``where``, 0 to 1; simulated where it asks for that or none near was measured."""
    rooms = measured_rooms(plan.materials.rooms, condition)
    if rooms:
        return rooms[int(where * len(rooms))]
    near = condition.room == "near"
    ranges = (NEAR_M, SIMULATED_NEAR_RT60_S) if near else (SIMULATED_FAR_M, SIMULATED_FAR_RT60_S)
    return materials.simulated(int(where * SIMULATED), plan.seed, *ranges)


@dataclass(frozen=True)
class _Heard:
    """What one engine made of a trial."""

    best: Detection | None
    """The highest at a true place."""
    place_error_s: float | None
    elsewhere: int
    latency_s: float | None


def _hear(plan: Plan, marked: Marked, received: ReceivedAudio, pcm: npt.NDArray[np.int16], engine: str) -> _Heard:
    threshold = plan.threshold_of(engine)
    places = [received.place(at) for at in marked.places]
    profile = marked.key.profile
    tolerance = profile.pattern_samples * received.rate / profile.rate

    def there(detection: Detection) -> bool:
        return any(abs(detection.sample - at) <= tolerance for at in places)

    # What counts as found, and when, is what a detector with the threshold itself reports; the score beside it is that
    # of the whole mark, which an early decision would hide.
    reports = list(_reports(marked.key, received.rate, pcm, threshold, engine, early=True))
    whole = _reports(marked.key, received.rate, pcm, min(LEAST_SCORE, threshold), engine, early=False)
    told = any(there(one) for one, _ in reports)
    found = [one for one, _ in (*reports, *whole) if there(one) and (told or one.score < threshold)]
    over = [at for one, at in reports if there(one) and at is not None]
    best = max(found, key=lambda one: one.score, default=None)
    return _Heard(
        best,
        min((best.sample - at for at in places), key=abs) / received.rate if best else None,
        sum(not there(one) for one, _ in reports),
        (min(over) - places[0]) / received.rate if over else None,
    )


def _reports(
    key: Key, rate: int, pcm: npt.NDArray[np.int16], threshold: float, engine: str, early: bool
) -> Iterator[tuple[Detection, int | None]]:
    """Detections, and how many samples the detector had heard at each; None: only after the end."""
    detector = Detector(key, rate, threshold=threshold, engine=engine, early=early)
    block = round(BLOCK_S * rate)
    for start in range(0, len(pcm), block):
        for detection in detector.process(pcm[start : start + block]):
            yield detection, min(start + block, len(pcm))
    for detection in detector.flush():
        yield detection, None


def _generator(plan: Plan, index: int, what: int) -> np.random.Generator:
    """Mark ``index``'s own: 0 for the mark, 1 for the way it takes."""
    return np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(index, what)))


@lru_cache(maxsize=4)
def _recording(host: Host) -> tuple[Real, int]:
    found = audio.read(host.path)
    found.samples.setflags(write=False)
    return found.samples, found.rate
