"""Branches that were rewritten: Python's on known conditions, a `cond` on traced ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.capturing.regions import Region, State, is_traced, run_region
from fxla.capturing.undefined import Undefined
from fxla.capturing.values import (
    describe,
    into_container,
    is_array,
    joined_type,
    line_of_user,
    own_containers,
    truth,
    unlike,
)
from fxla.control.cond import cond_p, over_common_consts
from fxla.core.aliasing import Alias, freeze, write
from fxla.core.aval import Aval
from fxla.core.dtypes import int32
from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.trace import Tracer, Value, typeof
from fxla.ops.casts import convert
from fxla.ops.structure import zeros_of

__all__ = ["and_", "and_lazy", "chain", "choose", "if_", "none_of", "not_", "or_", "or_lazy"]

VIEW = Alias(frozen="was a view, or another variable's array, in a branch or loop on traced values")


def if_(
    test: Any, then: Callable[[], None], orelse: Callable[[], None] | None, state: State,
    fills: bool = False,
) -> None:  # fmt: skip
    """``if test: ... else: ...``.

    Args:
        test: the condition.
        then: binds the variables where it holds.
        orelse: binds them where it does not.
        state: the variables.
        fills: whether a variable that one branch only binds is anything where the other is taken.
    """
    if not is_traced(test):
        if test:
            then()
        elif orelse is not None:
            orelse()
        return
    entry = state.get()

    def branch(body: Callable[[], None] | None) -> Callable[[], Sequence[Any]]:
        def run() -> Sequence[Any]:
            state.set(own_containers(entry))
            if body is not None:
                body()
            return state.get()

        return run

    try:
        found = _traced_if(
            truth(test, "an `if`"), branch(then), branch(orelse), state.names, entry, fills
        )
    except BaseException:
        state.set(entry)
        raise
    state.set(found)


def choose(test: Any, then: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
    """``then if test else orelse``."""
    if not is_traced(test):
        return then() if test else orelse()
    chosen = _traced_if(
        truth(test, "an `if` expression"), lambda: [then()], lambda: [orelse()],
        ("the value of the `if` expression",), (None,),
    )  # fmt: skip
    return chosen[0]


def _traced_if(
    test: Any, then: Callable[[], Sequence[Any]], orelse: Callable[[], Sequence[Any]],
    names: Sequence[str], entry: Sequence[Any], fills: bool = False,
) -> list[Any]:  # fmt: skip
    """Both branches as programs, and one equation that runs one of them."""
    regions = [run_region(lambda *_: orelse()), run_region(lambda *_: then())]
    joint = [
        _Joint(name, before, regions, [r.values[k] for r in regions], fills)
        for k, (name, before) in enumerate(zip(names, entry, strict=True))
    ]
    roots = {id(x): x for r in regions for x in r.trace.changed()}
    closed = []
    for side, region in enumerate(regions):

        def outs(side: int = side, region: Region = region) -> list[Value]:
            found = [x for j in joint for x in j.results(side)]
            return [*found, *(region.trace.now(x) for x in roots.values())]

        closed.append(region.close(outs))
    branches, consts = over_common_consts(closed)
    results = iter(cond_p.bind(convert(test, int32), *consts, branches=branches))
    found = [j.take(results) for j in joint]
    for root in roots.values():
        write(root, next(results))
    return found


class _Joint:
    """One variable's values in the branches, and what it is after them."""

    def __init__(
        self, name: str, before: Any, regions: list[Region], values: list[Any], fills: bool
    ) -> None:
        self.name = name
        self.regions = regions
        self.fixed: Any = None
        self.leaves: list[list[Any]] = [[], []]
        self.avals: list[Aval | None] = []
        self.shared: list[bool] = []
        self.tree: Any = None
        self.before = before
        if all(v is values[0] for v in values):
            self.fixed = values[0]
            return
        missing = [isinstance(v, Undefined) for v in values]
        if any(missing):
            self._one_sided(values, missing, fills or name.startswith("fx_"))
            return
        flat = [tree_flatten(v, lambda x: x is None) for v in values]
        if flat[0][1] != flat[1][1]:
            raise self._unlike(values)
        if isinstance(before, (list, dict)) and all(_holds(v, before) for v in values):
            self.fixed = before
            return
        self.tree = flat[0][1]
        for side in (0, 1):
            self.leaves[side] = list(flat[side][0])
        for a, b in zip(*self.leaves, strict=True):
            self._join(a, b, values, before)

    def _one_sided(self, values: list[Any], missing: list[bool], fills: bool) -> None:
        """A variable that one branch only defines: the result of a function that goes on."""
        side = missing.index(False) if not all(missing) else 0
        value = values[side]
        if not fills or all(missing):
            why = f"is bound in one branch only of the `if` in {line_of_user()}"
            self.fixed = Undefined(self.name, why)
            return
        leaves, self.tree = tree_flatten(value, lambda x: x is None)
        for x in leaves:
            held = is_array(x)
            self.avals.append(typeof(x) if held else None)
            self.shared.append(False)
            self.leaves[side].append(x)
            self.leaves[1 - side].append(_Zeros(typeof(x)) if held else x)

    def _join(self, a: Any, b: Any, values: list[Any], before: Any) -> None:
        if a is b or (not is_traced(a) and not is_traced(b) and _equal(a, b)):
            self.avals.append(None)
            self.shared.append(False)
            return
        if not (is_array(a) and is_array(b)):
            raise self._unlike(values)
        joined = joined_type(typeof(a), typeof(b))
        if joined is None:
            raise self._unlike(values)
        self.avals.append(joined)
        foreign = [
            isinstance(x, Tracer)
            and bool(x.shape)
            and (x.owner is not r.trace or _is_view(x))
            and x is not before
            for x, r in zip((a, b), self.regions, strict=True)
        ]
        self.shared.append(any(foreign))

    def _unlike(self, values: list[Any]) -> Exception:
        return unlike(
            self.name,
            f"{describe(values[1])} where the condition of a branch holds",
            f"{describe(values[0])} where it does not",
            "Give it a value on both paths, np.nan for example, if there is none."
            if any(v is None for v in values)
            else "A program has one type for it: make the shapes equal, with np.broadcast_to for "
            "example, and keep in it what a program can hold, numbers and arrays.",
        )

    def results(self, side: int) -> list[Value]:
        """The variable's leaves that differ, computed in one of the branches."""
        region = self.regions[side]
        out = []
        for x, aval in zip(self.leaves[side], self.avals, strict=True):
            if aval is not None:
                value = zeros_of(aval) if isinstance(x, _Zeros) else region.trace.now(x)
                out.append(convert(value, aval.dtype))
        return out

    def take(self, results: Any) -> Any:
        """The variable's value after the branches."""
        if self.tree is None:
            return self.fixed
        leaves = []
        for k, aval in enumerate(self.avals):
            if aval is None:
                leaves.append(self.leaves[1][k])
                continue
            x = next(results)
            leaves.append(freeze(x, VIEW) if self.shared[k] else x)
        return into_container(self.before, tree_unflatten(self.tree, leaves))


