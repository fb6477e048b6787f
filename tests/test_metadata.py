"""What a recording says beside its sound comes with its marked copy."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from av.stream import Disposition

from airmark import audio, metadata
from airmark.audio import check_output, read, write
from airmark.cli import main
from airmark.errors import AirmarkError

RATE = 48_000
MARKED = 2.5
"""Seconds of sound, which hold one mark."""


def samples(seconds: float = 0.51) -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=round(seconds * RATE)) * np.linspace(0.01, 0.1, round(seconds * RATE))
    return np.rint(noise * 2**15).astype(np.int16)


def png() -> bytes:
    def part(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + bytes([16 * row, 0, 0] * 16) for row in range(16))
    header = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    data = part(b"IHDR", header) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def chunk(name: bytes, body: bytes, order: str = "<") -> bytes:
    return name + struct.pack(f"{order}I", len(body)) + body + b"\0" * (len(body) % 2)


def resized(data: bytes, order: str = "<") -> bytes:
    return data[:4] + struct.pack(f"{order}I", len(data) - 8) + data[8:]


def chunks(path: Path) -> dict[bytes, bytes]:
    """Name and whole chunk, in the file's order."""
    data = path.read_bytes()
    with path.open("rb") as file:
        return {one.name: data[one.start : one.end] for one in metadata._chunks(file)}


def copied(source: Path, output: Path, *, lossy: bool = False, as_long: bool = True) -> np.ndarray:
    """Writes the samples back as they are; returns what is read of the output."""
    recording = read(source)
    write(recording.samples, recording, check_output(source, output, lossy=lossy), as_long=as_long)
    assert sorted(path.name for path in output.parent.iterdir() if path.name.startswith(".")) == []
    return read(output).samples


BEFORE = chunk(b"bext", b"A broadcast" + bytes(600)) + chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Song\0"))
AFTER = chunk(b"cue ", struct.pack("<7I", 1, 7, 90, 0x61746164, 0, 0, 90)) + chunk(b"iXML", b"<BWFXML/>")
"""Each with a chunk of an odd length."""
UNTRUE = chunk(b"PEAK", bytes(16)) + chunk(b"MD5 ", bytes(16)) + chunk(b"JUNK", bytes(27))


def wav(path: Path, data: np.ndarray, kind: str = "PCM_16", after: bytes = AFTER + UNTRUE) -> None:
    soundfile.write(path, data, RATE, kind, format="WAV")
    plain = path.read_bytes()
    path.write_bytes(resized(plain[:12] + BEFORE + plain[12:] + b"\0" * (len(plain) % 2) + after))


@pytest.mark.parametrize("frames", [24_000, 24_001])
@pytest.mark.parametrize("kind", ["PCM_16", "PCM_U8"])
@pytest.mark.parametrize("suffix", ["wav", "rf64"])
def test_chunks_of_wav_come_with_it_where_they_were(tmp_path: Path, suffix: str, kind: str, frames: int):
    source, output = tmp_path / "in.wav", tmp_path / f"out.{suffix}"
    wav(source, samples()[:frames], kind)
    there = read(source)
    np.testing.assert_array_equal(copied(source, output), there.samples)
    got = chunks(output)
    wide = [b"ds64"] if suffix == "rf64" else []
    # libsndfile finds no sound in RF64 behind a chunk of an odd length.
    order = [b"LIST", b"data", b"bext"] if wide else [b"bext", b"LIST", b"data"]
    assert list(got) == [*wide, b"fmt ", *order, b"cue ", b"iXML"]
    with soundfile.SoundFile(output) as file:
        assert file.frames == len(there.samples)
    said = b"".join(got[name] for name in (b"bext", b"LIST", b"cue ", b"iXML"))
    assert said == BEFORE + AFTER
    size = output.stat().st_size - 8
    written = output.read_bytes()
    assert int.from_bytes(written[20:28] if wide else written[4:8], "little") == size
    assert read(output).tags == there.tags == {"title": "Song"}
    if wide:  # and back
        again = tmp_path / "again.wav"
        copied(output, again)
        assert chunks(again)[b"bext"] == got[b"bext"]
        assert int.from_bytes(again.read_bytes()[20:28], "little") == again.stat().st_size - 8


