"""How long fxla itself works on a program: everything before machine code, LLVM's part left out."""

from __future__ import annotations

import time

import fxla
from bench.workloads.workload import Arguments, Function
from fxla.compile.backend.llvm import host_isa
from fxla.compile.build import build_program
from fxla.compile.driver import print_driver
from fxla.loops.ir import Kernel
from fxla.loops.native.printer import Unsupported, print_native

__all__ = ["generator_seconds"]


def generator_seconds(program: Function, arguments: Arguments) -> float:
    """Seconds of tracing, simplifying, fusing, scheduling and printing a program once more.

    Example:
        >>> generator_seconds(lambda x: x + 1, (1.0,)) > 0
        True
    """
    began = time.perf_counter()
    built = build_program(fxla.make_jaxpr(program)(*arguments).jaxpr)
    packed = [printed(kernel) for kernel in built.kernels()]
    print_driver(built, packed)
    return time.perf_counter() - began


def printed(kernel: Kernel) -> bool:
    """Whether the native target prints a kernel, which it then has done."""
    try:
        print_native(kernel, host_isa())
    except Unsupported:
        return False
    return True
