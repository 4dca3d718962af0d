from __future__ import annotations

import itertools
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fxla.core.primitive import Linear
from fxla.core.trace import typeof
from fxla.errors import DtypeError, ShapeError
from fxla.ops import index as ops
from fxla.ops.gather_dims import GatherDims, IndexMode, default_fill
from fxla.transforms.jvp import jvp
from fxla.transforms.vmap import vmap
from tests.ops.interpret import check_lower
from tests.ops.rules import check_batch, check_jvp, check_shapes, check_transpose

RNG = np.random.default_rng(2)
MODES: list[IndexMode] = ["clip", "fill"]

# shape of x, shape of the indices, dims, sizes
CASES = {
    "rows": ((4, 3), (5, 1), GatherDims((1,), (0,), (0,)), (1, 3)),
    "columns, window first": ((3, 4), (2, 2, 1), GatherDims((0,), (1,), (1,)), (3, 1)),
    "points": ((3, 4), (6, 2), GatherDims((), (0, 1), (1, 0)), (1, 1)),
    "one window": ((5, 4), (2,), GatherDims((0, 1), (), (0, 1)), (2, 3)),
    "windows": ((5, 4, 2), (3, 2), GatherDims((0, 2), (2,), (0, 2)), (2, 4, 1)),
    "windows at the end": ((5, 4, 2), (3, 1), GatherDims((1, 2, 3), (), (1,)), (5, 2, 2)),
    "smaller window without index": ((5, 4), (3, 1), GatherDims((1,), (0,), (0,)), (1, 2)),
    "batched": ((3, 4, 2), (3, 5, 1), GatherDims((2,), (1,), (1,), (0,), (0,)), (1, 1, 2)),
    "batched, crossed": (
        (2, 4, 3),
        (3, 2, 1),
        GatherDims((), (1,), (1,), (0, 2), (1, 0)),
        (1, 1, 1),
    ),
    "batched, windows": ((3, 6), (2, 3, 1), GatherDims((2,), (), (1,), (0,), (1,)), (1, 2)),
    "no index": ((3, 4), (2, 0), GatherDims((1, 2), (), ()), (3, 4)),
    "no windows": ((3, 4), (0, 1), GatherDims((1,), (0,), (0,)), (1, 4)),
    "empty operand": ((0, 4), (2, 1), GatherDims((1,), (0,), (0,)), (1, 4)),
}


def windows(case: str, mode: str, indices: Any) -> Any:
    """For each position in the output its position in x, or None; by the definition in XLA."""
    shape, _, dims, sizes = CASES[case]
    window_dims = dims.window_dims(len(shape))
    out_shape = dims.output_shape(indices.shape, sizes)
    found = {}
    for at in np.ndindex(out_shape):
        batch = tuple(k for axis, k in enumerate(at) if axis not in dims.offset_dims)
        start = [0] * len(shape)
        for k, d in enumerate(dims.start_index_map):
            start[d] = int(indices[(*batch, k)])
        last = [n - size for n, size in zip(shape, sizes, strict=True)]
        if mode == "clip":
            start = [max(0, min(s, m)) for s, m in zip(start, last, strict=True)]
        inside = all(0 <= start[d] <= last[d] for d in dims.start_index_map)
        for d, b in zip(dims.operand_batching_dims, dims.start_indices_batching_dims, strict=True):
            start[d] = batch[b]
        for d, axis in zip(window_dims, dims.offset_dims, strict=True):
            start[d] += at[axis]
        found[at] = tuple(start) if inside else None
    return found


def operands(case: str, seed: int = 0) -> Any:
    shape, index_shape, dims, _ = CASES[case]
    rng = np.random.default_rng(seed)
    bounds = [shape[d] for d in dims.start_index_map]
    columns = [rng.integers(-1, n + 1, index_shape[:-1]) for n in bounds]
    indices = np.stack(columns, -1) if columns else np.zeros(index_shape, int)
    return rng.standard_normal(shape), indices


# there is nothing to clip to in an empty operand
IN_MODES = [(c, m) for c in CASES for m in MODES if (c, m) != ("empty operand", "clip")]


@pytest.mark.parametrize(("case", "mode"), IN_MODES)
def test_gather(case: str, mode: IndexMode) -> None:
    _, _, dims, sizes = CASES[case]
    x, indices = operands(case)
    expected = np.full(dims.output_shape(indices.shape, sizes), 7.0)
    for at, place in windows(case, mode, indices).items():
        if place is not None:
            expected[at] = x[place]
    params = {"dims": dims, "sizes": sizes, "mode": mode, "fill_value": 7, "unique_indices": False}
    p = ops.gather_p
    np.testing.assert_array_equal(p.impl(x, indices, **params)[0], expected)
    check_shapes(p, x, indices, **params)
    check_jvp(p, x, indices, **params)
    check_transpose(p, x, indices, **{**params, "fill_value": 0})
    check_batch(p, x, indices, **params)
    check_lower(p, x, indices, **params)


