"""The evaluation: the same for any number of jobs, misses counted, intervals right, a report written."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure
from PIL import Image
from scipy.stats import binomtest, spearmanr

from airmark import evaluate, intervals, materials, null, report, report_plot, thresholds
from airmark.channel import Channel
from airmark.cli import main
from airmark.commands import evaluate as command
from airmark.detector import Detector
from airmark.errors import AirmarkError
from airmark.evaluate import CONDITIONS, Condition, Made, Plan, Recipe, Trial
from airmark.null import keys_with_symmetries
from tooling import needs_engine

CLEAN = Condition("clean", "no channel", 1.0)
NAMED = {condition.name: condition for condition in CONDITIONS}


@pytest.fixture(scope="module")
def keys():
    return keys_with_symmetries(18, 0)


def plan_of(keys, conditions, trials, baseline=0, **more):
    found = materials.gather(None, None, None, 1.3)
    names = [condition.name for condition in conditions]
    counts = dict.fromkeys(names, trials), dict.fromkeys(names, baseline)
    return Plan(found, tuple(conditions), tuple(keys[:16]), *counts, threshold=5.2, **more)


def test_the_same_on_any_number_of_jobs(keys):
    plan = plan_of(keys, [NAMED["rooms-10"], NAMED["digital"]], 3, 1)
    plan = replace(plan, materials=replace(plan.materials, hosts=plan.materials.hosts[1:3]))
    one, two = (evaluate.run(plan, [], jobs) for jobs in (1, 2))
    assert one.trials == two.trials
    assert one.made == two.made
    assert len(one.trials) == 2 * (3 + 1)
    assert one.trials != evaluate.run(replace(plan, seed=1), []).trials


def test_without_a_channel_everything_is_found_in_place_and_in_time(keys):
    plan = plan_of(keys, [CLEAN], 6, engines=("float", "full"))
    outcome = evaluate.run(plan, [])
    row = report.summary(plan, outcome, {"null_keys": 0})["conditions"][0]
    assert row["found"] == row["trials"] == 6
    assert row["refused"] == row["elsewhere"] == 0
    assert row["engines"]["full"]["found"] == 6
    assert row["engines"]["float"]["later_ms"] == {"marks": 6, "median": 0, "p95": 0, "max": 0}
    assert row["engines"]["full"]["later_ms"]["marks"] == 6
    for trial in outcome.trials:
        assert trial.scores["full"] >= trial.scores["float"] - 1e-9
        assert abs(trial.place_error_s) < 0.032
        assert 1.024 - 0.03 < trial.latency_s < 2.25
        assert abs(trial.drift_error_ppm) <= 50
    # Most are told from their first half.
    assert np.median([trial.latency_s for trial in outcome.trials]) < 1.2


def test_a_trial_tells_when_a_mark_is_reported_and_how_the_whole_of_it_scores(keys):
    plan = plan_of(keys, [CLEAN], 1)
    marked = evaluate.make(plan, 0, Recipe("adaptive", -10.0))
    (place,) = marked.places
    received = Channel().apply(marked.samples, marked.rate, 0)
    pcm = np.round(received.samples * 32767).astype(np.int16)
    late = Detector(marked.key, marked.rate, threshold=plan.threshold, engine="float")
    (whole,) = late.process(pcm) + late.flush()
    heard = evaluate._hear(plan, marked, received, pcm, "float")
    assert (heard.best, heard.elsewhere) == (whole, 0)
    assert 1.0 < heard.latency_s < 1.2
    missed = evaluate._hear(replace(plan, threshold=20.0), marked, received, pcm, "float")
    assert (missed.best, missed.elsewhere, missed.latency_s) == (whole, 0, None)
    half = evaluate._hear(plan, marked, received, pcm[: place + round(1.3 * marked.rate)], "float")
    assert plan.threshold <= half.best.score < whole.score
    moved = replace(marked, places=[place - marked.rate // 4])
    assert evaluate._hear(plan, moved, received, pcm, "float") == evaluate._Heard(None, None, 1, None)


def test_trials_share_marks_and_the_noise_alone_differs_between_levels(keys):
    levels = [NAMED[name] for name in ("rooms-20", "rooms-10", "rooms-5")]
    outcome = evaluate.run(plan_of(keys, levels, 2), [])
    assert len(outcome.made) == 2
    for index in range(2):
        mine = [trial for trial in outcome.trials if trial.index == index]
        assert len({(t.host, t.room, t.noise, t.drift_ppm, t.predicted) for t in mine}) == 1
        assert [t.snr_db for t in mine] == [20.0, 10.0, 5.0]


def test_ways_take_turns_and_crops_hold_the_whole_mark(keys):
    crop = [way for way in evaluate.DIGITAL if way.crop]
    plan = plan_of(keys, [replace(NAMED["digital"], ways=(*crop, evaluate.Way("+200 ppm", drift_ppm=200.0)))], 6)
    outcome = evaluate.run(plan, [])
    assert [trial.way for trial in outcome.trials] == ["crop", "+200 ppm"] * 3
    assert [trial.drift_ppm for trial in outcome.trials[1::2]] == [200.0] * 3
    assert len({trial.drift_ppm for trial in outcome.trials[::2]}) == 3
    assert all(report.is_found(plan, trial) for trial in outcome.trials)


def test_a_trial_that_cannot_be_had_is_told_by_its_names(keys):
    way = evaluate.Way("MP3 at a phone's", codec_before="mp3:4k")
    plan = plan_of(keys, [replace(NAMED["digital"], ways=(way,))], 1)
    host = evaluate.make(plan, 0, Recipe("adaptive", None, 1)).made[0].host
    with pytest.raises(AirmarkError, match=f"^digital, MP3 at a phone's, mark 0 in {host}: codec mp3: .*4k"):
        evaluate.run(plan, [])


def test_three_in_a_row_are_found_if_one_is(keys):
    plan = plan_of(keys, [NAMED["repeated"]], 1)
    marked = evaluate.make(plan, 0, plan.recipe(NAMED["repeated"], False))
    assert len(marked.places) == len(marked.made) == 3
    assert set(np.diff(marked.places)) == {2.048 * marked.rate}
    assert report.is_found(plan, evaluate.run(plan, []).trials[0])


def test_a_refused_mark_is_a_miss(keys, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000 * 6), 16_000)
    plan = plan_of(keys, [CLEAN, NAMED["live"]], 2)
    hosts = materials.gather(tmp_path, None, None, 1.3).hosts
    plan = replace(plan, materials=replace(plan.materials, hosts=hosts))
    outcome = evaluate.run(plan, [])
    assert all(trial.refused and not report.is_found(plan, trial) for trial in outcome.trials)
    assert all(made.refused for made in outcome.made)
    table = report.summary(plan, outcome, {"null_keys": 0})
    for row in table["conditions"]:
        assert (row["trials"], row["refused"], row["found"], row["share"]) == (2, 2, 0, 0.0)
    assert table["quality"] == []


def test_a_live_mark_is_the_live_embedders(keys):
    plan = plan_of(keys, [NAMED["live"]], 1)
    recipe = plan.recipe(NAMED["live"], False)
    assert recipe == Recipe("live", evaluate.LIVE_DB)
    marked = evaluate.make(plan, 0, recipe)
    host = evaluate.make(plan, 0, Recipe("noise", -60.0))
    changed = np.flatnonzero(np.abs(marked.samples - host.samples).max(axis=1) > 1e-3)
    first, last = marked.places[0], marked.places[0] + round(2.048 * marked.rate)
    assert first <= changed[0] < first + 0.2 * marked.rate
    assert last - 0.2 * marked.rate < changed[-1] <= last
    # The noise mark, 48 dB under it, is part of the difference.
    added, ms = marked.samples - host.samples, marked.rate // 1000
    assert added[last - ms // 2 : last].std() < 0.2 * added[last - 10 * ms : last - 5 * ms].std()


@pytest.mark.parametrize("silence_s", [0.12, 3.0, 9.0])
def test_a_live_mark_is_looked_for_where_the_sound_begins(keys, tmp_path, silence_s):
    """After 0.12 s of silence at its place it is found there, not 0.12 s late; where all is silent it is refused.

    Where too little sounds before the end of what is heard the mark stays inside that.
    """
    noise = 0.05 * np.random.default_rng(0).standard_normal(9 * 16_000)
    path = tmp_path / "noise.wav"
    plan = plan_of(keys, [replace(CLEAN, pattern="live")], 1)
    for _ in range(2):
        soundfile.write(path, noise, 16_000)
        plan = replace(plan, materials=replace(plan.materials, hosts=materials.gather(tmp_path, None, None, 1.3).hosts))
        evaluate._recording.cache_clear()
        (asked,) = evaluate.make(plan, 0, Recipe("noise", -20.0)).made
        noise[round(asked.time_s * 16_000) :][: round(silence_s * 16_000)] = 0
    ((made,), (trial,)) = evaluate.run_mark(plan, 0)
    marked = evaluate.make(plan, 0, Recipe("live", evaluate.LIVE_DB))
    assert all(place + evaluate._length(marked.key, 16_000) <= len(marked.samples) for place in marked.places)
    if silence_s == 3:
        assert asked.time_s < made.time_s < asked.time_s + silence_s
    elif silence_s < 3:
        assert made.time_s == pytest.approx(asked.time_s + silence_s, abs=1e-3)
        assert trial.scores["float"] > 6
        assert abs(trial.place_error_s) < 0.02
        assert trial.elsewhere == 0
    else:
        assert "silence" in made.refused


@pytest.mark.parametrize(("count", "trials"), [(0, 10), (10, 10), (3, 7), (999, 1000), (4000, 4000)])
def test_wilson(count, trials):
    expected = binomtest(count, trials).proportion_ci(0.95, method="wilson")
    assert intervals.wilson(count, trials) == pytest.approx((expected.low, expected.high))


def test_wilson_without_trials():
    assert intervals.wilson(0, 0) == (0.0, 1.0)


def test_bootstrap_over_recordings_sees_that_trials_depend():
    rng = np.random.default_rng(0)
    alone = rng.random(400) < 0.5
    low, high = intervals.share_by_recordings(alone.tolist(), range(400))
    # The normal approximation: 1.96 √(p (1 - p) / n).
    assert (high - low) / 2 == pytest.approx(0.049, abs=0.004)
    together = np.repeat(rng.random(40) < 0.5, 10)
    low, high = intervals.share_by_recordings(together.tolist(), np.repeat(np.arange(40), 10).tolist())
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(0.25 / 40), abs=0.02)
    wide = intervals.share(together.tolist(), np.repeat(np.arange(40), 10).tolist())
    assert wide[1] - wide[0] >= high - low


def test_bootstrap_of_a_mean():
    values = np.random.default_rng(0).standard_normal(400)
    low, high = intervals.by_recordings(np.mean, values, range(400))
    assert low < values.mean() < high
    assert (high - low) / 2 == pytest.approx(1.96 / 20, rel=0.15)


def test_predictions_are_compared_with_the_mean_over_a_marks_rooms(keys):
    """Scores of one mark that differ from room to room around what was predicted."""
    rooms = [NAMED[name] for name in ("rooms-20", "far", "time")]
    plan = plan_of(keys, [*rooms, NAMED["rooms-5"], NAMED["headset"], NAMED["live"]], 8)
    rng = np.random.default_rng(3)
    off = 2 * rng.standard_normal((8, 3))
    off -= off.mean(axis=1, keepdims=True)
    trials = [
        evaluate.Trial(
            room.name, "", i, False, f"h{i}", "music", scores={"float": 9.0 + i + off[i, j]}, predicted=1.0 * i
        )
        for i in range(8)
        for j, room in enumerate(rooms)
    ]
    # What must not count: other levels, ways and patterns, the baseline, and a mark that was not in all rooms.
    spoiler = replace(trials[0], scores={"float": 12.0}, predicted=0.0)
    trials += [replace(spoiler, condition=name) for name in ("rooms-5", "headset", "live")]
    trials += [replace(spoiler, baseline=True), replace(spoiler, index=9)]
    found = report._prediction(plan, trials)
    assert found is not None
    mean = found["mean_over_rooms"]
    assert mean["conditions"] == ["rooms-20", "far", "time"]
    assert (mean["marks"], mean["spearman"]) == (8, pytest.approx(1.0))
    assert found["spearman"] < 0.99
    each = found["all_rooms"]
    pairs = [(i, 9.0 + i + off[i, j]) for i in range(8) for j in range(3)]
    assert (each["conditions"], each["trials"]) == (mean["conditions"], 24)
    assert each["spearman"] == pytest.approx(spearmanr(*np.transpose(pairs)).statistic)
    assert each["low"] <= each["spearman"] <= each["high"]
    assert found["spearman"] != each["spearman"] < 0.99
    alone = report._prediction(replace(plan, conditions=(NAMED["rooms-20"],)), trials)
    assert alone is not None
    assert alone["all_rooms"] is alone["mean_over_rooms"] is None


def test_quality_figures():
    values = [4.0, 4.5, *[4.99] * 18]
    made = [Made(i, Recipe("adaptive", None), f"h{i}", "music", 0.0, zimtohrli=v) for i, v in enumerate(values)]
    (row,) = [row for row in report._quality(made) if row["kind"] == "all"]
    assert (row["n"], row["worst"], row["worst_tenth"]) == (20, 4.0, 4.25)
    assert row["mean"] == pytest.approx(np.mean(values))
    assert row["met"] is False


def test_median_time_counts_missed_marks(keys):
    plan = plan_of(keys, [CLEAN], 3)
    times = [1.0, None, 2.0]
    trials = [
        Trial("clean", "", i, False, "h", "speech", latency_s=s, scores={"float": 9.0}) for i, s in enumerate(times)
    ]
    assert report._condition(plan, trials, CLEAN)["median_s"] == 2.0
    assert report._condition(plan, trials[:2] * 2 + [trials[1]], CLEAN)["median_s"] is None


def test_the_picture_tells_the_median_that_the_text_does(keys):
    plan = plan_of(keys, [CLEAN], 4)
    for times, told in (([2.0, None], "median 2.00 s"), ([1.0, 1.2, 1.4, 1.6], "median 1.20 s"), ([None] * 3, None)):
        trials = [Trial("clean", "", i, False, "h", "speech", latency_s=time) for i, time in enumerate(times)]
        figure = Figure()
        report_plot._times(figure, plan, trials)
        assert [text.get_text() for text in figure.axes[0].texts] == ([told] if told else [])
        median = report._condition(plan, trials, CLEAN)["median_s"]
        assert told == (None if median is None else f"median {median:.2f} s")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_disk_that_is_full_at_the_end_is_told_after_the_figures(tmp_path, capsys, monkeypatch, as_json):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("airmark.report_plot.pictures", full)
    monkeypatch.setattr(command, "_has", lambda package: False)
    words = ["evaluate", "--trials", "1", "--baseline", "0", "--null-keys", "0", "--jobs", "1", "--condition", "time"]
    assert main([*words, "--out", str(tmp_path / "out"), *["--json"] * as_json]) == 2
    told = capsys.readouterr()
    if as_json:
        table = json.loads(told.out)
        assert (table["folder"], table["conditions"][0]["trials"]) == (None, 1)
    else:
        assert re.search(r"^time +1 ", told.out, re.MULTILINE)
        assert "the report" not in told.out
    *_, last = told.err.splitlines()
    where = tmp_path / "out"
    assert (
        last == f"airmark: error: {where}: cannot write there: No space left on device: give another folder with --out"
    )
    assert list(tmp_path.iterdir()) == []


def test_each_engine_has_its_own_threshold(keys):
    plan = plan_of(keys, [CLEAN], 2, engines=("float", "full"), other_thresholds={"full": 30.0})
    assert [plan.threshold_of(engine) for engine in (None, "float", "full")] == [5.2, 5.2, 30.0]
    table = report.summary(plan, evaluate.run(plan, []), {"null_keys": 0})
    row = table["conditions"][0]
    assert [row["engines"][engine]["found"] for engine in ("float", "full")] == [2, 0]
    assert [table["engines"][engine]["threshold"] for engine in ("float", "full")] == [5.2, 30.0]
    assert table["engines"]["full"]["later_ms"] == {"marks": 0, "median": None, "p95": None, "max": None}


def test_how_much_later_an_engine_decides_than_the_first(keys):
    plan = plan_of(keys, [CLEAN], 4, engines=("float", "c"))
    times = [(1.0, 1.02), (2.0, 1.99), (1.5, None), (None, 1.5), (1.2, 1.25)]
    trials = [
        Trial("clean", "", i, False, "h", "speech", latencies_s={"float": first, "c": own}, scores={"float": 9, "c": 9})
        for i, (first, own) in enumerate(times)
    ]
    later = report._condition(plan, trials, CLEAN)["engines"]["c"]["later_ms"]
    assert later["marks"] == 3
    assert (later["median"], later["max"]) == pytest.approx((20.0, 50.0))
    assert later["p95"] == pytest.approx(np.percentile([20.0, -10.0, 50.0], 95))


def test_how_many_marks_an_engine_loses_against_the_first(keys):
    plan = plan_of(keys, [CLEAN], 200, engines=("float", "c"), other_thresholds={"c": 5.0})
    scores = [(6.0, 4.9), (5.1, 5.1), (None, None), (9.0, 9.0)] * 2 + [(9.0, 9.0)] * 32 + [(6.0, None)] * 10
    trials = [
        Trial("clean", "", i, False, f"h{i % 10}", "speech", scores={"float": first, "c": own})
        for i, (first, own) in enumerate(scores)
    ]
    row = report._condition(plan, trials, CLEAN)["engines"]
    loses = row["c"]["loses_points"]
    assert (loses["lost"], loses["gained"], loses["mean"]) == (12, 2, pytest.approx(20.0))
    assert 0 < loses["low"] < 20 < loses["high"] < 40
    assert row["float"]["loses_points"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "lost": 0, "gained": 0}
    nothing = report._condition(plan, [], CLEAN)["engines"]["c"]["loses_points"]
    assert nothing == {"mean": None, "low": None, "high": None, "lost": 0, "gained": 0}


@needs_engine("c")
def test_the_command_compares_engines_at_their_own_thresholds(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(evaluate.hardhosts, "names", lambda: ["white noise"])
    monkeypatch.setattr(command, "_has", lambda package: False)
    words = ["evaluate", "--trials", "2", "--baseline", "0", "--jobs", "1", "--condition", "time", "--json"]
    for engines, null_keys in ((["float", "c"], 0), (["c", "float"], 1)):
        out = tmp_path / engines[0]
        assert main([*words, "--engine", *engines, "--null-keys", str(null_keys), "--out", str(out)]) == 0
        table = json.loads(capsys.readouterr().out)
        for engine in engines:
            assert table["engines"][engine]["threshold"] == thresholds.threshold(1.0, engine=engine)
            assert table["engines"][engine]["false_alarms_per_day"] == pytest.approx(1.0)
        assert table["threshold"] == table["engines"][engines[0]]["threshold"]
        if null_keys:
            assert table["null"]["unmarked"]["engine"] == engines[0]
            assert list(table["null"]["hard_hosts"][0]["highest"]) == engines[:1]
        text = (out / "report.md").read_text()
        shown = [f"{thresholds.threshold(1.0, engine=engine):.2f}" for engine in engines]
        assert f"| threshold |  | {shown[0]} | {shown[1]} |" in text
        assert f"{engines[1]}: decision later than {engines[0]}" in text
        assert f"| {engines[1]} against {engines[0]} | loses, points |" in text
        head = (out / "trials.csv").read_text().splitlines()[0].split(",")
        assert {"latency_s", f"latency_s_{engines[1]}", "score_c", "score_float"} <= set(head)


def test_an_engine_that_is_not_built_is_refused_before_anything_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "airmark.native", None)
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "--engine", "float", "c"]) == 2
    assert "the c engine was not built" in capsys.readouterr().err
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("strength", ["foo", "nan", "40"])
def test_a_strength_that_is_none_is_refused_before_anything_runs(strength, tmp_path, monkeypatch, capsys):
    def gathered(*_):
        raise AssertionError

    monkeypatch.setattr(materials, "gather", gathered)
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "--strength", strength]) == 2
    error = capsys.readouterr().err
    assert "strength" in error
    assert error.count("\n") == 1
    assert list(Path.cwd().iterdir()) == []


def test_materials_with_and_without_a_manifest(tmp_path):
    found = materials.gather(None, None, None, 0.6)
    assert {room.name for room in found.rooms} == {"openair_basement", "openair_livingroom"}
    assert {room.name for room in found.reverberant} == {"homula_S1_R2", "homula_S2_R2"}
    assert {host.kind for host in found.hosts} == {"speech", "music", "mixed"}
    rng = np.random.default_rng(0)
    for name in ("speech/a.wav", "b.flac", "noise/hiss.wav", "rir/room.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        sound = rng.standard_normal(16_000 * 5) * 0.01
        if "rir" in name:
            sound = sound[:16_000] * 10 ** (-3 * np.arange(16_000) / 16_000 / 0.5)
        soundfile.write(tmp_path / name, sound, 16_000, "PCM_24" if "rir" in name else "PCM_16")
    found = materials.gather(tmp_path, None, None, 1.3)
    assert sorted((host.name, host.kind) for host in found.hosts) == [("b", "other"), ("speech/a", "speech")]
    assert [path.name for path in found.noises] == ["hiss.wav"]
    assert found.rooms[0].rt60_s == pytest.approx(0.5, rel=0.1)
    assert found.rooms[0].distance_m is None
    with pytest.raises(AirmarkError, match="--rirs"):
        materials.gather(tmp_path, None, None, 0.3)


def test_recordings_too_short_are_refused_before_anything_runs(keys, tmp_path):
    soundfile.write(tmp_path / "short.wav", np.ones(16_000) * 0.1, 16_000)
    plan = plan_of(keys, [CLEAN], 1)
    plan = replace(plan, materials=replace(plan.materials, hosts=materials.gather(tmp_path, None, None, 1.3).hosts))
    with pytest.raises(AirmarkError, match="--audio"):
        evaluate.run(plan, [])


def test_the_command_writes_a_report(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(evaluate.hardhosts, "names", lambda: ["white noise", "digital silence"])
    monkeypatch.setattr(command, "_has", lambda package: package != "visqol")
    out = tmp_path / "out"
    words = ["evaluate", "--trials", "3", "--null-keys", "2", "--jobs", "1", "--out", str(out), "--json"]
    assert main([*words, "--condition", "rooms-20", "time"]) == 0
    said = capsys.readouterr()
    assert said.err == "note: no visqol: run 'reference/install quality'\n"
    printed = json.loads(said.out)
    assert printed["run"]["notes"] == ["no visqol: run 'reference/install quality'"]
    assert printed == {"folder": str(out), **json.loads((out / "report.json").read_text())}
    assert [row["name"] for row in printed["conditions"]] == ["rooms-20", "time"]
    assert [row["trials"] for row in printed["conditions"]] == [3, 3]
    assert printed["conditions"][0]["baseline"]["trials"] == 1
    assert printed["null"]["unmarked"]["keys"] == 2
    assert [row["host"] for row in printed["null"]["hard_hosts"]] == ["white noise", "digital silence"]
    text = (out / "report.md").read_text()
    assert "no visqol: run 'reference/install quality'" in text
    pictures = {path.name for path in out.glob("*.png")}
    assert pictures == {line.split("](")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")}
    assert {"found.png", "det.png", "distance.png", "rt60.png", "noise.png", "drift.png", "time.png"} <= pictures
    for name in pictures:
        with Image.open(out / name) as image:
            image.verify()
    assert len((out / "trials.csv").read_text().splitlines()) == 1 + 2 * (3 + 1)
    assert len((out / "marks.csv").read_text().splitlines()) == 1 + 3 + 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--condition", "nowhere"], "rooms-20"),
        (["--trials", "0"], "--trials"),
        (["--jobs", "0"], "--jobs"),
        (["--engine", "quick"], "engine"),
        (["--engine", "full", "full"], "once"),
        (["--audio", "no-such-folder"], "no-such-folder"),
        (["--trials", "5", "--full"], "--full"),
        (["--scheduler", "host:1"], "dask"),
        (["--backend", "nosuch"], "nosuch"),
        (["--backend", "dask", "--scheduler", "localhost:1"], "--backend dask --scheduler localhost:1: joblib cannot"),
    ],
)
def test_wrong_use_is_one_line_before_any_work_and_writes_nothing(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(null, "keys_with_symmetries", lambda *_: pytest.fail("searches for keys"))
    assert main(["evaluate", "--null-keys", "0", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert list(Path.cwd().iterdir()) == []
