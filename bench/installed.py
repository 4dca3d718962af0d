"""What an installation of fxla has and a checkout lacks: its own code as object files."""

from __future__ import annotations

from fxla.compile.backend.levels import level_of
from fxla.compile.backend.llvm import host_isa
from fxla.compile.runtime import compile_level
from fxla.precompiled import modules

__all__ = ["own_objects"]


def own_objects() -> str:
    """Write the object files for this processor; a line for the page that says so.

    They are what the build of a wheel writes: first calls are timed as users have them.
    """
    level = level_of(host_isa())
    if level is None:
        return "fxla's own code: none is installed for this processor, first calls compile it."
    path = compile_level(level, modules(level))
    return (
        f"fxla's own code: {path.stat().st_size / 1e3:.1f} kB of objects ({path.name}), installed."
    )
