"""The kinds of tiles by which contractions are summed, and for which dtypes there are any.

`fxla.loops.native.tiles` prints them; a contraction is planned by what stands here.
"""

from __future__ import annotations

from fxla.core.records import dataclass
from fxla.loops.ir import DType

__all__ = [
    "BLOCK_DEPTH",
    "NARROW",
    "TILE_DTYPES",
    "TILE_KINDS",
    "TileKind",
    "tile_kind",
]

BLOCK_DEPTH = 256
"""Terms that are summed before the next block of operands is put in fast memory."""
TILE_DTYPES = ("float32", "float64", "int32", "uint32", "int64", "uint64")
"""What tiles sum products of two elements in, the elements being of the same dtype..."""
NARROW = ("int16", "int8", "uint8")
"""... and what they sum pairs of products of in int32 or uint32, in the order in which the slot
``narrow`` of a product numbers them."""


@dataclass(frozen=True, slots=True)
class TileKind:
    """What tiles multiply and add, each in a module of its own.

    Attributes:
        name: tells modules apart.
        register: the builder's type of sums, and of the elements that are multiplied.
        pairs: whether an element is a pair of `NARROW` numbers.
    """

    name: str
    register: str
    pairs: bool = False

    @property
    def itemsize(self) -> int:
        """Bytes of a sum."""
        return int(self.register[1:]) // 8


_PAIRS = TileKind("pairs", "i32", pairs=True)
_ELEMENTS = {name: TileKind(name, name) for name in ("f32", "f64", "i32", "i64")}
TILE_KINDS = (*_ELEMENTS.values(), _PAIRS)
"""All of them."""


def tile_kind(total: DType, operand: DType) -> TileKind | None:
    """The tiles that sum products of operands in the dtype of `total`; None if there are none.

    Example:
        >>> import numpy as np
        >>> tile_kind(np.dtype("u4"), np.dtype("u4")).name
        'i32'
        >>> tile_kind(np.dtype("i4"), np.dtype("i1")).name
        'pairs'
        >>> tile_kind(np.dtype("i1"), np.dtype("i1"))
    """
    if operand == total:
        kind = "f" if total.kind == "f" else "i"
        return _ELEMENTS[f"{kind}{8 * total.itemsize}"] if total.name in TILE_DTYPES else None
    paired = operand.name in NARROW and total.name in ("int32", "uint32")
    return _PAIRS if paired else None
