"""Rows or columns: how loops walk through what is read."""

from __future__ import annotations

import numpy as np

from fxla.compile.fusion.orientation import FAR, index_names, is_outermost, walks_down
from fxla.loops.ir import Buffer, Index, Load
from fxla.loops.view import binary, extent, fresh_index

F4 = np.dtype("f4")


def load(sizes: tuple[int, ...], *index: Index) -> Load:
    return Load(F4, Buffer("x", F4, tuple(extent(n) for n in sizes)), index)


def test_a_step_is_far_if_a_row_lies_between() -> None:
    i, k = fresh_index(), fresh_index()
    assert walks_down(load((5, FAR), k, i), k)
    assert not walks_down(load((5, FAR - 1), k, i), k)
    assert not walks_down(load((5, FAR), i, k), k)


def test_outermost_before_all_others() -> None:
    i, j, k = fresh_index(), fresh_index(), fresh_index()
    inner, outer = {k.name}, {i.name, j.name}
    assert is_outermost([load((9, 9, 3), k, i, j)], inner, outer)
    assert not is_outermost([load((9, 9, 3), i, k, j)], inner, outer)
    assert not is_outermost([load((9, 9, 3), k, i, j), load((9,), i)], inner, outer)


def test_names_of_an_index() -> None:
    i, j = fresh_index(), fresh_index()
    assert index_names(binary("add", i, j)) == {i.name, j.name}
