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

LOOKS_A_DAY_C = 2.6e7
"""The same of the integer engines, c and fixed, which are alike bit by bit: they look only where the screen is highest,
at one place and one drift, and so less often.

Measured on 26 November 2026 with 3,072 keys (192 and their symmetries), each alone, early decisions on, threshold 4.0,
on 3.31 hours of the same recordings; 10,159 key-hours, with the C detector of commit 8322628. The events are those of

    airmark benchmark null --engine c --keys 3072 --seed 201 --no-hosts --audio speech music mixed noise wakeword
        more-music telephone

which takes two and a half hours of one core. (They were heard with frames made once for sixteen keys, which takes half
an hour; on three of the recordings both gave the same events.)

The tail is not the normal one from the bottom: at low scores the first stages let less pass than at high ones. One
look count, fitted from 5.5, would expect events in these ratios: 0.32 at 4, 0.42 at 4.25, 0.55 at 4.5, 0.67 at 4.75,
0.77 at 5, 0.87 at 5.25, 1.18 at 5.75 (55 events, 0.89 to 1.54), 1.36 at 6 (14, 0.64 to 2.28), 1.40 at 6.25 (3, up to
4.1). Fits: 1.90e7 from 5 (2,303 events, 95 % 1.81e7 to 1.99e7), 2.14e7 from 5.25 (1.97e7 to 2.31e7), 2.46e7 from 5.5
(2.13e7 to 2.82e7). The figure is within the last, and what it expects was heard: over the score of one a day (5.37)
370 events in 423 days, of one a month (5.96) 16 where 13.9 are expected, of one a year (6.35) 2 where 1.2 are; over
5.25 837 are expected (689 came), over 5.5 209 (198), over 5.75 49 (55), over 6 10.9 (14), over 6.25 2.3 (3; the
highest 6.59). Would nothing at all be held back far out, as many would fire as of the full engine, two and a quarter a
year instead of one. On the sounds of airmark.hardhosts, 12 s each under 128 keys, nothing scored over 4.89 (a siren).

Up to NUMERIC_VERSION 1 it was 2e7: a candidate needed more energy along the key, and drifts were read less well.
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
