"""The C detector's small functions against their definitions: over all inputs where they are few, else at the edges.

Loops over all 2^32 words are in C (tests/tapped/primitives.c). Most stop at a 64th of them, spread evenly, unless the
environment variable AIRMARK_LONG is set; then all take a quarter of an hour.
"""

from __future__ import annotations

import os
from math import isqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from airmark.fixed import frames, statistic
from airmark.fixed.tables import HALF, WHOLE, quarter, rate_of, reversed_digits, turn
from tapped_build import BUILDS, tapped

LONG = bool(os.environ.get("AIRMARK_LONG"))
ALL = 1 << 32
SPREAD = 0x9E3779B1
"""Word k of a loop is k times that."""
QUICK = {"low", "high", "saturate", "bits"}
"""Proved for all words each time, in five seconds each."""
OF_POPCOUNT = {"ones"}
"""What another way to count ones may change."""
PROOFS = (
    *("signed", "low", "high", "saturate", "bits", "ones", "sum_bytes", "shift", "pack", "add_pair", "sub_pair"),
    *("saturated_sub_pair", "sub_turned", "add_turned", "mean_pair", "half_difference", "dot", "dot_add"),
    *("difference_add", "cross", "cross_add", "pack_low", "pack_high", "mix"),
)
HALVES = (0, 1, 2, 0x7FFE, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF, 0x5555, 0xAAAA)
EDGES = sorted(
    {high << 16 | low for high in HALVES for low in HALVES}
    | {(1 << n) + d & 0xFFFFFFFF for n in range(33) for d in (-1, 0, 1)}
)

Words = NDArray[np.uint32]


def lib(build: str = "plain") -> Any:
    return tapped(build).lib


