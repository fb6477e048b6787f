"""Skipping tests where a tool is missing, with what brings it, unless the environment variable CI is set."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from airmark.detector import is_built

EXTRAS = "emulators"
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
"""Commands of this environment come first."""
COMPILER = shlex.split(os.environ.get("CC", "")) or ["cc"]
"""With its options."""
CC = COMPILER[0]


def _skips(tools: tuple[str, ...], extras: str) -> str:
    """Why to skip; nothing: go on."""

    def found(tool: str) -> object:
        return importlib.util.find_spec(tool[1:]) if tool[0] == "." else shutil.which(tool, path=PATH)

    missing = [tool.removeprefix(".") for tool in tools if not found(tool)]
    return f"missing: {', '.join(missing)}; first: reference/install {extras}" if missing and not in_ci() else ""


def in_ci() -> bool:
    """Whether nothing may be skipped."""
    return bool(os.environ.get("CI"))


def needed(*tools: str, extras: str = EXTRAS) -> None:
    """Skip the test that runs where commands, or modules (with a dot before their names), are missing."""
    reason = _skips(tools, extras)
    if reason:
        pytest.skip(reason)


def needs_engine(engine: str) -> pytest.MarkDecorator:
    """Skip where a detector's engine was not built."""
    missing = not is_built(engine) and not in_ci()
    return pytest.mark.skipif(missing, reason=f"the {engine} engine is not built; first: reference/install")


def needs(*tools: str, extras: str = EXTRAS) -> pytest.MarkDecorator:
    """The same as a mark."""
    reason = _skips(tools, extras)
    return pytest.mark.skipif(bool(reason), reason=reason)
