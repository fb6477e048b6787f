"""Keys: their files, their secrecy, and the bounds on what unmarked hosts can score under them."""

from __future__ import annotations

import argparse
import copy
import json
import os
import pickle
import re
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airmark import keysearch, statistic
from airmark.commands import keygen
from airmark.errors import AirmarkError
from airmark.keys import Key, keys_of_one_profile, load, save
from airmark.profile import profile, profile_of_shape

SHAPES = st.sampled_from([(32, 1), (2, 1), (4, 3), (7, 2)])


@pytest.fixture(scope="module")
def key() -> Key:
    return keysearch.generate(rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def small() -> Key:
    return keysearch.generate(profile_of_shape(8, 2), np.random.default_rng(1))


def random_key(rng: np.random.Generator, repetitions: int = 32, blocks: int = 1) -> Key:
    owner = profile_of_shape(repetitions, blocks)
    return Key(rng.choice(np.array([-1, 1], np.int8), owner.key_shape), owner)


def keygen_run(*argv: object) -> int:
    top = argparse.ArgumentParser()
    keygen.add_parser(top.add_subparsers())
    args = top.parse_args(["keygen", *map(str, argv)])
    return int(args.run(args))


def plain(grams: np.ndarray, signs: np.ndarray) -> float:
    return float(statistic.agreement(grams, signs) / statistic.deviation(grams))


# The key


def test_columns_are_blocks_major_then_bands():
    key = random_key(np.random.default_rng(0), 7, 2)
    for block in range(2):
        for band in range(4):
            assert np.array_equal(key.columns[block * 4 + band], key.signs[:, block, band])


def test_signs_cannot_be_changed_nor_be_anything_but_signs():
    key = random_key(np.random.default_rng(0))
    with pytest.raises(ValueError, match="read-only"):
        key.signs[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        key.columns[0] = 1
    for bad in (np.zeros((32, 1, 4)), np.ones((32, 4)), np.full((32, 1, 4), np.nan)):
        with pytest.raises(AirmarkError, match="of shape"):
            Key(bad, profile())


def test_equality_is_of_signs_and_profile():
    one, two = (random_key(np.random.default_rng(seed)) for seed in (1, 2))
    same = Key(one.signs, one.profile, "named")
    assert one == same
    assert hash(one) == hash(same)
    assert one != two
    assert one != Key(one.signs, replace(one.profile, name="other"))
    assert len({one, same, two}) == 2
    assert pickle.loads(pickle.dumps(one)) == one


def test_shown_or_printed_it_keeps_its_secret():
    key = random_key(np.random.default_rng(0))
    for text in (repr(key), str(key), f"{[key]}"):
        assert key.fingerprint in text
        assert re.fullmatch("[0-9a-f]{8}", key.fingerprint)
        assert "+" not in text
        assert "-1" not in text
        assert "array" not in text
    assert random_key(np.random.default_rng(1)).fingerprint != key.fingerprint


def test_keys_of_one_profile():
    rng = np.random.default_rng(0)
    keys = [random_key(rng), random_key(rng)]
    assert keys_of_one_profile(keys) == profile()
    with pytest.raises(AirmarkError, match="a key for another profile"):
        keys_of_one_profile([*keys, random_key(rng, 8, 2)])
    with pytest.raises(AirmarkError, match="no key"):
        keys_of_one_profile([])


# The file


@settings(max_examples=30)
@given(SHAPES, st.integers(0, 2**32), st.dictionaries(st.text(max_size=9), st.floats(0, 100)))
def test_saved_is_loaded(tmp_path_factory, shape, seed, bounds):
    path = tmp_path_factory.mktemp("keys") / "mine.json"
    key = random_key(np.random.default_rng(seed), *shape)
    save(Key(key.signs, key.profile, bounds=bounds), path)
    found = load(path)
    assert found == key
    assert found.name == "mine"
    assert found.bounds == pytest.approx(bounds, abs=1e-4)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_file_is_for_its_owner_only(tmp_path: Path, umask: int, monkeypatch):
    path, modes = tmp_path / "key.json", []
    real = os.fdopen

    def watched(descriptor, *args, **options):
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return real(descriptor, *args, **options)

    monkeypatch.setattr(os, "fdopen", watched)
    before = os.umask(umask)
    try:
        random_key(np.random.default_rng(0)).save(path)
    finally:
        os.umask(before)
    assert [mode & 0o077 for mode in modes] == [0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_overwritten_unasked_and_nothing_is_left_behind(tmp_path: Path):
    path = tmp_path / "key.json"
    one, two = (random_key(np.random.default_rng(seed)) for seed in (1, 2))
    one.save(path)
    with pytest.raises(AirmarkError, match="exists already"):
        two.save(path)
    assert load(path) == one
    two.save(path, force=True)
    assert load(path) == two
    (tmp_path / "link.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(AirmarkError, match="exists already"):
        one.save(tmp_path / "link.json")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["key.json", "link.json"]


def test_unwritable_places_are_one_clear_line(tmp_path: Path):
    key = random_key(np.random.default_rng(0))
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "no" / "key", tmp_path / "file" / "key", tmp_path / ("x" * 300), "a\0b"):
        with pytest.raises(AirmarkError) as caught:
            key.save(path, force=True)
        assert str(path) in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def content() -> dict:
    key = random_key(np.random.default_rng(0))
    return json.loads(key._text())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"airmark_key": 2}, "version 2"),
        ({"airmark_key": True}, "no version number"),
        ({"airmark_key": "1"}, "no version number"),
        ({"profile": "other"}, "profile that this version does not have"),
        ({"profile": ["default"]}, "profile that this version does not have"),
        ({"profile": "default/8x1"}, "another shape"),
        ({"repetitions": 31}, "another shape"),
        ({"repetitions": 32.0}, "another shape"),
        ({"blocks": True}, "another shape"),
        ({"bands": 5}, "another shape"),
        ({"signs": "+-"}, "list of 32 strings"),
        ({"signs": ["+-+-"] * 31}, "list of 32 strings"),
        ({"signs": ["+-+"] * 32}, "not 4 signs long"),
        ({"signs": [4] * 32}, "not 4 signs long"),
        ({"signs": ["+-+0"] * 32}, r"other characters than \+ and -"),
        ({"bounds": [1]}, "table of numbers"),
        ({"bounds": {"gated": float("nan")}}, "table of numbers"),
        ({"bounds": {"gated": 10**400}}, "table of numbers"),
    ],
)
def test_broken_key_files_are_one_clear_line(tmp_path: Path, change: dict, message: str):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(content() | change))
    with pytest.raises(AirmarkError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "keygen" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["airmark_key", "profile", "repetitions", "blocks", "bands", "signs"])
