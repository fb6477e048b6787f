"""`pio test`: the program vectors here, under QEMU or on a board, its TAP lines as PlatformIO's cases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from platformio.public import TestCase, TestRunnerBase, TestStatus
from platformio.test.exception import UnitTestError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "boards/tools"))
import emulator
import tap


class CustomTestRunner(TestRunnerBase):  # type: ignore[misc]
    """The name that PlatformIO looks for."""

    def __init__(self, *arguments: Any) -> None:
        """Nothing was told so far."""
        super().__init__(*arguments)
        self.output = tap.Output()

    def configure_build_env(self, env: Any) -> None:
        """Take the program from src, so that there is only one."""
        env.Replace(PROJECT_TEST_DIR="$PROJECT_SRC_DIR", PIOTEST_SRC_FILTER=["+<vectors.c>"])

    def stage_testing(self) -> None:
        """Run it, and see that all cases were told."""
        section = f"env:{self.test_suite.env_name}"
        board = self.project_config.get(section, "board", None)
        if board and self.platform.name == "airmark":
            folder = Path(self.project_config.get("platformio", "build_dir"))
            program = folder / self.test_suite.env_name / "program.elf"
            command = ["timeout", "300", *emulator.command(emulator.board(board), program)]
            self.project_config.set(section, "test_testing_command", "\n".join(command))
        super().stage_testing()
        if fault := self.output.fault():
            raise UnitTestError(fault)

    def on_testing_line_output(self, line: str) -> None:
        """A line of the program's output."""
        if case := self.output.add(line):
            found = TestCase(case.name, TestStatus[case.result.upper()], case.why or None, line)
            self.test_suite.add_case(found)
            click.echo(found.humanize())
        else:
            click.echo(line, nl=False)
        if self.output.told is not None:
            self.test_suite.on_finish()
