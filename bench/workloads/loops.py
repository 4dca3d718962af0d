"""Loops whose steps depend on each other: simulation, filtering, iteration to convergence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

from bench.workloads.workload import Arguments, Function, Workload, normal

__all__ = ["EscapeCounts", "Kalman", "Lorenz", "Newton", "OdeAdjoint", "SmallCarry"]


@dataclass(frozen=True)
class Lorenz(Workload):
    """Euler steps of Lorenz's equations, three numbers from step to step."""

    family: ClassVar[str] = "loops"
    comparable: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {"steps": 50}
    scales: ClassVar[str] = "steps"
    serial: ClassVar[str] = "each step needs the one before, and is a few nanoseconds"
    steps: int = 100_000

    @property
    def name(self) -> str:
        return "Lorenz scan, 1e5 steps"

    def arguments(self) -> Arguments:
        return tuple(numpy.float32(1) for _ in range(3))

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def step(state: Any, _: Any) -> tuple[Any, None]:
            x, y, z = state
            dx, dy, dz = 10.0 * (y - x), x * (28.0 - z) - y, x * y - (8.0 / 3.0) * z
            return (x + 0.005 * dx, y + 0.005 * dy, z + 0.005 * dz), None

        def run(x: Any, y: Any, z: Any) -> Any:
            return lax.scan(step, (x, y, z), None, length=self.steps)[0]

        jitted: Function = xla.jit(run)
        return jitted

    def numba(self, numba: Any) -> Function:
        steps, f32 = self.steps, numpy.float32
        sigma, rho, beta, dt = f32(10), f32(28), f32(8 / 3), f32(0.005)

        @numba.njit(fastmath={"contract"})
        def run(x: Any, y: Any, z: Any) -> Any:
            for _ in range(steps):
                dx, dy, dz = sigma * (y - x), x * (rho - z) - y, x * y - beta * z
                x, y, z = x + dt * dx, y + dt * dy, z + dt * dz
            return x, y, z

        jitted: Function = run
        return jitted


@dataclass(frozen=True)
class SmallCarry(Workload):
    """The gradient through a recurrence of 3x3 matrices."""

    family: ClassVar[str] = "loops"
    dtype: ClassVar[str] = "float64"
    torch_compiles: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {"steps": 5}
    scales: ClassVar[str] = "steps"
    serial: ClassVar[str] = "each step needs the one before, and is a few nanoseconds"
    steps: int = 10_000

    @property
    def name(self) -> str:
        return "gradient of a scan with a 3x3 carry, 1e4 steps, float64"

    def arguments(self) -> Arguments:
        return 0.5 * normal(3, 3, dtype="float64"), normal(3, 3, seed=1, dtype="float64")

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def loss(a: Any, start: Any) -> Any:
            def step(c: Any, _: Any) -> Any:
                return np.tanh(a @ c) + 0.1, None

            return np.sum(lax.scan(step, start, None, length=self.steps)[0])

        jitted: Function = xla.jit(xla.grad(loss))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def gradient(a: Any, start: Any) -> Any:
            a.requires_grad_(True)
            c = start
            for _ in range(self.steps):
                c = torch.tanh(a @ c) + 0.1
            return torch.autograd.grad(torch.sum(c), a)[0]

        return gradient

    def autograd(self, autograd: Any, np: Any) -> Function:
        def loss(a: Any, start: Any) -> Any:
            c = start
            for _ in range(self.steps):
                c = np.tanh(np.dot(a, c)) + 0.1
            return np.sum(c)

        gradient: Function = autograd.grad(loss)
        return gradient


@dataclass(frozen=True)
class Kalman(Workload):
    """The likelihood of observations under a linear system with four states."""

    family: ClassVar[str] = "loops"
    dtype: ClassVar[str] = "float64"
    small: ClassVar[dict[str, int]] = {"steps": 5}
    scales: ClassVar[str] = "steps"
    serial: ClassVar[str] = "each step needs the one before, and is half a microsecond"
    steps: int = 1000

    @property
    def name(self) -> str:
        return f"Kalman filter, {self.steps} steps, float64"

    def arguments(self) -> Arguments:
        move = numpy.eye(4) + 0.1 * numpy.eye(4, k=2)
        see = numpy.eye(2, 4)
        return move, see, normal(self.steps, 2, dtype="float64")

    def filter(self, np: Any, scan: Function) -> Function:
        """The filter by that array module and that scan."""

        def likelihood(move: Any, see: Any, seen: Any) -> Any:
            def step(state: Any, y: Any) -> Any:
                mean, spread = state
                mean, spread = move @ mean, move @ spread @ move.T + 0.01 * np.eye(4)
                off, innovation = y - see @ mean, see @ spread @ see.T + 0.1 * np.eye(2)
                gain = np.linalg.solve(innovation, see @ spread).T
                cost = np.sum(off * np.linalg.solve(innovation, off[:, None])[:, 0])
                state = mean + gain @ off, spread - gain @ see @ spread
                return state, -0.5 * (cost + np.log(np.linalg.det(innovation)))

            return np.sum(scan(step, (np.zeros(4), np.eye(4)), seen)[1])

        return likelihood

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        jitted: Function = xla.jit(self.filter(np, lax.scan))
        return jitted

    def numpy(self) -> Function:
        def scan(step: Function, state: Any, xs: Any) -> Any:
            outs = []
            for x in xs:
                state, out = step(state, x)
                outs.append(out)
            return state, numpy.array(outs)

        return self.filter(numpy, scan)