def test_missing_fields_are_named(tmp_path: Path, missing: str):
    fields = content()
    del fields[missing]
    (tmp_path / "key.json").write_text(json.dumps(fields))
    with pytest.raises(AirmarkError, match=f"no field '{missing}'"):
        load(tmp_path / "key.json")


def test_files_that_are_no_keys_are_one_clear_line(tmp_path: Path):
    path = tmp_path / "key.json"
    for data in (b"", b"\xff\xfe\x00", b"[" * 100_000, b"[]", b"{}", b"null", b"RIFF"):
        path.write_bytes(data)
        with pytest.raises(AirmarkError, match="not a key file"):
            load(path)
    with path.open("wb") as file:
        file.truncate(1 << 25)
    with pytest.raises(AirmarkError, match="far too long"):
        load(path)
    for missing in (tmp_path, tmp_path / "none.json", "a\0b"):
        with pytest.raises(AirmarkError, match="cannot read the key"):
            load(missing)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=150)
@given(st.sampled_from([*content()]), JUNK, st.integers(0, 900), st.binary(max_size=3))
def test_a_mutated_file_is_a_key_or_an_airmark_error(tmp_path_factory, field, junk, at, data):
    path = tmp_path_factory.getbasetemp() / "mutated.json"
    whole = json.dumps(content()).encode()
    for mutated in (json.dumps(content() | {field: junk}).encode(), whole[:at] + data + whole[at + len(data) :]):
        path.write_bytes(mutated)
        said = ""
        try:
            assert set(np.unique(load(path).signs)) <= {-1, 1}
        except AirmarkError as error:
            said = str(error)
        assert "+-" not in said


# The bounds


def random_host(rng: np.random.Generator, repetitions: int, blocks: int, kind: str) -> np.ndarray:
    """Gram matrices (M, R, R) of a host, summed up from what sounds in each half of a block."""
    angles = rng.uniform(0, np.pi, 3 if kind == "stationary" else 1)
    amplitudes = rng.exponential(size=(len(angles), 1))
    tones = amplitudes * np.exp(1j * angles[:, None] * np.arange(repetitions))
    half = np.arange(2 * repetitions * blocks)
    period = int(rng.integers(4, 2 * keysearch.LONGEST_PERIOD + 1))
    period -= period % 2 if kind == "loop" else 0
    place = half % period
    on = (half - rng.integers(period)) % period < rng.integers(1, period)
    on |= kind in ("steady", "stationary")
    place, on = (np.moveaxis(values.reshape(repetitions, blocks, 2), 0, 2) for values in (place, on))
    sounds = on * tones[:, None, None, :]
    if kind == "loop":
        sounds = sounds * (place == np.arange(period)[:, None, None, None])
    grams = np.einsum("kmjr,kmjq->mrq", sounds, sounds.conj()).real
    grams[:, np.arange(repetitions), np.arange(repetitions)] = 0
    return grams


