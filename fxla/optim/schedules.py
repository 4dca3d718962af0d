"""Hyperparameters as functions of the number of updates made.

A schedule takes a count, a number or an array, and gives a value. `scale_by_learning_rate` and the
optimisers take one wherever they take a learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import fxla.numpy as fnp
from fxla.core.trace import where_am_i
from fxla.optim.transformation import Schedule

__all__ = [
    "constant_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "exponential_decay",
    "join_schedules",
    "linear_onecycle_schedule",
    "linear_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "sgdr_schedule",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
]


def constant_schedule(value: Any) -> Schedule:
    """One value.

    Example:
        >>> constant_schedule(0.1)(7)
        0.1
    """
    return lambda count: value


def polynomial_schedule(
    init_value: Any, end_value: Any, power: Any, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From one value to another by ``(1 - t)^power``, where t runs from 0 to 1.

    Args:
        init_value: the value up to `transition_begin`.
        end_value: the value from ``transition_begin + transition_steps`` on.
        power: of the polynomial.
        transition_steps: how many updates the way takes; the first value stays if 0.
        transition_begin: where it begins.

    Example:
        >>> [float(polynomial_schedule(1.0, 0.0, 2, 4)(i)) for i in range(0, 6, 2)]
        [1.0, 0.25, 0.0]
    """
    if transition_steps <= 0:
        return constant_schedule(init_value)
    begin = max(transition_begin, 0)

    def schedule(count: Any) -> Any:
        left = 1 - fnp.clip(count - begin, 0, transition_steps) / transition_steps
        return (init_value - end_value) * left**power + end_value

    return schedule


