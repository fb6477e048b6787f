"""The C detector compiled with its taps, and loops over its primitives: for test_vectors and test_primitives."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tempfile
from functools import cache
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import Any

import cffi

from scripts import script
from tooling import COMPILER

TOP = Path(__file__).parents[1]
DETECTOR = TOP / "firmware/lib/airmark/src"
TAPPED = Path(__file__).with_name("tapped")
BUILDS = {"plain": [], "popcount": ["-DAIRMARK_POPCOUNT=__builtin_popcount"]}
FLAGS = ["-O2", "-fPIC", "-shared", "-DAIRMARK_MAX_KEYS=8"]


@cache
def folder() -> tempfile.TemporaryDirectory[str]:
    """Goes with the process."""
    return tempfile.TemporaryDirectory(prefix="airmark-tapped-")


@cache
def tapped(build: str) -> Any:
    """The extension of one of BUILDS: its ffi and lib, with all of airmark.h, tapped.h and primitives.h."""
    generate = script(TOP / "bindings/generate.py")
    name, where = f"_tapped_{build}", Path(folder().name)
    ffi = cffi.FFI()
    ffi.cdef(generate.declarations((DETECTOR / "airmark.h").read_text("utf-8")))
    for header in sorted(TAPPED.glob("*.h")):
        if header.name != "tap.h":
            ffi.cdef(re.sub(r"^#.*", "", header.read_text("utf-8"), flags=re.MULTILINE))
    ffi.set_source(name, '#include "airmark.h"\n#include "tapped.h"\n#include "primitives.h"\n')
    ffi.emit_c_code(str(where / f"{name}.c"))
    python = ["-isystem", sysconfig.get_path("include")]
    common = [*COMPILER, *FLAGS, *BUILDS[build], f"-I{DETECTOR}", f"-I{TAPPED}"]
    made = {end: str(where / f"{name}.{end}") for end in ("c", "o", "so")}
    sources = [str(path) for lot in (DETECTOR, TAPPED) for path in sorted(lot.glob("*.c"))]
    for command in (
        # cffi's code is not strict C99, and has nothing to tap.
        [*common, *python, "-c", made["c"], "-o", made["o"]],
        [*common, "-std=c99", "-include", str(TAPPED / "tap.h"), *sources, made["o"], "-o", made["so"]],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
    return script(where / f"{name}.so", ExtensionFileLoader, name)