def test_only_what_is_as_long_gets_them(tmp_path: Path):
    """What is cut or resampled has its cue points elsewhere: airmark simulate gives the common tags only."""
    wav(tmp_path / "in.wav", samples())
    copied(tmp_path / "in.wav", tmp_path / "out.wav", as_long=False)
    assert b"cue " not in chunks(tmp_path / "out.wav")
    assert read(tmp_path / "out.wav").tags == {"title": "Song"}


def test_chunks_of_rf64_that_only_ffmpeg_reads(tmp_path: Path):
    """As libsndfile finds no sound behind a chunk of an odd length, a broadcast RF64 may be one."""
    source = tmp_path / "in.rf64"
    soundfile.write(source, samples(), RATE, "PCM_24", format="RF64")
    plain = source.read_bytes()
    with source.open("rb") as file:
        begin = next(metadata._chunks(file)).end
    data = plain[:begin] + BEFORE + plain[begin:] + AFTER
    source.write_bytes(data[:20] + (len(data) - 8).to_bytes(8, "little") + data[28:])
    assert read(source).container == "av:wav"
    for suffix in ("rf64", "wav"):
        np.testing.assert_array_equal(copied(source, tmp_path / f"out.{suffix}"), read(source).samples)
        got = chunks(tmp_path / f"out.{suffix}")
        assert b"".join(got[name] for name in (b"bext", b"LIST", b"cue ", b"iXML")) == BEFORE + AFTER


def test_a_chunk_that_is_cut_short_is_the_last(tmp_path: Path):
    source = tmp_path / "in.wav"
    wav(source, samples(), after=AFTER + b"more\xff\xff\xff\x7fabc")
    copied(source, tmp_path / "out.wav")
    assert list(chunks(tmp_path / "out.wav"))[-2:] == [b"cue ", b"iXML"]
    wav(source, samples(), after=AFTER + b"\0\xff\0\xff" + bytes(4))
    copied(source, tmp_path / "again.wav")
    assert (tmp_path / "again.wav").read_bytes() == (tmp_path / "out.wav").read_bytes()


def test_a_last_chunk_without_its_padding_gets_it(tmp_path: Path):
    source, output = tmp_path / "in.wav", tmp_path / "out.wav"
    wav(source, samples(), after=AFTER + chunk(b"more", b"odd")[:-1])
    copied(source, output)
    assert output.read_bytes().endswith(chunk(b"more", b"odd"))
    assert output.stat().st_size % 2 == 0


def test_big_endian_wav_gives_its_tags_only(tmp_path: Path):
    source = tmp_path / "in.wav"
    with soundfile.SoundFile(source, "w", RATE, 1, "PCM_16", "BIG", "WAV") as file:
        file.title = "Song"
        file.write(samples())
    assert source.read_bytes()[:4] == b"RIFX"
    copied(source, tmp_path / "out.wav")
    assert read(tmp_path / "out.wav").tags == {"title": "Song"}


