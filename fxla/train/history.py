"""The figures of all epochs, as a table and as a plot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fxla.core.trace import where_am_i
from fxla.data.builtin import optional

__all__ = ["History"]


class History:
    """Loss and metrics by epoch.

    ``history["loss"]`` lists a figure's values, ``history.epochs[-1]`` is a dict of the last
    epoch's, ``history.history`` is Keras's dict of lists.

    Example:
        >>> history = History([{"loss": 0.5, "val_loss": 0.75}, {"loss": 0.25, "val_loss": 0.5}])
        >>> history
        epoch    loss  val_loss
            1  0.5000    0.7500
            2  0.2500    0.5000
        >>> history["val_loss"]
        [0.75, 0.5]
    """

    def __init__(self, epochs: list[dict[str, Any]] | None = None) -> None:
        self.epochs = list(epochs or [])

    @property
    def names(self) -> list[str]:
        """The names of the figures, in the order in which they came up."""
        return list(dict.fromkeys(name for e in self.epochs for name in e))

    @property
    def history(self) -> dict[str, list[Any]]:
        """The values of every figure."""
        return {name: self[name] for name in self.names}

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self.names:
            raise KeyError(
                f"History: there is no figure {name!r}; there are {self.names}{where_am_i()}"
            )
        return [e.get(name) for e in self.epochs]

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.epochs)

    def _rows(self) -> list[list[str]]:
        shown = [n for n in self.names if any(is_number(e.get(n)) for e in self.epochs)]
        rows = [["epoch", *shown]]
        for k, epoch in enumerate(self.epochs, 1):
            rows.append([str(k), *(as_text(epoch.get(n)) for n in shown)])
        return rows

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join(
            "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
        )

    def _repr_html_(self) -> str:
        head, *rows = self._rows()
        cells = "".join(f"<th>{c}</th>" for c in head)
        body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in r) + "</tr>" for r in rows)
        return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"

    def plot(self, *names: str) -> Any:
        """A figure of matplotlib with a panel for each figure, validation beside training.

        Args:
            *names: which; default: all that are numbers.

        Raises:
            MissingExtraError: if matplotlib is not installed.
        """
        pyplot = optional("matplotlib.pyplot", "matplotlib", "History.plot", "examples")
        numbers = [n for n in self.names if any(is_number(e.get(n)) for e in self.epochs)]
        wanted = list(dict.fromkeys(n.removeprefix("val_") for n in names or numbers))
        figure, axes = pyplot.subplots(
            1, max(len(wanted), 1), figsize=(4 * max(len(wanted), 1), 3), squeeze=False
        )
        for name, panel in zip(wanted, axes[0], strict=True):
            for shown, style in ((name, "-"), (f"val_{name}", "--")):
                if shown in numbers:
                    values = [np.nan if v is None else v for v in self[shown]]
                    panel.plot(range(1, len(values) + 1), values, style, label=shown)
            panel.set_xlabel("epoch")
            panel.set_title(name)
            panel.legend()
        figure.tight_layout()
        return figure


def is_number(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def as_text(x: Any) -> str:
    if not is_number(x):
        return ""
    return f"{x:.4f}" if 1e-3 <= abs(x) < 1e4 or x == 0 else f"{x:.3e}"
