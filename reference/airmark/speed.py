"""How fast embedder and detector are, in times faster than real time on one core.

Run as a module it measures in its own process, which ``airmark benchmark speed`` starts with one thread for the linear
algebra, and prints JSON. CPU time counts, not the clock on the wall: on an idle core they are the same, and on a busy
machine other programs then don't count.
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from airmark.errors import AirmarkError

EMBED_TARGET = 20.0
"""Times faster than real time, embedding at 16 kHz mono."""
FLOAT_TARGET = 50.0
"""The same of the float detector."""
C_TARGET = 1000.0
"""The same of the C detector alone, which takes integers."""
STRENGTH_DB = -20.0
BLOCK_S = 0.01
"""Sound comes in blocks of this length, as from a microphone."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def measure_apart(runs: int) -> dict[str, Any]:
    """``measure`` in a process of its own, on one core with one thread. Raises AirmarkError where it fails."""
    command = [sys.executable, "-m", "airmark.speed", str(runs)]
    environment = os.environ | dict.fromkeys(THREADS, "1")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise AirmarkError(f"the measuring process failed: {reason}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(runs: int) -> dict[str, Any]:
    """Time everything ``runs`` times on the demo's recording; the median counts.

    Returns the machine, the length of the sound and ``rows``: what, rate (Hz), channels, times faster than real time,
    and the target where there is one.
    """
    import numpy as np
    import soxr

    from airmark import audio, keysearch
    from airmark.assets import data_path
    from airmark.detector import ENGINES, Detector, is_built
    from airmark.embedder import Embedder
    from airmark.stream import StreamEmbedder
    from airmark.thresholds import threshold

    core = None
    if hasattr(os, "sched_setaffinity"):
        core = max(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {core})
    recording = audio.read(data_path("demo.flac"))
    mono = recording.samples.mean(axis=1, keepdims=True)
    at_16k = soxr.resample(mono, recording.rate, 16_000)
    stereo = soxr.resample(mono, recording.rate, 48_000).repeat(2, axis=1)
    key = keysearch.generate(rng=np.random.default_rng(0))
    marked = Embedder(key, 16_000, strength=STRENGTH_DB, judge=False).embed(at_16k, None).samples

    def blocks(samples: Any, rate: int) -> Iterator[Any]:
        step = round(BLOCK_S * rate)
        return (samples[i : i + step] for i in range(0, len(samples), step))

    def embed() -> None:
        Embedder(key, 16_000, strength=STRENGTH_DB, judge=False).embed(at_16k, None)

    def stream(samples: Any, rate: int) -> None:
        embedder = StreamEmbedder(key, rate, samples.shape[1])
        for block in blocks(samples, rate):
            embedder.process(block)
        embedder.flush()

    def detect(samples: Any, engine: str) -> None:
        detector = Detector(key, 16_000, engine=engine)
        for block in blocks(samples, 16_000):
            detector.process(block)
        detector.flush()

    lowest_q8 = math.ceil(256 * threshold(1.0, engine="c"))

    def push(samples: Any) -> None:
        from airmark.fixed.detector import key_columns
        from airmark.native import NativeDetector

        detector = NativeDetector([key_columns(key)], 16_000, early=False, threshold_q8=lowest_q8)
        for block in blocks(samples, 16_000):
            detector.push(block)

    tasks: list[tuple[str, int, int, float | None, Callable[[], None]]] = [
        ("embed a file", 16_000, 1, EMBED_TARGET, embed),
        ("embed a stream", 16_000, 1, None, partial(stream, at_16k, 16_000)),
        ("embed a stream", 48_000, 2, None, partial(stream, stereo, 48_000)),
    ]
    for engine in filter(is_built, ("float", "full", *ENGINES[2:])):
        target = FLOAT_TARGET if engine == "float" else None
        for what, samples in (("unmarked", at_16k), ("marked", marked)):
            tasks.append((f"detect, {engine}, {what} sound", 16_000, 1, target, partial(detect, samples, engine)))
            if engine == "c":
                integers = np.rint(np.clip(samples[:, 0], -1, 1) * 32_767).astype(np.int16)
                tasks.append((f"push, c, {what} sound", 16_000, 1, C_TARGET, partial(push, integers)))
    seconds = len(at_16k) / 16_000
    return {
        "machine": _machine(),
        "core": core,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sound_s": seconds,
        "runs": runs,
        "rows": [
            {"what": what, "rate": rate, "channels": channels, "times_real_time": seconds / _median(task, runs)}
            | {"target": target}
            for what, rate, channels, target, task in tasks
        ],
    }


def _median(task: Callable[[], None], runs: int) -> float:
    if runs > 1:
        task()  # It fills caches, which a long recording does once.
    spent = []
    for _ in range(runs):
        start = time.process_time()
        task()
        spent.append(time.process_time() - start)
    return statistics.median(spent)


def _machine() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
