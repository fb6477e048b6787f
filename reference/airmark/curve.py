"""The score over time: what the detector would say of a mark that begins at each place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from airmark.audio import check_rate
from airmark.confirm import ConfirmStage
from airmark.errors import AirmarkError
from airmark.frames import FrameStage, InputStage
from airmark.keys import Key
from airmark.lags import LagGrid

Real = npt.NDArray[np.float64]


def score_curve(samples: npt.NDArray[Any], rate: int, key: Key) -> tuple[Real, Real]:
    """The exact score (all lags, engine ``full``) of a mark at every hop of a recording.

    samples: (n,) or (n, channels), int16 or float of full scale 1; rate: Hz, 8,000 to 192,000. Returns times, seconds
    at which such a mark would begin, and scores, both (places,); a mark that would end after the recording is not
    looked at. Raises AirmarkError for a rate out of range and for sound shorter than a mark.
    """
    check_rate(rate, "the recording")
    p = key.profile
    if len(samples) * p.rate < p.mark_samples * rate:
        mark_s = p.mark_samples / p.rate
        raise AirmarkError(f"{len(samples) / rate:.3f} s of sound are shorter than a mark of {mark_s:.3f} s")
    # What the last frame overlaps with the end, and what the rate conversion still holds back.
    tail = p.fft * rate // p.rate + 4 * InputStage.PIECE + rate // 4
    padded = np.concatenate([samples, np.zeros((tail, *samples.shape[1:]), samples.dtype)])
    frames = FrameStage(p, highest_hz=0.475 * rate).process(InputStage(rate, p).process(padded))
    grid = LagGrid(p)
    confirm = ConfirmStage(grid, [key.columns])
    places = len(samples) * p.rate // rate // p.hop - p.mark_frames + 1
    scores = [confirm.process(frames[i : i + p.mark_frames], 0).score for i in range(places)]
    times: Real = (np.arange(places) * p.hop + (p.fft - p.hop) / 2) / p.rate
    return times, np.array(scores)
