"""Whether a program's kernels are compiled in haste at first.

LLVM's code generator takes less than half of the time if it does not optimise, and what it gives
computes the same bits in one to four times the time. Where that is little beside what compiling
takes, a program runs hasty code until it has been called again (`improve`).
"""

from __future__ import annotations

import math

from fxla.compile.backend.llvm import haste_keeps_bits
from fxla.core.jaxpr import Eqn, Jaxpr
from fxla.ops.order_statistic import order_statistic_p
from fxla.ops.sort import searchsorted_p, sort_p, top_k_p

__all__ = ["in_haste"]

WORTH = 1.5e6
"""Elements that hasty code may compute for each equation: optimising one takes LLVM about 0.15 ms
longer, and hasty code takes about 0.1 ns longer for an element of one."""

SHORTEST = 16
"""An equation of fewer elements counts as one of so many, for instructions beside them."""

SORTING = 50
"""What an element costs that is sorted, in elements of other equations."""

_SORTING = frozenset({sort_p, top_k_p, searchsorted_p, order_statistic_p})


def in_haste(jaxpr: Jaxpr) -> bool:
    """Whether hasty code is sooner done with the first call than good code, compiling included.

    Args:
        jaxpr: simplified.

    Example:
        >>> import numpy as np
        >>> from fxla import ShapeDtypeStruct, make_jaxpr
        >>> def program(n):
        ...     return make_jaxpr(lambda x: np.sin(x) + x)(ShapeDtypeStruct((n,), float)).jaxpr
        >>> in_haste(program(10_000_000))
        False
    """
    if not haste_keeps_bits():
        return False
    count, elements = _size(jaxpr)
    return elements <= WORTH * count


def _size(jaxpr: Jaxpr) -> tuple[int, float]:
    """How many equations are compiled, and about how many elements they compute."""
    count, elements = 0, 0.0
    for eqn in jaxpr.eqns:
        inner = [_size(body) for body in _bodies(eqn)]
        count += 1 + sum(n for n, _ in inner)
        elements += _times(eqn) * sum(size for _, size in inner)
        if not inner:
            touched = max([a.aval.size for a in (*eqn.inputs, *eqn.outputs)], default=0)
            weight = SORTING if eqn.primitive in _SORTING else 1
            elements += weight * max(touched, SHORTEST)
    return count, elements


def _bodies(eqn: Eqn) -> list[Jaxpr]:
    """The programs that an equation runs."""
    found: list[Jaxpr] = []
    for value in eqn.params.values():
        if isinstance(value, Jaxpr):
            found.append(value)
        elif isinstance(value, tuple):
            found += [v for v in value if isinstance(v, Jaxpr)]
    return found


def _times(eqn: Eqn) -> float:
    """How often an equation runs its programs; infinite if nobody knows."""
    if "condition" in eqn.params:
        return math.inf
    return float(eqn.params.get("length", eqn.params.get("size", 1)))
