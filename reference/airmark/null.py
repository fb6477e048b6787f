"""False alarms, measured: what a detector reports on sound without a mark.

Many keys listen to the same recordings at once. All keys share the products of a place, and under each drift the sign
products of all keys meet them in one matrix product; only where that comes near the threshold is the detector's own
score made. The events are the full engine's, which compares at all lags everywhere; the first stages of the float
engine only take events away (and leave a whole mark to be told where they took its first half).

With the integer engines each key listens alone, as a device with one key does; in C they share the frames.

Events over a threshold are then counted, and the one free figure of airmark.thresholds, the number of independent looks
a day, is fitted to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from airmark import audio, hardhosts, keysearch, statistic, thresholds
from airmark.confirm import Confirmed, ConfirmStage
from airmark.detector import (
    EARLY_HANDICAP,
    INTEGER_ENGINES,
    SCREEN_THRESHOLD,
    TEMPLATE_THRESHOLD,
    Detector,
    PcmStage,
    flushed,
    limited,
)
from airmark.errors import AirmarkError
from airmark.fixed.detector import key_columns
from airmark.frames import Frames, FrameStage, InputStage
from airmark.keys import Key, keys_of_one_profile
from airmark.lags import LagGrid, Products, Real
from airmark.peaks import HOLD, PeakStage
from airmark.profile import Profile, profile
from airmark.screen import LAGS
from airmark.template import TemplateStage

Singles = npt.NDArray[np.float32]

SUFFIXES = (".flac", ".wav", ".ogg")
ROOMS = "rir"
"""Folders of that name hold impulse responses, no recordings."""
LEAST_SCORE = 4.0
"""Score from which events are collected."""
MARGIN = 0.4
"""How far below the threshold a place may seem on the grid of drifts and still be scored exactly."""
STRETCH = 1024
"""Places whose products are made together."""
BATCH = 64
"""Places compared with all keys together."""
JOINED_S = 60.0
"""Recordings of a folder that are shorter follow each other without a pause, up to this length."""
THRESHOLDS = tuple(np.arange(4.0, 7.01, 0.25).tolist())
RESAMPLED = 2000
"""Bootstrap samples of the recordings."""
HISTOGRAM_STEP = 1 / 64
"""Scores of which events are counted together, to fit other tails to them than looks a day."""


class Event(NamedTuple):
    """A detection on sound without a mark."""

    key: int
    place: int
    """Frame at which it would begin."""
    score: float


@dataclass(frozen=True)
class Heard:
    """One recording, or several short ones in a row, and what was reported in it."""

    name: str
    seconds: float
    events: Mapping[str, list[Event]] = field(default_factory=dict)
    """Of each engine that listened."""
    broken: list[str] = field(default_factory=list)
    """Of files that could be read only in part: what was wrong. What came before it counts as heard."""


def keys_with_symmetries(count: int, seed: int) -> list[Key]:
    """``count`` keys of the default profile: keys from the search, and those that its bounds cannot tell from them.

    The bounds stay the same where the signs change places between bands in turn, run backwards, or change sign in every
    other repetition: with four bands, sixteen keys for each one searched for. On real sound they are as good as
    others, for no two have the same pair products in the same band.
    """
    owner = profile()
    found = keysearch.Search(owner, np.random.default_rng(seed), np.inf).found()
    alternating = np.where(np.arange(owner.repetitions) % 2, -1, 1)[:, None, None]
    turns = list(product(range(owner.bands), (1, -1), (np.ones_like(alternating), alternating)))
    keys: list[Key] = []
    for key in islice(found, -(-count // len(turns))):
        keys += [Key(np.roll(key.signs[::step], turn, axis=2) * signs, owner) for turn, step, signs in turns]
    return keys[:count]


class NullScorer:
    """The events of many keys in a stream of sound: those of Detector's engines, found with shared work."""

    def __init__(self, keys: Sequence[Key], rate: int, threshold: float = LEAST_SCORE, early: bool = False) -> None:
        """keys: of one profile; rate: of the sound, Hz; threshold: lowest score that is reported.

        early: the first halves of marks, instead of whole ones.
        """
        p = keys_of_one_profile(list(keys))
        columns = [key.columns for key in keys]
        if early:
            half = p.early
            if half is None:
                raise ValueError(f"profile {p.name} has no early decision")
            p, columns = half, [c[:, : half.repetitions] for c in columns]
        self.profile, self.threshold = p, threshold
        self.handicap = EARLY_HANDICAP if early else 0.0
        self._grid = grid = LagGrid(p)
        self._input = InputStage(rate, p)
        self._stage = FrameStage(p, highest_hz=0.475 * rate)
        self._confirm = ConfirmStage(grid, columns)
        self._template = TemplateStage(grid, columns, self._stage.used)
        self._peaks = {engine: [PeakStage(p, threshold) for _ in keys] for engine in ("full", "float")}
        signs = np.stack(self._confirm.signs).astype(np.float32)  # (keys, M bands, pairs)
        self._bands = [(np.ones_like(self._confirm.low), 0.0)]
        if self._confirm.low.any():
            self._bands.append((self._confirm.low, statistic.LOW_HANDICAP))
        self._signs = [signs[:, used].reshape(len(keys), -1).T for used, _ in self._bands]
        self._tail = np.zeros(p.fft + 8 * p.hop)
        earlier, later = grid.pairs
        self._short = later - earlier <= min(LAGS, p.repetitions - 1)
        # Row of a pair's products, counted from its place's, in a table of block sums (frames, lags).
        start = p.pattern_frames * later + p.block_frames * np.arange(p.blocks)[:, None]
        self._rows = start * (p.repetitions - 1) + (later - earlier - 1)  # (M, pairs)

    @cached_property
    def _turns(self) -> Singles:
        """(lags, 2 subbands, drifts bands): from real and imaginary sub-band sums to each band's turned real part."""
        p = self.profile
        turns = self._grid.turns(np.arange(1, p.repetitions), self._confirm.drifts)  # (drifts, lags, subbands)
        parts = np.stack([turns.real, -turns.imag], axis=-1).transpose(1, 2, 3, 0)  # (lags, subbands, 2, drifts)
        band = np.arange(p.subbands) * p.bands // p.subbands
        out = parts[..., None] * (band[:, None] == np.arange(p.bands))[:, None, None, :]
        return np.asarray(out.reshape(len(parts), 2 * p.subbands, -1), np.float32)

    def events(self, sound: Iterable[npt.NDArray[Any]]) -> tuple[list[Event], list[Event], int]:
        """The events of the full and of the float engine, and the samples heard, in sound (n,) or (n, channels)."""
        frames = np.zeros((0, len(self.profile.bins)), np.complex64)
        found: dict[str, list[Event]] = {"full": [], "float": []}
        first = samples = 0
        for part, length in self._parts(sound):
            samples += length
            frames = np.concatenate([frames, part])
            places = len(frames) - self.profile.mark_frames + 1
            if places < STRETCH and length:
                continue
            for place, key, confirmed, passed in self._scored(frames, places):
                engines = ("full", "float") if passed else ("full",)
                for engine in engines:
                    self._advance(engine, key, first + place, confirmed, found)
            frames, first = frames[max(0, places) :], first + max(0, places)
        for engine, stages in self._peaks.items():
            for key in range(len(stages)):
                self._advance(engine, key, first - 1, None, found)
        for events in found.values():
            events.sort(key=lambda event: (event.place, event.key))
        return found["full"], found["float"], samples

    def _parts(self, sound: Iterable[npt.NDArray[Any]]) -> Iterator[tuple[Frames, int]]:
        """Frames and the samples they came from; at the end those of the silence that Detector.flush adds, and 0."""
        for block in sound:
            yield self._stage.process(self._input.process(block)), len(block)
        rate, p = self._input.rate, self.profile
        silence = np.zeros(len(self._tail) * rate // p.rate + 4 * InputStage.PIECE + rate // 4)
        yield self._stage.process(self._input.process(silence)), 0

    def _advance(
        self, engine: str, key: int, place: int, confirmed: Confirmed | None, found: dict[str, list[Event]]
    ) -> None:
        """Go on to that place; those in between were below the threshold, and so cannot change what is held."""
        peaks = self._peaks[engine][key]
        steps: list[tuple[int, Confirmed | None]] = []
        if peaks.held is not None and place > peaks.held.frame + HOLD:
            steps.append((peaks.held.frame + HOLD, None))
        if confirmed is not None or (peaks.held is not None and place == peaks.held.frame + HOLD):
            steps.append((place, confirmed))
        for step in steps:
            peak = peaks.process(*step)
            if peak is not None:
                found[engine].append(Event(key, peak.frame, peak.confirmed.score))

    def _scored(self, frames: Frames, places: int) -> Iterator[tuple[int, int, Confirmed, bool]]:
        """Place, key, exact comparison and whether the float engine's first stages pass it, from the threshold on."""
        if places <= 0:
            return
        sums = self._block_sums(frames)
        turned = self._turned(sums)
        for start in range(0, places, BATCH):
            count = min(BATCH, places - start)
            for place, keys in self._near(turned, start, count):
                products = self._products(sums, place)
                window = frames[place : place + self.profile.mark_frames]
                for key in keys:
                    confirmed = self._confirm.score(products, key)
                    confirmed = confirmed._replace(score=confirmed.score - self.handicap)
                    if confirmed.score >= self.threshold:
                        yield place, key, confirmed, self._passes(products, window, key)

    def _block_sums(self, frames: Frames) -> npt.NDArray[np.complex64]:
        """(frames, lags, subbands) lag products of the block that begins with each frame; exact, see LagGrid."""
        p = self.profile
        out = np.zeros((len(frames), p.repetitions - 1, p.subbands), np.complex64)
        for lag in range(1, p.repetitions):
            shift = lag * p.pattern_frames
            if shift >= len(frames):
                break
            sums = self._grid.subband_sums(frames[shift:] * frames[:-shift].conj())
            blocks = len(sums) - p.block_frames + 1
            for i in range(p.block_frames):
                out[shift : shift + blocks, lag - 1] += sums[i : i + blocks]
        return out

    def _turned(self, sums: npt.NDArray[np.complex64]) -> Singles:
        """(drifts, bands, frames lags): the block sums with each drift undone, added up over each band."""
        p = self.profile
        parts = sums.view(np.float32).transpose(1, 0, 2)  # (lags, frames, 2 subbands)
        turned = (parts @ self._turns).reshape(len(parts), len(sums), len(self._confirm.drifts), p.bands)
        return np.ascontiguousarray(turned.transpose(2, 3, 1, 0)).reshape(len(self._confirm.drifts), p.bands, -1)

    def _products(self, sums: npt.NDArray[np.complex64], place: int) -> Products:
        """LagGrid.block_products of a place: (M, pairs, subbands)."""
        p = self.profile
        rows = place * (p.repetitions - 1) + self._rows
        return np.asarray(sums.reshape(-1, p.subbands)[rows], np.complex128)

    def _near(self, turned: Singles, start: int, count: int) -> Iterator[tuple[int, list[int]]]:
        """Places of a batch and the keys that come within MARGIN of the threshold there."""
        p = self.profile
        drifts, pairs = len(turned), self._rows.shape[1]
        place = (start + np.arange(count))[:, None] * (p.repetitions - 1)
        values = np.empty((drifts, count, p.blocks, p.bands, pairs), np.float32)
        for block in range(p.blocks):
            rows = place + self._rows[block]
            for drift in range(drifts):
                for band in range(p.bands):
                    np.take(turned[drift, band], rows, out=values[drift, :, block, band], mode="clip")
        columns = values.reshape(drifts, count, p.blocks * p.bands, pairs)
        near: dict[int, set[int]] = {}
        for (used, handicap), signs in zip(self._bands, self._signs, strict=True):
            part = columns if used.all() else columns[:, :, used]
            flat = part.reshape(drifts, count, -1)
            power = np.einsum("dpk,dpk->dp", flat, flat)
            scale = np.divide(1, np.sqrt(power), out=np.zeros_like(power), where=power > 0)
            scores = (flat.reshape(drifts * count, -1) @ signs).reshape(drifts, count, -1)
            scores *= scale[:, :, None]
            least = self.threshold + self.handicap + handicap - MARGIN
            over = scores.max(axis=0) >= least
            for at in np.flatnonzero(over.any(axis=1)):
                keys = np.flatnonzero(over[at])
                # A host of low rank brings many keys near, and its skewness takes them away again.
                if len(keys) > drifts:
                    skew = statistic.skewness(self._grid.gram(part[:, at].astype(np.float64)))
                    keys = keys[(statistic.normal_score(scores[:, at, keys], skew[:, None]) >= least).any(axis=0)]
                if len(keys):
                    near.setdefault(int(at), set()).update(keys.tolist())
        for offset, found in sorted(near.items()):
            yield start + offset, sorted(found)

    def _passes(self, products: Products, window: Frames, key: int) -> bool:
        """Whether the screen and the template of the float engine pass a place."""
        values: Real = self._grid.band_sums(products).swapaxes(1, 2).reshape(-1, len(self._short))[:, self._short]
        power = float((values * values).sum())
        level = float((values * self._confirm.signs[key][:, self._short]).sum()) / np.sqrt(power) if power else 0.0
        return bool(level >= SCREEN_THRESHOLD and self._template.process(window, key).max() >= TEMPLATE_THRESHOLD)


def heard_by(engine: str) -> tuple[str, ...]:
    """The engines whose events are found where those of ``engine`` are asked for, itself first."""
    return (engine,) if engine in INTEGER_ENGINES else (engine, "float" if engine == "full" else "full")


def events(
    keys: Sequence[Key],
    rate: int,
    sound: Callable[[], Iterable[npt.NDArray[Any]]],
    threshold: float = LEAST_SCORE,
    engine: str = "full",
) -> tuple[dict[str, list[Event]], int]:
    """The events with early decisions, by the engines of ``heard_by``, and the samples heard.

    sound: gives the sound, as often as it is called.
    """
    owner = keys_of_one_profile(list(keys))
    if engine in INTEGER_ENGINES:
        alone, samples = _alone(keys, rate, sound(), threshold, engine)
        return {engine: alone}, samples
    full, staged, samples = NullScorer(keys, rate, threshold).events(sound())
    whole = {"full": full, "float": staged}
    if owner.early is None:
        return {name: whole[name] for name in heard_by(engine)}, samples
    full, staged, _ = NullScorer(keys, rate, threshold, early=True).events(sound())
    halves = {"full": full, "float": staged}
    return {name: _told_once(whole[name], halves[name], owner) for name in heard_by(engine)}, samples


def _alone(
    keys: Sequence[Key], rate: int, sound: Iterable[npt.NDArray[Any]], threshold: float, engine: str
) -> tuple[list[Event], int]:
    """The events of a Detector of one key for each key, and the samples heard."""
    p = keys[0].profile
    stage = PcmStage(rate, p)
    samples, parts = 0, []
    for block in sound:
        samples += len(block)
        parts.append(stage.process(block))
    pcm = np.concatenate([*parts, stage.flush()])
    found = []
    for index, told in enumerate(_told_alone(keys, stage.rate, pcm, threshold, engine)):
        for sample, score in told:
            place = (sample * p.rate / stage.rate - (p.fft - p.hop) / 2) / p.hop
            found.append(Event(index, round(place), score))
    return sorted(found, key=lambda event: (event.place, event.key)), samples


def _told_alone(
    keys: Sequence[Key], rate: int, pcm: npt.NDArray[np.int16], threshold: float, engine: str
) -> Iterator[list[tuple[int, float]]]:
    """Sample and score of what a Detector of each key alone tells of all that sound, early decisions on."""
    if engine != "c":
        for key in keys:
            detector = Detector(key, rate, threshold=threshold, engine=engine, early=True)
            yield [(one.sample, one.score) for one in detector.process(pcm) + detector.flush()]
        return
    from airmark import native

    heard = np.concatenate([pcm, np.zeros(flushed(rate, keys[0].profile), np.int16)])
    columns = [key_columns(key) for key in keys]
    for told in native.detections_alone(columns, rate, heard, early=True, threshold_q8=limited(threshold)):
        yield [(one.sample, one.score_q8 / 256) for one in told]


def _told_once(whole: list[Event], halves: list[Event], owner: Profile) -> list[Event]:
    """Both kinds of events in the order of their places, without the whole ones that were told early."""
    assert owner.early is not None
    # By the frame they are reported in; of two in one frame the whole mark comes first, as in the detector.
    reports = [(event.place + owner.mark_frames, 0, event) for event in whole]
    reports += [(event.place + owner.early.mark_frames, 1, event) for event in halves]
    early: dict[int, int] = {}
    told = []
    for _, is_half, event in sorted(reports, key=lambda report: report[:2]):
        if is_half:
            early[event.key] = event.place
        elif event.key in early and abs(event.place - early[event.key]) <= owner.mark_frames // 2:
            continue
        told.append(event)
    return sorted(told, key=lambda event: (event.place, event.key))


class Unit(NamedTuple):
    """Recordings that are listened to in a row; one is drawn or left out as a whole by the bootstrap."""

    name: str
    rate: int
    paths: tuple[Path, ...]


def recordings(folders: Sequence[Path]) -> list[Unit]:
    """The recordings in folders and their subfolders; short ones of a folder and rate in a row.

    Raises AirmarkError where a folder is missing, a file is broken, or there is none.
    """
    units: list[Unit] = []
    for top in folders:
        if not top.is_dir():
            raise AirmarkError(f"{top}: no such folder; give folders with recordings")
        row: dict[tuple[Path, int], list[Path]] = {}
        length: dict[tuple[Path, int], float] = {}
        for path in sorted(top.rglob("*")):
            if path.suffix.lower() not in SUFFIXES or ROOMS in path.relative_to(top).parts or not path.is_file():
                continue
            try:
                info = audio.info(path)
            except AirmarkError as error:
                if "holds no sound" in str(error):
                    continue
                raise
            where = path.parent, info.rate
            seconds = (info.frames or 0) / info.rate
            if where in row and length[where] + seconds > JOINED_S:
                units.append(_unit(top, info.rate, row.pop(where)))
            row.setdefault(where, []).append(path)
            length[where] = seconds + (length[where] if len(row[where]) > 1 else 0.0)
        units += [_unit(top, rate, paths) for (_, rate), paths in row.items()]
    if not units:
        raise AirmarkError(f"no recordings ({', '.join(SUFFIXES)}) in {', '.join(map(str, folders))}")
    return units


def _unit(top: Path, rate: int, paths: list[Path]) -> Unit:
    name = str(paths[0].relative_to(top.parent))
    return Unit(name if len(paths) == 1 else f"{name} and {len(paths) - 1} more", rate, tuple(paths))


def hear(unit: Unit, keys: Sequence[Key], threshold: float = LEAST_SCORE, engine: str = "full") -> Heard:
    """Listen to a unit with all keys, for the events of an engine."""
    broken: list[str] = []

    def mono() -> Iterator[Real]:
        broken.clear()  # It is heard more than once.
        for path in unit.paths:
            try:
                for block in audio.blocks(path):
                    yield block.mean(axis=1)
            except AirmarkError as error:
                # One bad file is no reason to throw away hours of others.
                broken.append(str(error))

    found, samples = events(keys, unit.rate, mono, threshold, engine)
    return Heard(unit.name, samples / unit.rate, found, broken)


def hear_host(name: str, keys: Sequence[Key], engine: str = "full") -> dict[str, Any]:
    """What all keys report on one of airmark.hardhosts, by engine: events, the highest score, those over one a year."""
    year = thresholds.threshold(thresholds.ONE_A_YEAR, engine=engine)
    sound = hardhosts.make(name)
    engines, samples = events(keys, hardhosts.RATE, lambda: [sound], engine=engine)
    return {
        "host": name,
        "key_hours": samples / hardhosts.RATE / 3600 * len(keys),
        "events": {engine: len(events) for engine, events in engines.items()},
        "highest": {engine: max((e.score for e in events), default=None) for engine, events in engines.items()},
        "over_one_a_year": {engine: sum(e.score >= year for e in events) for engine, events in engines.items()},
    }


def measure(
    units: Sequence[Unit],
    keys: Sequence[Key],
    threshold: float = LEAST_SCORE,
    jobs: int = 1,
    progress: Callable[[Heard], None] | None = None,
    engine: str = "full",
) -> list[Heard]:
    """Listen to all units, ``jobs`` at a time, for the events of an engine."""
    heard = []
    pool = ProcessPoolExecutor(jobs, get_context("spawn")) if jobs > 1 else None
    count = len(units)
    try:
        results = (pool.map if pool else map)(hear, units, [keys] * count, [threshold] * count, [engine] * count)
        for result in results:
            heard.append(result)
            if progress:
                progress(result)
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)
    return heard


