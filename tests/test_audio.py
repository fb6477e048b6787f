"""Sound files: bit-exact round trips in every container and sample type, what is refused, pipes, and video."""

from __future__ import annotations

import io
import os
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from airmark import audio
from airmark.audio import BITS, blocks, check_output, info, quantise, raw_blocks, raw_write, read, write
from airmark.errors import AirmarkError

SUFFIXES = {"WAV": "wav", "WAVEX": "wav", "RF64": "rf64", "W64": "w64", "AIFF": "aiff", "AU": "au", "CAF": "caf"}
SUFFIXES |= {"FLAC": "flac"}
TYPES = (*BITS, "FLOAT", "DOUBLE")
CASES = [(c, t) for c in SUFFIXES for t in TYPES if soundfile.check_format(c, t)]


def extremes(sample_type: str, channels: int = 2, frames: int = 3000) -> np.ndarray:
    """What soundfile writes: random samples of the type after its extreme ones, int32 left-justified or float."""
    rng = np.random.default_rng(7)
    if sample_type in BITS:
        bits = BITS[sample_type]
        low = -(2 ** (bits - 1))
        values = rng.integers(low, -low, (frames, channels), dtype=np.int64)
        values[:6, 0] = [low, low + 1, -1, 0, 1, -low - 1]
        return (values << (32 - bits)).astype(np.int32)
    values = rng.normal(size=(frames, channels)) * 3
    values[:6, 0] = [1.0, -1.0, -0.0, 1e-40, 3.4e38, 0.1]
    return values.astype(np.float32 if sample_type == "FLOAT" else np.float64)


def make(path: Path, sample_type: str, container: str, channels: int = 2, rate: int = 44_100) -> np.ndarray:
    data = extremes(sample_type, channels)
    soundfile.write(path, data, rate, subtype=sample_type, format=container)
    return data


def tone(path: Path, seconds: float = 1.0, rate: int = 44_100, channels: int = 2, **kind: str) -> Path:
    t = np.arange(int(seconds * rate)) / rate
    data = 0.4 * np.sin(2 * np.pi * np.outer(t, 400 + 100 * np.arange(channels)))
    soundfile.write(path, data, rate, **kind)
    return path


def only(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


# --- lossless round trips ---


@pytest.mark.parametrize(("container", "sample_type"), CASES)
def test_round_trip_is_bit_exact(tmp_path: Path, container: str, sample_type: str) -> None:
    source, output = tmp_path / f"in.{SUFFIXES[container]}", tmp_path / f"out.{SUFFIXES[container]}"
    data = make(source, sample_type, container)
    recording = read(source)
    expected = data / 2.0**31 if sample_type in BITS else data.astype(np.float64)
    assert recording.samples.dtype == np.float64
    assert recording.samples.tobytes() == expected.tobytes()  # bytes: tells -0.0 from 0.0
    assert (recording.sample_type, recording.rate, recording.lossless) == (sample_type, 44_100, True)
    target = check_output(source, output)
    assert only(tmp_path) == {source.name}
    write(recording.samples, recording, target)
    assert only(tmp_path) == {source.name, output.name}
    before, after = soundfile.info(source), soundfile.info(output)
    assert (after.subtype, after.format, after.frames, after.channels, after.samplerate) == (
        before.subtype,
        before.format,
        before.frames,
        before.channels,
        before.samplerate,
    )
    dtype = {"FLOAT": "float32", "DOUBLE": "float64"}.get(sample_type, "int32")
    assert soundfile.read(output, dtype=dtype, always_2d=True)[0].tobytes() == data.tobytes()


def test_there_are_cases_of_each_container_and_type() -> None:
    assert {container for container, _ in CASES} == set(SUFFIXES)
    assert {sample_type for _, sample_type in CASES} == set(TYPES)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 3, 8])
@pytest.mark.parametrize("suffix", ["wav", "flac", "mkv", "mov"])
def test_rates_and_channels(tmp_path: Path, rate: int, channels: int, suffix: str) -> None:
    source, output = tmp_path / "in.wav", tmp_path / f"out.{suffix}"
    make(source, "PCM_16", "WAV", channels, rate)
    recording = read(source)
    write(recording.samples, recording, check_output(recording, output))
    back = read(output)
    assert (back.rate, back.channels, back.sample_type, back.lossless) == (rate, channels, "PCM_16", True)
    np.testing.assert_array_equal(back.samples, recording.samples)


