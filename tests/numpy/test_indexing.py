"""``x[index]`` of a traced array is NumPy's, for every kind of index and every mixture."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.core.aval import Aval
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.errors import NonConcreteBooleanIndexError, TracerIndexError
from fxla.transforms.autodiff import grad
from fxla.transforms.jacobians import hessian
from fxla.transforms.vmap import vmap

X = np.arange(3 * 4 * 5, dtype=np.float64).reshape(3, 4, 5)

BASIC = [1, -1, slice(None), slice(1, None), slice(None, None, -1), slice(-1, None, -2), None, ...]
ARRAYS = [
    np.array([0, 2]),
    np.array([[1, 0], [2, -1]]),
    [1, 1, 0],
    np.array([], dtype=int),
    np.int32(1),
    np.array(2),
]
MASKS = [X[:, 0, 0] > 10, X[..., 0] > 20, X > 30, True, False]


def replay(f, *args):
    closed = trace_to_jaxpr(
        lambda *xs: [f(*xs)], [Aval(np.shape(a), np.asarray(a).dtype) for a in args]
    )
    (out,) = eval_jaxpr(closed.jaxpr, *closed.consts, *args)
    assert out.shape == closed.jaxpr.out_avals[0].shape
    assert out.dtype == closed.jaxpr.out_avals[0].dtype
    return out


def mixtures():
    entries = BASIC + ARRAYS
    yield from [(e,) for e in entries + MASKS]
    yield from itertools.product(entries, entries)
    some = [1, slice(None, None, 2), slice(2, 0, -1), None, np.array([0, 2]), np.array([[1], [0]])]
    yield from itertools.product(some, some, some)
    yield from itertools.product(some[:5], some[1:], [np.array([0, 2, 1]), 2], some[1:4])
    yield (MASKS[0], slice(1, 3), np.array([0]))
    yield (slice(None), np.array([True, False, True, True]), np.array([0, 1, 2]))
    yield (slice(None), None, np.array([0, 1]), slice(None, None, -1))


def numpy_or_error(f):
    try:
        return f()
    except IndexError as error:
        return error


@pytest.mark.parametrize("index", list(mixtures()), ids=str)
def test_getitem_is_numpys(index):
    want = numpy_or_error(lambda: X[index])
    if isinstance(want, IndexError):
        with pytest.raises(IndexError):
            replay(lambda x: x[index], X)
        return
    np.testing.assert_array_equal(replay(lambda x: x[index], X), want)


UPDATES = ["set", "add", "multiply", "max"]


@pytest.mark.parametrize("number, index", list(enumerate(mixtures())), ids=str)
def test_at_is_numpys(number, index):
    update = UPDATES[number % 4]
    found = numpy_or_error(lambda: X[index])
    if isinstance(found, IndexError):
        return
    rng = np.random.default_rng(0)
    v = rng.permutation(np.arange(found.size, dtype=float)).reshape(found.shape) + 0.5
    want = X.copy()
    if update == "set":
        want[index] = v
    else:
        {"add": np.add, "multiply": np.multiply, "max": np.maximum}[update].at(want, index, v)
    got = replay(lambda x, v: getattr(x.at[index], update)(v), X, v)
    np.testing.assert_allclose(got, want)
    eager = getattr(fnp.array(X).at[index], update)(v)
    assert type(eager).__name__ == "Array"
    np.testing.assert_allclose(eager, want)


TRACED = [
    (np.int64(2),),
    (np.int64(-1),),
    (slice(1, None), np.int32(-2)),
    (np.int64(0), slice(None), np.int64(3)),
    (np.array([0, -1]),),
    (np.array([0, 1]), slice(None), np.array([3, -1])),
    (slice(None), np.array([[0, 1]]), np.array([[2], [3]])),
    (1, None, np.array([1, 2], "uint8"), slice(None, None, -1)),
]


@pytest.mark.parametrize("index", TRACED, ids=str)
def test_traced_positions(index):
    at = [k for k, i in enumerate(index) if isinstance(i, (np.ndarray, np.generic))]

    def indexed(*positions):
        out = list(index)
        for k, p in zip(at, positions, strict=True):
            out[k] = p
        return tuple(out)

    positions = [index[k] for k in at]
    want = X[index]
    np.testing.assert_array_equal(replay(lambda x, *p: x[indexed(*p)], X, *positions), want)
    changed = X.copy()
    changed[index] = -want
    got = replay(lambda x, v, *p: x.at[indexed(*p)].set(v), X, -want, *positions)
    np.testing.assert_array_equal(got, changed)


def test_traced_positions_out_of_bounds_are_clamped_when_read_and_dropped_when_written():
    x = np.arange(3.0)
    np.testing.assert_array_equal(replay(lambda x, i: x[i], x, np.array([5, -7])), [2, 0])
    assert replay(lambda x, i: x[i], x, np.int64(5)) == 2
    got = replay(lambda x, i: x.at[i].set(9.0), x, np.array([5, 1]))
    np.testing.assert_array_equal(got, [0, 9, 2])
    got = replay(lambda x, i: x.at[i].get(mode="fill", fill_value=-1.0), x, np.array([5, 1]))
    np.testing.assert_array_equal(got, [-1, 1])
    got = replay(lambda x, i: x.at[i].add(1.0, mode="clip"), x, np.array([5, 5]))
    np.testing.assert_array_equal(got, [0, 1, 4])


def test_a_concrete_position_out_of_bounds_is_numpys_error():
    with pytest.raises(IndexError, match="index 3 is out of bounds for axis 0 with size 3"):
        replay(lambda x: x[3], X)
    with pytest.raises(IndexError, match="index -6 is out of bounds for axis 2 with size 5"):
        replay(lambda x: x[..., [0, -6]], X)


def test_errors_name_the_line_and_the_remedy():
    with pytest.raises(
        NonConcreteBooleanIndexError,
        match=r"np.where\(mask, x, 0\).*test_indexing"
        r"|test_indexing.*np.where\(mask, x, 0\)",
    ):
        replay(lambda x: x[x > 0], X)
    with pytest.raises(TracerIndexError, match="dynamic_slice_in_dim"):
        replay(lambda x, i: x[i : i + 2], X, np.int64(1))
    with pytest.raises(TracerIndexError, match=r"float64|f64"):
        replay(lambda x, i: x[i], X, np.array([1.0]))
    with pytest.raises(IndexError, match="too many indices"):
        replay(lambda x: x[0, 0, 0, 0], X)


def test_a_traced_mask_writes():
    got = replay(lambda x: x.at[x > 30].set(0.0), X)
    np.testing.assert_array_equal(got, np.where(X > 30, 0, X))
    got = replay(lambda x, m: x.at[m].add(np.arange(5.0)), X, X[..., 0] > 20)
    np.testing.assert_array_equal(got, X + np.where((X[..., 0] > 20)[..., None], np.arange(5.0), 0))
    with pytest.raises(ValueError, match=r"np.where"):
        replay(lambda x: x.at[x > 30].set(np.zeros(29)), X)


def test_updates():
    x = np.array([2.0, 4.0, 8.0])
    for name, v, want in [
        ("subtract", 1.0, [0, 4, 8]),
        ("divide", 2.0, [0.5, 4, 8]),
        ("power", 2.0, [16, 4, 8]),
        ("min", 1.0, [1, 4, 8]),
    ]:
        got = replay(lambda x, n=name, v=v: getattr(x.at[np.array([0, 0])], n)(v), x)
        np.testing.assert_allclose(got, want)
    np.testing.assert_array_equal(replay(lambda x: x.at[1:].apply(lambda v: v * v), x), [2, 16, 64])


def test_gradients():
    i = np.array([0, 2, 0])
    x = np.arange(3.0)
    g = grad(lambda x: fnp.sum(x[i] * np.arange(1.0, 4.0)))(x)
    np.testing.assert_array_equal(g, [4, 0, 2])
    g = grad(lambda v: fnp.sum(fnp.asarray(x).at[1].set(v) ** 2))(3.0)
    np.testing.assert_array_equal(g, 6.0)


def test_a_concrete_array_takes_traced_positions():
    table = fnp.array(X)
    got = replay(lambda i, j: table[i][:, j, 0] + table[1, j, i], np.array([0, 2]), np.int64(-1))
    np.testing.assert_array_equal(got, X[[0, 2]][:, -1, 0] + X[1, -1, [0, 2]])
    with pytest.raises(TracerIndexError, match="dynamic_slice_in_dim"):
        replay(lambda i: table[i:], np.int64(1))


def test_second_derivatives_of_updates():
    h = hessian(lambda x: fnp.sum(x.at[0].min(0.5) ** 2 + x.at[1].set(x[0]) ** 3))(np.ones(2))
    np.testing.assert_allclose(h, [[12, 0], [0, 2]])


def test_vmap_over_positions():
    i = np.array([[0, 1], [2, 0]])
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(vmap(lambda x, i: x[i])(x, i), np.take_along_axis(x, i, 1))
    got = vmap(lambda x, i: x.at[i].set(-1.0))(x, i)
    want = x.copy()
    np.put_along_axis(want, i, -1.0, 1)
    np.testing.assert_array_equal(got, want)
