#!/usr/bin/env python3
"""Write the C code that lets Python call the detector: generate.py HEADER... OUTPUT.

All that cffi must be told is read from the headers, so that no declaration stands twice. The compiler holds the rest to
it: sizes and offsets of structures, values of macros, types of functions.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import cffi

MODULE = "airmark._native"
BEGINNING = "#define _CFFI_"
"""In what cffi writes."""


def declarations(header: str) -> str:
    """What of the header's text cffi understands, in its words.

    Macros with a value become constants: those that the build can set, and expressions, with the compiler's value; but
    one in small letters is a function's name for the linker. The states of detector and gate keep nothing but their
    size. Comments, conditions and macros with arguments are left out.
    """
    text = re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL)
    text = re.sub(r"//.*", "", text).replace("\\\n", " ")
    text = re.sub(r"^#ifdef __cplusplus$.*?^#endif$", "", text, flags=re.DOTALL | re.MULTILINE)
    state = re.compile(r"typedef struct \{(?:(?!typedef).)*\} (airmark_(?:gate_)?t);", re.DOTALL)
    text = state.sub(r"typedef struct { ...; } \1;", text)
    lines = []
    depth = 0
    for line in text.splitlines():
        directive = re.match(r"#\s*(\w+)\s*(.*?)\s*$", line)
        if directive is None:
            lines.append(line)
            continue
        word, rest = directive.groups()
        depth += word.startswith("if") - (word == "endif")
        macro = re.fullmatch(r"(\w+)\s+(.+)", rest)
        if word == "define" and macro is not None and macro[1].isupper():
            name, value = macro.groups()
            if value.startswith('"'):
                lines.append(f"static const char *const {name};")
            else:
                # Within the guard against double inclusion alone nothing can set it; only then may cffi count with it.
                fixed = depth == 1 and value.isdigit()
                lines.append(f"#define {name} {value if fixed else '...'}")
    return "\n".join(lines)


def write(headers: Sequence[Path], output: Path) -> None:
    """Write the module's C code for those headers, in their order. Raises ValueError for one that cffi can't read."""
    ffi = cffi.FFI()
    for header in headers:
        try:
            ffi.cdef(declarations(header.read_text(encoding="utf-8")))
        except cffi.CDefError as error:
            raise ValueError(f"{header}: {error}") from None
    ffi.set_source(MODULE, "\n".join(f'#include "{header.name}"' for header in headers))
    ffi.emit_c_code(str(output))


def main() -> int:
    """Exit status 0: written; 2: wrong arguments, or the output is a file that was not written here."""
    parser = argparse.ArgumentParser(description=__doc__.split(":", 1)[0] + ".")
    parser.add_argument("headers", metavar="HEADER", type=Path, nargs="+", help="what cffi is told of, in this order")
    parser.add_argument("output", metavar="OUTPUT.c", type=Path, help="the file to write; its own it overwrites")
    options = parser.parse_args()
    output: Path = options.output
    try:
        if output.suffix != ".c":
            raise ValueError(f"{output}: is not named .c; the last argument is the file to write")
        if output.exists() and BEGINNING not in output.read_text("utf-8", "replace"):
            raise ValueError(f"{output}: exists already and was not written here; name another file")
        write(options.headers, output)
    except OSError as error:
        print(f"generate.py: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"generate.py: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
