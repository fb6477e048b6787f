"""``airmark benchmark``: measure speed, false alarms on sound without a mark, other profiles, and wake words."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airmark.commands import common
from airmark.errors import AirmarkError, one_line

if TYPE_CHECKING:
    from airmark.keys import Key
    from airmark.null import Event, Fit, Heard

NULL = "null"
"""Stem of the files, and default name of the folder, of the false alarms."""
PROFILES = "profile-search"
"""Stem of the files, and default name of the folder, of the parameter search."""
PROFILE_TRIALS = 12
WAKEWORD = "wakeword"
"""Stem of the files, and default name of the folder, of the measurement with wake words."""
WAKEWORD_TRIALS = 20


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register ``benchmark`` and what it measures."""
    parser = subparsers.add_parser("benchmark", help="measure speed, false alarms, other profiles or wake words")
    which = parser.add_subparsers(dest="benchmark", required=True, metavar="WHAT")

    speed = which.add_parser(
        "speed",
        help="times faster than real time, on one core",
        description="Mark and detect the demo's recording on one core with one thread, and tell how many times faster "
        "than real time that is in CPU time. Exit status: 0 all targets met, 1 not.",
    )
    speed.add_argument("--runs", type=int, default=5, metavar="N", help="the median of so many counts, default 5")
    speed.add_argument("--json", action="store_true", help="print the result as JSON")
    speed.set_defaults(run=run_speed)

    null = which.add_parser(
        "null",
        help="false alarms on sound without a mark",
        description="Listen with many keys to recordings without a mark and to sounds that repeat themselves, count "
        "what is reported from each score on, and fit the number of independent looks a day. With "
        "OPENBLAS_NUM_THREADS=1 each job keeps to one core.",
    )
    null.add_argument(
        "--audio", type=Path, nargs="+", action="extend", default=[], metavar="DIR",
        help="folders with unmarked recordings (flac, wav, ogg; subfolders too, but none named rir)",
    )  # fmt: skip
    null.add_argument("--keys", type=int, default=256, metavar="N", help="default 256; one in 16 is searched for")
    null.add_argument(
        "--engine", choices=("full", "float", "fixed", "c"), default="full",
        help="whose events to fit, default full; in fixed and c each key listens alone",
    )  # fmt: skip
    null.add_argument("--fit-from", type=float, default=5.0, metavar="SCORE", help="fit events from there, default 5")
    null.add_argument("--seed", type=int, default=0, metavar="N", help="draws the keys, default 0")
    null.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at a time, default 1")
    null.add_argument("--no-hosts", action="store_true", help="leave out the sounds that repeat themselves")
    null.add_argument("--json", action="store_true", help="print the result as JSON")
    null.add_argument("--out", type=Path, metavar="DIR", help=f"write {NULL}.json and {NULL}.png into that new folder")
    null.add_argument("--force", action="store_true", help="write into a folder that has something in it")
    null.set_defaults(run=run_null)

    profiles = which.add_parser(
        "profiles",
        help="the parameter search: other profiles on the same trials",
        description="Change one parameter of the default profile at a time (shape of the mark, frames, band, bands, "
        "drifts), send marks of each variant through the same rooms, noises and clocks, and compare scores, marks "
        "found and what the detector would cost. Without options it uses the small set that ships with the package. "
        "The same seed gives the same figures on any number of jobs.",
    )
    profiles.add_argument(
        "--audio",
        type=Path,
        metavar="DIR",
        help="recordings to mark: a folder of .flac, .wav or .ogg files, with a manifest.csv or without",
    )
    common.add_rooms(profiles)
    profiles.add_argument(
        "--only", nargs="+", action="extend", default=[], metavar="NAME",
        help="only these variants beside the default; an unknown one lists them all",
    )  # fmt: skip
    profiles.add_argument(
        "--trials", type=int, default=PROFILE_TRIALS, metavar="N", help=f"of each variant; default {PROFILE_TRIALS}"
    )
    profiles.add_argument(
        "--strength", type=float, metavar="DB", help="of all marks, against the host's smoothed spectrum; default -14"
    )
    common.add_draws(profiles)
    profiles.add_argument("--json", action="store_true", help="print the result as JSON")
    profiles.add_argument(
        "--out", type=Path, metavar="DIR", help=f"write {PROFILES}.json and {PROFILES}.png into that new folder"
    )
    profiles.add_argument("--force", action="store_true", help="write into a folder that has something in it")
    profiles.set_defaults(run=run_profiles)

    words = which.add_parser(
        WAKEWORD,
        help="the use: marked wake words suppressed, live ones not",
        description="Put wake words into programmes, mark them as 'embed --word' does, play them through rooms and "
        "noise, and ask a headset's gate (detector in C) whether to suppress them; with the same words unmarked, and "
        "live words beside other marks. Without such words in --audio, some cut out of the speech that ships with the "
        "package stand in. The same seed gives the same figures on any number of jobs.",
    )
    words.add_argument(
        "--audio", type=Path, metavar="DIR",
        help="folder with manifest.csv: programmes of kind speech, music and mixed, and words of kind wakeword",
    )  # fmt: skip
    common.add_rooms(words)
    words.add_argument(
        "--trials", type=int, default=WAKEWORD_TRIALS, metavar="N", help=f"default {WAKEWORD_TRIALS}, two marks each"
    )
    words.add_argument(
        "--limit", type=float, metavar="S", help="after the word's end the headset waits no longer; default 0.5"
    )
    words.add_argument("--strength", default="auto", metavar="auto|DB", help="of the marks; default auto")
    common.add_draws(words)
    words.add_argument("--json", action="store_true", help="print the result as JSON")
    words.add_argument(
        "--out", type=Path, metavar="DIR", help=f"write {WAKEWORD}.json and {WAKEWORD}.png into that new folder"
    )
    words.add_argument("--force", action="store_true", help="write into a folder that has something in it")
    words.set_defaults(run=run_wakeword)


