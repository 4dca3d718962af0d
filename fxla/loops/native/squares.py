"""Squares of an operand transposed in registers.

In a loop over i around a vector loop over j, an element ``x[j, i]`` is contiguous the wrong way
round: each lane has a cache line of its own. As many rows i as there are lanes are printed at once
instead: the square of x is read as vectors along i, transposed by shuffles, and each row i has its
lanes along j in a register. Everything else in the loop is the same for each row as without it.
Of elements as large as a tile's, a shared function (`fxla.loops.native.tiles`) transposes squares
into memory in the first cache, and a loop runs over the rows: a tenth of the text.
"""

from __future__ import annotations

from dataclasses import field

from fxla.core.records import dataclass
from fxla.loops.ir import Expr, For, Index, Let, Load, Local, Op, Stmt, Store
from fxla.loops.native.expressions import Expressions, Linear
from fxla.loops.native.instructions import Value, llvm_type
from fxla.loops.native.ops import from_memory
from fxla.loops.native.shuffles import transpose
from fxla.loops.native.tiles import tile_symbols
from fxla.loops.native.vectorize import block_cost
from fxla.loops.rewrite import postorder, stmt_exprs
from fxla.loops.tile_kinds import TILE_KINDS, TileKind

__all__ = ["Square", "Squares", "transposed_loads"]

_SAME_SIZE: dict[int, TileKind] = {
    kind.itemsize: kind for kind in TILE_KINDS if kind.register[0] == "f"
}
"""The tiles whose function transposes elements of so many bytes."""
_MAX_COST = 100
"""Cost of a body up to which it is written out for every row of a square."""
_CHEAP = 12
"""Likewise, if the shared function could have transposed the square."""


@dataclass(slots=True)
class Square:
    """The square that is being printed.

    Attributes:
        outer, inner: names of the two indices.
        corner: the indices of its first element.
        row: which row is printed.
        rows: what each load, by id, that is contiguous along `outer` gives in each row.
        places: likewise, where the vector of the row is in memory.
    """

    outer: str
    inner: str
    corner: tuple[Value, Value]
    row: int = 0
    rows: dict[int, list[Value]] = field(default_factory=dict)
    places: dict[int, Value] = field(default_factory=dict)


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


def _copy(body: tuple[Stmt, ...], outer: str, inner: str) -> tuple[Store, Load] | None:
    """A body that stores an element as it is, neighbours along `inner` side by side."""
    match body:
        case (Store(value=Load() as e) as s,):
            pass
        case (Let(local=x, value=Load() as e), Store(value=Local(name=name)) as s) if (
            name == x.name
        ):
            pass
        case _:
            return None
    names = [_names(i) for i in s.index]
    rows = [i for i, found in zip(s.index, names, strict=True) if outer in found]
    straight = all(_steps_by_one(i, outer) for i in rows) and outer not in names[-1]
    side_by_side = _steps_by_one(s.index[-1], inner) and inner not in set().union(*names[:-1])
    same = s.buffer.dtype == e.buffer.dtype
    return (s, e) if same and straight and side_by_side else None


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
        if square is not None and id(e) in square.places:
            kind = self.memory[e.buffer.name].type
            at, vector = square.places[id(e)], llvm_type(kind, self.width)
            return self.b.emit_here(f"load {vector}, {at.text}, align 64", kind, self.width)
        if square is None or id(e) not in square.rows:
            return super()._load(e)
        return from_memory(self.b, square.rows[id(e)][square.row], e.buffer.dtype)

    def _shares(self, square: Square, body: tuple[Stmt, ...], loads: list[Load]) -> bool:
        """Whether the shared function transposes all squares of a body that is worth the detour."""
        if block_cost(body) <= _CHEAP and _copy(body, square.outer, square.inner) is None:
            return False
        return all(self._suits(e, square.inner) for e in loads if self._in_bounds(e))

    def _suits(self, e: Load, inner: str) -> bool:
        """Whether the shared function transposes an operand."""
        dtype = e.buffer.dtype
        whole = self.width * dtype.itemsize == self.isa.vector_bytes
        columns = [i for i in e.index[:-1] if inner in _names(i)]
        straight = all(_steps_by_one(i, inner) for i in columns)
        return straight and whole and dtype.itemsize in _SAME_SIZE and dtype.kind in "fiu"

    def _transposed(self, square: Square, e: Load, to: Value, step_to: Value) -> None:
        """Have the square of an operand written, row by row."""
        b, memory, size = self.b, self.memory[e.buffer.name], e.buffer.dtype.itemsize
        self.flush(e.buffer.name)
        self.memo = {}
        self.indices[square.outer] = square.corner[0]
        self.indices[square.inner] = Linear(square.corner[1], b.constant(1, "i64"))
        place = self._place(memory, [self.expr(i) for i in e.index])
        symbol = f'@"{tile_symbols(_SAME_SIZE[size], self.isa)["square"]}"'
        b.declared[f"declare void {symbol}(ptr, ptr, i64, i64)"] = None
        given = (to, place.pointer, step_to, place.step * size)
        b.effect(f"call void {symbol}({', '.join(v.text for v in given)})")

    def _copied(self, square: Square, body: tuple[Stmt, ...]) -> bool:
        """Print a body that only stores a transposed element; false if it is anything else."""
        found = _copy(body, square.outer, square.inner)
        if found is None or not self._in_bounds(found[1]):
            return False
        s, e = found
        self.memo = {}
        self.indices[square.outer] = Linear(square.corner[0], self.b.constant(1, "i64"))
        self.indices[square.inner] = square.corner[1]
        place = self._place(self.memory[s.buffer.name], [self.expr(i) for i in s.index])
        self._transposed(square, e, place.pointer, place.step * s.buffer.dtype.itemsize)
        return True

    def _squares_in_memory(self, square: Square, loads: list[Load]) -> dict[int, Value]:
        """Squares of operands where the shared function has put them."""
        found: dict[int, Value] = {}
        row = self.b.constant(self.isa.vector_bytes, "i64")
        for e in loads:
            if self._in_bounds(e):
                found[id(e)] = self.b.alloca("i8", self.width * self.isa.vector_bytes)
                self._transposed(square, e, found[id(e)], row)
        return found

    def _start_row_in_memory(self, square: Square, squares: dict[int, Value], row: Value) -> None:
        nbytes = self.isa.vector_bytes
        self.square = square
        square.places = {key: self.b.gep(p, "i8", row * nbytes) for key, p in squares.items()}
        self.memo = {}
        self.indices[square.outer] = square.corner[0] + row
        self.indices[square.inner] = Linear(square.corner[1], self.b.constant(1, "i64"))

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
