"""Listening live: a file in real time, the microphone's queue, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from airmark import assets, audio, embed, live
from airmark.cli import main
from airmark.errors import AirmarkError
from airmark.keys import Key
from airmark.profile import profile

RATE = 16_000
AT_S = 0.3
LENGTH_S = 2.8


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A key, a short recording with a mark in it, and the same without."""
    folder = tmp_path_factory.mktemp("listen")
    signs = np.random.default_rng(5).choice([-1, 1], profile().key_shape).astype(np.int8)
    key = Key(signs, profile())
    key.save(folder / "secret.json")
    host = audio.read(assets.data_path("music/vibeace_0.flac")).samples[: round(LENGTH_S * RATE)]
    marked = embed(host, RATE, key, at=[AT_S], strength=-14.0, sample_type="PCM_16", judge=False).samples
    soundfile.write(folder / "marked.wav", marked, RATE, "PCM_16")
    soundfile.write(folder / "unmarked.wav", host, RATE, "PCM_16")
    return SimpleNamespace(
        key=str(folder / "secret.json"), marked=str(folder / "marked.wav"), unmarked=str(folder / "unmarked.wav")
    )


def test_finds_the_mark_of_a_file_in_real_time(files, capsys):
    begun = time.monotonic()
    assert main(["listen", "--key", files.key, "--input", files.marked, "--json"]) == 0
    assert time.monotonic() - begun >= LENGTH_S - 2 * live.BLOCK_S
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1
    found = json.loads(printed[0])
    assert set(found) == {"sample", "time_s", "score", "drift_ppm", "key", "fingerprint", "early"}
    assert found["early"] is True
    assert found["time_s"] == pytest.approx(AT_S, abs=0.016)
    assert found["key"] == "secret"


@pytest.fixture
def at_once(monkeypatch):
    """A clock that sleeping moves on, so that a file is over at once."""
    clock = Clock()
    in_time = live.in_time
    monkeypatch.setattr(live, "in_time", lambda source: in_time(source, clock.now, clock.sleep))
    return clock


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self):
        self.time = 100.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        assert seconds > 0
        self.time += seconds


def test_listening_says_what_detecting_says(files, at_once, capsys):
    assert main(["detect", files.marked, "--key", files.key, "--early"]) == 0
    detected = capsys.readouterr().out.splitlines()
    assert [text.endswith("  key secret  early") for text in detected] == [False, True, False]
    assert main(["listen", "--key", files.key, "--input", files.marked]) == 0
    heard = capsys.readouterr().out.splitlines()
    assert [text for text in heard if not text.startswith("listening")] == detected
    assert at_once.time == pytest.approx(100 + LENGTH_S)


