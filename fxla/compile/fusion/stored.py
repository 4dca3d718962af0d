"""Which values get memory, and which are recomputed where they are read.

One function decides, `plan_storage`, by five rules:

1. A value that is not a pull array (a reduction, a scatter, a library call, a loop), a result of
   the program, and an operand of a library call or a loop are stored.
2. A value is stored if recomputing it for every read would cost more than storing it: reads beyond
   one for each element (broadcast into a larger loop, read inside a reduction, read before and
   after a reduction) times its cost exceed `STORE_COST`. What is read along a row by a reduction,
   and again after it, can stay in the first cache meanwhile, which costs `ROW_COST`.
   A long straight program is cut into segments of `MAX_SEGMENT`, a kernel each or more: what two
   of them read is computed in both, so it is weighed as read twice.
3. A value whose expression has grown past `MAX_EXPRESSION`, or whose operations are nested deeper
   than `MAX_DEPTH`, is stored, to bound the size of kernels and the recursion that builds them.
4. A value is stored if what it reads is written in place before it would be read.
5. Everything else is recomputed; within one kernel it is still computed once.

The plan is kept, a line for each value, for `inspect(...).plan`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from fxla.compile.fusion.graph import Graph, Node, Value, iteration_shape, same_index, size_of
from fxla.compile.regions import Region
from fxla.core.records import dataclass
from fxla.loops.view import Contract, FromMemory, Handed, Nest, Opaque, Reduce, View

__all__ = [
    "MAX_DEPTH",
    "MAX_EXPRESSION",
    "MAX_SEGMENT",
    "ROW_COST",
    "STORE_COST",
    "plan_lines",
    "plan_storage",
]

ROW_COST = 3.0
"""What it costs to keep an element of a row in the first cache for a later pass over the row."""
STORE_COST = 6.0
"""What it costs to store an element and load it again, in additions."""
ONE_BY_ONE = 2.0
"""How often what a nest takes one by one counts as computed: it has no vectors there."""
SHARED = 8
"""A value that so many elements share is computed before their loop."""
MAX_EXPRESSION = 400.0
"""The largest inline cost of an expression."""
MAX_SEGMENT = 1000.0
"""The most work, in additions for each element, of the operations of one shape in a segment."""
MAX_DEPTH = 48
"""The most operations in a row that are recomputed; views read each other recursively."""
_NAMES: dict[type, str] = {Contract: "contraction", Handed: "written kernel"}
"""How the plan calls a form whose class has another name."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """Loops in which a value is wanted: those of one shape and segment, between reductions."""

    shape: tuple[int, ...]
    after: int
    segment: int


def plan_storage(graph: Graph, cached: bool = True) -> dict[Value, str]:
    """Set ``stored`` on every value.

    Args:
        graph: lowered.
        cached: whether a row that is kept for a later pass stays in a cache, as on a CPU.

    Returns:
        A reason for each stored value that is not a plain input.
    """
    reasons: dict[Value, str] = {}

    def store(value: Value, reason: str) -> None:
        if not value.stored and value.literal is None:
            value.stored = True
            reasons[value] = reason

    for node in graph.nodes:
        if not isinstance(node.form, View):
            what = _NAMES.get(type(node.form), type(node.form).__name__.lower())
            for out in node.outputs:
                store(out, f"is the result of a {what}")
        if isinstance(node.form, (Opaque, Handed, Region, Contract, FromMemory)):
            for v in node.inputs:
                store(v, f"is an operand of {node.eqn.primitive.name}")
        if isinstance(node.form, Nest):
            for i in node.form.operands:
                store(node.inputs[i], f"is an operand of {node.eqn.primitive.name}")
        for i, _ in node.in_place:
            store(node.inputs[i], f"is what {node.eqn.primitive.name} writes over")
    for out in graph.outputs:
        store(out, "is a result of the program")
    _read_before_updates(graph, store)
    _cut_into_segments(graph)
    _bound_expressions(graph, store)
    _weigh_recomputation(graph, store, _passes(graph) if cached else {})
    return reasons


def plan_lines(
    graph: Graph, reasons: Mapping[Value, str], memory: Container[Value]
) -> Iterator[str]:
    """The plan as text, a line for each value: what it costs, what becomes of it, and why.

    Work is in additions for each element; readers are the values that read it. What is fused is
    not written to memory and read again, but computed for every read of it in another loop.

    Args:
        graph: with its storage planned.
        reasons: why values are stored, from `plan_storage`.
        memory: the stored values that have an array; others stay in a register or in a row of
            their kernel.
    """
    readers: dict[Value, int] = {}
    for node in graph.nodes:
        forms = [out for out in node.outputs if out.form is not None]
        for source in {s for out in forms for s in out.reads} if forms else set(node.inputs):
            readers[source] = readers.get(source, 0) + 1
    for node in graph.nodes:
        for out in node.outputs:
            n = readers.get(out, 0)
            cost = f"work {out.own_cost:g}, {n} {'reader' if n == 1 else 'readers'}"
            nbytes = size_of(out.aval.shape) * out.aval.dtype.itemsize
            fate = f"fused into its readers, saves {nbytes} bytes"
            if out.times != 1.0:
                fate += f", computed {out.times:.1f} times"
            if out.stored:
                fate = "stored" if out in memory else "kept in its kernel"
                fate += f", {reasons[out]}"
            yield f"{node.eqn.primitive.name} {out.aval} ({cost}): {fate}"


def _read_before_updates(graph: Graph, store: object) -> None:
    """Values of what an update will write over are computed before it."""
    assert callable(store)
    for at, node in enumerate(graph.nodes):
        for i, _ in node.in_place:
            stale = {node.inputs[i]}
            for before in graph.nodes[:at]:
                for out in before.outputs:
                    if not out.stored and not stale.isdisjoint(out.reads):
                        stale.add(out)
            stale.remove(node.inputs[i])
            single = isinstance(node.form, Nest) and _writes_one_element(node)
            for later in graph.nodes[at + single :]:
                for v in later.inputs:
                    if v in stale:
                        store(v, f"reads what {node.eqn.primitive.name} writes in place")


def _writes_one_element(node: Node) -> bool:
    """Whether an update writes one element, so that what it writes is known before."""
    sizes = [v.aval.size for v in node.inputs[1:]]
    return node.outputs[0].aval.size >= 1 and max(sizes, default=0) <= 1


def _cut_into_segments(graph: Graph) -> None:
    """Number the segments of the operations of each shape, in the order of the program."""
    work: dict[tuple[int, ...], float] = {}
    for node in graph.nodes:
        for out in node.outputs:
            if out.form is not None:
                shape = iteration_shape(out.form)
                work[shape] = work.get(shape, 0.0) + out.own_cost
                out.segment = int(work[shape] / MAX_SEGMENT)


def _bound_expressions(graph: Graph, store: object) -> None:
    """Expressions are graphs: what is read several times at one place is computed once."""
    assert callable(store)
    parts: dict[Value, dict[Value, float]] = {}
    depths: dict[Value, int] = {}
    for node in graph.nodes:
        for out in node.outputs:
            if out.form is None:
                continue
            parts[out] = _parts(out, parts)
            out.inline_cost = sum(parts[out].values())
            if out.inline_cost > MAX_EXPRESSION and isinstance(out.form, View):
                dearest = max(
                    (s for s in out.reads if not s.stored),
                    key=lambda s: s.inline_cost,
                    default=None,
                )
                if dearest is not None and dearest.inline_cost > MAX_EXPRESSION / 4:
                    store(dearest, "its expression would grow too large")
                    parts[out] = _parts(out, parts)
                    out.inline_cost = sum(parts[out].values())
            depths[out] = 1 + max((depths.get(s, 0) for s in out.reads if not s.stored), default=0)
            if depths[out] >= MAX_DEPTH and isinstance(out.form, View):
                store(out, f"it is the last of {MAX_DEPTH} operations in a row")


def _parts(out: Value, parts: Mapping[Value, dict[Value, float]]) -> dict[Value, float]:
    """What is computed for an element of a value: each part once, and what it costs."""
    found: dict[Value, float] = {}
    own = out.own_cost
    for source, indices in out.reads.items():
        if source.stored or source not in parts:
            continue
        if len(indices) == 1 and same_index(indices[0], out.index):
            found.update(parts[source])
        else:
            own += source.inline_cost * len(indices)
    found[out] = own
    return found


def _passes(graph: Graph) -> dict[Value, int]:
    """How many whole passes over something must end before a value can be computed."""
    passes: dict[Value, int] = {}
    for node in graph.nodes:
        for out in node.outputs:
            sources = node.inputs if out.form is None else out.reads
            passes[out] = max(
                [
                    passes.get(s, 0) + (s.producer is not None and not isinstance(s.form, View))
                    for s in sources
                ],
                default=0,
            )
    return passes


def _work(graph: Graph) -> dict[Value, float]:
    """What it costs to compute an element anew; what many elements share is computed once."""
    work: dict[Value, float] = {}
    for node in graph.nodes:
        for out in node.outputs:
            work[out] = out.own_cost + sum(
                work[s] * len(indices)
                for s, indices in out.reads.items()
                if not s.stored and s in work
                if size_of(s.aval.shape) * SHARED > size_of(out.aval.shape)
            )
    return work


def _weigh_recomputation(graph: Graph, store: object, passes: dict[Value, int]) -> None:
    """Readers before what they read: every value knows how often it would be computed."""
    assert callable(store)
    work = _work(graph)
    demand: dict[int, dict[object, float]] = {}
    rows: dict[int, bool] = {}
    for node in reversed(graph.nodes):
        if isinstance(node.form, (Opaque, Handed, Region)):
            continue
        if isinstance(node.form, Nest):
            total = max((size_of(o.aval.shape) for o in node.outputs), default=1)
            for k, v in enumerate(node.inputs):
                reads = 2.0 * total
                if k in node.form.one_by_one:
                    reads = max(reads, ONE_BY_ONE * size_of(v.aval.shape))
                demand.setdefault(id(v), {})[(id(node), "nest")] = reads
            continue
        (out,) = node.outputs
        assert out.form is not None
        wanted = demand.get(id(out), {})
        size = max(size_of(out.aval.shape), 1)
        if not out.stored and wanted:
            times = out.times = sum(wanted.values()) / size
            kept = rows.get(id(out), False) and all(isinstance(k, _Pass) for k in wanted)
            if work[out] * (times - 1.0) > (ROW_COST if kept else STORE_COST):
                what = "keep" if kept else "store"
                store(out, f"is cheaper to {what} than to compute {times:.1f} times")
        if not wanted and not out.stored:
            continue
        shape = iteration_shape(out.form)
        seeds: dict[object, float] = (
            {_Pass(shape, passes.get(out, 0), out.segment): max(size_of(shape), 1)}
            if out.stored
            else wanted
        )
        for source, indices in out.reads.items():
            if source.stored and source.producer is None:
                continue
            into = demand.setdefault(id(source), {})
            for k, index in enumerate(indices):
                if same_index(index, out.index):
                    in_row = isinstance(out.form, Reduce) and bool(out.form.shape)
                    rows[id(source)] = in_row or any(rows.get(id(v), False) for v in (source, out))
                    for key, count in seeds.items():
                        into[key] = max(into.get(key, 0.0), count)
                else:
                    into[(id(out), k)] = sum(seeds.values())
