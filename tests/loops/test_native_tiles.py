"""The modules of tiles: what they are called is what they are."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from fxla.loops.native_isa import AVX2, AVX512, BASELINE, Isa
from fxla.loops.native_tiles import (
    TILE_DTYPES,
    TILE_VERSION,
    print_tiles,
    tile_shape,
    tile_symbols,
)

PRINTED = {"fxla-tiles-1": "80e839427b0e1dd2"}
"""What each version prints. If the text changes, so must `TILE_VERSION`, or old code is loaded."""


def test_a_version_prints_one_text() -> None:
    texts = [
        print_tiles(np.dtype(name), isa) for name in TILE_DTYPES for isa in (AVX512, AVX2, BASELINE)
    ]
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    assert PRINTED.get(TILE_VERSION) == digest[:16]


@pytest.mark.parametrize("isa", [AVX512, AVX2, BASELINE], ids=lambda isa: isa.name)
@pytest.mark.parametrize("name", TILE_DTYPES)
def test_tiles_fit_the_registers(isa: Isa, name: str) -> None:
    shape = tile_shape(isa, np.dtype(name))
    registers = 32 if isa is AVX512 else 16
    assert shape.rows * shape.vectors + shape.vectors + 1 <= registers
    assert shape.lanes * np.dtype(name).itemsize == isa.vector_bytes


def test_modules_do_not_share_names() -> None:
    names = [
        symbol
        for name in TILE_DTYPES
        for isa in (AVX512, AVX2, BASELINE)
        for symbol in tile_symbols(np.dtype(name), isa).values()
    ]
    assert len(set(names)) == len(names)
