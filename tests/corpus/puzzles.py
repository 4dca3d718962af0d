"""Array puzzles and everyday idioms, as people write them with NumPy."""
# mypy: ignore-errors

import numpy as np
import numpy as numpy_by_another_name
from numpy import arange, array, empty_like

from tests.corpus.case import case, made


@case(made(4, 4))
def checkerboard(x):
    out = x.copy()
    out[::2, 1::2] = 0
    out[1::2, ::2] = 0
    return out


@case(made(5, 5))
def replace_border(x):
    out = np.array(x)
    out[0, :] = out[-1, :] = 0
    out[:, 0] = out[:, -1] = 1
    return out


@case(made(4, 6))
def rows_minus_their_mean(x):
    x = x.copy()
    for row in x:
        row -= row.mean()
    return x


@case(made(4, 6))
def columns_through_the_transpose(x):
    x = x.copy()
    for col in x.T:
        col /= np.abs(col).max()
    return x


@case(made(6))
def reverse_in_place(x):
    x = x.copy()
    n = len(x)
    for i in range(n // 2):
        x[i], x[n - 1 - i] = x[n - 1 - i], x[i]
    return x


@case(made(9))
def bubble_sort(x):
    x = x.copy()
    n = len(x)
    for i in range(n):
        for j in range(n - 1 - i):
            lo, hi = np.minimum(x[j], x[j + 1]), np.maximum(x[j], x[j + 1])
            x[j] = lo
            x[j + 1] = hi
    return x


@case(made(9))
def sorted_copy(x):
    y = x.copy()
    y.sort()
    return y[::-1]


@case(made(4, 4))
def zero_below_diagonal(x):
    x = x.copy()
    x[np.tril_indices(4, -1)] = 0
    return x


@case(made(4, 4), made(4, seed=1))
def set_diagonal(x, d):
    x = x.copy()
    np.fill_diagonal(x, 0)
    x[np.arange(4), np.arange(4)] = d
    x.flat[1::5] = 7
    return x


@case(made(12))
def through_reshape(x):
    x = x.copy()
    m = x.reshape(3, 4)
    m[1] = 0
    m[:, 2] *= 2
    x[0] = 5
    return x + m.ravel()


@case(made(10), np.array([1, 3, 3, 7]))
def count_with_add_at(x, idx):
    out = np.zeros(10)
    np.add.at(out, idx, x[idx])
    np.subtract.at(out, [0, 0], 1.0)
    return out


@case(made(6), made(6, seed=1))
def ufuncs_with_out(x, y):
    buf = np.empty_like(x)
    np.multiply(x, y, out=buf)
    np.add(buf, 1, out=buf)
    np.exp(buf, buf)
    return buf


@case(made(6), made(6, seed=1))
def where_argument(x, y):
    out = np.zeros_like(x)
    np.divide(x, y, out=out, where=y > 0)
    return out


@case(made(8))
def copyto_and_putmask(x):
    a = np.zeros(8)
    np.copyto(a, x)
    np.copyto(a, 0, where=x < 0)
    b = x.copy()
    np.putmask(b, b > 0.5, 0.5)
    np.place(b, b < -0.5, [-0.5])
    return a + b


@case(made(3, 4))
def put_and_take(x):
    x = x.copy()
    x.put([0, 5], [1.0, 2.0])
    np.put(x, [1, 2], x.take([6, 7]))
    order = np.argsort(x, axis=1)
    np.put_along_axis(x, order[:, :1], 0.0, axis=1)
    return x


@case(made(5))
def fill_and_views(x):
    a = np.zeros((2, 5))
    a.fill(3.0)
    first, second = a
    first += x
    second[:] = first * 2
    return a


@case(made(4))
def complex_parts(x):
    z = np.zeros(4, dtype=complex)
    z.real = x
    z.imag = x**2
    z.imag[0] = 1.0
    z[1:] *= 1j
    return np.abs(z), z.real


@case(made(10))
def running_maximum(x):
    out = empty_like(x)
    best = -np.inf
    for i, v in enumerate(x):
        best = np.maximum(best, v)
        out[i] = best
    return out


@case(made(10))
def moving_average(x):
    w = 3
    c = np.cumsum(x)
    c[w:] = c[w:] - c[:-w]
    return c[w - 1 :] / w


@case(8, static=(0,), grad=False)
def sieve(n):
    n = 10 * n
    prime = np.ones(n, dtype=bool)
    prime[:2] = False
    for i in range(2, int(n**0.5) + 1):
        if prime[i]:
            prime[i * i :: i] = False
    return prime


@case(12, static=(0,), grad=False)
def fibonacci(n):
    f = np.zeros(n, dtype=int)
    f[1] = 1
    for i in range(2, n):
        f[i] = f[i - 1] + f[i - 2]
    return f


@case(6, static=(0,), grad=False)
def pascal(n):
    p = np.zeros((n, n), int)
    p[:, 0] = 1
    for i in range(1, n):
        p[i, 1:] = p[i - 1, 1:] + p[i - 1, :-1]
    return p


@case(5, static=(0,), grad=False)
def spiral(n):
    m = np.zeros((n, n), dtype=int)
    y, x, dy, dx = 0, 0, 0, 1
    for k in range(n * n):
        m[y, x] = k + 1
        if not (0 <= y + dy < n and 0 <= x + dx < n) or m[y + dy, x + dx]:
            dy, dx = dx, -dy
        y, x = y + dy, x + dx
    return m


@case(np.array([3, 1, 4, 1, 5]), np.array([2, 7, 1, 8]), grad=False)
def edit_distance(a, b):
    d = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    d[:, 0] = np.arange(len(a) + 1)
    d[0, :] = np.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            cost = np.where(a[i - 1] == b[j - 1], 0, 1)
            d[i, j] = min_of(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + cost)
    return d[-1, -1]


def min_of(*values):
    out = values[0]
    for v in values[1:]:
        out = np.minimum(out, v)
    return out


@case(made(6), made(7, seed=1))
def dynamic_time_warping(x, y):
    d = np.full((len(x) + 1, len(y) + 1), np.inf)
    d[0, 0] = 0
    for i in range(1, len(x) + 1):
        for j in range(1, len(y) + 1):
            cost = (x[i - 1] - y[j - 1]) ** 2
            d[i, j] = cost + min_of(d[i - 1, j], d[i, j - 1], d[i - 1, j - 1])
    return d[-1, -1]


@case(made(4, 4, low=0.1, high=2.0))
def floyd_warshall(w):
    d = w.copy()
    np.fill_diagonal(d, 0)
    for k in range(len(d)):
        np.minimum(d, d[:, k : k + 1] + d[k : k + 1, :], out=d)
    return d


@case(made(5, low=0.5, high=1.0))
def knapsack_values(v):
    best = np.zeros(11)
    weights = [2, 3, 4, 5, 1]
    for w, value in zip(weights, v):
        new = best.copy()
        new[w:] = np.maximum(best[w:], best[:-w] + value)
        best[:] = new
    return best


@case(made(3, 3), made(2, 2, seed=1))
def block_matrix(a, b):
    out = np.zeros((5, 5))
    out[:3, :3] = a
    out[3:, 3:] = b
    return out


@case(made(4), made(3, seed=1))
def kronecker(a, b):
    out = np.zeros((len(a), len(b)))
    for i in range(len(a)):
        out[i] = a[i] * b
    return out.ravel()


@case(made(8))
def imported_names(x):
    a = arange(8.0)
    b = array([x[0], 1.0, x[1]])
    c = numpy_by_another_name.zeros(8)
    c += a * x
    c[:3] += b
    return c


@case(made(10))
def local_import(x):
    import numpy

    out = numpy.zeros(x.shape)
    out[1:] = numpy.diff(x)
    return out


@case(made(6))
def closure_over_an_array(x):
    acc = np.zeros(6)

    def add(k):
        acc[k] += x[k] * k

    for k in range(6):
        add(k)
    return acc


@case(made(7))
def masked_update(x):
    out = np.zeros_like(x)
    mask = x > 0
    out[mask] = x[mask] ** 2
    out[~mask] -= 1
    return out


@case(made(7))
def mean_of_positive(x):
    return x[x > 0].mean() + x[x < 0].sum()


@case(made(7))
def clip_by_indexing(x):
    x = x.copy()
    x[x > 0.5] = 0.5
    x[x < -0.5] = -0.5
    return x


@case(np.array([1.0, np.nan, 3.0, np.nan]), grad=False)
def replace_nan(x):
    x = x.copy()
    x[np.isnan(x)] = 0
    return x
