"""Functions of types: what they do depends on the types of their operands, not on the values.

Such a function is traced once for each combination of types, to a program of a few equations; a
call then runs that program under whatever trace is current. So promotion, broadcasting and the
checks of arguments cost nothing from the second call on, and the transformation sees one operation
where the user wrote one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fxla.core.array import Array, as_array
from fxla.core.aval import Aval
from fxla.core.dtypes import DType, _precision
from fxla.core.jaxpr import Atom, Eqn, Jaxpr, Var
from fxla.core.patience import make_room, once_worth
from fxla.core.records import dataclass
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import Trace, Tracer, Value, eval_trace, running, state, typeof
from fxla.numpy.writing import fresh
from fxla.ops.casts import Convert
from fxla.transforms.dce import dce_jaxpr

__all__ = ["ANY_NUMBER", "REAL_AND_COMPLEX", "typed"]

_CAPACITY = 2048
_known: dict[Any, Any] = {}
"""By function and types of a call: its `_Program`, or None if it has none."""

_seen: dict[Any, tuple[_Program, Sequence[Aval]]] = {}
"""The programs by what is found out soonest: identities of types, which an entry keeps alive."""

_ARRAYS = frozenset({np.ndarray, Array, *np.sctypeDict.values()})
_STATIC = (bool, int, float, complex, str, type(None), np.dtype, type, type(Ellipsis),
           type(np._NoValue))  # fmt: skip
REAL_AND_COMPLEX = frozenset({float, complex})
ANY_NUMBER = frozenset({int, float, complex})


@dataclass(frozen=True, slots=True)
class _Program:
    """What a function does for operands of certain types.

    Attributes:
        jaxpr: from (*consts, *operands) to the results.
        consts: arrays that the function made.
        numbers: operands that are Python numbers, with the scalar type each is converted to.
        many: the type of the sequence of results, None if there is one result.
    """

    jaxpr: Jaxpr
    consts: tuple[Any, ...]
    numbers: tuple[tuple[int, Callable[[Any], Any]], ...]
    many: type | None


class _Untypable(Exception):  # noqa: N818 - never leaves this file
    """A call whose operations may depend on more than types."""


def typed(
    function: Callable[..., Any], numbers: frozenset[type] = REAL_AND_COMPLEX
) -> Callable[..., Any]:
    """`function` of traced arguments, by a program made once for the types of its operands.

    Args:
        function: looks at types and at Python objects only, never at elements of arrays.
        numbers: types of Python numbers whose values it does not look at either. If there are
            none, it may look at numbers of all kinds.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        quick: list[Any] = []
        trace = state.trace
        if trace.evaluates and not kwargs:
            quick += (function, _precision.default)
            given = []
            for x in args:
                kind = type(x)
                if isinstance(x, Tracer):
                    quick.append(id(x.aval))
                    given.append(x)
                elif kind is float or (kind is int and -(2**63) <= x < 2**63):
                    quick.append(kind)
                    (given if kind in numbers else quick).append(x)
                else:
                    quick.clear()
                    break
            else:
                entry = _seen.get(tuple(quick))
                if entry is not None:
                    return _run(entry[0], given, trace)
        key: list[Any] = [function, _precision.default]
        operands: list[Any] = []
        try:
            for x in args:
                if isinstance(x, Tracer):
                    aval = x.aval
                    key += (aval.shape, aval.dtype, aval.weak_type)
                    operands.append(x)
                else:
                    _collect(x, key, operands, numbers)
            for name, x in kwargs.items():
                if name == "out" and x is not None:
                    raise _Untypable  # it is written to
                key.append(name)
                _collect(x, key, operands, numbers)
        except _Untypable:
            return function(*args, **kwargs)
        signature = tuple(key)
        found = _known.get(signature, 0)
        if type(found) is not _Program:
            if found is not None and operands:
                found = _note(
                    signature, lambda: _program(function, args, kwargs, operands, numbers)
                )
            if found is None or type(found) is int:
                return fresh(function(*args, **kwargs), operands)
        if quick:
            make_room(_seen, _CAPACITY)
            _seen[tuple(quick)] = found, [x.aval for x in args if isinstance(x, Tracer)]
        return _run(found, operands, trace)

    return call


def _run(program: _Program, operands: list[Any], trace: Trace) -> Any:
    """The result of a function by its program, under the current trace."""
    for position, convert in program.numbers:
        operands[position] = convert(operands[position])
    if program.consts:
        operands = [*program.consts, *operands]
    outs = trace.run(program.jaxpr, operands)
    if program.many is None:
        (out,) = outs
        return fresh(out, operands) if isinstance(out, Tracer) else as_array(out)
    results = [x if isinstance(x, Tracer) else as_array(x) for x in outs]
    return program.many(results)


