"""tests/cost: every figure for every core, counts that repeat to the digit, and the limits kept.

Skipped where a cross compiler or an emulator is missing, unless the environment variable CI is set.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from airmark import embed
from cores import emulated
from scripts import script

SCRIPT = Path(__file__).with_name("cost")
GUIDE = Path(__file__).parents[1] / "firmware/README.md"
RATE = 16_000
MADE = ("noise", "tone after noise, marked", "silence")
CORES = ("m0", "m4", "m7", "m33", "m55", "rv32imc", "rv32imac")
FIGURES = (
    *("instructions_per_second", "worst_10ms_instructions", "state_bytes", "bytes_a_key", "stack_bytes"),
    *("stack_by_graph_bytes", "flash_bytes", "linked_flash_bytes", "resample_flash_bytes", "resample_state_bytes"),
)

pytestmark = emulated


def cost(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


@cache
def written() -> tempfile.TemporaryDirectory[str]:
    """Has the guide, with the table of today once checked() was called. Goes with the process."""
    return tempfile.TemporaryDirectory(prefix="airmark-cost-")


@cache
def checked() -> subprocess.CompletedProcess[str]:
    """All cores, as JSON, checked against two limits that can't be kept and the others; and the table written."""
    limits = ("stack_bytes=1", "flash_bytes=2")
    copy = Path(shutil.copy(GUIDE, written().name))
    return cost("--json", "--check", "--write", str(copy), *(word for limit in limits for word in ("--limit", limit)))


@cache
def report() -> dict:
    done = checked()
    assert done.returncode == 1, done.stderr
    return json.loads(done.stdout)


def row(core: str, setting: str = "16 kHz") -> dict:
    (found,) = (row for row in report()["rows"] if (row["core"], row["setting"]) == (core, setting))
    return found


def test_all_cores_and_settings_have_all_figures():
    settings = ("16 kHz", "8 kHz", "32 kHz", "44.1 kHz", "48 kHz", "early", "2 keys", "no DSP")
    wanted = {(core, "16 kHz") for core in CORES} | {("m4", setting) for setting in settings}
    assert {(row["core"], row["setting"]) for row in report()["rows"]} == wanted
    assert len(report()["rows"]) == len(wanted)
    for line in report()["rows"]:
        assert {name for name in FIGURES if line[name] > 0} == set(FIGURES)
        assert line["worst_10ms_instructions"] == max(h["worst_10ms_instructions"] for h in line["hosts"].values())
        assert line["dropped"] == 0
    assert report()["published"] == {"instructions_per_second": 32_000_000, "bytes": 70_000}


def test_all_limits_are_checked():
    assert len(report()["limits"]) == 12
    exceeded = [line["name"] for line in report()["limits"] if line["value"] > line["limit"]]
    values = {line["name"]: line["value"] for line in report()["limits"]}
    assert exceeded == [line["name"] for line in report()["limits"] if line["exceeded"]]
    assert exceeded == [line.split()[1] for line in checked().stderr.splitlines()]
    # Nothing but what had to be; and that keeps the limits it has.
    assert exceeded == ["stack_bytes", "flash_bytes"]
    assert 1 < values["stack_bytes"] <= 1024
    assert 2 < values["flash_bytes"] <= 16 * 1024


def test_what_is_counted_is_a_detector_that_works():
    for line in report()["rows"]:
        for name, host in line["hosts"].items():
            assert host["detections"] == int(name.endswith(", marked")), (line["core"], line["setting"], name)


def test_counts_repeat_to_the_digit():
    again = cost("--json", "--core", "m55", "rv32imc")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["rows"] == [row("m55"), row("rv32imc")]


def test_dropped_candidates_are_counted_on_the_audio_given(tmp_path: Path):
    """Marks of two keys at one place: the frames of the second are gone before its turn is over."""
    of_cost = script(SCRIPT)
    sound = np.random.default_rng(1).normal(0, 0.05, 4 * RATE)
    marks = [
        embed(sound, RATE, of_cost.key_of(columns), at=[1.0], strength=-14, judge=False).samples[:, 0]
        for columns in of_cost.KEYS
    ]
    for folder, samples in (("one", sound), ("both", sum(marks) - sound)):
        (tmp_path / folder).mkdir()
        wavfile.write(tmp_path / folder / "a.wav", RATE, np.rint(samples * 2**15).astype(np.int16))
    folders = ("--audio", str(tmp_path / "one"), str(tmp_path / "both"))
    done = cost(
        "--json", "--check", "--core", "m4", "--setting", "2 keys", "16 kHz", "--limit", "key_percent=50", *folders
    )
    assert done.returncode == 1, done.stderr
    rows = {line["setting"]: line for line in json.loads(done.stdout)["rows"]}
    assert list(rows) == ["2 keys", "16 kHz"]
    hosts = {name: host["dropped"] for name, host in rows["2 keys"]["hosts"].items()}
    assert hosts.pop("both/a.wav") == 5
    assert list(hosts) == ["one/a.wav", "one/a.wav, marked", "both/a.wav, marked", *MADE]
    total = sum(line["dropped"] for line in rows.values())
    (held,) = (line for line in json.loads(done.stdout)["limits"] if line["name"] == "dropped")
    assert held == {"name": "dropped", "value": total, "limit": 0, "exceeded": True}
    assert done.stderr == f"tests/cost: dropped is {total}, over 0\n"


