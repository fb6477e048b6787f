"""Sound that only FFmpeg reads or writes, and the sound of a video, whose picture is copied packet by packet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

from airmark.audio import BITS, PCM_BY_AV, Info, Samples, Target, in_blocks, integers, quantise
from airmark.errors import AirmarkError

_GAP_S = 0.1
"""A jump of the time stamps longer than this is a gap in the sound and becomes silence; shorter ones are rounding."""
_GAP_LIMIT_S = 60.0
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_SCALES = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "flt": 1.0, "dbl": 1.0}
_TYPES = {"u8": "PCM_U8", "s16": "PCM_16", "flt": "FLOAT", "dbl": "DOUBLE"}
_SAMPLE_TYPES = {codec: sample_type for sample_type, codec in PCM_BY_AV.items()}
# The container's own business, not the recording's.
_OWN_TAGS = {"encoder", "major_brand", "minor_version", "compatible_brands", "vendor_id", "handler_name"}
_TAG_NAMES = {"track": "tracknumber"}
_COPIED = ("video", "subtitle", "audio")
_TRIAL_PACKETS = 50


def _open(path: Path) -> Any:
    try:
        return av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError):
        raise AirmarkError(f"{path} is not a sound file, or of a kind that can't be read here") from None


def _sound(container: Any, path: Path) -> Any:
    stream = container.streams.best("audio")
    if stream is None or stream.codec_context is None:
        raise AirmarkError(f"{path} has no sound that can be read")
    return stream


def _frames(container: Any, stream: Any, path: Path) -> Iterator[Any]:
    """The decoded frames of one stream; AirmarkError where they can't be decoded or the file ends early."""
    packets = 0
    try:
        for packet in container.demux(stream):
            packets += packet.size > 0
            yield from packet.decode()
    except (av.FFmpegError, OSError) as error:
        raise AirmarkError(f"{path} can't be decoded: it is damaged or cut short ({error.strerror})") from None
    # Of the containers here only MP4 and MOV say beforehand how many packets there are, and PyAV since its version 17.
    promised = len(getattr(stream, "index_entries", ())) if "mov" in container.format.name else 0
    if packets < promised:
        raise AirmarkError(f"{path} is cut short: {promised - packets} of {promised} packets of sound are missing")


def _sample_type(stream: Any, kind: str) -> str:
    """The type that holds the decoder's samples of format ``kind`` exactly."""
    name = stream.codec_context.name
    if kind != "s32":
        return _TYPES[kind]
    if name in _SAMPLE_TYPES:
        return _SAMPLE_TYPES[name]
    extra = stream.codec_context.extradata or b""
    if name == "flac" and len(extra) >= 34:  # STREAMINFO: 5 bits across bytes 12 and 13 are the sample's bits - 1
        return "PCM_32" if ((extra[12] & 1) << 4 | extra[13] >> 4) >= 24 else "PCM_24"
    if name == "alac" and len(extra) >= 18:
        return "PCM_32" if extra[17] > 24 else "PCM_24"
    return "PCM_32" if name.startswith("pcm_s32") else "PCM_24"  # checked against the samples in decode


def info(path: Path) -> Info:
    """What the sound of the file at ``path`` is, told by its first decoded frame (AAC headers may halve the rate)."""
    with _open(path) as container:
        stream = _sound(container, path)
        frame = next(_frames(container, stream, path), None)
        if frame is None:
            raise AirmarkError(f"{path} holds no sound: it is 0 samples long")
        codec = stream.codec_context.codec
        kind = frame.format.name.removesuffix("p")
        if kind not in _SCALES:
            raise AirmarkError(
                f"{path}: samples of FFmpeg's format {frame.format.name} can't be read here: convert it to WAV"
            )
        start_s = Fraction(0) if frame.pts is None else frame.pts * frame.time_base
        tags = {_TAG_NAMES.get(tag.lower(), tag.lower()): text for tag, text in container.metadata.items()}
        return Info(
            path=path,
            rate=frame.sample_rate,
            channels=frame.layout.nb_channels,
            frames=None,
            sample_type=_sample_type(stream, kind),
            codec=codec.name,
            # WavPack and DTS have both kinds of stream; DTS decodes its lossy kind to floats.
            lossless=codec.lossless and (not codec.lossy or kind not in ("flt", "dbl")),
            container=f"av:{container.format.name}",
            layout=None if frame.layout.name.endswith(" channels") else frame.layout.name,  # "6 channels": no order
            start_s=start_s,
            tags={tag: text for tag, text in tags.items() if tag not in _OWN_TAGS},
        )


