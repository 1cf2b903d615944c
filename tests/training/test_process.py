"""Two processes that share trainings: what both must have in common, and with a single one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import ImageOps
from torch import nn

from i2ikit.errors import RunError, UsageError
from i2ikit.training.process import Process, joined
from tests.conftest import picture
from tests.training.sharing import PLAIN, write_labels
from tests.training.trained import Domains, log, train, weights


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with what two processes of `tests.training.sharing` have left."""
    root = tmp_path_factory.mktemp("shared")
    for name in "AB":
        (root / name).mkdir()
    for index in range(6):
        image = picture(40, 36, seed=index)
        image.save(root / "A" / f"{index}.png")
        ImageOps.invert(image).save(root / "B" / f"{index}.png")
    write_labels(root)
    places = [str(place) for place in (root / "A", root / "B", root)]
    port = _free_port()
    command = [sys.executable, "-m", "tests.training.sharing", *places]
    started = [subprocess.Popen([*command, str(rank), str(port)]) for rank in (0, 1)]
    try:
        assert [process.wait(timeout=120) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
            process.wait()
    return root


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def left(shared: Path, name: str, rank: int) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(shared / f"{name}.{rank}.pt")
    return found


def raised(shared: Path, name: str, rank: int) -> str:
    text: str = json.loads((shared / f"{rank}.json").read_text())[name]
    return text


@pytest.mark.parametrize("name", ["plain", "noisy", "resumed", "semantic"])
def test_all_have_the_same_weights(shared: Path, name: str) -> None:
    assert raised(shared, name, 0) == raised(shared, name, 1) == ""
    first, second = left(shared, name, 0), left(shared, name, 1)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_two_processes_learn_what_one_does(shared: Path, tmp_path: Path) -> None:
    """Up to the order of sums; the logged losses are those of the whole batch, too."""
    domains: Domains = shared / "A", shared / "B"
    train(domains, tmp_path / "one", **PLAIN)
    for name, value in weights(tmp_path / "one").items():
        torch.testing.assert_close(weights(shared / "plain")[name], value, rtol=1e-4, atol=1e-5)
    lines = [line for line in log(shared / "plain") if "gap" in line]
    for line, expected in zip(lines, log(tmp_path / "one"), strict=True):
        assert line == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_two_processes_learn_to_tell_classes_as_one_does(shared: Path, tmp_path: Path) -> None:
    wish: dict[str, Any] = {"semantic_loss": 1.0, "labels_a": str(shared / "labels.csv")}
    train((shared / "A", shared / "B"), tmp_path / "one", "shade", **PLAIN, **wish)
    for line, expected in zip(log(shared / "semantic"), log(tmp_path / "one"), strict=True):
        assert line == pytest.approx(expected, rel=1e-2, abs=1e-4)


def test_the_first_alone_measures_and_shows(shared: Path) -> None:
    assert [line["step"] for line in log(shared / "plain") if "valid_l1" in line] == [10, 20]
    assert (shared / "plain" / "best" / "step.txt").exists()
    assert len(list((shared / "plain" / "samples").iterdir())) == 2


def test_a_training_that_goes_on_is_that_of_undisturbed_processes(shared: Path) -> None:
    """Though each draws numbers of its own."""
    assert log(shared / "parts") == log(shared / "noisy")
    for rank in (0, 1):
        whole, parts = left(shared, "noisy", rank), left(shared, "resumed", rank)
        assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_one_that_fails_ends_the_other(shared: Path) -> None:
    assert raised(shared, "cut", 0) == "StopError: stopped"
    assert raised(shared, "cut", 1).startswith("RunError: process 1 of 2 ends, for another one")


def test_a_loss_that_is_no_number_in_one_stops_both_before_it_spoils(shared: Path) -> None:
    for rank in (0, 1):
        assert raised(shared, "nan", rank).startswith("RunError: the loss 'gap' is nan")
        assert all(value.isfinite().all() for value in left(shared, "nan", rank).values())
    assert (shared / "nan" / "latest" / "step.txt").read_text() == "10"


def test_all_stop_when_the_time_is_over(shared: Path) -> None:
    assert raised(shared, "late", 0) == raised(shared, "late", 1) == ""
    assert (shared / "late" / "latest" / "step.txt").read_text() == "0"


def test_another_number_of_processes_is_another_training(shared: Path) -> None:
    with pytest.raises(RunError, match="processes is 2 there and None here"):
        train((shared / "A", shared / "B"), shared / "plain", **PLAIN)


def test_a_batch_is_shared_evenly_or_not_at_all(domains: Domains, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a batch of 3 is no multiple of 2: .* into 2 × 1"):
        train(domains, tmp_path / "out", batch_size=3, process=Process(0, 2))
    assert not (tmp_path / "out").exists()


def test_shares_are_equal_and_make_up_the_whole() -> None:
    shares = [list(range(6))[Process(rank, 3).share(6)] for rank in range(3)]
    assert shares == [[0, 1], [2, 3], [4, 5]]


def test_each_has_its_own_device(monkeypatch: pytest.MonkeyPatch) -> None:
    second = Process(5, 8, 1)
    assert second.device("cuda") == "cuda:1"
    assert (second.device("cpu"), Process().device("cuda:3")) == ("cpu", "cuda:3")
    with pytest.raises(UsageError, match="--device cuda:3 is one device, and 8 processes share"):
        second.device("cuda:3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert second.device("auto") == "cuda:1"


def test_without_torchrun_there_is_nobody_to_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with (
        pytest.raises(RunError, match=r"the 2 processes can't be connected: .*MASTER_ADDR"),
        joined(Process(0, 2), torch.device("cpu")),
    ):
        pass


def test_what_has_no_gradient_anywhere_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process stands in whose gradients are 3 for the first two parameters."""
    parameters = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
    parameters[0].grad = torch.ones(2)

    def add_other(joined: torch.Tensor) -> None:
        joined += torch.tensor([1.0, 1, 0, 3, 3, 3, 3, 0, 0])

    monkeypatch.setattr(torch.distributed, "all_reduce", add_other)
    Process(0, 2).average_gradients(parameters)
    found = [None if p.grad is None else p.grad.tolist() for p in parameters]
    assert found == [[2, 2], [1.5, 1.5], None]
