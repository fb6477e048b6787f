"""A key is no signature: whoever holds a clean marked file can read it. The README says so; this shows it."""

from __future__ import annotations

import numpy as np
import soxr

from airmark import assets, audio, embed, generate
from airmark.frames import FrameStage
from airmark.lags import LagGrid

RATE = 16_000


def read_signs(marked: np.ndarray, place: int, key_profile) -> np.ndarray:
    """First eigenvectors of the Gram matrices at a place that is known: (columns, R) of +-1, each up to its sign."""
    grid = LagGrid(key_profile)
    lead = (key_profile.fft - key_profile.hop) // 2
    stage = FrameStage(key_profile)
    frames = stage.process(marked[place - lead : place - lead + key_profile.mark_samples + key_profile.hop])
    values = grid.pair_values(grid.block_products(frames[: key_profile.mark_frames]), 0.0)
    return np.sign(np.linalg.eigh(grid.gram(values))[1][:, :, -1])


def test_the_key_is_read_from_clean_marked_files():
    key = generate(rng=np.random.default_rng(5))
    shares = []
    for row in assets.manifest():
        if row["kind"] not in ("speech", "music", "mixed"):
            continue
        recording = audio.read(assets.data_path(row["path"]))
        host = recording.samples[:, :1]
        marked = embed(host, recording.rate, key, at=[2.0], judge=False, strength=-12)
        at_16k = audio_at_16k(marked.samples[:, 0], recording.rate)
        read = read_signs(at_16k, 2 * RATE, key.profile)
        same = (read == key.columns).mean(axis=1)
        shares.append(np.maximum(same, 1 - same).mean())
    assert len(shares) >= 3
    assert sum(share == 1 for share in shares) >= 1, shares
    assert np.median(shares) > 0.95, shares


def test_an_unmarked_file_gives_no_key_away():
    key = generate(rng=np.random.default_rng(5))
    host = audio.read(assets.data_path("demo.flac"))
    read = read_signs(audio_at_16k(host.samples[:, 0], host.rate), 2 * RATE, key.profile)
    same = (read == key.columns).mean(axis=1)
    assert np.maximum(same, 1 - same).mean() < 0.75


def audio_at_16k(samples: np.ndarray, rate: int) -> np.ndarray:
    return soxr.resample(samples, rate, RATE, "VHQ")
