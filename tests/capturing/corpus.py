"""Functions with control flow on values, as one writes them in plain Python with NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["CASES", "Case"]


@dataclass(frozen=True)
class Case:
    """A function, argument lists, and what else it can: a derivative by the first one, a batch."""

    f: Callable[..., Any]
    calls: tuple[tuple[Any, ...], ...]
    reverse: bool
    forward: bool
    batch: bool


CASES: dict[str, Case] = {}


def case(
    *calls: tuple[Any, ...], reverse: bool = False, forward: bool = False, batch: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the function below; every call but the first is the same trace."""

    def add(f: Callable[..., Any]) -> Callable[..., Any]:
        CASES[f.__name__] = Case(f, calls, reverse, forward or reverse, batch)
        return f

    return add


# --- branches -------------------------------------------------------------------------------


@case((0.5,), (2.0,), (-3.0,), reverse=True)
def clipped(x):
    if x > 1.0:
        return 1.0
    elif x < -1.0:
        return -1.0
    return x * x * x


@case((2.0, 1.0), (1.0, 2.0), reverse=True)
def larger(x, y):
    if x > y:
        big, small = x, y
    else:
        big, small = y, x
    return big * big - small


@case((0.3,), (3.0,), (30.0,), reverse=True)
def tax(income):
    owed = 0.0
    rest = income
    if rest > 10.0:
        owed += 0.4 * (rest - 10.0)
        rest = 10.0
    if rest > 1.0:
        owed += 0.2 * (rest - 1.0)
        rest = 1.0
    owed += 0.1 * rest
    return owed


@case((0.05,), (0.5,), (4.0,), reverse=True)
def drag(v):
    reynolds = 100.0 * v
    coefficient = 24.0 / reynolds if reynolds < 10.0 else 2.4 if 10.0 <= reynolds < 100.0 else 0.44
    return coefficient * v * abs(v)


@case((1.0, 2.0, 3.0), (1.0, -5.0, 6.0), (1.0, 2.0, 1.0))
def quadratic_roots(a, b, c):
    d = b * b - 4 * a * c
    if d > 0:
        n, first, second = 2, (-b - math.sqrt(d)) / (2 * a), (-b + math.sqrt(d)) / (2 * a)
    elif d == 0:
        n = 1
        first = second = -b / (2 * a)
    else:
        n, first, second = 0, 0.0, 0.0
    return n, first, second


@case((3.0, True), (-3.0, True), (0.5, False), reverse=True)
def huber(x, positive):
    if positive and (x > 1 or x < -1):
        return abs(x) - 0.5
    if not positive:
        x = -x
    return 0.5 * x * x


@case((2000,), (1900,), (2023,), (2024,))
def is_leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


@case((5, 2), (1, 3), (2, 2))
def compare(a, b):
    if a < b:
        sign = -1
    else:
        if a == b:
            sign = 0
        else:
            sign = 1
    return sign


@case((np.array([1.0, -2.0, 3.0]), 0.0), (np.array([1.0, 2.0, 3.0]), 1.0), reverse=True)
def written_in_a_branch(x, c):
    a = np.zeros(3)
    a[:] = x
    tail = a[1:]
    if c > 0.5:
        tail[0] = 10.0 * x[0]
    else:
        a[2] = x[0] * x[0]
    return (a * a).sum() + tail[0]


@case((np.array([[1.0, 2.0], [3.0, 4.0]]),), (np.array([[1.0, 2.0], [2.0, 4.0]]),), reverse=True)
def inverse_or_transposed(m):
    det = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
    if abs(det) < 0.5:
        return m.T * 1.0
    out = np.empty((2, 2))
    out[0, 0], out[1, 1] = m[1, 1], m[0, 0]
    out[0, 1], out[1, 0] = -m[0, 1], -m[1, 0]
    out /= det
    return out


# --- while ----------------------------------------------------------------------------------


@case((2.0,), (9.0,), (1e4,), forward=True)
def square_root(x):
    y = x
    while abs(y * y - x) > 1e-10 * x:
        y = 0.5 * (y + x / y)
    return y


@case((27,), (1,), (97,))
def collatz(n):
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


@case((48, 18), (17, 5), (0, 4))
def gcd(a, b):
    while b:
        a, b = b, a % b
    return a


