"""Likelihoods, bodies, second derivatives, spectra."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.descent import torch_gradient
from bench.workloads.workload import Arguments, Function, Workload, f32, normal

__all__ = ["FftConvolution", "GaussianProcess", "NBody", "Rosenbrock"]


@dataclass(frozen=True)
class GaussianProcess(Workload):
    """The gradient of a Gaussian process's likelihood by its length scales and noise."""

    family: ClassVar[str] = "science"
    tolerance: ClassVar[float] = 5e-3
    small: ClassVar[dict[str, int]] = {"n": 9}
    scales: ClassVar[str] = "n"
    serial: ClassVar[str] = "blocks on the diagonal and systems of one column, in one thread"
    n: int = 256

    @property
    def name(self) -> str:
        return f"GP likelihood gradient, {self.n} points"

    def arguments(self) -> Arguments:
        return f32(0, 0, 0, 0, -1), normal(self.n, 4), normal(self.n, seed=1)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def loss(theta: Any, x: Any, y: Any) -> Any:
            scaled = x / np.exp(theta[:4])
            apart = np.sum((scaled[:, None, :] - scaled[None, :, :]) ** 2, axis=-1)
            covariance = np.exp(-0.5 * apart) + np.exp(theta[4]) * np.eye(self.n, dtype=np.float32)
            lower = np.linalg.cholesky(covariance)
            white = lax.linalg.triangular_solve(lower, y[:, None], left_side=True, lower=True)
            return 0.5 * np.sum(white**2) + np.sum(np.log(np.diagonal(lower)))

        jitted: Function = xla.jit(xla.grad(loss))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def loss(theta: Any, x: Any, y: Any) -> Any:
            scaled = x / torch.exp(theta[:4])
            apart = torch.sum((scaled[:, None, :] - scaled[None, :, :]) ** 2, -1)
            covariance = torch.exp(-0.5 * apart) + torch.exp(theta[4]) * torch.eye(self.n)
            lower = torch.linalg.cholesky(covariance)
            white = torch.linalg.solve_triangular(lower, y[:, None], upper=False)
            return 0.5 * torch.sum(white**2) + torch.sum(torch.log(torch.diagonal(lower)))

        return torch_gradient(torch, loss, compiled)


@dataclass(frozen=True)
class NBody(Workload):
    """The forces between bodies as a gradient of their energy."""

    family: ClassVar[str] = "science"
    small: ClassVar[dict[str, int]] = {"n": 9}
    scales: ClassVar[str] = "n"
    n: int = 512

    @property
    def name(self) -> str:
        return f"N-body energy gradient, {self.n} bodies"

    def arguments(self) -> Arguments:
        return normal(self.n, 3), numpy.ones(self.n, numpy.float32)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def energy(positions: Any, masses: Any) -> Any:
            apart = positions[:, None, :] - positions[None, :, :]
            distance = np.sqrt(np.sum(apart**2, axis=-1) + 1e-2)
            return -0.5 * np.sum(masses[:, None] * masses[None, :] / distance)

        jitted: Function = xla.jit(xla.grad(energy))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def energy(positions: Any, masses: Any) -> Any:
            apart = positions[:, None, :] - positions[None, :, :]
            distance = torch.sqrt(torch.sum(apart**2, -1) + 1e-2)
            return -0.5 * torch.sum(masses[:, None] * masses[None, :] / distance)

        return torch_gradient(torch, energy, compiled)

    def autograd(self, autograd: Any, np: Any) -> Function:
        def energy(positions: Any, masses: Any) -> Any:
            apart = positions[:, None, :] - positions[None, :, :]
            distance = np.sqrt(np.sum(apart**2, axis=-1) + 1e-2)
            return -0.5 * np.sum(masses[:, None] * masses[None, :] / distance)

        gradient: Function = autograd.grad(energy)
        return gradient

    def numba(self, numba: Any) -> Function:
        @numba.njit(parallel=True, fastmath=True)
        def forces(positions: Any, masses: Any) -> Any:
            n, soft = masses.size, numpy.float32(1e-2)
            out = numpy.zeros_like(positions)
            for i in numba.prange(n):
                fx = fy = fz = numpy.float32(0)
                for j in range(n):
                    dx = positions[i, 0] - positions[j, 0]
                    dy = positions[i, 1] - positions[j, 1]
                    dz = positions[i, 2] - positions[j, 2]
                    square = dx * dx + dy * dy + dz * dz + soft
                    pull = masses[i] * masses[j] / (square * math.sqrt(square))
                    fx, fy, fz = fx + pull * dx, fy + pull * dy, fz + pull * dz
                out[i, 0], out[i, 1], out[i, 2] = fx, fy, fz
            return out

        jitted: Function = forces
        return jitted


@dataclass(frozen=True)
class Rosenbrock(Workload):
    """The Hessian of Rosenbrock's function."""

    family: ClassVar[str] = "science"
    small: ClassVar[dict[str, int]] = {"n": 5}
    scales: ClassVar[str] = "n"
    n: int = 100

    @property
    def name(self) -> str:
        return f"Hessian of Rosenbrock, {self.n} unknowns"

    def arguments(self) -> Arguments:
        return (normal(self.n),)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(xla.hessian(self.valley(np.sum)))
        return jitted

    def valley(self, total: Function) -> Function:
        """Rosenbrock's function, with that sum."""
        return lambda x: total(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(torch.func.hessian(self.valley(torch.sum)))

    def autograd(self, autograd: Any, np: Any) -> Function:
        hessian: Function = autograd.hessian(self.valley(np.sum))
        return hessian


@dataclass(frozen=True)
class FftConvolution(Workload):
    """Signals convolved with a kernel through their spectra."""

    family: ClassVar[str] = "science"
    small: ClassVar[dict[str, int]] = {"signals": 2, "n": 16}
    scales: ClassVar[str] = "signals"
    signals: int = 16
    n: int = 65_536

    @property
    def name(self) -> str:
        return f"FFT convolution, {self.signals}x{self.n}"

    def arguments(self) -> Arguments:
        return normal(self.signals, self.n), normal(self.n, seed=1)

    def through(self, fft: Any) -> Function:
        """The convolution by that module of transforms."""
        return lambda x, k: fft.irfft(fft.rfft(x) * fft.rfft(k), n=self.n)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(self.through(np.fft))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(self.through(torch.fft))

    def numpy(self) -> Function:
        return self.through(numpy.fft)
