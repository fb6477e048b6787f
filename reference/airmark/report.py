"""The report of an evaluation: the figures, and the text around them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from airmark import evaluate, intervals, null, thresholds
from airmark.embedder import FIXED_DB, QUALITY_MARGIN_S
from airmark.errors import AirmarkError
from airmark.evaluate import LEAST_SCORE, Condition, Made, Outcome, Plan, Trial, Way

Table = dict[str, Any]

METRICS = {"snr_db": "SNR, dB", "zimtohrli": "Zimtohrli", "pesq_wb": "PESQ-WB (speech)", "visqol": "ViSQOL"}
FLOORS = {"visqol": ("mean", 4.70), "pesq_wb": ("mean", 4.2), "zimtohrli": ("worst_tenth", 4.95)}
"""What marked sound has to keep, and in which figure."""
FIGURES = {"mean": "mean", "worst_tenth": "worst tenth's mean"}
NONE = "-"
"""In a table, what there is no figure for."""
NEVER_S = 1e9
"""Time to detect a mark that was missed: the median is over all trials, not over those that went well."""
WORST = 0.1
FIT_EVENTS = 20
"""Events a fit of the false alarms starts from, at the highest of FIT_FROM that has so many."""
FIT_FROM = (5.0, 4.5, 4.0)
RATES = (("a day", 1.0), ("a month", 12 / 365.25), ("a year", thresholds.ONE_A_YEAR))
PREDICTED_IN = "rooms-20"
"""Condition in which predicted and measured scores are compared."""


def summary(plan: Plan, outcome: Outcome, about: Table) -> Table:
    """All figures. about: what the run was, as JSON takes it."""
    return {
        "run": about | {"seconds": round(outcome.seconds, 1)},
        "materials": _materials(plan),
        "threshold": plan.threshold,
        "false_alarms_per_day": thresholds.per_day(plan.threshold, engine=plan.engines[0]),
        "engines": {engine: _engine(plan, outcome.trials, engine) for engine in plan.engines},
        "conditions": [_condition(plan, outcome.trials, condition) for condition in plan.conditions],
        "quality": _quality(outcome.made),
        "prediction": _prediction(plan, outcome.trials),
        "null": {
            "unmarked": _null(outcome.unmarked, about["null_keys"], plan),
            "other_keys": _null(outcome.other_keys, about["null_keys"], plan),
            "hard_hosts": outcome.hard_hosts,
        },
    }


def score(plan: Plan, trial: Trial, engine: str | None = None) -> float:
    """A trial's score, -inf where nothing was found at its place."""
    found = trial.scores.get(engine or plan.engines[0])
    return -math.inf if found is None else found


def is_found(plan: Plan, trial: Trial, engine: str | None = None) -> bool:
    """Whether a trial's mark is found at the threshold."""
    return score(plan, trial, engine) >= plan.threshold_of(engine)


def _engine(plan: Plan, trials: Sequence[Trial], engine: str) -> Table:
    at = plan.threshold_of(engine)
    return {
        "threshold": at,
        "false_alarms_per_day": thresholds.per_day(at, engine=engine),
        "later_ms": _later(plan, [trial for trial in trials if not trial.baseline], engine),
    }


def _later(plan: Plan, trials: Sequence[Trial], engine: str) -> Table:
    """How much later than the first engine's an engine's decision comes, where both found the mark."""
    pairs = [(t.latencies_s.get(engine), t.latencies_s.get(plan.engines[0])) for t in trials]
    later = np.array([1000 * (own - first) for own, first in pairs if own is not None and first is not None])
    if not len(later):
        return {"marks": 0, "median": None, "p95": None, "max": None}
    median, p95 = np.percentile(later, (50, 95))
    return {"marks": len(later), "median": float(median), "p95": float(p95), "max": float(later.max())}


