"""Measures how often marks are found behind LC3, with the encoder and decoder of Debian's liblc3-tools, for the guide.

    .venv/bin/python tests/packages/lc3.py [ARGUMENT OF airmark evaluate]...

That is `airmark evaluate --condition headset` with LC3's two frame lengths as the ways, 16 kHz and 32 kbit/s each, and
with --null-keys 0 --baseline 0 --jobs 1 unless told otherwise; LC3 is known to this process only, so keep to one job.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from airmark import codecs, evaluate
from airmark.cli import main

RATE = 16_000
BITRATE = 32_000
FRAME_MS = {"lc3short": "7.5", "lc3": "10"}
"""By the name of the codec."""


def through(samples: np.ndarray, frame_ms: str) -> np.ndarray:
    """Encoded and decoded; what the decoder leaves out at the end is silent."""
    with tempfile.TemporaryDirectory() as folder:
        before, coded, after = (Path(folder) / name for name in ("before.wav", "coded.lc3", "after.wav"))
        soundfile.write(before, samples, RATE, "PCM_16")
        subprocess.run(["elc3", "-b", str(BITRATE), "-m", frame_ms, before, coded], check=True, capture_output=True)
        subprocess.run(["dlc3", coded, after], check=True, capture_output=True)
        decoded, _ = soundfile.read(after, dtype="float32")
    return np.pad(decoded, (0, max(0, len(samples) - len(decoded))))[: len(samples)]


def coder(samples: np.ndarray, rate: int, spec: str | codecs.Codec) -> tuple[np.ndarray, int, float]:
    """`codecs.roundtrip`, which knows LC3 too."""
    codec = codecs.parse(spec) if isinstance(spec, str) else spec
    if codec.name not in FRAME_MS:
        return roundtrip(samples, rate, codec)
    inside = codecs.soxr.resample(samples, rate, RATE)
    y = codecs.soxr.resample(through(inside, FRAME_MS[codec.name]), RATE, rate)
    return np.pad(y, (0, max(0, len(samples) - len(y))))[: len(samples)], rate, 0.0


roundtrip = codecs.roundtrip

if __name__ == "__main__":
    if not {"-h", "--help"}.isdisjoint(sys.argv[1:]):
        print(f"{__doc__}\nThe arguments of airmark evaluate:\n", flush=True)
    elif missing := [tool for tool in ("elc3", "dlc3") if not shutil.which(tool)]:
        print(f"tests/packages/lc3.py: needs {' and '.join(missing)} (Debian package liblc3-tools)", file=sys.stderr)
        sys.exit(2)
    codecs.KINDS |= {name: codecs._Kind("here", rates=(RATE,), mono=True, delay=0) for name in FRAME_MS}
    codecs.roundtrip = coder
    ways = tuple(evaluate.Way(f"LC3, {ms} ms", codec_after=name) for name, ms in FRAME_MS.items())
    evaluate.CONDITIONS = tuple(
        replace(condition, title="LC3 after the microphone, 20 dB", ways=ways)
        for condition in evaluate.CONDITIONS
        if condition.name == "headset"
    )
    sys.exit(main(["evaluate", "--null-keys", "0", "--baseline", "0", "--jobs", "1", *sys.argv[1:]]))
