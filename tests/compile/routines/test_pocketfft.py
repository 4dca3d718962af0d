"""Transforms of lengths that are not smooth, by NumPy's loops."""

from __future__ import annotations

import numpy as np
import pytest

from fxla.compile.program import HostCall
from fxla.compile.routines import pocketfft
from tests.compile.routines.transforms import KINDS, check


@pytest.mark.parametrize("n", [22, 97, 1001, 2 * 1009])
@pytest.mark.parametrize("kind", KINDS)
def test_other_lengths_are_numpys(kind: str, n: int) -> None:
    for precision in ("f4", "f8"):
        assert HostCall not in check(kind, (3, n), (1,), precision)
        assert HostCall not in check(kind, (n, 2, 3), (0, 2), precision)


def test_where_nothing_serves_the_value_of_the_primitive_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert HostCall in check("fftn", (2, 40009), (1,), "f4")
    monkeypatch.setattr(pocketfft, "_loops", dict)
    assert HostCall in check("rfftn", (2, 97), (1,), "f8")


def test_a_ufunc_that_looks_otherwise_is_not_used() -> None:
    assert pocketfft._loops_of(np.add, "fft") is None
    assert pocketfft._loops_of(len, "fft") is None
