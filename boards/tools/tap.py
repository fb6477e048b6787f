"""What the program firmware/src/vectors.c prints, read line by line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PLAN = re.compile(r"1\.\.(\d+)$")
_CASE = re.compile(r"(not ok|ok) (\d+) - ([^:#]*?)(?:: (.*)| # SKIP (.*))?$")
_SUM = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped$")

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Case:
    """A line of the output."""

    name: str
    result: str
    why: str = ""


@dataclass
class Output:
    """All lines so far."""

    planned: int | None = None
    cases: list[Case] = field(default_factory=list)
    told: tuple[int, ...] | None = None
    """What the last line says: passed, failed, skipped."""

    def add(self, line: str) -> Case | None:
        """Take a line; what it tells of a case."""
        line = line.strip()
        if plan := _PLAN.match(line):
            self.planned = int(plan[1])
        elif sums := _SUM.match(line):
            self.told = tuple(int(number) for number in sums.groups())
        elif match := _CASE.match(line):
            result = FAILED if match[1] == "not ok" else SKIPPED if match[5] else PASSED
            self.cases.append(Case(match[3], result, match[4] or match[5] or ""))
            return self.cases[-1]
        return None

    def count(self, result: str) -> int:
        """Cases with this result."""
        return sum(case.result == result for case in self.cases)

    def counts(self) -> tuple[int, ...]:
        """Passed, failed, skipped: as counted here."""
        return tuple(self.count(result) for result in (PASSED, FAILED, SKIPPED))

    def fault(self) -> str:
        """Why this is not the output of a program that ran to its end and passed something; empty: it is."""
        if self.planned is None or self.told is None:
            return f"it ended before its end, after {len(self.cases)} of {self.planned} cases"
        if self.told != self.counts() or sum(self.told) != self.planned:
            return f"of {self.planned} cases it tells {self.told}, and {self.counts()} are seen"
        return "" if self.told[0] else "no case passed"
