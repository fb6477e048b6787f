"""``airmark demo``: mark a recording that ships with the package, play it through rooms, find the marks again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airmark.commands import common
from airmark.errors import AirmarkError, one_line

if TYPE_CHECKING:
    from airmark.demo import Demo, Outcome

FOLDER = "airmark-demo"
PICTURE = "demo.png"
TABLE = "demo.json"
KEY = "key.json"
ORIGINAL = "original.wav"
MARKED = "marked.wav"


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register ``demo``."""
    parser = subparsers.add_parser(
        "demo",
        help="see it work",
        description="Mark a short recording that ships with the package, play it through simulated and measured rooms, "
        "find the marks again; write a picture and the recordings to listen to. The key and the noises are fixed, so "
        "it shows the same each time. Exit status: 0 every case as it should be, 1 not.",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"folder to write; default: {FOLDER}, or {FOLDER}-2, -3, … if taken"
    )
    parser.add_argument("--force", action="store_true", help="write into a folder that has something in it already")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; returns 0 where every case went as it should, else 1."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    from airmark import demo, folder

    with (
        folder.results(args.out, FOLDER, args.force) as (part, put),
        common.bar(TextColumn("{task.description:22}"), BarColumn(), TimeElapsedColumn()) as bar,
    ):
        task = bar.add_task("starting", total=None)
        shown = demo.run(lambda what, done, total: bar.update(task, description=what, completed=done, total=total + 1))
        bar.update(task, description="drawing the picture")
        table = _as_json(shown)
        _write(shown, table, part, args.out or Path(FOLDER))
        out = put()
    if args.json:
        print(json.dumps({"folder": str(out), **table}, indent=1))
    else:
        _report(shown, out)
    return 0 if shown.as_it_should_be else 1


def _write(shown: Demo, table: dict[str, Any], folder: Path, out: Path) -> None:
    """Write all files into a folder that will be moved to ``out``, which is the one to tell of."""
    import soundfile

    from airmark import audio, plot

    sounds = {ORIGINAL: shown.original, MARKED: shown.marked} | {o.case.file: o.samples for o in shown.outcomes}
    try:
        for name, samples in sounds.items():
            soundfile.write(folder / name, samples, shown.rate, "PCM_16")
        (folder / PICTURE).write_bytes(plot.picture(shown))
        (folder / TABLE).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        shown.key.save(folder / KEY)
    except AirmarkError as error:
        raise AirmarkError(str(error).replace(str(folder), str(out))) from None
    except (OSError, soundfile.LibsndfileError) as error:
        raise AirmarkError(f"{out}: cannot write the demo's files: {audio.why(error, folder)}") from None


def _report(shown: Demo, out: Path) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from airmark import thresholds
    from airmark.channel import SMALL_LOUDSPEAKER_HZ

    console = common.console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("case")
    table.add_column("found", no_wrap=True)
    for heading in ("at", "late", "score", "clock"):
        table.add_column(heading, justify="right", no_wrap=True)
    for outcome in shown.outcomes:
        case = outcome.case
        name = case.name + (" (beyond the limit)" if case.beyond else "")
        what = Text.assemble((name, "bold"), "\n", (case.way, "dim"))
        good = "green" if outcome.as_it_should_be else "bold red"
        lines = _lines(outcome)
        table.add_row(what, Text(_found(outcome), good), *("\n".join(column) for column in zip(*lines, strict=True)))
    low, high = SMALL_LOUDSPEAKER_HZ
    in_c = thresholds.threshold(shown.false_alarms_a_year / 365.25, engine="c")
    length = len(shown.original) / shown.rate
    for m in shown.marks:
        q = m.quality
        grade = f", quality {q.zimtohrli:.2f} of 5 (Zimtohrli)" if q and q.zimtohrli is not None else ""
        ratio = f", {q.snr_db:.0f} dB under the sound" if q else ""
        end_s = m.time_s + m.samples / shown.rate
        console.print(f"marked {m.time_s:.2f} to {end_s:.2f} s of {length:.0f} s{ratio}{grade}", soft_wrap=True)
    console.print(table)
    console.print(
        f"found: score of {shown.threshold:.2f} or more ({shown.false_alarms_a_year:.2g} false alarm a year) by the "
        f"engine float; of c, which detect takes where it was built, {in_c:.2f} does for as many. "
        f"late: against the direct sound; echoes count too. clock: how fast the receiver's is against the sender's. "
        f"Every case has a loudspeaker of {low:g} to {high:g} Hz and a simulated room, unless it says measured."
    )
    bad = [o.case.name for o in shown.outcomes if not o.as_it_should_be]
    console.print(f"NOT as it should be: {', '.join(bad)}" if bad else "Every case went as it should.", style="bold")
    # Not by the console: a name may look like its markup.
    print(one_line(f"Look at {out / PICTURE}, listen to {out}/*.wav, or try:"))
    example = max(shown.outcomes, key=lambda o: o.found).case.file
    print(one_line(f"  airmark detect {out / example} --key {out / KEY}"))


