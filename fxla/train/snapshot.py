"""A trainer's whole state in one file.

The file is one of `fxla.save`: parameters by their paths, lists of the other arrays, and JSON for
the rest. It is written beside its place, flushed to disk, and moved there.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxla.core.pytree import leaf_paths, tree_flatten, tree_unflatten
from fxla.core.trace import typeof, where_am_i
from fxla.weights import load, save
from fxla.weights import open as open_file

__all__ = ["Snapshot", "leaves", "read", "restored", "written"]


@dataclass(frozen=True)
class Snapshot:
    """What a trainer is made of.

    Attributes:
        model: parameters and buffers by path.
        optimizer: the arrays of the optimiser's state.
        sums: of loss and metrics in the epoch under way.
        gathered: the arrays of gradients that wait for their update; none if none do.
        run: counts, the position in the data, the history, the callbacks' states.
    """

    model: dict[str, Any]
    optimizer: list[Any]
    sums: Any
    gathered: list[Any]
    run: dict[str, Any]


def leaves(tree: Any) -> list[Any]:
    """The arrays of a tree."""
    return [np.asarray(x) for x in tree_flatten(tree)[0]]


def written(path: str | os.PathLike[str], snapshot: Snapshot) -> None:
    """Write a snapshot, whole or not at all."""
    arrays = {
        "model": snapshot.model,
        "optimizer": snapshot.optimizer,
        "sums": snapshot.sums,
        "gathered": snapshot.gathered,
    }
    save(path, arrays, {"run": json.dumps(snapshot.run, default=lambda x: np.asarray(x).tolist())})


def read(path: str | os.PathLike[str]) -> Snapshot:
    """Read a snapshot.

    Raises:
        ValueError: if the file is damaged, or another than `Trainer.save` writes.
    """
    metadata = open_file(path).metadata
    if "run" not in metadata:
        raise ValueError(
            f"Trainer: {os.fspath(path)} is not a checkpoint of a Trainer{where_am_i()}"
        )
    arrays = load(path)
    return Snapshot(
        arrays["model"],
        arrays["optimizer"],
        arrays["sums"],
        arrays["gathered"],
        json.loads(metadata["run"]),
    )


def restored(
    snapshot: Snapshot, model: Any, optimizer: Any
) -> tuple[list[Any], Any, list[Any] | None]:
    """The arrays of a snapshot in the shape of a trainer's.

    Args:
        snapshot: the file's.
        model: the trainer's model.
        optimizer: a state of the trainer's optimiser for it.

    Returns:
        The model's leaves, the optimiser's state, and the gathered gradients or None.

    Raises:
        ValueError: if the arrays are not those of this model; the message lists what differs.
    """
    own = dict(zip(leaf_paths(model, "model"), tree_flatten(model)[0], strict=True))
    wrong = [f"{p} is missing in the file" for p in own if p not in snapshot.model]
    wrong += [f"{p} is not in the model" for p in snapshot.model if p not in own]
    wrong += [
        f"{p} is {typeof(snapshot.model[p])} in the file and {typeof(x)} in the model"
        for p, x in own.items()
        if p in snapshot.model and typeof(snapshot.model[p]) != typeof(x)
    ]
    if wrong:
        raise ValueError(
            f"Trainer: the checkpoint is of another model{where_am_i()}: " + "; ".join(wrong)
        )
    state = _filled(optimizer, snapshot.optimizer)
    return [snapshot.model[p] for p in own], state, snapshot.gathered or None


def _filled(template: Any, arrays: list[Any]) -> Any:
    own, structure = tree_flatten(template)
    if [typeof(a) for a in own] != [typeof(a) for a in arrays]:
        raise ValueError(
            f"Trainer: the checkpoint is of another optimiser: its state has {len(arrays)} arrays "
            f"({', '.join(str(typeof(a)) for a in arrays[:6])}, ...), and here it has "
            f"{len(own)}{where_am_i()}"
        )
    return tree_unflatten(structure, arrays)
