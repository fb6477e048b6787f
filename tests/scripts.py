"""Scripts, with a suffix or without, and extensions, as modules."""

from __future__ import annotations

import sys
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

Loader = type[SourceFileLoader] | type[ExtensionFileLoader]


def script(path: Path, how: Loader = SourceFileLoader, name: str = "") -> ModuleType:
    """The script as a module of its own, loaded once; an extension only loads by the name that it was built with."""
    name = name or f"airmark_script_{path.parent.name}_{path.name}"
    if name in sys.modules:
        return sys.modules[name]
    loader = how(name, str(path))
    spec = spec_from_loader(name, loader)
    assert spec
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look it up
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # it would lie beside a script without a suffix
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.dont_write_bytecode = writes
    return module