def _collect(x: Any, key: list[Any], operands: list[Any], numbers: frozenset[type]) -> None:
    """Add an argument to the key of a call, and the arrays and numbers in it to the operands.

    Raises:
        _Untypable: if what the function does with it may depend on more than its type.
    """
    kind = type(x)
    if isinstance(x, Tracer):
        aval = x.aval
        key += (aval.shape, aval.dtype, aval.weak_type)
        operands.append(x)
    elif kind in _ARRAYS:
        if not numbers and not x.shape:
            raise _Untypable  # a number too, if not Python's
        key += (x.shape, x.dtype)
        operands.append(x)
    elif kind in numbers and (kind is not int or -(2**63) <= x < 2**63):
        key.append(kind)
        operands.append(x)
    elif kind is tuple or kind is list:
        key += (kind, len(x))
        for item in x:
            _collect(item, key, operands, numbers)
    elif isinstance(x, _STATIC):
        key += (kind, x)
    elif kind is slice:
        for n in (x.start, x.stop, x.step):
            if n is not None and type(n) is not int:
                raise _Untypable
        key += (kind, x.start, x.stop, x.step)
    else:
        raise _Untypable


def _note(signature: Any, make: Callable[[], _Program | None]) -> _Program | None:
    """The program of a call that was seen before; else remember that it was seen."""
    make_room(_known, _CAPACITY)
    try:
        return once_worth(_known, signature, make, 1)
    except Exception:  # the call itself, which comes next, says what is wrong
        _known[signature] = None
        return None


def _program(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    operands: Sequence[Any],
    numbers: frozenset[type],
) -> _Program | None:
    avals = [typeof(x) for x in operands]
    many: list[type | None] = [None]

    def flat(*values: Value) -> list[Value]:
        given = iter(values)
        replaced = [_replaced(x, given, numbers) for x in args]
        named = {name: _replaced(x, given, numbers) for name, x in kwargs.items()}
        out = function(*replaced, **named)
        if isinstance(out, (tuple, list)):
            many[0] = type(out)
            return list(out)
        return [out]

    with running(eval_trace):
        closed = trace_to_jaxpr(flat, avals, "trace", "")
    if any(isinstance(c, Tracer) for c in closed.consts) or many[0] not in (None, tuple, list):
        return None
    n = len(closed.consts)
    jaxpr, converted = closed.jaxpr, []
    for position, x in enumerate(operands):
        if type(x) in numbers:
            jaxpr, dtype = _taking_converted(jaxpr, n + position)
            if dtype is not None:
                converted.append((position, dtype.type))
    jaxpr, _ = dce_jaxpr(jaxpr, [True] * len(jaxpr.outs), True)
    return _Program(jaxpr, closed.consts, tuple(converted), many[0])


def _replaced(x: Any, given: Iterator[Value], numbers: frozenset[type]) -> Any:
    """An argument with the arrays and numbers in it replaced by tracers."""
    kind = type(x)
    if isinstance(x, Tracer) or kind in _ARRAYS or kind in numbers:
        return next(given)
    if kind is tuple or kind is list:
        return kind([_replaced(item, given, numbers) for item in x])
    return x


def _taking_converted(jaxpr: Jaxpr, position: int) -> tuple[Jaxpr, DType | None]:
    """The program that takes an input already in the dtype that it converts that input to.

    Returns:
        That program and the dtype; or the same program and None, if it reads the input as it is.
    """
    var = jaxpr.invars[position]
    readers = [e for e in jaxpr.eqns if var in e.inputs]
    dtypes = {e.params["dtype"] for e in readers if isinstance(e.primitive, Convert)}
    as_it_is = any(not isinstance(e.primitive, Convert) or e.params.get("weak") for e in readers)
    if as_it_is or len(dtypes) != 1 or var in jaxpr.outs:
        return jaxpr, None
    (dtype,) = dtypes
    taken = Var(Aval((), dtype))
    rename: dict[Any, Atom] = {v: taken for e in readers for v in e.outputs}
    eqns = tuple(
        Eqn(e.primitive, tuple(rename.get(a, a) for a in e.inputs), e.params, e.outputs, e.source)
        for e in jaxpr.eqns
        if e not in readers
    )
    invars = (*jaxpr.invars[:position], taken, *jaxpr.invars[position + 1 :])
    return Jaxpr(invars, eqns, tuple(rename.get(a, a) for a in jaxpr.outs)), dtype
