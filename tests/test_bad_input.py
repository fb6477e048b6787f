"""Wrong use and wrong input: one clear line, exit status 2, nothing left behind, the input untouched."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from airmark.assets import data_path
from airmark.cli import main
from airmark.keys import Key
from airmark.profile import profile, profile_of_shape

RATE = 16_000


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good and bad files."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    Key(rng.choice([-1, 1], profile().key_shape), profile()).save(folder / "key.json")
    other = profile_of_shape(8, 2)
    Key(rng.choice([-1, 1], other.key_shape), other).save(folder / "other.json")
    x = soundfile.read(data_path("music/vibeace_0.flac"))[0][: 4 * RATE]
    soundfile.write(folder / "good.wav", x, RATE, "PCM_16")
    soundfile.write(folder / "good.flac", x, RATE, "PCM_16")
    soundfile.write(folder / "short.wav", x[: 2 * RATE], RATE, "PCM_16")
    soundfile.write(folder / "one.wav", x[:1], RATE, "PCM_16")
    soundfile.write(folder / "none.wav", x[:0], RATE, "PCM_16")
    soundfile.write(folder / "silent.wav", 0 * x, RATE, "PCM_16")
    soundfile.write(folder / "nan.wav", np.where(np.arange(len(x)) == 30_000, np.nan, x), RATE, "FLOAT")
    soundfile.write(folder / "inf.wav", np.where(np.arange(len(x)) == 30_000, np.inf, x), RATE, "FLOAT")
    soundfile.write(folder / "huge.wav", np.where(np.arange(len(x)) == 30_000, 1e300, x), RATE, "DOUBLE")
    soundfile.write(folder / "3hz.wav", x, 3, "PCM_16")
    soundfile.write(folder / "1mhz.wav", x, 1_000_000, "PCM_16")
    good = (folder / "good.wav").read_bytes()
    (folder / "truncated.wav").write_bytes(good[: len(good) // 2])
    (folder / "header.wav").write_bytes(good[:20])
    (folder / "truncated.flac").write_bytes((folder / "good.flac").read_bytes()[:30_000])
    (folder / "no_rate.wav").write_bytes(good[:24] + struct.pack("<I", 0) + good[28:])
    (folder / "no_channels.wav").write_bytes(good[:22] + struct.pack("<H", 0) + good[24:])
    (folder / "text.wav").write_text("This is no sound.\n" * 1000)
    (folder / "zeros.wav").write_bytes(bytes(10_000))
    (folder / "random.flac").write_bytes(b"fLaC" + rng.bytes(10_000))
    (folder / "empty.wav").touch()
    (folder / "folder").mkdir()
    (folder / "broken.json").write_text((folder / "key.json").read_text()[:300])
    (folder / "foreign.json").write_text(json.dumps({"name": "package", "version": "1.0"}))
    (folder / "newer.json").write_text(
        (folder / "key.json").read_text().replace('"airmark_key": 1', '"airmark_key": 9')
    )
    (folder / "exists.wav").write_bytes(b"precious")
    (folder / "exists.json").write_bytes(b"precious")
    return folder


@pytest.fixture
def files(original: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder as the current one; afterwards it must be as it was."""
    monkeypatch.chdir(original)
    before = snapshot(original)
    yield original
    assert snapshot(original) == before


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """All that is in a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def said(argv: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a wrong command line is answered, after the checks that all answers must pass."""
    assert main(argv.split()) == 2
    out, err = capsys.readouterr()
    # The heading of a table may have come before the error was met.
    assert "Traceback" not in out + err
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("airmark: error: ")
    assert 15 < len(lines[0]) < 400
    return lines[0]


