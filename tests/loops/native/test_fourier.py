"""The modules of transforms: what stands for their text changes when it does."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from fxla.loops.native import fourier as native_fourier
from fxla.loops.native import sources as native_sources
from fxla.loops.native.fourier import (
    FOURIER_SOURCES,
    fourier_key,
    fourier_symbols,
    print_fourier,
)
from fxla.loops.native.isa import AVX2, AVX512, BASELINE

MODULES = [(np.dtype(name), isa) for name in ("f4", "f8") for isa in (AVX512, AVX2, BASELINE)]


def test_the_key_holds_all_source_that_prints() -> None:
    entered: set[Path] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        entered.add(Path(frame.f_code.co_filename))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for module in MODULES:
            print_fourier(*module)
    finally:
        sys.setprofile(before)
    here = Path(native_fourier.__file__).parent
    printing = {f.name for f in entered if f.parent == here}
    assert printing <= {f"{Path(name).name}.py" for name in FOURIER_SOURCES}


def test_modules_share_neither_names_nor_keys() -> None:
    names = [name for module in MODULES for name in fourier_symbols(*module)]
    keys = [fourier_key(*module) for module in MODULES]
    assert len(set(names)) == len(names)
    assert len(set(keys)) == len(keys)


def test_without_sources_the_text_is_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_sources, "state_of_sources", lambda names: "")
    assert fourier_key(*MODULES[-1]) == print_fourier(*MODULES[-1])