def run_speed(args: argparse.Namespace) -> int:
    """Measure the speed; returns 0 where all targets are met."""
    from airmark import speed

    common.check_whole("--runs", args.runs, 1, 1000)
    result = speed.measure_apart(args.runs)
    rows = result["rows"]
    missed = [row for row in rows if row["target"] is not None and row["times_real_time"] < row["target"]]
    if args.json:
        print(json.dumps(result, indent=1))
        return int(bool(missed))
    print(f"{result['machine']}, one core; Python {result['python']}, numpy {result['numpy']}")
    print(f"{result['sound_s']:.1f} s of sound, median of {result['runs']} runs, CPU time")
    print(f"{'':32}{'rate':>8}{'channels':>10}{'x real time':>13}{'target':>8}")
    for row in rows:
        target = "" if row["target"] is None else f"{row['target']:8.0f}"
        print(f"{row['what']:32}{row['rate']:8}{row['channels']:10}{row['times_real_time']:13.1f}{target}")
    print("all targets met" if not missed else f"missed: {', '.join(row['what'] for row in missed)}")
    return int(bool(missed))


def run_null(args: argparse.Namespace) -> int:
    """Measure false alarms; returns 0."""
    from airmark import hardhosts, null
    from airmark.detector import check_built

    common.check_whole("--keys", args.keys, 1, 1 << 16)
    common.check_whole("--jobs", args.jobs, 1, 1024)
    common.check_whole("--seed", args.seed, 0, 2**64 - 1)
    if not null.LEAST_SCORE <= args.fit_from <= 6:
        raise AirmarkError(f"--fit-from {args.fit_from:g}: give a score from {null.LEAST_SCORE:g} to 6")
    if not args.audio and args.no_hosts:
        raise AirmarkError("nothing to listen to: give --audio DIR, or leave out --no-hosts")
    check_built(args.engine)
    units = null.recordings(args.audio) if args.audio else []
    started = time.process_time()
    heard: list[Heard] = []
    hosts: list[dict[str, Any]] = []
    with _kept(args.out, NULL, args.force) as keep, common.bar() as progress:
        task = progress.add_task("searching for keys", total=None)
        keys = null.keys_with_symmetries(args.keys, args.seed)
        progress.update(task, description="listening", total=len(units))
        heard = null.measure(units, keys, jobs=args.jobs, progress=lambda _: progress.advance(task), engine=args.engine)
        if not args.no_hosts:
            names = hardhosts.names()
            task = progress.add_task("sounds that repeat themselves", total=len(names))
            for name in names:
                hosts.append(null.hear_host(name, keys, args.engine))
                progress.advance(task)
        fit = _fit(heard, len(keys), args.fit_from, args.engine)
        result = _result(args, keys, heard, hosts, fit) | {"cpu_s": time.process_time() - started}
        refused = keep(result, lambda path: _picture(result, fit, path) if fit else None)
    if args.json:
        print(json.dumps(result, indent=1))
    else:
        _print(result)
    if refused:
        raise refused
    return 0


