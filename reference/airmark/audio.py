"""Sound files: read in blocks, an output checked before any work, and written back without a change outside the marks.

libsndfile (soundfile) reads what it can, FFmpeg (PyAV, in ``airmark.video``) the rest. Samples are float64, shape
(frames, channels), full scale ±1: an n-bit integer sample is itself / 2^(n-1), a float sample is the value in the file.
float64 holds all of these exactly, so what is read and written in the same sample type comes back to the bit.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from airmark import metadata
from airmark.errors import AirmarkError

if TYPE_CHECKING:
    import soundfile

Samples: TypeAlias = npt.NDArray[np.float64]

RATES = (8_000, 192_000)
"""Lowest and highest sample rate, Hz."""
CHANNELS = 1024
"""Most channels, as libsndfile has it."""
BITS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
"""The integer sample types and their bits; the others are FLOAT and DOUBLE."""
LOUDEST = 1e6
"""Times full scale; no sound has such samples, and models of hearing abort the program where one has."""
BLOCK = 65_536
"""Frames read or written at a time where nobody asks for another number."""

PCM_BY_AV = {"PCM_U8": "pcm_u8", "PCM_16": "pcm_s16le", "PCM_24": "pcm_s24le", "PCM_32": "pcm_s32le"}
PCM_BY_AV |= {"FLOAT": "pcm_f32le", "DOUBLE": "pcm_f64le"}
_ALAC = {"PCM_16": "alac", "PCM_24": "alac"}
_SNDFILE = {".wav": "WAV", ".w64": "W64", ".rf64": "RF64", ".aiff": "AIFF", ".aif": "AIFF", ".aifc": "AIFF"}
_SNDFILE |= {".flac": "FLAC", ".caf": "CAF", ".au": "AU", ".snd": "AU"}
_SNDFILE_LOSSY = {".mp3": ("MP3", "MPEG_LAYER_III"), ".ogg": ("OGG", "VORBIS"), ".oga": ("OGG", "VORBIS")}
_SNDFILE_LOSSY |= {".opus": ("OGG", "OPUS")}
# FFmpeg's muxer, its lossless codec for each sample type, and its lossy codec.
_AV: dict[str, tuple[str, dict[str, str], str]] = {
    ".mp4": ("mp4", _ALAC, "aac"),
    ".m4v": ("mp4", _ALAC, "aac"),
    ".m4a": ("ipod", _ALAC, "aac"),
    ".mov": ("mov", PCM_BY_AV, "aac"),
    ".mkv": ("matroska", PCM_BY_AV | {"PCM_16": "flac", "PCM_24": "flac"}, "aac"),
    ".mka": ("matroska", PCM_BY_AV | {"PCM_16": "flac", "PCM_24": "flac"}, "aac"),
    ".webm": ("webm", {}, "libopus"),
    ".aac": ("adts", {}, "aac"),
}
_SUFFIXES = (*_SNDFILE, *_SNDFILE_LOSSY, *_AV)
RAW_SUFFIX = ".raw"
"""Of interleaved little-endian s16 without a header, which only some commands write and none reads as a file."""
_PICTURE = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
# Their length fields have 32 bits; 64 KiB are left for the header and the tags.
_LIMIT_32 = dict.fromkeys(("WAV", "WAVEX", "AIFF", "AU"), 2**32 - 2**16)
# libsndfile's MP3 decoder writes to standard error when it meets a broken file; FFmpeg's doesn't.
_AV_FIRST = (".mp3", ".mp2", ".mp1", ".mpga", ".ogv", ".ogm")
# libsndfile's codecs that decode to 16-bit integers; all its others decode to 32-bit floats.
_DECODED_16 = re.compile(r"ULAW|ALAW|.*ADPCM.*|GSM610|G72\d_\d+|DWVW_1[26]|DPCM_\d+")
# A length that a program puts down which doesn't know it, as it writes to a pipe (FFmpeg, SoX, arecord).
_UNKNOWN_LENGTHS = {0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000}
_SYSTEM = 2  # libsndfile's SF_ERR_SYSTEM
_MALFORMED = 3  # libsndfile's SF_ERR_MALFORMED_FILE
_TAGS = ("title", "artist", "album", "date", "tracknumber", "genre", "copyright", "comment", "license")


class FullScaleError(ValueError):
    """A sample beyond what its sample type holds."""


@dataclass(frozen=True, kw_only=True)
class Info:
    """What a sound file is, without its samples."""

    path: Path
    rate: int
    """Sample rate, Hz."""
    channels: int
    frames: int | None
    """Length, samples of one channel; None where only decoding tells."""
    sample_type: str
    """PCM_U8, PCM_S8, PCM_16, PCM_24, PCM_32, FLOAT or DOUBLE: the type that holds the (decoded) samples exactly."""
    codec: str
    """The encoding in the file: libsndfile's subtype or FFmpeg's codec; often the sample type itself."""
    lossless: bool
    """The encoding gives back each sample as it was put in; A-law and µ-law don't."""
    container: str
    """libsndfile's format, or ``av:`` and FFmpeg's."""
    layout: str | None = None
    """FFmpeg's name for the channels' order; None: not known."""
    start_s: Fraction = Fraction(0)
    """Time of the first sample on the file's clock, on which the picture is too; s."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recording(Info):
    """A whole sound file."""

    samples: Samples
    """float64, shape (frames, channels), full scale ±1."""


@dataclass(frozen=True)
class Target:
    """An output that ``check_output`` found possible."""

    path: Path
    container: str
    """libsndfile's format, or ``av:`` and FFmpeg's muxer."""
    codec: str
    """libsndfile's subtype or FFmpeg's encoder."""
    sample_type: str
    """What the samples are rounded to before they are encoded."""
    lossy: bool
    picture: bool
    """The container takes the input's picture and subtitles too."""
    force: bool


