"""The fixed-point detector as a model in integers: what every other implementation must give, bit by bit.

It follows reference/SPEC.md section by section and has one module a stage, under the stage's name: ``input``,
``frames``, ``screen``, ``template``, ``confirm``, ``statistic``, ``peaks``; ``detector`` holds slots, queue and the
whole, ``tables`` the profile and all constant tables. Floating point occurs only where tables are made.
"""

from __future__ import annotations

NUMERIC_VERSION = 6
"""Changes with any output bit; see reference/SPEC.md."""
