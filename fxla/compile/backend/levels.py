"""Levels of processors that fxla's own code is compiled for before anybody has a program.

What a user's program becomes is compiled for the very processor it runs on. What is the same for
all programs is compiled once for each *level*, a set of instructions that many processors have.
"""

from __future__ import annotations

import platform
import sys

from fxla.core.records import dataclass
from fxla.loops.native.isa import AVX2, AVX512, BASELINE, NEON, Isa

__all__ = ["LEVELS", "Level", "level_of"]

_V3 = frozenset("sse4.2 popcnt cx16 sahf avx avx2 bmi bmi2 f16c fma lzcnt movbe xsave".split())
_V4 = _V3 | frozenset("avx512f avx512bw avx512cd avx512dq avx512vl".split())


@dataclass(frozen=True, slots=True)
class Level:
    """Processors that run the same object files.

    Attributes:
        name: of the file that holds them.
        machine: what `platform.machine` calls these processors.
        triple: LLVM's name of the platform.
        isa: what the objects are compiled for.
        needs: LLVM's names of the features that `isa` takes for granted.
    """

    name: str
    machine: str
    triple: str
    isa: Isa
    needs: frozenset[str] = frozenset()


LEVELS = (
    Level("x86_64-v4", "x86_64", "x86_64-unknown-linux-gnu", AVX512, _V4),
    Level("x86_64-v3", "x86_64", "x86_64-unknown-linux-gnu", AVX2, _V3),
    Level("x86_64", "x86_64", "x86_64-unknown-linux-gnu", BASELINE),
    Level("aarch64", "aarch64", "aarch64-unknown-linux-gnu", NEON),
)
"""Every level there is; all are Linux's."""


def level_of(isa: Isa) -> Level | None:
    """The level whose objects serve an instruction set of this machine, if there is one.

    Code of another vector width has another text, so this is the level of the same name or none.
    """
    if sys.platform != "linux":
        return None
    machine = platform.machine()
    has = {word[1:] for word in isa.features.split(",") if word.startswith("+")}
    for level in LEVELS:
        if level.machine == machine and level.isa.name == isa.name:
            return level if isa == level.isa or level.needs <= has else None
    return None
