"""PlatformIO's script for boards/port: build the files that the environment names in custom_port.

custom_port_PROGRAM, where there is one, goes before it.
"""

from SCons.Script import Import

Import("env")
program = env["AIRMARK_PROGRAM"]  # noqa: F821
files = env.GetProjectOption(f"custom_port_{program}", env.GetProjectOption("custom_port"))  # noqa: F821
env.Replace(SRC_FILTER=[f"+<{file}>" for file in files.split()])  # noqa: F821
