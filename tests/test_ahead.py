"""How a stage works ahead of the next."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from i2ikit.ahead import ahead


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_the_order_stays(workers: int) -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.002 * (5 - item % 5))
        return item

    with ThreadPoolExecutor(max(1, workers)) as pool:
        assert list(ahead(slow_at_first, range(20), pool if workers else None, 4)) == [*range(20)]


def test_no_more_is_under_way_than_was_said() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(2) as pool:
        results = ahead(str, items(), pool, 3)
        assert next(results) == "0"
        assert len(taken) == 4


def test_what_a_worker_raises_arrives_in_its_place() -> None:
    def fail_at_two(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    with ThreadPoolExecutor(2) as pool:
        results = ahead(fail_at_two, range(5), pool, 2)
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(ValueError, match="two"):
            next(results)
