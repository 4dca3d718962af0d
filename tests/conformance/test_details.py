"""What the standard's own suite asks of functions beside their values: defaults, edges, errors.

Every function is compiled; NumPy gives values, dtypes and shapes, the standard the errors.
"""

from __future__ import annotations

import operator

import numpy as np
import pytest

from tests.conformance import jitted
from tests.conformance.test_every_function import compare

X = np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 5.0]])
I = np.array([[2, 0, 1], [0, 0, 2]])  # noqa: E741
EMPTY, NOTHING = np.zeros((0, 3, 3)), np.zeros((2, 0, 0))

AGREE = {
    "axis of take_along_axis": lambda m: m.take_along_axis(X, I),
    "searchsorted a number": lambda m: m.searchsorted(np.sort(X[0]), 1.5),
    "clip without bounds": lambda m: m.clip(X),
    "clip by arrays": lambda m: m.clip(X, X[0], 4),
    "correction": lambda m: m.std(X, axis=1, correction=0.5, keepdims=True),
    "count over axes": lambda m: m.count_nonzero(X, axis=(0, 1), keepdims=True),
    "diff between": lambda m: m.diff(X, axis=0, prepend=X[:1], append=X[:1]),
    "roll along axes": lambda m: m.roll(X, (1, 2), axis=(0, 1)),
    "tile": lambda m: m.tile(X, (2, 1, 2)),
    "reshape a copy": lambda m: m.reshape(X, (3, 2), copy=True),
    "concat flat": lambda m: m.concat([X, X], axis=None),
    "concat dtypes": lambda m: m.concat([np.ones(2, "f4"), np.ones(2, "i2")]),
    "where of numbers": lambda m: m.where(X > 1, 1.0, 0),
    "power of a number": lambda m: m.pow(2, X),
    "a number in uint8": lambda m: m.add(np.arange(3, dtype="u1"), 1),
    "asarray large": lambda m: m.asarray(2**63, dtype=m.uint64),
    "arange of floats": lambda m: m.arange(0.0, 1.0, 0.3),
    "arange backwards": lambda m: m.arange(5, 0, -2),
    "arange of nothing": lambda m: m.arange(5, 0),
    "linspace of integers": lambda m: m.linspace(0, 10, num=4, dtype=m.int32),
    "linspace complex": lambda m: m.linspace(0j, 1 + 1j, 3),
    "linspace of nothing": lambda m: m.linspace(0, 1, 0),
    "full by kind": lambda m: [m.full((2,), True), m.full(3, 1.5), m.full((), 2)],
    "tril far away": lambda m: m.tril(X, k=-5),
    "meshgrid of numbers": lambda m: m.meshgrid(np.asarray(1.0), np.asarray(2)),
    "argmax of all": lambda m: m.argmax(X, axis=None, keepdims=True),
    "unstack": lambda m: m.unstack(X[:, :0], axis=0),
    "mean over no axes": lambda m: m.mean(X, axis=(), keepdims=True),
    "repeat": lambda m: [m.repeat(X, 3, axis=-1), m.repeat(X, np.array([1, 0]), axis=0)],
    "devices": lambda m: [m.asarray(X, device="cpu"), m.zeros_like(X, device="cpu")],
    "norms": lambda m: [m.linalg.matrix_norm(X, ord=p) for p in ("fro", "nuc", 1, 2, -1, np.inf)],
    "norms of all": lambda m: [
        m.linalg.vector_norm(X, axis=(0, 1), ord=p) for p in (0, 1, 2, 3, 0.5, np.inf, -np.inf, -1)
    ],
    "no matrices": lambda m: [
        getattr(m.linalg, n)(EMPTY) for n in "det inv cholesky eigvalsh svdvals pinv".split()
    ],
    "matrices of nothing": lambda m: [
        getattr(m.linalg, n)(NOTHING) for n in "det inv cholesky eigvalsh svdvals trace".split()
    ],
    "solve for a vector": lambda m: m.linalg.solve(np.eye(3)[None] * 2, np.ones(3)),
    "matmul": lambda m: [m.matmul(X, X[0]), m.matmul(np.zeros((2, 0)), np.zeros((0, 3)))],
    "tensordot of no axes": lambda m: m.tensordot(X, X, axes=0),
    "transforms": lambda m: [
        getattr(m.fft, n)(X, n=7, axis=0, norm="forward") for n in "fft rfft irfft hfft".split()
    ],
    "transforms in single": lambda m: [
        getattr(m.fft, n)(X.astype("f4")) for n in "fft ifft rfft irfft hfft ihfft".split()
    ],
    "sums of small": lambda m: [f(np.ones((2, 3), t)) for t in "bBhHiIfF" for f in (m.sum, m.prod)],
    "running products": lambda m: [
        m.cumulative_prod(np.ones((2, 3), t), axis=0, include_initial=True) for t in "bBhHiIfF"
    ],
}


@pytest.mark.parametrize("name", AGREE)
def test_as_numpy(name):
    compare(AGREE[name](jitted), AGREE[name](np), 1e-6 if "single" in name else 1e-11)


REFUSED = {
    "expand_dims beyond": (IndexError, lambda m: m.expand_dims(X, axis=5)),
    "expand_dims before": (IndexError, lambda m: m.expand_dims(X, axis=-6)),
    "squeeze a long axis": (ValueError, lambda m: m.squeeze(X, axis=0)),
    "largest of nothing": (ValueError, lambda m: m.max(np.zeros((0, 3)))),
    "broadcast_to": (ValueError, lambda m: m.broadcast_to(X, (2, 2))),
    "nonzero of a number": (ValueError, lambda m: m.nonzero(np.asarray(1.0))),
    "matmul of a number": (ValueError, lambda m: m.matmul(X, np.asarray(1.0))),
    "cross of four": (ValueError, lambda m: m.linalg.cross(np.ones((2, 4)), np.ones((2, 4)))),
    "outer of matrices": (ValueError, lambda m: m.linalg.outer(X, X)),
    "an axis beyond": (IndexError, lambda m: m.sum(X, axis=7)),
    "a place beyond": (IndexError, lambda m: jitted.compiled(lambda x: x[5])(X)),
    "a device": (ValueError, lambda m: m.zeros(2, device="gpu:7")),
    "a device of others": (ValueError, lambda m: m.full_like(X, 1, device="gpu:7")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    kind, f = REFUSED[name]
    with pytest.raises(kind):
        f(jitted)


def test_the_array_object():
    x = jitted.asarray(X, copy=True)
    assert complex(jitted.asarray(1.5)) == 1.5 and operator.index(jitted.asarray(3)) == 3
    assert x.__dlpack_device__() == (1, 0) and x.to_device("cpu") is x and x.device == "cpu"
    np.testing.assert_array_equal(x.mT, X.T)
    x[0, :] = 7.0
    x[x < 2] = 0.0
    assert x.tolist() == [[7.0, 7.0, 7.0], [0.0, 0.0, 5.0]]


@pytest.mark.parametrize("dtype", ["i1", "u8", "f4", "f8", "c8"])
def test_limits_of_an_arrays_dtype(dtype):
    limits = jitted.iinfo if np.dtype(dtype).kind in "iu" else jitted.finfo
    of_numpy = np.iinfo if np.dtype(dtype).kind in "iu" else np.finfo
    assert limits(jitted.asarray(1, dtype=dtype)).max == of_numpy(np.dtype(dtype)).max
