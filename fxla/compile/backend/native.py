"""Native code from LLVM text, and the caches of it in the process and on disk.

`compile_kernels` compiles kernels of the loop IR, several to an object file and on all cores,
`compile_text` any LLVM module, such as a program's driver. Addresses stay valid for the life of the
process. What was compiled once is found again by its text: in a dictionary, then among the object
files that come with the package (`shipped`), then as an object file in
``$FXLA_CACHE_DIR`` (by default the platform's cache directory). A file's name is the hash of the
text, the processor, the version of llvmlite and `_FORMAT`; kernels that share an object file have a
hard link each. Its content is the names it defines and the object file, after a checksum. Whatever
is wrong with the directory costs a compilation and one `CacheWarning`. ``FXLA_CACHE=0`` switches
the directory off.

Example:
    >>> import ctypes
    >>> text = '''
    ... define i64 @twice(i64 %x) {
    ...   %y = shl i64 %x, 1
    ...   ret i64 %y
    ... }'''
    >>> address = compile_text(text, ["twice"])["twice"]
    >>> ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(21)
    42
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import llvmlite

from fxla.compile.backend.disk import cache_path, read_entry, write_entry
from fxla.compile.backend.llvm import (
    emit_object,
    host_isa,
    link_object,
    link_objects,
    target_triple,
)
from fxla.compile.backend.processors import default_threads
from fxla.compile.backend.shipped import shipped_object
from fxla.core.records import dataclass
from fxla.loops.ir import Kernel
from fxla.loops.native.blocks import print_tiles, tile_key
from fxla.loops.native.isa import AVX2, AVX512, BASELINE, Isa
from fxla.loops.native.printer import Unsupported, native_parts
from fxla.loops.native.tiles import TILE_PREFIX, tile_symbols
from fxla.loops.tile_kinds import TILE_KINDS, TileKind

__all__ = [
    "Batch",
    "NativeFunction",
    "Place",
    "Printed",
    "compile_kernels",
    "compile_native",
    "compile_text",
    "is_hasty",
    "load_module",
    "load_modules",
    "loaded_code",
    "module_entry",
    "packed",
    "pausing_loads",
    "place_of",
    "print_kernel",
    "shared_module",
    "unpacked",
]

_FORMAT = "fxla-object-4"
"""Part of every hash; changes when the meaning of the generated text or of a file does."""

EFFORT = 2
"""Of LLVM's code generator, for kernels."""

HASTE = 0
"""Likewise for kernels that are compiled again, see `improve`."""

MODULE_LINES = 400
"""Lines of LLVM text that are compiled as one module: each has a cost of its own, but only modules
can be compiled side by side."""

IDLE_LINES = {EFFORT: 100, HASTE: 250}
"""Likewise while another thread has nothing else to compile: it might as well begin."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where compiled code comes from.

    Attributes:
        module: the entry that an object file is kept as.
        symbol: the name of the function in it.
    """

    module: bytes
    symbol: str


_lock = threading.RLock()
_addresses: dict[tuple[object, ...], dict[str, int]] = {}
_kernels: dict[tuple[str, Isa], int] = {}
_hasty: set[tuple[str, Isa]] = set()
_linked: dict[bytes, dict[str, int]] = {}
_places: dict[int, Place] = {}


@dataclass(frozen=True, slots=True)
class NativeFunction:
    """A compiled kernel, ``void (ptr args, i64 begin, i64 end)``.

    Attributes:
        name: the kernel's.
        address: of its first instruction, valid for the life of the process.
    """

    name: str
    address: int


def compile_native(kernel: Kernel, isa: Isa | None = None) -> NativeFunction:
    """Compile a kernel for this machine, or for the part `isa` of it.

    Raises:
        fxla.loops.native.printer.Unsupported: the numba target must compile it.
    """
    (found,) = compile_kernels([kernel], isa)
    if isinstance(found, Unsupported):
        raise found
    return found


def compile_kernels(
    kernels: Sequence[Kernel], isa: Isa | None = None
) -> list[NativeFunction | Unsupported]:
    """Compile kernels together; for each its code, or why the numba target must compile it."""
    with _lock:
        batch = Batch(isa)
        try:
            found = [batch.add(kernel) for kernel in kernels]
        finally:
            batch.finish()
        return [
            x if isinstance(x, Unsupported) else batch.function(k, x)
            for k, x in zip(kernels, found, strict=True)
        ]


