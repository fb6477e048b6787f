"""``airmark evaluate``: how often marks are found, how well they hide, how often sound without them fires."""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airmark.commands import common
from airmark.errors import AirmarkError, one_line

if TYPE_CHECKING:
    from airmark.evaluate import Condition, Outcome, Plan
    from airmark.keys import Key
    from airmark.materials import Materials

FOLDER = "airmark-evaluation"
REPORT = "report.md"
TABLE = "report.json"
TRIALS = "trials.csv"
MARKS = "marks.csv"
DEFAULT_TRIALS = 100
BASELINE_SHARE = 4
"""The baseline has one trial in so many, unless told."""
NULL_KEYS = 128


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register ``evaluate``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure how often marks are found, and how well they hide",
        description="Put marks at random places into recordings, play them through rooms, noises and codecs, look for "
        "them, and write a report with tables and pictures. Without options it uses the small set that ships with the "
        "package. The same seed gives the same figures on any number of jobs.",
    )
    parser.add_argument(
        "--audio",
        type=Path,
        metavar="DIR",
        help="recordings to mark: a folder of .flac, .wav or .ogg files, with a manifest.csv or without",
    )
    common.add_rooms(parser)
    parser.add_argument(
        "--condition", nargs="+", action="extend", metavar="NAME", help="only these rows; an unknown one lists them all"
    )
    parser.add_argument("--trials", type=int, metavar="N", help=f"of each condition; default {DEFAULT_TRIALS}")
    parser.add_argument(
        "--full",
        action="store_true",
        help="as many trials as the targets need: 1,000, of digital ways 4,000",
    )
    parser.add_argument(
        "--baseline", type=int, metavar="N", help="trials of the published noise pattern; default a quarter; 0 for none"
    )
    parser.add_argument(
        "--engine", nargs="+", default=["float"], metavar="NAME",
        help="float, full, fixed or c; all hear the same sound, and the first one counts; default float",
    )  # fmt: skip
    parser.add_argument("--pattern", default="adaptive", help="adaptive, causal or noise; default adaptive")
    parser.add_argument("--strength", default="auto", metavar="auto|DB", help="dB against the host's smoothed spectrum")
    parser.add_argument(
        "--false-alarms-per-day", type=float, default=1.0, metavar="N", help="sets the threshold; default 1"
    )
    parser.add_argument(
        "--null-keys", type=int, default=NULL_KEYS, metavar="N",
        help=f"keys that listen for false alarms; default {NULL_KEYS}; 0 for none",
    )  # fmt: skip
    common.add_draws(parser)
    parser.add_argument(
        "--backend", metavar="NAME", help="joblib's: loky (default), threading, multiprocessing, dask, …"
    )
    parser.add_argument("--scheduler", metavar="HOST:PORT", help="of Dask, with --backend dask")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"folder to write; default: {FOLDER}, or {FOLDER}-2, -3, … if taken"
    )
    parser.add_argument("--force", action="store_true", help="write into a folder that has something in it already")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate; returns 0."""
    from rich.progress import TimeRemainingColumn

    from airmark import evaluate, folder, materials, report, report_plot
    from airmark.null import keys_with_symmetries

    conditions, notes = _conditions(args.condition)
    _check(args)
    found = materials.gather(args.audio, args.rirs, args.noise, args.rt60_max)
    with (
        folder.results(args.out, FOLDER, args.force) as (part, put),
        common.trials_bar(TimeRemainingColumn()) as bar,
    ):
        task = bar.add_task("searching for keys", total=None)
        keys = keys_with_symmetries(evaluate.KEYS + args.null_keys, args.seed)
        plan = _plan(args, conditions, found, tuple(keys[: evaluate.KEYS]), notes)
        for note in notes:  # now, and not after an hour
            print(f"note: {note}", file=sys.stderr)
        null_keys = keys[evaluate.KEYS :]
        bar.update(task, description="trials", total=evaluate.steps(plan, null_keys))
        outcome = evaluate.run(
            plan, null_keys, args.jobs, args.backend, args.scheduler, progress=lambda: bar.advance(task)
        )
        bar.update(task, description="writing the report")
        table = report.summary(plan, outcome, _about(args) | {"notes": notes})
        out, refused = None, None
        try:
            with folder.writing(args.out or Path(FOLDER)):
                _write(plan, outcome, table, part)
                pictures = report_plot.pictures(plan, outcome, table, part)
                (part / REPORT).write_text(report.markdown(plan, table, pictures, notes), encoding="utf-8")
            out = put()
        except AirmarkError as error:
            refused = error  # told after the figures, which took the time
    if args.json:
        print(json.dumps({"folder": out and str(out), **table}, indent=1))
    else:
        _print(table, out)
    if refused:
        raise refused
    return 0


def _check(args: argparse.Namespace) -> None:
    from airmark import detector, embedder, evaluate, thresholds

    common.check_trials(args)
    if args.baseline is not None:
        common.check_whole("--baseline", args.baseline, 0, 1_000_000)
    common.check_whole("--null-keys", args.null_keys, 0, 1 << 16)
    if args.full and args.trials is not None:
        raise AirmarkError("give --trials or --full, not both")
    for engine in args.engine:
        if engine not in detector.ENGINES:
            raise AirmarkError(f"no engine '{engine}': there are {', '.join(detector.ENGINES)}")
        detector.check_built(engine)
    if len(set(args.engine)) < len(args.engine):
        raise AirmarkError("--engine: give each engine once")
    embedder.check_pattern(args.pattern)
    common.strength(args.strength)
    for engine in args.engine:
        thresholds.threshold(args.false_alarms_per_day, engine=engine)
    if args.scheduler is not None and args.backend != "dask":
        raise AirmarkError("--scheduler goes with --backend dask")
    evaluate.check_backend(args.backend, args.scheduler)


def _conditions(names: list[str] | None) -> tuple[tuple[Condition, ...], list[str]]:
    """The conditions asked for, less what lacks a package; and what that means for the report."""
    from dataclasses import replace

    from airmark.evaluate import CONDITIONS

    known = {condition.name: condition for condition in CONDITIONS}
    for name in names or []:
        if name not in known:
            raise AirmarkError(f"no condition '{name}': there are {', '.join(known)}")
    chosen = tuple(condition for condition in CONDITIONS if not names or condition.name in names)
    if any(way.headset for condition in chosen for way in condition.ways) and not _has("webrtc_noise_gain"):
        without = [replace(c, ways=tuple(way for way in c.ways if not way.headset)) for c in chosen]
        return tuple(without), ["a headset's voice processing is left out: run 'reference/install headset'"]
    return chosen, []


def _has(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def _plan(
    args: argparse.Namespace,
    conditions: tuple[Condition, ...],
    found: Materials,
    keys: tuple[Key, ...],
    notes: list[str],
) -> Plan:
    from airmark import evaluate, thresholds

    far = [c for c in conditions if c.room == "far" and not evaluate.measured_rooms(found.rooms, c)]
    if far:
        notes.append(f"no measured room is {evaluate.FAR_M:g} m or more away: '{far[0].name}' is left out")
    conditions = tuple(c for c in conditions if c not in far)
    asked = args.trials or DEFAULT_TRIALS
    trials = {c.name: c.full_trials if args.full else asked for c in conditions}
    models = {"pesq": _has("pesq"), "visqol": _has("visqol")}
    missing = [name for name, there in models.items() if not there]
    limits = {engine: thresholds.threshold(args.false_alarms_per_day, engine=engine) for engine in args.engine}
    if missing:
        notes.append(f"no {' and '.join(missing)}: run 'reference/install quality'")
    return evaluate.Plan(
        found,
        conditions,
        keys,
        trials,
        {name: -(-n // BASELINE_SHARE) if args.baseline is None else args.baseline for name, n in trials.items()},
        limits[args.engine[0]],
        tuple(args.engine),
        args.pattern,
        common.strength(args.strength),
        args.seed,
        **models,
        other_thresholds=limits,
    )


def _about(args: argparse.Namespace) -> dict[str, Any]:
    """What the run was."""
    from airmark.version import __version__

    words = sys.argv[1:] if Path(sys.argv[0]).stem == "airmark" else ["evaluate"]
    return {
        "airmark": __version__,
        "command": shlex.join(["airmark", *words]),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "seed": args.seed,
        "jobs": (os.cpu_count() or 1) if args.jobs == -1 else args.jobs,
        "engines": args.engine,
        "pattern": args.pattern,
        "strength": args.strength,
        "null_keys": args.null_keys,
        "rt60_max_s": args.rt60_max,
    }


def _write(plan: Plan, outcome: Outcome, table: dict[str, Any], part: Path) -> None:
    trials = []
    for trial in outcome.trials:
        row = asdict(trial)
        scores = row.pop("scores")
        times = row.pop("latencies_s")
        row |= {f"score_{engine}": scores.get(engine) for engine in plan.engines}
        trials.append(row | {f"latency_s_{engine}": times.get(engine) for engine in plan.engines[1:]})
    marks = []
    for made in outcome.made:
        row = asdict(made)
        recipe = row.pop("recipe")
        asked = {"pattern": recipe["pattern"], "strength_asked_db": recipe["strength_db"], "in_a_row": recipe["marks"]}
        marks.append(asked | row)
    (part / TABLE).write_text(json.dumps(table, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    _csv(part / TRIALS, trials)
    _csv(part / MARKS, marks)


def _csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _print(table: dict[str, Any], out: Path | None) -> None:
    from airmark import report

    head = ("trials", "found", "95 %", "target", "", "noise pattern")
    widths = (7, 9, 16, 10, 11, 15)
    print(f"{'':14}" + "".join(f"{text:>{width}}" for text, width in zip(head, widths, strict=True)))
    for row in table["conditions"]:
        cells = (
            row["trials"], report.percent(row["share"]), report.interval(row),
            report.target(row).removeprefix("median "), report.verdict(row), report.percent(row["baseline"]["share"]),
        )  # fmt: skip
        print(f"{row['name']:14}" + "".join(f"{cell!s:>{width}}" for cell, width in zip(cells, widths, strict=True)))
    refused = sum(row["refused"] for row in table["conditions"])
    timed = [f"{row['name']}: {report.figure(row)}" for row in table["conditions"] if row["target_s"] is not None]
    print(
        f"found: score of {table['threshold']:.2f} or more ({table['false_alarms_per_day']:.3g} false alarm(s) a day); "
        f"in {refused} trials the mark was refused, which is a miss\n"
        "noise pattern: the published scheme on the same trials; *: fewer trials than the target needs"
    )
    for engine, one in list(table["engines"].items())[1:]:
        later = one["later_ms"]
        told = f"; told {later['median']:.0f} ms later in the middle" if later["marks"] else ""
        print(f"engine {engine}, in the report: threshold {one['threshold']:.2f}{told}")
    for line in timed:
        print(line)
    if out is not None:
        print(f"the report: {one_line(out / REPORT)} ({table['run']['seconds']:.0f} s)")
