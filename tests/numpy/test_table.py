"""The table, compiled: ufuncs on pairs of dtypes, reductions on axis, keepdims and where.

One program holds all functions for one pair of dtypes. NumPy gives value, dtype and exception. A
fixed selection of the pairs runs by default, all of them with ``--long``.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fxla

DTYPES = (
    "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 complex64 "
    "complex128"
).split()
UFUNCS = list(
    dict.fromkeys(
        u
        for u in (getattr(np, name) for name in dir(np))
        if isinstance(u, np.ufunc) and u.signature is None and u is not np.isnat
    )
)
UNARY = [u for u in UFUNCS if u.nin == 1]
BINARY = [u for u in UFUNCS if u.nin == 2]
PAIRS = list(itertools.product(DTYPES, DTYPES))
SELECTED = set(PAIRS[::11])
NOT_NUMPYS = {("median", "complex64"), ("median", "complex128")}
"""Complex medians are refused while tracing; eager ones are NumPy's."""


def cases(pairs):
    """Parameters: a selection by default, the others marked `long`."""
    return [
        pytest.param(*p, marks=[] if p in SELECTED else pytest.mark.long, id="-".join(p))
        for p in pairs
    ]


def numbers(dtype, seed, n=24):
    """Positive and negative numbers without 0, for which no processor divides by zero."""
    kind = np.dtype(dtype).kind
    rng = np.random.default_rng(seed)
    if kind == "b":
        return np.ones(n, bool)
    whole = rng.integers(1, 6, n)
    if kind == "i":
        return (whole * rng.choice([-1, 1], n)).astype(dtype)
    if kind == "u":
        return whole.astype(dtype)
    x = rng.uniform(0.1, 3, n) * rng.choice([-1, 1], n)
    return (x + 1j * rng.uniform(0.1, 2, n)).astype(dtype) if kind == "c" else x.astype(dtype)


def outcome(f, *args):
    with np.errstate(all="ignore"):
        try:
            return f(*args)
        except Exception as error:
            return error


def compiled(functions, *args):
    """What each function gives in one compiled program: a value, or the exception of tracing it."""
    raised = {}

    def program(*xs):
        found = {}
        for label, f in functions.items():
            try:
                found[label] = f(*xs)
            except Exception as error:
                raised[label] = error
        return found

    values = fxla.jit(program)(*args)
    return {label: raised.get(label, values.get(label)) for label in functions}


def same(got, want, label):
    if isinstance(want, Exception):
        kind = TypeError if isinstance(want, TypeError) else type(want)
        assert isinstance(got, kind), f"{label}: {got!r}; NumPy: {want!r}"
        return
    assert not isinstance(got, Exception), f"{label}: {got!r}; NumPy gives a value"
    gots, wants = [x if isinstance(x, tuple) else (x,) for x in (got, want)]
    for g, w in zip(gots, wants, strict=True):
        g, w = np.asarray(g), np.asarray(w)
        assert (g.dtype, g.shape) == (w.dtype, w.shape), f"{label}: {g.dtype}, NumPy: {w.dtype}"
        if w.dtype.kind not in "fc":
            np.testing.assert_array_equal(g, w, err_msg=label)
            continue
        eps = float(np.finfo(w.dtype).eps)
        scale = float(np.max(np.abs(w[np.isfinite(w)]), initial=0.0))
        np.testing.assert_allclose(g, w, rtol=32 * eps, atol=8 * eps * scale, err_msg=label)


def safe(ufunc, y):
    """The second operand, of a kind for which the result does not depend on the processor."""
    if ufunc in (np.left_shift, np.right_shift, np.power, np.ldexp) and y.dtype.kind == "i":
        return np.abs(y)
    return y


@pytest.mark.parametrize(("left", "right"), cases(PAIRS))
def test_ufuncs_of_two(left, right):
    x, y = numbers(left, 1), numbers(right, 2)
    functions = {}
    for u in BINARY:
        is_plain = safe(u, y) is y
        functions[u.__name__] = lambda a, b, m, u=u, plain=is_plain: u(a, b if plain else m)
    wants = {u.__name__: outcome(u, x, safe(u, y)) for u in BINARY}
    magnitude = np.abs(y) if y.dtype.kind == "i" else y
    gots = compiled(functions, x, y, magnitude)
    for label, want in wants.items():
        same(gots[label], want, f"np.{label}({left}, {right})")


@pytest.mark.parametrize("dtype", DTYPES)
def test_ufuncs_of_one(dtype):
    x = numbers(dtype, 3)
    # NumPy's spacing of negative numbers is positive in float16 only.
    chosen = [u for u in UNARY if u is not np.spacing or np.dtype(dtype).itemsize > 2]
    functions = {u.__name__: u for u in chosen}
    gots = compiled({k: (lambda a, u=u: u(a)) for k, u in functions.items()}, x)
    for label, u in functions.items():
        same(gots[label], outcome(u, x), f"np.{label}({dtype})")


REDUCTIONS = [
    "sum", "prod", "max", "min", "all", "any", "mean", "var", "std", "argmax", "argmin", "ptp",
    "median", "cumsum", "cumprod", "nansum", "nanmax", "count_nonzero", "sort", "argsort",
    "average",
]  # fmt: skip
WITH_WHERE = {"sum", "prod", "max", "min", "all", "any", "mean", "var", "std", "nansum", "nanmax"}
PLAIN = {"cumsum", "cumprod", "sort", "argsort"}
FROM = {"max", "min", "nanmax", "sum", "prod", "nansum"}
MASK = np.array([[True, False, True, True], [True, True, False, True], [False, True, True, True]])


def options_of(name):
    """Keywords to try: axes, kept or not, masks, and an axis that is not there."""
    if name == "argsort":
        yield from ({"kind": "stable", "axis": axis} for axis in (-1, 0, None, 3))
        return
    yield {}
    for axis in (0, -1, *([(0, 2), ()] if name not in PLAIN | {"argmax", "argmin"} else [])):
        yield {"axis": axis}
        if name not in PLAIN:
            yield {"axis": axis, "keepdims": True}
    yield {"axis": 3}
    if name in WITH_WHERE:
        yield {"axis": 1, "where": MASK}
        if name in FROM:
            yield {"axis": -1, "where": MASK, "initial": 1}
            yield {"initial": 2}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions(name, dtype, request):
    if (dtype, name) not in CHOSEN and not request.config.getoption("--long"):
        pytest.skip("one of a selection by default; --long runs all")
    if (name, dtype) in NOT_NUMPYS:
        pytest.skip("stated: complex medians are refused while tracing")
    x = numbers(dtype, 4).reshape(2, 3, 4)
    numpys = getattr(np, name)
    every = list(options_of(name))
    gots = compiled({str(k): (lambda a, o=o: numpys(a, **o)) for k, o in enumerate(every)}, x)
    for k, options in enumerate(every):
        label = f"np.{name}({dtype}, {options})"
        same(gots[str(k)], outcome(lambda a, o=options: numpys(a, **o), x), label)


CHOSEN = set(list(itertools.product(DTYPES, REDUCTIONS))[::3])