RECORDINGS = [
    ("missing.wav", "No such file"),
    ("text.wav", "text.wav"),
    ("zeros.wav", "zeros.wav"),
    ("random.flac", "random.flac"),
    ("truncated.wav", "cut short"),
    ("truncated.flac", "cut short"),
    ("header.wav", "header.wav"),
    ("no_rate.wav", "no_rate.wav"),
    ("no_channels.wav", "no_channels.wav"),
    ("empty.wav", "is empty"),
    ("none.wav", "no sound"),
    ("nan.wav", "sample 30000"),
    ("inf.wav", "sample 30000"),
    ("3hz.wav", "sample rate of 3 Hz"),
    ("1mhz.wav", "sample rate of 1000000 Hz"),
    ("folder", "is a folder"),
    ("key.json", "key.json"),
    ("/dev/null", "/dev/null"),
    ("/dev/zero", "not a file"),
    ("good.wav/in.wav", "can't be read"),
    ("a" * 300, "can't be read"),
]


@pytest.mark.parametrize(("name", "message"), RECORDINGS)
@pytest.mark.parametrize(
    "command", ["embed {} out.wav --key key.json", "detect {} --key key.json", "simulate {} out.wav --level -3"]
)
def test_bad_recordings(command: str, name: str, message: str, files: Path, capsys):
    assert message in said(command.format(name), capsys)


@pytest.mark.parametrize(
    ("name", "message"), [("short.wav", "too short"), ("one.wav", "too short"), ("silent.wav", "silence")]
)
def test_recordings_that_hold_no_mark(name: str, message: str, files: Path, capsys):
    line = said(f"embed {name} out.wav --key key.json", capsys)
    assert line.startswith(f"airmark: error: {name}: ")
    assert message in line


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "command",
    [
        "embed huge.wav out.wav --key key.json",
        "simulate huge.wav out.wav --level -3",
        "simulate good.wav out.wav --noise huge.wav --snr 5",
        "simulate good.wav out.wav --rir huge.wav",
    ],
)
def test_a_sample_that_no_sound_has(command: str, files: Path, capsys):
    line = said(command, capsys)
    assert line.startswith("airmark: error: huge.wav: sample 30000 of channel 0 is 1e+300, beyond 1e+06 times full")


def test_a_short_recording_has_no_mark_in_it(files: Path, capsys):
    for name in ("short.wav", "one.wav", "silent.wav"):
        assert main(["detect", name, "--key", "key.json"]) == 1
    assert capsys.readouterr().err == ""


KEYS = [
    ("missing.json", "cannot read the key"),
    ("broken.json", "broken JSON"),
    ("foreign.json", "not a key file"),
    ("newer.json", "version 9"),
    ("good.wav", "not a key file"),
    ("empty.wav", "not a key file"),
    ("folder", "cannot read the key"),
    ("/dev/zero", "far too long"),
]


@pytest.mark.parametrize(("name", "message"), KEYS)
@pytest.mark.parametrize(
    "command", ["embed good.wav out.wav --key {}", "detect good.wav --key {}", "keygen new.json --apart-from {}"]
)
def test_bad_keys(command: str, name: str, message: str, files: Path, capsys):
    line = said(command.format(name), capsys)
    assert message in line
    assert name in line


