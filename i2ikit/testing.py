"""`check_model`: every promise of the contract, tried out on a model; for ours and for strangers'.

All inputs are random, drawn from the facts that the model states, and the same at every call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from i2ikit.checkpoints import load_strictly
from i2ikit.errors import ModelError
from i2ikit.model import (
    RGB,
    Content,
    Grey,
    InputKind,
    InstanceMap,
    LabelMap,
    Model,
    SizeRule,
    Style,
    Tree,
    map_tree,
)

#: What sums of floats may differ by when the shape of a batch changes.
TOLERANCE = 1e-4
Size = tuple[int, int]


def check_model(model: Model) -> None:
    """Put a model on the CPU in eval mode and try every promise of the contract on it.

    Raises:
        ModelError: the first promise that it breaks.
    """
    model.eval()
    _check_facts(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        for size in _sizes(model.size):
            trial = _try(model, size)
            _check_pictures(trial.output, size)
            _check_batch(model, trial)
        _check_purity(model, size)
        _check_expansion(model, trial)
        _check_randomness(model, size)
        _check_noise(model, trial)
        if model.reference_inputs is not None:
            _decode(model, trial.content, _style_from_reference(model, seed=1))
            _check_clusters(model)
    _expect(_difference(before, model.state_dict()) == 0, "translating changed the state dict")
    _check_round_trip(model, trial)


def example_inputs(
    kinds: Mapping[str, InputKind],
    height: int,
    width: int,
    batch: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Return random legal inputs by field name, (batch, C, height, width) as each kind states.

    Label and instance maps have up to 4x4 patches; instance ids are neither dense nor small.
    """
    shape = (batch, height, width)
    return {name: _example(kind, shape, generator) for name, kind in kinds.items()}


