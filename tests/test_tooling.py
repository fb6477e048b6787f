"""What tests are skipped by: a tool that is missing, but never where CI is set; nothing else skips for a tool."""

from __future__ import annotations

import os
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


def test_the_guides_table_has_every_extra_and_what_the_installer_brings_for_it():
    guide, project, install = (
        (ROOT / name).read_text("utf-8") for name in ("reference/README.md", "pyproject.toml", "reference/install")
    )
    table = guide.split("| extra |")[1].split("\n\n")[0]
    told = dict(re.findall(r"^\| `(\w+)` \|.*?\| ?([^|]*)\|$", table, re.MULTILINE))
    extras = project.split("[project.optional-dependencies]")[1].split("\n[")[0]
    assert set(told) == set(re.findall(r"^(\w+) = ", extras, re.MULTILINE))
    installed = re.findall(r'^    "([^|"]+)\|.*\|([a-z ]+)"$', install, re.MULTILINE)
    brought = {
        (extra, package) for packages, names in installed for extra in names.split() for package in packages.split()
    }
    assert ("test", "python3-dev") in brought
    # Those of the emulators are told of in other words.
    assert [one for one in brought if one[0] != "emulators" and one[1] not in told[one[0]]] == []


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


GENERATE = ROOT / "bindings/generate.py"
HEADERS = [ROOT / "firmware/lib/airmark/src/airmark.h"]


def generated(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, GENERATE, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--help"], 0, ""),
        (["--x"], 2, "arguments"),
        ([*HEADERS, "--x"], 2, "required: OUTPUT.c"),
        ([*HEADERS, "keys"], 2, "generate.py: keys: is not named .c; the last argument is the file to write\n"),
        (["no.h", "out.c"], 2, "generate.py: no.h: No such file or directory\n"),
        (["bad.h", "out.c"], 2, "generate.py: bad.h: "),
        ([*HEADERS, "mine.c"], 2, "generate.py: mine.c: exists already and was not written here; name another file\n"),
    ],
)
def test_the_generator_writes_nothing_where_its_arguments_are_wrong(arguments, status, said, tmp_path):
    (tmp_path / "mine.c").write_text("int mine;\n", "utf-8")
    (tmp_path / "bad.h").write_text("int f(\n", "utf-8")
    done = generated(*arguments, cwd=tmp_path)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.h", "mine.c"]
    assert (tmp_path / "mine.c").read_text("utf-8") == "int mine;\n"


def test_the_generator_overwrites_what_it_wrote_as_the_build_does(tmp_path):
    (tmp_path / "own.h").write_text("int own(void);\n", "utf-8")
    for headers in (HEADERS, [*HEADERS, "own.h"]):
        assert generated(*headers, "_native.c", cwd=tmp_path).returncode == 0
    assert "own" in (tmp_path / "_native.c").read_text("utf-8")


def test_listening_cost_says_what_to_do_first_and_refuses_what_it_does_not_know(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "tests/micropython"))
    import interpreters
    import listening_cost

    monkeypatch.setattr(interpreters, "BUILD", tmp_path)
    monkeypatch.setattr(sys, "argv", ["listening_cost.py"])
    assert listening_cost.main() == 2
    missing = tmp_path / "mpy/armv7emdp/airmark.mpy"
    assert capsys.readouterr().err == f"listening_cost.py: {missing} is missing; first: tests/micropython/run\n"
    for argument, status in (("--help", 0), ("--x", 2)):
        monkeypatch.setattr(sys, "argv", ["listening_cost.py", argument])
        with pytest.raises(SystemExit) as caught:
            listening_cost.main()
        assert caught.value.code == status


@pytest.mark.parametrize(
    ("arguments", "status", "installs"),
    [(["--help"], 0, False), (["--x"], 2, False), (["--jobs", "0"], 2, False), (["--verbose"], 9, True)],
)
def test_the_interpreters_command_reads_its_arguments_before_it_installs(arguments, status, installs, tmp_path):
    for name in ("run", "interpreters.py"):
        (tmp_path / "tests/micropython").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests/micropython" / name, tmp_path / "tests/micropython" / name)
    installer = tmp_path / "reference/install"
    installer.parent.mkdir()
    installer.write_text("#!/bin/sh\necho installed\nexit 9\n", "utf-8")
    installer.chmod(0o755)
    environment = os.environ | {"PYTHON": sys.executable}
    command = [tmp_path / "tests/micropython/run", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == status
    assert ("installed" in done.stdout) == installs
    assert ("usage: tests/micropython/run" in done.stdout + done.stderr) != installs


def test_lc3_says_first_what_it_is_and_what_it_gives_airmark_evaluate():
    command = [sys.executable, ROOT / "tests/packages/lc3.py", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    first, _, rest = done.stdout.partition("usage: airmark evaluate")
    assert first.startswith("Measures how often marks are found behind LC3")
    assert "--null-keys 0 --baseline 0 --jobs 1" in first
    assert "--trials" in rest
