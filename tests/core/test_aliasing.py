"""Aliases between tracers: who is changed by a write, and who may not be written to."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from fxla.core.aliasing import attach_view, check_writable, freeze, writable_copy, write
from fxla.core.aval import Aval
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import state
from fxla.errors import InternalError, ReadOnlyError
from fxla.ops.arithmetic import mul
from fxla.ops.elementwise import add
from fxla.ops.shape import slice_
from fxla.ops.structure import full, reshape

VECTOR = Aval((4,), np.dtype(float))


def traced(f: Any) -> Any:
    closed = trace_to_jaxpr(lambda x: [f(x)], [VECTOR])
    return lambda x: np.asarray(closed.jaxpr.run(*closed.consts, x)[0])


def halves(x: Any) -> Any:
    """A view of two rows."""
    view = reshape(x, (2, 2))
    attach_view(view, x, lambda b: reshape(b, (2, 2)), lambda b, new: reshape(new, (4,)))
    return view


X = np.arange(4.0)


def test_a_write_changes_the_tracer_that_is_held() -> None:
    def f(x: Any) -> Any:
        held = [x]
        y = mul(x, x)
        write(x, y)
        return add(held[0], y)

    np.testing.assert_array_equal(traced(f)(X), 2 * X * X)


def test_a_write_to_a_view_goes_up_and_down() -> None:
    def f(x: Any) -> Any:
        a, b = halves(x), halves(x)
        write(a, mul(a, a))
        assert a.aval.shape == b.aval.shape == (2, 2)
        return add(reshape(b, (4,)), x)

    np.testing.assert_array_equal(traced(f)(X), 2 * X * X)


def test_views_that_are_gone_are_forgotten() -> None:
    def f(x: Any) -> Any:
        for _ in range(200):
            halves(x)
        gc.collect()
        halves(x)
        assert len(x.alias.views) < 100
        return x

    traced(f)


def test_a_frozen_array_and_its_views() -> None:
    def f(x: Any) -> Any:
        freeze(x)
        for y in (x, halves(x)):
            with pytest.raises(ReadOnlyError, match=r"x \+= v: .*is an argument"):
                check_writable(y, "x += v")
        check_writable(writable_copy(x), "x += v")
        check_writable(mul(x, x), "x += v")
        return x

    traced(f)


def test_numbers_are_never_frozen() -> None:
    def f(x: Any) -> Any:
        s = reshape(slice_(x, (0,), (1,)), ())
        check_writable(freeze(s), "s[...] = v")
        return x

    traced(f)


def test_a_write_keeps_the_type() -> None:
    def f(x: Any) -> Any:
        with pytest.raises(InternalError, match=r"f64\[2,2\] was written into an array f64\[4\]"):
            write(x, reshape(x, (2, 2)))
        return x

    traced(f)


def test_a_concrete_array_that_is_written_is_copied() -> None:
    given = np.ones(4)

    def f(x: Any) -> Any:
        y = full((4,), 0.0, np.dtype(float))
        assert y.owner is state.trace
        write(y, given)
        given[:] = 5.0
        return add(x, y)

    np.testing.assert_array_equal(traced(f)(X), X + 1)
