"""Squares of an operand transposed in registers.

In a loop over i around a vector loop over j, an element ``x[j, i]`` is contiguous the wrong way
round: each lane has a cache line of its own. As many rows i as there are lanes are printed at once
instead: the square of x is read as vectors along i, transposed by shuffles, and each row i has its
lanes along j in a register. Everything else in the loop is the same for each row as without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fxla.loops.ir import Expr, For, Index, Let, Load, Op, Store
from fxla.loops.native_expressions import Expressions, Linear
from fxla.loops.native_instructions import Value
from fxla.loops.native_ops import from_memory
from fxla.loops.native_shuffles import transpose
from fxla.loops.native_vectorize import block_cost
from fxla.loops.rewrite import postorder, stmt_exprs

__all__ = ["Square", "Squares", "transposed_loads"]

_MAX_COST = 100
"""Cost of a body up to which it is written out for every row of a square."""


@dataclass(slots=True)
class Square:
    """The square that is being printed.

    Attributes:
        outer, inner: names of the two indices.
        corner: the indices of its first element.
        row: which row is printed.
        rows: what each load, by id, that is contiguous along `outer` gives in each row.
    """

    outer: str
    inner: str
    corner: tuple[Value, Value]
    row: int = 0
    rows: dict[int, list[Value]] = field(default_factory=dict)


def transposed_loads(s: For) -> list[Load]:
    """The loads for which a loop and the vector loop in it are printed as squares."""
    if len(s.body) != 1 or not isinstance(s.body[0], For) or s.body[0].kind != "vector":
        return []
    inner = s.body[0]
    if any(
        not isinstance(t, Store | Let) or (isinstance(t, Let) and t.mutable) for t in inner.body
    ):
        return []
    roots = [e for t in inner.body for e in stmt_exprs(t)]
    found = [
        e
        for e in postorder(roots)
        if isinstance(e, Load) and _is_transposed(e, s.index.name, inner.index.name)
    ]
    return found if block_cost(inner.body) <= _MAX_COST else []


def _is_transposed(e: Load, outer: str, inner: str) -> bool:
    """Whether lanes would be apart along `inner`, and are neighbours along `outer`."""
    if len(e.index) < 2 or not _steps_by_one(e.index[-1], outer):
        return False
    names = [_names(i) for i in e.index]
    others = set().union(*names[:-1])
    return inner in others and outer not in others and inner not in names[-1]


def _names(e: Expr) -> set[str]:
    return {x.name for x in postorder([e]) if isinstance(x, Index)}


def _steps_by_one(e: Expr, name: str) -> bool:
    match e:
        case Index(name=n):
            return n == name
        case Op(name="add", args=(a, b)):
            return (_steps_by_one(a, name) and name not in _names(b)) or (
                _steps_by_one(b, name) and name not in _names(a)
            )
    return False


class Squares(Expressions):
    """Expressions that may stand in a row of a square."""

    square: Square | None = None

    def _load(self, e: Load) -> Value:
        square = self.square
        if square is None or id(e) not in square.rows:
            return super()._load(e)
        return from_memory(self.b, square.rows[id(e)][square.row], e.buffer.dtype)

    def _read_squares(self, square: Square, loads: list[Load]) -> None:
        """Read what may be read whatever the conditions in a row are."""
        for e in loads:
            if self._in_bounds(e):
                square.rows[id(e)] = self._read_square(e, square)

    def _read_square(self, e: Load, square: Square) -> list[Value]:
        """All rows of a transposed operand."""
        self.flush(e.buffer.name)
        memory, width = self.memory[e.buffer.name], self.width
        indices, memo = dict(self.indices), self.memo
        safe = self._in_bounds(e)
        columns = []
        for lane in range(width):
            self.memo = {}
            self.indices[square.outer] = square.corner[0]
            self.indices[square.inner] = square.corner[1] + lane
            place = self._place(memory, [self.expr(i) for i in e.index])
            columns.append(self._load_vector(memory, place.pointer, None, safe))
        self.indices, self.memo = indices, memo
        return transpose(self.b, columns)

    def _start_row(self, square: Square, row: int) -> None:
        self.square, square.row = square, row
        self.indices[square.outer] = square.corner[0] + row
        self.indices[square.inner] = Linear(square.corner[1], self.b.constant(1, "i64"))
