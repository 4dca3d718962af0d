"""The equations of a jaxpr in lowered form, and what reads what.

Lowering an equation needs views of its inputs before anyone has decided whether an input will be an
array in memory or an expression computed on the fly. So each input is given as a view that asks the
graph's current *reader* when it is indexed: the fusion pass reads through a counting reader, the
scheduler through one that builds a kernel.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from fxla.compile.regions import Region
from fxla.core.aval import Aval
from fxla.core.dtypes import DType, is_bool
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var
from fxla.core.records import dataclass
from fxla.loops.ir import Buffer, Const, Expr, Extent, Index, Load, Op, Select, walk_exprs
from fxla.loops.scalar import SCALAR_OPS
from fxla.loops.view import Handed, IndexTuple, Nest, Opaque, Reduce, View, const, fresh_index

__all__ = [
    "Graph",
    "IndexKeys",
    "Node",
    "Value",
    "build_graph",
    "is_simple",
    "iteration_shape",
    "same_index",
]

Form = View | Reduce | Nest | Opaque | Handed | Region
Reader = Callable[["Value", IndexTuple], Expr]


@dataclass(eq=False, slots=True)
class Value:
    """What a variable holds.

    Attributes:
        aval: its type.
        producer: the node that makes it; None for an input of the program.
        form: how an element is found, if by a View or Reduce.
        reads: for each value its form reads: the indices read at, for one element.
        index: the index variables that `reads` is in terms of.
        own_cost: operations of its own form for one element.
        inline_cost: operations for one element if all it reads through is recomputed.
        segment: which part of a long straight program it is computed in.
        times: how often each element is computed, if it is not stored.
        stored: whether it gets memory.
        literal: its value, if it is a scalar written into the kernels that read it.
        written: the expression of its literal, once it was read.
        constant: its value, if it is a scalar that kernels load.
    """

    aval: Aval
    producer: Node | None = None
    form: View | Reduce | None = None
    reads: dict[Value, list[IndexTuple]] = field(default_factory=dict)
    index: IndexTuple = ()
    own_cost: float = 0.0
    inline_cost: float = 0.0
    segment: int = 0
    times: float = 1.0
    stored: bool = False
    literal: Literal | None = None
    written: Expr | None = None
    constant: Any = None


@dataclass(eq=False, slots=True)
class Node:
    """An equation in lowered form.

    Attributes:
        eqn: the equation.
        form: how it is computed.
        inputs, outputs: its values.
        in_place: (operand, result) positions of what is written over an operand.
    """

    eqn: Eqn
    form: Form
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...] = ()
    in_place: tuple[tuple[int, int], ...] = ()


@dataclass(eq=False)
class Graph:
    """A lowered program."""

    inputs: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    constants: dict[tuple[str, bytes], Value] = field(default_factory=dict)
    literals: dict[tuple[DType, bytes, bool], Value] = field(default_factory=dict)
    reader: Reader | None = None

    def release(self) -> None:
        """Take the graph apart once it is used: circles would wait for a collection."""
        for node in self.nodes:
            node.outputs = ()
        for table in (self.inputs, self.nodes, self.outputs, self.constants, self.literals):
            table.clear()

    def scalar(self, literal: Literal) -> Value:
        """A literal as a value.

        Only simple numbers are written into kernels: others may follow from sizes (a mean divides
        by one, an index counts from the end), and a kernel shall serve all sizes.
        """
        aval = literal.aval
        number = np.asarray(literal.value).astype(aval.dtype)
        content = number.tobytes()
        known = self.literals.get((aval.dtype, content, aval.weak_type))
        if known is not None:
            return known
        if is_bool(aval.dtype) or is_simple(number):
            found = Value(aval, literal=literal)
        else:
            key = (aval.dtype.name, content)
            if key not in self.constants:
                self.constants[key] = Value(aval.strong(), stored=True, constant=number)
            found = self.constants[key]
        self.literals[aval.dtype, content, aval.weak_type] = found
        return found

    def read(self, value: Value, index: IndexTuple) -> Expr:
        """An element of a value, as the current reader gives it."""
        if value.written is not None:
            return value.written
        if value.literal is not None:
            value.written = const(value.literal.value, value.aval.dtype)
            return value.written
        assert self.reader is not None
        return self.reader(value, index)

    def view(self, value: Value) -> View:
        """The value as a view whose elements are asked of the reader."""
        return View(value.aval.shape, value.aval.dtype, lambda i: self.read(value, i))


def is_simple(number: Any) -> bool:
    """Whether a number is a small multiple of a half, an infinity or NaN."""
    wide = complex(number)
    return all(
        not math.isfinite(part) or (abs(part) <= 8 and (2 * part).is_integer())
        for part in (wide.real, wide.imag)
    )


def index_key(index: IndexTuple) -> tuple[Any, ...]:
    """A key under which equal index tuples of one kernel are the same."""
    return tuple(
        [
            e.name if isinstance(e, Index) else ("n", e.value)
            if isinstance(e, (Const, Extent)) else id(e)
            for e in index
        ]
    )  # fmt: skip


def same_index(a: IndexTuple, b: IndexTuple) -> bool:
    """Whether two index tuples of one kernel are the same."""
    return a is b or index_key(a) == index_key(b)


class IndexKeys:
    """The keys of index tuples, which are kept: many values are read at the same one."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[IndexTuple, tuple[Any, ...]]] = {}

    def __call__(self, index: IndexTuple) -> tuple[Any, ...]:
        known = self._known.get(id(index))
        if known is None:
            known = self._known[id(index)] = (index, index_key(index))
        return known[1]