def test_metadata_that_makes_it_longer_than_4_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As where a lossy sound becomes PCM, of a recording that has hardly a byte on the disk: before it is copied."""
    source = tmp_path / "in.wav"
    wav(source, samples(), "ULAW", after=b"")
    size = source.stat().st_size
    with source.open("r+b") as file:
        file.seek(size + size % 2)
        file.write(struct.pack("<4sI", b"test", 2**32 - 2**15))
        file.truncate(file.tell() + 2**32 - 2**15)
    target = check_output(source, tmp_path / "out.wav")
    recording = read(source)
    monkeypatch.delattr(metadata, "_copy")
    with pytest.raises(AirmarkError, match=r"out.wav: WAV can't be longer than 4 GiB: use .rf64"):
        write(recording.samples, recording, target, as_long=True)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_chunks_of_aiff(tmp_path: Path):
    source, output = tmp_path / "in.aiff", tmp_path / "out.aiff"
    soundfile.write(source, samples(), RATE, "PCM_16", format="AIFF")
    plain = source.read_bytes()
    name, marker = chunk(b"NAME", b"Songs", ">"), chunk(b"MARK", struct.pack(">HHIB", 1, 1, 90, 0), ">")
    source.write_bytes(resized(plain[:12] + name + plain[12:] + marker, ">"))
    np.testing.assert_array_equal(copied(source, output), read(source).samples)
    got = chunks(output)
    assert [one for one in got if one != b"FVER"] == [b"COMM", b"NAME", b"SSND", b"MARK"]
    assert (got[b"NAME"], got[b"MARK"]) == (name, marker)
    assert int.from_bytes(output.read_bytes()[4:8], "big") == output.stat().st_size - 8
    assert read(output).tags == {"title": "Songs"}


def block(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def comments(*texts: bytes) -> bytes:
    parts = [b"nobody", *texts]
    sized = [len(part).to_bytes(4, "little") + part for part in parts]
    return sized[0] + len(texts).to_bytes(4, "little") + b"".join(sized[1:])


ITEM = struct.pack("<II", 2, 0) + b"Key\0Cm"
ENDS = [struct.pack("<8s4I8x", b"APETAGEX", 2000, len(ITEM) + 32, 1, flags) for flags in (0xA0000000, 0x80000000)]
APE = ENDS[0] + ITEM + ENDS[1]
ID3V1 = b"TAG" + b"Another".ljust(30, b"\0") + bytes(95)


@pytest.mark.parametrize("tagged", [False, True])
@pytest.mark.parametrize("commented", [False, True])
def test_blocks_of_flac(tmp_path: Path, commented: bool, tagged: bool):
    source, output = tmp_path / "in.flac", tmp_path / "out.flac"
    soundfile.write(source, samples(), RATE, "PCM_16", format="FLAC")
    plain = source.read_bytes()
    with source.open("rb") as file:
        there = [piece for _, piece in metadata._blocks(file)]
    said = block(4, comments(b"TITLE=Song", b"ARTIST=A", b"ARTIST=B", b"KEY=C")) if commented else b""
    numbers = [3, 9, b"image/png", 0, 16, 16, 24, 0, len(png()), png()]
    picture = block(6, b"".join(n.to_bytes(4, "big") if isinstance(n, int) else n for n in numbers))
    said += block(2, b"riffmine") + picture
    first = bytes([plain[4] & 0x7F]) + plain[5 : there[0].end]
    blocks = b"fLaC" + first + said + block(0x81, bytes(100)) + plain[there[-1].end :]
    front, end = (b"ID3\x04\0\0\0\0\0\x05hello", APE + ID3V1) if tagged else (b"", b"")
    source.write_bytes(front + blocks + end)
    np.testing.assert_array_equal(copied(source, output), read(source).samples)
    data = output.read_bytes()
    assert data.startswith(front + b"fLaC")
    assert data.endswith(end)
    assert data.count(b"APETAGEX") == end.count(b"APETAGEX")
    with output.open("rb") as file:
        got = list(metadata._blocks(file))
    assert [kind for kind, _ in got] == ([0, 4, 2, 6] if commented else [0, 2, 6, 4])
    bodies = {kind: data[piece.start + 1 : piece.end] for kind, piece in got}
    assert all(block(kind, b"")[:1] + bodies[kind] in said for kind in ((4, 2, 6) if commented else (2, 6)))
    with av.open(str(output)) as container:
        tags = {tag.lower(): text for tag, text in container.metadata.items()}
        assert tags.get("key") == ("C" if commented else None)
        assert tags.get("artist") == ("A;B" if commented else None)
        assert [bytes(packet) for packet in container.demux(video=0) if packet.size] == [png()]


def test_flac_that_does_not_begin_behind_its_tag_gives_its_common_tags(tmp_path: Path):
    source, output = tmp_path / "in.flac", tmp_path / "out.flac"
    with soundfile.SoundFile(source, "w", RATE, 1, "PCM_16", format="FLAC") as file:
        file.title = "Song"
        file.write(samples())
    source.write_bytes(b"ID3\4\0\x10\0\0\0\5hello" + source.read_bytes())  # tells of a footer that isn't there
    np.testing.assert_array_equal(copied(source, output), read(source).samples)
    assert output.read_bytes().startswith(b"fLaC")
    assert read(output).tags == {"title": "Song"}


def id3(*frames: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + len(data).to_bytes(4, "big") + b"\0\0" + data for name, data in frames) + bytes(300)
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + body


TAG = id3((b"TIT2", b"\0Song"), (b"TXXX", b"\0key\0C"), (b"APIC", b"\0image/png\0\x03\0" + png()))


def mp3(path: Path, tag: bytes = TAG) -> None:
    soundfile.write(path, samples(1.0), RATE, "MPEG_LAYER_III", format="MP3")
    path.write_bytes(tag + path.read_bytes())


def test_the_tags_of_mp3(tmp_path: Path):
    source, output = tmp_path / "in.mp3", tmp_path / "out.mp3"
    mp3(source)
    assert len(copied(source, output, lossy=True)) == len(read(source).samples)
    assert output.read_bytes().startswith(TAG)
    assert output.read_bytes()[len(TAG) :][:3] != b"ID3"
    mp3(source, b"")
    copied(source, tmp_path / "plain.mp3", lossy=True)
    assert read(tmp_path / "plain.mp3").tags == {}
    # Of another kind of file: the common ones.
    mp3(source)
    copied(source, tmp_path / "out.flac")
    assert read(tmp_path / "out.flac").tags == {"title": "Song"}


@pytest.mark.parametrize("front", [b"", TAG, id3() + TAG], ids=["none", "one", "two"])
@pytest.mark.parametrize("end", [APE, APE + ID3V1, ID3V1], ids=["ape", "both", "id3v1"])
def test_the_tags_at_the_end_of_mp3(tmp_path: Path, front: bytes, end: bytes):
    source, output = tmp_path / "in.mp3", tmp_path / "out.mp3"
    mp3(source, front)
    source.write_bytes(source.read_bytes() + end)
    assert len(copied(source, output, lossy=True)) == len(read(source).samples)
    data = output.read_bytes()
    assert data.startswith(front)
    assert data.endswith(end)
    assert [data.count(name) for name in (b"ID3", b"APETAGEX")] == [front.count(b"ID3"), end.count(b"APETAGEX")]
    assert read(output).tags == read(source).tags


@pytest.mark.parametrize("last", [b"", ID3V1], ids=["ape", "both"])
def test_where_the_tags_at_the_end_begin(tmp_path: Path, last: bytes):
    def begin(data: bytes) -> int:
        (tmp_path / "tagged").write_bytes(data + last)
        with (tmp_path / "tagged").open("rb") as file:
            return metadata._before_tags(file)

    assert begin(b"") == 0
    assert begin(bytes(99)) == 99
    assert begin(bytes(99) + APE) == 99
    assert begin(bytes(99) + APE[1:]) == 98 + len(APE)  # what a wrong size tells of is sound
    assert begin(APE[-40:]) == 40


def said_of(path: Path) -> tuple[dict[str, str], list[str], list[bytes]]:
    """Tags, titles of chapters, and covers."""
    with av.open(str(path)) as container:
        covers = [stream for stream in container.streams.video if stream.disposition & Disposition.attached_pic]
        tags = {tag.lower(): text for tag, text in container.metadata.items()}
        chapters = [chapter["metadata"]["title"] for chapter in container.chapters()]
        return tags, chapters, [bytes(p) for p in container.demux(covers) if p.size] if covers else []


def m4a(path: Path, *, of_chapters: bool = False) -> None:
    """With a cover (or, instead, a track of pictures of its chapters), a chapter and an uncommon tag."""
    path.with_suffix(".png").write_bytes(png())
    with (
        av.open(str(path.with_suffix(".png"))) as picture,
        av.open(str(path), "w", format="mp4", options={"brand": "M4A "}) as out,
    ):
        sound = out.add_stream("aac", rate=RATE)
        sound.codec_context.layout = "mono"
        cover = out.add_stream_from_template(picture.streams.video[0], opaque=True)
        cover.disposition = 0 if of_chapters else Disposition.attached_pic.value
        out.metadata.update({"title": "Song", "composer": "Nobody"})
        second = {"start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}
        out.set_chapters([{"id": 0, **second}])
        for packet in picture.demux():
            if packet.size:
                packet.stream, packet.pts, packet.dts = cover, 0, 0
                out.mux(packet)
        frame = av.AudioFrame.from_ndarray(
            (samples(1.0)[None] / 2**15).astype(np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = RATE, 0
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    if of_chapters:  # which FFmpeg doesn't write: its tracks name the titles, the third track, as that of the chapters
        data = path.read_bytes()
        titles, pictures = (struct.pack(">I4sI", 12, b"chap", track) for track in (3, 2))
        path.write_bytes(data.replace(titles, pictures))


def test_cover_chapters_and_tags_of_m4a(tmp_path: Path):
    source = tmp_path / "in.m4a"
    m4a(source)
    assert said_of(source)[1:] == (["One"], [png()])
    for name, lossy in (("out.m4a", True), ("lossless.m4a", False), ("out.mp4", True)):
        copied(source, tmp_path / name, lossy=lossy)
        tags, chapters, covers = said_of(tmp_path / name)
        assert (tags["title"], tags["composer"], chapters, covers) == ("Song", "Nobody", ["One"], [png()])
        assert tags["major_brand"] == ("M4A " if name.endswith("m4a") else "isom")
    for name in ("out.mka", "out.mkv"):  # which FFmpeg gives no such cover
        copied(source, tmp_path / name, lossy=True)
        assert said_of(tmp_path / name)[1:] == (["One"], [])


def test_pictures_of_chapters_are_no_cover(tmp_path: Path):
    m4a(tmp_path / "in.m4a", of_chapters=True)
    with av.open(str(tmp_path / "in.m4a")) as container:
        (pictures,) = container.streams.video
        wanted = Disposition.attached_pic | Disposition.timed_thumbnails
        assert pictures.disposition & wanted == wanted
    copied(tmp_path / "in.m4a", tmp_path / "out.m4a", lossy=True)
    with av.open(str(tmp_path / "out.m4a")) as container:
        assert not container.streams.video
        assert len(container.chapters()) == 1
    for name in ("out.mp4", "out.mov"):
        copied(tmp_path / "in.m4a", tmp_path / name, lossy=name == "out.mp4")
        with av.open(str(tmp_path / name)) as container:
            assert [(p.dts, bytes(p)) for p in container.demux(container.streams.video) if p.size] == [(0, png())]
    with pytest.raises(AirmarkError, match=r"out\.mkv: \.mkv can't hold .*: use the input's own kind of file$"):
        copied(tmp_path / "in.m4a", tmp_path / "out.mkv", lossy=True)


def jpeg() -> bytes:
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 16, 16, "yuvj420p", Fraction(1, 25)
    return b"".join(bytes(packet) for packet in context.encode(av.VideoFrame(16, 16, "yuvj420p")))


GIF = b"GIF89a\1\0\1\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


@pytest.mark.parametrize("kind", ["jpeg", "gif", "broken"])
@pytest.mark.parametrize("suffix", ["m4a", "mp4", "mov", "mkv", "webm"])
def test_a_cover_is_no_video(tmp_path: Path, suffix: str, kind: str):
    """Where a container has no such cover, or not of this kind, or it can't be read, it stays behind."""
    cover = {"jpeg": jpeg(), "gif": GIF, "broken": b"<html>404</html>"}[kind]
    said = b"gif" if kind == "gif" else b"jpeg"
    mp3(tmp_path / "in.mp3", id3((b"APIC", b"\0image/%s\0\x03\0" % said + cover)))
    assert said_of(tmp_path / "in.mp3")[2] == [cover]
    output = tmp_path / f"out.{suffix}"
    copied(tmp_path / "in.mp3", output, lossy=True)
    there = [cover] if kind == "jpeg" and suffix in ("m4a", "mp4") else []
    assert said_of(output)[2] == there
    with av.open(str(output)) as container:
        assert len(container.streams.video) == len(there)


