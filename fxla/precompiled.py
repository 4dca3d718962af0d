"""What comes compiled with the package: its own code, and what single functions of arrays become.

``python -m fxla.precompiled`` writes a file of objects for each level of processors. The build of
a wheel runs it, and so does the benchmark in a checkout; see `fxla.compile.backend.shipped` for
what it
writes and `fxla.compile.runtime` for the code that no program decides. Beside that code it holds
the kernels and drivers of `FUNCTIONS`: a first product, sum or softmax in a process with an empty
cache then waits for no compiler. Kernels take their sizes when they run, so that each serves all
sizes of its kind; they are found by their text, like everything here, and never used for anything
else. The same source gives the same files.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.compile.backend.levels import LEVELS, Level
from fxla.compile.backend.native import print_kernel
from fxla.compile.backend.shipped import OBJECTS
from fxla.compile.build import build_program
from fxla.compile.driver import print_driver
from fxla.compile.passes.simplify import inline_calls
from fxla.compile.program import Program
from fxla.compile.runtime import OwnModule, compile_level, offered, own_modules
from fxla.control.api import ShapeDtypeStruct, make_jaxpr
from fxla.core.records import dataclass
from fxla.lax import conv_general_dilated, reduce_window
from fxla.lax import max as largest
from fxla.lax.linalg import lu, triangular_solve
from fxla.loops.native.printer import Unsupported
from fxla.nn import log_softmax, relu, sigmoid, softmax

__all__ = ["FUNCTIONS", "Common", "common_modules", "main", "modules"]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Common:
    """A function that is compiled beforehand.

    Attributes:
        name: what it is.
        function: of arrays.
        shapes: for each kind of sizes, which give kernels of their own, the operands' shapes.
    """

    name: str
    function: Callable[..., Any]
    shapes: Sequence[Sequence[Shape]]


_VECTORS = ((1_000_000,),), ((1000,),)
_MATRICES = ((4096, 1024),), ((1000, 500),), ((100, 3000),), ((30, 20),)


def _pairs(shapes: Sequence[Sequence[Shape]]) -> list[Sequence[Shape]]:
    return [(s, s) for (s,) in shapes]


_ROWS = tuple([[s, s[-1:], s[-1:]] for (s,) in _MATRICES])

_SIZES = (
    {"m": 512, "k": 512, "n": 512},
    {"m": 512, "k": 784, "n": 10},
    {"m": 32, "k": 12, "n": 64},
)


def _products(*words: str) -> list[Sequence[Shape]]:
    """Shapes of operands with these axes: of large matrices, and of thin ones."""
    return [[tuple([size[axis] for axis in word]) for word in words] for size in _SIZES]


_STACKS = (
    ((100, 32, 32), (100, 32, 32)),
    ((100, 20, 40), (100, 40, 24)),
    ((100, 128, 64), (100, 64, 128)),
)
_SQUARES = ((300, 300), (40, 40))
_IMAGES: tuple[Sequence[Shape], ...] = (
    ((8, 28, 28, 1), (3, 3, 1, 32)),
    ((8, 32, 32, 3), (3, 3, 3, 32)),
    ((8, 28, 28, 32), (3, 3, 32, 64)),
    ((8, 56, 56, 64), (3, 3, 64, 64)),
    ((8, 28, 28, 128), (3, 3, 128, 128)),
    ((8, 14, 14, 256), (3, 3, 256, 256)),
    ((8, 7, 7, 512), (3, 3, 512, 512)),
)
"""Images with features last, and kernels: of first layers, and of residual networks. How a
convolution is cut depends on numbers of features, so not every size shares these kernels."""


def _layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    centred = x - fnp.mean(x, axis=-1, keepdims=True)
    variance = fnp.mean(centred**2, axis=-1, keepdims=True)
    return centred / fnp.sqrt(variance + 1e-5) * scale + shift


def _convolution(x: Any, kernel: Any, padding: str) -> Any:
    order = ("NHWC", "HWIO", "NHWC")
    return conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=order)


def _largest_of_four(x: Any) -> Any:
    return reduce_window(x, -fnp.inf, largest, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


FUNCTIONS: tuple[Common, ...] = (
    Common("x + 1", lambda x: x + 1, _VECTORS),
    Common("x * 2", lambda x: x * 2, _VECTORS),
    Common("x + y", lambda x, y: x + y, _pairs(_VECTORS)),
    Common("x - y", lambda x, y: x - y, _pairs(_VECTORS)),
    Common("x * y", lambda x, y: x * y, _pairs(_VECTORS)),
    Common("x / y", lambda x, y: x / y, _pairs(_VECTORS)),
    Common("a * x + y", lambda a, x, y: a * x + y, [((), s, s) for (s,) in _VECTORS]),
    *[
        Common(f.__name__, f, _VECTORS)
        for f in (fnp.exp, fnp.log, fnp.sin, fnp.cos, fnp.tanh, fnp.sqrt, fnp.square, relu, sigmoid)
    ],
    *[
        Common(f"{f.__name__}, axis {axis}", lambda x, f=f, axis=axis: f(x, axis=axis), _MATRICES)
        for f in (fnp.sum, fnp.mean, fnp.max, fnp.min)
        for axis in (None, 0, 1)
    ],
    *[Common(f.__name__, f, _VECTORS) for f in (fnp.sum, fnp.mean, fnp.max, fnp.min)],
    Common("argmax, axis 1", lambda x: fnp.argmax(x, axis=1), _MATRICES),
    Common("softmax", softmax, _MATRICES),
    Common("log_softmax", log_softmax, _MATRICES),
    Common("layer norm", _layer_norm, _ROWS),
    Common("x @ y", lambda x, y: x @ y, _products("mk", "kn")),
    Common("x @ y.T", lambda x, y: x @ y.T, _products("mk", "nk")),
    Common("x.T @ y", lambda x, y: x.T @ y, _products("km", "kn")),
    Common("x @ y + b", lambda x, y, b: x @ y + b, _products("mk", "kn", "n")),
    Common("relu(x @ y + b)", lambda x, y, b: relu(x @ y + b), _products("mk", "kn", "n")),
    Common("tanh(x @ y + b)", lambda x, y, b: fnp.tanh(x @ y + b), _products("mk", "kn", "n")),
    Common("stack of products", lambda x, y: x @ y, _STACKS),
    Common("x.T", lambda x: x.T, _MATRICES),
    *[
        Common(f"convolution, {padding}", functools.partial(_convolution, padding=padding), _IMAGES)
        for padding in ("SAME", "VALID")
    ],
    Common("Cholesky's factor", fnp.linalg.cholesky, [(s,) for s in _SQUARES]),
    Common("LU factors", lu, [(s,) for s in _SQUARES]),
    Common("system", fnp.linalg.solve, [(s, t) for s in _SQUARES for t in (s, s[:1])]),
    Common("inverse", fnp.linalg.inv, [(s,) for s in _SQUARES]),
    *[
        Common(
            f"triangular system, {left_side=}, {transpose_a=}",
            functools.partial(
                triangular_solve, left_side=left_side, lower=True, transpose_a=transpose_a
            ),
            [(s, s) for s in _SQUARES],
        )
        for left_side in (True, False)
        for transpose_a in (False, True)
    ],
    Common("largest of 2 x 2", _largest_of_four, [(image,) for image, _ in _IMAGES]),
)  # fmt: skip
"""Plain functions of one thing: whatever is made of several of them is compiled as a whole, as the
one kernel that it deserves."""

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


@functools.cache
def _programs() -> list[Program]:
    """The programs of `FUNCTIONS`, in single and double precision."""
    found = []
    for common in FUNCTIONS:
        for shapes in common.shapes:
            for dtype in DTYPES:
                types = [ShapeDtypeStruct(s, dtype) for s in shapes]
                jaxpr = make_jaxpr(common.function)(*types).jaxpr
                found.append(build_program(inline_calls(jaxpr), tiles=True, noted=False))
    return found


def common_modules(level: Level) -> Iterator[OwnModule]:
    """Kernels and drivers of `FUNCTIONS`."""
    seen: set[str] = set()
    for program in _programs():
        for module in _modules_of(program, level):
            if module.key not in seen:
                seen.add(module.key)
                yield module


def _modules_of(program: Program, level: Level) -> Iterator[OwnModule]:
    packed = []
    for kernel in program.kernels():
        try:
            printed = print_kernel(kernel, level.isa)
        except Unsupported:  # numba's, which compiles when a program runs
            packed.append(False)
            continue
        packed.append(True)
        text = "\n".join([*printed.declared, printed.text, ""])
        yield OwnModule(text, (printed.symbol,), printed.text)
    driver = print_driver(program, packed).text
    yield OwnModule(driver, ("program",), driver)


def modules(level: Level) -> Iterator[OwnModule]:
    """Everything that a level's file holds."""
    yield from own_modules(level)
    yield from common_modules(level)


def main(arguments: list[str] | None = None) -> int:
    """Write the files of all levels."""
    parser = argparse.ArgumentParser(prog="python -m fxla.precompiled", description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?", default=OBJECTS)
    directory = parser.parse_args(arguments).directory
    for level in LEVELS:
        if offered(level):
            path = compile_level(level, modules(level), directory)
            print(f"{path}: {path.stat().st_size:,} bytes")
        else:
            print(f"{level.name} is left out: this llvmlite does not generate code for it")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
