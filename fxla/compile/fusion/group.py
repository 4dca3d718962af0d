"""Values computed together: a group of loops, and what may join it.

A *group* becomes one kernel: outer loops over a common index space, and inside them a sequence of
inner loops, each a map (computes and stores elements) or a reduction. Softmax over rows is one
group: the outer loop runs over rows; inside are a maximum, a sum, and a map.

A value fits a group if all it reads of that group is at the same outer index, so that no iteration
needs another's result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field

from fxla.compile.fusion.graph import Graph, IndexKeys, Value, index_key, size_of
from fxla.compile.fusion.orientation import index_names, is_outermost, walks_down
from fxla.compile.fusion.partial import LARGE, cuts_into_blocks
from fxla.core.dtypes import DType, float32, is_floating
from fxla.core.records import dataclass
from fxla.loops.ir import (
    Buffer,
    Expr,
    Index,
    Load,
    Local,
    walk_exprs,
)
from fxla.loops.passes.columns import SMALL_WORK
from fxla.loops.passes.unroll import FEW_LANES, is_dear
from fxla.loops.view import (
    Contract,
    IndexTuple,
    Reduce,
    View,
    cast,
    extent,
    fresh_index,
    fresh_local,
    int_const,
)

__all__ = [
    "SMALL",
    "ExpressionBuilder",
    "Group",
    "InnerLoop",
    "Member",
    "add_member",
    "full_index",
    "inner_extents",
    "kernel_buffer",
    "split_outer",
    "vector_over_outer",
]

MAX_GROUP_COST = 3000.0
LOOK_BACK = 6
"""How many of a group's loops a value tries to join."""
MAX_MEMBERS = 64
"""Values computed in one kernel; the time to compile grows faster than their number."""
SMALL = 8
"""Loops of at most this many iterations are not worth vectors of their own..."""
WINDOW = 32
"""... nor are those over the elements of a window, which overlaps the next lane's."""
FEW = 7
"""Several passes over rows of at most this many elements, written out, have lanes over the rows."""


class NotFusibleError(Exception):
    """A value reads another of the same group at an index that is not ready."""


@dataclass(eq=False, slots=True)
class Member:
    """A value computed in a group."""

    value: Value
    expr: Expr
    local: Local
    loads: set[object] | None = None

    @property
    def reduces(self) -> bool:
        """Whether the value is complete only after its loop."""
        return isinstance(self.value.form, Reduce)


Memo = dict[tuple[object, ...], tuple[Expr, IndexTuple]]
"""Expressions by value and index; the indices are kept, because keys hold their identities."""


@dataclass(eq=False, slots=True)
class InnerLoop:
    """One loop nest inside a group's outer loops: one pass over what it computes.

    Attributes:
        extents, index: of its axes.
        members: what it computes, in order.
        memo: elements that members read, by value and index; members share their expressions.
    """

    extents: tuple[int, ...]
    index: tuple[Index, ...]
    members: list[Member] = field(default_factory=list)
    memo: Memo = field(default_factory=dict)

    @property
    def reduces(self) -> bool:
        """Whether it computes a reduction."""
        return any(m.reduces for m in self.members)

    @property
    def maps(self) -> bool:
        """Whether it computes a map."""
        return any(not m.reduces for m in self.members)


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
    computed: set[Value] = field(default_factory=set)
    kinds: Counter[tuple[object, ...]] = field(default_factory=Counter)

    @property
    def is_product(self) -> bool:
        """Whether the group computes a contraction by tiles, and what follows it elementwise."""
        first = self.loops[0].members[0] if self.loops else None
        return first is not None and isinstance(first.value.form, Contract)

    def reads_any(self, values: Iterable[Value]) -> bool:
        """Whether the group reads or computes one of `values`."""
        return any(v in self.inputs or v in self.place for v in values)

    def alike(self, value: Value) -> int:
        """How many values of the group are results of the same operation, and of the same type."""
        return self.kinds[_kind(value)]

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


def _kind(value: Value) -> tuple[object, ...]:
    assert value.producer is not None
    return value.producer.eqn.primitive.name, value.aval.shape, value.aval.dtype


def kernel_buffer(name: str, value: Value) -> Buffer:
    """A kernel parameter for a value."""
    return Buffer(name, value.aval.dtype, tuple(extent(n) for n in value.aval.shape))


