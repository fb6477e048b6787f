"""What a sound file says beside its sound, carried over to a copy of the same kind and length, byte for byte.

Chunks of WAV, RF64 and AIFF (broadcast extension, cue points, iXML, ADM, ...), blocks of FLAC (all comments, cover art,
cue sheet), and the tags at either end of FLAC and MP3 (ID3v2; APEv2, ID3v1). What describes the samples and would no
longer be true is left out: their format, peaks, and checksums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

RIFF = ("WAV", "WAVEX", "RF64")
"""libsndfile's names of one kind of file."""
_CONTAINERS = dict.fromkeys((*RIFF, "av:wav"), "riff") | {"AIFF": "aiff", "FLAC": "flac", "MP3": "mp3", "av:mp3": "mp3"}
# Of the samples, not of the recording; and room that is kept free.
_OF_RIFF = {b"fmt ", b"data", b"fact", b"PEAK", b"levl", b"MD5 ", b"ds64", b"slnt", b"JUNK", b"junk", b"FLLR", b"PAD "}
_OF_AIFF = {b"COMM", b"SSND", b"FVER", b"PEAK", b"SAXL"}
_OF_FLAC = {0, 1, 3}  # STREAMINFO, which has the checksum, PADDING and SEEKTABLE
_SOUND = (b"data", b"SSND")
_UNKNOWN = 0xFFFFFFFF
_AT_A_TIME = 1 << 20


class Piece(NamedTuple):
    """Bytes of a file, from ``start`` to before ``end``."""

    start: int
    end: int


class Metadata(NamedTuple):
    """What is carried over from one file."""

    path: Path
    kind: str
    before: list[Piece]
    """What lies before the sound, whole chunks, blocks or tags."""
    after: list[Piece]


def of(path: Path, container: str, other: str) -> Metadata | None:
    """What a copy can carry, byte for byte; None where the kinds of file differ, or there is nothing.

    path: the recording; container, other: libsndfile's or FFmpeg's names of its and of the copy's kind.
    """
    kind = _CONTAINERS.get(container)
    if kind is None or kind != _CONTAINERS.get(other):
        return None
    with path.open("rb") as file:
        before, after = _PIECES[kind](file)
    return Metadata(path, kind, before, after) if before or after else None


def add(metadata: Metadata, copy: Path, room: Path) -> None:
    """Put it into a copy that was just written.

    room: a new file beside it for the copy as it becomes. Raises OSError where that can't be written, and OverflowError
    where the copy's lengths have 32 bits and it would be longer.
    """
    with metadata.path.open("rb") as source, copy.open("rb") as old, room.open("xb") as new:
        _COMPOSERS[metadata.kind](metadata, source, old, new)
    room.replace(copy)


def _length(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def _copy(file: BinaryIO, piece: Piece, out: BinaryIO) -> None:
    file.seek(piece.start)
    left = piece.end - piece.start
    while left:
        part = file.read(min(left, _AT_A_TIME))
        if not part:
            raise OSError(None, "the recording became shorter meanwhile")
        out.write(part)
        left -= len(part)


# --- chunks: RIFF, RF64 and AIFF ---


class _Chunk(NamedTuple):
    name: bytes
    start: int
    """Of its header."""
    end: int
    """Of its padding, at most the file's."""


def _order(file: BinaryIO) -> Literal["big", "little"]:
    """Of the bytes of its lengths: the most significant first in AIFF, and RIFX."""
    return "big" if _read(file, 0, 4) in (b"FORM", b"RIFX") else "little"


def _chunks(file: BinaryIO) -> Iterator[_Chunk]:
    """Those that are whole."""
    length, at = _length(file), 12
    order = _order(file)
    sound: int | None = None
    while at + 8 <= length:
        header = _read(file, at, 8)
        name = header[:4]
        size = int.from_bytes(header[4:], order)
        if name == b"ds64":
            # The lengths of the file and of its sound, 64 bits each.
            sound = int.from_bytes(_read(file, at + 8, 16)[8:], "little")
        if name == b"data" and size == _UNKNOWN and sound is not None:
            size = sound
        end = at + 8 + size
        if end > length or not name.isascii() or not name.decode("ascii").isprintable():
            return
        end = min(end + size % 2, length)
        yield _Chunk(name, at, end)
        at = end


def _pieces_of_chunks(own: set[bytes]) -> Callable[[BinaryIO], tuple[list[Piece], list[Piece]]]:
    def pieces(file: BinaryIO) -> tuple[list[Piece], list[Piece]]:
        sides: tuple[list[Piece], list[Piece]] = [], []
        if _read(file, 0, 4) == b"RIFX":  # its numbers lie the other way round in a copy
            return sides
        behind = False
        for chunk in _chunks(file):
            behind |= chunk.name in _SOUND
            if chunk.name not in own:
                sides[behind].append(Piece(chunk.start, chunk.end))
        return sides

    return pieces


def _compose_chunks(metadata: Metadata, source: BinaryIO, old: BinaryIO, new: BinaryIO) -> None:
    there = list(_chunks(old))
    begin = next(chunk.start for chunk in there if chunk.name in _SOUND)
    wide = there[0].name == b"ds64"
    # libsndfile (1.2) finds the sound of an RF64 file no more behind a chunk of odd length.
    late = [piece for piece in metadata.before if wide and _read(source, piece.start + 4, 1)[0] % 2]
    if not wide:  # told before anything is written; for the padding, at the end again
        (_length(old) + sum(piece.end - piece.start for piece in metadata.before + metadata.after)).to_bytes(4, "big")

    def put(piece: Piece, file: BinaryIO = source) -> None:
        _copy(file, piece, new)
        new.write(b"\0" * (new.tell() % 2))

    put(Piece(0, begin), old)
    for piece in metadata.before:
        if piece not in late:
            put(piece)
    put(Piece(begin, _length(old)), old)
    for piece in late + metadata.after:
        put(piece)
    size = new.tell() - 8
    if wide:
        new.seek(there[0].start + 8)
        new.write(size.to_bytes(8, "little"))
    else:
        new.seek(4)
        new.write(size.to_bytes(4, _order(old)))


# --- tags at either end ---


def _after_id3(file: BinaryIO) -> int:
    """Where the ID3v2 tags at a file's beginning end; 0 where there are none."""
    at, length = 0, _length(file)
    while (header := _read(file, at, 10))[:3] == b"ID3" and len(header) == 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(header[6:], (21, 14, 7, 0), strict=True))
        end = at + 10 + size + (10 if header[5] & 0x10 else 0)
        if end > length:
            break
        at = end
    return at


