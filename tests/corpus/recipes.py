"""Numerical recipes, as people write them with NumPy."""
# mypy: ignore-errors

import numpy as np
from numpy import zeros

from tests.corpus.case import case, made

SYMMETRIC = made(4, 4) @ made(4, 4).T + 4 * np.eye(4)
SQUARE = made(4, 4) + 4 * np.eye(4)


@case(SQUARE, made(4, seed=1))
def gauss_elimination(a, b):
    a, b = a.copy(), b.copy()
    n = len(b)
    for k in range(n - 1):
        for i in range(k + 1, n):
            m = a[i, k] / a[k, k]
            a[i, k:] -= m * a[k, k:]
            b[i] -= m * b[k]
    x = np.zeros(n)
    for i in range(n - 1, -1, -1):
        x[i] = (b[i] - a[i, i + 1 :] @ x[i + 1 :]) / a[i, i]
    return x


@case(SYMMETRIC)
def cholesky(a):
    n = a.shape[0]
    low = zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            s = np.dot(low[i, :j], low[j, :j])
            if i == j:
                low[i, i] = np.sqrt(a[i, i] - s)
            else:
                low[i, j] = (a[i, j] - s) / low[j, j]
    return low


@case(SQUARE)
def lu_in_place(a):
    lu = np.array(a)
    n = lu.shape[0]
    for k in range(n):
        lu[k + 1 :, k] /= lu[k, k]
        lu[k + 1 :, k + 1 :] -= np.outer(lu[k + 1 :, k], lu[k, k + 1 :])
    return np.tril(lu, -1) + np.eye(n), np.triu(lu)


@case(made(5, 3))
def gram_schmidt(v):
    q = v.copy()
    for i in range(q.shape[1]):
        for j in range(i):
            q[:, i] -= (q[:, j] @ q[:, i]) * q[:, j]
        q[:, i] /= np.linalg.norm(q[:, i])
    return q


@case(made(5), made(6, low=2.0, high=3.0), made(5, seed=2), made(6, seed=3))
def thomas(a, b, c, d):
    n = len(d)
    cp, dp = np.zeros(n - 1), np.zeros(n)
    cp[0] = c[0] / b[0]
    dp[0] = d[0] / b[0]
    for i in range(1, n):
        w = b[i] - a[i - 1] * cp[i - 1]
        if i < n - 1:
            cp[i] = c[i] / w
        dp[i] = (d[i] - a[i - 1] * dp[i - 1]) / w
    x = np.empty(n)
    x[-1] = dp[-1]
    for i in range(n - 2, -1, -1):
        x[i] = dp[i] - cp[i] * x[i + 1]
    return x


@case(SYMMETRIC, made(4, seed=1))
def conjugate_gradients(a, b):
    x = np.zeros_like(b)
    r = b - a @ x
    p = r.copy()
    rs = r @ r
    for _ in range(4):
        ap = a @ p
        alpha = rs / (p @ ap)
        x += alpha * p
        r -= alpha * ap
        new = r @ r
        p *= new / rs
        p += r
        rs = new
    return x


@case(SQUARE, made(4, seed=1))
def jacobi(a, b):
    d = np.diag(a)
    r = a - np.diagflat(d)
    x = np.zeros(len(b))
    for _ in range(10):
        x[:] = (b - r @ x) / d
    return x


@case(SQUARE, made(4, seed=1))
def gauss_seidel(a, b):
    x = np.zeros_like(b)
    for _ in range(6):
        for i in range(len(b)):
            x[i] = (b[i] - a[i, :i] @ x[:i] - a[i, i + 1 :] @ x[i + 1 :]) / a[i, i]
    return x


@case(SYMMETRIC)
def power_iteration(a):
    v = np.ones(a.shape[0])
    for _ in range(12):
        v = a @ v
        v /= np.linalg.norm(v)
    return v @ a @ v


@case(np.sort(made(5)), made(5, seed=4), np.array([-0.2, 0.1, 0.3]))
def newton_interpolation(x, y, at):
    n = len(x)
    c = y.copy()
    for j in range(1, n):
        c[j:] = (c[j:] - c[j - 1 : -1]) / (x[j:] - x[: n - j])
    p = np.full_like(at, c[-1])
    for k in range(n - 2, -1, -1):
        p = p * (at - x[k]) + c[k]
    return p


@case(np.linspace(0, 1, 4), made(4, seed=4), 0.3)
def neville(x, y, at):
    p = y.astype(float)
    n = len(p)
    for k in range(1, n):
        for i in range(n - k):
            p[i] = ((at - x[i + k]) * p[i] + (x[i] - at) * p[i + 1]) / (x[i] - x[i + k])
    return p[0]


