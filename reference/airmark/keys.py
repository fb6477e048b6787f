"""Keys: the secret signs of a mark, and the files that hold them.

A key has one sign, +1 or -1, for each repetition, block and band of its profile. Its file is versioned JSON that a
small parser reads too::

    {
     "airmark_key": 1,
     "profile": "default",
     "repetitions": 32,
     "blocks": 1,
     "bands": 4,
     "signs": ["+-++", "--+-", ...],
     "bounds": {"steady": 1.9, ...}
    }

``signs`` has a string for each repetition, in it the blocks in order and the bands of each block, lowest first.
``bounds`` holds the figures that keygen measured; nothing depends on them. Unknown fields are ignored.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from airmark.errors import AirmarkError
from airmark.profile import Profile, profile

VERSION = 1
LARGEST_FILE = 1 << 24
"""Bytes; no key file is longer, and a device or a film given by mistake is not read to its end."""


@dataclass(frozen=True, eq=False, repr=False)
class Key:
    """A secret key of one profile. Shown or printed it gives its profile and fingerprint, never its signs."""

    signs: npt.NDArray[np.int8]
    """(R, M, F) of +-1, read-only: repetitions, blocks, bands."""
    profile: Profile
    name: str = ""
    """The stem of the file it was loaded from."""
    bounds: Mapping[str, float] = field(default_factory=dict)
    """What unmarked hosts can score against it, as measured by keygen; see airmark.keysearch."""

    def __post_init__(self) -> None:
        """Raises AirmarkError where the signs are not the profile's shape or not +-1."""
        given = np.asarray(self.signs)
        if given.shape != self.profile.key_shape or not np.isin(given, (-1, 1)).all():
            raise AirmarkError(f"a key of profile '{self.profile.name}' is +-1 of shape {self.profile.key_shape}")
        signs = given.astype(np.int8)
        signs.setflags(write=False)
        object.__setattr__(self, "signs", signs)

    def __reduce__(self) -> tuple[type[Key], tuple[Any, ...]]:
        """Copies are made as keys are, so that their signs are read-only too."""
        return type(self), (np.array(self.signs), self.profile, self.name, dict(self.bounds))

    @cached_property
    def columns(self) -> npt.NDArray[np.float64]:
        """(M F, R): the signs of each block and band over the repetitions, blocks-major; see airmark.statistic."""
        columns = np.ascontiguousarray(self.signs.reshape(len(self.signs), -1).T, np.float64)
        columns.setflags(write=False)
        return columns

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that tell keys apart without giving them away (but by trying out all short ones)."""
        digest = hashlib.sha256(f"airmark key {self.signs.shape}".encode() + self.signs.tobytes())
        return digest.hexdigest()[:8]

    def __repr__(self) -> str:
        """Profile and fingerprint; the signs are secret."""
        name = f"{self.name!r}, " if self.name else ""
        return f"Key({name}profile={self.profile.name!r}, fingerprint={self.fingerprint})"

    def __eq__(self, other: object) -> bool:
        """Whether two keys have the same signs and profile, whatever their names."""
        if not isinstance(other, Key):
            return NotImplemented
        return self.profile == other.profile and np.array_equal(self.signs, other.signs)

    def __hash__(self) -> int:
        """Agrees with ``==``."""
        return hash((self.profile, self.signs.tobytes()))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Key:
        """Read a key file. Raises AirmarkError, one line with the path, where it is no key that fits this version."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST_FILE + 1)
        except (OSError, ValueError) as error:
            raise AirmarkError(f"{path}: cannot read the key: {_reason(error)}") from None
        # The message alone goes on: a chained exception would show the file's text, and so the signs.
        try:
            signs, owner, bounds = _parse(content)
        except _BadKeyError as bad:
            raise AirmarkError(f"{path}: {bad}; give a key that 'airmark keygen' wrote, or make a new one") from None
        return cls(signs, owner, path.stem, bounds)

    def save(self, path: str | os.PathLike[str], force: bool = False) -> None:
        """Write the key's file; see write_secret."""
        write_secret(path, self._text(), force)

    def _text(self) -> str:
        rows = np.where(self.signs.reshape(len(self.signs), -1) > 0, "+", "-")
        repetitions, blocks, bands = self.signs.shape
        content = {
            "airmark_key": VERSION,
            "profile": self.profile.name,
            "repetitions": repetitions,
            "blocks": blocks,
            "bands": bands,
            "signs": ["".join(row) for row in rows],
            "bounds": {name: round(float(value), 4) for name, value in self.bounds.items()},
        }
        return json.dumps(content, indent=1) + "\n"


def load(path: str | os.PathLike[str]) -> Key:
    """Read a key file; see Key.load."""
    return Key.load(path)


def save(key: Key, path: str | os.PathLike[str], force: bool = False) -> None:
    """Write a key's file; see Key.save."""
    key.save(path, force)