class ExpressionBuilder:
    """Builds the expression of one value inside one loop of a group."""

    def __init__(self, group: Group, loop: InnerLoop, number: int) -> None:
        self.group = group
        self.loop = loop
        self.number = number
        self.memo: Memo = {}
        self.key = IndexKeys()
        self.outer_key = index_key(group.index)
        self.full_key = (*self.outer_key, *index_key(loop.index))

    def read(self, value: Value, index: IndexTuple) -> Expr:
        key = (id(value), self.key(index))
        known = self.loop.memo.get(key) or self.memo.get(key)
        if known is None:
            known = self.memo[key] = (self.find(value, index), index)
        return known[0]

    def find(self, value: Value, index: IndexTuple) -> Expr:
        place = self.group.place.get(value)
        if place is not None:
            return self.find_member(value, index, *place)
        if value.stored:
            return Load(value.aval.dtype, self.group.buffer_of(value), index)
        assert isinstance(value.form, View)
        return value.form.at(index)

    def find_member(self, value: Value, index: IndexTuple, number: int, member: Member) -> Expr:
        loop = self.group.loops[number]
        key = self.key(index)
        if number > self.number:
            raise NotFusibleError
        if member.reduces:
            if number == self.number or key != self.outer_key:
                raise NotFusibleError
            return cast(member.local, value.aval.dtype)
        key = key[: len(self.outer_key) + len(loop.index)]
        if number == self.number:
            if key != self.full_key:
                raise NotFusibleError
            return member.local
        rank = len(self.outer_key)
        if key[:rank] != self.outer_key:
            raise NotFusibleError
        if not loop.extents:
            return member.local
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
    for number in range(max(len(group.loops) - LOOK_BACK, 0), len(group.loops)):
        loop = group.loops[number]
        fits = loop.extents == extents and _may_share(group, loop, reduces)
        if fits and _try_loop(group, value, loop, number):
            return True
    large = any(_is_large(lp.extents) for lp in group.loops)
    if not group.outer and extents and group.loops and (large or _is_large(extents)):
        return False  # each is two kernels, and all of the first must be done before the second
    if reduces and vector_over_outer(group) and _is_tall(group, extents):
        return False  # so are sums of columns
    fresh = InnerLoop(extents, tuple([fresh_index("r" if reduces else "j") for _ in extents]))
    group.loops.append(fresh)
    if _try_loop(group, value, fresh, len(group.loops) - 1):
        return True
    group.loops.pop()
    return False


def _may_share(group: Group, loop: InnerLoop, reduces: bool) -> bool:
    """Whether a loop may compute a map and a reduction: if it is a pass over a row."""
    if loop.maps != reduces and loop.reduces == reduces:
        return True
    return bool(loop.extents) and (bool(group.outer) or cuts_into_blocks(loop.extents))


def _is_large(extents: tuple[int, ...]) -> bool:
    return size_of(extents) >= LARGE


def _is_tall(group: Group, extents: tuple[int, ...]) -> bool:
    """Whether a reduction in every lane is worth kernels that walk along rows."""
    return size_of(extents) > SMALL and size_of(extents) * size_of(group.outer) >= SMALL_WORK


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
    builder = ExpressionBuilder(group, loop, number)
    before = {**group.inputs, **group.outputs}
    group.graph.reader = builder.read
    expr: Expr | None
    try:
        if isinstance(form, Reduce):
            expr = form.element(group.index, loop.index)
        else:
            assert isinstance(form, View)
            expr = form.at(full_index(group, loop, form.shape))
    except NotFusibleError:
        expr = None
    finally:
        group.graph.reader = None
    mixed = loop.reduces or (loop.members and isinstance(form, Reduce))
    crosses = expr is not None and isinstance(form, Reduce) and _crosses(group, loop, expr)
    if expr is None or crosses or (mixed and not _shares_a_read(loop, expr)):
        for table in (group.inputs, group.outputs):
            for v in [v for v in table if v not in before]:
                del table[v]
        return False
    dtype = value.aval.dtype
    if isinstance(form, Reduce):
        local = fresh_local(accumulator_dtype(dtype), "acc")
    else:
        local = fresh_local(dtype, "t")
    member = Member(value, expr, local)
    loop.members.append(member)
    loop.memo.update(builder.memo)
    group.place[value] = (number, member)
    group.cost += _newly_computed(group, value)
    group.kinds[_kind(value)] += 1
    return True


