"""JAX's names beside fxla's: what is counted, and that every absence has its reason."""

from __future__ import annotations

import pytest

import fxla
from fxla import lax, ops
from fxla.core.absent import reason
from tools import beside_jax


def test_every_absent_name_has_a_reason() -> None:
    for module, (_, absent) in beside_jax.missing().items():
        for name in absent:
            assert reason(module, name), f"{module}.{name}"


def test_what_is_known_is_found() -> None:
    found = beside_jax.missing()
    assert found["jax.scipy.stats.norm"] == (8, [])
    assert "scan" not in found["jax.lax"][1] and "platform_dependent" in found["jax.lax"][1]
    assert not any(name.endswith("_p") for name in found["jax.lax"][1])
    assert found["jax.debug"][0] - len(found["jax.debug"][1]) == 3


def test_the_section_counts_all() -> None:
    text = "\n".join(beside_jax.section())
    total = sum(count for count, _ in beside_jax.missing().values())
    assert f"| all | {total} |" in text and "no reason is stated" not in text


def test_an_absent_name_says_what_to_write() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'config': .*default_dtype"):
        getattr(fxla, "config")  # noqa: B009 - mypy knows that it is not there
    with pytest.raises(AttributeError, match=r"no attribute 'shape_as_value': write `x.shape`"):
        getattr(lax, "shape_as_value")  # noqa: B009 - mypy knows that it is not there
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        getattr(fxla, "nothing")  # noqa: B009 - mypy knows that it is not there


def test_sums_of_segments_are_where_jax_has_them() -> None:
    assert ops.__all__ == [name for name in lax.__all__ if name.startswith("segment_")]
    assert all(getattr(ops, name) is getattr(lax, name) for name in ops.__all__)
