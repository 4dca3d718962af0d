"""LLVM, through llvmlite: what the processor offers, text to object files, and these into memory.

llvmlite holds a lock around each call into its library. Compilations here have a context and a code
generator of their own, which is all that LLVM asks of threads, so they call the library without
that lock; where llvmlite's insides are not as known, they fall back to calling it with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import itertools
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import llvmlite.binding as llvm

from fxla.errors import InternalError
from fxla.loops.native.isa import Isa

__all__ = [
    "emit_object",
    "haste_keeps_bits",
    "host_isa",
    "link_object",
    "link_objects",
    "pausing_links",
    "target_triple",
]

_lock = threading.RLock()
_idle_machines: dict[tuple[str, str, int, str], list[Any]] = {}
_alive: list[Any] = []
_linker: Any = None
_count = itertools.count()
_host: Isa | None = None
_initialised = False
_unlocked: Any = None


def initialise() -> None:
    """Start LLVM's code generator for this machine, once."""
    global _initialised
    with _lock:
        if not _initialised:
            llvm.initialize_native_target()
            llvm.initialize_native_asmprinter()
            _load_math_library()
            _initialised = True


def _load_math_library() -> None:
    """Let compiled code call it. Linux's name is tried first: a search there starts a process."""
    if sys.platform == "linux":
        with contextlib.suppress(RuntimeError):
            llvm.load_library_permanently("libm.so.6")
            return
    libm = ctypes.util.find_library("m")
    if libm is not None:
        llvm.load_library_permanently(libm)


def _known() -> bool:
    """Whether LLVM's switches were tried: it ends the process if it does not know one."""
    return llvm.llvm_version_info[0] in (20, 22)


def haste_keeps_bits() -> bool:
    """Whether code of no effort contracts a product and a sum where other code does."""
    return _known() and target_triple().startswith("x86_64")


def target_triple() -> str:
    """LLVM's name of the platform."""
    triple: str = llvm.get_process_triple()
    return triple


def host_isa() -> Isa:
    """What this machine's processor offers to generated code."""
    global _host
    with _lock:
        if _host is None:
            initialise()
            cpu = llvm.get_host_cpu_name()
            features = llvm.get_host_cpu_features()
            _host = _isa_of(cpu, features)
        return _host


def _isa_of(cpu: str, features: Any) -> Isa:
    def has(*names: str) -> bool:
        return all(features.get(name, False) for name in names)

    flags = features.flatten()
    if has("avx512f", "avx512bw", "avx512dq", "avx512vl", "fma", "f16c"):
        return Isa("avx512", 64, frozenset({1, 2, 4, 8}), True, True, True, cpu, flags)
    if has("avx2", "fma", "f16c"):
        return Isa("avx2", 32, frozenset({4, 8}), False, True, True, cpu, flags)
    arm = "aarch64" in target_triple() or "arm64" in target_triple()
    return Isa("baseline", 16, frozenset(), False, arm, arm, cpu, flags)


def _machine(isa: Isa, effort: int, triple: str = "") -> Any:
    """A new code generator for `isa`.

    Code finds its constants relative to itself, so that loops keep them in vector registers, and
    not their addresses in all the others; calls out of it go through stubs of the linker.
    """
    if triple:  # of any platform
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(triple) if triple else llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=isa.cpu,
        features=isa.features,
        opt=effort,
        reloc="pic",
        codemodel="small",
        jit=True,
    )


def pausing_links() -> contextlib.AbstractContextManager[object]:
    """No other thread links code, or takes or returns a code generator, meanwhile."""
    return _lock


# ------------------------------------------------------------------ compiling


def emit_object(text: str, isa: Isa, effort: int, triple: str = "") -> bytes:
    """The object file of an LLVM module. Threads that call this run side by side.

    Args:
        text: the module, without a target.
        isa: what to compile for.
        effort: of the code generator, 0 to 3; no middle-end pass runs.
        triple: LLVM's name of the platform; by default this one.

    Raises:
        fxla.errors.InternalError: the text is not valid.
    """
    initialise()
    key = (isa.cpu, isa.features, effort, triple)
    with _lock:
        if effort == 0 and not triple:
            _start_quick_machine()
        idle = _idle_machines.setdefault(key, [])
        if _quick and key == _quick_key and "contract" not in text:
            idle = _quick
        machine = idle.pop() if idle else _machine(isa, effort, triple)
    layout = f'target triple = "{machine.triple}"\ntarget datalayout = "{machine.target_data}"\n'
    library = None if os.environ.get("FXLA_CHECK") == "1" else _without_lock()
    try:
        with _without_strength_reduction():
            if library is None:
                return _emit(layout + text, machine)
            return _emit_unlocked(library, layout + text, machine)
    except RuntimeError as error:
        raise InternalError(f"generated LLVM text is not valid: {error}\n{text}") from error
    finally:
        with _lock:
            idle.append(machine)