@case((240, 46), (17, 5))
def extended_gcd(a, b):
    x0, x1, y0, y1 = 1, 0, 0, 1
    while b != 0:
        q = a // b
        a, b = b, a - q * b
        x0, x1 = x1, x0 - q * x1
        y0, y1 = y1, y0 - q * y1
    return a, x0, y0


@case((10,), (0,), (50,))
def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


@case((3, 13, 7), (2, 100, 1000007))
def modular_power(base, exponent, modulus):
    result = 1
    base %= modulus
    while exponent > 0:
        if exponent & 1:
            result = result * base % modulus
        exponent >>= 1
        base = base * base % modulus
    return result


@case((97,), (91,), (2,), (1,))
def is_prime(n):
    if n < 2:
        return False
    k = 2
    while k * k <= n:
        if n % k == 0:
            return False
        k += 1
    return True


@case((2.0, 0.0, 4.0), (7.0, 0.0, 10.0), forward=False)
def bisection(target, low, high):
    while high - low > 1e-12:
        middle = (low + high) / 2
        if middle * middle < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@case((np.array([1.0, 3.0, 4.0, 8.0, 9.0]), 8.0), (np.array([1.0, 3.0, 4.0, 8.0, 9.0]), 2.0))
def binary_search(a, x):
    low, high = 0, len(a) - 1
    while low <= high:
        middle = (low + high) // 2
        if a[middle] == x:
            return middle
        elif a[middle] < x:
            low = middle + 1
        else:
            high = middle - 1
    return -1


@case((0.3,), (0.9,), (0.001,), forward=True)
def kepler(m):
    e = m
    while True:
        step = (e - 0.6 * math.sin(e) - m) / (1 - 0.6 * math.cos(e))
        e -= step
        if abs(step) < 1e-13:
            break
    return e


@case((20.0, 0.3), (5.0, 0.9))
def bounces(height, restitution):
    count, total = 0, height
    while height > 0.01:
        height *= restitution
        total += 2 * height
        count += 1
        if count >= 30:
            break
    else:
        count = -count
    return count, total


@case((12,), (7,), (1,))
def odd_terms(n):
    total, k = 0, 0
    while k < n:
        k += 1
        if k % 2 == 0:
            continue
        if k > 9:
            break
        total += k * k
    return total, k


@case((123456,), (0,), (7,))
def digits(n):
    total = count = 0
    while n > 0:
        n, digit = divmod(n, 10)
        total += digit
        count += 1
    return total, count


@case((1.0,), (0.1,), forward=True)
def series(x):
    total, term, k = 0.0, 1.0, 0
    while abs(term) > 1e-16:
        total += term
        k += 1
        term *= x / k
    return total


@case((7, 3), (5, 12))
def nested_whiles(n, m):
    hits = 0
    i = 0
    while i < n:
        j = i
        while j < m:
            if (i * j) % 3 == 2:
                break
            hits += 1
            j += 2
        else:
            hits += 100
        i += 1
    return hits


# --- for ------------------------------------------------------------------------------------


@case((2.0,), (50.0,), reverse=True)
def newton_with_a_bound(x):
    y = x
    for _ in range(30):
        previous = y
        y = 0.5 * (y + x / y)
        if abs(y - previous) < 1e-13:
            break
    return y


@case((np.array([1.0, -2.0, 5.0, -1.0]),), (np.array([-1.0, -2.0, -5.0, -1.0]),), reverse=True)
def sum_of_positive(x):
    total = 0.0
    for v in x:
        if v > 0:
            total += v * v
    return total


@case((np.array([3.0, 1.0, 2.0, 7.0]), 2.0), (np.array([3.0, 1.0, 2.0, 7.0]), 9.0))
def first_index(a, x):
    for i, v in enumerate(a):
        if v == x:
            return i
    return -1


@case((np.array([1.0, 2.0, 3.0]), 4), (np.array([0.5, 0.0, 3.0]), 4), forward=True)
def power_by_steps(x, n):
    out = np.ones(3)
    for _ in range(n):
        out *= x
    return out


@case((5,), (0,), (9,))
def sum_of_squares(n):
    total = 0
    for i in range(1, n + 1):
        total += i * i
    return total


