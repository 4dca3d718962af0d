"""Calls in native code: what they serve, what they leave to Python, references, threads."""

from __future__ import annotations

import collections
import copy
import gc
import pickle
import random
import sys
import threading
import weakref
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.calls import entry
from fxla.compile.executable import executable_from
from fxla.control.jit import JitFunction
from fxla.core.scopes import special

X = np.array([0.5, -1.0, 2.0])


class Watched(JitFunction):
    """A jitted function that counts the calls that Python serves."""

    def __init__(self, f: Any, **options: Any) -> None:
        nums = options.pop("static_argnums", ())
        names = options.pop("static_argnames", ())
        super().__init__(f, nums, names, False)
        self.python_calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.python_calls += 1
        return super().__call__(*args, **kwargs)


def warm(f: Any, *args: Any, **kwargs: Any) -> Any:
    """Call often enough to be served; returns the last result."""
    for _ in range(2):
        f(*args, **kwargs)
    return f(*args, **kwargs)


def served(f: Watched, *args: Any, **kwargs: Any) -> bool:
    """Whether this call is served natively."""
    before = f.python_calls
    f(*args, **kwargs)
    return f.python_calls == before


def test_the_third_call_is_native() -> None:
    f = Watched(lambda x: x + 1)
    for _ in range(5):
        np.testing.assert_array_equal(f(X), X + 1)
    assert f.python_calls == 2
    result = f(X)
    assert type(result) is fxla.Array
    assert result.flags.owndata and result.flags.writeable and result.base is None


@pytest.mark.parametrize(
    "value",
    [
        2.5, 7, True, False, -3, 1 - 2j, np.float64(2.5), np.float32(1.5), np.int8(-3), np.bool_(1),
        np.uint16(9), np.complex64(1 + 2j), np.float16(0.5), np.ones(()), np.ones((), np.float32),
    ],
)  # fmt: skip
def test_numbers(value: Any) -> None:
    f = Watched(lambda x, y: (x * y, x))
    got, same = warm(f, value, X)
    assert served(f, value, X)
    np.testing.assert_allclose(got, value * X)
    assert got.dtype == (value * X).dtype
    assert same == value and same.shape == ()


def test_numbers_are_read_anew() -> None:
    f = Watched(lambda x: x * 2)
    for kind in (int, float, complex):
        warm(f, kind(3))
        assert [f(kind(k)) for k in range(-5, 5)] == [2 * k for k in range(-5, 5)]
    warm(f, np.float64(1))
    assert f.python_calls == 2 * 4
    assert f(np.float64(4)) == 8 and f(np.ones(()) * 4) == 8


def test_an_integer_that_does_not_fit_is_pythons() -> None:
    f = Watched(lambda x: x)
    warm(f, 1)
    assert served(f, 2**63 - 1) and f(2**63 - 1) == 2**63 - 1
    with pytest.raises(OverflowError):
        f(2**63)


def test_each_default_precision_has_its_own_program() -> None:
    f = Watched(lambda x: x / 3)
    warm(f, 1.0)
    with fxla.default_dtype("float32"):
        assert not served(f, 1.0)
        warm(f, 1.0)
        assert served(f, 1.0) and f(1.0).dtype == np.float32
        with fxla.default_dtype("float64"):
            assert served(f, 1.0) and f(1.0).dtype == np.float64
            with fxla.default_dtype("float32"):
                assert f(1.0).dtype == np.float32
            assert f(1.0).dtype == np.float64
        assert f(1.0).dtype == np.float32
    assert served(f, 1.0) and f(1.0).dtype == np.float64


def test_the_precision_of_another_thread_is_not_this_ones() -> None:
    f = Watched(lambda x: x / 3)
    warm(f, 1.0)
    with fxla.default_dtype("float32"):
        warm(f, 1.0)
    inside, leave = threading.Event(), threading.Event()
    seen: list[Any] = []

    def other() -> None:
        with fxla.default_dtype("float32"):
            seen.append(f(1.0).dtype)
            inside.set()
            leave.wait(60)
            seen.append(f(1.0).dtype)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(60)
    assert f(1.0).dtype == np.float64
    with fxla.default_dtype("float32"):
        assert served(f, 1.0) and f(1.0).dtype == np.float32
    leave.set()
    thread.join()
    assert seen == [np.float32, np.float32]
    assert served(f, 1.0) and f(1.0).dtype == np.float64


