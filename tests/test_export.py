"""Keys as a C header: what it holds, that it compiles, and that it stays secret."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest

from airmark.cli import main
from airmark.fixed.detector import key_columns
from airmark.keys import Key
from airmark.profile import Profile, profile, profile_of_shape
from tooling import needs

SOURCES = Path(__file__).parents[1] / "firmware/lib/airmark/src"
PROGRAM = """
#include <stdio.h>
#include "keys.h"
int main(void)
{
    size_t count = sizeof airmark_keys / sizeof airmark_keys[0];
    for (size_t key = 0; key < count; key++)
        for (int band = 0; band < AIRMARK_BANDS; band++)
            printf("%lu\\n", (unsigned long)airmark_keys[key].columns[band]);
    return 0;
}
"""


def files(folder: Path, count: int, owner: Profile | None = None) -> list[Path]:
    """Key files with random signs."""
    rng, owner, paths = np.random.default_rng(5), owner or profile(), []
    for i in range(count):
        paths.append(folder / f"{i}.json")
        Key(rng.choice((-1, 1), owner.key_shape), owner).save(paths[-1])
    return paths


def export(*argv: object) -> int:
    return main(["export", *map(str, argv)])


def compiled(folder: Path, *options: str) -> list[int]:
    """Compile the program that prints the header's words, and run it."""
    (folder / "main.c").write_text(PROGRAM)
    command = ["cc", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", *options, f"-I{SOURCES}", "main.c"]
    subprocess.run([*command, "-o", "main"], cwd=folder, check=True, capture_output=True, text=True)
    out = subprocess.run([folder / "main"], check=True, capture_output=True, text=True)
    return [int(line) for line in out.stdout.split()]


@needs("cc", extras="test")
@pytest.mark.parametrize("count", [1, 3])
def test_the_header_compiles_and_has_the_words(count: int, tmp_path: Path):
    paths = files(tmp_path, count)
    assert export(*paths, tmp_path / "keys.h") == 0
    words = [word for path in paths for word in key_columns(Key.load(path))]
    assert compiled(tmp_path, f"-DAIRMARK_MAX_KEYS={count}") == words
    if count > 1:
        with pytest.raises(subprocess.CalledProcessError) as caught:
            compiled(tmp_path)
        assert "AIRMARK_MAX_KEYS=3 or more" in caught.value.stderr


@needs("cc", extras="test")
@pytest.mark.parametrize("changed", ["AIRMARK_REPETITIONS 32", "AIRMARK_BANDS 4"])
def test_a_library_for_other_keys_is_refused(changed: str, tmp_path: Path):
    assert export(*files(tmp_path, 1), tmp_path / "keys.h") == 0
    text = (SOURCES / "airmark.h").read_text("utf-8")
    assert text.count(f"#define {changed} ") == 1
    (tmp_path / "airmark.h").write_text(text.replace(changed, changed.split()[0] + " 64"), "utf-8")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        compiled(tmp_path)
    assert "the keys are for 32 repetitions in 4 bands: export them" in caught.value.stderr


def test_it_is_for_the_owner_only_and_nothing_is_printed(tmp_path: Path, capsys):
    (path,) = files(tmp_path, 1)
    header = tmp_path / "keys.h"
    assert export(path, header) == 0
    assert stat.S_IMODE(header.stat().st_mode) == 0o600
    text, key = header.read_text(), Key.load(path)
    assert "SECRET" in text
    assert f"profile default, fingerprint {key.fingerprint}" in text
    words = re.findall(r"0x([0-9a-f]{8})u", text)
    assert [int(word, 16) for word in words] == key_columns(key)
    printed = "".join(capsys.readouterr())
    assert str(header) in printed
    assert not any(word in printed for word in words)


def test_the_image_is_what_lies_in_a_small_memory(tmp_path: Path, capsys):
    paths = files(tmp_path, 3)
    out = tmp_path / "keys.bin"
    assert export(*paths, out) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    words = np.frombuffer(out.read_bytes(), "<u4").reshape(-1, 4).tolist()
    assert words == [key_columns(Key.load(path)) for path in paths]
    assert f"48 bytes written: {out} (3 keys; secret)" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "form"), [("keys.h", "header"), ("keys.bin", "bin")])
def test_json_says_what_was_written_and_never_the_keys(name: str, form: str, tmp_path: Path, capsys):
    paths, out = files(tmp_path, 2), tmp_path / name
    assert export(*paths, out, "--json") == 0
    printed = capsys.readouterr().out
    keys = [Key.load(path) for path in paths]
    assert json.loads(printed) == {
        "output": str(out),
        "format": form,
        "bytes": len(out.read_bytes()),
        "keys": [
            {"key": str(path), "fingerprint": key.fingerprint, "profile": "default"}
            for path, key in zip(paths, keys, strict=True)
        ],
    }
    words = [word for key in keys for word in key_columns(key)]
    assert not any(text in printed for word in words for text in (str(word), f"{word:08x}"))


@pytest.mark.parametrize("name", ["keys.h", "keys.bin"])
def test_a_key_with_a_band_of_one_sign_is_refused(name: str, tmp_path: Path, capsys):
    signs = np.random.default_rng(0).choice([-1, 1], profile().key_shape)
    signs[:, :, 2] = -1
    Key(signs, profile()).save(tmp_path / "flat.json")
    assert export(tmp_path / "flat.json", tmp_path / name) == 2
    assert "flat: a key with a band of one sign alone would find hum" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_nothing_is_overwritten_unasked_nor_left_half_written(tmp_path: Path, capsys):
    one, two = files(tmp_path, 2)
    header = tmp_path / "keys.h"
    header.write_text("mine")
    assert export(one, header) == 2
    assert "exists already" in capsys.readouterr().err
    assert header.read_text() == "mine"
    assert export(one, two, header, "--force") == 0
    assert "airmark_keys[2]" in header.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.json", "1.json", "keys.h"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["0.json", "keys.txt"], "keys.txt: is named neither .h nor .bin; the last argument is the file to write"),
        (["0.json", "keys"], "keys: is named neither"),
        (["0.json", "-"], "-: is named neither"),
        (["0.json", "no/such/keys.h"], "cannot write the key"),
        (["other/0.json", "keys.h"], "32 repetitions of 1 block in 4 bands"),
        (["0.json", "other/0.json", "keys.h"], "32 repetitions of 1 block in 4 bands"),
        (["0.json", "0.json", "keys.h"], "given twice"),
        (["0.json", "1.json"], "the last argument is the file"),
        (["none.json", "keys.h"], "cannot read the key"),
        (["0.json"], "OUT.h"),
    ],
)
def test_wrong_use_is_one_line(words: list[str], said: str, tmp_path: Path, monkeypatch, capsys):
    files(tmp_path, 2)
    (tmp_path / "other").mkdir()
    files(tmp_path / "other", 1, profile_of_shape(16))
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    assert export(*words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
