"""Programs as straight-line NumPy: what a jaxpr means on concrete arrays, without interpretation.

straight_line : jaxpr -> (arrays -> arrays)

A program is printed as a Python function of one line for each equation and compiled once; programs
of one shape, such as the same rule for arrays of other sizes, share their code. Two things make it
as fast as NumPy written by hand. A broadcast that only elementwise operations read is left to
NumPy's own broadcasting, and a temporary that is read for the last time receives the result.
"""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fxla.core.array import Array
from fxla.core.jaxpr import Atom, ClosedJaxpr, Eqn, Jaxpr, Literal, Var
from fxla.core.records import dataclass
from fxla.core.trace import (
    Value,
    is_on_device,
    leaked,
    typeof,
)
from fxla.ops.dot import DotGeneral, dot_general_p
from fxla.ops.structure import ReduceSum, broadcast_in_dim_p, transpose_p

__all__ = ["READY", "Ending", "in_silence", "is_silent", "line", "straight_line"]

Evaluate = Callable[[Sequence[Value]], tuple[Any, ...]]

_LARGE = 1 << 14
"""Bytes from which writing into a temporary is cheaper than a new array."""

_COPYING = (DotGeneral, ReduceSum)
"""Primitives besides elementwise ones whose results never share memory with an operand."""

READY = frozenset({np.ndarray, *np.sctypeDict.values()})
"""Types of values that a program takes as they are."""


def straight_line(program: Jaxpr) -> Evaluate:
    """The function from the sequence of a program's inputs to the tuple of its results.

    It gives plain NumPy arrays and scalars, and no floating-point warnings.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> program = fxla.make_jaxpr(lambda x: fnp.sin(x) * 2.0)(fnp.zeros(2)).jaxpr
        >>> straight_line(program)([np.zeros(2)])
        (array([0., 0.]),)
    """
    function = line(program)
    silent = is_silent(program)

    def evaluate(args: Sequence[Value]) -> tuple[Any, ...]:
        ready: list[Any] | None = None
        for k, x in enumerate(args):
            if type(x) not in READY:
                if type(x) is not Array:
                    if any(is_on_device(y) for y in args):
                        return program.run(*args)
                    return evaluate([_ready(y) for y in args])
                if ready is None:
                    ready = list(args)
                ready[k] = x.view(np.ndarray)
        if ready is not None:
            args = ready
        if not silent:
            return function(*args)  # type: ignore[no-any-return]
        return in_silence(function, *args)  # type: ignore[no-any-return]

    return evaluate


@dataclass(frozen=True, slots=True)
class Ending:
    """What the function of a program does with the results, in the same code.

    Attributes:
        parameters: names of what it is given before the program's inputs ``x0``, ``x1``, ...
        text: from the names of the results to its last lines, the ``return`` among them.
        constants: values of other names in these lines.
    """

    parameters: tuple[str, ...]
    text: Callable[[Sequence[str]], Sequence[str]]
    constants: Mapping[str, Any]


_RETURN = Ending((), lambda names: [f"return ({''.join(f'{n}, ' for n in names)})"], {})


def line(program: Jaxpr, ending: Ending = _RETURN) -> Callable[..., Any]:
    """A program's function of arrays and scalars of NumPy's own types, which may give warnings."""
    source, constants = _Printer(program).text(ending)
    return _factory(source)(*constants)


