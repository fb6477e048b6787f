"""``airmark export``: write keys for firmware, as a C header or as they lie in memory."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airmark.errors import AirmarkError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airmark.keys import Key

MOST_KEYS = 255
"""That a detector in C can be built for."""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register ``export``."""
    parser = subparsers.add_parser(
        "export",
        help="write keys for firmware",
        description="Write keys of the default profile as a C header that defines airmark_keys for airmark.h or, where "
        "the output is named .bin, as they lie in a little-endian processor's memory: 16 bytes each, for a page of "
        "flash that is written when the device is made. Whoever has it has the keys: it is readable for its owner "
        "only, as key files are.",
    )
    parser.add_argument("keys", metavar="KEY.json", type=Path, nargs="+", help="the key files, in the keys' order")
    parser.add_argument("output", metavar="OUT.h|OUT.bin", type=Path, help="the file to write")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON, without the keys' signs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file."""
    from airmark.keys import Key, write_secret

    output: Path = args.output
    suffix = output.suffix.lower()
    if suffix not in (".h", ".bin"):
        what = "is named like a key file" if suffix == ".json" else "is named neither .h nor .bin"
        raise AirmarkError(f"{output}: {what}; the last argument is the file to write, OUT.h or OUT.bin")
    keys = [Key.load(path) for path in args.keys]
    raw = suffix == ".bin"
    write_secret(output, image(keys) if raw else header(keys), args.force)
    if args.json:
        exported = [
            {"key": str(path), "fingerprint": key.fingerprint, "profile": key.profile.name}
            for path, key in zip(args.keys, keys, strict=True)
        ]
        report = {"output": str(output), "format": "bin" if raw else "header", "bytes": output.stat().st_size}
        print(json.dumps(report | {"keys": exported}, indent=1))
        return 0
    what = f"{16 * len(keys)} bytes" if raw else "header"
    print(f"{what} written: {one_line(output)} ({len(keys)} key{'s' * (len(keys) != 1)}; secret)")
    return 0


def _columns(keys: Sequence[Key]) -> list[list[int]]:
    """Each key's words. Raises AirmarkError for keys of another profile than the default, and given twice."""
    from airmark.fixed.detector import key_columns

    if not 1 <= len(keys) <= MOST_KEYS:
        raise AirmarkError(f"{len(keys)} keys: the detector in C takes 1 to {MOST_KEYS}")
    if len(set(keys)) < len(keys):
        raise AirmarkError("the same key is given twice: each would report the same marks")
    return [key_columns(key) for key in keys]


def image(keys: Sequence[Key]) -> bytes:
    """``airmark_key_t[]`` in a little-endian memory, 16 bytes a key. Raises AirmarkError as ``header`` does."""
    import struct

    return b"".join(struct.pack("<4I", *columns) for columns in _columns(keys))


def header(keys: Sequence[Key]) -> str:
    """The header's text. Raises AirmarkError for keys of another profile than the default, and given twice."""
    from airmark.profile import profile

    columns = _columns(keys)
    lines = [
        "/* SECRET: whoever has this file can make and find the marks of its keys. Written by airmark export. */",
        "#ifndef AIRMARK_KEYS_H",
        "#define AIRMARK_KEYS_H",
        "",
        '#include "airmark.h"',
        "",
    ]
    repetitions, _, bands = profile().key_shape
    message = (
        f"airmark: the keys are for {repetitions} repetitions in {bands} bands: export them with the library's version"
    )
    lines += [
        f"#if AIRMARK_REPETITIONS != {repetitions} || AIRMARK_BANDS != {bands}",
        f'#error "{message}"',
        "#endif",
        "",
    ]
    if len(keys) > 1:
        message = f"airmark: compile all files with AIRMARK_MAX_KEYS={len(keys)} or more"
        lines += [f"#if AIRMARK_MAX_KEYS < {len(keys)}", f'#error "{message}"', "#endif", ""]
    lines.append(f"static const airmark_key_t airmark_keys[{len(keys)}] = {{")
    for key, of_key in zip(keys, columns, strict=True):
        words = ", ".join(f"0x{word:08x}u" for word in of_key)
        lines += [f"    /* profile {key.profile.name}, fingerprint {key.fingerprint} */", f"    {{{{{words}}}}},"]
    return "\n".join([*lines, "};", "", "#endif", ""])