def check_rate(rate: int, where: object) -> None:
    """Raise AirmarkError unless RATES[0] <= rate <= RATES[1]; ``where`` (a path, an option) begins the message."""
    if not isinstance(rate, (int, np.integer)) or isinstance(rate, bool):
        raise AirmarkError(f"{where}: a sample rate is a whole number of Hz, not {rate!r}")
    if not RATES[0] <= rate <= RATES[1]:
        raise AirmarkError(f"{where}: a sample rate of {rate} Hz is not between {RATES[0]} and {RATES[1]} Hz")


def checked(samples: object, what: str) -> npt.NDArray[Any]:
    """Sound in an array, as int16 of this machine's byte order or as the floating point that it is.

    Raises AirmarkError for what is no array, for any other type, for a shape other than (n,) and (n, channels), and
    where a sample is not finite; ``what`` begins the message.
    """
    if not isinstance(samples, np.ndarray):
        raise AirmarkError(f"{what} is an array of shape (n,) or (n, channels), not {type(samples).__name__}")
    if samples.ndim not in (1, 2) or 0 in samples.shape[1:]:
        raise AirmarkError(f"{what} is an array of shape (n,) or (n, channels), not {samples.shape}")
    if samples.dtype.kind == "i" and samples.dtype.itemsize == 2:
        return samples.astype(np.int16, copy=False)
    if samples.dtype.kind != "f":
        raise AirmarkError(
            f"{what} is an array of int16, or of floating point with a full scale of 1, not {samples.dtype}"
        )
    if not all(np.isfinite(samples[start : start + BLOCK]).all() for start in range(0, len(samples), BLOCK)):
        raise AirmarkError(f"{what} has samples that are not finite (NaN or infinite): repair it first")
    return samples


def check_channels(channels: int, where: object) -> None:
    """Raise AirmarkError unless 1 <= channels <= CHANNELS; ``where`` begins the message."""
    if not isinstance(channels, (int, np.integer)) or isinstance(channels, bool):
        raise AirmarkError(f"{where}: a number of channels is a whole number, not {channels!r}")
    if not 1 <= channels <= CHANNELS:
        raise AirmarkError(f"{where}: {channels} channels are not between 1 and {CHANNELS}")


