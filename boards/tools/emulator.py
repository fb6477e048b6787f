"""The boards that QEMU emulates, as platformio/boards says: for PlatformIO's scripts, boards/run and the tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

BOARDS = Path(__file__).resolve().parents[1] / "platformio/boards"
COUNTED = ("-icount", "shift=8")
"""For the emulator: each instruction takes 256 ns of the emulated time, so that bench can count them."""


def board(name: str) -> dict[str, Any]:
    """What a board's file says. Raises OSError where there is none."""
    found: dict[str, Any] = json.loads((BOARDS / f"{name}.json").read_text("utf-8"))
    return found


def command(manifest: dict[str, Any], program: str | Path, *options: str) -> list[str]:
    """What runs a program there, with its standard output and exit status; its files are in the working folder."""
    return [*manifest["build"]["qemu"].split(), *options, "-kernel", str(program)]


def specs(prefix: str) -> str:
    """The compiler's option for picolibc: where the compiler does not find the file by its name, with its folder."""
    name = "picolibc.specs"
    compiler = shutil.which(f"{prefix}gcc")
    if compiler:
        beside = Path(compiler).resolve().parents[1] / "lib" / prefix.rstrip("-") / name
        if beside.exists():
            return f"--specs={beside}"
    return f"--specs={name}"
