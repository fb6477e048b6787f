"""What of the module ``airmark`` is Python: keys, read from what ``airmark keygen`` writes, and what the gate is told.

For MicroPython and CPython. airmark.mpy has this inside; a firmware has it frozen, or on its file system.
"""

import json
from collections import namedtuple

_FIELDS = {"airmark_key": 1, "profile": "default", "repetitions": 32, "blocks": 1, "bands": 4}


class Key:
    """A secret key. Shown or printed it gives its file's name, never its signs."""

    def __init__(self, words, name=""):
        """words: 16 bytes, of each band the 32 signs as in airmark.h, low byte first. name: for a person."""
        if len(words) != 16:
            raise ValueError("a key has 16 bytes")
        self.words = bytes(words)
        self.name = name

    @classmethod
    def load(cls, path):
        """Read a key file. Raises ValueError, one line with the path, where it is no key of the default profile."""
        try:
            with open(path) as file:
                fields = json.load(file)
        except OSError:
            raise ValueError(f"{path}: cannot read the key") from None
        except ValueError:
            # The message alone goes on: a chained exception would show the file's text, and so the signs.
            raise ValueError(f"{path}: not a key file: broken JSON") from None
        if not isinstance(fields, dict) or "airmark_key" not in fields:
            raise ValueError(f"{path}: not a key file: no field 'airmark_key'")
        for field, value in _FIELDS.items():
            if fields.get(field) != value:
                raise ValueError(f"{path}: its {field} is not {value}, the only one that a device takes")
        words = [0, 0, 0, 0]
        signs = fields.get("signs")
        if not isinstance(signs, list) or len(signs) != 32:
            raise ValueError(f"{path}: broken key file: 'signs' is not a list of 32 strings")
        for row in signs:
            if not isinstance(row, str) or len(row) != 4 or row.replace("+", "").replace("-", ""):
                raise ValueError(f"{path}: broken key file: 'signs' has a repetition that is not 4 of + and -")
            for band in range(4):
                words[band] = words[band] << 1 | (row[band] == "-")
        name = path.split("/")[-1]
        name = name[:-5] if name.endswith(".json") else name
        return cls(b"".join(word.to_bytes(4, "little") for word in words), name)

    def __repr__(self):
        """The name; the signs are secret."""
        return f"Key({self.name!r})"


class GateConfig:
    """A gate's configuration; the numbers are those of airmark_gate.h."""

    def __init__(self, rate, wait, overlap_percent=50, keys=range(256)):
        """rate: of the detector's input, Hz. wait: samples after a word's end; the answer comes no later.

        overlap_percent: of the word, or of the mark if that is shorter. keys: whose marks suppress, 0 to 255 each.
        """
        # What can be gone through but once would be empty when it is asked for.
        self._keys = keys = keys if isinstance(keys, range) else tuple(keys)
        self.rate, self.wait, self.overlap_percent = rate, wait, overlap_percent
        self.mask = bytearray(32)
        for key in keys:
            if not 0 <= key < 256:
                raise ValueError("keys must be numbers from 0 to 255")
            self.mask[key >> 3] |= 1 << (key & 7)

    @property
    def keys(self):
        """Whose marks suppress."""
        return self._keys


Word = namedtuple("Word", ("start", "end", "reported"))


class Verdict:
    """What to do about a word."""

    WAIT, WAKE, SUPPRESS = 0, 1, 2