def test_keys_of_two_profiles(files: Path, capsys):
    line = said("detect good.wav --key key.json other.json", capsys)
    assert "other: a key for another profile ('default/8x2'" in line
    assert "another profile" in said("keygen new.json --apart-from other.json", capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("good.wav good.wav", "is the input"),
        ("good.wav good.wav --force", "is the input"),
        ("good.wav ./folder/../good.wav --force", "is the input"),
        ("good.wav exists.wav", "exists"),
        ("good.wav folder", "is a folder"),
        ("good.wav folder --force", "is a folder"),
        ("good.wav no/out.wav", "can't be written"),
        ("good.wav key.json/out.wav", "can't be written"),
        ("good.wav /proc/out.wav", "can't be written"),
        ("good.wav key.json --force", "no sound format"),
        ("good.wav out", "no sound format"),
        ("good.wav out.xyz", "no sound format"),
        ("good.wav out.mp3", "--lossy"),
        ("good.wav out.ogg", "--lossy"),
        ("good.wav " + "o" * 300 + ".wav", "can't be written"),
        ("good.wav out.wav --at -1", "no place"),
        ("good.wav out.wav --at=-1", "no place"),
        ("good.wav out.wav --at nan", "no place"),
        ("good.wav out.wav --at inf", "no place"),
        ("good.wav out.wav --at 1e300", "no place"),
        ("good.wav out.wav --at 1e8", "not inside"),
        ("good.wav out.wav --at 3", "not inside"),
        ("good.wav out.wav --near 100", "not inside"),
        ("good.wav out.wav --at 0 --at 1", "over another one"),
        ("good.wav out.wav --at one", "--at"),
        ("good.wav out.wav --from 3 --to 1", "not inside"),
        ("good.wav out.wav --from 2", "too short"),
        ("good.wav out.wav --to 100", "not inside"),
        ("good.wav out.wav --from nan", "no place"),
        ("good.wav out.wav --from=-1", "no place"),
        ("good.wav out.wav --strength -3", "audible"),
        ("good.wav out.wav --strength 0", "audible: give at most -6, or 'auto'"),
        ("good.wav out.wav --strength -1e0", "audible"),
        ("good.wav out.wav --strength -1.e+3", "nothing to find"),
        ("good.wav out.wav --strength inf", "audible"),
        ("good.wav out.wav --strength nan", "nan is not a number: give -60 to -6 dB, or 'auto'"),
        ("good.wav out.wav --strength=-inf", "nothing to find"),
        ("good.wav out.wav --strength=-1000", "nothing to find"),
        ("good.wav out.wav --strength loud", "strength"),
        ("good.wav out.wav --pattern pink", "--pattern"),
        ("good.wav out.wav --rate 16000", "--rate"),
        ("good.wav out.wav --channels 1", "--channels"),
        ("good.wav out.wav --bogus", "--bogus"),
        ("good.wav", "required"),
        ("good.wav -", "raw pipes"),
        ("- out.wav", "raw pipes"),
        ("- - --at 1", "--at is not for pipes"),
        ("- - --at 0", "--at is not for pipes"),
        ("- - --from 0", "--from is not for pipes"),
        ("- - --json", "--json is not for pipes"),
        ("- - --pattern adaptive", "looks ahead"),
        ("- - --rate 3", "sample rate of 3 Hz"),
        ("- - --rate 0", "sample rate of 0 Hz"),
        ("- - --rate 1000000", "sample rate of 1000000 Hz"),
        ("- - --rate 48e3", "--rate"),
        ("- - --channels 0", "0 channels"),
        ("- - --channels -2", "-2 channels"),
        ("- - --channels 1000000000000", "channels"),
        ("- - --strength -3", "audible"),
        ("- - --strength nan", "strength"),
    ],
)
def test_embed(options: str, message: str, files: Path, capsys):
    assert message in said(f"embed {options} --key key.json", capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("good.wav --key key.json --threshold nan", "threshold"),
        ("good.wav --key key.json --threshold inf", "threshold"),
        ("good.wav --key key.json --threshold high", "--threshold"),
        ("good.wav --key key.json --threshold 6 --false-alarms-per-day 1", "not allowed with"),
        ("good.wav --key key.json --false-alarms-per-day 0", "false alarms a day"),
        ("good.wav --key key.json --false-alarms-per-day -1", "false alarms a day"),
        ("good.wav --key key.json --false-alarms-per-day nan", "false alarms a day"),
        ("good.wav --key key.json --engine fast", "--engine"),
        ("good.wav --key key.json --rate 16000", "--rate"),
        ("good.wav --key key.json --channels 2", "--channels"),
        ("good.wav --key", "--key"),
        ("good.wav", "--key"),
        ("--key key.json", "IN"),
        ("- --key key.json --rate 3", "sample rate of 3 Hz"),
        ("- --key key.json --rate 0", "sample rate of 0 Hz"),
        ("- --key key.json --channels 0", "0 channels"),
        ("- --key key.json --channels -1", "-1 channels"),
        ("- --key key.json --channels 1000000000000", "channels"),
    ],
)
def test_detect(options: str, message: str, files: Path, capsys):
    assert message in said(f"detect {options}", capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("good.wav good.wav", "is the input"),
        ("good.wav exists.wav", "exists"),
        ("good.wav no/out.wav", "can't be written"),
        ("good.wav out.wav --snr 10", "noise"),
        ("good.wav out.wav --noise pink --snr nan", "SNR"),
        ("good.wav out.wav --noise purple --snr 10", "no noise 'purple'"),
        ("good.wav out.wav --noise text.wav --snr 10", "text.wav"),
        ("silent.wav out.wav --noise pink --snr 10", "silent"),
        ("good.wav out.wav --rir missing.wav", "missing.wav"),
        ("good.wav out.wav --rir silent.wav", "silent"),
        ("good.wav out.wav --rir good.wav --distance 2 --rt60 0.5", "not both"),
        ("good.wav out.wav --distance 2", "both"),
        ("good.wav out.wav --distance nan --rt60 0.5", "distance"),
        ("good.wav out.wav --distance 2 --rt60 nan", "RT60"),
        ("good.wav out.wav --distance 2 --rt60 -1", "RT60"),
        ("good.wav out.wav --distance 1000 --rt60 0.5", "distance"),
        ("good.wav out.wav --drift-ppm nan", "drift"),
        ("good.wav out.wav --drift-ppm 1e9", "drift"),
        ("good.wav out.wav --drift-ppm -1e9", "drift of -1e+09 ppm"),
        ("good.wav out.wav --level nan", "level"),
        ("good.wav out.wav --level 1e9", "level"),
        ("good.wav out.wav --codec mp4", "no codec"),
        ("good.wav out.wav --codec mp3:1k", "bit rate"),
        ("good.wav out.wav --codec mp3:nan", "no codec"),
        ("good.wav out.wav --crop 3 1", "crop"),
        ("good.wav out.wav --crop 0 100", "crop"),
        ("good.wav out.wav --crop 0 nan", "crop"),
        ("good.wav out.wav --loudspeaker 10", "--loudspeaker"),
        ("good.wav out.wav --loudspeaker 9000-100", "band"),
        ("good.wav out.wav --microphone 100-50", "band"),
        ("good.wav out.wav --seed -1", "seed"),
        ("good.wav out.wav --seed 1.5", "--seed"),
        ("good.wav out.wav --rate 3", "--rate: a sample rate of 3 Hz"),
        ("good.wav out.pcm --rate 16000", "'.pcm'"),
    ],
)
def test_simulate(options: str, message: str, files: Path, capsys):
    assert message in said(f"simulate {options}", capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("exists.json", "exists already"),
        ("key.json", "exists already"),
        ("folder", "exists already"),
        ("folder --force", "is not a file"),
        ("no/key.json", "no folder"),
        ("/proc/key.json", "cannot write the key"),
        ("new.json --repetitions 1", "--repetitions 1"),
        ("new.json --repetitions 0", "--repetitions 0"),
        ("new.json --repetitions -5", "--repetitions -5"),
        ("new.json --repetitions 1000000", "--repetitions 1000000"),
        ("new.json --repetitions 257", "--repetitions 257: give a whole number from 2 to 256"),
        ("new.json --blocks 129", "--blocks 129: give a whole number from 1 to 128"),
        ("new.json --blocks 9", "no keys of 32 repetitions and 9 blocks: more than 256 blocks"),
        ("new.json --repetitions 129 --blocks 2", "more than 256 blocks"),
        ("new.json --blocks 0", "--blocks 0"),
        ("new.json --blocks x", "--blocks"),
        ("new.json --seed -1", "--seed -1"),
        ("new.json --seed x", "--seed"),
        ("new.json --profile none", "no profile 'none'"),
        ("new.json --profile default/9999999x1", "no profile"),
        ("new.json --apart-from", "--apart-from"),
        ("", "required"),
    ],
)
def test_keygen(options: str, message: str, files: Path, capsys):
    assert message in said(f"keygen {options}", capsys)