@pytest.mark.parametrize("sample_type", TYPES)
@pytest.mark.parametrize("suffix", ["m4a", "mp4", "mov", "mkv", "mka"])
def test_ffmpeg_containers_are_bit_exact_or_refused(tmp_path: Path, suffix: str, sample_type: str) -> None:
    container = "AIFF" if sample_type == "PCM_S8" else "WAV"
    source, output = tmp_path / f"in.{SUFFIXES[container]}", tmp_path / f"out.{suffix}"
    make(source, sample_type, container)
    recording = read(source)
    alac = suffix in ("m4a", "mp4")
    if sample_type == "PCM_S8" or (alac and sample_type not in ("PCM_16", "PCM_24")):
        with pytest.raises(AirmarkError, match=f"can't hold {sample_type}.*use .*(wav|aiff)"):
            check_output(source, output)
        assert only(tmp_path) == {source.name}
        return
    write(recording.samples, recording, check_output(source, output))
    back = read(output)
    assert (back.sample_type, back.rate, back.lossless) == (sample_type, 44_100, True)
    np.testing.assert_array_equal(back.samples, recording.samples)
    # And once more from there, by name of another container.
    again = tmp_path / "again.wav" if container == "WAV" else tmp_path / "again.aiff"
    write(back.samples, back, check_output(output, again))
    assert soundfile.info(again).subtype == sample_type
    np.testing.assert_array_equal(read(again).samples, recording.samples)


@pytest.mark.parametrize("bits", [16, 20, 24, 32])
def test_alac_in_caf(tmp_path: Path, bits: int) -> None:
    """A tone, as libsndfile's ALAC encoder (not used by the package) writes noise of 20 bits and more wrongly."""
    source = tmp_path / "in.caf"
    step = 2.0 ** (bits - 1)
    expected = np.rint(np.sin(np.outer(np.arange(9000), [0.05, 0.03])) * 0.5 * step) / step
    soundfile.write(source, (expected * 2.0**31).astype(np.int32), 44_100, subtype=f"ALAC_{bits}")
    recording = read(source)
    assert recording.lossless
    assert recording.sample_type == ("PCM_24" if bits == 20 else f"PCM_{bits}")
    np.testing.assert_array_equal(recording.samples, expected)


@pytest.mark.parametrize("codec", ["wavpack", "tta"])
def test_lossless_codecs_that_only_ffmpeg_reads(tmp_path: Path, codec: str) -> None:
    data = (extremes("PCM_16") >> 16).astype(np.int16)
    source = tmp_path / f"in.{'wv' if codec == 'wavpack' else 'tta'}"
    with av.open(str(source), "w") as out:
        stream = out.add_stream(codec, rate=44_100)
        kind = next(f.name for f in stream.codec_context.codec.audio_formats if f.name.startswith("s16"))
        stream.codec_context.format, stream.codec_context.layout = kind, "stereo"
        array = np.ascontiguousarray(data.T) if kind == "s16p" else data.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(array, format=kind, layout="stereo")
        frame.sample_rate = 44_100
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    recording = read(source)
    assert (recording.lossless, recording.sample_type, recording.codec) == (True, "PCM_16", codec)
    np.testing.assert_array_equal(recording.samples, data / 2.0**15)
    write(recording.samples, recording, check_output(source, tmp_path / "out.flac"))
    np.testing.assert_array_equal(soundfile.read(tmp_path / "out.flac", dtype="int16")[0], data)


def test_only_the_changed_samples_change(tmp_path: Path) -> None:
    source, output = tmp_path / "in.flac", tmp_path / "out.flac"
    data = make(source, "PCM_24", "FLAC")
    recording = read(source)
    marked = recording.samples.copy()
    marked[1000:2000] *= 0.987654321
    write(marked, recording, check_output(source, output))
    back = soundfile.read(output, dtype="int32")[0]
    np.testing.assert_array_equal(back[:1000], data[:1000])
    np.testing.assert_array_equal(back[2000:], data[2000:])
    assert np.abs(back[1000:2000] / 2.0**31 - marked[1000:2000]).max() <= 2.0**-24


def test_tags_and_mode_are_kept(tmp_path: Path) -> None:
    source, output = tmp_path / "in.flac", tmp_path / "out.flac"
    with soundfile.SoundFile(source, "w", 16_000, 1, "PCM_16") as file:
        file.title, file.artist = "Präludium", "Nobody"
        file.write(np.zeros(100))
    output.write_bytes(b"old")
    output.chmod(0o640)
    recording = read(source)
    write(recording.samples, recording, check_output(source, output, force=True))
    with soundfile.SoundFile(output) as file:
        assert (file.title, file.artist) == ("Präludium", "Nobody")
    assert output.stat().st_mode & 0o777 == 0o640
    write(recording.samples, recording, check_output(source, tmp_path / "out.m4a"))
    with av.open(str(tmp_path / "out.m4a")) as container:
        assert container.metadata["title"] == "Präludium"
    wav = tmp_path / "new.wav"
    write(recording.samples, recording, check_output(source, wav))
    mask = os.umask(0)
    os.umask(mask)
    assert wav.stat().st_mode & 0o777 == 0o666 & ~mask


