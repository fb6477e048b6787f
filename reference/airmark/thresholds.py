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
LOOKS_A_DAY = 1.0e7
"""Independent looks a day of one key under the default profile."""


def threshold(false_alarms_per_day: float, keys: int = 1) -> float:
    """The score that so many false alarms a day exceed, all keys together. Raises AirmarkError out of range."""
    if not (math.isfinite(false_alarms_per_day) and 1e-9 <= false_alarms_per_day <= 1e4):
        raise AirmarkError(f"{false_alarms_per_day} false alarms a day: give a rate from 1e-9 to 10000")
    return float(norm.isf(min(0.5, false_alarms_per_day / keys / LOOKS_A_DAY)))


def per_day(threshold: float, keys: int = 1) -> float:
    """False alarms a day to expect over that score, all keys together."""
    return float(keys * LOOKS_A_DAY * norm.sf(threshold))
