"""What tests are skipped by: a tool that is missing, but never where CI is set; nothing else skips for a tool."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tooling import needed, needs, needs_engine

ROOT = Path(__file__).resolve().parents[1]


def skips(mark: pytest.MarkDecorator) -> bool:
    (condition,) = mark.args
    return bool(condition)


def test_what_is_missing_is_skipped_but_not_in_ci(monkeypatch):
    monkeypatch.setitem(sys.modules, "airmark.native", None)
    for value, skipped in (("", True), ("1", False)):
        monkeypatch.setenv("CI", value)
        assert skips(needs("no-such-tool")) == skipped
        assert skips(needs(".no_such_module")) == skipped
        assert skips(needs_engine("c")) == skipped
        assert not skips(needs_engine("fixed"))
    needed("no-such-tool")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no-such-tool; first: reference/install emulators"):
        needed("no-such-tool")


def test_no_test_has_a_skip_of_its_own_for_a_tool():
    own = re.compile(r"skipif\([^\n]*(?:is_built|which\(|find_spec)|skip\([^\n]*(?:not built|no C compiler)")
    found = [path.name for path in Path(__file__).parent.glob("*.py") if own.search(path.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    ("cc", "compiler"), [(None, ["cc"]), ("", ["cc"]), (" ", ["cc"]), ("ccache 'my cc'", ["ccache", "my cc"])]
)
def test_the_compiler_is_that_of_the_environment_where_it_names_one(cc, compiler, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    if cc is not None:
        monkeypatch.setenv("CC", cc)
    made = runpy.run_path(str(Path(__file__).with_name("tooling.py")))
    assert (made["COMPILER"], made["CC"]) == (compiler, compiler[0])


@pytest.mark.parametrize("command", ["tests/cost", "tests/mutants/run", "tests/soak/run"])
@pytest.mark.parametrize("installed", [True, False])
def test_a_command_started_with_another_python_goes_on_in_the_environment(command, installed, tmp_path):
    for name in ("tests/environment.py", command):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    if installed:
        python = tmp_path / ".venv/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text('#!/bin/sh\necho "went on with $*"\n', "utf-8")
        python.chmod(0o755)
    other = [sys.executable, "-S", "-E", tmp_path / command]
    done = subprocess.run([*other, "--short"], capture_output=True, text=True, check=False, cwd="/")
    if installed:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"went on with {tmp_path / command} --short\n"
    else:
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"{command}: the package airmark is missing; first: reference/install\n"
