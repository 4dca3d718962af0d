"""Where the axes of a convolution are, and which sizes follow from which."""

from __future__ import annotations

from collections.abc import Sequence

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import is_bool
from fxla.core.records import dataclass
from fxla.core.trace import where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.ops.window_dims import dilated

__all__ = ["ConvDims", "ConvParams", "Padding"]

Padding = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ConvDims:
    """Layouts of the operands and of the result.

    Attributes:
        lhs: axes of the operand that hold the batch, the features, and each spatial dimension.
        rhs: axes of the kernel that hold its output features, input features, spatial dimensions.
        out: axes of the result that hold the batch, the features, each spatial dimension.

    Example:
        >>> str(ConvDims.of("NHWC", "HWIO", "NHWC"))
        'NHWC,HWIO->NHWC'
    """

    lhs: Shape
    rhs: Shape
    out: Shape

    @staticmethod
    def of(lhs: str, rhs: str, out: str) -> ConvDims:
        """From letters: N and C, O and I, and any others for the spatial dimensions, e.g. H, W."""
        spatial = [c for c in rhs if c not in "OI"]

        def axes(text: str, first: str) -> Shape:
            if sorted(text) != sorted([*first, *spatial]):
                raise ShapeError(
                    f"convolution: layout {text!r} does not have the axes {first} and {spatial}; "
                    f"layouts are {lhs!r}, {rhs!r}, {out!r}, e.g. 'NHWC', 'HWIO', "
                    f"'NHWC'{where_am_i()}"
                )
            return tuple(text.index(c) for c in (*first, *spatial))

        return ConvDims(axes(lhs, "NC"), axes(rhs, "OI"), axes(out, "NC"))

    @property
    def spatial(self) -> int:
        """Number of spatial dimensions."""
        return len(self.lhs) - 2

    def __str__(self) -> str:
        letters = "DHW"[-self.spatial :] if 0 < self.spatial <= 3 else "012345678"

        def text(axes: Shape, first: str) -> str:
            names = dict(zip(axes, (*first, *letters), strict=False))
            return "".join(names[i] for i in range(len(axes)))

        return f"{text(self.lhs, 'NC')},{text(self.rhs, 'OI')}->{text(self.out, 'NC')}"


@dataclass(frozen=True, slots=True)
class ConvParams:
    """All that a convolution is, beside its operands; entries are in the order of `ConvDims`.

    Attributes:
        strides: of the window.
        padding: zeros before and after the operand, after its dilation; negative ones cut off.
        lhs_dilation: 1 + zeros between elements of the operand.
        rhs_dilation: 1 + zeros between elements of the kernel.
        dims: layouts.
        feature_groups: features are split in so many groups, convolved separately.
        batch_groups: the batch is, each with its share of the output features.
    """

    strides: Shape
    padding: Padding
    lhs_dilation: Shape
    rhs_dilation: Shape
    dims: ConvDims
    feature_groups: int = 1
    batch_groups: int = 1

    @property
    def groups(self) -> int:
        """Number of separate convolutions; at most one kind of group is more than one."""
        return self.feature_groups * self.batch_groups

    def spatial_shape(self, lhs: Shape, rhs: Shape) -> Shape:
        """Spatial sizes of the result."""
        sizes = []
        for axis, (low, high) in enumerate(self.padding):
            n = dilated(lhs[self.dims.lhs[axis + 2]], self.lhs_dilation[axis]) + low + high
            k = dilated(rhs[self.dims.rhs[axis + 2]], self.rhs_dilation[axis])
            sizes.append(max(0, (n - k) // self.strides[axis] + 1) if n >= k else 0)
        return tuple(sizes)

    def output_shape(self, lhs: Shape, rhs: Shape) -> Shape:
        """Shape of the result."""
        values = (
            lhs[self.dims.lhs[0]] // self.batch_groups,
            rhs[self.dims.rhs[0]],
            *self.spatial_shape(lhs, rhs),
        )
        shape = [0] * len(values)
        for axis, n in zip(self.dims.out, values, strict=True):
            shape[axis] = n
        return tuple(shape)

    def check(self, lhs: Aval, rhs: Aval) -> None:
        """Check that operands fit each other and these params."""
        name = "conv_general_dilated"
        if lhs.dtype != rhs.dtype or is_bool(lhs.dtype):
            raise DtypeError(
                f"{name}: takes numbers of one dtype, got {lhs} and {rhs}{where_am_i()}"
            )
        n = self.dims.spatial
        if lhs.ndim != n + 2 or rhs.ndim != n + 2:
            raise ShapeError(
                f"{name}: {lhs} and {rhs} do not have the axes of {self.dims}{where_am_i()}"
            )
        fields: tuple[Sequence[object], ...] = (
            self.strides, self.padding, self.lhs_dilation, self.rhs_dilation
        )  # fmt: skip
        if any(len(f) != n for f in fields):
            raise ShapeError(
                f"{name}: expected {n} strides, paddings and dilations, got {fields}{where_am_i()}"
            )
        if any(k < 1 for k in (*self.strides, *self.lhs_dilation, *self.rhs_dilation)):
            raise ShapeError(
                f"{name}: strides and dilations must be positive, got {fields}{where_am_i()}"
            )
        if self.feature_groups > 1 and self.batch_groups > 1:
            raise ShapeError(
                f"{name}: features and batch cannot both be split in groups{where_am_i()}"
            )
        features, inputs = lhs.shape[self.dims.lhs[1]], rhs.shape[self.dims.rhs[1]]
        if features != inputs * self.feature_groups:
            raise ShapeError(
                f"{name}: {lhs} has {features} features, but the kernel {rhs} takes {inputs} in "
                f"each of {self.feature_groups} groups; layouts are {self.dims}{where_am_i()}"
            )
        outputs, batch = rhs.shape[self.dims.rhs[0]], lhs.shape[self.dims.lhs[0]]
        if outputs % self.groups or batch % self.batch_groups:
            raise ShapeError(
                f"{name}: {outputs} output features or a batch of {batch} do not divide into "
                f"{self.groups} groups{where_am_i()}"
            )
