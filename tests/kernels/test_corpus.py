"""Every function of the corpus: Python's values, and the slopes that differences give."""

import math
from typing import Any

import numpy as np
import pytest

import fxla
from fxla.core.pytree import tree_flatten
from fxla.core.trace import typeof
from fxla.kernels.adjoint import adjoint
from fxla.kernels.api import kernel
from fxla.kernels.ir import Program
from fxla.kernels.printed import module_text
from fxla.kernels.shapes import result_shapes
from fxla.kernels.tangent import tangent
from fxla.kernels.translate import Translation, translate
from fxla.loops.ir import Buffer
from tests.kernels.corpus import CASES, Case

KERNELS = {c.name: kernel(c.f) for c in CASES}
CASE = pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
SMOOTH = pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=lambda c: c.name)
BATCHED = ["horner", "viterbi", "cholesky", "escape_radius", "newton_root"]


def copies(args: tuple[Any, ...]) -> list[Any]:
    return [x.copy() if isinstance(x, np.ndarray) else x for x in args]


def leaves(x: Any) -> list[Any]:
    return [np.asarray(v) for v in tree_flatten(x)[0]]


def float_places(case: Case) -> list[int]:
    return [k for k, x in enumerate(case.args) if np.asarray(x).dtype.kind == "f"]


def weighted(case: Case, f: Any) -> Any:
    """A number of the floats among the arguments: a sum of the results with fixed weights."""
    places = float_places(case)
    rng = np.random.default_rng(3)
    weights = [rng.standard_normal(o.shape) for o in leaves(case.f(*copies(case.args)))]

    def loss(*floats: Any) -> Any:
        args = copies(case.args)
        for k, x in zip(places, floats, strict=True):
            args[k] = x
        found = tree_flatten(f(*args))[0]
        return sum((w * o).sum() for w, o in zip(weights, found, strict=True))

    return loss, [np.asarray(case.args[k], float) for k in places]


def slope(loss: Any, xs: list[Any], ds: list[Any], h: float = 1e-6) -> float:
    """A central difference."""
    up = loss(*[x + h * d for x, d in zip(xs, ds, strict=True)])
    down = loss(*[x - h * d for x, d in zip(xs, ds, strict=True)])
    return float((up - down) / (2 * h))


def directions(xs: list[Any]) -> list[Any]:
    rng = np.random.default_rng(5)
    return [np.asarray(rng.standard_normal(x.shape)) for x in xs]


def translation(case: Case) -> Translation:
    return translate(case.f, [(typeof(x).dtype, typeof(x).ndim) for x in case.args])


def run(program: Program, args: list[Any], shapes: list[Any]) -> list[Any]:
    """A program in plain Python."""
    outs = [
        np.full(shape if isinstance(o, Buffer) else (1,), 77, o.dtype)
        for o, shape in zip(program.outputs, shapes, strict=True)
    ]
    scope: dict[str, Any] = {"np": np, "math": math}
    exec(module_text(program), scope)
    scope[program.name](*args, *outs)
    return [
        x if isinstance(o, Buffer) else x[0] for x, o in zip(outs, program.outputs, strict=True)
    ]


@CASE
def test_value_compiled(case: Case) -> None:
    want = leaves(case.f(*copies(case.args)))
    arrays = [k for k, x in enumerate(case.args) if isinstance(x, np.ndarray)]

    def compiled(*given: Any) -> Any:
        args = copies(case.args)
        for k, x in zip(arrays, given, strict=True):
            args[k] = x + 0
        return KERNELS[case.name](*args)

    found = leaves(fxla.jit(compiled)(*[case.args[k] for k in arrays]))
    assert [x.shape for x in found] == [x.shape for x in want]
    assert [x.dtype for x in found] == [x.dtype for x in want]
    for a, b in zip(found, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@SMOOTH
def test_derived_programs_as_python(case: Case) -> None:
    found = translation(case)
    program, args = found.program, list(case.args)
    known = [x if np.ndim(x) == 0 else None for x in args]
    shapes = result_shapes(program, [np.shape(x) for x in args], known, found.assumed)
    assert None not in shapes
    value = run(program, args, shapes)
    want = leaves(case.f(*copies(case.args)))
    for a, b in zip(value, want, strict=False):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)
    places = float_places(case)
    active = tuple([k in places for k in range(len(args))])
    derived = tangent(program, active)
    seeded = derived.reached
    rng = np.random.default_rng(3)
    weights = [rng.standard_normal(np.shape(o)) for o in value]
    xs = [np.asarray(args[k]) for k in places]
    ds = directions(xs)

    def loss(*floats: Any) -> Any:
        given = list(args)
        for k, x in zip(places, floats, strict=True):
            given[k] = x
        outs = run(program, given, shapes)
        return sum((w * o).sum() for w, o, s in zip(weights, outs, seeded, strict=True) if s)

    reached = [s for s, r in zip(shapes, seeded, strict=True) if r]
    used = [w for w, r in zip(weights, seeded, strict=True) if r]
    changes = run(derived.program, [*args, *ds], reached)
    forward = sum((w * c).sum() for w, c in zip(used, changes, strict=True))
    np.testing.assert_allclose(forward, slope(loss, xs, ds), rtol=3e-6, atol=1e-7)
    back = adjoint(program, active, seeded)
    cts = run(back, [*args, *used], [x.shape for x in xs])
    reverse = sum(np.sum(c * d) for c, d in zip(cts, ds, strict=True))
    np.testing.assert_allclose(reverse, forward, rtol=1e-9, atol=1e-12)


@SMOOTH
def test_gradient_compiled(case: Case) -> None:
    plain, xs = weighted(case, case.f)
    loss, _ = weighted(case, KERNELS[case.name])
    found = fxla.jit(fxla.grad(lambda *a: loss(*[x + 0 for x in a]), tuple(range(len(xs)))))(*xs)
    ds = directions(xs)
    inner = sum(float(np.sum(g * d)) for g, d in zip(found, ds, strict=True))
    np.testing.assert_allclose(inner, slope(plain, xs, ds), rtol=2e-6, atol=1e-8)


@pytest.mark.parametrize("name", BATCHED)
def test_batch(name: str) -> None:
    case = next(c for c in CASES if c.name == name)
    loss, xs = weighted(case, KERNELS[name])
    plain, _ = weighted(case, case.f)
    stacked = [np.stack([x, 0.99 * x, 1.01 * x]) for x in xs]
    found = fxla.jit(fxla.vmap(loss))(*stacked)
    want = [plain(*[s[k] for s in stacked]) for k in range(3)]
    np.testing.assert_allclose(found, want, rtol=1e-11, atol=1e-12)
