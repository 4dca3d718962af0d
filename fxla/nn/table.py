"""The table of a model's layers that people know from Keras, made without arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fxla.control.api import make_jaxpr
from fxla.core.jaxpr import ClosedJaxpr, Eqn, Jaxpr
from fxla.core.pytree import tree_flatten
from fxla.core.staging import JaxprTrace
from fxla.core.trace import state, typeof
from fxla.nn.calls import building, calls
from fxla.nn.layout import walk_modules
from fxla.nn.module import Module, described
from fxla.nn.trees import parameter_count

__all__ = ["Row", "summary", "tabulate"]


@dataclass(frozen=True)
class Row:
    """A call of a module.

    Attributes:
        path: where the module is, e.g. ``layers[0]``; empty for the model.
        kind: its class.
        depth: how many calls it is inside of.
        output: types of its results.
        parameters: numbers in parameters of its own, those of modules inside of it left out.
        flops: of the call.
    """

    path: str
    kind: str
    depth: int
    output: str
    parameters: int
    flops: int


class _Watcher:
    """Notes the calls of modules while a model is traced."""

    def __init__(self, model: Module) -> None:
        self.paths = {id(m): path for path, m in reversed(list(walk_modules(model)))}
        self.rows: list[Any] = []
        self.seen: set[int] = set()
        self.depth = 0

    def enter(self, module: Any) -> None:
        """A call begins."""
        self.rows.append((module, self.depth, len(_equations())))
        self.depth += 1

    def leave(self, module: Any, result: Any) -> None:
        """A call ends."""
        self.depth -= 1
        at = max(
            k
            for k, r in enumerate(self.rows)
            if isinstance(r, tuple) and r[0] is module and r[1] == self.depth
        )
        own = 0 if id(module) in self.seen else _own_parameters(module)
        self.seen.add(id(module))
        path = self.paths.get(id(module), "...")
        flops = sum([flops_of(e) for e in _equations()[self.rows[at][2] :]])
        types = ", ".join([str(typeof(x)) for x in tree_flatten(result)[0]])
        self.rows[at] = Row(path, type(module).__name__, self.depth, types, own, flops)


def _equations() -> Sequence[Eqn]:
    """The equations recorded so far."""
    trace = state.trace
    return trace.eqns if isinstance(trace, JaxprTrace) else []


def _own_parameters(module: Module) -> int:
    """Numbers in parameters of a module that no module inside of it has."""
    children, layout = module.take_apart()
    inner = [path for path, m in walk_modules(module) if path]
    return sum(
        typeof(x).size
        for x, path, kind in zip(children, layout.paths, layout.kinds, strict=True)
        if kind == "parameter" and not any(path.startswith(p + ".") for p in inner)
    )


def flops_of(e: Eqn) -> int:
    """Multiplications and additions of a product, a convolution, or of a program with these."""
    params = e.params
    if e.primitive.name == "dot_general":
        depth: int = math.prod([e.inputs[0].aval.shape[k] for k in params["dims"].lhs_contract])
        return 2 * e.outputs[0].aval.size * depth
    if e.primitive.name == "conv_general_dilated":
        kernel, dims = e.inputs[1].aval.shape, params["conv"].dims
        window: int = math.prod([kernel[k] for k in dims.rhs[1:]])
        return 2 * e.outputs[0].aval.size * window
    times = params.get("length", 1) if e.primitive.name == "scan" else 1
    inner = 0
    for value in params.values():
        for program in value if isinstance(value, tuple) else (value,):
            jaxpr = program.jaxpr if isinstance(program, ClosedJaxpr) else program
            if isinstance(jaxpr, Jaxpr):
                found = sum([flops_of(one) for one in jaxpr.eqns])
                inner = max(inner, found) if e.primitive.name == "cond" else inner + found
    return times * inner


def rows_of(model: Module, *inputs: Any) -> list[Row]:
    """A row for each call of a module, outer calls first.

    Args:
        model: a module; layers whose sizes were left out are made.
        *inputs: arrays, anything with a shape and a dtype, or shapes as tuples of integers.
    """
    watcher = _Watcher(model)
    before, calls.watcher = calls.watcher, watcher
    try:
        with building():
            make_jaxpr(lambda *xs: model(*xs))(*[described(x) for x in inputs])
    finally:
        calls.watcher = before
    return [row for row in watcher.rows if isinstance(row, Row)]


def tabulate(model: Module, *inputs: Any, depth: int | None = None) -> str:
    """The table that `summary` prints, as text.

    Args:
        model: a module.
        *inputs: arrays, anything with a shape and a dtype, or shapes as tuples of integers.
        depth: calls inside of more than so many others are left out.

    Example:
        >>> from fxla import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> print(nn.tabulate(model, (32, 4)))
        Layer                   Output       Parameters  FLOPs
        Sequential              f64[32,2]            58  3,072
          layers[0] (Linear)    f64[32,8]            40  2,048
          layers[1] (ReLU)      f64[32,8]             0      0
          layers[2] (Linear)    f64[32,2]            18  1,024
        Parameters: 58; no buffers; 464 B. FLOPs of a call: 3,072
    """
    rows = rows_of(model, *inputs)
    lines = [("Layer", "Output", "Parameters", "FLOPs")]
    for k, row in enumerate(rows):
        if depth is not None and row.depth > depth:
            continue
        inner = _inside(rows, k)
        name = f"{row.path} ({row.kind})" if row.path else row.kind
        total = row.parameters + sum([r.parameters for r in inner])
        lines.append(("  " * row.depth + name, row.output, f"{total:,}", f"{row.flops:,}"))
    widths = [max([len(line[k]) for line in lines]) for k in range(4)]
    shown = [
        f"{a:<{widths[0]}}    {b:<{widths[1]}}    {c:>{widths[2]}}  {d:>{widths[3]}}".rstrip()
        for a, b, c, d in lines
    ]
    return "\n".join([*shown, _totals(model, rows[0].flops if rows else 0)])


def _inside(rows: list[Row], k: int) -> list[Row]:
    """The calls inside of call k."""
    found = []
    for row in rows[k + 1 :]:
        if row.depth <= rows[k].depth:
            break
        found.append(row)
    return found


def _totals(model: Module, flops: int) -> str:
    children, _ = model.take_apart()
    trained = parameter_count(model)
    nbytes = sum([typeof(x).size * typeof(x).dtype.itemsize for x in children])
    fixed = sum([typeof(x).size for x in children]) - trained
    told = f"{fixed:,} numbers in buffers" if fixed else "no buffers"
    return f"Parameters: {trained:,}; {told}; {_bytes(nbytes)}. FLOPs of a call: {flops:,}"


def _bytes(n: float) -> str:
    for unit in ("B", "KB", "MB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} GB"


def summary(model: Module, *inputs: Any, depth: int | None = None) -> None:
    """Print a table of a model's layers: results, parameters, and FLOPs of a call.

    The model is traced, nothing is computed. FLOPs are the multiplications and additions of
    products of matrices and of convolutions. A layer that is called twice is listed twice, and its
    parameters are counted once.

    Args:
        model: a module; layers whose sizes were left out are made.
        *inputs: arrays, anything with a shape and a dtype, or shapes as tuples of integers.
        depth: calls inside of more than so many others are left out.

    Example:
        >>> from fxla import nn
        >>> nn.summary(nn.Sequential(nn.Dense(8), nn.BatchNorm()), (32, 4))
        Layer                      Output       Parameters  FLOPs
        Sequential                 f64[32,8]            56  2,048
          layers[0] (Dense)        f64[32,8]            40  2,048
          layers[1] (BatchNorm)    f64[32,8]            16      0
        Parameters: 56; 16 numbers in buffers; 576 B. FLOPs of a call: 2,048
    """
    print(tabulate(model, *inputs, depth=depth))