def linear_schedule(
    init_value: Any, end_value: Any, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """A straight line from one value to another; see `polynomial_schedule`.

    Example:
        >>> [float(linear_schedule(1.0, 0.0, 4)(i)) for i in range(0, 6, 2)]
        [1.0, 0.5, 0.0]
    """
    return polynomial_schedule(init_value, end_value, 1, transition_steps, transition_begin)


def piecewise_constant_schedule(
    init_value: Any, boundaries_and_scales: Mapping[int, Any] | None = None
) -> Schedule:
    """A value that is multiplied by a number at each boundary.

    Args:
        init_value: the first value.
        boundaries_and_scales: for each count the factor from there on.

    Raises:
        ValueError: for a negative factor.

    Example:
        >>> [float(piecewise_constant_schedule(1.0, {2: 0.5, 4: 0.1})(i)) for i in (0, 2, 4)]
        [1.0, 0.5, 0.05]
    """
    steps = sorted((boundaries_and_scales or {}).items())
    _positive([factor for _, factor in steps], "piecewise_constant_schedule")

    def schedule(count: Any) -> Any:
        value = init_value
        for boundary, factor in steps:
            value = value * fnp.where(count < boundary, 1.0, factor)
        return value

    return schedule


def exponential_decay(
    init_value: Any,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """``init_value decay_rate^(count / transition_steps)``.

    Args:
        init_value: the value up to `transition_begin`.
        transition_steps: how many updates one factor takes; the first value stays if 0.
        decay_rate: the factor; the first value stays if 0.
        transition_begin: where the decay begins.
        staircase: only whole powers.
        end_value: where it ends.

    Example:
        >>> [float(exponential_decay(1.0, 2, 0.25)(i)) for i in (0, 1, 2)]
        [1.0, 0.5, 0.25]
    """
    if transition_steps <= 0 or decay_rate == 0:
        return constant_schedule(init_value)
    begin = max(transition_begin, 0)

    def schedule(count: Any) -> Any:
        power = (count - begin) / transition_steps
        if staircase:
            power = fnp.floor(power)
        value = fnp.where(
            count <= begin, init_value, init_value * fnp.power(float(decay_rate), power)
        )
        if end_value is None:
            return value
        return (fnp.maximum if decay_rate < 1 else fnp.minimum)(value, end_value)

    return schedule


def cosine_decay_schedule(
    init_value: Any, decay_steps: Any, alpha: Any = 0.0, exponent: Any = 1.0
) -> Schedule:
    """``init_value ((1 - alpha) ((1 + cos(pi count / decay_steps)) / 2)^exponent + alpha)``.

    Loshchilov, Hutter: "SGDR" (arXiv:1608.03983).

    Args:
        init_value: the first value.
        decay_steps: how many updates the decay takes.
        alpha: the last value, as a part of the first.
        exponent: of the cosine.

    Raises:
        ValueError: if `decay_steps` is not positive.

    Example:
        >>> [round(float(cosine_decay_schedule(1.0, 4)(i)), 6) for i in (0, 2, 4, 9)]
        [1.0, 0.5, 0.0, 0.0]
    """
    if not decay_steps > 0:
        raise ValueError(
            "optim.cosine_decay_schedule: decay_steps must be positive, not "
            f"{decay_steps!r}{where_am_i()}"
        )

    def schedule(count: Any) -> Any:
        part = fnp.minimum(count, decay_steps) / decay_steps
        cosine = 0.5 * (1 + fnp.cos(math.pi * part))
        return init_value * ((1 - alpha) * cosine**exponent + alpha)

    return schedule


def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """One schedule after the other, each counting from its own beginning.

    Args:
        schedules: the schedules.
        boundaries: where each but the first begins.

    Example:
        >>> joined = join_schedules([constant_schedule(1.0), linear_schedule(0.0, 2.0, 2)], [5])
        >>> [float(joined(i)) for i in (4, 5, 6)]
        [1.0, 0.0, 1.0]
    """

    def schedule(count: Any) -> Any:
        value = schedules[0](count)
        for boundary, following in zip(boundaries, schedules[1:]):
            value = fnp.where(count < boundary, value, following(count - boundary))
        return value

    return schedule


def warmup_constant_schedule(init_value: Any, peak_value: Any, warmup_steps: int) -> Schedule:
    """A straight line up to a value that stays.

    Example:
        >>> [float(warmup_constant_schedule(0.0, 1.0, 4)(i)) for i in (0, 2, 9)]
        [0.0, 0.5, 1.0]
    """
    return linear_schedule(init_value, peak_value, warmup_steps)


def warmup_cosine_decay_schedule(
    init_value: Any,
    peak_value: Any,
    warmup_steps: int,
    decay_steps: int,
    end_value: Any = 0.0,
    exponent: Any = 1.0,
) -> Schedule:
    """A straight line up, then `cosine_decay_schedule` down.

    Args:
        init_value: where the line begins.
        peak_value: where it ends.
        warmup_steps: how many updates it takes.
        decay_steps: how many updates everything takes, the line included.
        end_value: where the decay ends.
        exponent: of the cosine.

    Raises:
        ValueError: if no update is left for the decay.

    Example:
        >>> schedule = warmup_cosine_decay_schedule(0.0, 1.0, 2, 6)
        >>> [round(float(schedule(i)), 6) for i in (0, 1, 2, 4, 6)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if decay_steps <= warmup_steps:
        raise ValueError(
            f"optim.warmup_cosine_decay_schedule: decay_steps={decay_steps!r} count the warm-up "
            f"too, and must be more than warmup_steps={warmup_steps!r}{where_am_i()}"
        )
    alpha = 0.0 if peak_value == 0 else end_value / peak_value
    up = linear_schedule(init_value, peak_value, warmup_steps)
    down = cosine_decay_schedule(peak_value, decay_steps - warmup_steps, alpha, exponent)
    return join_schedules([up, down], [warmup_steps])


def warmup_exponential_decay_schedule(
    init_value: Any,
    peak_value: Any,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """A straight line up, then `exponential_decay`.

    Example:
        >>> schedule = warmup_exponential_decay_schedule(0.0, 1.0, 2, 2, 0.25)
        >>> [float(schedule(i)) for i in (0, 1, 2, 4)]
        [0.0, 0.5, 1.0, 0.25]
    """
    up = linear_schedule(init_value, peak_value, warmup_steps)
    down = exponential_decay(
        peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value
    )
    return join_schedules([up, down], [warmup_steps])


def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """Several `warmup_cosine_decay_schedule`, each with its arguments: warm restarts.

    Loshchilov, Hutter: "SGDR" (arXiv:1608.03983).

    Example:
        >>> arguments = {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 1, "decay_steps": 3}
        >>> [round(float(sgdr_schedule([arguments, arguments])(i)), 6) for i in (1, 3, 4)]
        [1.0, 0.0, 1.0]
    """
    cycles = list(cosine_kwargs)
    ends = [sum(c["decay_steps"] for c in cycles[: i + 1]) for i in range(len(cycles))]
    return join_schedules([warmup_cosine_decay_schedule(**c) for c in cycles], ends[:-1])


def _line(part: Any) -> Any:
    return part


def _half_cosine(part: Any) -> Any:
    return 0.5 * (1 - fnp.cos(math.pi * part))


def piecewise_interpolate_schedule(
    interpolate_type: str, init_value: Any, boundaries_and_scales: Mapping[int, Any] | None = None
) -> Schedule:
    """A value that is multiplied by a number up to each boundary, on the way by a line or cosine.

    Args:
        interpolate_type: ``"linear"`` or ``"cosine"``.
        init_value: the first value.
        boundaries_and_scales: for each count the factor that has been reached there.

    Raises:
        ValueError: for another type, or a negative factor.

    Example:
        >>> schedule = piecewise_interpolate_schedule("linear", 1.0, {2: 3.0, 4: 0.0})
        >>> [float(schedule(i)) for i in (0, 1, 2, 3, 5)]
        [1.0, 2.0, 3.0, 1.5, 0.0]
    """
    ways: dict[str, Callable[[Any], Any]] = {"linear": _line, "cosine": _half_cosine}
    if interpolate_type not in ways:
        raise ValueError(
            "optim.piecewise_interpolate_schedule: interpolate_type must be 'linear' or 'cosine', "
            f"not {interpolate_type!r}{where_am_i()}"
        )
    way = ways[interpolate_type]
    steps = sorted((boundaries_and_scales or {}).items())
    _positive([factor for _, factor in steps], "piecewise_interpolate_schedule")

    def schedule(count: Any) -> Any:
        # Each way in its turn is passed: before its beginning its part is 0, after its end 1.
        value, reached, begin = init_value, init_value, 0
        for end, factor in steps:
            part = fnp.clip((count - begin) / max(end - begin, 1), 0.0, 1.0)
            part = fnp.where(count >= end, 1.0, part)
            value = value + (reached * factor - reached) * way(part)
            reached, begin = reached * factor, end
        return value

    return schedule


def linear_onecycle_schedule(
    transition_steps: int,
    peak_value: Any,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Up to a peak, back, and further down, in straight lines.

    Smith, Topin: "Super-convergence" (arXiv:1708.07120).

    Args:
        transition_steps: how many updates the cycle takes.
        peak_value: the largest value.
        pct_start: the part of the cycle that goes up.
        pct_final: where the last part begins.
        div_factor: the peak over the first value.
        final_div_factor: the first value over the last.

    Raises:
        ValueError: if `transition_steps` is not positive.

    Example:
        >>> schedule = linear_onecycle_schedule(20, 1.0, div_factor=4.0)
        >>> [round(float(schedule(i)), 4) for i in (0, 6, 17)]
        [0.25, 1.0, 0.25]
    """
    _cycle(transition_steps, "linear_onecycle_schedule")
    return piecewise_interpolate_schedule(
        "linear",
        peak_value / div_factor,
        {
            int(pct_start * transition_steps): div_factor,
            int(pct_final * transition_steps): 1.0 / div_factor,
            transition_steps: 1.0 / final_div_factor,
        },
    )


def cosine_onecycle_schedule(
    transition_steps: int,
    peak_value: Any,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Up to a peak and down, each by half a cosine.

    Smith, Topin: "Super-convergence" (arXiv:1708.07120).

    Args:
        transition_steps: how many updates the cycle takes.
        peak_value: the largest value.
        pct_start: the part of the cycle that goes up.
        div_factor: the peak over the first value.
        final_div_factor: the first value over the last.

    Raises:
        ValueError: if `transition_steps` is not positive.

    Example:
        >>> schedule = cosine_onecycle_schedule(20, 1.0, div_factor=4.0)
        >>> [round(float(schedule(i)), 4) for i in (0, 6, 20)]
        [0.25, 1.0, 0.0]
    """
    _cycle(transition_steps, "cosine_onecycle_schedule")
    return piecewise_interpolate_schedule(
        "cosine",
        peak_value / div_factor,
        {
            int(pct_start * transition_steps): div_factor,
            int(transition_steps): 1.0 / (div_factor * final_div_factor),
        },
    )


def _cycle(transition_steps: int, name: str) -> None:
    if transition_steps <= 0:
        raise ValueError(
            f"optim.{name}: transition_steps must be positive, not {transition_steps}{where_am_i()}"
        )


def _positive(factors: Sequence[Any], name: str) -> None:
    if any(factor < 0 for factor in factors):
        raise ValueError(
            f"optim.{name}: factors must not be negative, got {list(factors)}{where_am_i()}"
        )
