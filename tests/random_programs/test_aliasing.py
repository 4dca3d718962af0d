"""Random programs of views and writes: aliasing while tracing is NumPy's own aliasing.

A program makes views of views, writes through them in every way NumPy knows, and returns all its
arrays. It is run by NumPy, and traced by each transformation. What a program computes is affine in
its input, so its derivative is a difference of two runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import fxla

RNG = np.random.default_rng(7)
SHAPES = [(6,), (2, 3), (3, 2, 2), (1, 4)]


def _view(a: Any, kind: int, k: int, j: int) -> Any:
    """A view (or, where NumPy makes one, a copy) of an array, by one of many functions."""
    n = a.ndim
    axis = k % n if n else 0
    if n == 0:
        return [lambda: a[...], lambda: a.reshape(1), lambda: a[None], lambda: a.ravel()][
            kind % 4
        ]()
    size = a.shape[axis]
    at = (slice(None),) * axis
    ways = [
        lambda: a[(*at, slice(k % 3, None))],
        lambda: a[(*at, slice(None, None, -1))],
        lambda: a[(*at, slice(j % 2, None, 2))],
        lambda: a[(*at, j % size)] if size else a[at],
        lambda: a[..., None],
        lambda: a.T,
        lambda: a.transpose(),
        lambda: np.swapaxes(a, 0, axis),
        lambda: np.moveaxis(a, axis, 0),
        lambda: a.reshape(-1),
        lambda: a.reshape(*a.shape[::-1]),
        lambda: a.ravel(),
        lambda: np.reshape(a, a.shape[::-1], order="F"),
        lambda: np.ravel(a, order="F"),
        lambda: a.squeeze(),
        lambda: np.expand_dims(a, axis),
        lambda: np.flip(a, axis),
        lambda: np.atleast_2d(a),
        lambda: np.array_split(a, 2, axis)[j % 2],
        lambda: np.asarray(a),
        lambda: a.view(),
        lambda: a.real,
        lambda: a.copy(),
        lambda: a.flatten(),
        lambda: a * 1.0,
        lambda: a[[j % size]] if a.shape[0] == size and size else a,
        lambda: next(iter(a)) if a.shape[0] else a,
        lambda: np.rot90(a, k) if n > 1 else a,
        lambda: a.astype(float),
        lambda: a.astype(float, copy=False),
        lambda: np.ascontiguousarray(a),
        lambda: np.rollaxis(a, axis),
    ]
    return ways[kind % len(ways)]()


def _write(a: Any, kind: int, k: int, v: Any) -> Any:
    """Write into an array, in one of many ways."""
    n = a.ndim
    c = 0.5 + k % 5
    size = a.shape[0] if n else 0
    if n == 0 or not size:
        return a  # NumPy's scalars are not written to
    i = k % size
    ways: list[Any] = [
        lambda: a.__setitem__(i, c * v),
        lambda: a.__setitem__(slice(None, None, 2), v),
        lambda: a.__setitem__(Ellipsis, a[::-1] * c),
        lambda: a.__setitem__([i, 0], c + v),
        lambda: a.__setitem__(np.arange(size) % 2 == 0, v),
        lambda: a.__iadd__(c * v),
        lambda: a.__imul__(c),
        lambda: a.__isub__(a[::-1]),
        lambda: np.multiply(a, c, out=a),
        lambda: np.add.at(a, [i, i], v),
        lambda: np.copyto(a, v),
        lambda: np.copyto(a, v, where=np.arange(size).reshape(size, *[1] * (n - 1)) < i),
        lambda: a.fill(c),
        lambda: a.flat.__setitem__(slice(1, None), v),
        lambda: a.T.__setitem__(Ellipsis, c * v),
        lambda: np.add(a[:1], v, out=a[:1]),
        lambda: a.__setitem__(slice(i, None), a[: size - i]),
        lambda: np.put(a, [0], v) if a.size else None,
        lambda: a.__setitem__((i, Ellipsis), a[0] + v),
        lambda: np.fill_diagonal(a, v) if n == 2 else None,
    ]
    ways[kind % len(ways)]()
    return a


def _augment(a: Any, k: int, v: Any) -> None:
    """Python's own augmented assignments, which read, change and write back."""
    if not a.ndim or not a.shape[0]:
        return
    i = k % a.shape[0]
    if k % 3 == 0:
        a[i] += v
    elif k % 3 == 1:
        a[i:] *= 2.0
    else:
        for row in a:
            row -= 0.5 * v


Step = tuple[str, int, int, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["view", "view", "write", "augment"]),
        st.integers(0, 40),
        st.integers(0, 40),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    min_size=2,
    max_size=8,
)


def run(program: list[Step], shape: tuple[int, ...], x: Any) -> list[Any]:
    """The program's arrays at its end, flattened, for an input vector of 12 elements."""
    held = [np.zeros(shape)]
    held[0][...] = x[: held[0].size].reshape(shape)
    for what, which, kind, k, j in program:
        a = held[which % len(held)]
        v = x[(k + j) % 12]
        if what == "view":
            held.append(_view(a, kind, k, j))
        elif what == "write":
            _write(a, kind, k, v)
        elif a.ndim:
            _augment(a, k, v)
    return [h + np.zeros(np.shape(h)) for h in held]


X = RNG.uniform(-1, 1, 12)
D = RNG.uniform(-1, 1, 12)


def equal(got: Any, want: Any) -> None:
    assert len(got) == len(want)
    for k, (g, w) in enumerate(zip(got, want, strict=True)):
        assert np.shape(g) == np.shape(w), k
        np.testing.assert_allclose(np.asarray(g), w, rtol=1e-12, atol=1e-12, err_msg=str(k))


@settings(max_examples=150, deadline=None)
@given(steps, st.sampled_from(SHAPES))
def test_traced_aliasing_is_numpys(program: list[Step], shape: tuple[int, ...]) -> None:
    f = lambda x: run(program, shape, x)  # noqa: E731
    want = f(X)
    moved = [a - b for a, b in zip(f(X + D), f(X), strict=True)]
    out, tangent = fxla.jvp(f, (X,), (D,))
    equal(out, want)
    equal(tangent, moved)
    out, pull = fxla.vjp(f, X)
    equal(out, want)
    total = sum(float(np.sum(m)) for m in moved)
    pulled = pull([np.ones(np.shape(w)) for w in want])[0]
    np.testing.assert_allclose(pulled @ D, total, atol=1e-10)
    closed = fxla.make_jaxpr(f)(X)
    equal(closed.jaxpr.run(*closed.consts, X), want)


@settings(max_examples=40, deadline=None)
@given(steps, st.sampled_from(SHAPES))
def test_batched_aliasing_is_numpys(program: list[Step], shape: tuple[int, ...]) -> None:
    f = lambda x: run(program, shape, x)  # noqa: E731
    both = [np.stack(pair) for pair in zip(f(X), f(D), strict=True)]
    equal(fxla.vmap(f)(np.stack([X, D])), both)
    alone = lambda x: run(program, shape, X * 1.0)  # noqa: E731 - nothing varies
    equal(fxla.vmap(alone, axis_size=2)(np.stack([X, D])), [np.stack([w, w]) for w in f(X)])
