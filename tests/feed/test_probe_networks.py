import pytest
import torch
from torch import nn

from i2ikit.errors import ModelError, PluginError, UsageError
from i2ikit.feed.probe_networks import SmallUNet, choose_network, make_classifier


@pytest.mark.parametrize("side", [8, 32, 45])
def test_the_small_classifier_takes_any_size(side: int) -> None:
    assert make_classifier(7)(torch.zeros(2, 3, side, side)).shape == (2, 7)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (17, 30)])
def test_the_small_segmenter_keeps_any_size(height: int, width: int) -> None:
    assert SmallUNet(5)(torch.zeros(2, 3, height, width)).shape == (2, 5, height, width)


def test_the_segmenter_sees_details_and_surroundings() -> None:
    x = torch.zeros(1, 3, 32, 32, requires_grad=True)
    SmallUNet(2)(x + torch.rand(1, 3, 32, 32))[0, 0, 16, 16].backward()
    assert x.grad is not None
    rows = torch.nonzero(x.grad.abs().sum((0, 1, 3)))
    assert int(rows.max() - rows.min()) > 12


def test_networks_of_torchvision_begin_without_weights() -> None:
    classifier = choose_network("torchvision:squeezenet1_1", "class").fresh(3)
    assert classifier.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 3)


def test_segmenters_of_torchvision_answer_with_a_tensor() -> None:
    segmenter = choose_network("torchvision:lraspp_mobilenet_v3_large", "mask").fresh(3)
    assert segmenter.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


def test_a_network_of_ones_own_is_taken() -> None:
    chosen = choose_network(lambda n: nn.Conv2d(3, n, 1), "mask")
    assert chosen.fresh(4)(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 8, 8)


def test_a_segmenter_is_no_classifier() -> None:
    with pytest.raises(UsageError, match="torchvision has no classifier 'resnet180'") as raised:
        choose_network("torchvision:resnet180", "class")
    assert raised.value.hint == "did you mean 'resnet18'?"
    with pytest.raises(UsageError, match="torchvision has no segmenter 'resnet18'"):
        choose_network("torchvision:resnet18", "mask")


@pytest.mark.parametrize("given", ["nets", "nets:", ":net", "nets:a:b"])
def test_another_form_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="is not module:function"):
        choose_network(given, "class")


def test_a_module_that_isnt_there_is_named() -> None:
    with pytest.raises(PluginError, match="no_nets:make can't be imported"):
        choose_network("no_nets:make", "class")


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ModelError, match=r"\(2\) gave a Identity, no module with weights"):
        choose_network(lambda n: nn.Identity(), "class").fresh(2)
    with pytest.raises(ModelError, match=r"\(2\) failed: ZeroDivisionError"):
        choose_network(lambda n: nn.Linear(1 // 0, n), "class").fresh(2)
