"""The programs that are timed, a file for each family."""

from __future__ import annotations

from bench.workloads.axes import CumulativeSum, Sort, SumOverFirst, Transpose
from bench.workloads.dispatch import AddOne, Tree, Unrolled
from bench.workloads.images import (
    CnnForward,
    CnnStep,
    Conv,
    ConvGradients,
    ImageFilter,
    ResNetBlock,
)
from bench.workloads.indexing import EmbeddingGradient, GatherRows, ScatterAdd
from bench.workloads.loops import EscapeCounts, Kalman, Lorenz, Newton, OdeAdjoint, SmallCarry
from bench.workloads.maps import (
    BlackScholes,
    Normals,
    Saxpy,
    SumOfMap,
    SumOfMapGradient,
    TanhLog,
)
from bench.workloads.networks import EagerForward, EagerGradient, FewRows, MlpStep, PerExample
from bench.workloads.products import BatchedProduct, Gemm, SmallSolves
from bench.workloads.rows import LayerNorm, LayerNormGradient, Softmax, SoftmaxGradient
from bench.workloads.science import FftConvolution, GaussianProcess, NBody, Rosenbrock
from bench.workloads.sequences import Attention, Lstm, Rnn, RnnGradient
from bench.workloads.workload import Workload

__all__ = ["TUNED", "Workload"]

_PACKED_OFTEN = (
    "each chunk of rows packs the right operand for itself; the peer packs it once for both threads"
)

_MEMORY = "bound by memory, both at its speed: runs gave 0.87 to 1.06"
_PADDED_TWICE = "the images are padded for each of the two gradients: runs gave 0.79 to 1.23"
_SAME_PRODUCTS = "its convolutions run at the same share of the peak: runs gave 0.88 to 1.17"
_SEEN = "every operand is seen as a plain array first, and its result changes its class: 0.1 us"
_PADDED = (
    "the images are padded in a pass of their own, some 5-8% of the time: runs gave 0.82 to 1.04"
)
_IN_PYTHON = "operator, tape and rule are Python, 3 us beside NumPy's 1: runs gave 0.80 to 1.2"

TUNED: dict[str, Workload] = {
    workload.name: workload
    for workload in [
        AddOne(),
        Tree(4),
        Tree(50),
        Unrolled(),
        Saxpy(1_000_000, why=_MEMORY),
        Saxpy(10_000_000),
        TanhLog(),
        SumOfMap(),
        SumOfMapGradient(),
        BlackScholes(),
        Normals(),
        Softmax(),
        SoftmaxGradient(),
        LayerNorm(),
        LayerNormGradient(),
        SumOverFirst(4096, (1024,)),
        SumOverFirst(256, (256, 256)),
        Transpose(),
        CumulativeSum(axis=1),
        CumulativeSum(axis=0),
        Sort(),
        GatherRows(),
        EmbeddingGradient(),
        ScatterAdd(),
        Gemm(256),
        Gemm(512, why=_PACKED_OFTEN),
        Gemm(1024, why=_PACKED_OFTEN),
        Gemm(2048, why=_PACKED_OFTEN),
        BatchedProduct(),
        SmallSolves(),
        MlpStep(32),
        MlpStep(128),
        MlpStep(1024),
        PerExample(),
        FewRows(),
        EagerForward(why=_SEEN),
        EagerGradient(why=_IN_PYTHON),
        CnnStep(),
        CnnForward(),
        Conv(why=_PADDED),
        ConvGradients(why=_PADDED_TWICE),
        ResNetBlock(why=_SAME_PRODUCTS),
        ImageFilter(),
        Attention(),
        Lstm(),
        Rnn(),
        RnnGradient(),
        Lorenz(),
        SmallCarry(),
        Kalman(),
        OdeAdjoint(),
        Newton(),
        EscapeCounts(),
        GaussianProcess(),
        NBody(),
        Rosenbrock(),
        FftConvolution(),
    ]
}
"""What the compiler is measured and tuned on, by name."""
