"""Every kernel over a batch, and its derivatives: the text that is compiled, run as Python."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fxla.core.trace import typeof
from fxla.kernels.adjoint import adjoint
from fxla.kernels.ir import Program
from fxla.kernels.printed import written
from fxla.kernels.shapes import result_shapes
from fxla.kernels.tangent import tangent
from fxla.kernels.translate import translate
from fxla.loops.ir import Buffer
from tests.kernels.corpus import CASES, Case

COUNT = 3


def _shaped(x: Any, shape: tuple[int, ...]) -> Any:
    return x.reshape(-1)[: math.prod(shape)].reshape(shape)  # the memory from a pointer on


def run(program: Program, batched: tuple[bool, ...], args: list[Any], shapes: Any) -> list[Any]:
    """The entry of a program's kernel on a batch, of which it runs the examples in two ranges."""
    kernel = written(program, batched)
    scope: dict[str, Any] = {"np": np, "math": math, "carray": _shaped}
    exec(kernel.source, scope)
    inputs = [np.ascontiguousarray(x, p.dtype) for x, p in zip(args, program.inputs, strict=True)]
    outs = [
        np.full((COUNT, *(s if isinstance(o, Buffer) else ())), 77, o.dtype)
        for o, s in zip(program.outputs, shapes, strict=True)
    ]
    sizes = [
        n
        for x, p, b in zip(inputs, program.inputs, batched, strict=True)
        if isinstance(p, Buffer)
        for n in x.shape[b:]
    ]
    sizes += [n for o, s in zip(program.outputs, shapes, strict=True) if isinstance(o, Buffer)
              for n in s]  # fmt: skip
    flat = [np.atleast_1d(x) for x in (*inputs, *outs)]
    for begin, end in ((0, 1), (1, COUNT)):
        scope[kernel.name](*flat, *sizes, begin, end)
    return outs


def single(program: Program, args: list[Any], shapes: Any) -> list[Any]:
    """The same program on one example."""
    ones = [np.asarray(x)[None] for x in args]
    kernel = written(program, (True,) * len(args))
    scope: dict[str, Any] = {"np": np, "math": math, "carray": _shaped}
    exec(kernel.source, scope)
    inputs = [np.ascontiguousarray(x, p.dtype) for x, p in zip(ones, program.inputs, strict=True)]
    outs = [
        np.full((1, *(s if isinstance(o, Buffer) else ())), 77, o.dtype)
        for o, s in zip(program.outputs, shapes, strict=True)
    ]
    sizes = [n for x, p in zip((*inputs, *outs), (*program.inputs, *program.outputs), strict=True)
             if isinstance(p, Buffer) for n in x.shape[1:]]  # fmt: skip
    scope[kernel.name](*[np.atleast_1d(x) for x in (*inputs, *outs)], *sizes, 0, 1)
    return [o[0] for o in outs]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_batch_is_a_loop(case: Case) -> None:
    """Floats differ between the examples, but the first one; everything else is shared."""
    found = translate(case.f, [(typeof(x).dtype, typeof(x).ndim) for x in case.args])
    program = found.program
    args: list[Any] = [*case.args, *found.constants]
    known = [x if np.ndim(x) == 0 else None for x in args]
    shapes = result_shapes(program, [np.shape(x) for x in args], known, found.assumed)
    assert None not in shapes
    floats = [k for k, x in enumerate(case.args) if np.asarray(x).dtype.kind == "f"]
    varied = set(floats[1:] or floats)
    batched = tuple([k in varied for k in range(len(args))])
    stacked = [
        np.stack([np.asarray(x) * (1.0 + 0.01 * b) for b in range(COUNT)]) if k in varied else x
        for k, x in enumerate(args)
    ]
    examples = [[s[b] if k in varied else s for k, s in enumerate(stacked)] for b in range(COUNT)]
    together = run(program, batched, stacked, shapes)
    plain = [case.f(*[np.copy(x) if np.ndim(x) else x for x in e[: len(case.args)]])
             for e in examples]  # fmt: skip
    for b, want in enumerate(plain):
        if program.outputs and want is not None:
            first = want[0] if isinstance(want, tuple) else want
            np.testing.assert_allclose(together[0][b], first, rtol=1e-12, atol=1e-13)
    if not case.smooth:
        return
    active = tuple([k in varied for k in range(len(args))])
    derived = tangent(program, active)
    reached = [s for s, r in zip(shapes, derived.reached, strict=True) if r]
    rng = np.random.default_rng(1)
    tangents = [rng.standard_normal(np.shape(stacked[k])) for k in sorted(varied)]
    marks = (*batched, *[True] * len(tangents))
    changes = run(derived.program, marks, [*stacked, *tangents], reached)
    for b, example in enumerate(examples):
        alone = single(derived.program, [*example, *[t[b] for t in tangents]], reached)
        for x, y in zip(changes, alone, strict=True):
            np.testing.assert_array_equal(x[b], y)
    if not any(derived.reached):
        return
    back = adjoint(program, active, derived.reached)
    cts = [rng.standard_normal(x.shape) for x in changes]
    marks = (*batched, *[True] * len(cts))
    wanted = [np.shape(args[k]) for k in sorted(varied)]
    gradients = run(back, marks, [*stacked, *cts], wanted)
    inner = sum(np.sum(c * x) for c, x in zip(cts, changes, strict=True))
    outer = sum(np.sum(g * t) for g, t in zip(gradients, tangents, strict=True))
    np.testing.assert_allclose(inner, outer, rtol=1e-9, atol=1e-11)