def write_secret(path: str | os.PathLike[str], content: str | bytes, force: bool = False) -> None:
    """Write a file that holds keys, readable for its owner only (mode 0600) from the first byte, whole or not at all.

    content: bytes, or text of ASCII. Raises AirmarkError where that is impossible, and where the path exists unless
    ``force``.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise AirmarkError(f"{path}: is not a file; name a file for the key")
        part = path.with_name(f".{path.name[:64]}.{secrets.token_hex(8)}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                # The umask may have taken the owner's own right away.
                os.fchmod(descriptor, 0o600)
                file.write(content if isinstance(content, bytes) else content.encode("ascii"))
                file.flush()
                os.fsync(descriptor)
            _put(part, path, force)
        finally:
            part.unlink(missing_ok=True)
    except FileExistsError:
        raise AirmarkError(f"{path}: exists already; name another file, or overwrite it with --force") from None
    except (OSError, ValueError) as error:
        raise AirmarkError(f"{path}: cannot write the key: {_reason(error)}") from None


def check_key(key: object) -> None:
    """Raises AirmarkError for what is not a key, as its file's name."""
    if not isinstance(key, Key):
        raise AirmarkError(f"a key is what Key.load gives, not {type(key).__name__}")


def list_of_keys(keys: object) -> list[Key]:
    """One key or several as a list. Raises AirmarkError for anything else."""
    several: list[Any] = list(keys) if isinstance(keys, Iterable) and not isinstance(keys, (str, bytes)) else [keys]
    for key in several:
        check_key(key)
    return several


def keys_of_one_profile(keys: Sequence[Key]) -> Profile:
    """The profile that all of these keys share. Raises AirmarkError where there is none, naming the odd key."""
    if not keys:
        raise AirmarkError("no key: give at least one")
    for key in keys:
        if key.profile != keys[0].profile:
            raise AirmarkError(
                f"{key.name or key}: a key for another profile ('{key.profile.name}', but {keys[0].name or keys[0]} is "
                f"for '{keys[0].profile.name}'); use keys of one profile together"
            )
    return keys[0].profile


class _BadKeyError(Exception):
    """Why a file's content is not a key, never quoting it."""


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "not a usable path"


def _put(part: Path, path: Path, force: bool) -> None:
    """Move a finished file to its place; raises FileExistsError where one is there already, unless forced."""
    if force:
        part.replace(path)
        return
    try:
        # Unlike a rename, a link fails where the name is taken, even since the last look.
        os.link(part, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        part.replace(path)


def _parse(content: bytes) -> tuple[npt.NDArray[np.int8], Profile, dict[str, float]]:
    """The signs, profile and bounds in a key file's content. Raises _BadKeyError."""
    if len(content) > LARGEST_FILE:
        raise _BadKeyError("not a key file: far too long")
    try:
        fields: Any = json.loads(content)
    except (ValueError, RecursionError):
        raise _BadKeyError("not a key file: broken JSON") from None
    if not isinstance(fields, dict) or "airmark_key" not in fields:
        raise _BadKeyError("not a key file: no field 'airmark_key'")
    version = fields["airmark_key"]
    if type(version) is not int or version < 1:
        raise _BadKeyError("broken key file: no version number")
    if version != VERSION:
        raise _BadKeyError(f"a key file of version {version}, but this program reads version {VERSION}")
    missing = [name for name in ("profile", "repetitions", "blocks", "bands", "signs") if name not in fields]
    if missing:
        raise _BadKeyError(f"broken key file: no field '{missing[0]}'")
    try:
        owner = profile(fields["profile"])
    except (AirmarkError, TypeError):
        raise _BadKeyError("a key for a profile that this version does not have") from None
    shape = tuple(fields[name] for name in ("repetitions", "blocks", "bands"))
    if any(type(count) is not int for count in shape) or shape != owner.key_shape:
        raise _BadKeyError(f"a key of another shape than its profile '{owner.name}', which has {owner.key_shape}")
    return _signs(fields["signs"], owner), owner, _bounds(fields.get("bounds", {}))


def _signs(rows: Any, owner: Profile) -> npt.NDArray[np.int8]:
    repetitions, blocks, bands = owner.key_shape
    if not isinstance(rows, list) or len(rows) != repetitions:
        raise _BadKeyError(f"broken key file: 'signs' is not a list of {repetitions} strings, one for each repetition")
    for row in rows:
        if not isinstance(row, str) or len(row) != blocks * bands:
            raise _BadKeyError(f"broken key file: 'signs' has a repetition that is not {blocks * bands} signs long")
    text = "".join(rows)
    if set(text) - {"+", "-"}:
        raise _BadKeyError("broken key file: 'signs' has other characters than + and -")
    signs = np.array([1 if sign == "+" else -1 for sign in text], np.int8)
    return signs.reshape(owner.key_shape)


def _bounds(given: Any) -> dict[str, float]:
    if isinstance(given, dict) and all(type(value) in (int, float) and abs(value) < 1e9 for value in given.values()):
        return {name: float(value) for name, value in given.items()}
    raise _BadKeyError("broken key file: 'bounds' is not a table of numbers")
