"""A development platform without PlatformIO's registry: compilers, emulators and tools are those on PATH."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from platformio.dependencies import get_core_dependencies
from platformio.exception import UserSideException
from platformio.package.manager.core import get_core_package_dir
from platformio.public import PlatformBase

# What PlatformIO Core would download for itself: the file that it starts in the tool's folder, and what that is here.
SHIMS = {
    "tool-scons": ("scons.py", "from SCons.Script import main\n\nmain()\n"),
    "tool-cppcheck": ("cppcheck", '#!/bin/sh\nexec cppcheck "$@"\n'),
    "tool-clangtidy": ("clang-tidy", f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parent}/tidy.py" "$@"\n'),
}


def make_shims(packages: Path) -> None:
    """Where Core lacks a tool that it would download, put a folder in its place, of the version that it asks for."""
    if importlib.util.find_spec("SCons") is None:
        raise UserSideException("SCons is missing in PlatformIO's Python; first: reference/install boards")
    for name, wanted in get_core_dependencies().items():
        if name not in SHIMS:
            continue
        file, text = SHIMS[name]
        version = wanted.lstrip("~^>=")
        spec = {"owner": "platformio", "id": None, "name": name, "requirements": None, "uri": None}
        manifest = {"name": name, "version": version, "description": f"starts the {file} that is installed here"}
        there = get_core_package_dir(name, auto_install=False)
        if there and json.loads((Path(there) / "package.json").read_text("utf-8")) != manifest:
            continue
        files = {
            file: text,
            "package.json": json.dumps(manifest),
            ".piopm": json.dumps({"type": "tool", "name": name, "version": version, "spec": spec}),
        }
        for path, content in ((packages / name / part, content) for part, content in files.items()):
            if not path.exists() or path.read_text("utf-8") != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, "utf-8")
        (packages / name / file).chmod(0o755)


class AirmarkPlatform(PlatformBase):
    """What PlatformIO calls; the name is of platform.json's."""

    def is_embedded(self) -> bool:
        """False: a program is not sent to a board but run here."""
        return False

    def configure_default_packages(self, options: dict[str, Any], targets: list[str]) -> Any:
        """Before anything is built: see that the tools are here."""
        board = options.get("board")
        if board:
            build = self.board_config(board).get("build")
            for tool in (f"{build['prefix']}gcc", build["qemu"].split()[0]):
                if not shutil.which(tool):
                    raise UserSideException(f"{board}: {tool} is missing; first: reference/install emulators")
        make_shims(Path(self.config.get("platformio", "packages_dir")))
        return super().configure_default_packages(options, targets)
