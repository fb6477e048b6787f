"""The pictures of an evaluation, by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm, spearmanr

from airmark import evaluate, intervals, report, thresholds
from airmark.evaluate import LEAST_SCORE, Outcome, Plan, Trial
from airmark.plot import INK, LIMIT, MARKED, UNMARKED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (MARKED, "#E69F00", "#009E73", UNMARKED, "#56B4E9", "#CC79A7", "#000000")
"""Okabe and Ito's (2008), which people of all kinds of colour vision tell apart."""
OURS, THEIRS = "Airmark", "noise pattern, as published"
SIZE_IN = (9.0, 5.6)
PANELS = 4
"""Side by side."""
HIGHEST_SCORE = 6.8
"""Of the thresholds drawn."""
DPI = 110
ALPHA = 0.15
LEAST_MISSES = 0.0005
"""Lower end of the axes of misses; no misses are drawn there."""
TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99)
DISTANCES_M = (0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0)
RT60S_S = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.3, 3.0)
DRIFTS_PPM = (-100.0, -60.0, -20.0, 20.0, 60.0, 100.0)
ROOM_TRIALS = ("rooms-20", "far", "far-simulated", "time")
"""Conditions of one adaptive mark in a room at 20 dB: what distance, RT60 and drift are looked at in."""


