"""The search for the default profile: one parameter changed at a time, each variant tried on the same trials.

Trial i of every variant has the same host, place, measured room, noise, level and clock, so that variants compare pair
by pair. It is marked at one fixed strength with a key of the variant's shape, heard with noise at each of SNRS_DB, and
scored by the detector's own stages where the mark is known to be: the highest score within NEAR of it, over all lags.

The keys are signs drawn at random for all variants alike, the default too: keygen's search takes seconds to minutes for
some shapes and answers for what unmarked sound can do, which is not measured here. Neither are false alarms. The
threshold is that of the default profile; a variant that looks twice as often would need one higher by about 0.12.

Everything drawn for trial i comes from a generator of its own, spawned from the seed, and results are in the order of
i: they are the same for any number of jobs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from airmark import audio, evaluate, intervals, quality, thresholds
from airmark.channel import SMALL_LOUDSPEAKER_HZ, Channel, ReceivedAudio
from airmark.confirm import ConfirmStage
from airmark.detector import Detector
from airmark.embedder import QUALITY_MARGIN_S, Embedder, Place
from airmark.errors import AirmarkError
from airmark.frames import FrameStage, InputStage
from airmark.keys import Key
from airmark.lags import LagGrid
from airmark.materials import Materials
from airmark.profile import Profile, profile
from airmark.screen import LAGS

Real = npt.NDArray[np.float64]

VARIANTS: dict[str, dict[str, Any]] = {
    # Shapes of a mark of about 2.05 s; blocks are whole hops of the embedder (256 samples).
    "16x2048": {"repetitions": 16, "block_samples": 2048},
    "21x1536": {"repetitions": 21, "block_samples": 1536},
    "32x1024": {"repetitions": 32, "block_samples": 1024},
    "42x768": {"repetitions": 42, "block_samples": 768},
    "64x512": {"repetitions": 64, "block_samples": 512},
    "16x2x1024": {"repetitions": 16, "blocks": 2, "block_samples": 1024},
    "32x2x512": {"repetitions": 32, "blocks": 2, "block_samples": 512},
    # The detector's frames; the last two cost as much as the default.
    "fft-256": {"fft": 256},
    "fft-512": {"fft": 512},
    "fft-1024": {"fft": 1024},
    "hop-128": {"hop": 128},
    "hop-256": {"hop": 256},
    "hop-512": {"hop": 512},
    "fft-256-hop-128": {"fft": 256, "hop": 128},
    "fft-1024-hop-512": {"fft": 1024, "hop": 512},
    "band-200-7000": {"band_hz": (200, 7000)},
    "band-300-3400": {"band_hz": (300, 3400)},
    "band-300-7500": {"band_hz": (300, 7500)},
    "band-500-6000": {"band_hz": (500, 6000)},
    "bands-1": {"bands": 1},
    "bands-2": {"bands": 2},
    "bands-4": {"bands": 4},
    "bands-8": {"bands": 8},
    "subbands-4": {"subbands": 4},
    "subbands-8": {"subbands": 8},
    "subbands-16": {"subbands": 16},
    # Of drifts the confirming stage takes the reach alone; the template stage tries them as they are.
    "drifts-100-by-50": {"drifts_ppm": tuple(range(-100, 101, 50))},
    "drifts-200-by-25": {"drifts_ppm": tuple(range(-200, 201, 25))},
    "drifts-200-by-50": {"drifts_ppm": tuple(range(-200, 201, 50))},
    "drifts-200-by-100": {"drifts_ppm": tuple(range(-200, 201, 100))},
}
"""What each variant changes in the default profile; one that changes nothing is left out."""
BASE = "default"
SNRS_DB = (20.0, 10.0, 5.0)
NEAR = 512
"""Samples of the frame grid by which a place may be off the mark's, two hops of the default profile."""
CUT_S = (0.15, 0.35)
"""Received sound before and after the mark that is looked at."""
STRENGTH_DB = -14.0


@dataclass(frozen=True)
class Variant:
    """A profile that is tried."""

    name: str
    changes: dict[str, Any]
    profile: Profile


