"""Elementwise maps and their sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.workload import Arguments, Function, Traffic, Workload, normal

__all__ = ["BlackScholes", "Normals", "Saxpy", "SumOfMap", "SumOfMapGradient", "TanhLog"]


@dataclass(frozen=True)
class Saxpy(Workload):
    """a * x + y: nothing but memory."""

    family: ClassVar[str] = "maps"
    small: ClassVar[dict[str, int]] = {"n": 37}
    scales: ClassVar[str] = "n"
    serial: ClassVar[str] = "bound by memory, which one thread nearly fills"
    n: int = 1_000_000

    @property
    def name(self) -> str:
        return f"saxpy, {self.n:.0e}".replace("e+0", "e")

    def arguments(self) -> Arguments:
        return numpy.float32(2.5), normal(self.n), normal(self.n, seed=1)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda a, x, y: a * x + y)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda a, x, y: torch.add(y, x, alpha=2.5))

    def numpy(self) -> Function:
        def saxpy(a: Any, x: Any, y: Any) -> Any:
            out = a * x
            out += y
            return out

        return saxpy

    def numba(self, numba: Any) -> Function:
        @numba.njit(parallel=True, fastmath={"contract"})
        def saxpy(a: Any, x: Any, y: Any) -> Any:
            out = numpy.empty_like(x)
            for i in numba.prange(x.size):
                out[i] = a * x[i] + y[i]
            return out

        jitted: Function = saxpy
        return jitted

    def flops(self) -> float:
        return 2.0 * self.n

    def traffic(self) -> Traffic:
        return Traffic(8.0 * self.n, 4.0 * self.n)


@dataclass(frozen=True)
class TanhLog(Workload):
    """A costly map, as an activation function is."""

    family: ClassVar[str] = "maps"
    small: ClassVar[dict[str, int]] = {"n": 37}
    scales: ClassVar[str] = "n"
    n: int = 1_000_000

    @property
    def name(self) -> str:
        return "tanh(x) * x + log1p(x), 1e6"

    def arguments(self) -> Arguments:
        return (numpy.abs(normal(self.n)),)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda x: np.tanh(x) * x + np.log1p(x))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda x: torch.tanh(x) * x + torch.log1p(x))

    def numpy(self) -> Function:
        return lambda x: numpy.tanh(x) * x + numpy.log1p(x)

    def numba(self, numba: Any) -> Function:
        @numba.njit(parallel=True, fastmath={"contract"})
        def f(x: Any) -> Any:
            out = numpy.empty_like(x)
            for i in numba.prange(x.size):
                out[i] = math.tanh(x[i]) * x[i] + math.log1p(x[i])
            return out

        jitted: Function = f
        return jitted

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.n, 4.0 * self.n)


@dataclass(frozen=True)
class SumOfMap(Workload):
    """A map that is summed and never stored."""

    family: ClassVar[str] = "maps"
    small: ClassVar[dict[str, int]] = {"n": 37}
    scales: ClassVar[str] = "n"
    n: int = 1_000_000

    @property
    def name(self) -> str:
        return "sum(sin(x)^2 + exp(-x)), 1e6"

    def arguments(self) -> Arguments:
        return (normal(self.n),)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(lambda x: np.sum(np.sin(x) ** 2 + np.exp(-x)))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda x: torch.sum(torch.sin(x) ** 2 + torch.exp(-x)))

    def numpy(self) -> Function:
        return lambda x: numpy.sum(numpy.sin(x) ** 2 + numpy.exp(-x))

    def numba(self, numba: Any) -> Function:
        @numba.njit(parallel=True, fastmath=True)
        def f(x: Any) -> Any:
            total = numpy.float32(0)
            for i in numba.prange(x.size):
                total += math.sin(x[i]) ** 2 + math.exp(-x[i])
            return total

        jitted: Function = f
        return jitted

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.n, 0.0)


@dataclass(frozen=True)
class SumOfMapGradient(SumOfMap):
    """Its gradient."""

    @property
    def name(self) -> str:
        return "gradient of sum(sin(x)^2 + exp(-x)), 1e6"

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(xla.grad(lambda x: np.sum(np.sin(x) ** 2 + np.exp(-x))))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        forward = compiled(lambda x: torch.sum(torch.sin(x) ** 2 + torch.exp(-x)))

        def gradient(x: Any) -> Any:
            x.requires_grad_(True)
            return torch.autograd.grad(forward(x), x)[0]

        return gradient

    def numpy(self) -> Function:
        return lambda x: numpy.sin(2 * x) - numpy.exp(-x)

    def autograd(self, autograd: Any, np: Any) -> Function:
        gradient: Function = autograd.grad(lambda x: np.sum(np.sin(x) ** 2 + np.exp(-x)))
        return gradient

    def numba(self, numba: Any) -> Function:
        @numba.njit(parallel=True, fastmath=True)
        def f(x: Any) -> Any:
            out = numpy.empty_like(x)
            for i in numba.prange(x.size):
                out[i] = math.sin(2 * x[i]) - math.exp(-x[i])
            return out

        jitted: Function = f
        return jitted

    def traffic(self) -> Traffic:
        return Traffic(4.0 * self.n, 4.0 * self.n)


@dataclass(frozen=True)
class BlackScholes(Workload):
    """The sensitivities of European call options to price and volatility."""

    family: ClassVar[str] = "maps"
    dtype: ClassVar[str] = "float64"
    small: ClassVar[dict[str, int]] = {"n": 7}
    scales: ClassVar[str] = "n"
    n: int = 100_000

    @property
    def name(self) -> str:
        return "Black-Scholes gradient, 1e5, float64"

    def arguments(self) -> Arguments:
        random = numpy.random.default_rng(0)
        spot, strike = random.uniform(50, 150, (2, self.n))
        volatility, years = random.uniform(0.1, 0.5, self.n), random.uniform(0.1, 2, self.n)
        return (spot, volatility), strike, years

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def total(market: Any, strike: Any, years: Any) -> Any:
            spot, volatility = market
            spread = volatility * np.sqrt(years)
            d1 = (np.log(spot / strike) + (0.02 + 0.5 * volatility**2) * years) / spread
            discounted = strike * np.exp(-0.02 * years)
            return np.sum(spot * below(d1) - discounted * below(d1 - spread))

        def below(x: Any) -> Any:
            return 0.5 * (1.0 + lax.erf(x * math.sqrt(0.5)))

        jitted: Function = xla.jit(xla.grad(total))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def total(spot: Any, volatility: Any, strike: Any, years: Any) -> Any:
            spread = volatility * torch.sqrt(years)
            d1 = (torch.log(spot / strike) + (0.02 + 0.5 * volatility**2) * years) / spread
            discounted = strike * torch.exp(-0.02 * years)
            below = torch.special.ndtr
            return torch.sum(spot * below(d1) - discounted * below(d1 - spread))

        forward = compiled(total)

        def gradient(market: Any, strike: Any, years: Any) -> Any:
            for x in market:
                x.requires_grad_(True)
            return torch.autograd.grad(forward(*market, strike, years), market)

        return gradient

    def autograd(self, autograd: Any, np: Any) -> Function:
        from autograd.scipy.special import erf

        def total(market: Any, strike: Any, years: Any) -> Any:
            spot, volatility = market
            spread = volatility * np.sqrt(years)
            d1 = (np.log(spot / strike) + (0.02 + 0.5 * volatility**2) * years) / spread
            discounted = strike * np.exp(-0.02 * years)
            return np.sum(spot * below(d1) - discounted * below(d1 - spread))

        def below(x: Any) -> Any:
            return 0.5 * (1.0 + erf(x * math.sqrt(0.5)))

        gradient: Function = autograd.grad(total)
        return gradient


@dataclass(frozen=True)
class Normals(Workload):
    """Random numbers from a key."""

    family: ClassVar[str] = "maps"
    comparable: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {"n": 1000}
    scales: ClassVar[str] = "n"
    n: int = 1_000_000

    @property
    def name(self) -> str:
        return "random normals, 1e6"

    def arguments(self) -> Arguments:
        return (numpy.int32(42),)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def draw(seed: Any) -> Any:
            return xla.random.normal(xla.random.key(seed), (self.n,), np.float32)

        jitted: Function = xla.jit(draw)
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        return compiled(lambda seed: torch.randn(self.n))

    def numpy(self) -> Function:
        generator = numpy.random.default_rng(42)
        return lambda seed: generator.standard_normal(self.n, numpy.float32)

    def traffic(self) -> Traffic:
        return Traffic(0.0, 4.0 * self.n)