# --- quantising ---


@given(st.sampled_from(sorted(BITS)), st.data())
def test_grid_values_are_their_own_rounding(sample_type: str, data: st.DataObject) -> None:
    scale = 2 ** (BITS[sample_type] - 1)
    values = np.array(data.draw(st.lists(st.integers(-scale, scale - 1), min_size=1))).reshape(-1, 1) / scale
    assert quantise(values, sample_type).tobytes() == values.tobytes()


@given(st.sampled_from(TYPES), st.lists(st.floats(-0.99, 0.99), min_size=1))
def test_quantise_takes_the_nearest_and_is_idempotent(sample_type: str, values: list[float]) -> None:
    samples = np.array(values).reshape(-1, 1)
    once = quantise(samples, sample_type)
    step = 2.0 ** (1 - BITS[sample_type]) if sample_type in BITS else 2.0**-23
    assert np.abs(once - samples).max() <= step / 2
    assert quantise(once, sample_type).tobytes() == once.tobytes()


@pytest.mark.parametrize("sample_type", TYPES)
def test_quantise_refuses_what_does_not_fit(sample_type: str) -> None:
    edge = 1.0 - 2.0 ** (1 - BITS[sample_type]) if sample_type in BITS else 1.5
    assert quantise(np.array([[edge, -1.0]]), sample_type).tolist() == [[edge, -1.0]]
    too_much = [1.0, -1.0 - 2.0 ** (1 - BITS[sample_type])] if sample_type in BITS else [np.inf]
    for value in [*too_much, np.nan] + ([1e39] if sample_type == "FLOAT" else []):
        with pytest.raises(ValueError, match="sample 1 "):
            quantise(np.array([[0.0, 0.0], [0.0, value]]), sample_type)


# --- lossy inputs and outputs ---


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "opus", "m4a", "aac", "webm", "mp4", "mkv"])
def test_lossy_output(tmp_path: Path, suffix: str) -> None:
    source, output = tone(tmp_path / "in.wav", rate=48_000), tmp_path / f"out.{suffix}"
    recording = read(source)
    if suffix in ("mp3", "ogg", "opus", "aac", "webm"):
        with pytest.raises(AirmarkError, match=rf"\.{suffix} is lossy: allow it with --lossy, or use \.wav or \.flac"):
            check_output(source, output)
    target = check_output(source, output, lossy=True)
    assert target.lossy
    write(recording.samples, recording, target)
    back = read(output)
    assert (back.lossless, back.sample_type, back.rate, back.channels) == (False, "FLOAT", 48_000, 2)
    n = min(len(back.samples), len(recording.samples))
    assert abs(len(back.samples) - len(recording.samples)) <= 2400
    spectra = [np.abs(np.fft.rfft(samples[4800 : n - 4800, 1])) for samples in (back.samples, recording.samples)]
    assert spectra[0].argmax() == spectra[1].argmax()
    assert 0.9 < spectra[0].max() / spectra[1].max() < 1.1


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "m4a"])
def test_lossy_input_keeps_the_decoded_floats_in_wav(tmp_path: Path, suffix: str) -> None:
    wav = tone(tmp_path / "tone.wav")
    source = tmp_path / f"in.{suffix}"
    write(read(wav).samples, info(wav), check_output(wav, source, lossy=True))
    recording = read(source)
    write(recording.samples, recording, check_output(source, tmp_path / "out.wav"))
    assert soundfile.info(tmp_path / "out.wav").subtype == "FLOAT"
    np.testing.assert_array_equal(read(tmp_path / "out.wav").samples, recording.samples)
    write(recording.samples, recording, check_output(source, tmp_path / "out.flac"))
    back = read(tmp_path / "out.flac")
    assert back.sample_type == "PCM_24"
    assert np.abs(back.samples - recording.samples).max() <= 2.0**-24