@pytest.mark.parametrize("argv", ["", "bogus", "--bogus", "embed", "detect", "simulate", "embed a b c d"])
def test_no_such_command(argv: str, files: Path, capsys):
    assert "--help" in said(argv, capsys)


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        ("--bogus", "airmark"),
        ("export k.json k.h --bogus", "airmark export"),
        ("embed a b c d", "airmark embed"),
        ("benchmark null --bogus", "airmark benchmark null"),
        ("benchmark null more", "airmark benchmark null"),
    ],
)
def test_the_hint_names_the_command_that_does_not_know_an_argument(argv: str, command: str, files: Path, capsys):
    assert said(argv, capsys).endswith(f"(see '{command} --help')")


def test_a_link_to_the_input_is_the_input(files: Path, capsys):
    link = files / "link.wav"
    hard = files / "hard.wav"
    link.symlink_to("good.wav")
    os.link("good.wav", hard)
    try:
        for out in (link, hard):
            for force in ("", " --force"):
                assert "is the input" in said(f"embed good.wav {out} --key key.json{force}", capsys)
    finally:
        link.unlink()
        hard.unlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder(files: Path, capsys):
    (files / "folder").chmod(0o500)
    try:
        assert "can't be written" in said("embed good.wav folder/out.wav --key key.json", capsys)
        assert "cannot write" in said("keygen folder/key.json", capsys)
    finally:
        (files / "folder").chmod(0o700)


