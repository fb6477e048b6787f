"""What tests/cost has of QEMU's cores, for the tests that run other programs there."""

from __future__ import annotations

from pathlib import Path

from scripts import script
from tooling import needs

TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm", "riscv64-unknown-elf-gcc", "qemu-system-riscv32")

emulated = needs(*TOOLS)
"""Marks what needs compilers and emulators."""

_cost = script(Path(__file__).with_name("cost"))
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
