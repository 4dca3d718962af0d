"""Which functions give views while tracing: those for which NumPy shares memory, and no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
from fxla.numpy.views import layout_in_memory

BASE = np.arange(12.0).reshape(3, 4)

CASES: dict[str, Any] = {
    "reshape": lambda a: a.reshape(2, 6),
    "reshape a transposed": lambda a: a.T.reshape(-1),
    "reshape a stepped": lambda a: a[:, ::2].reshape(-1),
    "reshape a row": lambda a: a[1].reshape(2, 2),
    "reshape in order F": lambda a: np.reshape(a, (4, 3), order="F"),
    "reshape of a transposed in order F": lambda a: np.reshape(a.T, (12,), order="F"),
    "ravel": lambda a: a.ravel(),
    "ravel a stepped": lambda a: a[0, ::2].ravel(),
    "ravel in order F": lambda a: np.ravel(a, order="F"),
    "ravel of a transposed in order F": lambda a: np.ravel(a.T, order="F"),
    "flatten": lambda a: a.flatten(),
    "T": lambda a: a.T,
    "mT": lambda a: a.mT,
    "transpose": lambda a: np.transpose(a[None], (2, 0, 1)),
    "permute_dims": lambda a: np.permute_dims(a, (1, 0)),
    "swapaxes": lambda a: a.swapaxes(0, 1),
    "moveaxis": lambda a: np.moveaxis(a[..., None], 0, 2),
    "rollaxis": lambda a: np.rollaxis(a, 1),
    "squeeze": lambda a: a[None].squeeze(),
    "expand_dims": lambda a: np.expand_dims(a, (0, 2)),
    "atleast_3d": lambda a: np.atleast_3d(a),
    "flip": lambda a: np.flip(a, 1),
    "flip all": lambda a: np.flip(a),
    "fliplr": lambda a: np.fliplr(a),
    "flipud": lambda a: np.flipud(a),
    "rot90": lambda a: np.rot90(a),
    "rot180": lambda a: np.rot90(a, 2),
    "rot270": lambda a: np.rot90(a, 3, axes=(1, 0)),
    "split": lambda a: np.split(a, 3)[1],
    "array_split": lambda a: np.array_split(a, [1, 3], axis=1)[1],
    "hsplit": lambda a: np.hsplit(a, 2)[1],
    "vsplit": lambda a: np.vsplit(a, 3)[2],
    "unstack": lambda a: np.unstack(a, axis=1)[2],
    "row": lambda a: a[-1],
    "part": lambda a: a[1:, ::-2],
    "new axis": lambda a: a[None, ..., 1:],
    "ellipsis": lambda a: a[...],
    "element as an array": lambda a: a[1, 2, ...],
    "iteration": lambda a: list(a)[1],
    "asarray": lambda a: np.asarray(a),
    "ascontiguousarray": lambda a: np.ascontiguousarray(a),
    "ascontiguousarray of a transposed": lambda a: np.ascontiguousarray(a.T),
    "view": lambda a: a.view(),
    "real": lambda a: a.real,
    "copy": lambda a: a.copy(),
    "array": lambda a: np.array(a),
    "astype": lambda a: a.astype(float),
    "astype without a copy": lambda a: a.astype(float, copy=False),
    "index array": lambda a: a[[0, 1]],
    "mask": lambda a: a[np.array([True, False, True])],
    "take": lambda a: np.take(a, [0], axis=0),
    "positive": lambda a: +a,
    "round": lambda a: np.round(a),
    "roll by nothing": lambda a: np.roll(a, 0),
    "tile once": lambda a: np.tile(a, 1),
    "concatenate one": lambda a: np.concatenate([a]),
    "clip by nothing": lambda a: np.clip(a, None, 100.0),
    "sum over no axes": lambda a: np.sum(a, axis=()),
    "where": lambda a: np.where(True, a, 0.0),
    "pad by nothing": lambda a: np.pad(a, 0),
    "real_if_close": lambda a: np.nan_to_num(a),
}


@pytest.mark.parametrize("name", CASES)
def test_a_write_goes_where_it_goes_in_numpy(name: str) -> None:
    """In both directions: from the view to its base, and from the base to the view."""
    make = CASES[name]

    def f(x: Any) -> Any:
        a = BASE * 1.0 + np.zeros((3, 4))
        a += x
        v = make(a)
        first = np.arange(float(v.size)).reshape(v.shape)
        v[...] = -first
        seen = a.copy()
        a *= 2.0
        return seen, v + 0.0

    for _ in range(3):  # a function is traced in other ways after its first calls
        got = fxla.jit(f)(1.0)
        for g, w in zip(got, f(1.0), strict=True):
            np.testing.assert_array_equal(g, w)
    for g, w in zip(fxla.vmap(f)(np.array([1.0, 1.0])), f(1.0), strict=True):
        np.testing.assert_array_equal(g[1], w)


def test_strides_are_numpys() -> None:
    made: list[Any] = []

    def f(x: Any) -> Any:
        a = x.copy()
        made[:] = [layout_in_memory(v).strides for v in (a, a.T, a[::-1, 1::2], a.T[1:].T, a[1])]
        return x

    fxla.jit(f)(BASE)
    b = BASE.copy()
    assert made == [v.strides for v in (b, b.T, b[::-1, 1::2], b.T[1:].T, b[1])]
