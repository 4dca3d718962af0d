"""Functions as people write them for numba, each with arguments to call it with.

Python itself says what they compute: none needs numba to run.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

RNG = np.random.default_rng(7)


@dataclass(frozen=True)
class Case:
    """A function, arguments, and those of them that have derivatives."""

    f: Callable[..., Any]
    args: tuple[Any, ...]
    smooth: bool = True

    @property
    def name(self) -> str:
        return self.f.__name__


CASES: list[Case] = []


def case(*args: Any, smooth: bool = True) -> Callable[..., Any]:
    def add(f: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append(Case(f, args, smooth))
        return f

    return add


def normal(*shape: int) -> Any:
    return RNG.standard_normal(shape)


def positive(*shape: int) -> Any:
    return 0.5 + RNG.random(shape)


def spd(n: int) -> Any:
    a = RNG.standard_normal((n, n))
    return a @ a.T + n * np.eye(n)


# ------------------------------------------------------------------ sums and recurrences


@case(normal(9))
def prefix_sum(x):
    y = np.empty_like(x)
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i]
        y[i] = total
    return y


@case(positive(7))
def prefix_product(x):
    y = np.empty_like(x)
    total = 1.0
    for i in range(len(x)):
        total *= x[i]
        y[i] = total
    return y


@case(normal(5), 0.7)
def horner(coefficients, x):
    value = 0.0
    for c in coefficients:
        value = value * x + c
    return value


@case(normal(12), 0.3)
def moving_average(x, alpha):
    y = np.zeros(x.size)
    y[0] = x[0]
    for i in range(1, x.size):
        y[i] = alpha * x[i] + (1 - alpha) * y[i - 1]
    return y


@case(normal(10))
def running_maximum(x):
    y = x.copy()
    for i in range(1, y.shape[0]):
        if y[i - 1] > y[i]:
            y[i] = y[i - 1]
    return y


@case(normal(20))
def kahan_sum(x):
    total, rest = 0.0, 0.0
    for i in range(x.shape[0]):
        y = x[i] - rest
        t = total + y
        rest = (t - total) - y
        total = t
    return total


@case(normal(16))
def welford(x):
    mean = 0.0
    m2 = 0.0
    for i in range(x.size):
        d = x[i] - mean
        mean += d / (i + 1)
        m2 += d * (x[i] - mean)
    return mean, m2 / (x.size - 1)


@case(0.5, 12)
def logistic_map(r, n):
    x = 0.3
    for _ in range(n):
        x = 4.0 * r * x * (1.0 - x)
    return x


@case(normal(8))
def softmax(x):
    largest = x[0]
    for v in x:
        if v > largest:
            largest = v
    y = np.empty_like(x)
    total = 0.0
    for i, v in enumerate(x):
        y[i] = math.exp(v - largest)
        total += y[i]
    for i in range(y.size):
        y[i] /= total
    return y


# ------------------------------------------------------------------ dynamic programming


@case(np.array([1, 2, 3, 4, 2]), np.array([2, 2, 4, 1]), 1.0, 0.8, 1.3)
def edit_distance(a, b, insertion, deletion, change):
    n, m = len(a), len(b)
    d = np.zeros((n + 1, m + 1))
    for i in range(1, n + 1):
        d[i, 0] = i * deletion
    for j in range(1, m + 1):
        d[0, j] = j * insertion
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = 0.0 if a[i - 1] == b[j - 1] else change
            d[i, j] = min(d[i - 1, j] + deletion, d[i, j - 1] + insertion, d[i - 1, j - 1] + cost)
    return d[n, m]


@case(np.array([1, 2, 3, 2, 4, 1, 2]), np.array([2, 4, 3, 1, 2, 1]), smooth=False)
def longest_common_subsequence(a, b):
    n, m = a.shape[0], b.shape[0]
    table = np.zeros((n + 1, m + 1), np.int64)
    for i in range(n):
        for j in range(m):
            if a[i] == b[j]:
                table[i + 1, j + 1] = table[i, j] + 1
            else:
                table[i + 1, j + 1] = max(table[i, j + 1], table[i + 1, j])
    return table[n, m]


@case(normal(3), normal(3, 3), normal(6, 3))
def viterbi(start, step, emission):
    n, k = emission.shape
    score = np.empty(k)
    for s in range(k):
        score[s] = start[s] + emission[0, s]
    for t in range(1, n):
        new = np.empty(k)
        for s in range(k):
            best = -1e300
            for r in range(k):
                value = score[r] + step[r, s]
                if value > best:
                    best = value
            new[s] = best + emission[t, s]
        score = new
    return score.max()


@case(normal(5), normal(6), 0.5)
def soft_dynamic_time_warping(x, y, gamma):
    n, m = x.size, y.size
    r = np.full((n + 1, m + 1), 1e10)
    r[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            d = (x[i - 1] - y[j - 1]) ** 2
            a, b, c = -r[i - 1, j] / gamma, -r[i, j - 1] / gamma, -r[i - 1, j - 1] / gamma
            top = max(a, b, c)
            total = math.exp(a - top) + math.exp(b - top) + math.exp(c - top)
            r[i, j] = d - gamma * (math.log(total) + top)
    return r[n, m]


@case(np.array([2, 3, 4, 5]), positive(4), 9)
def knapsack(weights, values, capacity):
    best = np.zeros(capacity + 1)
    for i in range(weights.size):
        w = weights[i]
        for c in range(capacity, w - 1, -1):
            candidate = best[c - w] + values[i]
            if candidate > best[c]:
                best[c] = candidate
    return best[capacity]


@case(positive(5, 5))
def floyd_warshall(weights):
    d = weights.copy()
    n = d.shape[0]
    for k in range(n):
        for i in range(n):
            for j in range(n):
                through = d[i, k] + d[k, j]
                if through < d[i, j]:
                    d[i, j] = through
    return d


@case(normal(4), normal(4, 4), normal(5, 4))
def forward_algorithm(start, step, emission):
    n, k = emission.shape
    a = np.exp(start + emission[0])
    total = 0.0
    for t in range(1, n):
        new = np.zeros(k)
        for s in range(k):
            for r in range(k):
                new[s] += a[r] * math.exp(step[r, s])
            new[s] *= math.exp(emission[t, s])
        scale = new.sum()
        a = new / scale
        total += math.log(scale)
    return total + math.log(a.sum())


# ------------------------------------------------------------------ sorting and searching


@case(normal(8))
def bubble_sort(x):
    y = x.copy()
    n = len(y)
    for i in range(n):
        for j in range(n - 1 - i):
            if y[j] > y[j + 1]:
                y[j], y[j + 1] = y[j + 1], y[j]
    return y


@case(normal(9))
def insertion_sort(values):
    x = np.copy(values)
    for i in range(1, x.shape[0]):
        key = x[i]
        j = i - 1
        while j >= 0 and x[j] > key:
            x[j + 1] = x[j]
            j -= 1
        x[j + 1] = key
    return x


def exchange(x, i, j):
    low = min(x[i], x[j])
    high = max(x[i], x[j])
    x[i] = low
    x[j] = high


@case(normal(4))
def sorting_network(values):
    x = values.copy()
    exchange(x, 0, 1)
    exchange(x, 2, 3)
    exchange(x, 0, 2)
    exchange(x, 1, 3)
    exchange(x, 1, 2)
    return x


@case(np.sort(normal(12)), 0.1, smooth=False)
def binary_search(x, value):
    low, high = 0, x.size
    while low < high:
        middle = (low + high) // 2
        if x[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@case(normal(10), 0.2)
def first_above(x, limit):
    for i in range(x.size):
        if x[i] > limit:
            return x[i] * 2.0
    return -1.0


@case(np.array([0.1, 0.9, 2.5, 3.2]), normal(4), np.array([0.5, 1.7, 3.0]))
def interpolate(xs, ys, at):
    out = np.empty(at.size)
    for k in range(at.size):
        i = 0
        while i < xs.size - 2 and xs[i + 1] < at[k]:
            i += 1
        t = (at[k] - xs[i]) / (xs[i + 1] - xs[i])
        out[k] = (1 - t) * ys[i] + t * ys[i + 1]
    return out


# ------------------------------------------------------------------ linear algebra


@case(spd(4))
def lu(a):
    n = a.shape[0]
    m = a.copy()
    for k in range(n):
        for i in range(k + 1, n):
            m[i, k] /= m[k, k]
            for j in range(k + 1, n):
                m[i, j] -= m[i, k] * m[k, j]
    return m


@case(spd(4))
def cholesky(a):
    n = a.shape[0]
    c = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= c[i, k] * c[j, k]
            if i == j:
                c[i, j] = math.sqrt(s)
            else:
                c[i, j] = s / c[j, j]
    return c


@case(normal(5), positive(6) + 4, normal(5), normal(6))
def tridiagonal_solve(lower, diagonal, upper, right):
    n = diagonal.size
    c = np.zeros(n)
    d = np.zeros(n)
    c[0] = upper[0] / diagonal[0]
    d[0] = right[0] / diagonal[0]
    for i in range(1, n):
        m = diagonal[i] - lower[i - 1] * c[i - 1]
        if i < n - 1:
            c[i] = upper[i] / m
        d[i] = (right[i] - lower[i - 1] * d[i - 1]) / m
    for i in range(n - 2, -1, -1):
        d[i] -= c[i] * d[i + 1]
    return d


@case(spd(4), normal(4), 8)
def gauss_seidel(a, b, sweeps):
    n = b.shape[0]
    x = np.zeros(n)
    for _ in range(sweeps):
        for i in range(n):
            s = b[i]
            for j in range(n):
                if j != i:
                    s -= a[i, j] * x[j]
            x[i] = s / a[i, i]
    return x


@case(spd(4), normal(4), 12)
def jacobi(a, b, sweeps):
    n = b.shape[0]
    x = np.zeros(n)
    new = np.zeros(n)
    for _ in range(sweeps):
        for i in range(n):
            s = b[i]
            for j in range(n):
                if j == i:
                    continue
                s -= a[i, j] * x[j]
            new[i] = s / a[i, i]
        x, new = new, x
    return x


@case(normal(3, 4), normal(4, 2))
def matrix_product(a, b):
    out = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                out[i, j] += a[i, k] * b[k, j]
    return out


@case(spd(3), normal(3), 6)
def power_iteration(a, start, steps):
    v = start / np.sqrt(np.dot(start, start))
    for _ in range(steps):
        w = np.zeros(v.size)
        for i in range(v.size):
            w[i] = np.dot(a[i], v)
        v = w / math.sqrt(np.sum(w * w))
    return v


@case(np.array([0, 2, 3, 5]), np.array([0, 2, 1, 0, 2]), normal(5), normal(3))
def sparse_matrix_vector(starts, columns, data, x):
    y = np.zeros(starts.size - 1)
    for i in range(y.size):
        for k in range(starts[i], starts[i + 1]):
            y[i] += data[k] * x[columns[k]]
    return y


@case(spd(3), normal(3))
def conjugate_gradients(a, b):
    x = np.zeros_like(b)
    r = b.copy()
    p = b.copy()
    rr = np.dot(r, r)
    steps = 0
    while rr > 1e-12 and steps < 3:
        ap = a @ p
        alpha = rr / np.dot(p, ap)
        x += alpha * p
        r -= alpha * ap
        new = np.dot(r, r)
        p = r + (new / rr) * p
        rr = new
        steps += 1
    return x


# ------------------------------------------------------------------ images and grids


@case(normal(9), normal(3))
def convolve(x, w):
    n, k = x.size, w.size
    y = np.zeros(n - k + 1)
    for i in range(n - k + 1):
        for j in range(k):
            y[i] += x[i + j] * w[k - 1 - j]
    return y


@case(normal(5, 6), normal(3, 3))
def convolve_image(image, kernel):
    h, w = image.shape
    out = np.zeros((h, w))
    for i in range(h):
        for j in range(w):
            total = 0.0
            for a in range(-1, 2):
                for b in range(-1, 2):
                    y, x = i + a, j + b
                    if 0 <= y < h and 0 <= x < w:
                        total += image[y, x] * kernel[a + 1, b + 1]
            out[i, j] = total
    return out


@case(normal(4, 5), 7, 3)
def bilinear_resize(image, height, width):
    h, w = image.shape
    out = np.empty((height, width))
    for i in range(height):
        y = i * (h - 1) / (height - 1)
        y0 = min(int(y), h - 2)
        fy = y - y0
        for j in range(width):
            x = j * (w - 1) / (width - 1)
            x0 = min(int(x), w - 2)
            fx = x - x0
            top = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
            bottom = image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx
            out[i, j] = top * (1 - fy) + bottom * fy
    return out


@case((RNG.random((6, 7)) < 0.4).astype(np.int64), 3, smooth=False)
def game_of_life(board, steps):
    h, w = board.shape
    now = board.copy()
    for _ in range(steps):
        new = np.zeros((h, w), np.int64)
        for i in range(h):
            for j in range(w):
                n = 0
                for a in (-1, 0, 1):
                    for b in (-1, 0, 1):
                        if a != 0 or b != 0:
                            n += now[(i + a) % h, (j + b) % w]
                if n == 3 or (n == 2 and now[i, j] == 1):
                    new[i, j] = 1
        now = new
    return now


@case(RNG.random(20), 5, smooth=False)
def histogram(x, bins):
    counts = np.zeros(bins, np.int64)
    for v in x:
        k = int(v * bins)
        if k == bins:
            k = bins - 1
        counts[k] += 1
    return counts


@case(normal(4, 6))
def laplacian(u):
    out = np.zeros_like(u)
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            out[i, j] = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - 4 * u[i, j]
    return out


@case(normal(8), 0.2, 5)
def heat_equation(u0, r, steps):
    u = u0.copy()
    for _ in range(steps):
        old = u.copy()
        for i in range(1, u.shape[0] - 1):
            u[i] = old[i] + r * (old[i + 1] - 2 * old[i] + old[i - 1])
    return u


@case(normal(6, 6))
def max_pool(x):
    h, w = x.shape[0] // 2, x.shape[1] // 2
    out = np.empty((h, w))
    for i in range(h):
        for j in range(w):
            out[i, j] = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max()
    return out


@case(positive(5, 5))
def summed_area(x):
    s = np.zeros_like(x)
    for i in range(x.shape[0]):
        row = 0.0
        for j in range(x.shape[1]):
            row += x[i, j]
            s[i, j] = row
            if i > 0:
                s[i, j] += s[i - 1, j]
    return s


# ------------------------------------------------------------------ simulation


@case(-0.4, 0.5, 20, smooth=False)
def mandelbrot(re, im, limit):
    x, y = 0.0, 0.0
    for n in range(limit):
        if x * x + y * y > 4.0:
            return n
        x, y = x * x - y * y + re, 2 * x * y + im
    return limit


@case(-0.1, 0.2, 6)
def escape_radius(re, im, steps):
    x = y = 0.0
    for _ in range(steps):
        x, y = x * x - y * y + re, 2.0 * x * y + im
        if x * x + y * y > 100.0:
            break
    return math.hypot(x, y)


@case(normal(3, 3), normal(3, 3), positive(3), 0.01, 4)
def n_body(position, velocity, mass, dt, steps):
    p = position.copy()
    v = velocity.copy()
    n = p.shape[0]
    for _ in range(steps):
        for i in range(n):
            for j in range(n):
                if i == j:
                    continue
                d2 = 0.1
                for k in range(3):
                    d2 += (p[j, k] - p[i, k]) ** 2
                f = mass[j] / (d2 * math.sqrt(d2))
                for k in range(3):
                    v[i, k] += dt * f * (p[j, k] - p[i, k])
        for i in range(n):
            for k in range(3):
                p[i, k] += dt * v[i, k]
    return p


def derivative(state, sigma, rho, beta):
    x, y, z = state
    return sigma * (y - x), x * (rho - z) - y, x * y - beta * z


@case(normal(3), 10.0, 28.0, 8 / 3, 0.01, 10)
def lorenz(start, sigma, rho, beta, dt, steps):
    x, y, z = start[0], start[1], start[2]
    for _ in range(steps):
        dx, dy, dz = derivative((x, y, z), sigma, rho, beta)
        x, y, z = x + dt * dx, y + dt * dy, z + dt * dz
    return x, y, z


@case(normal(2), 1.5, 0.05, 9)
def runge_kutta(start, k, h, steps):
    y = start.copy()
    out = np.empty((steps, 2))
    for i in range(steps):
        a0, a1 = y[1], -k * y[0]
        b0, b1 = y[1] + 0.5 * h * a1, -k * (y[0] + 0.5 * h * a0)
        y[0] += h * b0
        y[1] += h * b1
        out[i] = y
    return out


@case(normal(6, 2), 0.5, 0.2, 100.0)
def random_walk(noise, sigma, drift, start):
    n = noise.shape[0]
    path = np.empty(n + 1)
    path[0] = start
    v = sigma
    for t in range(n):
        path[t + 1] = path[t] * math.exp((drift - 0.5 * v * v) * 0.01 + v * 0.1 * noise[t, 0])
        v = abs(v + 0.1 * noise[t, 1])
    return path


@case(2.0)
def newton_root(a):
    x = a
    step = 1.0
    while abs(step) > 1e-12:
        step = (x * x - a) / (2 * x)
        x -= step
    return x


@case(0.3, 1.2, 16)
def simpson(a, b, n):
    h = (b - a) / n
    total = math.exp(-a * a) + math.exp(-b * b)
    for i in range(1, n):
        x = a + i * h
        total += (4 if i % 2 == 1 else 2) * math.exp(-x * x)
    return total * h / 3


@case(normal(7), 1.0)
def huber(x, delta):
    total = 0.0
    for v in x:
        if abs(v) <= delta:
            total += 0.5 * v * v
        else:
            total += delta * (abs(v) - 0.5 * delta)
    return total / x.size


@case(positive(5), positive(5), 3)
def sinkhorn(a, b, steps):
    n = a.size
    cost = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            cost[i, j] = math.exp(-abs(i - j) / 2.0)
    u = np.ones(n)
    v = np.ones(n)
    for _ in range(steps):
        for i in range(n):
            u[i] = a[i] / np.dot(cost[i, :], v)
        for j in range(n):
            v[j] = b[j] / np.dot(cost[:, j], u)
    return u, v


@case(normal(4), normal(3, 4), normal(3, 3), normal(5, 4))
def recurrent_network(start, w, u, inputs):
    h = np.zeros(3)
    for t in range(inputs.shape[0]):
        new = np.empty(3)
        for i in range(3):
            z = 0.0
            for j in range(4):
                z += w[i, j] * (inputs[t, j] + start[j])
            for j in range(3):
                z += u[i, j] * h[j]
            new[i] = math.tanh(z)
        h[:] = new
    return h


@case(normal(6), normal(6))
def haversine(a, b):
    out = np.empty(a.size)
    for i in range(a.size):
        s = math.sin((b[i] - a[i]) / 2) ** 2
        out[i] = 2 * math.atan2(math.sqrt(s + 0.01), math.sqrt(1.5 - s))
    return out


@case(normal(5, 3))
def pairwise_distances(x):
    n = x.shape[0]
    d = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            t = 0.0
            for k in range(x.shape[1]):
                t += (x[i, k] - x[j, k]) ** 2
            d[i, j] = d[j, i] = math.sqrt(t)
    return d
