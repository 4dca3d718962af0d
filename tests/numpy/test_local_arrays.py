"""NumPy's functions that make arrays give arrays of the trace to whom is traced, nobody else."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import zeros
from numpy import zeros_like as same_zeros

import fxla
from fxla.core.trace import Tracer
from fxla.numpy.local_arrays import _makers

X = np.array([1.0, 2.0, 3.0])
NAMES = sorted(_makers)
CALLS: dict[str, Any] = {
    "zeros": lambda np: np.zeros((2, 3), np.float32),
    "ones": lambda np: np.ones(3, dtype=int),
    "empty": lambda np: np.empty((2, 0)),
    "full": lambda np: np.full((2, 2), 7),
    "arange": lambda np: np.arange(1, 10, 3),
    "eye": lambda np: np.eye(3, 4, k=1, dtype=bool),
    "identity": lambda np: np.identity(3),
    "array": lambda np: np.array([[1, 2], [3, 4.5]], ndmin=3),
    "asarray": lambda np: np.asarray([1, 2], dtype=np.int8),
    "asanyarray": lambda np: np.asanyarray((1.0, 2.0)),
    "ascontiguousarray": lambda np: np.ascontiguousarray(3.0),
    "asfortranarray": lambda np: np.asfortranarray([[1, 2], [3, 4]]),
    "asarray_chkfinite": lambda np: np.asarray_chkfinite([1.0, 2.0]),
    "copy": lambda np: np.copy([1, 2]),
    "zeros_like": lambda np: np.zeros_like([1, 2]),
    "ones_like": lambda np: np.ones_like([1.0, 2.0], dtype=int),
    "empty_like": lambda np: np.empty_like([[1j]]).shape,
    "full_like": lambda np: np.full_like([1, 2], 2.5),
    "linspace": lambda np: np.linspace(0, 1, 5, retstep=True)[0],
    "logspace": lambda np: np.logspace(0, 2, 3),
    "geomspace": lambda np: np.geomspace(1, 8, 4),
    "tri": lambda np: np.tri(3, 4, -1),
    "fromfunction": lambda np: np.fromfunction(lambda i, j: i + 2 * j, (2, 3)),
    "fromiter": lambda np: np.fromiter(range(4), float),
    "meshgrid": lambda np: np.meshgrid([1, 2], [3, 4, 5])[1],
    "indices": lambda np: np.indices((2, 3)),
    "diag": lambda np: np.diag([1, 2], 1),
    "diagflat": lambda np: np.diagflat([[1, 2]]),
    "vander": lambda np: np.vander([1, 2, 3], 3),
    "hanning": lambda np: np.hanning(5),
    "hamming": lambda np: np.hamming(5),
    "blackman": lambda np: np.blackman(5),
    "bartlett": lambda np: np.bartlett(5),
    "kaiser": lambda np: np.kaiser(5, 2.0),
}


@pytest.mark.parametrize("name", NAMES)
def test_values_and_types_are_numpys(name: str) -> None:
    """The result is written to, and is what NumPy gives otherwise."""
    make = CALLS[name]

    def f(x: Any) -> Any:
        a = make(np)
        if isinstance(a, tuple):
            return x
        assert isinstance(a, Tracer)
        shape, dtype = a.shape, a.dtype
        before = np.array(a)
        if a.ndim:
            a[:1] = x
        seen.append((before, shape, dtype))
        return x

    seen: list[Any] = []
    want = make(np)
    for transform in (fxla.jit, fxla.grad):
        transform(f)(1.0)
    fxla.vmap(f)(np.ones(2))
    fxla.jit(fxla.grad(f))(1.0)
    for made, shape, dtype in seen:
        assert (shape, dtype) == (want.shape, want.dtype)
        if name != "empty":
            np.testing.assert_allclose(np.asarray(made), want, rtol=1e-15)


def test_every_name_is_tried() -> None:
    assert set(CALLS) == set(NAMES)


def test_traced_elements_make_traced_arrays() -> None:
    def f(x: Any) -> Any:
        return np.array([[x[0], 1.0], [x[1] * 2, x[2]]])

    np.testing.assert_array_equal(fxla.jit(f)(X), f(X))
    jacobian = fxla.jacrev(f)(X)
    assert jacobian.shape == (2, 2, 3) and jacobian[1, 0, 1] == 2.0


def test_names_that_the_module_imported() -> None:
    def f(x: Any) -> Any:
        a, b = zeros(3), same_zeros(x)
        a[1] = x[0]
        b[0] = x[1]
        return (a + b).sum()

    np.testing.assert_array_equal(fxla.jit(fxla.grad(f))(X), [1.0, 1.0, 0.0])
    assert type(zeros) is type(len) and zeros is np.zeros


def test_imports_inside_functions_and_methods() -> None:
    class Model:
        def __call__(self, x: Any) -> Any:
            from numpy import ones

            a = ones(3)
            a *= x
            return a.sum()

    np.testing.assert_array_equal(fxla.grad(Model())(X), np.ones(3))
    np.testing.assert_array_equal(fxla.grad(Model().__call__)(X), np.ones(3))


def test_modules_that_the_users_module_uses(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "makes_arrays.py").write_text(
        "from numpy import zeros as blank\n\n"
        "def first(x):\n    a = blank(3)\n    a[0] = x\n    return a\n"
    )
    (tmp_path / "uses_it.py").write_text(
        "from makes_arrays import first\n\ndef f(x):\n    return first(x).sum()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import uses_it

    assert float(fxla.grad(uses_it.f)(2.0)) == 1.0


def test_numpy_is_as_it_was_afterwards() -> None:
    before = {name: getattr(np, name) for name in NAMES}

    def fails(x: Any) -> Any:
        np.zeros(3)
        raise KeyError("here")

    for transform in (fxla.jit, fxla.grad, fxla.vmap):
        with pytest.raises(KeyError):
            transform(fails)(X)
    fxla.jit(lambda x: fxla.grad(lambda y: (y * np.ones(3)).sum())(x))(X)
    assert all(getattr(np, name) is before[name] for name in NAMES)


def test_importing_changes_nothing() -> None:
    code = """
        import numpy
        before = dict(vars(numpy))
        import fxla
        assert all(vars(numpy)[name] is value for name, value in before.items())
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_libraries_see_numpys_own() -> None:
    """A function of NumPy's that makes arrays within gets C memory, also while a trace is on."""
    seen = []

    def f(x: Any) -> Any:
        seen.append(np.cov(np.random.default_rng(0).normal(size=(2, 3))))
        space: dict[str, Any] = {"np": np}
        exec(compile("a = np.zeros(3)", "/lib/python3/site-packages/tool.py", "exec"), space)
        seen.append(space["a"])
        return x

    fxla.jit(f)(X)
    assert all(type(s) is np.ndarray for s in seen)


