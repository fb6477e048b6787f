"""Compare what listening costs under MicroPython with what the detector costs in plain C, on an emulated Cortex-M7.

    .venv/bin/python tests/micropython/listening_cost.py    # first: tests/micropython/run, which builds what this needs

The recording is one that ships, with a mark and without. Counted are instructions: in C those of airmark_push, as
tests/cost counts them; under MicroPython those of the statement `process(block)`, once for every 10 ms.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import sys
import tempfile
from pathlib import Path

import interpreters
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import scripts

NAME = "speech/libri_F_2007_2817.flac"
CORE = "Cortex-M7"
MPY = "armv7emdp"
SECONDS = 4.0


def figures() -> dict[str, dict[str, int]]:
    """Instructions a second for each host and way, and bytes of heap. Raises RunError."""
    module = interpreters.BUILD / f"mpy/{MPY}/airmark.mpy"
    if not module.exists():
        raise interpreters.RunError(f"{module} is missing; first: tests/micropython/run")
    cost = scripts.script(interpreters.ROOT / "tests/cost")
    sound = [host for host in cost.hosts([], SECONDS, cost.Marks()) if host.name.startswith(NAME)]
    plain_core = cost.CORES["m7"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build = cost.Build(plain_core, ("AIRMARK_MAX_KEYS=8",), folder)
        in_c, _ = cost.measure(build, cost.Setting(), sound)
        out = {host.name: {"C": in_c[host.name].row()["instructions_per_second"]} for host in sound}
        files = folder / "files"
        files.mkdir()
        (files / "key").write_bytes(struct.pack("<4I", *cost.KEYS[0]))
        for i, host in enumerate(sound):
            (files / f"{i}.pcm").write_bytes(host.pcm(16_000).tobytes())
        for script in (interpreters.GLUE / "airmark_helpers.py", interpreters.HERE / "cost_on_device.py"):
            shutil.copyfile(script, files / script.name)
        shutil.copyfile(module, files / f"airmark_{MPY}.mpy")
        interpreters.image(files)
        (core,) = (core for core in interpreters.CORES if core.name == CORE)
        instead = f"import sys, airmark_{MPY}\nsys.modules['airmark'] = airmark_{MPY}\n"
        for way, first in (("module inside", ""), (".mpy", instead)):
            with core.started(files.with_suffix(".romfs"), "-icount", f"shift={plain_core.shift}") as repl:
                printed = repl.execute(f"{first}import cost_on_device")
            lines = [line.split() for line in printed.splitlines()]
            blocks: list[list[int]] = []
            for word, number in lines:
                if word == "host":
                    blocks.append([])
                elif word == "block":
                    blocks[-1].append(int(number))
            empty, *heaps = (int(number) for word, number in lines if word in ("empty", "heap"))
            for host, counts in zip(sound, blocks, strict=True):
                # As in C: when all of the detector works.
                warm = plain_core.instructions(np.array(counts[cost.WARM : -1]) - empty)
                out[host.name][way] = round(100 * float(warm.mean()))
            out["heap"] = {"bytes": heaps[0]}
    return out


def main() -> int:
    """Print the figures; exit status 0, or 2 where something is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", 1)[0], epilog="First: tests/micropython/run, which builds what this needs."
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    try:
        found = figures()
    except interpreters.RunError as error:
        print(f"listening_cost.py: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for host, ways in found.items():
        if host != "heap":
            told = ", ".join(f"{way} {n:,} (x {n / ways['C']:.3f})" for way, n in ways.items())
            print(f"{host}: instructions a second: {told}")
    print(f"heap for a detector: {found['heap']['bytes']:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