def test_detecting_without_early_decisions_marks_none_as_early(files, capsys):
    assert main(["detect", files.marked, "--key", files.key]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("  key secret")
    assert main(["detect", files.marked, "--key", files.key, "--json"]) == 0
    assert [one["early"] for one in json.loads(capsys.readouterr().out)["detections"]] == [False]


def test_exit_status_1_where_nothing_is_found(files, at_once, capsys):
    assert main(["listen", "--key", files.key, "--input", files.unmarked]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"no marks in {LENGTH_S} s"


def test_no_block_comes_before_it_was_played(files):
    clock = Clock()
    played = 0
    for block in live.in_time(audio.info(files.marked), clock.now, clock.sleep):
        played += len(block)
        assert clock.time - 100 == pytest.approx(played / RATE)
    assert played == round(LENGTH_S * RATE)


def test_a_slow_listener_is_not_made_to_wait(files):
    """Work between the blocks counts as played time: only what is left of a block is slept."""
    clock = Clock()
    for _ in live.in_time(audio.info(files.marked), clock.now, clock.sleep):
        clock.time += 0.6 * live.BLOCK_S
    assert clock.time - 100 == pytest.approx(LENGTH_S + 0.6 * live.BLOCK_S, abs=live.BLOCK_S / 2)


@pytest.mark.parametrize(("wait_for", "status"), [("  score ", 0), ("listening", 1)])
def test_ctrl_c_ends_it_without_a_traceback(files, tmp_path, wait_for, status):
    long = tmp_path / "long.wav"
    marked = audio.read(files.marked).samples
    soundfile.write(long, np.concatenate([marked, np.zeros((60 * RATE, 1))]), RATE, "PCM_16")
    command = [sys.executable, "-m", "airmark.cli", "listen", "--key", files.key, "--input", str(long)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert any(wait_for in text for text in process.stdout)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert err == ""
    assert out.splitlines()[-1].startswith("1 mark in" if status == 0 else "no marks in")
    assert process.returncode == status


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("subcommand", "progress"), [(["listen", "--input"], "running score"), (["detect"], "%")])
def test_progress_is_for_the_terminal_and_detections_for_the_file(files, tmp_path, subcommand, progress):
    import pty

    control, terminal = pty.openpty()
    command = [sys.executable, "-m", "airmark.cli", *subcommand, files.marked, "--key", files.key]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    with (tmp_path / "out.txt").open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(control, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(control)
    assert process.wait(timeout=10) == 0
    assert progress in shown.decode()
    assert any(" s  score " in text for text in (tmp_path / "out.txt").read_text().splitlines())


@pytest.mark.parametrize(
    "options", [["--device", "0"], ["--rate", "16000"], ["--threshold", "7", "--false-alarms-per-day", "1"]]
)
def test_refuses_what_does_not_go_together(files, options, capsys):
    assert main(["listen", "--key", files.key, "--input", files.marked, *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_file_is_one_line(files, tmp_path, capsys):
    assert main(["listen", "--key", files.key, "--input", str(tmp_path / "none.wav")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_sounddevice_it_names_the_extra(files, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["listen", "--key", files.key]) == 2
    error = capsys.readouterr().err
    assert "run 'reference/install listen'" in error
    assert error.count("\n") == 1


def test_without_portaudio_it_names_the_library(files, monkeypatch, tmp_path, capsys):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["listen", "--key", files.key]) == 2
    error = capsys.readouterr().err
    assert "libportaudio2" in error
    assert error.count("\n") == 1


class SoundCard:
    """Stands in for the package sounddevice, as no test machine has a microphone: gives what it is told to, at once."""

    class PortAudioError(Exception):
        """As sounddevice's."""

    def __init__(self, pieces, overflows=(), most_channels=1, least_channels=1):
        self.pieces, self.overflows = pieces, overflows
        self.most_channels, self.least_channels = most_channels, least_channels
        self.active = False

    def query_devices(self, device=None, kind=None):
        found = {"name": "card", "index": 0, "max_input_channels": self.most_channels, "default_samplerate": RATE}
        if kind is None:
            return [found]
        if device not in (None, 0, "card"):
            raise ValueError(f"No input device matching {device!r}")
        return found

    def InputStream(self, rate, size, device, channels, dtype, callback):  # noqa: N802
        if channels < self.least_channels:
            raise self.PortAudioError("Invalid number of channels [PaErrorCode -9998]", -9998)
        self.channels, self.callback = channels, callback
        return self

    def start(self):
        self.active = True
        for i, piece in enumerate(self.pieces):
            block = np.repeat(np.asarray(piece, np.float32)[:, None], self.channels, axis=1)
            self.callback(block, len(block), None, SimpleNamespace(input_overflow=i in self.overflows))
            block[:] = np.nan  # PortAudio's memory is used again
        self.active = False

    def close(self):
        self.active = False


def heard(microphone):
    """All that it hears until it stops, which must be told."""
    blocks = []
    with microphone, pytest.raises(AirmarkError, match="has stopped"):
        blocks.extend(microphone.blocks())
    return np.concatenate(blocks)


def pieces_of(path):
    samples = audio.read(path).samples[:, 0]
    return np.array_split(samples, len(samples) // 800)


def test_the_microphone_hands_on_every_sample(files, monkeypatch):
    pieces = pieces_of(files.marked)
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCard(pieces))
    microphone = live.Microphone()
    assert np.array_equal(heard(microphone)[:, 0], np.concatenate(pieces).astype(np.float32))
    assert (microphone.lost, microphone.overruns) == (0, 0)


def test_what_is_not_taken_in_time_is_counted_and_silent(monkeypatch):
    monkeypatch.setattr(live, "WAITING_S", 4 * live.BLOCK_S)
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCard([np.full(800, i + 1.0) for i in range(9)]))
    microphone = live.Microphone()
    assert np.array_equal(heard(microphone)[::800, 0], [1, 2, 3, 4])
    assert microphone.lost == 5 * 800
    # What comes next is in its place again.
    microphone._take(np.full((800, 1), 10.0), 800, None, SimpleNamespace(input_overflow=False))
    blocks = microphone.blocks()
    after = np.concatenate([next(blocks) for _ in range(6)])
    assert np.array_equal(after[::800, 0], [0, 0, 0, 0, 0, 10])


def test_a_card_without_mono_gives_two_channels(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCard([np.ones(800)], most_channels=2, least_channels=2))
    assert heard(live.Microphone()).shape[1] == 2


def test_a_card_that_refuses_is_one_line(files, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCard([], least_channels=3))
    assert main(["listen", "--key", files.key]) == 2
    assert "card at 16000 Hz: Invalid number of channels" in capsys.readouterr().err


def test_an_unknown_device_is_told_with_those_there_are(files, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCard([]))
    assert main(["listen", "--key", files.key, "--device", "drum"]) == 2
    error = capsys.readouterr().err
    assert "--device drum" in error
    assert "there is 0 card" in error
    assert error.count("\n") == 1


def test_overruns_are_told_and_the_mark_still_found(files, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCard(pieces_of(files.marked), overflows=(2, 3)))
    assert main(["listen", "--key", files.key, "--json"]) == 2  # the card stops
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1
    assert "some sound is being lost" in printed.err
    assert "2 overruns" in printed.err
