"""TensorBoard's event files, read back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from i2ikit.errors import UsageError
from i2ikit.training.report import Report
from tests.training.trained import Domains, log, train


def test_losses_rates_validations_and_sheets_are_there(domains: Domains, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(report: Report) -> None:
        if report.step == 8:
            raise StopError

    wishes: dict[str, Any] = {
        "tensorboard": True,
        "sample_every": 10,
        "valid_a": domains[0],
        "valid_b": domains[1],
        "valid_every": 10,
    }
    with pytest.raises(StopError):
        train(domains, tmp_path / "out", **wishes, on_progress=stop)
    train(domains, tmp_path / "out", **wishes)
    events = EventAccumulator(str(tmp_path / "out" / "tensorboard"))
    events.Reload()
    gaps = [line["gap"] for line in log(tmp_path / "out") if "gap" in line]
    steps = list(range(1, 21))  # those after the last saved state once, though they were done twice
    assert [event.step for event in events.Scalars("loss/gap")] == steps
    assert [event.value for event in events.Scalars("loss/gap")] == pytest.approx(gaps)
    rates = [0.05 * (1 - step / 20) for step in range(20)]
    assert [event.value for event in events.Scalars("rate/net")] == pytest.approx(rates)
    assert [event.step for event in events.Scalars("valid/l1")] == [10, 20]
    assert [event.step for event in events.Images("samples/a2b")] == [10, 20]
    assert events.Images("samples/a2b")[0].width == 6 * 18 - 2


def test_without_the_package_it_is_named(
    domains: Domains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    with pytest.raises(UsageError, match=r"pip install 'i2ikit\[tensorboard\]'"):
        train(domains, tmp_path / "out", tensorboard=True)
