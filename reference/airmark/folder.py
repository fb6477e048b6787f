"""A folder of results that appears whole or not at all, and never over what is there already."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from airmark.errors import AirmarkError


@contextmanager
def results(asked: Path | None, default: str, force: bool) -> Iterator[tuple[Path, Callable[[], Path]]]:
    """A new folder to fill, and what moves it to its place when it is whole; before that, nothing is there.

    asked: its place; None: ``default`` below the current folder, or ``default``-2, -3, … if taken. force: put the files
    into a folder that has something in it already. Raises AirmarkError where it can't be written or may not be.
    """
    out = asked or Path(default)
    _check(out, force or asked is None)
    part = out.absolute().parent / f".{default}-{secrets.token_hex(8)}.part"

    def put() -> Path:
        try:
            if force and out.is_dir():
                for file in sorted(part.iterdir()):
                    file.replace(out / file.name)
                return out
            return _move(part, out, numbered=asked is None)
        except OSError as error:
            raise _unwritable(out, error) from None

    try:
        # Made in here, so that it goes too where the program is ended as soon as it is there.
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            part.mkdir()
        except OSError as error:
            raise _unwritable(out, error) from None
        yield part, put
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _check(out: Path, taken: bool) -> None:
    try:
        if out.exists() and not out.is_dir():
            raise AirmarkError(f"{out}: is a file: give a folder with --out")
        if not taken and out.exists() and any(out.iterdir()):
            raise AirmarkError(f"{out}: has something in it: give another folder, or write into it with --force")
    except OSError as error:
        raise _unwritable(out, error) from None


def _move(part: Path, out: Path, numbered: bool) -> Path:
    """Give a folder its name or, if numbered, the next one that is free; a folder with something in it stays."""
    number = 1
    while True:
        name = out if number == 1 else out.with_name(f"{out.name}-{number}")
        try:
            if not (numbered and os.path.lexists(name)):
                return part.rename(name)
        except OSError:
            if not numbered or not name.exists():
                raise
        number += 1


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """What the system refuses while results are written is told in one line, as an AirmarkError; out: their folder."""
    try:
        yield
    except OSError as error:
        raise _unwritable(out, error) from None


def _unwritable(out: Path, error: OSError) -> AirmarkError:
    return AirmarkError(f"{out}: cannot write there: {error.strerror or error}: give another folder with --out")
