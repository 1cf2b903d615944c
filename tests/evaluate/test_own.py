"""A user's own network: found, shown pictures, and its mistakes named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from i2ikit.errors import ModelError, PluginError, SampleError, SourceError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.own import load_own, look
from i2ikit.evaluate.sets import Picture, open_set
from i2ikit.progress import Progress
from tests.conftest import picture

CODE = """
from torch import nn

class Mean(nn.Module):
    def forward(self, x):
        assert not self.training
        return x.mean(dim=(2, 3))

def fail():
    raise FileNotFoundError("no weights.pt")

def number():
    return 7
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Return the name of a module of the user's."""
    name = f"own_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def grey(level: int, size: int = 4) -> np.ndarray:
    return np.full((size, size + 1, 3), level, dtype=np.uint8)


def mean(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3))


def answers(network: Any, images: Any, compute: Compute | None = None) -> list[Tensor]:
    found = look(load_own(network, "--net"), open_set(images), compute or Compute(), Tally())
    return [answer for _, answer in found]


def test_a_text_names_a_function_that_returns_the_network(own: str) -> None:
    (answer,) = answers(f"{own}:Mean", [grey(255)])
    assert answer.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("{}", UsageError, "--net .* is not module:function"),
        ("{}:nothing", PluginError, "can't be imported: AttributeError"),
        ("no_such_module:f", PluginError, "can't be imported: ModuleNotFoundError"),
        ("{}:fail", ModelError, r"fail\(\) failed: FileNotFoundError: no weights.pt"),
        ("{}:number", ModelError, "number gave a int, which is no network"),
    ],
)
def test_a_text_that_names_no_network_is_refused(
    own: str, name: str, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        load_own(name.format(own), "--net")


def test_pictures_are_shown_in_their_own_size_and_in_order() -> None:
    shapes = []

    def watch(x: Tensor) -> Tensor:
        shapes.append((*x.shape, x.dtype, float(x.max())))
        return mean(x)

    images = [grey(0), grey(255), grey(255, size=6), grey(0)]
    found = answers(watch, images, Compute(batch_size=8))
    assert [answer[0].item() for answer in found] == [-1, 1, 1, -1]
    assert shapes == [
        (2, 3, 4, 5, torch.float32, 1),
        (1, 3, 6, 7, torch.float32, 1),
        (1, 3, 4, 5, torch.float32, -1),
    ]


@pytest.mark.parametrize("compute", [Compute(batch_size=1), Compute(workers=0), Compute(workers=3)])
def test_batch_size_and_workers_change_nothing(compute: Compute) -> None:
    images = [grey(level, size=4 + level % 2) for level in range(0, 200, 7)]
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    expected = torch.stack(answers(network, images))
    torch.testing.assert_close(torch.stack(answers(network, images, compute)), expected)


def test_large_pictures_are_shown_a_few_at_a_time() -> None:
    counts = []

    def watch(x: Tensor) -> Tensor:
        counts.append(len(x))
        return mean(x)

    answers(watch, [grey(0, size=600)] * 3)
    assert counts == [2, 1]


def test_unreadable_pictures_are_counted_and_left_out(tmp_path: Path) -> None:
    picture().save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    reports: list[Progress] = []
    tally = Tally()
    compute = Compute(on_progress=reports.append)
    found = list(look(load_own(mean, "--net"), open_set(tmp_path), compute, tally))
    assert [seen.key for seen, _ in found] == ["good"]
    assert (tally.n, len(tally.failures)) == (1, 1)
    assert reports[-1] == Progress(2, 2, 1, 0)
    with pytest.raises(SampleError, match=r"bad\.png holds no picture"):
        answers(mean, tmp_path, Compute(on_error="stop"))


def test_a_set_without_a_readable_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"can be measured: .*bad\.png"):
        answers(mean, tmp_path)


def test_a_picture_can_fail_when_its_answer_is_judged() -> None:
    def judge(seen: Picture, answer: Tensor) -> Tensor:
        if answer[0] > 0:
            raise SampleError(f"{seen.name} is bright")
        return answer * 2

    tally = Tally()
    images = open_set([grey(255), grey(0)])
    ((_, answer),) = look(load_own(mean, "--net"), images, Compute(), tally, judge)
    assert answer.tolist() == [-2, -2, -2]
    assert tally.failures == ["picture 0 is bright"]


@pytest.mark.parametrize(
    ("network", "match"),
    [
        (lambda x: {"out": x}, "<lambda> returned dict, not a tensor"),
        (lambda x: x.mean(), r"returned shape \(\) for pictures of shape \(1, 3, 4, 5\)"),
        (lambda x: torch.zeros(5, 2), r"returned shape \(5, 2\) for pictures"),
        (lambda x: mean(x) / 0, r"returned NaN or infinity for pictures"),
        (nn.Conv2d(1, 1, 1), "Conv2d failed at pictures of shape .*: RuntimeError: "),
    ],
)
def test_a_network_that_breaks_its_contract_is_named(
    network: Callable[[Tensor], Any], match: str
) -> None:
    with pytest.raises(ModelError, match=match):
        answers(network, [grey(128)])


def test_the_card_tells_weights_apart() -> None:
    first, second = (load_own(nn.Linear(3, 2), "--net").card("net") for _ in range(2))
    assert first["net"] == second["net"] == "Linear"
    assert first["net_sha256"] != second["net_sha256"]
    assert load_own(mean, "--net").card("net") == {"net": "mean", "net_sha256": ""}