def _found(outcome: Outcome) -> str:
    if outcome.elsewhere:
        return f"{len(outcome.elsewhere)} false"
    if not outcome.case.marked:
        return "no"
    count = f"{outcome.found} of {len(outcome.heard)}"
    return f"yes, {count}" if outcome.found == len(outcome.heard) else f"no, {count}"


def _lines(outcome: Outcome) -> list[tuple[str, str, str, str]]:
    """Place, error, score and drift of each mark, and of each false alarm; of an unmarked recording, the highest."""
    lines = []
    for h in outcome.heard:
        if h.detection is None or h.late_ms is None:
            lines.append(("-", "-", f"{h.score:.1f}", "-"))
        else:
            d = h.detection
            lines.append((f"{d.time_s:.2f} s", f"{h.late_ms:.0f} ms", f"{d.score:.1f}", f"{d.drift_ppm:+.0f} ppm"))
    lines += [(f"{d.time_s:.2f} s", "false", f"{d.score:.1f}", f"{d.drift_ppm:+.0f} ppm") for d in outcome.elsewhere]
    return lines or [("-", "-", f"{outcome.score:.1f}", "-")]


def _as_json(shown: Demo) -> dict[str, Any]:
    return {
        "key": shown.key.fingerprint,
        "rate": shown.rate,
        "duration_s": len(shown.original) / shown.rate,
        "threshold": shown.threshold,
        "false_alarms_per_year": shown.false_alarms_a_year,
        "as_it_should_be": shown.as_it_should_be,
        "marks": [
            {
                "sample": m.sample,
                "samples": m.samples,
                "time_s": m.time_s,
                "strength_db": m.strength_db,
                "predicted_score": m.predicted_score,
                "snr_db": m.quality.snr_db if m.quality else None,
                "zimtohrli": m.quality.zimtohrli if m.quality else None,
            }
            for m in shown.marks
        ],
        "cases": [_case(o) for o in shown.outcomes],
    }


def _case(outcome: Outcome) -> dict[str, Any]:
    case = outcome.case
    return {
        "name": case.name,
        "way": case.way,
        "file": case.file,
        "marked": case.marked,
        "beyond_the_limit": case.beyond,
        "as_it_should_be": outcome.as_it_should_be,
        "score": outcome.score,
        "drift_ppm": case.channel.drift_ppm,
        "marks": [
            {
                "true_time_s": h.true_s,
                "found": h.detection is not None,
                "score": h.score,
                "time_s": h.detection and h.detection.time_s,
                "late_ms": h.late_ms,
                "drift_ppm": h.detection and h.detection.drift_ppm,
            }
            for h in outcome.heard
        ],
        "false_alarms": [{"time_s": d.time_s, "score": d.score, "drift_ppm": d.drift_ppm} for d in outcome.elsewhere],
    }
