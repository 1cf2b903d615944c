"""The shared blocks: their arithmetic, and folding, which must change nothing but speed."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from i2ikit import nn

BLOCKS = load_file(Path(__file__).parent / "golden/munit/blocks.safetensors")
CASES = ["tiny", "tiny_batch", "unit"]  # deviation 2e-3, where epsilon and n - 1 matter, and 1


def upsampler(pad_type: nn.Padding, seed: int = 0) -> nn.Upsample2xConv5x5:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Upsample2xConv5x5(3, 4, pad_type).eval()


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("case", CASES)
def test_instance_norm_agrees_with_upstream(case: str) -> None:
    x, y = (BLOCKS[f"instancenorm.{case}.{name}"] for name in "xy")
    torch.testing.assert_close(nn.InstanceNorm()(x), y, atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", CASES)
def test_adaptive_instance_norm_agrees_with_upstream(case: str) -> None:
    x, y, params = (BLOCKS[f"adain.{case}.{name}"] for name in ("x", "y", "params"))
    shift, scale = params.chunk(2, dim=1)
    torch.testing.assert_close(nn.adaptive_instance_norm(x, scale, shift), y, atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", CASES)
def test_layer_norm_agrees_with_upstream(case: str) -> None:
    x, y, gamma, beta = (BLOCKS[f"layernorm.{case}.{name}"] for name in ("x", "y", "gamma", "beta"))
    norm = nn.LayerNorm(3)
    norm.load_state_dict({"gamma": gamma, "beta": beta})
    torch.testing.assert_close(norm(x), y, atol=1e-5, rtol=0)


def test_layer_norm_of_half_precision_takes_its_statistics_in_float() -> None:
    x, norm = (noise(2, 3, 16, 16) + 100).bfloat16(), nn.LayerNorm(3)
    assert torch.equal(norm(x), norm(x.float()).bfloat16())


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["reflect", "replicate", "zero"]),
    st.integers(2, 9),
    st.integers(2, 9),
    st.integers(1, 2),
)
def test_folded_equals_plain(pad_type: nn.Padding, height: int, width: int, batch: int) -> None:
    """Every border and corner too, whatever the padding, down to pictures of 2×2."""
    conv = upsampler(pad_type)
    x = noise(batch, 3, height, width)
    with torch.no_grad():
        plain = conv(x)
        nn.fold(conv)
        assert conv.folded is not None
        torch.testing.assert_close(conv(x), plain, atol=1e-5, rtol=0)


def test_plain_form_is_upsampling_then_padding_then_convolution() -> None:
    conv = upsampler("reflect")
    large = noise(1, 3, 4, 5).repeat_interleave(2, 2).repeat_interleave(2, 3)
    padded = torch.nn.functional.pad(large, (2, 2, 2, 2), mode="reflect")
    expected = torch.nn.functional.conv2d(padded, conv.weight, conv.bias)
    torch.testing.assert_close(conv(noise(1, 3, 4, 5)), expected)


def test_folding_leaves_the_state_dict() -> None:
    conv = upsampler("zero")
    before = list(conv.state_dict())
    nn.fold(conv)
    assert list(conv.state_dict()) == before == ["weight", "bias"]


def test_loading_weights_and_training_undo_folding() -> None:
    """No picture is ever made with weights that have gone."""
    tree = torch.nn.Sequential(upsampler("reflect"))
    nn.fold(tree)
    tree.load_state_dict({f"0.{k}": v for k, v in upsampler("reflect", 1).state_dict().items()})
    x = noise(1, 3, 4, 4)
    torch.testing.assert_close(tree(x), upsampler("reflect", 1)(x))
    nn.fold(tree)
    assert tree.train()[0].folded is None


def test_folded_weights_follow_dtype_and_copies() -> None:
    conv = upsampler("reflect")
    nn.fold(conv)
    double = copy.deepcopy(conv).double()
    assert double(noise(1, 3, 4, 4).double()).dtype == torch.float64


def test_residual_block_takes_its_first_convolution_ready_made() -> None:
    block = nn.ResidualBlock(4, "relu", "reflect").eval()
    x, style = noise(2, 4, 5, 5), noise(2, 2, 2, 4)
    torch.testing.assert_close(block(x, style, block.first_conv(x)), block(x, style))


def test_residual_block_uses_the_style_of_each_picture() -> None:
    """A batch is its pictures one by one: nothing of one style reaches another."""
    blocks = nn.ResidualBlocks(2, 4, "relu", "reflect").eval()
    x, style = noise(2, 4, 5, 5), noise(2, 2, 2, 2, 4)
    single = torch.cat([blocks(x[i : i + 1], style[i : i + 1]) for i in (0, 1)])
    torch.testing.assert_close(blocks(x, style), single)
    assert not torch.allclose(blocks(x, style.flip(0)), single)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("relu", 0.0), ("lrelu", -0.2), ("prelu", -0.25), ("selu", -1.1113), ("tanh", -0.7616)],
)
def test_activations(name: nn.Activation, expected: float) -> None:
    assert nn.make_activation(name)(torch.tensor([-1.0])).item() == pytest.approx(
        expected, abs=1e-4
    )
