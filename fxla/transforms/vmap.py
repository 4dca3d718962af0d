"""Vectorisation: a function of one example as a function of a batch.

vmap : (a -> b) -> [a] -> [b]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fxla.core.array import as_array
from fxla.core.aval import Aval
from fxla.core.check import checked
from fxla.core.jaxpr import Jaxpr
from fxla.core.patience import once_worth
from fxla.core.primitive import Primitive
from fxla.core.pytree import leaf_paths, structure_text, tree_map, tree_structure
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.stateful import assign, hold, path_of
from fxla.core.trace import (
    AxisFrame,
    Trace,
    Tracer,
    Value,
    current_trace,
    is_same,
    named_axis,
    running,
    scope_key,
    state,
    typeof,
    where_am_i,
)
from fxla.errors import AxisError
from fxla.ops.structure import broadcast_in_dim, move_axis
from fxla.transforms.api import FlatFunction, flatten_function, function_name, wraps_as

__all__ = ["BatchTrace", "BatchTracer", "vmap", "vmap_flat", "vmap_jaxpr"]


class BatchTracer(Tracer):
    """A value that hides a batch axis at position `axis` of `value`; None if all agree."""

    __slots__ = ("axis", "value")

    def __init__(self, trace: Trace, value: Value, axis: int | None) -> None:
        self.owner = trace
        self.value = value
        self.axis = axis

    @property
    def aval(self) -> Aval:
        a = typeof(self.value)
        if self.axis is None:
            return a
        return Aval(a.shape[: self.axis] + a.shape[self.axis + 1 :], a.dtype, a.weak_type)

    def known(self) -> Value | None:
        if self.axis is not None:
            return None
        return self.value.known() if isinstance(self.value, Tracer) else self.value

    def concrete(self) -> Value | None:
        if self.axis is not None:
            return None
        return self.value.concrete() if isinstance(self.value, Tracer) else self.value

    def assume(self, other: Any) -> None:
        self.value, self.axis = other.value, other.axis

    def clone(self) -> BatchTracer:
        return BatchTracer(self.owner, self.value, self.axis)


class BatchTrace(Trace):
    """Gives every operation on a batched value its batching rule."""

    def __init__(self, parent: Trace, frame: AxisFrame, function: str = "") -> None:
        self.parent = parent
        self.frame = frame
        self.label = "vmap"
        self.function = function

    def same(self, x: BatchTracer, y: BatchTracer) -> bool:
        return x.axis == y.axis and is_same(x.value, y.value)

    def split(self, x: Value) -> tuple[Value, int | None]:
        """The value and the position of its batch axis, None if it has none."""
        if isinstance(x, BatchTracer) and x.owner is self:
            return x.value, x.axis
        return x, None

    def process(
        self, primitive: Primitive, args: Sequence[Value], params: dict[str, Any]
    ) -> tuple[Value, ...]:
        assert self.parent is not None
        pairs = [self.split(x) for x in args]
        values = tuple([v for v, _ in pairs])
        axes = tuple([a for _, a in pairs])
        collective = primitive.collective and self.frame.name in params["axis_name"]
        if not collective and all(a is None for a in axes):
            return tuple([self.lift(o) for o in self.parent.process(primitive, values, params)])
        with running(self.parent):
            outs, out_axes = primitive.batch(self.frame, values, axes, **params)
        return tuple(
            [
                self.lift(o) if a is None else BatchTracer(self, o, a)
                for o, a in zip(outs, out_axes, strict=True)
            ]
        )

    def lift(self, x: Value) -> Value:
        if isinstance(x, Tracer) and x.owner is self:
            return x
        return BatchTracer(self, x, None)

    def run(self, program: Jaxpr, args: Sequence[Value]) -> tuple[Value, ...]:
        assert self.parent is not None
        pairs = [self.split(x) for x in args]
        values = [v for v, _ in pairs]
        axes = tuple([a for _, a in pairs])
        mapped = _batched_program(program, self.frame, axes, values)
        if mapped is None:
            return super().run(program, args)
        jaxpr, out_axes = mapped
        return tuple(
            [
                self.lift(o) if a is None else BatchTracer(self, o, a)
                for o, a in zip(self.parent.run(jaxpr, values), out_axes, strict=True)
            ]
        )


def _batched_program(
    program: Jaxpr, frame: AxisFrame, axes: tuple[int | None, ...], values: Sequence[Value]
) -> tuple[Jaxpr, list[int | None]] | None:
    """A program on batches, and where its results have their batch axes; None the first time."""
    key = ("batched", axes, frame.size, frame.name, state.axes and scope_key())

    def make() -> tuple[Jaxpr, list[int | None]]:
        out_axes: list[int | None] = []

        def f(*args: Value) -> list[Value]:
            outs, out_axes[:] = vmap_flat(program.run, frame, args, axes)
            return outs

        closed = trace_to_jaxpr(f, [typeof(v) for v in values], "vmap")
        assert not closed.consts
        return checked(closed.jaxpr, "vmap"), out_axes

    return once_worth(program.derived, key, make, 1)


def vmap_flat(
    f: Callable[..., Sequence[Value]],
    frame: AxisFrame,
    args: Sequence[Value],
    axes: Sequence[int | None],
    function: str = "",
) -> tuple[list[Value], list[int | None]]:
    """Results of a flat function on batched arguments, and where their batch axes are."""
    trace = BatchTrace(current_trace(), frame, function)
    with running(trace, ends=True), named_axis(frame):
        inputs = [
            x if a is None else BatchTracer(trace, x, a) for x, a in zip(args, axes, strict=True)
        ]
        outs = [trace.split(o) for o in f(*inputs)]
    return [v for v, _ in outs], [a for _, a in outs]


def place_axis(frame: AxisFrame, x: Value, source: int | None, destination: int) -> Value:
    """`x` with its batch axis at `destination`; broadcast along it if there is none."""
    if source is not None:
        return move_axis(x, source, destination)
    shape = list(typeof(x).shape)
    shape.insert(destination, frame.size)
    return broadcast_in_dim(x, shape, [i for i in range(len(shape)) if i != destination])


def vmap_jaxpr(
    jaxpr: Jaxpr,
    frame: AxisFrame,
    batched: Sequence[bool],
    force_batched: Sequence[bool] | bool = False,
) -> tuple[Jaxpr, list[bool]]:
    """A program on batches; every batch axis, in and out, is in front.

    Args:
        jaxpr: the program for one example.
        frame: the new axis.
        batched: for each input, whether it has the axis.
        force_batched: outputs that shall have the axis even if all examples agree.

    Returns:
        The program, and for each output whether it has the axis.
    """
    forced = (
        [force_batched] * len(jaxpr.outs)
        if isinstance(force_batched, bool)
        else list(force_batched)
    )
    out_batched: list[bool] = []

    def f(*args: Value) -> list[Value]:
        axes = [0 if b else None for b in batched]
        outs, out_axes = vmap_flat(lambda *xs: eval_jaxpr(jaxpr, *xs), frame, args, axes)
        out_batched[:] = [a is not None or w for a, w in zip(out_axes, forced, strict=True)]
        return [
            place_axis(frame, o, a, 0) if b else o
            for o, a, b in zip(outs, out_axes, out_batched, strict=True)
        ]

    avals = [
        Aval((frame.size, *v.aval.shape), v.aval.dtype, v.aval.weak_type) if b else v.aval
        for v, b in zip(jaxpr.invars, batched, strict=True)
    ]
    closed = trace_to_jaxpr(f, avals, "vmap")
    assert not closed.consts
    return checked(closed.jaxpr, "vmap"), out_batched


def vmap(
    f: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Any = None,
    axis_size: int | None = None,
    spmd_axis_name: Any = None,
) -> Callable[..., Any]:
    """Map `f` over an axis of its arguments, without a loop.

    Args:
        f: a function of one example.
        in_axes: an integer, None (not mapped), or a pytree prefix of these for the positional
            arguments. Keyword arguments are mapped over axis 0.
        out_axes: where the mapped axis goes in the results; a pytree prefix likewise.
        axis_name: a name for collectives (`lax.psum`, ...) inside `f`.
        axis_size: size of the axis; needed only if nothing is mapped.
        spmd_axis_name: accepted for compatibility with JAX; has no meaning on one device.

    Returns:
        A function of batches.

    Raises:
        ValueError: if the sizes of the mapped axes differ, or `in_axes` does not fit.
        AxisError: if a mapped axis is out of bounds.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> dot = lambda a, b: (a * b).sum()
        >>> fxla.vmap(dot, in_axes=(0, None))(fnp.ones((3, 2)), fnp.arange(2.0))
        Array([1., 1., 1.])
    """
    del spmd_axis_name
    name = function_name(f)

    @wraps_as("vmap", f, "vmap")
    def mapped(*args: Any, **kwargs: Any) -> Any:
        flat_f, flat = flatten_function(f, args, kwargs, call=f"vmap of {name}")
        axes = _flat_axes(in_axes, args, kwargs, name)
        size = _axis_size(flat, axes, axis_size, args, kwargs, name)
        axes = [a if a is None else a % typeof(x).ndim for x, a in zip(flat, axes, strict=True)]
        frame = AxisFrame(axis_name, size)
        outs, got = vmap_flat(flat_f.with_updates, frame, flat, axes, name)
        if flat_f.updates:
            n = len(outs) - len(flat_f.updates)
            found = _placed_updates(frame, flat_f, (args, kwargs), axes, outs[n:], got[n:], name)
            assign((args, kwargs), found)
            outs, got = outs[:n], got[:n]
        wanted = prefix_leaves(out_axes, flat_f.result(outs), f"vmap of {name}: out_axes")
        placed = []
        for o, a, w in zip(outs, got, wanted, strict=True):
            if w is None:
                if a is not None:
                    raise ValueError(
                        f"vmap of {name}: out_axes is None for a result that differs between "
                        f"examples ({typeof(o)} with the mapped axis){where_am_i()}. "
                        "Give it an axis."
                    )
                placed.append(o)
                continue
            rank = typeof(o).ndim + (a is None)
            if not -rank <= w < rank:
                raise AxisError(
                    f"vmap of {name}: out_axes={w} is out of bounds for a result of {rank} axes"
                    f"{where_am_i()}. Axes go from {-rank} to {rank - 1}."
                )
            placed.append(place_axis(frame, o, a, w % rank))
        return flat_f.result([as_array(o) for o in placed])

    return mapped


def _placed_updates(
    frame: AxisFrame,
    flat_f: FlatFunction,
    given: Any,
    axes: Sequence[int | None],
    values: Sequence[Value],
    got: Sequence[int | None],
    name: str,
) -> dict[int, Value]:
    """What was assigned to modules, mapped where the modules are.

    Raises:
        ValueError: if it differs between examples, and the module is one for all of them.
    """
    found = {}
    for (leaf, x), a in zip(zip(flat_f.updates, values, strict=True), got, strict=True):
        wanted = axes[leaf]
        if wanted is None and a is not None:
            raise ValueError(
                f"vmap of {name}: {path_of(hold(given), leaf)} was assigned a value that differs "
                f"between examples ({typeof(x)} with the mapped axis), but the module is one for "
                f"all examples{where_am_i()}. Map the module too, over stacked arrays "
                "(in_axes=0); or give the whole batch to the module, whose calls are batched "
                "already; or call it with training=False."
            )
        found[leaf] = as_array(x if wanted is None else place_axis(frame, x, a, wanted))
    return found


def prefix_leaves(prefix: Any, tree: Any, call: str) -> list[Any]:
    """One entry of a pytree prefix for each leaf of `tree`; None is an entry.

    Raises:
        ValueError: if `prefix` is not a prefix of `tree`.
    """
    found: list[Any] = []

    def is_none(x: Any) -> bool:
        return x is None

    def spread(entry: Any, subtree: Any) -> None:
        found.extend([entry] * tree_structure(subtree).num_leaves)

    try:
        tree_map(spread, prefix, tree, is_leaf=is_none)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{call}={prefix!r} does not fit the structure {structure_text(tree_structure(tree))}"
            f"{where_am_i()}. It must be an integer, None, or a prefix of that structure."
        ) from error
    return found


def _flat_axes(in_axes: Any, args: Any, kwargs: Any, name: str) -> list[int | None]:
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    positional = prefix_leaves(in_axes, args, f"vmap of {name}: in_axes")
    for a in positional:
        if a is not None and not isinstance(a, int):
            raise TypeError(
                f"vmap of {name}: in_axes must hold integers and None, got {type(a).__qualname__}"
                f"{where_am_i()}"
            )
    return positional + [0] * tree_structure(kwargs).num_leaves


def _axis_size(
    flat: list[Value],
    axes: list[int | None],
    stated: int | None,
    args: Any,
    kwargs: Any,
    name: str,
) -> int:
    sizes: list[tuple[int, int]] = [] if stated is None else [(-1, stated)]
    for k, (x, a) in enumerate(zip(flat, axes, strict=True)):
        if a is None:
            continue
        aval = typeof(x)
        if not -aval.ndim <= a < aval.ndim:
            path = leaf_paths((args, kwargs), "args")[k].replace("args[0]", "args", 1)
            raise AxisError(
                f"vmap of {name}: in_axes={a} is out of bounds for {path} of type "
                f"{aval}{where_am_i()}. "
                "Give None for an argument that is not mapped."
            )
        sizes.append((k, aval.shape[a]))
    if not sizes:
        raise ValueError(
            f"vmap of {name}: no argument is mapped, so the size of the axis is not "
            f"known{where_am_i()}. "
            "Map one with in_axes, or give axis_size."
        )
    if len({size for _, size in sizes}) > 1:
        paths = leaf_paths((args, kwargs), "args")
        told = ", ".join(
            f"{'axis_size' if k < 0 else paths[k].replace('args[0]', 'args', 1)}"
            f"{'' if k < 0 else f' of type {typeof(flat[k])} along axis {axes[k]}'} has {size}"
            for k, size in sizes
        )
        raise ValueError(
            f"vmap of {name}: sizes of the mapped axes differ: {told}{where_am_i()}. "
            "Give None in in_axes for what is the same for all examples."
        )
    return sizes[0][1]
