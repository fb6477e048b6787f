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
LOOKS_A_DAY = 7.5e7
"""Independent looks a day of one key under the default profile.

Measured on 23 November 2026 with 1,024 keys (64 and their symmetries, see airmark.null) on 3.31 hours of recordings:
music 2.31 h, telephone prompts at 8 kHz 0.42 h, speech 0.26 h, noise 0.18 h, mixed 0.09 h and wake words 0.04 h; 3,386
key-hours, by

    airmark benchmark null --keys 1024 --seed 1 --audio speech music mixed noise wakeword more-music telephone

The full engine's 2,264 events from a score of 5 on give 5.6e7, 95 % 5.3e7 to 5.9e7 over recordings; the float engine's
2,045 give 5.1e7. From 4.5 to 6, which is one in 18 days, there are 0.96 to 1.05 times as many events as the normal tail
expects (at 6: 8 events, 0.4 to 2.0 times), at 4 only 0.86 times. The highest is 6.12, where 3.7 are expected. So the
tail is measured to about one a month (6.08); one a year (6.47) is drawn on from there. Hosts differ in their number of
looks: speech and noise alone give 7.7e7 and 8.1e7, music 5.4e7, the telephone prompts 3.8e7, which moves the score of
one a year by 0.06 at most. Of the 84 sounds of airmark.hardhosts, 12 s each under all the keys, white noise reached
5.85 and no other more than 5.51.
"""


def threshold(false_alarms_per_day: float, keys: int = 1) -> float:
    """The score that so many false alarms a day exceed, all keys together. Raises AirmarkError out of range."""
    if not (math.isfinite(false_alarms_per_day) and 1e-9 <= false_alarms_per_day <= 1e4):
        raise AirmarkError(f"{false_alarms_per_day} false alarms a day: give a rate from 1e-9 to 10000")
    return float(norm.isf(min(0.5, false_alarms_per_day / keys / LOOKS_A_DAY)))


def per_day(threshold: float, keys: int = 1) -> float:
    """False alarms a day to expect over that score, all keys together."""
    return float(keys * LOOKS_A_DAY * norm.sf(threshold))