def _before_tags(file: BinaryIO) -> int:
    """Where the tags at a file's end begin, ID3v1 and an APEv2 before it; the file's length where there are none."""
    end = _length(file)
    if _read(file, max(0, end - 128), 3) == b"TAG":
        end -= 128
    footer = _read(file, max(0, end - 32), 32)
    # Its size counts the footer and not the header, without which FFmpeg takes the tag for sound.
    begin = max(0, end - 32 - int.from_bytes(footer[12:16], "little"))
    return begin if footer[:8] == _read(file, begin, 8) == b"APETAGEX" else end


def _tags(file: BinaryIO) -> tuple[list[Piece], list[Piece]]:
    begin, end, length = _after_id3(file), _before_tags(file), _length(file)
    return [Piece(0, begin)] if begin else [], [Piece(end, length)] if end < length else []


# --- FLAC ---


def _blocks(file: BinaryIO) -> Iterator[tuple[int, Piece]]:
    """The kinds of a FLAC file's blocks, and the blocks with their headers."""
    at = _after_id3(file) + 4
    last = False
    while not last and len(header := _read(file, at, 4)) == 4:
        last = header[0] >= 0x80
        end = at + 4 + int.from_bytes(header[1:], "big")
        yield header[0] & 0x7F, Piece(at, end)
        at = end


def _pieces_of_flac(file: BinaryIO) -> tuple[list[Piece], list[Piece]]:
    begin = _after_id3(file)
    if _read(file, begin, 4) != b"fLaC":  # libsndfile looks for it further on
        return [], []
    blocks = [piece for kind, piece in _blocks(file) if kind not in _OF_FLAC]
    return [Piece(0, begin), *blocks], [Piece(_before_tags(file), _length(file))]


def _compose_flac(metadata: Metadata, source: BinaryIO, old: BinaryIO, new: BinaryIO) -> None:
    there = list(_blocks(old))
    tags, *kept = metadata.before
    _copy(source, tags, new)
    new.write(b"fLaC")
    blocks = [(old, piece) for kind, piece in there if kind == 0] + [(source, piece) for piece in kept]
    if not any(_read(source, piece.start, 1)[0] & 0x7F == 4 for piece in kept):
        blocks += [(old, piece) for kind, piece in there if kind == 4]
    for file, piece in blocks:
        last = 0x80 if (file, piece) == blocks[-1] else 0
        new.write(bytes([_read(file, piece.start, 1)[0] & 0x7F | last]))
        _copy(file, Piece(piece.start + 1, piece.end), new)
    _copy(old, Piece(there[-1][1].end, _length(old)), new)
    for piece in metadata.after:
        _copy(source, piece, new)


# --- MP3 ---


def _compose_mp3(metadata: Metadata, source: BinaryIO, old: BinaryIO, new: BinaryIO) -> None:
    for piece in metadata.before:
        _copy(source, piece, new)
    _copy(old, Piece(0, _length(old)), new)  # written without tags
    for piece in metadata.after:
        _copy(source, piece, new)


_PIECES: dict[str, Callable[[BinaryIO], tuple[list[Piece], list[Piece]]]] = {
    "riff": _pieces_of_chunks(_OF_RIFF),
    "aiff": _pieces_of_chunks(_OF_AIFF),
    "flac": _pieces_of_flac,
    "mp3": _tags,
}
_COMPOSERS: dict[str, Callable[[Metadata, BinaryIO, BinaryIO, BinaryIO], None]] = {
    "riff": _compose_chunks,
    "aiff": _compose_chunks,
    "flac": _compose_flac,
    "mp3": _compose_mp3,
}
