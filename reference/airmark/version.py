"""The software's version, read from the installed distribution: pyproject.toml is the one place that states it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("airmark")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
VERSION = __version__
"""The same, by the name that a device's module has it under."""
