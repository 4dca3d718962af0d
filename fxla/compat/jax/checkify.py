"""``jax.experimental.checkify``: errors as values that a program computes beside its results.

A check is an effect that raises. `checkify` reads a function's program and leaves these effects
out: each check becomes a boolean and the values of its message, which branches return, and of which
loops carry those of the first iteration that failed. So a checked function is like any other: it
can be compiled, vectorised and differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla import lax
from fxla.compat.jax.precision import narrow
from fxla.control.callback import debug_callback_p
from fxla.control.cond import cond_p
from fxla.control.jit_primitive import jit_p
from fxla.control.scan_primitive import scan_p
from fxla.control.while_loop import while_p
from fxla.core.aval import Aval
from fxla.core.dtypes import is_bool, is_inexact
from fxla.core.jaxpr import Eqn, Jaxpr, Literal, sub_jaxprs
from fxla.core.primitive import Primitive
from fxla.core.pytree import TreeDef, register_node, tree_flatten, tree_map, tree_unflatten
from fxla.core.records import dataclass
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import FxlaError
from fxla.ops.casts import convert
from fxla.ops.dynamic import dynamic_slice_p, dynamic_update_slice_p
from fxla.ops.index import Scatter, gather_p
from fxla.transforms.api import argument, flatten_function, function_name, wraps_as

__all__ = ["KINDS", "CheckError", "Error", "check", "check_error", "checkify", "debug_check"]

KINDS = {
    "user_checks": frozenset({"user"}),
    "nan_checks": frozenset({"nan"}),
    "div_checks": frozenset({"div"}),
    "index_checks": frozenset({"index"}),
    "float_checks": frozenset({"nan", "div"}),
    "automatic_checks": frozenset({"nan", "div", "index"}),
    "all_checks": frozenset({"user", "nan", "div", "index"}),
}


class CheckError(FxlaError, RuntimeError):
    """A check failed."""


@dataclass(frozen=True)
class _Check:
    """What a check says; as the function of an effect it raises, where nobody collects errors.

    Attributes:
        message: a text for ``str.format``.
        tree: of its arguments.
    """

    message: str
    tree: TreeDef

    __name__ = "check"

    def __call__(self, holds: Any, *values: Any) -> list[Any]:
        if not holds:
            raise CheckError(self.text(values))
        return []

    def text(self, values: Sequence[Any]) -> str:
        """The message about some values."""
        args, kwargs = tree_unflatten(self.tree, values)
        return self.message.format(*args, **kwargs)


@dataclass(frozen=True)
class _Found:
    """A check that was made: whether it failed, and the values that it is about."""

    check: _Check
    failed: Value
    values: tuple[Value, ...]


class Error:
    """Whether the checks of a function held: a tree of arrays, with messages."""

    def __init__(self, found: Sequence[_Found]) -> None:
        self._found = tuple(found)

    def _messages(self) -> Iterator[str]:
        shape = np.shape(self._found[0].failed) if self._found else ()
        for at in np.ndindex(*shape):
            failed = (f for f in self._found if np.asarray(f.failed)[at])
            first = next(failed, None)
            if first is not None:
                text = first.check.text([np.asarray(v)[at] for v in first.values])
                yield f"at mapped index {', '.join(map(str, at))}: {text}" if at else text

    def get(self) -> str | None:
        """The message of the first check that failed, for each mapped example; or None."""
        return "\n".join(self._messages()) or None

    def throw(self) -> None:
        """Raise the error, if there is one.

        Raises:
            CheckError: if a check failed.
        """
        message = self.get()
        if message is not None:
            raise CheckError(message)

    def __repr__(self) -> str:
        traced = any(isinstance(f.failed, Tracer) for f in self._found)
        return "Error(traced)" if traced else f"Error({self.get()})"


register_node(
    Error,
    lambda e: (tuple((f.failed, f.values) for f in e._found), tuple(f.check for f in e._found)),
    lambda checks, found: Error(
        [_Found(c, failed, values) for c, (failed, values) in zip(checks, found, strict=True)]
    ),
)


def debug_check(pred: Any, msg: str, *args: Any, **kwargs: Any) -> None:
    """``checkify.debug_check``: a `check` that is made only where errors are collected."""
    check(pred, msg, *args, debug=True, **kwargs)


def check(pred: Any, msg: str, *args: Any, debug: bool = False, **kwargs: Any) -> None:
    """``checkify.check``: `pred` must hold.

    Outside of `checkify` it raises when the program gets there, in compiled programs too (JAX
    refuses to compile such a program).

    Args:
        pred: a boolean scalar.
        msg: a text for ``str.format`` of the other arguments.
        *args: trees of arrays.
        debug: whether it is made only where `checkify` collects errors.
        **kwargs: more, by name.

    Raises:
        TypeError: if `pred` is no boolean scalar.
        CheckError: if it is known to be false, outside of `checkify`.
    """
    aval = typeof(pred)
    if aval.shape or not is_bool(aval.dtype):
        raise TypeError(
            f"checkify.check: the condition must be a boolean scalar, got {aval}{where_am_i()}. "
            "Reduce it with `jnp.all`."
        )
    leaves, tree = tree_flatten((args, kwargs))
    function = (_Debug if debug else _Check)(f"{msg} (`check` failed)", tree)
    _made(function, [argument(x) for x in (pred, *leaves)])


class _Debug(_Check):
    """A check that is made only where errors are collected."""

    def __call__(self, holds: Any, *values: Any) -> list[Any]:
        return []


def _made(function: _Check, operands: Sequence[Value]) -> None:
    debug_callback_p.bind(*operands, function=function, avals=(), method="sequential", lead=())


def check_error(error: Error) -> None:
    """``checkify.check_error``: raise an error where it is, or check again what it was about."""
    if not any(isinstance(f.failed, Tracer) for f in error._found):
        error.throw()
    for f in error._found:
        _made(f.check, [fnp.logical_not(f.failed), *f.values])


def checkify(f: Callable[..., Any], errors: frozenset[str] = KINDS["user_checks"]) -> Any:
    """``checkify.checkify``: a function that returns ``(error, result)``.

    Args:
        f: the function.
        errors: what is checked: `check` (``user_checks``), every NaN (``nan_checks``), divisions by
            zero (``div_checks``), indices (``index_checks``), or several of these.
    """
    collector = _Collector(frozenset(errors))

    @wraps_as("Checked version", f, "checkify")
    def checked(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = tree_map(narrow, (args, kwargs))
        flat_f, leaves = flatten_function(f, args, kwargs, call="checkify")
        avals = [typeof(x) for x in leaves]
        closed = trace_to_jaxpr(flat_f, avals, "checkify", function_name(f))
        outs, found = collector.run(closed.jaxpr, [*closed.consts, *leaves])
        return Error(found), flat_f.result(tree_map(fnp.asarray, outs))

    return checked


Ran = tuple[list[Value], list[_Found]]
_PLAIN = tree_flatten(((), {}))[1]
_ONE = tree_flatten(((0,), {}))[1]


@dataclass(frozen=True)
class _Collector:
    """Runs programs and collects what their checks found."""

    kinds: frozenset[str]

    def run(self, jaxpr: Jaxpr, args: Sequence[Value]) -> Ran:
        """The results of a program, and what was found on the way."""
        env: dict[Any, Value] = dict(zip(jaxpr.invars, args, strict=True))
        found: list[_Found] = []

        def read(atom: Any) -> Value:
            return atom.value if isinstance(atom, Literal) else env[atom]

        for eqn in jaxpr.eqns:
            outs, more = self._equation(eqn, [read(a) for a in eqn.inputs])
            env.update(zip(eqn.outputs, outs, strict=True))
            found += more
        return [read(a) for a in jaxpr.outs], found

    def _equation(self, eqn: Eqn, inputs: list[Value]) -> Ran:
        params = eqn.params
        if _is_check(eqn):
            return [], [_of_check(params, inputs)] if "user" in self.kinds else []
        region = _REGIONS.get(eqn.primitive)
        inside = [j for _, j in sub_jaxprs(params)]
        looks_inside = any(map(_has_checks, inside)) or bool(self.kinds - {"user"})
        if region is not None and looks_inside:
            return region(self, params, inputs)
        inner = eqn.primitive.inlined(params)
        if inner is not None and (_has_checks(inner) or (eqn.primitive is jit_p and looks_inside)):
            return self.run(inner, inputs)
        outs = list(eqn.primitive.bind(*inputs, **params))
        return outs, list(self._automatic(eqn, inputs, outs))

    def _automatic(self, eqn: Eqn, inputs: list[Value], outs: list[Value]) -> Iterator[_Found]:
        name = eqn.primitive.name
        if "div" in self.kinds and name == "div":
            failed = fnp.any(fnp.equal(inputs[1], 0))
            yield _Found(_Check("division by zero", _PLAIN), failed, ())
        if "index" in self.kinds:
            yield from _outside(eqn.primitive, eqn.params, inputs)
        floats = [y for y in outs if is_inexact(typeof(y).dtype)]
        if "nan" in self.kinds and floats and not eqn.primitive.inlined(eqn.params):
            failed = fnp.any(fnp.stack([fnp.any(fnp.isnan(y)) for y in floats]))
            check = _Check(f"nan generated by primitive: {name}.", _PLAIN)
            yield _Found(check, failed, ())

    def scan(self, params: dict[str, Any], inputs: list[Value]) -> Ran:
        body, n, k = params["body"], params["n_consts"], params["n_consts"] + params["n_carry"]
        consts, carry, xs = inputs[:n], _as(body.in_avals[n:k], inputs[n:k]), inputs[k:]
        first = self._none(body)

        def step(state: Any, x: Any) -> Any:
            before, kept = state
            outs, found = self.run(body, [*consts, *before, *x])
            return (outs[: k - n], _first(kept, found)), outs[k - n :]

        state = (carry, _arrays(first))
        (last, kept), ys = lax.scan(step, state, xs, params["length"], params["reverse"])
        return [*last, *ys], _named(first, kept)

    def loop(self, params: dict[str, Any], inputs: list[Value]) -> Ran:
        condition, body = params["condition"], params["body"]
        n = params["n_condition_consts"]
        k = n + params["n_body_consts"]
        asked, consts, carry = inputs[:n], inputs[n:k], _as(body.out_avals, inputs[k:])
        first = [*self._none(condition), *self._none(body)]

        def going(state: Any) -> Any:
            return self.run(condition, [*asked, *state[0]])[0][0]

        def step(state: Any) -> Any:
            before, kept = state
            _, found = self.run(condition, [*asked, *before])
            outs, more = self.run(body, [*consts, *before])
            return outs, _first(kept, [*found, *more])

        last, kept = lax.while_loop(going, step, (carry, _arrays(first)))
        _, at_end = self.run(condition, [*asked, *last])
        return list(last), [*_named(first, kept), *at_end]

    def branches(self, params: dict[str, Any], inputs: list[Value]) -> Ran:
        programs: tuple[Jaxpr, ...] = params["branches"]
        sites = [self._none(j) for j in programs]

        def of(k: int) -> Callable[..., Any]:
            def branch(*operands: Value) -> Any:
                outs, found = self.run(programs[k], operands)
                states = [_first(_arrays(s), found if j == k else s) for j, s in enumerate(sites)]
                return _as(programs[k].out_avals, outs), states

            return branch

        index, *operands = inputs
        outs, states = lax.switch(index, [of(k) for k in range(len(programs))], *operands)
        found = [f for s, kept in zip(sites, states, strict=True) for f in _named(s, kept)]
        return list(outs), found

    def _none(self, jaxpr: Jaxpr) -> list[_Found]:
        """The checks of a program, none of which failed yet."""
        sites: list[tuple[_Check, list[Aval]]] = []

        def f(*args: Value) -> list[Value]:
            outs, found = self.run(jaxpr, args)
            sites.extend((m.check, [typeof(v) for v in m.values]) for m in found)
            return outs

        trace_to_jaxpr(f, jaxpr.in_avals, "checkify")
        return [
            _Found(check, np.zeros((), bool), tuple([np.zeros(a.shape, a.dtype) for a in avals]))
            for check, avals in sites
        ]


_REGIONS: dict[Primitive, Callable[[_Collector, dict[str, Any], list[Value]], Ran]] = {
    scan_p: _Collector.scan,
    while_p: _Collector.loop,
    cond_p: _Collector.branches,
}


def _is_check(eqn: Eqn) -> bool:
    return eqn.primitive is debug_callback_p and isinstance(eqn.params["function"], _Check)


def _has_checks(jaxpr: Jaxpr) -> bool:
    return any(
        _is_check(e) or any(_has_checks(j) for _, j in sub_jaxprs(e.params)) for e in jaxpr.eqns
    )


def _of_check(params: dict[str, Any], inputs: list[Value]) -> _Found:
    """What a check found; of one that `vmap` made of several, what the first that failed did."""
    holds, *values = inputs
    lead = params["lead"]
    if lead:
        n = len(lead)
        holds, *values = [
            fnp.reshape(fnp.broadcast_to(x, lead + typeof(x).shape[n:]), (-1, *typeof(x).shape[n:]))
            for x in inputs
        ]
        at = fnp.argmin(holds)
        values = [v[at] for v in values]
    return _Found(params["function"], fnp.logical_not(fnp.all(holds)), tuple(values))


def _outside(primitive: Primitive, params: dict[str, Any], inputs: list[Value]) -> Iterator[_Found]:
    """Checks that the windows which are read or written lie within an array."""
    shape = typeof(inputs[0]).shape
    for axis, starts, size in _windows(primitive, params, inputs):
        if typeof(starts).size:
            starts = fnp.ravel(starts)
            wrong = (starts < 0) | (starts > shape[axis] - size)
            message = (
                f"out-of-bounds indexing for array of shape {shape}: index {{}} is out of bounds "
                f"for axis {axis} with size {shape[axis]}."
            )
            first = starts[fnp.argmax(wrong)]
            yield _Found(_Check(message, _ONE), fnp.any(wrong), (first,))


def _windows(
    primitive: Primitive, params: dict[str, Any], inputs: list[Value]
) -> Iterator[tuple[int, Any, int]]:
    """For each indexed axis of an array its number, where windows start, and their size."""
    if primitive is gather_p or isinstance(primitive, Scatter):
        for k, axis in enumerate(params["dims"].start_index_map):
            yield axis, fnp.asarray(inputs[1])[..., k], params["sizes"][axis]
    elif primitive is dynamic_slice_p:
        yield from zip(range(len(inputs)), inputs[1:], params["sizes"], strict=False)
    elif primitive is dynamic_update_slice_p:
        yield from zip(range(len(inputs)), inputs[2:], typeof(inputs[1]).shape, strict=False)


def _as(avals: Sequence[Any], values: Sequence[Value]) -> list[Value]:
    return [convert(v, a.dtype) for a, v in zip(avals, values, strict=True)]


def _arrays(found: Sequence[_Found]) -> list[Any]:
    return [(f.failed, f.values) for f in found]


def _named(like: Sequence[_Found], states: Sequence[Any]) -> list[_Found]:
    pairs = zip(like, states, strict=True)
    return [_Found(f.check, failed, tuple(values)) for f, (failed, values) in pairs]


def _first(kept: Sequence[Any], found: Sequence[_Found]) -> list[Any]:
    """For each check what it found first: before, or now."""
    states = []
    for (failed, values), now in zip(kept, found, strict=True):
        chosen = [
            fnp.where(failed, a, convert(b, typeof(a).dtype))
            for a, b in zip(values, now.values, strict=True)
        ]
        states.append((fnp.logical_or(failed, now.failed), tuple(chosen)))
    return states
