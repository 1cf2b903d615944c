"""The clock that watches the stages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from i2ikit.translation.stages import Clock


def test_a_clock_takes_stages_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("i2ikit.translation.stages.time.perf_counter", lambda: now[0])
    clock = Clock()

    def taking(seconds: float, items: Iterable[int]) -> Iterator[int]:
        for item in items:
            now[0] += seconds
            yield item

    inner = clock.watch("inner", taking(1.0, range(3)))
    list(clock.watch("outer", taking(2.0, inner)))
    assert clock.shares() == {"inner": 3.0, "outer": 6.0}
