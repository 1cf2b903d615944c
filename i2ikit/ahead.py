"""How a stage of work runs ahead of the next one, in order and within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def ahead(
    function: Callable[[In], Out], items: Iterable[In], pool: Executor | None, depth: int
) -> Iterator[Out]:
    """Yield `function(item)` in order, with up to `depth` items under way in the pool."""
    if pool is None:
        yield from map(function, items)
        return
    under_way: deque[Future[Out]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(function, item))
            if len(under_way) > depth:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
