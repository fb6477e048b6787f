"""The use measured as a use: wake words in programmes, marked for headsets, through rooms; and live words beside them.

A trial draws a programme, a wake word, a room, a noise and a clock. The word is put into the programme, LOUDER_DB over
it, and marked as ``airmark embed --word`` does, once with the headset's key and once, without the word, with another.
What the headset's microphone gets goes through the detector in C, with both keys, and the gate, in which the other key
does not suppress. The wake-word engine is not simulated: its word is the clip's active part, at its place in what is
heard, and it is reported as it ends. Live words are added at the microphone, LOUDER_DB over the programme there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from airmark import assets, audio, evaluate, intervals, thresholds
from airmark.channel import SMALL_LOUDSPEAKER_HZ, Channel, ReceivedAudio, active_part
from airmark.detector import PcmStage
from airmark.embedder import Embedder, Place
from airmark.errors import AirmarkError
from airmark.fixed.detector import RawDetection, key_columns
from airmark.gate import Gate, GateConfig, Told, Verdict, Word
from airmark.keys import Key
from airmark.materials import Host, Materials
from airmark.words import MARK_S, place_for_word

Real = npt.NDArray[np.float64]

WORD_KIND = "wakeword"
"""Of the clips, in a manifest."""
WORD_S = (0.3, 1.2)
"""Clips whose active part is shorter or longer are left out: there is more in them than a word."""
FALL_DB = 20.0
"""A clip is active where it is at most so much under its loudest part."""
FRAME_S = 0.02
PAUSE_S = 0.1
"""On either side of a word that is cut out of speech."""
LOUDER_DB = 6.0
PART_S = 8.5
"""Of a programme."""
WORD_AT_S = (2.6, 3.1)
AWAY_S = 3.0
"""After the mark's end a live word begins, in one row."""
AFTER_S = 2.5
"""Silence at the end, in which the detector decides on all it heard."""
LIMIT_S = 0.5
"""The gate's wait, unless told."""
SNRS_DB = (20.0, 10.0)
NO_LIMIT_S = 4.0


@dataclass(frozen=True)
class Row:
    """One kind of word."""

    name: str
    title: str
    snr_db: float
    marked: bool
    """To be suppressed; all others to wake."""


ROWS = (
    *(Row(f"marked-{snr:.0f}", f"marked word, noise {snr:.0f} dB under", snr, True) for snr in SNRS_DB),
    Row("unmarked", "the same word, not marked", SNRS_DB[0], False),
    Row("other-key", "live word over a mark of another key", SNRS_DB[0], False),
    Row("away", f"live word, {AWAY_S:g} s after a mark of the same key", SNRS_DB[0], False),
)


@dataclass(frozen=True)
class Clip:
    """A wake word."""

    name: str
    samples: Real
    """(n,), the active part and what is around it."""
    rate: int
    start: int
    """The active part."""
    stop: int


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    materials: Materials
    clips: tuple[Clip, ...]
    keys: tuple[Key, Key]
    """The headset's and another."""
    trials: int
    limit_s: float = LIMIT_S
    strength_db: float | None = None
    """None: auto."""
    seed: int = 0


@dataclass(frozen=True)
class Heard:
    """One word heard once."""

    row: str
    early: bool
    """Whether the detector decides early."""
    index: int
    word: str
    host: str
    room: str
    verdict: str
    """At the limit: suppress or wake."""
    told_s: float | None
    """When a mark that covers it was told, after the word's end and without a limit; None: never."""
    strength_db: float | None = None


def clips(folder: Path | None) -> list[Clip]:
    """The wake words of a folder's manifest; where it has none, or without a folder, words of the shipped speech.

    Raises AirmarkError where there is no word of a length in WORD_S.
    """
    rows = [row for row in assets.manifest(folder) if row["kind"] == WORD_KIND] if folder else []
    found: list[Clip] = []
    for row in rows:
        recording = audio.read((folder or Path()) / row["path"])
        mono = recording.samples.mean(axis=1)
        if runs := _active(mono, recording.rate):
            found.append(Clip(Path(row["path"]).stem, mono, recording.rate, runs[0][0], runs[-1][1]))
    if not rows:
        for row in assets.manifest():
            if row["kind"] == "speech":
                recording = audio.read(assets.data_path(row["path"]))
                found += _cut(Path(row["path"]).stem, recording.samples.mean(axis=1), recording.rate)
    fit = [clip for clip in found if WORD_S[0] <= (clip.stop - clip.start) / clip.rate <= WORD_S[1]]
    if not fit:
        count = len(rows or found)
        raise AirmarkError(f"{folder}: no wake word of {WORD_S[0]:g} to {WORD_S[1]:g} s among {count} clips")
    return fit