def _loses(plan: Plan, trials: Sequence[Trial], engine: str) -> Table:
    """How many points less of the same trials an engine finds than the first one does."""
    found = np.array([(is_found(plan, trial), is_found(plan, trial, engine)) for trial in trials], float).reshape(-1, 2)
    less = 100 * (found[:, 0] - found[:, 1])
    low, high = intervals.by_recordings(np.mean, less, [trial.host for trial in trials], resampled=intervals.RESAMPLED)
    return {
        "mean": float(less.mean()) if len(less) else None,
        "low": _known(low),
        "high": _known(high),
        "lost": int((less > 0).sum()),
        "gained": int((less < 0).sum()),
    }


def _share(plan: Plan, trials: Sequence[Trial], engine: str | None = None) -> Table:
    hits = [is_found(plan, trial, engine) for trial in trials]
    hosts = [trial.host for trial in trials]
    low, high = intervals.share(hits, hosts)
    return {
        "trials": len(hits),
        "refused": sum(trial.refused for trial in trials),
        "found": sum(hits),
        "share": sum(hits) / len(hits) if hits else None,
        "low": low,
        "high": high,
        "wilson": intervals.wilson(sum(hits), len(hits)),
        "by_recordings": intervals.share_by_recordings(hits, hosts),
    }


def _condition(plan: Plan, trials: Sequence[Trial], condition: Condition) -> Table:
    mine = [trial for trial in trials if trial.condition == condition.name]
    ours = [trial for trial in mine if not trial.baseline]
    share = _share(plan, ours)
    times = np.array([NEVER_S if trial.latency_s is None else trial.latency_s for trial in ours])
    median = middle(times) if len(times) else NEVER_S
    low, high = intervals.by_recordings(middle, times, [trial.host for trial in ours])
    met = None if condition.target is None or share["share"] is None else share["share"] >= condition.target
    if condition.target_s is not None and len(times):
        met = median <= condition.target_s
    rooms = {trial.room: (trial.distance_m, trial.rt60_s) for trial in ours if trial.room}
    recipe = plan.recipe(condition, False)
    return {
        "name": condition.name,
        "title": condition.title,
        "pattern": recipe.pattern,
        "strength_db": recipe.strength_db,
        "target": condition.target,
        "target_s": condition.target_s,
        "met": met,
        "enough_trials": len(ours) >= condition.full_trials,
        "needed_trials": condition.full_trials,
        **share,
        "elsewhere": sum(trial.elsewhere for trial in ours),
        "baseline": _share(plan, [trial for trial in mine if trial.baseline]),
        "engines": {
            engine: _share(plan, ours, engine)
            | {"later_ms": _later(plan, ours, engine), "loses_points": _loses(plan, ours, engine)}
            for engine in plan.engines
        },
        "ways": {way.name: _share(plan, [t for t in ours if t.way == way.name]) for way in condition.ways if way.name},
        "kinds": {kind: _share(plan, [t for t in ours if t.kind == kind]) for kind in sorted({t.kind for t in ours})},
        "rooms": len(rooms),
        "rooms_simulated": bool(condition.room)
        and not evaluate.measured_rooms(plan.materials.rooms, condition)
        and bool(rooms),
        "median_s": _known(median, 60.0),
        "median_s_interval": [_known(low, 60.0), _known(high, 60.0)],
    }


