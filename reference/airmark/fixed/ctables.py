"""The C detector's constant tables, written from the integer model's (SPEC 3, 4.2, 4.3, 5.3, 7.2).

    python -m airmark.fixed.ctables > firmware/lib/airmark/src/airmark_tables.c

C keeps pairs of 16-bit numbers in words, the first one in the lower half: (cos, sin), two taps, two of the window.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from airmark.fixed import tables

HEADER = """/*
 * Constant tables of the detector, by the formulas of reference/SPEC.md.
 * Written by `python -m airmark.fixed.ctables`: do not edit.
 */
#include "airmark_internal.h"
"""
WAVE = 384
"""Entries of W that C keeps: the transform's indexes stay below; what lies beyond is turned by half from here."""


def _pairs(values: tables.Ints) -> list[int]:
    """Values (2 n,) two by two in words of 32 bits."""
    halves = values.reshape(-1, 2) & 0xFFFF
    return [int(low | high << 16) for low, high in halves]


def _rows(texts: Sequence[str], width: int, indent: str = "    ") -> str:
    return "\n".join(indent + ", ".join(texts[i : i + width]) + "," for i in range(0, len(texts), width))


def _words(values: Sequence[int]) -> list[str]:
    return [f"0x{value:08X}u" for value in values]


def _array(declaration: str, body: str) -> str:
    return f"\nconst {declaration} = {{\n{body}\n}};\n"


def text() -> str:
    """The whole of airmark_tables.c."""
    mirrored = np.append(tables.window()[: tables.HOP + 1], tables.window()[tables.HOP - 1])
    slopes = ", ".join(map(str, tables.slopes()))
    parts = [
        HEADER,
        _array(f"uint32_t airmark_wave[{WAVE}]", _rows(_words(_pairs(tables.turns()[:, :WAVE].T)), 6)),
        _array("uint32_t airmark_window[129]", _rows(_words(_pairs(mirrored)), 6)),
        _array("uint16_t airmark_roots[192]", _rows([str(value) for value in tables.inverse_roots()], 12)),
        f"\nconst uint16_t airmark_turns[AIRMARK_BANDS] = {{{slopes}}};\n",
        _array("uint8_t airmark_reversed[256]", _rows([str(value) for value in tables.reversed_digits()], 16)),
        "\n#if AIRMARK_RESAMPLE\n",
    ]
    for hz in (32_000, 44_100, 48_000):
        rows = [_rows(_words(_pairs(row)), 6, "     ").strip().rstrip(",") for row in tables.filters(hz)]
        name, half = f"airmark_filter_{hz // 1000}", tables.rate_of(hz).taps // 2
        if len(rows) == 1:
            parts.append(_array(f"uint32_t {name}[{half}]", "    " + rows[0].replace("\n     ", "\n    ") + ","))
        else:
            parts.append(_array(f"uint32_t {name}[{len(rows)}][{half}]", "\n".join(f"    {{{r}}}," for r in rows)))
    return "".join(parts) + "\n#endif\n"


if __name__ == "__main__":
    print(text(), end="")