@dataclass(frozen=True)
class OdeAdjoint(Workload):
    """Gradients of a neural differential equation by its adjoint, integrated backward."""

    family: ClassVar[str] = "loops"
    torch_compiles: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {"steps": 3, "batch": 2, "hidden": 5}
    scales: ClassVar[str] = "steps"
    serial: ClassVar[str] = "each step needs the one before, and is a few microseconds"
    steps: int = 100
    batch: int = 32
    width: int = 8
    hidden: int = 32

    @property
    def name(self) -> str:
        return f"ODE adjoint, {self.steps} Runge-Kutta steps, batch {self.batch}"

    def arguments(self) -> Arguments:
        w1 = normal(self.width, self.hidden, scale=0.3)
        return [w1, normal(self.hidden, self.width, scale=0.3, seed=1)], normal(
            self.batch, self.width, seed=2
        )

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        step = 1.0 / self.steps

        def slope(params: Any, z: Any) -> Any:
            return np.tanh(z @ params[0]) @ params[1]

        def runge_kutta(f: Function, z: Any, h: float) -> Any:
            def along(k: Any, share: float) -> Any:
                return xla.tree.map(lambda a, b: a + share * h * b, z, k)

            k1 = f(z)
            k2 = f(along(k1, 0.5))
            k3 = f(along(k2, 0.5))
            k4 = f(along(k3, 1.0))
            return xla.tree.map(
                lambda a, b, c, d, e: a + h / 6 * (b + 2 * c + 2 * d + e), z, k1, k2, k3, k4
            )

        def gradient(params: Any, start: Any) -> Any:
            def forward(z: Any, _: Any) -> Any:
                return runge_kutta(lambda z: slope(params, z), z, step), None

            end = lax.scan(forward, start, None, length=self.steps)[0]

            def adjoint(state: Any) -> Any:
                z, a, _ = state
                dz, pull = xla.vjp(slope, params, z)
                by_params, by_z = pull(a)
                return dz, xla.tree.map(lambda x: -x, by_z), xla.tree.map(lambda x: -x, by_params)

            def backward(state: Any, _: Any) -> Any:
                return runge_kutta(adjoint, state, -step), None

            zeros = xla.tree.map(np.zeros_like, params)
            state = (end, 2 * end / end.size, zeros)
            return lax.scan(backward, state, None, length=self.steps)[0][2]

        jitted: Function = xla.jit(gradient)
        return jitted

    def numpy(self) -> Function:
        def slope(params: Any, z: Any) -> Any:
            return numpy.tanh(z @ params[0]) @ params[1]

        def adjoint(params: Any, z: Any, a: Any) -> Any:
            hot = numpy.tanh(z @ params[0])
            before = (a @ params[1].T) * (1 - hot * hot)
            return hot @ params[1], -before @ params[0].T, -z.T @ before, -hot.T @ a

        def runge_kutta(f: Function, state: Any, h: float) -> Any:
            k1 = f(*state)
            k2 = f(*(a + 0.5 * h * b for a, b in zip(state, k1, strict=True)))
            k3 = f(*(a + 0.5 * h * b for a, b in zip(state, k2, strict=True)))
            k4 = f(*(a + h * b for a, b in zip(state, k3, strict=True)))
            every = zip(state, k1, k2, k3, k4, strict=True)
            return [a + h / 6 * (b + 2 * c + 2 * d + e) for a, b, c, d, e in every]

        def gradient(params: Any, z: Any) -> Any:
            step = 1.0 / self.steps
            for _ in range(self.steps):
                (z,) = runge_kutta(lambda z: (slope(params, z),), (z,), step)
            state = [z, 2 * z / z.size, *map(numpy.zeros_like, params)]
            for _ in range(self.steps):
                state = runge_kutta(lambda z, a, *_: adjoint(params, z, a), state, -step)
            return state[2:]

        return gradient


