"""`pio test`: the program vectors, here or under QEMU (a board: over its serial port), its TAP lines as PlatformIO's cases."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import click
from platformio.public import TestCase, TestRunnerBase, TestStatus
from platformio.test.exception import UnitTestError

PLATFORM = Path(__file__).resolve().parents[2] / "boards/platformio"
PLAN = re.compile(r"1\.\.(\d+)$")
LINE = re.compile(r"(not ok|ok) (\d+) - ([^:#]*?)(?:: (.*)| # SKIP (.*))?$")
SUM = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped$")


class CustomTestRunner(TestRunnerBase):  # type: ignore[misc]
    """The name that PlatformIO looks for."""

    def __init__(self, *arguments: Any) -> None:
        """Nothing was told so far."""
        super().__init__(*arguments)
        self.planned: int | None = None
        self.told: tuple[int, ...] | None = None

    def configure_build_env(self, env: Any) -> None:
        """Take the program from src, so that there is only one."""
        env.Replace(PROJECT_TEST_DIR="$PROJECT_SRC_DIR", PIOTEST_SRC_FILTER=["+<vectors.c>"])

    def stage_testing(self) -> None:
        """Run it, and see that all cases were told."""
        section = f"env:{self.test_suite.env_name}"
        board = self.project_config.get(section, "board", None)
        if board and self.platform.name == "airmark":
            sys.path.insert(0, str(PLATFORM))
            import emulator

            folder = self.project_config.get("platformio", "build_dir")
            program = os.path.join(folder, self.test_suite.env_name, "program.elf")
            command = ["timeout", "300", *emulator.command(emulator.board(board), program)]
            self.project_config.set(section, "test_testing_command", "\n".join(command))
        super().stage_testing()
        statuses = (TestStatus.PASSED, TestStatus.FAILED, TestStatus.SKIPPED)
        counted = tuple(self.test_suite.get_status_nums(status) for status in statuses)
        if self.told is None or self.told != counted or sum(counted) != self.planned or not counted[0]:
            raise UnitTestError(f"{self.planned} cases planned, {counted} seen, {self.told} told")

    def on_testing_line_output(self, line: str) -> None:
        """A line of the program's output."""
        line = line.strip()
        if plan := PLAN.match(line):
            self.planned = int(plan[1])
        elif match := LINE.match(line):
            failed = match[1] == "not ok"
            status = TestStatus.FAILED if failed else TestStatus.SKIPPED if match[5] else TestStatus.PASSED
            case = TestCase(match[3], status, match[4] or match[5], line)
            self.test_suite.add_case(case)
            click.echo(case.humanize())
        elif sums := SUM.match(line):
            self.told = tuple(int(number) for number in sums.groups())
            click.echo(line)
            self.test_suite.on_finish()
        else:
            click.echo(line)