def words(count: int, seed: int = 0) -> list[int]:
    """Random ones, every fourth an edge."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, ALL, count).tolist()
    drawn[::4] = rng.choice(EDGES, len(drawn[::4])).tolist()
    return drawn


def signed(word: int, bits: int = 32) -> int:
    return (word & (1 << bits) - 1 ^ 1 << bits - 1) - (1 << bits - 1)


def halves(word: int) -> tuple[int, int]:
    return signed(word, 16), signed(word >> 16, 16)


def fits(value: int) -> bool:
    return -(2**31) <= value < 2**31


# Over all words


def test_all_proofs_are_named():
    module = tapped("plain")
    names = [module.ffi.string(module.lib.proof_name(i)).decode() for i in range(module.lib.proofs())]
    assert names == list(PROOFS)
    assert set(PROOFS) >= QUICK | OF_POPCOUNT


@pytest.mark.parametrize(
    ("build", "name"), [("plain", name) for name in PROOFS] + [("popcount", name) for name in sorted(OF_POPCOUNT)]
)
def test_proof(build: str, name: str):
    count = ALL if LONG or name in QUICK else ALL // 64
    proof = PROOFS.index(name)
    reached = lib(build).prove(proof, count)
    assert reached == count, f"{name}: wrong at 0x{reached * SPREAD % ALL:08X}"
    assert [f"0x{x:08X}" for x in EDGES if lib(build).proof_fails(proof, x)] == []


# Counting


@pytest.mark.parametrize("build", BUILDS)
def test_counting_ones(build: str):
    module = tapped(build)
    assert module.lib.planes_wrong() == 0
    for seed in range(3000):
        w = words(16, seed)
        if seed % 3 == 0:
            w = [x | y for x, y in zip(w, words(16, seed + 1), strict=True)]
        assert module.lib.p_ones16(module.ffi.new("uint32_t[]", w)) == sum(x.bit_count() for x in w)
    for word in (0, ALL - 1, 0x55555555, 0x80000001):
        assert module.lib.p_ones16(module.ffi.new("uint32_t[]", [word] * 16)) == 16 * word.bit_count()


@pytest.mark.parametrize("build", BUILDS)
def test_ones_of_planes(build: str):
    """Every count 0..31 in every lane, alone, everywhere, and any counts at random."""
    module = tapped(build)
    rng = np.random.default_rng(1)
    lots = [[count if lane == at else 0 for at in range(32)] for count in range(32) for lane in range(32)]
    lots += [[count] * 32 for count in range(32)] + rng.integers(0, 32, (2000, 32)).tolist()
    for counts in lots:
        planes = [sum((count >> i & 1) << lane for lane, count in enumerate(counts)) for i in range(5)]
        assert module.lib.p_ones_of_planes(module.ffi.new("uint32_t[]", planes)) == sum(counts)


def test_full_adder():
    """Lanes are independent, so that eight words with all combinations prove it; the others that lanes are."""
    carry = tapped("plain").ffi.new("uint32_t *")
    some = words(300, 2)
    for a, b, c in [(0xF0F0F0F0, 0xCCCCCCCC, 0xAAAAAAAA), *zip(some[::3], some[1::3], some[2::3], strict=True)]:
        low = lib().p_add3(a, b, c, carry)
        for lane in range(32):
            total = (a >> lane & 1) + (b >> lane & 1) + (c >> lane & 1)
            assert (low >> lane & 1, carry[0] >> lane & 1) == (total & 1, total >> 1)


# Pairs of 16 bits: the proofs see two free halves, these all four


def test_sums_of_products():
    some = words(12_000, 3)
    checked = 0
    for p, q, c in zip(some[::3], some[1::3], some[2::3], strict=True):
        (a, b), (d, e), plus = halves(p), halves(q), signed(c)
        for plain, added, product in (
            (lib().p_dot, lib().p_dot_add, a * d + b * e),
            (lib().p_cross, lib().p_cross_add, a * e - b * d),
            (None, lib().p_difference_add, a * d - b * e),
        ):
            if plain is not None and fits(product):
                assert plain(p, q) == product
            near = plus if fits(product + plus) else plus >> 16
            if fits(product) and fits(product + near):
                assert added(p, q, near) == product + near
                checked += 1
    assert checked > 11_000


def test_halves_move():
    some = words(2000, 4)
    for p, q in zip(some[::2], some[1::2], strict=True):
        assert lib().p_pack_low(p, q) == p & 0xFFFF | (q & 0xFFFF) << 16
        assert lib().p_pack_high(p, q) == p >> 16 | q >> 16 << 16
        assert lib().p_mix(p, q) == p & 0xFFFF | q >> 16 << 16
        assert lib().p_load_pair(tapped("plain").ffi.new("int16_t[]", list(halves(p)))) == p


# Other arithmetic


def test_shift_and_clamp():
    some = [signed(x) for x in [*EDGES, *words(2000, 5)]]
    for i, x in enumerate(some):
        for n in range(32):
            assert lib().p_shift(x, n) == x >> n
        low, high = sorted((some[i - 1], some[i - 2]))
        assert lib().p_clamp(x, low, high) == min(max(x, low), high)


def test_divide():
    """Whatever n and d have a quotient of 32 bits."""
    rng = np.random.default_rng(6)
    some = [d for d in EDGES if d] + [int(x) >> int(s) or 1 for x, s in rng.integers(0, (ALL, 32), (4000, 2))]
    for d in some:
        for quotient in (0, 1, ALL - 1, int(rng.integers(ALL)), int(rng.integers(ALL)) >> int(rng.integers(32))):
            for rest in (0, d - 1, int(rng.integers(d))):
                assert lib().p_divide(quotient * d + rest, d) == quotient


def test_square_root():
    for r in (1, 2, 3, 2**16, 2**31, 2**32 - 2):
        for n in (r * r - 1, r * r, r * r + 1, r * r + 2 * r):
            assert lib().p_square_root(n) == isqrt(n)
    assert lib().p_square_root(0) == 0
    assert lib().p_square_root(2**64 - 1) == 2**32 - 1
    step = 1 if LONG else 997
    assert lib().squares_wrong(1, ALL, step) >= ALL
    rng = np.random.default_rng(7)
    for n, s in zip(rng.integers(0, 2**64, 5000, np.uint64).tolist(), rng.integers(0, 64, 5000).tolist(), strict=True):
        assert lib().p_square_root(n >> s) == isqrt(n >> s)


def test_cube_root():
    """At every cube below 2^63, and the numbers beside it; beyond, none is asked for (SPEC 9: y 2^21 is below 2^62)."""
    assert lib().cubes_wrong(1, 2**21) == 2**21
    assert lib().p_cube_root(0) == 0
    assert lib().p_cube_root(2**63 - 1) == 2**21 - 1
    rng = np.random.default_rng(8)
    for n, s in zip(rng.integers(0, 2**63, 5000).tolist(), rng.integers(0, 63, 5000).tolist(), strict=True):
        assert lib().p_cube_root(n >> s) == statistic.cube_root(n >> s)


def test_statistic():
    """The model's score, for all that pairs can give: Q^2 <= N V with N pairs, and T from none to rank one."""
    rng = np.random.default_rng(9)
    assert lib().p_statistic(5, 0, 0) == lib().p_statistic(0, 9, 5) == lib().p_statistic(-7, 9, 5) == 0
    most = 0
    for _ in range(20_000):
        bands, repetitions = int(rng.choice([2, 4])), int(rng.choice([16, 32]))
        pairs = bands * repetitions * (repetitions - 1) // 2
        v = int(pairs * 116**2 * rng.random() ** int(rng.integers(1, 12))) + 1
        q = min(isqrt(pairs * v), int(isqrt(pairs * v) * rng.random() ** 2 * 1.2))
        # Of one band of rank one, the most there can be: R (R - 1) (R - 2) / 6 of (V / pairs)^1.5.
        one = (
            repetitions * (repetitions - 1) * (repetitions - 2) / 6 * (2 * v / (repetitions * (repetitions - 1))) ** 1.5
        )
        t = int(one * rng.uniform(-0.3, 1.0))
        got = lib().p_statistic(q, v, t)
        assert got == statistic.score(q, v, t), (q, v, t)
        most = max(most, got)
    assert most > 2500


