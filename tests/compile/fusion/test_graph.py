"""Programs in lowered form: what reads what, at which index, at what cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.fusion.graph import Graph, build_graph, index_key, iteration_shape, size_of
from fxla.compile.passes.simplify import simplify
from fxla.core.aval import Aval
from fxla.core.jaxpr import Literal
from fxla.core.trace import typeof
from fxla.loops.ir import Index
from fxla.loops.view import Nest, Reduce, View, extent, fresh_index, int_const


def graph_of(f: Any, *args: Any) -> Graph:
    jaxpr = simplify(fxla.make_jaxpr(f)(*args).jaxpr)
    return build_graph(jaxpr, lambda eqn, views: eqn.primitive.lower(*views, **eqn.params))


X = np.ones((30, 40))


def test_forms() -> None:
    graph = graph_of(lambda x: fnp.cumsum(fnp.sin(x).sum(1)), X)
    forms = [type(n.form) for n in graph.nodes]
    assert forms[:2] == [View, Reduce]
    assert forms[-1] is Nest
    reduction = graph.nodes[1]
    assert isinstance(reduction.form, Reduce)
    assert iteration_shape(reduction.form) == (30, 40)
    assert graph.outputs[0].producer is graph.nodes[-1]
    assert graph.inputs[0].stored


def test_reads_are_noted_by_index() -> None:
    graph = graph_of(lambda x: x + x[:, ::-1] * x, X)
    out = graph.outputs[0]
    (again,) = [v for v in out.reads if v is graph.inputs[0]]
    assert [index_key(i) for i in out.reads[again]] == [index_key(out.index)]


def test_costs() -> None:
    cheap = graph_of(lambda x: x + x, X).outputs[0].own_cost
    dear = graph_of(fnp.exp, X).outputs[0].own_cost
    assert 0 < cheap < dear


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2.0, True), (-0.5, True), (0.0, True), (8, True), (-3, True), (np.inf, True),
        (np.nan, True), (True, True), (1 + 2j, True), (np.float16(0.5), True),
        (0.1, False), (1 / 3, False), (100.0, False), (1000, False), (np.int32(17), False),
        (np.float32(0.1), False), (np.float16(0.1), False), (0.1 + 2j, False),
    ],
)  # fmt: skip
def test_only_simple_numbers_are_written_into_kernels(value: Any, written: bool) -> None:
    """Others may follow from a size, and a kernel serves all sizes."""
    graph = Graph()
    made = graph.scalar(Literal(value, typeof(value)))
    assert (made.literal is not None) is written
    assert made.stored is not written
    if not written:
        assert graph.scalar(Literal(value, typeof(value))) is made
        assert made.constant.dtype == made.aval.dtype


def test_scalars_of_different_types_are_different() -> None:
    graph = Graph()
    narrow = graph.scalar(Literal(0.1, Aval((), np.dtype("float32"), True)))
    wide = graph.scalar(Literal(0.1, Aval((), np.dtype("float64"), True)))
    assert narrow is not wide
    assert narrow.constant == np.float32(0.1)


def test_keys_of_indices() -> None:
    i, j = fresh_index(), fresh_index()
    assert index_key((i, int_const(0))) == index_key((Index(i.dtype, i.name), extent(0)))
    assert index_key((i,)) != index_key((j,))
    assert size_of((2, 3, 4)) == 24
    assert size_of(()) == 1
