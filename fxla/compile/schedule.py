"""From stored values to kernels: grouping, loop order, axis kinds.

A *group* becomes one kernel: outer loops over a common index space, and inside them a sequence of
inner loops, each a map (computes and stores elements) or a reduction. Softmax over rows is one
group: the outer loop runs over rows; inside are a maximum, a sum, and a map.

A value joins an earlier group if all it reads of that group is at the same outer index, so that no
iteration needs another's result. Otherwise it starts a group of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fxla.compile.graph import Graph, Node, Value, index_key, size_of
from fxla.compile.partial import LARGE, in_two
from fxla.core.aval import Aval
from fxla.core.dtypes import DType, float32, is_floating
from fxla.loops.collapse import collapse
from fxla.loops.ir import (
    Alloc,
    Assign,
    AxisKind,
    Buffer,
    Expr,
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
from fxla.loops.rewrite import Rewriter, postorder, stmt_exprs
from fxla.loops.tile import blocks, tile_transposed, within
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Reduce,
    View,
    binary,
    cast,
    const,
    extent,
    fresh_index,
    fresh_local,
    int_const,
    op,
)

__all__ = ["Group", "Item", "KernelStep", "schedule"]

LOOK_BACK = 12
"""How many earlier groups a value tries to join."""
MAX_GROUP_COST = 3000.0
MAX_MEMBERS = 64
"""Values computed in one kernel; the time to compile grows faster than their number."""
SMALL = 8
"""Loops of at most this many iterations are not worth vectors of their own."""
COLUMNS = 1024
"""Results that a reduction over leading axes keeps in the first cache."""
SMALL_SIZE = 4096
"""Groups of at most this many elements are joined even if they share no operand."""


class NotFusibleError(Exception):
    """A value reads another of the same group at an index that is not ready."""


@dataclass(eq=False, slots=True)
class Member:
    """A value computed in a group."""

    value: Value
    expr: Expr
    local: Local


@dataclass(eq=False, slots=True)
class InnerLoop:
    """One loop nest inside a group's outer loops; `reduces` if its members are reductions."""

    extents: tuple[int, ...]
    index: tuple[Index, ...]
    reduces: bool
    members: list[Member] = field(default_factory=list)


@dataclass(eq=False)
class Group:
    """Values computed by one kernel."""

    graph: Graph
    outer: tuple[int, ...]
    index: tuple[Index, ...]
    loops: list[InnerLoop] = field(default_factory=list)
    place: dict[Value, tuple[int, Member]] = field(default_factory=dict)
    inputs: dict[Value, Buffer] = field(default_factory=dict)
    outputs: dict[Value, Buffer] = field(default_factory=dict)
    cost: float = 0.0

    def reads_any(self, values: Iterable[Value]) -> bool:
        """Whether the group reads or computes one of `values`."""
        return any(v in self.inputs or v in self.place for v in values)

    def is_full(self) -> bool:
        """Whether a kernel of this group is as large as a kernel should be."""
        return self.cost > MAX_GROUP_COST or len(self.place) >= MAX_MEMBERS

    def buffer_of(self, value: Value) -> Buffer:
        """The kernel parameter for a stored value."""
        table = self.outputs if value in self.place else self.inputs
        if value not in table:
            stem = "out" if table is self.outputs else "x"
            table[value] = kernel_buffer(f"{stem}{len(table)}", value)
        return table[value]


def kernel_buffer(name: str, value: Value) -> Buffer:
    """A kernel parameter for a value."""
    return Buffer(name, value.aval.dtype, tuple(extent(n) for n in value.aval.shape))


