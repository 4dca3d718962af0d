"""Krylov solvers of linear systems, for matrices, callables and sparse arrays, on pytrees.

Derivatives are implicit (`fxla.lax.custom_linear_solve`): they solve one more system, with the
transpose in reverse mode, and do not go through the iteration. Preconditioners have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.deferred import public_names as _public_names
from fxla.core.pytree import tree_flatten, tree_map
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError

__all__ = ["bicgstab", "cg", "gmres"]

Tree = Any
Operator = Callable[[Tree], Tree]
Solver = Callable[[Operator, Tree, Tree], Tree]


def _dot(x: Tree, y: Tree) -> Any:
    """The sum of ``conj(x) y`` over all leaves."""
    pairs = zip(tree_flatten(x)[0], tree_flatten(y)[0], strict=True)
    total: Any = 0.0
    for u, v in pairs:
        total = total + fnp.sum(fnp.conj(u) * v)
    return total


def _norm(x: Tree) -> Any:
    return fnp.sqrt(fnp.real(_dot(x, x)))


def _plus(x: Tree, scale: Any, y: Tree) -> Tree:
    """``x + scale y``."""
    return tree_map(lambda u, v: u + scale * v, x, y)


def _minus(x: Tree, y: Tree) -> Tree:
    return tree_map(lambda u, v: u - v, x, y)


def _operator(call: str, a: Any) -> Operator:
    if callable(a):
        return a  # type: ignore[no-any-return]
    if hasattr(a, "ndim") and a.ndim == 2 and a.shape[0] == a.shape[1]:
        return lambda x: a @ x
    raise TypeError(f"{call}: A must be a square matrix or a function{where_am_i()}")


def _solve(
    call: str, make: Callable[[Operator], Solver], A: Any, b: Any, x0: Any, M: Any, symmetric: bool
) -> tuple[Any, None]:
    """Solve by ``make(preconditioner)``, with implicit derivatives."""
    matvec = _operator(call, A)
    solver = make((lambda x: x) if M is None else _operator(call, M))
    b = tree_map(_floating, b)
    start = tree_map(fnp.zeros_like, b) if x0 is None else tree_map(_floating, x0)
    shapes = [[typeof(v).shape for v in tree_flatten(t)[0]] for t in (b, start)]
    if shapes[0] != shapes[1]:
        raise ShapeError(f"{call}: x0 has shapes {shapes[1]}, b {shapes[0]}{where_am_i()}")
    start = lax.stop_gradient(start)
    found = lax.custom_linear_solve(
        matvec,
        b,
        lambda mv, right: solver(mv, right, start),
        lambda mv, right: solver(mv, right, tree_map(fnp.zeros_like, right)),
        symmetric=symmetric,
    )
    return found, None


def _floating(x: Any) -> Any:
    x = fnp.asarray(x)
    return x * 1.0 if typeof(x).dtype.kind in "biu" else x


def _steps(b: Tree, maxiter: int | None) -> int:
    return 10 * sum(typeof(x).size for x in tree_flatten(b)[0]) if maxiter is None else maxiter


def _bound(b: Tree, tol: Any, atol: Any) -> Any:
    """The norm of the residual to reach."""
    return fnp.maximum(tol * _norm(b), atol)


def cg(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    tol: Any = 1e-5,
    atol: Any = 0.0,
    maxiter: int | None = None,
    M: Any = None,
) -> tuple[Any, None]:
    """Conjugate gradients, for Hermitian positive definite A. See `scipy.sparse.linalg.cg`.

    Args:
        A: a matrix, a sparse array, or a linear function of pytrees like `b`.
        b: the right-hand side.
        x0: where to start; 0 by default.
        tol: of the residual, relative to b.
        atol: of the residual.
        maxiter: the most steps; 10 for each element by default.
        M: approximates the inverse of A, as `A` does A.

    Returns:
        The solution, and None where SciPy returns a number that says how it went.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy.sparse.linalg import cg
        >>> cg(fnp.array([[4.0, 1.0], [1.0, 3.0]]), fnp.array([6.0, 7.0]))[0].round(4)
        array([1., 2.])
    """

    def make(precondition: Operator) -> Solver:
        def solver(mv: Operator, right: Tree, start: Tree) -> Tree:
            bound, most = _bound(right, tol, atol), _steps(right, maxiter)

            def going(state: Any) -> Any:
                _, r, _, _, k = state
                return (k < most) & (_norm(r) > bound)

            def step(state: Any) -> Any:
                x, r, p, gamma, k = state
                ap = mv(p)
                alpha = gamma / _dot(p, ap)
                x, r = _plus(x, alpha, p), _plus(r, -alpha, ap)
                z = precondition(r)
                new = _dot(r, z)
                return x, r, _plus(z, new / gamma, p), new, k + 1

            r = _minus(right, mv(start))
            z = precondition(r)
            return lax.while_loop(going, step, (start, r, z, _dot(r, z), 0))[0]

        return solver

    return _solve("sparse.linalg.cg", make, A, b, x0, M, symmetric=True)


def bicgstab(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    tol: Any = 1e-5,
    atol: Any = 0.0,
    maxiter: int | None = None,
    M: Any = None,
) -> tuple[Any, None]:
    """Stabilised biconjugate gradients, for any A. See `scipy.sparse.linalg.bicgstab`.

    Args:
        A: a matrix, a sparse array, or a linear function of pytrees like `b`.
        b: the right-hand side.
        x0: where to start; 0 by default.
        tol: of the residual, relative to b.
        atol: of the residual.
        maxiter: the most steps; 10 for each element by default.
        M: approximates the inverse of A, as `A` does A.

    Returns:
        The solution, and None where SciPy returns a number that says how it went.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy.sparse.linalg import bicgstab
        >>> bicgstab(fnp.array([[4.0, 1.0], [0.0, 3.0]]), fnp.array([6.0, 6.0]))[0].round(4)
        array([1., 2.])
    """

    def make(precondition: Operator) -> Solver:
        def solver(mv: Operator, right: Tree, start: Tree) -> Tree:
            bound, most = _bound(right, tol, atol), _steps(right, maxiter)

            def going(state: Any) -> Any:
                _, r, *_, k, broken = state
                return (k < most) & (_norm(r) > bound) & ~broken

            def step(state: Any) -> Any:
                x, r, shadow, p, v, omega_alpha, rho, k, _ = state
                omega, alpha = omega_alpha
                new = _dot(shadow, r)
                beta = _quotient(new, rho) * _quotient(alpha, omega)
                p = _plus(r, beta, _plus(p, -omega, v))
                p_hat = precondition(p)
                v = mv(p_hat)
                alpha = _quotient(new, _dot(shadow, v))
                s = _plus(r, -alpha, v)
                early = _norm(s) <= bound
                s_hat = precondition(s)
                t = mv(s_hat)
                omega = fnp.where(early, 0.0, _quotient(_dot(t, s), _dot(t, t)))
                x = _plus(_plus(x, alpha, p_hat), omega, s_hat)
                r = _plus(s, -omega, t)
                broken = ~early & ((omega == 0) | (alpha == 0))
                return x, r, shadow, p, v, (omega, alpha), new, k + 1, broken

            r = _minus(right, mv(start))
            one = _dot(r, r) * 0 + 1
            none = tree_map(fnp.zeros_like, r)
            first = (start, r, r, none, none, (one, one), one, 0, fnp.asarray(False))
            return lax.while_loop(going, step, first)[0]

        return solver

    return _solve("sparse.linalg.bicgstab", make, A, b, x0, M, symmetric=False)


def _quotient(x: Any, y: Any) -> Any:
    """``x / y``, and 0 where y is 0: the iteration then ends."""
    zero = fnp.equal(y, 0)
    return fnp.where(zero, 0, x / fnp.where(zero, 1, y))


def gmres(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    tol: Any = 1e-5,
    atol: Any = 0.0,
    restart: int = 20,
    maxiter: int | None = None,
    M: Any = None,
    solve_method: str = "batched",
) -> tuple[Any, None]:
    """Generalised minimal residuals, for any A. See `scipy.sparse.linalg.gmres`.

    Args:
        A: a matrix, a sparse array, or a linear function of pytrees like `b`.
        b: the right-hand side.
        x0: where to start; 0 by default.
        tol: of the residual, relative to b.
        atol: of the residual.
        restart: dimension of the Krylov space before a restart.
        maxiter: the most restarts; 10 for each element by default.
        M: approximates the inverse of A, as `A` does A.
        solve_method: ``"batched"`` or ``"incremental"``; both do the same here.

    Returns:
        The solution, and None where SciPy returns a number that says how it went.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy.sparse.linalg import gmres
        >>> gmres(fnp.array([[4.0, 1.0], [0.0, 3.0]]), fnp.array([6.0, 6.0]))[0].round(4)
        array([1., 2.])
    """
    if solve_method not in ("batched", "incremental"):
        raise ValueError(
            f"sparse.linalg.gmres: unknown solve_method {solve_method!r}{where_am_i()}"
        )

    def make(precondition: Operator) -> Solver:
        def solver(mv: Operator, right: Tree, start: Tree) -> Tree:
            size = sum(typeof(x).size for x in tree_flatten(right)[0])
            most, depth = _steps(right, maxiter), min(restart, size)
            bound = _bound(right, tol, atol)
            left, flat = _flattened(lambda x: mv(precondition(x)), right)

            def going(state: Any) -> Any:
                _, r, k = state
                return (k < most) & (_norm(r) > bound)

            def cycle(state: Any) -> Any:
                x, r, k = state
                change = flat(_krylov_step(left, _ravelled(r), depth))
                x = _plus(x, 1.0, precondition(change))
                return x, _minus(right, mv(x)), k + 1

            state = (start, _minus(right, mv(start)), 0)
            return lax.while_loop(going, cycle, state)[0]

        return solver

    return _solve("sparse.linalg.gmres", make, A, b, x0, M, symmetric=False)


def _ravelled(x: Tree) -> Any:
    return fnp.concatenate([fnp.reshape(v, (-1,)) for v in tree_flatten(x)[0]])


def _flattened(f: Operator, like: Tree) -> tuple[Callable[[Any], Any], Callable[[Any], Tree]]:
    """`f` of vectors, and what makes a tree of a vector."""
    shapes = [typeof(v).shape for v in tree_flatten(like)[0]]

    def restored(vector: Any) -> Tree:
        parts, at = [], 0
        for shape in shapes:
            n = 1
            for k in shape:
                n *= k
            parts.append(fnp.reshape(vector[at : at + n], shape))
            at += n
        given = iter(parts)
        return tree_map(lambda _: next(given), like)

    return (lambda v: _ravelled(f(restored(v)))), restored


def _krylov_step(f: Callable[[Any], Any], r: Value, depth: int) -> Any:
    """The change in the Krylov space of r that makes the residual smallest.

    Arnoldi's process, orthogonalised twice; a direction that is lost becomes zero, and the small
    least-squares problem leaves it out.
    """
    n, dtype = typeof(r).shape[0], typeof(r).dtype
    size = fnp.sqrt(fnp.real(fnp.vdot(r, r)))
    basis = fnp.zeros((depth + 1, n), dtype)
    basis = basis.at[0].set(r / fnp.where(size > 0, size, 1))
    matrix = fnp.zeros((depth, depth + 1), dtype)
    eps = float(fnp.finfo(dtype).eps)

    def grow(state: Any, k: Value) -> Any:
        basis, matrix = state
        w = f(basis[k])
        before = fnp.sqrt(fnp.real(fnp.vdot(w, w)))
        h = fnp.conj(basis) @ w
        w = w - h @ basis
        again = fnp.conj(basis) @ w
        w, h = w - again @ basis, h + again
        length = fnp.sqrt(fnp.real(fnp.vdot(w, w)))
        lost = length <= eps * before
        w = fnp.where(lost, 0, w / fnp.where(lost, 1, length))
        h = h.at[k + 1].set(fnp.where(lost, 0, length).astype(dtype))
        return (basis.at[k + 1].set(w), matrix.at[k].set(h)), None

    (basis, matrix), _ = lax.scan(grow, (basis, matrix), fnp.arange(depth))
    target = fnp.zeros(depth + 1, dtype).at[0].set(size.astype(dtype))
    u, s, vh = fnp.linalg.svd(matrix.T, full_matrices=False)
    kept = s > s[0] * eps * depth
    inverse = fnp.where(kept, 1 / fnp.where(kept, s, 1), 0)
    y = fnp.conj(vh.T) @ (inverse * (fnp.conj(u.T) @ target))
    return y @ basis[:-1]


def __dir__() -> list[str]:
    return _public_names(globals())