def run_profiles(args: argparse.Namespace) -> int:
    """Search for a better profile; returns 0."""
    from airmark import masking, materials, profilesearch, thresholds
    from airmark.version import __version__

    common.check_trials(args)
    strength = profilesearch.STRENGTH_DB if args.strength is None else args.strength
    if not masking.QUIETEST_DB <= strength <= masking.LOUDEST_DB:
        raise AirmarkError(f"--strength {strength:g}: give {masking.QUIETEST_DB:g} to {masking.LOUDEST_DB:g} dB")
    variants = profilesearch.variants(args.only)
    found = materials.gather(args.audio, args.rirs, args.noise, args.rt60_max)
    search = profilesearch.Search(found, variants, args.trials, strength, args.seed)
    started = time.monotonic()
    with _kept(args.out, PROFILES, args.force) as keep, common.trials_bar() as bar:
        task = bar.add_task("trials", total=args.trials)
        heard = profilesearch.run(search, args.jobs, lambda: bar.advance(task))
        result = {
            "airmark": __version__,
            "seed": args.seed,
            "strength_db": strength,
            "threshold": thresholds.threshold(1.0),
            "recordings": len({one.host for one in heard}),
            "rooms": len(found.rooms),
            "noises": len(found.noises),
            "seconds": time.monotonic() - started,
            "variants": profilesearch.summary(search, heard),
        }
        refused = keep(result, lambda path: profilesearch.picture(result["variants"], path))
    if args.json:
        print(json.dumps(result, indent=1, allow_nan=False))
    else:
        _print_profiles(result)
    if refused:
        raise refused
    return 0


def run_wakeword(args: argparse.Namespace) -> int:
    """Measure the use for headsets; returns 0."""
    from dataclasses import asdict

    import numpy as np

    from airmark import keysearch, materials, thresholds, wakeword
    from airmark.detector import check_built
    from airmark.version import __version__

    common.check_trials(args)
    limit_s = wakeword.LIMIT_S if args.limit is None else args.limit
    if not 0 <= limit_s <= wakeword.NO_LIMIT_S:
        raise AirmarkError(f"--limit {limit_s:g}: give 0 to {wakeword.NO_LIMIT_S:g} seconds")
    strength = common.strength(args.strength)
    check_built("c")
    found = materials.gather(args.audio, args.rirs, args.noise, args.rt60_max)
    clips = wakeword.clips(args.audio)
    started = time.monotonic()
    with _kept(args.out, WAKEWORD, args.force) as keep, common.trials_bar() as bar:
        task = bar.add_task("searching for keys", total=None)
        rng = np.random.default_rng(args.seed)
        key = keysearch.generate(rng=rng)
        plan = wakeword.Plan(
            found, tuple(clips), (key, keysearch.generate(rng=rng, apart_from=[key])), args.trials, limit_s, strength,
            args.seed,
        )  # fmt: skip
        bar.update(task, description="trials", total=args.trials)
        heard = wakeword.run(plan, args.jobs, lambda: bar.advance(task))
        result = {
            "airmark": __version__,
            "seed": args.seed,
            "trials": args.trials,
            "strength_db": strength,
            "limit_s": limit_s,
            "threshold": thresholds.threshold(thresholds.ONE_A_YEAR, 2, "c"),
            "words": len({one.word for one in heard}),
            "recordings": len({one.host for one in heard}),
            "rooms": len({one.room for one in heard}),
            "noises": len(found.noises),
            "seconds": time.monotonic() - started,
            "rows": wakeword.summary(plan, heard),
            "heard": [asdict(one) for one in heard],
        }
        refused = keep(result, lambda path: wakeword.picture(plan, heard, result["rows"], path))
    if args.json:
        print(json.dumps(result, indent=1, allow_nan=False))
    else:
        _print_wakeword(result)
    if refused:
        raise refused
    return 0


