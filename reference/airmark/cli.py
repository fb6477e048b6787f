"""The command line: collects the subcommands, and turns an AirmarkError into one line and exit status 2."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from airmark.errors import AirmarkError
from airmark.version import __version__

COMMANDS = ("demo", "keygen", "export", "embed", "detect", "listen", "simulate", "benchmark", "evaluate")


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports wrong use as the rest of the program does."""

    def error(self, message: str) -> NoReturn:
        raise AirmarkError(f"{message} (see '{self.prog} --help')")


def parser() -> argparse.ArgumentParser:
    """The whole command line as an argparse parser."""
    top = _Parser(prog="airmark", description="An audio watermark that survives loudspeaker, air and microphone.")
    top.add_argument("--version", action="version", version=f"airmark {__version__}")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name in COMMANDS:
        importlib.import_module(f"airmark.commands.{name}").add_parser(subparsers)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done or found, 1 not found, 2 wrong use or input."""
    # Before numpy is loaded: its matrices here are small, and threads for them only wait for each other (on two busy
    # cores the demo took 90 s instead of 18 s).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        args = parser().parse_args(argv)
        status = int(args.run(args))
        sys.stdout.flush()
        return status
    except AirmarkError as error:
        print(f"airmark: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
