"""The command line: collects the subcommands, and turns an AirmarkError into one line and exit status 2."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from airmark.errors import AirmarkError, one_line
from airmark.version import __version__

COMMANDS = ("demo", "keygen", "export", "embed", "detect", "listen", "simulate", "benchmark", "evaluate")

NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
"""A negative number, which is no option; argparse itself takes those with an exponent for options."""


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports wrong use as the rest of the program does, and knows numbers such as -1e1."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._negative_number_matcher = NEGATIVE

    def error(self, message: str) -> NoReturn:
        raise AirmarkError(f"{message} (see '{self.prog} --help')")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse does, but what a command does not know it reports itself, and not the parser above it."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def parser() -> argparse.ArgumentParser:
    """The whole command line as an argparse parser."""
    top = _Parser(prog="airmark", description="An audio watermark that survives loudspeaker, air and microphone.")
    top.add_argument("--version", action="version", version=f"airmark {__version__}")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name in COMMANDS:
        importlib.import_module(f"airmark.commands.{name}").add_parser(subparsers)
    return top


class _Ended(KeyboardInterrupt):
    """Asked to end, as by logging out: what is half done is taken back as at Ctrl-C."""


@contextlib.contextmanager
def _ending() -> Iterator[None]:
    """SIGTERM and SIGHUP raise _Ended meanwhile, where they would have ended the program at once."""
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    mine = threading.current_thread() is threading.main_thread()
    taken = [one for one in signals if mine and signal.getsignal(one) is signal.SIG_DFL]

    def end(number: int, _frame: object) -> NoReturn:
        raise _Ended(number)

    for one in taken:
        signal.signal(one, end)
    try:
        yield
    finally:
        for one in taken:
            signal.signal(one, signal.SIG_DFL)


def _give_up_output() -> None:
    """What is still to be printed, and can't be, is not tried again at the program's end."""
    with contextlib.suppress(OSError, ValueError):  # no standard output, or a stand-in for it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_streams() -> bool:
    """Standard streams that are closed, which Python has as None, read and write nothing; whether output was one.

    In this order each gets the number that is its own, so that no other file is taken for it.
    """
    closed = sys.stdout is None
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    return closed


def _prints_its_result(args: argparse.Namespace) -> bool:
    """Whether what a command is asked for comes on standard output, and not in a file."""
    if args.command == "embed":
        return bool(args.output == "-")
    return args.command in ("detect", "listen", "benchmark") and getattr(args, "out", None) is None


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status.

    0 done or found; 1 not found; 2 wrong use or input, or what the system refused; 70 an error of this program, which
    is told with its traceback; 128 and a signal's number where that ended it.
    """
    # Before numpy is loaded: its matrices here are small, and threads for them only wait for each other (on two busy
    # cores the demo took 90 s instead of 18 s).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    closed = _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # File names need not be of the terminal's characters.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _ending():
            args = parser().parse_args(argv)
            if closed and _prints_its_result(args):
                raise AirmarkError("standard output is closed, where the result would go: send it to a file or a pipe")
            status = int(args.run(args))
            sys.stdout.flush()
            return status
    except AirmarkError as error:
        print(f"airmark: error: {one_line(str(error).strip())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        _give_up_output()
        return 2
    except OSError as error:
        _give_up_output()
        where = f"{error.filename}: " if error.filename else ""
        print(f"airmark: error: {one_line(where)}{error.strerror or error}: the system refused it", file=sys.stderr)
        return 2
    except KeyboardInterrupt as end:
        return 128 + int(end.args[0] if isinstance(end, _Ended) else signal.SIGINT)
    except Exception:
        traceback.print_exc()
        return 70


if __name__ == "__main__":
    sys.exit(main())
