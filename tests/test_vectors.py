"""Golden vectors: the files are up to date, and the C detector gives them at every stage, however it is fed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from airmark.fixed import NUMERIC_VERSION, confirm, detector, statistic, template, vectors
from airmark.fixed import peaks as peaks_stage
from airmark.fixed.detector import FixedDetector, RawDetection
from airmark.fixed.peaks import PeakStage
from airmark.fixed.tables import QUEUE, RING, WHOLE, rate_of
from airmark.fixed.vectors import STAGES, Case, Result
from airmark.native import NativeDetector
from tapped_build import BUILDS, tapped

FOLDER = Path(__file__).with_name("vectors")
BLOCKS = (None, 1, 7, 120, 160, 240, 441, 480)
STRIDES = (1, 2, 3)
NAMES = [case.name for case in vectors.cases()]

Samples = NDArray[np.int16]


@cache
def case_of(name: str) -> Case:
    (case,) = (case for case in vectors.cases() if case.name == name)
    return case


@cache
def file_of(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def interleaved(samples: Samples, stride: int) -> Samples:
    """The samples as the last of so many channels; the others are loud."""
    channels = np.random.default_rng(0).integers(-32_768, 32_768, (len(samples), stride), dtype=np.int16)
    channels[:, -1] = samples
    return channels[:, -1]


def run_c(build: str, case: Case, samples: Samples, block: int | None) -> Result:
    """What the tapped C detector gives. samples: one channel, at any stride."""
    ffi, lib = tapped(build).ffi, tapped(build).lib
    lib.tap_clear()
    stride = samples.strides[0] // 2
    state = ffi.new("airmark_t *")
    config = ffi.new("airmark_config_t *")
    config.rate, config.early = case.rate, case.early
    config.threshold_q8, config.first_sample = case.threshold_q8, case.first_sample
    detections, at, room = ffi.new("airmark_detection_t[64]"), ffi.new("uint64_t[64]"), 64
    found = []
    events = {0: case.keys} | {event.at: event.keys for event in case.events}
    alive = []
    for start, end in zip(events, [*list(events)[1:], case.length], strict=True):
        if events[start]:
            alive.append(ffi.new("airmark_key_t[]", [{"columns": list(key)} for key in events[start]]))
            config.keys, config.key_count = alive[-1], len(events[start])
            assert lib.airmark_init(state, config) == lib.AIRMARK_OK
        else:
            lib.airmark_reset(state)
        first = ffi.cast("const int16_t *", samples[start:].ctypes.data)
        count = lib.tap_run(state, first, end - start, block or max(1, end - start), stride, detections, at, room)
        assert count <= room
        for d, when in zip(detections[0:count], at[0:count], strict=True):
            found.append(RawDetection(d.sample, d.score_q8, d.drift_ppm_q4, d.key, d.early, when))
    assert lib.tap_stages() == len(STAGES)
    stages = {}
    for i, stage in enumerate(STAGES):
        words = ffi.buffer(lib.tap_values(i), 4 * lib.tap_count(i)) if lib.tap_count(i) else b""
        stages[stage] = np.frombuffer(words, np.uint32).copy()
    return Result(stages, found, lib.airmark_score_q8(state), lib.airmark_dropped(state))


def check(result: Result, name: str, how: str) -> None:
    """Raises AssertionError with the case, the first stage that differs, the index, and both values."""
    wanted = file_of(name)
    for stage, of_stage in wanted["stages"].items():
        words = result.stages[stage]
        first = vectors.signed(words[: vectors.FIRST])
        if (len(words), f"0x{vectors.checksum(words):08X}", first) == tuple(of_stage.values()):
            continue
        model = vectors.run(case_of(name)).stages[stage]
        both = min(len(words), len(model))
        apart = np.flatnonzero(words[:both] != model[:both])
        index = int(apart[0]) if len(apart) else both
        got, want = (vectors.signed(w[index : index + 1]) or "the end" for w in (words, model))
        raise AssertionError(
            f"{name}, {how}: stage {stage}, value {index}: got {got}, wanted {want} ({len(words)} values, model "
            f"{len(model)}, file {of_stage['count']}; where these two agree the file is not the model's)"
        )
    ends = {"score_q8": result.score_q8, "dropped": result.dropped}
    got = {"detections": [d._asdict() for d in result.detections], **ends}
    for field, value in got.items():
        assert value == wanted[field], f"{name}, {how}: {field}: got {value}, wanted {wanted[field]}"


# The files


@cache
def made() -> dict[str, str]:
    return vectors.files()


def test_checked_in_vectors_are_up_to_date():
    found = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    again = "python -m airmark.fixed.vectors --force tests/vectors"
    assert sorted(found) == sorted(made()), again
    assert [name for name in found if found[name] != made()[name]] == [], again


def test_files_are_small_and_of_this_version():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 400_000
    index = json.loads((FOLDER / "index.json").read_text("utf-8"))
    assert index["numeric_version"] == NUMERIC_VERSION
    assert [case["file"] for case in index["cases"]] == [f"{name}.json" for name in NAMES]
    assert index["stages"] == list(STAGES)


def test_writing_refuses_to_overwrite(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(vectors, "files", lambda: {"index.json": "{}\n", "a.json": "[1]\n"})
    folder = tmp_path / "new/vectors"
    assert vectors.main([str(folder)]) == 0
    assert (folder / "a.json").read_text() == "[1]\n"
    (folder / "a.json").write_text("kept")
    (folder / "gone.json").write_text("{}")
    (folder / "README.md").write_text("kept")
    capsys.readouterr()
    assert vectors.main([str(folder)]) == 2
    assert "a.json exists already (--force overwrites)" in capsys.readouterr().err
    assert (folder / "a.json").read_text() == "kept"
    assert vectors.main(["--force", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {"index.json", "a.json", "README.md"}
    assert (folder / "a.json").read_text() == "[1]\n"
    assert vectors.main([str(folder / "a.json")]) == 2


def detections(name: str) -> list[dict[str, Any]]:
    return file_of(name)["detections"]


def records(name: str, stage: str, size: int) -> list[list[int]]:
    words = vectors.run(case_of(name)).stages[stage]
    return [vectors.signed(row) for row in words.reshape(-1, size)]


def of_four_chains(drifts: list[list[int]]) -> list[list[int]]:
    """Of the records of `drift` those of SPEC 7.4: each is the next one of a candidate that was likely."""
    likely: set[tuple[int, ...]] = set()
    again = []
    for record in drifts:
        candidate = tuple(record[:3])
        if candidate in likely:
            likely.remove(candidate)
            again.append(record)
        elif record[39]:
            likely.add(candidate)
    return again


def test_cases_are_what_they_say(monkeypatch: pytest.MonkeyPatch):
    """A change of the model must not empty a case unseen."""
    (mark,) = detections("mark")
    assert detections("threshold-met") == [mark]
    assert file_of("threshold-met")["threshold_q8"] == mark["score_q8"]
    assert file_of("threshold-missed")["threshold_q8"] == mark["score_q8"] + 1
    (full,) = detections("window-just-full")
    assert full["at"] == file_of("window-just-full")["length"] == file_of("window-not-full")["length"] + 1
    for name in ("threshold-missed", "window-not-full", "white-noise", "silence", "dc", "metronome"):
        assert detections(name) == []
    for name, at in (("sample-2-32", 2**32), ("sample-2-40", 2**40)):
        assert detections(name) == [mark | {"sample": mark["sample"] + file_of(name)["first_sample"]}]
        assert detections(name)[0]["sample"] < at < file_of(name)["first_sample"] + mark["at"]
    assert detections("sample-2-32-resampled")[0]["sample"] < 2**32
    assert [d["early"] for d in detections("early")] == [True]
    assert [record[5:] for record in records("early", "peaks", 7)] == [[1, 1], [1, 0]]
    assert detections("reset-in-mid-mark")[0]["sample"] > 16_000
    assert detections("key-change")[0]["key"] == 0
    assert [d["key"] for d in detections("two-keys")] == [0, 1]
    assert [d["key"] for d in detections("displaced")] == [1]
    assert file_of("displaced")["dropped"] == 1
    assert [d["key"] for d in detections("kept")] == [0, 1]
    assert len(detections("mark-twice")) == 2
    assert file_of("eight-keys")["dropped"] > 4
    assert len({d["key"] for d in detections("eight-keys")}) > 2
    assert [d["key"] for d in detections("equals")] == [0, 1, 2, 3]
    assert file_of("equals")["dropped"] > 4
    assert [d["early"] for d in detections("equal-halves")] == [True, True]
    assert {file_of(name)["rate"] for name in NAMES if detections(name)} == {8000, 16_000, 32_000, 44_100, 48_000}
    for name, ppm in (("drift-fast", 107), ("drift-slow", -124), ("drift-far", 200)):
        assert detections(name)[0]["drift_ppm_q4"] == pytest.approx(16 * ppm, abs=80)
    drift = detections("drift-slow")[0]["drift_ppm_q4"]
    steps = [confirm.schedule(WHOLE, drift, rate_of(16_000))]
    monkeypatch.setattr(confirm, "MOST", confirm.MOST - 1)
    steps.append(confirm.schedule(WHOLE, drift, rate_of(16_000)))
    assert len(steps[0]) < len(steps[1])
    for name, span, spans, least in (("least-level", 0, 1, 576), ("least-level-early", 1, 2, 768)):
        levels = np.array(records(name, "screen", 16 + 8 * spans))[:, 16 + span :: spans]
        first, second, newest = (levels[i : len(levels) - 2 + i] for i in range(3))
        rises = newest[(newest > first) & (newest > second)]
        assert {least - 1, least} <= set(rises.tolist()), name
        assert min(r[3] for r in records(name, "candidates", 4) if r[2] == span) == least
    for name, least, likely in (("just-likely", 1920, 1), ("just-unlikely", 1919, 0)):
        assert (least, likely) in [(r[3] + r[38], r[39]) for r in records(name, "drift", 41)]
    for name, z, likely in (("likely-to-the-end", 2368, 1), ("unlikely-at-the-end", 2367, 0)):
        again = of_four_chains(records(name, "drift", 41))
        assert (z, likely) in [(r[38], r[39]) for r in again]
        assert len([r for r in again if r[39]]) == len(records(name, "place", 10))
    ((*_, of_all, of_low, score),) = records("low-bands", "statistic", 8)
    of_groups = [r[7] for r in records("low-bands", "confirm", 11) if r[5] % 2]
    assert score == of_low - 77 - statistic.handicap(sum(of_groups), WHOLE, rate_of(16_000)) > 1000
    assert of_low - 77 > of_all
    whole = [r for name in NAMES for r in records(name, "statistic", 8) if not r[2]]
    handicaps = {max(of_all, of_low - 77) - score for *_, of_all, of_low, score in whole}
    assert {0, 192} < handicaps
    assert all(len(vectors.run(case_of(name)).stages["drift"]) for name in ("metronome", "loop"))
    (reset,) = case_of("crowd-again").events
    before = vectors.run(replace(case_of("crowd-again"), length=reset.at, events=()))
    assert before.dropped > 0
    assert [d.key for d in before.detections] == [6, 5, 0, 2]
    assert [d["key"] for d in detections("crowd-again")] == 2 * [6, 5, 0, 2]
    assert any(e.count(max(e)) == 2 for e in (r[4:21] for r in records("drifts-alike", "drift", 41) if r[39]))
    of_one = [r for r in records("half-a-span-apart", "peaks", 7) if r[1] == 0]
    assert [r[5] for r in of_one] == [1, 0]
    assert of_one[-1][4] - of_one[0][4] == 32
    differences = [(r[6] - r[4], r[7] - r[5]) for r in records("places-alike", "place", 10)]
    assert any(f < 0 and f + g == 0 for f, g in differences)
    low = [r for r in records("no-skew", "confirm", 11) if r[5] == 1]
    assert any(q > 0 and t_high < 0 for *_, q, _v, _t, t_high, _crc in low)
    reported = {r[2]: (r[4], r[6]) for r in records("half-far", "peaks", 7) if r[5]}
    assert reported == {1: (64, 1), 0: (0, 0)}


# What a case is there for, of rules that are easily missed


def reset_keeps_dropped(patch: pytest.MonkeyPatch) -> None:
    reset = FixedDetector.reset

    def keeping(self: FixedDetector) -> None:
        dropped = getattr(self, "_dropped", 0)
        reset(self)
        self._dropped = dropped

    patch.setattr(FixedDetector, "reset", keeping)


def reset_keeps_reports(patch: pytest.MonkeyPatch) -> None:
    reset = PeakStage.reset
    patch.setattr(PeakStage, "reset", lambda self: None if hasattr(self, "last") else reset(self))


def takes_out(patch: pytest.MonkeyPatch, *, spared: bool | None = None, newest: bool = False) -> None:
    """spared: whether the first one is; none: as it should be. newest: the newest of several lowest goes."""

    def enqueue(self: FixedDetector, candidate: Any) -> None:
        places = [other[:3] for other in self._queue]
        if (candidate.place - 1, *candidate[1:3]) in places:
            at = places.index((candidate.place - 1, *candidate[1:3]))
            if not at:
                self._work = None
            self._queue[at] = candidate
            return
        if len(self._queue) == QUEUE:
            self._drop()
            all_of = range(self._work is not None if spared is None else spared, QUEUE)
            lowest = min(all_of[::-1] if newest else all_of, key=lambda i: self._queue[i].level)
            if candidate.level <= self._queue[lowest].level:
                return
            self._queue.pop(lowest)
            if not lowest:
                self._work = None
        self._queue.append(candidate)

    patch.setattr(FixedDetector, "_enqueue", enqueue)


def chooses(patch: pytest.MonkeyPatch, *, swaps: bool = False, slot_over: bool = False, ahead: int = 64) -> None:
    """swaps: the first one takes the highest one's place. slot_over: once one was dropped. ahead: of a begun one."""

    def choose(self: FixedDetector, newest: int) -> None:
        while self._queue:
            highest = max(range(len(self._queue)), key=lambda i: self._queue[i].level)
            if self._work is not None and self._queue[highest].level - self._queue[0].level <= ahead:
                highest = 0
            if highest:
                first = self._queue[0]
                self._queue.insert(0, self._queue.pop(highest))
                self._work = None
                if swaps:
                    self._queue.insert(highest, self._queue.pop(1))
                    assert self._queue[highest] is first
            if self._work is not None:
                return
            if newest + template.FRAMES - (self._queue[0].place - 1) < RING:
                self._work = detector._Work()
                return
            self._queue.pop(0)
            self._drop()
            if slot_over:
                return

    patch.setattr(FixedDetector, "_choose", choose)


