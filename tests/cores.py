"""What tests/cost has of QEMU's cores, for the tests that run other programs there."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm", "riscv64-unknown-elf-gcc", "qemu-system-riscv32")
MISSING = [tool for tool in TOOLS if not shutil.which(tool)]

emulated = pytest.mark.skipif(
    bool(MISSING) and not os.environ.get("CI"),
    reason=f"missing: {', '.join(MISSING)}; first: reference/install emulators",
)
"""Marks what needs compilers and emulators."""


def _load() -> ModuleType:
    loader = SourceFileLoader("airmark_tests_cost", str(Path(__file__).with_name("cost")))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    sys.modules[loader.name] = module  # dataclasses look it up
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # it would lie beside a script without a suffix
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module


_cost = _load()
Build = _cost.Build
CORES = _cost.CORES
Host = _cost.Host
KEYS = _cost.KEYS
LIBRARY = _cost.LIBRARY
PORT = _cost.PORT
ROOT = _cost.ROOT
Setting = _cost.Setting
NotRunError = _cost.NotRunError
emulator = _cost.emulator
measure = _cost.measure
run = _cost.run
key_of = _cost.key_of
