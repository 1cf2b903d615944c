"""Label maps against what a segmenter sees, by confusion matrices that one can count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import i2ikit
from i2ikit.errors import ModelError, SampleError, SourceError, UsageError
from i2ikit.evaluate import pixel_classifier
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.consistency import label_consistency, score_confusion
from i2ikit.evaluate.results import Result
from tests.evaluate.labelled import save, write_labelled

STEP = 50


def paint(path: Path, ids: Any) -> None:
    """Write the picture in which `see` finds these ids."""
    save(path, np.repeat(np.array(ids)[:, :, None] * STEP, 3, axis=2))


def see(pictures: Tensor) -> Tensor:
    """Return the class ids that the pictures were painted with."""
    return ((pictures[:, 0] + 1) * 127.5 / STEP).round().long()


def weigh(pictures: Tensor) -> Tensor:
    """Return logits of three classes, no NaN among them."""
    return F.one_hot(see(pictures), 3).permute(0, 3, 1, 2).float()


STOP = Compute(device="cpu", on_error="stop")


def consistency(
    root: Path, segmenter: Any = see, num_classes: int | None = 3, compute: Compute | None = None
) -> Result:
    return label_consistency(
        root / "labels",
        root / "out",
        segmenter=segmenter,
        num_classes=num_classes,
        compute=compute,
    )


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Return labels and out: one picture as labelled, one with a pixel of 0 seen as 1."""
    save(tmp_path / "labels" / "a.png", [[0, 0], [1, 1]])
    save(tmp_path / "labels" / "b" / "c.png", [[2, 255], [2, 2]])
    paint(tmp_path / "out" / "a.png", [[0, 1], [1, 1]])
    paint(tmp_path / "out" / "b" / "c.png", [[2, 0], [2, 2]])
    return tmp_path


DUE = {
    "pixel_accuracy": 6 / 7,
    "class_accuracy": (1 / 2 + 1 + 1) / 3,
    "iou 0": 1 / 2,
    "iou 1": 2 / 3,
    "iou 2": 1,
}


@pytest.mark.parametrize(("segmenter", "num_classes"), [(see, 3), (weigh, None), (weigh, 3)])
def test_scores_by_counting(sets: Path, segmenter: Any, num_classes: int | None) -> None:
    found = consistency(sets, segmenter, num_classes)
    assert found.parts == pytest.approx(DUE)
    assert found.value == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert found.card["segmenter"] == segmenter.__name__
    assert found.card["protocol"] == {
        "classes": 3,
        "classes_present": 3,
        "ignored_labels": "255",
        "pixels": 7,
        "pictures_as_shown": "of their own size, in [-1, 1]",
    }


def test_classes_that_nobody_saw_do_not_count(sets: Path) -> None:
    assert consistency(sets, num_classes=5).value == consistency(sets, num_classes=3).value


def test_other_labels_can_be_ignored(sets: Path) -> None:
    found = label_consistency(
        sets / "labels", sets / "out", segmenter=see, num_classes=2, ignore=(2, 255)
    )
    assert found.parts == pytest.approx(
        {"pixel_accuracy": 3 / 4, "class_accuracy": 3 / 4, "iou 0": 1 / 2, "iou 1": 2 / 3}
    )


def test_a_class_seen_but_not_labelled_lowers_the_mean() -> None:
    found = score_confusion(np.array([[3, 1], [0, 0]]))
    assert found == {
        "miou": 3 / 8,
        "pixel_accuracy": 3 / 4,
        "class_accuracy": 3 / 4,
        "iou 0": 3 / 4,
        "iou 1": 0,
    }


def test_rows_are_labels_and_columns_predictions() -> None:
    assert score_confusion(np.array([[1, 1], [0, 2]]))["class_accuracy"] == 3 / 4
    assert score_confusion(np.array([[1, 0], [1, 2]]))["class_accuracy"] == pytest.approx(5 / 6)


