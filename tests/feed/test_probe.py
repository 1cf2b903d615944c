from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from i2ikit.errors import ModelError
from i2ikit.feed.probe import SHIFT, Confusion, Probe, _choose, _shift
from i2ikit.feed.probe_networks import ProbeNetwork, make_classifier
from i2ikit.feed.probe_sets import ProbeSet


def make_set(labels: torch.Tensor) -> ProbeSet:
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8))
    return ProbeSet(pictures, labels, frozenset(), {})


CLASSES = make_set(torch.tensor([0, 1, 0, 1, 0, 1]))


def run(make: Any, data: ProbeSet = CLASSES, seed: int = 0, steps: int = 3) -> Confusion:
    probe = Probe(ProbeNetwork("net", make), 2, steps, 4, torch.device("cpu"))
    return probe.run(data, data, seed, lambda: None)


def test_each_picture_of_the_test_counts_once() -> None:
    assert run(make_classifier).sum(axis=1).tolist() == [3, 3]


def test_ignored_pixels_dont_count() -> None:
    masks = torch.zeros(6, 8, 8, dtype=torch.uint8)
    masks[:, :4], masks[:, 7] = 1, 255
    counts = run(lambda n: nn.Conv2d(3, n, 1), make_set(masks))
    assert counts.sum(axis=1).tolist() == [6 * 8 * 3, 6 * 8 * 4]


def test_coarse_logits_are_enlarged() -> None:
    masks = torch.zeros(6, 8, 8, dtype=torch.uint8)
    assert run(lambda n: nn.Conv2d(3, n, 4, 4), make_set(masks)).sum() == 6 * 64


def test_a_seed_decides_weights_and_order() -> None:
    weights: list[torch.Tensor] = []

    def make(num_classes: int) -> nn.Module:
        network = make_classifier(num_classes)
        weights.append(next(network.parameters()))
        return network

    for seed in (0, 0, 1):
        run(make, seed=seed)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_network_is_tested_in_evaluation_mode() -> None:
    modes: list[bool] = []

    class Net(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            modes.append(self.training)
            return super().forward(x.flatten(1))

    run(lambda n: Net(192, n))
    assert modes == [True] * 3 + [False] * 2


@pytest.mark.parametrize("make", [lambda n: nn.Conv2d(3, n + 1, 1), lambda n: nn.Linear(8, n)])
def test_other_logits_are_refused(make: Any) -> None:
    with pytest.raises(
        ModelError, match=r"net returned shape .* where logits of 2 classes are due"
    ):
        run(make)


def test_all_pictures_come_before_one_comes_again() -> None:
    chosen = _choose(6, 4, torch.Generator().manual_seed(0))
    seen = torch.cat([next(chosen) for _ in range(3)]).tolist()
    assert sorted(seen[:6]) == sorted(seen[6:]) == [*range(6)]


def test_pictures_and_masks_are_shifted_alike() -> None:
    data = make_set(torch.zeros(0))
    data = ProbeSet(data.pictures, data.pictures[..., 0], frozenset(), {})
    pictures, masks = _shift(data, torch.arange(6), torch.Generator().manual_seed(0))
    assert torch.equal(pictures[..., 0], masks)
    assert not torch.equal(pictures, data.pictures)
    middle = masks[:, SHIFT:-SHIFT, SHIFT:-SHIFT]
    for one, whole in zip(middle, data.labels, strict=True):
        assert any(
            torch.equal(one, whole[top : top + 4, left : left + 4])
            for top in range(2 * SHIFT + 1)
            for left in range(2 * SHIFT + 1)
        )


def test_any_number_is_a_class_of_pictures() -> None:
    data = make_set(torch.tensor([255] * 6))
    probe = Probe(ProbeNetwork("net", make_classifier), 256, 1, 4, torch.device("cpu"))
    assert data.classes == {255}
    assert probe.run(data, data, 0, lambda: None).sum(axis=1)[255] == 6
