"""Inception Scores: torch-fidelity's number, and stub classifiers by arithmetic."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import i2ikit
from i2ikit.errors import ModelError, SampleError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.results import Result
from i2ikit.evaluate.scores import conditional_inception_score, inception_score, mean_divergence
from tests.evaluate.conftest import IMAGES

BLACK = np.zeros((8, 6, 3), dtype=np.uint8)
WHITE = np.full((8, 6, 3), 255, dtype=np.uint8)


def sure(x: Tensor) -> Tensor:
    """Return logits of two classes, dark and bright, without any doubt."""
    brightness = x.mean(dim=(1, 2, 3))
    return torch.stack([-1000 * brightness, 1000 * brightness], dim=1)


def cis(outputs: Any, classifier: Any = sure, compute: Compute | None = None) -> Result:
    return conditional_inception_score(outputs, classifier=classifier, compute=compute)


def test_the_score_is_torch_fidelitys(golden: Any, inception_weights: Path) -> None:
    peer = golden["inception"]["peers"]["torch_fidelity"]
    settings, due = peer["settings"], peer["metrics"]
    found = inception_score(
        IMAGES / settings["input1"],
        splits=settings["isc_splits"],
        seed=settings["rng_seed"],
        weights=inception_weights,
    )
    assert found.value == pytest.approx(due["inception_score_mean"], rel=1e-5)
    assert found.parts["std"] == pytest.approx(due["inception_score_std"], rel=1e-3)
    assert found.card["convention"].startswith("torch-fidelity")
    assert found.card["protocol"] == {"splits": 2, "seed": 2020}
    assert len(found.card["weights_sha256"]) == 64
    assert any("44 pictures in 2 splits" in warning for warning in found.warnings)
    assert any("not the official file" in warning for warning in found.warnings)


def test_unreadable_pictures_are_left_out_and_named(
    inception_weights: Path, tmp_path: Path
) -> None:
    shutil.copy(IMAGES / "styles" / "in0.png", tmp_path)
    shutil.copy(IMAGES / "odd" / "notes.txt", tmp_path / "bad.png")
    found = inception_score(tmp_path, splits=1, weights=inception_weights)
    assert found.value == pytest.approx(1)
    assert found.card["pictures"]["n"] == 1
    assert "bad.png holds no picture" in found.card["pictures"]["failed"][0]


def test_fewer_pictures_than_splits_are_refused(inception_weights: Path) -> None:
    with pytest.raises(UsageError, match="arrays has 2 pictures: a score over 3 splits needs 3"):
        inception_score([BLACK, WHITE], splits=3, weights=inception_weights)


def test_no_splits_are_refused() -> None:
    with pytest.raises(UsageError, match="--splits 0 is less than 1"):
        inception_score([BLACK, WHITE], splits=0)


@pytest.mark.parametrize(
    ("logits", "due"),
    [
        ([[0.0, 0.0], [0.0, 0.0]], 0.0),
        ([[1e4, -1e4, -1e4], [-1e4, 1e4, -1e4]], math.log(2)),
        (
            [[math.log(3), 0.0], [0.0, math.log(3)]],
            math.log(2) - 2 * math.log(2) + 0.75 * math.log(3),
        ),
    ],
)
def test_divergence_by_arithmetic(logits: list[list[float]], due: float) -> None:
    assert mean_divergence(torch.tensor(logits)) == pytest.approx(due, abs=1e-6)


def test_divergence_is_the_mean_over_pictures_of_their_own() -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(0, 3, (40, 7)))
    shares = logits.softmax(dim=1)
    direct = (shares * (shares / shares.mean(dim=0)).log()).sum(dim=1).mean()
    assert mean_divergence(logits) == pytest.approx(float(direct), rel=1e-12)


@pytest.mark.parametrize(
    ("outputs", "conditional", "overall"),
    [
        ([[WHITE, WHITE], [BLACK, BLACK]], 1, 2),  # styles change nothing
        ([[WHITE, BLACK], [BLACK, WHITE]], 2, 2),
        ([[WHITE, WHITE], [WHITE, WHITE]], 1, 1),
        ([[WHITE, BLACK], [WHITE] * 4], 2 ** (2 / 6), None),  # each output counts
    ],
)
def test_scores_of_a_classifier_without_doubt(
    outputs: Any, conditional: float, overall: float | None
) -> None:
    found = cis(outputs)
    assert found.value == pytest.approx(conditional)
    assert found.parts["mean_kl"] == pytest.approx(math.log(conditional), abs=1e-12)
    if overall is not None:
        assert found.parts["is"] == pytest.approx(overall)


@pytest.mark.usefixtures("fakes")
def test_outputs_of_a_translation_are_scored_by_input(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="tint", style_sample=4)
    found = cis(tmp_path / "out", compute=Compute(batch_size=3))
    assert 1 <= found.value <= 2
    assert found.card["protocol"] == {
        "inputs": 5,
        "outputs_per_input": "4",
        "grouped_by": "source",
        "classes": 2,
        "pictures_as_shown": "of their own size, in [-1, 1]",
    }
    assert found.card["generated"]["n"] == 20
    assert found.card["classifier"] == "sure"


def test_inputs_with_one_output_count_only_overall() -> None:
    found = cis([[WHITE, WHITE], [BLACK]])
    assert found.value == pytest.approx(1)
    assert found.card["protocol"]["inputs"] == 1
    assert found.parts["is"] > 1.8
    assert any("1 input with fewer than two outputs left out" in text for text in found.warnings)


def folder_of(root: Path, **groups: list[bytes]) -> Path:
    for name, contents in groups.items():
        (root / name).mkdir()
        for index, data in enumerate(contents):
            (root / name / f"{index}.png").write_bytes(data)
    return root


def test_unreadable_outputs_are_left_out_and_named(tmp_path: Path) -> None:
    good = (IMAGES / "styles" / "in0_style0.png").read_bytes()
    found = cis(folder_of(tmp_path, x=[good, good], y=[good, b"none", good]))
    assert found.card["protocol"]["inputs"] == 2
    assert found.card["generated"]["failed"][0].endswith("AVIF are read)")
    with pytest.raises(SampleError, match=r"y/1\.png holds no picture"):
        cis(tmp_path, compute=Compute(on_error="stop"))


def test_too_few_readable_outputs_are_refused(tmp_path: Path) -> None:
    good = (IMAGES / "styles" / "in0_style0.png").read_bytes()
    with pytest.raises(UsageError, match=r"no input of .*: 1 of 2 pictures could be .*holds no"):
        cis(folder_of(tmp_path, x=[good, b"none"]))


@pytest.mark.parametrize(
    ("classifier", "match"),
    [
        (lambda x: x, r"returned \(3, 8, 6\) for a picture, where one logit for each class"),
        (lambda x: x.mean(dim=(1, 2, 3)), r"returned \(\) for a picture"),
        (lambda x: x.mean(dim=(1, 2))[:, :1], r"returned \(1,\) for a picture"),
        (lambda x: sure(x).softmax(dim=1), "returned probabilities, where logits are due"),
    ],
)
def test_a_classifier_that_returns_no_logits_is_refused(classifier: Any, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        cis([[WHITE, BLACK]], classifier)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_bounds_is_refused(seed: int) -> None:
    with pytest.raises(UsageError, match=f"--seed {seed} is not in 0"):
        inception_score(IMAGES / "fake", seed=seed)