@dataclass(frozen=True)
class Search:
    """A search, as every job gets it."""

    materials: Materials
    variants: tuple[Variant, ...]
    """The default first."""
    trials: int
    strength_db: float = STRENGTH_DB
    seed: int = 0


@dataclass(frozen=True)
class Heard:
    """One trial of one variant."""

    variant: str
    index: int
    host: str
    room: str
    scores: tuple[float, ...]
    """At the mark's place, for each of SNRS_DB; 0 where the mark was refused."""
    staged: tuple[bool, ...]
    """Whether the float engine, with all its stages, reports the mark, for each of SNRS_DB."""
    zimtohrli: float | None = None
    refused: bool = False


def variants(only: Sequence[str] = ()) -> tuple[Variant, ...]:
    """The default profile, and those of VARIANTS that differ from it, or only the named ones of them.

    Raises AirmarkError for a name that is not among them.
    """
    base = profile()
    # They keep the default's name, by which other modules find what belongs to a profile.
    made = {name: Variant(name, changes, replace(base, **changes)) for name, changes in VARIANTS.items()}
    known = {name: variant for name, variant in made.items() if variant.profile != base}
    for name in only:
        if name not in known:
            why = "is the default, which is tried anyway" if name in made or name == BASE else "is no variant"
            raise AirmarkError(f"--only {name}: {why}: there are {', '.join(known)}")
    return Variant(BASE, {}, base), *(variant for name, variant in known.items() if not only or name in only)


def run(search: Search, jobs: int = 1, progress: Callable[[], None] | None = None) -> list[Heard]:
    """Run all trials; the result is the same for any number of jobs (-1: as many as there are processors).

    progress is called after each trial. Raises AirmarkError where no recording is long enough.
    """
    import joblib

    evaluate.long_enough(search.materials.hosts, _longest_s())
    work = (joblib.delayed(try_all)(search, index) for index in range(search.trials))
    heard: list[Heard] = []
    for results in joblib.Parallel(n_jobs=jobs, return_as="generator")(work):
        heard += results
        if progress:
            progress()
    return heard


