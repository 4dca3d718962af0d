"""Samples of the primitives that hold a program: the call is written with the public function.

The oracle is the same loop or branch in NumPy. A compiled program rounds as its kernels do, so a
few ulps of the largest element are allowed where a body calls `sin`, `exp` or `tanh`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.control.checkpoint import checkpoint
from fxla.control.collectives import all_gather, axis_index, pmax, pmin, psum
from fxla.control.cond import cond, switch
from fxla.control.custom_jvp import custom_jvp
from fxla.control.custom_vjp import custom_vjp
from fxla.control.jit import jit
from fxla.control.linear_solve import custom_linear_solve
from fxla.control.scan import scan
from fxla.control.while_loop import while_loop
from fxla.ops.arithmetic import mul, neg, sub
from fxla.ops.casts import convert
from fxla.ops.dot import matmul
from fxla.ops.elementwise import add
from fxla.ops.linalg import linear_solve
from fxla.ops.logic import gt, lt
from fxla.ops.structure import reduce_sum, reshape, transpose
from fxla.ops.transcendental import cos, exp, sin, tanh
from fxla.transforms.vmap import vmap
from tests.laws.sample import BFLOAT16, Draw, Sample, draw_distinct, draw_float, draw_int

__all__ = ["SAMPLES"]

ULPS, LOOP_ULPS = 16, 64


def _sample(
    label: str,
    call: Callable[..., Any],
    oracle: Callable[..., Any],
    *draws: Any,
    differentiable: tuple[int, ...] | None = None,
    ulps: float = ULPS,
    batchable: tuple[int, ...] | None = None,
    reverse: bool = True,
    forward: bool = True,
    recorded: bool = True,
) -> Sample:
    """A sample whose operands are drawn one by one."""
    operands: Draw = lambda rng: tuple(d(rng) for d in draws)  # noqa: E731
    return Sample(
        label,
        operands,
        oracle=oracle,
        differentiable=tuple(range(len(draws))) if differentiable is None else differentiable,
        ulps=ulps,
        kernel_ulps=ulps,
        whole=True,
        call=call,
        batchable=batchable,
        reverse=reverse,
        forward=forward,
        recorded=recorded,
    )


VECTOR, OTHER = draw_float((3,)), draw_float((3,))
ROWS = draw_float((5, 3), low=-1.0, high=1.0)
SCALAR = draw_float((), low=0.3, high=1.5)

# --- jit --------------------------------------------------------------------------------------

_jitted = jit(lambda x, y: (mul(sin(x), y), reduce_sum(exp(x), (0,))))
_outer = jit(lambda x, y: add(_jitted(x, y)[0], neg(x)))

JIT = [
    _sample("two-results", lambda x, y: _jitted(x, y),
            lambda x, y: (np.sin(x) * y, np.exp(x).sum()), VECTOR, OTHER),
    _sample("nested", lambda x, y: [_outer(x, y)], lambda x, y: np.sin(x) * y - x, VECTOR, OTHER),
]  # fmt: skip

# --- scan -------------------------------------------------------------------------------------


def _rnn(reverse: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def call(w: Any, h: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = tanh(add(mul(w, h), x))
            return h, mul(h, x)

        return scan(step, h, xs, reverse=reverse)

    def oracle(w: Any, h: Any, xs: Any) -> Any:
        ys = np.empty_like(xs)
        for i in range(len(xs))[:: -1 if reverse else 1]:
            h = np.tanh(w * h + xs[i])
            ys[i] = h * xs[i]
        return h, ys

    return call, oracle


def _powers(x: Any) -> Any:
    def step(carry: Any, _: Any) -> Any:
        i, p = carry
        return (add(i, 1), mul(p, x)), i

    (last, p), indices = scan(step, (np.int64(0), x), None, length=4)
    return last, p, indices


def _no_iterations(h: Any, xs: Any) -> Any:
    return scan(lambda h, x: (add(h, x), mul(h, x)), h, xs)


SCAN = [
    _sample("rnn", *_rnn(False), VECTOR, OTHER, ROWS, ulps=LOOP_ULPS),
    _sample("rnn-reverse", *_rnn(True), VECTOR, OTHER, ROWS, ulps=LOOP_ULPS),
    _sample("length-only", _powers, lambda x: (np.int64(4), x**5, np.arange(4)), VECTOR),
    _sample("empty", _no_iterations, lambda h, xs: (h, np.empty((0, 3))), VECTOR,
            draw_float((0, 3)), differentiable=(0,)),
]  # fmt: skip

# --- while ------------------------------------------------------------------------------------


def _doubling(x: Any, y: Any) -> Any:
    def body(carry: Any) -> Any:
        n, v, w = carry
        return add(n, 1), mul(v, y), add(w, mul(v, v))

    return while_loop(lambda c: lt(c[1], 28.0), body, (np.int64(0), x, y))


def _doubling_numpy(x: Any, y: Any) -> Any:
    n, v, w = 0, x, y
    while v < 28.0:
        n, v, w = n + 1, v * y, w + v * v
    return np.int64(n), v, w


def _counted(n: Any, x: Any) -> Any:
    out = while_loop(lambda c: gt(c[0], 0), lambda c: (sub(c[0], 1), mul(c[1], 1.5)), (n, x))
    return [out[1]]


WHILE = [
    _sample("until", _doubling, _doubling_numpy, draw_float((), low=1.0, high=1.05),
            draw_float((), low=1.8, high=1.82), reverse=False, ulps=LOOP_ULPS),
    _sample("counted", _counted, lambda n, x: x * 1.5**n, draw_int((), low=0, high=4), VECTOR,
            differentiable=(1,), reverse=False),
]  # fmt: skip

# --- cond -------------------------------------------------------------------------------------


def _branch(p: Any, x: Any, y: Any) -> Any:
    return cond(
        gt(p, 0),
        lambda x, y: (sin(x), mul(x, y)),
        lambda x, y: (mul(x, x), y),
        x, y,
    )  # fmt: skip


def _branch_numpy(p: Any, x: Any, y: Any) -> Any:
    return (np.sin(x), x * y) if p > 0 else (x * x, y)


def _switched(i: Any, x: Any) -> Any:
    return [switch(i, [sin, lambda x: mul(x, 3.0), lambda x: mul(x, x)], x)]


def _switched_numpy(i: Any, x: Any) -> Any:
    return (np.sin(x), x * 3.0, x * x)[min(max(int(i), 0), 2)]


INDEX = draw_int((), low=-1, high=3)
COND = [
    _sample("cond", _branch, _branch_numpy, INDEX, VECTOR, OTHER, differentiable=(1, 2)),
    _sample("switch", _switched, _switched_numpy, INDEX, VECTOR, differentiable=(1,)),
]

# --- derivatives written by hand --------------------------------------------------------------


@custom_jvp
def _cubed(x: Any, y: Any) -> Any:
    return mul(mul(x, mul(x, x)), y)


@_cubed.defjvp
def _cubed_jvp(primals: Any, tangents: Any) -> Any:
    (x, y), (tx, ty) = primals, tangents
    slope = mul(mul(mul(x, x), 3.0), y)
    return _cubed(x, y), add(mul(slope, tx), mul(mul(x, mul(x, x)), ty))


@custom_vjp
def _wave(x: Any, y: Any) -> Any:
    return mul(sin(x), y)


_wave.defvjp(
    lambda x, y: (_wave(x, y), (x, y)),
    lambda res, ct: (mul(ct, mul(cos(res[0]), res[1])), mul(ct, sin(res[0]))),
)

CUSTOM_JVP = [
    _sample("cubed", lambda x, y: [_cubed(x, y)], lambda x, y: x**3 * y, VECTOR, OTHER),
]
CUSTOM_VJP = [
    _sample(
        "wave", lambda x, y: [_wave(x, y)], lambda x, y: np.sin(x) * y, VECTOR, OTHER, forward=False
    ),
]

# --- collectives ------------------------------------------------------------------------------


def _over_rows(f: Callable[[Any], Any], oracle: Callable[[Any], Any], label: str) -> Sample:
    """`f` of each row, which speaks to the others."""
    return _sample(
        label,
        lambda x: [vmap(f, axis_name="i")(x)],
        oracle,
        draw_distinct((3, 2), gap=0.3),
        recorded=False,
    )


def _nested(x: Any) -> Any:
    inner = vmap(lambda v: psum(mul(v, v), ("i", "j")), axis_name="j")
    return [vmap(inner, axis_name="i")(x)]


COLLECTIVES = {
    "psum": [
        _over_rows(lambda v: mul(sin(v), psum(v, "i")), lambda x: np.sin(x) * x.sum(0), "times"),
        _over_rows(lambda v: psum(np.ones(2), "i"), lambda x: np.full((3, 2), 3.0), "constant"),
        _sample(
            "two-axes",
            _nested,
            lambda x: np.full((3, 2), (x * x).sum()),
            draw_float((3, 2)),
            recorded=False,
        ),
    ],
    "pmax": [_over_rows(lambda v: sub(v, pmax(v, "i")), lambda x: x - x.max(0), "minus")],
    "pmin": [_over_rows(lambda v: mul(v, pmin(v, "i")), lambda x: x * x.min(0), "times")],
    "all_gather": [
        _over_rows(
            lambda v: mul(all_gather(sin(v), "i"), all_gather(v, "i")),
            lambda x: np.broadcast_to(np.sin(x) * x, (3, 3, 2)),
            "product",
        )
    ],
    "axis_index": [
        _over_rows(
            lambda v: mul(v, convert(axis_index("i"), np.dtype("float64"))),
            lambda x: x * np.arange(3.0)[:, None],
            "times",
        )
    ],
}

# --- what changes derivatives or their cost, not values ---------------------------------------


def _checkpointed(x: Any, y: Any) -> Any:
    inner = checkpoint(lambda x, y: (mul(sin(x), y), exp(mul(x, y))))
    return inner(x, y)


def _identity(dtype: Any, differentiable: bool, **params: Any) -> Sample:
    draw = draw_float((2, 3), dtype)
    return Sample(
        np.dtype(dtype).name,
        lambda rng: (draw(rng),),
        params,
        lambda x: x.copy(),
        differentiable=(0,) if differentiable else (),
        linear=((0,),) if differentiable else (),
    )


def _solved(a: Any, b: Any) -> Any:
    def solve_with(m: Any) -> Callable[..., Any]:
        return lambda apply, b: reshape(linear_solve(m, reshape(b, (3, 1))), (3,))

    return [
        custom_linear_solve(
            lambda x: reshape(matmul(a, reshape(x, (3, 1))), (3,)),
            b,
            solve_with(a),
            solve_with(transpose(a, (1, 0))),
        )
    ]


def _heavy(rng: np.random.Generator) -> Any:
    return rng.uniform(-0.5, 0.5, (3, 3)) + np.diag([2.0, 3.0, 4.0])


def _each(x: Any, n: Any, w: Any) -> Any:
    """A loop that every example leaves at its own time."""
    return [vmap(_grown, in_axes=(0, 0, None))(x, n, w)]


def _grown(x: Any, n: Any, w: Any) -> Any:
    def step(carry: Any) -> Any:
        i, y = carry
        return add(i, 1), add(mul(y, reduce_sum(w, (0,))), x)

    return while_loop(lambda carry: lt(carry[0], n), step, (np.int64(0), x))[1]


def _each_of_numpy(x: Any, n: Any, w: Any) -> Any:
    out = np.array(x)
    for k in range(len(x)):
        for _ in range(n[k]):
            out[k] = out[k] * w.sum() + x[k]
    return out


def _chosen(i: Any, x: Any, w: Any) -> Any:
    """A branch with a loop in it, chosen by every example."""

    def powers(x: Any, w: Any) -> Any:
        return scan(lambda y, k: (mul(sin(mul(y, k)), x), y), x, w)[1]

    return [vmap(lambda i, x: switch(i, [powers, lambda x, w: mul(x, w)], x, w))(i, x)]


def _chosen_of_numpy(i: Any, x: Any, w: Any) -> Any:
    out = x[:, None] * w
    for k in np.flatnonzero(i <= 0):
        y = x[k]
        for j, factor in enumerate(w):
            out[k, j], y = y, np.sin(y * factor) * x[k]
    return out


LANES = [
    _sample("while", _each, _each_of_numpy, VECTOR, draw_int((3,), low=0, high=5), OTHER,
            differentiable=(0, 2), reverse=False, ulps=LOOP_ULPS),
    _sample("branch", _chosen, _chosen_of_numpy, draw_int((3,), low=-1, high=3), VECTOR, OTHER,
            differentiable=(1, 2), ulps=LOOP_ULPS),
]  # fmt: skip

PLAIN = {
    "custom_linear_solve": [_sample("matrix", _solved, np.linalg.solve, _heavy, VECTOR)],
    "checkpoint": [
        _sample(
            "two-results", _checkpointed, lambda x, y: (np.sin(x) * y, np.exp(x * y)), VECTOR, OTHER
        ),
    ],
    "name": [
        _identity("f8", True, label="kept"),
        _identity("f4", False, label="kept"),
    ],
    "optimization_barrier": [_identity("f8", True, token=0)],
    # its derivative is zero by definition, not by differences: see tests/control/test_api.py
    "stop_gradient": [_identity("f8", False), _identity(BFLOAT16, False)],
}

SAMPLES: dict[str, list[Sample]] = (
    {
        "jit": JIT,
        "scan": SCAN,
        "while": WHILE,
        "cond": COND,
        "lanes": LANES,
        "custom_jvp_call": CUSTOM_JVP,
        "custom_vjp_call": CUSTOM_VJP,
    }
    | COLLECTIVES
    | PLAIN
)
