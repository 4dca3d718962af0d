"""Order, position and threads of datasets, beside plain lists."""

from __future__ import annotations

import gc
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fxla.data import DataLoader, Dataset, as_dataset

Made = Callable[[], Dataset]


def numbers(n: int = 23) -> list[int]:
    return [7 * i % 101 for i in range(n)]


def stream() -> Dataset:
    return Dataset.from_iterable(lambda: iter(numbers()))


MADE: dict[str, Made] = {
    "arrays": lambda: as_dataset(np.array(numbers())),
    "list": lambda: as_dataset(numbers()),
    "stream": stream,
    "mapped stream": lambda: stream().map(lambda x: x + 1),
    "filtered": lambda: stream().filter(lambda x: x % 3),
    "shuffled": lambda: as_dataset(np.array(numbers())).shuffle(5),
    "window": lambda: stream().shuffle(5, window=6),
    "batched window": lambda: stream().shuffle(5, window=6).batch(4),
    "repeated": lambda: as_dataset(numbers(5)).shuffle(1).repeat(3).batch(2),
    "zipped": lambda: Dataset.zip(stream(), as_dataset(numbers()).shuffle(2)),
    "joined": lambda: Dataset.concatenate(stream(), as_dataset(numbers(3)), stream()),
    "prefetched": lambda: stream().map(lambda x: -x).prefetch(5, workers=3),
    "loader": lambda: DataLoader(np.array(numbers()), 4, shuffle=True, seed=2, workers=2),
    "loader of a window": lambda: DataLoader(stream().shuffle(3, window=4), 5, workers=1),
}


def plain(elements: Any) -> list[Any]:
    return [np.asarray(x).tolist() for x in elements]


@pytest.mark.parametrize("name", MADE)
def test_continues_exactly_from_every_position(name: str) -> None:
    make = MADE[name]
    unbroken = [plain(d.epoch(e)) for d in [make()] for e in range(2)]
    dataset = make()
    for epoch in range(2):
        loop = dataset.epoch(epoch)
        for k, element in enumerate(loop):
            assert plain([element]) == unbroken[epoch][k : k + 1]
            other = make()
            other.restore(dataset.state())
            assert plain(other) == unbroken[epoch][k + 1 :]
            assert plain(other) == plain(make().epoch(epoch + 1))
        assert dataset.state() == {"epoch": epoch + 1, "at": None}


def test_an_element_on_its_way_is_not_counted() -> None:
    dataset = as_dataset(numbers()).map(lambda x: x).prefetch(8, workers=4)
    loop = iter(dataset)
    assert [next(loop) for _ in range(3)] == numbers()[:3]
    assert dataset.state() == {"epoch": 0, "at": 3}
    loop.close()


@pytest.mark.parametrize("name", ["shuffled", "window", "loader"])
def test_epochs_differ_and_hold_the_same(name: str) -> None:
    dataset = MADE[name]()
    first, second = (np.concatenate([np.ravel(x) for x in dataset]) for _ in range(2))
    assert first.tolist() != second.tolist()
    assert sorted(first) == sorted(second) == sorted(numbers())
    again = np.concatenate([np.ravel(x) for x in MADE[name]().epoch(1)])
    assert again.tolist() == second.tolist()


def test_orders_differ_by_seed() -> None:
    orders = {tuple(plain(as_dataset(np.arange(40)).shuffle(s))) for s in range(5)}
    assert len(orders) == 5


def test_a_shuffle_is_as_likely_to_put_each_first() -> None:
    first = [next(iter(as_dataset(np.arange(4)).shuffle(s))) for s in range(800)]
    counts = np.bincount(first, minlength=4)
    assert (abs(counts - 200) < 60).all()  # about five standard deviations


def test_repeating_shuffles_each_time() -> None:
    twice = plain(as_dataset(np.arange(30)).shuffle(4).repeat(2))
    assert twice[:30] != twice[30:]
    assert sorted(twice[:30]) == sorted(twice[30:]) == list(range(30))


def test_repeating_without_end() -> None:
    loop = iter(as_dataset([1, 2]).repeat())
    assert [next(loop) for _ in range(5)] == [1, 2, 1, 2, 1]
    assert list(as_dataset([]).repeat()) == []
    assert list(as_dataset([1]).repeat(0)) == []


@pytest.mark.parametrize("drop", [False, True])
def test_the_last_batch(drop: bool) -> None:
    x, y = np.random.default_rng(0).normal(size=(7, 3)), np.arange(7)
    loader = DataLoader((x, {"y": y}), 3, drop_remainder=drop)
    batches = list(loader)
    assert len(batches) == len(loader) == (2 if drop else 3)
    for k, (a, b) in enumerate(batches):
        np.testing.assert_array_equal(a, x[3 * k : 3 * k + 3])
        np.testing.assert_array_equal(b["y"], y[3 * k : 3 * k + 3])


def test_a_batch_is_nobody_elses_memory() -> None:
    x = np.zeros(4)
    for batch in DataLoader(x, 2):
        batch += 1
    assert x.tolist() == [0, 0, 0, 0]


