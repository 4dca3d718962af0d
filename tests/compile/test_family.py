"""Programs for new sizes from templates: the images that building each program would have given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile import executable as executable_module
from fxla.compile import family as family_module
from fxla.compile.build import build_program
from fxla.compile.compiled import Kernels
from fxla.compile.family import Family, family_of, same_image
from fxla.compile.image import Image, image_of
from fxla.compile.simplify import inline_calls, simplify
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
    "step": (fxla.value_and_grad(loss), lambda n: (W, ones(n, 24)), 5),
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
