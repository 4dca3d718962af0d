"""Simulation steps, as people write them with NumPy."""
# mypy: ignore-errors

import numpy as np

from tests.corpus.case import case, made

GRID = made(7, 8, low=0.0, high=1.0)


@case(made(12), 0.1, 5, static=(2,))
def heat_1d(u, r, steps):
    u = u.copy()
    for _ in range(steps):
        u[1:-1] += r * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u


@case(GRID, 0.1, 3, static=(2,))
def heat_2d(u0, r, steps):
    u = np.array(u0)
    new = np.empty_like(u)
    for _ in range(steps):
        new[:] = u
        new[1:-1, 1:-1] = u[1:-1, 1:-1] + r * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )
        u, new = new, u
    return u


@case(made(12), made(12, seed=1), 6, static=(2,))
def wave_1d(u0, v0, steps):
    c = 0.5
    u = np.zeros((steps, len(u0)))
    u[0] = u0
    u[1] = u0 + v0 * 0.1
    for t in range(1, steps - 1):
        u[t + 1, 1:-1] = (
            2 * u[t, 1:-1] - u[t - 1, 1:-1] + c**2 * (u[t, 2:] - 2 * u[t, 1:-1] + u[t, :-2])
        )
    return u


@case((GRID > 0.5).astype(int), grad=False)
def game_of_life(board):
    n = np.zeros(board.shape, dtype=int)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy or dx:
                n += np.roll(np.roll(board, dy, 0), dx, 1)
    out = board.copy()
    out[(board == 1) & ((n < 2) | (n > 3))] = 0
    out[(board == 0) & (n == 3)] = 1
    return out


@case((GRID > 0.5).astype(int), grad=False)
def game_of_life_in_place(z):
    n = np.zeros(z.shape, int)
    n[1:-1, 1:-1] += (
        z[:-2, :-2] + z[:-2, 1:-1] + z[:-2, 2:] + z[1:-1, :-2] + z[1:-1, 2:]
        + z[2:, :-2] + z[2:, 1:-1] + z[2:, 2:]
    )  # fmt: skip
    birth = (n == 3)[1:-1, 1:-1] & (z[1:-1, 1:-1] == 0)
    survive = ((n == 2) | (n == 3))[1:-1, 1:-1] & (z[1:-1, 1:-1] == 1)
    out = np.zeros_like(z)
    out[1:-1, 1:-1][birth | survive] = 1
    return out


@case(made(5, 2), made(5, 2, seed=1), 0.01, 3, static=(3,))
def n_body(pos, vel, dt, steps):
    pos, vel = pos.copy(), vel.copy()
    n = len(pos)
    for _ in range(steps):
        acc = np.zeros_like(pos)
        for i in range(n):
            for j in range(n):
                if i != j:
                    d = pos[j] - pos[i]
                    acc[i] += d / (np.sum(d**2) + 0.1) ** 1.5
        vel += acc * dt
        pos += vel * dt
    return pos, vel


@case(made(6, 3), made(6, 3, seed=1))
def velocity_verlet(x, v):
    x, v, dt = x.copy(), v.copy(), 0.05
    for _ in range(4):
        v += 0.5 * dt * -x
        x += dt * v
        v += 0.5 * dt * -x
    return 0.5 * (v * v).sum() + 0.5 * (x * x).sum()


@case(made(6, 2, low=-0.99, high=0.99), made(6, 2, seed=1))
def bouncing_particles(x, v):
    x, v = x.copy(), v.copy()
    for _ in range(5):
        x += 0.3 * v
        out = np.abs(x) > 1
        v[out] *= -1
        np.clip(x, -1, 1, out=x)
    return x, v


@case(np.array([0.99, 0.01, 0.0]), 0.4, 0.1)
def sir_model(y0, beta, gamma):
    n = 10
    s, i, r = np.zeros(n), np.zeros(n), np.zeros(n)
    s[0], i[0], r[0] = y0
    for t in range(n - 1):
        infected = beta * s[t] * i[t]
        recovered = gamma * i[t]
        s[t + 1] = s[t] - infected
        i[t + 1] = i[t] + infected - recovered
        r[t + 1] = r[t] + recovered
    return np.stack([s, i, r])


@case(np.array([1.0, 1.0, 1.0]))
def lorenz(state):
    path = np.empty((8, 3))
    path[0] = state
    for k in range(7):
        x, y, z = path[k]
        path[k + 1] = path[k] + 0.01 * np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])
    return path


@case(GRID, made(7, 8, seed=1, low=0.0, high=0.3))
def gray_scott(u, v):
    def laplacian(a):
        out = -4 * a
        out += np.roll(a, 1, 0)
        out += np.roll(a, -1, 0)
        out += np.roll(a, 1, 1)
        out += np.roll(a, -1, 1)
        return out

    u, v = u.copy(), v.copy()
    for _ in range(3):
        uvv = u * v * v
        u += 0.16 * laplacian(u) - uvv + 0.035 * (1 - u)
        v += 0.08 * laplacian(v) + uvv - 0.1 * v
    return u, v