def test_functions_by_other_names() -> None:
    make = np.zeros
    partial = functools.partial(np.ones, 3)
    size = (3,)

    def f(x: Any) -> Any:
        a, b, c = make(3), partial(), np.zeros(*size)
        d = np.full(
            3,
            fill_value=2.0,
        )
        for k, held in enumerate((a, b, c, d)):
            held[0] = x * k
        return a + b + c + d

    # `make` was NumPy's own function before anything was traced
    with pytest.raises(ValueError, match="setting an array element"):
        fxla.jit(f)(1.0)
    alias = lambda x: f_with(np.zeros, x)  # noqa: E731

    def f_with(make: Any, x: Any) -> Any:
        a = make(3)
        a[0] = x
        return a

    assert fxla.jit(alias)(2.0).tolist() == [2.0, 0.0, 0.0]


def test_other_threads_see_numpys_own() -> None:
    inside, done = threading.Event(), threading.Event()
    seen: list[Any] = []

    def other() -> None:
        inside.wait()
        seen.append(np.zeros(3))
        seen.append(zeros(3))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()

    def f(x: Any) -> Any:
        inside.set()
        done.wait()
        a = np.zeros(3)
        a[0] = x
        return a.sum()

    assert float(fxla.grad(f)(1.0)) == 1.0
    thread.join()
    assert [type(s) for s in seen] == [np.ndarray, np.ndarray]


def test_replaced_functions_pass_for_numpys() -> None:
    def f(x: Any) -> Any:
        assert np.zeros == _makers["zeros"].original and hash(np.zeros) == hash(zeros)
        assert {np.zeros: 1}[zeros] == 1
        assert np.arange.__name__ == "arange" and pickle.loads(pickle.dumps(np.ones))(2).shape == (
            2,
        )
        return x

    fxla.jit(f)(X)


def test_numba_compiles_while_a_trace_is_on() -> None:
    numba = pytest.importorskip("numba")

    def f(x: Any) -> Any:
        @numba.njit  # type: ignore[untyped-decorator]
        def kernel(n: int) -> Any:
            a = np.zeros(n)
            for i in range(n):
                a[i] = i * np.ones(2).sum()
            return a

        return x * kernel(3)

    np.testing.assert_array_equal(fxla.jit(f)(X), X * [0.0, 2.0, 4.0])


def test_numba_finds_numpys_functions_whenever_it_first_looked_at_them() -> None:
    pytest.importorskip("numba")
    code = """
import fxla, numba, numpy as np

@fxla.jit
def f(x):
    return x * numba.njit(lambda n: np.zeros(n) + np.ones(n))(3)

assert f(np.arange(3.0)).tolist() == [0.0, 1.0, 2.0]
g = numba.njit(lambda x: np.empty_like(x).size + np.ones_like(x) + np.zeros(1))
assert g(np.arange(3.0)).tolist() == [4.0, 4.0, 4.0]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_dtypes_are_numpys() -> None:
    def f(x: Any) -> Any:
        names = np.array(["a", "b"])
        days = np.zeros(2, "datetime64[D]")
        objects = np.empty(2, object)
        objects[0] = x
        assert names.dtype.kind == "U" and type(days) is np.ndarray
        return objects[0] * 2

    assert fxla.jit(f)(X).tolist() == [2.0, 4.0, 6.0]


def test_errors_are_numpys() -> None:
    def f(x: Any) -> Any:
        return np.zeros((2, -1)) + x

    for transform in (fxla.jit, fxla.grad):
        with pytest.raises(ValueError, match="negative dimensions"):
            transform(f)(1.0)


def test_large_arrays_are_computed_not_kept() -> None:
    def f(x: Any) -> Any:
        a = np.zeros((1000, 1000)) + np.arange(1000.0) + np.eye(1000)
        a[0] = x
        return a

    assert not fxla.make_jaxpr(f)(1.0).consts
