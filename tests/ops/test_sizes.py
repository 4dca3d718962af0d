"""A new array size never recompiles: the lowering of a primitive is one kernel for all sizes.

Each case is a call whose params follow from a size n, as they do in programs that users write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fxla.core.dtypes import int64
from fxla.core.primitive import Primitive
from fxla.loops.check import check_kernel
from fxla.loops.extents import canonical, kernel_key, parametrise
from fxla.loops.ir import Buffer, For, Kernel, Let, Load, Local, Op, Stmt, Store
from fxla.loops.view import IndexTuple, Nest, Reduce, View, const, extent, fresh_index, op
from fxla.ops import arithmetic, cumulative, dynamic, index, reduce, shape, sort, structure
from fxla.ops.gather_dims import GatherDims

ROWS = GatherDims((1,), (0,), (0,))
WINDOWS = GatherDims((1, 2), (), (0, 1))
BATCHED = GatherDims((), (1,), (1,), (0,), (0,))


def buffer(name: str, shape: tuple[int, ...], dtype: Any) -> Buffer:
    return Buffer(name, np.dtype(dtype), tuple(extent(k) for k in shape))


def loading(b: Buffer, shape: tuple[int, ...]) -> View:
    return View(shape, b.dtype, lambda i: Load(b.dtype, b, tuple(i)))


def around(indices: IndexTuple, sizes: tuple[int, ...], body: tuple[Stmt, ...]) -> Any:
    for i, k in zip(reversed(indices), reversed(sizes), strict=True):
        body = (For(i, extent(k), body),)  # type: ignore[arg-type]
    return body


def kernel(primitive: Primitive, args: Any, params: Any) -> Kernel:
    """The simplest kernel that computes what is lowered."""
    inputs = tuple(buffer(f"in{k}", x.shape, x.dtype) for k, x in enumerate(args))
    views = [loading(b, x.shape) for b, x in zip(inputs, args, strict=True)]
    lowered = primitive.lower(*views, **params)
    if isinstance(lowered, Nest):
        outs = tuple(buffer(f"out{k}", s, d) for k, (s, d) in enumerate(lowered.outputs))
        outer = tuple(fresh_index() for _ in lowered.parallel)
        body = around(outer, lowered.parallel, tuple(lowered.body(outer, outs)))
        return Kernel("k", inputs, outs, (), body)
    (form,) = lowered
    out = buffer("out", form.shape, form.dtype)
    i = tuple(fresh_index() for _ in form.shape)
    if isinstance(form, View):
        return Kernel("k", inputs, (out,), (), around(i, form.shape, (Store(out, i, form[i]),)))
    assert isinstance(form, Reduce)
    r = tuple(fresh_index("r") for _ in form.extents)
    total = Local(form.dtype, "total")
    value = op(form.op, form.dtype, form.element(i, r), const(form.init, form.dtype))
    body = around(r, form.extents, (Let(total, value), Store(out, i, total)))
    return Kernel("k", inputs, (out,), (), around(i, form.shape, body))


def f(*shape: int) -> Any:
    return np.zeros(shape)


def ints(*shape: int) -> Any:
    return np.zeros(shape, int)


Case = tuple[Primitive, Callable[[int], Any], Callable[[int], Any]]


def gathering(dims: GatherDims, sizes: Callable[[int], Any], mode: str) -> Callable[[int], Any]:
    return lambda n: {"dims": dims, "sizes": sizes(n), "mode": mode, "unique_indices": False}


def filling(params: Callable[[int], Any]) -> Callable[[int], Any]:
    return lambda n: {**params(n), "fill_value": None}


CASES: dict[str, Case] = {
    "broadcast": (
        structure.broadcast_in_dim_p,
        lambda n: [f(n, 1)],
        lambda n: {"shape": (n, n + 9), "dims": (0, 1)},
    ),
    "sum": (structure.reduce_sum_p, lambda n: [f(n, n + 5)], lambda n: {"axes": (1,)}),
    "transpose": (structure.transpose_p, lambda n: [f(n, n + 5)], lambda n: {"perm": (1, 0)}),
    "reshape": (structure.reshape_p, lambda n: [f(n, n + 5)], lambda n: {"shape": (n * (n + 5),)}),
    "unravel": (structure.reshape_p, lambda n: [f(n * (n + 5))], lambda n: {"shape": (n, n + 5)}),
    "mul": (arithmetic.mul_p, lambda n: [f(n), f(n)], lambda n: {}),
    "slice": (
        shape.slice_p,
        lambda n: [f(n)],
        lambda n: {"start": (n // 2,), "limit": (n - 1,), "strides": (1,)},
    ),
    "pad": (
        shape.pad_p,
        lambda n: [f(n), f()],
        lambda n: {"low": (n - 1,), "high": (n + 3,), "interior": (1,)},
    ),
    "crop": (
        shape.pad_p,
        lambda n: [f(n), f()],
        lambda n: {"low": (-(n // 2),), "high": (n - 1,), "interior": (0,)},
    ),
    "concatenate": (
        shape.concatenate_p,
        lambda n: [f(n), f(n + 3), f(n + 7)],
        lambda n: {"dimension": 0},
    ),
    "rev": (shape.rev_p, lambda n: [f(n)], lambda n: {"dimensions": (0,)}),
    "iota": (
        shape.iota_p,
        lambda n: [],
        lambda n: {"dtype": int64, "shape": (n, n + 5), "dimension": 1},
    ),
    "dynamic_slice": (
        dynamic.dynamic_slice_p,
        lambda n: [f(n), ints()],
        lambda n: {"sizes": (n // 2,)},
    ),
    "dynamic_update_slice": (
        dynamic.dynamic_update_slice_p,
        lambda n: [f(n), f(n // 2), ints()],
        lambda n: {},
    ),
    "gather": (
        index.gather_p,
        lambda n: [f(n, n + 5), ints(n + 9, 1)],
        filling(gathering(ROWS, lambda n: (1, n + 5), "clip")),
    ),
    "gather windows": (
        index.gather_p,
        lambda n: [f(n, n + 5), ints(n + 9, 2)],
        filling(gathering(WINDOWS, lambda n: (n // 2, n // 2 + 3), "fill")),
    ),
    "scatter_add": (
        index.scatter_add_p,
        lambda n: [f(n, n // 9), ints(n + 9, 1), f(n + 9, n // 9)],  # shared out at both sizes
        gathering(ROWS, lambda n: (1, n // 9), "fill"),
    ),
    "scatter, batched": (
        index.scatter_p,
        lambda n: [f(n, n + 5), ints(n, n + 9, 1), f(n, n + 9)],
        gathering(BATCHED, lambda n: (1, 1), "clip"),
    ),
    "reduce_max": (reduce.reduce_max_p, lambda n: [f(n, n + 5)], lambda n: {"axes": (0,)}),
    "argmax": (
        reduce.argmax_p,
        lambda n: [f(n, n + 5)],
        lambda n: {"dimension": 0, "index_dtype": int64},
    ),
    "cumsum": (
        cumulative.cumsum_p,
        lambda n: [f(n, n + 5)],
        lambda n: {"axis": 0, "reverse": True},
    ),
    "linear_recurrence": (
        cumulative.linear_recurrence_p,
        lambda n: [f(n, n + 5), f(n, n + 5)],
        lambda n: {"axis": 1, "reverse": False},
    ),
    "searchsorted": (
        sort.searchsorted_p,
        lambda n: [f(n), f(n + 5)],
        lambda n: {"side": "left", "batch_dims": 0, "index_dtype": int64},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_kernel_for_all_sizes(case: str) -> None:
    primitive, args, params = CASES[case]
    keys = []
    for n in (1000, 1300):
        k, _ = parametrise(canonical(kernel(primitive, args(n), params(n))))
        check_kernel(k)
        keys.append((kernel_key(k), str(k)))
    assert keys[0] == keys[1], f"{keys[0][1]}\n{keys[1][1]}"


def test_a_constant_would_be_noticed() -> None:
    class Careless(structure.LinearPrimitive):
        name = "careless"

        def __init__(self) -> None:
            pass

        abstract_eval = impl = transpose = batch = structure.reshape_p.impl

        def lower(self, *views: View) -> Any:
            (x,) = views
            last = const(x.shape[0] - 1, int64)
            return (View(x.shape, x.dtype, lambda i: x[(Op(int64, "sub", (last, i[0])),)]),)

    found = {kernel_key(parametrise(kernel(Careless(), [f(n)], {}))[0]) for n in (1000, 1300)}
    assert len(found) == 2
