"""Shapes, slices, reductions, sorting and indexing against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla import lax
from tests.lax.checks import agree, gradients_agree

X = np.random.default_rng(1).permutation(24).reshape(2, 3, 4) * 0.5 - 5

SHAPES = {
    "broadcast": (lambda x: lax.broadcast(x, (5,)), lambda x: np.broadcast_to(x, (5, 2, 3, 4))),
    "reshape": (lambda x: lax.reshape(x, (4, -1)), lambda x: x.reshape(4, -1)),
    "reshape-of": (lambda x: lax.reshape(x, (24,), (2, 0, 1)),
                   lambda x: x.transpose(2, 0, 1).reshape(24)),
    "collapse": (lambda x: lax.collapse(x, 1), lambda x: x.reshape(2, 12)),
    "expand_dims": (lambda x: lax.expand_dims(x, (0, -1)), lambda x: x[None, ..., None]),
    "transpose": (lambda x: lax.transpose(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    "rev": (lambda x: lax.rev(x, (0, 2)), lambda x: x[::-1, :, ::-1]),
    "tile": (lambda x: lax.tile(x, (1, 2, 1)), lambda x: np.tile(x, (1, 2, 1))),
    "slice": (lambda x: lax.slice(x, (0, 1, 0), (2, 3, 4), (1, 1, 3)),
              lambda x: x[:, 1:, ::3]),
    "slice_in_dim": (lambda x: lax.slice_in_dim(x, -3, None, 2, 2), lambda x: x[..., -3::2]),
    "index_in_dim": (lambda x: lax.index_in_dim(x, -1, 1, False), lambda x: x[:, -1]),
    "concatenate": (lambda x: lax.concatenate([x, -x], 1), lambda x: np.concatenate([x, -x], 1)),
    "split": (lambda x: lax.split(x, (1, 3), 2), lambda x: np.split(x, [1], 2)),
    "pad": (lambda x: lax.pad(x, 2.0, [(1, 0, 0), (0, 0, 0), (0, -1, 0)]),
            lambda x: np.pad(x[..., :-1], [(1, 0), (0, 0), (0, 0)], constant_values=2)),
    "dynamic_slice": (lambda x: lax.dynamic_slice(x, (0, -2, 9), (2, 2, 2)),
                      lambda x: x[:, 1:, 2:]),
    "dynamic_index": (lambda x: lax.dynamic_index_in_dim(x, 2, 1, False), lambda x: x[:, 2]),
    "reduce_sum": (lambda x: lax.reduce_sum(x, (0, -1)), lambda x: x.sum((0, 2))),
    "reduce_max": (lambda x: lax.reduce_max(x, (1,)), lambda x: x.max(1)),
    "reduce_min": (lambda x: lax.reduce_min(x, (0, 1, 2)), lambda x: x.min()),
    "reduce_prod": (lambda x: lax.reduce_prod(x, (1,)), lambda x: x.prod(1)),
    "reduce": (lambda x: lax.reduce(x, 0.0, lax.add, (0, 2)), lambda x: x.sum((0, 2))),
    "cumsum": (lambda x: lax.cumsum(x, -1, True),
               lambda x: np.cumsum(x[..., ::-1], -1)[..., ::-1]),
    "cumprod": (lambda x: lax.cumprod(x, 1), lambda x: np.cumprod(x, 1)),
    "cummax": (lambda x: lax.cummax(x, 2), lambda x: np.maximum.accumulate(x, 2)),
    "cummin": (lambda x: lax.cummin(x, 2), lambda x: np.minimum.accumulate(x, 2)),
    "cumlogsumexp": (lambda x: lax.cumlogsumexp(x, 2), lambda x: np.logaddexp.accumulate(x, 2)),
    "sort": (lambda x: lax.sort(x, 1), lambda x: np.sort(x, 1)),
    "top_k": (lambda x: lax.top_k(x, 2)[0], lambda x: np.sort(x, -1)[..., :-3:-1]),
    "dot": (lambda x: lax.dot(x[0], x[1].T), lambda x: x[0] @ x[1].T),
    "batch_matmul": (lambda x: lax.batch_matmul(x, fnp.swapaxes(x, 1, 2)),
                     lambda x: x @ x.transpose(0, 2, 1)),
    "dot_general": (lambda x: lax.dot_general(x, x, (((0,), (0,)), ((2,), (2,)))),
                    lambda x: np.einsum("aib,ajb->bij", x, x)),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_values_and_derivatives(name):
    ours, numpys = SHAPES[name]
    agree(ours, lambda x: np.asarray(numpys(x)) if name != "split" else numpys(x), X)
    gradients_agree(ours, X, rtol=1e-5 if name in ("cumprod", "reduce_prod") else 1e-6)


def test_updates():
    for start in (1, -1, 7):
        at = min(max(start + 4 if start < 0 else start, 0), 3)
        want = X.copy()
        want[..., at] = 9.0
        agree(lambda x, s=start: lax.dynamic_update_index_in_dim(x, 9.0 * np.ones((2, 3)), s, 2),
              lambda x, w=want: w, X)  # fmt: skip
    gradients_agree(lambda x, y: lax.dynamic_update_slice(x, y, (0, 1, 2)), X, X[:, :2, :2] + 1)


def test_traced_starts():
    f = lambda i: lax.dynamic_slice_in_dim(X, i, 2, 2)  # noqa: E731
    for i, j in ((0, 0), (1, 1), (5, 2), (-1, 2), (-9, 0)):
        agree(f, lambda _, j=j: X[..., j : j + 2], np.array(i))


def test_sorting_together():
    keys, values = np.array([3, 1, 3, 0]), np.arange(4.0)
    agree(lax.sort_key_val, lambda k, v: (np.sort(k), v[np.argsort(k, stable=True)]), keys, values)
    agree(lambda x: lax.argmax(x, 1, "int32"), lambda x: x.argmax(1).astype(np.int32), X)
    agree(lambda x: lax.argmin(x, -1, int), lambda x: x.argmin(-1), X)
    agree(lambda x: lax.top_k(x, 2, axis=1)[1],
          lambda x: np.argsort(-x, 1)[:, :2].astype(np.int32), X)  # fmt: skip


def test_gather_and_scatter():
    index = np.array([[2], [0], [9]])
    rows = lax.GatherDimensionNumbers((1,), (0,), (0,))
    m = X[0]
    clipped = lambda x: lax.gather(x, index, rows, (1, 4), mode="clip")  # noqa: E731
    agree(clipped, lambda x: x[[2, 0, 2]], m)
    gradients_agree(clipped, m)
    filled = lax.gather(m, index, rows, (1, 4), fill_value=-1.0)
    np.testing.assert_array_equal(filled, np.stack([m[2], m[0], np.full(4, -1.0)]))
    back = lax.ScatterDimensionNumbers((1,), (0,), (0,))
    updates = np.arange(12.0).reshape(3, 4) + 1
    kept, places = updates[:2], [2, 0]
    for name, ufunc in (("add", np.add), ("sub", np.subtract), ("mul", np.multiply),
                        ("min", np.minimum), ("max", np.maximum)):  # fmt: skip
        want = m.copy()
        want[places] = ufunc(m[places], kept)
        f = lambda x, u, n=name: getattr(lax, f"scatter_{n}")(x, index, u, back)  # noqa: E731
        agree(f, lambda x, u, w=want: w, m, updates)
        gradients_agree(f, m, updates)
    want = m.copy()
    want[places] = kept
    agree(lambda x, u: lax.scatter(x, index, u, back), lambda x, u: want, m, updates)


def test_bits_are_reduced():
    a = np.array([[6, 3], [5, 1]])
    agree(lambda x: lax.reduce_and(x, (0,)), lambda x: np.bitwise_and.reduce(x, 0), a)
    agree(lambda x: lax.reduce_or(x, (0,)), lambda x: np.bitwise_or.reduce(x, 0), a)
    agree(lambda x: lax.reduce_xor(x, (1,)), lambda x: np.bitwise_xor.reduce(x, 1), a)


def test_errors():
    with pytest.raises(ValueError, match="cannot reshape"):
        lax.reshape(X, (5, -1))
    with pytest.raises(ValueError, match="not all of size 1"):
        lax.squeeze(X, (0,))
    with pytest.raises(IndexError, match="out of bounds"):
        lax.rev(X, (3,))
    with pytest.raises(ValueError, match="start indices"):
        lax.dynamic_slice(X, (0,), (1, 1, 1))
