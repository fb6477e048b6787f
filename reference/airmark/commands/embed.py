"""``airmark embed``: put marks into a recording, or into sound as it streams by."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airmark.commands import common
from airmark.errors import AirmarkError
from airmark.words import ANSWER_S

if TYPE_CHECKING:
    from airmark.embedder import Mark
    from airmark.keys import Key
    from airmark.quality import Quality

PIPE_RATE = 48_000
PIPE_CHANNELS = 2
COLUMNS = ("place", "strength", "predicted score", "SNR", "Zimtohrli")


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register ``embed``."""
    parser = subparsers.add_parser(
        "embed",
        help="mark a recording",
        description="Put marks into a recording. With no place given, mark follows mark through the whole of it. The "
        "output keeps rate, channels, sample type and a video's picture. Of what else the file says (tags, cover art, "
        "cue points, broadcast chunks) WAV, RF64, AIFF, FLAC and MP3 made of the same kind of file keep all; M4A, MKA "
        "and videos made of M4A, a video or MP3 the tags and chapters that FFmpeg knows, M4A and MP4 the cover too; "
        "everything else title, artist, album, date, track number, genre, copyright, comment and license.",
    )
    parser.add_argument("input", metavar="IN", help="sound or video file; - for raw s16 on standard input")
    parser.add_argument("output", metavar="OUT", help="file to write; - for raw s16 on standard output")
    parser.add_argument("--key", type=Path, required=True, metavar="KEY", help="key file, from 'airmark keygen'")
    parser.add_argument("--at", type=float, action="append", default=[], metavar="SECONDS", help="a mark starts here")
    parser.add_argument(
        "--near", type=float, action="append", default=[], metavar="SECONDS", help="here, or up to 1 s aside if better"
    )
    parser.add_argument(
        "--word", type=float, nargs=2, action="append", default=[], metavar=("START", "END"),
        help="a wake word that headsets shall suppress: a mark ends just before the word's end, seconds",
    )  # fmt: skip
    parser.add_argument(
        "--answer", type=float, metavar="S",
        help=f"the mark of a word is told at most so long after its end; default {ANSWER_S:g}",
    )  # fmt: skip
    parser.add_argument(
        "--early", action="store_true",
        help="headsets decide early: a word near the start may get a mark of which only the first half is told in time",
    )  # fmt: skip
    parser.add_argument("--from", dest="start", type=float, metavar="S", help="mark nothing before, seconds")
    parser.add_argument("--to", dest="stop", type=float, metavar="S", help="mark nothing after, seconds")
    parser.add_argument(
        "--pattern", choices=("adaptive", "causal", "noise"), help="default: adaptive; pipes are always causal"
    )
    parser.add_argument(
        "--strength", default="auto", metavar="auto|DB", help="dB against the host's smoothed spectrum (baselines: -20)"
    )
    parser.add_argument("--lossy", action="store_true", help="allow a lossy output format")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--visqol", action="store_true", help="judge each mark by ViSQOL too (extra 'quality'; slow)")
    parser.add_argument("--rate", type=int, metavar="HZ", help=f"of a pipe, default {PIPE_RATE}")
    parser.add_argument("--channels", type=int, metavar="N", help=f"of a pipe, default {PIPE_CHANNELS}")
    parser.add_argument("--json", action="store_true", help="print the marks as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Mark the recording or the pipe."""
    from airmark.keys import Key

    strength = common.strength(args.strength)
    key = Key.load(args.key)
    if args.input == "-" or args.output == "-":
        return _pipe(args, key, strength)
    for option in ("rate", "channels"):
        if getattr(args, option) is not None:
            raise AirmarkError(f"--{option} is for raw sound on pipes: {args.input} has its own")
    return _file(args, key, strength)


def _file(args: argparse.Namespace, key: Key, strength: float | None) -> int:
    from airmark import audio
    from airmark.embedder import Embedder, check_marked, places_of, span_of, word_places

    for option, given in (("--answer", args.answer is not None), ("--early", args.early)):
        if given and not args.word:
            raise AirmarkError(f"{option} goes with --word")
    recording = audio.read(args.input)
    target = audio.check_output(recording, args.output, lossy=args.lossy, force=args.force)
    audio.check_fits(recording, target)
    embedder = Embedder(key, recording.rate, pattern=args.pattern or "adaptive", strength=strength, visqol=args.visqol)
    audio.check_loudest(recording.samples, args.input)
    span = span_of(args.start, args.stop, recording.rate, len(recording.samples))
    answer = ANSWER_S if args.answer is None else args.answer
    before = word_places(args.word, args.at, span, recording.rate, key, answer=answer, early=args.early)
    places = places_of((*args.at, *before), args.near, recording.rate)
    with _naming(args.input), common.bar() as progress:
        task = progress.add_task("marking", total=None)
        embedded = embedder.embed(
            recording.samples,
            places,
            span,
            target.sample_type,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
        check_marked(embedded, args.word, at=bool(args.at or args.near), rate=recording.rate)
    audio.write(embedded.samples, recording, target, as_long=True)
    _warn_late(embedded.marks, args.word, answer, recording.rate)
    told = [_words_of(mark, args.word, recording.rate) for mark in embedded.marks]
    if args.json:
        about = {"rate": recording.rate, "samples": len(recording.samples)}
        marks = [_as_json(mark) | {"words": words} for mark, words in zip(embedded.marks, told, strict=True)]
        print(json.dumps(about | {"marks": marks, "silent": embedded.silent}, indent=1))
    else:
        _report(embedded.marks, told)
    if embedded.silent:
        print(f"airmark: warning: {_silences(embedded.silent, recording.rate)}", file=sys.stderr)
    return 0


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """The file's name begins what the embedder, which does not know it, says of the recording."""
    try:
        yield
    except AirmarkError as error:
        raise AirmarkError(f"{path}: {error}") from None


def _silences(silent: list[int], rate: int) -> str:
    """What got no mark, in words."""
    shown = [f"{place / rate:.3f}" for place in silent[:3]] + ["…"] * (len(silent) > 3)
    return f"{len(silent)} stretch{'es' * (len(silent) > 1)} of digital silence got no mark, at {', '.join(shown)} s"


def _pipe(args: argparse.Namespace, key: Key, strength: float | None) -> int:
    from airmark import audio
    from airmark.stream import LIVE_DB, StreamEmbedder

    if args.input != "-" or args.output != "-":
        raise AirmarkError("raw pipes go from - to -: 'airmark embed - - --rate HZ --channels N'")
    unfit = {"--at": args.at, "--near": args.near, "--word": args.word, "--answer": args.answer,
             "--early": args.early, "--from": args.start, "--to": args.stop, "--json": args.json,
             "--visqol": args.visqol, "--lossy": args.lossy, "--force": args.force}  # fmt: skip
    for option, value in unfit.items():
        # A place at 0 s is given too.
        if value is not None and value is not False and value != []:
            raise AirmarkError(f"{option} is not for pipes: they are marked all through, without looking ahead")
    if args.pattern not in (None, "causal"):
        raise AirmarkError(f"--pattern {args.pattern} looks ahead or back: pipes are marked with the causal one")
    rate = PIPE_RATE if args.rate is None else args.rate
    channels = PIPE_CHANNELS if args.channels is None else args.channels
    embedder = StreamEmbedder(key, rate, channels, strength=LIVE_DB if strength is None else strength)
    output = sys.stdout.buffer
    heard = False
    for block in audio.raw_blocks(sys.stdin.buffer, channels, max(1, rate // 100)):
        if not heard:
            print(f"marking {rate} Hz s16, {channels} channels; delay {embedder.delay} samples", file=sys.stderr)
        heard = True
        audio.raw_write(output, embedder.process(block))
    if not heard:
        raise AirmarkError("standard input: there is no sound in it")
    audio.raw_write(output, embedder.flush())
    print(f"{embedder.marks} marks begun", file=sys.stderr)
    return 0


def _words_of(mark: Mark, words: list[list[float]], rate: int) -> list[dict[str, float]]:
    """The words that a mark covers, and how long after each it is told at the latest."""
    from airmark.words import TAIL_S, covers

    length = mark.samples / rate
    return [
        {"start_s": start, "end_s": end, "told_after_s": round(mark.time_s + length + TAIL_S - end, 4)}
        for start, end in words
        if covers(mark.time_s, (start, end), length)
    ]


def _warn_late(marks: list[Mark], words: list[list[float]], answer: float, rate: int) -> None:
    """Warn of each word whose mark is told whole too late, by whoever does not decide early or needs all of it."""
    from airmark.words import EARLY_TAIL_S, TAIL_S, covers

    for start, end in words:
        first = min(mark.time_s for mark in marks if covers(mark.time_s, (start, end), mark.samples / rate))
        length = marks[0].samples / rate
        whole = first + length + TAIL_S - end
        if whole < answer + 0.001:  # what is in time is so to a sample
            continue
        half = first + length / 2 + EARLY_TAIL_S - end
        when = f"{abs(half):.2f} s {'before' if half < 0 else 'after'} the word's end"
        print(
            f"airmark: warning: the word at {start:.3f} s: only the first half of its mark is told within {answer:g} s "
            f"({when}, where a half is clear enough); the whole mark {whole:.2f} s after the word's end at the latest",
            file=sys.stderr,
        )


def _report(marks: list[Mark], words: list[list[dict[str, float]]]) -> None:
    from rich.table import Table

    table = Table(*COLUMNS, *(["ViSQOL"] if any(m.quality and m.quality.visqol for m in marks) else []))
    lines = []
    for m, covered in zip(marks, words, strict=True):
        q = m.quality
        row = [f"{m.time_s:.3f} s", f"{m.strength_db:g} dB", f"{m.predicted_score:.1f}"]
        row += [_figure(q.snr_db, ".1f", " dB"), _figure(q.zimtohrli, ".3f")] if q else ["", ""]
        row += [_figure(q.visqol, ".2f")] if q and q.visqol else []
        notes = (["weak, many rooms will swallow it"] if m.weak else []) + (["lowered to avoid clipping"] * m.lowered)
        for word in covered:
            after = f"told {word['told_after_s']:.2f} s after it at the latest"
            notes.append(f"for the word {word['start_s']:.3f} to {word['end_s']:.3f} s, {after}")
        table.add_row(*row)
        lines += [f"mark at {m.time_s:.3f} s: {note}" for note in notes]
    common.console(soft_wrap=True).print(table)
    for line in lines:
        print(line)
    weak = sum(m.weak for m in marks)
    print(f"{len(marks)} mark{'s' * (len(marks) != 1)}" + (f", {weak} of them weak" if weak else ""))


def _figure(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else format(value, form) + unit


def _as_json(mark: Mark) -> dict[str, Any]:
    return {
        "sample": mark.sample,
        "samples": mark.samples,
        "time_s": mark.time_s,
        "strength_db": mark.strength_db,
        "predicted_score": mark.predicted_score,
        "weak": mark.weak,
        "lowered": mark.lowered,
        "quality": _quality(mark.quality),
    }


def _quality(q: Quality | None) -> dict[str, float | None] | None:
    import math

    if q is None:
        return None
    # JSON has no infinity: a silent host or an empty mark has no ratio.
    return {"snr_db": q.snr_db if math.isfinite(q.snr_db) else None, "zimtohrli": q.zimtohrli, "visqol": q.visqol}
