"""airmark_push under the sanitizers, fed by libFuzzer from the kept corpus on.

For a minute, or AIRMARK_FUZZ_SECONDS; skipped where clang or its libFuzzer is missing, unless CI is set.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tooling import in_ci, needed

HERE = Path(__file__).with_name("fuzz")
SECONDS = int(os.environ.get("AIRMARK_FUZZ_SECONDS", "60"))


def test_nothing_is_found():
    needed("clang")
    command = [HERE / "run", str(SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS + 300)
    if "libclang_rt" in done.stderr and not in_ci():
        pytest.skip("missing: libFuzzer (Debian: libclang-rt-dev); first: reference/install emulators")
    assert done.returncode == 0, done.stderr[-4000:]
    executed = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert executed is not None
    assert int(executed[1]) >= len(list((HERE / "corpus").iterdir()))


@pytest.mark.parametrize("seconds", ["0", "-5", "a minute"])
def test_what_is_no_time_is_refused(seconds):
    done = subprocess.run([HERE / "run", seconds], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"tests/fuzz/run: '{seconds}': give whole seconds, 1 at least: tests/fuzz/run 60\n"


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in (HERE / "corpus").iterdir()) < 200_000