_quick: list[Any] = []
_quick_key: tuple[str, str, int, str] | None = None


def _start_quick_machine() -> None:
    """Make the one code generator that selects instructions quickly, without contracting any.

    Without optimisation LLVM's generators do so, unless a switch of the process keeps them from it.
    One that has begun to goes on, so this one compiles nothing, before the switch is set for good:
    it is for drivers, and for kernels in which there is nothing to contract.
    """
    global _quick_key
    if _quick_key is None and haste_keeps_bits():
        isa = host_isa()
        machine = _machine(isa, 0)
        _emit("define void @nothing() nounwind {\n  ret void\n}\n", machine)
        llvm.set_option("fxla", "-fast-isel=false")
        _quick_key = (isa.cpu, isa.features, 0, "")
        _quick.append(machine)


def _emit(text: str, machine: Any) -> bytes:
    """Verify and compile a module."""
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    code: bytes = machine.emit_object(module)
    return code


_emitting = 0


@contextlib.contextmanager
def _without_strength_reduction() -> Iterator[None]:
    """Leave out a pass that takes a fifth of the time and finds nothing.

    The printers make addresses of strides and keep what does not change out of loops. The switch
    is the process's, so it is set while something here is compiled, and not for numba's code.
    """
    global _emitting
    known = _known()
    with _lock:
        _emitting += 1
        if known and _emitting == 1:
            llvm.set_option("fxla", "-disable-lsr=true")
    try:
        yield
    finally:
        with _lock:
            _emitting -= 1
            if known and _emitting == 0:
                llvm.set_option("fxla", "-disable-lsr=false")


_POINTER = ctypes.c_void_p
_LONG = ("ParseAssembly", "TargetMachineEmitToMemory")
"""What takes long: the others keep the interpreter's lock, which a thread may wait 5 ms for."""
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ContextCreate": (_POINTER, ()),
    "ContextDispose": (None, (_POINTER,)),
    "ParseAssembly": (_POINTER, (_POINTER, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p))),
    "DisposeModule": (None, (_POINTER,)),
    "TargetMachineEmitToMemory": (
        _POINTER,
        (_POINTER, _POINTER, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)),
    ),
    "GetBufferStart": (_POINTER, (_POINTER,)),
    "GetBufferSize": (ctypes.c_size_t, (_POINTER,)),
    "DisposeMemoryBuffer": (None, (_POINTER,)),
}
"""Result and parameters of the functions of llvmlite's library that compile a module."""


def _without_lock() -> Any:
    """llvmlite's library, opened a second time; None if it is not as known."""
    global _unlocked
    if _unlocked is None:
        try:
            path = llvm.ffi.lib._lib_handle._name
            free, held = ctypes.CDLL(path), ctypes.PyDLL(path)
            for name, (result, parameters) in _SIGNATURES.items():
                function = (free if name in _LONG else held)[f"LLVMPY_{name}"]
                function.restype, function.argtypes = result, parameters
                setattr(free, name, function)
            _unlocked = free
        except (AttributeError, OSError):
            _unlocked = False
    return _unlocked or None


def _emit_unlocked(library: Any, text: str, machine: Any) -> bytes:
    """Compile a module without llvmlite's lock."""
    message = ctypes.c_char_p()
    context = library.ContextCreate()
    try:
        module = library.ParseAssembly(context, text.encode(), ctypes.byref(message))
        if not module:
            raise RuntimeError((message.value or b"").decode(errors="replace"))
        try:
            at = ctypes.cast(machine._ptr, _POINTER)
            code = library.TargetMachineEmitToMemory(at, module, 1, ctypes.byref(message))
            if not code:
                raise RuntimeError((message.value or b"").decode(errors="replace"))
            try:
                start, size = library.GetBufferStart(code), library.GetBufferSize(code)
                return ctypes.string_at(start, size)
            finally:
                library.DisposeMemoryBuffer(code)
        finally:
            library.DisposeModule(module)
    finally:
        library.ContextDispose(context)


# -------------------------------------------------------------------- linking


def link_object(
    code: bytes, names: Sequence[str], symbols: Mapping[str, int] | None = None
) -> dict[str, int]:
    """The addresses of functions of an object file, loaded for the life of the process."""
    return link_objects([code], names, symbols or {})


def link_objects(
    codes: Sequence[bytes], names: Sequence[str], symbols: Mapping[str, int]
) -> dict[str, int]:
    """Likewise of several object files, each of whose names no other one defines."""
    global _linker
    initialise()
    with _lock:
        if _linker is None:
            _linker = llvm.create_lljit_compiler(_machine(host_isa(), 0))
        library = llvm.JITLibraryBuilder()
        for code in codes:
            library.add_object_img(code)
        library.add_current_process()
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