def test_a_full_disk(files: Path, capsys):
    for out in ("/dev/full", "/dev/full/out.wav"):
        assert said(f"embed good.wav {out} --key key.json --force", capsys)


def test_a_disk_that_is_full_to_the_last_byte(files: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Where libsndfile can't so much as write a header, of which it says "System error."."""
    opened = soundfile.SoundFile

    def full(name: object, mode: str = "r", *args: object) -> soundfile.SoundFile:
        if mode == "w":
            raise soundfile.LibsndfileError(2)
        return opened(name, mode, *args)

    monkeypatch.setattr(soundfile, "SoundFile", full)
    assert said("embed good.wav out.wav --key key.json", capsys).endswith("out.wav can't be written: System error.")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))
    line = said("embed good.wav out.wav --key key.json", capsys)
    assert line.endswith("out.wav can't be written: no space left on the disk")


def test_a_lossy_recording_beyond_full_scale(files: Path, capsys):
    """As decoders give most loud masters: integers would clip it, wherever the mark is."""
    loud = np.clip(3 * soundfile.read("good.wav")[0] / 0.2, -1, 1)
    soundfile.write("loud.ogg", loud, RATE)
    try:
        assert np.abs(soundfile.read("loud.ogg")[0]).max() > 1
        for at in ("0.5", "1.5"):
            error = said(f"embed loud.ogg out.flac --key key.json --at {at}", capsys)
            assert "out.flac: .flac can't hold loud.ogg as it is: sample" in error
            assert "of full scale, beyond PCM_24; use .wav or .caf" in error
        assert main(["embed", "loud.ogg", "folder/out.wav", "--key", "key.json", "--at", "1", "--strength", "-14"]) == 0
    finally:
        Path("loud.ogg").unlink()
        Path("folder/out.wav").unlink(missing_ok=True)


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_name_with_control_characters(files: Path, capsys):
    name = "folder/on\nl\x1b[31m.wav"
    try:
        assert main(["simulate", "good.wav", name, "--level", "-3"]) == 0
        assert "folder/on\\nl\\x1b[31m.wav: 4.00 s" in capsys.readouterr().out
        assert main(["simulate", "good.wav", name]) == 2
        assert capsys.readouterr().err.startswith("airmark: error: folder/on\\nl\\x1b[31m.wav exists")
    finally:
        Path(name).unlink(missing_ok=True)


