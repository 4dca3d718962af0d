"""How the memory of `recycle` is laid out, which LLVM text reads too."""

from __future__ import annotations

__all__ = ["CLASSES", "HEADER", "HUGE", "LARGE", "SMALLEST", "STATE"]

LARGE = 1 << 16
"""Bytes of a block that is worth keeping: C libraries give pages of such blocks back when they are
freed (glibc from 64 KB on, if they end its heap, and from 128 KB on, if they were mapped)."""
SMALLEST = LARGE.bit_length() - 1
"""Logarithm of that."""
CLASSES = 8 * 28
"""Sizes that blocks are kept by: eight between neighbouring powers of two."""
HUGE = 1 << 22
"""Blocks as large ask the system for large pages, as NumPy's own do."""
STATE = {"lock": 0, "kept": 8, "limit": 16, "reused": 24, "heads": 32}
"""Byte offsets of the lists and numbers."""
HEADER = {"raw": 0, "capacity": 8, "size": 16, "next": 24, "bytes": 64}
"""Before each block; a capacity of 0 is that of a block too small to keep."""