def compile_text(
    text: str,
    names: Sequence[str],
    isa: Isa | None = None,
    symbols: Mapping[str, int] | None = None,
    effort: int = EFFORT,
) -> dict[str, int]:
    """The addresses of the functions `names` that an LLVM module defines.

    External symbols are looked up in `symbols`, which gives their addresses, then in the process
    and the C math library. They are bound when the code is loaded: no cached object holds them.
    """
    isa = host_isa() if isa is None else isa
    symbols = symbols or {}
    key = (text, isa.cpu + isa.features, effort, tuple(sorted(symbols.items())))
    with _lock:
        known = _addresses.setdefault(key, {})
        if not all(name in known for name in names):
            content = _object(text, names, isa, effort)
            if symbols:
                known.update(link_object(unpacked(content)[1], names, symbols))
            else:
                known.update(load_module(content))
        return {name: known[name] for name in names}


def _object(text: str, names: Sequence[str], isa: Isa, effort: int) -> bytes:
    """The entry of a module, from the installation or the disk if it is there."""
    return module_entry(text, names, lambda: text, isa, effort)


def module_entry(
    key: str, names: Sequence[str], text: Callable[[], str], isa: Isa, effort: int
) -> bytes:
    """The entry of a module: what came with the package, what is on the disk, or a new one.

    Args:
        key: the text, or what stands for it.
        names: what the module defines.
        text: prints it.
        isa: what to compile for.
        effort: of the code generator. What came with the package was compiled with the highest.
    """
    found = shipped_object(key, isa)
    if found is not None:
        return found
    path = _entry_path(key, isa, effort)
    found = None if path is None else read_entry(path)
    if found is not None:
        return found
    content = packed(names, emit_object(text(), isa, effort))
    if path is not None:
        write_entry(path, content)
    return content


def load_module(content: bytes) -> dict[str, int]:
    """The addresses of all functions of an entry, loaded once."""
    return load_modules([content])[0]


def load_modules(contents: Sequence[bytes]) -> list[dict[str, int]]:
    """Likewise of several entries, and of the tiles that they call: what is new is linked at once.

    To link several takes hardly longer than one. Modules that define a name twice, as kernels of
    which one was compiled again may, are linked one by one.
    """
    digests = [hashlib.sha256(content).digest() for content in contents]
    with _lock:
        fresh = {d: c for d, c in zip(digests, contents, strict=True) if d not in _linked}
        symbols: dict[str, int] = {}
        for names, code in [unpacked(content) for content in fresh.values()]:
            for tiles in _tiles_of(names, code):
                digest = hashlib.sha256(tiles).digest()
                if digest in _linked:
                    symbols |= _linked[digest]
                else:
                    fresh[digest] = tiles
        _link(fresh, symbols)
        return [_linked[digest] for digest in digests]


def _link(fresh: Mapping[bytes, bytes], symbols: Mapping[str, int]) -> None:
    """Load entries, by their digest, that call each other and what is there already."""
    entries = {digest: unpacked(content) for digest, content in fresh.items()}
    defined = [name for names, _ in entries.values() for name in names]
    if len(set(defined)) < len(defined):
        for content in list(fresh.values())[::-1]:  # tiles first
            load_module(content)
        return
    if not entries:
        return
    found = link_objects([code for _, code in entries.values()], defined, symbols)
    for digest, (names, _) in entries.items():
        _linked[digest] = {name: found[name] for name in names}
        _places.update({found[name]: Place(fresh[digest], name) for name in names})


def place_of(address: int) -> Place | None:
    """Where the function at an address comes from, if it needs nothing else to be loaded."""
    return _places.get(address)


def pausing_loads() -> AbstractContextManager[object]:
    """No other thread loads code meanwhile."""
    return _lock


def is_hasty(printed: Printed, isa: Isa) -> bool:
    """Whether the code that this process has of a kernel was compiled in haste."""
    return (printed.text, isa) in _hasty


def loaded_code() -> int:
    """Bytes of the object files of kernels and drivers that this process has loaded.

    Each counts once, wherever it came from; fxla's own code does not.
    """
    modules = {place.module for place in _places.values()}
    return sum(len(m) for m in modules if m.startswith((b"kernel.", b"program\0")))


# -------------------------------------------------------------------- kernels


