"""Staging: the trace that records operations as a jaxpr, and the interpreter that replays one.

Arrays and outer tracers that the traced function closes over become *consts*: leading inputs of the
jaxpr, with known values. Scalars become literals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.jaxpr import Atom, ClosedJaxpr, Eqn, Jaxpr, Literal, Var, is_effectful
from fxla.core.primitive import Primitive
from fxla.core.source import user_source
from fxla.core.trace import (
    AxisFrame,
    Trace,
    Tracer,
    Value,
    eval_trace,
    is_on_device,
    leaked,
    running,
    state,
    typeof,
)

__all__ = ["JaxprTrace", "JaxprTracer", "eval_jaxpr", "evaluate_jaxpr", "trace_to_jaxpr"]


class JaxprTracer(Tracer):
    """A value that a `JaxprTrace` knows as a variable (or a number, as a literal)."""

    __slots__ = ("variable",)  # not `var`, which is the variance
    owner: JaxprTrace

    def __init__(self, trace: JaxprTrace, var: Atom) -> None:
        self.owner = trace
        self.variable = var

    @property
    def aval(self) -> Aval:
        return self.variable.aval

    def concrete(self) -> Value | None:
        return self.owner.constants.value(self.variable)

    known = concrete

    def assume(self, other: Any) -> None:
        self.variable = other.variable

    def clone(self) -> JaxprTracer:
        return JaxprTracer(self.owner, self.variable)


_WRITEABLE = 0x0400  # NPY_ARRAY_WRITEABLE
_SMALL = 1 << 16
"""Bytes of a captured array that is looked at again, for NumPy code may write to it meanwhile."""


class Constants:
    """What a program computes from no argument: evaluated when somebody asks, and then kept.

    So ``a = np.zeros(3)``, ``a[0] = 1`` and ``if a.any():`` can be traced like any NumPy code.
    """

    __slots__ = ("around", "made_by", "values")

    def __init__(self) -> None:
        self.made_by: dict[Any, Eqn] = {}
        self.values: dict[Any, Value] = {}
        self.around: dict[Any, tuple[Constants, Atom]] = {}  # where the trace around computes it

    def has(self, atom: Atom) -> bool:
        """Whether a variable depends on no argument."""
        known = (self.made_by, self.values, self.around)
        return type(atom) is Literal or any(atom in table for table in known)

    def note(self, eqn: Eqn) -> None:
        """Remember an equation if its results depend on no argument."""
        for a in eqn.inputs:
            if not self.has(a):
                return
        if not (eqn.primitive.collective or is_effectful(eqn)):
            for v in eqn.outputs:
                self.made_by[v] = eqn

    def value(self, atom: Atom) -> Value | None:
        """The value of a variable, or None if it depends on an argument."""
        if type(atom) is Literal:
            return np.asarray(atom.value, atom.aval.dtype)
        if not self.has(atom):
            return None
        wanted: list[Any] = [atom]
        with running(eval_trace):
            while wanted:  # a chain may be longer than Python's stack
                if wanted[-1] in self.around:
                    constants, variable = self.around.pop(wanted[-1])
                    self.values[wanted[-1]] = constants.value(variable)
                eqn = self.made_by.get(wanted[-1])
                if eqn is None or wanted[-1] in self.values:
                    wanted.pop()
                    continue
                missing = [a for a in eqn.inputs if type(a) is Var and a not in self.values]
                if missing:
                    wanted += missing
                    continue
                args = [a.value if type(a) is Literal else self.values[a] for a in eqn.inputs]
                found = eqn.primitive.bind(*args, **eqn.params)
                self.values.update(zip(eqn.outputs, found, strict=True))
        return self.values[atom]


class JaxprTrace(Trace):
    """Records every operation as an equation."""

    def __init__(self, parent: Trace, label: str = "", function: str = "") -> None:
        self.parent = parent
        self.label = label
        self.function = function
        self.eqns: list[Eqn] = []
        self.captured: dict[Any, tuple[Var, Value]] = {}
        self.constants = Constants()
        self.bytes: dict[int, bytes] = {}
        self.producers: dict[Atom, tuple[Eqn, int]] = {}  # of the first `indexed` equations
        self.indexed = 0

    def _has_changed(self, x: np.ndarray[Any, Any]) -> bool:
        """Whether NumPy has written to a captured array since; large ones are trusted."""
        before = self.bytes.get(id(x))
        return before is not None and before != x.tobytes()

    def _before(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.frombuffer(self.bytes[id(x)], x.dtype).reshape(x.shape)

    def argument(self, aval: Aval) -> JaxprTracer:
        """A new input."""
        return JaxprTracer(self, Var(aval))

    def atom(self, x: Value) -> Atom:
        """The variable or literal for a value; a foreign array or tracer becomes a const."""
        if isinstance(x, JaxprTracer) and x.owner is self:
            return x.variable
        if isinstance(x, Tracer):
            if not x.owner.alive:
                return self.atom(leaked(x))
        elif isinstance(x, np.ndarray):
            if x.ndim == 0 and x.flags.owndata:
                return Literal(x[()], typeof(x))
        elif not is_on_device(x):
            return Literal(x, typeof(x))
        key = x.variable if isinstance(x, JaxprTracer) else id(x)
        entry = self.captured.get(key)
        if entry is not None and type(x) is np.ndarray and self._has_changed(x):
            self.captured[entry[0]] = (entry[0], self._before(x))
            entry = None
        if entry is None:
            entry = self.captured[key] = (Var(typeof(x)), x)
            # `flags.num`: of a broadcast array, `flags.writeable` warns
            if type(x) is np.ndarray and x.flags.num & _WRITEABLE and x.nbytes <= _SMALL:
                self.bytes[id(x)] = x.tobytes()
            if isinstance(x, JaxprTracer):
                around = x.owner.constants
                if around.has(x.variable):
                    self.constants.around[entry[0]] = (around, x.variable)
                return entry[0]
            known = x.known() if isinstance(x, Tracer) else x
            if isinstance(known, np.ndarray):
                self.constants.values[entry[0]] = known
        return entry[0]

    def lift(self, x: Value) -> JaxprTracer:
        return JaxprTracer(self, self.atom(x))

    def record(
        self, primitive: Primitive, args: Sequence[Value], params: dict[str, Any]
    ) -> tuple[Value, ...]:
        """Append an equation and return tracers of its results."""
        outputs = tuple(
            [Var(a) for a in primitive.abstract_eval(*[typeof(x) for x in args], **params)]
        )
        inputs = tuple([self.atom(x) for x in args])
        eqn = Eqn(primitive, inputs, params, outputs, user_source())
        self.eqns.append(eqn)
        self.constants.note(eqn)
        return tuple([JaxprTracer(self, v) for v in outputs])

    def process(
        self, primitive: Primitive, args: Sequence[Value], params: dict[str, Any]
    ) -> tuple[Value, ...]:
        return self.record(primitive, args, params)

    def run(self, program: Jaxpr, args: Sequence[Value]) -> tuple[Value, ...]:
        """Append the program's equations, whose types are known already."""
        values: dict[Atom, Value] = dict(zip(program.invars, args, strict=True))
        names = {v: self.atom(x) for v, x in values.items()}
        source = user_source()
        for eqn in program.eqns:
            inputs = tuple([names.get(a, a) for a in eqn.inputs])
            outputs = tuple([Var(v.aval) for v in eqn.outputs])
            recorded = Eqn(eqn.primitive, inputs, eqn.params, outputs, source)
            self.eqns.append(recorded)
            self.constants.note(recorded)
            for inner, outer in zip(eqn.outputs, outputs, strict=True):
                names[inner] = outer
                values[inner] = JaxprTracer(self, outer)
        return tuple([a.value if isinstance(a, Literal) else values[a] for a in program.outs])

    def same(self, x: JaxprTracer, y: JaxprTracer) -> bool:
        """Whether equal equations of equal inputs made both."""
        made = self.producers
        for eqn in self.eqns[self.indexed :]:
            made |= {v: (eqn, k) for k, v in enumerate(eqn.outputs)}
        self.indexed = len(self.eqns)
        equal: dict[tuple[Atom, Atom], bool] = {}
        waiting: list[tuple[Atom, Atom]] = [(x.variable, y.variable)]
        while waiting:
            a, b = waiting.pop()
            if a is b or (a, b) in equal:
                continue
            equal[a, b] = True
            if isinstance(a, Literal) or isinstance(b, Literal):
                if not _same_literal(a, b):
                    return False
                continue
            first, second = made.get(a), made.get(b)
            if first is None or second is None or first[1] != second[1]:
                return False
            one, other = first[0], second[0]
            if one.primitive is not other.primitive or one.params != other.params:
                return False
            if len(one.inputs) != len(other.inputs):
                return False
            waiting += zip(one.inputs, other.inputs, strict=True)
        return True

    def close(self, arguments: Sequence[JaxprTracer], outs: Sequence[Value]) -> ClosedJaxpr:
        """The program from `arguments` to `outs`, with what was captured as consts."""
        atoms = tuple([self.atom(x) for x in outs])
        captured = [
            (var, self._before(x) if type(x) is np.ndarray and self._has_changed(x) else x)
            for var, x in self.captured.values()
        ]
        jaxpr = Jaxpr(
            (*[var for var, _ in captured], *[a.variable for a in arguments]),  # type: ignore[arg-type]
            tuple(self.eqns),
            atoms,
        )
        return ClosedJaxpr(jaxpr, tuple([value for _, value in captured]))


