"""What `eager_text` defines, and the words that it reads."""

from __future__ import annotations

__all__ = ["BINARY", "STATE", "TERNARY", "UNARY"]

BINARY = (
    "add", "subtract", "multiply", "remainder", "lshift", "rshift", "and", "xor", "or",
    "floor_divide", "true_divide", "matrix_multiply",
)  # fmt: skip
UNARY = ("negative", "positive", "absolute", "invert")
TERNARY = ("power", "richcompare")
"""Their third operands are a modulus, which is None in ``a ** b``, and the comparison's number."""

_KNOWN = ("array", "ndarray", "float", "int", "none")
STATE = {name: 8 * k for k, name in enumerate(_KNOWN)}
"""Byte offsets of the words: objects, then for each operator its function in `fxla.Array` before,
and in ndarray. A matrix product's, before, is an object."""
for _k, _name in enumerate((*BINARY, *UNARY, *TERNARY)):
    STATE[f"before_{_name}"] = 8 * (len(_KNOWN) + 2 * _k)
    STATE[f"bare_{_name}"] = 8 * (len(_KNOWN) + 2 * _k + 1)
