"""How much of a mark can be heard: signal-to-noise ratio and three published models of hearing.

All compare a marked signal with its host, sample by sample aligned. Each channel is judged by itself and the worst one
counts, since one bad channel is what a listener notices.

What the models make of borderline input was measured with zimtohrli 0.2.1, visqol-python 3.8.0 and pesq 0.0.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from airmark.errors import AirmarkError, MissingExtraError

Samples = npt.NDArray[np.floating[Any]]

ZIMTOHRLI_RATE = 48_000
VISQOL_RATE = 48_000
PESQ_RATE = 16_000

SHORTEST_S = {"zimtohrli": 0.25, "visqol": 1.0, "pesq": 0.25}
"""Shortest signal each model judges: under 0.08 s zimtohrli corrupts memory, under 0.96 s ViSQOL has no patch to
compare, under 0.25 s PESQ refuses."""

LONGEST_PESQ_S = 16.0
"""Longest signal given to PESQ: its C code has room for 50 utterances of 0.4 s, and ends the process beyond them."""


@dataclass(frozen=True)
class Quality:
    """How close marked audio is to its host, in the worst channel; None where a model has no answer or wasn't asked."""

    snr_db: float
    """Power of the host over that of what was added, dB: inf where nothing was added, -inf where the host is silent."""
    zimtohrli: float | None
    """Zimtohrli's mean opinion score, 1 to 5; 5 is identical. A sine at full scale is taken to play at 80 dB SPL."""
    visqol: float | None = None
    """ViSQOL's mean opinion score (audio mode), 1 to 4.73; 4.73 is identical."""
    pesq_wb: float | None = None
    """Wide-band PESQ (P.862.2) of the part up to 8 kHz, 1.04 to 4.64; 4.64 is identical. Made for speech."""


def measure(host: Samples, marked: Samples, rate: int, *, visqol: bool = False, pesq: bool = False) -> Quality:
    """Compare marked audio with its host.

    host, marked: float, (frames, channels) or (frames,), of one shape, full scale ±1; best the mark and 0.25 s of
    either side, since every model averages over what it gets.
    rate: their sample rate in Hz.
    visqol, pesq: ask these models too (1.3 s and 0.1 s a channel for a mark of 2 s); they need the extra ``quality``.

    A model's score is None where it has no answer: signals under 0.25 s (ViSQOL: 1 s), for ViSQOL and PESQ a channel
    that is silent in one of the two, for PESQ also one without an utterance or longer than 16 s. Of several channels
    the ones without an answer are left out.

    Raises ValueError for arrays of different or wrong shape, AirmarkError for samples that aren't finite, and
    MissingExtraError where a model that was asked for is not installed.
    """
    host, marked = (np.asarray(signal, dtype=np.float64) for signal in (host, marked))
    if host.shape != marked.shape or host.ndim not in (1, 2):
        raise ValueError(
            f"host and marked audio must have one shape of 1 or 2 axes, not {host.shape} and {marked.shape}"
        )
    if not (np.isfinite(host).all() and np.isfinite(marked).all()):
        raise AirmarkError("cannot judge the quality of audio with NaN or infinite samples: repair the recording")
    pairs = [(a, b) for a, b in zip(np.atleast_2d(host.T), np.atleast_2d(marked.T), strict=True)]
    models: dict[str, tuple[int, Callable[[Samples, Samples], float | None]]] = {
        "zimtohrli": (ZIMTOHRLI_RATE, _zimtohrli())
    }
    if visqol:
        models["visqol"] = (VISQOL_RATE, _visqol())
    if pesq:
        models["pesq"] = (PESQ_RATE, _pesq())
    scores: dict[str, float | None] = {}
    for name, (model_rate, model) in models.items():
        judged: list[float | None] = []
        if len(host) >= SHORTEST_S[name] * rate:
            judged = [model(*(_resample(signal, rate, model_rate) for signal in pair)) for pair in pairs]
        scores[name] = min((score for score in judged if score is not None), default=None)
    return Quality(
        snr_db=min((_snr_db(a, b) for a, b in pairs), default=np.inf),
        zimtohrli=scores["zimtohrli"],
        visqol=scores.get("visqol"),
        pesq_wb=scores.get("pesq"),
    )


def _snr_db(host: Samples, marked: Samples) -> float:
    added = float(np.sum((marked - host) ** 2))
    if added == 0:
        return np.inf
    power = float(np.sum(host**2))
    return 10 * float(np.log10(power / added)) if power else -np.inf


def _resample(signal: Samples, rate: int, new_rate: int) -> Samples:
    import soxr

    resampled: Samples = soxr.resample(signal, rate, new_rate, quality="VHQ")
    return resampled


def _zimtohrli() -> Callable[[Samples, Samples], float | None]:
    import zimtohrli

    def score(host: Samples, marked: Samples) -> float:
        return float(zimtohrli.mos_from_signals(host, marked))

    return score


def check_visqol() -> None:
    """Raises MissingExtraError where ViSQOL is not installed, before any work is done that needs it."""
    if find_spec("visqol") is None:
        raise MissingExtraError("ViSQOL", "quality")


def _visqol() -> Callable[[Samples, Samples], float | None]:
    try:
        from visqol import VisqolApi
    except ImportError as error:
        raise MissingExtraError("ViSQOL", "quality") from error
    api = VisqolApi()
    api.create(mode="audio")

    def score(host: Samples, marked: Samples) -> float | None:
        if not (host.any() and marked.any()):
            return None
        found = float(api.measure_from_arrays(host, marked, VISQOL_RATE).moslqo)
        return found if np.isfinite(found) else None

    return score


def _pesq() -> Callable[[Samples, Samples], float | None]:
    try:
        from pesq import NoUtterancesError
        from pesq import pesq as compare
    except ImportError as error:
        raise MissingExtraError("PESQ", "quality") from error

    def score(host: Samples, marked: Samples) -> float | None:
        if len(host) > LONGEST_PESQ_S * PESQ_RATE or not (host.any() and marked.any()):
            return None
        try:
            return float(compare(PESQ_RATE, host, marked, "wb"))
        except NoUtterancesError:
            return None

    return score