def decode(source: Info) -> Iterator[Samples]:
    """The samples as the decoder gives them, in parts of some thousand frames; gaps in time are filled with silence."""
    end: float | None = None
    with _open(source.path) as container:
        stream = _sound(container, source.path)
        for frame in _frames(container, stream, source.path):
            kind = frame.format.name.removesuffix("p")
            if (frame.sample_rate, frame.layout.nb_channels) != (source.rate, source.channels) or kind not in _SCALES:
                raise AirmarkError(
                    f"{source.path} changes its rate or channels after {float(end or 0):.3f} s: split it there"
                )
            if frame.pts is not None:
                time = float(frame.pts * frame.time_base)
                gap = 0.0 if end is None else time - end
                if gap > _GAP_LIMIT_S:
                    raise AirmarkError(
                        f"{source.path} has a gap of {gap:.0f} s in its sound at {time - gap:.3f} s: split it there"
                    )
                if gap > _GAP_S:
                    yield np.zeros((round(gap * source.rate), source.channels))
                end = time + frame.samples / source.rate
            data = frame.to_ndarray()
            data = data.T if frame.format.is_planar else data.reshape(-1, source.channels)
            if kind == "s32" and source.sample_type == "PCM_24" and (data & 0xFF).any():
                raise AirmarkError(
                    f"{source.path}: 32-bit samples in {source.codec} can't be read here: convert it to WAV"
                )
            offset = 128.0 if kind == "u8" else 0.0
            yield (np.ascontiguousarray(data, dtype=np.float64) - offset) / _SCALES[kind]


def _array(block: Samples, sample_type: str, kind: str) -> Any:
    """The block, rounded to its type, in FFmpeg's sample format ``kind``."""
    if sample_type in BITS:
        justified = integers(block, sample_type)
        if kind == "u8":
            return ((justified >> 24) + 128).astype(np.uint8)
        return (justified >> 16).astype(np.int16) if kind == "s16" else justified
    return quantise(block, sample_type).astype(np.float64 if kind == "dbl" else np.float32)


def _misfit(source: Info, target: Target, error: Exception) -> AirmarkError:
    what = f"{source.channels} channels at {source.rate} Hz as {target.codec}"
    reason = getattr(error, "strerror", None) or error
    instead = (
        "leave out --lossy" if target.lossy and target.path.suffix != ".webm" else "use .mov, or .wav for the sound"
    )
    return AirmarkError(f"{target.path}: {target.path.suffix} can't hold {what} ({reason}): {instead}")


def _add_sound(out: Any, source: Info, target: Target) -> Any:
    stream = out.add_stream(target.codec, rate=source.rate)
    context = stream.codec_context
    kind = {"PCM_U8": "u8", "PCM_16": "s16", "FLOAT": "flt", "DOUBLE": "dbl"}.get(target.sample_type, "s32")
    kinds = [sample_format.name for sample_format in context.codec.audio_formats or []]
    context.format = kind if kind in kinds else f"{kind}p"
    layout = source.layout or _LAYOUTS.get(source.channels, f"{source.channels}C")
    # Those that write "back" only get "side" by that name; the channels' order is the same.
    relabel = target.codec in ("alac", "aac", "libopus")
    context.layout = layout.replace("(side)", "") if relabel else layout
    stream.time_base = context.time_base = Fraction(1, source.rate)
    if target.lossy:
        stream.bit_rate = 96_000 * source.channels
    return stream


def _is_cover(stream: Any) -> bool:
    # The pictures of chapters are a track of their own, whose packets have their times.
    return bool(stream.disposition & Disposition.attached_pic and not stream.disposition & Disposition.timed_thumbnails)


