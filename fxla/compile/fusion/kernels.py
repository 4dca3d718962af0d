"""From groups to loop nests: the order of loops and the kinds of their axes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from fxla.compile.fusion.graph import Graph, Node, Value, size_of
from fxla.compile.fusion.group import (
    SMALL,
    ExpressionBuilder,
    Group,
    InnerLoop,
    full_index,
    kernel_buffer,
    vector_over_outer,
)
from fxla.compile.fusion.orientation import index_names
from fxla.compile.fusion.outermost import many_first
from fxla.compile.fusion.partial import in_two, loaded_buffers
from fxla.compile.fusion.rows import keep_rows, rows_of_one_size
from fxla.core.aval import Aval
from fxla.core.records import dataclass
from fxla.loops.contraction import CHUNK_WORK, STEP_WORK, block_contraction
from fxla.loops.ir import (
    Alloc,
    Assign,
    AxisKind,
    Buffer,
    Const,
    Extent,
    For,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Stmt,
    Store,
    While,
    walk_exprs,
    walk_stmts,
)
from fxla.loops.native.vectorize import stored_buffers
from fxla.loops.passes.abreast import rows_abreast
from fxla.loops.passes.collapse import collapse
from fxla.loops.passes.columns import Columns, sum_columns
from fxla.loops.passes.reshaped import as_read
from fxla.loops.passes.single import without_single_loops
from fxla.loops.passes.spread import is_independent
from fxla.loops.passes.straight import straight
from fxla.loops.passes.tile import blocks, tile_transposed, within
from fxla.loops.passes.undivide import undivide, unroll_short
from fxla.loops.rewrite import Rewriter, postorder, stmt_exprs
from fxla.loops.size import whole
from fxla.loops.view import (
    Nest,
    Phase,
    Reduce,
    Repeat,
    binary,
    cast,
    const,
    extent,
    fresh_index,
    int_const,
    op,
)

__all__ = ["KernelStep", "RepeatedSteps", "SummedColumns", "group_kernels", "nest_kernels"]

LANES = 256
"""Examples side by side that one chunk of a nest runs."""


@dataclass(eq=False, slots=True)
class KernelStep:
    """A kernel and the values behind its parameters.

    Attributes:
        work: of all its iterations; 0 if nobody said.
        columns: what the kernel is a part of, if it sums columns of blocks of rows.
    """

    kernel: Kernel
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    work: int = 0
    columns: SummedColumns | None = None


@dataclass(frozen=True, eq=False, slots=True)
class SummedColumns:
    """A kernel that sums columns, before its rows are cut into blocks.

    Attributes:
        kernel: with a loop over rows in every lane.
        inputs: the values behind its inputs.
        rows: how many there are.
        row: the index of the loop over them.
        cut: from the rows of a block to the kernel of the blocks, and that which combines them.
    """

    kernel: Kernel
    inputs: tuple[Value, ...]
    rows: int
    row: Index
    cut: Callable[[int], list[KernelStep]]


@dataclass(eq=False, slots=True)
class RepeatedSteps:
    """Kernels that run `times` times, one after the other."""

    times: int
    steps: tuple[KernelStep, ...]


def group_kernels(
    group: Group,
    outside: Collection[Value],
    cached: bool = True,
    plain: bool = False,
    repeated: bool = False,
) -> list[KernelStep]:
    """The kernel of a group, or two if it reduces a large array; none if it writes nothing.

    Args:
        group: not empty.
        outside: the values that something else reads.
        cached: whether what only the group reads may wait in scratch memory.
        plain: whether it is to be a part of another kernel, where small loops are written out.
        repeated: whether it runs in a loop.
    """
    step = _group_kernel(group, outside, cached, plain, STEP_WORK if repeated else CHUNK_WORK)
    if not step.outputs:
        return []
    if size_of(group.outer) == 1:
        two = in_two(step.kernel)
        if two is not None:
            return _in_two_steps(group, step, two.blocks, two.rest, two.partial)
    elif cached:
        columns = sum_columns(step.kernel)
        if columns is not None and columns.rest is not None:
            first, second = _summed(group, step, columns)
            first.columns = _before_cut(group, step, columns)
            return [first, second]
        if columns is not None:
            return [replace(step, kernel=columns.kernel)]
        return [replace(step, kernel=_lanes_in_parallel(step.kernel))]
    return [step]


def _before_cut(group: Group, step: KernelStep, columns: Columns) -> SummedColumns | None:
    """The kernel of a group whose columns are summed, if its rows are one axis."""
    if columns.row is None:
        return None

    def cut(rows: int) -> list[KernelStep]:
        again = sum_columns(step.kernel, rows)
        assert again is not None
        return _summed(group, step, again)

    return SummedColumns(step.kernel, step.inputs, columns.rows, columns.row, cut)


def _summed(group: Group, step: KernelStep, columns: Columns) -> list[KernelStep]:
    assert columns.rest is not None
    return _in_two_steps(group, step, columns.kernel, columns.rest, columns.partial)


def _in_two_steps(
    group: Group, step: KernelStep, first: Kernel, second: Kernel, partial: tuple[Buffer, ...]
) -> list[KernelStep]:
    """A kernel of partial results, and the one that combines them."""
    between = [Value(Aval(literal_shape(b), b.dtype), stored=True) for b in partial]
    by_name = {b.name: v for v, b in group.inputs.items()}
    by_name |= {b.name: v for v, b in group.outputs.items()}
    by_name |= {b.name: v for v, b in zip(between, partial, strict=True)}
    return [
        KernelStep(
            kernel,
            tuple([by_name[b.name] for b in kernel.inputs]),
            tuple([by_name[b.name] for b in kernel.outputs]),
        )
        for kernel in (first, second)
    ]


def literal_shape(b: Buffer) -> tuple[int, ...]:
    """The shape of a buffer whose extents are numbers."""
    shape: list[int] = []
    for n in b.shape:
        assert isinstance(n, (Const, Extent))
        shape.append(whole(n.value))
    return tuple(shape)


def _group_kernel(
    group: Group, outside: Collection[Value], cached: bool, plain: bool, work: int
) -> KernelStep:
    """The loop nest of a group."""
    for value in group.place:
        if value in outside:
            group.buffer_of(value)
    written = set(group.outputs)
    if group.is_product:
        tiled = _product_kernel(group, written, work)
        if tiled is not None:
            return KernelStep(tiled, tuple(group.inputs), tuple(group.outputs))
    over_outer = vector_over_outer(group, narrow=plain)
    body: list[Stmt] = []
    for loop in group.loops:
        body += _inner_statements(group, loop, written, over_outer)
    if over_outer and not plain:
        body = list(straight(body))
    kinds: list[AxisKind] = ["serial"] * len(group.outer)
    has_inner = any(lp.extents for lp in group.loops)
    if kinds and (over_outer or not has_inner):
        kinds[-1] = "vector"
    if len(kinds) > 1 or (kinds and has_inner and not over_outer):
        kinds[0] = "parallel"
    nest = wrap(group.index, group.outer, tuple(body), kinds)
    name = kernel_name(group)
    kernel = Kernel(name, tuple(group.inputs.values()), tuple(group.outputs.values()), (), nest)
    if cached:
        kernel = keep_rows(group, outside, kernel)
    if not plain:
        kernel = collapse(undivide(collapse(as_read(kernel))))
        kernel = rows_of_one_size(without_single_loops(kernel))
        kernel = tile_transposed(unroll_short(kernel))
        kernel = rows_abreast(kernel) if cached else kernel
    elif any(n > SMALL for v in (*group.inputs, *group.outputs) for n in v.aval.shape):
        kernel = collapse(undivide(collapse(as_read(kernel))))
    kernel = _in_parallel(kernel)
    if not plain:
        every = all(_is_map(s) for s in kernel.body if isinstance(s, For))
        kernel = many_first(kernel, lambda loop: every or is_independent(loop))
    kept = {b.name for b in kernel.outputs}
    outputs = tuple([v for v, b in group.outputs.items() if b.name in kept])
    return KernelStep(kernel, tuple(group.inputs), outputs)


def _product_kernel(group: Group, written: set[Value], work: int) -> Kernel | None:
    """A contraction and what follows each of its sums, in chunks of results."""
    body: list[Stmt] = []
    for loop in group.loops:
        body += _inner_statements(group, loop, written, over_outer=True)
    kinds: list[AxisKind] = ["serial"] * len(group.outer)
    nest = wrap(group.index, group.outer, tuple(body), kinds)
    buffers = tuple(group.inputs.values()), tuple(group.outputs.values())
    kernel = Kernel(kernel_name(group), *buffers, (), nest)
    return block_contraction(collapse(undivide(collapse(as_read(kernel)))), work)


def _in_parallel(kernel: Kernel) -> Kernel:
    """A map of one vector loop runs on ranges of it, as vectors again, in parallel.

    The outermost of several loops of a map, of which passes may have made others, is parallel too.
    """
    match kernel.body:
        case (For(kind="vector", extent=Extent(value=n), body=body) as loop,) if n > SMALL:
            if not any(isinstance(s, For) and s.kind != "unroll" for s in body):
                return replace(kernel, body=(replace(loop, kind="parallel"),))
        case (For(kind="serial", body=(For(),)) as loop,) if _is_map(loop):
            return replace(kernel, body=(replace(loop, kind="parallel"),))
    return kernel


def _lanes_in_parallel(kernel: Kernel) -> Kernel:
    """Examples side by side in lanes, each with a loop of its own, are shared out in blocks."""
    match kernel.body:
        case (For(kind="vector", extent=Extent(value=n), body=body) as loop,) if n >= 2 * LANES:
            return replace(kernel, body=_in_blocks(loop.index, whole(n), body))
    return kernel


def _is_map(loop: For) -> bool:
    """Whether a nest computes every element by itself."""
    return all(
        isinstance(s, For | Store) or (isinstance(s, Let) and not s.mutable)
        for s in walk_stmts(loop.body)
    )


def kernel_name(group: Group) -> str:
    """A name that says what the kernel computes, from its values' primitives."""
    names: list[str] = []
    for value in group.place:
        assert value.producer is not None
        name = value.producer.eqn.primitive.name
        if name not in names:
            names.append(name)
    return "_".join(names[:4]) + ("_etc" if len(names) > 4 else "")


