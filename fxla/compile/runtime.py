"""fxla's own code: the modules that no user's program decides.

Tiles of contractions, Fourier transforms, the entry of jitted functions, operators of eager arrays,
the pool, the allocator of large results, and the products that go to BLAS. `fxla.precompiled`
compiles them when the package is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from fxla.compile.backend.levels import Level
from fxla.compile.backend.llvm import emit_object
from fxla.compile.backend.native import EFFORT, packed
from fxla.compile.backend.own_text import OwnText
from fxla.compile.backend.pool import POOL_NAMES
from fxla.compile.backend.pool_text import FUTEX_CALL, pool_text
from fxla.compile.backend.shipped import OBJECTS, write_shipped
from fxla.compile.calls.eager import EAGER
from fxla.compile.calls.entry import ENTRY, entry_slot
from fxla.compile.calls.recycle import RECYCLER
from fxla.compile.routines.gemm import GEMM_NAMES, gemm_text
from fxla.compile.routines.pocketfft import pocketfft_text
from fxla.core.records import dataclass
from fxla.loops.native.blocks import print_tiles, tile_key
from fxla.loops.native.fourier import fourier_key, fourier_symbols, print_fourier
from fxla.loops.native.tiles import tile_symbols
from fxla.loops.tile_kinds import TILE_KINDS

__all__ = ["OwnModule", "compile_level", "offered", "own_modules"]


@dataclass(frozen=True, slots=True)
class OwnModule:
    """A module of LLVM text that can be compiled before there is a program.

    Attributes:
        text: of it.
        names: of the functions that it gives.
        key: what stands for the text.
    """

    text: str
    names: Sequence[str]
    key: str


def own_modules(level: Level) -> Iterator[OwnModule]:
    """The modules that are the same for all programs."""
    texts = {
        pool_text(level.machine in FUTEX_CALL, level.machine): POOL_NAMES,
        gemm_text(): GEMM_NAMES,
        pocketfft_text(): ("pocketfft",),
    }
    for text, names in texts.items():
        yield OwnModule(text, names, text)
    found: list[tuple[OwnText, tuple[int, ...]]] = [(RECYCLER, (True,)), (EAGER, ())]
    slot = entry_slot()
    if slot is not None:  # of the Python that builds; under another one it may be elsewhere
        found.append((ENTRY, (slot,)))
    for own, options in found:
        yield OwnModule(own.printed(*options), own.names, own.key(*options))
    for kind in TILE_KINDS:
        names = tuple(tile_symbols(kind, level.isa).values())
        yield OwnModule(print_tiles(kind, level.isa), names, tile_key(kind, level.isa))
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        names = fourier_symbols(dtype, level.isa)
        yield OwnModule(print_fourier(dtype, level.isa), names, fourier_key(dtype, level.isa))


def compile_level(level: Level, modules: Iterable[OwnModule], directory: Path = OBJECTS) -> Path:
    """Write the file of a level; returns where it is."""
    entries = {
        m.key: packed(m.names, emit_object(m.text, level.isa, EFFORT, level.triple))
        for m in modules
    }
    return write_shipped(level, entries, directory)


def offered(level: Level) -> bool:
    """Whether this llvmlite generates code for a level; not every distribution's does for all."""
    try:
        emit_object("", level.isa, EFFORT, level.triple)
    except RuntimeError:
        return False
    return True