class _Zeros:
    """Stands for a value that nobody will read."""

    def __init__(self, aval: Aval) -> None:
        self.aval = aval


def _holds(x: Any, before: Any) -> bool:
    """Whether a container holds the very things that another one does."""
    (leaves, tree), (others, other) = tree_flatten(x), tree_flatten(before)
    return tree == other and all(a is b for a, b in zip(leaves, others, strict=True))


def _is_view(x: Any) -> bool:
    alias = getattr(x, "alias", None)
    return alias is not None and alias.base is not None


def _equal(a: Any, b: Any) -> bool:
    """Whether two values that are no tracers may stand for each other."""
    if type(a) is not type(b) or isinstance(a, (np.ndarray, Tracer)):
        return False
    if isinstance(a, float):
        return repr(a) == repr(b)
    return bool(a == b)


# --- logic ----------------------------------------------------------------------------------


def none_of(*flags: Any) -> Any:
    """Whether no flag is set."""
    traced = None
    for flag in flags:
        if is_traced(flag):
            traced = flag if traced is None else traced | flag
        elif flag:
            return False
    return True if traced is None else ~traced


def not_(x: Any) -> Any:
    """``not x``."""
    return ~truth(x, "`not`") if is_traced(x) else not x


def and_(first: Any, second: Callable[[], Any]) -> Any:
    """``first and second``, where computing the second cannot hurt."""
    if not is_traced(first):
        return first and second()
    return _logic(first, second(), True)


def or_(first: Any, second: Callable[[], Any]) -> Any:
    """``first or second``, where computing the second cannot hurt."""
    if not is_traced(first):
        return first or second()
    return _logic(first, second(), False)


def _logic(first: Any, second: Any, is_and: bool) -> Any:
    test = truth(first, "`and`" if is_and else "`or`")
    boolean = is_array(second) and typeof(second).dtype == np.bool_ == first.dtype
    if boolean and not typeof(second).shape and not first.shape:
        return test & second if is_and else test | second
    return choose(test if is_and else ~test, lambda: second, lambda: first)


def and_lazy(first: Any, second: Callable[[], Any]) -> Any:
    """``first and second``."""
    if not is_traced(first):
        return first and second()
    return choose(truth(first, "`and`"), second, lambda: first)


def or_lazy(first: Any, second: Callable[[], Any]) -> Any:
    """``first or second``."""
    if not is_traced(first):
        return first or second()
    return choose(truth(first, "`or`"), lambda: first, second)


def chain(left: Any, *steps: Any) -> Any:
    """``left < a < b``: pairs of a comparison and the next operand."""
    found: Any = True
    for compare, operand in zip(steps[::2], steps[1::2], strict=True):
        if not is_traced(found) and not found:
            return found
        right = operand()
        found = and_(found, lambda c=compare, a=left, b=right: c(a, b))  # type: ignore[misc]
        left = right
    return found
