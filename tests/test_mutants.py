"""Errors seeded in the C detector are found (tests/mutants): a third of them, another each day; all with AIRMARK_LONG.

AIRMARK_MUTANTS_SEED chooses which third. Skipped where there is no C compiler, unless CI is set.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "mutants/run"
PART = 1 if os.environ.get("AIRMARK_LONG") else 3
SEED = os.environ.get("AIRMARK_MUTANTS_SEED", str(int(time.time()) // 86_400))


def test_every_seeded_error_is_found():
    compiler = shlex.split(os.environ.get("CC", "cc"))[0]
    if not shutil.which(compiler) and not os.environ.get("CI"):
        pytest.skip(f"missing: {compiler}")
    command = [sys.executable, SCRIPT, "--part", str(PART), "--seed", SEED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, f"seed {SEED}\n{done.stdout}{done.stderr}"
