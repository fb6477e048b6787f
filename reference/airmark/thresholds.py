"""From false alarms a day to a score, and back.

On unmarked sound the score is standard normal at every place (airmark.statistic), so the rate of false alarms over a
threshold is that of a normal tail, times the number of looks that count as independent. That number, looks a day and
key, is the one figure fitted to measured counts; neighbouring places and drifts share most of their sound.
"""

from __future__ import annotations

import math

from scipy.stats import norm

from airmark.errors import AirmarkError

ONE_A_YEAR = 1 / 365.25
LOOKS_A_DAY = 5.9e7
"""Independent looks a day of one key under the default profile, early decisions and lower bands among them.

Measured on 26 November 2026 with 512 keys (32 and their symmetries, see airmark.null) on 3.31 hours of recordings:
music 2.31 h, telephone prompts at 8 kHz 0.42 h, speech 0.26 h, noise 0.18 h, mixed 0.09 h and wake words 0.04 h; 1,693
key-hours, by

    airmark benchmark null --keys 512 --seed 1 --audio speech music mixed noise wakeword more-music telephone

The full engine's 1,183 events from a score of 5 on give 5.85e7, 95 % 5.4e7 to 6.3e7 over recordings; the float engine
reported 1,044 of them. From 4.25 to 5.25 there are 0.93 to 1.0 times as many events as the normal tail expects, at 5.5
0.85 times (67 events, 0.66 to 1.09), at 5.75 0.60 times (11 events, 0.30 to 1.07), from 6 on two where 4.1 are expected
(6.12 and 6.21). At one a month (6.09) 2.3 are expected and these two came; one a year (6.48) is drawn on from there.
Hosts differ in their number of looks: speech and noise alone give 8.9e7, wake words 8.0e7, mixed 7.6e7, music 5.6e7,
the telephone prompts 3.4e7, which moves the score of one a year by up to 0.08. Of the 84 sounds of airmark.hardhosts,
12 s each under all the keys, digital silence reached 5.31 and no other more than 5.24.

Before frames were of differences and signs of faint parts drawn (airmark.frames) the same came to 5.85e7 too, from
1,181 events, the highest 6.01. Then, too, without early decisions and lower bands 1,024 keys had 5.6e7 looks on the
same kind of recordings (3,386 key-hours, highest score 6.12, from 4.5 to 6 0.96 to 1.05 times the expected events).
"""

LOOKS_A_DAY_C = 2e7
"""The same of the integer engines, c and fixed, which are alike bit by bit: they look only where the screen is highest,
at one place and one drift, and so less often.

Measured on 26 November 2026 with the same 512 keys, each alone, early decisions on, threshold 4.0, on 2.74 hours of the
same recordings (all but eleven of the longest of music); 1,405 key-hours, with the C detector of commit f683391. The
tail is not the normal one from the bottom: at low scores the first stages let less pass than at high ones. One look
count would expect, fitted from 5, events in these ratios: 0.31 at 4, 0.45 at 4.25, 0.63 at 4.5, 0.79 at 4.75, and from
5.25 on no difference that could be told from chance: 1.25 (74 events, 0.98 to 1.56), 1.01 at 5.5 (15 events), 2.0 at
5.75 (7 events, 0.7 to 4.1), 1.3 at 6 (one event, 6.11, the highest). Fits: 1.34e7 from 5 (224 events, 95 % 1.13e7 to
1.53e7), 1.66e7 from 5.25 (1.27e7 to 2.09e7). As the share that passes rises with the score, the figure is the upper end
of the second; it expects 89 over 5.25 (74 came), 22 over 5.5 (15), 5.2 over 5.75 (7) and 1.2 over 6 (1). What lies
beyond, one a year among it (6.31), is drawn on from there; would nothing at all be held back there, as many would fire
as of the full engine, three a year instead of one. On the sounds of airmark.hardhosts, 12 s each under 128 of the keys,
nothing scored over 4.68 (a metronome).
"""


def looks_a_day(engine: str = "float") -> float:
    """Independent looks a day of one key, by an engine of airmark.detector."""
    return LOOKS_A_DAY_C if engine in ("c", "fixed") else LOOKS_A_DAY


def threshold(false_alarms_per_day: float, keys: int = 1, engine: str = "float") -> float:
    """The score that so many false alarms a day exceed, all keys together. Raises AirmarkError out of range.

    engine: whose scores they are.
    """
    if not (math.isfinite(false_alarms_per_day) and 1e-9 <= false_alarms_per_day <= 1e4):
        raise AirmarkError(f"{false_alarms_per_day} false alarms a day: give a rate from 1e-9 to 10000")
    return float(norm.isf(min(0.5, false_alarms_per_day / keys / looks_a_day(engine))))


def per_day(threshold: float, keys: int = 1, engine: str = "float") -> float:
    """False alarms a day to expect over that score of an engine, all keys together."""
    return float(keys * looks_a_day(engine) * norm.sf(threshold))