def _active(mono: Real, rate: int) -> list[tuple[int, int]]:
    """The stretches at most FALL_DB under the loudest part, in samples; none of silence, or of less than a frame."""
    frame = round(FRAME_S * rate)
    frames = len(mono) // frame
    if not mono[: frames * frame].any():
        return []
    power = np.mean(mono[: frames * frame].reshape(frames, frame) ** 2, axis=1)
    smooth = np.convolve(power, np.full(3, 1 / 3), "same")
    on = np.concatenate([[False], smooth >= 10 ** (-FALL_DB / 10) * smooth.max(), [False]])
    edges = np.flatnonzero(on[1:] != on[:-1]) * frame
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _cut(name: str, mono: Real, rate: int) -> list[Clip]:
    """Words of a recording of speech: what lies between pauses."""
    pause = round(PAUSE_S * rate)
    runs: list[tuple[int, int]] = []
    for start, stop in _active(mono, rate):
        if runs and start - runs[-1][1] < pause:
            runs[-1] = runs[-1][0], stop
        else:
            runs.append((start, stop))
    around = [(max(0, start - pause), start, stop) for start, stop in runs]
    return [
        Clip(f"{name}, {start / rate:.1f} s", mono[first : stop + pause], rate, start - first, stop - first)
        for first, start, stop in around
    ]


def run(plan: Plan, jobs: int = 1, progress: Callable[[], None] | None = None) -> list[Heard]:
    """All trials; the result is the same for any number of jobs.

    Raises AirmarkError where no programme is long enough.
    """
    import joblib

    evaluate.long_enough(plan.materials.hosts, PART_S - evaluate.SPARE_S)
    work = (joblib.delayed(listen)(plan, index) for index in range(plan.trials))
    heard: list[Heard] = []
    for results in joblib.Parallel(n_jobs=jobs, return_as="generator")(work):
        heard += results
        if progress:
            progress()
    return heard


@dataclass(frozen=True)
class _Broadcast:
    """A programme with or without a mark, and where its word is, in samples."""

    samples: Real
    rate: int
    start: int
    stop: int
    strength_db: float | None = None


def listen(plan: Plan, index: int) -> list[Heard]:
    """Trial ``index``."""
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(index,)))
    hosts = evaluate.long_enough(plan.materials.hosts, PART_S - evaluate.SPARE_S)
    which_host, which_room, which_noise, where, at, drift, level = rng.random(7)
    noise_seed = int(rng.integers(1 << 32))
    host = hosts[int(which_host * len(hosts))]
    room = plan.materials.rooms[int(which_room * len(plan.materials.rooms))]
    # Every word in turn, and another one live.
    word, live = (plan.clips[(index + i) % len(plan.clips)] for i in (0, 1))
    bare, rate = _part(host, where)
    start = round((WORD_AT_S[0] + at * (WORD_AT_S[1] - WORD_AT_S[0])) * rate)
    spoken = _with_word(bare, rate, word, start)
    channel = Channel(
        rir=room.path,
        loudspeaker_hz=SMALL_LOUDSPEAKER_HZ,
        noise=plan.materials.noises[int(which_noise * len(plan.materials.noises))],
        snr_db=SNRS_DB[0],
        drift_ppm=float(evaluate.DRIFT_PPM * (2 * drift - 1)),
        level_db=float(evaluate.LEVEL_DB[0] + level * (evaluate.LEVEL_DB[1] - evaluate.LEVEL_DB[0])),
    )
    about = Heard("", False, index, word.name, host.name, room.name, "", None)
    own = _marked(plan, plan.keys[0], spoken)
    other = _marked(plan, plan.keys[1], replace(spoken, samples=bare))
    heard = []
    for row in ROWS:
        sent = {"other-key": other, "unmarked": spoken}.get(row.name, own)
        received = replace(channel, snr_db=row.snr_db).apply(sent.samples, rate, noise_seed)
        first, last = (round(received.place(edge)) for edge in (sent.start, sent.stop))
        sound: npt.NDArray[Any] = received.samples
        if row.name in ("other-key", "away"):
            if row.name == "away":
                mark_end = place_for_word(sent.start / rate, sent.stop / rate) + MARK_S
                first = round(received.place((mark_end + AWAY_S) * rate))
            sound, last = _with_live(sound, rate, live, first)
            about = replace(about, word=live.name)
        for early in (True, False):
            verdict, told_s = _answer(plan, received, sound, Word(first, last, last), early)
            strength = sent.strength_db if row.marked else None
            one = replace(about, row=row.name, early=early, verdict=verdict, told_s=told_s, strength_db=strength)
            heard.append(one)
    return heard