def try_all(search: Search, index: int) -> list[Heard]:
    """Trial ``index`` of every variant."""
    rng = np.random.default_rng(np.random.SeedSequence(search.seed, spawn_key=(index, 0)))
    which_host, where, jitter, which_room, which_noise, drift, level = rng.random(7)
    noise_seed = int(rng.integers(1 << 32))
    found = search.materials
    hosts = evaluate.long_enough(found.hosts, _longest_s())
    host = hosts[int(which_host * len(hosts))]
    room = found.rooms[int(which_room * len(found.rooms))]
    channel = Channel(
        rir=room.path,
        loudspeaker_hz=SMALL_LOUDSPEAKER_HZ,
        noise=found.noises[int(which_noise * len(found.noises))],
        snr_db=SNRS_DB[0],
        drift_ppm=float(evaluate.DRIFT_PPM * (2 * drift - 1)),
        level_db=float(evaluate.LEVEL_DB[0] + level * (evaluate.LEVEL_DB[1] - evaluate.LEVEL_DB[0])),
    )
    recording = audio.read(host.path)
    rate = recording.rate
    # Room for the longest variant, so that all are marked from one place on.
    length = math.ceil(_longest_s() * rate)
    spare = len(recording.samples) - length
    lead, tail = (min(round(s * rate), spare // 4) for s in (evaluate.LEAD_S, evaluate.TAIL_S))
    place = lead + int(where * (spare - lead - tail))
    start = max(0, place - lead - int(jitter * evaluate.JITTER_S * rate))
    part = recording.samples[start : place + length + tail]
    results = []
    for variant in search.variants:
        # Variants of one shape have one key.
        signs = np.random.default_rng(np.random.SeedSequence(search.seed, spawn_key=(index, 1)))
        key = Key(signs.choice(np.array([-1, 1], np.int8), variant.profile.key_shape), variant.profile)
        one = Heard(variant.name, index, host.name, room.name, (0.0,) * len(SNRS_DB), (False,) * len(SNRS_DB))
        try:
            embedder = Embedder(key, rate, strength=search.strength_db, judge=False)
            marked = embedder.embed(part, [Place(place - start)]).samples
        except AirmarkError:  # digital silence
            results.append(replace(one, refused=True))
            continue
        received = (replace(channel, snr_db=snr).apply(marked, rate, noise_seed) for snr in SNRS_DB)
        scores, staged = zip(*(_listen(key, one_way, place - start) for one_way in received), strict=True)
        margin = round(QUALITY_MARGIN_S * rate)
        judged = slice(max(0, place - start - margin), place - start + embedder.mark_samples + margin)
        zimtohrli = quality.measure(part[judged], marked[judged], rate).zimtohrli
        results.append(replace(one, scores=scores, staged=staged, zimtohrli=zimtohrli))
    return results


def _longest_s() -> float:
    """Length of the longest mark of all variants, whichever are tried: what is drawn depends on it."""
    return max(variant.profile.mark_samples / variant.profile.rate for variant in variants())


def _listen(key: Key, received: ReceivedAudio, place: int) -> tuple[float, bool]:
    """The score of a mark at ``place`` of the sent samples, and whether the float engine reports it."""
    p = key.profile
    at = received.place(place)
    mark = p.mark_samples / p.rate * received.rate
    first = max(0, round(at - CUT_S[0] * received.rate))
    cut = received.samples[first : round(at + mark + CUT_S[1] * received.rate)]
    pcm = np.round(np.clip(cut, -1, 1) * 32767).astype(np.int16)
    score = max(_scores(key, pcm, received.rate, at - first), default=0.0)
    threshold = thresholds.threshold(1.0)
    if score < threshold:
        return score, False
    detector = Detector(key, received.rate, threshold=threshold, engine="float")
    tolerance = p.pattern_samples * received.rate / p.rate
    reported = detector.process(pcm) + detector.flush()
    return score, any(abs(first + one.sample - at) <= tolerance for one in reported)


def _scores(key: Key, pcm: npt.NDArray[np.int16], rate: int, place: float) -> Iterator[float]:
    """The exact scores at the hops near a place, in samples of ``pcm``."""
    p = key.profile
    silence = np.zeros((p.fft + p.hop) * rate // p.rate + 4 * InputStage.PIECE, np.int16)  # to let the resampler end
    samples = InputStage(rate, p).process(np.concatenate([pcm, silence]))
    frames = FrameStage(p, highest_hz=0.475 * rate).process(samples)
    confirm = ConfirmStage(LagGrid(p), [key.columns])
    middle = (place * p.rate / rate - (p.fft - p.hop) / 2) / p.hop
    last = min(math.floor(middle + NEAR / p.hop), len(frames) - p.mark_frames)
    for frame in range(max(0, math.ceil(middle - NEAR / p.hop)), last + 1):
        yield confirm.process(frames[frame : frame + p.mark_frames], 0).score


def costs(p: Profile) -> dict[str, float]:
    """What a detector of that profile keeps and computes.

    ``frame_bytes``: one-bit frames of one mark, two bits a bin, frames in whole bytes. ``transforms_per_s`` of ``fft``
    points; ``transform_work``: their number times N log2 N, against the default's. ``screen_sums``: numbers that screen
    keeps, one for every frame of a mark, short lag and band. ``confirm_words``: pairs of 32-bit words that have to be
    compared for one place at all lags, were the sub-bands whole words. ``template_drifts``: drifts that stage tries.
    """
    base = profile()

    def work(q: Profile) -> float:
        return q.rate / q.hop * q.fft * math.log2(q.fft)

    pairs = p.repetitions * (p.repetitions - 1) // 2
    return {
        "frame_bytes": p.mark_frames * -(-2 * len(p.bins) // 8),
        "fft": p.fft,
        "transforms_per_s": p.rate / p.hop,
        "transform_work": work(p) / work(base),
        "screen_sums": p.mark_frames * min(LAGS, p.repetitions - 1) * p.bands,
        # Equal and opposite parts make the real part of a product, crossed ones the imaginary one.
        "confirm_words": pairs * p.blocks * p.block_frames * 2 * -(-2 * len(p.bins) // 32),
        "template_drifts": len(p.drifts_ppm),
    }


def summary(search: Search, heard: Sequence[Heard]) -> list[dict[str, Any]]:
    """A row a variant, the default first; shares with Wilson's or the recordings' interval, whichever is wider.

    ``against_default`` of every row but the first: the mean of the paired differences in score and in share found, over
    all of SNRS_DB together and at each, with intervals over recordings.
    """
    threshold = thresholds.threshold(1.0)
    trials = {v.name: [one for one in heard if one.variant == v.name] for v in search.variants}
    base = np.array([one.scores for one in trials[BASE]])
    rows: list[dict[str, Any]] = []
    for variant in search.variants:
        mine = trials[variant.name]
        hosts = [one.host for one in mine]
        scores = np.array([one.scores for one in mine])
        found = scores >= threshold
        judged = [one.zimtohrli for one in mine if one.zimtohrli is not None]
        row: dict[str, Any] = {
            "name": variant.name,
            "changes": variant.changes,
            "profile": asdict(variant.profile),
            "mark_s": variant.profile.mark_samples / variant.profile.rate,
            "trials": len(mine),
            "refused": sum(one.refused for one in mine),
            "zimtohrli": float(np.mean(judged)) if judged else None,
            # Of the marks over the threshold at their place, the share that the float engine reports.
            "staged": float(np.sum([one.staged for one in mine]) / found.sum()) if found.any() else None,
            "costs": costs(variant.profile),
            "levels": [],
        }
        for column, snr in enumerate(SNRS_DB):
            low, high = intervals.share(found[:, column].tolist(), hosts)
            level: dict[str, Any] = {
                "snr_db": snr,
                "median_score": float(np.median(scores[:, column])),
                "found": float(found[:, column].mean()),
                "low": low,
                "high": high,
            }
            if variant.name != BASE:
                part = slice(column, column + 1)
                level["against_default"] = _difference(scores[:, part], base[:, part], threshold, hosts)
            row["levels"].append(level)
        if variant.name != BASE:
            row["against_default"] = _difference(scores, base, threshold, hosts)
        rows.append(row)
    return rows


def _difference(mine: Real, base: Real, threshold: float, hosts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Paired differences of scores (trials, levels): mean over all, 95 % over recordings."""
    told = {}
    for name, a, b in (("score", mine, base), ("found", mine >= threshold, base >= threshold)):
        each = (a.astype(float) - b).mean(axis=1)
        low, high = intervals.by_recordings(lambda values: float(np.mean(values)), each, hosts, resampled=2000)
        told[name] = {"value": float(each.mean()), "low": low, "high": high}
    return told


def picture(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the share found at each level, and the differences to the default with their intervals."""
    from matplotlib.figure import Figure

    from airmark.report_plot import COLOURS, DPI

    trials = rows[0]["trials"]
    at = np.arange(len(rows))
    figure = Figure(figsize=(11, 1.6 + 0.27 * len(rows)), layout="constrained")
    shares, found, score = figure.subplots(1, 3, sharey=True, width_ratios=(1.3, 1, 1))
    for column, (snr, colour) in enumerate(zip(SNRS_DB, COLOURS, strict=False)):
        share = [100 * row["levels"][column]["found"] for row in rows]
        shares.axvline(share[0], color=colour, linewidth=0.8, alpha=0.6)
        shares.plot(share, at, "o", color=colour, label=f"noise {snr:g} dB under")
    shares.set(xlabel="found, %", yticks=at, yticklabels=[row["name"] for row in rows], xlim=(-3, 103))
    shares.invert_yaxis()
    shares.legend(fontsize="small")
    for axes, name, scale, label in (
        (found, "found", 100, "found, points against the default"),
        (score, "score", 1, "score against the default"),
    ):
        axes.axvline(0, color="0.6", linewidth=0.8)
        for y, row in zip(at[1:], rows[1:], strict=True):
            told = row["against_default"][name]
            ends = [[scale * told["low"], scale * told["high"]]]
            axes.plot(ends[0], [y, y], color="0.3")
            axes.plot(scale * told["value"], y, "o", color="0.3")
        axes.set(xlabel=label)
        axes.grid(axis="y", color="0.9")
    figure.suptitle(f"One parameter changed at a time: {trials} trials each, intervals 95 % over recordings")
    figure.savefig(path, dpi=DPI)