def quantise(samples: Samples, sample_type: str, start: int = 0) -> Samples:
    """The samples rounded to what ``sample_type`` can hold, as float64 of the same shape; what it holds is unchanged.

    Raises FullScaleError where a sample is beyond full scale (integer types: -1 to 1 - 2^(1 - bits)) or not finite, and
    AirmarkError for a type that there is not. start: the first sample's number, for the message.
    """
    if sample_type not in BITS and sample_type not in ("FLOAT", "DOUBLE"):
        raise AirmarkError(f"no sample type '{sample_type}': there are {', '.join(BITS)}, FLOAT and DOUBLE")
    if sample_type in BITS:
        scale = 2.0 ** (BITS[sample_type] - 1)
        rounded = np.rint(samples * scale)
        bad = ~((rounded >= -scale) & (rounded < scale))
        rounded /= scale
    else:
        with np.errstate(over="ignore"):
            rounded = samples.astype(np.float32 if sample_type == "FLOAT" else np.float64).astype(np.float64)
        bad = ~np.isfinite(rounded)
    if bad.any():
        frame = int(np.flatnonzero(bad.reshape(len(samples), -1).any(axis=1))[0])
        worst = float(np.abs(samples[frame]).max())
        raise FullScaleError(f"sample {start + frame} is {worst:.6g} of full scale, beyond {sample_type}")
    return rounded


def check_type(samples: Samples, sample_type: str) -> None:
    """Raises what ``quantise`` does, and needs little memory."""
    for start in range(0, len(samples), BLOCK):
        quantise(samples[start : start + BLOCK], sample_type, start)


def integers(samples: Samples, sample_type: str) -> npt.NDArray[np.int32]:
    """The samples in an integer type, left-justified in int32, which is how libsndfile and FFmpeg take them."""
    return (quantise(samples, sample_type) * 2.0**31).astype(np.int32)


def check_finite(block: Samples, start: int, where: object) -> None:
    """Raise AirmarkError at the block's first NaN or infinity; ``start``: the block's place in the file."""
    bad = ~np.isfinite(block)
    if bad.any():
        frame, channel = (int(index) for index in np.argwhere(bad)[0])
        raise AirmarkError(
            f"{where}: sample {start + frame} of channel {channel} is {block[frame, channel]}, not a number"
        )


def check_loudest(samples: npt.NDArray[Any], where: object) -> None:
    """Raise AirmarkError at the first sample beyond LOUDEST; samples: (n,) or (n, channels), finite."""
    for start in range(0, len(samples), BLOCK):
        block = samples[start : start + BLOCK].reshape(len(samples[start : start + BLOCK]), -1)
        bad = (block > LOUDEST) | (block < -LOUDEST)
        if bad.any():
            frame, channel = (int(index) for index in np.argwhere(bad)[0])
            raise AirmarkError(
                f"{where}: sample {start + frame} of channel {channel} is {block[frame, channel]:g}, beyond "
                f"{LOUDEST:g} times full scale: repair it first"
            )


def in_blocks(parts: Iterable[Samples], frames: int) -> Iterator[Samples]:
    """The same samples in blocks of ``frames``, the last one of what is left."""
    kept: list[Samples] = []
    length = 0
    for part in parts:
        begin = 0
        while length + len(part) - begin >= frames:
            end = begin + frames - length
            yield np.concatenate([*kept, part[begin:end]]) if kept else part[begin:end]
            begin, length, kept = end, 0, []
        if begin < len(part):
            # Copied, so that what is kept doesn't hold on to the whole part.
            kept.append(part[begin:].copy())
            length += len(part) - begin
    if kept:
        yield np.concatenate(kept)


# --- reading ---


def _check_input(path: Path) -> None:
    try:
        if path.is_dir():
            raise AirmarkError(f"{path} is a folder, not a sound file")
        if path.exists() and not path.is_file():
            raise AirmarkError(f"{path} is not a file: a pipe is given as -, raw s16")
        with path.open("rb") as stream:
            empty = not stream.read(1)
    except OSError as error:
        raise AirmarkError(f"{path} can't be read: {error.strerror}") from None
    if empty:
        raise AirmarkError(f"{path} is empty")


