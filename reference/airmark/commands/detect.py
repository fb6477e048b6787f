"""``airmark detect``: learn whether and where marks are in a recording."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airmark.commands import common
from airmark.errors import AirmarkError, one_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from airmark.detector import Detection, Detector
    from airmark.keys import Key


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register ``detect``."""
    parser = subparsers.add_parser(
        "detect",
        help="find marks in a recording",
        description="Find marks in a recording, with nothing but the keys. Exit status: 0 found, 1 not found.",
    )
    parser.add_argument("input", metavar="IN", nargs="?", help="sound or video file; - for raw s16 on standard input")
    parser.add_argument(
        "--key", type=Path, required=True, nargs="+", action="extend", metavar="KEY", help="key files to listen for"
    )
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--threshold", type=float, metavar="SCORE", help="lowest score that counts as found")
    limit.add_argument(
        "--false-alarms-per-day", type=float, metavar="X", help="all keys together; default: one a year (0.00274)"
    )
    parser.add_argument(
        "--engine", choices=("full", "float", "fixed", "c"), help="default: c where it was built and takes the keys, "
        "else float",
    )  # fmt: skip
    parser.add_argument(
        "--early", action="store_true", help="report a mark from its first half, a second sooner, where that is enough"
    )
    parser.add_argument("--rate", type=int, metavar="HZ", help="of raw sound on standard input, default 16000")
    parser.add_argument("--channels", type=int, metavar="N", help="of raw sound on standard input, default 1")
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON; false_alarms_per_day: null where never counted"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Detect; returns 0 where a mark was found, 1 where none was."""
    from airmark import audio
    from airmark.detector import Detector
    from airmark.keys import Key

    if args.input is None:
        # 'detect --key KEY IN': the recording came last and was taken for a key.
        if len(args.key) < 2:
            raise AirmarkError("IN, the recording to listen to, is missing (see 'airmark detect --help')")
        args.input = str(args.key.pop())
    keys = [Key.load(path) for path in args.key]
    total: float | None = None
    blocks: Iterator[npt.NDArray[np.float64]]
    if args.input == "-":
        rate = 16_000 if args.rate is None else args.rate
        channels = 1 if args.channels is None else args.channels
        audio.check_rate(rate, "--rate")
        audio.check_channels(channels, "--channels")
        blocks = audio.raw_blocks(sys.stdin.buffer, channels, max(1, rate // 100))
    else:
        if args.rate is not None or args.channels is not None:
            raise AirmarkError(f"--rate and --channels are for raw sound on standard input: {args.input} has its own")
        source = audio.info(args.input)
        rate, total = source.rate, source.frames
        blocks = audio.blocks(source)
    detector = Detector(
        keys,
        rate,
        threshold=args.threshold,
        false_alarms_per_day=args.false_alarms_per_day,
        engine=args.engine,
        early=args.early,
    )
    if args.engine is None:
        tell_missing(detector)
    names = names_of(keys)
    found: list[Detection] = []
    heard = 0
    if not args.json:
        print(heading(detector))
    # Redirected standard output is for whoever reads it, not for the terminal that shows the progress.
    both = sys.stdout.isatty()
    with common.bar(redirect_stdout=both) as progress:
        task = progress.add_task("listening", total=total)

        def take(new: list[Detection]) -> None:
            found.extend(new)
            for d in [] if args.json else new:
                print(line(d, names), flush=True)

        for block in blocks:
            take(detector.process(block))
            heard += len(block)
            progress.update(task, completed=heard)
        take(detector.flush())
    if not heard:
        raise AirmarkError(f"{'standard input' if args.input == '-' else args.input}: there is no sound in it")
    if args.json:
        print(
            json.dumps(
                {
                    "engine": detector.engine,
                    "duration_s": heard / rate,
                    "threshold": detector.threshold,
                    "false_alarms_per_day": false_alarms_per_day(detector),
                    "detections": [as_json(d, names, keys) for d in found],
                },
                indent=1,
            )
        )
    else:
        print(f"{len(found) or 'no'} mark{'s' * (len(found) != 1)} in {heard / rate:.1f} s")
    return 0 if found else 1


def tell_missing(detector: Detector) -> None:
    """Say on standard error where the default engine is float because that in C was not built."""
    from airmark.detector import check_built
    from airmark.profile import profile

    if detector.profile == profile():
        try:
            check_built("c")
        except AirmarkError as error:
            print(f"airmark: listening with the {detector.engine} engine: {error}", file=sys.stderr)


def heading(detector: Detector) -> str:
    """The line above the detections: what counts as one."""
    from airmark.thresholds import is_counted, per_day

    a_year = f"{365.25 * per_day(detector.threshold, len(detector.keys), detector.engine):.3g}"
    more = "" if is_counted(detector.threshold, detector.engine) else "more than "
    alarms = f"{more}{a_year} false alarm{'s' * (a_year != '1')} a year"
    return f"threshold {detector.threshold:.2f} ({alarms}), engine {detector.engine}"


def false_alarms_per_day(detector: Detector) -> float | None:
    """To expect from sound without marks, all keys together; None where that was not counted."""
    from airmark.thresholds import is_counted, per_day

    if not is_counted(detector.threshold, detector.engine):
        return None
    return per_day(detector.threshold, len(detector.keys), detector.engine)


def names_of(keys: list[Key]) -> list[str]:
    """What keys are called: as their files are, with fingerprints where two files are called the same."""
    names = [key.name for key in keys]
    return [name if names.count(name) == 1 else f"{name} ({keys[i].fingerprint})" for i, name in enumerate(names)]


def line(d: Detection, names: list[str]) -> str:
    """A detection for people; names: of the keys."""
    early = "  early" if d.early else ""
    key = one_line(names[d.key])
    return f"{d.time_s:10.3f} s  score {d.score:5.1f}  drift {d.drift_ppm:+6.1f} ppm  key {key}{early}"


def as_json(d: Detection, names: list[str], keys: list[Key]) -> dict[str, Any]:
    """A detection for JSON; names: of the keys."""
    return {
        "sample": d.sample, "time_s": d.time_s, "score": d.score, "drift_ppm": d.drift_ppm, "key": names[d.key],
        "fingerprint": keys[d.key].fingerprint, "early": d.early,
    }  # fmt: skip