COMBINE: dict[str, Any] = {
    "scatter": lambda a, b: b,
    "scatter_add": lambda a, b: a + b,
    "scatter_mul": lambda a, b: a * b,
    "scatter_min": min,
    "scatter_max": max,
}
MEMBERS = [
    ops.scatter_p, ops.scatter_add_p, ops.scatter_mul_p, ops.scatter_min_p, ops.scatter_max_p
]  # fmt: skip


def scattered(case: str, mode: str, member: ops.Scatter, x: Any, indices: Any, new: Any) -> Any:
    out = x.copy()
    for at, place in windows(case, mode, indices).items():
        if place is not None:
            out[place] = COMBINE[member.name](out[place], new[at])
    return out


@pytest.mark.parametrize("member", MEMBERS, ids=str)
@pytest.mark.parametrize(("case", "mode"), IN_MODES)
def test_scatter(case: str, mode: IndexMode, member: ops.Scatter) -> None:
    """Indices meet each other in these cases, so the order of updates counts."""
    _, _, dims, sizes = CASES[case]
    x, indices = operands(case)
    new = RNG.standard_normal(dims.output_shape(indices.shape, sizes))
    params = {"dims": dims, "sizes": sizes, "mode": mode, "unique_indices": False}
    args = (x, indices, new)
    expected = scattered(case, mode, member, *args)
    np.testing.assert_allclose(member.impl(*args, **params)[0], expected, rtol=1e-14)
    check_shapes(member, *args, **params)
    check_jvp(member, *args, **params)
    if new.size < 60:
        check_batch(member, *args, **params)
    check_lower(member, *args, rtol=1e-14, **params)


def is_unique(case: str, mode: str) -> bool:
    places = [p for p in windows(case, mode, operands(case)[1]).values() if p is not None]
    return len(set(places)) == len(places)


TRANSPOSED = [
    (*c, unique) for c in IN_MODES for unique in ([False, True] if is_unique(*c) else [False])
]


@pytest.mark.parametrize("member", MEMBERS[:2], ids=str)
@pytest.mark.parametrize(("case", "mode", "unique"), TRANSPOSED)
def test_scatter_transpose(case: str, mode: IndexMode, member: ops.Scatter, unique: bool) -> None:
    """<ct, f(x, u)> = <ct_x, x> + <ct_u, u>: linear in both together."""
    _, _, dims, sizes = CASES[case]
    x, indices = operands(case)
    new = RNG.standard_normal(dims.output_shape(indices.shape, sizes))
    params = {"dims": dims, "sizes": sizes, "mode": mode, "unique_indices": unique}
    (out,) = member.impl(x, indices, new, **params)
    ct = RNG.standard_normal(out.shape)
    ct_x, none, ct_new = member.transpose(
        (ct,), Linear(typeof(x)), indices, Linear(typeof(new)), **params
    )
    assert none is None
    np.testing.assert_allclose(np.sum(ct_x * x) + np.sum(ct_new * new), np.sum(ct * out))
    check_lower(member, x, indices, new, rtol=1e-14, **params)


def test_scatter_mul_transpose() -> None:
    x, indices = operands("rows")
    _, _, dims, sizes = CASES["rows"]
    new = RNG.standard_normal((5, 3))
    check_transpose(
        ops.scatter_mul_p, x, indices, new,
        dims=dims, sizes=sizes, mode="fill", unique_indices=False,
    )  # fmt: skip


POINTS = GatherDims((), (0,), (0,))


def points(*places: int) -> Any:
    return np.array(places)[:, None]


def test_the_last_of_two_writes_stays() -> None:
    x, i = np.zeros(3), points(1, 2, 1, 1)
    new = np.array([5.0, 6.0, 7.0, 8.0])
    got = ops.scatter(x, i, new, POINTS, (1,))
    np.testing.assert_array_equal(got, [0, 8, 6])
    ct = ops.scatter_p.transpose(
        (np.array([1.0, 2.0, 3.0]),), Linear(typeof(x)), i, Linear(typeof(new)),
        dims=POINTS, sizes=(1,), mode="fill", unique_indices=False,
    )  # fmt: skip
    np.testing.assert_array_equal(ct[0], [1, 0, 0])
    np.testing.assert_array_equal(ct[2], [0, 3, 0, 2])


@pytest.mark.parametrize("layout", ["C", "F"])
def test_the_last_write_stays_in_any_memory_order(layout: Any) -> None:
    i = np.array([[0, 1, 0], [1, 0, 1]], order=layout)[..., None]
    new = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], order=layout)
    np.testing.assert_array_equal(ops.scatter(np.zeros(2), i, new, POINTS, (1,)), [5, 6])


