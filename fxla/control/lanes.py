"""A program for each example of a batch, each on its own way through loops and branches.

lanes : (a -> b) -> [a] -> [b]

``vmap`` turns most operations into one on the whole batch. A loop that every example leaves at its
own time, or a branch that differs between examples, is better kept as the program of one example:
compiled, some examples share vector registers, and a register's worth of them is done when its
examples are, whatever the others do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from fxla.compile.regions import LanesRegion
from fxla.control.carry import one_equation
from fxla.control.programs import (
    executable_of,
    forwarded,
    jvp_of,
    rearranged,
    remembered,
    scope_key,
    split_of,
    vmap_of,
)
from fxla.core.aval import Aval
from fxla.core.jaxpr import Eqn, Jaxpr, sub_jaxprs
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import InternalError
from fxla.ops.structure import batch_move, instantiate, move_axis, reduce_sum
from fxla.transforms.partial_eval import PartialTrace
from fxla.transforms.transpose import transpose_jaxpr
from fxla.transforms.vmap import vmap_jaxpr

__all__ = ["batch_as_lanes", "holds_loops", "lanes_p"]


class Lanes(Primitive):
    """A program applied to every example.

    Params:
        body: the program of one example.
        batched: for each operand whether it has an axis of examples, in front; results all have it.
        size: number of examples.
    """

    name = "lanes"

    def abstract_eval(
        self, *avals: Aval, body: Jaxpr, batched: tuple[bool, ...], size: int
    ) -> tuple[Aval, ...]:
        for a, v, b in zip(avals, body.invars, batched, strict=True):
            example = Aval(a.shape[1:], a.dtype) if b else a
            if not example.matches(v.aval) or (b and a.shape[0] != size):
                raise InternalError(f"lanes: operand {a} for a program that takes {v.aval}")
        return tuple(Aval((size, *a.shape), a.dtype) for a in body.out_avals)

    def impl(self, *args: Any, **params: Any) -> tuple[Any, ...]:
        types = tuple(typeof(x).strong() for x in args)
        key = ("lanes", types, params["batched"], params["size"])
        whole = remembered(params["body"], key, lambda: one_equation(self, types, params))
        return tuple(executable_of(whole)(*args))

    def jvp(
        self, primals: Any, tangents: Any, *, body: Jaxpr, batched: tuple[bool, ...], size: int
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        nonzero = [not is_zero(t) for t in tangents]
        both, out_nonzero = jvp_of(body, nonzero)
        given = [instantiate(t) for t in tangents if not is_zero(t)]
        flags = (*batched, *(b for b, nz in zip(batched, nonzero, strict=True) if nz))
        found = self.bind(*primals, *given, body=both, batched=flags, size=size)
        n = len(body.outs)
        rest = iter(found[n:])
        return found[:n], tuple(
            next(rest) if nz else Zero(typeof(o).tangent())
            for nz, o in zip(out_nonzero, found[:n], strict=True)
        )

    def partial_eval(self, trace: PartialTrace, args: Sequence[Value], params: Any) -> Any:
        """Run the known part of every example; what the rest needs of it has an axis of them."""
        body, batched, size = params["body"], params["batched"], params["size"]
        unknown = [trace.unknown(x) for x in args]
        split = split_of(body, unknown)
        if all(split.out_unknown) and not split.known.eqns:
            return trace.record(self, args, params)
        known = [i for i, u in enumerate(unknown) if not u]
        n_out = len(split.known.outs) - split.n_residuals
        passed = forwarded(split.known, split.known.outs[n_out:])
        keep = [*range(n_out), *(n_out + i for i, p in enumerate(passed) if p is None)]
        small = remembered(
            split.known, ("keep", tuple(keep)), lambda: rearranged(split.known, outputs=keep)
        )
        flags = tuple(batched[i] for i in known)
        found: tuple[Value, ...] = ()
        if keep:
            found = trace.process_known(
                self, [args[i] for i in known], {"body": small, "batched": flags, "size": size}
            )
        made = iter(found[n_out:])
        residuals = [args[known[p]] if p is not None else next(made) for p in passed]
        residual_flags = [flags[p] if p is not None else True for p in passed]
        rest = [i for i, u in enumerate(unknown) if u]
        recorded = iter(
            trace.record(
                self, [*residuals, *(args[i] for i in rest)],
                {"body": split.unknown, "size": size,
                 "batched": (*residual_flags, *(batched[i] for i in rest))},
            )
        )  # fmt: skip
        known_outs = iter(found[:n_out])
        return tuple(next(recorded) if u else next(known_outs) for u in split.out_unknown)

    def transpose(
        self, cts: Any, *operands: Any, body: Jaxpr, batched: tuple[bool, ...], size: int
    ) -> tuple[Any, ...]:
        """The transpose of every example; what they share gets the sum of their cotangents."""
        linear = [is_linear(x) for x in operands]
        nonzero = [not is_zero(ct) for ct in cts]
        key = ("transpose", tuple(linear), tuple(nonzero), scope_key())
        turned = remembered(body, key, lambda: transpose_jaxpr(body, linear, nonzero))
        known = [i for i, lin in enumerate(linear) if not lin]
        given = [ct for ct in cts if not is_zero(ct)]
        flags = (*(batched[i] for i in known), *[True] * len(given))
        args = (*(operands[i] for i in known), *given)
        found = iter(self.bind(*args, body=turned, batched=flags, size=size))
        return tuple(
            None if not lin else next(found) if b else reduce_sum(next(found), (0,))
            for lin, b in zip(linear, batched, strict=True)
        )

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        body: Jaxpr,
        batched: tuple[bool, ...],
        size: int,
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        """The new axis comes after that of the examples, inside their programs."""
        mapped, _ = vmap_of(body, axis, [a is not None for a in axes], True)
        moved = [
            x if a is None else move_axis(x, a, int(b))
            for x, a, b in zip(operands, axes, batched, strict=True)
        ]
        outs = self.bind(*moved, body=mapped, batched=batched, size=size)
        return outs, (1,) * len(outs)

    def lower(self, *views: Any, body: Jaxpr, batched: tuple[bool, ...], size: int) -> LanesRegion:
        def whole() -> Jaxpr:
            key = ("whole", batched, size)
            return remembered(body, key, lambda: as_a_whole(body, batched, size))

        return LanesRegion(body, batched, size, whole)

    def dce(self, eqn: Eqn, used: Sequence[bool]) -> Eqn:
        """Drop the results that nobody reads."""
        if all(used):
            return eqn
        body: Jaxpr = eqn.params["body"]
        keep = [i for i, u in enumerate(used) if u]
        small = remembered(body, ("keep", tuple(keep)), lambda: rearranged(body, outputs=keep))
        outputs = tuple(eqn.outputs[i] for i in keep)
        return Eqn(self, eqn.inputs, {**eqn.params, "body": small}, outputs, eqn.source)


lanes_p = Lanes()


class _Batching(threading.local):
    """Whether batches shall be computed as a whole, even where examples go different ways."""

    whole = False


_batching = _Batching()


def as_a_whole(body: Jaxpr, batched: Sequence[bool], size: int) -> Jaxpr:
    """The program of the whole batch, without lanes: all examples take every step."""
    before, _batching.whole = _batching.whole, True
    try:
        return vmap_jaxpr(body, AxisFrame(None, size), batched, True)[0]
    finally:
        _batching.whole = before


def batch_as_lanes(
    primitive: Primitive,
    axis: AxisFrame,
    operands: Sequence[Value],
    axes: Sequence[int | None],
    params: dict[str, Any],
) -> tuple[tuple[Value, ...], tuple[int | None, ...]] | None:
    """A primitive applied to each example; None if the batch must be computed as a whole.

    It must be if the program speaks to other examples of the axis.
    """
    if _batching.whole or axis.size == 0 or _speaks(axis, params):
        return None
    avals = tuple(
        typeof(x).strong() if a is None else _without(typeof(x), a)
        for x, a in zip(operands, axes, strict=True)
    )
    inner = [j for _, j in sub_jaxprs(params)]
    key = ("one example", primitive.name, avals, *(id(j) for j in inner[1:]), _plain(params))
    body = remembered(inner[0], key, lambda: one_equation(primitive, avals, params))
    batched = tuple(a is not None for a in axes)
    moved = [
        x if a is None else batch_move(axis, [x], [a])[0]
        for x, a in zip(operands, axes, strict=True)
    ]
    outs = lanes_p.bind(*moved, body=body, batched=batched, size=axis.size)
    return outs, (0,) * len(outs)


def _plain(params: dict[str, Any]) -> tuple[Any, ...]:
    held = {key for key, _ in sub_jaxprs(params)}
    return tuple((k, v) for k, v in sorted(params.items()) if k not in held)


def _without(aval: Aval, at: int) -> Aval:
    return Aval((*aval.shape[:at], *aval.shape[at + 1 :]), aval.dtype)


def _any_eqn(params: dict[str, Any], test: Callable[[Eqn], bool]) -> bool:
    return any(test(e) or _any_eqn(e.params, test) for _, j in sub_jaxprs(params) for e in j.eqns)


def _speaks(axis: AxisFrame, params: dict[str, Any]) -> bool:
    """Whether a program inside has a collective over the axis."""

    def collective(e: Eqn) -> bool:
        return e.primitive.collective and axis.name in e.params["axis_name"]

    return axis.name is not None and _any_eqn(params, collective)


def holds_loops(params: dict[str, Any]) -> bool:
    """Whether a program inside has loops or branches of its own."""
    return _any_eqn(params, lambda e: bool(sub_jaxprs(e.params)))