def test_shapes_dtypes_and_kinds_are_told_apart() -> None:
    f = Watched(lambda x: x * 2)
    values: list[Any] = [np.ones(n) for n in range(40)]
    values += [np.ones((2, n), t) for n in range(9) for t in ("f4", "f8", "i4", "i8", "?")]
    values += [1, 1.0, True, 1j, np.float32(1), np.ones(()), np.ones((1,)), np.ones((1, 1))]
    for x in values:
        warm(f, x)
    before = f.python_calls
    for x in values * 2:
        got, wanted = f(x), x * 2
        np.testing.assert_array_equal(got, wanted)
        assert (got.dtype, got.shape) == (np.asarray(wanted).dtype, np.shape(wanted))
    assert f.python_calls == before


def test_many_signatures_are_found_by_their_hash() -> None:
    f = Watched(lambda x: x * 2)
    for n in range(150):
        warm(f, np.ones((n % 13, n)))
    (tree,) = f._served.keep[0].trees.values()
    assert len(tree.entries) == 150 and len(tree.words.keep) < 10
    before = f.python_calls
    for n in (149, 0, 77):
        np.testing.assert_array_equal(f(np.ones((n % 13, n))), np.full((n % 13, n), 2.0))
    assert f.python_calls == before


def test_arrays_that_are_copied() -> None:
    f = Watched(lambda x, y: x + y)
    x = np.arange(12.0).reshape(3, 4)
    warm(f, x, x)
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(3, 4)
    assert not unaligned.flags.aligned
    for other in (
        np.asfortranarray(x), np.arange(24.0).reshape(3, 8)[:, ::2], x[::-1, ::-1], unaligned,
        np.broadcast_to(x[0], (3, 4)), x.view(fxla.Array)[::-1],
    ):  # fmt: skip
        before = sys.getrefcount(other)
        assert served(f, other, x) and served(f, x, other)
        np.testing.assert_array_equal(f(other, x), np.asarray(other) + x)
        np.testing.assert_array_equal(f(other, other), np.asarray(other) * 2)
        assert sys.getrefcount(other) == before
    assert not served(f, x.T, x.T)  # another shape


def test_arrays_that_python_must_convert() -> None:
    f = Watched(lambda x: x + 1)
    x = np.arange(12.0).reshape(3, 4)
    warm(f, x)
    for other in (x.astype(">f8"), np.ma.masked_array(x, x > 5)):
        assert not served(f, other)
        np.testing.assert_array_equal(f(other), np.asarray(other) + 1)


def test_a_subclass_at_first_does_no_harm(tmp_path: Any) -> None:
    f = Watched(lambda x: x + 1)
    mapped = np.memmap(tmp_path / "m", np.float64, "w+", shape=(3,))
    f(mapped), f(mapped)
    warm(f, X)
    assert served(f, X)


def test_arrays_that_need_no_copy(tmp_path: Any) -> None:
    f = Watched(lambda x: x + 1)
    x = np.arange(12.0).reshape(3, 4)
    warm(f, x)
    fixed = x.copy()
    fixed.flags.writeable = False
    unpickled = pickle.loads(pickle.dumps(x))
    for other in (x.view(fxla.Array), fixed, np.arange(24.0).reshape(6, 4)[2:5], unpickled):
        assert served(f, other)
        np.testing.assert_array_equal(f(other), other + 1)
    mapped = np.memmap(tmp_path / "m", np.float64, "w+", shape=(3, 4))
    mapped[:] = x
    np.testing.assert_array_equal(f(mapped), x + 1)  # a subclass: Python's


def test_bfloat16() -> None:
    f = Watched(lambda x: x * 2)
    x = np.ones(4, ml_dtypes.bfloat16)
    warm(f, x)
    assert served(f, x) and f(x).dtype == x.dtype
    assert f(ml_dtypes.bfloat16(3)) == 6


def test_empty_arrays_and_trees() -> None:
    f = Watched(lambda *xs: xs)
    assert warm(f) == () and served(f)
    empty = np.ones((0, 3))
    assert warm(f, empty, {}, [], None)[0].shape == (0, 3)
    assert served(f, empty, {}, [], None)
    assert f(empty, {}, [], None)[1:] == ({}, [], None)
    assert not served(f, empty, {}, (), None)
    assert f(empty, {}, (), None)[1:] == ({}, (), None)


Point = collections.namedtuple("Point", "x y")


@dataclass
class Line:
    slope: Any
    offset: Any
    name: str


fxla.tree.register_dataclass(Line, meta_fields=["name"])