@functools.cache
def _anything(dtype: DType) -> Buffer:
    """What stands for an array of which only the elements' type counts."""
    return Buffer("x", dtype, ())


def iteration_shape(form: View | Reduce) -> tuple[int, ...]:
    """The loops it takes to compute all elements."""
    return form.shape if isinstance(form, View) else (*form.shape, *form.extents)


def build_graph(jaxpr: Jaxpr, lower_eqn: Callable[[Eqn, Sequence[View]], Any]) -> Graph:
    """Lower every equation.

    Args:
        jaxpr: simplified.
        lower_eqn: calls the primitive's lower rule, or serves it by a library.
    """
    graph = Graph()
    env: dict[Var, Value] = {}
    for var in jaxpr.invars:
        env[var] = Value(var.aval, stored=True)
        graph.inputs.append(env[var])

    def value_of(atom: Atom) -> Value:
        if isinstance(atom, Literal):
            return graph.scalar(atom)
        return env[atom]

    for eqn in jaxpr.eqns:
        inputs = tuple([value_of(a) for a in eqn.inputs])
        lowered = lower_eqn(eqn, [graph.view(v) for v in inputs])
        outputs = tuple([Value(v.aval) for v in eqn.outputs])
        if isinstance(lowered, tuple):
            for one, out, var in zip(lowered, outputs, eqn.outputs, strict=True):
                node = Node(eqn, one, inputs, (out,))
                out.producer, out.form = node, one
                graph.nodes.append(node)
                env[var] = out
                _survey(graph, out)
            continue
        node = Node(eqn, lowered, inputs, outputs)
        for out, var in zip(outputs, eqn.outputs, strict=True):
            out.producer = node
            env[var] = out
        graph.nodes.append(node)
    graph.outputs = [value_of(a) for a in jaxpr.outs]
    return graph


def _survey(graph: Graph, value: Value) -> None:
    """Find what one element of a value reads and costs, by indexing it once."""
    form = value.form
    assert form is not None
    reads: dict[Value, list[IndexTuple]] = {}
    loads: dict[tuple[int, Any], Expr] = {}

    keys = IndexKeys()

    def note(source: Value, index: IndexTuple) -> Expr:
        key = (id(source), keys(index))
        if key not in loads:
            loads[key] = Load(source.aval.dtype, _anything(source.aval.dtype), index)
            reads.setdefault(source, []).append(index)
        return loads[key]

    graph.reader = note
    index = tuple([fresh_index() for _ in iteration_shape(form)])
    if isinstance(form, View):
        element = form.at(index)
    else:
        rank = len(form.shape)
        element = form.element(index[:rank], index[rank:])
    graph.reader = None
    value.reads = reads
    value.index = index
    value.own_cost = expression_cost(element)


def expression_cost(e: Expr) -> float:
    """Arithmetic of an expression; index arithmetic inside loads counts too, at a discount."""
    total = 0.0
    for node in walk_exprs(e):
        if isinstance(node, Op):
            cost = SCALAR_OPS[node.name].cost
            total += cost if node.dtype.kind in "fcb" else min(cost, 4) * 0.5
        elif isinstance(node, Select):
            total += 1.0
    return total


def size_of(shape: Sequence[int]) -> int:
    """Number of elements."""
    return math.prod(shape)