@pytest.mark.parametrize("new", list(itertools.product([0.0, 2.0], repeat=3)))
def test_scatter_mul_jvp_at_zeros(new: Any) -> None:
    x, i, new = np.array([3.0, 0.0]), points(0, 0, 0), np.array(new)
    t = np.array([0.5, 1.5, -2.0])
    _, got = jvp(lambda u: ops.scatter_mul(x, i, u, POINTS, (1,)), (new,), (t,))
    expected = 3.0 * sum(t[k] * np.prod(np.delete(new, k)) for k in range(3))
    np.testing.assert_allclose(got, [expected, 0.0])


def test_extremes_share_ties() -> None:
    x, i, new = np.array([1.0, 4.0]), points(0, 0, 0, 1), np.array([1.0, 0.0, 1.0, 3.0])
    tx, tn = np.array([3.0, 5.0]), np.array([6.0, 100.0, 9.0, 100.0])
    _, got = jvp(lambda a, u: ops.scatter_max(a, i, u, POINTS, (1,)), (x, new), (tx, tn))
    np.testing.assert_array_equal(got, [6.0, 5.0])
    _, got = jvp(lambda a, u: ops.scatter_min(a, i, u, POINTS, (1,)), (-x, -new), (tx, tn))
    np.testing.assert_array_equal(got, [6.0, 5.0])


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint16", "float16", "float32", "complex128", ml_dtypes.bfloat16]
)
def test_dtypes(dtype: Any) -> None:
    dtype = np.dtype(dtype)
    x = np.array([[0, 1], [1, 0], [3, 4]]).astype(dtype)
    i = points(2, 5, 0, 2).astype(np.int32)
    rows = GatherDims((1,), (0,), (0,))
    params: Any = {"dims": rows, "sizes": (1, 2), "mode": "fill", "unique_indices": False}
    got = ops.gather_p.impl(x, i, fill_value=None, **params)[0]
    assert got.dtype == dtype
    wide = got.astype("c16") if dtype.kind != "b" else got
    np.testing.assert_array_equal(wide[[0, 2]], x[[2, 0]].astype(wide.dtype))
    np.testing.assert_array_equal(wide[1], np.full(2, default_fill(dtype)).astype(wide.dtype))
    check_lower(ops.gather_p, x, i, fill_value=None, **params)
    for member in MEMBERS:
        if dtype.kind == "c" and member in MEMBERS[3:]:
            continue
        new = ops.gather(x, i, rows, (1, 2), "fill", fill_value=1)
        check_shapes(member, x, i, np.asarray(new), **params)
        check_lower(member, x, i, np.asarray(new), **params)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64"])
def test_index_dtypes(dtype: Any) -> None:
    x, i = np.arange(4.0), points(3, 0, 2).astype(dtype)
    params: Any = {"dims": POINTS, "sizes": (1,), "fill_value": None, "unique_indices": False}
    for mode in (*MODES, "promise_in_bounds"):
        np.testing.assert_array_equal(ops.gather_p.impl(x, i, mode=mode, **params)[0], [3, 0, 2])
        check_lower(ops.gather_p, x, i, mode=mode, **params)


def test_rejects() -> None:
    x = np.zeros((3, 4))
    rows = GatherDims((1,), (0,), (0,))
    with pytest.raises(DtypeError, match="indices must be integers"):
        ops.gather_p.abstract_eval(typeof(x), typeof(np.zeros((2, 1))), dims=rows, sizes=(1, 4))
    for sizes in [(2, 4), (1, 5), (1,)]:
        with pytest.raises(ShapeError, match="does not fit"):
            ops.gather_p.abstract_eval(typeof(x), typeof(points(0)), dims=rows, sizes=sizes)
    with pytest.raises(ShapeError, match="updates"):
        ops.scatter_p.abstract_eval(
            typeof(x), typeof(points(0)), typeof(np.zeros((2, 4))), dims=rows, sizes=(1, 4)
        )
    with pytest.raises(DtypeError, match="dtypes differ"):
        ops.scatter_p.abstract_eval(
            typeof(x), typeof(points(0)), typeof(np.zeros((1, 4), "f4")), dims=rows, sizes=(1, 4)
        )


def test_take_and_take_along_axis() -> None:
    x = RNG.standard_normal((3, 4, 2))
    i = np.array([[0, 3], [1, 1]])
    for axis in range(3):
        got = ops.take(x, i % x.shape[axis], axis)
        np.testing.assert_array_equal(got, np.take(x, i % x.shape[axis], axis))
        order = np.argsort(x, axis)
        np.testing.assert_array_equal(
            ops.take_along_axis(x, order, axis), np.take_along_axis(x, order, axis)
        )


def test_vmap_of_an_indexed_row() -> None:
    x, i = RNG.standard_normal((4, 3)), np.array([2, 0, 1, 2])
    got = vmap(lambda row, k: ops.take(row, k, 0))(x, i)
    np.testing.assert_array_equal(got, x[np.arange(4), i])
