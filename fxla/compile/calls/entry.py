"""Calls of jitted functions in native code: the tables that `entry_text` reads.

A jitted function is an object of a Python class, and its ``__call__`` is Python. `serve` puts a C
function before it, which looks whether it knows the arguments' tree and types; if so it allocates
the results, runs the program, and builds the result's tree, and otherwise it calls ``__call__``. So
Python still does first calls, tracing, everything unusual, and every error.

Native code takes from `Words` what it must know. It follows addresses in them without owning what
is there; `Words.keep` owns it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from fxla.compile.backend.own_text import OwnText, loaded
from fxla.compile.calls.eager import EAGER, quicken
from fxla.compile.calls.entry_layout import CONVERT, GLOBALS, HASH
from fxla.compile.calls.entry_probe import (
    SCALARS,
    c_api,
    may_become,
    numpy_api,
    slot_offset,
    type_slot,
    unexpected,
)
from fxla.compile.calls.entry_tree import Code, NotServedError, code_of_arguments, code_of_result
from fxla.compile.calls.recycle import RECYCLER, RECYCLER_OPTIONS, recycler
from fxla.compile.calls.recycler_layout import LARGE
from fxla.compile.executable import Executable, raise_pending
from fxla.core.array import Array
from fxla.core.deferred import deferred
from fxla.core.dtypes import FLOAT_AT_START
from fxla.core.interpreter import Method, function_of, method_at
from fxla.core.pause import no_collection
from fxla.core.pytree import TreeDef
from fxla.core.records import dataclass
from fxla.core.scopes import precisions, special
from fxla.errors import InternalError

__all__ = ["ENTRY", "Call", "Words", "entry_slot", "serve"]

_TREES = 16
"""How many argument trees of a function are served, static arguments included."""
_LEAVES = 2000
"""More leaves are not served; native code has its places for them on the stack."""
_SMALL_WORK = 20_000
"""A program of less work keeps the interpreter's lock: giving it up costs more than it takes."""
_MASK = (1 << 64) - 1
_API = (
    "Py_IncRef Py_DecRef PyDict_GetItemWithError PyDict_Next PyDict_Size PyDict_Copy "
    "PyDict_SetItem PyTuple_New PyList_New PySequence_GetItem PySequence_Tuple "
    "PyObject_CallNoArgs PyObject_CallOneArg "
    "PyObject_Call PyObject_RichCompareBool PyLong_AsLongLongAndOverflow PyObject_IsTrue "
    "PyLong_AsUnsignedLongLongMask PyThread_get_thread_ident "
    "PyObject_GenericGetDict PyObject_GenericSetDict PyObject_GenericSetAttr "
    "PyErr_Clear PyErr_NoMemory PyEval_SaveThread PyEval_RestoreThread PyMem_RawMalloc "
    "PyMem_RawFree"
).split()
ENTRY = OwnText(
    "calls.entry_text",
    ("call", "run_flat"),
    (
        "compile/calls/entry_text", "compile/calls/entry_arguments",
        "compile/calls/entry_signature", "compile/calls/entry_run",
        "compile/calls/entry_results", "compile/calls/entry_layout",
        "compile/calls/array_text", "compile/backend/native_text",
    ),
    lambda: c_api(*_API) | numpy_api(),
)  # fmt: skip
"""The native part, whose text depends on the offset of a slot."""
donation = deferred("fxla.compile.donation")


class Words(np.ndarray[Any, Any]):
    """64-bit words that native code reads.

    Attributes:
        keep: the objects whose addresses are among them.
    """

    keep: list[Any]


def words(values: Sequence[int], *keep: Any) -> Words:
    """Words of these values."""
    found = np.array(values, np.int64).view(Words)
    found.keep = list(keep)
    return found


def address(x: Any) -> int:
    """Where an array's data starts."""
    found: int = x.__array_interface__["data"][0]
    return found


