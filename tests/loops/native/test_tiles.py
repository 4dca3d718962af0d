"""The modules of tiles: what they are called is what they are."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import pytest

from fxla.loops.native import sources as native_sources
from fxla.loops.native import tiles as native_tiles
from fxla.loops.native.blocks import TILE_SOURCES, print_tiles, tile_key
from fxla.loops.native.isa import AVX2, AVX512, BASELINE, Isa
from fxla.loops.native.tiles import tile_shape, tile_symbols
from fxla.loops.tile_kinds import TILE_KINDS, TileKind


def test_the_key_holds_all_source_that_prints() -> None:
    entered: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        entered.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for kind in TILE_KINDS:
            for isa in (AVX512, AVX2, BASELINE):
                print_tiles(kind, isa)
    finally:
        sys.setprofile(before)
    printing = {
        Path(f).name for f in entered if Path(f).parent == Path(native_tiles.__file__).parent
    }
    assert printing <= {f"{Path(name).name}.py" for name in TILE_SOURCES}


def test_a_key_is_of_kind_and_processor() -> None:
    keys = [tile_key(kind, isa) for kind in TILE_KINDS for isa in (AVX512, AVX2, BASELINE)]
    assert len(set(keys)) == len(keys)
    assert all(len(key) < 1000 for key in keys)


def test_without_sources_the_text_is_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_sources, "state_of_sources", lambda names: "")
    kind = TILE_KINDS[0]
    assert tile_key(kind, BASELINE) == print_tiles(kind, BASELINE)


@pytest.mark.parametrize("isa", [AVX512, AVX2, BASELINE], ids=lambda isa: isa.name)
@pytest.mark.parametrize("kind", TILE_KINDS, ids=lambda kind: kind.name)
def test_tiles_fit_the_registers(isa: Isa, kind: TileKind) -> None:
    shape = tile_shape(isa, kind)
    registers = 32 if isa is AVX512 else 16
    assert shape.rows * shape.vectors + shape.vectors + 1 <= registers
    assert shape.lanes * kind.itemsize == isa.vector_bytes


def test_modules_do_not_share_names() -> None:
    names = [
        symbol
        for kind in TILE_KINDS
        for isa in (AVX512, AVX2, BASELINE)
        for symbol in tile_symbols(kind, isa).values()
    ]
    assert len(set(names)) == len(names)
