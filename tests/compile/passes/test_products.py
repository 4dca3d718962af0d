"""What computes a contraction, what tiles need before, and what they compute besides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.executable import executable_from
from fxla.compile.passes import products
from fxla.compile.passes.products import choose_product
from fxla.compile.program import Gemm, Launch, walk_instructions
from fxla.core.jaxpr import Jaxpr
from fxla.ops.dot import DotDims, dot_general

RNG = np.random.default_rng(0)


def jaxpr_of(f: Any, *args: Any) -> Jaxpr:
    return fxla.make_jaxpr(f)(*args).jaxpr


def choice(x: Any, y: Any, tiles: bool = True) -> str:
    (eqn,) = (e for e in jaxpr_of(fnp.matmul, x, y).eqns if e.primitive.name == "dot_general")
    return choose_product(eqn, tiles).how


def whole(*shape: int, dtype: Any = "f8") -> Any:
    """Integers, whose products are summed exactly."""
    return RNG.integers(-4, 5, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_choice_depends_on_sizes(dtype: str) -> None:
    def ones(*shape: int) -> Any:
        return np.ones(shape, dtype)

    assert choice(ones(64, 64), ones(64, 64)) == "tiles"
    assert choice(ones(3, 64, 64), ones(3, 64, 64)) == "tiles"
    assert choice(ones(4, 4), ones(4, 4)) == "loops"
    assert choice(ones(400, 2), ones(2, 400)) == "loops"
    assert choice(ones(400, 200), ones(200, 1)) == "loops"
    assert choice(ones(400, 200), ones(200, 1), tiles=False) == "blas"
    assert choice(ones(64, 0), ones(0, 64)) == "loops"
    assert choice(ones(64, 64), ones(64, 64), tiles=False) == "blas"


def test_the_choice_depends_on_the_dtype() -> None:
    assert choice(np.ones((64, 64), "c16"), np.ones((64, 64), "c16")) == "blas"
    for name in ("i4", "u4", "i8", "u8"):
        assert choice(np.ones((64, 64), name), np.ones((64, 64), name)) == "tiles"
    assert choice(np.ones((64, 64), "i4"), np.ones((64, 64), "i4"), tiles=False) == "loops"
    assert choice(np.ones((64, 64), "f2"), np.ones((64, 64), "f2")) == "loops"


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_one_row_reads_a_matrix_row_by_row(dtype: str) -> None:
    def ones(*shape: int) -> Any:
        return np.ones(shape, dtype)

    assert choice(ones(1, 512), ones(512, 512)) == "loops"
    assert choice(ones(512), ones(512, 512)) == "loops"
    assert choice(ones(4, 1, 512), ones(4, 512, 512)) == "loops"
    assert choice(ones(1, 512), ones(512, 8)) == "tiles"  # which reads rows, too
    assert choice(ones(2, 512), ones(512, 512)) == "loops"
    assert choice(ones(4, 2, 512), ones(4, 512, 512)) == "tiles"
    assert choice(ones(4, 512), ones(512, 512)) == "tiles"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(900, 100), (100, 900), (7, 1025), (1025, 7), (64, 64)])
def test_a_matrix_times_a_column_is_loops(shape: tuple[int, int], dtype: str) -> None:
    """From either side of the vector, and beside other products of the matrix."""
    x, w, v = whole(*shape), whole(shape[1]), whole(shape[0])
    x, w, v = (a.astype(dtype) for a in (x, w, v))

    def product(x: Any, w: Any, v: Any) -> Any:
        return x @ w, x @ (2 * w), x.T @ v, v @ x

    run = executable_from(build_program(jaxpr_of(product, x, w, v), tiles=True))
    kinds = {type(i).__name__ for i in walk_instructions(run.program.body)}
    assert "Gemm" not in kinds
    found = run(x, w, v)
    for got, expected in zip(found, product(x, w, v), strict=True):
        np.testing.assert_array_equal(got, expected)  # sums of whole numbers are exact


@pytest.mark.parametrize("columns", [1, 2, 3, 7, 8, 9, 16, 17])
@pytest.mark.parametrize("subscripts", ["ik,kj->ij", "ki,kj->ij", "ik,jk->ij", "ki,jk->ij"])
@pytest.mark.parametrize(("rows", "depth"), [(50, 70), (25, 25), (33, 3), (101, 300)])
def test_products_of_few_columns(subscripts: str, columns: int, rows: int, depth: int) -> None:
    """Whichever axes of the operands are contiguous; sums of whole numbers are exact."""
    sizes = {"i": rows, "j": columns, "k": depth}
    left, right = subscripts.partition("->")[0].split(",")
    x, y = (whole(*[sizes[axis] for axis in operand]) for operand in (left, right))

    def product(x: Any, y: Any) -> Any:
        return fnp.einsum(subscripts, x, y) * 2.0

    run = executable_from(build_program(jaxpr_of(product, x, y), tiles=True))
    np.testing.assert_array_equal(run(x, y)[0], np.einsum(subscripts, x, y) * 2.0)


def test_products_of_few_columns_of_arrays_with_more_axes() -> None:
    x, y = whole(6, 7, 40), whole(40, 3)
    for f in (
        lambda np, x, y: x @ y,
        lambda np, x, y: np.einsum("abk,kj->jab", x, y),
        lambda np, x, y: np.einsum("kab,kj->abj", x.transpose(2, 0, 1), y),
        lambda np, x, y: np.einsum("abk,akc->bc", x, x[:, :2].transpose(0, 2, 1)),
    ):
        jaxpr = jaxpr_of(lambda x, y, f=f: f(fnp, x, y), x, y)
        run = executable_from(build_program(jaxpr, tiles=True))
        np.testing.assert_array_equal(run(x, y)[0], f(np, x, y))


def test_few_columns_are_lanes_of_something_else() -> None:
    def kernels(subscripts: str, columns: int) -> str:
        sizes = {"i": 100, "j": columns, "k": 200}
        left, right = subscripts.partition("->")[0].split(",")
        x, y = (whole(*[sizes[axis] for axis in operand]) for operand in (left, right))
        program = build_program(
            jaxpr_of(lambda x, y: fnp.einsum(subscripts, x, y), x, y), tiles=True
        )
        return "\n".join(str(i.kernel) for i in program.body if isinstance(i, Launch))

    assert "[tile]" not in kernels("ik,kj->ij", 4)  # along the sum
    assert "[tile]" in kernels("ik,kj->ij", 9)
    assert "float64[4, n" in kernels("ki,kj->ij", 4)  # along the rows
    assert "float64[17, n" not in kernels("ki,kj->ij", 17)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [2, 3, 8, 9, 12, 13, 31, 80])
@pytest.mark.parametrize(("columns", "depth"), [(50, 70), (25, 25), (300, 101), (640, 256)])
def test_products_of_few_rows(columns: int, depth: int, rows: int, dtype: str) -> None:
    """With either axis of the right operand along the sum, and with what follows."""
    x, w, v = whole(rows, depth), whole(columns, depth), whole(depth, columns)
    x, w, v = (a.astype(dtype) for a in (x, w, v))

    def product(x: Any, w: Any, v: Any) -> Any:
        return (x @ w.T) * 2 + w[:, 0], x @ v, x[:, ::-1] @ w.T

    run = executable_from(build_program(jaxpr_of(product, x, w, v), tiles=True))
    for got, expected in zip(run(x, w, v), product(x, w, v), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_products_of_few_rows_of_arrays_with_more_axes() -> None:
    x, w = whole(2, 3, 60, 4), whole(50, 60, 4)
    for f in (
        lambda np, x, w: np.tensordot(x, w, ((2, 3), (1, 2))),
        lambda np, x, w: np.einsum("abkc,ikc->aib", x, w),
        lambda np, x, w: np.einsum("abkc,ijk->abcij", x, w.transpose(0, 2, 1)),
        lambda np, x, w: x[..., 0] @ w[..., 1].T,
    ):
        jaxpr = jaxpr_of(lambda x, w, f=f: f(fnp, x, w), x, w)
        run = executable_from(build_program(jaxpr, tiles=True))
        np.testing.assert_array_equal(run(x, w)[0], f(np, x, w))


def test_which_operand_is_transposed() -> None:
    """The right one, if it is the smaller one or the same for all iterations of a loop."""

    def transposes(f: Any, *args: Any) -> int:
        body = build_program(jaxpr_of(f, *args), tiles=True).body
        names = [i.kernel.name for i in walk_instructions(body) if isinstance(i, Launch)]
        return sum(name.startswith("transpose") for name in names)

    w = whole(500, 400)
    linear = lambda x, w: x @ w.T  # noqa: E731
    assert transposes(linear, whole(40, 400), w) == 2  # x and the result
    assert transposes(linear, whole(4, 400), w) == 1  # rows of x are read as they lie
    assert transposes(linear, whole(400, 400), w) == 1

    def recurrent(x: Any, w: Any) -> Any:
        return lax.fori_loop(0, 50, lambda _, h: fnp.tanh(h @ w.T), x)

    square = whole(400, 400)
    assert transposes(recurrent, whole(40, 400), square) == 1


def test_few_rows_of_narrow_integers_are_not_paired() -> None:
    def how(m: int, n: int) -> str:
        x, y = np.ones((m, 64), "i1"), np.ones((64, n), "i1")

        def product(x: Any, y: Any) -> Any:
            return lax.dot_general(x, y, (((1,), (0,)), ((), ())), preferred_element_type="int32")

        (eqn,) = jaxpr_of(product, x, y).eqns
        return choose_product(eqn, True).how

    assert [how(4, 64), how(64, 4), how(5, 64), how(64, 5)] == ["loops", "loops", "tiles", "tiles"]


def test_transposed_right_operands_are_moved_unless_rows_are_few() -> None:
    def kinds(rows: int) -> set[str]:
        x, w = whole(3, rows, 90), whole(3, 70, 90)
        product = lambda x, w: x @ w.mT  # noqa: E731
        run = executable_from(build_program(jaxpr_of(product, x, w), tiles=True))
        np.testing.assert_array_equal(run(x, w)[0], product(x, w))
        return {type(i).__name__ for i in walk_instructions(run.program.body)}

    assert kinds(50) == {"Launch"}
    assert kinds(5) == {"Gemm"}


@st.composite
def contractions(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...], DotDims]:
    """Shapes and axes, in any order."""
    sizes = [[draw(st.integers(1, 5)) for _ in range(draw(st.integers(0, 2)))] for _ in range(4)]
    batch, contract, left, right = sizes

    def side(kept: list[int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        tagged = [("b", k, n) for k, n in enumerate(batch)]
        tagged += [("c", k, n) for k, n in enumerate(contract)]
        tagged += [("k", k, n) for k, n in enumerate(kept)]
        order = draw(st.permutations(tagged))
        where = {(kind, k): axis for axis, (kind, k, _) in enumerate(order)}
        return (
            tuple(n for _, _, n in order),
            tuple(where["c", k] for k in range(len(contract))),
            tuple(where["b", k] for k in range(len(batch))),
        )

    (ls, lc, lb), (rs, rc, rb) = side(left), side(right)
    return ls, rs, DotDims(lc, rc, lb, rb)


def by_numpy(a: Any, b: Any, dims: DotDims) -> Any:
    """The contraction as an einsum."""
    left = [f"l{k}" for k in range(a.ndim)]
    right = [f"r{k}" for k in range(b.ndim)]
    for x, y in zip(
        (*dims.lhs_batch, *dims.lhs_contract), (*dims.rhs_batch, *dims.rhs_contract), strict=True
    ):
        right[y] = left[x]
    out = [left[k] for k in (*dims.lhs_batch, *dims.lhs_kept(a.ndim))]
    out += [right[k] for k in dims.rhs_kept(b.ndim)]
    number = {name: k for k, name in enumerate(dict.fromkeys(left + right))}
    return np.einsum(
        a, [number[n] for n in left], b, [number[n] for n in right], [number[n] for n in out]
    )


@given(contractions())
@settings(max_examples=60)
def test_every_contraction_by_tiles(case: Any) -> None:
    """However small, in every order of axes; against NumPy's einsum."""
    ls, rs, dims = case
    a, b = whole(*ls), whole(*rs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "TILE_LIMIT", 0)
        patch.setattr(products, "MIN_DEPTH", 0)
        patch.setattr(products, "TRANSPOSED_ROWS", 0)
        jaxpr = jaxpr_of(lambda a, b: dot_general(a, b, dims), a, b)
        run = executable_from(build_program(jaxpr, tiles=True))
    np.testing.assert_array_equal(run(a, b)[0], by_numpy(a, b, dims))