@dataclass(frozen=True, eq=False)
class Call:
    """A call that Python has served, and that native code may serve the next time.

    Attributes:
        tree: of the arguments that are not static, as ``(args, kwargs)``.
        leaves: of that tree.
        fixed, named: static arguments by position and by keyword.
        consts: arrays that come before the leaves.
        executable: the program.
        result: tree of the result.
        donated: leaves whose memory the results may take, and for each how many references there
            are to it, those of native code included, if nobody else needs it.
        precision: the default floating dtype of the call.
    """

    tree: TreeDef
    leaves: Sequence[Any]
    fixed: Mapping[int, Any]
    named: Mapping[str, Any]
    consts: Sequence[Any]
    executable: Executable
    result: TreeDef
    donated: Mapping[int, int]
    precision: Any


def serve(function: Any, call: Call) -> bool:
    """Serve calls like this one natively from now on.

    Args:
        function: of a class that has the slot ``_served``, for the table of what is served.
        call: its tree and types are what later calls must have.

    Returns:
        Whether they will be.
    """
    with no_collection():
        native = _load(function)
        if native is None:
            return False
        try:
            _add(function, call, native)
        except NotServedError:
            return False
    return True


# ----------------------------------------------------------------------------------- signatures


def _leaf_words(x: Any, dtype: Any, shape: tuple[int, ...]) -> tuple[list[int], list[Any]]:
    """The signature of a leaf, and the objects in it."""
    kind = type(x)
    if kind in (float, int, bool, complex):
        wanted = {float: "f", int: "i", bool: "b", complex: "c"}[kind]
        direct = dtype in (np.dtype(float), np.dtype(complex))
        names = {"float32": "FLOAT32", "complex64": "COMPLEX64", "int64": "INT64", "bool": "BOOL"}
        how = "DIRECT" if direct else names.get(dtype.name)
        if dtype.kind != wanted or how is None:
            raise NotServedError(f"a {kind.__name__} as {dtype}")
        return [0, -2, id(kind), CONVERT[how], 0], [kind]
    if kind not in (np.ndarray, Array) and kind is not getattr(x, "dtype", dtype).type:
        raise NotServedError(f"a {kind.__qualname__}")
    if x.dtype != dtype or not x.dtype.isnative or x.shape != shape:
        raise NotServedError(f"an array of {x.dtype}")
    builtin = x.dtype in SCALARS and x.dtype.num == np.dtype(x.dtype.name).num
    descr = np.dtype(x.dtype.name) if builtin else x.dtype
    scalar = dtype.type if builtin and not shape else None
    number = descr.num if builtin else -1
    found = [id(descr), number, 0 if scalar is None else id(scalar), CONVERT["DIRECT"]]
    return [*found, len(shape), *shape], [descr, scalar]


def _hash(leaves: Sequence[Any]) -> int:
    """What `entry_text` computes of leaves: numbers and arrays without axes are all alike."""
    h = 0
    for x in leaves:
        one = 1
        if isinstance(x, np.ndarray) and x.ndim:
            one = (x.dtype.num << 8) | x.ndim
            for n in x.shape:
                one = ((one * HASH) & _MASK) ^ n
        h = ((h ^ one) * HASH) & _MASK
        h ^= h >> 29
    return h


def _signed(x: int) -> int:
    return x - (1 << 64) if x >> 63 else x


def _constant(x: Any, dtype: Any, shape: tuple[int, ...]) -> Any:
    """An array that the program captured, if it can be read as it lies."""
    plain = type(x) in (np.ndarray, Array) and x.flags.c_contiguous and x.flags.aligned
    if not plain or x.dtype != dtype or not x.dtype.isnative or x.shape != shape:
        raise NotServedError("a captured array that every call copies")
    return x


