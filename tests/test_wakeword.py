"""`airmark benchmark wakeword`: its words, its trials on what ships, its figures, and what it refuses."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from airmark import assets, keysearch, materials, wakeword
from airmark.cli import main
from airmark.errors import AirmarkError
from airmark.keys import Key
from airmark.profile import profile
from tooling import needs_engine

needs_c = needs_engine("c")


def random_key(seed: int) -> Key:
    return Key(np.random.default_rng(seed).choice((-1, 1), (32, 1, 4)), profile())


def test_words_of_the_shipped_speech_lie_between_pauses():
    clips = wakeword.clips(None)
    assert len(clips) >= 5
    for clip in clips:
        assert wakeword.WORD_S[0] <= (clip.stop - clip.start) / clip.rate <= wakeword.WORD_S[1]
        power = clip.samples**2
        outside = np.concatenate([power[: clip.start], power[clip.stop :]])
        assert np.mean(power[clip.start : clip.stop]) > 10 * np.mean(outside)


def folder_with_words(folder: Path, *seconds: float) -> Path:
    rate, rows = 16_000, []
    for i, s in enumerate(seconds):
        tone = np.sin(np.arange(round(s * rate)) * 0.3) * 0.3
        samples = np.concatenate([np.zeros(rate), tone, np.zeros(rate // 2)])
        soundfile.write(folder / f"word{i}.wav", samples, rate)
        rows.append({"path": f"word{i}.wav", "kind": "wakeword", "rate": str(rate)})
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, assets.COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_words_of_a_folder_are_the_active_parts_of_its_clips(tmp_path):
    (clip,) = wakeword.clips(folder_with_words(tmp_path, 0.6, 2.0))
    assert clip.name == "word0"
    assert (clip.start / clip.rate, clip.stop / clip.rate) == pytest.approx((1.0, 1.6), abs=0.03)


def test_a_folder_with_no_word_of_that_length_is_refused(tmp_path):
    with pytest.raises(AirmarkError, match=r"no wake word of 0\.3 to 1\.2 s among 1 clips"):
        wakeword.clips(folder_with_words(tmp_path, 2.0))


def test_clips_of_silence_or_of_next_to_nothing_are_left_out(tmp_path):
    folder = folder_with_words(tmp_path, 0.0, 2.0, 0.6, 0.6)
    soundfile.write(folder / "word2.wav", np.full(10, 0.3), 16_000)
    assert [clip.name for clip in wakeword.clips(folder)] == ["word3"]


@pytest.fixture(scope="module")
def small():
    found = materials.gather(None, None, None, 1.3)
    keys = random_key(1), random_key(2)
    plan = wakeword.Plan(found, tuple(wakeword.clips(None)), keys, 3, strength_db=-12.0, seed=1)
    return plan, wakeword.run(plan)


@needs_c
def test_marked_words_are_suppressed_in_time_and_live_ones_are_not(small):
    _, heard = small
    assert len(heard) == 3 * len(wakeword.ROWS) * 2
    marked = {row.name for row in wakeword.ROWS if row.marked}
    for one in heard:
        assert (one.verdict == "suppress") == (one.row in marked), one
        assert (one.told_s is not None) == (one.row in marked), one
        # The place of --word: whole marks are told within 0.3 s after the word, and a room adds some.
        assert one.told_s is None or one.told_s <= 0.32
    whole = {(one.row, one.index): one.told_s for one in heard if not one.early and one.told_s is not None}
    early = {(one.row, one.index): one.told_s for one in heard if one.early and one.told_s is not None}
    assert all(early[trial] <= whole[trial] for trial in whole)


@needs_c
def test_a_limit_that_is_too_short_is_told_as_too_late(small):
    plan, heard = small
    short = wakeword.Plan(plan.materials, plan.clips, plan.keys, 1, 0.1, plan.strength_db, plan.seed)
    lines = wakeword.summary(short, wakeword.run(short))
    (whole,) = (line for line in lines if line["name"] == "marked-20" and not line["early"])
    assert (whole["suppressed"], whole["told"], whole["told_too_late"]) == (0, 1, 1)
    # The trial is the same.
    (before,) = (one for one in heard if (one.row, one.early, one.index) == ("marked-20", False, 0))
    assert whole["told_after_s"]["max"] == before.told_s


@needs_c
def test_the_command_writes_table_and_picture(monkeypatch, capsys, tmp_path):
    made = iter(range(10, 20))
    monkeypatch.setattr(keysearch, "generate", lambda **_: random_key(next(made)))
    out = tmp_path / "out"
    arguments = ["benchmark", "wakeword", "--trials", "1", "--strength", "-12", "--jobs", "1", "--out", str(out)]
    assert main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert json.loads((out / "wakeword.json").read_text("utf-8")) == result
    assert [row["words"] for row in result["rows"]] == [1] * 2 * len(wakeword.ROWS)
    assert (out / "wakeword.png").stat().st_size > 10_000
    assert main(arguments) == 2
    assert "has something in it" in capsys.readouterr().err
    made = iter(range(10, 20))
    assert main(arguments[:-2]) == 0
    _, heading, *lines = capsys.readouterr().out.splitlines()
    assert "by its end  too late" in heading
    assert any(row["told_before_end"] for row in result["rows"])
    for row, line in zip(result["rows"], lines, strict=False):
        title, decisions = row["title"], "early" if row["early"] else "whole"
        count, late = f"{row['suppressed']} of {row['words']}", row["told_too_late"]
        assert re.match(rf"{title} +{decisions} +{count} .* % +{row['told_before_end']} +{late}(\s|$)", line)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trials", "0"], "--trials 0"),
        (["--jobs", "0"], "--jobs 0"),
        (["--limit", "-1"], "--limit -1: give 0 to 4 seconds"),
        (["--strength", "loud"], "--strength loud"),
        (["--rt60-max", "0"], "--rt60-max 0"),
        (["--audio", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_the_command_refuses_in_one_line(arguments, message, capsys):
    assert main(["benchmark", "wakeword", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
