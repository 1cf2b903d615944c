"""The semantic loss: the formula, who learns from which term, and a training that has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from i2ikit.errors import ModelError, UsageError
from i2ikit.training.contract import Training, Update
from i2ikit.training.labels import LABEL
from i2ikit.training.report import Report
from i2ikit.training.semantic import SemanticLoss, SemanticTraining
from i2ikit.training.stepping import Stepper
from i2ikit_munit.training import MunitTraining, MunitTrainingOptions
from i2ikit_unit.training import UnitTraining, UnitTrainingOptions
from tests.training.fakes import ShadeTraining
from tests.training.sharing import write_labels
from tests.training.trained import Domains, log, train, weights
from tests.two_domain_training.formulas import pictures, seeded

CLASSES = torch.tensor([2, 0])
TINY = {"dim": 2, "n_res": 1, "dis_dim": 2, "n_layer": 2, "num_scales": 1}


def batch() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    a, b = pictures(1, 16, 16), pictures(2, 16, 16)
    return {"image": a, LABEL: CLASSES}, {"image": b}


def make(kind: str = "shade", weight: float = 1.0) -> SemanticTraining:
    torch.manual_seed(0)
    inner: Training
    if kind == "munit":
        tiny = {**TINY, "mlp_dim": 4, "style_dim": 2}
        inner = MunitTraining(MunitTrainingOptions.model_validate(tiny))
    elif kind == "unit":
        inner = UnitTraining(UnitTrainingOptions.model_validate(TINY))
    else:
        inner = ShadeTraining()
    training = SemanticTraining(inner, SemanticLoss(weight, 3, 16, is_dense=False))
    training.on_step(9, 10)
    return training


def answers(network: nn.Module, x: Tensor, dilations: tuple[int, ...] = ()) -> Tensor:
    """Return the logits from nothing but the weights: halvings, or dilated convolutions."""
    values = list(network.state_dict().values())
    last_weight, last_bias = values.pop(-2), values.pop(-1)
    for place, (weight, bias) in enumerate(zip(values[::2], values[1::2], strict=True)):
        if dilations:
            x = F.conv2d(x, weight, bias, 1, dilations[place], dilations[place]).relu()
        else:
            x = F.conv2d(x, weight, bias, 2, 1).relu()
    if dilations:
        return F.conv2d(x, last_weight, last_bias)
    return F.linear(x.flatten(1), last_weight, last_bias)


def test_loss_of_classes_is_their_mean_cross_entropy() -> None:
    loss, x = SemanticLoss(1, 3, 16, is_dense=False), pictures(1, 16, 16)
    chances = answers(loss.network, x).softmax(1)
    expected = -(chances[0, 2].log() + chances[1, 0].log()) / 2
    torch.testing.assert_close(loss(x, CLASSES), expected)


def test_loss_of_masks_leaves_out_what_does_not_count() -> None:
    loss, x = SemanticLoss(1, 3, 16, is_dense=True), pictures(1, 16, 16)
    label = torch.randint(3, (2, 1, 16, 16), generator=seeded())
    label[0, 0, :12] = 255
    chances = answers(loss.network, x, (1, 2, 4, 8, 2)).softmax(1)
    chosen = chances.gather(1, label.clamp(max=2))[label != 255]
    torch.testing.assert_close(loss(x, label), -chosen.log().mean())
    assert loss(x, torch.full_like(label, 255)) == 0


@pytest.mark.parametrize("size", [16, 20, 36])
def test_grey_squares_of_any_size_are_told_apart(size: int) -> None:
    loss = SemanticLoss(1, 3, size, is_dense=False)
    grey = pictures(1, size, size)[:, :1]
    assert torch.equal(loss(grey, CLASSES), loss(grey.expand(-1, 3, -1, -1), CLASSES))


@pytest.mark.parametrize(
    ("kind", "reached"),
    [
        ("munit", {"generators.a.enc_content", "generators.b.mlp", "generators.b.dec"}),
        ("unit", {"generators.a.enc", "generators.b.dec"}),
    ],
)
def test_gradients_reach_what_translates_to_b_and_the_task_network(
    kind: str, reached: set[str]
) -> None:
    training = make(kind)
    _, generator, task = training.updates(*batch(), seeded())
    assert (generator.optimizers, task.optimizers) == (("gen",), ("sem",))
    terms = {**generator.losses, **task.losses}
    for term, expected in (("gen_sem_ab", reached), ("sem_a", set()), ("sem_ab", set())):
        names, parameters = zip(*training.named_parameters(), strict=True)
        gradients = torch.autograd.grad(
            terms[term], parameters, retain_graph=True, allow_unused=True
        )
        found = {n for n, g in zip(names, gradients, strict=True) if g is not None and g.any()}
        assert {".".join(n.split(".")[2:5]) for n in found if n.startswith("inner.")} == expected
        assert any(name.startswith("loss.network.") for name in found)


@pytest.mark.parametrize(
    ("term", "owner"),
    [("gen_sem_ab", "inner.domains.generators."), ("sem_ab", "loss.network.")],
)
def test_each_term_moves_the_weights_of_its_owner_only(term: str, owner: str) -> None:
    training = make("munit")
    updates = [u for u in training.updates(*batch(), seeded()) if term in u.losses]
    training.updates = lambda *_: iter(updates)  # type: ignore[method-assign]
    before = {name: value.clone() for name, value in training.named_parameters()}
    Stepper(training, torch.device("cpu"), "fp32").step([batch()], seeded(), 0, 10)
    moved = {n for n, value in training.named_parameters() if not torch.equal(value, before[n])}
    assert moved
    assert all(name.startswith(owner) for name in moved)


def test_terms_are_of_the_source_and_of_the_very_translation() -> None:
    training = make(weight=3)
    (a, b), inner = batch(), training.inner
    assert isinstance(inner, ShadeTraining)
    first, task, _ = training.updates(a, b, seeded())
    made = training.loss(inner.net.conv(a["image"]), CLASSES)
    torch.testing.assert_close(first.losses["gen_sem_ab"], 3 * made)
    torch.testing.assert_close(task.losses["sem_ab"], made)
    torch.testing.assert_close(task.losses["sem_a"], training.loss(a["image"], CLASSES))


def test_translations_are_learned_from_past_the_middle_only() -> None:
    training = make()
    for step, expected in ((0, {"sem_a"}), (5, {"sem_a"}), (6, {"sem_a", "sem_ab"})):
        training.on_step(step, 10)
        first, task, _ = training.updates(*batch(), seeded())
        assert task.losses.keys() == expected
        assert "gen_sem_ab" in first.losses


def test_the_rest_of_the_training_is_as_without() -> None:
    training, (a, b) = make("munit"), batch()
    plain = list(training.inner.updates({"image": a["image"]}, b, seeded()))
    found = [u for u in training.updates(a, b, seeded()) if u.optimizers != ("sem",)]
    for one, other in zip(plain, found, strict=True):
        for name, value in one.losses.items():
            assert torch.equal(other.losses[name], value)


def test_a_training_must_offer_what_it_says() -> None:
    class Silent(ShadeTraining):
        def updates(self, *given: Any) -> Iterator[Update]:
            yield from (Update(u.optimizers, u.losses) for u in super().updates(*given))

    training = SemanticTraining(Silent(), SemanticLoss(1, 3, 16, is_dense=False))
    with pytest.raises(ModelError, match="Silent says that it offers translations"):
        list(training.updates(*batch(), seeded()))


def test_a_training_that_goes_on_is_that_of_an_undisturbed_one(
    domains: Domains, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"semantic_loss": 1.0, "labels_a": write_labels(tmp_path)}
    train(domains, tmp_path / "whole", "shade", **given, sample_every=10)

    class StopError(Exception):
        pass

    def stop(report: Report) -> None:
        if report.step == 13:  # three steps after the last saved state
            raise StopError

    with pytest.raises(StopError):
        train(domains, tmp_path / "parts", "shade", **given, on_progress=stop)
    assert train(domains, tmp_path / "parts", "shade", **given).resumed == 10
    assert log(tmp_path / "parts") == log(tmp_path / "whole")
    assert log(tmp_path / "whole")[-1].keys() >= {"gen_sem_ab", "sem_a", "sem_ab"}
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "parts")[name], value)


def test_parts_of_a_batch_have_their_labels(domains: Domains, tmp_path: Path) -> None:
    given: dict[str, Any] = {"semantic_loss": 1.0, "labels_a": write_labels(tmp_path)}
    for parts in (1, 2):
        train(domains, tmp_path / str(parts), "shade", **given, batch_size=4, accumulate=parts)
    for one, other in zip(log(tmp_path / "1"), log(tmp_path / "2"), strict=True):
        assert one["sem_a"] == pytest.approx(other["sem_a"], rel=1e-2)


def test_masks_are_learned_from(domains: Domains, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for place, path in enumerate(sorted(domains[0].iterdir())):
        image = Image.new("L", (40, 36))
        image.paste(1, (8 + 4 * place, 0, 40, 36))
        image.save(tmp_path / "masks" / path.name)
        image.point(lambda label: 255 * label).convert("RGB").save(path)
    given: dict[str, Any] = {"semantic_loss": 1.0, "labels_a": str(tmp_path / "masks")}
    train(domains, tmp_path / "out", "shade", steps=40, **given)
    lines = log(tmp_path / "out")
    assert lines[-1]["sem_a"] < 0.5 * lines[0]["sem_a"]


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        ("shade", {"semantic_loss": 1.0}, "--semantic-loss is nothing without --labels-a"),
        ("shade", {"labels_a": "folder"}, "--labels-a is nothing without --semantic-loss"),
        ("shade", {"map": "cityscapes19"}, "--map is nothing without --labels-a"),
        ("shade", {"semantic_loss": 0.0, "labels_a": "x"}, "--semantic-loss 0 is no positive"),
        ("shade", {"semantic_loss": float("nan"), "labels_a": "x"}, "nan is no positive number"),
        ("pairs", {"semantic_loss": 1.0, "labels_a": "x"}, "'pairs' learns from pairs: it has no"),
        ("halves", {"semantic_loss": 1.0, "labels_a": "x", "size": 20}, "'halves' can't be"),
    ],
)
def test_wrong_wishes_are_a_sentence(
    domains: Domains, tmp_path: Path, model: str, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        train(domains, tmp_path / "out", model, **given)
    assert not (tmp_path / "out").exists()