def test_a_decoded_peak_beyond_full_scale_is_kept_or_refused(tmp_path: Path) -> None:
    source = tmp_path / "loud.ogg"
    rng = np.random.default_rng(3)
    soundfile.write(source, np.clip(rng.normal(size=(20_000, 1)), -1, 1), 16_000)
    recording = read(source)
    assert np.abs(recording.samples).max() > 1.0
    with pytest.raises(AirmarkError, match=r"out\.flac can't be written: sample \d+ is 1\.\d+ of full scale.*\.wav"):
        write(recording.samples, recording, check_output(source, tmp_path / "out.flac"))
    write(recording.samples, recording, check_output(source, tmp_path / "out.wav"))
    np.testing.assert_array_equal(read(tmp_path / "out.wav").samples, recording.samples)
    assert only(tmp_path) == {"loud.ogg", "out.wav"}


@pytest.mark.parametrize("codec", ["ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_codecs_of_16_bits(tmp_path: Path, codec: str) -> None:
    source = tone(tmp_path / "in.wav", rate=8_000, channels=1, subtype=codec)
    recording = read(source)
    assert (recording.lossless, recording.sample_type, recording.codec) == (False, "PCM_16", codec)
    for suffix in ("wav", "flac"):
        output = tmp_path / f"out.{suffix}"
        write(recording.samples, recording, check_output(source, output))
        assert soundfile.info(output).subtype == "PCM_16"
        np.testing.assert_array_equal(read(output).samples, recording.samples)
    lossy = tmp_path / "lossy.wav"
    write(recording.samples, recording, check_output(source, lossy, lossy=True))
    assert soundfile.info(lossy).subtype == codec


# --- what is refused ---


def test_a_missing_file_a_folder_and_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    os.mkfifo(tmp_path / "pipe.wav")
    for name, message in (
        ("no.wav", "can't be read: No such file"),
        ("", "is a folder"),
        ("empty.wav", "is empty"),
        ("pipe.wav", "is not a file"),
    ):
        with pytest.raises(AirmarkError, match=message):
            info(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write everything")
def test_permissions(tmp_path: Path) -> None:
    source = tone(tmp_path / "in.wav")
    folder = tmp_path / "locked"
    folder.mkdir(0o500)
    with pytest.raises(AirmarkError, match="Permission denied"):
        check_output(source, folder / "out.wav")
    source.chmod(0)
    with pytest.raises(AirmarkError, match="Permission denied"):
        info(source)


@pytest.mark.parametrize("name", ["text.wav", "text.mp3", "text.mp4", "text.flac", "text.raw", "text.txt", "text"])
def test_a_text_file(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    path = tmp_path / name
    path.write_text("This is not sound.\n" * 200)
    with pytest.raises(AirmarkError, match=f"{name} (is not a sound file|has no sound|has no header)"):
        list(blocks(path))
    assert capfd.readouterr() == ("", "")


def test_a_picture_has_no_sound(tmp_path: Path) -> None:
    make_video(tmp_path / "silent.mp4", sound=False)
    with pytest.raises(AirmarkError, match="has no sound"):
        info(tmp_path / "silent.mp4")


@pytest.mark.parametrize("container", [c for c in SUFFIXES if c != "FLAC"])
@pytest.mark.parametrize("missing", [3, 750])
def test_a_header_that_promises_more(tmp_path: Path, container: str, missing: int) -> None:
    path = tmp_path / f"in.{SUFFIXES[container]}"
    make(path, "PCM_24", container)
    os.truncate(path, path.stat().st_size - missing * 6)
    with pytest.raises(AirmarkError, match="cut short") as told:
        info(path)
    if container != "CAF":  # libsndfile finds a cut CAF malformed, and doesn't count
        assert str(told.value).endswith(f" cut short: about {missing} frames that its header promises are missing")


def test_a_wav_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = tone(tmp_path / "in.wav")
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert len(read(path).samples) == 44_100


@pytest.mark.parametrize("suffix", ["flac", "m4a", "mov"])
def test_compressed_sound_that_is_cut_short(tmp_path: Path, suffix: str) -> None:
    if suffix != "flac" and not hasattr(av.stream.Stream, "index_entries"):
        pytest.skip("PyAV before version 17 doesn't tell how many packets there should be")
    wav = tmp_path / "in.wav"
    soundfile.write(wav, np.random.default_rng(0).normal(size=(44_100, 2)) * 0.1, 44_100)
    path = tmp_path / f"cut.{suffix}"
    write(read(wav).samples, info(wav), check_output(wav, path))
    if suffix != "flac":  # the index to the front, or the file can't even be opened
        with av.open(str(path)) as source, av.open(str(tmp_path / "c"), "w", "mov", {"movflags": "faststart"}) as out:
            stream = out.add_stream_from_template(source.streams.audio[0], opaque=True)
            for packet in source.demux(source.streams.audio[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
        (tmp_path / "c").replace(path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(AirmarkError, match="cut short"):
        read(path)


def test_zero_frames(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "zero.wav", np.zeros((0, 1)), 16_000)
    with pytest.raises(AirmarkError, match="0 samples long"):
        info(tmp_path / "zero.wav")


@pytest.mark.parametrize("rate", [3, 7_999, 192_001, 1_000_000])
def test_rates_outside_the_range(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "in.wav", np.zeros(100), rate)
    with pytest.raises(AirmarkError, match=f"in.wav: a sample rate of {rate} Hz is not between 8000 and 192000 Hz"):
        info(tmp_path / "in.wav")
    with pytest.raises(AirmarkError, match="--rate: a sample rate"):
        audio.check_rate(rate, "--rate")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(tmp_path: Path, value: float) -> None:
    data = np.zeros((200_000, 2))
    data[150_001, 1] = value
    soundfile.write(tmp_path / "in.wav", data, 16_000, subtype="FLOAT")
    with pytest.raises(AirmarkError, match=f"sample 150001 of channel 1 is {value}"):
        read(tmp_path / "in.wav")


def test_outputs_that_are_the_input(tmp_path: Path) -> None:
    source = tone(tmp_path / "in.wav")
    (tmp_path / "sub").mkdir()
    (tmp_path / "soft.wav").symlink_to(source)
    (tmp_path / "hard.wav").hardlink_to(source)
    for name in ("in.wav", "sub/../in.wav", "soft.wav", "hard.wav"):
        for force in (False, True):
            with pytest.raises(AirmarkError, match="is the input"):
                check_output(source, tmp_path / name, force=force)
    with pytest.raises(AirmarkError, match="is the input"):
        check_output(tmp_path / "soft.wav", source, force=True)


def test_outputs_that_are_in_the_way(tmp_path: Path) -> None:
    source = tone(tmp_path / "in.wav")
    (tmp_path / "old.wav").write_text("keep me")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "dangling.wav").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.wav")
    for name, force, message in (
        ("old.wav", False, "exists: give another name, or overwrite it with --force"),
        ("folder.wav", True, "is a folder"),
        ("dangling.wav", False, "exists"),
        ("pipe.wav", True, "is not a file"),
        ("no/out.wav", False, "can't be written: No such file or directory"),
        ("in.wav/out.wav", False, "can't be written: Not a directory"),
        ("out.xyz", False, "no sound format is known by the name '.xyz': use .wav, "),
        ("out", False, "no sound format is known"),
    ):
        with pytest.raises(AirmarkError, match=message):
            check_output(source, tmp_path / name, force=force)
    assert (tmp_path / "old.wav").read_text() == "keep me"
    assert check_output(source, tmp_path / "old.wav", force=True).path.read_text() == "keep me"


def test_an_output_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    source = tone(tmp_path / "in.wav")
    target = check_output(source, tmp_path / "out.wav")
    target.path.write_text("keep me")
    with pytest.raises(AirmarkError, match="exists"):
        write(read(source).samples, info(source), target)
    assert target.path.read_text() == "keep me"
    assert only(tmp_path) == {"in.wav", "out.wav"}


@pytest.mark.parametrize(
    ("sample_type", "container", "suffix", "use"),
    [
        ("FLOAT", "WAV", "flac", ".wav"),
        ("DOUBLE", "WAV", "flac", ".wav"),
        ("PCM_32", "WAV", "flac", ".wav"),
        ("PCM_U8", "WAV", "flac", ".wav"),
        ("PCM_S8", "AIFF", "wav", ".flac or .aiff"),
    ],
)
def test_sample_types_that_do_not_fit(tmp_path: Path, sample_type: str, container: str, suffix: str, use: str) -> None:
    source = tmp_path / f"in.{SUFFIXES[container]}"
    make(source, sample_type, container)
    with pytest.raises(AirmarkError, match=f"can't hold {sample_type} samples as .* use {use}"):
        check_output(source, tmp_path / f"out.{suffix}")


@pytest.mark.parametrize(
    ("rate", "channels", "suffix", "lossy"),
    [(44_100, 2, "opus", True), (96_000, 2, "mp3", True), (44_100, 9, "flac", False), (44_100, 3, "mp3", True),
     (44_100, 2, "webm", True), (44_100, 9, "mkv", False), (192_000, 2, "m4a", True)],
)  # fmt: skip
def test_rates_and_channels_that_do_not_fit(tmp_path: Path, rate: int, channels: int, suffix: str, lossy: bool) -> None:
    source = tone(tmp_path / "in.wav", 0.1, rate, channels)
    with pytest.raises(AirmarkError, match=f"can't hold.* {channels} channels at {rate} Hz"):
        check_output(source, tmp_path / f"out.{suffix}", lossy=lossy)
    assert only(tmp_path) == {"in.wav"}


def test_more_than_4_gib(tmp_path: Path) -> None:
    source = replace(info(tone(tmp_path / "in.wav")), frames=2**30)
    with pytest.raises(AirmarkError, match=r"4 GiB: use \.rf64"):
        check_output(source, tmp_path / "out.wav")
    assert check_output(source, tmp_path / "out.rf64").container == "RF64"


def test_nothing_is_left_of_a_failed_write(tmp_path: Path) -> None:
    source = tone(tmp_path / "in.wav")
    before = source.read_bytes()
    for suffix in ("wav", "m4a"):
        target = check_output(source, tmp_path / f"out.{suffix}")

        def parts():
            yield np.zeros((70_000, 2))
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write(parts(), info(source), target)
        with pytest.raises(AirmarkError, match="sample 0 is 1 of full scale"):
            write(np.ones((10, 2)), info(source), target)
    assert only(tmp_path) == {"in.wav"}
    assert source.read_bytes() == before


# --- blocks ---


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "m4a", "mp3"])
def test_blocks_are_the_whole_whatever_their_size(tmp_path: Path, suffix: str) -> None:
    wav = tone(tmp_path / "in.wav", 0.5)
    path = tmp_path / f"a.{suffix}"
    write(read(wav).samples, info(wav), check_output(wav, path, lossy=suffix in ("ogg", "mp3")))
    whole = read(path).samples
    for frames in (100, 1024, 7_777, 1_000_000):
        parts = list(blocks(path, frames))
        assert {len(part) for part in parts[:-1]} <= {frames}
        np.testing.assert_array_equal(np.concatenate(parts), whole)


@given(st.lists(st.integers(0, 30)), st.integers(1, 25))
def test_in_blocks(lengths: list[int], frames: int) -> None:
    total = sum(lengths)
    samples = np.arange(total, dtype=float).reshape(-1, 1)
    ends = np.cumsum(lengths)
    out = list(audio.in_blocks((samples[end - n : end] for n, end in zip(lengths, ends, strict=True)), frames))
    assert [len(block) for block in out] == [frames] * (total // frames) + [total % frames] * (total % frames > 0)
    if out:
        np.testing.assert_array_equal(np.concatenate(out), samples)


@pytest.mark.parametrize("suffix", ["wav", "mka"])
def test_reading_and_writing_in_blocks_takes_constant_memory(tmp_path: Path, suffix: str) -> None:
    source, path = tmp_path / "long.wav", tmp_path / f"a.{suffix}"
    soundfile.write(source, np.zeros((48_000 * 60, 2), np.int16), 48_000)
    tracemalloc.start()
    try:
        write(blocks(source, 4096), info(source), check_output(source, path))
        assert sum(len(block) for block in blocks(path, 4096)) == 48_000 * 60
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8e6  # the whole would be 46 MB


# --- raw pipes ---


class Dripping(io.RawIOBase):
    """A pipe that gives and takes a few bytes at a time."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes, self.taken = data, sizes, b""

    def read(self, size: int = -1) -> bytes:
        self.sizes = self.sizes[1:] + self.sizes[:1]
        size = min(size, self.sizes[0])
        out, self.data = self.data[:size], self.data[size:]
        return out

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        self.taken += bytes(data[: self.sizes[0]])
        return min(len(data), self.sizes[0])


@given(st.binary(max_size=600), st.integers(1, 4), st.integers(1, 40), st.lists(st.integers(1, 50), min_size=1))
def test_raw_pipes(data: bytes, channels: int, frames: int, sizes: list[int]) -> None:
    whole = len(data) - len(data) % (2 * channels)
    out: list[np.ndarray] = []

    def consume() -> None:
        for block in raw_blocks(Dripping(data, sizes), channels, frames):
            assert 1 <= len(block) <= frames
            out.append(block)

    if whole < len(data):
        with pytest.raises(AirmarkError, match="ends within a frame"):
            consume()
    else:
        consume()
    pipe = Dripping(b"", sizes)
    for block in out:
        raw_write(pipe, block)
    assert pipe.taken == data[:whole]


def test_raw_blocks_come_as_soon_as_they_are_there() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as end:
        end.write(np.array([[-32768, 32767], [0, -1]], dtype="<i2").tobytes())
        incoming = raw_blocks(stream, 2)
        assert next(incoming).tolist() == [[-1.0, 32767 / 32768], [0.0, -1 / 32768]]


# --- video ---


def make_video(path: Path, *, sound: bool = True, start: Fraction = Fraction(0), codec: str = "aac", bars: int = 50):
    """Two seconds of random pictures with reordered frames, and sound that begins at ``start``."""
    rng = np.random.default_rng(5)
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "A film"
        picture = out.add_stream("mpeg4" if path.suffix != ".webm" else "libvpx", rate=25)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        picture.codec_context.max_b_frames = 2 if path.suffix != ".webm" else 0
        stream = None
        if sound:
            stream = out.add_stream(codec, rate=48_000)
            stream.codec_context.layout = "stereo"
            stream.codec_context.format = {"aac": "fltp", "libopus": "flt"}.get(codec, "s16")
            stream.time_base = Fraction(1, 48_000)
            stream.metadata["language"] = "fin"
        for number in range(bars):
            image = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(picture.encode(frame))
        if stream is not None:
            data = (rng.normal(size=(2, 90_000)) * 0.05).astype(np.float32)
            if codec == "flac" or codec.startswith("pcm"):
                data = np.rint(data.T.reshape(1, -1) * 32768).astype(np.int16)
            kind = "fltp" if data.dtype == np.float32 else "s16"
            block = av.AudioFrame.from_ndarray(data, format=kind, layout="stereo")
            block.sample_rate, block.time_base = 48_000, Fraction(1, 48_000)
            block.pts = round(start * 48_000)
            out.mux(stream.encode(block))
            out.mux(stream.encode(None))
        out.mux(picture.encode(None))


def packets(path: Path, kind: str = "video") -> list[tuple[bytes, Fraction, Fraction]]:
    """Bytes, presentation and decoding time of each packet, times relative to the first, rounded to ms (Matroska's)."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        found = [p for p in container.demux(stream) if p.dts is not None]
        return [(bytes(p), round(p.pts * p.time_base, 3), round((p.dts or 0) * p.time_base, 3)) for p in found]


def start_of(path: Path, kind: str) -> Fraction:
    with av.open(str(path)) as container:
        frame = next(container.decode(getattr(container.streams, kind)[0]))
        return frame.pts * frame.time_base


@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 3)])
@pytest.mark.parametrize(
    ("input", "codec", "output", "lossy", "type_out"),
    [
        ("mp4", "aac", "mp4", False, "PCM_24"),
        ("mp4", "aac", "mov", False, "FLOAT"),
        ("mp4", "aac", "mkv", False, "FLOAT"),
        ("mkv", "flac", "mkv", False, "PCM_16"),
        ("mov", "pcm_s16le", "mp4", False, "PCM_16"),
        ("mp4", "aac", "mp4", True, "FLOAT"),
        ("webm", "libopus", "mkv", False, "FLOAT"),
        ("webm", "libopus", "webm", True, "FLOAT"),
    ],
)
def test_video(
    tmp_path: Path, input: str, codec: str, output: str, lossy: bool, type_out: str, start: Fraction
) -> None:
    source, out = tmp_path / f"in.{input}", tmp_path / f"out.{output}"
    make_video(source, start=start, codec=codec)
    recording = read(source)
    assert recording.rate == 48_000
    target = check_output(source, out, lossy=lossy)
    assert only(tmp_path) == {source.name}
    write(recording.samples, recording, target)
    before, after = packets(source), packets(out)
    assert len(after) == 50
    assert [p[0] for p in after] == [p[0] for p in before]
    back = read(out)
    assert back.sample_type == type_out
    if not lossy:
        assert len(back.samples) == len(recording.samples)
        step = 2.0**-24 if type_out == "PCM_24" else 0
        assert np.abs(back.samples - recording.samples).max() <= step
    # Sound against picture, as in the input; Matroska's clock ticks in ms, a lossy codec pads by a frame of its own.
    apart = [start_of(path, "audio") - start_of(path, "video") for path in (source, out)]
    exact = output in ("mp4", "mov") and not lossy
    assert abs(apart[1] - apart[0]) <= (Fraction(1, 48_000) if exact else Fraction(30 if lossy else 2, 1000))
    # Shown at the same times after the first.
    assert [p[1] - before[0][1] for p in before] == pytest.approx([p[1] - after[0][1] for p in after], abs=0.0021)
    with av.open(str(out)) as container:
        title = {tag.lower(): text for tag, text in container.metadata.items()}["title"]
        assert (title, container.streams.audio[0].language) == ("A film", "fin")


def test_further_sound_tracks_are_copied_and_the_first_stays_first(tmp_path: Path) -> None:
    source, out = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make_video(tmp_path / "film.mkv", codec="flac")
    tone(tmp_path / "other.flac", 2.0, 48_000)
    with av.open(str(source), "w") as both:
        pairs = []
        for path in ("film.mkv", "other.flac"):
            original = av.open(str(tmp_path / path))
            pairs += [(original, s, both.add_stream_from_template(s, opaque=True)) for s in original.streams]
        for original, stream, copy in pairs:
            original.seek(0)
            for packet in original.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    both.mux(packet)
    recording = read(source)
    np.testing.assert_array_equal(recording.samples, read(tmp_path / "film.mkv").samples)
    marked = recording.samples.copy()
    marked[:1000] = 0
    write(marked, recording, check_output(source, out))
    np.testing.assert_array_equal(read(out).samples, marked)
    with av.open(str(source)) as before, av.open(str(out)) as after:
        assert [s.type for s in after.streams] == [s.type for s in before.streams] == ["video", "audio", "audio"]
        found = [[bytes(p) for p in c.demux(c.streams.audio[1]) if p.dts is not None] for c in (before, after)]
    assert found[0] == found[1]
    assert len(found[0]) > 10


def test_surround_sound_of_a_video(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    data = np.random.default_rng(2).normal(size=(1, 48_000, 6)).astype(np.float32).reshape(1, -1) * 0.05
    with av.open(str(source), "w") as out:
        stream = out.add_stream("pcm_f32le", rate=48_000)
        stream.codec_context.layout = "5.1(side)"
        frame = av.AudioFrame.from_ndarray(data, format="flt", layout="5.1(side)")
        frame.sample_rate = 48_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    recording = read(source)
    np.testing.assert_array_equal(recording.samples, data.reshape(-1, 6))
    for suffix in ("mov", "mkv", "mka"):
        write(recording.samples, recording, check_output(source, tmp_path / f"out.{suffix}"))
        np.testing.assert_array_equal(read(tmp_path / f"out.{suffix}").samples, recording.samples)
    assert read(tmp_path / "out.mov").layout == "5.1"  # PCM in Matroska has no layout: the usual one of six channels
    recording = replace(recording, layout="5.1(side)")
    for suffix in ("mp4", "webm"):
        write(recording.samples, recording, check_output(recording, tmp_path / f"out.{suffix}", lossy=True))
        assert read(tmp_path / f"out.{suffix}").channels == 6
    sixteen = replace(recording, sample_type="PCM_16", samples=quantise(recording.samples, "PCM_16"))
    write(sixteen.samples, sixteen, check_output(sixteen, tmp_path / "alac.mp4"))
    np.testing.assert_array_equal(read(tmp_path / "alac.mp4").samples, sixteen.samples)


def test_picture_of_another_codec_than_the_container_takes(tmp_path: Path) -> None:
    make_video(tmp_path / "in.mp4")
    with pytest.raises(AirmarkError, match=r"\.webm can't hold the video of the input as it is: use .*\.mkv"):
        check_output(tmp_path / "in.mp4", tmp_path / "out.webm", lossy=True)
    assert only(tmp_path) == {"in.mp4"}


def test_the_sound_alone_of_a_video(tmp_path: Path) -> None:
    make_video(tmp_path / "in.mkv", codec="flac")
    recording = read(tmp_path / "in.mkv")
    write(recording.samples, recording, check_output(recording, tmp_path / "out.wav"))
    np.testing.assert_array_equal(soundfile.read(tmp_path / "out.wav")[0], recording.samples)


def test_a_gap_in_the_sound_becomes_silence(tmp_path: Path) -> None:
    """So that what follows it stays with the picture."""
    source, holed = tmp_path / "in.mkv", tmp_path / "holed.mkv"
    make_video(source, codec="flac")
    with av.open(str(source)) as original, av.open(str(holed), "w") as out:
        stream = out.add_stream_from_template(original.streams.audio[0], opaque=True)
        for packet in original.demux(original.streams.audio[0]):
            if packet.dts is not None and not 0.5 <= packet.pts * packet.time_base < 1.0:
                packet.stream = stream
                out.mux(packet)
    whole, parts = read(source).samples, read(holed).samples
    assert abs(len(whole) - len(parts)) <= 48  # Matroska's ms
    gap = np.flatnonzero((parts[1:] == 0).all(axis=1) & (parts[:-1] == 0).all(axis=1))
    assert 20_000 < len(gap) < 26_000
    np.testing.assert_array_equal(parts[: gap[0]], whole[: gap[0]])
    np.testing.assert_array_equal(parts[gap[-1] + 2 :][-30_000:], whole[-30_000:])
