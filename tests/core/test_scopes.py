"""Every scope in which a call may mean something else is counted while it is open."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import fxla
from fxla.core.scopes import enter_precision, leave_precision, precisions, special


def seen_in(f: Any) -> int:
    """The count while `f` is traced, differentiated or mapped."""
    counts: list[int] = []

    def look(x: Any) -> Any:
        counts.append(len(special))
        return x * 2.0

    f(look)
    return max(counts)


@pytest.mark.parametrize(
    "scope",
    [
        lambda look: fxla.jit(look)(1.0),
        lambda look: fxla.grad(look)(1.0),
        lambda look: fxla.vmap(look)(np.ones(2)),
        lambda look: fxla.vmap(look, axis_name="i")(np.ones(2)),
        lambda look: fxla.make_jaxpr(look)(1.0),
        lambda look: fxla.jvp(look, (1.0,), (1.0,)),
        lambda look: fxla.linearize(look, 1.0),
    ],
    ids="jit grad vmap named_vmap make_jaxpr jvp linearize".split(),
)
def test_transformations_are_scopes(scope: Any) -> None:
    assert not special
    assert seen_in(scope) > 0
    assert not special


def test_contexts_are_scopes() -> None:
    with fxla.disable_jit():
        assert len(special) == 1
    assert not special
    with pytest.raises(KeyboardInterrupt), fxla.disable_jit():
        raise KeyboardInterrupt
    assert not special


def test_precisions_are_scopes_of_their_own() -> None:
    with fxla.default_dtype("float32"):
        with fxla.default_dtype("float64"), fxla.default_dtype("float32"):
            assert [d.name for _, d in precisions] == ["float32", "float64", "float32"]
        assert [d.name for _, d in precisions] == ["float32"]
        assert not special
    with pytest.raises(KeyboardInterrupt), fxla.default_dtype("float32"):
        raise KeyboardInterrupt
    assert not precisions


def test_scopes_that_end_in_another_order() -> None:
    first, second = enter_precision("a"), enter_precision("a")
    leave_precision(first)
    assert precisions[0] is second
    leave_precision(second)
    assert not precisions


def test_no_thread_loses_another_ones_scope() -> None:
    wrong: list[int] = []

    def work() -> None:
        for _ in range(300):
            with fxla.default_dtype("float32"), fxla.disable_jit():
                if not special or threading.get_ident() not in {i for i, _ in precisions}:
                    wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not (special or precisions or wrong)
