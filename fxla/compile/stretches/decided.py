"""What is known of a part of a large array before anything is computed: masks of its indices.

A mask is computed from row and column numbers: `row >= column`, a sliding window, `tril`. Over some
rows and some columns such numbers have bounds, and so has what integer arithmetic makes of them;
where the bounds of a mask are equal, it is decided, and every `select` by it takes one side:

    rows 0 ... 511, columns 512 ... 2047:   row >= column is False,   where(..., s, -inf) = -inf

`Decided` follows the columns of such a part through a stretch of a program. A value may be the same
in `EACH` column; or its `SUM` over the columns is easily had, as that of `dO V^T` is, from the sum
of V's rows. A softmax and its gradient need nothing else: exp(-inf - max) is the same in each
column, a row's sum counts it as often as there are columns, and `weights V` takes V's sum. So rows
get what they would get from all columns (NaNs and infinities in V, and rows in which every place is
masked, included), up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fxla.compile.stretches.axes import RESULT, is_pointwise, links
from fxla.core.dtypes import bool_, int32, int64
from fxla.core.jaxpr import Atom, Eqn, Literal, Var
from fxla.core.records import dataclass
from fxla.ops.dot import dot_general_p
from fxla.ops.logic import select_p
from fxla.ops.reduce import reduce_max_p, reduce_min_p
from fxla.ops.shape import iota_p
from fxla.ops.structure import reduce_sum_p

__all__ = ["EACH", "SUM", "Decided", "Part", "column_places"]

EACH = "each"
SUM = "sum"
_LIMIT = 1 << 30
"""Beyond it a bound of an integer is not used: sums in 32 bits might go round."""

Bounds = tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows and some columns: from the first to before the last."""

    rows: tuple[int, int]
    columns: tuple[int, int]


def column_places(eqns: Sequence[Eqn], seed: Var, axis: int) -> dict[Var, int] | None:
    """Where an axis is in all values; None if an equation does not compute slice by slice."""
    at = {seed: axis}
    touching: dict[Var, list[tuple[Eqn, int]]] = {}
    for eqn in eqns:
        for slot, v in ((RESULT, eqn.outputs[0]), *enumerate(eqn.inputs)):
            if not isinstance(v, Literal):
                touching.setdefault(v, []).append((eqn, slot))
    all_links = {id(e): links(e) for e in eqns}
    waiting = [seed]
    while waiting:
        v = waiting.pop()
        for eqn, slot in touching[v]:
            if eqn.primitive is iota_p:
                continue
            link = next((n for n in all_links[id(eqn)] if n.at.get(slot) == at[v]), None)
            if link is None:
                return None
            for other, a in link.at.items():
                w = eqn.outputs[0] if other == RESULT else eqn.inputs[other]
                if isinstance(w, Literal):
                    continue
                if w not in at:
                    waiting.append(w)
                if at.setdefault(w, a) != a:
                    return None
    return at


