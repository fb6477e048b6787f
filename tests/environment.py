"""Going on in this clone's environment, for commands that are started with another Python."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def entered(script: str) -> bool:
    """Whether airmark can be imported here, or the script starts anew where it can; else says what to do, and False."""
    if importlib.util.find_spec("airmark"):
        return True
    python = ROOT / ".venv/bin/python"
    if python.exists() and Path(sys.prefix) != ROOT / ".venv":
        os.execv(python, [str(python), *sys.argv])
    name = Path(script).resolve().relative_to(ROOT)
    print(f"{name}: the package airmark is missing; first: reference/install", file=sys.stderr)
    return False