@case(0.3, 1.7)
def romberg(a, b):
    f = lambda x: np.exp(-x * x)  # noqa: E731
    n = 5
    r = np.zeros((n, n))
    h = b - a
    r[0, 0] = 0.5 * h * (f(a) + f(b))
    for i in range(1, n):
        h = h / 2
        s = 0.0
        for k in range(1, 2**i, 2):
            s += f(a + k * h)
        r[i, 0] = 0.5 * r[i - 1, 0] + s * h
        for j in range(1, i + 1):
            r[i, j] = r[i, j - 1] + (r[i, j - 1] - r[i - 1, j - 1]) / (4**j - 1)
    return r[n - 1, n - 1]


@case(np.array([1.0, 0.0]), 0.1, 20, static=(2,))
def runge_kutta(y0, h, steps):
    def f(y):
        out = np.empty_like(y)
        out[0] = y[1]
        out[1] = -np.sin(y[0])
        return out

    ys = np.zeros((steps + 1, y0.size))
    ys[0] = y0
    for i in range(steps):
        y = ys[i]
        k1 = f(y)
        k2 = f(y + h / 2 * k1)
        k3 = f(y + h / 2 * k2)
        k4 = f(y + h * k3)
        ys[i + 1] = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return ys


@case(made(6), made(3, seed=1))
def polynomial_product(p, q):
    out = np.zeros(len(p) + len(q) - 1)
    for i, a in enumerate(p):
        out[i : i + len(q)] += a * q
    return out


@case(made(5), 0.7)
def horner(c, x):
    acc = np.zeros(())
    for a in c[::-1]:
        acc = acc * x + a
    return acc


@case(made(5), 0.7)
def horner_with_derivatives(c, x):
    n = len(c)
    d = np.zeros(n)
    for k in range(n - 1, -1, -1):
        for j in range(min(n - 1, n - 1 - k), 0, -1):
            d[j] = d[j] * x + d[j - 1]
        d[0] = d[0] * x + c[k]
    return d


@case(made(8))
def clenshaw(c):
    x = np.linspace(-1, 1, 5)
    b = np.zeros((len(c) + 2, len(x)))
    for k in range(len(c) - 1, 0, -1):
        b[k] = 2 * x * b[k + 1] - b[k + 2] + c[k]
    return x * b[1] - b[2] + c[0]


@case(made(8))
def fft_recursive(x):
    def fft(x):
        n = len(x)
        if n == 1:
            return x.astype(complex)
        even, odd = fft(x[::2]), fft(x[1::2])
        t = np.exp(-2j * np.pi * np.arange(n // 2) / n) * odd
        out = np.empty(n, dtype=complex)
        out[: n // 2] = even + t
        out[n // 2 :] = even - t
        return out

    return np.abs(fft(x))


@case(made(8))
def haar_transform(x):
    out = x.copy()
    n = len(x)
    while n > 1:
        half = n // 2
        s = (out[0:n:2] + out[1:n:2]) / np.sqrt(2)
        d = (out[0:n:2] - out[1:n:2]) / np.sqrt(2)
        out[:half] = s
        out[half:n] = d
        n = half
    return out


@case(np.linspace(0, 1, 6), made(6, seed=5))
def natural_spline(x, y):
    n = len(x) - 1
    h = np.diff(x)
    a = np.zeros((n + 1, n + 1))
    rhs = np.zeros(n + 1)
    a[0, 0] = a[n, n] = 1
    for i in range(1, n):
        a[i, i - 1] = h[i - 1]
        a[i, i] = 2 * (h[i - 1] + h[i])
        a[i, i + 1] = h[i]
        rhs[i] = 3 * ((y[i + 1] - y[i]) / h[i] - (y[i] - y[i - 1]) / h[i - 1])
    return np.linalg.solve(a, rhs)


@case(made(4, 4))
def determinant_by_elimination(m):
    a = m.copy()
    det = 1.0
    for k in range(len(a)):
        det *= a[k, k]
        a[k + 1 :] -= np.outer(a[k + 1 :, k] / a[k, k], a[k])
    return det


@case(SYMMETRIC)
def jacobi_rotation(a):
    a = a.copy()
    p, q = 0, 2
    theta = 0.5 * np.arctan2(2 * a[p, q], a[q, q] - a[p, p])
    c, s = np.cos(theta), np.sin(theta)
    r = np.eye(a.shape[0])
    r[p, p] = c
    r[q, q] = c
    r[p, q] = s
    r[q, p] = -s
    return r.T @ a @ r


@case(made(5, 5))
def householder_vector(a):
    r = a.copy()
    n = len(r)
    for k in range(n - 1):
        v = r[k:, k].copy()
        v[0] += np.sign(v[0]) * np.linalg.norm(v)
        v /= np.linalg.norm(v)
        r[k:, k:] -= 2 * np.outer(v, v @ r[k:, k:])
    return r


@case(made(7, seed=3), made(3, seed=1))
def convolution_loop(x, k):
    n, m = len(x), len(k)
    out = np.zeros(n + m - 1)
    for i in range(n):
        for j in range(m):
            out[i + j] += x[i] * k[j]
    return out