class _Builder:
    """Builds the expression of one value inside one loop of a group."""

    def __init__(self, group: Group, loop: InnerLoop, number: int) -> None:
        self.group = group
        self.loop = loop
        self.number = number
        self.memo: dict[tuple[object, ...], tuple[Expr, IndexTuple]] = {}
        self.outer_key = index_key(group.index)
        self.full_key = (*self.outer_key, *index_key(loop.index))
        self.inputs: list[Value] = []
        self.reloaded: list[Value] = []

    def read(self, value: Value, index: IndexTuple) -> Expr:
        key = (id(value), *index_key(index))
        known = self.memo.get(key)
        if known is None:
            known = self.memo[key] = (self.find(value, index), index)
        return known[0]

    def find(self, value: Value, index: IndexTuple) -> Expr:
        place = self.group.place.get(value)
        if place is not None:
            return self.find_member(value, index, *place)
        if value.stored:
            self.inputs.append(value)
            return Load(value.aval.dtype, self.group.buffer_of(value), index)
        assert isinstance(value.form, View)
        return value.form.at(index)

    def find_member(self, value: Value, index: IndexTuple, number: int, member: Member) -> Expr:
        loop = self.group.loops[number]
        key = index_key(index)
        if not loop.reduces:
            key = key[: len(self.outer_key) + len(loop.index)]
        if loop.reduces:
            if number == self.number or key != self.outer_key:
                raise NotFusibleError
            return cast(member.local, value.aval.dtype)
        if number == self.number:
            if key != self.full_key:
                raise NotFusibleError
            return member.local
        rank = len(self.outer_key)
        if key[:rank] != self.outer_key:
            raise NotFusibleError
        if not loop.extents:
            return member.local
        self.reloaded.append(value)
        return Load(value.aval.dtype, self.group.buffer_of(value), index)


def accumulator_dtype(dtype: DType) -> DType:
    """Small floats are summed in float32."""
    return float32 if is_floating(dtype) and dtype.itemsize < 4 else dtype


def add_member(group: Group, value: Value) -> bool:
    """Compute `value` in `group` if its reads allow it; returns whether they do."""
    form = value.form
    assert isinstance(form, (View, Reduce))
    reduces = isinstance(form, Reduce)
    rank = len(group.outer)
    extents = form.extents if isinstance(form, Reduce) else inner_extents(form.shape, rank)
    last = len(group.loops) - 1
    open_loop = group.loops[last] if group.loops else None
    if (
        open_loop is not None
        and (open_loop.reduces, open_loop.extents) == (reduces, extents)
        and _try_loop(group, value, open_loop, last)
    ):
        return True
    if (
        reduces
        and not group.outer
        and _is_large(extents)
        and any(lp.reduces and _is_large(lp.extents) for lp in group.loops)
    ):
        return False  # each is two kernels, and all of the first must be done before the second
    fresh = InnerLoop(extents, tuple([fresh_index("r" if reduces else "j") for _ in extents]),
                      reduces)  # fmt: skip
    group.loops.append(fresh)
    if _try_loop(group, value, fresh, last + 1):
        return True
    group.loops.pop()
    return False


def _is_large(extents: tuple[int, ...]) -> bool:
    return size_of(extents) >= LARGE