def in_silence(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function without floating-point warnings, at a tenth of the cost of ``errstate``.

    A context cannot be entered twice, and a signal handler or finaliser may come here: each call
    has its own.
    """
    free = _contexts.free
    context = free.pop() if free else _new_context()
    try:
        return context.run(function, *args)
    finally:
        free.append(context)


def _ready(x: Value) -> Any:
    """A concrete value as NumPy's array or scalar."""
    x = leaked(x)
    if isinstance(x, np.ndarray):
        return x.view(np.ndarray)
    return x if isinstance(x, np.generic) else np.asarray(x, typeof(x).dtype)[()]


class _Contexts(threading.local):
    """Contexts of this thread in which NumPy gives no floating-point warnings, ready for use."""

    def __init__(self) -> None:
        self.free: list[contextvars.Context] = []


_contexts = _Contexts()


def _new_context() -> contextvars.Context:
    context = contextvars.Context()
    context.run(np.seterr, all="ignore")
    return context


def is_silent(program: Jaxpr) -> bool:
    """Whether no equation of a program may run code that is not NumPy's."""
    return not any(_speaks(e) for e in program.eqns)


def _speaks(eqn: Eqn) -> bool:
    """Whether an equation may run code that is not NumPy's, which keeps its warnings."""
    return eqn.primitive.effectful or any(
        callable(v) or (isinstance(v, (Jaxpr, ClosedJaxpr, tuple)) and _holds_code(v))
        for v in eqn.params.values()
    )


def _holds_code(value: Any) -> bool:
    items = value if isinstance(value, tuple) else (value,)
    return any(callable(v) or isinstance(v, (Jaxpr, ClosedJaxpr)) for v in items)


@functools.lru_cache(maxsize=4096)
def _factory(source: str) -> Callable[..., Callable[..., Any]]:
    """The function that, given the constants of a program, makes the program."""
    namespace: dict[str, Any] = {}
    exec(compile(source, "<fxla straight line>", "exec"), namespace)
    factory: Callable[..., Callable[..., Any]] = namespace["factory"]
    return factory


class _Printer:
    """Prints one program; constants (functions and numbers) are arguments of the factory."""

    def __init__(self, program: Jaxpr) -> None:
        self.program = program
        self.constants: list[Any] = []
        self.names: dict[Var, str] = {v: f"x{k}" for k, v in enumerate(program.invars)}
        self.readers: dict[Var, int] = {}
        for atom in (*(a for e in program.eqns for a in e.inputs), *program.outs):
            if isinstance(atom, Var):
                self.readers[atom] = self.readers.get(atom, 0) + 1
        self.made_by = {v: e for e in program.eqns for v in e.outputs}
        self.left_out = self._broadcasts_left_to_numpy()
        self.turned = self._products_to_transpose()
        self.reusable: set[Var] = set()

    def text(self, ending: Ending) -> tuple[str, list[Any]]:
        """The source of the factory and the arguments to give it."""
        lines = [line for eqn in self.program.eqns for line in self._equation(eqn)]
        lines += ending.text([self._atom(a) for a in self.program.outs])
        inputs = [f"x{k}" for k in range(len(self.program.invars))]
        given = [*[f"c{k}" for k in range(len(self.constants))], *ending.constants]
        body = "\n".join(f"        {line}" for line in lines)
        return (
            f"def factory({', '.join(given)}):\n"
            f"    def program({', '.join([*ending.parameters, *inputs])}):\n{body}\n"
            "    return program\n",
            [*self.constants, *ending.constants.values()],
        )

    def _constant(self, value: Any) -> str:
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"

    def _atom(self, atom: Atom) -> str:
        if isinstance(atom, Literal):
            return self._constant(np.asarray(atom.value, atom.aval.dtype)[()])
        return self.names[atom]

    def _equation(self, eqn: Eqn) -> list[str]:
        out = eqn.outputs[0] if len(eqn.outputs) == 1 else None
        if out in self.turned:
            return []
        product = self._source(eqn) if eqn.primitive is transpose_p else None
        if product is not None and product.outputs[0] in self.turned:
            eqn = Eqn(dot_general_p, product.inputs[::-1],
                      {**product.params, "dims": product.params["dims"].swapped()},
                      eqn.outputs)  # fmt: skip
        operands = [self._atom(a) for a in eqn.inputs]
        if out is not None and out in self.left_out:
            self.names[out] = self._placed(eqn, operands[0])
            return []
        avals = tuple([a.aval for a in eqn.inputs])
        function = eqn.primitive.on_numpy(avals, eqn.params)
        into = self._reused(eqn, function)
        self._read(eqn)
        if not isinstance(function, np.ufunc) and not isinstance(eqn.primitive, _COPYING):
            self.reusable.difference_update(eqn.inputs)  # the result may be a view of them
        if out is None:
            impl = functools.partial(eqn.primitive.impl, **eqn.params)
            for v in eqn.outputs:
                self.names[v] = f"v{len(self.names)}"
            names = "".join(f"{self.names[v]}, " for v in eqn.outputs)
            call = f"{self._constant(impl)}({', '.join(operands)})"
            return [f"{names}= {call}" if names else call, *self._dropped(eqn, None)]
        if function is None:
            function = functools.partial(eqn.primitive.impl, **eqn.params)
            call = f"{self._constant(function)}({', '.join(operands)})[0]"
        else:
            given = operands if into is None else [*operands, f"out={self.names[into]}"]
            call = f"{self._constant(function)}({', '.join(given)})"
        if into is not None:
            self.names[out] = self.names[into]
        else:
            self.names[out] = f"v{len(self.names)}"
        if isinstance(function, np.ufunc) and out.aval.shape:
            self.reusable.add(out)
        return [f"{self.names[out]} = {call}", *self._dropped(eqn, into)]

    # --- temporaries --------------------------------------------------------------------------

    def _read(self, eqn: Eqn) -> None:
        for atom in eqn.inputs:
            if isinstance(atom, Var):
                self.readers[atom] -= 1

    def _dropped(self, eqn: Eqn, into: Var | None) -> list[str]:
        """The statement that frees operands which nothing reads after this equation."""
        dead = {
            self.names[a]: None
            for a in eqn.inputs
            if isinstance(a, Var) and a in self.made_by and not self.readers[a]
            if a is not into and a not in self.left_out
        }
        return [f"del {', '.join(dead)}"] if dead else []

    def _reused(self, eqn: Eqn, function: Any) -> Var | None:
        """An operand that nothing reads after this equation and that can hold its result."""
        if not isinstance(function, np.ufunc) or len(eqn.outputs) != 1:
            return None
        aval = eqn.outputs[0].aval
        if aval.size * aval.dtype.itemsize < _LARGE or not aval.shape:
            return None
        for atom in eqn.inputs:
            if (
                isinstance(atom, Var)
                and atom in self.reusable
                and self.readers[atom] == eqn.inputs.count(atom)
                and atom.aval.matches(aval)
            ):
                return atom
        return None

    # --- broadcasts ---------------------------------------------------------------------------

    def _broadcasts_left_to_numpy(self) -> set[Var]:
        """Results of broadcasts that elementwise operations read beside an operand of full size."""
        found = {
            e.outputs[0]
            for e in self.program.eqns
            if e.primitive is broadcast_in_dim_p
            and list(e.params["dims"]) == sorted(e.params["dims"])
        }
        found.difference_update(a for a in self.program.outs if isinstance(a, Var))
        for eqn in self.program.eqns:
            repeated = [a for a in eqn.inputs if isinstance(a, Var) and a in found]
            if not repeated:
                continue
            if not eqn.primitive.broadcasts:
                found.difference_update(repeated)
                continue
            shape = eqn.outputs[0].aval.shape
            if all(a in found or a.aval.shape != shape for a in eqn.inputs):
                found.discard(repeated[0])
        return found

    def _placed(self, eqn: Eqn, operand: str) -> str:
        """The operand of a broadcast as an expression that NumPy broadcasts to the same."""
        shape, dims = eqn.params["shape"], eqn.params["dims"]
        own = eqn.inputs[0].aval.shape
        if not own or dims == tuple(range(len(shape) - len(own), len(shape))):
            return operand
        placed = [1] * len(shape)
        for n, d in zip(own, dims, strict=True):
            placed[d] = n
        return f"{operand}.reshape({self._constant(tuple(placed[dims[0] :]))})"

    # --- products -----------------------------------------------------------------------------

    def _source(self, eqn: Eqn) -> Eqn | None:
        """The equation that makes the first operand of another."""
        first = eqn.inputs[0]
        return self.made_by.get(first) if isinstance(first, Var) else None

    def _products_to_transpose(self) -> set[Var]:
        """Products of matrices that only a transposition reads: its result is a product too."""
        found = set()
        for eqn in self.program.eqns:
            made = self._source(eqn) if eqn.primitive is transpose_p else None
            if (
                made is not None
                and isinstance(made.primitive, DotGeneral)
                and self.readers[made.outputs[0]] == 1
                and not made.params["dims"].lhs_batch
                and [a.aval.ndim for a in made.inputs] == [2, 2]
                and len(made.params["dims"].lhs_contract) == 1
            ):
                found.add(made.outputs[0])
        return found