def test_lengths() -> None:
    assert len(as_dataset(numbers(5)).repeat(2).batch(3)) == 4
    assert len(Dataset.zip(as_dataset([1]), as_dataset([1, 2]))) == 1
    assert len(Dataset.concatenate(as_dataset([1]), as_dataset([1, 2]))) == 3
    with pytest.raises(TypeError, match="only reading it tells"):
        len(stream())
    with pytest.raises(TypeError, match=r"shuffle\(window="):
        stream().shuffle(1)


def test_splits_have_nothing_in_common() -> None:
    train, test = as_dataset(np.arange(50)).split(0.7, seed=3)
    assert len(train) == 35
    assert sorted(plain(train) + plain(test)) == list(range(50))
    assert plain(train) != list(range(35))
    assert plain(as_dataset(np.arange(50)).split(0.7, seed=3)[1]) == plain(test)


def test_slices_and_items() -> None:
    dataset = as_dataset(np.arange(10)).map(lambda x: 2 * x)
    assert dataset[-1] == 18
    assert plain(dataset[2:8:3]) == [4, 10]
    with pytest.raises(IndexError, match="element 10 of a dataset of 10"):
        dataset[10]


def test_an_iterator_is_read_once() -> None:
    dataset = as_dataset(iter([1, 2]))
    assert list(dataset) == [1, 2]
    with pytest.raises(ValueError, match="Pass a function that makes it"):
        list(dataset)


def test_examples_that_do_not_batch() -> None:
    ragged = as_dataset([{"x": np.zeros(2)}, {"x": np.zeros(3)}])
    with pytest.raises(ValueError, match=r"example\['x'\] has different shapes.*\(2,\), \(3,\)"):
        list(ragged.batch(2))
    with pytest.raises(ValueError, match="example 1 of the batch has the structure"):
        list(as_dataset([(1, 2), (1, 2, 3)]).batch(2))
    together = ragged.batch(2, collate=lambda examples: len(examples))
    assert list(together) == [2]
    with pytest.raises(ValueError, match=r"data\[0\]: f64\[3\], data\[1\]: f64\[4\]"):
        as_dataset((np.zeros(3), np.zeros(4)))
    with pytest.raises(TypeError, match="an int is not a dataset"):
        as_dataset(3)


def failing(x: int) -> int:
    if x == numbers()[4]:
        raise LookupError("no such file")
    return x


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("source", [numbers(), lambda: iter(numbers())])
def test_a_worker_that_raises_shows_its_own_traceback(workers: int, source: Any) -> None:
    loader = DataLoader(as_dataset(source).map(failing), 3, workers=workers)
    seen = []
    with pytest.raises(LookupError, match="no such file") as raised:
        for batch in loader:
            seen.extend(batch.tolist())
    assert seen == numbers()[:3]
    assert "failing" in [f.name for f in traceback.extract_tb(raised.value.__traceback__)]
    assert raised.value.__notes__ == ["fxla.data: raised by failing for element 4"]
    wait_for_threads()


class Faulty:
    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> int:
        return 1 // (index - 7)


def test_a_sequence_that_raises_names_the_element() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        list(DataLoader(Faulty(), 2, shuffle=True, workers=2))
    assert raised.value.__notes__ == ["fxla.data: raised by element 7 of a Faulty"]
    wait_for_threads()


def of_data() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("fxla-data")]


def wait_for_threads() -> None:
    gc.collect()
    for _ in range(200):
        if not of_data():
            return
        time.sleep(0.01)
    raise AssertionError(f"still running: {of_data()}")


def slow(x: int) -> int:
    time.sleep(0.002)
    return x


def endless() -> Iterator[int]:
    k = 0
    while True:
        yield slow(k)
        k += 1


@pytest.mark.parametrize("source", [numbers(), endless])
def test_threads_end_with_the_loop(source: Any) -> None:
    dataset = as_dataset(source).map(slow).prefetch(4, workers=2)
    for _ in zip(range(3), dataset):
        assert of_data()
    del dataset
    wait_for_threads()  # by garbage collection
    dataset = as_dataset(source).map(slow).prefetch(4, workers=2)
    loop = iter(dataset)
    next(loop)
    loop.close()
    wait_for_threads()
    with pytest.raises(KeyboardInterrupt):
        interrupted(as_dataset(source).map(slow).prefetch(4, workers=2))
    wait_for_threads()


def interrupted(dataset: Dataset) -> None:
    for _ in dataset:
        raise KeyboardInterrupt


def test_workers_work_at_the_same_time() -> None:
    together = threading.Barrier(3)

    def meet(x: int) -> int:
        together.wait(timeout=20)
        return x

    assert list(as_dataset(range(6)).map(meet).prefetch(6, workers=3)) == list(range(6))


def test_the_source_generator_is_closed() -> None:
    closed = []

    def lines() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    for workers in (0, 2):
        loop = iter(DataLoader(lines, 2, workers=workers))
        next(loop)
        loop.close()
        del loop
        wait_for_threads()
    assert closed == [True, True]
