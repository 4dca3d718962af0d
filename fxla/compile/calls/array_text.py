"""Pieces of LLVM text about the class of an array, which calls and eager operators share."""

from __future__ import annotations

__all__ = ["BECOME_OURS", "IS_ARRAY"]

IS_ARRAY = """
  %ours = icmp eq ptr %type, %array
  %numpys = icmp eq ptr %type, %ndarray
  %either = or i1 %ours, %numpys"""
"""Whether an object of `%type` is an `fxla.Array`, `%ours`, or an ndarray and nothing derived from
it, `%numpys`; `%either` is one of both. The classes are `%array` and `%ndarray`."""

BECOME_OURS = """
  call void @Py_IncRef(ptr %array)
  set ptr %array, %x, 8"""
"""Makes a new ndarray `%x` an `fxla.Array`, the class `%array`: both lie in memory alike."""