def _add_streams(out: Any, original: Any, source: Info, target: Target) -> tuple[Any, dict[int, Any]]:
    """The output's streams in the input's order: that of the sound, and by the input's index those of copied packets.

    Copied are pictures, subtitles and further sound tracks; not the tracks of data, which few containers share. A cover
    goes to MP4 and M4A only, and if it can be read: to FFmpeg's others it is a video of one picture, or nothing.
    """
    sound = _sound(original, source.path)
    has_covers = out.format.name == "mp4"
    encoded, copied = None, {}
    for stream in original.streams:
        if stream.index == sound.index:
            added = encoded = _add_sound(out, source, target)
        elif has_covers and stream.width if _is_cover(stream) else target.picture and stream.type in _COPIED:
            try:
                added = copied[stream.index] = out.add_stream_from_template(stream, opaque=True)
            except (av.FFmpegError, ValueError):
                if _is_cover(stream):
                    continue
                raise AirmarkError(
                    f"{target.path}: {target.path.suffix} can't hold the {stream.type} of the input as it is: "
                    f"use the input's own kind of file{'' if target.path.suffix.lower() == '.mkv' else ', or .mkv'}"
                ) from None
        else:
            continue
        added.metadata.update(stream.metadata)
        added.disposition = stream.disposition.value  # PyAV 16 takes a number only
    return encoded, copied


def encode(temporary: Path, parts: Iterable[Samples], source: Info, target: Target, *, trial: bool = False) -> None:
    """Write the sound, and with it the input's picture (or cover), subtitles, further sound tracks and chapters.

    trial: copy a few packets only. Raises AirmarkError where the container can't hold the picture, and FFmpeg's errors.
    """
    muxer = target.container.removeprefix("av:")
    # MP4's start times are in units of the movie's clock, by default 1 ms; of the sound's clock they are exact.
    options = {"movie_timescale": str(source.rate)} if muxer in ("mp4", "mov", "ipod") else {}
    with contextlib.ExitStack() as stack:
        original = stack.enter_context(_open(source.path)) if source.container.startswith("av:") else None
        covered = original is not None and muxer == "ipod" and any(map(_is_cover, original.streams))
        if covered:
            # PyAV takes no pictures for FFmpeg's M4A, which is its MP4 by another name.
            muxer, options["brand"] = "mp4", "M4A "
        out = stack.enter_context(av.open(str(temporary), "w", format=muxer, options=options))
        out.metadata.update({("track" if tag == "tracknumber" else tag): text for tag, text in source.tags.items()})
        if original is not None and (target.picture or covered):
            stream, copied = _add_streams(out, original, source, target)
        else:
            stream, copied = _add_sound(out, source, target), {}
        if original is not None:
            out.set_chapters(original.chapters())
        try:
            out.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            raise _misfit(source, target, error) from None
        # Without a picture that moves the start says nothing (and is the encoder's delay in an MP3).
        moves = original is not None and not all(_is_cover(original.streams[index]) for index in copied)
        start = round(source.start_s * source.rate) if moves else 0
        done = 0

        def feed(blocks: Iterator[Samples], until: Fraction | None) -> None:
            """Encode blocks up to the time ``until``, all of them if None: muxers want packets in the order of time."""
            nonlocal done
            while until is None or start + done < until * source.rate:
                block = next(blocks, None)
                if block is None:
                    return
                context = stream.codec_context
                array = _array(block, target.sample_type, context.format.name.removesuffix("p"))
                array = np.ascontiguousarray(array.T) if context.format.is_planar else array.reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(array, format=context.format.name, layout=context.layout.name)
                frame.sample_rate = source.rate
                frame.time_base = Fraction(1, source.rate)
                frame.pts = start + done
                done += len(block)
                out.mux(stream.encode(frame))

        blocks = in_blocks(parts, 8192)
        if original is not None and copied:
            last: tuple[int, int, bytes] | None = None
            for number, packet in enumerate(original.demux([original.streams[index] for index in copied])):
                if trial and number == _TRIAL_PACKETS:
                    break
                if packet.dts is None:
                    if not packet.size or not _is_cover(original.streams[packet.stream.index]):
                        continue
                    packet.pts = packet.dts = 0
                # The first of a track of chapters' pictures comes twice, as FFmpeg takes it for a cover, too.
                if original.streams[packet.stream.index].disposition & Disposition.timed_thumbnails:
                    given = packet.stream.index, packet.dts, bytes(packet)
                    if given == last:
                        continue
                    last = given
                feed(blocks, packet.dts * packet.time_base)
                packet.stream = copied[packet.stream.index]
                out.mux(packet)
        feed(blocks, None)
        out.mux(stream.encode(None))
