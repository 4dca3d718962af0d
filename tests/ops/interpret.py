"""An interpreter of lowered primitives: what the expressions and statements mean, one at a time.

It is independent of both compilers and slow. It is strict where a compiled kernel would be silent:
a load outside its buffer, a name that is not bound, or an element of the output that nothing wrote
is an error, and so is an op whose operands differ in dtype.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.primitive import Primitive
from fxla.loops.ir import (
    BOOL,
    Alloc,
    Assign,
    Buffer,
    Cast,
    Const,
    Expr,
    Extent,
    For,
    If,
    Index,
    Let,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    Store,
    While,
)
from fxla.loops.scalar import PARTS, PREDICATES, SCALAR_OPS
from fxla.loops.view import Nest, Phase, Reduce, View, fresh_index, int_const

__all__ = ["Interpreter", "check_lower", "interpret"]


class Interpreter:
    """Buffers by name and the values of indices and locals in scope."""

    def __init__(self) -> None:
        self.buffers: dict[str, Any] = {}
        self.written: dict[str, Any] = {}
        self.env: dict[str, Any] = {}
        self.known: dict[int, Any] | None = None

    def buffer(self, stem: str, array: Any) -> Buffer:
        """A buffer that holds a copy of `array`."""
        name = f"{stem}{len(self.buffers)}"
        self.buffers[name] = np.array(array)
        return Buffer(name, array.dtype, tuple(int_const(n) for n in array.shape))

    def view(self, array: Any) -> View:
        """An input as a view that loads."""
        array = np.asarray(array)
        buffer = self.buffer("in", array)

        def at(index: tuple[Expr, ...]) -> Expr:
            assert len(index) == array.ndim, "an index for each axis"
            return Load(buffer.dtype, buffer, tuple(index))

        return View(array.shape, array.dtype, at)

    def output(self, shape: tuple[int, ...], dtype: Any) -> Buffer:
        """A buffer of which no element is written yet."""
        buffer = self.buffer("out", np.zeros(shape, dtype))
        self.written[buffer.name] = np.zeros(shape, bool)
        return buffer

    # --- expressions ---

    def value(self, e: Expr) -> Any:
        """The value of an expression, checked to be a scalar of its dtype.

        What is shared inside one expression is computed once: unfolded it may be exponential.
        """
        outermost = self.known is None
        known = self.known = {} if self.known is None else self.known
        try:
            if id(e) not in known:
                v = np.asarray(self.raw(e))
                good = v.shape == () and v.dtype == e.dtype
                assert good, f"{e} is {v.dtype}{v.shape}, not {e.dtype}"
                known[id(e)] = v[()]
            return known[id(e)]
        finally:
            if outermost:
                self.known = None

    def raw(self, e: Expr) -> Any:
        match e:
            case Const(dtype=dtype, value=value):
                return np.asarray(value, dtype)
            case Extent(value=value):
                return np.int64(value)
            case Index(name=name) | Local(name=name):
                return self.env[name]
            case Load(buffer=buffer, index=index):
                at = self.place(buffer, index)
                if buffer.name in self.written:
                    assert self.written[buffer.name][at], f"{buffer.name}{at} read before written"
                return self.buffers[buffer.name][at]
            case Cast(dtype=dtype, arg=arg):
                v = np.asarray(self.value(arg))
                with np.errstate(all="ignore"):
                    return (v.real if v.dtype.kind == "c" and dtype.kind != "c" else v).astype(
                        dtype
                    )
            case Select(condition=c, then=then, otherwise=otherwise):
                assert c.dtype == BOOL and then.dtype == otherwise.dtype == e.dtype
                return self.value(then if self.value(c) else otherwise)
            case Op(dtype=dtype, name=name, args=args):
                return self.operation(dtype, name, [self.value(a) for a in args])
        raise TypeError(f"not an expression: {e!r}")

    def operation(self, dtype: Any, name: str, args: list[Any]) -> Any:
        op = SCALAR_OPS[name]
        assert len(args) == op.arity
        kinds = {np.asarray(a).dtype for a in args}
        assert len(kinds) == 1, f"{name} of {kinds}"
        (given,) = kinds
        kind = "f" if given.kind == "V" or given.name == "bfloat16" else given.kind
        assert kind in op.kinds, f"{name} is not defined for {given}"
        if name == "bitcast":
            return np.asarray(args[0]).view(dtype)
        assert dtype == (BOOL if name in PREDICATES else dtype if name in PARTS else given)
        with np.errstate(all="ignore"):
            return np.asarray(op.reference(*args)).astype(dtype)

    def place(self, buffer: Buffer, index: Sequence[Expr]) -> tuple[int, ...]:
        at = tuple(int(self.value(i)) for i in index)
        shape = self.buffers[buffer.name].shape
        assert len(at) == len(shape)
        inside = all(0 <= k < n for k, n in zip(at, shape, strict=True))
        assert inside, f"{buffer.name}{at} is outside {shape}"
        return at

    # --- statements ---

    def run(self, body: Sequence[Stmt]) -> None:
        """Execute a block; its names end with it."""
        outer = set(self.env)
        for s in body:
            self.step(s)
        self.env = {k: v for k, v in self.env.items() if k in outer}

    def step(self, s: Stmt) -> None:
        match s:
            case For(index=index, extent=extent, body=body, kind=kind):
                order = range(int(self.value(extent)))
                # iterations that are said to be independent must not mind their order
                for k in reversed(order) if kind == "parallel" else order:
                    self.env[index.name] = np.int64(k)
                    self.run(body)
                self.env.pop(index.name, None)
            case Let(local=local, value=value):
                assert local.dtype == value.dtype and local.name not in self.env
                self.env[local.name] = self.value(value)
            case Assign(local=local, value=value):
                assert local.dtype == value.dtype and local.name in self.env
                self.env[local.name] = self.value(value)
            case If(condition=c, then=then, otherwise=otherwise):
                self.run(then if self.value(c) else otherwise)
            case While(condition=c, body=body):
                while self.value(c):
                    self.run(body)
            case Store(buffer=buffer, index=index, value=value):
                assert value.dtype == buffer.dtype
                at = self.place(buffer, index)
                self.buffers[buffer.name][at] = self.value(value)
                if buffer.name in self.written:
                    self.written[buffer.name][at] = True
            case Alloc(buffer=buffer):
                shape = tuple(int(self.value(n)) for n in buffer.shape)
                self.buffers[buffer.name] = np.zeros(shape, buffer.dtype)
            case _:
                raise TypeError(f"not a statement: {s!r}")

    # --- results ---

    def result(self, lowered: View | Reduce) -> Any:
        """A view or reduction as an array."""
        out = np.zeros(lowered.shape, lowered.dtype)
        i = tuple(fresh_index() for _ in lowered.shape)
        if isinstance(lowered, View):
            e = lowered[i]
            assert e.dtype == lowered.dtype
            for at in np.ndindex(lowered.shape):
                self.bind(i, at)
                out[at] = self.value(e)
            return out
        r = tuple(fresh_index("r") for _ in lowered.extents)
        e = lowered.element(i, r)
        assert e.dtype == lowered.dtype
        for at in np.ndindex(lowered.shape):
            self.bind(i, at)
            total = np.asarray(lowered.init, lowered.dtype)
            for k in itertools.product(*map(range, lowered.extents)):
                self.bind(r, k)
                total = self.operation(lowered.dtype, lowered.op, [total[()], self.value(e)])
            out[at] = total
        return out

    def bind(self, indices: Sequence[Index], at: Sequence[int]) -> None:
        self.env.update({i.name: np.int64(k) for i, k in zip(indices, at, strict=True)})

    def nest(self, lowered: Nest) -> tuple[Any, ...]:
        """The outputs of a nest; the parallel indices of each phase run backwards."""
        outs = tuple(self.output(shape, dtype) for shape, dtype in lowered.outputs)
        scratch = tuple(self.output(shape, dtype) for shape, dtype in lowered.scratch)
        for phase in (*lowered.before, Phase(lowered.parallel, lowered.body)):
            outer = tuple(fresh_index("p") for _ in phase.parallel)
            body = phase.body(outer, (*outs, *scratch))
            for at in reversed(list(itertools.product(*map(range, phase.parallel)))):
                self.bind(outer, at)
                self.run(body)
        results = outs if lowered.failure is None else outs[:-1]  # written where the body fails
        for b in results:
            assert self.written[b.name].all(), f"not all of {b.name} was written"
        return tuple(self.buffers[b.name] for b in results)


def interpret(primitive: Primitive, *args: Any, **params: Any) -> tuple[Any, ...]:
    """The results of a primitive by its `lower` rule."""
    machine = Interpreter()
    lowered = primitive.lower(*[machine.view(x) for x in args], **params)
    if isinstance(lowered, Nest):
        return machine.nest(lowered)
    return tuple(machine.result(x) for x in lowered)


def check_lower(
    primitive: Primitive, *args: Any, rtol: float = 0.0, atol: float = 0.0, **params: Any
) -> None:
    """`lower` means what `impl` computes."""
    got = interpret(primitive, *args, **params)
    expected = primitive.impl(*args, **params)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        b = np.asarray(b)
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        wide = a.dtype.kind not in "biufc"
        a, b = (x.astype(np.float32) if wide else x for x in (a, b))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)
