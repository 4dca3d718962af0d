"""Cases ``(name, arguments, keywords)`` of public functions, and how one is checked against NumPy.

Arguments that are arrays are traced, everything else is passed as it is.
"""

from __future__ import annotations

import numpy as np

import fxla.numpy as fnp
from fxla.core.aval import Aval
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr

A = np.array([[1.5, -2.0, 0.0], [3.25, -0.5, 2.5]])
Z = A + 1j * A[::-1]
V = np.array([3, -1, 2, 7])
SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 1.5])


def replay(f, *args):
    """The results of `f`, recorded and replayed, as a list."""
    kinds: list[type] = []

    def flat(*xs):
        out = f(*xs)
        kinds.append(type(out))
        return list(out) if isinstance(out, (tuple, list)) else [out]

    closed = trace_to_jaxpr(flat, [Aval(np.shape(a), np.asarray(a).dtype) for a in args])
    assert not any(a.weak_type for a in closed.jaxpr.out_avals)
    return list(eval_jaxpr(closed.jaxpr, *closed.consts, *args))


def split_case(case):
    """NumPy's results, our function of the traced arguments alone, and those arguments."""
    name, args, *rest = case
    kwargs = rest[0] if rest else {}
    want = getattr(np, name)(*args, **kwargs)
    wants = list(want) if isinstance(want, (tuple, list)) else [want]
    traced = [a for a in args if isinstance(a, np.ndarray)]

    def call(*xs):
        given = iter(xs)
        filled = [next(given) if isinstance(a, np.ndarray) else a for a in args]
        return getattr(fnp, name)(*filled, **kwargs)

    return wants, call, traced


def assert_results(got, wants, tolerance=8.0):
    """One dtype and shape; values within so many units of rounding."""
    assert len(got) == len(wants)
    for g, w in zip(got, wants, strict=True):
        g, w = np.asarray(g), np.asarray(w)
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        close = tolerance * np.finfo(w.dtype).eps if w.dtype.kind in "fc" else 0
        np.testing.assert_allclose(g, w, rtol=close, atol=close)


def check_case(case):
    """Traced results equal NumPy's, eager ones are NumPy's."""
    wants, call, traced = split_case(case)
    assert_results(replay(call, *traced), wants)
    eager = call(*traced)
    eagers = list(eager) if isinstance(eager, (tuple, list)) else [eager]
    for g, w in zip(eagers, wants, strict=True):
        assert isinstance(g, (fnp.ndarray, bool))
        np.testing.assert_array_equal(g, w)
