"""``airmark keygen``: make a secret key."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from airmark.errors import AirmarkError, one_line

ROWS = (
    ("steady tone or beat", "steady"),
    ("worst stationary host", "stationary"),
    ("gated host, period up to 32 blocks", "gated"),
)
MOST_BLOCKS = 256
"""In all; airmark.keysearch.LONGEST, which takes long to import for a help text."""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register ``keygen``."""
    parser = subparsers.add_parser(
        "keygen",
        help="make a secret key",
        description="Make a secret key, readable for its owner only, and print what unmarked sound can score under it.",
    )
    parser.add_argument("key", metavar="KEY.json", type=Path, help="the key file to write")
    in_all = f"R times M is at most {MOST_BLOCKS}"
    parser.add_argument(
        "--repetitions", type=int, metavar="R", help=f"repetitions of the pattern in a mark, 2 or more; {in_all}"
    )
    parser.add_argument("--blocks", type=int, metavar="M", help=f"blocks of the pattern, 1 or more; {in_all}")
    parser.add_argument("--profile", default="default", metavar="NAME", help="the profile it belongs to")
    parser.add_argument(
        "--apart-from",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="KEY",
        help="keys whose marks this one must not fire on, nor they on its marks",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="repeatable, so anyone can guess it: for tests only")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the key, write it and print its figures, never its signs."""
    import numpy as np
    from rich.console import Console

    from airmark import keysearch
    from airmark.keys import Key
    from airmark.profile import profile_of_shape

    for option, value, least, most in (
        ("--repetitions", args.repetitions, 2, MOST_BLOCKS),
        ("--blocks", args.blocks, 1, MOST_BLOCKS // 2),
        ("--seed", args.seed, 0, 2**64 - 1),
    ):
        if value is not None and not least <= value <= most:
            raise AirmarkError(f"{option} {value}: give a whole number from {least} to {most}")
    if args.key.exists() and not args.force:
        raise AirmarkError(f"{args.key}: exists already; name another file, or overwrite it with --force")
    if not args.key.parent.is_dir():
        raise AirmarkError(f"{args.key}: no folder {args.key.parent}; make it first")
    # What saving would find out after the search, as far as it can be known before.
    if args.key.is_dir() or not os.access(args.key.parent, os.W_OK | os.X_OK):
        raise AirmarkError(f"{args.key}: is not a file that you may write; name one in a folder of yours")
    owner = profile_of_shape(args.repetitions, args.blocks, args.profile)
    others = [Key.load(path) for path in args.apart_from]
    rng = None if args.seed is None else np.random.default_rng(args.seed)
    with Console(stderr=True).status("searching for a key") as status:
        key = keysearch.generate(
            owner, rng, others, progress=lambda text: status.update(f"searching for a key: {text}")
        )
        key.save(args.key, args.force)
    cross = {str(path): keysearch.cross_score(key, other) for path, other in zip(args.apart_from, others, strict=True)}
    if args.seed is not None:
        print("airmark: a seeded key can be guessed by anyone: use it for tests only", file=sys.stderr)
    if args.json:
        report = {"key": str(args.key), "fingerprint": key.fingerprint, "profile": owner.name, "bounds": key.bounds}
        print(json.dumps(report | {"apart_from": cross}, indent=1))
        return 0
    bounds = key.bounds
    print(f"{'highest score of':36}{'in one band':>12}{'in all':>8}{'detector':>10}")
    for text, host in ROWS:
        figures = bounds[f"{host}_band"], bounds[f"{host}_all"], bounds[f"detector_{host}"]
        print(f"{text:36}{figures[0]:12.2f}{figures[1]:8.2f}{figures[2]:10.2f}")
    print(f"{'another stationary host in each band':36}{'':12}{bounds['stationary_each']:8.2f}")
    for path, score in cross.items():
        print(f"on marks of {one_line(path)}: {score:.2f}")
    print("'detector' is the highest of these on the detector's own scale, which allows for the host's rank:")
    print("it alone compares with a threshold.")
    print(f"key written: {one_line(args.key)} (profile {owner.name}, fingerprint {key.fingerprint})")
    return 0