def slot_goes_on(patch: pytest.MonkeyPatch) -> None:
    step = FixedDetector._step

    def going_on(self: FixedDetector, newest: int) -> RawDetection | None:
        self._choose(newest)
        while self._work and self._work.found and newest - self._work.found.place >= RING:
            self._leave()
            self._drop()
            self._choose(newest)
        return step(self, newest)

    patch.setattr(FixedDetector, "_step", going_on)


def new_at_half_a_span(patch: pytest.MonkeyPatch) -> None:
    process = PeakStage.process

    def forgetting(self: PeakStage, place: int, key: int, span: int, score: int, agreement: int) -> Any:
        last = self.last[key][span]
        if last and abs(place - last.place) == self.spans[span].length // 2 and score >= self.threshold:
            self.last[key][span] = None
        return process(self, place, key, span, score, agreement)

    patch.setattr(PeakStage, "process", forgetting)


def sample_rounds_down(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        detector,
        "sample_of",
        lambda n, offset, rate, first: max(
            0, first + (256 * n + 128 + offset) * rate.numerator // rate.denominator - rate.delay
        ),
    )


def place_where_alike(patch: pytest.MonkeyPatch) -> None:
    find = template.find_place

    def later(e: list[int], n: int) -> template.Place:
        alike = e[2] < e[0] and e[2] - e[0] + e[3] - e[1] == 0
        return template.Place(n + 1, 0) if alike else find(e, n)

    patch.setattr(template, "find_place", later)


