"""What several subcommands have alike: options and their checks, and the bar that shows progress."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airmark.errors import AirmarkError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn


def strength(given: str) -> float | None:
    """--strength: 'auto' is None. Raises AirmarkError for what is no strength."""
    from airmark.masking import check_strength

    if given == "auto":
        return None
    try:
        db = float(given)
    except ValueError:
        raise AirmarkError(f"--strength {given}: give 'auto' or dB, such as -20") from None
    check_strength(db, "'auto'")
    return db


def check_whole(option: str, value: int, least: int, most: int) -> None:
    """Raises AirmarkError for a number out of range."""
    if not least <= value <= most:
        raise AirmarkError(f"{option} {value}: give a whole number from {least} to {most}")


def add_rooms(parser: argparse.ArgumentParser) -> None:
    """Options for what trials are played through."""
    parser.add_argument(
        "--rirs", type=Path, metavar="DIR",
        help="responses of rooms; default: rir/16k or rir in --audio, or shipped ones",
    )  # fmt: skip
    parser.add_argument("--noise", type=Path, metavar="DIR", help="noises; default: noise in --audio, or shipped ones")
    parser.add_argument(
        "--rt60-max", type=float, default=1.3, metavar="S", help="leave out more reverberant rooms; default 1.3"
    )


def add_draws(parser: argparse.ArgumentParser) -> None:
    """Options for how trials are drawn, and on how many processes."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="draws everything; default 0")
    parser.add_argument(
        "--jobs", type=int, default=-1, metavar="N", help="processes at a time; default: all processors"
    )


def check_trials(args: argparse.Namespace) -> None:
    """Raises AirmarkError where --trials or what add_rooms and add_draws add is out of range."""
    if args.trials is not None:
        check_whole("--trials", args.trials, 1, 1_000_000)
    check_whole("--seed", args.seed, 0, 2**63 - 1)
    check_whole("--jobs", args.jobs, -1, 100_000)
    if args.jobs == 0:
        raise AirmarkError("--jobs 0: give a number, or -1 for all processors")
    if not args.rt60_max > 0:
        raise AirmarkError(f"--rt60-max {args.rt60_max:g}: give seconds, such as 1.3")


def console(**options: Any) -> Console:
    """Standard output, for tables; a reader who leaves early is told of as by print."""
    from rich.console import Console as Base

    class Output(Base):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Output(**options)


def bar(*columns: ProgressColumn, redirect_stdout: bool = True) -> Progress:
    """A bar on standard error, on a terminal only, which goes when it is done; without columns it has rich's."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
        redirect_stdout=redirect_stdout,
    )


def trials_bar(*more: ProgressColumn) -> Progress:
    """A bar that counts."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    return bar(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), *more)