def _print_wakeword(result: dict[str, Any]) -> None:
    drawn = ", ".join(f"{result[name]} {name}" for name in ("words", "recordings", "rooms", "noises"))
    print(f"{result['trials']} trials, {drawn}; seed {result['seed']}, {result['seconds']:.0f} s")
    when = f"{'by its end':>12}{'too late':>10}   told after it, s"
    print(f"{'':46}{'decisions':>10}{'suppressed':>12}{'95 %':>16}{when}")
    for row in result["rows"]:
        count = f"{row['suppressed']} of {row['words']}"
        interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
        after = row["told_after_s"]
        told = "   {median:.2f}, 95 % {p95:.2f}, at most {max:.2f}".format(**after) if row["told"] else ""
        decisions = "early" if row["early"] else "whole"
        when = f"{row['told_before_end']:>12}{row['told_too_late']:>10}"
        print(f"{row['title']:46}{decisions:>10}{count:>12}{interval:>16}{when}{told}")
    print(
        f"suppressed: within {result['limit_s']:g} s after the word's end; by its end: marks told by then; too late:\n"
        f"told after the limit. Engine c, two keys, threshold {result['threshold']:.2f}, one false alarm a year;\n"
        "intervals: the wider of Wilson's and that over programmes. A negative time: told before the word\n"
        "ended. The wake-word engine is taken to be exact, and to report a word as it ends."
    )


def _print_profiles(result: dict[str, Any]) -> None:
    rows = result["variants"]
    levels = [f"{level['snr_db']:g}" for level in rows[0]["levels"]]
    print(
        f"{rows[0]['trials']} trials each in {result['recordings']} recordings, {result['rooms']} measured rooms, "
        f"{result['noises']} noises; strength {result['strength_db']:g} dB, seed {result['seed']}, "
        f"{result['seconds']:.0f} s"
    )
    print(f"{'noise under, dB:':18}{'median score':>21}{'found, %':>18}{'against the default (95 %)':>46}")
    print(
        f"{'':18}" + "".join(f"{level:>7}" for level in levels) + "".join(f"{level:>6}" for level in levels)
        + f"{'score':>24}{'found, points':>22}{'stages':>8}{'Zimtohrli':>11}"
    )  # fmt: skip
    for row in rows:
        scores = "".join(f"{level['median_score']:7.2f}" for level in row["levels"])
        shares = "".join(f"{100 * level['found']:6.0f}" for level in row["levels"])
        told = {"score": "", "found": ""}
        for name, scale, digits in (("score", 1, 2), ("found", 100, 1)):
            if "against_default" in row:
                values = (scale * row["against_default"][name][end] for end in ("value", "low", "high"))
                told[name] = "{:+.{d}f} ({:+.{d}f} {:+.{d}f})".format(*values, d=digits)
        staged = "-" if row["staged"] is None else f"{100 * row['staged']:.1f} %"
        zimtohrli = "-" if row["zimtohrli"] is None else f"{row['zimtohrli']:.3f}"
        print(f"{row['name']:18}{scores}{shares}{told['score']:>24}{told['found']:>22}{staged:>8}{zimtohrli:>11}")
    refused = rows[0]["refused"]
    print(
        f"found: a score of {result['threshold']:.2f} or more at the mark's place, one false alarm a day\n"
        "under the default profile; others look more or less often, which moves that by some 0.1. Against the\n"
        "default: means over the same trials at all levels, intervals over recordings. Stages: share of those found\n"
        "that the float engine, with all its stages, reports. Keys are random signs. "
        f"Refused: {refused} of the default's marks."
    )
    print(
        f"\n{'the detector':18}{'mark, s':>9}{'frames, bytes':>15}{'transforms a s':>16}{'work':>7}{'screen sums':>13}"
        f"{'confirm, words':>16}{'drifts':>8}"
    )
    for row in rows:
        cost = row["costs"]
        transforms = f"{cost['transforms_per_s']:g} of {cost['fft']}"
        print(
            f"{row['name']:18}{row['mark_s']:9.3f}{cost['frame_bytes']:15}{transforms:>16}{cost['transform_work']:7.2f}"
            f"{cost['screen_sums']:13}{cost['confirm_words']:16}{cost['template_drifts']:8}"
        )


