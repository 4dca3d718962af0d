"""Compiles kernels for the CPU with numba.

numba turns the printed Python into optimised LLVM code; `native` turns that into
object code and loads it. The function has the C interface
``void f(inputs..., outputs..., extents..., begin, end)``, with pointers to flat buffers (half
floats as their 16 bits) and 64-bit integers. The LLVM code is kept on disk under a hash of all that
decides it, so a process that finds it there imports no numba at all.

The Python is written to a file as well, named by its content, where debuggers and people find it.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib
import linecache
import math
import re
import threading
from collections.abc import Callable, Sequence
from types import CodeType, FunctionType
from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ll
import numpy as np

from fxla.compile.backend.disk import (
    cache_directory,
    cache_path,
    read_entry,
    write_entry,
    write_plain,
)
from fxla.compile.backend.llvm import host_isa
from fxla.compile.backend.native import compile_text
from fxla.compile.backend.numba_functions import target_functions
from fxla.core.deferred import deferred
from fxla.core.records import dataclass
from fxla.errors import InternalError
from fxla.loops.ir import DType, Kernel
from fxla.loops.python.functions import bind_prelude, plain_functions, prelude_text
from fxla.loops.python.ops import storage_dtype
from fxla.loops.python.source import PythonSource, python_source
from fxla.loops.written import Written

__all__ = ["NumbaFunction", "cache_path", "compile_numba", "load_python", "save_source"]

metadata = deferred("importlib.metadata")

_FORMAT = "fxla-numba-1"
"""Part of every hash; changes when the way from source to LLVM code does."""

_lock = threading.RLock()
_compiled: dict[str, NumbaFunction] = {}


@dataclass(frozen=True, slots=True)
class NumbaFunction:
    """A compiled kernel.

    Attributes:
        name: of the kernel.
        address: of the C function; valid for the life of the process.
        source: the Python it was compiled from.
        python: the same function in plain Python, on flat NumPy arrays in place of pointers.
        dtypes: of the elements behind the pointers, half floats as uint16.
    """

    name: str
    address: int
    source: str
    python: Callable[..., None]
    dtypes: tuple[DType, ...]

    def __call__(
        self, arrays: Sequence[Any], sizes: Sequence[int] = (), begin: int = 0, end: int = 0
    ) -> None:
        """Run the compiled function on C-contiguous arrays, inputs before outputs."""
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in arrays]
        integers = [ctypes.c_int64(n) for n in (*sizes, begin, end)]
        kinds = [ctypes.c_void_p] * len(pointers) + [ctypes.c_int64] * len(integers)
        ctypes.CFUNCTYPE(None, *kinds)(self.address)(*pointers, *integers)

    def run_python(
        self, arrays: Sequence[Any], sizes: Sequence[int] = (), begin: int = 0, end: int = 0
    ) -> None:
        """Run the plain Python function on the same arguments."""
        flat = [a.reshape(-1).view(t) for a, t in zip(arrays, self.dtypes, strict=True)]
        with np.errstate(all="ignore"):
            self.python(*flat, *sizes, begin, end)


def compile_numba(kernel: Kernel) -> NumbaFunction:
    """Compile a parametrised kernel, or find it compiled in this process or on disk.

    Args:
        kernel: from `fxla.loops.extents.parametrise`.
    """
    printed = _printed(kernel)
    dtypes = tuple([storage_dtype(b.dtype) for b in (*kernel.inputs, *kernel.outputs)])
    key = _key(printed, dtypes)
    with _lock:
        if key not in _compiled:
            symbol = f"fxla_{key[:32]}"
            text = _llvm_text(printed, dtypes, key, symbol)
            symbols = _provide_externals(text)
            address = compile_text(text, [symbol], symbols=symbols)[symbol]
            python = _plain(printed)
            _compiled[key] = NumbaFunction(printed.name, address, printed.source, python, dtypes)
        return _compiled[key]


@dataclass(frozen=True, slots=True)
class _WrittenSource(PythonSource):
    """The module of a kernel that was written in Python."""


def _printed(kernel: Kernel) -> PythonSource:
    """The Python of a kernel."""
    if not isinstance(kernel, Written):
        return python_source(kernel)
    buffers = (*kernel.inputs, *kernel.outputs)
    sizes = [f"n{k}" for k in range(kernel.sizes)]
    names = (*[b.name for b in buffers], *sizes, "begin", "end")
    return _WrittenSource(kernel.name, kernel.source, names)


def _plain(printed: PythonSource) -> Callable[..., None]:
    """The function in plain Python."""
    if isinstance(printed, _WrittenSource):
        return _load_module(printed, lambda f: f, lambda flat, shape: flat.reshape(shape))
    return load_python(printed, plain_functions())


def _load_module(printed: PythonSource, decorate: Any, carray: Any) -> Callable[..., None]:
    """The last function of a written module; the others are compiled by `decorate`."""
    code = compile(printed.source, save_source(printed), "exec")
    names: dict[str, Any] = {"np": np, "math": math, "carray": carray}
    for c in code.co_consts:
        if isinstance(c, CodeType):
            function = FunctionType(c, names, c.co_name)
            names[c.co_name] = function if c.co_name == printed.name else decorate(function)
    found: Callable[..., None] = names[printed.name]
    return found


@functools.cache
def _environment() -> tuple[str, ...]:
    """What decides the result beside the source: versions, processor, the prelude."""
    isa = host_isa()
    versions = metadata.version("numba"), metadata.version("llvmlite")
    return (_FORMAT, *versions, isa.cpu, isa.features, prelude_text())


def _key(printed: PythonSource, dtypes: tuple[DType, ...]) -> str:
    what = (*_environment(), printed.source, *[t.name for t in dtypes])
    return hashlib.sha256("\0".join(what).encode()).hexdigest()


def save_source(printed: PythonSource) -> str:
    """Write a kernel's Python where tracebacks and debuggers look; returns the file name.

    Without a writable cache directory the name stands for a text that is only in memory.
    """
    digest = hashlib.sha256(printed.source.encode()).hexdigest()[:16]
    directory = cache_directory()
    if directory is not None:
        path = directory / "source" / f"{printed.name}_{digest}.py"
        content = printed.source.encode()
        try:
            present = path.read_bytes() == content
        except OSError:
            present = False
        if present or write_plain(path, content):
            return str(path)
    name = f"<fxla kernel {printed.name} {digest}>"
    lines = printed.source.splitlines(keepends=True)
    linecache.cache[name] = (len(printed.source), None, lines, name)
    return name


def load_python(printed: PythonSource, functions: dict[str, Any]) -> Callable[..., None]:
    """The Python function of a kernel, calling a target's `functions`."""
    code = compile(printed.source, save_source(printed), "exec")
    function = next(
        c for c in code.co_consts if hasattr(c, "co_name") and c.co_name == printed.name
    )
    return FunctionType(function, dict(functions), printed.name)


