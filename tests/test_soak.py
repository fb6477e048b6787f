"""Sample counts over 2^31 and 2^32 with marks about each, under sanitizers; a detector that can not do that is told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from airmark.native import NativeDetector
from tooling import CC, needed

HERE = Path(__file__).parent
SOURCE = HERE.parent / "firmware/lib/airmark/src"
MOST = 65_535
"""That `dropped` counts."""


def soak(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    needed(CC, extras="test")
    command = [sys.executable, HERE / "soak/run", "--short", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_every_mark_is_found_over_the_boundaries_and_nothing_else():
    done = soak("--json")
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)
    over = [(r["rate"], b) for r in results for b in (2**31, 2**32) if r["first"] < b < r["first"] + r["samples"]]
    assert sorted(over) == sorted(2 * list(product((16_000, 48_000), (2**31, 2**32))))
    for result in results:
        assert result["missed"] == result["invented"] == []
        assert result["found"] == result["marks"] >= 8
        # What lies between marks made work too.
        assert result["candidates"] > 10 * result["marks"]
        assert result["confirmed"] > 2 * result["marks"]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        # Numbers of samples with 32 bits; a word written behind the state.
        (
            "detector->frame_start += whole /",
            "detector->frame_start = (uint32_t)detector->frame_start + whole /",
            "missed",
        ),
        (
            "0, sizeof *detector - offsetof(airmark_t, queue))",
            "0, sizeof *detector - offsetof(airmark_t, queue) + 4)",
            "guarded->after[i] == GUARD + i",
        ),
    ],
)
def test_a_wrong_detector_is_told(right: str, wrong: str, said: str, tmp_path: Path):
    source = tmp_path / "src"
    shutil.copytree(SOURCE, source)
    text = (source / "airmark.c").read_text("utf-8")
    assert text.count(right) == 1
    (source / "airmark.c").write_text(text.replace(right, wrong), "utf-8")
    done = soak("--source", source)
    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize("source", ["nowhere", "tests"])
def test_without_a_detector_one_line_says_so(source: str):
    done = soak("--source", source)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_dropped_candidates_are_counted_up_to_the_limit():
    # 64 equal keys with hardly a negative sign, and a loop of the pattern's period in noise: 96 times a second a
    # candidate finds no room, for half an hour.
    d = NativeDetector([(1, 1, 1, 1)] * 64, 16_000, early=True, threshold_q8=256)
    rng = np.random.default_rng(1)
    loop = np.resize(rng.integers(-3000, 3000, 1024), 30 * 16_000)
    sound = (rng.integers(-3000, 3000, 30 * 16_000) + loop).astype(np.int16)
    counts = []
    while len(counts) < 60:
        d.push(sound)
        counts.append(d.dropped)
    assert counts == sorted(counts)
    full = counts.index(MOST)
    assert full > 3
    assert counts[full - 1] > MOST - 3000
    assert counts[-1] == MOST
    d.reset()
    assert d.dropped == 0