class Level(NamedTuple):
    """The events from one threshold on."""

    threshold: float
    events: int
    per_key_day: float
    expected: float
    """Events that the fit expects."""
    ratio: float
    """Events to those expected; at the threshold from which events were fitted it is 1."""
    low: float
    high: float
    """95 % interval of the ratio, the wider end of a bootstrap over recordings and of Poisson's (Garwood)."""


@dataclass(frozen=True)
class Fit:
    """Independent looks a day of one key, and how far the tail holds."""

    looks_a_day: float
    low: float
    high: float
    """95 % interval, by bootstrap over recordings."""
    fitted_from: float
    """Score from which events were fitted."""
    key_days: float
    levels: list[Level]


def histogram(scores: Iterable[float]) -> dict[str, Any]:
    """How many scores lie in each step from LEAST_SCORE on, up to the highest one."""
    steps = [int((score - LEAST_SCORE) / HISTOGRAM_STEP) for score in scores]
    events = np.bincount(steps).tolist() if steps else []
    return {"from": LEAST_SCORE, "step": HISTOGRAM_STEP, "events": events}


def fit(
    scores: Sequence[Sequence[float]],
    key_days: Sequence[float],
    fitted_from: float,
    seed: int = 0,
    engine: str = "float",
) -> Fit:
    """Fit the looks a day to events.

    scores: of the events in each recording; key_days: what was heard of it; engine: whose. For Poisson events whose
    rate over a score z is looks times thresholds.tail, the maximum likelihood over the events from ``fitted_from`` on
    is their number by what one look a day would give. Raises AirmarkError where there are none.
    """
    days = np.asarray(key_days)
    counts = np.array([[sum(score >= z for score in each) for z in (fitted_from, *THRESHOLDS)] for each in scores])
    tails = np.array([thresholds.tail(z, engine) for z in (fitted_from, *THRESHOLDS)])
    if not counts[:, 0].sum():
        raise AirmarkError(f"no event from a score of {fitted_from:g} on: give more keys or more recordings")
    looks = counts.sum(axis=0) / days.sum() / tails
    drawn = np.random.default_rng(seed).multinomial(len(days), np.full(len(days), 1 / len(days)), RESAMPLED)
    again = (drawn @ counts) / (drawn @ days)[:, None] / tails
    again = again[again[:, 0] > 0]
    low, high = np.percentile(again[:, 0], (2.5, 97.5))
    low_ratios, high_ratios = np.percentile(again / again[:, :1], (2.5, 97.5), axis=0)
    levels = []
    for i, z in enumerate(THRESHOLDS, 1):
        events = int(counts[:, i].sum())
        expected = float(looks[0] * days.sum() * tails[i])
        below = chi2.ppf(0.025, 2 * events) / 2 if events else 0.0
        above = chi2.ppf(0.975, 2 * events + 2) / 2
        interval = min(low_ratios[i], below / expected), max(high_ratios[i], above / expected)
        rate = float(events / days.sum())
        levels.append(Level(z, events, rate, expected, events / expected, float(interval[0]), float(interval[1])))
    return Fit(float(looks[0]), float(low), float(high), fitted_from, float(days.sum()), levels)
