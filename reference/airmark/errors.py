"""What a user did wrong, said in one line."""

from __future__ import annotations

import numbers
import unicodedata


class AirmarkError(Exception):
    """Wrong use or wrong input; the message is one line that says what, where and what to do.

    The command line prints it after ``airmark: error:`` and ends with exit status 2.
    """


class MissingExtraError(AirmarkError):
    """An optional package is not installed; names the command that brings it."""

    def __init__(self, what: str, extra: str) -> None:
        """what: the thing asked for; extra: the optional dependency group of this distribution that brings it."""
        super().__init__(f"{what} needs an optional package: run 'reference/install {extra}' in the clone")


def one_line(text: object) -> str:
    """As it is printed, of a path for one: control characters, which a name may have, are escaped."""
    controls = ("Cc", "Zl", "Zp")
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in controls else c for c in str(text))


def is_number(value: object) -> bool:
    """Whether a value is a real number, of Python or numpy; NaN and infinity are."""
    return isinstance(value, numbers.Real)
