"""JAX's names beside fxla's: what is counted, and that every absence has its reason."""

from __future__ import annotations

from tools import beside_jax


def test_every_absent_name_has_a_reason() -> None:
    for module, (_, absent) in beside_jax.missing().items():
        for name in absent:
            assert beside_jax.reason(module, name), f"{module}.{name}"


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