def _name(path: Path) -> str | bytes:
    """As soundfile takes it: by its bytes, as a name need not be UTF-8; Windows' are no bytes."""
    return str(path) if sys.platform == "win32" else os.fsencode(path)


def _open_sndfile(path: Path) -> soundfile.SoundFile | None:
    """The file opened by libsndfile, or None where that doesn't know it."""
    import soundfile

    if path.suffix.lower() in _AV_FIRST:
        return None
    try:
        return soundfile.SoundFile(_name(path))
    except soundfile.LibsndfileError as error:
        if error.code == _MALFORMED:  # FFmpeg may read such a file up to where it is cut, and say nothing
            raise AirmarkError(f"{path} is damaged or cut short") from None
        return None
    except TypeError:
        raise AirmarkError(f"{path} has no header that tells its rate: give it as raw s16 on standard input") from None


def _check_complete(file: soundfile.SoundFile, path: Path) -> None:
    """Raise AirmarkError where the header promises more sound than there is, which libsndfile says in its log only."""
    found = re.findall(r"^\s*([\w ]+?)\s*: (\w+) \(should be (\w+)\)", file.extra_info, re.MULTILINE)
    if found:
        _, said, there = found[-1]
        missing = int(said, 0) - int(there, 0)
        bits = BITS.get(file.subtype) or {"FLOAT": 32, "DOUBLE": 64}.get(file.subtype)
        if missing > 0 and int(said, 0) not in _UNKNOWN_LENGTHS:
            what = f"about {-(-missing * 8 // (bits * file.channels))} frames" if bits else f"{missing} bytes"
            raise AirmarkError(f"{path} is cut short: {what} that its header promises are missing")


def _info_sndfile(file: soundfile.SoundFile, path: Path) -> Info:
    _check_complete(file, path)
    alac = re.fullmatch(r"ALAC_(\d\d)", file.subtype)
    lossless = file.subtype in BITS or file.subtype in ("FLOAT", "DOUBLE") or alac is not None
    if alac:
        sample_type = "PCM_24" if alac[1] == "20" else f"PCM_{alac[1]}"
    else:
        decoded = "PCM_16" if _DECODED_16.fullmatch(file.subtype) else "FLOAT"
        sample_type = file.subtype if lossless else decoded
    return Info(
        path=path,
        rate=file.samplerate,
        channels=file.channels,
        frames=file.frames if file.frames < 2**62 else None,  # libsndfile's word for "unknown" is 2^63 - 1
        sample_type=sample_type,
        codec=file.subtype,
        lossless=lossless,
        container=file.format,
        tags={tag: text for tag, text in file.copy_metadata().items() if tag in _TAGS},
    )


def info(path: str | Path) -> Info:
    """What the sound file at ``path`` is.

    Raises AirmarkError where it isn't one, is empty, is shorter than its header says, or has a rate outside RATES.
    """
    path = Path(path)
    _check_input(path)
    file = _open_sndfile(path)
    if file is None:
        from airmark import video

        found = video.info(path)
    else:
        with file:
            found = _info_sndfile(file, path)
    check_rate(found.rate, path)
    if found.frames == 0:
        raise AirmarkError(f"{path} holds no sound: it is 0 samples long")
    return found


def _decode_sndfile(source: Info, frames: int) -> Iterator[Samples]:
    import soundfile

    done = 0
    try:
        with soundfile.SoundFile(_name(source.path)) as file:
            while len(block := file.read(frames, dtype="float64", always_2d=True)):
                done += len(block)
                yield block
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip() or "no reason given"
        raise AirmarkError(f"{source.path} is damaged or cut short after sample {done}: {reason}") from None
    # The length of a lossy file is its encoder's word: some encoders count a little more than can be decoded.
    if source.lossless and source.frames is not None and done < source.frames:
        raise AirmarkError(f"{source.path} is cut short: {source.frames - done} of {source.frames} frames are missing")


