"""Functions of the array API standard on arrays of every dtype, shape and layout, as NumPy's.

NumPy is the oracle of values, dtypes and shapes; the compiled and the eager form must both agree.
"""

from __future__ import annotations

import operator
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fxla
import fxla.numpy as fnp

INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
REALS = ["f4", "f8"]
COMPLEX = ["c8", "c16"]
BOOL = ["?"]
NUMERIC = INTEGERS + REALS + COMPLEX
ORDERED = INTEGERS + REALS
TOLERANCE = {"f": 2e-5, "F": 2e-5, "d": 1e-11, "D": 1e-11}


# --- arrays ---------------------------------------------------------------------------------


@st.composite
def shapes(draw):
    """A shape of up to three axes; one in four has an empty axis, one in four has no axes."""
    rank = draw(st.integers(0, 3))
    return tuple(draw(st.sampled_from([3, 2, 1, 4, 0])) for _ in range(rank))


@st.composite
def arrays(draw, dtypes, shape):
    """An array in any layout: C, Fortran, strided, reversed, or a broadcast view."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    layout = draw(st.sampled_from(["C", "F", "strided", "reversed", "broadcast"]))
    whole = tuple(2 * n for n in shape) if layout == "strided" else shape
    if layout == "broadcast" and shape:
        whole = (1, *shape[1:])
    if dtype.kind == "b":
        x = rng.integers(0, 2, whole).astype(bool)
    elif dtype.kind in "iu":
        x = rng.integers(0 if dtype.kind == "u" else -7, 8, whole).astype(dtype)
    else:
        x = np.asarray(rng.uniform(-2, 2, whole) * rng.choice([1.0, 30.0, 0.0], whole))
        x = (
            (x + 1j * rng.uniform(-2, 2, whole)).astype(dtype)
            if dtype.kind == "c"
            else x.astype(dtype)
        )
    if layout == "F":
        return np.asfortranarray(x).reshape(shape)
    if layout == "strided":
        return x[tuple(slice(None, None, 2) for _ in shape)]
    if layout == "reversed":
        return x[tuple(slice(None, None, -1) for _ in shape)]
    return np.broadcast_to(x, shape) if layout == "broadcast" else x


@st.composite
def pairs(draw, dtypes):
    """Two arrays that broadcast, of any two dtypes."""
    shape = draw(shapes())
    other = tuple(n if draw(st.booleans()) else 1 for n in shape)[draw(st.integers(0, 1)) :]
    both = [draw(arrays(dtypes, shape)), draw(arrays(dtypes, other))]
    return both if draw(st.booleans()) else both[::-1]


# --- comparison -----------------------------------------------------------------------------

_jitted: dict[str, object] = {}


def outcome(f, *args):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return f(*args)
        except Exception as error:
            return error


def compare(got, want, label):
    if isinstance(want, Exception):
        kinds = (TypeError,) if isinstance(want, TypeError) else (type(want),)
        assert isinstance(got, kinds), f"{label}: {got!r}; NumPy: {want!r}"
        return
    assert not isinstance(got, Exception), f"{label}: {got!r}; NumPy: {want!r}"
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want), label
        for g, w in zip(got, want, strict=True):
            compare(g, w, label)
        return
    g, w = np.asarray(got), np.asarray(want)
    assert (g.dtype, g.shape) == (w.dtype, w.shape), label
    tolerance = TOLERANCE.get(w.dtype.char, 0)
    scale = float(np.max(np.abs(w[np.isfinite(w)]), initial=0.0)) if w.dtype.kind in "fc" else 0
    np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance * scale, err_msg=label)


def check(name, ours, numpys, args):
    want = outcome(numpys, *args)
    label = f"{name}({', '.join(f'{a.dtype}{list(a.shape)}' for a in args)})"
    compare(outcome(ours, *args), want, f"eager {label}")
    program = _jitted.setdefault(name, fxla.jit(ours))
    compare(outcome(program, *args), want, f"jit {label}")


def examples(request):
    return 60 if request.config.getoption("--long") else 6


def run(request, strategy, body):
    """Draw arguments and check a function of them."""
    options = settings(
        max_examples=examples(request), deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    options(given(strategy)(body))()


# --- elementwise ----------------------------------------------------------------------------

UNARY = {
    "abs": NUMERIC, "acos": REALS, "acosh": REALS, "asin": REALS, "asinh": REALS, "atan": REALS,
    "atanh": REALS, "bitwise_invert": BOOL + INTEGERS, "ceil": ORDERED, "conj": COMPLEX,
    "cos": REALS + COMPLEX, "cosh": REALS, "exp": REALS + COMPLEX, "expm1": REALS,
    "floor": ORDERED, "imag": COMPLEX, "isfinite": NUMERIC, "isinf": NUMERIC, "isnan": NUMERIC,
    "log": REALS, "log1p": REALS, "log2": REALS, "log10": REALS, "logical_not": BOOL,
    "negative": NUMERIC, "positive": NUMERIC, "real": COMPLEX, "reciprocal": REALS,
    "round": NUMERIC, "sign": NUMERIC, "signbit": REALS, "sin": REALS + COMPLEX, "sinh": REALS,
    "sqrt": REALS, "square": NUMERIC, "tan": REALS, "tanh": REALS + COMPLEX, "trunc": ORDERED,
}  # fmt: skip
BINARY = {
    "add": BOOL + NUMERIC, "atan2": REALS, "bitwise_and": BOOL + INTEGERS,
    "bitwise_or": BOOL + INTEGERS, "bitwise_xor": BOOL + INTEGERS, "copysign": REALS,
    "divide": NUMERIC, "equal": BOOL + NUMERIC, "floor_divide": ORDERED, "greater": ORDERED,
    "greater_equal": ORDERED, "hypot": REALS, "less": ORDERED, "less_equal": ORDERED,
    "logaddexp": REALS, "logical_and": BOOL, "logical_or": BOOL, "logical_xor": BOOL,
    "maximum": ORDERED, "minimum": ORDERED, "multiply": BOOL + NUMERIC, "nextafter": REALS,
    "not_equal": BOOL + NUMERIC, "remainder": ORDERED, "subtract": NUMERIC,
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_of_one(name, request):
    ours, numpys = getattr(fnp, name), getattr(np, name)
    strategy = shapes().flatmap(lambda s: arrays(UNARY[name], s))
    run(request, strategy, lambda x: check(name, ours, numpys, [x]))


@pytest.mark.parametrize("name", BINARY)
def test_of_two(name, request):
    ours, numpys = getattr(fnp, name), getattr(np, name)
    run(request, pairs(BINARY[name]), lambda xs: check(name, ours, numpys, xs))


OPERATORS = "add sub mul truediv floordiv mod and_ or_ xor eq ne lt le gt ge".split()


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name, request):
    f = getattr(operator, name)
    dtypes = BOOL + INTEGERS if name in ("and_", "or_", "xor") else ORDERED
    run(request, pairs(dtypes), lambda xs: check(f"operator.{name}", f, f, xs))


# --- reductions and rearrangements ----------------------------------------------------------

REDUCTIONS = {
    "sum": BOOL + NUMERIC, "prod": BOOL + NUMERIC, "max": ORDERED, "min": ORDERED,
    "mean": REALS + COMPLEX, "std": REALS, "var": REALS, "all": BOOL + NUMERIC,
    "any": BOOL + NUMERIC, "count_nonzero": BOOL + NUMERIC, "argmax": ORDERED,
    "argmin": ORDERED, "cumulative_sum": NUMERIC,
}  # fmt: skip
ONE_AXIS = ("argmax", "argmin", "cumulative_sum")


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, request):
    @st.composite
    def reduced(draw):
        shape = draw(shapes())
        x = draw(arrays(REDUCTIONS[name], shape))
        axes = [None, *range(-len(shape), len(shape))]
        if name not in ONE_AXIS and len(shape) > 1:
            axes.append((0, -1))
        axis = draw(st.sampled_from(axes if name != "cumulative_sum" or not shape else axes[1:]))
        return x, axis, name != "cumulative_sum" and draw(st.booleans())

    def body(case):
        x, axis, keepdims = case
        options = {"axis": axis, **({"keepdims": True} if keepdims else {})}
        label = f"{name} {options}"
        check(
            label,
            lambda a: getattr(fnp, name)(a, **options),
            lambda a: getattr(np, name)(a, **options),
            [x],
        )

    run(request, reduced(), body)


REARRANGED = {
    "flip": lambda m, x: m.flip(x),
    "permute": lambda m, x: m.permute_dims(x, tuple(range(x.ndim))[::-1]),
    "ravel": lambda m, x: m.reshape(x, (-1,)),
    "roll": lambda m, x: m.roll(x, 2),
    "expand": lambda m, x: m.expand_dims(x, axis=0),
    "concat": lambda m, x: m.concat([x, x], axis=None),
    "stack": lambda m, x: m.stack([x, x]),
    "repeat": lambda m, x: m.repeat(x, 2),
    "tile": lambda m, x: m.tile(x, (2, 1)),
    "sort": lambda m, x: m.sort(m.reshape(x, (-1,))),
    "argsort": lambda m, x: m.argsort(m.reshape(x, (-1,)), stable=True),
    "where": lambda m, x: m.where(x > 0, x, 0),
    "clip": lambda m, x: m.clip(x, 1, 3),
    "astype": lambda m, x: m.astype(x, m.float32),
    "zeros_like": lambda m, x: m.zeros_like(x),
    "take": lambda m, x: m.take(m.reshape(x, (-1,)), m.asarray([0])) if x.size else x,
    "tril": lambda m, x: m.tril(x) if x.ndim > 1 else x,
    "diff": lambda m, x: m.diff(m.reshape(x, (-1,))),
}


@pytest.mark.parametrize("name", REARRANGED)
def test_rearrangements(name, request):
    f = REARRANGED[name]
    strategy = shapes().flatmap(lambda s: arrays(ORDERED, s))
    run(request, strategy, lambda x: check(name, lambda a: f(fnp, a), lambda a: f(np, a), [x]))