def test_the_cover_of_an_mp3_does_not_move_its_sound(tmp_path: Path):
    mp3(tmp_path / "in.mp3")
    recording = read(tmp_path / "in.mp3")
    assert recording.start_s > 0
    back = copied(tmp_path / "in.mp3", tmp_path / "out.m4a", lossy=True)
    assert said_of(tmp_path / "out.m4a")[2] == [png()]
    with av.open(str(tmp_path / "out.m4a")) as container:
        assert next(container.decode(audio=0)).pts == 0
    assert abs(len(back) - len(recording.samples)) <= 1024


def test_embed_keeps_them(tmp_path: Path):
    wav(tmp_path / "in.wav", samples(MARKED))
    assert main(["keygen", str(tmp_path / "key")]) == 0
    arguments = ["embed", str(tmp_path / "in.wav"), str(tmp_path / "out.wav"), "--key", str(tmp_path / "key")]
    assert main([*arguments, "--at", "0.2", "--strength", "-14"]) == 0
    got = chunks(tmp_path / "out.wav")
    assert b"".join(got[name] for name in (b"bext", b"LIST", b"cue ", b"iXML")) == BEFORE + AFTER
    before, after = (audio.read(tmp_path / name).samples for name in ("in.wav", "out.wav"))
    assert (before != after).any()
    assert len(before) == len(after)
