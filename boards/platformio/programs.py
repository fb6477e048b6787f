"""PlatformIO's script before a build, for any board: choose a program of firmware/src, and give it what it needs.

Each C file there is a program. The one named as a target is built (`pio run -e m4 -t bench`), else the environment's
custom_program; `pio test` builds vectors. custom_lacks names programs that the port has not all for. Keys are those of
src/keys.h, or else of demo_key.h; headset's words those of src/words.h, where it is there. Build flags go before that.
"""

import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, DefaultEnvironment

env = DefaultEnvironment()
firmware = Path(env.subst("$PROJECT_DIR"))
top = firmware.parent
programs = sorted(path.stem for path in (firmware / "src").glob("*.c"))

named = [target for target in COMMAND_LINE_TARGETS if target in programs]
program = named[0] if named else env.GetProjectOption("custom_program")
if "__test" in COMMAND_LINE_TARGETS:
    program = "vectors"
if len(named) > 1 or program not in programs:
    sys.stderr.write(f"Error: one program of {', '.join(programs)} can be built at a time, not {named or program}\n")
    env.Exit(1)
lacks = set(env.GetProjectOption("custom_lacks", "").split())
if program in lacks:
    sys.stderr.write(f"Error: {env['PIOENV']} has not all that the program {program} needs (custom_lacks)\n")
    env.Exit(1)

tables = Path(env.subst("$BUILD_DIR")) / "tables"
sys.path.insert(0, str(top / "boards/tools"))
import vectors  # noqa: E402

try:
    vectors.write(tables / "vectors_data.h")
    keys = vectors.most_keys()
except (OSError, vectors.VectorsError) as error:
    sys.stderr.write(f"Error: {error}\n")
    env.Exit(1)

own = {"DETECTOR_KEYS": "keys.h", "HEADSET_WORDS": "words.h"}
macros = {macro: file for macro, file in own.items() if (firmware / "src" / file).exists()}
macros.setdefault("DETECTOR_KEYS", "demo_key.h")
given = str(env.get("BUILD_FLAGS"))
macros = {macro: file for macro, file in macros.items() if macro not in given}
if program in ("detector", "headset") and "DETECTOR_KEYS" in macros:
    which = "" if macros["DETECTOR_KEYS"] in own.values() else ", which is public: no src/keys.h"
    print(f"Keys: src/{macros['DETECTOR_KEYS']}{which}")
env.Append(CPPDEFINES=[(macro, env.StringifyMacro(file)) for macro, file in macros.items()])

env.Replace(AIRMARK_PROGRAM=program, SRC_FILTER=[f"+<{program}.c>"])
env.Append(CPPPATH=[str(path) for path in (top / "boards/port", tables, top / "tests/vectors")])
if program == "vectors":
    env.Append(CFLAGS=["-include", str(firmware / "src/vectors.h")])
    if "AIRMARK_MAX_KEYS" not in str(env.get("BUILD_FLAGS")):
        env.Append(CPPDEFINES=[("AIRMARK_MAX_KEYS", keys)])

if "espidf" in env.get("PIOFRAMEWORK", []):
    # Its CMake builds what is in src, and is told here what that is.
    extra = [f"-DAIRMARK_PROGRAM={program}", f"-DAIRMARK_TABLES={tables}", f"-DAIRMARK_VECTORS_KEYS={keys}"]
    extra += [f"-DAIRMARK_{macro}={file}" for macro, file in macros.items()]
    env.BoardConfig().update("build.cmake_extra_args", " ".join(extra))

built = [env.Alias("buildprog"), env.Alias("checkprogsize")]
for name in sorted(set(programs) - lacks):
    env.AddCustomTarget(name, built, None, title=name, description=f"Build {name}")
