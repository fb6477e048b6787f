"""airmark simulate: play a recording through a room, from the loudspeaker's codec to the receiver's clock."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from typing import Any

from airmark.errors import AirmarkError, one_line

NUMBER = r"\d+(?:\.\d+)?"


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "simulate",
        help="play a recording through a room",
        description="Plays a recording through a room, as a receiver at a microphone gets it. What isn't asked for "
        "leaves the sound alone. The stages come in this order: codec, loudspeaker, room, noise, microphone, clock and "
        "level, headset, codec after, crop, rate. A room, a band limit or a headset makes it mono.",
    )
    parser.add_argument("input", metavar="IN", help="the recording")
    parser.add_argument("output", metavar="OUT", help="the received recording; named .raw: s16 without a header")
    room = parser.add_argument_group("room")
    room.add_argument("--rir", metavar="FILE", help="a measured room's impulse response")
    room.add_argument("--distance", type=float, metavar="M", help="simulate a room: loudspeaker to microphone, metres")
    room.add_argument("--rt60", type=float, metavar="S", help="simulate a room: its reverberation time; 0: free field")
    room.add_argument("--room-seed", type=int, default=0, metavar="N", help="which of the rooms like that (default 0)")
    noise = parser.add_argument_group("noise")
    noise.add_argument("--noise", metavar="KIND", help="white, pink, brown, babble or a sound file")
    noise.add_argument("--snr", type=float, metavar="DB", help="at the microphone, over the active part of the sound")
    noise.add_argument("--seed", type=int, default=0, metavar="N", help="draws the noise (default 0)")
    devices = parser.add_argument_group("devices")
    devices.add_argument("--loudspeaker", metavar="LOW-HIGH", help="its band in Hz, or 'small': 150-10000")
    devices.add_argument("--microphone", metavar="LOW-HIGH", help="its band in Hz")
    devices.add_argument("--drift-ppm", type=float, default=0.0, metavar="P", help="the receiver's clock is fast by P")
    devices.add_argument("--level", type=float, default=0.0, metavar="DB", help="gain of the receiver's input")
    devices.add_argument("--noise-suppression", action="store_true", help="a headset's, by WebRTC")
    devices.add_argument("--gain-control", action="store_true", help="a headset's, by WebRTC")
    coding = parser.add_argument_group("codecs", "NAME[:BITRATE], as in mp3:64k, aac:96k, opus:32k, sbc, msbc, cvsd")
    coding.add_argument("--codec", "--codec-before", dest="codec_before", metavar="SPEC", help="before the air")
    coding.add_argument("--codec-after", metavar="SPEC", help="after the microphone")
    parser.add_argument("--crop", type=float, nargs=2, metavar=("FROM", "TO"), help="keep that much, seconds of OUT")
    parser.add_argument("--rate", type=int, metavar="HZ", help="of OUT; default: IN's")
    parser.add_argument("--json", action="store_true", help="print what was applied as JSON")
    parser.add_argument("--lossy", action="store_true", help="allow a lossy format for OUT")
    parser.add_argument("--force", action="store_true", help="overwrite OUT")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate; returns 0."""
    import numpy as np
    import soxr

    from airmark import audio
    from airmark.channel import Channel

    if args.seed < 0 or args.room_seed < 0:
        raise AirmarkError("a seed must be a whole number from 0 on")
    if args.rate is not None:
        audio.check_rate(args.rate, "--rate")
    channel = Channel(
        rir=args.rir,
        distance_m=args.distance,
        rt60_s=args.rt60,
        room_seed=args.room_seed,
        noise=args.noise,
        snr_db=args.snr,
        drift_ppm=args.drift_ppm,
        codec_before=args.codec_before,
        codec_after=args.codec_after,
        loudspeaker_hz=_band(args.loudspeaker, "--loudspeaker"),
        microphone_hz=_band(args.microphone, "--microphone"),
        gain_control=args.gain_control,
        noise_suppression=args.noise_suppression,
        level_db=args.level,
        crop_s=tuple(args.crop) if args.crop else None,
    )
    source = audio.info(args.input)
    rate = source.rate if args.rate is None else args.rate
    channels = channel.channels(source.channels)
    layout = source.layout if channels == source.channels else None
    like = dataclasses.replace(source, rate=rate, channels=channels, frames=None, layout=layout)
    target = audio.check_output(like, args.output, lossy=args.lossy, force=args.force, raw=True)
    samples = audio.read(args.input).samples
    audio.check_loudest(samples, args.input)
    received = channel.apply(samples[:, 0] if source.channels == 1 else samples, source.rate, args.seed)
    out = received.samples.astype(np.float64).reshape(len(received.samples), -1)
    stages = list(received.stages)
    if rate != source.rate:
        out = soxr.resample(out, source.rate, rate, "VHQ")
        stages.append(f"rate: {rate} Hz")
        if not len(out):
            raise AirmarkError(f"{args.input}: no sample of it is left at {rate} Hz: it is too short")
    peak = float(np.abs(out).max())
    highest = 1 - 2.0**-7 if target.sample_type in ("PCM_U8", "PCM_S8") else 1 - 2.0**-15
    gain_db = min(0.0, float(20 * np.log10(highest / peak))) if peak else 0.0
    if gain_db:
        out *= highest / peak
    audio.write(out, like, target)

    seconds = len(out) / rate
    factor = rate / source.rate
    delay = received.delay_samples * factor
    if gain_db:
        stages.append(f"scaled by {gain_db:.2f} dB, so that it doesn't clip")
    if args.json:
        print(
            json.dumps(
                {
                    "input": args.input,
                    "output": args.output,
                    "rate": rate,
                    "channels": channels,
                    "duration_s": seconds,
                    "seed": args.seed,
                    "channel": dataclasses.asdict(channel),
                    "stages": stages,
                    "delay_samples": delay,
                    "speed": received.speed * factor,
                    "gain_db": gain_db,
                },
                indent=2,
            )
        )
        return 0
    for stage in stages or ["nothing applied: the sound is as it was"]:
        print(one_line(stage))
    print(one_line(f"{args.output}: {seconds:.2f} s; sample 0 of {args.input} is at sample {delay:.1f}"))
    if target.container == "RAW":
        print(f"s16 at {rate} Hz, {channels} channel{'s' * (channels != 1)}, no header")
    return 0


def _band(text: str | None, option: str) -> tuple[float, float] | None:
    """Read LOW-HIGH or a loudspeaker's name."""
    from airmark.channel import SMALL_LOUDSPEAKER_HZ

    if text is None:
        return None
    if text == "small" and option == "--loudspeaker":
        return SMALL_LOUDSPEAKER_HZ
    match = re.fullmatch(rf"({NUMBER})-({NUMBER})", text)
    if match is None:
        raise AirmarkError(f"{option} {text}: give its lowest and highest frequency in Hz, as in 150-10000")
    return float(match[1]), float(match[2])
