"""The demo, end to end: its table, its exit status, its files, and what it refuses."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
from PIL import Image

from airmark import assets, audio, demo, folder, plot
from airmark.channel import Channel
from airmark.cli import main
from airmark.commands import demo as command
from airmark.curve import score_curve
from airmark.detector import Detector
from airmark.errors import AirmarkError
from airmark.fixed.detector import key_columns
from airmark.keys import Key


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One whole run: folder, exit status and the JSON that was printed."""
    out = tmp_path_factory.mktemp("demo") / "out"
    printed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *args, **kwargs: printed.append(args[0]))
        status = main(["demo", "--out", str(out), "--json"])
    return SimpleNamespace(out=out, status=status, table=json.loads(printed[0]))


def test_finds_every_mark_but_beyond_the_limit_and_none_in_the_unmarked(shown):
    assert shown.status == 0
    assert shown.table["as_it_should_be"] is True
    cases = {case["name"]: case for case in shown.table["cases"]}
    assert {"Near", "Across the room", "Reverberant", "Noisy", "MP3", "Clocks apart", "Unmarked"} <= set(cases)
    for case in cases.values():
        assert case["false_alarms"] == []
        if not case["marked"]:
            assert case["marks"] == []
            assert case["score"] < shown.table["threshold"]
        elif not case["beyond_the_limit"]:
            assert len(case["marks"]) == len(shown.table["marks"]) == 2
            assert all(m["found"] and m["score"] >= shown.table["threshold"] for m in case["marks"])
            assert all(-16 < m["late_ms"] < 64 for m in case["marks"])
            assert all(abs(m["drift_ppm"] - case["drift_ppm"]) < 30 for m in case["marks"])
    assert [case["marked"] for case in cases.values()].count(False) == 1
    assert any(case["drift_ppm"] for case in cases.values())


def test_writes_what_the_table_names(shown):
    assert json.loads((shown.out / "demo.json").read_text()) == {k: v for k, v in shown.table.items() if k != "folder"}
    original, marked = (audio.read(shown.out / name) for name in ("original.wav", "marked.wav"))
    assert np.array_equal(original.samples, audio.read(assets.data_path("demo.flac")).samples)
    changed = np.zeros(len(original.samples), bool)
    for mark in shown.table["marks"]:
        changed[mark["sample"] : mark["sample"] + mark["samples"]] = True
    differs = (original.samples != marked.samples).any(axis=1)
    assert differs[changed].mean() > 0.5
    assert not differs[~changed].any()
    for case in shown.table["cases"]:
        assert soundfile.info(shown.out / case["file"]).samplerate == shown.table["rate"]
    assert not [path for path in shown.out.parent.iterdir() if path != shown.out]


def test_its_files_give_the_same_figures_again(shown):
    case = next(case for case in shown.table["cases"] if case["name"] == "All at once")
    received = audio.read(shown.out / case["file"])
    detector = Detector(Key.load(shown.out / "key.json"), received.rate, engine="float")
    found = detector.process(received.samples) + detector.flush()
    assert [(d.time_s, d.score) for d in found] == [(m["time_s"], m["score"]) for m in case["marks"]]


def test_the_picture_is_a_small_png(shown):
    path = shown.out / "demo.png"
    assert path.stat().st_size < 150_000
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert 1000 <= image.width <= 1600
        assert 500 <= image.height <= 1000
        pixels = np.asarray(image.convert("RGB"))
    for colour in (plot.MARKED, plot.UNMARKED):
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(pixels.astype(int) - wanted).max(axis=2) < 12).sum() > 200


