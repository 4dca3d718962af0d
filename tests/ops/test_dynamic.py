from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.core.primitive import Linear
from fxla.core.trace import typeof
from fxla.errors import DtypeError, ShapeError
from fxla.ops import dynamic as ops
from fxla.transforms.vmap import vmap
from tests.ops.interpret import check_lower
from tests.ops.rules import check_batch, check_jvp, check_shapes, check_transpose

RNG = np.random.default_rng(3)
X = RNG.standard_normal((5, 4, 3))
STARTS = [(0, 0, 0), (2, 1, 0), (-3, 9, 1), (100, -100, 2)]
SIZES = [(2, 4, 1), (5, 4, 3), (1, 2, 0), (3, 3, 3)]


def clamped(starts: Any, sizes: Any) -> Any:
    return tuple(
        slice(max(0, min(s, n - k)), max(0, min(s, n - k)) + k)
        for s, n, k in zip(starts, X.shape, sizes, strict=True)
    )


def scalars(starts: Any, dtype: Any = np.int64) -> Any:
    return [np.asarray(s, dtype) for s in starts]


@pytest.mark.parametrize("starts", STARTS)
@pytest.mark.parametrize("sizes", SIZES)
def test_dynamic_slice(starts: Any, sizes: Any) -> None:
    p, args = ops.dynamic_slice_p, (X, *scalars(starts))
    np.testing.assert_array_equal(p.impl(*args, sizes=sizes)[0], X[clamped(starts, sizes)])
    check_shapes(p, *args, sizes=sizes)
    check_jvp(p, *args, sizes=sizes)
    check_transpose(p, *args, sizes=sizes)
    check_lower(p, *args, sizes=sizes)


@pytest.mark.parametrize("starts", STARTS)
@pytest.mark.parametrize("sizes", SIZES)
def test_dynamic_update_slice(starts: Any, sizes: Any) -> None:
    p, update = ops.dynamic_update_slice_p, RNG.standard_normal(sizes)
    args = (X, update, *scalars(starts, np.int32))
    expected = X.copy()
    expected[clamped(starts, sizes)] = update
    np.testing.assert_array_equal(p.impl(*args)[0], expected)
    check_shapes(p, *args)
    check_jvp(p, *args)
    check_lower(p, *args)
    ct = RNG.standard_normal(X.shape)
    found = p.transpose((ct,), Linear(typeof(X)), Linear(typeof(update)), *args[2:])
    assert found[2:] == (None,) * 3
    total = np.sum(found[0] * X) + np.sum(found[1] * update)
    np.testing.assert_allclose(total, np.sum(ct * expected))


@pytest.mark.parametrize("sizes", [(2, 3), (4, 3), (1, 1)])
def test_batch(sizes: Any) -> None:
    x, starts = X[:4, :, 0][:, :3], scalars((1, 1))
    check_batch(ops.dynamic_slice_p, x, *starts, sizes=sizes)
    check_batch(ops.dynamic_update_slice_p, x, RNG.standard_normal(sizes), *starts)


def test_rejects() -> None:
    x, zero = typeof(np.zeros(3)), typeof(np.int64(0))
    with pytest.raises(ShapeError, match="does not fit"):
        ops.dynamic_slice_p.abstract_eval(x, zero, sizes=(4,))
    with pytest.raises(ShapeError, match="does not fit"):
        ops.dynamic_slice_p.abstract_eval(x, zero, zero, sizes=(1,))
    with pytest.raises(DtypeError, match="integer scalars"):
        ops.dynamic_slice_p.abstract_eval(x, typeof(np.float64(0)), sizes=(1,))
    with pytest.raises(DtypeError, match="dtypes differ"):
        ops.dynamic_update_slice_p.abstract_eval(x, typeof(np.zeros(1, "f4")), zero)


@pytest.mark.parametrize(("starts", "sizes"), [((0,), (5,)), ((0,), (1, 1)), ((0, 0), (1,))])
def test_arrays_are_refused_as_their_types_are(starts: Any, sizes: Any) -> None:
    with pytest.raises(ShapeError, match=r"does not fit f64\[3\], at .*\. It takes"):
        ops.dynamic_slice_p.bind(np.ones(3), *starts, sizes=sizes)


def test_rank_zero() -> None:
    x = np.float64(3.0)
    assert ops.dynamic_slice(x, [], ()) == 3.0
    assert ops.dynamic_update_slice(x, np.float64(4.0), []) == 4.0


def test_batch_of_different_starts() -> None:
    a, b = np.array([-1, 0, 2, 7]), np.array([3, 1, 0, -5])
    x, update = X[:, :, 0], np.full((2, 3), 9.0)
    got = vmap(lambda i, j: ops.dynamic_slice(x, [i, j], (2, 3)))(a, b)
    written = vmap(lambda i, j: ops.dynamic_update_slice(x, update, [i, j]))(a, b)
    for k in range(4):
        starts = scalars((a[k], b[k]))
        np.testing.assert_array_equal(got[k], ops.dynamic_slice(x, starts, (2, 3)))
        np.testing.assert_array_equal(written[k], ops.dynamic_update_slice(x, update, starts))
