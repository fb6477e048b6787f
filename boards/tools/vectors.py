#!/usr/bin/env python3
"""Make vectors_data.h, the golden vectors (tests/vectors) as C tables, for the program firmware/src/vectors.c.

Whatever builds that program runs this first; it needs Python's standard library only. Exit status 2: the vectors are
not there, or not as their README.md says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "tests/vectors"
LAYERS = {
    "constant": ("start", "length", "value"),
    "square": ("start", "length", "step", "high", "low"),
    "ramp": ("start", "length", "step", "first"),
    "noise": ("start", "length", "seed", "amplitude", "period", "burst"),
    "mark": ("start", "length", "columns", "seed", "amplitudes", "step"),
}
"""What a layer of each kind has in its file."""
IN_C = {"first": "value"}
"""Fields that sound.h calls otherwise."""
SIGNED = {"value", "first", "high", "low", "amplitude", "amplitudes"}


class VectorsError(Exception):
    """The vectors can't be read."""


def _number(value: int | str, signed: bool = False) -> str:
    number = int(value, 0) if isinstance(value, str) else int(value)
    return str(number) if signed else f"{number}u"


def _list(values: Sequence[Any], signed: bool = False) -> str:
    return "{" + ", ".join(_number(value, signed) for value in values) + "}"


def _layer(layer: dict[str, Any]) -> str:
    kind = layer["kind"]
    if set(layer) != {"kind", *LAYERS[kind]}:
        raise VectorsError(f"a layer of kind {kind} has {', '.join(layer)}")
    fields = [f".kind = SOUND_{kind.upper()}"]
    for name in LAYERS[kind]:
        text = (_list if isinstance(layer[name], list) else _number)(layer[name], name in SIGNED)
        fields.append(f".{IN_C.get(name, name)} = {text}")
    return "{" + ", ".join(fields) + "}"


def _keys(keys: Sequence[Sequence[str]]) -> str:
    return f"(const airmark_key_t[]){{{', '.join(f'{{{_list(key)}}}' for key in keys)}}}"


def _keys_of(case: dict[str, Any]) -> list[Any]:
    """The keys of each event, none for a reset; the first ones are those it begins with."""
    return [case["keys"], *(event.get("keys") for event in case["events"])]


def _event(at: int, keys: Sequence[Sequence[str]] | None) -> str:
    return f"{{{_number(at)}, {_keys(keys) if keys else 'NULL'}, {_number(len(keys or ()))}}}"


def _told(told: dict[str, Any]) -> str:
    fields = ("sample", "score_q8", "drift_ppm_q4", "key", "early")
    return f"{{{{{', '.join(str(int(told[field])) for field in fields)}}}, {told['at']}}}"


def _array(kind: str, items: Sequence[str]) -> str:
    """An array of this type, or a null pointer; and how many there are."""
    return f"(const {kind}[]){{{', '.join(items)}}}, {len(items)}u" if items else "NULL, 0u"


def _vector(case: dict[str, Any], stages: Sequence[str]) -> str:
    if any((event["do"], "keys" in event) not in (("init", True), ("reset", False)) for event in case["events"]):
        raise VectorsError(f"{case['name']}: unknown events")
    events = zip([0, *(event["at"] for event in case["events"])], _keys_of(case), strict=True)
    if list(case["stages"]) != list(stages):
        raise VectorsError(f"{case['name']}: stages {', '.join(case['stages'])}")
    of_stages = (
        f"[AM_TAP_{name.upper()}] = {{{stage['count']}u, {_number(stage['crc32'])}}}"
        for name, stage in case["stages"].items()
    )
    parts = [
        json.dumps(case["name"]),
        _number(case["rate"]),
        str(case["early"]).lower(),
        _number(case["threshold_q8"]),
        _number(case["first_sample"]),
        _number(case["length"]),
        _array("sound_layer_t", [_layer(layer) for layer in case["input"]]),
        _array("event_t", [_event(*event) for event in events]),
        _number(max(len(keys or ()) for keys in _keys_of(case))),
        _array("told_t", [_told(told) for told in case["detections"]]),
        _number(case["score_q8"]),
        _number(case["dropped"]),
        "{" + ", ".join(of_stages) + "}",
    ]
    return "    {" + ",\n     ".join(parts) + "},\n"


def cases(folder: Path = FOLDER) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The index, and all cases. Raises VectorsError where the files can't be read."""
    try:
        index = json.loads((folder / "index.json").read_text("utf-8"))
        return index, [json.loads((folder / case["file"]).read_text("utf-8")) for case in index["cases"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VectorsError(f"{folder}: {error!r}") from error


def most_keys(folder: Path = FOLDER) -> int:
    """Keys of the case that has most."""
    return max(len(keys or ()) for case in cases(folder)[1] for keys in _keys_of(case))


def table(folder: Path = FOLDER) -> str:
    """The header. Raises VectorsError where the files can't be read or have what they must not have."""
    index, all_cases = cases(folder)
    try:
        if index["format"] != 1:
            raise VectorsError(f"{folder}: format {index['format']}, not 1")
        names = ", ".join(f'[AM_TAP_{stage.upper()}] = "{stage}"' for stage in index["stages"])
        vectors = "".join(_vector(case, index["stages"]) for case in all_cases)
        most = max(len(case["input"]) for case in all_cases)
    except (ValueError, KeyError, TypeError) as error:
        raise VectorsError(f"{folder}: {error!r}") from error
    return (
        "/* Made by boards/tools/vectors.py of the files in tests/vectors. */\n"
        f"#define VECTORS_NUMERIC_VERSION {index['numeric_version']}\n"
        f"#define VECTORS_MOST_LAYERS {most}u\n\n"
        f"static const char *const vectors_stages[AM_TAP_STAGES] = {{{names}}};\n\n"
        f"static const vector_t vectors[] = {{\n{vectors}}};\n"
    )


def write(path: Path, folder: Path = FOLDER) -> None:
    """Write the header, if it is not the same already."""
    text = table(folder)
    if not path.exists() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def main() -> int:
    """Command line. Prints how many keys the case with the most has, which AIRMARK_MAX_KEYS then is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("output", type=Path, help="the header to write, vectors_data.h; an older one is replaced")
    try:
        write(parser.parse_args().output)
        print(most_keys())
    except (OSError, VectorsError) as error:
        print(f"boards/tools/vectors.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