def _donations(call: Call) -> Words | None:
    """Which input each result may take the memory of, if there is any."""
    if not call.donated:
        return None  # nor are the program's instructions looked up, which a cached one lacks
    first = len(call.consts)
    taken = donation.in_place(call.executable.program, [first + k for k in call.donated])
    if not taken:
        return None
    found: list[int] = []
    for k in range(len(call.executable.output_types)):
        position = taken.get(k)
        limit = 0 if position is None else call.donated[position - first]
        found += [0 if position is None else position + 1, limit]
    return words(found)


# --------------------------------------------------------------------------------------- tables


class _Tree:
    """What is known of one tree of arguments.

    A call on another thread may be in the middle of reading it, wherever Python code can run. So an
    entry is whole before its address is written, and hash tables that were too small are kept.

    Attributes:
        words: as native code reads it.
        entries: hashes and entries.
        slots: the hash table.
    """

    def __init__(self, read: Words) -> None:
        self.words = read
        self.entries: list[tuple[int, Words]] = []
        self.slots = words([])

    def add(self, h: int, entry: Words) -> None:
        """Add an entry; enlarge the hash table before it is half full."""
        self.entries.append((h, entry))
        if 4 * len(self.entries) < self.slots.size:
            _insert(self.slots, h, entry)
            return
        self.slots = words([0] * max(16, 2 * self.slots.size))
        for known, one in self.entries:
            _insert(self.slots, known, one)
        self.words.keep.append(self.slots)
        self.words[2:4] = (self.slots.size // 2 - 1, address(self.slots))


def _insert(slots: Words, h: int, entry: Words) -> None:
    mask = slots.size // 2 - 1
    at = h & mask
    while slots[2 * at + 1]:
        at = (at + 1) & mask
    slots[2 * at] = _signed(h)
    slots[2 * at + 1] = address(entry)


class _Table:
    """What is served of one function.

    Attributes:
        trees: by static arguments and structure.
        leaves, objects: the most that a call has.
    """

    def __init__(self) -> None:
        self.trees: dict[Hashable, _Tree] = {}
        self.leaves = 0
        self.objects = 0

    def words(self, native: _Native) -> Words:
        """The table as native code reads it, newest tree first; made again for a new tree."""
        trees = list(self.trees.values())[::-1]
        head = [address(native.globals), self.leaves, self.objects, len(trees)]
        found = words([*head, *[address(t.words) for t in trees]], self, tuple(trees))
        return found


_adding = threading.RLock()


def _add(function: Any, call: Call, native: _Native) -> None:
    """Add an entry to a function's table, and what it needs."""
    n_consts, n = len(call.consts), len(call.leaves)
    if n > _LEAVES:
        raise NotServedError("too many leaves")
    types = call.executable.input_types
    consts = [_constant(x, *t) for x, t in zip(call.consts, types[:n_consts], strict=True)]
    found = [_leaf_words(x, *t) for x, t in zip(call.leaves, types[n_consts:], strict=True)]
    signature = words([w for one, _ in found for w in one], [held for _, held in found])
    result = _code_words(code_of_result(call.result, len(call.executable.output_types)))
    key = (
        call.tree,
        tuple([(k, id(v)) for k, v in call.fixed.items()]),
        tuple([(k, id(v)) for k, v in call.named.items()]),
    )
    with _adding:
        block = call.executable.block
        if block is None:
            block = call.executable.block = _block(call.executable, native)
            call.executable.run_flat = native.flat(block)
        constants = words([id(c) for c in consts], consts)
        donated = _donations(call)
        objects = n_consts + n + len(call.executable.output_types) + 1
        entry = words(
            [
                address(block), address(constants), n_consts, address(signature), address(result),
                0 if donated is None else address(donated), id(call.precision),
                objects,
            ],
            block, constants, signature, result, donated, call.executable, call.precision,
        )  # fmt: skip
        served = getattr(function, "_served", None)
        table: _Table = _Table() if served is None else served.keep[0]
        tree = table.trees.get(key)
        if tree is None:
            arguments = code_of_arguments(call.tree, n, call.fixed, call.named)
            code = _code_words(arguments)
            tree = _Tree(words([0, n, 0, 0, address(code), int(arguments.distinct)], code))
        table.leaves = max(table.leaves, n)
        table.objects = max(table.objects, objects)
        if served is not None:
            served[1:3] = (table.leaves, table.objects)
        tree.add(_hash(call.leaves), entry)
        if served is None or key not in table.trees:
            table.trees[key] = tree
            while len(table.trees) > _TREES:
                del table.trees[next(iter(table.trees))]
            function._served = table.words(native)


def _code_words(code: Code) -> Words:
    return words(code.words, code.objects)


def _block(executable: Executable, native: _Native) -> Words:
    """A program as native code runs it."""
    arena = executable.new_arena()
    records: list[int] = []
    held: list[Any] = [arena]
    for dtype, shape in executable.output_types:
        dims = words(shape or [0])
        large = math.prod(shape) * dtype.itemsize >= LARGE and native.recycles()
        records += [id(dtype), len(shape), address(dims), int(large)]
        held += [dims, dtype]
    table = words(records or [0], held)
    release = executable.image.work > _SMALL_WORK
    return words(
        [
            executable.address, executable.function_table, executable.integer_table,
            address(arena), 0, executable.image.arena, int(release), executable.constants_id,
            len(executable.input_types), len(executable.output_types), address(table),
            address(native.globals),
        ],
        table, executable,
    )  # fmt: skip


# -------------------------------------------------------------------------------------- loading


class _Native:
    """The native code of this process.

    Attributes:
        globals: objects that every call needs.
        method: describes ``run_flat`` to Python.
    """

    def __init__(self, shared: Words, method: Method) -> None:
        self.globals = shared
        self.method = method

    def recycles(self) -> bool:
        """Have the allocator for large results ready; whether there is one."""
        memory = recycler()
        if memory is not None:
            self.globals[GLOBALS["handler"] // 8] = id(memory.handler)
        return memory is not None

    def flat(self, block: Words) -> Any:
        """A program as a function of arrays that fit, which are not looked at."""
        return function_of(self.method, block)


_loaded: dict[type[Any], _Native | None] = {}


def _load(function: Any) -> _Native | None:
    """The native code, put before the ``__call__`` of the function's class; None if it cannot."""
    cls = type(function)
    if cls not in _loaded:
        with _adding:
            if cls not in _loaded:
                _loaded[cls] = _loaded_for(cls)
    return _loaded[cls]


class _Served:
    """The slots of a jitted function, which `fxla.control.jit` has."""

    __slots__ = ("__dict__", "__weakref__", "_served")


def entry_slot(cls: type[Any] = _Served) -> int | None:
    """The offset of the reference to its table in the object of a jitted function."""
    example: Any = object.__new__(cls)
    mark = object()
    example._served = mark
    return slot_offset(example, mark)


def _loaded_for(cls: type[Any]) -> _Native | None:
    if unexpected():
        return None
    offset = entry_slot(cls)
    slot = type_slot(cls)
    if offset is None or slot is None or slot.value is None:
        return None
    beside: dict[OwnText, tuple[int, ...]] = {EAGER: (), RECYCLER: RECYCLER_OPTIONS}
    try:
        found = loaded(ENTRY, offset, symbols={"slow_call": slot.value}, beside=beside)
    except InternalError:  # a processor or a linker that llvmlite cannot serve
        return None
    no_kwargs: dict[str, Any] = {}
    zeros = words([0] * 64)
    handler = None  # until there is a large result
    held = (special, no_kwargs, Array, np.ndarray, handler, raise_pending)
    scoped = (precisions, FLOAT_AT_START)
    made_as = np.ndarray if may_become(np.ndarray, Array) else Array
    numbers = [*[id(x) for x in held], address(zeros), *[id(x) for x in (*scoped, made_as)]]
    shared = words(numbers, held, zeros, scoped)
    method = method_at(found["run_flat"], "run")
    slot.value = found["call"]
    quicken()
    return _Native(shared, method)
