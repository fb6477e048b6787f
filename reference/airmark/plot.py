"""The demo's picture, by matplotlib."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from airmark.demo import Demo, Outcome

# Okabe and Ito's colours (2008), which people of all kinds of colour vision tell apart.
MARKED = "#0072B2"
UNMARKED = "#D55E00"
LIMIT = "#666666"
INK = "#222222"
SIZE_IN = (12.0, 7.0)
DPI = 110
COLOURS = 64
"""Of the PNG's palette: the few hues, their edges and the greys; it makes the file small."""
GREYS = 16
"""Of the spectrograms."""
FLOOR_DB = -70.0
HIGHEST_HZ = 8_000.0
SHOWN = "Across the room"
"""The case whose score is drawn over time, beside the unmarked one's."""


def picture(demo: Demo) -> bytes:
    """The demo in one picture, a PNG: spectrograms before and after, the score over time, and every case's score."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    style: dict[Any, Any] = {"font.size": 11, "axes.titlesize": 11.5, "axes.titlelocation": "left"}
    style |= {"axes.titleweight": "bold"}
    style |= {"text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#999999"}
    style |= {"axes.spines.top": False, "axes.spines.right": False, "xtick.color": INK, "ytick.color": INK}
    with mpl.rc_context(style):
        figure = Figure(SIZE_IN, DPI, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        figure.get_layout_engine().set(w_pad=0.06, h_pad=0.05, wspace=0.02)  # type: ignore[union-attr, call-arg]
        grid = figure.add_gridspec(3, 2, width_ratios=(2.3, 1), height_ratios=(1, 1, 1.7))
        before = figure.add_subplot(grid[0, 0])
        after = figure.add_subplot(grid[1, 0], sharex=before, sharey=before)
        over_time = figure.add_subplot(grid[2, 0], sharex=before)
        bars = figure.add_subplot(grid[:, 1])
        _spectrograms(before, after, demo)
        _over_time(over_time, demo)
        _bars(bars, demo)
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
    small = io.BytesIO()
    with Image.open(file) as image:
        palette = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        palette.save(small, "PNG", optimize=True)
    return small.getvalue()


def _spectrograms(before: Axes, after: Axes, demo: Demo) -> None:
    import matplotlib as mpl

    original, marked = (_spectrogram(x, demo.rate) for x in (demo.original, demo.marked))
    top = float(original.max())
    greys = mpl.colormaps["gray_r"].resampled(GREYS)
    seconds = len(demo.original) / demo.rate
    for axes, levels in ((before, original), (after, marked)):
        axes.imshow(
            levels - top, origin="lower", aspect="auto", cmap=greys, vmin=FLOOR_DB, vmax=0,
            extent=(0, seconds, 0, HIGHEST_HZ / 1000), interpolation="nearest",
        )  # fmt: skip
        axes.set_ylabel("kHz")
        axes.tick_params(labelbottom=False)
        axes.spines[["top", "right"]].set_visible(True)
    grades = [m.quality.zimtohrli for m in demo.marks if m.quality and m.quality.zimtohrli is not None]
    grade = f" (quality by Zimtohrli: {min(grades):.2f} of 5)" if grades else ""
    before.set_title("Before: the recording's spectrum over time")
    after.set_title(f"After: the same with {len(demo.marks)} marks in it{grade}")
    for mark in demo.marks:
        length = mark.samples / demo.rate
        after.axvspan(mark.time_s, mark.time_s + length, fill=False, edgecolor=MARKED, linewidth=2)
        label: dict[str, Any] = {"color": "white", "ha": "center", "va": "center", "fontweight": "bold", "fontsize": 10}
        after.text(
            mark.time_s + length / 2, 0.87 * HIGHEST_HZ / 1000, f"mark, {length:.1f} s", **label,
            bbox={"facecolor": MARKED, "edgecolor": "none", "pad": 2.5},
        )  # fmt: skip


def _spectrogram(samples: npt.NDArray[np.float64], rate: int) -> npt.NDArray[np.float64]:
    """Levels (bins, frames), dB, of samples (n, channels), from 0 to HIGHEST_HZ, coarse enough to be seen."""
    from scipy import signal

    size = round(0.032 * rate)
    window = signal.ShortTimeFFT(np.hanning(size), size // 2, rate)
    power = np.abs(window.stft(samples.mean(axis=1))) ** 2
    inside = power[: round(HIGHEST_HZ / rate * size) + 1]
    pairs = inside[: len(inside) // 2 * 2].reshape(len(inside) // 2, 2, -1).mean(axis=1)
    levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(pairs, 1e-20))
    return levels


def _over_time(axes: Axes, demo: Demo) -> None:
    shown = next(o for o in demo.outcomes if o.case.name == SHOWN)
    unmarked = next(o for o in demo.outcomes if not o.case.marked)
    axes.plot(unmarked.times, unmarked.scores, color=UNMARKED, linewidth=1.3, label="unmarked")
    axes.plot(shown.times, shown.scores, color=MARKED, linewidth=1.3, label="marked")
    axes.axhline(demo.threshold, color=INK, linestyle="--", linewidth=1.2)
    _label_threshold(axes, demo)
    for heard in shown.heard:
        if heard.detection is not None:
            d = heard.detection
            axes.plot(d.time_s, d.score, "o", color=MARKED, markersize=9, markerfacecolor="none", markeredgewidth=2)
            axes.annotate(
                f"found at {d.time_s:.2f} s", (d.time_s, d.score), (12, -3), textcoords="offset points",
                color=MARKED, fontweight="bold",
            )  # fmt: skip
    for mark in demo.marks:
        axes.axvspan(mark.time_s, mark.time_s + mark.samples / demo.rate, color=MARKED, alpha=0.1, linewidth=0)
    room = shown.case.channel
    where = f"{room.distance_m:g} m away (RT60 {room.rt60_s:g} s)"
    axes.set_title(f"Heard {where}: does a mark begin here?")
    axes.set_xlabel("time, s")
    axes.set_ylabel("score")
    axes.set_xlim(0, len(demo.original) / demo.rate)
    axes.set_ylim(min(-3.5, *shown.scores, *unmarked.scores), 1.15 * max(demo.threshold, *shown.scores))
    axes.set_yticks(range(0, int(axes.get_ylim()[1]) + 1, 5))
    axes.legend(loc="lower center", ncols=2, frameon=False, handlelength=1.5, borderaxespad=0)


def _label_threshold(axes: Axes, demo: Demo) -> None:
    middle = (demo.marks[0].time_s + demo.marks[-1].time_s) / 2
    for text, offset, align in (
        ("found above this line", 4, "bottom"),
        (f"set for {demo.false_alarms_a_year:.2g} false alarm a year", -4, "top"),
    ):
        axes.annotate(
            text, (middle, demo.threshold), (0, offset), textcoords="offset points", ha="center", va=align, fontsize=10
        )


def _bars(axes: Axes, demo: Demo) -> None:
    outcomes = demo.outcomes[::-1]
    places = np.arange(len(outcomes))
    colours = [UNMARKED if not o.case.marked else LIMIT if o.case.beyond else MARKED for o in outcomes]
    axes.barh(places, [max(0.0, o.score) for o in outcomes], 0.62, color=colours)
    axes.axvline(demo.threshold, color=INK, linestyle="--", linewidth=1.2)
    axes.set_yticks(places, [_bar_label(o) for o in outcomes])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1.12 * max(o.score for o in outcomes))
    for place, outcome in zip(places, outcomes, strict=True):
        style: dict[str, Any] = {"va": "center", "fontsize": 10, "xytext": (4, 0), "textcoords": "offset points"}
        axes.annotate(_verdict(outcome), (max(0.0, outcome.score), place), **style)
    axes.set_xlabel("score; of two marks, the lower")
    axes.set_title("Every case tried")


def _bar_label(outcome: Outcome) -> str:
    limit = "\n(beyond the limit)" if outcome.case.beyond else ""
    return outcome.case.name + limit


def _verdict(outcome: Outcome) -> str:
    if not outcome.case.marked:
        return "fired" if outcome.elsewhere else "silent"
    return "found" if outcome.found == len(outcome.heard) else "missed"