def first_drift_turns(patch: pytest.MonkeyPatch) -> None:
    first: list[int] = []
    of_curves, turned = template.chain_energy, template.turned_energy

    def at_first(chain: Any, drift: int) -> int:
        first.append(drift)
        return of_curves(chain, drift)

    patch.setattr(template, "chain_energy", at_first)
    patch.setattr(template, "turned_energy", lambda frames, signs, drift, rate: turned(frames, signs, first[-1], rate))


def last_highest_drift(patch: pytest.MonkeyPatch) -> None:
    find = template.find_drift
    patch.setattr(template, "find_drift", lambda curve: -find(curve[::-1]))


def size_of_t(patch: pytest.MonkeyPatch) -> None:
    score = statistic.score
    patch.setattr(statistic, "score", lambda q, v, t: score(q, v, abs(t)))


def constant(of: Any, name: str, value: int) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(of, name, value)


CHANGES: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "reset keeps dropped": ("crowd-again", reset_keeps_dropped),
    "reset keeps reports": ("crowd-again", reset_keeps_reports),
    "a begun first one is taken out": ("crowd-again", partial(takes_out, spared=False)),
    "no first one is taken out": ("crowd-again", partial(takes_out, spared=True)),
    "the newest of several is taken out": ("crowd-again", partial(takes_out, newest=True)),
    "a sample is rounded down": ("crowd-again", sample_rounds_down),
    "a begun one gives way to one 64 higher": ("hardly-higher", partial(chooses, ahead=63)),
    "a begun one gives way to any higher one": ("no-skew", partial(chooses, ahead=0)),
    "the first and the highest swap": ("just-too-dear", partial(chooses, swaps=True)),
    "8 kHz affords what 16 kHz does": ("just-too-dear", constant(confirm, "NARROW_COST", 0)),
    "8 kHz affords 1 more": ("just-too-dear", constant(confirm, "NARROW_COST", 29)),
    "the last thing costs 1 less": ("just-too-dear", constant(confirm, "SCORE_COST", 214)),
    "too old a frame later": ("just-too-old", constant(template, "FRAMES", 3)),
    "too old a frame earlier": ("just-too-old", constant(template, "FRAMES", 5)),
    "the slot is over where one is too old": ("too-old-at-once", partial(chooses, slot_over=True)),
    "the slot goes on where confirm is too old": ("too-old-at-once", slot_goes_on),
    "the last highest drift": ("drifts-alike", last_highest_drift),
    "the low curve tells when it is 77 ahead": ("too-old-at-once", constant(template, "LOW_DRIFT_HANDICAP", 77)),
    "half a span apart is new": ("half-a-span-apart", new_at_half_a_span),
    "a whole 64 frames away is told": ("half-far", constant(peaks_stage, "NEAR_HALF", 63)),
    "four chains need the least less": ("unlikely-at-the-end", constant(template, "LAST_LEAST", 2367)),
    "four chains need the least more": ("likely-to-the-end", constant(template, "LAST_LEAST", 2369)),
    "the first drift turns the outer chains": ("eight-keys", first_drift_turns),
    "of two pairs alike the second": ("places-alike", place_where_alike),
    "T without its sign": ("no-skew", size_of_t),
    "skew a little lower": ("no-skew", constant(statistic, "LEAST_SKEW", 4095)),
    "skew without a least value": ("no-skew", constant(statistic, "LEAST_SKEW", 1)),
}


