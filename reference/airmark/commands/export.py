"""``airmark export``: write keys as a C header for firmware."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airmark.errors import AirmarkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airmark.keys import Key

MOST_KEYS = 255
"""That a detector in C can be built for."""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register ``export``."""
    parser = subparsers.add_parser(
        "export",
        help="write keys as a C header for firmware",
        description="Write keys of the default profile as a C header that defines airmark_keys for airmark.h. Whoever "
        "has it has the keys: it is readable for its owner only, as key files are.",
    )
    parser.add_argument("keys", metavar="KEY.json", type=Path, nargs="+", help="the key files, in the keys' order")
    parser.add_argument("header", metavar="OUT.h", type=Path, help="the header to write")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the header."""
    from airmark.keys import Key, write_secret

    if args.header.suffix.lower() == ".json":
        raise AirmarkError(f"{args.header}: is named like a key file; the last argument is the header to write, OUT.h")
    keys = [Key.load(path) for path in args.keys]
    text = header(keys)
    write_secret(args.header, text, args.force)
    print(f"header written: {args.header} ({len(keys)} key{'s' * (len(keys) != 1)}; secret)")
    return 0


def header(keys: Sequence[Key]) -> str:
    """The header's text. Raises AirmarkError for keys of another profile than the default, and given twice."""
    from airmark.fixed.detector import key_columns
    from airmark.profile import profile

    if not 1 <= len(keys) <= MOST_KEYS:
        raise AirmarkError(f"{len(keys)} keys: the detector in C takes 1 to {MOST_KEYS}")
    if len(set(keys)) < len(keys):
        raise AirmarkError("the same key is given twice: each would report the same marks")
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
    for key in keys:
        words = ", ".join(f"0x{word:08x}u" for word in key_columns(key))
        lines += [f"    /* profile {key.profile.name}, fingerprint {key.fingerprint} */", f"    {{{{{words}}}}},"]
    return "\n".join([*lines, "};", "", "#endif", ""])
