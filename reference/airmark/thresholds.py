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

Measured on 23 November 2026 with 512 keys (32 and their symmetries, see airmark.null) on 3.30 hours of recordings:
music 2.31 h, telephone prompts at 8 kHz 0.42 h, speech 0.26 h, noise 0.18 h, mixed 0.09 h and wake words 0.04 h; 1,691
key-hours, by

    airmark benchmark null --keys 512 --seed 1 --audio speech music mixed noise wakeword more-music telephone

The full engine's 1,181 events from a score of 5 on give 5.85e7, 95 % 5.5e7 to 6.3e7 over recordings; the float engine
reported 1,078 of them. From 4.25 to 5.5 there are 0.90 to 1.0 times as many events as the normal tail expects, at 5.75
0.54 times (10 events, 0.26 to 1.0), from 6 on one where 4 are expected (6.01). At one a month (6.09) 2.3 are expected
and none came; one a year (6.48) is drawn on from there. Hosts differ in their number of looks: speech, noise and mixed
alone give 7.6e7 to 8.2e7, music 5.6e7, the telephone prompts 4.2e7, which moves the score of one a year by 0.06 at
most. Of the 84 sounds of airmark.hardhosts, 12 s each under all the keys, white noise reached 5.85 and no other more
than 5.51.

Without early decisions and lower bands 1,024 keys had 5.6e7 looks on the same kind of recordings (3,386 key-hours,
highest score 6.12, from 4.5 to 6 0.96 to 1.05 times the expected events).
"""


def threshold(false_alarms_per_day: float, keys: int = 1) -> float:
    """The score that so many false alarms a day exceed, all keys together. Raises AirmarkError out of range."""
    if not (math.isfinite(false_alarms_per_day) and 1e-9 <= false_alarms_per_day <= 1e4):
        raise AirmarkError(f"{false_alarms_per_day} false alarms a day: give a rate from 1e-9 to 10000")
    return float(norm.isf(min(0.5, false_alarms_per_day / keys / LOOKS_A_DAY)))


def per_day(threshold: float, keys: int = 1) -> float:
    """False alarms a day to expect over that score, all keys together."""
    return float(keys * LOOKS_A_DAY * norm.sf(threshold))