def _tiles_of(names: Sequence[str], code: bytes) -> list[bytes]:
    """The entries of the tiles that an object file, which defines `names`, calls."""
    found: list[bytes] = []
    if TILE_PREFIX.encode() not in code or any(name.startswith(TILE_PREFIX) for name in names):
        return found
    known: set[str] = set()
    for isa in (host_isa(), AVX512, AVX2, BASELINE):
        for kind in TILE_KINDS:
            wanted = tile_symbols(kind, isa).values()
            if known.isdisjoint(wanted) and any(name.encode() in code for name in wanted):
                known |= set(wanted)
                found.append(_tile_entry(kind, isa))
    return found


def _tiles(kind: TileKind, isa: Isa) -> dict[str, int]:
    """The addresses of the tiles of a kind."""
    return load_module(_tile_entry(kind, isa))


@functools.cache
def _tile_entry(kind: TileKind, isa: Isa) -> bytes:
    """The entry of the tiles of a kind; printed only if nobody has compiled them."""
    names = list(tile_symbols(kind, isa).values())
    return module_entry(tile_key(kind, isa), names, lambda: print_tiles(kind, isa), isa, EFFORT)


def shared_module(
    key: str, names: Sequence[str], text: Callable[[], str], isa: Isa
) -> dict[str, int]:
    """The addresses of functions that many programs call, compiled once for all.

    Args:
        key: stands for the text, as it is printed only if nobody has compiled it.
        names: of the functions, which no other module defines.
        text: prints the module.
        isa: what it is compiled for.
    """
    return load_module(module_entry(key, names, text, isa, EFFORT))


@dataclass(frozen=True, slots=True)
class Printed:
    """A kernel as text: what it declares, its definition, and the symbol in both."""

    declared: tuple[str, ...]
    text: str
    symbol: str


def print_kernel(kernel: Kernel, isa: Isa) -> Printed:
    """The text of a kernel under a name that no other kernel has, and no library function.

    Raises:
        fxla.loops.native.printer.Unsupported: the numba target must compile it.
    """
    plain = f"kernel.{kernel.name}"
    declared, text = native_parts(dataclasses.replace(kernel, name=plain), isa)
    symbol = f"{plain}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return Printed(declared, text.replace(f'@"{plain}"', f'@"{symbol}"', 1), symbol)


class Batch:
    """Kernels on their way to one or more object files.

    While kernels are printed here, full modules are compiled by other threads.

    Args:
        isa: what to compile for; by default this machine.
        effort: of the code generator; what is there already was compiled with at least that.
        helpers: how many threads may compile beside this one; by default all that there are.
    """

    def __init__(
        self, isa: Isa | None = None, effort: int = EFFORT, helpers: int | None = None
    ) -> None:
        self.isa = host_isa() if isa is None else isa
        self.effort = effort
        self.helpers = default_threads() - 1 if helpers is None else helpers
        self.waiting: list[Printed] = []
        self.lines = 0
        self.modules: list[_Module | _TileModule] = []
        self.tiles: set[TileKind] = set()
        self.threads: list[threading.Thread] = []
        self.taken = threading.Lock()
        self.next = 0

    def add(self, kernel: Kernel) -> Printed | Unsupported:
        """Print a kernel, and have it compiled if nothing knows it."""
        try:
            printed = print_kernel(kernel, self.isa)
        except Unsupported as why:
            return why
        self.want(printed)
        return printed

    def want(self, printed: Printed) -> None:
        """Have a printed kernel compiled if nothing knows it."""
        if self._known(printed) or self._found(printed):
            return
        self._want_tiles(printed)
        if all(printed.text != p.text for p in self.waiting):
            self.waiting.append(printed)
            self.lines += printed.text.count("\n")
        enough = self.lines >= MODULE_LINES
        if enough or (self.lines >= IDLE_LINES[self.effort] and self._idle()):
            self._close()
            self._start_thread()

    def _known(self, printed: Printed) -> bool:
        """Whether this process has its code, of this effort at least."""
        key = (printed.text, self.isa)
        return key in _kernels and (self.effort == HASTE or key not in _hasty)

    def _found(self, printed: Printed) -> bool:
        """Whether the kernel came with the package, or is on the disk: then it is loaded."""
        found = shipped_object(printed.text, self.isa)
        path = None if found else _entry_path(printed.text, self.isa, EFFORT)
        if path is not None:
            found = read_entry(path)
        if found is None:
            return False
        address = load_module(found).get(printed.symbol)
        if address is None:
            return False
        _kernels[printed.text, self.isa] = address
        _hasty.discard((printed.text, self.isa))
        return True

    def _want_tiles(self, printed: Printed) -> None:
        """Have the tiles that a kernel calls compiled beside it."""
        declared = "".join(line for line in printed.declared if TILE_PREFIX in line)
        for kind in TILE_KINDS if declared else ():
            names = tile_symbols(kind, self.isa).values()
            if kind in self.tiles or not any(name in declared for name in names):
                continue
            self.tiles.add(kind)
            self.modules.append(_TileModule(kind))
            self._start_thread()

    def _close(self) -> None:
        """Make a module of the waiting kernels."""
        if self.waiting:
            self.modules.append(_Module(tuple(self.waiting), self.effort))
            self.waiting, self.lines = [], 0

    def _idle(self) -> bool:
        """Whether another thread could compile a module at once."""
        working = sum(t.is_alive() for t in self.threads)
        return self.next == len(self.modules) and working < self.helpers

    def _start_thread(self) -> None:
        if sum(t.is_alive() for t in self.threads) < self.helpers:
            thread = threading.Thread(target=self._work, name="fxla-compile", daemon=True)
            self.threads.append(thread)
            thread.start()

    def _work(self) -> None:
        """Compile modules until none is left."""
        while True:
            with self.taken:
                at = self.next
                if at >= len(self.modules):
                    return
                self.next += 1
            self.modules[at].compile(self.isa)

    def function(self, kernel: Kernel, printed: Printed) -> NativeFunction:
        """The code of a kernel that was added before everything was finished."""
        return NativeFunction(kernel.name, self.address(printed))

    def address(self, printed: Printed) -> int:
        """Where the code of a kernel is that was wanted before everything was finished."""
        return _kernels[printed.text, self.isa]

    def finish(self) -> None:
        """Compile what is left, and load everything."""
        self._close()
        self._work()
        for thread in self.threads:
            thread.join()
        for module in sorted(self.modules, key=lambda m: isinstance(m, _Module)):  # tiles first
            module.load(self.isa)


