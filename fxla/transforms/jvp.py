"""Forward-mode differentiation.

jvp : (a -> b) -> (a, T a) -> (b, T b)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.check import checked
from fxla.core.dtypes import float0, is_inexact
from fxla.core.jaxpr import Jaxpr
from fxla.core.patience import once_worth
from fxla.core.primitive import Primitive, Zero, is_zero
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.trace import (
    Trace,
    Tracer,
    Value,
    current_trace,
    is_same,
    running,
    scope_key,
    state,
    typeof,
    where_am_i,
)
from fxla.errors import DtypeError, ShapeError
from fxla.ops.casts import convert
from fxla.ops.structure import instantiate
from fxla.transforms.api import function_name, strip_finished
from fxla.transforms.selection import select

__all__ = ["JVPTrace", "JVPTracer", "jvp", "jvp_flat", "jvp_jaxpr"]


class JVPTracer(Tracer):
    """A primal value with a tangent; None is the tangent of what does not depend on an input."""

    __slots__ = ("primal", "tangent")

    def __init__(self, trace: Trace, primal: Value, tangent: Any) -> None:
        self.owner = trace
        self.primal = primal
        self.tangent = tangent

    @property
    def aval(self) -> Aval:
        return typeof(self.primal)

    def concrete(self) -> Value | None:
        known = self.primal
        return known.concrete() if isinstance(known, Tracer) else known

    def known(self) -> Value | None:
        if self.tangent is not None:
            return None
        x = self.primal
        return x.known() if isinstance(x, Tracer) else x

    def assume(self, other: Any) -> None:
        self.primal, self.tangent = other.primal, other.tangent

    def clone(self) -> JVPTracer:
        return JVPTracer(self.owner, self.primal, self.tangent)


class JVPTrace(Trace):
    """Carries a tangent along with every value that depends on an input."""

    def __init__(self, parent: Trace, label: str = "jvp", function: str = "") -> None:
        self.parent = parent
        self.label = label
        self.function = function

    def same(self, x: JVPTracer, y: JVPTracer) -> bool:
        return is_same(x.primal, y.primal)

    def split(self, x: Value) -> tuple[Value, Any]:
        """Primal and tangent of a value; the tangent of a foreign value is zero."""
        if isinstance(x, JVPTracer) and x.owner is self:
            return x.primal, x.tangent
        return x, None

    def lift(self, x: Value) -> Value:
        if isinstance(x, Tracer) and x.owner is self:
            return x
        return JVPTracer(self, x, None)

    def process(
        self, primitive: Primitive, args: Sequence[Value], params: dict[str, Any]
    ) -> tuple[Value, ...]:
        assert self.parent is not None
        pairs = [self.split(x) for x in args]
        primals = tuple([p for p, _ in pairs])
        if all(t is None or is_zero(t) for _, t in pairs):
            return tuple([self.lift(o) for o in self.parent.process(primitive, primals, params)])
        tangents = tuple([Zero(typeof(p).tangent()) if t is None else t for p, t in pairs])
        with running(self.parent):
            outs, out_tangents = primitive.jvp(primals, tangents, **params)
        return tuple(
            [
                self.lift(o) if is_zero(t) else JVPTracer(self, o, t)
                for o, t in zip(outs, out_tangents, strict=True)
            ]
        )

    def run(self, program: Jaxpr, args: Sequence[Value]) -> tuple[Value, ...]:
        assert self.parent is not None
        pairs = [self.split(x) for x in args]
        primals = [p for p, _ in pairs]
        varying = tuple([t is not None and not is_zero(t) for _, t in pairs])
        if True not in varying:
            return tuple([self.lift(o) for o in self.parent.run(program, primals)])
        both = _tangent_program(program, varying)
        if both is None:
            return super().run(program, args)
        jaxpr, nonzero = both
        given = [t for (_, t), v in zip(pairs, varying, strict=True) if v]
        found = self.parent.run(jaxpr, [*primals, *given])
        tangents = iter(found[len(nonzero) :])
        return tuple(
            [
                JVPTracer(self, o, next(tangents)) if nz else self.lift(o)
                for o, nz in zip(found, nonzero, strict=False)
            ]
        )


def _tangent_program(program: Jaxpr, varying: tuple[bool, ...]) -> tuple[Jaxpr, list[bool]] | None:
    """`jvp_jaxpr` of a program, kept on it; None the first time."""
    key = ("tangents", varying, state.axes and scope_key())
    return once_worth(program.derived, key, lambda: jvp_jaxpr(program, varying), 1)


def jvp_flat(
    f: Callable[..., Sequence[Value]],
    primals: Sequence[Value],
    tangents: Sequence[Any],
    label: str = "jvp",
    function: str = "",
) -> tuple[list[Value], list[Any]]:
    """Values and tangents of a flat function; tangents may be `Zero` in and out."""
    trace = JVPTrace(current_trace(), label, function)
    with running(trace, ends=True):
        inputs = [
            p if is_zero(t) else JVPTracer(trace, p, t)
            for p, t in zip(primals, tangents, strict=True)
        ]
        outs = [trace.split(o) for o in f(*inputs)]
    return (
        [p for p, _ in outs],
        [Zero(typeof(p).tangent()) if t is None else t for p, t in outs],
    )


def jvp_jaxpr(
    jaxpr: Jaxpr, nonzero: Sequence[bool], instantiate_outs: Sequence[bool] | bool = False
) -> tuple[Jaxpr, list[bool]]:
    """The program that computes a jaxpr's values and tangents.

    Args:
        jaxpr: the program.
        nonzero: for each input, whether it has a tangent.
        instantiate_outs: outputs whose tangent is wanted even if it is zero.

    Returns:
        A jaxpr from (*inputs, *tangents of the nonzero inputs) to (*outputs, *nonzero tangents),
        and for each output whether its tangent is among them.
    """
    n = len(jaxpr.invars)
    wanted = (
        [instantiate_outs] * len(jaxpr.outs)
        if isinstance(instantiate_outs, bool)
        else list(instantiate_outs)
    )
    out_nonzero: list[bool] = []

    def f(*args: Value) -> list[Value]:
        given = iter(args[n:])
        tangents = [
            next(given) if nz else Zero(v.aval.tangent())
            for nz, v in zip(nonzero, jaxpr.invars, strict=True)
        ]
        outs, out_tangents = jvp_flat(lambda *xs: eval_jaxpr(jaxpr, *xs), args[:n], tangents)
        out_nonzero[:] = [
            (not is_zero(t) or w) and is_inexact(typeof(o).dtype)
            for o, t, w in zip(outs, out_tangents, wanted, strict=True)
        ]
        kept = [instantiate(t) for t, nz in zip(out_tangents, out_nonzero, strict=True) if nz]
        return [*outs, *kept]

    avals = list(jaxpr.in_avals)
    avals += [v.aval.tangent() for v, nz in zip(jaxpr.invars, nonzero, strict=True) if nz]
    closed = trace_to_jaxpr(f, avals, "jvp")
    assert not closed.consts
    return checked(closed.jaxpr, "jvp"), out_nonzero


def check_tangent(primal: Value, tangent: Any, call: str, what: str = "tangent") -> Any:
    """A tangent (or cotangent) as an array of the primal's tangent type.

    Raises:
        ShapeError: if the shapes differ.
        DtypeError: if the dtypes do.
    """
    aval = typeof(primal)
    if not is_inexact(aval.dtype):
        return Zero(aval.tangent())
    given = typeof(tangent)
    if given.shape != aval.shape:
        raise ShapeError(
            f"{call}: {what} {given} does not match {aval}: the shapes differ{where_am_i()}. "
            f"A {what} has the shape of its value."
        )
    if given.dtype != aval.dtype:
        if given.weak_type or (given.dtype == float0):
            return convert(tangent, aval.dtype)
        raise DtypeError(
            f"{call}: {what} {given} does not match {aval}{where_am_i()}. Convert it with "
            f".astype({aval.dtype.name!r})."
        )
    return tangent


def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """Value and directional derivative of `f` (forward mode).

    Args:
        f: a function of arrays and pytrees of arrays.
        primals: its positional arguments.
        tangents: a direction for each, of the same tree, shapes and dtypes.
        has_aux: whether `f` returns a pair ``(value, aux)`` of which only value is differentiated.

    Returns:
        ``(value, tangent)``, and ``aux`` as a third if `has_aux`.

    Raises:
        TypeError: if primals and tangents differ in tree or dtype.
        ValueError: if they differ in shape.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> y, dy = fxla.jvp(fnp.sin, (0.0,), (2.0,))
        >>> float(y), float(dy)
        (0.0, 2.0)
    """
    call = f"jvp of {function_name(f)}"
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            f"{call}: primals and tangents must be tuples or lists of "
            f"arguments{where_am_i()}. Write `jvp(f, (x,), (t,))`."
        )
    selected = select(f, tuple(primals), {}, tuple(range(len(primals))), has_aux, call)
    flat_f, flat = selected.flat_f, selected.flat
    flat_t = selected.tangents(tangents, call)
    flat_t = [check_tangent(p, t, call) for p, t in zip(flat, flat_t, strict=True)]
    outs, out_t = jvp_flat(flat_f, flat, flat_t, "jvp", function_name(f))
    selected.commit()
    value = flat_f.result(outs)
    tangent = flat_f.result([instantiate_tangent(t) for t in out_t])
    if has_aux:
        return value, tangent, strip_finished(flat_f.aux)
    return value, tangent


def instantiate_tangent(t: Any) -> Any:
    """Zeros for a structural zero; a float0 array for the tangent of an integer."""
    if is_zero(t) and t.aval.dtype == float0:
        return zeros_float0(t.aval)
    return instantiate(t)


def zeros_float0(aval: Aval) -> Any:
    """The (only) tangent of an integer array."""
    return np.zeros(aval.shape, float0)
