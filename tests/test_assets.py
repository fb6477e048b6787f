"""The shipped recordings: all listed, all licensed, all readable."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from airmark.assets import data_path, manifest
from airmark.errors import AirmarkError

ROWS = manifest()
AUDIO = sorted(path.relative_to(data_path()).as_posix() for path in data_path().rglob("*.flac"))


def licences() -> dict[str, list[str]]:
    """The table of LICENCES.md: file to [licence, attribution, source, changed]."""
    lines = data_path("LICENCES.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_files_manifest_and_licences_name_the_same_files():
    assert sorted(row["path"] for row in ROWS) == AUDIO
    assert sorted(licences()) == AUDIO


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["path"])
def test_licence_and_attribution_agree_and_may_ship(row):
    licence, attribution, source, changed = licences()[row["path"]]
    assert (licence, attribution) == (row["licence"], row["attribution"])
    assert source.startswith(row["source"])
    assert changed
    for part in licence.split(" + "):
        assert re.match(r"Public domain|CC0-1\.0|CC-BY-[34]\.0", part)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["path"])
def test_readable_as_the_manifest_says_and_not_clipped(row):
    samples, rate = sf.read(data_path(row["path"]), dtype="float64", always_2d=True)
    assert rate == int(row["rate"])
    assert len(samples) / rate == pytest.approx(float(row["duration_s"]), abs=0.01)
    assert np.isfinite(samples).all()
    assert 0.05 < np.abs(samples).max() < 0.95


def test_set_has_what_demo_and_evaluation_need():
    kinds = [row["kind"] for row in ROWS]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "mixed": 1,
        "speech": 2,
        "music": 2,
        "noise": 1,
        "rir": 4,
    }
    assert sum(data_path(path).stat().st_size for path in AUDIO) < 1_200_000


def test_rooms_start_with_the_direct_sound():
    for row in ROWS:
        if row["kind"] == "rir":
            response, rate = sf.read(data_path(row["path"]))
            assert np.argmax(np.abs(response) > 0.5 * np.abs(response).max()) / rate == pytest.approx(0.005, abs=0.002)
            assert float(row["rt60_s"]) > 0


def test_no_such_file_is_one_clear_error():
    with pytest.raises(AirmarkError, match=r"nosuch\.flac: no such file"):
        data_path("nosuch.flac")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read"),
        (b"path,kind\na.flac,music\n", "lacks the column genre"),
        (b"\xff\xfe\x00", "cannot read"),
        (b'path,"kind', "cannot read"),
        (b"", "lacks the column path"),
        (
            b"path,kind,genre,duration_s,rate,licence,attribution,source,room,distance_m,rt60_s\n" + 12 * b"x,",
            "more fields",
        ),
    ],
)
def test_bad_manifest_is_one_clear_error(tmp_path: Path, content: bytes | None, message: str):
    if content is not None:
        (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(AirmarkError, match=message) as caught:
        manifest(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_manifest_of_another_folder(tmp_path: Path):
    (tmp_path / "manifest.csv").write_bytes(data_path("manifest.csv").read_bytes())
    assert manifest(tmp_path) == ROWS
