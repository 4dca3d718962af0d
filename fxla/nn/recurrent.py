"""Recurrent layers, with PyTorch's gates and both of its biases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import typeof
from fxla.nn import activations, initializers
from fxla.nn.checks import check_features, check_rank
from fxla.nn.dropout import Dropout
from fxla.nn.module import Module
from fxla.nn.precision import product
from fxla.nn.seeds import keys

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]


class _Cell(Module):
    """One step; the products with the input do not depend on the state, and are made before.

    Attributes:
        weight_ih: [in_features, gates * hidden].
        weight_hh: [hidden, gates * hidden].
        bias_ih: [gates * hidden], or None.
        bias_hh: [gates * hidden], or None.
    """

    _gates = 1

    def __init__(
        self,
        in_features: int,
        hidden: int,
        bias: bool = True,
        *,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        self.in_features = in_features
        self.hidden = hidden
        draw = _uniform(hidden**-0.5)
        size = self._gates * hidden
        k = keys(key, 4)
        self.weight_ih = draw(k[0], (in_features, size), dtype)
        self.weight_hh = draw(k[1], (hidden, size), dtype)
        self.bias_ih = draw(k[2], (size,), dtype) if bias else None
        self.bias_hh = draw(k[3], (size,), dtype) if bias else None

    def __call__(self, x: Any, state: Any = None) -> Any:
        check_features(self, x, self.in_features)
        if state is None:
            state = self.initial_state(typeof(x).shape[:-1], typeof(self.weight_hh).dtype)
        return self.step(self.projected(x), state)

    def projected(self, x: Any) -> Any:
        """What the gates get from inputs: [..., in_features] gives [..., gates * hidden]."""
        y = product(x, self.weight_ih)
        return y if self.bias_ih is None else y + self.bias_ih

    def recurrent(self, h: Any) -> Any:
        """What the gates get from the state."""
        y = product(h, self.weight_hh)
        return y if self.bias_hh is None else y + self.bias_hh

    def initial_state(self, batch: tuple[int, ...], dtype: Any) -> Any:
        """Zeros [*batch, hidden]."""
        return fnp.zeros((*batch, self.hidden), dtype)

    def step(self, projected: Any, state: Any) -> Any:
        """The next state, from what `projected` gives for one step and the state before it."""
        raise NotImplementedError

    def _shown(self) -> list[str]:
        return [str(self.in_features), str(self.hidden)]


def _uniform(limit: float) -> Callable[..., Any]:
    draw = initializers.uniform(2.0 * limit)
    return lambda key, shape, dtype: draw(key, shape, dtype) - limit


def _parts(x: Any, n: int) -> list[Any]:
    """The last axis in n equal parts."""
    size = typeof(x).shape[-1] // n
    return [x[..., k * size : (k + 1) * size] for k in range(n)]


class RNNCell(_Cell):
    """``h' = tanh(x W_ih + b_ih + h W_hh + b_hh)`` (Elman 1990).

    Args:
        in_features: size of the last axis of the input.
        hidden: size of the state.
        bias: whether there are biases.
        key: for the initial values, uniform between ±1 / sqrt(hidden).
        dtype: of the parameters; default: fxla's default float.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.RNNCell(3, 4)(np.ones((5, 3))).shape
        (5, 4)
    """

    def step(self, projected: Any, state: Any) -> Any:
        """The next state."""
        return fnp.tanh(projected + self.recurrent(state))


class GRUCell(_Cell):
    """Gated recurrent unit (Cho et al. 2014), with the gates r, z, n in this order.

        r = sigmoid(x W_ir + b_ir + h W_hr + b_hr)
        z = sigmoid(x W_iz + b_iz + h W_hz + b_hz)
        n = tanh(x W_in + b_in + r (h W_hn + b_hn))
        h' = (1 - z) n + z h

    Args:
        in_features: size of the last axis of the input.
        hidden: size of the state.
        bias: whether there are biases.
        key: for the initial values, uniform between ±1 / sqrt(hidden).
        dtype: of the parameters; default: fxla's default float.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.GRUCell(3, 4)(np.ones((5, 3))).shape
        (5, 4)
    """

    _gates = 3

    def step(self, projected: Any, state: Any) -> Any:
        """The next state."""
        ir, iz, i_n = _parts(projected, 3)
        hr, hz, hn = _parts(self.recurrent(state), 3)
        r, z = activations.sigmoid(ir + hr), activations.sigmoid(iz + hz)
        n = fnp.tanh(i_n + r * hn)
        return n + z * (state - n)


class LSTMCell(_Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), gates i, f, g, o in this order.

        i, f, o = sigmoid(x W_i* + b_i* + h W_h* + b_h*),  g = tanh(...)
        c' = f c + i g,  h' = o tanh(c')

    The state is a pair ``(h, c)``.

    Args:
        in_features: size of the last axis of the input.
        hidden: size of h and of c.
        bias: whether there are biases.
        key: for the initial values, uniform between ±1 / sqrt(hidden).
        dtype: of the parameters; default: fxla's default float.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> h, c = nn.LSTMCell(3, 4)(np.ones((5, 3)))
        >>> h.shape, c.shape
        ((5, 4), (5, 4))
    """

    _gates = 4

    def initial_state(self, batch: tuple[int, ...], dtype: Any) -> Any:
        """A pair of zeros [*batch, hidden]."""
        zeros = super().initial_state(batch, dtype)
        return zeros, zeros

    def step(self, projected: Any, state: Any) -> Any:
        """The next pair."""
        h, c = state
        i, f, g, o = _parts(projected + self.recurrent(h), 4)
        c = activations.sigmoid(f) * c + activations.sigmoid(i) * fnp.tanh(g)
        return activations.sigmoid(o) * fnp.tanh(c), c