def test_marks_are_made_as_asked():
    of_cost = script(SCRIPT)
    sound = np.random.default_rng(1).normal(0, 0.05, 4 * RATE)
    made = [
        of_cost.marked(sound, of_cost.Marks(pattern, strength_db))[0] - sound
        for pattern, strength_db in (("adaptive", -20.0), ("adaptive", None), ("causal", -20.0))
    ]
    powers_db = 10 * np.log10(np.mean(np.square(made), axis=1))
    assert powers_db[1] > powers_db[0] + 1
    assert abs(np.corrcoef(made[0], made[2])[0, 1]) < 0.9
    usual = of_cost.marked(sound, of_cost.Marks())[0] - sound
    assert usual == pytest.approx(made[0] * 10 ** (6 / 20), abs=1e-6)


def test_the_table_has_the_same_figures():
    done = cost("--core", "m33")
    title, line = done.stdout.splitlines()[:2]
    assert len(title) == len(line)
    assert line.split()[:5] == ["m33", "16", "kHz", *(f"{row('m33')[name]:,}" for name in FIGURES[:2])]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--core", "m0", "--check"),
        ("--core", "m1"),
        ("--setting", "96 kHz"),
        ("--core", "m4", "--setting", "early", "--check"),
        ("--core", "m0", "--setting", "early"),
        ("--core", "m0", "m4", "--setting", "early"),
        ("--core", "m4", "--setting", "16 kHz", "--limit", "key_percent=1"),
        ("--seconds", "nan"),
        ("--seconds", "inf"),
        ("--audio", "reference/airmark/data/music", "reference/airmark/data/../airmark/data/music"),
        ("--audio", "reference/airmark/data/music", "/nowhere"),
        ("--limit", "speed=1"),
        ("--limit", "state_bytes=small"),
        ("--seconds", "1"),
        ("--audio", "/nowhere"),
        ("--write", "/nowhere/README.md"),
        ("--write", str(GUIDE), "--core", "m4"),
        ("--write", str(GUIDE), "--seconds", "3"),
        ("--write", str(GUIDE), "--setting", "early"),
        ("--write", str(GUIDE), "--strength", "auto"),
        ("--write", str(GUIDE), "--pattern", "causal"),
        ("--pattern", "live"),
        ("--strength", "loud"),
        ("--strength", "0"),
        ("--write", str(GUIDE), "--audio", "reference/airmark/data"),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple[str, ...]):
    done = cost(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_recordings_have_names_of_their_own(tmp_path: Path):
    def names(*folders: Path) -> list[str]:
        return [name for name, _ in script(SCRIPT).files_of(folders)]

    for folder in ("a/speech", "b/speech", "music"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.wav").touch()
    a, b, music = (tmp_path / folder for folder in ("a/speech", "b/speech", "music"))
    assert names(a) == ["x.wav"]
    assert names(tmp_path) == ["a/speech/x.wav", "b/speech/x.wav", "music/x.wav"]
    assert names(a, music) == ["speech/x.wav", "music/x.wav"]
    assert names(a, b) == [f"{a}/x.wav", f"{b}/x.wav"]
    for folders in ((a, a / "../speech"), (a, tmp_path / "nowhere")):
        with pytest.raises(script(SCRIPT).NotRunError, match=r"given twice|nowhere: no recordings"):
            names(*folders)


def test_a_silent_recording_is_named(tmp_path: Path):
    wavfile.write(tmp_path / "silent.wav", RATE, np.zeros(4 * RATE, np.int16))
    done = cost("--core", "m0", "--audio", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tests/cost: {tmp_path}/silent.wav: ")
    assert done.stderr.count("\n") == 1


def test_all_cores_and_kernels_remember_the_same():
    # With DSP instructions, without, and on other instruction sets: the whole state at the end of every host.
    ends = {host: figures["state_crc32"] for host, figures in row("m4")["hosts"].items()}
    assert len(set(ends.values())) == len(ends) > 5
    for core, setting in [(core, "16 kHz") for core in CORES] + [("m4", "no DSP")]:
        assert {host: figures["state_crc32"] for host, figures in row(core, setting)["hosts"].items()} == ends, core


# The table in firmware/README.md


def table(text: str) -> str:
    (found,) = re.findall(r"^<!-- cost: begin -->$.*^<!-- cost: end -->$", text, re.DOTALL | re.MULTILINE)
    return found


def test_the_guide_has_the_table_of_today():
    report()
    text = GUIDE.read_text("utf-8")
    today = (Path(written().name) / GUIDE.name).read_text("utf-8")
    assert today.replace(table(today), "") == text.replace(table(text), "")
    versions = report()["compilers"]
    if all(f"{name} {version}" in " ".join(table(text).split()) for name, version in versions.items()):
        assert table(text) == table(today), "first: tests/cost --write firmware/README.md"
        return
    # Other compilers make other instructions, but not many more or fewer.
    rows = ([line for line in table(of).splitlines() if line.startswith("| ")] for of in (text, today))
    for row, other in zip(*rows, strict=True):
        assert row.split(" | ")[:2] == other.split(" | ")[:2]
        old, new = ([int(cell) for cell in re.findall(r" (\d+)(?= )", of.replace(",", ""))] for of in (row, other))
        assert new == pytest.approx(old, rel=0.05), f"with {versions}, the table with others: {row}"


@pytest.mark.parametrize("lines", ["", "{0}", "{1}\n{0}", "{0}\n{1}\n{1}", "{0}\n{0}\n{1}", "- {0}\n- {1}"])
def test_a_file_without_a_place_for_the_table_stays(lines: str, tmp_path: Path):
    file = tmp_path / "README.md"
    file.write_text(lines.format("<!-- cost: begin -->", "<!-- cost: end -->"), "utf-8")
    before = file.read_bytes()
    done = cost("--write", str(file))
    assert done.returncode == 2
    assert done.stderr.startswith(f"tests/cost: {file}: must have one line <!-- cost: begin -->")
    assert done.stderr.count("\n") == 1
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