def wrap(
    index: tuple[Index, ...],
    extents: tuple[int, ...],
    body: tuple[Stmt, ...],
    kinds: list[AxisKind],
) -> tuple[Stmt, ...]:
    """Loops around a block, first index outermost."""
    for i, n, kind in reversed(list(zip(index, extents, kinds, strict=True))):
        body = (For(i, extent(n), body, kind),)
    return body


def _inner_statements(
    group: Group, loop: InnerLoop, written: set[Value], over_outer: bool
) -> list[Stmt]:
    """The statements of one inner loop."""
    kinds: list[AxisKind] = ["serial"] * len(loop.extents)
    if kinds and not over_outer:
        kinds[-1] = "vector"
    before: list[Stmt] = []
    inside: list[Stmt] = []
    after: list[Stmt] = []
    for m in loop.members:
        form, local = m.value.form, m.local
        if not isinstance(form, Reduce):
            inside.append(Let(local, m.expr))
            if m.value in written:
                where = full_index(group, loop, m.value.aval.shape)
                inside.append(Store(group.outputs[m.value], where, local))
            continue
        before.append(Let(local, const(form.init, local.dtype), mutable=True))
        total = op(form.op, local.dtype, local, cast(m.expr, local.dtype))
        inside.append(Assign(local, total))
        if m.value in written:
            value = cast(local, m.value.aval.dtype)
            after.append(Store(group.outputs[m.value], group.index, value))
    index, extents = loop.index, loop.extents
    if kinds and not over_outer and not loop.maps:
        order = _nearest_last(loop)
        index = tuple([index[k] for k in order])
        extents = tuple([extents[k] for k in order])
    return [*before, *wrap(index, extents, tuple(inside), kinds), *after]