def blocks(source: str | Path | Info, frames: int = BLOCK) -> Iterator[Samples]:
    """The file's samples in blocks of ``frames``, float64, shape (n, channels), in constant memory.

    Raises what ``info`` does at once, and AirmarkError while iterating where the file is damaged or cut short or a
    sample is not finite.
    """
    found = source if isinstance(source, Info) else info(source)

    def decoded() -> Iterator[Samples]:
        if not found.container.startswith("av:"):
            return _decode_sndfile(found, frames)
        from airmark import video

        return video.decode(found)

    def checked() -> Iterator[Samples]:
        start = 0
        for block in in_blocks(decoded(), frames):
            check_finite(block, start, found.path)
            start += len(block)
            yield block
        if not start:
            raise AirmarkError(f"{found.path} holds no sound: it is 0 samples long")

    return checked()


def read(path: str | Path) -> Recording:
    """The whole file; raises what ``info`` and ``blocks`` do."""
    found = info(path)
    parts = list(blocks(found))
    samples = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return Recording(**(vars(found) | {"frames": len(samples)}), samples=samples)


# --- writing ---


def _holds(suffix: str, sample_type: str) -> bool:
    """Whether an output of that name can hold the sample type exactly."""
    import soundfile

    if suffix in _AV:
        return sample_type in _AV[suffix][1]
    return suffix in _SNDFILE and bool(soundfile.check_format(_SNDFILE[suffix], sample_type))


def _instead(sample_type: str) -> str:
    """Names for a lossless output that holds the sample type, in words."""
    return " or ".join(suffix for suffix in (".wav", ".flac", ".aiff", ".mkv") if _holds(suffix, sample_type))


def _plan(source: Info, output: Path, *, lossy: bool, force: bool, raw: bool) -> Target:
    """Container, codec and sample type of the output: the same sample type where the container holds it.

    The decoder of a lossy input gives 32-bit floats, often beyond full scale. FLOAT keeps each as it is, which no
    integer type does without clipping, so it is written where the container has it. FLAC and ALAC have integers only:
    PCM_24, whose rounding is 48 dB below that of PCM_16, and a peak beyond full scale is refused. What decodes to 16
    bits (A-law, ADPCM, …) becomes PCM_16.
    """
    suffix = output.suffix.lower()
    if raw and suffix == RAW_SUFFIX:
        return Target(output, "RAW", "PCM_16", "PCM_16", False, False, force)
    known = (*_SUFFIXES, RAW_SUFFIX) if raw else _SUFFIXES
    if suffix not in known:
        raise AirmarkError(f"{output}: no sound format is known by the name '{suffix}': use {', '.join(known)}")
    container = "av:" + _AV[suffix][0] if suffix in _AV else (_SNDFILE.get(suffix) or _SNDFILE_LOSSY[suffix][0])
    if suffix == ".wav" and source.container in metadata.RIFF:
        container = source.container

    def target(codec: str, sample_type: str, lossy: bool) -> Target:
        return Target(output, container, codec, sample_type, lossy, suffix in _PICTURE, force)

    if lossy and suffix in _AV:
        return target(_AV[suffix][2], "FLOAT", True)
    if lossy and suffix in _SNDFILE_LOSSY:
        return target(_SNDFILE_LOSSY[suffix][1], "FLOAT", True)
    if lossy and container == source.container and not source.lossless:
        return target(source.codec, source.sample_type, True)
    sample_type = source.sample_type
    if not source.lossless and sample_type == "FLOAT" and not _holds(suffix, sample_type):
        sample_type = "PCM_24"
    if suffix in _SNDFILE_LOSSY or not (suffix in _SNDFILE or _AV[suffix][1]):
        raise AirmarkError(f"{output}: {suffix} is lossy: allow it with --lossy, or use {_instead(source.sample_type)}")
    if not _holds(suffix, sample_type):
        raise AirmarkError(
            f"{output}: {suffix} can't hold {sample_type} samples as {source.path} has them: "
            f"use {_instead(sample_type)}"
        )
    return target(_AV[suffix][1][sample_type] if suffix in _AV else sample_type, sample_type, False)