class Decided:
    """What is known of a part of a stretch's values.

    Attributes:
        kind: of each value that has the columns: `EACH`, `SUM`, or None if neither is known.
        same: the side that a decided `select` takes.
        constant: booleans that are decided.
        holds: whether a select is decided, and all that is read of the columns is known.
    """

    def __init__(
        self,
        eqns: Sequence[Eqn],
        rows: Mapping[Var, int],
        columns: Mapping[Var, int],
        part: Part,
        exits: Sequence[Var],
    ) -> None:
        self.rows, self.columns, self.part = rows, columns, part
        self.bounds: dict[Var, Bounds] = {}
        self.kind: dict[Var, str | None] = {}
        self.same: dict[Var, Atom] = {}
        self.constant: dict[Var, bool] = {}
        made = {e.outputs[0] for e in eqns}
        for v in columns:
            if v not in made:  # read from memory
                easy = v.aval.dtype.kind == "f" and v.aval.dtype.itemsize >= 4
                self.kind[v] = SUM if easy else None
        known = True
        for eqn in eqns:
            out = eqn.outputs[0]
            self._bound(eqn, out)
            if out in columns:
                self.kind[out] = self._kind(eqn, out)
            elif any(a in columns for a in eqn.inputs) and not self._is_read(eqn):
                known = False
        known = known and all(self.kind[v] == EACH for v in exits if v in columns)
        self.holds = known and bool(self.same)

    def of(self, a: Atom) -> str | None:
        """The kind of an atom; one without columns is the same in each."""
        return EACH if isinstance(a, Literal) or a not in self.columns else self.kind.get(a)

    def root(self, a: Atom) -> Atom:
        """The value that decided selects have taken."""
        while isinstance(a, Var) and a in self.same:
            a = self.same[a]
        return a

    def _is_read(self, eqn: Eqn) -> bool:
        """Whether a result without columns can be computed from what is known of them."""
        kinds = [self.of(a) for a in eqn.inputs]
        if eqn.primitive in (reduce_max_p, reduce_min_p):
            return kinds == [EACH]
        if eqn.primitive is reduce_sum_p:
            return kinds[0] is not None
        both = all(a in self.columns for a in eqn.inputs)
        return eqn.primitive is dot_general_p and both and sorted(map(str, kinds)) == [EACH, SUM]

    def _kind(self, eqn: Eqn, out: Var) -> str | None:
        found = self.bounds.get(out)
        if out.aval.dtype == bool_ and found is not None and found[0] == found[1]:
            self.constant[out] = bool(found[0])
            return EACH
        kinds = [self.of(a) for a in eqn.inputs]
        if eqn.primitive is select_p:
            chosen = self._chosen(eqn)
            if chosen is not None:
                self.same[out] = chosen
                return self.of(chosen)
        if eqn.primitive is iota_p:
            return None if eqn.params["dimension"] == self.columns[out] else EACH
        if all(k == EACH for k in kinds):
            return EACH
        return SUM if None not in kinds and _is_linear(eqn, kinds) else None

    def _chosen(self, eqn: Eqn) -> Atom | None:
        predicate, yes, no = eqn.inputs
        if isinstance(predicate, Literal):
            return None
        found = self.bounds.get(predicate)
        if found is not None and found[0] == found[1] and predicate in self.columns:
            return yes if found[0] else no
        return yes if self.root(yes) is self.root(no) and isinstance(yes, Var) else None

    def _bound(self, eqn: Eqn, out: Var) -> None:
        """Bounds of an integer or boolean result, if they are known."""
        if out.aval.dtype not in (bool_, int32, int64):
            return
        if eqn.primitive is iota_p:
            self.bounds[out] = self._counted(eqn, out)
            return
        given = [self._bounds_of(a) for a in eqn.inputs]
        name = eqn.primitive.name
        known = [b for b in given if b is not None]
        found: Bounds | None = None
        if out.aval.dtype == bool_ and name in ("and", "or") and known:
            low, high = zip(*known, strict=True)
            missing = len(known) < len(given)
            if name == "and":
                found = (False if missing else min(low), min(high))
            else:
                found = (max(low), True if missing else max(high))
        elif len(known) == len(given):
            found = _of_arithmetic(eqn, out, known)
        if found is not None and found[0] > -_LIMIT and found[1] < _LIMIT:
            self.bounds[out] = found

    def _counted(self, eqn: Eqn, out: Var) -> Bounds:
        d = eqn.params["dimension"]
        first, last = 0, int(eqn.params["shape"][d])
        if self.columns.get(out) == d:
            first, last = self.part.columns
        elif self.rows.get(out) == d:
            first, last = self.part.rows
        return (first, last - 1)

    def _bounds_of(self, a: Atom) -> Bounds | None:
        if isinstance(a, Var):
            return self.bounds.get(a)
        if a.aval.dtype not in (bool_, int32, int64) or a.aval.ndim:
            return None
        return (int(a.value), int(a.value))


_MOVES = ("broadcast_in_dim", "reshape", "transpose", "stop_gradient")


def _of_arithmetic(eqn: Eqn, out: Var, given: Sequence[Bounds]) -> Bounds | None:
    """Bounds of a result from those of its operands."""
    if eqn.primitive.name in _MOVES:
        return given[0]
    if len(given) == 1:
        (low, high), number = given[0], out.aval.dtype != bool_
        if eqn.primitive.name == "neg":
            return (-high, -low)
        if eqn.primitive.name == "not" and not number:
            return (not high, not low)
        integers = eqn.inputs[0].aval.dtype.kind in "bi"
        return (low, high) if eqn.primitive.name == "convert" and number and integers else None
    if len(given) != 2:
        return None
    (a, b), (c, d) = given
    match eqn.primitive.name:
        case "add":
            return (a + c, b + d)
        case "sub":
            return (a - d, b - c)
        case "max":
            return (max(a, c), max(b, d))
        case "min":
            return (min(a, c), min(b, d))
        case "ge":
            return (a >= d, b >= c)
        case "gt":
            return (a > d, b > c)
        case "le":
            return (b <= c, a <= d)
        case "lt":
            return (b < c, a < d)
    return None


def _is_linear(eqn: Eqn, kinds: Sequence[str | None]) -> bool:
    """Whether the sum of a result over columns follows from its operands', of which one is such."""
    if eqn.outputs[0].aval.dtype.kind != "f" or eqn.outputs[0].aval.dtype.itemsize < 4:
        return False
    name = eqn.primitive.name
    if is_pointwise(eqn):
        if name in ("add", "sub", "neg", "stop_gradient"):
            return True
        if name == "convert":
            return eqn.inputs[0].aval.dtype.kind == "f"
        return kinds.count(SUM) == 1 and (name == "mul" or (name == "div" and kinds[0] == SUM))
    if eqn.primitive is dot_general_p:
        return kinds.count(SUM) == 1
    return name in ("broadcast_in_dim", "reshape", "transpose", "reduce_sum")