class _Recurrent(Module):
    """Layers of cells over the steps of sequences."""

    _cell: type[_Cell]

    def __init__(
        self,
        in_features: int,
        hidden: int,
        layers: int = 1,
        bias: bool = True,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        self.in_features = in_features
        self.hidden = hidden
        self.bidirectional = bidirectional
        directions = 2 if bidirectional else 1
        *of_cells, of_dropout = keys(key, directions * layers + 1)
        made = [
            self._cell(
                in_features if k < directions else directions * hidden,
                hidden, bias, key=of_cells[k], dtype=dtype,
            )
            for k in range(directions * layers)
        ]  # fmt: skip
        self.cells = made[::directions]
        self.reverse_cells = made[1::2] if bidirectional else None
        self.dropout = Dropout(dropout, key=of_dropout) if dropout else None

    def __call__(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        check_rank(self, x, 3, f"[batch, steps, {self.in_features}]")
        check_features(self, x, self.in_features)
        ends = []
        pairs = [[cell] for cell in self.cells]
        for pair, reverse in zip(pairs, self.reverse_cells or (), strict=False):
            pair.append(reverse)
        for k, pair in enumerate(pairs):
            if k and self.dropout is not None:
                x = self.dropout(x)
            outs = []
            for d, cell in enumerate(pair):
                initial = None if state is None else _pick(state, k * len(pair) + d)
                y, end = _over_steps(cell, x, initial, reverse=d == 1)
                outs.append(y)
                ends.append(end)
            x = outs[0] if len(outs) == 1 else fnp.concatenate(outs, axis=-1)
        return x, _stacked(ends)

    def _shown(self) -> list[str]:
        return [str(self.in_features), str(self.hidden)]


def _pick(state: Any, k: int) -> Any:
    return tuple([part[k] for part in state]) if isinstance(state, tuple) else state[k]


def _stacked(ends: list[Any]) -> Any:
    if isinstance(ends[0], tuple):
        return tuple([fnp.stack(parts) for parts in zip(*ends, strict=True)])
    return fnp.stack(ends)


def _over_steps(cell: _Cell, x: Any, state: Any, reverse: bool) -> tuple[Any, Any]:
    """Outputs [batch, steps, hidden] of a cell over the steps of x, and its last state."""
    projected = fnp.swapaxes(cell.projected(x), 0, 1)
    if state is None:
        state = cell.initial_state((typeof(x).shape[0],), typeof(projected).dtype)

    def step(before: Any, at: Any) -> tuple[Any, Any]:
        after = cell.step(at, before)
        return after, after[0] if isinstance(after, tuple) else after

    end, ys = lax.scan(step, state, projected, reverse=reverse)
    return fnp.swapaxes(ys, 0, 1), end


class RNN(_Recurrent):
    """Layers of `RNNCell` over the steps of sequences.

    Args:
        in_features: size of the last axis of the input.
        hidden: size of the state.
        layers: how many, one above the other.
        bias: whether there are biases.
        bidirectional: whether other cells go from the last step to the first beside them.
        dropout: rate of dropout between layers.
        key: for the initial values.
        dtype: of the parameters; default: fxla's default float.

    Attributes:
        cells: a list of a cell for each layer.
        reverse_cells: those that go backward, or None.

    A call takes [batch, steps, in_features], and perhaps the first state; it gives
    [batch, steps, hidden] (twice as many features if `bidirectional`) and the last state
    [layers * directions, batch, hidden].

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> y, h = nn.RNN(3, 4)(np.ones((5, 7, 3)))
        >>> y.shape, h.shape
        ((5, 7, 4), (1, 5, 4))
    """

    _cell = RNNCell


class GRU(_Recurrent):
    """Layers of `GRUCell` over the steps of sequences; arguments and results are those of `RNN`.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> y, h = nn.GRU(3, 4, layers=2, bidirectional=True)(np.ones((5, 7, 3)))
        >>> y.shape, h.shape
        ((5, 7, 8), (4, 5, 4))
    """

    _cell = GRUCell


class LSTM(_Recurrent):
    """Layers of `LSTMCell` over the steps of sequences; arguments are those of `RNN`.

    The state is a pair ``(h, c)``.

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> y, (h, c) = nn.LSTM(3, 4)(np.ones((5, 7, 3)))
        >>> y.shape, h.shape, c.shape
        ((5, 7, 4), (1, 5, 4), (1, 5, 4))
    """

    _cell = LSTMCell