def test_refuses_a_folder_with_something_in_it(shown, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["demo", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "--force" in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["a-file", "a-file/below"])
def test_refuses_what_is_no_folder(name, tmp_path, capsys):
    (tmp_path / "a-file").write_text("mine")
    assert main(["demo", "--out", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "a-file").read_text() == "mine"


def test_default_folders_are_numbered_and_appear_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for expected in ("airmark-demo", "airmark-demo-2", "airmark-demo-3"):
        with folder.results(None, command.FOLDER, False) as (part, put):
            (part / "demo.json").write_text(expected)
            assert not Path(expected).exists()
            assert put() == Path(expected)
        assert Path(expected, "demo.json").read_text() == expected
    with pytest.raises(AirmarkError, match="gone wrong"), folder.results(None, command.FOLDER, False):
        raise AirmarkError("gone wrong")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["airmark-demo", "airmark-demo-2", "airmark-demo-3"]


def test_force_replaces_its_own_files_only(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "demo.json").write_text("old")
    with folder.results(tmp_path, command.FOLDER, True) as (part, put):
        (part / "demo.json").write_text("new")
        put()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"mine.txt": "mine", "demo.json": "new"}


def test_exit_status_and_table_say_when_a_case_goes_wrong(shown, tmp_path, monkeypatch, capsys):
    """With far too much noise in a case that is not labelled as beyond the limit."""
    hopeless = Channel(distance_m=3.0, rt60_s=0.4, noise="pink", snr_db=-20.0)
    monkeypatch.setattr(demo, "cases", lambda: [
        demo.Case("Across the room", Channel(distance_m=1.0, rt60_s=0.3)),
        demo.Case("Hopeless", hopeless),
        demo.Case("Unmarked", Channel(distance_m=1.0, rt60_s=0.3), marked=False),
    ])  # fmt: skip
    monkeypatch.setattr(demo, "generate", lambda rng: Key.load(shown.out / "key.json"))
    assert main(["demo", "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().out
    assert "NOT as it should be: Hopeless" in printed
    assert "no, 0 of 2" in printed


def test_a_full_disk_is_told_of_where_the_files_were_wanted(shown, tmp_path, monkeypatch):
    key = Key.load(shown.out / "key.json")
    part = tmp_path / "part"
    part.mkdir()
    made = SimpleNamespace(original=np.zeros(9), marked=np.zeros(9), outcomes=[], rate=8000, key=key)
    monkeypatch.setattr(plot, "picture", lambda _: b"")
    monkeypatch.setattr("airmark.audio.shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    monkeypatch.setattr("os.fsync", Mock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(AirmarkError, match=r"^wanted/key\.json: cannot write the key: No space left"):
        command._write(made, {}, part, Path("wanted"))
    monkeypatch.setattr(soundfile, "write", Mock(side_effect=soundfile.LibsndfileError(2)))
    with pytest.raises(AirmarkError, match=r"^wanted: cannot write the demo's files: no space left on the disk$"):
        command._write(made, {}, part, Path("wanted"))


def test_a_folder_named_like_markup(capsys):
    """Of rich, which prints the table."""
    case = demo.Case("Near", Channel(distance_m=1.0, rt60_s=0.3))
    outcome = SimpleNamespace(case=case, found=0, heard=[], elsewhere=[], score=0.0, as_it_should_be=True)
    shown = {"outcomes": [outcome], "marks": [], "original": np.zeros(1), "rate": 1}
    nothing = SimpleNamespace(**shown, threshold=6.5, false_alarms_a_year=1.0)
    command._report(nothing, Path("x[/red]y[b]:cat:\n"))
    printed = capsys.readouterr().out
    assert "Look at x[/red]y[b]:cat:\\n/demo.png" in printed
    assert "airmark detect x[/red]y[b]:cat:\\n/received-near.wav --key" in printed


def test_a_false_alarm_is_not_as_it_should_be(shown):
    """What is found where nothing is marked is never as it should be, whatever the label."""
    marked = audio.read(shown.out / "marked.wav")
    detector = Detector(Key.load(shown.out / "key.json"), marked.rate, engine="float")
    case = demo.Case("Unmarked", Channel(distance_m=1.0, rt60_s=0.3), marked=False, beyond=True)
    outcome = demo.play(case, marked.samples, marked.rate, [], detector)
    assert len(outcome.elsewhere) == 2
    assert not outcome.as_it_should_be


def test_score_curve_is_the_full_engines_score(shown):
    marked = audio.read(shown.out / "marked.wav")
    key = Key.load(shown.out / "key.json")
    times, scores = score_curve(marked.samples, marked.rate, key)
    detector = Detector(key, marked.rate, engine="full")
    found = detector.process(marked.samples) + detector.flush()
    assert len(found) == 2
    hop_s = key.profile.hop / key.profile.rate
    for d in found:
        assert scores[np.argmin(np.abs(times - d.time_s))] == pytest.approx(d.score, abs=1e-9)
    assert np.diff(times) == pytest.approx(hop_s)
    assert times[-1] <= len(marked.samples) / marked.rate - key.profile.mark_samples / key.profile.rate + hop_s


def test_score_curve_refuses_less_than_a_mark(shown):
    with pytest.raises(AirmarkError, match="shorter than a mark"):
        score_curve(np.zeros(16_000), 16_000, Key.load(shown.out / "key.json"))


def test_the_key_that_ships_for_firmware_is_the_demos(shown):
    text = (Path(__file__).parents[1] / "firmware/src/demo_key.h").read_text("utf-8")
    words = [int(word, 16) for word in re.findall(r"0x([0-9a-f]{8})u", text)]
    assert words == key_columns(Key.load(shown.out / "key.json"))
