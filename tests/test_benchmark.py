"""The benchmarks: that they run, and that the shared scorer reports what the detector reports."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from scipy.stats import norm

from airmark import audio, hardhosts, keysearch, null
from airmark.assets import data_path
from airmark.cli import main
from airmark.detector import Detector, is_built
from airmark.embedder import embed
from airmark.errors import AirmarkError
from airmark.frames import FrameStage
from airmark.profile import profile_of_shape
from tooling import needs_engine


@pytest.fixture(scope="module")
def keys():
    return null.keys_with_symmetries(18, 3)


@pytest.fixture(scope="module")
def demo():
    recording = audio.read(data_path("demo.flac"))
    return soxr.resample(recording.samples[:, 0], recording.rate, 16_000)


def test_speed_runs_and_tells_all(capsys):
    status = main(["benchmark", "speed", "--runs", "1", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert {"machine", "core", "python", "numpy", "sound_s", "runs", "rows"} == set(result)
    rows = result["rows"]
    assert all(row["times_real_time"] > 0 for row in rows)
    asked = {(row["what"], row["rate"], row["channels"]): row["target"] for row in rows}
    assert asked[("embed a file", 16_000, 1)] == 20
    assert asked[("embed a stream", 48_000, 2)] is None
    for sound in ("marked", "unmarked"):
        assert asked[(f"detect, float, {sound} sound", 16_000, 1)] == 50
        assert asked[(f"detect, full, {sound} sound", 16_000, 1)] is None
        if is_built("c"):
            assert asked[(f"detect, c, {sound} sound", 16_000, 1)] is None
            assert asked[(f"push, c, {sound} sound", 16_000, 1)] == 1000
    missed = any(row["target"] and row["times_real_time"] < row["target"] for row in rows)
    assert status == int(missed)


def test_speed_needs_a_run(capsys):
    assert main(["benchmark", "speed", "--runs", "0"]) == 2
    assert "--runs 0" in capsys.readouterr().err


def of_detector(sound, rate, keys, engine, threshold, early=False):
    detector = Detector(keys, rate, threshold=threshold, engine=engine, early=early)
    found = detector.process(sound) + detector.flush()
    return sorted((d.key, d.score) for d in found)


def of_scorer(events):
    return sorted((event.key, event.score) for event in events)


@pytest.mark.parametrize("rate", [16_000, 8_000])
@pytest.mark.parametrize("marked", [False, True])
def test_shared_scorer_reports_what_the_detector_reports(keys, demo, rate, marked, monkeypatch):
    monkeypatch.setattr(null, "STRETCH", 150)
    sound = soxr.resample(demo, 16_000, rate)
    if marked:
        sound = embed(sound, rate, keys[2], strength=-19.0, judge=False).samples[:, 0]
    few = keys[:6]
    full, passed, samples = null.NullScorer(few, rate, 3.0).events(np.array_split(sound, 7))
    assert samples == len(sound)
    assert of_scorer(full) == of_detector(sound, rate, few, "full", 3.0)
    assert of_scorer(passed) == of_detector(sound, rate, few, "float", 3.0)
    assert len(full) > len(passed) > 0
    assert not marked or max(event.score for event in full if event.key == 2) > 8


@pytest.mark.parametrize("marked", [False, True])
def test_shared_scorer_reports_early_decisions_as_the_detector_does(keys, demo, marked):
    sound = embed(demo, 16_000, keys[2], strength=-12.0, judge=False).samples[:, 0] if marked else demo
    few = keys[:6]
    found, samples = null.events(few, 16_000, lambda: np.array_split(sound, 7), 2.5)
    assert samples == len(sound)
    full, passed = found["full"], found["float"]
    assert of_scorer(full) == of_detector(sound, 16_000, few, "full", 2.5, early=True)
    assert of_scorer(passed) == of_detector(sound, 16_000, few, "float", 2.5, early=True)
    halves, passing, _ = null.NullScorer(few, 16_000, 2.5, early=True).events([sound])
    assert len(halves) > len(passing) > 0
    assert not marked or sum(event.score > 6 for event in halves if event.key == 2) >= 2
    assert {(e.key, e.score) for e in halves} <= {(e.key, e.score) for e in full}


@pytest.mark.parametrize("rate", [16_000, 22_050])
@pytest.mark.parametrize("engine", ["fixed", pytest.param("c", marks=needs_engine("c"))])
def test_each_key_listens_alone_to_the_integer_engines(keys, demo, engine, rate):
    sound = embed(demo, 16_000, keys[1], strength=-12.0, judge=False).samples[: 12 * 16_000, 0]
    sound = soxr.resample(sound, 16_000, rate)
    found, samples = null.events(keys[:2], rate, lambda: np.array_split(sound, 7), 3.0, engine)
    assert (list(found), samples) == ([engine], len(sound))
    # Another rate than the engine's own is brought to it at once for all keys, and in the detector in its own pieces.
    alone = [of_detector(sound, rate, [key], engine, 3.0, early=True) for key in keys[:2]]
    assert of_scorer(found[engine]) == [(i, score) for i, each in enumerate(alone) for _, score in each]
    first = next(event for event in found[engine] if event.score > 6)
    assert first.key == 1
    detector = Detector(keys[1], rate, engine=engine, early=True)
    told = [one.sample for one in detector.process(sound) + detector.flush()]
    assert min(abs(first.place * 256 / 16_000 - sample / rate) for sample in told) < 0.02
    # One that only the silence at the end tells, and a threshold that one lacks less than 1/256 to.
    part = sound[: round((found[engine][-1].place * 256 + 512 + 16_384) / 16_000 * rate)]
    heard, _ = null.events(keys[:2], rate, lambda: [part], least := min(e.score for e in found[engine]) + 0.001, engine)
    alone = [of_detector(part, rate, [key], engine, least, early=True) for key in keys[:2]]
    assert of_scorer(heard[engine]) == [(i, score) for i, each in enumerate(alone) for _, score in each]
    before = [Detector(key, rate, threshold=least, engine=engine, early=True).process(part) for key in keys[:2]]
    assert sum(map(len, before)) < len(heard[engine])


@pytest.mark.parametrize(("repetitions", "frames", "half"), [(32, 128, 64), (17, 68, 32)])
def test_what_was_told_early_is_not_told_again(repetitions, frames, half):
    """As in the detector: by the last half told before the mark's end, within half a mark, of the same key."""
    owner = profile_of_shape(repetitions)
    assert owner.early is not None
    assert (owner.mark_frames, owner.early.mark_frames) == (frames, half)
    whole = null.Event(0, 500, 7.0)
    before_end = 500 + frames - half - 1
    for place, told in (
        (500, False),
        (500 - frames // 2, False),
        (500 - frames // 2 - 1, True),
        (min(before_end, 500 + frames // 2), False),
        (before_end + 1, True),
        (500 + frames, True),
    ):
        early = null.Event(0, place, 6.5)
        assert null._told_once([whole], [early], owner) == sorted([whole, early][not told :], key=lambda e: e.place)
        other = early._replace(key=1)
        assert len(null._told_once([whole], [other], owner)) == 2
    both = [null.Event(0, 490, 6.5), null.Event(0, 500 - frames, 6.5)]
    assert null._told_once([whole], both, owner) == both[::-1]


def test_shared_scorer_keeps_its_head_where_hosts_repeat_themselves(keys):
    # Of low rank: many keys come near, and only their skewness tells that they are not found.
    sound = hardhosts.make("metronome every 12 T", 5.0)
    full, passed, _ = null.NullScorer(keys, hardhosts.RATE, 3.0).events([sound])
    assert of_scorer(full) == of_detector(sound, hardhosts.RATE, keys, "full", 3.0)
    assert of_scorer(passed) == of_detector(sound, hardhosts.RATE, keys, "float", 3.0)
    assert full


def test_places_that_come_near_rise_whichever_bands_brought_them(keys):
    scorer = null.NullScorer(keys[:2], 16_000, 2.0)
    noise = np.random.default_rng(0).standard_normal(4 * 16_000)
    turned = scorer._turned(scorer._block_sums(FrameStage(scorer.profile).process(noise)))
    places = [place for place, _ in scorer._near(turned, 10, 64)]
    assert 10 < len(places) < 64
    assert places == sorted(set(places))
    assert min(places) >= 10


def test_sound_shorter_than_a_mark_has_no_events(keys):
    assert null.NullScorer(keys[:1], 16_000, 3.0).events([np.ones(1000)]) == ([], [], 1000)


def test_keys_by_symmetry_are_different_and_have_the_same_bounds(keys):
    assert len(set(keys)) == len(keys) == 18
    assert keys == null.keys_with_symmetries(18, 3)
    first = keysearch.figures(keys[0])
    for key in keys[1:16:5]:
        assert keysearch.figures(key) == pytest.approx(first, abs=1e-5)
    assert keysearch.figures(keys[16]) != pytest.approx(first, abs=1e-5)
    # No two have the same pair products in a band, so each is a look of its own.
    columns = np.stack([key.columns for key in keys])
    earlier, later = np.triu_indices(32, 1)
    products = columns[:, :, earlier] * columns[:, :, later]
    agreement = np.einsum("acp,bcp->abc", products, products) / products.shape[-1]
    agreement[np.arange(18), np.arange(18)] = 0
    assert np.abs(agreement).max() < 0.5


def test_hard_hosts_are_what_they_are_called():
    for name in hardhosts.names():
        sound = hardhosts.make(name, 1.0)
        assert sound.shape == (16_000,)
        assert np.abs(sound).max() <= 1
        assert sound.any() == (name != "digital silence")
    loop = hardhosts.make("loop of speech of 2 T", 1.0)
    assert np.array_equal(loop[2048:], loop[:-2048])
    square = hardhosts.make("clipped square of 100 Hz", 1.0)
    assert np.count_nonzero(np.abs(square) > 0.99) > 15_000


def events_of_normal_tail(rng, looks, days, low=4.0, spread=1.0):
    """Scores from ``low`` on of Poisson events whose rate is ``looks`` a day times the tail of a normal score."""
    count = rng.poisson(looks * days * norm.sf(low / spread))
    return spread * norm.isf(norm.sf(low / spread) * rng.uniform(size=count))


def test_fit_recovers_the_looks_and_shows_a_heavier_tail():
    rng = np.random.default_rng(1)
    days = rng.uniform(0.5, 1.5, 40)
    fit = null.fit([events_of_normal_tail(rng, 2e7, d) for d in days], days, 4.5)
    assert fit.low < 2e7 < fit.high
    assert fit.high / fit.low < 1.5
    assert fit.key_days == pytest.approx(days.sum())
    # Of thirteen 95 % intervals one may miss.
    assert sum(level.low <= 1 <= level.high for level in fit.levels) >= len(fit.levels) - 1
    assert [level.events for level in fit.levels] == sorted((level.events for level in fit.levels), reverse=True)
    heavy = null.fit([events_of_normal_tail(rng, 2e7, d, spread=1.15) for d in days], days, 4.5)
    assert all(level.low > 1 for level in heavy.levels if 5 <= level.threshold <= 6)


def test_fit_of_uneven_recordings_is_unsure():
    rng = np.random.default_rng(2)
    days = np.ones(20)
    even = null.fit([events_of_normal_tail(rng, 1e7, d) for d in days], days, 4.5)
    odd = null.fit([events_of_normal_tail(rng, 1e7 * (20 if i == 0 else 0.1), 1) for i in range(20)], days, 4.5)
    assert odd.high / odd.low > 3 * even.high / even.low


def test_fit_without_events_says_so():
    with pytest.raises(AirmarkError, match="no event from a score of 5 on"):
        null.fit([[4.2], []], [1.0, 1.0], 5.0)


def write(path: Path, seconds: float, rate: int = 16_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, round(seconds * rate)), rate)


def test_recordings_are_found_and_short_ones_joined(tmp_path):
    write(tmp_path / "a" / "long.flac", 70)
    for i in range(5):
        write(tmp_path / "a" / "short" / f"{i}.wav", 25)
    write(tmp_path / "a" / "short" / "slow.wav", 5, 8_000)
    write(tmp_path / "a" / "rir" / "room.wav", 1)
    (tmp_path / "a" / "notes.txt").write_text("no sound")
    units = null.recordings([tmp_path / "a"])
    names = [[path.name for path in unit.paths] for unit in units]
    assert sorted(names) == [["0.wav", "1.wav"], ["2.wav", "3.wav"], ["4.wav"], ["long.flac"], ["slow.wav"]]
    assert {unit.rate for unit in units} == {8_000, 16_000}
    assert "a/short/0.wav and 1 more" in {unit.name for unit in units}


def test_null_measures_and_draws(tmp_path, capsys):
    for name in ("speech/libri_F_2007_2817.flac", "music/brahms_0.flac", "music/vibeace_0.flac"):
        target = tmp_path / "sound" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data_path(name).read_bytes())
    out = tmp_path / "out"
    command = ["benchmark", "null", "--audio", str(tmp_path / "sound"), "--keys", "32", "--fit-from", "4", "--no-hosts"]
    assert main([*command, "--out", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert json.loads((out / "null.json").read_text())["levels"] == result["levels"]
    assert (out / "null.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in out.iterdir()) == ["null.json", "null.png"]
    assert result["key_hours"] == pytest.approx(20.1 * 32 / 3600, rel=0.01)
    looks = result["looks_a_day"]
    assert looks["low"] <= looks["value"] <= looks["high"]
    assert len(result["levels"]) == len(null.THRESHOLDS)
    assert result["levels"][0]["events"] >= result["levels"][0]["float_events"]
    assert sum(row["events_from_fit"] for row in result["recordings"]) == result["levels"][0]["events"]
    assert main([*command, "--jobs", "2"]) == 0
    assert f"{looks['value']:.3g}" in capsys.readouterr().out
    assert main([*command, "--out", str(out)]) == 2
    assert f"{out}: has something in it" in capsys.readouterr().err
    assert main([*command, "--out", str(out), "--force"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["null.json", "null.png"]


def test_null_keeps_its_table_where_no_event_can_be_fitted(tmp_path, capsys):
    write(tmp_path / "sound/noise.wav", 8)
    command = ["benchmark", "null", "--audio", str(tmp_path / "sound"), "--keys", "1", "--fit-from", "6", "--no-hosts"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert "no event from a score of 6 on, so no fit" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["null.json"]
    result = json.loads((tmp_path / "out/null.json").read_text())
    assert not {"levels", "looks_a_day"} & set(result)
    (recording,) = result["recordings"]
    assert (recording["name"], recording["seconds"]) == ("sound/noise.wav", 8)
    assert result["key_hours"] == pytest.approx(8 / 3600)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_disk_that_is_full_at_the_end_is_told_after_the_figures(tmp_path, capsys, monkeypatch, as_json):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("airmark.folder._move", full)
    write(tmp_path / "sound/noise.wav", 8)
    command = ["benchmark", "null", "--audio", str(tmp_path / "sound"), "--keys", "1", "--fit-from", "6", "--no-hosts"]
    assert main([*command, "--out", str(tmp_path / "out"), *["--json"] * as_json]) == 2
    told = capsys.readouterr()
    assert "key_hours" in json.loads(told.out) if as_json else "no event from a score of 6 on" in told.out
    assert told.err.endswith(
        f"{tmp_path / 'out'}: cannot write there: No space left on device: give another folder with --out\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["sound"]


def test_null_refuses_a_folder_below_a_file_before_it_listens(tmp_path, capsys, monkeypatch):
    def listened(*_):
        raise AssertionError

    monkeypatch.setattr(null, "keys_with_symmetries", listened)
    (tmp_path / "k.json").write_text("{}")
    out = tmp_path / "k.json/y"
    assert main(["benchmark", "null", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert f"{out}: cannot write there" in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["k.json"]


@needs_engine("c")
def test_null_of_the_engine_in_c_is_the_integer_models(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(hardhosts, "names", lambda: ["white noise"])
    (tmp_path / "sound").mkdir()
    # A mark is an event too; in so little sound there is hardly another.
    recording = audio.read(data_path("music/brahms_0.flac"))
    key = null.keys_with_symmetries(3, 0)[1]
    marked = embed(recording.samples, recording.rate, key, at=[2.0], judge=False).samples
    soundfile.write(tmp_path / "sound/marked.wav", marked, recording.rate)
    command = ["benchmark", "null", "--audio", str(tmp_path / "sound"), "--keys", "3", "--fit-from", "4"]
    results = {}
    for engine in ("c", "fixed"):
        out = tmp_path / engine
        assert main([*command, "--engine", engine, "--out", str(out)]) == 0
        assert f"independent looks a day and key, {engine} engine" in capsys.readouterr().out
        results[engine] = json.loads((out / "null.json").read_text())
        assert (out / "null.png").read_bytes().startswith(b"\x89PNG")
    c, fixed = (results[engine] for engine in ("c", "fixed"))
    assert c["levels"] == fixed["levels"]
    assert c["levels"][0]["events"] >= 1
    assert c["histogram"]["from"] == c["levels"][0]["threshold"]
    for level in c["levels"]:
        steps = round((level["threshold"] - c["histogram"]["from"]) / c["histogram"]["step"])
        assert sum(c["histogram"]["events"][steps:]) == level["events"]
    assert c["highest_events"][0]["key"] == 1
    assert c["highest_events"][0]["time_s"] == pytest.approx(2.0, abs=0.03)
    assert "float_events" not in c["levels"][0]
    assert c["highest_events"] == fixed["highest_events"]
    assert c["recordings"][0]["highest"]["c"] == fixed["recordings"][0]["highest"]["fixed"]
    assert c["hosts"][0]["highest"]["c"] == fixed["hosts"][0]["highest"]["fixed"]
    assert main([*command[:-2], "--engine", "c", "--json", "--jobs", "2", "--fit-from", "4"]) == 0
    assert json.loads(capsys.readouterr().out)["levels"] == c["levels"]


def test_events_are_counted_by_steps_from_the_least_score():
    found = null.histogram([4.0, 4.0, 4 + 1 / 64, 4.05, 4 + 3.9 / 64, 4 + 5 / 64])
    assert found == {"from": 4.0, "step": 1 / 64, "events": [2, 1, 0, 2, 0, 1]}
    assert null.histogram([])["events"] == []


def test_null_of_an_engine_that_is_not_built_is_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "airmark.native", None)
    assert main(["benchmark", "null", "--engine", "c"]) == 2
    assert "the c engine was not built" in capsys.readouterr().err


def test_a_broken_recording_is_heard_up_to_its_break(tmp_path, keys):
    write(tmp_path / "whole.flac", 12)
    whole = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "whole.flac").write_bytes(whole[: len(whole) // 2])
    write(tmp_path / "other.flac", 3)
    (unit,) = null.recordings([tmp_path])
    heard = null.hear(unit, keys[:1])
    assert 3 < heard.seconds < 12
    (text,) = heard.broken
    assert "whole.flac" in text


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--audio", "nowhere"], "nowhere: no such folder"),
        (["--no-hosts"], "nothing to listen to"),
        (["--keys", "0"], "--keys 0"),
        (["--fit-from", "3"], "--fit-from 3"),
        (["--jobs", "0"], "--jobs 0"),
    ],
)
def test_null_refuses_wrong_use(more, says, capsys):
    assert main(["benchmark", "null", *more]) == 2
    assert says in capsys.readouterr().err


def test_null_refuses_a_folder_without_recordings(tmp_path, capsys):
    assert main(["benchmark", "null", "--audio", str(tmp_path)]) == 2
    assert f"in {tmp_path}" in capsys.readouterr().err
