"""What an evaluation draws from: recordings to mark, rooms and noises, in folders of the user's or as shipped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from airmark import assets, audio
from airmark.channel import room_response, simulated_room
from airmark.errors import AirmarkError
from airmark.null import ROOMS, SUFFIXES

KINDS = ("speech", "music", "mixed")
OTHER = "other"
"""Kind of a recording that neither a manifest nor its folder tells."""
NOISE = "noise"
LEVELS_UP = 3
"""Folders above the one given in which its manifest is looked for."""
RATE = 16_000


@dataclass(frozen=True)
class Host:
    """A recording to mark."""

    path: Path
    name: str
    kind: str
    """One of KINDS, or OTHER."""
    seconds: float


@dataclass(frozen=True)
class Room:
    """A measured room, or a simulated one."""

    name: str
    distance_m: float | None
    """Between loudspeaker and microphone; None where it isn't known."""
    rt60_s: float
    path: Path | None = None
    seed: int = 0
    """Of a simulated room."""


@dataclass(frozen=True)
class Materials:
    """Hosts, measured rooms and noises."""

    hosts: list[Host]
    rooms: list[Room]
    noises: list[Path]
    reverberant: list[Room]
    """Measured rooms left out because of their RT60."""


def gather(audio_dir: Path | None, rirs: Path | None, noise: Path | None, longest_rt60_s: float) -> Materials:
    """Look through the folders.

    audio_dir: recordings, None for the shipped ones; where it has ``rir/16k`` or ``rir`` and ``noise`` below it, they
    are the defaults of ``rirs`` and ``noise``, else the shipped ones are. longest_rt60_s: rooms beyond are left out.
    Raises AirmarkError where a folder is missing, or has none of what it is given for.
    """
    top = audio_dir or assets.data_path()
    found = [top / "rir" / "16k", top / "rir", assets.data_path() / "rir"]
    rirs = rirs or next(folder for folder in found if folder.is_dir())
    noise = noise or next(folder for folder in (top / NOISE, assets.data_path() / NOISE) if folder.is_dir())
    rooms = [_room(path, row) for path, row in _files(rirs).items()]
    inside = [room for room in rooms if room.rt60_s <= longest_rt60_s]
    if not inside:
        raise AirmarkError(f"{rirs}: no room's response with an RT60 of at most {longest_rt60_s:g} s: give --rirs")
    return Materials(_hosts(top, noise), inside, list(_files(noise)), [room for room in rooms if room not in inside])


def _files(folder: Path) -> dict[Path, dict[str, str]]:
    """The sound files below a folder, each with its line of the manifest, if any."""
    if not folder.is_dir():
        raise AirmarkError(f"{folder}: no such folder")
    rows = _manifest(folder)
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not paths:
        raise AirmarkError(f"{folder}: no sound files ({', '.join(SUFFIXES)}) in it")
    return {path: rows.get(path.resolve(), {}) for path in paths}


def _manifest(folder: Path) -> dict[Path, dict[str, str]]:
    """The lines of the manifest of a folder, or of one above it, by file."""
    folder = folder.resolve()
    for base in (folder, *folder.parents[:LEVELS_UP]):
        if (base / "manifest.csv").is_file():
            try:
                return {(base / row["path"]).resolve(): row for row in assets.manifest(base)}
            except AirmarkError:
                if base == folder:
                    raise
    return {}


def _hosts(folder: Path, noise: Path) -> list[Host]:
    files = _files(folder)
    listed = any(files.values())
    hosts = []
    for path, row in files.items():
        inside = path.relative_to(folder)
        if ROOMS in inside.parts or noise.resolve() in path.resolve().parents:
            continue
        kind = row.get("kind", "") if listed else path.parent.name
        if kind in KINDS or not listed:
            info = audio.info(path)
            name = str(inside.with_suffix(""))
            hosts.append(Host(path, name, kind if kind in KINDS else OTHER, (info.frames or 0) / info.rate))
    if not hosts:
        raise AirmarkError(f"{folder}: no recordings to mark (in a manifest: of kind {', '.join(KINDS)})")
    return hosts


def _room(path: Path, row: dict[str, str]) -> Room:
    try:
        distance_m = float(row.get("distance_m") or "nan")
        rt60_s = float(row.get("rt60_s") or "nan")
    except ValueError:
        raise AirmarkError(f"{path}: its distance or RT60 in the manifest is no number") from None
    rt60_s = measured_rt60(path) if np.isnan(rt60_s) else rt60_s
    return Room(path.stem, None if np.isnan(distance_m) else distance_m, rt60_s, path)


def measured_rt60(path: Path) -> float:
    """The RT60 of a room's response as T20, s, by Schroeder's backward integration over the whole band."""
    from pyroomacoustics.experimental import measure_rt60

    response = np.trim_zeros(np.asarray(room_response(path, RATE), np.float64))
    if not len(response):
        raise AirmarkError(f"{path}: the room's response is silent")
    try:
        return float(measure_rt60(response, RATE, decay_db=20))
    except (ValueError, IndexError):
        raise AirmarkError(f"{path}: the room's response doesn't fall by 25 dB: is it one?") from None


@lru_cache(maxsize=256)
def simulated(number: int, seed: int, distance_m: tuple[float, float], rt60_s: tuple[float, float]) -> Room:
    """The ``number``-th room of ranges of distance and RT60, drawn by ``seed``, again where no such room exists."""
    rng = np.random.default_rng((seed, number))
    while True:
        # Rounded, so that what is printed is what was simulated.
        room = Room(
            f"simulated {number + 1}", round(rng.uniform(*distance_m), 1), round(rng.uniform(*rt60_s), 2),
            seed=int(rng.integers(1 << 31)),
        )  # fmt: skip
        try:
            simulated_room(room.distance_m or 0.0, room.rt60_s, RATE, room.seed)
        except AirmarkError:
            continue
        return room
