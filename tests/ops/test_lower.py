"""What `lower` says of every primitive, read by the interpreter, is what `impl` computes.

The samples are those of the laws. This test is independent of the compilers: when it passes and a
kernel is wrong, the lowering is not to blame.
"""

from __future__ import annotations

import numpy as np
import pytest

from fxla.core.primitive import Primitive
from fxla.loops.view import Opaque
from tests.laws.sample import Sample, assert_ulps
from tests.laws.samples import cases
from tests.ops.interpret import interpret


def is_lowered(primitive: Primitive, sample: Sample) -> bool:
    views = [np.asarray(x) for x in sample.draw()]
    lowered = primitive.lower(*views, **sample.params) if sample.call is None else Opaque()
    return not isinstance(lowered, Opaque)


CASES = [case for case in cases() if is_lowered(case[1], case[2])]


@pytest.mark.parametrize(("primitive", "sample"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_lower_means_what_impl_computes(primitive: Primitive, sample: Sample) -> None:
    operands = tuple(np.asarray(x) for x in sample.draw())
    with np.errstate(all="ignore"):
        got = interpret(primitive, *operands, **sample.params)
        expected = primitive.impl(*operands, **sample.params)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert_ulps(a, b, max(sample.kernel_ulps, 2), sample.whole)
