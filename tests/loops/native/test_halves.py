"""float16 by integers is what NumPy's conversions give, for every float16 and every tie."""

from __future__ import annotations

import numpy as np

from fxla.loops.ir import Cast
from fxla.loops.native.isa import BASELINE
from tests.loops.native.test_printer import run_map

F16, F32 = np.dtype(np.float16), np.dtype(np.float32)
EVERY = np.arange(2**16, dtype=np.uint16).view(np.float16)


def test_every_float16_is_widened_exactly() -> None:
    out = run_map(BASELINE, lambda a: Cast(F32, a), F32, EVERY)
    np.testing.assert_array_equal(out, EVERY.astype(F32))
    np.testing.assert_array_equal(np.signbit(out), np.signbit(EVERY))


def test_what_lies_between_two_of_them_is_rounded_to_the_nearest() -> None:
    finite = EVERY[np.isfinite(EVERY)].astype(F32)
    ulp = np.maximum(np.exp2(np.frexp(finite)[1] - 11.0), 2.0**-24).astype(F32)
    near = [finite + ulp * F32.type(part) for part in (0.0, 0.25, 0.499, 0.5, 0.501, 0.75)]
    large = np.array([65519.996, 65520.0, 65536.0, 1e30, np.inf, np.nan], F32)
    tiny = np.array([2.0**-25, 2.0**-25 * 1.0001, 2.0**-26, 1e-45, 0.0], F32)
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 20000, dtype=np.uint32).view(F32)
    x = np.concatenate([*near, large, -large, tiny, -tiny, bits])
    with np.errstate(all="ignore"):
        expected = x.astype(F16)
    out = run_map(BASELINE, lambda a: Cast(F16, a), F16, x)
    np.testing.assert_array_equal(out, expected)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(out)[known], np.signbit(expected)[known])
