"""The recordings, noises and rooms that ship with the package, and the manifest of any folder laid out like them."""

from __future__ import annotations

import csv
from pathlib import Path

from airmark.errors import AirmarkError

COLUMNS = (
    *("path", "kind", "genre", "duration_s", "rate", "licence", "attribution", "source"),
    *("room", "distance_m", "rt60_s"),
)
"""What a manifest has at least; a dev set's may have more."""


def data_path(name: str = "") -> Path:
    """The place of a shipped file, named by its path in manifest.csv (``demo.flac``); without a name, their folder.

    Raises AirmarkError where there is no such file.
    """
    folder = Path(__file__).with_name("data")
    path = folder / name
    if not path.exists():
        raise AirmarkError(f"{path}: no such file in this installation: install airmark again")
    return path


def manifest(folder: Path | None = None) -> list[dict[str, str]]:
    """The lines of ``folder/manifest.csv`` (None: the shipped set), one dict a file, in the order of the file.

    Each dict has at least the keys path (relative to the folder), kind (speech, music, mixed, noise, rir, …), genre,
    duration_s, rate (Hz), licence, attribution, source, room, distance_m (metres) and rt60_s; all values are text, and
    empty where they don't apply.

    Raises AirmarkError where the manifest is missing, isn't CSV text in UTF-8 or lacks one of these columns.
    """
    path = (folder or data_path()) / "manifest.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True, restval="")
            rows = list(reader)
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AirmarkError(f"{path}: cannot read the manifest of the recordings: {reason}") from error
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise AirmarkError(f"{path}: the manifest of the recordings lacks the column {', '.join(missing)}")
    if any(None in row for row in rows):
        raise AirmarkError(f"{path}: a line of the manifest has more fields than its first line names")
    return rows
