"""How the tables of native calls are laid out, which Python fills in and LLVM text reads.

Nothing in the text depends on a program. Trees, signatures and programs are tables of 64-bit words
that Python fills in; so a new tree, shape or dtype compiles nothing. Whatever the tables do not
describe goes to `slow_call`, which is Python, and where every error is made.

A *table* belongs to a jitted function and lists *trees*; a tree is the code of an argument tree and
a hash table of *entries*; an entry is a signature, the *block* of a program, and the code of the
result's tree. The code of a tree is a sequence of operations in prefix order:

    LEAF index                   an array or number, the index-th leaf
    SAME object                  this very object: None, or a static argument
    EQUAL object                 a number or string of this type that is equal to this one
    TUPLE n type ...             n children; a named tuple has its own type
    LIST n type ...
    DICT n type key child ...
    NODE n type flatten aux ...  a registered class: ``flatten(x)`` gives children and aux
    OBJECT n type key child ...  an object of this type with n attributes, such as a module

Arrays that an object's attributes share are one leaf. A tree with objects that share none is
*distinct*, and another one as soon as two leaves are the same array.

In the code of a result the type is not looked at, ``NAMED n make`` makes a named tuple, a dict is
``DICT n example key child ...``, the example having its keys and no values, a node is ``NODE n
unflatten aux``, and an object ``OBJECT n new type name value example key child ...``: ``new(type)``
makes it, its attributes are the children, and `name` is a slot that gets `value`.
"""

from __future__ import annotations

__all__ = ["ARRAY", "BLOCK", "CONTEXT", "CONVERT", "DONATED", "ENTRY", "GLOBALS", "HASH", "OP"]
__all__ += ["OUTPUT", "SCRATCH", "TABLE", "TREE"]

OP = {"LEAF": 0, "SAME": 1, "TUPLE": 2, "LIST": 3, "DICT": 4, "NODE": 5, "NAMED": 6}
OP |= {"OBJECT": 7, "EQUAL": 8}
CONVERT = {"DIRECT": 0, "FLOAT32": 1, "COMPLEX64": 2, "INT64": 3, "BOOL": 4}
"""How a number becomes an array's element; a direct one is read where it lies in its object."""
HASH = 0x9E3779B97F4A7C15 - (1 << 64)
"""Odd factor of the hash of a signature."""
SCRATCH = 56
"""Bytes of a place that stands for the array object of a number: its data pointer, its value."""

# byte offsets
GLOBALS = {
    "scopes": 0, "no_kwargs": 8, "array": 16, "ndarray": 24, "handler": 32, "raiser": 40,
    "zeros": 48, "precisions": 56, "start": 64, "made_as": 72,
}  # fmt: skip
TABLE = {"globals": 0, "leaves": 8, "objects": 16, "n": 24, "trees": 32}
TREE = {"recent": 0, "leaves": 8, "mask": 16, "slots": 24, "code": 32, "distinct": 40}
ENTRY = {
    "block": 0, "consts": 8, "n_consts": 16, "signature": 24, "code": 32, "donated": 40,
    "precision": 48, "objects": 56,
}  # fmt: skip
BLOCK = {
    "driver": 0, "functions": 8, "integers": 16, "arena": 24, "busy": 32, "arena_bytes": 40,
    "release": 48, "constants": 56, "inputs": 64, "outputs": 72, "records": 80, "globals": 88,
}  # fmt: skip
OUTPUT = {"descr": 0, "ndim": 8, "dims": 16, "large": 24, "bytes": 32}
DONATED = {"input": 0, "references": 8, "bytes": 16}
"""For each result: 1 + the position of the input whose memory it may take, or 0, and how many
references there may be to that array."""
CONTEXT = {"code": 0, "leaves": 8, "precision": 16, "room": 24}
ARRAY = {
    "data": 16, "ndim": 24, "dims": 32, "strides": 40, "base": 48, "descr": 56, "flags": 64,
    "handler": 88,
}  # fmt: skip
"""Where NumPy keeps what in an array object; `entry_probe` makes sure of it."""