@pytest.mark.parametrize("rule", CHANGES)
def test_another_rule_gives_something_else(rule: str, monkeypatch: pytest.MonkeyPatch):
    name, change = CHANGES[rule]
    change(monkeypatch)
    with pytest.raises(AssertionError):
        check(vectors.run(case_of(name)), name, rule)


@pytest.mark.parametrize("same", [takes_out, chooses])
def test_the_same_rule_said_again_gives_the_same(same: Callable[[pytest.MonkeyPatch], None], monkeypatch):
    same(monkeypatch)
    for name in {name for name, _ in CHANGES.values()}:
        check(vectors.run(case_of(name)), name, "said again")


# The C detector


@pytest.mark.parametrize("name", NAMES)
def test_sound_is_made_alike_in_c(name: str):
    numbers = []
    for layer in case_of(name).layers:
        of = {f.name: getattr(layer, f.name) for f in fields(layer)}
        kind = ["constant", "square", "ramp", "noise", "mark"].index(layer.kind)
        single = ("start", "length", "step", "seed", "value", "high", "low", "amplitude", "period", "burst")
        row = [of.get(field, 0) for field in single]
        row[4] = of.get("first", row[4])
        numbers += [kind, *row, *of.get("columns", [0] * 4), *of.get("amplitudes", [0] * 4), 0]
    ffi, lib = tapped("plain").ffi, tapped("plain").lib
    samples = np.empty(case_of(name).length, np.int16)
    out = ffi.cast("int16_t *", samples.ctypes.data)
    lib.tap_sound(ffi.new("int64_t[]", numbers), len(numbers) // 20, out, len(samples))
    assert np.array_equal(samples, case_of(name).samples())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("build", BUILDS)
def test_c_gives_every_stage(build: str, name: str):
    case = case_of(name)
    for stride in STRIDES:
        samples = interleaved(case.samples(), stride)
        for block in BLOCKS:
            result = run_c(build, case, samples, block)
            check(result, name, f"C ({build}), {f'blocks of {block}' if block else 'whole'}, stride {stride}")


@pytest.mark.parametrize("build", BUILDS)
def test_a_difference_is_told(build: str):
    case = case_of("early")
    samples = case.samples().copy()
    samples[30_000] ^= 1
    with pytest.raises(AssertionError, match=r"^early, here: stage input, value 30000: got \[.*\], wanted \["):
        check(run_c(build, case, samples, None), "early", "here")
    short = vectors.run(case)
    short.stages["peaks"] = short.stages["peaks"][:-1]
    with pytest.raises(AssertionError, match=r"stage peaks, value 13: got the end, wanted \[0\]"):
        check(short, "early", "here")
    other = vectors.run(case)
    other.detections[0] = other.detections[0]._replace(at=1)
    with pytest.raises(AssertionError, match=r"^early, here: detections: got .*'at': 1"):
        check(other, "early", "here")


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("name", ["mark", "early", "mark-twice", "rate-44100", "two-keys"])
def test_the_count_of_frames_may_wrap(name: str, early: bool):
    """2^32 frames are two years: here the count is put ahead, so that it comes round within the mark."""
    case = case_of(name)
    ffi, lib = tapped("plain").ffi, tapped("plain").lib
    keys = ffi.new("airmark_key_t[]", [{"columns": list(key)} for key in case.keys])
    config = ffi.new("airmark_config_t *", [case.rate, keys, len(case.keys), early, 700, 0])
    detections, at = ffi.new("airmark_detection_t[9]"), ffi.new("uint64_t[9]")
    samples = case.samples()
    found = []
    for more in (0, 2**32 - 80, 2**32 - 148, 2**30 - 80, 2**31 - 80):
        state = ffi.new("airmark_t *")
        assert lib.airmark_init(state, config) == lib.AIRMARK_OK
        start, told = 6 * 512, []
        for lot, ahead in ((samples[:start], more), (samples[start:], 0)):
            lib.tap_clear()
            first = ffi.cast("const int16_t *", lot.ctypes.data)
            count = lib.tap_run(state, first, len(lot), 160, 1, detections, at, 9)
            told += [(d.sample, d.score_q8, d.drift_ppm_q4, d.key, d.early) for d in detections[0:count]]
            lib.tap_skip_frames(state, ahead)
        found.append(told)
    assert found[0]
    assert found == found[:1] * len(found)


@pytest.mark.parametrize("name", ["early", "eight-keys", "rate-8000", "rate-32000", "rate-44100", "rate-48000"])
def test_cuts_leave_the_same_state(name: str):
    """All of it but what lies in the resampler's buffer behind the 23 samples that it remembers."""
    case = case_of(name)
    ffi, lib = tapped("plain").ffi, tapped("plain").lib
    keys = ffi.new("airmark_key_t[]", [{"columns": list(key)} for key in case.keys])
    config = ffi.new("airmark_config_t *", [case.rate, keys, len(case.keys), case.early, case.threshold_q8, 0])
    detections, at = ffi.new("airmark_detection_t[9]"), ffi.new("uint64_t[9]")
    scratch = ffi.sizeof(config[0]) + 2 * 23, ffi.sizeof(config[0]) + 2 * lib.AIRMARK_HISTORY
    samples = case.samples()[: case.length - 77]
    states = set()
    for block in (len(samples), 1, 7, 160, 441, 480):
        state = ffi.new("airmark_t *")
        assert lib.airmark_init(state, config) == lib.AIRMARK_OK
        lib.tap_clear()
        lib.tap_run(state, ffi.cast("const int16_t *", samples.ctypes.data), len(samples), block, 1, detections, at, 9)
        whole = bytes(ffi.buffer(state))
        states.add(whole[: scratch[0]] + whole[scratch[1] :])
    assert len(states) == 1


@pytest.mark.parametrize("early", [False, True])
def test_a_report_is_forgotten_before_the_count_of_frames_comes_round(early: bool):
    """Else a mark would be taken for the flank of a louder one, told 2^32 frames before."""
    apart = 200
    (key,) = vectors.keys(1)
    marks = [
        vectors.Mark(4000 + 256 * apart * i, vectors.MARK, key, 1, (amplitude,) * 4)
        for i, amplitude in enumerate((700, 420))
    ]
    length = marks[1].start + vectors.MARK + 8000
    samples = vectors.sound([vectors.Noise(0, length, 0x9E3779B9, 6000), *marks], length)
    ffi, lib = tapped("plain").ffi, tapped("plain").lib
    keys = ffi.new("airmark_key_t[]", [{"columns": list(key)}])
    config = ffi.new("airmark_config_t *", [16_000, keys, 1, early, 1200, 0])
    detections, at = ffi.new("airmark_detection_t[9]"), ffi.new("uint64_t[9]")
    # Between the marks the count goes far ahead twice: at first so far that the report is old, then once round.
    middle = 256 * (marks[0].start // 256 + 128 + 40)
    found = []
    for ahead in ((0, 0), (2**31, 2**31 - apart)):
        state = ffi.new("airmark_t *")
        assert lib.airmark_init(state, config) == lib.AIRMARK_OK
        told = []
        for start, end, more in ((0, middle, ahead[0]), (middle, middle + 2560, ahead[1]), (middle + 2560, length, 0)):
            lib.tap_clear()
            first = ffi.cast("const int16_t *", samples[start:].ctypes.data)
            count = lib.tap_run(state, first, end - start, 160, 1, detections, at, 9)
            told += [(d.sample, d.score_q8, d.drift_ppm_q4, d.key, d.early) for d in detections[0:count]]
            lib.tap_skip_frames(state, more)
        found.append(told)
    assert [early for *_, early in found[0]] == [early, early]
    assert found[0][1][1] < found[0][0][1]
    assert found[1] == found[0]


# What is installed, and the model


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stride", STRIDES)
def test_the_extension_gives_the_detections(name: str, stride: int):
    case = case_of(name)
    options = {"early": case.early, "threshold_q8": case.threshold_q8, "first_sample": case.first_sample}
    samples = interleaved(case.samples(), stride)
    detector = NativeDetector(case.keys, case.rate, **options)
    found = []
    events = {0: None} | {event.at: event for event in case.events}
    for start, end in zip(events, [*list(events)[1:], case.length], strict=True):
        event = events[start]
        if event is not None and event.keys:
            detector = NativeDetector(event.keys, case.rate, **options)
        elif event is not None:
            detector.reset()
        found += detector.push(samples[start:end])
    wanted = file_of(name)
    assert [d._asdict() for d in found] == wanted["detections"]
    assert (detector.score_q8, detector.dropped) == (wanted["score_q8"], wanted["dropped"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("block", [None, 441, 4001])
def test_the_model_gives_every_stage(name: str, block: int | None):
    check(vectors.run(case_of(name), block), name, f"model, blocks of {block}")