def check_fits(recording: Recording, target: Target) -> None:
    """Raise AirmarkError where a sample of the recording itself is beyond what the output's sample type holds.

    Lossy files often decode to peaks beyond full scale, which integers would clip.
    """
    try:
        check_type(recording.samples, target.sample_type)
    except FullScaleError as error:
        others = (".mov", ".mkv") if target.picture else (".wav", ".caf")
        raise AirmarkError(
            f"{target.path}: {target.path.suffix} can't hold {recording.path} as it is: {error}; use "
            f"{' or '.join(others)}, which hold what is beyond, or lower the sound first"
        ) from None


def _check_size(frames: int, source: Info, target: Target) -> None:
    width = BITS.get(target.codec) or {"FLOAT": 32, "DOUBLE": 64}.get(target.codec, 8)
    if frames * source.channels * width > 8 * _LIMIT_32.get(target.container, 2**63):
        raise AirmarkError(f"{target.path}: {target.container} can't be longer than 4 GiB: use .rf64, .w64 or .caf")


def _check_free(input: Path, output: Path, force: bool) -> None:
    if output.is_dir():
        raise AirmarkError(f"{output} is a folder: name a file in it")
    if not os.path.lexists(output):
        return
    if output.exists() and output.samefile(input):
        raise AirmarkError(f"{output} is the input, which is never overwritten: give the output another name")
    if not force:
        raise AirmarkError(f"{output} exists: give another name, or overwrite it with --force")
    if not output.is_file():
        raise AirmarkError(f"{output} is not a file that can be overwritten: give another name")