def _example(kind: InputKind, shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
    batch, height, width = shape
    if isinstance(kind, RGB | Grey):
        channels = 3 if isinstance(kind, RGB) else 1
        return torch.rand((batch, channels, height, width), generator=generator) * 2 - 1
    count = kind.num_classes if isinstance(kind, LabelMap) else 6
    coarse = torch.randint(count, (batch, 1, 4, 4), generator=generator)
    rows, columns = torch.arange(height) * 4 // height, torch.arange(width) * 4 // width
    patches = coarse[:, :, rows][:, :, :, columns]
    return patches * 1000 + 7 if isinstance(kind, InstanceMap) else patches


@dataclass(frozen=True)
class _Trial:
    """Two inputs, two styles and the two pictures made of them."""

    inputs: dict[str, Tensor]
    content: Content
    style: Style
    output: Tensor


def _try(model: Model, size: Size, seed: int = 1) -> _Trial:
    inputs = example_inputs(model.inputs, *size, 2, _generator(seed))
    content = _call(model, "encode", 2, **inputs)
    style = None
    if model.noise_shape:
        style = _call(model, "style_from_noise", 2, _noise(model, seed), content)
    elif model.reference_inputs is not None:
        style = _style_from_reference(model, seed)
    return _Trial(inputs, content, style, _decode(model, content, style))


def _check_facts(model: Model) -> None:
    ways = tuple(model.directions)
    legal = 0 < len(ways) == len(set(ways) & {"a2b", "b2a"})
    _expect(legal, f"directions is {ways!r}; it names 'a2b', 'b2a' or both")
    _expect(bool(model.inputs), "inputs is empty")
    for name, kind in [*model.inputs.items(), *(model.reference_inputs or {}).items()]:
        _expect(isinstance(kind, InputKind), f"input '{name}' is {kind!r}, no kind of input")
    shape = model.noise_shape
    legal = isinstance(shape, tuple) and all(side > 0 for side in shape)
    _expect(legal, f"noise_shape is {shape!r}, not a tuple of positive numbers")
    for rule in (model.size, model.reference_size or model.size):
        least = min(rule.multiple_of, rule.minimum, *(rule.fixed or (1,)))
        _expect(least > 0, f"{rule} has a number below 1")


def _check_pictures(output: Tensor, size: Size) -> None:
    expected = (2, 3, *size)
    _expect(output.shape == expected, f"decode returned {tuple(output.shape)}, not {expected}")
    _expect(bool(output.isfinite().all()), f"decode returned NaN or infinity for {expected}")
    low, high = output.min().item(), output.max().item()
    _expect(low >= -1 and high <= 1, f"decode returned {low:.3g} … {high:.3g}, not -1 … 1")


def _check_batch(model: Model, trial: _Trial) -> None:
    for row in ([0], [1]):
        content = _call(model, "encode", 1, **_rows(trial.inputs, row))
        single = _decode(model, content, _rows(trial.style, row), batch=1)
        difference = _difference(single, trial.output[row])
        _expect(
            difference <= TOLERANCE,
            f"a batch of 2 differs from its inputs one by one, by {difference:.2g}",
        )


def _check_purity(model: Model, size: Size) -> None:
    trial = _try(model, size)
    first = trial.output.clone()
    other = _try(model, size, seed=2)
    _decode(model, trial.content, other.style)
    again = _decode(model, trial.content, trial.style)
    fresh = example_inputs(model.inputs, *size, 2, _generator(1))
    _expect(_difference(trial.inputs, fresh) == 0, "encode or decode changed its inputs in place")
    _expect(
        _difference(first, again) <= TOLERANCE,
        "decoding once more, after other pictures, gave another result: a state is left on the"
        " module, or tensors are changed in place",
    )


def _check_expansion(model: Model, trial: _Trial) -> None:
    rows = [0, 1, 1]
    expanded = _decode(model, _rows(trial.content, rows), _rows(trial.style, rows), batch=3)
    _expect(
        _difference(expanded, trial.output[rows]) <= TOLERANCE,
        "contents repeated along the batch, for several styles, decode to other pictures",
    )


def _check_randomness(model: Model, size: Size) -> None:
    outputs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        outputs.append(_try(model, size).output)
        untouched = torch.equal(state, torch.get_rng_state())
        _expect(untouched, "translating drew from torch's global random numbers")
    _expect(_difference(*outputs) <= TOLERANCE, "the output depends on torch.manual_seed")


def _check_noise(model: Model, trial: _Trial) -> None:
    if not model.noise_shape:
        return
    noise = _noise(model, seed=1)
    style = _call(model, "style_from_noise", 2, -noise, trial.content)
    negated = _decode(model, trial.content, style)
    _expect(_difference(trial.output, negated) > 0, "the noise changes nothing in the output")
    if model.choice_fields:
        rows = _call(model, "choices_from_noise", 2, noise, trial.content)
        chosen = _call(model, "style_from_choices", 2, rows, trial.content)
        _expect(
            _difference(chosen, trial.style) <= TOLERANCE,
            "style_from_choices makes another style than the one that choices_from_noise names",
        )


def _check_clusters(model: Model) -> None:
    if not model.cluster_files:
        return
    most, examples = 2, [_reference_inputs(model, 1, seed) for seed in (1, 2, 3)]
    first, second = (model.cluster_features(iter(examples), most, seed=1) for _ in range(2))
    for name, centres in first.items():
        shape = tuple(centres.shape)
        legal = len(shape) == 2 and 0 < shape[0] <= most and bool(centres.isfinite().all())
        wanted = f"at most {most} finite rows"
        _expect(legal, f"cluster_features made '{name}' of shape {shape}, not {wanted}")
    _expect(_difference(first, second) == 0, "cluster_features makes others from the same seed")


def _check_round_trip(model: Model, trial: _Trial) -> None:
    fresh = type(model)(model.options).eval()
    load_strictly(fresh, model.state_dict(), "the state dict of a model of the same options")
    with torch.inference_mode():
        content = _call(fresh, "encode", 2, **trial.inputs)
        difference = _difference(_decode(fresh, content, trial.style), trial.output)
    _expect(
        difference <= TOLERANCE,
        "a model made anew from the options and the state dict gives another picture",
    )


def _expect(kept: bool, broken: str) -> None:
    if not kept:
        raise ModelError(broken)


def _call(model: Model, method: str, batch: int, *args: Any, **inputs: Tensor) -> Any:
    """Call a method of the model; what it returns must have the batch's size."""
    try:
        tree = getattr(model, method)(*args, **inputs)
    except Exception as error:  # a stranger's network may raise anything
        given = ", ".join(f"{name} of shape {tuple(x.shape)}" for name, x in inputs.items())
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{method} fails{' on ' + given if given else ''}: {reason}") from error
    for tensor in _tensors(tree):
        shape = tuple(tensor.shape)
        legal = shape[:1] == (batch,)
        _expect(legal, f"{method} returned a tensor of shape {shape} for a batch of {batch}")
    return tree


def _decode(model: Model, content: Content, style: Style, batch: int = 2) -> Tensor:
    output: Tensor = _call(model, "decode", batch, content, style)
    _expect(isinstance(output, Tensor), f"decode returned a {type(output).__name__}, no tensor")
    return output


def _style_from_reference(model: Model, seed: int) -> Style:
    return _call(model, "style_from_reference", 2, **_reference_inputs(model, 2, seed))


def _reference_inputs(model: Model, batch: int, seed: int) -> dict[str, Tensor]:
    size = _sizes(model.reference_size or model.size)[0]
    return example_inputs(model.reference_inputs or {}, *size, batch, _generator(seed))


def _noise(model: Model, seed: int) -> Tensor:
    return torch.randn((2, *model.noise_shape), generator=_generator(seed))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _sizes(rule: SizeRule) -> list[Size]:
    """Return a legal size that is not square, and the smallest one; or the fixed one."""
    if rule.fixed:
        return [rule.fixed]
    side, _ = rule.fit(20, 20)
    return [rule.fit(side, side + 1), rule.fit(1, 1)]


def _rows(tree: Tree, rows: list[int]) -> Tree:
    return map_tree(lambda tensor: tensor[rows], tree)


def _tensors(tree: Tree) -> list[Tensor]:
    found: list[Tensor] = []
    map_tree(found.append, tree)
    return found


def _difference(one: Tree, other: Tree) -> float:
    """Return the largest difference of two trees; infinite if their shapes differ."""
    first, second = _tensors(one), _tensors(other)
    if [tensor.shape for tensor in first] != [tensor.shape for tensor in second]:
        return float("inf")
    pairs = zip(first, second, strict=True)
    gaps = ((a.double() - b.double()).abs() for a, b in pairs if a.numel())
    return max((gap.max().item() for gap in gaps), default=0)
