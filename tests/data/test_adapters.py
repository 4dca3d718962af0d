"""Other libraries' pipelines are read unchanged."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from fxla.data import DataLoader, as_arrays, as_dataset

logging.getLogger("absl").setLevel(logging.ERROR)  # grain says at import that there is no jax
grain = pytest.importorskip("grain")


def pipeline() -> Any:
    source = grain.MapDataset.source(list(range(20))).shuffle(seed=3).map(lambda x: 10 * x)
    return source.to_iter_dataset().filter(lambda x: x % 3).batch(4)


def plain(elements: Any) -> list[Any]:
    return [np.asarray(x).tolist() for x in elements]


@pytest.mark.parametrize("workers", [0, 2])
def test_grain_is_put_back_to_its_own_position(workers: int) -> None:
    expected = plain(pipeline())
    loader = DataLoader(pipeline(), None, workers=workers)
    loop = iter(loader)
    assert plain([next(loop), next(loop)]) == expected[:2]
    state = loader.state()
    assert "state" in state["at"]
    loop.close()
    other = DataLoader(pipeline(), None, workers=workers)
    other.restore(state)
    assert plain(other) == expected[2:]


def test_a_grain_map_dataset_is_known_by_number() -> None:
    source = grain.MapDataset.source([3, 1, 2]).map(lambda x: x + 1)
    assert as_dataset(source)[1] == 2
    assert sorted(plain(as_dataset(source).shuffle(1))) == [2, 3, 4]


class Tensor:
    """Speaks DLPack, as PyTorch's do."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


class Loader:
    """A loader of another library: a length, and batches in order."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Any:
        return iter(self.batches)


def test_tensors_become_arrays_without_a_copy() -> None:
    x, y = np.ones((4, 2), np.float32), np.arange(4)
    dataset = as_dataset(Loader([[Tensor(x), {"y": Tensor(y)}]]))
    assert len(dataset) == 1
    for _ in range(2):
        [(a, b)] = dataset
        assert type(a) is np.ndarray
        assert np.shares_memory(a, x)
        assert np.shares_memory(b["y"], y)


def test_pytorch_loaders() -> None:
    torch = pytest.importorskip("torch")
    x, y = torch.arange(12.0).reshape(6, 2), torch.arange(6)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=4)
    batches = list(as_dataset(loader))
    assert [b.tolist() for _, b in batches] == [[0, 1, 2, 3], [4, 5]]
    assert np.shares_memory(as_arrays(x), x.numpy())
    half = as_arrays(torch.ones(3, dtype=torch.bfloat16))
    assert half.astype(np.float32).tolist() == [1, 1, 1]
    assert as_dataset(torch.utils.data.TensorDataset(x, y))[2][1] == 2