def kernels(f: Any, *args: Any) -> tuple[list[str], Any]:
    """Names of the kernels that run, in order, and the results."""
    run = executable_from(build_program(jaxpr_of(f, *args), tiles=True))
    launched = [i for i in walk_instructions(run.program.body) if isinstance(i, Launch)]
    assert not any(isinstance(i, Gemm) for i in walk_instructions(run.program.body))
    return [i.kernel.name for i in launched], run(*args)


def test_what_follows_a_product_elementwise_joins_it() -> None:
    x, w, b = whole(33, 40, dtype="f4"), whole(40, 50, dtype="f4"), whole(50, dtype="f4")

    def layer(x: Any, w: Any, b: Any) -> Any:
        return fnp.maximum(x @ w + b, 0) - 1

    names, (got,) = kernels(layer, x, w, b)
    assert len(names) == 1
    np.testing.assert_array_equal(got, np.maximum(x @ w + b, 0) - 1)


def test_an_update_joins_the_product_that_is_the_gradient() -> None:
    x, g, w = whole(33, 40), whole(33, 50), whole(40, 50)
    names, (got,) = kernels(lambda x, g, w: w - 0.5 * (x.T @ g), x, g, w)
    assert len(names) == 1
    np.testing.assert_array_equal(got, w - 0.5 * (x.T @ g))


def test_what_is_not_elementwise_follows_in_a_kernel_of_its_own() -> None:
    x, w = whole(33, 40), whole(40, 50)

    def f(x: Any, w: Any) -> Any:
        y = x @ w
        return y, y.sum(1), y[::-1], y + y.max(0)

    names, got = kernels(f, x, w)
    assert len(names) > 1
    y = x @ w
    for mine, want in zip(got, (y, y.sum(1), y[::-1], y + y.max(0)), strict=True):
        np.testing.assert_array_equal(mine, want)


def test_a_product_of_a_products_result() -> None:
    x, v, w = whole(40, 30), whole(30, 25), whole(25, 60)
    names, (got,) = kernels(lambda x, v, w: (x @ v + 1) @ w * 2, x, v, w)
    assert len(names) == 2
    np.testing.assert_array_equal(got, (x @ v + 1) @ w * 2)


def test_the_same_operand_twice() -> None:
    x = whole(40, 40)
    for f in (lambda x: x @ x, lambda x: x @ x.T, lambda x: x.T @ x, lambda x: (x @ x + x) * x):
        _, (got,) = kernels(f, x)
        np.testing.assert_array_equal(got, f(x))
