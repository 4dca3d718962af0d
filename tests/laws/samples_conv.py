"""Samples of convolutions; the oracle multiplies every element of every window."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from fxla.ops.conv import ConvDims, ConvParams
from tests.laws.sample import BFLOAT16, Sample, draw_float, draw_int

__all__ = ["SAMPLES"]

Shape = tuple[int, ...]


def _conv(
    lhs: Shape,
    rhs: Shape,
    layout: tuple[str, str, str] = ("NCH", "OIH", "NCH"),
    *,
    strides: Shape | None = None,
    padding: tuple[tuple[int, int], ...] | None = None,
    lhs_dilation: Shape | None = None,
    rhs_dilation: Shape | None = None,
    feature_groups: int = 1,
    batch_groups: int = 1,
    dtype: Any = "f8",
    preferred: Any = None,
) -> Sample:
    dims = ConvDims.of(*layout)
    n = len(lhs) - 2
    ones = (1,) * n
    conv = ConvParams(
        strides or ones, padding or ((0, 0),) * n, lhs_dilation or ones, rhs_dilation or ones,
        dims, feature_groups, batch_groups,
    )  # fmt: skip
    integer = np.dtype(dtype).kind in "iu"
    draws = [draw_int(s, dtype, -3, 3) if integer else draw_float(s, dtype) for s in (lhs, rhs)]

    def oracle(x: Any, w: Any) -> Any:
        kind = object if integer else complex if x.dtype.kind == "c" else float
        x, w = np.transpose(x, dims.lhs).astype(kind), np.transpose(w, dims.rhs).astype(kind)
        batch, features = x.shape[0] // batch_groups, w.shape[0]
        spatial = []
        for k in range(n):
            wide = (x.shape[k + 2] - 1) * conv.lhs_dilation[k] + 1 + sum(conv.padding[k])
            span = (w.shape[k + 2] - 1) * conv.rhs_dilation[k] + 1
            spatial.append((wide - span) // conv.strides[k] + 1)
        out = np.zeros((batch, features, *spatial), kind)
        per_group = features // (feature_groups * batch_groups)
        for b, o, *at in np.ndindex(*out.shape):
            group = o // per_group
            row = b + (group * batch if batch_groups > 1 else 0)
            first = group * w.shape[1] if feature_groups > 1 else 0
            for c, *k in itertools.product(*map(range, w.shape[1:])):
                place = [
                    i * s + j * d - low
                    for i, s, j, d, (low, _) in zip(
                        at, conv.strides, k, conv.rhs_dilation, conv.padding, strict=True
                    )
                ]
                inside = all(
                    p % d == 0 and 0 <= p // d < m
                    for p, d, m in zip(place, conv.lhs_dilation, x.shape[2:], strict=True)
                )
                if inside:
                    source = [p // d for p, d in zip(place, conv.lhs_dilation, strict=True)]
                    out[(b, o, *at)] += x[(row, first + c, *source)] * w[(o, c, *k)]
        return np.transpose(out, np.argsort(dims.out)).astype(preferred or dtype)

    smooth = dtype in ("f8", "c16")
    terms = int(np.prod([rhs[d] for d in dims.rhs[1:]]))
    flags = f"{layout}{strides}{padding}{lhs_dilation}{rhs_dilation}{feature_groups}{batch_groups}"
    return Sample(
        f"{np.dtype(dtype).name}-{flags}".replace(" ", "").replace("'", "").replace("None", "-"),
        lambda rng: tuple(d(rng) for d in draws),
        {"conv": conv, "preferred_element_type": np.dtype(preferred) if preferred else None},
        oracle,
        differentiable=(0, 1) if smooth else (),
        linear=((0,), (1,)) if smooth else (),
        ulps=0 if integer else 2 * terms,
        kernel_ulps=0 if integer else 4 * terms,
        whole=True,
    )


_IMAGE = ("NHWC", "HWIO", "NHWC")
SAMPLES: dict[str, list[Sample]] = {
    "conv_general_dilated": [
        _conv((2, 2, 6), (3, 2, 3)),
        _conv((1, 1, 5), (1, 1, 3), padding=((1, 2),)),
        _conv((2, 3, 7), (2, 3, 2), strides=(2,)),
        _conv((1, 2, 4), (2, 2, 3), padding=((2, 2),), lhs_dilation=(2,)),
        _conv((1, 2, 7), (2, 2, 3), rhs_dilation=(2,)),
        _conv((1, 4, 5), (4, 2, 2), feature_groups=2),
        _conv((4, 2, 5), (4, 2, 2), batch_groups=2),
        _conv((1, 2, 6), (2, 2, 2), padding=((-1, 1),)),
        _conv((2, 4, 5, 2), (3, 2, 2, 3), _IMAGE, strides=(1, 2), padding=((1, 1), (0, 1))),
        _conv((3, 2), (4, 2), ("NC", "OI", "NC")),
        _conv((2, 4, 5, 2), (3, 3, 2, 4), _IMAGE, padding=((1, 1), (1, 1)), dtype="f4"),
        _conv((1, 1, 5), (2, 1, 3), dtype=BFLOAT16),
        _conv((1, 1, 5), (2, 1, 3), dtype="i4"),
        _conv((1, 2, 4), (2, 2, 2), dtype="c16"),
    ]
}