def test_logits_of_a_stride_are_resized(tmp_path: Path) -> None:
    ids = np.repeat([[0, 1, 1, 1]], 4, axis=1).repeat(8, axis=0)  # (8, 16)
    save(tmp_path / "labels" / "a.png", ids)
    paint(tmp_path / "out" / "a.png", ids)
    assert consistency(tmp_path, lambda x: weigh(x)[:, :, ::4, ::4]).value == 1


def test_palette_label_maps_are_read_by_their_ids(sets: Path) -> None:
    path = sets / "labels" / "a.png"
    image = Image.fromarray(np.array([[0, 0], [1, 1]], dtype=np.uint8))
    image.putpalette([200, 0, 0, 0, 200, 0])
    image.save(path)
    assert consistency(sets).parts == pytest.approx(DUE)


@pytest.mark.usefixtures("fakes")
def test_outputs_of_a_translation_are_paired_by_their_source(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "maps" / "labels" / f"{name}_ids.png", [[0, 1], [1, 1]])
        paint(tmp_path / "in" / f"{name}.png", [[0, 1], [1, 1]])
    i2ikit.translate(
        tmp_path / "in", tmp_path / "out", model="tint", style_sample=2, options={"strength": 0}
    )
    found = label_consistency(
        f"{tmp_path}/maps/labels:_ids", tmp_path / "out", segmenter=see, num_classes=2
    )
    assert (found.value, found.card["generated"]["n"]) == (1, 4)


def test_labels_outside_the_classes_are_named(sets: Path) -> None:
    found = consistency(sets, num_classes=2)
    (failure,) = found.card["generated"]["failed"]
    assert "c.png: label 2 is outside 0…1 (3 such pixels" in failure
    assert found.parts["pixel_accuracy"] == 3 / 4
    with pytest.raises(SampleError, match="label 2 is outside"):
        label_consistency(
            sets / "labels",
            sets / "out",
            segmenter=see,
            num_classes=2,
            compute=Compute(on_error="stop"),
        )


def test_sizes_that_differ_are_named(sets: Path) -> None:
    paint(sets / "out" / "a.png", [[0, 1, 1]])
    (failure,) = consistency(sets).card["generated"]["failed"]
    assert "out/a.png is 3x1, and its label map" in failure
    assert "labels/a.png 2x2" in failure


@pytest.mark.parametrize(
    ("lost", "match"),
    [
        ("labels", r"1 of the \d+ keys in .*out have no partner in .*labels: 'b/c'"),
        ("out", r"1 of the \d+ keys in .*labels have no partner in .*out: 'b/c'"),
    ],
)
def test_missing_partners_are_named(sets: Path, lost: str, match: str) -> None:
    (sets / lost / "b" / "c.png").unlink()
    with pytest.raises(UsageError, match=match):
        consistency(sets, compute=STOP)
    found = consistency(sets)
    assert found.card["generated"]["n"] == 1
    (failed,) = found.card["generated"]["failed"]
    assert "'b/c' of" in failed


def test_an_ignored_class_is_in_no_mean(sets: Path) -> None:
    found = label_consistency(
        sets / "labels", sets / "out", segmenter=see, num_classes=3, ignore=(255, 0)
    )
    assert {name for name in found.parts if name.startswith("iou")} == {"iou 1", "iou 2"}


def test_at_most_five_missing_partners_are_named(sets: Path) -> None:
    for index in range(7):
        paint(sets / "out" / f"x{index}.png", [[0]])
    with pytest.raises(UsageError, match=r"7 of .*: 'x0', 'x1', 'x2', 'x3', 'x4', … \("):
        consistency(sets, compute=STOP)


