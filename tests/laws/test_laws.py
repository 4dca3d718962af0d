"""The laws every primitive obeys, over every primitive and every sample of it.

A new primitive is tested by existing: it needs samples (`samples_<family>.py`), and nothing here.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fxla.core.check import check_jaxpr
from fxla.core.primitive import Linear, Primitive, registered
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof
from fxla.errors import NotDifferentiableError
from fxla.transforms.autodiff import linearize, vjp
from fxla.transforms.jvp import jvp
from fxla.transforms.vmap import vmap
from tests.laws.differences import complex_step, difference, inner
from tests.laws.sample import Sample, assert_close, assert_ulps, direction, is_inexact_array
from tests.laws.samples import BROKEN, SAMPLES, cases
from tests.laws.samples_random import KNOWN_ANSWERS, threefry

WITHOUT_VALUE = {
    "linear_by_vjp": "stands between linearisation and transposition; custom_vjp_call tests it",
}
DERIVATIVE = 2e-9
SECOND_DERIVATIVE = 2e-7
COMPLEX_STEP = 1e-12
TRANSPOSE = 1e-12


def over(found: list[tuple[str, Primitive, Sample]]) -> Any:
    return pytest.mark.parametrize(
        ("primitive", "sample"), [(p, s) for _, p, s in found], ids=[name for name, _, _ in found]
    )


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Eager NumPy warns of what compiled code does silently; the laws are about values."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        yield


def test_every_module_can_be_imported() -> None:
    assert not BROKEN


def test_every_primitive_has_samples() -> None:
    missing = sorted(set(registered) - set(SAMPLES) - set(WITHOUT_VALUE))
    assert not missing, f"no samples in tests/laws for: {', '.join(missing)}"


def test_the_oracle_of_random_bits_gives_the_known_answers() -> None:
    for key, counter, expected in KNOWN_ANSWERS:
        assert threefry(key, counter) == expected


def test_every_primitive_has_an_oracle() -> None:
    blind = [name for name, found in SAMPLES.items() if not any(s.oracle for s in found)]
    assert not blind, f"no sample has an oracle for: {', '.join(blind)}"


@over(cases())
def test_types_are_those_of_the_value(primitive: Primitive, sample: Sample) -> None:
    operands = sample.draw()
    values = sample.value(primitive, *operands)
    avals = [typeof(x) for x in operands]
    closed = trace_to_jaxpr(lambda *xs: sample.run(primitive, *xs), avals)
    check_jaxpr(closed.jaxpr)
    assert (primitive in {e.primitive for e in closed.eqns}) == sample.recorded
    stated = [(a.shape, a.dtype) for a in closed.out_avals]
    assert stated == [(v.shape, v.dtype) for v in values]


@over([c for c in cases() if c[2].oracle is not None])
def test_value_is_that_of_the_oracle(primitive: Primitive, sample: Sample) -> None:
    assert sample.oracle is not None
    for seed in (0, 1):
        operands = sample.draw(seed)
        given = [np.array(x) for x in operands]
        actual = sample.value(primitive, *operands)
        if sample.canonical is not None:
            actual = tuple(sample.canonical(*actual))
        expected = sample.oracle(*operands)
        results = expected if isinstance(expected, tuple) else (expected,)
        for a, e in zip(actual, results, strict=True):
            assert_ulps(a, e, sample.ulps, sample.whole)
        for before, after in zip(given, operands, strict=True):
            np.testing.assert_array_equal(before, after, "the primitive changed an operand")


def _point(sample: Sample, seed: int = 0) -> tuple[tuple[Any, ...], list[Any], list[Any]]:
    """Operands, and two directions at those that are differentiable."""
    operands = sample.draw(seed)
    rng = np.random.default_rng(7)
    first = [direction(rng, operands[k]) for k in sample.differentiable]
    second = [direction(rng, operands[k]) for k in sample.differentiable]
    return operands, first, second


def _of_differentiable(primitive: Primitive, sample: Sample, operands: Any) -> Any:
    """The call as a function of its differentiable operands only, and of its inexact results."""

    def f(*xs: Any) -> Any:
        given = list(operands)
        for k, x in zip(sample.differentiable, xs, strict=True):
            given[k] = x
        outs = sample.run(primitive, *given)
        return tuple(o for o in outs if typeof(o).dtype.kind in "fc")

    return f, tuple(operands[k] for k in sample.differentiable)


@over(cases(differentiable=True, forward=True))
def test_jvp_is_the_limit_of_differences(primitive: Primitive, sample: Sample) -> None:
    operands, tangents, _ = _point(sample)
    f, primals = _of_differentiable(primitive, sample, operands)
    values, derivative = jvp(f, primals, tuple(tangents))
    # LAPACK has algorithms of their own for values without vectors, which derivatives need
    allowed = sample.ulps if sample.canonical else 0
    for a, e in zip(values, f(*primals), strict=True):
        assert_ulps(a, e, allowed, sample.whole)
    at = range(len(primals))
    expected = difference(f, primals, at, tangents)
    for a, e in zip(derivative, expected, strict=True):
        assert_close(a, e, DERIVATIVE)
    real = all(np.asarray(x).dtype.kind == "f" for x in operands)
    if sample.holomorphic and real:
        by_complex = complex_step(
            lambda *zs: sample.value(primitive, *_placed(sample, operands, zs)),
            primals, at, tangents,
        )  # fmt: skip
        for a, e in zip(derivative, by_complex, strict=True):
            assert_close(a, e, COMPLEX_STEP)
    for k in at:
        alone = [t if i == k else np.zeros_like(t) for i, t in enumerate(tangents)]
        _, partial = jvp(
            lambda x, k=k: f(*[x if i == k else p for i, p in enumerate(primals)]),
            (primals[k],), (tangents[k],),
        )  # fmt: skip
        _, dense = jvp(f, primals, tuple(alone))
        for a, e in zip(partial, dense, strict=True):
            assert_close(a, e, COMPLEX_STEP)


def _placed(sample: Sample, operands: Any, zs: Any) -> list[Any]:
    given = [np.asarray(x).astype(np.complex128) for x in operands]
    for k, z in zip(sample.differentiable, zs, strict=True):
        given[k] = z
    return given


@over(cases(differentiable=True, reverse=True))
def test_reverse_mode_is_the_transpose_of_forward(primitive: Primitive, sample: Sample) -> None:
    operands, tangents, _ = _point(sample)
    f, primals = _of_differentiable(primitive, sample, operands)
    tolerance = TRANSPOSE
    if sample.forward:
        values, pushed = jvp(f, primals, tuple(tangents))
        _, lin = linearize(f, *primals)
        for a, e in zip(lin(*tangents), pushed, strict=True):
            assert_close(a, e, TRANSPOSE)
    else:
        tolerance = DERIVATIVE
        values, pushed = f(*primals), difference(f, primals, range(len(primals)), tangents)
    rng = np.random.default_rng(11)
    cts = tuple(direction(rng, v) for v in values)
    _, pullback = vjp(f, *primals)
    found = pullback(cts)
    for ct, p in zip(found, primals, strict=True):
        assert typeof(ct).matches(typeof(p))
    assert_close(inner(found, tangents), inner(cts, pushed), tolerance)
    for k in range(len(cts)):
        alone = tuple(c if i == k else np.zeros_like(c) for i, c in enumerate(cts))
        assert_close(inner(pullback(alone), tangents), inner(alone, pushed), tolerance)


@over(cases(linear=True))
def test_transpose_rule_is_the_adjoint(primitive: Primitive, sample: Sample) -> None:
    operands = sample.draw()
    rng = np.random.default_rng(3)
    for group in sample.linear:
        vectors = {k: direction(rng, operands[k]) for k in group}
        # a sum is linear in one operand only together with the other: take its linear part
        moved, still = list(operands), list(operands)
        for k, v in vectors.items():
            moved[k], still[k] = v, np.zeros_like(v)
        pairs = zip(
            primitive.bind(*moved, **sample.params),
            primitive.bind(*still, **sample.params),
            strict=True,
        )
        mapped = [np.asarray(a - b) for a, b in pairs]
        cts = tuple(direction(rng, m) for m in mapped)
        held = [
            Linear(typeof(x)) if k in group else np.asarray(x)[()] for k, x in enumerate(operands)
        ]
        found = primitive.transpose(cts, *held, **sample.params)
        assert len(found) == len(operands)
        assert all(ct is None for k, ct in enumerate(found) if k not in group)
        for k in group:
            assert typeof(found[k]).matches(typeof(operands[k]))
        left = inner([found[k] for k in group], [vectors[k] for k in group])
        assert_close(left, inner(cts, mapped), TRANSPOSE)


@over(cases(differentiable=True, second=True, forward=True))
def test_second_derivative_is_the_derivative_of_the_first(
    primitive: Primitive, sample: Sample
) -> None:
    operands, first, second = _point(sample)
    f, primals = _of_differentiable(primitive, sample, operands)

    def along_first(*xs: Any) -> Any:
        return jvp(f, xs, tuple(first))[1]

    _, twice = jvp(along_first, primals, tuple(second))
    expected = difference(along_first, primals, range(len(primals)), second)
    for a, e in zip(twice, expected, strict=True):
        assert_close(a, e, SECOND_DERIVATIVE)
    if not sample.reverse:
        return
    # forward over reverse: the same bilinear form by another way through the rules
    rng = np.random.default_rng(13)
    cts = tuple(direction(rng, v) for v in f(*primals))
    _, forward_over_reverse = jvp(lambda *xs: vjp(f, *xs)[1](cts), primals, tuple(second))
    assert_close(inner(forward_over_reverse, first), inner(cts, twice), SECOND_DERIVATIVE)


def _axes_to_try(sample: Sample, operands: Any) -> list[tuple[int | None, ...]]:
    """Every subset of batched operands in front, and every axis with all of them batched."""
    allowed = range(len(operands)) if sample.batchable is None else sample.batchable
    ranks = [np.ndim(x) for x in operands]
    found: list[tuple[int | None, ...]] = []
    for batched in itertools.product((False, True), repeat=len(allowed)):
        if any(batched):
            chosen = [k for k, b in zip(allowed, batched, strict=True) if b]
            found.append(tuple(0 if k in chosen else None for k in range(len(operands))))
    for axis in range(1, max(ranks, default=0) + 1):
        found.append(tuple(min(axis, r) if k in allowed else None for k, r in enumerate(ranks)))
    if len(set(allowed)) > 1:
        found.append(
            tuple((k * 7 + 1) % (r + 1) if k in allowed else None for k, r in enumerate(ranks))
        )
    return list(dict.fromkeys(found))


@over(cases())
def test_batch_is_a_python_loop(primitive: Primitive, sample: Sample) -> None:
    size = 3
    examples = [sample.draw(seed) for seed in range(size)]
    for axes in _axes_to_try(sample, examples[0]):
        batched = [
            examples[0][k] if a is None else np.stack([e[k] for e in examples], a)
            for k, a in enumerate(axes)
        ]
        actual = vmap(lambda *xs: tuple(sample.run(primitive, *xs)), in_axes=axes)(*batched)
        rows = [
            sample.value(
                primitive, *[examples[0][k] if a is None else e[k] for k, a in enumerate(axes)]
            )
            for e in examples
        ]
        for a, e in zip(actual, zip(*rows, strict=True), strict=True):
            # NumPy's loops over other strides and lengths may round otherwise
            assert_ulps(a, np.stack(e), 2 * sample.ulps, sample.whole)


@over(cases(defined=False) + cases(forward=False))
def test_a_derivative_that_does_not_exist_is_refused(primitive: Primitive, sample: Sample) -> None:
    operands = sample.draw()
    with pytest.raises(NotDifferentiableError):
        jvp(lambda *xs: tuple(sample.run(primitive, *xs)), operands, operands)


@over(
    [c for c in cases(defined=True, forward=True) if any(is_inexact_array(x) for x in c[2].draw())]
)
def test_tangents_have_the_types_of_their_values(primitive: Primitive, sample: Sample) -> None:
    """The derivative of a program in float32, bfloat16, ... stays in that dtype."""
    operands = sample.draw()
    inexact = [k for k, x in enumerate(operands) if is_inexact_array(x)]
    if sample.differentiable or not sample.oracle:
        inexact = list(sample.differentiable)
    rng = np.random.default_rng(5)

    def f(*xs: Any) -> Any:
        given = list(operands)
        for k, x in zip(inexact, xs, strict=True):
            given[k] = x
        return tuple(sample.run(primitive, *given))

    primals = tuple(operands[k] for k in inexact)
    outs, tangents = jvp(f, primals, tuple(direction(rng, x) for x in primals))
    for o, t in zip(outs, tangents, strict=True):
        assert typeof(t).matches(typeof(o).tangent())
