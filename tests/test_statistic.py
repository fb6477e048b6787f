"""The score: under random signs its tail is the normal distribution's, whatever the host's rank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from airmark import statistic

R, COLUMNS = 32, 4
Z = 3.0
DRAWS = 200_000


def off_diagonal(grams: NDArray) -> NDArray:
    """The same with zero diagonals."""
    return grams * (1 - np.eye(grams.shape[-1]))


def of_rank(rank: int, rng: np.random.Generator) -> NDArray:
    """Gram matrices of that many components of equal power, (COLUMNS, R, R)."""
    x = rng.standard_normal((COLUMNS, R, rank))
    return off_diagonal(x @ x.swapaxes(1, 2))


def hosts() -> dict[str, NDArray]:
    """Gram matrices made by hand, (COLUMNS, R, R) each."""
    rng = np.random.default_rng(1)
    lag = np.arange(R)[:, None] - np.arange(R)
    gate = (np.arange(R) % 7 < 2).astype(float)
    noise = rng.standard_normal((COLUMNS, R, R))
    tone = np.repeat(np.cos(0.7 * lag)[None], COLUMNS, axis=0)
    one_band = np.zeros((COLUMNS, R, R))
    one_band[2] = of_rank(1, rng)[0]
    return {
        "noise": off_diagonal(noise + noise.swapaxes(1, 2)),
        "full rank": of_rank(64, rng),
        "rank 8": of_rank(8, rng),
        "rank 2": of_rank(2, rng),
        "rank 1 in each band": of_rank(1, rng),
        "rank 1 in one band": one_band,
        "all alike": off_diagonal(np.ones((COLUMNS, R, R))),
        "tone": off_diagonal(tone),
        "gated": off_diagonal(np.repeat(np.outer(gate, gate)[None], COLUMNS, axis=0)),
        "rank 1 and noise": 0.3 * of_rank(1, rng) + off_diagonal(0.5 * (noise + noise.swapaxes(1, 2))),
        "ranks mixed": np.concatenate([of_rank(1, rng)[:1], 0.5 * of_rank(2, rng)[:1], of_rank(64, rng)[:2] / 8]),
        "a loud repetition": off_diagonal(np.outer(w := np.where(np.arange(R) == 5, 5.0, 1.0), w) * of_rank(4, rng)),
    }


def scores(grams: NDArray, draws: int, rng: np.random.Generator) -> NDArray:
    """Scores of the Gram matrices under random signs, (draws,)."""
    q = np.zeros(draws)
    for gram in grams:
        signs = rng.integers(0, 2, (draws, R), dtype=np.int8).astype(np.float32) * 2 - 1
        q += np.einsum("nr,nr->n", signs @ gram.astype(np.float32), signs, dtype=np.float64)
    return statistic.normal_score(q / statistic.deviation(grams), statistic.skewness(grams))


@pytest.mark.parametrize("name", list(hosts()))
def test_the_tail_is_normal(name: str):
    tail = float((scores(hosts()[name], DRAWS, np.random.default_rng(2)) >= Z).mean()) / norm.sf(Z)
    # Measured: 0.8 to 1.0 for hosts of one rank, 0.81 for rank 1; up to 1.34 where loud low rank meets noise, since the
    # fourth cumulant is not matched.
    print(f"{name}: {tail:.2f}")
    assert 0.5 < tail < 2


@pytest.mark.parametrize("name", ["rank 1 in each band", "ranks mixed", "rank 1 and noise"])
def test_far_out_the_tail_is_not_heavy(name: str):
    drawn = scores(hosts()[name], 1_000_000, np.random.default_rng(3))
    assert (drawn >= 4.0).sum() <= 2 * norm.sf(4.0) * len(drawn) + 3 * np.sqrt(2 * norm.sf(4.0) * len(drawn))


def test_without_the_allowance_for_rank_the_tail_would_be_heavy():
    grams = hosts()["rank 1 in one band"]
    rng = np.random.default_rng(4)
    signs = rng.choice([-1.0, 1.0], (200_000, R))
    q = np.einsum("nr,nr->n", signs @ grams[2], signs)
    assert (q / statistic.deviation(grams) >= Z).mean() > 5 * norm.sf(Z)


def test_moments_are_those_of_random_signs():
    rng = np.random.default_rng(5)
    for name in ("rank 2", "noise", "ranks mixed"):
        grams = hosts()[name]
        q = np.zeros(400_000)
        for gram in grams:
            signs = rng.choice([-1.0, 1.0], (len(q), R))
            q += np.einsum("nr,nr->n", signs @ gram, signs)
        spread = statistic.deviation(grams)
        assert abs(q.mean()) < 0.01 * spread
        assert q.std() == pytest.approx(spread, rel=0.01)
        assert ((q / spread) ** 3).mean() == pytest.approx(statistic.skewness(grams), abs=0.1)


def test_score_is_made_of_its_parts():
    rng = np.random.default_rng(6)
    signs = rng.choice([-1.0, 1.0], (COLUMNS, R))
    for grams in hosts().values():
        by_hand = sum(s @ gram @ s for gram, s in zip(grams, signs, strict=True))
        assert statistic.agreement(grams, signs) == pytest.approx(by_hand)
        expected = statistic.normal_score(by_hand / statistic.deviation(grams), statistic.skewness(grams))
        assert statistic.score(grams, signs) == pytest.approx(expected)
    together = np.stack(list(hosts().values()))
    assert statistic.score(together, signs) == pytest.approx([statistic.score(g, signs) for g in hosts().values()])


def test_silence_scores_nothing_much():
    silent = np.zeros((COLUMNS, R, R))
    assert abs(float(statistic.score(silent, np.ones((COLUMNS, R))))) < 0.01


def test_the_lower_bands_count_alone_where_they_say_more():
    rng = np.random.default_rng(4)
    signs = rng.choice([-1.0, 1.0], (COLUMNS, R))
    low = np.arange(COLUMNS) < 2
    noise = rng.standard_normal((COLUMNS, R, R))
    noise = off_diagonal(noise + noise.swapaxes(1, 2))
    mark = off_diagonal(signs[:, :, None] * signs[:, None, :])
    below, above, everywhere = (noise + 0.4 * mark * used[:, None, None] for used in (low, ~low, low | ~low))
    for grams in (below, above, everywhere, noise, noise - 0.4 * mark):
        whole, lower = statistic.score(grams, signs), statistic.score(grams[low], signs[low])
        expected = max(whole, lower - statistic.LOW_HANDICAP)
        assert statistic.score_of_bands(grams, signs, low) == pytest.approx(expected)
        assert statistic.score_of_bands(grams, signs, ~low | low) == pytest.approx(whole)
        assert statistic.score_of_bands(grams, signs, low & ~low) == pytest.approx(whole)
    assert statistic.score_of_bands(below, signs, low) > statistic.score(below, signs) + 1
    assert statistic.score_of_bands(everywhere, signs, low) == statistic.score(everywhere, signs)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_level_signs_and_order_do_not_matter(seed: int, gain: float):
    rng = np.random.default_rng(seed)
    grams = list(hosts().values())[seed % len(hosts())]
    signs = rng.choice([-1.0, 1.0], (COLUMNS, R))
    score = statistic.score(grams, signs)
    assert statistic.score(gain * grams, signs) == pytest.approx(float(score), rel=1e-6, abs=1e-6)
    flipped = signs * rng.choice([-1.0, 1.0], (COLUMNS, 1))
    assert statistic.score(grams, flipped) == pytest.approx(float(score), rel=1e-6, abs=1e-6)
    order = rng.permutation(COLUMNS)
    assert statistic.score(grams[order], signs[order]) == pytest.approx(float(score), rel=1e-6, abs=1e-6)


@given(st.floats(-4, 20), st.floats(0.01, 5), st.floats(-3, 3))
def test_the_normal_scale_keeps_the_order(value: float, more: float, skew: float):
    low, high = (float(statistic.normal_score(np.array(v), np.array(skew))) for v in (value, value + more))
    assert low < high
    if skew <= 0:
        assert low == pytest.approx(value, abs=0.01 * (1 + value * value))
    elif value >= 3:
        assert low < value
