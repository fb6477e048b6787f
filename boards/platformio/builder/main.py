"""PlatformIO's builder: a program for a board under QEMU, or without a board for this machine. Target exec: run it."""

import sys
from pathlib import Path

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
here = Path(env.PioPlatform().get_dir())
sys.path.insert(0, str(here.resolve().parent / "tools"))
import emulator  # noqa: E402

board = env.BoardConfig() if "BOARD" in env else None
prefix = board.get("build.prefix") if board else ""

env.Replace(
    AR=f"{prefix}ar",
    AS=f"{prefix}as",
    CC=f"{prefix}gcc",
    CXX=f"{prefix}g++",
    RANLIB=f"{prefix}ranlib",
    SIZETOOL=f"{prefix}size",
    ARFLAGS=["rc"],
    PROGSUFFIX=".elf" if board else "",
)
env.Append(CCFLAGS=["-O2", "-ffunction-sections", "-fdata-sections"], LINKFLAGS=["-Wl,--gc-sections"])
run = ["$PROGPATH"]
if board:
    build = board.get("build")
    flags = [*build["flags"].split(), emulator.specs(build["prefix"])]
    if "ldscript" in build:
        env.Replace(LDSCRIPT_PATH=str(here / build["ldscript"]))
        start = ["-nostartfiles", "-Wl,--no-warn-rwx-segments"]
    else:
        places = {
            "__flash": build["flash"],
            "__flash_size": board.get("upload.maximum_size"),
            "__ram": build["ram"],
            "__ram_size": board.get("upload.maximum_ram_size"),
            "__stack_size": build["stack"],
        }
        start = ["--oslib=semihost", "--crt0=hosted", *(f"-Wl,--defsym={name}={at}" for name, at in places.items())]
    env.Append(CCFLAGS=flags, ASFLAGS=flags, LINKFLAGS=[*flags, *start])
    # RAM holds the stack too: all sections that take room there.
    env.Replace(
        SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
        SIZEPROGREGEXP=r"^(?:\.init|\.text|\.rodata|\.reset|\.data)\s+(\d+).*",
        SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.stack|\.tbss_space)\s+(\d+).*",
    )
    options = emulator.COUNTED if env.get("AIRMARK_PROGRAM") == "bench" else ()
    run = emulator.command(board.manifest, "$PROGPATH", *options)

program = env.BuildProgram()
built = env.Alias("buildprog", program, program)
AlwaysBuild(built)
Default([built])
shown = " ".join(run) + (" < /dev/null" if board else "")
env.AddPlatformTarget("exec", program, env.VerboseAction(shown, shown), title="Run", description="here or under QEMU")