@pytest.mark.parametrize("kind", ["steady", "stationary", "gate", "loop"])
@pytest.mark.parametrize("shape", ["default", "small"])
def test_no_host_scores_over_the_bounds(kind: str, shape: str, key: Key, small: Key):
    key = key if shape == "default" else small
    repetitions, blocks, bands = key.signs.shape
    rng = np.random.default_rng(3)
    name = {"gate": "gated", "loop": "gated"}.get(kind, kind)
    highest = {"band": -np.inf, "all": -np.inf}
    for _ in range(1500):
        grams = random_host(rng, repetitions, blocks, kind)
        if not grams.any():
            continue
        columns = key.columns.reshape(blocks, bands, -1)
        highest["band"] = max(highest["band"], *(plain(grams, columns[:, band]) for band in range(bands)))
        everywhere = np.repeat(grams, bands, axis=0)
        highest["all"] = max(highest["all"], plain(everywhere, key.columns))
    for place, score in highest.items():
        # Frequencies between the grid's points add a little to hosts that are gated.
        assert score <= key.bounds[f"{name}_{place}"] * 1.03 + 0.01
        assert score > 0.3 * key.bounds[f"{name}_{place}"]


def test_the_worst_hosts_score_what_is_said(small: Key, key: Key):
    for each in (small, key):
        repetitions, blocks, _ = each.signs.shape
        family = keysearch.hosts(repetitions, blocks)
        scores = family.gated(each.signs[:, :, 0].T)
        rng = np.random.default_rng(0)
        for host, angle in zip(
            rng.integers(len(scores), size=300), rng.integers(scores.shape[1], size=300), strict=True
        ):
            grams = family.gram(host, angle)
            if statistic.deviation(grams) > 1e-2:
                assert scores[host, angle] == pytest.approx(plain(grams, each.signs[:, :, 0].T), abs=1e-3)
        sums = family.lag_sums(np.moveaxis(each.signs, 0, 2).astype(float).swapaxes(0, 1))[0]
        columns = each.signs[:, :, 0].T.astype(float)
        assert plain(family.steady_gram(sums), columns) == pytest.approx(family.steady(sums), abs=1e-6)
        assert plain(family.stationary_gram(sums), columns) == pytest.approx(family.stationary(sums), abs=1e-4)


def test_bounds_are_kept_and_are_those_of_the_signs(key: Key):
    band, everywhere = keysearch.GATED[key.signs.shape]
    assert key.bounds["steady_band"] <= keysearch.STEADY
    assert key.bounds["steady_all"] <= keysearch.STEADY
    assert key.bounds["stationary_band"] <= keysearch.STATIONARY
    assert key.bounds["stationary_all"] <= keysearch.STATIONARY
    assert key.bounds["gated_band"] <= band
    assert key.bounds["gated_all"] <= everywhere
    assert keysearch.figures(Key(key.signs, key.profile)) == pytest.approx(dict(key.bounds))
    flat = Key(np.ones((32, 1, 4)), profile())
    # Without signs a steady host is a mark: sqrt(R (R - 1) / 2) in one band.
    assert keysearch.figures(flat)["steady_band"] == pytest.approx(np.sqrt(32 * 31 / 2))


def test_long_rows_are_descended_to_the_bounds():
    search = keysearch.Search(profile_of_shape(64, 1), np.random.default_rng(0))
    signs, sums = next(search.passing)
    assert search.tally.descended
    family = keysearch.hosts(64, 1)
    assert np.array_equal(family.lag_sums(signs), sums)
    assert family.steady(sums) <= keysearch.STEADY
    assert family.stationary(sums) <= keysearch.STATIONARY


def test_a_search_in_vain_says_so():
    with pytest.raises(AirmarkError, match="within the bounds was found in 0 s; take fewer"):
        keysearch.generate(profile_of_shape(200, 1), np.random.default_rng(0), seconds=0.1)
    assert keysearch.LONGEST == keygen.MOST_BLOCKS
    with pytest.raises(AirmarkError, match="more than 256 blocks"):
        keysearch.generate(profile_of_shape(9999, 9999))


# Randomness and other keys


def test_seeded_keys_repeat_and_others_do_not():
    owner = profile_of_shape(8, 2)
    seeded = [keysearch.generate(owner, np.random.default_rng(5)) for _ in range(2)]
    assert seeded[0] == seeded[1]
    assert len({keysearch.generate(owner) for _ in range(5)}) == 5