def test_nested_trees() -> None:
    f = Watched(lambda t, *, scale: fxla.tree.map(lambda x: x * scale, t))
    tree = {"b": [X, (X, None)], "a": {3: X, 1: 2.0}, "p": Point(X, [X])}
    got = warm(f, tree, scale=2.0)
    assert served(f, tree, scale=3.0)
    got = f(tree, scale=3.0)
    assert list(got) == ["b", "a", "p"] and list(got["a"]) == [3, 1]
    assert type(got["p"]) is Point and got["b"][1][1] is None
    np.testing.assert_array_equal(got["p"].y[0], X * 3)
    np.testing.assert_array_equal(got["a"][1], 6.0)
    shuffled = {"p": tree["p"], "a": {1: 2.0, 3: X}, "b": tree["b"]}
    assert served(f, shuffled, scale=3.0)
    for other in (
        {**tree, "p": (X, [X])}, {**tree, "c": X}, {**tree, "b": (X, (X, None))},
        {"b": tree["b"], "a": tree["a"], "q": tree["p"]}, {**tree, "b": [X, (X, X)]},
        collections.OrderedDict(tree),
    ):  # fmt: skip
        assert not served(f, other, scale=3.0)
        wanted = fxla.tree.map(lambda x: x * 3.0, other)
        assert fxla.tree.structure(f(other, scale=3.0)) == fxla.tree.structure(wanted)


