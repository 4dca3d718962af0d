"""reduce, accumulate, reduceat and outer of ufuncs, and the keywords all ufuncs take."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp

from .agreement import check_gradient

RNG = np.random.default_rng(3)
X = RNG.random((3, 4)) + 0.5
BINARY = list(
    dict.fromkeys(
        u
        for u in (getattr(np, name) for name in dir(np))
        if isinstance(u, np.ufunc) and u.nin == 2 and u.nout == 1 and u.signature is None
    )
)
# NumPy's vector loops of these read a result before it is written, so that its reductions along a
# contiguous axis are wrong; they are compared with a Python loop over the elements.
ALIASED = {np.arctan2, np.power, np.float_power, np.hypot}
UNDEFINED = {np.ldexp}
"""Its second operand is an integer, so it reduces only arrays that NumPy converts on the way."""


def outcome(f, *args):
    """What a call gives: a value, or the exception."""
    with np.errstate(all="ignore"):
        try:
            return f(*args)
        except Exception as error:
            return error


def same(got, want, label):
    if isinstance(want, Exception):
        kind = TypeError if isinstance(want, TypeError) else type(want)
        assert isinstance(got, kind), f"{label}: {got!r}, NumPy: {want!r}"
        return
    assert not isinstance(got, Exception), f"{label}: {got!r}, NumPy: {want!r}"
    got, want = np.asarray(got), np.asarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape), label
    tolerance = {"e": 4e-3, "f": 1e-5, "F": 1e-5}.get(want.dtype.char, 1e-11)
    np.testing.assert_allclose(got, want, rtol=tolerance, err_msg=label)


def calls(ufunc, dtype):
    """The methods of one ufunc for one dtype, as functions of one array."""
    x = (X * 3).astype(dtype)
    reductions = [
        {}, {"axis": None}, {"axis": (0, 1), "keepdims": True}, {"initial": 1},
        {"axis": 1, "where": x > 2, "initial": 1}, {"axis": 1, "where": x > 2}, {"axis": 3},
    ]  # fmt: skip
    for options in reductions:
        yield f"reduce {options}", lambda a, o=options: ufunc.reduce(a, **o)
    yield "accumulate", ufunc.accumulate
    yield "reduceat", lambda a: ufunc.reduceat(a, [0, 2])
    yield "overlapping reduceat", lambda a: ufunc.reduceat(a, [0, 2, 1, 1])
    yield "outer", lambda a: ufunc.outer(a, a[0])


@pytest.mark.parametrize(
    "ufunc", [u for u in BINARY if u not in UNDEFINED], ids=lambda u: u.__name__
)
@pytest.mark.parametrize("dtype", ["f8", "i4"])
def test_methods_are_numpys(ufunc, dtype):
    x = (X * 3).astype(dtype)
    ours = getattr(fnp, ufunc.__name__)
    expected = {label: outcome(f, x) for label, f in calls(ufunc, dtype)}
    if ufunc in ALIASED:
        expected = {k: v for k, v in expected.items() if "None" not in k and "(0, 1)" not in k}
        expected = {k: v for k, v in expected.items() if "axis': 1" not in k}
    raised: dict[str, Exception] = {}

    def program(a):
        found = {}
        for label, f in calls(ufunc, dtype):
            if label in expected:
                try:
                    found[label] = f(a)
                except Exception as error:
                    raised[label] = error
        return found

    values = fxla.jit(program)(x)
    for label, want in expected.items():
        same(raised.get(label, values.get(label)), want, f"{ufunc.__name__}.{label}")
    same(outcome(ours.reduce, x), outcome(ufunc.reduce, x), "eager")


def test_every_ufunc_has_the_methods_and_attributes():
    for name in fnp.__all__:
        numpys, ours = getattr(np, name, None), getattr(fnp, name)
        if isinstance(numpys, np.ufunc):
            assert isinstance(ours, fnp.ufunc), name
            assert (ours.nin, ours.nout, ours.identity) == (
                numpys.nin,
                numpys.nout,
                numpys.identity,
            )
    assert not isinstance(fnp.sum, fnp.ufunc)


def test_a_traced_reduceat_and_the_eager_at():
    begins = np.array([0, 3, 1, 1])
    for ufunc in (np.add, np.maximum, np.subtract):
        got = fxla.jit(lambda a, i, u=ufunc: u.reduceat(a, i, axis=1))(X, begins)
        np.testing.assert_allclose(got, ufunc.reduceat(X, begins, axis=1), rtol=1e-13)
    a = fnp.zeros(3)
    fnp.add.at(a, [0, 0, 2], 1.0)
    assert a.tolist() == [2.0, 0.0, 1.0]


def test_folds_are_differentiable_and_map():
    check_gradient(lambda x: np.logaddexp.reduce(x, axis=1), X)
    check_gradient(lambda x: np.hypot.accumulate(x, axis=1), X, batched=False)
    got = fxla.vmap(np.logaddexp.reduce)(X)
    np.testing.assert_allclose(got, np.logaddexp.reduce(X, axis=1))


def test_where_leaves_no_nan_in_values_or_slopes():
    x = np.array([-1.0, 0.0, 4.0])

    def roots(x):
        return np.sum(np.sqrt(x, where=x > 0) + np.divide(1.0, x, where=x > 0))

    assert float(fxla.jit(roots)(x)) == 2.25
    np.testing.assert_allclose(fxla.grad(roots)(x), [0.0, 0.0, 0.25 - 1 / 16])
    with pytest.raises(TypeError, match="safe"):
        fxla.jit(lambda x: np.sqrt(x, where=np.array([1, 0, 1])))(x)


def test_where_broadcasts_into_the_shape():
    got = fxla.jit(lambda x: np.add(x, 1.0, where=np.array([[True], [False]])))(np.ones(3))
    assert got.shape == (2, 3) and got[0].tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"dtype": "f4"}, None),
        ({"signature": "dd->d"}, None),
        ({"signature": ("f", "f", None)}, None),
        ({"casting": "unsafe", "dtype": "i4"}, None),
        ({"dtype": "i4"}, TypeError),
        ({"casting": "no", "dtype": "f4"}, TypeError),
        ({"dtype": "f4", "signature": "ff->f"}, TypeError),
        ({"mask": True}, TypeError),
    ],
)
def test_casting_and_signature(keywords, error):
    x = np.array([1.5, 2.0])
    if error is not None:
        for f in (np.add, fxla.jit(lambda x: np.add(x, x, **keywords))):
            with pytest.raises(error):
                f(x, x, **keywords) if f is np.add else f(x)
        return
    got, want = fxla.jit(lambda x: np.add(x, x, **keywords))(x), np.add(x, x, **keywords)
    assert got.dtype == want.dtype and got.tolist() == want.tolist()


A, B = RNG.random((2, 3, 4)), RNG.random((4, 3, 5))
CORES = {
    "matmul axes": lambda a, b: np.matmul(a, b, axes=[(1, 2), (0, 2), (0, 1)]),
    "vecdot axis": lambda a, b: np.vecdot(a, a[0], axis=-2),
    "vecdot keepdims": lambda a, b: np.vecdot(a, a, axis=-2, keepdims=True),
    "vecdot axes": lambda a, b: np.vecdot(a, b[:, 0, 0], axes=[2, 0]),
    "matvec axes": lambda a, b: np.matvec(a, b[0, :, 0], axes=[(2, 1), 0, 0]),
    "matmul dtype": lambda a, b: np.matmul(a, a.swapaxes(1, 2), dtype=np.float32),
}


@pytest.mark.parametrize("name", CORES)
def test_core_axes(name):
    a, b = (RNG.random((3, 2, 4)), RNG.random((4, 3, 5))) if name == "matmul axes" else (A, B)
    got, want = fxla.jit(CORES[name])(a, b), CORES[name](a, b)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    np.testing.assert_allclose(got, want, rtol=1e-5 if want.dtype == np.float32 else 1e-13)


def test_core_axes_that_cannot_be():
    with pytest.raises(TypeError, match="axis can only be used"):
        fxla.jit(lambda a: np.matmul(a, a, axis=0))(X)
    with pytest.raises(TypeError, match="keepdims"):
        fxla.jit(lambda a: np.matmul(a, a, keepdims=True))(X)