@lru_cache(maxsize=4)
def _recording(host: Host) -> tuple[Real, int]:
    found = audio.read(host.path)
    return found.samples.mean(axis=1), found.rate


def _part(host: Host, where: float) -> tuple[Real, int]:
    """PART_S of a recording that are not silent."""
    samples, rate = _recording(host)
    length = round(PART_S * rate)
    start = int(where * (len(samples) - length))
    part = samples[start : start + length]
    return (part if part.any() else samples[:length]), rate


def _level(samples: Real, rate: int) -> float:
    """Mean power where it sounds."""
    active = active_part(samples, rate)
    return float(np.mean(np.asarray(samples, np.float64)[active] ** 2)) if active.any() else 0.0


def _scaled(clip: Clip, rate: int, power: float) -> tuple[Real, int, int]:
    """A clip at a rate, its active part with LOUDER_DB over that power; and that part."""
    word = soxr.resample(clip.samples, clip.rate, rate, "VHQ")
    start, stop = (edge * rate // clip.rate for edge in (clip.start, clip.stop))
    own = float(np.mean(word[start:stop] ** 2))
    return word * np.sqrt(power / max(own, 1e-12)) * 10 ** (LOUDER_DB / 20), start, stop


def _add(samples: Real, word: Real, at: int) -> Real:
    """Samples with a word from a place on, as far as there is room; never clipped."""
    first = max(0, at)
    piece = word[first - at : len(samples) - at]
    out = np.array(samples, np.float64)
    out[first : first + len(piece)] += piece
    return out * min(1.0, 0.99 / max(float(np.abs(out).max()), 1e-9))


def _with_word(bare: Real, rate: int, clip: Clip, at: int) -> _Broadcast:
    word, start, stop = _scaled(clip, rate, _level(bare, rate))
    return _Broadcast(_add(bare, word, at - start), rate, at, at + stop - start)


def _with_live(sound: npt.NDArray[Any], rate: int, clip: Clip, at: int) -> tuple[Real, int]:
    word, start, stop = _scaled(clip, rate, _level(sound, rate))
    return _add(sound, word, at - start), at + stop - start


def _marked(plan: Plan, key: Key, spoken: _Broadcast) -> _Broadcast:
    place = place_for_word(spoken.start / spoken.rate, spoken.stop / spoken.rate)
    embedder = Embedder(key, spoken.rate, strength=plan.strength_db, judge=False)
    try:
        made = embedder.embed(spoken.samples[:, None], [Place(round(place * spoken.rate))])
    except AirmarkError:  # digital silence: no mark, which is a miss
        return spoken
    return replace(spoken, samples=made.samples[:, 0], strength_db=made.marks[0].strength_db)


def _answer(
    plan: Plan, received: ReceivedAudio, sound: npt.NDArray[Any], word: Word, early: bool
) -> tuple[str, float | None]:
    """The gate's verdict at the limit, and when the mark was told, after the word's end."""
    rate = received.rate
    pcm = PcmStage(rate, plan.keys[0].profile)
    if pcm.rate != rate:
        word = Word(*(round(edge * pcm.rate / rate) for edge in word))
    gates = [Gate(GateConfig(pcm.rate, round(s * pcm.rate), keys={0})) for s in (plan.limit_s, NO_LIMIT_S)]
    samples = np.concatenate([pcm.process(np.clip(sound, -1, 1)), np.zeros(round(AFTER_S * pcm.rate), np.int16)])
    for told in _told(plan.keys, pcm.rate, samples, early):
        for gate in gates:
            gate.mark(Told(*told[:5]), told.at)
    for gate in gates:
        gate.heard(len(samples))
    limited, certain = (gate.ask(word) for gate in gates)
    # Without a limit all is known by the end, but for a word too near to it, which no row has.
    told_s = (certain.sample - word.end) / pcm.rate if certain.verdict is Verdict.SUPPRESS else None
    return limited.verdict.name.lower(), told_s


def _told(keys: Sequence[Key], rate: int, samples: npt.NDArray[np.int16], early: bool) -> list[RawDetection]:
    from airmark.native import NativeDetector

    threshold = thresholds.threshold(thresholds.ONE_A_YEAR, len(keys), "c")
    columns = [key_columns(key) for key in keys]
    return NativeDetector(columns, rate, early=early, threshold_q8=int(np.ceil(threshold * 256))).push(samples)


def summary(plan: Plan, heard: Sequence[Heard]) -> list[dict[str, Any]]:
    """A line for each row, with and without early decisions; shares with their 95 % intervals over programmes."""
    lines = []
    for row in ROWS:
        for early in (True, False):
            mine = [one for one in heard if one.row == row.name and one.early == early]
            hits = [one.verdict == Verdict.SUPPRESS.name.lower() for one in mine]
            low, high = intervals.share(hits, [one.host for one in mine])
            after = [one.told_s for one in mine if one.told_s is not None]
            lines.append(
                {
                    **asdict(row),
                    "early": early,
                    "words": len(mine),
                    "suppressed": sum(hits),
                    "share": sum(hits) / len(hits) if hits else None,
                    "low": low,
                    "high": high,
                    "told": len(after),
                    "told_too_late": len(after) - sum(hits),
                    "told_after_s": {
                        name: float(np.percentile(after, at)) if after else None
                        for name, at in (("median", 50), ("p95", 95), ("max", 100))
                    },
                    "told_before_end": sum(s <= 0 for s in after),
                }
            )
    return lines


def picture(plan: Plan, heard: Sequence[Heard], lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw when marks are told after the word's end, and the share suppressed of each row."""
    from matplotlib.figure import Figure

    from airmark.report_plot import COLOURS, DPI

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    when, shares = figure.subplots(1, 2, width_ratios=(1.2, 1))
    curves = [(row, early) for row in ROWS if row.marked for early in (True, False)]
    for (row, early), colour in zip(curves, COLOURS, strict=False):
        mine = [one for one in heard if one.row == row.name and one.early == early]
        after = sorted(one.told_s for one in mine if one.told_s is not None)
        label = f"noise {row.snr_db:.0f} dB under, {'early decisions' if early else 'whole marks'}"
        steps = [0.0, *(100 * (i + 1) / len(mine) for i in range(len(after)))]
        when.step([-1.5, *after, 1.0], [*steps, steps[-1]], where="post", color=colour, label=label)
    when.axvline(plan.limit_s, color="0.5", linestyle="--", linewidth=0.9)
    when.text(plan.limit_s, 3, " limit", color="0.4", fontsize="small")
    when.axvline(0, color="0.8", linewidth=0.8)
    when.set(xlabel="after the word's end, s", ylabel="marks told, % of marked words", xlim=(-1.4, 1), ylim=(0, 103))
    figure.legend(*when.get_legend_handles_labels(), fontsize="small", loc="outside lower left", ncols=2, frameon=False)
    own = [line for line in lines if line["early"]]
    for y, line in enumerate(own):
        colour = COLOURS[0] if line["marked"] else COLOURS[1]
        shares.plot([100 * line["low"], 100 * line["high"]], [y, y], color=colour)
        shares.plot(100 * (line["share"] or 0), y, "o", color=colour)
    shares.set(xlabel="suppressed, early decisions on, % (95 %)", xlim=(-3, 103), yticks=range(len(own)))
    shares.set_yticklabels([f"{line['title']}\n{line['suppressed']} of {line['words']}" for line in own], fontsize=8)
    shares.invert_yaxis()
    shares.grid(axis="y", color="0.9")
    figure.suptitle(f"Wake words in programmes, through rooms, {plan.trials} trials: suppressed within the limit")
    figure.savefig(path, dpi=DPI)