def random_tree(rng: random.Random, depth: int) -> Any:
    """Containers of all kinds that are served, with arrays and numbers of several types."""
    kind = rng.randrange(9 if depth else 4)
    if kind < 3:
        shape = tuple(rng.choices((0, 1, 2, 3), k=rng.randrange(3)))
        dtype = rng.choice(("f4", "f8", "i4", "i8", "c16"))
        values = np.array(np.arange(np.prod(shape, dtype=int)).reshape(shape), dtype)
        return values if kind else values.view(fxla.Array)
    if kind == 3:
        return rng.choice((1, 2.5, 1j, None, np.float32(2), np.int64(3)))
    children = [random_tree(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 4:
        return Point(random_tree(rng, depth - 1), random_tree(rng, depth - 1))
    if kind == 5:
        return Line(random_tree(rng, depth - 1), children, rng.choice("ab"))
    if kind == 6:
        return dict(zip(rng.sample(["a", "b", 3, 7], k=4), children, strict=False))
    return children if kind == 7 else tuple(children)


@pytest.mark.parametrize("seed", range(8))
def test_random_trees(seed: int) -> None:
    """Many trees through one function, in the order of chance, as Python would serve them."""
    rng = random.Random(seed)
    trees = [random_tree(rng, 4) for _ in range(6)]
    usual = Watched(lambda t, u: fxla.tree.map(lambda x: x + 1, (t, {"u": u})))
    for t, u in rng.choices([(t, u) for t in trees for u in trees[:2]], k=60):
        try:
            got = usual(t, u)
        except TypeError:  # keys of two types have no order
            with pytest.raises(TypeError):
                fxla.tree.leaves((t, u))
            continue
        wanted = fxla.tree.map(lambda x: np.asarray(x) + 1, (t, {"u": u}))
        assert fxla.tree.structure(got) == fxla.tree.structure(wanted)
        for a, b in zip(fxla.tree.leaves(got), fxla.tree.leaves(wanted), strict=True):
            assert type(a) is fxla.Array and a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    assert usual.python_calls < 55


def test_registered_classes() -> None:
    f = Watched(lambda line: Line(line.offset, line.slope * 2, line.name))
    got = warm(f, Line(X, 1.0, "a"))
    assert served(f, Line(X, 1.0, "a"))
    assert (got.name, float(got.slope)) == ("a", 1.0)
    np.testing.assert_array_equal(got.offset, X * 2)
    assert not served(f, Line(X, 1.0, "b"))
    assert f(Line(X, 1.0, "b")).name == "b"


def test_a_class_that_raises_raises_in_python() -> None:
    class Moody:
        fails = False

        def __init__(self, x: Any) -> None:
            self.x = x

    def flatten(m: Moody) -> tuple[Any, Any]:
        if m.fails:
            raise ZeroDivisionError
        return (m.x,), None

    fxla.tree.register_pytree_node(Moody, flatten, lambda aux, children: Moody(*children))
    f = Watched(lambda m: fxla.tree.leaves(m)[0] * 2)
    warm(f, Moody(X))
    assert served(f, Moody(X))
    bad = Moody(X)
    bad.fails = True
    with pytest.raises(ZeroDivisionError):
        f(bad)


def test_keywords() -> None:
    f = Watched(lambda x, y=1.0, *, z: x + 10 * y + 100 * z)
    for k in range(3):
        assert f(1.0, y=2.0, z=3.0 + k) == 321.0 + 100 * k
        assert f(1.0, z=3.0 + k, y=2.0) == 321.0 + 100 * k
    assert f.python_calls == 2
    assert warm(f, 1.0, z=2.0) == 211.0
    with pytest.raises(TypeError, match="missing"):
        f(1.0)
    with pytest.raises(TypeError, match="unexpected"):
        f(1.0, z=1.0, w=2.0)


def test_static_arguments() -> None:
    f = Watched(lambda x, n, *, mode: x * n if mode == "up" else x - n, static_argnums=(1,),
                static_argnames=("mode",))  # fmt: skip
    cases = [(n, mode) for n in (1, True, 1.0, 3) for mode in ("up", "down")]
    for n, mode in cases * 3:
        got = f(2.0, n, mode=mode)
        assert got == (2.0 * n if mode == "up" else 2.0 - n)
    before = f.python_calls
    for n, mode in cases:
        f(2.0, n, mode=mode)
    assert f.python_calls == before
    for n in range(50):  # more versions than are served
        assert [float(f(2.0, n, mode="up")) for _ in range(3)] == [2.0 * n] * 3
    with pytest.raises(TypeError, match="not hashable"):
        f(2.0, [1], mode="up")


def test_captured_arrays_are_read_at_each_call() -> None:
    table = np.ones(3)
    f = Watched(lambda x: x + table)
    warm(f, X)
    table[0] = 7.0
    assert served(f, X)
    np.testing.assert_array_equal(f(X), X + table)
    strided = np.arange(6.0)[::2]
    g = Watched(lambda x: x + strided)
    warm(g, X)
    strided[0] = 9.0
    np.testing.assert_array_equal(g(X), X + strided)
    assert not served(g, X)


def test_nothing_is_served_inside_a_scope() -> None:
    f = Watched(lambda x: x * 2)
    warm(f, X)
    with fxla.disable_jit():
        assert not served(f, X)
    outer = fxla.jit(lambda y: y + f(X))
    before = f.python_calls
    np.testing.assert_array_equal(outer(X), 3 * X)
    assert f.python_calls == before + 1
    np.testing.assert_array_equal(fxla.grad(lambda x: f(x).sum())(X), [2, 2, 2])
    np.testing.assert_array_equal(fxla.vmap(f)(X), 2 * X)
    assert not special


def test_results_do_not_alias() -> None:
    f = Watched(lambda x: (x, x, x + 1))
    x = X.copy()
    a, b, c = warm(f, x)
    a[0] = 99
    assert x[0] == X[0] == b[0] and c[0] == X[0] + 1


def test_exceptions_of_host_calls() -> None:
    f = Watched(lambda x: fnp.linalg.cholesky(x) + 1)
    good, bad = np.eye(3), -np.eye(3)
    warm(f, good)
    before = sys.getrefcount(bad)
    for _ in range(10):
        calls = f.python_calls
        with pytest.raises(np.linalg.LinAlgError):
            f(bad)
        assert f.python_calls == calls
    assert sys.getrefcount(bad) == before
    assert served(f, good)
    np.testing.assert_array_equal(f(good), good + 1)


def test_a_program_may_call_the_function_it_is_of() -> None:
    """The program's arena is in use: the inner call has another."""
    depth = 0

    def host(x: Any) -> Any:
        nonlocal depth
        kept = x.copy()
        if depth < 3:
            depth += 1
            f(X)
        np.testing.assert_array_equal(x, kept)  # the inner call did not write over it
        return (np.sort(x),)

    f = Watched(lambda x: fnp.sort(x * 2.0) + 1.0)
    f(X)
    (traced,) = f._traces.values()
    (call,) = [i for i in traced.executable.program.body if hasattr(i, "function")]
    call.function = host
    traced.executable = executable_from(traced.executable.program)
    depth = 3
    f(X)
    depth = 0
    before = f.python_calls
    np.testing.assert_array_equal(f(X), np.sort(2 * X) + 1)
    assert depth == 3 and f.python_calls == before


def test_no_reference_is_lost_or_kept() -> None:
    tree = {"a": X.copy(), "b": [X.copy(), 2.5, None], "c": Point(X.copy(), 7)}
    f = fxla.jit(lambda t, *, k: {"r": fxla.tree.map(lambda x: x + k, t), "n": None})
    warm(f, tree, k=1.0)
    key, none = "r", None
    watched = [*tree.values(), *tree["b"], tree["c"].x, tree, np.dtype("f8"), f, key, fxla.Array]
    watched += [Point, X, 2.5, none]
    gc.collect()  # what earlier tests left would be collected meanwhile
    before = [sys.getrefcount(x) for x in watched]
    blocks = sys.getallocatedblocks()
    for _ in range(20_000):
        f(tree, k=1.0)
    after = [sys.getrefcount(x) for x in watched]
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) < 50
    assert sys.getallocatedblocks() - blocks < 500


def test_calls_that_do_not_fit_keep_nothing() -> None:
    f = Watched(lambda *xs: xs[0])
    warm(f, X, X)
    warm(f, X, {"a": X})
    bad = object()
    before = [sys.getrefcount(x) for x in (X, bad)]
    for _ in range(300):
        with pytest.raises(TypeError):
            f(X, bad)
        with pytest.raises(TypeError):
            f(X, {"a": bad})
    after = [sys.getrefcount(x) for x in (X, bad)]
    assert all(a - b < 20 for a, b in zip(after, before, strict=True))


def test_a_function_that_dies_frees_what_it_was_served_by() -> None:
    held = np.ones(3)
    f = fxla.jit(lambda x: x + held)
    warm(f, X)
    table = weakref.ref(f._served)
    function = weakref.ref(f)
    before = sys.getrefcount(held)
    del f
    gc.collect()
    assert table() is None and function() is None
    assert sys.getrefcount(held) < before


def test_forgetting() -> None:
    traced = []
    f = Watched(lambda x: traced.append(1) or x * 2)
    warm(f, X)
    f.clear_cache()
    assert not served(f, X)
    assert len(traced) == 2
    f(X)
    assert served(f, X)


def test_copies_and_pickles_of_functions() -> None:
    f = fxla.jit(np.sin)
    warm(f, X)
    for other in (copy.copy(f), copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        np.testing.assert_array_equal(warm(other, X), f(X))
    assert f.__name__ == "sin" and f.__wrapped__ is np.sin
    assert weakref.ref(f)() is f


def test_methods() -> None:
    class Model:
        @fxla.jit
        def double(self: Any, x: Any) -> Any:
            return x * 2

    fxla.tree.register_pytree_node(Model, lambda m: ((), None), lambda aux, children: Model())
    np.testing.assert_array_equal(warm(Model().double, X), X * 2)
    assert "mul" in str(Model().double.trace(X).jaxpr)


def test_without_native_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "unexpected", lambda: "something")

    class Other(Watched):
        """A class for which nothing was loaded yet."""

    f = Other(lambda x: x + 1)
    np.testing.assert_array_equal(warm(f, X), X + 1)
    assert not served(f, X)


def test_many_threads_at_once() -> None:
    """First and later calls of the same and of different functions."""
    start = threading.Barrier(16)
    shared = fxla.jit(lambda x, n: fnp.cumsum(fnp.sort(fnp.sin(x)))[-1] * n)
    wrong: list[Any] = []

    def work(k: int) -> None:
        own = fxla.jit(lambda x: fnp.exp(x - k).sum())
        start.wait()
        for turn in range(40):
            n = 2 + (turn + k) % 5
            x = np.linspace(0.0, 1.0, n * 100)
            if not np.allclose(shared(x, float(k)), np.sin(x).sum() * k):
                wrong.append(("shared", k, turn))
            if not np.allclose(own(x), np.exp(x - k).sum()):
                wrong.append(("own", k, turn))
            if turn == 20 and k == 3:
                shared.clear_cache()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(300)
    assert not any(t.is_alive() for t in threads)
    assert not wrong


def test_loops_and_branches() -> None:
    def f(x: Any) -> Any:
        y, _ = lax.scan(lambda c, _: (fnp.sin(c) + x, None), x, None, 5)
        return lax.cond(y.sum() > 0, lambda v: v, lambda v: -v, y)

    g = Watched(f)
    want = f(X)
    np.testing.assert_allclose(warm(g, X), want)
    assert served(g, X)
    np.testing.assert_allclose(g(X), want)


def test_keys_in_another_order_and_equal_ones_are_found() -> None:
    f = fxla.jit(lambda t: {k: (len(k) + 1) * x for k, x in t.items()})
    given = {"a": np.arange(2.0), "longer": np.arange(3.0)}
    for _ in range(3):
        f(given)
    equal = "".join(["lon", "ger"])
    assert equal is not next(k for k in given if k == equal)
    for other in ({equal: np.ones(3), "a": np.ones(2)}, {"a": np.ones(2), equal: np.ones(3)}):
        out = f(other)
        assert out["a"].tolist() == [2.0, 2.0] and out["longer"].tolist() == [7.0, 7.0, 7.0]