@case((3, 20, 4), (20, 3, -3), (5, 5, 1))
def range_with_a_step(start, stop, step):
    total, last = 0, 0
    for i in range(start, stop, step):
        total += i
        last = i
    return total, last


@case((np.array([3.0, 1.0, 2.0, 0.0]),), (np.array([1.0, 2.0, 3.0, 4.0]),))
def bubble_sort(x):
    a = x.copy()
    for i in range(len(a)):
        swapped = False
        for j in range(len(a) - 1 - i):
            if a[j] > a[j + 1]:
                a[j], a[j + 1] = a[j + 1], a[j]
                swapped = True
        if not swapped:
            break
    return a


@case((np.array([3.0, 1.0, 2.0, 0.5]),), (np.array([1.0, 2.0, 3.0, 4.0]),))
def insertion_sort(x):
    a = np.array(x)
    for i in range(1, a.size):
        key = a[i]
        j = i - 1
        while j >= 0 and a[j] > key:
            a[j + 1] = a[j]
            j -= 1
        a[j + 1] = key
    return a


@case((np.array([1.0, -2.0, 3.0, -1.0, 5.0]),), (np.array([-1.0, 2.0, -3.0, 1.0, 5.0]),))
def compacted(x):
    out = np.zeros(len(x))
    n = 0
    for v in x:
        if v <= 0:
            continue
        out[n] = v
        n += 1
    return out, n


@case(
    (np.array([4.0, -1.0, 2.0, -7.0, 3.0]),),
    (np.array([-4.0, -1.0, -2.0, -7.0, -3.0]),),
    reverse=True,
)
def largest_sum(x):
    best = current = x[0]
    for v in x[1:]:
        current = max(v, current + v)
        best = max(best, current)
    return best


@case((np.array([1.0, 2.0, 3.0]), np.array([0.5, 4.0, 1.0])), reverse=True)
def pairs(a, b):
    total = 0.0
    for x, y in zip(a, b):
        total += x * y if x < y else x - y
    return total


@case((12, 4), (7, 3))
def grid_search(n, k):
    found = -1, -1
    for i in range(1, n):
        for j in range(i, n):
            if i * j == n * k // 2:
                found = i, j
                break
        if found[0] > 0:
            break
    return found


@case((np.array([[1.0, 0.0], [2.0, 5.0]]),), (np.array([[1.0, 3.0], [2.0, 5.0]]),))
def has_zero(m):
    for row in m:
        for v in row:
            if v == 0:
                return True
    return False


@case((4,), (6,))
def sieve(limit):
    marks = np.ones(30, dtype=bool)
    marks[:2] = False
    for p in range(2, limit):
        if marks[p]:
            k = p * p
            while k < 30:
                marks[k] = False
                k += p
    return marks


@case((np.array([2.0, 1.0]), np.array([[4.0, 1.0], [1.0, 3.0]])), reverse=True)
def conjugate_gradients(b, a):
    x = np.zeros(2)
    r = b - a @ x
    p = r
    rs = r @ r
    for _ in range(10):
        ap = a @ p
        alpha = rs / (p @ ap)
        x = x + alpha * p
        r = r - alpha * ap
        new = r @ r
        if np.sqrt(new) < 1e-10:
            break
        p = r + (new / rs) * p
        rs = new
    return x


# --- programs -------------------------------------------------------------------------------


def _rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


@case((np.array([-1.0, 1.5]),), (np.array([0.0, 0.0]),), batch=False)
def line_search(x):
    slope = np.array([-2 * (1 - x[0]) - 400 * x[0] * (x[1] - x[0] ** 2), 200 * (x[1] - x[0] ** 2)])
    step, start = 1.0, _rosenbrock(x)
    while _rosenbrock(x - step * slope) > start - 1e-4 * step * (slope @ slope):
        step *= 0.5
        if step < 1e-12:
            return x, 0.0
    return x - step * slope, step


def _slope(t, y):
    return np.array([y[1], -y[0]]) if t < 1.0 else np.array([y[1], -2.0 * y[0]])


