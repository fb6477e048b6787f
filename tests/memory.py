"""What a stream's stages hold, for the tests that it doesn't grow."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

# What CPython and numpy keep of calls: up to 2,000 freed tuples of sliding_window_view, the bound methods of np.clip,
# the names of a method and of dictionary keys, made anew each time. A collection gives it back, sooner or later; it was
# all but 3,674 bytes of the 46 kB by which the first hour seemed to grow.
NOT_HELD = [
    tracemalloc.Filter(False, "*stride_tricks*", domain=0),
    tracemalloc.Filter(False, "*fromnumeric*", domain=0),
    tracemalloc.Filter(False, tracemalloc.__file__),
]


def held() -> int:
    """Bytes that are traced and in use."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces(NOT_HELD)
    return sum(trace.size for trace in snapshot.traces)


def growth(work: Callable[[int], None], first: int, then: int) -> tuple[int, int]:
    """Bytes that are in use more after `then` seconds of work than after `first`, and at most meanwhile."""
    tracemalloc.start()
    try:
        work(first)
        before = held()
        tracemalloc.reset_peak()
        work(then)
        peak = tracemalloc.get_traced_memory()[1]
        after = held()
    finally:
        tracemalloc.stop()
    return after - before, peak - before
