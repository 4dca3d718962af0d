"""What a rewritten function keeps of the original: names, closures, lines, its callers' view."""

from __future__ import annotations

import functools
import traceback
from typing import Any

import numpy as np
import pytest

import fxla
from fxla.errors import ControlFlowError

TABLE = np.array([1.0, 2.0, 3.0])


def captured(f: Any) -> Any:
    return fxla.jit(f, control_flow="capture")


def test_defaults_keywords_and_star_arguments() -> None:
    def f(x: Any, *rest: Any, scale: float = 2.0, **more: Any) -> Any:
        if x > 0:
            return x * scale + rest[0]
        return x * more["other"]

    compiled = captured(f)
    assert compiled(1.0, 5.0, other=3.0) == 7.0
    assert compiled(-1.0, 5.0, scale=1.0, other=3.0) == -3.0


def test_a_closure_is_shared_with_the_original() -> None:
    scale = 2.0

    def f(x: Any) -> Any:
        return x * scale if x > 0 else x

    rewritten = fxla.capture(f)
    assert rewritten(1.0) == 2.0
    scale = 3.0
    assert rewritten(1.0) == 3.0


def test_nonlocal_of_a_function_around() -> None:
    calls = 0

    def f(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return -x if x < 0 else x

    assert captured(f)(-2.0) == 2.0
    assert calls == 1


class Base:
    __factor = 2.0

    def scaled(self, x: Any) -> Any:
        return x * self.__factor if x > 0 else x


class Derived(Base):
    __factor = 5.0
    seen = 0

    def scaled(self, x: Any) -> Any:
        y = super().scaled(x)
        if y > 3.0:
            y = y * self.__factor
        return y


def test_methods_private_names_and_super() -> None:
    compiled = fxla.jit(fxla.capture(Derived().scaled))
    assert compiled(1.0) == 2.0
    assert compiled(2.0) == 20.0


def test_a_captured_method_in_a_class() -> None:
    class Model:
        limit = 1.0

        @fxla.capture
        def clipped(self, x: Any) -> Any:
            return self.limit if x > self.limit else x

    model = Model()
    assert fxla.jit(model.clipped)(3.0) == 1.0
    assert fxla.jit(model.clipped)(0.5) == 0.5


def test_functions_that_are_called_are_captured_too_but_libraries_are_not() -> None:
    def helper(x: Any) -> Any:
        if x.sum() > 0:
            return np.sort(x)
        return x

    def f(x: Any) -> Any:
        return helper(x) + functools.reduce(np.add, [x, x])

    x = np.array([3.0, 1.0])
    assert captured(f)(x).tolist() == [7.0, 5.0]
    assert captured(f)(-x).tolist() == [-9.0, -3.0]


def _absolute(f: Any) -> Any:
    @functools.wraps(f)
    def wrapper(*args: Any) -> Any:
        found = f(*args)
        return found if found > 0 else -found

    return wrapper


@_absolute
def decorated(x: Any) -> Any:
    if x > 1:
        return -x
    return x


def test_decorators_below_are_captured_with_what_they_wrap() -> None:
    assert captured(decorated)(2.0) == 2.0
    assert captured(decorated)(-0.5) == 0.5


def test_generators_try_with_and_match_work_around_captured_statements() -> None:
    def f(x: Any, kind: str) -> Any:
        def items() -> Any:
            yield x
            yield x * 2

        total = 0.0
        for item in items():
            if item > 3.0:
                total += item
        try:
            for k in range(3):
                if k == 2:
                    break
                with np.errstate(all="ignore"):
                    if x > 1.0:
                        total += 1.0
        finally:
            total += 0.5
        match kind:
            case "negative":
                total = -total
        return total

    compiled = fxla.jit(f, control_flow="capture", static_argnames="kind")
    for x in (1.0, 2.0):
        assert compiled(x, "negative") == f(x, "negative")


def test_a_user_may_call_something_fx() -> None:
    def f(fx: Any) -> Any:
        return fx if fx > 0 else -fx

    assert captured(f)(-2.0) == 2.0


def test_two_lambdas_in_a_line() -> None:
    first, second = (lambda x: 1.0 if x > 0 else 2.0), (lambda x: 3.0 if x > 0 else 4.0)
    assert (captured(first)(1.0), captured(second)(-1.0)) == (1.0, 4.0)


def test_tracebacks_show_the_users_lines() -> None:
    def f(x: Any) -> Any:
        if x > 0:
            return x @ np.ones(3)  # the line that is wrong
        return x

    with pytest.raises(ValueError, match="matmul") as error:
        captured(f)(1.0)
    frames = traceback.extract_tb(error.value.__traceback__)
    assert any(fr.line == "return x @ np.ones(3)  # the line that is wrong" for fr in frames)


def test_the_source_of_the_rewritten_function() -> None:
    def f(x: Any) -> Any:
        if x > 0:
            x = x * 2
        return x

    text = fxla.capture(f).source
    assert "fx.if_(x > 0, fx_then1, None" in text
    assert text.startswith("def f(x")


def test_without_source_there_is_an_error() -> None:
    space: dict[str, Any] = {}
    exec("def f(x):\n    return 1.0 if x > 0 else 2.0", space)
    with pytest.raises(ControlFlowError, match="capture of f: its source is needed"):
        fxla.capture(space["f"])
    with pytest.raises(TypeError, match="expected a Python function, got JitFunction"):
        fxla.capture(fxla.jit(lambda x: x))


def test_jit_knows_two_kinds_of_control_flow() -> None:
    with pytest.raises(ValueError, match="control_flow is"):
        fxla.jit(lambda x: x, control_flow="autograph")


def test_arrays_written_to_keep_their_identity() -> None:
    def f(x: Any, n: Any) -> Any:
        a = x.copy()
        alias, row = a, a[1]

        def bump(k: Any) -> None:
            a[k, 0] += 10.0

        i = 0
        while i < n:
            row[i] += 1.0
            if row[i] > 4.0:
                bump(i)
            i += 1
        return a, alias.sum(), row

    x = np.arange(6.0).reshape(3, 2)
    found, expected = captured(f)(x, 2), f(x, 2)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_argument_is_not_written_to() -> None:
    def f(x: Any) -> Any:
        if x[0] > 0:
            x[0] = 1.0
        return x

    with pytest.raises(ValueError, match="is an argument of the traced function"):
        captured(f)(TABLE)


def test_known_conditions_stay_in_python() -> None:
    seen = []

    def f(x: Any, flag: bool) -> Any:
        if flag:
            seen.append("then")
        else:
            seen.append("else")
        for k in range(3):
            seen.append(k)
            x = x + k
        return x

    fxla.jit(f, control_flow="capture", static_argnums=1)(1.0, True)
    assert seen == ["then", 0, 1, 2]


def test_values_known_under_grad_need_no_branch_in_the_program() -> None:
    def f(x: Any) -> Any:
        y = x
        while abs(y * y - x) > 1e-12:
            y = (y + x / y) / 2
        return y

    assert fxla.grad(fxla.capture(f))(4.0) == pytest.approx(0.25)


def test_objects_that_are_called() -> None:
    class Clip:
        def __init__(self, limit: float) -> None:
            self.limit = limit

        def __call__(self, x: Any) -> Any:
            return self.limit if x > self.limit else x

    clip = Clip(2.0)

    def f(x: Any) -> Any:
        while x < 10.0:
            x = x + 3.0
        return clip(x - 9.0)

    compiled = captured(f)
    assert (compiled(1.0), compiled(2.0)) == (1.0, 2.0)
    assert compiled(0.0) == 2.0


class Gated(fxla.nn.Module):
    def __init__(self) -> None:
        self.scale = np.array([2.0, 3.0])
        self.shift = np.array([1.0, 1.0])

    def __call__(self, x: Any) -> Any:
        if x.sum() > 0:
            return x * self.scale
        return x + self.shift


def test_modules_that_are_called() -> None:
    def loss(model: Gated, x: Any) -> Any:
        while abs(x).sum() < 10.0:
            x = 2.0 * x
        return model(x).sum()

    model, x = Gated(), np.array([1.0, 2.0])
    assert captured(loss)(model, x) == 4.0 * 2.0 + 8.0 * 3.0
    gradient = fxla.jit(fxla.grad(fxla.capture(lambda m, x: m(x).sum())))
    assert gradient(model, x).scale.tolist() == [1.0, 2.0]
    assert gradient(model, -x).shift.tolist() == [1.0, 1.0]


def test_a_function_may_end_after_an_endless_loop_that_is_left() -> None:
    def f(x: Any) -> Any:
        while True:
            x = x * 2
            if x > 100:
                return x
            if x > 10:
                break

    assert fxla.capture(f)(1.0) is None
    assert fxla.capture(f)(200.0) == 400.0
