#!/usr/bin/env python3
"""tests/fuzz/seeds.py FOLDER: write the inputs that the kept corpus began with, one for each rate and kind of sound."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

KINDS = {
    "flips": bytes([0]) + (800).to_bytes(2, "big") + b"\x80\x00\x7f\xff" * 400,
    "loop": bytes([1]) + (60_000).to_bytes(2, "big") + (1023).to_bytes(2, "big") + bytes(range(7, 256, 3)) * 24,
    "noise": bytes([2]) + (40_000).to_bytes(2, "big") + b"\x12\x34\x56\x78\x00",
    "silence": bytes([2]) + (10_000).to_bytes(2, "big") + b"\x12\x34\x56\x78\x0f",
}
SIGNS = bytes(4 * [0xB4, 0x1D, 0x2E, 0x93])


def mark(seed: int, noise: int = 8) -> bytes:
    return bytes([3, 0, 0]) + seed.to_bytes(4, "big") + bytes([noise, 0])


def main(folder: Path) -> None:
    """Write them."""
    folder.mkdir(parents=True, exist_ok=True)
    # One key of the input's words (kind bit 0) at each rate, in pieces of 1 + 37 * 4 samples.
    for rate, early in product(range(5), (0, 8)):
        shape = rate | early | 1 << 4
        start = bytes([shape, 1]) + SIGNS + bytes(7 * 16)
        piece = bytes([early and 2, 4])
        tail = piece + bytes([2]) + (9_000).to_bytes(2, "big") + b"\x12\x34\x56\x78\x00"
        (folder / f"mark-{rate}-{early}").write_bytes(start + tail + piece + mark(77) + tail)
        (folder / f"marks-{rate}-{early}").write_bytes(start + 3 * (piece + mark(78, 16)) + tail)
    for (name, sound), shape, kind in product(KINDS.items(), (0x19, 0x81, 0x89, 0x1C), (2, 4, 24)):
        (folder / f"{name}-{shape}-{kind}").write_bytes(bytes([shape, kind]) + 2 * (bytes([kind, 9]) + sound))
    eight = bytes([0x89, 4]) + bytes([0, 200]) + mark(5)
    (folder / "eight-keys").write_bytes(3 * (eight + b"\xf0\x00" + KINDS["noise"] + b"\x00\x10"))
    for shape in (0x01, 0x07, 0x91):
        (folder / f"refused-{shape}").write_bytes(bytes([shape, 0]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
