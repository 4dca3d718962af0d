"""Schedules beside their formulas."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import optim

COUNTS = np.arange(30)


def follows(schedule, wanted):
    """Called with integers, with an array of counts, and compiled."""
    one_by_one = [float(schedule(int(c))) for c in COUNTS]
    np.testing.assert_allclose(one_by_one, wanted, rtol=1e-12, atol=1e-15)
    compiled = fxla.jit(schedule)
    traced = [float(compiled(np.int32(c))) for c in COUNTS]
    np.testing.assert_allclose(traced, wanted, rtol=1e-12, atol=1e-15)


def test_polynomial_and_linear():
    t = np.clip((COUNTS - 3) / 10, 0, 1)
    follows(optim.polynomial_schedule(1.0, 0.1, 2, 10, 3), 0.9 * (1 - t) ** 2 + 0.1)
    follows(optim.linear_schedule(1.0, 0.1, 10, 3), 1 - 0.9 * t)
    assert optim.linear_schedule(0.5, 0.1, 0)(7) == 0.5


def test_constant():
    assert optim.constant_schedule(0.3)(5) == 0.3


def test_piecewise_constant():
    wanted = np.where(COUNTS < 5, 2.0, np.where(COUNTS < 9, 1.0, 0.1))
    follows(optim.piecewise_constant_schedule(2.0, {9: 0.1, 5: 0.5}), wanted)
    with pytest.raises(ValueError, match="must not be negative"):
        optim.piecewise_constant_schedule(1.0, {3: -1.0})


def test_exponential():
    power = np.maximum(COUNTS - 2, 0) / 4
    follows(optim.exponential_decay(1.0, 4, 0.5, 2), 0.5**power)
    stairs = np.maximum(0.5 ** np.floor(power), 0.2)
    follows(optim.exponential_decay(1.0, 4, 0.5, 2, True, 0.2), stairs)
    follows(optim.exponential_decay(1.0, 4, 2.0, 2, end_value=3.0), np.minimum(2.0**power, 3))


def cosine(t):
    return 0.5 * (1 + np.cos(np.pi * np.clip(t, 0, 1)))


def test_cosine():
    wanted = 2 * (0.9 * cosine(COUNTS / 12) ** 1.5 + 0.1)
    follows(optim.cosine_decay_schedule(2.0, 12, 0.1, 1.5), wanted)
    with pytest.raises(ValueError, match="decay_steps must be positive, not 0"):
        optim.cosine_decay_schedule(1.0, 0)


def test_warmups():
    up = 0.2 + 0.8 * COUNTS / 4
    down = 0.9 * cosine((COUNTS - 4) / 16) + 0.1
    wanted = np.where(COUNTS < 4, up, down)
    follows(optim.warmup_cosine_decay_schedule(0.2, 1.0, 4, 20, 0.1), wanted)
    wanted = np.where(COUNTS < 4, up, 0.5 ** ((COUNTS - 4) / 3))
    follows(optim.warmup_exponential_decay_schedule(0.2, 1.0, 4, 3, 0.5), wanted)
    follows(optim.warmup_constant_schedule(0.2, 1.0, 4), np.minimum(up, 1))


def test_restarts():
    cycle = {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 2, "decay_steps": 10}
    at = COUNTS % 10
    wanted = np.where(at < 2, at / 2, cosine((at - 2) / 8))
    follows(optim.sgdr_schedule([cycle] * 3), wanted)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_interpolated(kind):
    ends, values = np.array([0, 4, 10, 20]), np.array([1.0, 2.0, 6.0, 1.5])
    place = np.interp(COUNTS, ends, np.arange(4))
    begin = np.minimum(place.astype(int), 2)
    part = place - begin
    part = part if kind == "linear" else 1 - cosine(part)
    wanted = values[begin] + (values[begin + 1] - values[begin]) * part
    follows(optim.piecewise_interpolate_schedule(kind, 1.0, {4: 2.0, 10: 3.0, 20: 0.25}), wanted)
    with pytest.raises(ValueError, match="'linear' or 'cosine', not 'cubic'"):
        optim.piecewise_interpolate_schedule("cubic", 1.0)


def test_one_cycle():
    wanted = np.interp(COUNTS, [0, 6, 17, 20], [0.04, 1.0, 0.04, 4e-6])
    follows(optim.linear_onecycle_schedule(20, 1.0), wanted)
    low, end = 0.04, 4e-6
    up = low + (1 - low) * (1 - cosine(COUNTS / 6))
    wanted = np.where(COUNTS < 6, up, end + (1 - end) * cosine((COUNTS - 6) / 14))
    follows(optim.cosine_onecycle_schedule(20, 1.0), wanted)
    with pytest.raises(ValueError, match="transition_steps must be positive"):
        optim.linear_onecycle_schedule(0, 1.0)


def test_joined_schedules_count_from_their_own_beginnings():
    joined = optim.join_schedules(
        [lambda c: 1.0 + c, lambda c: 10.0 + c, lambda c: 100.0 - c], [4, 9]
    )
    wanted = [1.0 + c if c < 4 else 10.0 + c - 4 if c < 9 else 100.0 - (c - 9) for c in COUNTS]
    follows(joined, wanted)


def test_a_beginning_before_the_first_update_is_the_first_update():
    follows(optim.polynomial_schedule(1.0, 0.0, 2, 10, -3), np.clip(1 - COUNTS / 10, 0, 1) ** 2)