def _newly_computed(group: Group, value: Value) -> float:
    """What a value adds to a group's work: what earlier ones compute is computed once."""
    work = 1.0
    waiting = [value]
    while waiting:
        v = waiting.pop()
        if v in group.computed or (v.stored and v is not value):
            continue
        group.computed.add(v)
        work += v.own_cost
        waiting.extend(v.reads)
    return work


def _shares_a_read(loop: InnerLoop, expr: Expr) -> bool:
    """Whether an expression reads a member of the loop, or an element that a member reads.

    Only then is one pass over a row better than two.
    """
    names = {m.local.name for m in loop.members}
    if any(isinstance(e, Local) and e.name in names for e in walk_exprs(expr)):
        return True
    wanted = _loads(expr)
    for m in loop.members:
        if m.loads is None:
            m.loads = _loads(m.expr)
        if not wanted.isdisjoint(m.loads):
            return True
    return False


def _loads(e: Expr) -> set[object]:
    return {(x.buffer.name, index_key(x.index)) for x in walk_exprs(e) if isinstance(x, Load)}


def split_outer(group: Group, rank: int) -> Group | None:
    """A pure map seen as outer loops over its first `rank` axes, and a map over the rest."""
    if len(group.loops) != 1 or group.loops[0].extents or group.loops[0].reduces:
        return None
    if rank >= len(group.outer):
        return None
    (loop,) = group.loops
    inner = InnerLoop(group.outer[rank:], group.index[rank:], loop.members, loop.memo)
    return Group(
        group.graph, group.outer[:rank], group.index[:rank], [inner], group.place,
        group.inputs, group.outputs, group.cost, group.computed, group.kinds,
    )  # fmt: skip


def _crosses(group: Group, loop: InnerLoop, expr: Expr) -> bool:
    """Whether a large reduction walks down columns and another of the group along rows, or v.v."""
    if loop.members or not _is_tall(group, loop.extents):
        return False
    down = walks_down(expr, loop.index[-1])
    return any(
        m.reduces and walks_down(m.expr, lp.index[-1]) != down
        for lp in group.loops
        if lp is not loop and lp.extents
        for m in lp.members
    )


def _slides(loop: InnerLoop, last: str) -> bool:
    """Whether a loop runs over small windows that slide along the last outer axis."""
    if size_of(loop.extents) > WINDOW or any(n > SMALL for n in loop.extents):
        return False
    inner = {i.name for i in loop.index}
    return any(
        last in names and not inner.isdisjoint(names)
        for m in loop.members
        for e in walk_exprs(m.expr)
        if isinstance(e, Load) and e.index
        for names in (index_names(e.index[-1]),)
    )


def vector_over_outer(group: Group, narrow: bool = False) -> bool:
    """Whether lanes should run along the last outer axis.

    They should where that needs fewer gathers, loads with the lanes' index before their last one;
    if it makes no difference, where more loads are contiguous.

    Args:
        group: whose loops are known.
        narrow: whether a few lanes are enough, because nothing else will be made of the loops.
    """
    if not group.index:
        return False
    if any(lp.extents and lp.maps for lp in group.loops):
        few = all(size_of(lp.extents) <= FEW for lp in group.loops)
        return few and any(lp.reduces for lp in group.loops) and group.outer[-1] > SMALL
    rows = [lp for lp in group.loops if lp.reduces and lp.extents]
    width = group.outer[-1]
    if rows and width <= SMALL:
        walked = {i.name for lp in rows for i in lp.index}
        read = [m.expr for lp in rows for m in lp.members]
        if is_outermost(read, walked, {i.name for i in group.index}):
            width = size_of(group.outer)  # which will be one axis
    short = all(size_of(lp.extents) <= SMALL for lp in rows)
    if not rows or (width <= SMALL and (not narrow or width < FEW_LANES)):
        return False
    if short and width <= SMALL:
        return any(is_dear(m.expr) for lp in rows for m in lp.members)
    last = group.index[-1].name
    if all(size_of(lp.extents) <= SMALL or _slides(lp, last) for lp in rows):
        return True
    gathers = votes = 0
    for loop in rows:
        inner = loop.index[-1].name
        for m in loop.members:
            for e in walk_exprs(m.expr):
                if isinstance(e, Load) and e.index:
                    names = index_names(e.index[-1])
                    votes += (last in names) - (inner in names)
                    strided = set().union(*map(index_names, e.index[:-1]))
                    gathers += (inner in strided) - (last in strided)
    return gathers > 0 or (gathers == 0 and votes > 0)