@contextmanager
def _kept(
    out: Path | None, stem: str, force: bool
) -> Iterator[Callable[[dict[str, Any], Callable[[Path], None]], AirmarkError | None]]:
    """Before the work, so that a folder that can't be written is told at once; nothing is kept without a folder.

    Gives a function of the result and of what draws its picture into a file. What it returns is to be raised when the
    figures are printed, which took the time.
    """
    from airmark import folder

    if out is None:
        yield lambda result, draw: None
        return
    with folder.results(out, stem, force) as (part, put):

        def keep(result: dict[str, Any], draw: Callable[[Path], None]) -> AirmarkError | None:
            try:
                with folder.writing(out):
                    text = json.dumps(result, indent=1, allow_nan=False) + "\n"
                    (part / f"{stem}.json").write_text(text, encoding="utf-8")
                    draw(part / f"{stem}.png")
                put()
            except AirmarkError as refused:
                return refused
            return None

        yield keep


def _highest(events: Sequence[Event]) -> float | None:
    return max((event.score for event in events), default=None)


def _fit(heard: Sequence[Heard], keys: int, fitted_from: float, engine: str) -> Fit | None:
    """None where no event scores so much."""
    from airmark import null

    scores = [[event.score for event in one.events[engine]] for one in heard]
    if not any(score >= fitted_from for each in scores for score in each):
        return None
    return null.fit(scores, [one.seconds / 86400 * keys for one in heard], fitted_from, engine=engine)


def _result(
    args: argparse.Namespace,
    keys: Sequence[Key],
    heard: Sequence[Heard],
    hosts: list[dict[str, Any]],
    fit: Fit | None,
) -> dict[str, Any]:
    """Everything as JSON; without recordings, or a fit, what there is."""
    from airmark import null, thresholds

    seconds_a_frame = keys[0].profile.hop / keys[0].profile.rate
    # Where the full engine listened, its events are all that there are.
    most = "full" if "full" in null.heard_by(args.engine) else args.engine
    highest = sorted(((e, one.name) for one in heard for e in one.events[most]), key=lambda x: -x[0].score)[:50]
    result: dict[str, Any] = {
        "keys": len(keys),
        "seed": args.seed,
        "engine": args.engine,
        "least_score": null.LEAST_SCORE,
        "one_a_year": thresholds.threshold(thresholds.ONE_A_YEAR, engine=args.engine),
        "hours": sum(one.seconds for one in heard) / 3600,
        "key_hours": sum(one.seconds for one in heard) / 3600 * len(keys),
        "broken": [text for one in heard for text in one.broken],
        "hosts": hosts,
    }
    if heard:
        result |= {
            "fit_from": args.fit_from,
            "recordings": [
                {
                    "name": one.name,
                    "seconds": one.seconds,
                    "events_from_fit": sum(e.score >= args.fit_from for e in one.events[most]),
                    "highest": {engine: _highest(events) for engine, events in one.events.items()},
                }
                for one in heard
            ],
            "highest_events": [
                {"score": e.score, "recording": name, "time_s": e.place * seconds_a_frame, "key": e.key}
                for e, name in highest
            ],
            "histogram": null.histogram(e.score for one in heard for e in one.events[most]),
        }
    if fit:
        others = null.heard_by(args.engine)[1:]
        counts = [
            {f"{other}_events": sum(e.score >= z for one in heard for e in one.events[other]) for other in others}
            for z in null.THRESHOLDS
        ]
        result |= {
            "looks_a_day": {"fitted_from": fit.fitted_from, "value": fit.looks_a_day, "low": fit.low, "high": fit.high},
            "levels": [level._asdict() | count for level, count in zip(fit.levels, counts, strict=True)],
        }
    return result