class _TileModule:
    """The tiles of a kind."""

    def __init__(self, kind: TileKind) -> None:
        self.kind = kind
        self.error: BaseException | None = None

    def compile(self, isa: Isa) -> None:
        try:
            _tile_entry(self.kind, isa)
        except BaseException as error:
            self.error = error

    def load(self, isa: Isa) -> None:
        if self.error is not None:
            raise self.error
        _tiles(self.kind, isa)


class _Module:
    """Kernels that become one object file; it is kept on disk unless it was made in haste."""

    def __init__(self, kernels: tuple[Printed, ...], effort: int) -> None:
        self.kernels = kernels
        self.effort = effort
        self.code = b""
        self.error: BaseException | None = None

    def compile(self, isa: Isa) -> None:
        declared = dict.fromkeys(line for k in self.kernels for line in k.declared)
        text = "\n".join([*declared, *(k.text for k in self.kernels), ""])
        try:
            self.code = emit_object(text, isa, self.effort)
        except BaseException as error:
            self.error = error

    def load(self, isa: Isa) -> None:
        if self.error is not None:
            raise self.error
        content = packed([k.symbol for k in self.kernels], self.code)
        addresses = load_module(content)
        if self.effort == HASTE:
            for k in self.kernels:
                if (k.text, isa) not in _kernels:  # another thread may have been faster, and good
                    _kernels[k.text, isa] = addresses[k.symbol]
                    _hasty.add((k.text, isa))
            return
        for k in self.kernels:
            _kernels[k.text, isa] = addresses[k.symbol]
            _hasty.discard((k.text, isa))
        paths = [_entry_path(k.text, isa, EFFORT) for k in self.kernels]
        if paths[0] is not None:
            write_entry(paths[0], content, [p for p in paths[1:] if p is not None])


# ------------------------------------------------------------------- the disk


def packed(names: Sequence[str], code: bytes) -> bytes:
    """What an entry holds: names, and the object file that defines them."""
    return "\n".join(names).encode() + b"\0" + code


def unpacked(content: bytes) -> tuple[list[str], bytes]:
    """The names and the object file of an entry."""
    names, _, code = content.partition(b"\0")
    return names.decode().split("\n"), code


def _entry_path(text: str, isa: Isa, effort: int) -> Path | None:
    machine = (target_triple(), isa.cpu, isa.features)
    what = (_FORMAT, str(effort), llvmlite.__version__, *machine, text)
    return cache_path("objects", hashlib.sha256("\0".join(what).encode()).hexdigest(), ".o")