def inner_extents(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """The axes of a map inside `rank` outer ones; none if they are all of size 1."""
    inner = shape[rank:]
    return () if all(n == 1 for n in inner) else inner


def full_index(group: Group, loop: InnerLoop, shape: tuple[int, ...]) -> IndexTuple:
    """The index of a map's element; axes of size 1 without a loop are at 0."""
    index = (*group.index, *loop.index)
    return (*index, *[int_const(0)] * (len(shape) - len(index)))


def _try_loop(group: Group, value: Value, loop: InnerLoop, number: int) -> bool:
    form = value.form
    builder = _Builder(group, loop, number)
    before = {**group.inputs, **group.outputs}
    group.graph.reader = builder.read
    try:
        if isinstance(form, Reduce):
            expr = form.element(group.index, loop.index)
        else:
            assert isinstance(form, View)
            expr = form.at(full_index(group, loop, form.shape))
    except NotFusibleError:
        for table in (group.inputs, group.outputs):
            for v in [v for v in table if v not in before]:
                del table[v]
        return False
    finally:
        group.graph.reader = None
    if loop.reduces and loop.members and not _share_a_load(loop.members[0].expr, expr):
        return False
    dtype = value.aval.dtype
    local = (
        fresh_local(accumulator_dtype(dtype), "acc") if loop.reduces else fresh_local(dtype, "t")
    )
    member = Member(value, expr, local)
    loop.members.append(member)
    group.place[value] = (number, member)
    group.cost += value.inline_cost + 1
    return True


def _share_a_load(a: Expr, b: Expr) -> bool:
    """Whether two reductions read some element in the same step: only then one loop is better."""

    def loads(e: Expr) -> set[object]:
        return {(x.buffer.name, index_key(x.index)) for x in walk_exprs(e) if isinstance(x, Load)}

    return not loads(a).isdisjoint(loads(b))


def split_outer(group: Group, rank: int) -> Group | None:
    """A pure map seen as outer loops over its first `rank` axes, and a map over the rest."""
    if len(group.loops) != 1 or group.loops[0].extents or group.loops[0].reduces:
        return None
    if rank >= len(group.outer):
        return None
    inner = InnerLoop(group.outer[rank:], group.index[rank:], False, group.loops[0].members)
    return Group(
        group.graph, group.outer[:rank], group.index[:rank], [inner], group.place,
        group.inputs, group.outputs, group.cost,
    )  # fmt: skip


@dataclass(eq=False, slots=True)
class KernelStep:
    """A kernel and the values behind its parameters."""

    kernel: Kernel
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


Item = Group | Node


def schedule(graph: Graph) -> list[Item]:
    """Groups, and the nodes that are not pull arrays or reductions, in an order that runs."""
    items: list[Item] = []
    position: dict[Value, int] = dict.fromkeys(graph.inputs, -1)
    for node in graph.nodes:
        if not isinstance(node.form, (View, Reduce)):
            items.append(node)
            for out in node.outputs:
                position[out] = len(items) - 1
            continue
        (value,) = node.outputs
        if not value.stored:
            continue
        needs = stored_dependencies(value)
        earliest = max((position.get(d, -1) for d in needs), default=-1)
        at = _join(items, value, earliest, needs)
        if at is None:
            outer = node.form.shape
            group = Group(graph, outer, tuple([fresh_index() for _ in outer]))
            if not add_member(group, value):
                raise AssertionError("a value alone in its group always fits")
            items.append(group)
            at = len(items) - 1
        position[value] = at
    return items


def stored_dependencies(value: Value) -> set[Value]:
    """The stored values that an expression of `value` reaches."""
    found: set[Value] = set()
    seen: set[Value] = set()
    stack = list(value.reads)
    while stack:
        v = stack.pop()
        if v in seen:
            continue
        seen.add(v)
        if v.stored:
            found.add(v)
        else:
            stack.extend(v.reads)
    return found


def _join(items: list[Item], value: Value, earliest: int, needs: set[Value]) -> int | None:
    """The position of a group that `value` was added to, or None."""
    form = value.form
    assert isinstance(form, (View, Reduce))
    first = max(earliest, len(items) - LOOK_BACK, 0)
    for at in range(first, len(items)):
        group = items[at]
        if not isinstance(group, Group) or group.is_full():
            continue
        small = size_of(form.shape) <= SMALL_SIZE
        if not (small or group.reads_any(needs)):
            continue
        if isinstance(form, Reduce):
            if size_of(form.shape) == 0 or (0 in form.extents):
                continue
            if group.outer != form.shape:
                split = (
                    split_outer(group, len(form.shape))
                    if form.shape and group.outer == (*form.shape, *form.extents)
                    else None
                )
                if split is None or not group.reads_any(needs):
                    continue
                if add_member(split, value):
                    items[at] = split
                    return at
                continue
            if not form.shape and not group.reads_any(needs):
                continue
        else:
            rank = len(group.outer)
            if form.shape[:rank] != group.outer or 0 in form.shape:
                continue
            if inner_extents(form.shape, rank) and not _has_rows(group):
                continue
        if add_member(group, value):
            return at
    return None


def _has_rows(group: Group) -> bool:
    """Whether a group reduces along rows, so that maps over the rows can follow inside."""
    return bool(
        group.outer and any(lp.reduces for lp in group.loops) and not _vector_over_outer(group)
    )


def used_outside(graph: Graph, items: list[Item]) -> set[Value]:
    """Values that some other item, or the caller, reads: the ones that must be written."""
    outside: set[Value] = set(graph.outputs)
    for item in items:
        if isinstance(item, Group):
            outside.update(v for v in item.inputs)
        else:
            for v in item.inputs:
                outside.update([v] if v.stored else stored_dependencies(v))
    return outside


def group_kernels(group: Group, outside: set[Value]) -> list[KernelStep]:
    """The kernel of a group, or two if it reduces a large array; none if it writes nothing."""
    step = _group_kernel(group, outside)
    two = in_two(step.kernel) if not group.outer else None
    if not step.outputs:
        return []
    if two is None:
        return [step]
    partial = [Value(Aval((size_of_buffer(b),), b.dtype), stored=True) for b in two.partial]
    by_name = {b.name: v for v, b in group.inputs.items()}
    by_name |= {b.name: v for v, b in zip(partial, two.partial, strict=True)}
    return [
        KernelStep(kernel, tuple([by_name[b.name] for b in kernel.inputs]), outputs)
        for kernel, outputs in ((two.blocks, tuple(partial)), (two.rest, step.outputs))
    ]


def size_of_buffer(b: Buffer) -> int:
    """Elements of a buffer with one axis."""
    (n,) = b.shape
    assert isinstance(n, Extent)
    return n.value


def _group_kernel(group: Group, outside: set[Value]) -> KernelStep:
    """The loop nest of a group."""
    for value in group.place:
        if value in outside:
            group.buffer_of(value)
    written = set(group.outputs)
    over_outer = _vector_over_outer(group)
    if over_outer and _sums_columns(group) and set(group.place) == written:
        return _column_kernel(group)
    body: list[Stmt] = []
    for loop in group.loops:
        body += _inner_statements(group, loop, written, over_outer)
    kinds: list[AxisKind] = ["serial"] * len(group.outer)
    has_inner = any(lp.extents for lp in group.loops)
    if kinds and (over_outer or not has_inner):
        kinds[-1] = "vector"
    if len(kinds) > 1 or (kinds and has_inner and not over_outer):
        kinds[0] = "parallel"
    nest = wrap(group.index, group.outer, tuple(body), kinds)
    name = kernel_name(group)
    kernel = Kernel(name, tuple(group.inputs.values()), tuple(group.outputs.values()), (), nest)
    kernel = _with_shared_range(tile_transposed(collapse(kernel)))
    return KernelStep(kernel, tuple(group.inputs), tuple(group.outputs))


def _with_shared_range(kernel: Kernel) -> Kernel:
    """A map that became one vector loop runs on ranges of it, as vectors again, in parallel."""
    match kernel.body:
        case (For(kind="vector", extent=Extent(value=n), body=body) as loop,) if n > SMALL:
            if not any(isinstance(s, For) for s in body):
                return replace(kernel, body=(replace(loop, kind="parallel"),))
    return kernel


def _sums_columns(group: Group) -> bool:
    """Whether a group is one reduction over more rows than registers can be unrolled for."""
    exact = all(m.local.dtype == value.aval.dtype for value, (_, m) in group.place.items())
    return exact and len(group.loops) == 1 and size_of(group.loops[0].extents) > SMALL


def _column_kernel(group: Group) -> KernelStep:
    """Reductions over leading axes: rows are added to a block of the result that stays in cache.

    For each block of `COLUMNS` results: set them to the identity, then for every row combine.
    """
    (loop,) = group.loops
    *lead, last = group.index
    *lead_extents, width = group.outer
    block, lane = fresh_index("b"), fresh_index("k")
    position = binary("add", binary("mul", block, int_const(COLUMNS)), lane)
    place = {last.name: position}
    n = within(extent(width), block, COLUMNS)
    before: list[Stmt] = []
    inside: list[Stmt] = []
    for m in loop.members:
        form = m.value.form
        assert isinstance(form, Reduce)
        out, dtype = group.outputs[m.value], m.value.aval.dtype
        where = (*lead, position)
        before.append(Store(out, where, const(form.init, dtype)))
        element = Rewriter(lambda e: place.get(getattr(e, "name", ""), e)).expr(m.expr)
        total = op(form.op, dtype, Load(dtype, out, where), cast(element, dtype))
        inside.append(Store(out, where, total))
    serial: list[AxisKind] = ["serial"] * len(loop.extents)
    rows = wrap(loop.index, loop.extents, (For(lane, n, tuple(inside), "vector"),), serial)
    body: tuple[Stmt, ...] = (For(lane, n, tuple(before), "vector"), *rows)
    sizes = [*map(extent, lead_extents), blocks(extent(width), COLUMNS)]
    for k, (i, size) in reversed(list(enumerate(zip((*lead, block), sizes, strict=True)))):
        body = (For(i, size, body, "serial" if k else "parallel"),)
    kernel = Kernel(
        kernel_name(group), tuple(group.inputs.values()), tuple(group.outputs.values()), (), body
    )
    return KernelStep(kernel, tuple(group.inputs), tuple(group.outputs))


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
    if not loop.reduces:
        body: list[Stmt] = []
        for m in loop.members:
            body.append(Let(m.local, m.expr))
            if m.value in written:
                where = full_index(group, loop, m.value.aval.shape)
                body.append(Store(group.outputs[m.value], where, m.local))
        return list(wrap(loop.index, loop.extents, tuple(body), kinds))
    before: list[Stmt] = []
    inside: list[Stmt] = []
    after: list[Stmt] = []
    for m in loop.members:
        form = m.value.form
        assert isinstance(form, Reduce)
        dtype = m.local.dtype
        before.append(Let(m.local, const(form.init, dtype), mutable=True))
        inside.append(Assign(m.local, op(form.op, dtype, m.local, cast(m.expr, dtype))))
        if m.value in written:
            value = cast(m.local, m.value.aval.dtype)
            after.append(Store(group.outputs[m.value], group.index, value))
    return [*before, *wrap(loop.index, loop.extents, tuple(inside), kinds), *after]


def _vector_over_outer(group: Group) -> bool:
    """Whether lanes should run along the last outer axis: most loads are contiguous in it."""
    if not group.index or any(lp.extents and not lp.reduces for lp in group.loops):
        return False
    rows = [lp for lp in group.loops if lp.reduces and lp.extents]
    width = group.outer[-1]
    if not rows or width <= SMALL:
        return False
    if all(size_of(lp.extents) <= SMALL for lp in rows):
        return True
    last = group.index[-1].name
    votes = 0
    for loop in group.loops:
        if not loop.reduces or not loop.index:
            continue
        inner = loop.index[-1].name
        for m in loop.members:
            for e in walk_exprs(m.expr):
                if isinstance(e, Load) and e.index:
                    names = _index_names(e.index[-1])
                    votes += (last in names) - (inner in names)
    return votes > 0


def _index_names(e: Expr) -> set[str]:
    return {n.name for n in walk_exprs(e) if isinstance(n, Index)}


def _suits_lanes(body: tuple[Stmt, ...], name: str) -> bool:
    """Whether examples side by side in lanes read and write side by side in memory."""
    votes = 0
    for s in walk_stmts(body):
        if isinstance(s, (Alloc, While)) or (isinstance(s, For) and s.kind == "vector"):
            return False
        accesses = [s.index] if isinstance(s, Store) else []
        accesses += [e.index for e in postorder(stmt_exprs(s)) if isinstance(e, Load)]
        for index in accesses:
            if index:
                votes += 1 if name in _index_names(index[-1]) else -1
    return votes > 0


def nest_kernel(graph: Graph, node: Node) -> KernelStep:
    """The loop nest of a node that wrote its own statements."""
    form = node.form
    assert isinstance(form, Nest)
    index = tuple([fresh_index() for _ in form.parallel])
    holder = Group(graph, form.parallel, index)
    loop = InnerLoop((), (), False)
    builder = _Builder(holder, loop, -1)
    outputs = tuple([kernel_buffer(f"out{k}", v) for k, v in enumerate(node.outputs)])
    graph.reader = builder.read
    try:
        body = tuple(form.body(index, outputs))
    finally:
        graph.reader = None
    kinds: list[AxisKind] = ["serial"] * len(form.parallel)
    if kinds and form.parallel[-1] > SMALL and _suits_lanes(body, index[-1].name):
        kinds[-1] = "vector"
    if kinds and (len(kinds) > 1 or kinds[0] == "serial"):
        kinds[0] = "parallel"
    nest = wrap(index, form.parallel, body, kinds)
    name = node.eqn.primitive.name
    kernel = Kernel(name, tuple(holder.inputs.values()), outputs, (), nest)
    return KernelStep(kernel, tuple(holder.inputs), node.outputs)
