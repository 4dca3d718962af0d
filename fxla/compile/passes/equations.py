"""Equations that a pass puts in place of one, and primitives that only the compiler has."""

from __future__ import annotations

from typing import Any

from fxla.core.aval import Aval
from fxla.core.jaxpr import Atom, Eqn, Literal, Var
from fxla.core.primitive import Primitive
from fxla.errors import InternalError
from fxla.loops.view import FromMemory, View
from fxla.ops.shape import Pad, pad_p
from fxla.ops.structure import transpose_p

__all__ = ["Equations", "after_transforms", "in_memory_p"]


def after_transforms(self: Primitive, *args: Any, **params: Any) -> Any:
    """The rule of a primitive that exists only inside the compiler."""
    raise InternalError(f"{self.name} exists only after all transformations")


class PadInMemory(Pad):
    """Zeros around an array that is in memory: the pass that transposed it did nothing else."""

    name = "pad_in_memory"

    def __init__(self) -> None:
        """Not registered: no jaxpr that a user sees has this primitive."""

    def lower(self, *views: View, **params: Any) -> tuple[View, ...]:
        (padded,) = super().lower(*views, **params)
        return (FromMemory(padded.shape, padded.dtype, padded.at),)


pad_in_memory_p = PadInMemory()


class InMemory(Primitive):
    """An array as it is, but in memory and not computed where it is read."""

    name = "in_memory"

    def __init__(self) -> None:
        """Not registered: no jaxpr that a user sees has this primitive."""

    def abstract_eval(self, x: Aval) -> tuple[Aval, ...]:
        return (x,)

    impl = jvp = transpose = batch = after_transforms

    def lower(self, *views: View, **params: Any) -> tuple[View, ...]:
        (x,) = views
        return (FromMemory(x.shape, x.dtype, x.at),)


in_memory_p = InMemory()


class Equations:
    """Equations in place of one."""

    def __init__(self, eqn: Eqn) -> None:
        self.old = eqn
        self.eqns: list[Eqn] = []

    def add(self, primitive: Primitive, *inputs: Atom, **params: Any) -> Var:
        """Append an equation; returns its result."""
        (aval,) = primitive.abstract_eval(*[a.aval for a in inputs], **params)
        var = Var(aval)
        self.eqns.append(Eqn(primitive, inputs, params, (var,), self.old.source))
        return var

    def transposed(self, x: Atom, perm: tuple[int, ...]) -> Atom:
        """An array with permuted axes, itself if they stay where they are."""
        return x if perm == tuple(range(len(perm))) else self.add(transpose_p, x, perm=perm)

    def padded(
        self,
        x: Atom,
        padding: dict[int, tuple[int, int, int]],
        perm: tuple[int, ...],
        turned: bool = False,
    ) -> Atom:
        """An array with permuted axes and zeros around or between its elements.

        Args:
            x: the array.
            padding: before, after, and between elements, for axes of `x`.
            perm: its axes in their new order.
            turned: whether it is transposed already, so that it should be stored first.
        """
        y = self.transposed(x, perm)
        wanted = [padding.get(a, (0, 0, 0)) for a in perm]
        if not any(map(any, wanted)):
            return y
        low, high, interior = zip(*wanted, strict=True)
        zero = Literal(x.aval.dtype.type(0), Aval((), x.aval.dtype))
        pad = pad_p if y is x and not turned else pad_in_memory_p
        return self.add(pad, y, zero, low=low, high=high, interior=interior)

    def finish(self) -> list[Eqn]:
        """The equations, the last of which gives the old one's result."""
        last = self.eqns[-1]
        self.eqns[-1] = Eqn(
            last.primitive, last.inputs, last.params, self.old.outputs, self.old.source
        )
        assert last.outputs[0].aval.shape == self.old.outputs[0].aval.shape
        return self.eqns
