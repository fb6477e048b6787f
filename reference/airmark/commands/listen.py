"""``airmark listen``: hear marks as they are played."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Any

from airmark.commands.detect import as_json, heading, line, names_of, tell_missing
from airmark.errors import AirmarkError, one_line

if TYPE_CHECKING:
    from rich.text import Text

    from airmark.detector import Detection, Detector
    from airmark.live import Block, Microphone

BAR = 10
"""Width of a meter, characters: a terminal of 80 shows them all."""
QUIETEST_DB = -72.0
"""Left end of the meter of the sound, dB of full scale."""
HIGHEST_SCORE = 12.0
"""Right end of the meter of the score."""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register ``listen``."""
    parser = subparsers.add_parser(
        "listen",
        help="find marks in what a microphone hears",
        description="Listen to the microphone and tell of each mark when it has been heard, until Ctrl-C. "
        "Exit status: 0 found, 1 not found.",
    )
    parser.add_argument(
        "--key", type=Path, required=True, nargs="+", action="extend", metavar="KEY", help="key files to listen for"
    )
    parser.add_argument("--input", metavar="FILE", help="play a file in real time instead, without a sound")
    parser.add_argument("--device", metavar="NAME", help="microphone: number or part of its name")
    parser.add_argument("--rate", type=int, metavar="HZ", help="of the microphone; default: its own")
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--threshold", type=float, metavar="SCORE", help="lowest score that counts as found")
    limit.add_argument(
        "--false-alarms-per-day", type=float, metavar="X", help="all keys together; default: one a year (0.00274)"
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each mark")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Listen; returns 0 where a mark was found until the end, else 1."""
    from rich.console import Console
    from rich.live import Live

    from airmark import audio, live
    from airmark.detector import Detector
    from airmark.keys import Key

    keys = [Key.load(path) for path in args.key]
    microphone: Microphone | None = None
    if args.input is None:
        microphone = live.Microphone(args.device, args.rate)
        rate, name = microphone.rate, microphone.name
    else:
        for option in ("device", "rate"):
            if getattr(args, option) is not None:
                raise AirmarkError(f"--{option} is for a microphone: {args.input} has its own")
        source = audio.info(args.input)
        rate, name = source.rate, str(args.input)
    detector = Detector(
        keys, rate, threshold=args.threshold, false_alarms_per_day=args.false_alarms_per_day, early=True
    )
    tell_missing(detector)
    names = names_of(keys)
    if not args.json:
        print(heading(detector))
        print(f"listening to {one_line(name)} at {rate} Hz; Ctrl-C ends it", flush=True)
    console = Console(stderr=True)
    found = heard = 0

    def take(new: list[Detection]) -> None:
        nonlocal found
        found += len(new)
        for d in new:
            print(json.dumps(as_json(d, names, keys)) if args.json else line(d, names), flush=True)

    with ExitStack() as stack:
        stop = stack.enter_context(_interrupt())
        blocks: Iterator[Block] = live.in_time(source) if microphone is None else microphone.blocks()
        meter: Live | None = None
        if console.is_terminal:
            # Redirected standard output is for whoever reads it, not for the terminal.
            both = sys.stdout.isatty()
            meter = stack.enter_context(Live(console=console, transient=True, redirect_stdout=both))
        if microphone is not None:
            stack.enter_context(microphone)
        told = False
        try:
            for block in blocks:
                take(detector.process(block))
                heard += len(block)
                if meter is not None and len(block):
                    meter.update(_meter(block, heard / rate, detector, found, _losses(microphone)))
                if not told and _losses(microphone):
                    told = True
                    _warn("some sound is being lost, and marks in it: is the computer too busy?")
                if stop.is_set():
                    break
        finally:
            take(detector.flush())
            if losses := _losses(microphone):
                _warn(losses)
    if not args.json:
        print(f"{found or 'no'} mark{'s' * (found != 1)} in {heard / rate:.1f} s")
    return 0 if found else 1


@contextmanager
def _interrupt() -> Iterator[Event]:
    """An event that the first Ctrl-C sets, so that none comes amid the detector's work; a second one ends at once."""
    stop = Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _losses(microphone: Microphone | None) -> str:
    """What was lost so far, in words; empty for nothing."""
    if microphone is None:
        return ""
    words = []
    if microphone.lost:
        words.append(f"{microphone.lost} samples lost, replaced by silence")
    if microphone.overruns:
        words.append(f"{microphone.overruns} overruns of the sound card, times after them may be early")
    return "; ".join(words)


def _warn(what: str) -> None:
    print(f"airmark: warning: {what}", file=sys.stderr, flush=True)


def _meter(block: Block, heard_s: float, detector: Detector, found: int, losses: str) -> Text:
    import numpy as np
    from rich.text import Text

    level = 10 * math.log10(float(np.mean(np.square(block, dtype=np.float64))) + 1e-12)
    return Text.assemble(
        f"{heard_s:8.1f} s  sound {level:4.0f} dB ", (_bar(1 - level / QUIETEST_DB), "green"),
        f"  running score {detector.score:5.1f} ", (_bar(detector.score / HIGHEST_SCORE), "cyan"),
        f"  {found} found", (f"  {losses}" if losses else "", "bold red"), no_wrap=True,
    )  # fmt: skip


def _bar(part: float) -> str:
    full = round(BAR * min(1.0, max(0.0, part)))
    return "█" * full + "░" * (BAR - full)