def _nearest_last(loop: InnerLoop) -> list[int]:
    """The order of the axes of a sum: lanes run along that by which most operands are contiguous.

    They do so along the last one, if it is as good: a sum over images and places, the derivative of
    a convolution by its kernel, has its images last.
    """
    names = [i.name for i in loop.index]
    votes = dict.fromkeys(names, 0)
    for m in loop.members:
        for e in walk_exprs(m.expr):
            if isinstance(e, Load) and e.index:
                near = index_names(e.index[-1])
                apart = set().union(*map(index_names, e.index[:-1]))
                for name in names:
                    votes[name] += (name in near) - (name in apart)
    last = len(names) - 1
    sizes = [whole(n) for n in loop.extents]
    best = max(range(len(names)), key=lambda k: (sizes[k] > SMALL, votes[names[k]], k))
    if votes[names[best]] <= votes[names[last]] or not sizes[best] > SMALL:
        best = last
    return [k for k in range(len(names)) if k != best] + [best]


def _suits_lanes(body: tuple[Stmt, ...], name: str) -> bool:
    """Whether examples side by side in lanes read and write side by side in memory."""
    votes = 0
    for s in walk_stmts(body):
        if isinstance(s, (Alloc, While)) or (isinstance(s, For) and s.kind == "vector"):
            return False
        accesses = [s.index] if isinstance(s, Store) else []
        accesses += [e.index for e in postorder(stmt_exprs(s)) if isinstance(e, Load)]
        for index in accesses:
            if index and not isinstance(index[-1], Local):  # a place found out on the way is any
                votes += 1 if name in index_names(index[-1]) else -1
    return votes > 0