@dataclass(frozen=True)
class Newton(Workload):
    """Kepler's equation for many orbits, each iterated until it is solved."""

    family: ClassVar[str] = "loops"
    tolerance: ClassVar[float] = 1e-4
    small: ClassVar[dict[str, int]] = {"n": 9}
    scales: ClassVar[str] = "n"
    n: int = 100_000

    @property
    def name(self) -> str:
        return "vmapped Newton, Kepler's equation, 1e5"

    def arguments(self) -> Arguments:
        random = numpy.random.default_rng(0)
        mean, eccentricity = random.uniform(0, 6.28, self.n), random.uniform(0, 0.7, self.n)
        return mean.astype(numpy.float32), eccentricity.astype(numpy.float32)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def solve(mean: Any, e: Any) -> Any:
            def apart(state: Any) -> Any:
                i, _, move = state
                return (i < 20) & (np.abs(move) > 1e-4)

            def step(state: Any) -> Any:
                i, x, _ = state
                move = (x - e * np.sin(x) - mean) / (1 - e * np.cos(x))
                return i + 1, x - move, move

            start = (np.int32(0), mean + 0.5 * e, np.float32(1))
            return lax.while_loop(apart, step, start)[1]

        jitted: Function = xla.jit(xla.vmap(solve))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def step(x: Any, mean: Any, e: Any) -> Any:
            move = (x - e * torch.sin(x) - mean) / (1 - e * torch.cos(x))
            return x - move, torch.max(torch.abs(move))

        once = compiled(step)

        def solve(mean: Any, e: Any) -> Any:
            x = mean + 0.5 * e
            for _ in range(20):
                x, apart = once(x, mean, e)
                if float(apart) <= 1e-4:
                    break
            return x

        return solve

    def numpy(self) -> Function:
        def solve(mean: Any, e: Any) -> Any:
            x = mean + numpy.float32(0.5) * e
            for _ in range(20):
                move = (x - e * numpy.sin(x) - mean) / (1 - e * numpy.cos(x))
                x = x - move
                if numpy.max(numpy.abs(move)) <= 1e-4:
                    break
            return x

        return solve


@dataclass(frozen=True)
class EscapeCounts(Workload):
    """How long each point stays near under z -> z^2 + c: a different count for each."""

    family: ClassVar[str] = "loops"
    comparable: ClassVar[bool] = False
    torch_compiles: ClassVar[bool] = False
    small: ClassVar[dict[str, int]] = {"side": 5}
    scales: ClassVar[str] = "side"
    side: int = 100
    limit: int = 100

    @property
    def name(self) -> str:
        return "vmapped while_loop, 10000 escape counts"

    def arguments(self) -> Arguments:
        across, up = numpy.linspace(-2, 0.6, self.side), numpy.linspace(-1.2, 1.2, self.side)
        x, y = numpy.meshgrid(across, up)
        return x.ravel().astype(numpy.float32), y.ravel().astype(numpy.float32)

    def xla(self, xla: Any, np: Any, lax: Any) -> Function:
        def count(cx: Any, cy: Any) -> Any:
            def inside(state: Any) -> Any:
                i, x, y = state
                return (i < self.limit) & (x * x + y * y <= 4.0)

            def step(state: Any) -> Any:
                i, x, y = state
                return i + 1, x * x - y * y + cx, 2.0 * x * y + cy

            zero = np.float32(0)
            return lax.while_loop(inside, step, (np.int32(0), zero, zero))[0]

        jitted: Function = xla.jit(xla.vmap(count))
        return jitted

    def torch(self, torch: Any, compiled: Callable[[Function], Function]) -> Function:
        def counts(cx: Any, cy: Any) -> Any:
            x = torch.zeros_like(cx)
            y, count = torch.zeros_like(cx), torch.zeros_like(cx, dtype=torch.int32)
            for _ in range(self.limit):
                inside = x * x + y * y <= 4.0
                count += inside
                x, y = (
                    torch.where(inside, x * x - y * y + cx, x),
                    torch.where(inside, 2 * x * y + cy, y),
                )
            return count

        return counts

    def numba(self, numba: Any) -> Function:
        limit, four, two = self.limit, numpy.float32(4), numpy.float32(2)

        @numba.njit(parallel=True, fastmath={"contract"})
        def counts(cx: Any, cy: Any) -> Any:
            out = numpy.empty(cx.size, numpy.int32)
            for k in numba.prange(cx.size):
                i, x, y = 0, numpy.float32(0), numpy.float32(0)
                while i < limit and x * x + y * y <= four:
                    i, x, y = i + 1, x * x - y * y + cx[k], two * x * y + cy[k]
                out[k] = i
            return out

        jitted: Function = counts
        return jitted
