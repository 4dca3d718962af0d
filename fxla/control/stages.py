"""The stages of a jitted function, one after the other: traced, lowered, compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fxla.control.jit_primitive import jit_p
from fxla.control.programs import executable_of
from fxla.core.deferred import deferred
from fxla.core.jaxpr import ClosedJaxpr
from fxla.core.pytree import TreeDef, register_node, tree_flatten, tree_unflatten
from fxla.core.stateful import Place, assign, places
from fxla.core.trace import Value, typeof, where_am_i

__all__ = ["Compiled", "Lowered", "Traced", "TracedCall", "Updated"]

inspection = deferred("fxla.compile.inspect")


class TracedCall:
    """A function traced for one signature.

    Attributes:
        places: where `updates` are in the arguments, once that was asked for.
        updates: leaves of the arguments that the last results are new values of.
        executable: the program, once it has run.
        concrete: whether no argument is a tracer.
        single: whether the result is one array.
        tries: how often more to try and have such calls served natively.
    """

    __slots__ = (
        "closed",
        "concrete",
        "executable",
        "out_tree",
        "places",
        "single",
        "tries",
        "updates",
    )

    def __init__(
        self,
        closed: ClosedJaxpr,
        out_tree: TreeDef,
        concrete: bool,
        updates: tuple[int, ...] = (),
    ) -> None:
        self.closed = closed
        self.out_tree = out_tree
        self.concrete = concrete
        self.executable: Any = None
        self.single = out_tree.is_leaf()
        self.tries = 3
        self.updates = updates
        self.places: list[Place] | None = None

    def finish(self, given: Any, outs: Sequence[Value]) -> Any:
        """The result, once what was assigned to modules is assigned to the caller's.

        Args:
            given: the arguments that are not static, as ``(args, kwargs)``.
            outs: what the program returned.
        """
        n = len(outs) - len(self.updates)
        if self.updates:
            assign(given, dict(zip(self.updates, outs[n:], strict=True)))
        return tree_unflatten(self.out_tree, outs[:n])


class Updated:
    """The result of a call, and what it assigned to modules.

    Attributes:
        entry: the function that was called.
        result: the result.
        values: for `entry.updates`.
    """

    __slots__ = ("entry", "result", "values")

    def __init__(self, entry: TracedCall, result: Any, values: Sequence[Value]) -> None:
        self.entry = entry
        self.result = result
        self.values = values

    def finish(self, given: Any) -> Any:
        """The result, once everything is assigned to the modules of the arguments."""
        entry = self.entry
        if entry.places is None:
            entry.places = places(given, entry.updates)
        if entry.places is None:
            assign(given, dict(zip(entry.updates, self.values, strict=True)))
        else:
            for place in entry.places:
                place.fill(given, self.values)
        return self.result


register_node(
    Updated,
    lambda x: ((x.result, x.values), x.entry),
    lambda entry, children: Updated(entry, *children),
)


class Traced:
    """The result of ``jitted.trace(*args)``: the program before compilation.

    Attributes:
        jaxpr: the program.
        out_tree: structure of the result.

    Example:
        >>> import fxla
        >>> import numpy as np
        >>> print(fxla.jit(lambda x: 2.0 * x).trace(np.ones(3)).jaxpr)
        { lambda ; a:f64[3] . let
            b:f64[3] = mul 2.0:f64[] a
          in (b,) }
    """

    def __init__(self, entry: TracedCall, in_tree: TreeDef, name: str) -> None:
        self._entry = entry
        self._in_tree = in_tree
        self.fun_name = name
        self.jaxpr = entry.closed
        self.out_tree = entry.out_tree

    def __repr__(self) -> str:
        return f"<traced {self.fun_name}>"

    @property
    def out_info(self) -> Any:
        """Types of the results, in the result's tree."""
        types = self.jaxpr.out_avals
        return tree_unflatten(self.out_tree, list(types[: self.out_tree.num_leaves]))

    def lower(self) -> Lowered:
        """The program ready to compile."""
        return Lowered(self._entry, self._in_tree, self.fun_name)


class Lowered:
    """The result of ``jitted.lower(*args)``: what will be compiled, and can be read.

    Example:
        >>> import fxla
        >>> import numpy as np
        >>> print(fxla.jit(lambda x: 2.0 * x).lower(np.ones(3)).as_text())
        kernel mul(x0: float64[3]) -> out0: float64[3]:
            for i0 < 3 [vector]:
                let t0: float64 = (2.0 * x0[i0])
                out0[i0] = t0
    """

    def __init__(self, entry: TracedCall, in_tree: TreeDef, name: str) -> None:
        self._entry = entry
        self._in_tree = in_tree
        self.fun_name = name

    def __repr__(self) -> str:
        return f"<lowered {self.fun_name}>"

    def as_text(self) -> str:
        """The loop nests as text."""
        return self.compile().as_text()

    def compile(self) -> Compiled:
        """Compile now rather than at the first call."""
        return Compiled(self._entry, self._in_tree, self.fun_name)


class Compiled:
    """The result of ``jitted.lower(*args).compile()``: a function of one signature only.

    Example:
        >>> import fxla
        >>> doubled = fxla.jit(lambda x: 2.0 * x).lower(1.0).compile()
        >>> doubled(4.0)
        Array(8.)
    """

    def __init__(self, entry: TracedCall, in_tree: TreeDef, name: str) -> None:
        self._entry = entry
        self._in_tree = in_tree
        self.fun_name = name
        self._executable = executable_of(entry.closed.jaxpr)

    def __repr__(self) -> str:
        return f"<compiled {self.fun_name}>"

    def as_text(self) -> str:
        """The loop nests as text."""
        text: str = inspection.inspect_executable(self._entry.closed, self._executable).loops
        return text

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, tree = tree_flatten((args, kwargs))
        wanted = self._entry.closed.in_avals
        if tree != self._in_tree or not all(
            typeof(x).matches(a) for x, a in zip(leaves, wanted, strict=True)
        ):
            raise TypeError(
                f"{self.fun_name} was compiled for ({', '.join(map(str, wanted))}) and called with "
                f"({', '.join(str(typeof(x)) for x in leaves)}){where_am_i()}"
            )
        outs = jit_p.bind(
            *self._entry.closed.consts, *leaves, jaxpr=self._entry.closed.jaxpr, name=self.fun_name
        )
        return self._entry.finish((args, kwargs), outs)
