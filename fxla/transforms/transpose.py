"""Transposition of linear programs: reverse-mode differentiation's second half.

backward : (a -o b) -> CT b -> CT a
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fxla.core.check import checked
from fxla.core.jaxpr import Atom, Jaxpr, Literal, Var
from fxla.core.primitive import Linear, Zero, is_linear, is_zero
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import Value
from fxla.ops.elementwise import add
from fxla.ops.structure import instantiate
from fxla.transforms.masks import either, guarded, passed_on

__all__ = ["add_cotangents", "backward", "masked_backward", "transpose_jaxpr"]


def add_cotangents(a: Any, b: Any) -> Any:
    """Sum of two cotangents, either of which may be `Zero` or None."""
    if a is None or is_zero(a):
        return b if b is not None else a
    return a if b is None or is_zero(b) else add(a, b)


def backward(jaxpr: Jaxpr, operands: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
    """Cotangents of the `Linear` operands of a program that is linear in them.

    Args:
        jaxpr: the program.
        operands: a value for each input, or `Linear` where a cotangent is wanted.
        cts: a cotangent (or `Zero`) for each output.

    Returns:
        For each operand its cotangent (maybe `Zero`) if it is Linear, else None.
    """
    return masked_backward(jaxpr, operands, cts, [None] * len(cts))[0]


def masked_backward(
    jaxpr: Jaxpr, operands: Sequence[Any], cts: Sequence[Any], ct_masks: Sequence[Value | None]
) -> tuple[list[Any], list[Value | None]]:
    """`backward` of a part of a program, between masks of its results and of its operands.

    Args:
        jaxpr: the program.
        operands: a value for each input, or `Linear` where a cotangent is wanted.
        cts: a cotangent (or `Zero`, or None) for each output.
        ct_masks: for each output where its cotangent may be other than zero; None: anywhere.

    Returns:
        The cotangents as of `backward`, and for each operand the mask of its cotangent.
    """
    env: dict[Var, Any] = {}
    ct_env: dict[Var, Any] = {}
    masks: dict[Var, Any] = {}
    for var, x in zip(jaxpr.invars, operands, strict=True):
        if not is_linear(x):
            env[var] = x

    def read(atom: Atom) -> Any:
        if isinstance(atom, Literal):
            return atom.value
        return env[atom] if atom in env else Linear(atom.aval)

    def accumulate(atom: Atom, ct: Any, mask: Any = None) -> None:
        if ct is None or is_zero(ct) or isinstance(atom, Literal) or atom in env:
            return
        masks[atom] = either(masks[atom], mask) if atom in ct_env else mask
        ct_env[atom] = add_cotangents(ct_env.get(atom), ct)

    linear = []
    for eqn in jaxpr.eqns:
        inputs = [read(a) for a in eqn.inputs]
        if any(is_linear(x) for x in inputs):
            linear.append(eqn)
        else:
            env.update(zip(eqn.outputs, eqn.primitive.bind(*inputs, **eqn.params), strict=True))
    for atom, ct, mask in zip(jaxpr.outs, cts, ct_masks, strict=True):
        accumulate(atom, ct, mask)
    for eqn in reversed(linear):
        out_cts = tuple([ct_env.pop(v, None) for v in eqn.outputs])
        if all(ct is None for ct in out_cts):
            continue
        filled = tuple(
            [
                Zero(v.aval.tangent()) if ct is None else ct
                for ct, v in zip(out_cts, eqn.outputs, strict=True)
            ]
        )
        inputs = [read(a) for a in eqn.inputs]
        mask = masks[eqn.outputs[0]] if len(eqn.outputs) == 1 else None
        passed = passed_on(eqn, inputs, mask)
        if mask is not None:
            inputs = guarded(eqn, inputs, mask)
        found = eqn.primitive.transpose(filled, *inputs, **eqn.params)
        for atom, ct, kept in zip(eqn.inputs, found, passed, strict=True):
            accumulate(atom, ct, kept)
    result = [
        (ct_env.get(v, Zero(v.aval.tangent())) if is_linear(x) else None)
        for v, x in zip(jaxpr.invars, operands, strict=True)
    ]
    return result, [masks.get(v) for v in jaxpr.invars]


def transpose_jaxpr(
    jaxpr: Jaxpr, linear: Sequence[bool], nonzero_cts: Sequence[bool] | None = None
) -> Jaxpr:
    """The program of `backward`: from (*non-linear inputs, *cotangents) to input cotangents.

    Args:
        jaxpr: a program that is linear in the inputs marked in `linear`.
        linear: for each input, whether it is linear.
        nonzero_cts: outputs that have a cotangent; default: all.
    """
    given_cts = nonzero_cts or [True] * len(jaxpr.outs)
    n = sum(not x for x in linear)

    def f(*args: Value) -> list[Value]:
        known, cts_given = iter(args[:n]), iter(args[n:])
        operands = [
            Linear(v.aval) if is_lin else next(known)
            for v, is_lin in zip(jaxpr.invars, linear, strict=True)
        ]
        cts = [
            next(cts_given) if g else Zero(a.aval)
            for g, a in zip(given_cts, jaxpr.outs, strict=True)
        ]
        found = backward(jaxpr, operands, cts)
        return [instantiate(ct) for ct in found if ct is not None]

    avals = [v.aval for v, is_lin in zip(jaxpr.invars, linear, strict=True) if not is_lin]
    avals += [a.aval for a, g in zip(jaxpr.outs, given_cts, strict=True) if g]
    closed = trace_to_jaxpr(f, avals, "transpose")
    assert not closed.consts
    return checked(closed.jaxpr, "transposition")
