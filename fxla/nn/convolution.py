"""Convolutional layers, in one to three dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import typeof, where_am_i
from fxla.nn.checks import refuse
from fxla.nn.deferred import Affine
from fxla.nn.initializers import Initializer

__all__ = ["Conv", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose"]

Sizes = int | Sequence[int]
Padding = str | int | Sequence[int | tuple[int, int]]
_LAYOUTS = {
    (1, "last"): ("NWC", "WIO", "NWC"),
    (2, "last"): ("NHWC", "HWIO", "NHWC"),
    (3, "last"): ("NDHWC", "DHWIO", "NDHWC"),
    (1, "first"): ("NCW", "WIO", "NCW"),
    (2, "first"): ("NCHW", "HWIO", "NCHW"),
    (3, "first"): ("NCDHW", "DHWIO", "NCDHW"),
}


def _sizes(given: Sizes, rank: int, name: str) -> tuple[int, ...]:
    """One number for each spatial axis."""
    found = (given,) * rank if isinstance(given, int) else tuple(given)
    if len(found) != rank:
        raise ValueError(
            f"nn.Conv: {name}={given!r} is not one number for each of {rank} axes{where_am_i()}"
        )
    return found


def _pads(given: Padding, rank: int) -> Any:
    """Padding as `lax.conv_general_dilated` takes it."""
    if isinstance(given, str):
        if given.upper() not in ("VALID", "SAME"):
            raise ValueError(
                f"nn.Conv: there is no padding {given!r}{where_am_i()}. Give 'VALID', 'SAME', a "
                "number, or one for each axis."
            )
        return given.upper()
    each = (given,) * rank if isinstance(given, int) else tuple(given)
    if len(each) != rank:
        raise ValueError(
            f"nn.Conv: padding={given!r} is not one entry for each of {rank} axes{where_am_i()}"
        )
    return tuple([(p, p) if isinstance(p, int) else (p[0], p[1]) for p in each])


class Conv(Affine):
    """Convolution (cross-correlation, as everywhere in deep learning).

    Args:
        in_features: number of input features; None to take it from the first input.
        out_features: number of output features.
        kernel_size: size along each spatial axis, which also says how many axes there are; an
            integer means a square in two dimensions.
        strides: of the window along each axis.
        padding: "VALID", "SAME", or how much on both sides of each axis (or pairs).
        dilation: 1 + elements skipped between those of the kernel.
        groups: split the features in groups, each with its own kernels.
        bias: whether there is one.
        channels: where the axis of features is: ``"last"`` or ``"first"`` (after the batch axis).
        key: for the initial values; default: the next of the stream that `nn.seed` starts.
        dtype: of the parameters; default: fxla's default float.
        weight_init: initial weight; default: normal of variance 1 / fan_in.
        bias_init: initial bias; default: zeros.

    Attributes:
        weight: [*kernel_size, in_features / groups, out_features].
        bias: [out_features], or None.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Conv(1, 8, (3, 3), padding="SAME")(np.ones((5, 28, 28, 1))).shape
        (5, 28, 28, 8)
        >>> nn.Conv(None, 8, (5,), strides=2)(np.ones((5, 101, 3))).shape
        (5, 49, 8)
    """

    def __init__(
        self,
        in_features: int | None,
        out_features: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: Padding = "VALID",
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        channels: str = "last",
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
    ) -> None:
        kernel = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        rank = len(kernel)
        if rank not in (1, 2, 3):
            raise ValueError(
                f"nn.Conv: kernel_size={kernel} has {rank} axes; 1 to 3 are possible{where_am_i()}"
            )
        if out_features % groups:
            raise ValueError(
                f"nn.Conv: {out_features} output features are no multiple of {groups} "
                f"groups{where_am_i()}"
            )
        self.in_features = in_features
        self.out_features = out_features
        self.kernel_size = kernel
        self.strides = _sizes(strides, rank, "strides")
        self.padding = _pads(padding, rank)
        self.dilation = _sizes(dilation, rank, "dilation")
        self.groups = groups
        self.channels = channels
        self.weight = self.bias = None
        self._make_or_defer(
            in_features,
            bias=bias, key=key, dtype=dtype, weight_init=weight_init, bias_init=bias_init,
        )  # fmt: skip

    def _weight_shape(self, features: int) -> tuple[int, ...]:
        if features % self.groups:
            raise ValueError(
                f"nn.Conv: {features} input features are no multiple of {self.groups} "
                f"groups{where_am_i()}"
            )
        return (*self.kernel_size, features // self.groups, self.out_features)

    def _checked(self, x: Any) -> None:
        """Reject an input of another rank or number of features; build for a first one."""
        shape, rank = typeof(x).shape, len(self.kernel_size)
        axis = 1 if self.channels == "first" else len(shape) - 1
        if len(shape) == rank + 2 and self.weight is None:
            self._ensure(shape[axis])
        if len(shape) != rank + 2 or shape[axis] != self.in_features:
            space = ", ".join("size" for _ in range(rank))
            n = "features" if self.in_features is None else self.in_features
            first = self.channels == "first"
            refuse(self, f"[batch, {n}, {space}]" if first else f"[batch, {space}, {n}]", x)

    def __call__(self, x: Any) -> Any:
        self._checked(x)
        y = lax.conv_general_dilated(
            x.astype(fnp.promote_types(typeof(x).dtype, self.weight.dtype)),
            self.weight,
            self.strides,
            self.padding,
            rhs_dilation=self.dilation,
            dimension_numbers=_LAYOUTS[len(self.kernel_size), self.channels],
            feature_group_count=self.groups,
        )
        return self._biased(y)

    def _biased(self, y: Any) -> Any:
        if self.bias is None:
            return y
        if self.channels == "first":
            return y + self.bias.reshape(-1, *(1,) * len(self.kernel_size))
        return y + self.bias

    def _shown(self) -> list[str]:
        extra = [f"strides={self.strides}"] if any(s != 1 for s in self.strides) else []
        if self.padding != "VALID":
            extra.append(f"padding={self.padding!r}")
        if any(d != 1 for d in self.dilation):
            extra.append(f"dilation={self.dilation}")
        if self.groups != 1:
            extra.append(f"groups={self.groups}")
        return [str(self.in_features), str(self.out_features), str(self.kernel_size), *extra]


def _of_rank(rank: int, kernel_size: Sizes) -> tuple[int, ...]:
    return _sizes(kernel_size, rank, "kernel_size")


class Conv1d(Conv):
    """`Conv` over one spatial axis; an integer kernel size is its length.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Conv1d(3, 8, 3)(np.ones((5, 9, 3))).shape
        (5, 7, 8)
    """

    def __init__(
        self, in_features: int | None, out_features: int, kernel_size: Sizes, *args: Any, **kw: Any
    ) -> None:
        super().__init__(in_features, out_features, _of_rank(1, kernel_size), *args, **kw)


class Conv2d(Conv):
    """`Conv` over two spatial axes; an integer kernel size is a square.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Conv2d(3, 8, 3)(np.ones((5, 9, 9, 3))).shape
        (5, 7, 7, 8)
    """

    def __init__(
        self, in_features: int | None, out_features: int, kernel_size: Sizes, *args: Any, **kw: Any
    ) -> None:
        super().__init__(in_features, out_features, _of_rank(2, kernel_size), *args, **kw)


class Conv3d(Conv):
    """`Conv` over three spatial axes; an integer kernel size is a cube.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.Conv3d(3, 8, 3)(np.ones((5, 9, 9, 9, 3))).shape
        (5, 7, 7, 7, 8)
    """

    def __init__(
        self, in_features: int | None, out_features: int, kernel_size: Sizes, *args: Any, **kw: Any
    ) -> None:
        super().__init__(in_features, out_features, _of_rank(3, kernel_size), *args, **kw)


class ConvTranspose(Conv):
    """Transposed convolution: the gradient of `Conv` with respect to its input, as a layer.

    With padding in numbers p, an axis of n elements becomes
    ``(n - 1) stride - 2 p + dilation (kernel - 1) + output_padding + 1`` long, as in PyTorch;
    with "SAME" ``n stride``; with "VALID" p is 0.

    Args:
        in_features: number of input features; None to take it from the first input.
        out_features: number of output features.
        kernel_size: size along each spatial axis; an integer means a square in two dimensions.
        strides: how far apart the elements of the input are spread.
        padding: "VALID", "SAME", or how much is cut from both sides of each axis.
        dilation: 1 + elements skipped between those of the kernel.
        groups: split the features in groups, each with its own kernels.
        bias: whether there is one.
        output_padding: how much longer each axis of the result is, at its end.
        **options: ``channels``, ``key``, ``dtype``, ``weight_init``, ``bias_init`` of `Conv`.

    Attributes:
        weight: [*kernel_size, in_features / groups, out_features]; PyTorch's [in, out / groups,
            *kernel_size] of each group with its axes exchanged.
        bias: [out_features], or None.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.ConvTranspose(8, 3, 2, strides=2)(np.ones((5, 7, 7, 8))).shape
        (5, 14, 14, 3)
    """

    def __init__(
        self,
        in_features: int | None,
        out_features: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: Padding = "VALID",
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        output_padding: Sizes = 0,
        **options: Any,
    ) -> None:
        super().__init__(
            in_features, out_features, kernel_size, strides, padding, dilation, groups, bias,
            **options,
        )  # fmt: skip
        self.output_padding = _sizes(output_padding, len(self.kernel_size), "output_padding")

    def __call__(self, x: Any) -> Any:
        self._checked(x)
        rank = len(self.kernel_size)
        y = lax.conv_general_dilated(
            x.astype(fnp.promote_types(typeof(x).dtype, self.weight.dtype)),
            fnp.flip(self.weight, tuple(range(rank))),
            (1,) * rank,
            self._spread_padding(),
            lhs_dilation=self.strides,
            rhs_dilation=self.dilation,
            dimension_numbers=_LAYOUTS[rank, self.channels],
            feature_group_count=self.groups,
        )
        return self._biased(y)

    def _spread_padding(self) -> list[tuple[int, int]]:
        """Padding of the spread input."""
        found = []
        spans = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilation, strict=True)]
        for k, (span, stride) in enumerate(zip(spans, self.strides, strict=True)):
            more = self.output_padding[k]
            if self.padding == "SAME":
                total = span + stride - 1
                before = span if stride > span else math.ceil(total / 2)
                found.append((before, total - before + more))
            else:
                low, high = (0, 0) if self.padding == "VALID" else self.padding[k]
                found.append((span - low, span - high + more))
        return found