def middle(values: Any) -> float:
    """The lower middle, so that it never lies between a time and NEVER_S."""
    return float(np.sort(values)[(len(values) - 1) // 2])


def _known(value: float, limit: float = math.inf) -> float | None:
    """None for what JSON has no number for, and over a limit."""
    return float(value) if math.isfinite(value) and value <= limit else None


def _quality(made: Iterable[Made]) -> list[Table]:
    rows: dict[tuple[str, float | None, int], list[Made]] = {}
    for one in made:
        if not one.refused:
            recipe = one.recipe
            rows.setdefault((recipe.pattern, recipe.strength_db, recipe.marks), []).append(one)
    out = []
    for (pattern, strength, marks), ones in rows.items():
        kinds = sorted({one.kind for one in ones})
        for kind in ("all", *kinds):
            for metric in METRICS:
                some = [one for one in ones if kind in ("all", one.kind) and getattr(one, metric) is not None]
                if some and (kind == "all" or metric in ("snr_db", "zimtohrli")):
                    about = {"pattern": pattern, "strength_db": strength, "marks": marks, "kind": kind}
                    out.append(about | {"metric": metric} | _spread(metric, some))
    return out


def _spread(metric: str, made: Sequence[Made]) -> Table:
    # Where nothing was added the SNR is infinite; nothing can be a hundred dB under at 16 bit.
    values = np.minimum(np.array([getattr(one, metric) for one in made], float), 100.0)
    low, high = intervals.by_recordings(np.mean, values, [one.host for one in made])
    worst = np.sort(values)[: max(1, round(WORST * len(values)))]
    figures = {
        "n": len(values),
        "mean": float(values.mean()),
        "low": low,
        "high": high,
        "p10": float(np.percentile(values, 10)),
        "worst_tenth": float(worst.mean()),
        "worst": float(worst[0]),
    }
    which, floor = FLOORS.get(metric, ("", None))
    return figures | {"floor": floor, "met": None if floor is None else figures[which] >= floor}


def _prediction(plan: Plan, trials: Sequence[Trial]) -> Table | None:
    some = predicted_trials(trials)
    if len(some) < 3:
        return None
    return {
        "condition": PREDICTED_IN,
        "trials": len(some),
        **_correlation([(trial.predicted, _known_score(plan, trial), trial.host) for trial in some]),
        "under_least_score": sum(_known_score(plan, trial) <= LEAST_SCORE for trial in some),
        **_over_rooms(plan, trials),
    }


def _over_rooms(plan: Plan, trials: Sequence[Trial]) -> Table:
    """The same for marks in all their rooms at 20 dB, trial by trial and for the mean score of each mark.

    Of one room chance has a larger share. None for both where there are fewer than two such conditions.
    """
    rooms = [c for c in plan.conditions if c.room and c.snr_db == 20 and c.pattern is None and c.ways == (Way(),)]
    names = [c.name for c in rooms]
    marks: dict[int, list[Trial]] = {}
    for trial in trials:
        if trial.condition in names and not trial.baseline and trial.predicted is not None:
            marks.setdefault(trial.index, []).append(trial)
    every = [mark for mark in marks.values() if len(mark) == len(names)]
    if len(names) < 2 or len(every) < 3:
        return {"all_rooms": None, "mean_over_rooms": None}
    each = [(trial.predicted, _known_score(plan, trial), trial.host) for mark in every for trial in mark]
    scores = np.reshape([score for _, score, _ in each], (len(every), len(names)))
    means = [
        (mark[0].predicted, float(mean), mark[0].host) for mark, mean in zip(every, scores.mean(axis=1), strict=True)
    ]
    return {
        "all_rooms": {"conditions": names, "trials": len(each), **_correlation(each)},
        "mean_over_rooms": {"conditions": names, "marks": len(every), **_correlation(means)},
    }


def _known_score(plan: Plan, trial: Trial) -> float:
    return max(LEAST_SCORE, score(plan, trial))


def _correlation(found: Sequence[tuple[float | None, float, str]]) -> Table:
    """Spearman's of predicted and measured score, with its interval over recordings. found: also the recording."""
    pairs = np.array([pair[:2] for pair in found], float)
    low, high = intervals.by_recordings(_rho, pairs, [pair[2] for pair in found])
    return {"spearman": _known(_rho(pairs)), "low": _known(low), "high": _known(high)}


def predicted_trials(trials: Sequence[Trial]) -> list[Trial]:
    """The trials in which predicted and measured scores are compared."""
    return [t for t in trials if t.condition == PREDICTED_IN and not t.baseline and t.predicted is not None]


def _told_rho(found: Table) -> str:
    return f"{_or_dash(found['spearman'])} (95 %: {_or_dash(found['low'])} to {_or_dash(found['high'])})"


def _rho(pairs: Any) -> float:
    if np.ptp(pairs[:, 0]) == 0 or np.ptp(pairs[:, 1]) == 0:
        return math.nan
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


def _null(heard: Sequence[null.Heard], keys: int, plan: Plan) -> Table | None:
    heard = [one for one in heard if one.seconds]
    if not heard:
        return None
    engine = plan.engines[0]
    scores = [[event.score for event in one.events.get(engine, [])] for one in heard]
    days = [one.seconds / 86400 * keys for one in heard]
    total = sum(days)
    table: Table = {
        "engine": engine,
        "keys": keys,
        "recordings": len(heard),
        "hours": sum(one.seconds for one in heard) / 3600,
        "key_hours": total * 24,
        "highest": max((value for each in scores for value in each), default=None),
        "thresholds": [],
        "fit": None,
        "levels": [],
    }
    for name, rate in RATES:
        at = thresholds.threshold(rate, engine=engine)
        events = sum(value >= at for each in scores for value in each)
        table["thresholds"].append(
            {"rate": name, "threshold": at, "events": events, "expected": thresholds.per_day(at, engine=engine) * total}
        )
    start = next((z for z in FIT_FROM if sum(v >= z for each in scores for v in each) >= FIT_EVENTS), FIT_FROM[-1])
    try:
        fit = null.fit(scores, days, start, plan.seed, engine)
    except AirmarkError:  # not one event
        return table
    most = thresholds.per_day(thresholds.LEAST_C, engine=engine)
    table["fit"] = {
        "from": fit.fitted_from,
        "looks_a_day": fit.looks_a_day,
        "low": fit.low,
        "high": fit.high,
        "threshold": {
            name: thresholds.threshold(min(rate * thresholds.LOOKS_A_DAY / fit.looks_a_day, most), engine=engine)
            for name, rate in RATES
        },
    }
    table["levels"] = [level._asdict() for level in fit.levels]
    return table


def _materials(plan: Plan) -> Table:
    found = plan.materials
    return {
        "hosts": {
            kind: sum(host.kind == kind for host in found.hosts) for kind in sorted({h.kind for h in found.hosts})
        },
        "host_minutes": sum(host.seconds for host in found.hosts) / 60,
        "rooms": [{"name": r.name, "distance_m": r.distance_m, "rt60_s": round(r.rt60_s, 2)} for r in found.rooms],
        "rooms_left_out": [{"name": r.name, "rt60_s": round(r.rt60_s, 2)} for r in found.reverberant],
        "noises": [path.stem for path in found.noises],
    }


def percent(value: float | None, digits: int = 1) -> str:
    """A share as text."""
    return NONE if value is None else f"{100 * value:.{digits}f} %"


def interval(row: Table) -> str:
    """A share's interval as text."""
    return f"{100 * row['low']:.1f} to {100 * row['high']:.1f}" if row["trials"] else NONE


def verdict(row: Table) -> str:
    """Whether a row meets its target, and whether its trials can tell."""
    if row["met"] is None:
        return NONE
    return ("met" if row["met"] else "not met") + ("" if row["enough_trials"] else " *")


def target(row: Table) -> str:
    """A row's target as text."""
    if row["target_s"] is not None:
        return f"median ≤ {row['target_s']:g} s"
    return NONE if row["target"] is None else f"≥ {100 * row['target']:g} %"


def figure(row: Table) -> str:
    """What a row's target is about, as text."""
    if row["target_s"] is not None:
        return f"{percent(row['share'])}, {_seconds(row)}"
    return percent(row["share"])


def _seconds(row: Table) -> str:
    return "no median" if row["median_s"] is None else f"median {row['median_s']:.2f} s"


def markdown(plan: Plan, table: Table, pictures: Sequence[tuple[str, str]], notes: Sequence[str]) -> str:
    """The report as Markdown. pictures: file and caption."""
    run, found = table["run"], table["materials"]
    hosts = ", ".join(f"{count} {kind}" for kind, count in found["hosts"].items())
    out = [
        "# How often marks are found, and how well they hide",
        f"`{run['command']}`, airmark {run['airmark']}, {run['date']}, seed {run['seed']}, {run['seconds']:.0f} s on "
        f"{run['jobs']} jobs.",
        f"Recordings marked: {hosts} ({found['host_minutes']:.0f} min). Measured rooms: {len(found['rooms'])}, with an "
        f"RT60 of at most {run['rt60_max_s']:g} s ({len(found['rooms_left_out'])} more reverberant ones left out). "
        f"Noises: {len(found['noises'])}.",
        f"In every trial one mark of {_mark_s(plan):.2f} s was put at a random place into a random recording, sent the "
        "way its row names, and looked for. It counts as found where the detector reports it within one repetition of "
        f"its true place with a score of at least {plan.threshold:.2f}, the threshold at which "
        f"sound without marks fires {table['false_alarms_per_day']:.3g} times a day and key. A mark that could not be "
        "made is a miss, listed as "
        f"refused. Clocks are up to {evaluate.DRIFT_PPM:g} ppm apart in every row; wherever sound goes through air, a "
        "small loudspeaker (150 Hz to 10 kHz) plays it and the receiver's level is random.",
        *[f"Note: {note}." for note in notes],
        "## Found",
        _rows(
            ("condition", "trials", "refused", "found", "95 %", "target", "", f"{evaluate.BASELINE} pattern", "95 %"),
            [
                (
                    row["title"] + (" †" if row["rooms_simulated"] and "simulated" not in row["name"] else ""),
                    row["trials"],
                    row["refused"],
                    figure(row),
                    interval(row),
                    target(row),
                    verdict(row),
                    f"{percent(row['baseline']['share'])} of {row['baseline']['trials']}",
                    interval(row["baseline"]),
                )
                for row in table["conditions"]
            ],
        ),
        f"The `{evaluate.BASELINE}` pattern is the published scheme's, embedded at {FIXED_DB:g} dB; its trials use the "
        "same hosts, places, rooms and noises. Intervals are the wider ends of Wilson's and of a bootstrap over "
        "recordings. Rows share their marks: trial 1 of every row hears the same mark, so rows are comparable, not "
        "independent.",
    ]
    if any(row["met"] is not None and not row["enough_trials"] for row in table["conditions"]):
        out.append(
            "\\* fewer trials than the target asks for "
            f"({', '.join(sorted({str(r['needed_trials']) for r in table['conditions']}))}; `--full`): "
            "the point estimate says little."
        )
    if any(row["rooms_simulated"] and "simulated" not in row["name"] for row in table["conditions"]):
        out.append("† simulated rooms: no measured one is that far away.")
    elsewhere = sum(row["elsewhere"] for row in table["conditions"])
    out.append(f"Detections over the threshold away from any mark, in all rows together: {elsewhere}.")
    out += _details(plan, table)
    out += ["## Quality", *_quality_text(table)]
    out += ["## Time and prediction", *_time_text(table)]
    out += ["## False alarms", *_null_text(plan, table)]
    out += ["## Pictures", *(f"![{caption}]({file})\n\n{caption}." for file, caption in pictures)]
    out.append("`report.json` has every figure of this page, `trials.csv` every trial, `marks.csv` every mark.")
    return "\n\n".join(out) + "\n"


def _mark_s(plan: Plan) -> float:
    profile = plan.keys[0].profile
    return profile.mark_samples / profile.rate


def _points(loses: Table) -> tuple[str, str]:
    if loses["mean"] is None:
        return NONE, NONE
    mean, low, high = (f"{round(loses[name], 1) + 0.0:.1f}" for name in ("mean", "low", "high"))
    return mean, f"{low} to {high}"


def _details(plan: Plan, table: Table) -> list[str]:
    out = []
    if len(plan.engines) > 1:
        head = ("found, same received sound", "trials", *plan.engines)
        engines = table["engines"]
        rows = [
            ("threshold", "", *(f"{engines[e]['threshold']:.2f}" for e in plan.engines)),
            ("false alarms a day", "", *(f"{engines[e]['false_alarms_per_day']:.3g}" for e in plan.engines)),
            *(
                (r["title"], r["trials"], *(percent(r["engines"][e]["share"]) for e in plan.engines))
                for r in table["conditions"]
            ),
        ]
        out += ["### By engine", _rows(head, rows)]
        for engine in plan.engines[1:]:
            head = (f"{engine} against {plan.engines[0]}", "loses, points", "95 %", "marks lost", "gained")
            less = [(r["title"], r["engines"][engine]["loses_points"]) for r in table["conditions"]]
            out.append(_rows(head, [(title, *_points(one), one["lost"], one["gained"]) for title, one in less]))
            later = [(r["title"], r["engines"][engine]["later_ms"]) for r in table["conditions"]]
            later.append(("all", engines[engine]["later_ms"]))
            head = (f"{engine}: decision later than {plan.engines[0]}", "marks", "median, ms", "95 %, ms", "most, ms")
            figures = [
                (title, one["marks"], *(_whole(one[name]) for name in ("median", "p95", "max"))) for title, one in later
            ]
            out.append(_rows(head, figures))
        out.append(
            "Points: of the same trials, intervals over recordings; negative is found more often. "
            f"Later: over the marks that both told before the sound's end, by the ends of the blocks of "
            f"{1000 * evaluate.BLOCK_S:g} ms in which they did; negative is earlier."
        )
    ways = [(r["title"].split(":")[0], n, s) for r in table["conditions"] for n, s in r["ways"].items()]
    if ways:
        rows = [(title, name, s["trials"], percent(s["share"]), interval(s)) for title, name, s in ways]
        out += ["### By way", _rows(("condition", "way", "trials", "found", "95 %"), rows)]
    kinds = sorted({kind for row in table["conditions"] for kind in row["kinds"]})
    rows = [
        (r["title"], *(f"{percent(s['share'])} of {s['trials']}" if (s := r["kinds"].get(k)) else NONE for k in kinds))
        for r in table["conditions"]
    ]
    return [*out, "### By kind of recording", _rows(("found", *kinds), rows)]


def _quality_text(table: Table) -> list[str]:
    rows = []
    main = table["quality"][0]["pattern"] if table["quality"] else ""
    for q in table["quality"]:
        if q["kind"] != "all" and (q["pattern"] != main or q["marks"] > 1):
            continue
        strength = "auto" if q["strength_db"] is None else f"{q['strength_db']:g} dB"
        in_a_row = "" if q["marks"] == 1 else f", {q['marks']} in a row"
        floor, digits = NONE, 1 if q["metric"] == "snr_db" else 3
        if q["floor"] is not None:
            floor = f"{FIGURES[FLOORS[q['metric']][0]]} ≥ {q['floor']:.2f}: {'met' if q['met'] else 'not met'}"
        rows.append(
            (
                f"{q['pattern']} {strength}{in_a_row}",
                METRICS[q["metric"]],
                q["kind"],
                q["n"],
                f"{q['mean']:.{digits}f} ({q['low']:.{digits}f} to {q['high']:.{digits}f})",
                *(f"{q[name]:.{digits}f}" for name in ("p10", "worst_tenth", "worst")),
                floor,
            )
        )
    head = ("marks", "measure", "kind", "n", "mean (95 %)", "10th percentile", "worst tenth's mean", "worst", "floor")
    return [
        f"Over each mark and {QUALITY_MARGIN_S:g} s on either side. 5 is the best of Zimtohrli, 4.64 of "
        f"PESQ-WB, 4.73 of ViSQOL (which judges one mark in {evaluate.VISQOL_EVERY}); the floors hold for all kinds.",
        _rows(head, rows),
    ]


def _time_text(table: Table) -> list[str]:
    rows = [(r["title"], r["trials"], _or_dash(r["median_s"])) for r in table["conditions"]]
    out = [
        "Time from the start of the mark in the received sound to the block of 10 ms after which the detector reports "
        "it; a missed mark counts as never found, so where half are missed there is no median.",
        _rows(("condition", "trials", "median, s"), rows),
    ]
    p = table["prediction"]
    if p is not None:
        out.append(
            f"Predicted against measured score in `{p['condition']}`, {p['trials']} trials: Spearman's rank "
            f"correlation {_told_rho(p)}; "
            f"{p['under_least_score']} scored under {LEAST_SCORE:g} and tie there."
        )
        each, mean = p["all_rooms"], p["mean_over_rooms"]
        if mean is not None:
            out.append(
                f"Over all {each['trials']} trials of {', '.join(each['conditions'])} it is {_told_rho(each)}; of one "
                f"room chance has a large share, and against the mean score of each of the {mean['marks']} marks in "
                f"these it is {_told_rho(mean)}."
            )
    return out


def _null_text(plan: Plan, table: Table) -> list[str]:
    nulls, out = table["null"], []
    if nulls["unmarked"] is None:
        return ["Not measured in this run (`--null-keys 0`)."]
    out.append(
        "On unmarked sound the score is taken to be standard normal at every look, and the number of independent looks "
        f"a day and key to be {thresholds.LOOKS_A_DAY:.2g}, of which the integer engines refuse the more, the lower "
        "the score is; that sets the thresholds. The fit below is this run's own: the same tail, its looks "
        "fitted to this run's events. Keys on the same recording are not independent, so intervals are bootstrapped "
        "over recordings."
    )
    for title, one in (("Unmarked sound", nulls["unmarked"]), ("Sound with other keys' marks", nulls["other_keys"])):
        if one is None:
            continue
        out.append(
            f"### {title}\n\n{one['keys']} keys, {one['recordings']} recordings, {one['hours']:.2f} h, "
            f"{one['key_hours']:.1f} key-hours, {one['engine']} engine; highest score "
            f"{_highest(one['highest'])}."
        )
        rows = [
            (f"one {t['rate']}", f"{t['threshold']:.2f}", t["events"], f"{t['expected']:.2g}")
            for t in one["thresholds"]
        ]
        out.append(_rows(("threshold for", "score", "false alarms", "expected"), rows))
        if one["fit"] is not None:
            fit = one["fit"]
            fitted = ", ".join(f"{value:.2f} for one {name}" for name, value in fit["threshold"].items())
            out.append(
                f"Fitted from {fit['from']:g}: {fit['looks_a_day']:.2g} looks a day "
                f"(95 %: {fit['low']:.2g} to {fit['high']:.2g}), so thresholds of {fitted}."
            )
            levels = [
                (
                    f"{level['threshold']:.2f}",
                    level["events"],
                    f"{level['per_key_day']:.3g}",
                    f"{level['expected']:.3g}",
                    f"{level['ratio']:.2f} ({level['low']:.2f} to {level['high']:.2f})",
                )
                for level in one["levels"]
                if level["expected"] >= 0.1 or level["events"]
            ]
            out.append(_rows(("score from", "events", "a key-day", "fit expects", "ratio (95 %)"), levels))
    hosts = nulls["hard_hosts"]
    engines = sorted(null.heard_by(plan.engines[0]))
    fired = sum(any(row["over_one_a_year"][e] for e in engines) for row in hosts)
    highest = sorted(hosts, key=lambda row: -max(row["highest"][e] or 0 for e in engines))
    rows = [
        (row["host"], *(_highest(row["highest"][e]) for e in engines), *(row["over_one_a_year"][e] for e in engines))
        for row in highest[:12]
    ]
    out += [
        f"### Sounds that repeat themselves\n\n{len(hosts)} sounds made to fool the detector; {fired} fire at the "
        "threshold for one false alarm a year. The highest:",
        _rows(("sound", *(f"highest, {e}" for e in engines), *(f"over one a year, {e}" for e in engines)), rows),
    ]
    return out


def _or_dash(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _whole(value: float | None) -> str:
    return NONE if value is None else f"{value:.0f}"


def _highest(value: float | None) -> str:
    return f"< {null.LEAST_SCORE:g}" if value is None else f"{value:.2f}"


def _rows(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
