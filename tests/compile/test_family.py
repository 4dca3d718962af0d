"""Programs for new sizes from templates: the images that building each program would have given."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile import executable as executable_module
from fxla.compile import family as family_module
from fxla.compile.backend import compiled as compiled_module
from fxla.compile.backend.compiled import Kernels
from fxla.compile.build import build_program
from fxla.compile.driver import print_driver
from fxla.compile.executable import Executable, built_executable
from fxla.compile.family import Family, family_of, same_image
from fxla.compile.image import Image, image_of
from fxla.compile.passes.simplify import inline_calls, simplify
from fxla.core.jaxpr import Jaxpr

RNG = np.random.default_rng(0)
SIZES = (10, 33, 24, 11, 12, 100, 16, 128, 17, 31, 64, 1000, 25, 5, 333, 10, 200, 2, 129, 9)
W, KERNEL = RNG.standard_normal((24, 16)), RNG.standard_normal((3, 3, 4, 8))
CHANNELS_LAST = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}


def loss(w: Any, x: Any) -> Any:
    return (fnp.tanh(x @ w @ w.T) ** 2).mean()


def cell(carry: Any, x: Any) -> Any:
    new = fnp.tanh(carry + x)
    return new, new.sum()


def ones(*shape: int) -> Any:
    return np.broadcast_to(1.0, shape)


PROGRAMS: dict[str, tuple[Callable[..., Any], Callable[[int], tuple[Any, ...]], int]] = {
    # a function, its arguments for a size, and how many of the sizes templates must serve
    "softmax": (lambda x: fxla.nn.softmax(x, axis=1), lambda n: (ones(n, 24),), 12),
    "long rows": (lambda x: fxla.nn.softmax(x, axis=1), lambda n: (ones(24, n),), 10),
    "sums": (lambda x: (x.sum(0), x.mean(), x.var(1)), lambda n: (ones(n, 24),), 10),
    "step": (fxla.value_and_grad(loss), lambda n: (W, ones(n, 24)), 4),
    "square": (lambda x: x @ x.T + fnp.outer(x[:, 0], x[:, 1]), lambda n: (ones(n, 24),), 5),
    "running sums": (lambda x: fnp.cumsum(x), lambda n: (ones(n),), 12),
    "rows added": (
        lambda i: fnp.zeros((50, 3)).at[i].add(1.0),
        lambda n: (np.zeros(n, int),),
        10,
    ),
    "reshaped": (
        lambda x: fnp.concatenate([x, x[::-1], 2 * x]).reshape(3, -1).T,
        lambda n: (ones(n, 3),),
        10,
    ),
    "transposed": (lambda x: (x.T * 2).reshape(-1), lambda n: (ones(n, 9),), 10),
    "loop": (lambda x: lax.scan(cell, fnp.zeros(x.shape[1:]), x), lambda n: (ones(5, n, 16),), 8),
    "long loop": (lambda x: lax.scan(cell, fnp.zeros(16), x), lambda n: (ones(n, 16),), 10),
    "branch": (
        lambda x: lax.cond(x.sum() > 0, lambda x: x + 1, lambda x: x * 2, x),
        lambda n: (ones(n, 2),),
        8,
    ),
    "convolution": (
        lambda x: lax.conv_general_dilated(x, KERNEL, (1, 1), "SAME", **CHANNELS_LAST),
        lambda n: (ones(n, 9, 9, 4),),
        6,
    ),
    "two sizes": (lambda x, y: (x @ y).sum(1), lambda n: (ones(n, 2 * n), ones(2 * n, 3)), 5),
    "systems": (lambda a: fnp.linalg.inv(a), lambda n: (ones(n, 3, 3),), 10),
    "largest": (lambda x: (lax.top_k(x, 2), fnp.argmax(x, 0)), lambda n: (ones(4, n + 3),), 10),
}


def simplified(f: Callable[..., Any], args: tuple[Any, ...]) -> Jaxpr:
    return simplify(inline_calls(fxla.make_jaxpr(f)(*args).jaxpr))


def built(jaxpr: Jaxpr) -> Image:
    kernels = Kernels()
    program = build_program(jaxpr, tiles=True, made=kernels.add, noted=False)
    return image_of(program, kernels)


@pytest.mark.parametrize("name", PROGRAMS)
def test_images_of_templates_are_those_that_are_built(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family_module, "PROOFS", 0)
    f, arguments, enough = PROGRAMS[name]
    families: dict[int, Family] = {}
    served = 0
    for n in SIZES:
        jaxpr = simplified(f, arguments(n))
        found = family_of(jaxpr)
        assert found is not None
        family, parts = found
        families[id(family)] = family
        known = list(family.trusted)
        image = family.image(jaxpr, parts)
        wanted = built(jaxpr)
        if image is None:
            family.learn(jaxpr, parts, wanted)
            continue
        assert same_image(image, wanted), n
        served += any(t.image_for(jaxpr, parts) is not None for t in known)
    assert served >= enough
    assert not any(family.failures for family in families.values())


def test_scalars_are_those_of_the_program() -> None:
    """The mean of n numbers divides by n, and another scalar is equal to n for one n."""
    for n in (40, 50, 60, 70, 100, 110):
        jaxpr = simplified(lambda x: x.mean() * 100.0, (np.ones(n),))
        found = family_of(jaxpr)
        assert found is not None
        image, wanted = found[0].image(jaxpr, found[1]), built(jaxpr)
        if image is None:
            found[0].learn(jaxpr, found[1], wanted)
        else:
            assert same_image(image, wanted)
        last = image
    assert last is not None


def test_a_template_that_gives_another_image_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(family_module, "same_image", lambda *_: False)
    family: Family | None = None
    for n in range(2001, 2012):
        jaxpr = simplified(lambda x: x[:, 2] * 3.0, (np.ones((n, 5)),))
        found = family_of(jaxpr)
        assert found is not None
        family, parts = found
        if family.image(jaxpr, parts) is None:
            family.learn(jaxpr, parts, built(jaxpr))
    assert family is not None
    assert not family.trusted
    assert family.failures == family_module.SAMPLES


def test_jit_builds_no_programs_for_new_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_CHECK", "0")
    monkeypatch.setenv("FXLA_CACHE", "0")
    count = 0

    def counting(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        return build_program(*args, **kwargs)

    for module in (executable_module, family_module):
        monkeypatch.setattr(module, "build_program", counting)

    @fxla.jit
    def f(w: Any, x: Any) -> Any:
        return fxla.grad(loss)(w, x), (x - x.mean(0)) / (1 + x.std(0))

    w = RNG.standard_normal((24, 16))
    for n in range(100, 150):
        x = RNG.standard_normal((n, 24))
        got, scaled = f(w, x)
        t = np.tanh(x @ w @ w.T)
        z = 2 * t * (1 - t**2) / t.size
        np.testing.assert_allclose(got, x.T @ z @ w + z.T @ x @ w, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(scaled, (x - x.mean(0)) / (1 + x.std(0)), rtol=1e-9)
    assert count < 15
    assert "tanh" in str(f.inspect(w, x).loops)


SCHEDULED: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[[int], Any], int]] = {
    # a function, NumPy's, its arguments for a size, and a size whose work is shared by threads
    "map": (lambda x: fnp.sin(x) * x, lambda x: np.sin(x) * x, lambda n: (normal(n),), 200_000),
    "sum": (lambda x: fnp.exp(x).sum(), lambda x: np.exp(x).sum(), lambda n: (normal(n),), 200_000),
    "softmax": (
        lambda x: fxla.nn.softmax(x, axis=1), lambda x: rows_softmax(x),
        lambda n: (normal(n, 30),), 5000,
    ),
    "long rows": (
        lambda x: fxla.nn.softmax(x, axis=1), lambda x: rows_softmax(x),
        lambda n: (normal(20, n),), 7000,
    ),
    "sum over axis 0": (
        lambda x: (x * x).sum(0), lambda x: (x * x).sum(0), lambda n: (normal(n, 300),), 800,
    ),
    "product": (
        lambda w, x: fnp.tanh(x @ w), lambda w, x: np.tanh(x @ w),
        lambda n: (W, normal(n, 24)), 6000,
    ),
    "square product": (
        lambda x: x @ x, lambda x: x @ x, lambda n: (normal(n, n),), 180,
    ),
    "rows added": (
        lambda i, x: fnp.zeros(60).at[i].add(x),
        lambda i, x: np.bincount(i, x, 60),
        lambda n: (RNG.integers(0, 60, n), normal(n)), 700_000,
    ),
    "sorted": (lambda x: fnp.sort(x), lambda x: np.sort(x), lambda n: (normal(n),), 300_000),
    "running sums": (
        lambda x: fnp.cumsum(x), lambda x: np.cumsum(x), lambda n: (normal(n),), 400_000,
    ),
    "transposed": (
        lambda x: x.T + 1.0, lambda x: x.T + 1.0, lambda n: (normal(n, 250),), 1200,
    ),
    "loop": (
        lambda x: lax.scan(lambda c, s: (fnp.tanh(c + s), None), x[0], x)[0],
        lambda x: functools.reduce(lambda c, s: np.tanh(c + s), x, x[0]),
        lambda n: (normal(4, n),), 90_000,
    ),
}  # fmt: skip


def normal(*shape: int) -> Any:
    return RNG.standard_normal(shape)


def rows_softmax(x: Any) -> Any:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.mark.parametrize("name", SCHEDULED)
def test_schedules_do_not_depend_on_the_sizes_that_came_before(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small sizes run in one chunk; the large one is cut as if it was the first, and vice versa."""
    monkeypatch.setenv("FXLA_CHECK", "0")
    monkeypatch.setenv("FXLA_TARGET", "native")
    monkeypatch.setattr(family_module, "PROOFS", 0)
    monkeypatch.setattr(executable_module, "in_haste", lambda _: False)  # code by text alone
    f, wanted, arguments, large = SCHEDULED[name]
    small = large // 1500 + 10
    jaxprs = {n: fxla.make_jaxpr(f)(*arguments(n)).jaxpr for n in (small, large)}

    def last_of(*sizes: int) -> Executable:
        monkeypatch.setattr(family_module, "_families", {})
        monkeypatch.setattr(compiled_module, "_compiled", {})
        for n in sizes[:-1]:
            built_executable(fxla.make_jaxpr(f)(*arguments(n)).jaxpr)
        return built_executable(jaxprs[sizes[-1]])

    fresh = {n: last_of(n) for n in (small, large)}
    assert (fresh[small].image.shared, fresh[large].image.shared) == (False, True)
    for sizes in (
        (small - 1, small + 3, large), (small - 1, small + 3, 3 * small, large),
        (2 * large, large + 1, large), (2 * large, small + 3, small + 5, large),
        (2 * large, large + 1, small), (large, small + 3, 2 * small, small),
    ):  # fmt: skip
        found, n = last_of(*sizes), sizes[-1]
        assert same_image(found.image, fresh[n].image), sizes
        told = print_driver(found.explained, [k.packed for k in found.kernels])
        assert tuple(told.integers or (0,)) == (found.image.integers or (0,))
        given = [np.asarray(x) for x in arguments(n)]
        np.testing.assert_allclose(found(*given)[0], wanted(*given), rtol=1e-9, atol=1e-9)