def test_handicap():
    """The model's, of variances up to where it is at its most (all of them with AIRMARK_LONG), and of larger ones."""
    most = 4 * 496 * 116**2
    for hz in (8_000, 16_000):
        for v in (*range(0, 2**18, 1 if LONG else 13), *(2**k + d for k in range(7, 25) for d in (-1, 0, 1)), most):
            low = v // 3
            for half, span in enumerate((WHOLE, HALF)):
                assert lib().p_handicap(low, v - low, half, hz) == statistic.handicap(v, span, rate_of(hz)), v
    assert statistic.handicap(2**18, WHOLE, rate_of(16_000)) == statistic.MOST_HOST_HANDICAP


def test_turns_and_quarters():
    """Every lag and band, and every drift up to beyond what is looked for (SPEC 7.3: at most 3200)."""
    drifts = np.arange(-3200, 3201) if LONG else np.arange(-3200, 3201, 13)
    for b in range(4):
        for lag in range(32):
            turns, quarters = turn(b, lag, drifts), quarter(b, lag, drifts)
            for drift, t, q in zip(drifts.tolist(), turns.tolist(), quarters.tolist(), strict=True):
                assert lib().p_turn_index(b, lag, drift) == t
                assert lib().p_quarter(b, lag, drift) == q


def test_distance():
    some = words(4000, 10)
    for a, b in zip(some[::2], some[1::2], strict=True):
        assert lib().p_distance(a, b) == min((a - b) % ALL, (b - a) % ALL)


# The transform


def transformed(z: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """What C makes of (2, 256), in the model's order, and H."""
    module = tapped("plain")
    work = module.ffi.new("uint32_t[256]", ((z[0] & 0xFFFF) | (z[1] & 0xFFFF) << 16).tolist())
    h = module.lib.p_transform(work)
    out = np.frombuffer(module.ffi.buffer(work), np.uint32)[reversed_digits()]
    return np.stack([out.astype(np.uint16).astype(np.int16), (out >> 16).astype(np.int16)]).astype(np.int64), h


def inputs() -> list[NDArray[np.int64]]:
    """Of the window's range, -8188 to 8188: whatever drives each part to its limits."""
    rng = np.random.default_rng(11)
    i = np.arange(256)
    lots = [np.zeros((2, 256), np.int64)]
    for size in (1, 8188):
        lots += [np.full((2, 256), size), np.full((2, 256), -size)]
        for at in (0, 1, 63, 64, 128, 255):
            lots.append(size * (np.stack([i, i + 256]) == at))
        for k in range(0, 256, 5):
            turns = np.exp(2j * np.pi * i * k / 256) * np.exp(2j * np.pi * rng.random())
            square = np.stack([np.sign(turns.real), np.sign(turns.imag)]).astype(np.int64)
            lots += [size * square, np.rint(size * np.stack([turns.real, turns.imag])).astype(np.int64)]
    for _ in range(1000):
        size = int(8188 * rng.random() ** 4) + 1
        lots.append(rng.integers(-size, size + 1, (2, 256)) * (rng.random((2, 256)) < rng.random()))
        lots.append(size * rng.choice([-1, 1], (2, 256)))
        lots.append(np.stack([lots[-1][0], np.zeros(256, np.int64)]))
    return lots


def test_transform():
    lots = inputs()
    wanted, levels = frames.transform(np.stack(lots))
    for z, want, level in zip(lots, wanted, levels.tolist(), strict=True):
        got, h = transformed(z)
        assert h == level
        assert np.array_equal(got, want)
    assert max(levels) == 15
    assert np.abs(wanted).max() > 2**14