def pictures(plan: Plan, outcome: Outcome, table: dict[str, Any], folder: Path) -> list[tuple[str, str]]:
    """Draw what there are figures for; returns each file's name and its caption."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    room = [t for t in outcome.trials if t.condition in ROOM_TRIALS]
    noisy = [t for t in outcome.trials if t.condition.startswith("rooms-")]
    far = [t for t in room if t.distance_m is not None]
    at_20 = "one mark in a room, noise 20 dB under"
    jobs: list[tuple[str, str, bool, Callable[[Figure], None]]] = [
        ("found.png", "Marks found in each condition, with 95 % intervals and targets", bool(outcome.trials),
         lambda figure: _found(figure, table)),
        ("det.png", "Misses against false alarms a day, by threshold; bands are Wilson's 95 % intervals",
         bool(outcome.trials), lambda figure: _det(figure, plan, outcome.trials)),
        ("distance.png", f"Misses against distance, {at_20}", bool(far),
         lambda figure: _misses(figure, plan, far, "distance, m", DISTANCES_M, lambda t: t.distance_m)),
        ("rt60.png", f"Misses against RT60, {at_20}", bool(room),
         lambda figure: _misses(figure, plan, room, "RT60, s", RT60S_S, lambda t: t.rt60_s)),
        ("noise.png", "Misses against the level of the noise, in measured rooms", bool(noisy),
         lambda figure: _misses(figure, plan, noisy, "sound over noise, dB", None, lambda t: t.snr_db)),
        ("drift.png", f"Misses against drift, {at_20}", bool(room),
         lambda figure: _misses(figure, plan, room, "clock fast by, ppm", DRIFTS_PPM, lambda t: t.drift_ppm)),
        ("time.png", "Time from the mark's start to its detection", bool(outcome.trials),
         lambda figure: _times(figure, plan, outcome.trials)),
        ("prediction.png", "The embedder's predicted score against the one measured", table["prediction"] is not None,
         lambda figure: _predictions(figure, plan, outcome.trials)),
        ("null.png", "False alarms counted, and those expected from the normal tail", bool(outcome.unmarked),
         lambda figure: _null(figure, plan, table["null"])),
        ("quality.png", "Quality of every mark, by how it was made", bool(table["quality"]),
         lambda figure: _quality(figure, outcome)),
    ]  # fmt: skip
    style: dict[Any, Any] = {"font.size": 11, "axes.titlesize": 12, "axes.titlelocation": "left"}
    style |= {"axes.titleweight": "bold", "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#999999"}
    style |= {"axes.spines.top": False, "axes.spines.right": False, "xtick.color": INK, "ytick.color": INK}
    drawn = []
    with mpl.rc_context(style):
        for file, caption, wanted, draw in jobs:
            if wanted:
                figure = Figure(SIZE_IN, DPI, facecolor="white", layout="constrained")
                draw(figure)
                FigureCanvasAgg(figure)
                figure.savefig(folder / file, format="png", metadata={"Software": None})
                drawn.append((file, caption))
    return drawn


def _found(figure: Figure, table: dict[str, Any]) -> None:
    axes = figure.subplots()
    rows = table["conditions"][::-1]
    baselines = [row["baseline"] for row in rows]
    for offset, colour, marker, label, shares in (
        (0.15, MARKED, "o", OURS, rows),
        (-0.15, UNMARKED, "s", THEIRS, baselines),
    ):
        at = [i + offset for i, row in enumerate(shares) if row["trials"]]
        some = [row for row in shares if row["trials"]]
        if some:
            share = 100 * np.array([row["share"] for row in some])
            ends = 100 * np.array([[row["low"], row["high"]] for row in some]).T
            error = np.maximum(np.abs(ends - share), 0)
            axes.errorbar(share, at, xerr=error, fmt=marker, color=colour, capsize=3, label=label)
    for i, row in enumerate(rows):
        if row["target"] is not None:
            once = "" if any(r["target"] is not None for r in rows[:i]) else "target"
            axes.plot([100 * row["target"]] * 2, [i - 0.35, i + 0.35], color=INK, linewidth=2, label=once)
    axes.set_yticks(range(len(rows)), [f"{row['title'].split(':')[0]} ({row['trials']})" for row in rows], fontsize=9)
    axes.set(xlabel="marks found, %", xlim=(-2, 102))
    axes.set_title("Found (trials)")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)


def _det(figure: Figure, plan: Plan, trials: Sequence[Trial]) -> None:
    """A panel a condition."""
    levels = np.linspace(LEAST_SCORE, HIGHEST_SCORE, 91)
    rate = np.array([thresholds.per_day(level, engine=plan.engines[0]) for level in levels])
    tried = {trial.condition for trial in trials}
    shown = [condition for condition in plan.conditions if condition.name in tried]
    columns = min(PANELS, len(shown))
    grid = figure.subplots(-(-len(shown) // columns), columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.ravel()[len(shown) :]:
        axes.axis("off")
    for axes, condition in zip(grid.ravel(), shown, strict=False):
        counts = []
        for baseline, colour, line, label in ((False, MARKED, "-", OURS), (True, UNMARKED, "--", THEIRS)):
            mine = [t for t in trials if t.condition == condition.name and t.baseline == baseline]
            if not mine:
                continue
            scores = np.array([report.score(plan, t) for t in mine])
            missed = [int((scores < level).sum()) for level in levels]
            low, high = np.array([intervals.wilson(count, len(scores)) for count in missed]).T
            axes.plot(rate, _probit(np.array(missed) / len(scores)), line, color=colour, label=label)
            axes.fill_between(rate, _probit(low), _probit(high), color=colour, alpha=ALPHA, linewidth=0)
            counts.append(str(len(mine)))
        for _, per_day in report.RATES:
            axes.axvline(per_day, color=LIMIT, linewidth=0.8, linestyle=":")
        axes.set(xscale="log", ylim=(_probit(LEAST_MISSES), _probit(1 - LEAST_MISSES)))
        axes.set_yticks([_probit(tick) for tick in TICKS], [f"{100 * tick:g}" for tick in TICKS])
        axes.tick_params(labelsize=8, labelbottom=True)
        axes.set_title(f"{condition.name} ({' and '.join(counts)})", fontsize=10)
    handles = max((axes.get_legend_handles_labels() for axes in grid.ravel()), key=lambda pair: len(pair[0]))
    figure.legend(*handles, loc="outside upper right", ncols=2, frameon=False)
    figure.supxlabel("false alarms a day and key; dotted: one a year, a month, a day", fontsize=10)
    figure.supylabel("marks missed, %", fontsize=10)
    _title(figure, "Misses against false alarms (trials)")


def _probit(share: Any) -> Any:
    return norm.ppf(np.clip(share, LEAST_MISSES, 1 - LEAST_MISSES))


def _misses(
    figure: Figure, plan: Plan, trials: Sequence[Trial], label: str, edges: Sequence[float] | None,
    value: Callable[[Trial], float | None],
) -> None:  # fmt: skip
    """Shares missed with intervals and counts, over bins, or over each value where there are no edges."""
    axes = figure.subplots()
    for baseline, colour, marker, name in (
        (False, MARKED, "o", OURS),
        (True, UNMARKED, "s", THEIRS),
    ):
        pairs = [(v, t) for t in trials if t.baseline == baseline and (v := value(t)) is not None]
        values = np.array([v for v, _ in pairs])
        if not len(values):
            continue
        places: list[float] = []
        shares, ends, counts = [], [], []
        cut = sorted(set(values.tolist())) if edges is None else list(edges)
        for i in range(len(cut) if edges is None else len(cut) - 1):
            inside = values == cut[i] if edges is None else (values >= cut[i]) & (values < cut[i + 1])
            if inside.any():
                some = [t for (_, t), here in zip(pairs, inside, strict=True) if here]
                missed = sum(not report.is_found(plan, t) for t in some)
                places.append(float(values[inside].mean()))
                shares.append(100 * missed / len(some))
                ends.append([100 * end for end in intervals.wilson(missed, len(some))])
                counts.append(len(some))
        error = np.abs(np.array(ends).T - np.array(shares))
        axes.errorbar(places, shares, error, fmt=marker + "-", color=colour, capsize=3, linewidth=1, label=name)
        for place, share, count in zip(places, shares, counts, strict=True):
            axes.annotate(
                str(count), (place, share), (5, 4), textcoords="offset points", fontsize=8, color=colour
            )  # fmt: skip
    axes.set(xlabel=label, ylabel="marks missed, %", ylim=(-3, 103))
    axes.set_title("Misses (numbers: trials)")
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    else:
        axes.text(0.5, 0.5, "no trial has this figure", transform=axes.transAxes, ha="center", color=INK)


def _times(figure: Figure, plan: Plan, trials: Sequence[Trial]) -> None:
    axes = figure.subplots()
    single = {c.name for c in plan.conditions if c.marks == 1}
    ours = [t for t in trials if not t.baseline and t.condition in single]
    near = [t for t in ours if t.condition == "time"] or ours
    times = np.array([report.NEVER_S if t.latency_s is None else t.latency_s for t in near])
    found = times[times < report.NEVER_S]
    axes.hist(found, bins=np.arange(0, max(2.6, float(found.max(initial=0))) + 0.05, 0.05).tolist(), color=MARKED)
    median = report.middle(times) if len(times) else report.NEVER_S
    if median < report.NEVER_S:
        axes.axvline(median, color=INK, linestyle="--", linewidth=1.2)
        axes.annotate(
            f"median {median:.2f} s", (median, 0.97), (-6, 0), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="right", va="top",
        )  # fmt: skip
    where = "time" if near is not ours else "all conditions of one mark"
    axes.set(xlabel="from the mark's start to the detection, s", ylabel="trials")
    axes.set_title(f"{where}: {len(found)} of {len(near)} marks found")


def _predictions(figure: Figure, plan: Plan, trials: Sequence[Trial]) -> None:
    axes = figure.subplots()
    some = report.predicted_trials(trials)
    x = np.array([t.predicted for t in some], float)
    y = np.array([max(LEAST_SCORE, report.score(plan, t)) for t in some])
    for i, kind in enumerate(sorted({t.kind for t in some})):
        here = np.array([t.kind == kind for t in some])
        axes.plot(x[here], y[here], "os^Dv"[i % 5], color=COLOURS[i], markersize=5, alpha=0.7, label=kind)
    axes.axhline(plan.threshold, color=INK, linestyle="--", linewidth=1.2, label="threshold")
    rho = spearmanr(x, y).statistic if np.ptp(x) and np.ptp(y) else np.nan
    axes.set(xlabel="predicted score", ylabel=f"measured score ({report.PREDICTED_IN})")
    axes.set_title(f"Spearman's rank correlation {rho:.2f}, {len(some)} trials")
    axes.legend(frameon=False)


def _null(figure: Figure, plan: Plan, nulls: dict[str, Any]) -> None:
    axes = figure.subplots()
    z = np.linspace(4.0, 7.0, 200)
    engine = plan.engines[0]
    rate = np.array([thresholds.per_day(level, engine=engine) for level in z])
    axes.plot(z, rate, color=INK, label="expected (airmark.thresholds)")
    for offset, colour, marker, label, one in (
        (-0.02, MARKED, "o", "unmarked sound", nulls["unmarked"]),
        (0.02, UNMARKED, "s", "other keys' marks", nulls["other_keys"]),
    ):
        if one is None:
            continue
        days = one["key_hours"] / 24
        levels = [level for level in one["levels"] if level["events"]]
        name = f"{label}, {one['key_hours']:.1f} key-hours"
        at = [level["threshold"] + offset for level in levels]
        value = np.array([level["per_key_day"] for level in levels])
        ends = [[level[end] * level["expected"] / days for level in levels] for end in ("low", "high")]
        error = np.maximum(np.abs(np.array(ends).reshape(2, -1) - value), 0)
        axes.errorbar(at, value, error, fmt=marker, color=colour, capsize=3, label=name)
        for level, x, y in zip(levels, at, value, strict=True):
            axes.annotate(str(level["events"]), (x, y), (4, 4), textcoords="offset points", fontsize=8, color=colour)
    for name, per_day in report.RATES:
        axes.axhline(per_day, color=LIMIT, linewidth=0.8, linestyle=":")
        axes.text(7.0, per_day, f"one {name}", ha="right", va="bottom", fontsize=8, color=LIMIT)
    axes.set(yscale="log", ylim=(1e-5, 1e4), xlabel="threshold (score)", ylabel="false alarms a day and key")
    axes.set_title("Sound without the mark (numbers: events)")
    axes.legend(frameon=False, loc="upper right")


def _quality(figure: Figure, outcome: Outcome) -> None:
    names: dict[str, list[evaluate.Made]] = {}
    for one in outcome.made:
        if not one.refused:
            in_a_row = "" if one.recipe.marks == 1 else f" x{one.recipe.marks}"
            names.setdefault(one.recipe.pattern + in_a_row, []).append(one)
    shown = [m for m in report.METRICS if any(getattr(one, m) is not None for one in outcome.made)]
    grid = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    rng = np.random.default_rng(0)
    order = list(names)[::-1]
    for axes, metric in zip(grid, shown, strict=True):
        for row, name in enumerate(order):
            values = np.array([v for one in names[name] if (v := getattr(one, metric)) is not None], float)
            values = values[np.isfinite(values)]
            if len(values):
                colour = UNMARKED if name.startswith(evaluate.BASELINE) else MARKED
                spread = row + rng.uniform(-0.25, 0.25, len(values))
                axes.plot(values, spread, ".", color=colour, markersize=3, alpha=0.4)
                axes.plot([values.mean()] * 2, [row - 0.35, row + 0.35], color=INK, linewidth=2)
        if metric in report.FLOORS:
            axes.axvline(report.FLOORS[metric][1], color=LIMIT, linestyle=":", linewidth=1.2)
        axes.set_xlabel(report.METRICS[metric])
        axes.set_yticks(range(len(order)), order)
    _title(figure, "Quality over each mark (bar: mean; dotted: floor)")


def _title(figure: Figure, text: str) -> None:
    figure.suptitle(text, x=0.01, ha="left", fontsize=12, weight="bold")
