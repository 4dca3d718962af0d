"""Which subexpressions to compute once and bind to a local before a statement.

A printer that writes a shared subexpression at each use takes exponential time. Binding it
before the statement is right if the statement evaluates it for certain, or if evaluating it
needlessly is harmless: a load is not, since the arm of a select that is not taken may index outside
the buffer. What only one arm shares is bound inside that arm, which is then printed as a block.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from fxla.loops.ir import INDEX, Cast, Const, Expr, Extent, Index, Load, Local, Op, Select
from fxla.loops.rewrite import Numbering

__all__ = ["Sharing"]


class Sharing:
    """The expressions of a kernel as numbers, and the question of what to bind where."""

    def __init__(self) -> None:
        self.numbering = Numbering()
        self._reads: dict[int, frozenset[str]] = {}

    def number(self, e: Expr) -> int:
        """The number of an expression; equal expressions have equal numbers."""
        return self.numbering.number(e)

    def example(self, n: int) -> Expr:
        """An expression of a number."""
        return self.numbering.examples[n]

    def operands(self, n: int) -> tuple[int, ...]:
        """The numbers of its operands."""
        return self.numbering.operands[n]

    def reads(self, n: int) -> frozenset[str]:
        """The buffers and locals an expression reads, each by name."""
        for m in self.below([n], self._reads):
            e = self.example(m)
            own = {e.buffer.name} if isinstance(e, Load) else set()
            own |= {e.name} if isinstance(e, Local) else set()
            self._reads[m] = frozenset(own).union(*[self._reads[k] for k in self.operands(m)])
        return self._reads[n]

    def loads(self, n: int) -> bool:
        """Whether an expression reads memory."""
        return any(isinstance(self.example(m), Load) for m in self.below([n], ()))

    def below(self, roots: Iterable[int], stop: Collection[int]) -> Iterator[int]:
        """`roots` and everything below them, operands first, not entering `stop`."""
        done: set[int] = set()
        for root in roots:
            stack = [(root, False)]
            while stack:
                n, ready = stack.pop()
                if ready:
                    yield n
                elif n not in done and n not in stop:
                    done.add(n)
                    stack.append((n, True))
                    stack.extend((k, False) for k in reversed(self.operands(n)))

    def certain(self, roots: Iterable[int], stop: Collection[int]) -> set[int]:
        """What evaluating `roots` evaluates whatever the conditions are."""
        found: set[int] = set()
        stack = list(roots)
        while stack:
            n = stack.pop()
            if n in found or n in stop:
                continue
            found.add(n)
            operands = self.operands(n)
            stack.extend(operands[:1] if isinstance(self.example(n), Select) else operands)
        return found

    def to_bind(
        self, roots: list[int], bound: Collection[int], elsewhere: Collection[int] = ()
    ) -> list[int]:
        """The numbers to bind, in this order, before evaluating `roots`.

        Args:
            roots: the expressions of a statement, or an arm of a select.
            bound: numbers that have a local already.
            elsewhere: numbers that other statements of the block use too.
        """
        order = list(self.below(roots, bound))
        certain = self.certain(roots, bound)
        uses = dict.fromkeys(order, 0)
        for n in [*roots, *(k for m in order for k in self.operands(m))]:
            if n in uses:
                uses[n] += 1
        arms = self._arms_reaching(certain, bound)
        chosen: list[int] = []
        here = set(bound)
        for n in order:
            shared = uses[n] > 1 or n in elsewhere
            if n in certain:
                wanted = shared or self._needs_block(n, here)
            else:
                wanted = uses[n] > 1 and arms.get(n, 0) > 1 and not self.loads(n)
            if wanted and not self._trivial(n):
                chosen.append(n)
                here.add(n)
        return chosen

    def _arms_reaching(self, certain: set[int], bound: Collection[int]) -> dict[int, int]:
        """How many arms of the certain selects reach each number that is not certain itself."""
        counts: dict[int, int] = {}
        stop = certain.union(bound)
        for n in certain:
            if isinstance(self.example(n), Select):
                for arm in self.operands(n)[1:]:
                    for m in self.below([arm], stop):
                        counts[m] = counts.get(m, 0) + 1
        return counts

    def _needs_block(self, n: int, bound: Collection[int]) -> bool:
        """Whether an arm of a select has something to bind, so that it must be a block."""
        if not isinstance(self.example(n), Select):
            return False
        return any(self.to_bind([arm], bound) for arm in self.operands(n)[1:])

    def _trivial(self, n: int) -> bool:
        """Whether a local would be no shorter than the expression."""
        e = self.example(n)
        if isinstance(e, (Const, Extent, Index, Local)):
            return True
        leaves = all(not self.operands(k) for k in self.operands(n))
        if isinstance(e, Cast):
            return leaves
        return isinstance(e, Op) and e.dtype == INDEX and leaves and e.name in ("add", "sub", "mul")
