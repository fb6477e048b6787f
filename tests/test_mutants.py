"""Errors seeded in the C detector are found (tests/mutants): a third of them, another each day; all with AIRMARK_LONG.

AIRMARK_MUTANTS_SEED chooses which third. Skipped where there is no C compiler, unless CI is set.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from scripts import script
from tooling import CC, needed

SCRIPT = Path(__file__).parent / "mutants/run"
PART = 1 if os.environ.get("AIRMARK_LONG") else 3
SEED = os.environ.get("AIRMARK_MUTANTS_SEED", str(int(time.time()) // 86_400))


def test_every_seeded_error_is_found():
    needed(CC, extras="test")
    command = [sys.executable, SCRIPT, "--part", str(PART), "--seed", SEED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, f"seed {SEED}\n{done.stdout}{done.stderr}"


def test_a_reader_of_random_errors_may_stop():
    command = [sys.executable, SCRIPT.with_name("generate"), "--count", "2000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_random_errors_fit_and_repeat(tmp_path: Path):
    def generated(*arguments: str) -> str:
        command = [sys.executable, SCRIPT.with_name("generate"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    text = generated("--count", "300", "--seed", "7")
    assert text == generated("--count", "300", "--seed", "7") != generated("--count", "300", "--seed", "8")
    file = tmp_path / "list"
    file.write_text(text, "utf-8")
    run = script(SCRIPT)
    mutants = run.listed(file)
    assert len(mutants) == 300
    assert len({mutant.file for mutant in mutants}) == 8
    for mutant in mutants:
        source = (run.SOURCE / mutant.file).read_text("utf-8")
        assert mutant.seeded(source).split() != source.split()