# ------------------------------------------------------------------ from Python to LLVM code


def _llvm_text(printed: PythonSource, dtypes: tuple[DType, ...], key: str, symbol: str) -> str:
    """The optimised module that defines `symbol`, from the disk if it is there."""
    path = cache_path("numba", key, ".ll")
    found = read_entry(path) if path is not None else None
    if found is not None:
        return found.decode()
    text = _compile(printed, dtypes, symbol)
    if path is not None:
        write_entry(path, text.encode())
    return text


def _compile(printed: PythonSource, dtypes: tuple[DType, ...], symbol: str) -> str:
    """Run numba on a kernel.

    This is what ``numba.cfunc`` does, without its wrapper that reports exceptions to the
    interpreter (a kernel raises none) and with everything but `symbol` made internal, so that what
    was inlined is dropped.
    """
    numba, types = _numba(""), _numba(".types")
    compiler, target = _numba(".core.compiler"), _numba(".core.registry").cpu_target
    pointers = [types.CPointer(numba.from_dtype(t)) for t in dtypes]
    arguments = pointers + [types.int64] * (len(printed.parameters) - len(pointers))
    flags = compiler.Flags()
    flags.no_compile = True
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.error_model = "numpy"
    if isinstance(printed, _WrittenSource):
        flags.nrt = True
        function = _load_module(printed, _lean_jit(), numba.carray)
    else:
        function = load_python(printed, _functions())
    with _numba(".core.compiler_lock").global_compiler_lock:
        result = compiler.compile_extra(
            target.typing_context,
            target.target_context,
            function,
            tuple(arguments),
            types.void,
            flags,
            {},
        )
        library = result.library
        library.add_ir_module(_entry(target.target_context, result.fndesc, symbol))
        module = library._final_module
        for linked in dict.fromkeys(library._linking_libraries):
            module.link_in(linked._get_module_for_linking(), preserve=True)
        for function in module.functions:
            if not function.is_declaration and function.name != symbol:
                function.linkage = "internal"
        library._optimize_final_module()
    return re.sub(r"^(target |source_filename).*$", "", str(module), flags=re.MULTILINE)


def _entry(context: Any, descriptor: Any, symbol: str) -> Any:
    """A module with the C function that calls numba's, whose result it drops."""
    module = context.create_module(symbol)
    kinds = [context.get_value_type(t) for t in descriptor.argtypes]
    callee = ll.Function(
        module,
        context.call_conv.get_function_type(descriptor.restype, descriptor.argtypes),
        descriptor.llvm_func_name,
    )
    entry = ll.Function(module, ll.FunctionType(ll.VoidType(), kinds), symbol)
    builder = ll.IRBuilder(entry.append_basic_block())
    context.call_conv.call_function(
        builder, callee, descriptor.restype, descriptor.argtypes, entry.args
    )
    builder.ret_void()
    return module


def _lean_jit() -> Any:
    """numba's decorator, without what only calls from Python need."""
    return _numba("").njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


@functools.cache
def _functions() -> dict[str, Any]:
    """The prelude as numba functions."""
    signature = _numba(".core.typing").signature
    provided = target_functions(_numba(".extending").intrinsic, _numba(".types"), signature)
    return bind_prelude(_numba("").njit(error_model="numpy"), provided)


def _numba(module: str) -> Any:
    """A module of numba, imported when it is first needed; numba has few type annotations."""
    return importlib.import_module(f"numba{module}")


def _provide_externals(text: str) -> dict[str, int]:
    """Make sure the functions that a module calls can be found: an unknown one ends the process.

    Returns:
        The addresses of those of numba's own memory management.
    """
    declared = re.findall(r"^declare [^@]*@\"?([^\"(]+)\"?\(", text, flags=re.MULTILINE)
    outside = [name for name in declared if not name.startswith("llvm.")]
    managed = [name for name in outside if name.startswith("NRT_")]
    if not all(llvm.address_of_symbol(name) for name in outside):
        context = _numba(".core.registry").cpu_target.target_context  # registers its functions
        if managed:
            _numba(".core.runtime").rtsys.initialize(context)
    missing = [name for name in outside if not llvm.address_of_symbol(name)]
    if missing:
        raise InternalError(f"numba calls functions that do not exist: {', '.join(missing)}")
    return {name: llvm.address_of_symbol(name) for name in managed}