def cross_by_hand(key: Key, mark: Key) -> float:
    repetitions, blocks, bands = key.signs.shape
    total = repetitions * blocks
    highest = 0.0
    for shift in range(1 - total, total):
        for neighbour in (False, True):
            heard = np.zeros((2, total, bands))
            for block in range(total):
                inside = 0 <= block + shift < total
                if inside or neighbour:
                    heard[0 if inside else 1, block] = mark.signs.reshape(total, bands)[(block + shift) % total]
            heard = heard.reshape(2, repetitions, blocks * bands)
            grams = np.einsum("prc,pqc->crq", heard, heard)
            grams[:, np.arange(repetitions), np.arange(repetitions)] = 0
            lower = np.tile(np.arange(bands) < bands // 2, blocks)
            alone = float(statistic.score(grams[lower], key.columns[lower])) - 0.3
            highest = max(highest, float(statistic.score(grams, key.columns)), alone)
    return highest


@pytest.mark.parametrize("shape", [(32, 1), (5, 3), (2, 1)])
def test_cross_score_is_the_score_on_clean_marks(shape):
    rng = np.random.default_rng(0)
    one, two = random_key(rng, *shape), random_key(rng, *shape)
    assert keysearch.cross_score(one, two) == pytest.approx(cross_by_hand(one, two), abs=1e-6)
    assert keysearch.cross_score(one, two) == pytest.approx(keysearch.cross_score(two, one), abs=1e-9)
    assert keysearch.cross_score(one, one) > keysearch.cross_score(one, two)
    # Alike in the lower bands, where the score of all bands says less.
    kin = Key(np.concatenate([one.signs[..., :2], two.signs[..., 2:]], axis=2), one.profile)
    assert keysearch.cross_score(one, kin) == pytest.approx(cross_by_hand(one, kin), abs=1e-6)


def test_apart_from_others(monkeypatch):
    owner = profile_of_shape(8, 2)
    others = [keysearch.generate(owner, np.random.default_rng(seed)) for seed in range(3)]
    again = np.random.default_rng(0)
    limit = 2.0
    assert keysearch.cross_score(others[0], others[0]) > limit
    monkeypatch.setattr(keysearch, "CROSS", limit)
    key = keysearch.generate(owner, again, others)
    assert max(keysearch.cross_score(key, other) for other in others) <= limit
    with pytest.raises(AirmarkError, match="another profile"):
        keysearch.generate(profile(), apart_from=others)


# The command


def test_keygen_writes_a_key_and_never_prints_it(tmp_path: Path, capsys):
    one, two, three = (tmp_path / f"{name}.json" for name in ("one", "two", "three"))
    shape = ("--repetitions", 8, "--blocks", 2)
    assert keygen_run(one, *shape, "--seed", 1) == 0
    assert keygen_run(two, *shape) == 0
    assert keygen_run(three, *shape, "--apart-from", one, two, "--json") == 0
    out, err = capsys.readouterr()
    assert "guessed" in err
    assert "key written" in out
    report = json.loads(out[out.index("{") :])
    assert list(report["apart_from"]) == [str(one), str(two)]
    assert max(report["apart_from"].values()) <= keysearch.CROSS
    assert report["fingerprint"] == load(three).fingerprint
    assert report["bounds"] == pytest.approx(load(three).bounds, abs=1e-4)
    for path in (one, two, three):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for row in json.loads(path.read_text())["signs"]:
            assert row not in out + err


def test_keygen_wrong_use(tmp_path: Path):
    old = tmp_path / "old.json"
    random_key(np.random.default_rng(0)).save(old)
    before = old.read_bytes()
    for argv, message in (
        ((old,), "exists already"),
        ((tmp_path / "no" / "key.json",), "no folder"),
        ((tmp_path / "a.json", "--repetitions", 1), "--repetitions 1"),
        ((tmp_path / "a.json", "--blocks", 0), "--blocks 0"),
        ((tmp_path / "a.json", "--seed", -1), "--seed -1"),
        ((tmp_path / "a.json", "--profile", "none"), "no profile 'none'"),
        ((tmp_path / "a.json", "--apart-from", tmp_path / "b.json"), "cannot read the key"),
        ((tmp_path / "a.json", "--repetitions", 8, "--apart-from", old), "another profile"),
    ):
        with pytest.raises(AirmarkError, match=message):
            keygen_run(*argv)
    assert old.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.json"]


def test_copies_are_read_only_too():
    key = Key(np.random.default_rng(0).choice([-1, 1], profile().key_shape), profile(), "name", {"steady": 1.0})
    for other in (copy.copy(key), copy.deepcopy(key), pickle.loads(pickle.dumps(key))):
        assert (other, other.name, other.bounds) == (key, "name", {"steady": 1.0})
        assert not other.signs.flags.writeable
