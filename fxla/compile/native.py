"""Native code from LLVM text: compilation, loading, and the caches in the process and on disk.

`compile_native` compiles a kernel of the loop IR, `compile_text` any LLVM text, such as a program's
driver. Addresses stay valid for the life of the process. What was compiled once is found again by
its text: in a dictionary, then as an object file in ``$FXLA_CACHE_DIR`` (by default the platform's
cache directory). An object's name is the hash of its text, the processor, the version of llvmlite
and `_FORMAT`; its content starts with a checksum. Whatever is wrong with the directory costs a
compilation and one `CacheWarning`. ``FXLA_CACHE=0`` switches the directory off.

Example:
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

import ctypes
import ctypes.util
import dataclasses
import hashlib
import itertools
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from fxla.compile.disk import read_entry, warn_once, write_entry
from fxla.errors import InternalError
from fxla.loops.ir import Kernel
from fxla.loops.native import print_native
from fxla.loops.native_isa import Isa

__all__ = ["NativeFunction", "cache_directory", "compile_native", "compile_text", "host_isa"]

_FORMAT = "fxla-object-1"
"""Part of every hash; changes when the meaning of the generated text does."""

_OPT = 2
"""Effort of LLVM's code generator (no middle-end pass runs)."""

_lock = threading.RLock()
_addresses: dict[tuple[object, ...], dict[str, int]] = {}
_machines: dict[tuple[str, str], Any] = {}
_alive: list[Any] = []
_linker: Any = None
_count = itertools.count()
_host: Isa | None = None
_initialised = False


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
        fxla.loops.native.Unsupported: the numba target must compile it.
    """
    isa = host_isa() if isa is None else isa
    symbol = f"kernel.{kernel.name}"  # a kernel named cos must not be what calls of cos reach
    text = print_native(dataclasses.replace(kernel, name=symbol), isa)
    return NativeFunction(kernel.name, compile_text(text, [symbol], isa)[symbol])


def compile_text(
    text: str,
    names: Sequence[str],
    isa: Isa | None = None,
    symbols: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """The addresses of the functions `names` that an LLVM module defines.

    External symbols are looked up in `symbols`, which gives their addresses, then in the process
    and the C math library. They are bound when the code is loaded: no cached object holds them.
    """
    isa = host_isa() if isa is None else isa
    symbols = symbols or {}
    key = (text, isa.cpu + isa.features, tuple(sorted(symbols.items())))
    with _lock:
        known = _addresses.setdefault(key, {})
        if not all(name in known for name in names):
            known.update(_load(_object(text, isa), names, symbols))
        return {name: known[name] for name in names}


# ---------------------------------------------------------------- the machine


def _initialise() -> None:
    global _initialised
    if not _initialised:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        libm = ctypes.util.find_library("m")
        if libm is not None:
            llvm.load_library_permanently(libm)
        _initialised = True


def host_isa() -> Isa:
    """What this machine's processor offers to generated code."""
    global _host
    with _lock:
        if _host is None:
            _initialise()
            cpu = llvm.get_host_cpu_name()
            features = llvm.get_host_cpu_features()
            _host = _isa_of(cpu, features)
        return _host


def _isa_of(cpu: str, features: Any) -> Isa:
    def has(*names: str) -> bool:
        return all(features.get(name, False) for name in names)

    flags = features.flatten()
    if has("avx512f", "avx512bw", "avx512dq", "avx512vl", "fma", "f16c"):
        return Isa("avx512", 64, frozenset({1, 2, 4, 8}), True, True, cpu, flags)
    if has("avx2", "fma", "f16c"):
        return Isa("avx2", 32, frozenset({4, 8}), False, True, cpu, flags)
    arm = "aarch64" in llvm.get_process_triple() or "arm64" in llvm.get_process_triple()
    return Isa("baseline", 16, frozenset(), False, arm, cpu, flags)


def _machine(isa: Isa) -> Any:
    """A new code generator for `isa`."""
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=isa.cpu,
        features=isa.features,
        opt=_OPT,
        reloc="static",
        codemodel="jitdefault",
        jit=True,
    )


# ------------------------------------------------------------------ compiling


def _object(text: str, isa: Isa) -> bytes:
    """The object file of a module, from the disk if it is there."""
    _initialise()
    path = _cache_path(text, isa)
    if path is not None:
        found = read_entry(path)
        if found is not None:
            return found
    code = _compile(text, isa)
    if path is not None:
        write_entry(path, code)
    return code


def _compile(text: str, isa: Isa) -> bytes:
    machine = _machines.get((isa.cpu, isa.features))
    if machine is None:
        machine = _machines[isa.cpu, isa.features] = _machine(isa)
    layout = f'target triple = "{machine.triple}"\ntarget datalayout = "{machine.target_data}"\n'
    try:
        module = llvm.parse_assembly(layout + text, llvm.create_context())
        if os.environ.get("FXLA_CHECK") == "1":
            module.verify()
    except RuntimeError as error:
        raise InternalError(f"generated LLVM text is not valid: {error}\n{text}") from error
    code: bytes = machine.emit_object(module)
    return code


def _load(code: bytes, names: Sequence[str], symbols: Mapping[str, int]) -> dict[str, int]:
    """Link an object file into the process."""
    global _linker
    if _linker is None:
        _linker = llvm.create_lljit_compiler(_machine(host_isa()))
    library = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
    for name in names:
        library.export_symbol(name)
    for name, address in symbols.items():
        library.import_symbol(name, address)
    try:
        linked = library.link(_linker, f"fxla.{next(_count)}")
    except RuntimeError as error:
        raise InternalError(f"compiled code cannot be linked: {error}") from error
    _alive.append(linked)
    return {name: linked[name] for name in names}


# ------------------------------------------------------------------- the disk


def cache_directory() -> Path | None:
    """Where object files are kept; None if ``FXLA_CACHE=0``."""
    if os.environ.get("FXLA_CACHE", "1") == "0":
        return None
    chosen = os.environ.get("FXLA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "fxla"


def _cache_path(text: str, isa: Isa) -> Path | None:
    try:
        directory = cache_directory()
    except (OSError, RuntimeError) as error:  # no home directory
        warn_once(f"there is no cache directory: {error}")
        return None
    if directory is None:
        return None
    machine = (llvm.get_process_triple(), isa.cpu, isa.features)
    what = (_FORMAT, str(_OPT), llvmlite.__version__, *machine, text)
    digest = hashlib.sha256("\0".join(what).encode()).hexdigest()
    return directory / "objects" / digest[:2] / f"{digest}.o"
