"""The parameter search: the same trials for every variant, scores as the detector gives them, honest differences."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import soxr
from PIL import Image

from airmark import audio, materials, profilesearch, thresholds
from airmark.assets import data_path
from airmark.channel import ReceivedAudio
from airmark.cli import main
from airmark.detector import Detector
from airmark.embedder import embed
from airmark.errors import AirmarkError
from airmark.keys import Key
from airmark.pattern import FRAMES
from airmark.profile import profile
from airmark.profilesearch import BASE, SNRS_DB, Heard, Search


def search_of(*only, trials=1, **more):
    found = materials.gather(None, None, None, 1.3)
    hosts = [host for host in found.hosts if audio.info(host.path).rate == 16_000]
    return Search(replace(found, hosts=hosts), profilesearch.variants(only), trials, **more)


@pytest.fixture(scope="module")
def marked():
    """A mark of the default's shape from sample 1,000 on, at 16 kHz, as a detector without a channel gets it."""
    recording = audio.read(data_path("demo.flac"))
    host = soxr.resample(recording.samples[:, 0], recording.rate, 16_000)[:80_000]
    key = Key(np.random.default_rng(1).choice([-1, 1], profile().key_shape), profile())
    samples = embed(host, 16_000, key, at=[1000 / 16_000], strength=-14.0, judge=False).samples
    return key, np.ravel(samples)


def received(samples):
    return ReceivedAudio(samples.astype(np.float32), 16_000, 0.0, 1.0, ())


def test_variants_fit_the_frames_of_embedder_and_detector():
    first, *others = profilesearch.variants()
    assert (first.name, first.profile) == (BASE, profile())
    assert len({variant.profile for variant in others} | {first.profile}) == len(others) + 1
    for variant in others:
        p = variant.profile
        assert p.block_samples % p.hop == 0
        for frame, _ in FRAMES["adaptive"]:
            assert p.block_samples % (frame // 2) == 0
        assert p.subbands % p.bands == 0
        assert p.mark_samples / p.rate == pytest.approx(2.048, abs=0.05)


def test_what_is_the_default_already_is_no_variant():
    assert "32x1024" in profilesearch.VARIANTS
    assert "32x1024" not in [variant.name for variant in profilesearch.variants()]
    with pytest.raises(AirmarkError, match="32x1024: is the default"):
        profilesearch.variants(["32x1024"])


def test_the_same_on_any_number_of_jobs_and_beside_other_variants():
    search = search_of("64x512", trials=2)
    one = profilesearch.run(search)
    assert one == profilesearch.run(search, jobs=2)
    assert [(h.variant, h.index) for h in one] == [(v, i) for i in (0, 1) for v in (BASE, "64x512")]
    assert len({(h.host, h.room) for h in one if h.index == 0}) == 1
    assert one[2:3] == profilesearch.try_all(replace(search, variants=search.variants[:1]), 1)
    assert one[2:] != profilesearch.try_all(replace(search, seed=1), 1)


def test_a_stronger_mark_scores_higher_and_is_heard_more():
    weak, strong = (profilesearch.run(search_of("hop-512", strength_db=db)) for db in (-26.0, -10.0))
    for a, b in zip(weak, strong, strict=True):
        assert sum(b.scores) > sum(a.scores) + 1
        assert b.zimtohrli < a.zimtohrli


def test_scores_are_the_detectors(marked):
    key, samples = marked
    full = Detector(key, 16_000, threshold=4.0, engine="full")
    reported = [one for one in full.process(samples) + full.flush() if abs(one.sample - 1000) < 512]
    score, staged = profilesearch._listen(key, received(samples), 1000)
    # The detector takes the place that agrees best, which is the likeliest but not always the highest.
    assert reported[0].score - 1e-9 <= score < reported[0].score + 1
    assert staged


def test_a_mark_elsewhere_is_no_score(marked):
    key, samples = marked
    for place in (9000, 40_000):
        score, staged = profilesearch._listen(key, received(samples), place)
        assert score < thresholds.threshold(1.0)
        assert not staged


def test_costs():
    costs = {variant.name: profilesearch.costs(variant.profile) for variant in profilesearch.variants()}
    assert costs[BASE]["frame_bytes"] == 128 * 58
    assert costs[BASE]["transforms_per_s"] == 62.5
    assert costs[BASE]["transform_work"] == 1
    for name in ("frame_bytes", "transforms_per_s", "transform_work", "screen_sums", "confirm_words"):
        assert costs["hop-128"][name] == 2 * costs[BASE][name]
    assert costs["bands-1"]["screen_sums"] == costs[BASE]["screen_sums"] / 4
    assert costs["drifts-200-by-25"]["template_drifts"] == 17


def test_differences_are_paired_and_misses_counted():
    search = search_of("hop-128", trials=40)
    rng = np.random.default_rng(5)
    heard = []
    for index in range(40):
        base = rng.normal(6, 2, len(SNRS_DB))
        for name, more in ((BASE, 0.0), ("hop-128", 0.25)):
            scores = tuple((base + more).tolist())
            staged = tuple(score >= thresholds.threshold(1.0) for score in scores)
            heard.append(Heard(name, index, f"host {index % 13}", "room", scores, staged))
    heard[-1] = Heard("hop-128", 39, "host 0", "room", (0.0,) * 3, (False,) * 3, refused=True)
    first, second = profilesearch.summary(search, heard)
    assert "against_default" not in first
    assert (first["refused"], second["refused"]) == (0, 1)
    for row, name in ((first, BASE), (second, "hop-128")):
        scores = np.array([h.scores for h in heard if h.variant == name])
        assert row["staged"] == 1
        assert row["zimtohrli"] is None
        for column, level in enumerate(row["levels"]):
            assert level["median_score"] == pytest.approx(np.median(scores[:, column]))
            assert level["found"] == np.mean(scores[:, column] >= thresholds.threshold(1.0))
            assert level["low"] < level["found"] < level["high"]
    told = second["against_default"]["score"]
    assert told["value"] == pytest.approx((39 * 0.25 - np.mean(base)) / 40)
    assert told["low"] < told["value"] < told["high"] <= 0.25 + 1e-9


def test_command(tmp_path, capsys):
    out = tmp_path / "search"
    asked = ["benchmark", "profiles", "--only", "hop-512", "--trials", "1", "--jobs", "1", "--out", str(out)]
    assert main([*asked, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((out / "profile-search.json").read_text())
    assert [row["name"] for row in printed["variants"]] == [BASE, "hop-512"]
    assert printed["variants"][1]["profile"]["hop"] == 512
    with Image.open(out / "profile-search.png") as picture:
        assert picture.size[0] > 800
    assert main(asked) == 2
    assert "has something in it" in capsys.readouterr().err
    assert main([*asked, "--force"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("hop-512 ") for line in lines) == 2


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--only", "hop-64"], "hop-64: is no variant: there are 16x2048, "),
        (["--only", "default"], "default: is the default"),
        (["--trials", "0"], "--trials 0"),
        (["--jobs", "0"], "--jobs 0"),
        (["--seed", "-1"], "--seed -1"),
        (["--strength", "-3"], "--strength -3"),
        (["--strength", "nan"], "--strength nan"),
        (["--rt60-max", "0.01"], "no room's response"),
        (["--audio", "no/such/folder"], "no such folder"),
        (["--out", __file__], "is a file"),
    ],
)
def test_bad_input_is_one_line(asked, told, capsys):
    assert main(["benchmark", "profiles", "--trials", "1", *asked]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err
    assert printed.err.count("\n") == 1
