"""Elementwise loops whose number of iterations differs from element to element.

Rejection sampling and convergent series are such loops. One is written as two small functions of
fxla's elementwise operations: `start` gives the state of an element from its parameters, and `step`
the next state and whether it is done; the result is the first component. Both are traced once, for
scalars. NumPy runs the program on the elements that are not done yet; a kernel runs it in a scalar
loop for each element, in parallel over elements.

A random loop also has a key. Attempt j of element i draws its uniform numbers from the counter
``i + (2 j + stream) 2**40``: an element depends on the key, its position and its parameters only.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import bool_, float64, is_floating, uint32
from fxla.core.jaxpr import Atom, ClosedJaxpr, Literal, Var
from fxla.core.primitive import Primitive, Zero, is_zero, not_linear
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, NotDifferentiableError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import Assign, Buffer, Expr, Let, Local, Stmt, Store, While
from fxla.loops.view import IndexTuple, Nest, View, binary, extent, fresh_local, int_const
from fxla.ops.random_bits import cipher_of_arrays, cipher_of_expressions, high_half, joined
from fxla.ops.structure import batch_move

__all__ = ["ElementLoop"]

State = tuple[Value, ...]
Start = Callable[..., State]
Step = Callable[..., tuple[State, Value]]

uint64 = np.dtype(np.uint64)
_SCALAR = Aval((), float64)
_CHUNK = 1 << 14
"""Elements that NumPy works on at a time, so that their states stay in the cache."""


class ElementLoop(Primitive):
    """``state = start(...)``, then ``state, done = step(...)`` until done, for each element.

    Operands: a key u32[lead, 2] if `random`, then parameters T[lead, s], T real floating. Result:
    T[lead, s]. All arithmetic is in float64. The position of an element is that in s.

    Attributes:
        start: from the parameters (and two uniform numbers) to the state.
        step: from the state, the parameters (and two uniform numbers) to the next state and a
            boolean. It must end for parameters that make no sense, NaN included.
    """

    def __init__(self, name: str, arity: int, start: Start, step: Step, *, random: bool) -> None:
        self.name = name
        self.arity = arity
        self.start = start
        self.step = step
        self.random = random
        super().__init__()

    @functools.cached_property
    def programs(self) -> tuple[ClosedJaxpr, ClosedJaxpr]:
        """`start` and `step` traced for scalars."""
        given = [_SCALAR] * (self.arity + 2 * self.random)
        start = trace_to_jaxpr(lambda *xs: self.start(*xs), given, self.name)
        size = len(start.out_avals)

        def step(*xs: Value) -> Sequence[Value]:
            state, done = self.step(xs[:size], *xs[size:])
            return (*state, done)

        return start, trace_to_jaxpr(step, [_SCALAR] * size + given, self.name)

    def abstract_eval(self, *operands: Aval) -> tuple[Aval, ...]:
        params = operands[1:] if self.random else operands
        first = params[0]
        if not all(p.matches(first) for p in params) or not is_floating(first.dtype):
            told = ", ".join(map(str, params))
            raise DtypeError(f"{self.name}: takes floating parameters of one type, got {told}")
        if self.random:
            key = operands[0]
            lead = key.ndim - 1
            if key.dtype != uint32 or key.shape != (*first.shape[:lead], 2):
                raise ShapeError(f"{self.name}: the key {key} does not go with {first}")
        return (first.strong(),)

    def impl(self, *operands: Any) -> tuple[Any, ...]:
        arrays = [np.asarray(x) for x in operands]
        params = arrays[1:] if self.random else arrays
        shape, dtype = params[0].shape, params[0].dtype
        flat = [p.astype(float64).reshape(-1) for p in params]
        out = np.empty(flat[0].size, float64)
        each = math.prod(shape[arrays[0].ndim - 1 :]) if self.random else 0
        keys = arrays[0].reshape(-1, 2) if self.random else None
        for begin in range(0, out.size, _CHUNK):
            part = slice(begin, min(begin + _CHUNK, out.size))
            stream = None
            if keys is not None:
                place = np.arange(part.start, part.stop)
                own = keys[place // each]
                stream = _Stream(own[:, 0], own[:, 1], (place % each).astype(np.uint64))
            out[part] = self._run([p[part] for p in flat], stream)
        return (out.reshape(shape).astype(dtype),)

    def _run(self, params: list[Any], stream: _Stream | None) -> Any:
        """The loop on 1-d arrays; elements leave it when they are done."""
        start, step = self.programs
        n = params[0].size
        out = np.empty(n, float64)
        waiting = np.arange(n)
        state = _evaluate(start, [*params, *(stream.draw(0) if stream else ())], n)
        attempt = 0
        while waiting.size:
            attempt += 1
            drawn = stream.draw(attempt) if stream else ()
            *state, done = _evaluate(step, [*state, *params, *drawn], waiting.size)
            if done.any():
                out[waiting[done]] = state[0][done]
                going = ~done
                waiting = waiting[going]
                state, params = [x[going] for x in state], [x[going] for x in params]
                if stream is not None:
                    stream = stream.select(going)
        return out

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        if not all(is_zero(t) for t in tangents):
            raise NotDifferentiableError(f"{self.name} has no derivative of its own")
        out = self.bind(*primals)
        return out, (Zero(typeof(out[0]).tangent()),)

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*batch_move(axis, operands, axes)), (0,)

    def lower(self, *views: View) -> Nest:
        params = views[1:] if self.random else views
        shape, dtype = params[0].shape, params[0].dtype
        lead = views[0].ndim - 1 if self.random else 0

        def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
            values = [_bound(scalar.cast(p[outer], float64)) for p in params]
            statements: list[Stmt] = [let for let, _ in values]
            given: list[Expr] = [local for _, local in values]
            attempt = fresh_local(uint64, "attempt")
            draw: Callable[[], list[Expr]] = list
            if self.random:
                key = [_bound(views[0][(*outer[:lead], int_const(c))]) for c in (0, 1)]
                place = _bound(scalar.cast(_position(outer[lead:], shape[lead:]), uint64))
                statements += [let for let, _ in (*key, place)]
                halves = (key[0][1], key[1][1])
                draw = functools.partial(_uniforms, halves, place[1], attempt)
                statements.append(Let(attempt, scalar.const(0, uint64), mutable=True))
            start, step = self.programs
            state = [fresh_local(float64, "s") for _ in start.out_avals]
            going = fresh_local(bool_, "going")
            first = _lowered(start, [*given, *draw()])
            statements += [Let(s, e, mutable=True) for s, e in zip(state, first, strict=True)]
            statements.append(Let(going, scalar.const(True, bool_), mutable=True))
            inner: list[Stmt] = []
            if self.random:
                one = scalar.const(1, uint64)
                inner.append(Assign(attempt, scalar.op("add", uint64, attempt, one)))
            drawn = [_bound(u) for u in draw()]
            inner += [let for let, _ in drawn]
            found = _lowered(step, [*state, *given, *(local for _, local in drawn)])
            new = [_bound(e) for e in found]  # all before the first assignment
            inner += [let for let, _ in new]
            inner += [Assign(s, local) for s, (_, local) in zip(state, new[:-1], strict=True)]
            inner.append(Assign(going, scalar.op("not", bool_, new[-1][1])))
            return [
                *statements,
                While(going, tuple(inner)),
                Store(outs[0], outer, scalar.cast(state[0], dtype)),
            ]

        return Nest(((shape, dtype),), shape, body)


# --- random streams -------------------------------------------------------------------------


class _Stream:
    """Keys and positions of elements, and the uniform numbers of their attempts."""

    def __init__(self, k0: Any, k1: Any, position: Any) -> None:
        self.k0 = k0
        self.k1 = k1
        self.position = position

    def draw(self, attempt: int) -> list[Any]:
        """Two uniform numbers in [0, 1) for each element."""
        numbers = []
        for stream in (0, 1):
            offset = np.uint64(((2 * attempt + stream) << 40) % 2**64)
            high, low = cipher_of_arrays(self.k0, self.k1, self.position + offset)
            bits = (high.astype(np.uint64) << np.uint64(32)) | low
            numbers.append((bits >> np.uint64(11)).astype(float64) * 2.0**-53)
        return numbers

    def select(self, which: Any) -> _Stream:
        return _Stream(self.k0[which], self.k1[which], self.position[which])


def _uniforms(key: tuple[Expr, Expr], place: Expr, attempt: Expr) -> list[Expr]:
    """`_Stream.draw` as expressions."""
    numbers = []
    for stream in (0, 1):
        order = scalar.op("add", uint64, attempt, attempt)
        order = scalar.op("add", uint64, order, scalar.const(stream, uint64))
        offset = scalar.op("shl", uint64, order, scalar.const(40, uint64))
        counter = scalar.op("add", uint64, place, offset)
        high, low = scalar.cast(high_half(counter), uint32), scalar.cast(counter, uint32)
        bits = joined(*cipher_of_expressions(*key, high, low))
        bits = scalar.op("shr_logical", uint64, bits, scalar.const(11, uint64))
        unit = scalar.const(2.0**-53, float64)
        numbers.append(scalar.op("mul", float64, scalar.cast(bits, float64), unit))
    return numbers


def _position(index: IndexTuple, shape: Sequence[int]) -> Expr:
    flat: Expr = int_const(0)
    for n, i in zip(shape, index, strict=True):
        flat = binary("add", binary("mul", flat, extent(n)), i)
    return flat


# --- running and lowering scalar programs ---------------------------------------------------


def _evaluate(program: ClosedJaxpr, args: Sequence[Any], n: int) -> list[Any]:
    """The program on 1-d arrays, by each primitive's own `impl`."""
    env: dict[Var, Any] = dict(zip(program.jaxpr.invars, args, strict=True))

    def read(atom: Atom) -> Any:
        return atom.value if isinstance(atom, Literal) else env[atom]

    for eqn in program.jaxpr.eqns:
        outs = eqn.primitive.impl(*[read(a) for a in eqn.inputs], **eqn.params)
        env.update(zip(eqn.outputs, outs, strict=True))
    return [np.broadcast_to(read(a), (n,)) for a in program.jaxpr.outs]


def _lowered(program: ClosedJaxpr, args: Sequence[Expr]) -> list[Expr]:
    """The program on scalar expressions, by each primitive's own `lower`."""
    env: dict[Var, View] = {}

    def view(e: Expr) -> View:
        return View((), e.dtype, lambda i: e)

    def read(atom: Atom) -> View:
        if isinstance(atom, Literal):
            return view(scalar.const(atom.value, atom.aval.dtype))
        return env[atom]

    env.update(zip(program.jaxpr.invars, map(view, args), strict=True))
    for eqn in program.jaxpr.eqns:
        outs = eqn.primitive.lower(*[read(a) for a in eqn.inputs], **eqn.params)
        # An expression is made once and then shared, so the result stays of linear size.
        env.update(zip(eqn.outputs, [view(o[()]) for o in outs], strict=True))
    return [read(a)[()] for a in program.jaxpr.outs]


def _bound(e: Expr) -> tuple[Let, Local]:
    local = fresh_local(e.dtype)
    return Let(local, e), local
