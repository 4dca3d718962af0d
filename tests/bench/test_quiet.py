"""Turns wait for slow cores, but not for ever."""

from __future__ import annotations

from bench.quiet import Cores


def cores(*times: float) -> tuple[Cores, list[float]]:
    """Cores whose probes take these times, the last one ever after, and how long was slept."""
    rest = list(times)
    slept: list[float] = []
    probe = lambda: rest.pop(0) if len(rest) > 1 else rest[0]  # noqa: E731
    return Cores(2, probe, slept.append), slept


def test_fast_cores_are_not_waited_for() -> None:
    found, slept = cores(1.0, 1.1, 0.9, 1.2)
    assert all(found.settle() for _ in range(4))
    assert not slept


def test_slow_cores_are() -> None:
    found, slept = cores(1.0, 2.0, 2.1, 1.9, 1.0)
    assert found.settle() and found.settle()
    assert len(slept) == 3
    assert found.waited == sum(slept) > 0


def test_patience_ends() -> None:
    found, slept = cores(1.0, 2.0)
    assert found.settle() and not found.settle(patience=2.0)
    assert 2.0 <= sum(slept) < 3.0


def test_a_probe_takes_time() -> None:
    found = Cores(1)
    assert found.settle()
    assert 0 < found.least < 1.0