@pytest.mark.skipif(sys.platform == "win32", reason="names are no bytes there")
def test_a_name_that_is_not_utf_8(files: Path, capsys):
    name = os.fsdecode(b"bad\xff.wav")
    Path(name).write_bytes(Path("good.wav").read_bytes())
    try:
        assert main(["detect", name, "--key", "key.json"]) == 1
        assert main(["simulate", name, "folder/" + name, "--snr", "20", "--noise", "pink"]) == 0
        capsys.readouterr()
        line = said(f"detect {os.fsdecode(b'none' + bytes([255]))}.wav --key key.json", capsys)
        assert "\\udcff" in line
    finally:
        Path(name).unlink()
        Path("folder", name).unlink(missing_ok=True)


@pytest.mark.parametrize("command", ["detect good.wav --key key.json", "detect good.wav --key key.json --json"])
def test_standard_output_that_is_full(command: str, files: Path):
    argv = [sys.executable, "-m", "airmark.cli", *command.split()]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, cwd=files, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == b"airmark: error: No space left on device: the system refused it\n"


def closed(command: str, stream: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """A command with a standard stream closed, as by the shell's ``>&-``."""
    argv = ["sh", "-c", f'exec "$@" {stream}', "sh", sys.executable, "-m", "airmark.cli", *command.split()]
    return subprocess.run(argv, capture_output=True, cwd=folder, timeout=60, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell there")
@pytest.mark.parametrize(
    ("command", "stream", "status", "error"),
    [
        ("detect good.wav --key key.json", ">&-", 2, "standard output is closed"),
        ("embed - - --key key.json", ">&-", 2, "standard output is closed"),
        ("embed good.wav folder/out.wav --key key.json --at 1 --strength -14", ">&-", 0, ""),
        ("simulate good.wav folder/out.wav --level -3", ">&-", 0, ""),
        ("export key.json folder/out.h", ">&-", 0, ""),
        ("detect - --key key.json", "<&-", 2, "standard input: there is no sound in it"),
        ("embed - - --key key.json", "<&-", 2, "standard input: there is no sound in it"),
        ("detect missing.wav --key key.json", "2>&-", 2, ""),
        ("simulate good.wav folder/out.wav --level -3", "<&- >&- 2>&-", 0, ""),
    ],
)
def test_standard_streams_that_are_closed(command: str, stream: str, status: int, error: str, files: Path):
    done = closed(command, stream, files)
    written = list((files / "folder").iterdir())
    for path in written:
        path.unlink()
    assert (done.returncode, len(written)) == (status, int(not status))
    assert error in done.stderr.decode()
    assert done.stderr.count(b"\n") == bool(error)
    assert b"error" not in done.stdout


def test_a_reader_of_the_table_who_leaves(files: Path):
    argv = [
        sys.executable,
        "-m",
        "airmark.cli",
        "embed",
        "good.wav",
        "folder/out.wav",
        "--key",
        "key.json",
        "--at",
        "1",
    ]
    try:
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=files) as process:
            assert process.stdout is not None
            process.stdout.close()
            _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (2, b"")
    finally:
        (files / "folder/out.wav").unlink(missing_ok=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_program_that_is_ended_leaves_nothing(number: signal.Signals, files: Path):
    # Whoever runs this may have them ignored, as nohup does.
    argv = ["env", "--default-signal=INT,TERM,HUP", sys.executable, "-m", "airmark.cli", "demo", "--out", "folder/demo"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=files) as process:
        while process.poll() is None and not list((files / "folder").iterdir()):
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    left = [path.name for path in (files / "folder").iterdir()]
    shutil.rmtree(files / "folder/demo", ignore_errors=True)
    assert (process.returncode, err, left) == (128 + number, b"", [])


def test_an_error_of_the_program_is_no_answer(files: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr("airmark.audio.info", lambda path: 1 / 0)
    assert main(["detect", "good.wav", "--key", "key.json"]) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_silence_that_gets_no_mark_is_told(files: Path, capsys):
    x = soundfile.read("good.wav")[0]
    soundfile.write("folder/half.wav", np.concatenate([x, np.zeros(5 * RATE)]), RATE, "PCM_16")
    try:
        command = "embed folder/half.wav folder/out.wav --key key.json --strength -14"
        assert main([*command.split(), "--json"]) == 0
        told = capsys.readouterr()
        silent = json.loads(told.out)["silent"]
        assert len(silent) == 2
        places = ", ".join(f"{place / RATE:.3f}" for place in silent)
        assert told.err == f"airmark: warning: 2 stretches of digital silence got no mark, at {places} s\n"
        error = said(f"{command} --at 1 --at 5 --force", capsys)
        assert "there is only digital silence at 5.000 s, where a mark was wanted" in error
    finally:
        Path("folder/half.wav").unlink()
        Path("folder/out.wav").unlink(missing_ok=True)


def test_keys_of_one_name_are_told_apart(files: Path, capsys):
    rng = np.random.default_rng(1)
    for folder in ("a", "b"):
        Path("folder", folder).mkdir()
        Key(rng.choice([-1, 1], profile().key_shape), profile()).save(f"folder/{folder}/key.json")
    try:
        keys = ["folder/a/key.json", "folder/b/key.json"]
        wanted = Key.load(keys[1]).fingerprint
        assert main(["embed", "good.wav", "folder/out.wav", "--key", keys[1], "--at", "1"]) == 0
        assert main(["detect", "folder/out.wav", "--key", *keys]) == 0
        assert f"key key ({wanted})" in capsys.readouterr().out
        assert main(["detect", "folder/out.wav", "--json", "--key", *keys]) == 0
        (found,) = json.loads(capsys.readouterr().out)["detections"]
        assert (found["key"], found["fingerprint"]) == (f"key ({wanted})", wanted)
    finally:
        shutil.rmtree("folder/a")
        shutil.rmtree("folder/b")
        Path("folder/out.wav").unlink(missing_ok=True)


def piped(command: str, data: bytes, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own, fed with data."""
    argv = [sys.executable, "-m", "airmark.cli", *command.split()]
    return subprocess.run(argv, input=data, capture_output=True, cwd=folder, timeout=60, check=False)


@pytest.mark.parametrize("command", ["embed - - --key key.json --rate 16000", "detect - --key key.json --channels 2"])
def test_a_pipe_that_ends_within_a_frame(command: str, files: Path):
    done = piped(command, bytes(4 * 1000 + 3), files)
    assert done.returncode == 2
    assert b"ends within a frame" in done.stderr.splitlines()[-1]
    assert b"Traceback" not in done.stderr


def test_a_pipe_that_nobody_reads(files: Path):
    command = [sys.executable, "-m", "airmark.cli", "embed", "-", "-", "--key", "key.json", "--rate", "16000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate(bytes(16_000 * 4 * 3))
    assert process.returncode == 2
    assert b"Traceback" not in err


@pytest.mark.parametrize("command", ["detect - --key key.json", "embed - - --key key.json"])
def test_an_empty_pipe(command: str, files: Path):
    done = piped(command, b"", files)
    assert (done.returncode, done.stderr) == (2, b"airmark: error: standard input: there is no sound in it\n")


@pytest.mark.parametrize(
    "command",
    [
        "detect truncated.wav --key key.json",
        "embed nan.wav out.wav --key key.json",
        "embed good.wav good.wav --force --key key.json",
        "detect good.wav --key broken.json",
    ],
)
def test_a_process_of_its_own_says_the_same(command: str, files: Path, capsys):
    line = said(command, capsys)
    done = piped(command, b"", files)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == line + "\n"


def test_json_output_has_no_half_object(files: Path, capsys):
    assert main(["detect", "nan.wav", "--key", "key.json", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_noise_on_standard_input_is_only_noise(files: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    data = np.random.default_rng(0).bytes(RATE * 2 * 4)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["detect", "-", "--key", "key.json"]) == 1
    assert "no marks in 4.0 s" in capsys.readouterr().out


def test_install_refuses_an_extra_that_is_not_there():
    script = Path(__file__).parents[1] / "reference/install"
    done = subprocess.run([script, "listen", "nonsense"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("reference/install: no extra 'nonsense': there are test, quality, listen, ")
    assert done.stderr.count("\n") == 1
