"""The list of calls covers the surface, and a page of times says what is slow and why."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from bench import surface
from bench.calls import CALLS, UNTIMED, WHY, SurfaceCall
from bench.surface import Compared, Turns, text_of


def test_every_function_is_timed_or_has_a_reason() -> None:
    written = "\n".join(c.text for c in CALLS)
    timed = set(re.findall(r"np\.([\w.]+)\(", written))
    timed |= {"bincount", "repeat"}  # their sizes are given in other ways: `counted`, `repeated`
    excused = set(" ".join(UNTIMED).split())
    for space, ours, theirs in (
        ("", fnp, np), ("linalg.", fnp.linalg, np.linalg), ("fft.", fnp.fft, np.fft),
    ):  # fmt: skip
        for name in ours.__all__:
            f = getattr(ours, name)
            if callable(f) and not isinstance(f, type) and f is not getattr(theirs, name, None):
                assert (space + name in timed) != (space + name in excused), space + name


def test_excuses_are_of_names_that_exist() -> None:
    for name in " ".join(UNTIMED).split():
        space, _, short = name.rpartition(".")
        assert hasattr(getattr(fnp, space) if space else fnp, short), name


def test_reasons_are_of_calls_that_exist() -> None:
    for part in WHY:
        assert any(part in c.name for c in CALLS), part


@pytest.mark.parametrize(
    "text",
    ["np.median(X, axis=1)", "x[b]", "added_at(np, x, j, y)", "set_at(np, x, b, 0.0)",
     "put_along(np, X, order, Y)", "counted(np, i, x)", "repeated(np, v1000, repeats)"],
)  # fmt: skip
def test_packages_agree_on_a_call(text: str) -> None:
    call = SurfaceCall(text, "float32")
    args = call.arguments()
    want = call.numpy()(*args)
    got = call.xla(fxla, fnp, fxla.lax)(*args)
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_numpys_views_are_copied() -> None:
    call = SurfaceCall("np.swapaxes(T, 0, 2)")
    (x,) = call.arguments()
    (out,) = call.numpy()(x)
    assert not np.may_share_memory(out, x)
    assert out.flags.c_contiguous


def test_a_run_keeps_what_it_has_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface, "KEPT", 1)
    kept: list[str] = []
    page = surface.surface_page(["np.fliplr(X)"], {"fxla": sys.executable},
                                Turns(1, 0.0), kept.append)  # fmt: skip
    assert [text.count("calls, each jitted") for text in kept] == [1, 1]
    assert "1 calls, each jitted. Least times over 1 turns of 0.0 s" in kept[0]
    assert kept[-1] == page and "| `np.fliplr(X), float32` | " in page


def test_the_page_has_the_ends_and_the_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface, "WHY", {"np.b": "it is known"})
    found = [
        Compared("np.a(x)", {"fxla": 1.0, "numpy": 2.0, "jax": 4.0}),
        Compared("np.b(x)", {"fxla": 4.0, "numpy": 2.0}, {"jax": "no such function"}),
        Compared("np.c(x)", {"fxla": 4.0, "numpy": 2.0}),
    ]
    text = text_of(found, ["numpy", "jax"], Turns(3, 0.02))
    assert "- `np.b(x)`: 2.00: it is known" in text
    assert "- `np.c(x)`: 2.00: unexplained" in text
    assert "- `np.b(x)`: jax: no such function" in text
    assert "| geometric mean | 1.26 | 0.25 |" in text
    assert text.index("## All") < text.rindex("| `np.b(x)` | 4 s | 2 s | - | 2.00 | - |")