@case((np.array([1.0, 0.0]), 3.0), (np.array([0.0, 1.0]), 0.5), forward=True)
def adaptive_steps(y, end):
    t, h, rejected = 0.0, 0.5, 0
    while t < end:
        if t + h > end:
            h = end - t
        k1 = _slope(t, y)
        k2 = _slope(t + h / 2, y + h / 2 * k1)
        k3 = _slope(t + 3 * h / 4, y + 3 * h / 4 * k2)
        new = y + h * (2 / 9 * k1 + 1 / 3 * k2 + 4 / 9 * k3)
        k4 = _slope(t + h, new)
        error = np.abs(h * (-5 / 72 * k1 + 1 / 12 * k2 + 1 / 9 * k3 - 1 / 8 * k4)).max()
        if error < 1e-4:
            t, y = t + h, new
        else:
            rejected += 1
        h *= min(2.0, max(0.3, 0.9 * (1e-4 / (error + 1e-16)) ** (1 / 3)))
    return y


@case((0.0, 3.0), (-1.0, 2.0))
def secant(a, b):
    def f(x):
        return x * x * x - x - 2 if x > 0 else x - 2

    fa, fb = f(a), f(b)
    for _ in range(50):
        if fb == fa or abs(b - a) < 1e-14:
            break
        a, fa, b = b, fb, b - fb * (b - a) / (fb - fa)
        fb = f(b)
    return b


@case((1234,), (99,))
def snakes_and_ladders(seed):
    jumps = np.arange(31)
    jumps[3], jumps[9], jumps[22], jumps[27] = 11, 2, 6, 15
    place, turns = 0, 0
    while place < 30 and turns < 200:
        seed = (1103515245 * seed + 12345) % 2147483648
        place += 1 + seed // 65536 % 6
        if place > 30:
            place = 60 - place
        place = jumps[place]
        turns += 1
    return turns, place


@case((-0.5, 0.5), (1.0, 1.0), (-1.2, 0.2))
def escape_time(cr, ci):
    x = y = 0.0
    for n in range(60):
        if x * x + y * y > 4.0:
            return n
        x, y = x * x - y * y + cr, 2 * x * y + ci
    return 60


@case((np.array([1.0, 2.0]), 100.0), (np.array([1.0, 2.0]), 1.5), reverse=True)
def with_a_method(x, limit):
    class Account:
        def __init__(self, balance):
            self.balance = balance
            self.rejected = 0

        def pay(self, amount):
            if amount <= self.balance:
                self.balance = self.balance - amount
            else:
                self.rejected = self.rejected + 1

    account = Account(limit)
    account.pay(x[0])
    account.pay(x[1])
    return account.balance, account.rejected


@case((3.0,), (-3.0,), reverse=True)
def with_nonlocal(x):
    count = 0

    def step(v):
        nonlocal count
        if v > 0:
            count += 1
            return v * 2
        return v

    y = step(step(x) - 1)
    return y + 0 * count


@case((2.0, np.array([1.0, 2.0])), (-2.0, np.array([1.0, 2.0])), reverse=True)
def with_a_dictionary(x, v):
    weights = {"a": x, "b": v}
    if x > 0:
        weights["a"] = weights["a"] * 2
    else:
        weights["b"] = v * v
    return weights["a"] * weights["b"].sum()


@case((np.array([0.2, 0.9, 0.4]),), (np.array([0.9, 0.9, 0.9]),), reverse=True)
def with_a_comprehension(x):
    return sum([v * 2 if v > 0.5 else v * v for v in x])


@case((3.0,), (0.0,), reverse=True)
def with_lambdas(x):
    squash = lambda v, k=2.0: v if v < 1.0 else 1.0 + np.log(v) / k  # noqa: E731
    return squash(x) + squash(x * 0.5, k=1.0)


@case((np.array([5.0, 1.0, 4.0, 2.0, 3.0]), 2), (np.array([5.0, 1.0, 4.0, 2.0, 3.0]), 0))
def quick_select(x, k):
    a = x.copy()
    low, high = 0, len(a) - 1
    while low < high:
        pivot = a[k]
        i, j = low, high
        while i <= j:
            while a[i] < pivot:
                i += 1
            while pivot < a[j]:
                j -= 1
            if i <= j:
                a[i], a[j] = a[j], a[i]
                i += 1
                j -= 1
        if j < k:
            low = i
        if k < i:
            high = j
    return a[k]