@pytest.mark.parametrize(
    ("segmenter", "num_classes", "error", "match"),
    [
        (see, None, UsageError, "see returns class ids, .*--num-classes"),
        (weigh, 4, ModelError, "weigh returned logits of 3 classes, not of 4"),
        (
            lambda x: see(x)[:, :1],
            3,
            ModelError,
            r"int64 of shape \(2, 1, 2\) for .*\(2, 3, 2, 2\)",
        ),
        (lambda x: weigh(x).repeat(1, 1, 2, 1), 3, ModelError, r"of shape \(2, 3, 4, 2\)"),
        (lambda x: weigh(x).repeat(1, 1, 1, 2), 3, ModelError, r"of shape \(2, 3, 2, 4\)"),
        (lambda x: x[:, 0], 3, ModelError, r"float32 of shape \(2, 2, 2\)"),
        (lambda x: x.flatten(1), 3, ModelError, r"float32 of shape \(2, 12\)"),
        (lambda x: see(x) - 1, 3, ModelError, r"saw class -1 in .*, outside 0…2"),
        (lambda x: see(x) + 7, 3, ModelError, r"saw class \d in .*, outside 0…2"),
        (see, 1, UsageError, "--num-classes 1 is less than 2"),
    ],
)
def test_a_segmenter_that_breaks_its_contract_is_named(
    sets: Path, segmenter: Any, num_classes: int | None, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        consistency(sets, segmenter, num_classes)


def test_nothing_but_ignored_pixels_is_refused(sets: Path) -> None:
    with pytest.raises(UsageError, match="every pixel of the label maps is ignored"):
        label_consistency(sets / "labels", sets / "out", segmenter=weigh, ignore=(0, 1, 2, 255))


def test_labels_that_are_not_there_are_refused(sets: Path) -> None:
    with pytest.raises(SourceError, match="nowhere does not exist"):
        label_consistency(sets / "nowhere", sets / "out", segmenter=see)


@pytest.mark.parametrize("compute", [Compute(batch_size=1), Compute(workers=0)])
def test_batch_size_and_workers_change_nothing(sets: Path, compute: Compute) -> None:
    found = label_consistency(sets / "labels", sets / "out", segmenter=weigh, compute=compute)
    assert found.value == consistency(sets).value


def test_a_module_is_used_in_eval_mode(sets: Path) -> None:
    class Doubtful(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.dropout(weigh(x), 0.9, self.training)

    assert consistency(sets, Doubtful()).parts == pytest.approx(DUE)


def test_labels_may_stand_for_others(sets: Path) -> None:
    found = label_consistency(
        sets / "labels",
        sets / "out",
        segmenter=lambda x: see(x) // 2,
        num_classes=2,
        relabel={1: 0, 2: 1},
    )
    assert found.value == 1
    assert found.card["protocol"]["relabelled"] == "1=0, 2=1"


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return real pictures and label maps; a classifier takes a few steps only."""
    monkeypatch.setattr(pixel_classifier, "_STEPS", 40)
    return write_labelled(tmp_path / "real", classes=3)


def test_a_classifier_fitted_to_real_pictures_judges_too(tmp_path: Path, real: Path) -> None:
    made = write_labelled(tmp_path / "made", 2, start=50, classes=3)
    found = label_consistency(
        made / "labels",
        made / "pictures",
        fit_pictures=real / "pictures",
        fit_labels=real / "labels",
        relabel={2: 0},
    )
    assert found.parts["pixel_accuracy"] > 0.9
    card = found.card
    assert (card["segmenter"], card["real"]["n"], card["generated"]["n"]) == (
        "pixel classifier",
        4,
        2,
    )
    assert {name: card["protocol"][name] for name in ("classes", "fit_pictures", "fit_seed")} == {
        "classes": 2,
        "fit_pictures": 4,
        "fit_seed": 0,
    }
    assert len(card["segmenter_sha256"]) == 64


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({}, "nothing judges the pictures"),
        ({"fit_pictures": "real"}, "nothing judges the pictures"),
        ({"fit_labels": "real"}, "nothing judges the pictures"),
        ({"segmenter": see, "fit_pictures": "real", "fit_labels": "real"}, "--segmenter was given"),
        ({"segmenter": see, "fit_seed": 0}, "--segmenter was given"),
    ],
)
def test_one_thing_judges(sets: Path, given: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        label_consistency(sets / "labels", sets / "out", num_classes=3, **given)
