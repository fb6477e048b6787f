"""What tests of the programs detector and headset have alike: the public key, and a port that does as it is told."""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from airmark.keys import Key
from cores import LIBRARY, PORT, ROOT, key_of, run

DEMO_KEY = ROOT / "firmware/src/demo_key.h"
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wcast-qual", "-pedantic", "-Werror")

Pcm = NDArray[np.int16]
Scripted = Callable[[Sequence[Pcm | int]], str]


def demo_key() -> Key:
    """The key of demo_key.h."""
    return key_of([int(word, 16) for word in re.findall(r"0x([0-9a-f]{8})u", DEMO_KEY.read_text("utf-8"))])


def scripted_with(program: Path, folder: Path, *macros: str) -> Scripted:
    """What runs the program here and gives what it writes: arrays are blocks of sound, numbers are samples lost."""
    own = Path(tempfile.mkdtemp(dir=folder))
    built = own / program.stem
    sources = [program, Path(__file__).parent / "detector/scripted.c", *sorted(LIBRARY.glob("*.c"))]
    options = ("-std=c99", "-O1", "-g", "-fsanitize=undefined", "-fno-sanitize-recover", f"-I{LIBRARY}", f"-I{PORT}")
    run(["gcc", *options, *STRICT, *(f"-D{macro}" for macro in macros), *sources, "-o", built])

    def said(parts: Sequence[Pcm | int]) -> str:
        with (own / "input").open("wb") as file:
            for part in parts:
                if isinstance(part, int):
                    file.write(struct.pack("<2I", 1, part))
                else:
                    file.write(struct.pack("<2I", 0, len(part)) + part.tobytes())
        return run([built], cwd=own, timeout=60)

    return said
