"""What a higher-order primitive lowers to: loops and branches around programs.

A primitive whose params hold a jaxpr returns one of these records from ``lower``; the program
builder compiles the jaxprs inside and puts native control flow around their kernels.
"""

from __future__ import annotations

from collections.abc import Callable

from fxla.core.jaxpr import Jaxpr
from fxla.core.records import dataclass

__all__ = ["BlocksRegion", "BranchRegion", "LanesRegion", "Region", "ScanRegion", "WhileRegion"]


@dataclass(frozen=True, slots=True)
class Region:
    """Base of control flow records."""


@dataclass(frozen=True, slots=True)
class ScanRegion(Region):
    """A counted loop.

    Operands: (*consts, *carry, *xs); results: (*carry, *ys).

    Attributes:
        body: (*consts, *carry, *x) -> (*carry, *y) for one iteration.
        n_consts: how many operands are the same in every iteration.
        n_carry: how many values go from one iteration to the next.
        length: number of iterations.
        reverse: whether iterations run from the last index to the first.
    """

    body: Jaxpr
    n_consts: int
    n_carry: int
    length: int
    reverse: bool


@dataclass(frozen=True, slots=True)
class BlocksRegion(ScanRegion):
    """A counted loop over blocks of arrays, around kernels of their own (`stretches.in_blocks`).

    An x is read, and a y is written, a block after the other, whatever their shapes are.
    """


@dataclass(frozen=True, slots=True)
class WhileRegion(Region):
    """A conditional loop.

    Operands: (*condition consts, *body consts, *carry); results: the final carry.

    Attributes:
        condition: (*consts, *carry) -> a boolean scalar.
        n_condition_consts: how many operands only the condition reads.
        body: (*consts, *carry) -> carry.
        n_body_consts: how many operands only the body reads.
    """

    condition: Jaxpr
    n_condition_consts: int
    body: Jaxpr
    n_body_consts: int


@dataclass(frozen=True, slots=True)
class BranchRegion(Region):
    """One of several programs, by a number.

    Operands: (index, *operands), index an int32 scalar within range; results: those of the branch.
    """

    branches: tuple[Jaxpr, ...]


@dataclass(frozen=True, slots=True)
class LanesRegion(Region):
    """A program for every example of a batch.

    Operands with an axis of examples have it in front, as all results do.

    Attributes:
        body: the program of one example.
        batched: for each operand, whether it has an axis of examples.
        size: number of examples.
        whole: the program of all of them, where one example does not suit a kernel.
    """

    body: Jaxpr
    batched: tuple[bool, ...]
    size: int
    whole: Callable[[], Jaxpr]
