"""Which overwritten values a way back reads: only those are put aside.

A variable's value before an assignment has to come back only if the adjoint of a statement that
ran since it got that value reads it. The running sum of an inner loop, for example, is read once
the loop has ended; its values in between are not. Called "to be recorded" analysis by Hascoet,
Naumann and Pascual (Future Generation Computer Systems 21, 2005).
"""

from __future__ import annotations

from collections.abc import Mapping

from fxla.kernels.ir import Block, Loop, Make, Pop, Put, Repeat, reads
from fxla.loops.ir import Assign, If, Load, Local

__all__ = ["recorded"]

Reads = Mapping[int, set[str]]
"""Names by the identity of a statement."""


def recorded(body: Block, by_adjoint: Reads, at_the_end: Reads) -> set[int]:
    """Identities of the statements whose target's old value is read on the way back.

    Args:
        body: of a program.
        by_adjoint: what the adjoint of a statement reads, where the statement stands.
        at_the_end: what a statement makes the way back through its block read at its beginning.
    """
    found: set[int] = set()
    _flow(body, frozenset(), found, by_adjoint, at_the_end)
    return found


def _flow(
    body: Block, read: frozenset[str], found: set[int], by_adjoint: Reads, at_the_end: Reads
) -> frozenset[str]:
    """Names whose present values adjoints of earlier statements read, after a block."""
    for s in body:
        own = by_adjoint.get(id(s), set())
        match s:
            case Assign(local=x) | Pop(target=Local() as x):
                if x.name in read or x.name in own:
                    found.add(id(s))
                read = (read - {x.name}) | (own - {x.name})
            case Put(buffer=b) | Pop(target=Load(buffer=b)):
                if b.name in read or b.name in own:
                    found.add(id(s))
                read |= own
            case Make(buffer=b):
                read = (read - {b.name}) | own
            case If(condition=c, then=then, otherwise=otherwise):
                one = _flow(then, read, found, by_adjoint, at_the_end)
                two = _flow(otherwise, read, found, by_adjoint, at_the_end)
                read = one | two | reads(c)
            case Loop() | Repeat():
                read = _around(s, read, found, by_adjoint, at_the_end)
            case _:
                read |= own
    for s in body:
        read |= at_the_end.get(id(s), set())
    return read


def _around(
    s: Loop | Repeat, read: frozenset[str], found: set[int], by_adjoint: Reads, at_the_end: Reads
) -> frozenset[str]:
    """The same after a loop: what an iteration leaves is what the next one finds."""
    while True:
        after = read | _flow(s.body, read, found, by_adjoint, at_the_end)
        if after == read:
            break
        read = after
    return read | _bounds(s)


def _bounds(s: Loop | Repeat) -> set[str]:
    count = {s.count.name} if s.count is not None else set()
    if isinstance(s, Loop):
        return reads(s.start) | reads(s.stop) | reads(s.step) | count
    return count
