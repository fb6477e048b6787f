"""clang-tidy for `pio check`, which hands it C files with all that the target's compiler defines for C++: drop that."""

from __future__ import annotations

import os
import re
import sys


def arguments(given: list[str]) -> list[str]:
    """The same without macros whose names belong to the compiler, and as C99."""
    kept = [argument for argument in given if not re.match(r"-D_[_A-Z]", argument)]
    return [*kept, "-std=c99"] if "--" in kept else kept


if __name__ == "__main__":
    os.execvp("clang-tidy", ["clang-tidy", *arguments(sys.argv[1:])])