@case(GRID)
def laplace_relaxation(p):
    p = p.copy()
    for _ in range(4):
        pn = p.copy()
        p[1:-1, 1:-1] = (pn[1:-1, 2:] + pn[1:-1, :-2] + pn[2:, 1:-1] + pn[:-2, 1:-1]) / 4
        p[:, 0] = 0
        p[:, -1] = 1
        p[0, :] = p[1, :]
        p[-1, :] = p[-2, :]
    return p


@case(made(12, low=0.5, high=1.5))
def burgers(u):
    u = u.copy()
    for _ in range(4):
        un = u.copy()
        u[1:] = un[1:] - 0.05 * un[1:] * (un[1:] - un[:-1])
        u[0] = un[0] - 0.05 * un[0] * (un[0] - un[-1])
    return u


class Lattice:
    """A class whose methods write to its arrays."""

    def __init__(self, n):
        self.f = np.zeros((3, n))
        self.w = np.array([2 / 3, 1 / 6, 1 / 6])

    def load(self, rho):
        self.f[:] = self.w[:, None] * rho

    def step(self, omega):
        rho = self.f.sum(axis=0)
        for k in range(3):
            self.f[k] += omega * (self.w[k] * rho - self.f[k])
        self.f[1] = np.roll(self.f[1], 1)
        self.f[2] = np.roll(self.f[2], -1)


@case(made(9, low=0.5, high=1.5), 0.7)
def lattice_boltzmann(rho, omega):
    lattice = Lattice(len(rho))
    lattice.load(rho)
    for _ in range(4):
        lattice.step(omega)
    return lattice.f


@case(made(10), 0.5)
def random_walk_with_drift(noise, mu):
    x = np.zeros(len(noise) + 1)
    for t in range(len(noise)):
        x[t + 1] = 0.9 * x[t] + mu + noise[t]
    return x[1:]


@case(made(3, 20), np.array([1.0, 2.0, 3.0]))
def geometric_brownian_paths(z, s0):
    paths = np.zeros((3, 21))
    paths[:, 0] = s0
    for t in range(20):
        paths[:, t + 1] = paths[:, t] * np.exp(-0.005 + 0.1 * z[:, t])
    payoff = np.maximum(paths[:, -1] - 1.0, 0)
    return payoff.mean()


@case(100.0, 95.0, 0.2)
def binomial_option(s, k, sigma):
    n, r, dt = 12, 0.03, 1 / 12
    u = np.exp(sigma * np.sqrt(dt))
    d = 1 / u
    p = (np.exp(r * dt) - d) / (u - d)
    prices = np.zeros(n + 1)
    for j in range(n + 1):
        prices[j] = s * u**j * d ** (n - j)
    v = np.maximum(prices - k, 0)
    for i in range(n - 1, -1, -1):
        v[: i + 1] = np.exp(-r * dt) * (p * v[1 : i + 2] + (1 - p) * v[: i + 1])
    return v[0]


@case(made(10), made(10, seed=1))
def symplectic_chain(q, p):
    q, p = q.copy(), p.copy()
    for _ in range(3):
        force = np.zeros_like(q)
        stretch = np.diff(q)
        force[:-1] += stretch
        force[1:] -= stretch
        p += 0.1 * force
        q += 0.1 * p
    return np.concatenate((q, p))


@case((made(10) > 0).astype(int), grad=False)
def rule_110(cells):
    rows = np.zeros((5, len(cells)), dtype=int)
    rows[0] = cells
    table = np.array([0, 1, 1, 1, 0, 1, 1, 0])
    for t in range(4):
        left, right = np.roll(rows[t], 1), np.roll(rows[t], -1)
        rows[t + 1] = table[4 * left + 2 * rows[t] + right]
    return rows


@case(made(5, 5), made(5, low=0.1, high=1.0))
def markov_chain(logits, start):
    p = np.exp(logits)
    for row in p:
        row /= row.sum()
    state = start / start.sum()
    history = np.empty((6, 5))
    for t in range(6):
        history[t] = state
        state = state @ p
    return history


@case(made(6), made(6, seed=9))
def kalman_filter(z, _unused):
    x, p = 0.0, 1.0
    xs, ps = np.zeros_like(z), np.zeros_like(z)
    for t in range(len(z)):
        p += 0.01
        k = p / (p + 0.1)
        x += k * (z[t] - x)
        p *= 1 - k
        xs[t], ps[t] = x, p
    return xs, ps


@case(made(8, 2))
def polygon_area_and_centroid(v):
    x, y = v.T
    area = 0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
    c = np.zeros(2)
    for i in range(len(v)):
        j = (i + 1) % len(v)
        cross = x[i] * y[j] - x[j] * y[i]
        c += (v[i] + v[j]) * cross
    c /= 6 * area
    return area, c
