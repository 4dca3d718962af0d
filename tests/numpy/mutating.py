"""Programs that write into their arrays, in every way that NumPy knows: one law for all of them."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["PROGRAMS"]

PROGRAMS: list[Callable[[Any], Any]] = []


def program(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Add a function of six numbers to the list."""
    PROGRAMS.append(f)
    return f


@program
def element(x):
    a = np.zeros(6)
    a[2] = x[0] * x[1]
    a[-1] = a[2] + 1
    return a


@program
def slices(x):
    a = x.copy()
    a[1:3] = a[3:5]
    a[::2] *= x[1]
    a[4:] = 2.0
    return a


@program
def overlapping(x):
    a = x * 1.0
    a[1:] += a[:-1]
    a[:-1] = a[1:]
    return a


@program
def several_axes(x):
    a = np.ones((2, 3))
    a[1, ::2] = x[:2]
    a[:, 1] += x[2:4]
    a[..., 0] **= 2
    a[0] = a[1, ::-1]
    return a


@program
def index_arrays(x):
    a = np.zeros(6)
    a[[0, 3]] = x[:2]
    a[np.array([1, 1, 2])] += x[3]
    a[[4, 4]] = x[4:]
    return a


@program
def masks(x):
    a = x.copy()
    a[np.array([True, False] * 3)] = 0
    a[x > 10] = 5.0
    a[x < 10] -= x[0]
    return a


@program
def masks_of_traced_values(x):
    a = x.copy()
    positive = a > 0
    a[positive] *= 2.0
    a[~positive] = x[0]
    b = np.zeros((2, 3))
    b[a.reshape(2, 3) > 1] = 1.0
    return a + b.ravel()


@program
def operators(x):
    a = x + 0.0
    a += x
    a -= 0.5
    a *= a
    a /= 1 + x**2
    a **= 2
    b = a
    b += 1
    return a


@program
def integers(x):
    n = np.zeros(6, int)
    n[::2] = 3
    n += 2
    n //= 2
    n <<= 1
    n |= 1
    n[1] = 2.7
    return n * x


@program
def narrow_dtypes(x):
    a = np.zeros(6, np.float32)
    a += x
    a[0] = x[1]
    return a.astype(float)


@program
def views_of_views(x):
    a = np.zeros((3, 4))
    inner = a[1:, ::2]
    inner[:] = x[:4].reshape(2, 2)
    inner[0] += 1
    last = inner.T[1]
    last *= 3
    a[1] += 1
    return a + last.sum()


@program
def views_by_functions(x):
    a = x.copy()
    m = a.reshape(2, 3)
    m[0, 1] = x[5]
    m.T[2] *= x[0]
    np.swapaxes(m, 0, 1)[0] += 1
    np.moveaxis(m[None], 0, 2)[1, 1] = 2.0
    left, right = np.split(m, [1], axis=1)
    left -= 1
    right[...] = right * 2
    np.flip(a)[0] = 4.0
    np.squeeze(m[:1])[1] += x[1]
    np.rot90(m)[0, 0] *= 3
    return a


@program
def rows(x):
    a = x.reshape(2, 3) * 1.0
    for row in a:
        row -= row.mean()
    first, second = a
    first[0] = second[0]
    second += first
    return a


@program
def copies_are_copies(x):
    a = x.copy()
    b, c, d = a.copy(), np.array(a), a.astype(float)
    e, f, g = a.flatten(), a[[0, 1]], a + 0
    for other in (b, c, d, e, f, g):
        other[0] = 100.0
    return a + b + c + d + e + g


@program
def flat_and_ravel(x):
    a = np.zeros((3, 4))
    a.T.flat[2] = x[0]
    a.ravel()[5] = x[1]
    a.flat[1::5] = 7 * x[2]
    a[:, :2].flat = x
    return a


@program
def methods(x):
    a = x.copy()
    a.sort()
    b = np.zeros(4)
    b.fill(x[0])
    b.put([1, 2], x[1:3])
    c = (x * np.arange(6)).reshape(2, 3)
    c.sort(axis=0)
    c.partition(1)
    return a.sum() * b[1] + c.max() + a[0] * a[5] + b


@program
def functions(x):
    a = np.zeros((2, 3))
    np.copyto(a, x[:3])
    np.copyto(a, x[3:], where=np.array([[True], [False]]))
    np.fill_diagonal(a, x[0])
    b = x.copy()
    np.place(b, np.arange(6) % 2 == 0, [1.0, x[3]])
    np.putmask(b, b == 1.0, x * 2)
    np.put(b, [0, -1], [x[2]])
    c = x.reshape(2, 3).copy()
    np.put_along_axis(c, np.array([[0], [2]]), x[5], axis=1)
    return a.sum() + b + c.ravel()


@program
def at_methods(x):
    a = np.ones(4)
    np.add.at(a, [0, 0, 1], x[:3])
    np.multiply.at(a, [1, 1], x[3])
    np.subtract.at(a, 2, 1.0)
    np.maximum.at(a, [3, 3], x[4:])
    np.negative.at(a, [0])
    return a


@program
def out_of_ufuncs(x):
    a = np.empty_like(x)
    np.multiply(x, 2, out=a)
    np.exp(a, a)
    np.add(a[:3], a[3:], out=a[:3])
    b = np.zeros(6)
    np.divide(a, 2, out=b, where=np.arange(6) > 2)
    q, r = np.zeros(6), np.zeros(6)
    np.modf(x + 3.5, out=(q, r))
    return a * b + r


@program
def out_of_functions(x):
    total = np.zeros(3)
    x.reshape(2, 3).sum(axis=0, out=total)
    np.clip(total, -5, 5, out=total)
    a = np.zeros(6)
    np.cumsum(x, out=a)
    b = np.zeros((2, 2))
    np.dot(x.reshape(2, 3), x.reshape(3, 2), out=b)
    np.concatenate([x[:3], total], out=a)
    return a.sum() * b


@program
def parts_of_complex(x):
    z = np.zeros(6, complex)
    z.real = x
    z.imag[1:] = x[:-1]
    z.real[0] += 2
    z *= 1j
    return z.real * z.imag


@program
def known_arrays(x):
    n = np.zeros(4, int)
    n[1] = 3
    mask = np.zeros(6, bool)
    mask[n[1] :] = True
    a = np.zeros(int(n.sum()) + 3)
    for k in range(n[1]):
        a[k] = x[k]
    if mask.any() and n[1] == 3:
        a[mask] = x[mask] * 2
    return a


@program
def held_in_objects(x):
    class Box:
        def __init__(self):
            self.value = np.zeros(6)

        def add(self, y):
            self.value += y
            self.value[0] *= 2

    box = Box()
    box.add(x)
    box.add(x * x)
    table = {"a": np.zeros(2), "b": [np.ones(3)]}
    table["a"][0] += x[0]
    table["b"][0][:] = x[:3]
    return box.value + table["a"][0] + table["b"][0].sum()


@program
def swapped(x):
    a = x.copy()
    a[0], a[5] = a[5], a[0]
    a[[1, 2]] = a[[2, 1]]
    b, c = a[:3], a[3:]
    b[:], c[:] = c.copy(), b.copy()
    return a


@program
def arrays_of_rank_0(x):
    a = np.zeros(())
    a[...] = x[0]
    a[()] += x[1]
    s = x[2]
    t = s
    t += 1.0
    return a * s + t
