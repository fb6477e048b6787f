"""From false alarms a day to a score, and back.

On unmarked sound the score is standard normal at every place (airmark.statistic), so the rate of false alarms over a
threshold is that of a normal tail, times the number of looks that count as independent: neighbouring places and drifts
share most of their sound. That number, looks a day and key, was fitted to measured counts; for the integer engines so
was how many of these looks their first stages let through.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.stats import norm

from airmark.errors import AirmarkError, is_number

ONE_A_YEAR = 1 / 365.25
LEAST_C, MOST_C = 4.0, 12.0
"""Scores between which thresholds of the integer engines lie: below, no events were counted."""
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

LET_THROUGH_C = (6.37, 1.11)
"""Mean and deviation of a normal distribution: how much of it lies under a score is the share of looks over that score
which the first stages of the integer engines let through (c and fixed, which are alike bit by bit). They look only
where the screen and the energy along the key are high, at one place and one drift, and take something off where a host
agrees with itself; most of what they refuse has a low score.

Fitted on 28 November 2026, by maximum likelihood over the scores from 4.5 on in bins of 0.25, to 3,900 events of 3,072
keys (192 and their symmetries), each alone, early decisions on, on 3.31 hours of the same recordings; 10,159 key-hours,
423 days, with NUMERIC_VERSION 6 of the C detector:

    airmark benchmark null --engine c --keys 3072 --seed 201 --no-hosts --audio speech music mixed noise wakeword
        more-music telephone

which takes 22 minutes of one core. Heard and expected over 4: 14,099 and 12,952; 4.25: 7,676 and 7,493; 4.5: 3,900 and
3,905; 4.75: 1,849 and 1,834; 5: 754 and 777; 5.25: 300 and 297; 5.5: 100 and 103; 5.75: 30 and 32; 5.92, which is one a
month: 14 and 13.9; 6: 4 and 9.1; 6.25: 3 and 2.3; 6.37, one a year: 1 and 1.2 (one event may mean 0.02 to 4.8 a year).
The highest is 6.49. With the number of looks fitted too it would be 3.2e7 (mean 5.80, deviation 0.95), no likelier by
more than chance; so the share was held to tend to the full engine's looks. Would nothing be refused at one a year, 2.0
a year would come. On the 84 sounds of airmark.hardhosts, 12 s each under 128 keys, nothing scored over 4.86 (a sweep
over the band in 12 s).
"""


def tail(score: float, engine: str = "float") -> float:
    """The share of a key's independent looks on unmarked sound for which an engine gives a score from there on.

    Under LEAST_C the integer ones have it as at LEAST_C: how much more they would tell was not counted.
    """
    if engine not in ("c", "fixed"):
        return float(norm.sf(score))
    score = max(score, LEAST_C)
    mean, deviation = LET_THROUGH_C
    return float(norm.sf(score) * norm.cdf((score - mean) / deviation))


def threshold(false_alarms_per_day: float, keys: int = 1, engine: str = "float") -> float:
    """The score that so many false alarms a day exceed, all keys together. Raises AirmarkError out of range.

    engine: whose scores they are, of airmark.detector.
    """
    given = is_number(false_alarms_per_day) and math.isfinite(false_alarms_per_day)
    if not (given and 1e-9 <= false_alarms_per_day <= 1e4):
        raise AirmarkError(f"{false_alarms_per_day} false alarms a day: give a rate from 1e-9 to 10000")
    of_look = false_alarms_per_day / keys / LOOKS_A_DAY
    if engine not in ("c", "fixed"):
        return float(norm.isf(min(0.5, of_look)))
    if of_look > tail(LEAST_C, engine):
        most = per_day(LEAST_C, keys, engine)
        raise AirmarkError(
            f"{false_alarms_per_day:g} false alarms a day: engine {engine} was counted up to {most:.3g} a day with "
            f"{keys} key{'s' if keys > 1 else ''}, which is a score of {LEAST_C:g}; give no more"
        )
    return float(brentq(lambda score: tail(score, engine) - of_look, LEAST_C, MOST_C, xtol=1e-9))


def is_counted(threshold: float, engine: str = "float") -> bool:
    """Whether per_day is what to expect there; else there are more."""
    return engine not in ("c", "fixed") or threshold >= LEAST_C


def per_day(threshold: float, keys: int = 1, engine: str = "float") -> float:
    """False alarms a day to expect over that score of an engine, all keys together; more where not is_counted."""
    return keys * LOOKS_A_DAY * tail(threshold, engine)
