"""The packages that are timed: how each takes its arguments, builds a program and is waited for."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import time
from collections.abc import Callable
from typing import Any

import numpy

from bench.workloads import Workload
from bench.workloads.workload import Arguments, Function

__all__ = ["COMPILED_TORCH", "FXLA", "JAX", "PEERS", "TORCHES", "Peer", "leaves", "start"]

FXLA = "fxla"
JAX = "jax"
COMPILED_TORCH = "torch-compile"
TORCHES = ("torch", COMPILED_TORCH)
PEERS = (JAX, *TORCHES, "numpy", "autograd", "numba")
"""Everything that fxla may be timed beside."""


def leaves(tree: Any) -> list[Any]:
    """The arrays of a tree, in order."""
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree) for leaf in leaves(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in leaves(part)]
    return [tree]


def mapped(f: Function, tree: Any) -> Any:
    """The tree with `f` applied to its arrays."""
    if isinstance(tree, dict):
        return {key: mapped(f, part) for key, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(mapped(f, part) for part in tree)
    return f(tree)


class Peer:
    """A package that works on NumPy's arrays and returns when it is done."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.module = importlib.import_module(name)

    def warm_up(self) -> None:
        """Run a trivial program: in a process the first one also starts the compiler."""

    def version(self) -> str:
        """The package's version."""
        return str(self.module.__version__)

    def program(self, workload: Workload) -> Function | None:
        """The workload by this package, if it is written for it."""
        return workload.numpy()

    def place(self, arguments: Arguments) -> Arguments:
        """The arguments where the package wants them."""
        return arguments

    def waiting(self, workload: Workload, call: Callable[[], Any]) -> Callable[[], Any]:
        """A call that ends when its result is there."""
        return call

    def generate(self, program: Function, arguments: Arguments) -> float | None:
        """Seconds of tracing and generating a program, in a process that has done so."""
        return None

    def arrays(self, result: Any) -> list[Any]:
        """A result as copies in NumPy's arrays."""
        return [numpy.array(leaf) for leaf in leaves(result)]


class Fxla(Peer):
    """fxla, whose results are there when a call returns."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.np = importlib.import_module(f"{name}.numpy")
        self.lax = importlib.import_module(f"{name}.lax")

    def warm_up(self) -> None:
        self.module.jit(lambda x: x * 2)(self.np.ones(3, self.np.float32))

    def program(self, workload: Workload) -> Function | None:
        return workload.xla(self.module, self.np, self.lax)

    def place(self, arguments: Arguments) -> Arguments:
        placed: Arguments = mapped(self.np.asarray, arguments)
        return placed

    def generate(self, program: Function, arguments: Arguments) -> float | None:
        # The peers' processes have no fxla to import.
        generator = importlib.import_module("bench.generator")
        return float(generator.generator_seconds(program, arguments))


class Jax(Fxla):
    """JAX, which returns before its results are there."""

    def warm_up(self) -> None:
        self.module.jit(lambda x: x * 2)(self.np.ones(3, self.np.float32)).block_until_ready()

    def place(self, arguments: Arguments) -> Arguments:
        placed: Arguments = self.module.block_until_ready(super().place(arguments))
        return placed

    def generate(self, program: Function, arguments: Arguments) -> None:
        return None

    def waiting(self, workload: Workload, call: Callable[[], Any]) -> Callable[[], Any]:
        if workload.eager:
            return lambda: self.module.block_until_ready(call())

        def wait() -> Any:
            # One array is enough: the results of one program come together.
            result = first = call()
            while isinstance(first, (dict, list, tuple)):
                first = next(iter(first.values() if isinstance(first, dict) else first))
            first.block_until_ready()
            return result

        return wait


class Torch(Peer):
    """PyTorch, eager or through `torch.compile`."""

    def __init__(self, name: str) -> None:
        super().__init__("torch")
        self.name = name
        self.compiled: Callable[[Function], Function] = lambda f: f
        if name == COMPILED_TORCH:
            # Sizes are constants, as they are to JAX's jit.
            self.compiled = functools.partial(self.module.compile, dynamic=False)

    def warm_up(self) -> None:
        self.compiled(lambda x: x * 2)(self.module.ones(3))

    def program(self, workload: Workload) -> Function | None:
        return workload.torch(self.module, self.compiled)

    def place(self, arguments: Arguments) -> Arguments:
        def tensor(x: Any) -> Any:
            # Labels and places in tables are 64-bit integers in PyTorch.
            x = x.astype(numpy.int64) if x.dtype.kind == "i" else numpy.asarray(x)
            return self.module.as_tensor(x)

        placed: Arguments = mapped(tensor, arguments)
        return placed

    def arrays(self, result: Any) -> list[Any]:
        return [numpy.array(leaf.detach()) for leaf in leaves(result)]


class Autograd(Peer):
    """HIPS autograd."""

    def version(self) -> str:
        return importlib.metadata.version("autograd")

    def program(self, workload: Workload) -> Function | None:
        return workload.autograd(self.module, importlib.import_module("autograd.numpy"))


class Numba(Peer):
    """Loops written by hand for numba."""

    def warm_up(self) -> None:
        self.module.njit(lambda x: x * 2)(numpy.ones(3, numpy.float32))

    def program(self, workload: Workload) -> Function | None:
        return workload.numba(self.module)


KINDS: dict[str, type[Peer]] = {
    FXLA: Fxla,
    JAX: Jax,
    "torch": Torch,
    COMPILED_TORCH: Torch,
    "numpy": Peer,
    "autograd": Autograd,
    "numba": Numba,
}


def start(name: str) -> tuple[Peer, float]:
    """Import a package and run a trivial program; also the seconds that took."""
    began = time.perf_counter()
    peer = KINDS[name](name)
    peer.warm_up()
    return peer, time.perf_counter() - began