def _same_literal(a: Atom, b: Atom) -> bool:
    both = isinstance(a, Literal) and isinstance(b, Literal)
    return both and a.aval == b.aval and bool(a.value == b.value)  # type: ignore[union-attr]


def trace_to_jaxpr(
    f: Callable[..., Sequence[Value]],
    avals: Sequence[Aval],
    label: str = "jit",
    function: str = "",
    axes: Sequence[AxisFrame] = (),
) -> ClosedJaxpr:
    """Run `f` on tracers of `avals` and return what it did.

    Args:
        f: takes one tracer for each aval and returns a flat sequence of values.
        avals: of the inputs.
        label: the transformation, for messages.
        function: the user's function, for messages.
        axes: mapped axes that are in scope inside, beyond those in scope already.
    """
    trace = JaxprTrace(state.trace, label, function)
    arguments = [trace.argument(a) for a in avals]
    before = state.axes
    state.axes = (*before, *axes)
    try:
        with running(trace, ends=True):
            outs = f(*[a.clone() for a in arguments])  # which `f` may write to
            return trace.close(arguments, outs)
    finally:
        state.axes = before


def eval_jaxpr(jaxpr: Jaxpr, *args: Value) -> tuple[Value, ...]:
    """Run a jaxpr by binding each of its primitives under the current trace."""
    return jaxpr.run(*args)


def evaluate_jaxpr(jaxpr: Jaxpr, *args: Value) -> tuple[Value, ...]:
    """Run a jaxpr on concrete arrays, whatever is being traced."""
    with running(eval_trace):
        return jaxpr.run(*args)