def check_output(
    input: str | Path | Info, output: str | Path, *, lossy: bool = False, force: bool = False, raw: bool = False
) -> Target:
    """Find out, before any work, whether ``output`` can be written as asked; leaves nothing there.

    A tenth of a second of silence is written beside the output and removed again, so that what the folder, the library
    or the container refuses is refused now.

    lossy: allow and prefer a lossy codec where the format has one; force: allow to overwrite an existing file; raw:
    an output named .raw becomes s16 without a header, whatever the input's sample type.
    Raises AirmarkError where the output is the input (by any link), exists without force, can't be written there, or
    can't hold the rate, the channels or the sample type; and what ``info`` does.
    """
    source = input if isinstance(input, Info) else info(input)
    output = Path(output)
    try:
        _check_free(source.path, output, force)
    except OSError as error:
        raise AirmarkError(f"{output} can't be written: {error.strerror}") from None
    target = _plan(source, output, lossy=lossy, force=force, raw=raw)
    if source.frames is not None:
        _check_size(source.frames, source, target)
    with _beside(target) as temporary:
        _encode(temporary, [np.zeros((source.rate // 10, source.channels))], source, target, trial=True)
    return target


@contextlib.contextmanager
def _beside(target: Target) -> Iterator[Path]:
    """A new empty file in the output's folder, gone afterwards unless it was moved; what fails is told in one line."""
    import av
    import soundfile

    # A link is followed, so that its target is replaced and not the link.
    temporary = target.path.resolve().parent / f".airmark-{secrets.token_hex(8)}.part"
    try:
        temporary.open("xb").close()
        yield temporary
    except (soundfile.LibsndfileError, av.FFmpegError, OSError, FullScaleError) as error:
        more = " (.wav can hold FLOAT)" if isinstance(error, FullScaleError) else ""
        raise AirmarkError(f"{target.path} can't be written: {why(error, temporary.parent)}{more}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def why(error: Exception, folder: Path) -> str:
    """The reason, in words, for which a file couldn't be written into a folder."""
    with contextlib.suppress(OSError):  # libsndfile says "System error."
        if not shutil.disk_usage(folder).free:
            return "no space left on the disk"
    return getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)


def _encode(temporary: Path, parts: Iterable[Samples], source: Info, target: Target, *, trial: bool = False) -> None:
    if target.container.startswith("av:"):
        from airmark import video

        video.encode(temporary, parts, source, target, trial=trial)
    else:
        _encode_sndfile(temporary, parts, source, target)


def _encode_sndfile(temporary: Path, parts: Iterable[Samples], source: Info, target: Target) -> None:
    import soundfile

    endian = "LITTLE" if target.container == "RAW" else "FILE"
    try:
        file = soundfile.SoundFile(
            _name(temporary), "w", source.rate, source.channels, target.codec, endian, target.container
        )
    except soundfile.LibsndfileError as error:
        if error.code == _SYSTEM:  # the disk is full, for one
            raise
        raise AirmarkError(
            f"{target.path}: {target.codec} can't hold {source.channels} channels at {source.rate} Hz: "
            f"use {_instead(source.sample_type)}"
        ) from None
    with file:
        for tag in _TAGS:
            if tag in source.tags:
                with contextlib.suppress(soundfile.LibsndfileError):  # a container without tags
                    setattr(file, tag, source.tags[tag])
        frames = 0
        for block in in_blocks(parts, BLOCK):  # libsndfile's Vorbis and Opus encoders overflow the stack on long writes
            frames += len(block)
            _check_size(frames, source, target)
            if target.sample_type in BITS:
                file.write(integers(block, target.sample_type))
            else:
                file.write(quantise(block, target.sample_type))


def write(samples: Samples | Iterable[Samples], source: Info, target: Target, *, as_long: bool = False) -> None:
    """Write the output that ``check_output`` returned, whole or not at all.

    samples: float64, shape (frames, channels), or an iterable of such blocks, which are written as they come; they are
    rounded to the target's sample type. source: the input, whose rate, channels, tags and picture the output gets.
    as_long: each sample is where it was in the input, so that an output of the same kind gets all that the input says
    beside its sound (``airmark.metadata``).
    Raises AirmarkError where a sample is beyond what the sample type holds, or the file can't be written.
    """
    parts = [samples] if isinstance(samples, np.ndarray) else samples
    with _beside(target) as temporary:
        kept = metadata.of(source.path, source.container, target.container) if as_long else None
        _encode(temporary, parts, source if kept is None else replace(source, tags={}), target)
        if kept is not None:
            _add_metadata(kept, temporary, target)
        _check_free(source.path, target.path, target.force)
        if target.path.exists():
            temporary.chmod(target.path.stat().st_mode & 0o777)
        temporary.replace(target.path.resolve())


def _add_metadata(kept: metadata.Metadata, temporary: Path, target: Target) -> None:
    room = temporary.with_suffix(".more")
    try:
        metadata.add(kept, temporary, room)
    except OverflowError:
        raise AirmarkError(f"{target.path}: {target.container} can't be longer than 4 GiB: use .rf64") from None
    finally:
        with contextlib.suppress(OSError):
            room.unlink(missing_ok=True)


# --- raw s16 pipes ---


def raw_blocks(stream: BinaryIO, channels: int, frames: int = BLOCK) -> Iterator[Samples]:
    """Interleaved little-endian s16 from a binary stream as float64 blocks of at most ``frames``, as soon as they come.

    Raises AirmarkError at the end of the stream where that is within a frame.
    """
    receive = getattr(stream, "read1", stream.read)
    width = 2 * channels
    rest = b""
    while data := receive(frames * width - len(rest)):
        rest += data
        whole = len(rest) - len(rest) % width
        if whole:
            yield np.frombuffer(rest[:whole], dtype="<i2").reshape(-1, channels) / 2.0**15
            rest = rest[whole:]
    if rest:
        raise AirmarkError(f"the raw sound ends within a frame: is it s16 of {channels} channels?")


def raw_write(stream: BinaryIO, samples: Samples) -> None:
    """Write samples, shape (n, channels), as interleaved little-endian s16 and flush; raises FullScaleError."""
    data = memoryview((quantise(samples, "PCM_16") * 2.0**15).astype("<i2").tobytes())
    while data:
        data = data[stream.write(data) :]
    stream.flush()