def _print(result: dict[str, Any]) -> None:
    from airmark import null

    others = null.heard_by(result["engine"])[1:]
    if "recordings" in result:
        print(
            f"{result['hours']:.2f} h of sound, {result['keys']} keys (seed {result['seed']}): "
            f"{result['key_hours']:.0f} key-hours"
        )
    if "levels" in result:
        looks = result["looks_a_day"]
        print(
            f"independent looks a day and key, {result['engine']} engine, fitted from {looks['fitted_from']:g}: "
            f"{looks['value']:.3g} (95 %: {looks['low']:.3g} to {looks['high']:.3g})"
        )
        more = "".join(f"{other:>8}" for other in others)
        print(f"{'score':>6}{'events':>8}{'a key-day':>11}{'expected':>10}{'ratio':>7} {'95 %':>17}{more}")
        for row in result["levels"]:
            interval = f"{row['low']:.2f} to {row['high']:.2f}"
            more = "".join(f"{row[f'{other}_events']:8}" for other in others)
            print(
                f"{row['threshold']:6.2f}{row['events']:8}{row['per_key_day']:11.3g}{row['expected']:10.3g}"
                f"{row['ratio']:7.2f} {interval:>17}{more}"
            )
    elif "recordings" in result:
        print(f"no event from a score of {result['fit_from']:g} on, so no fit: give more keys or more recordings")
    if "recordings" in result:
        for text in result["broken"]:
            print(f"heard only in part: {one_line(text)}")
        print("highest events:")
        for event in result["highest_events"][:8]:
            print(f"{event['score']:6.2f}  {one_line(event['recording'])} at {event['time_s']:.1f} s")
    if result["hosts"]:
        engines = null.heard_by(result["engine"])
        heads = [f"{name}:" + "".join(f"{engine:>7}" for engine in engines) for name in ("highest", "over one a year")]
        print(f"\n{'sounds that repeat themselves':40}{heads[0]:>24}{heads[1]:>32}")
        for row in result["hosts"]:
            scores = [row["highest"][engine] for engine in engines]
            low = f"< {result['least_score']:g}"
            told = "".join(f"{low if score is None else f'{score:.2f}':>7}" for score in scores)
            over = "".join(f"{row['over_one_a_year'][engine]:7}" for engine in engines)
            print(f"{row['host']:40}{told:>24}{over:>32}")


def _picture(result: dict[str, Any], fit: Fit, path: Path) -> None:
    """Write it."""
    import numpy as np
    from matplotlib.figure import Figure

    from airmark import thresholds

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    counted = [level for level in fit.levels if level.events]
    z = np.linspace(fit.levels[0].threshold, 7, 200)
    tail = np.array([thresholds.tail(score, result["engine"]) for score in z])
    axes.fill_between(z, fit.low * tail, fit.high * tail, alpha=0.25, color="C0")
    axes.plot(z, fit.looks_a_day * tail, color="C0", label=f"{fit.looks_a_day:.3g} looks a day (airmark.thresholds)")
    rate = np.array([level.per_key_day for level in counted])
    per_event = rate / np.array([level.ratio for level in counted])
    low, high = (per_event * np.array([getattr(level, end) for level in counted]) for end in ("low", "high"))
    axes.errorbar(
        [level.threshold for level in counted], rate, (np.maximum(rate - low, 0), np.maximum(high - rate, 0)),
        fmt="o", color="C1", capsize=3, label=f"measured, {result['engine']} engine",
    )  # fmt: skip
    for name, a_day in (("one a day", 1.0), ("one a month", 12 / 365.25), ("one a year", 1 / 365.25)):
        axes.axhline(a_day, color="0.6", linewidth=0.8)
        axes.text(7, a_day, name, ha="right", va="bottom", color="0.4", fontsize="small")
    axes.set(yscale="log", xlabel="threshold (score)", ylabel="false alarms a day and key", xlim=(z[0] - 0.1, 7))
    axes.set_title(f"Sound without a mark: {result['key_hours']:.0f} key-hours, {result['hours']:.2f} h of recordings")
    axes.legend()
    figure.savefig(path, format="png", dpi=130)