def _in_blocks(i: Index, n: int, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """A vector loop cut into blocks, which run in parallel."""
    block, lane = fresh_index("b"), fresh_index("k")
    position = binary("add", binary("mul", block, int_const(LANES)), lane)
    body = Rewriter(lambda e: position if e == i else e).block(body)
    inner = For(lane, within(extent(n), block, LANES), body, "vector")
    return (For(block, blocks(extent(n), LANES), (inner,), "parallel"),)


def nest_kernels(graph: Graph, node: Node) -> list[KernelStep | RepeatedSteps]:
    """The loop nests of a node that wrote its own statements, one for each of its phases."""
    form = node.form
    assert isinstance(form, Nest)
    scratch = [Value(Aval(shape, dtype), stored=True) for shape, dtype in form.scratch]
    written = (*node.outputs, *scratch)
    phases = [*form.before, Phase(form.parallel, form.body, form.work)]

    def kernel(phase: Phase) -> KernelStep:
        return _phase_kernel(graph, node, phase, written, form.lanes, len(phases) > 1)

    return [
        RepeatedSteps(phase.times, tuple([kernel(p) for p in phase.phases]))
        if isinstance(phase, Repeat)
        else kernel(phase)
        for phase in phases
    ]


def _phase_kernel(
    graph: Graph, node: Node, phase: Phase, written: tuple[Value, ...], lanes: bool, several: bool
) -> KernelStep:
    """The loop nest of one phase, given the node's outputs and scratch arrays."""
    index = tuple([fresh_index() for _ in phase.parallel])
    holder = Group(graph, phase.parallel, index)
    loop = InnerLoop((), ())
    builder = ExpressionBuilder(holder, loop, -1)
    outputs = tuple([kernel_buffer(f"out{k}", v) for k, v in enumerate(written)])
    graph.reader = builder.read
    try:
        body = tuple(phase.body(index, outputs))
    finally:
        graph.reader = None
    kinds: list[AxisKind] = ["serial"] * len(phase.parallel)
    lanes = lanes and not any(isinstance(s, For) for s in body)
    # The phases of one nest run long blocks, of unlike lengths: no lanes beside each other.
    lanes = lanes or (not several and _suits_lanes(body, index[-1].name if index else ""))
    if kinds and phase.parallel[-1] > SMALL and lanes:
        kinds[-1] = "vector"
    if kinds and (len(kinds) > 1 or kinds[0] == "serial"):
        kinds[0] = "parallel"
    if kinds == ["vector"] and phase.parallel[0] >= 2 * LANES:
        nest = _in_blocks(index[0], phase.parallel[0], body)
    else:
        nest = wrap(index, phase.parallel, body, kinds)
    inputs, given = dict(holder.inputs), dict(zip(written, outputs, strict=True))
    if several:
        stored, read = stored_buffers(nest), loaded_buffers(nest)
        inputs |= {v: b for v, b in given.items() if b.name in read - stored}
        given = {v: b for v, b in given.items() if b.name in stored}
    name = node.eqn.primitive.name
    kernel = Kernel(name, tuple(inputs.values()), tuple(given.values()), (), nest)
    kernel = many_first(kernel, lambda loop: loop.index in index)
    return KernelStep(kernel, tuple(inputs), tuple(given), phase.work)
