"""`check_model` passes good models, and names the first promise that a broken one breaks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from i2ikit.errors import ModelError
from i2ikit.hookspecs import ModelEntry
from i2ikit.model import RGB, Grey, InputKind, InstanceMap, LabelMap, Model, SizeRule, Tree
from i2ikit.options import Options, make_options
from i2ikit.plugins import discover, resolve
from i2ikit.testing import check_model, example_inputs

TINY_UNET: dict[str, Any] = {"levels": 5, "ngf": 2, "nz": 3, "nef": 2}

TINY_DOMAINS: dict[str, Any] = {"dim": 4, "n_downsample": 1, "n_res": 1}
TINY_LABELS: dict[str, Any] = {
    "label_nc": 5,
    "ngf": 4,
    "n_downsample_global": 2,
    "n_blocks_global": 1,
}
TINY_CLUSTERS: dict[str, Any] = {
    "feat_num": 2,
    "nef": 4,
    "n_downsample_encoder": 1,
    "num_clusters": [3, 3, 3, 3, 3],
}

#: Every model of ours, as small as its options make it, in the variants that differ in kind.
OURS: list[tuple[str, dict[str, Any]]] = [
    ("bicyclegan", {**TINY_UNET, "encoder": "resnet_128"}),
    ("bicyclegan", {**TINY_UNET, "encoder": "conv_128", "norm": "batch", "upsample": "bilinear"}),
    ("bicyclegan", {**TINY_UNET, "encoder": "none", "where_add": "input", "input_nc": 1}),
    ("bicyclegan", {**TINY_UNET, "encoder": "none", "nz": 0}),
    ("munit", {**TINY_DOMAINS, "style_dim": 3, "mlp_dim": 8}),
    ("unit", TINY_DOMAINS),
    ("pix2pixhd", {**TINY_LABELS, "n_local_enhancers": 1, "n_blocks_local": 1}),
    ("pix2pixhd", {**TINY_LABELS, **TINY_CLUSTERS, "n_local_enhancers": 0}),
]


class TintOptions(Options):
    gain: float = 0.5


class Tint(Model):
    """A good model: mixes a picture with a drawn colour, chosen also by an example or a list."""

    Options = TintOptions
    noise_shape = (3,)
    choice_fields = ("sign",)
    size = SizeRule(multiple_of=2)

    def __init__(self, options: TintOptions | None = None) -> None:
        options = options or TintOptions()
        super().__init__(options)
        self.reference_inputs = {"image": RGB()}
        self.gain: float = options.gain
        self.mix = nn.Conv2d(3, 3, 1)
        self.register_buffer("count", torch.zeros(()))

    def encode(self, *, image: Tensor) -> Tree:
        return {"picture": [self.mix(image)]}

    def style_from_noise(self, noise: Tensor, content: Tree) -> Tree:
        return noise.sign()

    def style_from_reference(self, *, image: Tensor) -> Tree:
        return image.mean((2, 3))

    def choices_from_noise(self, noise: Tensor, content: Tree) -> list[list[dict[str, int]]]:
        return [[{"sign": int(sign)} for sign in row] for row in noise.sign()]

    def style_from_choices(
        self, rows: Sequence[Sequence[Mapping[str, int]]], content: Tree
    ) -> Tree:
        return torch.tensor([[float(choice["sign"]) for choice in row] for row in rows])

    def decode(self, content: Tree, style: Tree) -> Tensor:
        mixed: Tensor = content["picture"][0] + style[:, :, None, None]
        return self.gain * torch.tanh(mixed)


class Invert(Model):
    """The smallest good model."""

    def encode(self, *, image: Tensor) -> Tensor:
        return image

    def decode(self, content: Tensor, style: None) -> Tensor:
        return -content


def _encode_and_count(self: Any, image: Tensor) -> Tree:
    self.count += 1
    return Tint.encode(self, image=image)


def _encode_and_keep(self: Any, image: Tensor) -> Tree:
    self.kept = Tint.encode(self, image=image)
    return self.kept


def _init_with_secret(self: Any, options: Any = None) -> None:
    Tint.__init__(self, options)
    self.secret = torch.rand(())


#: What a broken model does instead, and what is said of it.
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no directions": ({"directions": ()}, "directions is ()"),
    "odd direction": ({"directions": ("sideways",)}, "'sideways'"),
    "no inputs": ({"inputs": {}}, "inputs is empty"),
    "kind is a class": ({"inputs": {"image": RGB}}, "input 'image' is"),
    "noise shape is a number": ({"noise_shape": 3}, "noise_shape is 3"),
    "size below 1": ({"size": SizeRule(minimum=0)}, "has a number below 1"),
    "false size rule": (
        {"encode": lambda self, image: {"picture": [image.reshape(-1, 3, 20, 22)]}},
        "encode fails on image of shape (2, 3, 2, 2): RuntimeError",
    ),
    "content without batch": (
        {"encode": lambda self, image: {"picture": [image], "mean": image.mean()}},
        "encode returned a tensor of shape () for a batch of 2",
    ),
    "crops": (
        {"decode": lambda self, c, s: Tint.decode(self, c, s)[:, :, 1:]},
        "decode returned (2, 3, 19, 22), not (2, 3, 20, 22)",
    ),
    "not a tensor": ({"decode": lambda self, c, s: None}, "decode returned a NoneType"),
    "not finite": ({"decode": lambda self, c, s: Tint.decode(self, c, s) / 0}, "NaN or infinity"),
    "out of range": ({"decode": lambda self, c, s: Tint.decode(self, c, s) + 1}, "not -1 … 1"),
    "normalises over the batch": (
        {"encode": lambda self, image: {"picture": [image - image.mean(0, keepdim=True)]}},
        "a batch of 2 differs from its inputs one by one",
    ),
    "state on the module": (
        {"encode": _encode_and_keep, "decode": lambda self, c, s: Tint.decode(self, self.kept, s)},
        "a state is left on the module",
    ),
    "changes its inputs": (
        {"encode": lambda self, image: {"picture": [image.clamp_(-0.5, 0.5)]}},
        "changed its inputs in place",
    ),
    "changes content": (
        {"decode": lambda self, c, s: Tint.decode(self, {"picture": [c["picture"][0].add_(1)]}, s)},
        "tensors are changed in place",
    ),
    "knows the batch": (
        {"decode": lambda self, c, s: Tint.decode(self, c, s) * (0.5 if len(s) == 3 else 1)},
        "contents repeated along the batch",
    ),
    "draws": (
        {"decode": lambda self, c, s: Tint.decode(self, c, s + 1e-6 * torch.randn(()))},
        "drew from torch's global random numbers",
    ),
    "looks at the seed": (
        {"decode": lambda self, c, s: Tint.decode(self, c, s + torch.initial_seed() % 97)},
        "depends on torch.manual_seed",
    ),
    "noise unused": ({"style_from_noise": lambda self, n, c: n * 0}, "noise changes nothing"),
    "counts pictures": ({"encode": _encode_and_count}, "changed the state dict"),
    "state outside the state dict": (
        {
            "__init__": _init_with_secret,
            "decode": lambda self, c, s: Tint.decode(self, c, s * self.secret),
        },
        "a model made anew from the options and the state dict gives another picture",
    ),
    "no method for examples": (
        {"style_from_reference": Model.style_from_reference},
        "style_from_reference fails on image of shape (2, 3, 20, 22)",
    ),
    "other choices": (
        {"style_from_choices": lambda self, rows, c: -Tint.style_from_choices(self, rows, c)},
        "another style than the one that choices_from_noise names",
    ),
    "no method for clusters": (
        {"cluster_files": "f_*"},
        "Broken has cluster_files but no cluster_features",
    ),
    "too many clusters": (
        {"cluster_files": "f_*", "cluster_features": lambda *given, seed: {"x": torch.ones(3, 1)}},
        "cluster_features made 'x' of shape (3, 1), not at most 2 finite rows",
    ),
    "clusters of another seed": (
        {"cluster_files": "f_*", "cluster_features": lambda *given, seed: {"x": torch.rand(1, 1)}},
        "cluster_features makes others from the same seed",
    ),
}


@pytest.mark.parametrize("model_class", [Tint, Invert])
def test_good_models_pass(model_class: type[Model]) -> None:
    check_model(model_class())


@pytest.mark.parametrize(("parts", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_promises_are_named(parts: dict[str, Any], message: str) -> None:
    torch.manual_seed(0)
    model = type("Broken", (Tint,), parts)()
    with pytest.raises(ModelError, match=re.escape(message)):
        check_model(model)


@pytest.mark.parametrize(("name", "options"), OURS)
def test_our_models_keep_every_promise(name: str, options: dict[str, Any]) -> None:
    """With random weights and statistics, as no checkpoint is loaded."""
    torch.manual_seed(0)
    model_class = resolve(discover().find(ModelEntry, name).model)
    model = model_class(make_options(model_class.Options, options))
    for buffer in filter(torch.is_floating_point, model.buffers()):
        nn.init.uniform_(buffer)
    check_model(model)


def test_checking_leaves_the_global_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    check_model(Invert())
    assert torch.equal(before, torch.get_rng_state())


def test_example_inputs_are_legal() -> None:
    """Ranges, channels and types are those that each kind states."""
    kinds: dict[str, InputKind] = {"a": RGB(), "b": Grey(), "c": LabelMap(5), "d": InstanceMap()}
    inputs = example_inputs(kinds, 6, 9, 2, torch.Generator().manual_seed(1))
    assert [tuple(x.shape) for x in inputs.values()] == [(2, c, 6, 9) for c in (3, 1, 1, 1)]
    assert -1 <= inputs["a"].min() < 0 < inputs["a"].max() <= 1
    assert inputs["c"].dtype == inputs["d"].dtype == torch.int64
    assert 0 <= inputs["c"].min() < inputs["c"].max() < 5


def test_example_inputs_follow_the_generator() -> None:
    first, same, other = (
        example_inputs({"a": RGB()}, 4, 4, 1, torch.Generator().manual_seed(seed))["a"]
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
