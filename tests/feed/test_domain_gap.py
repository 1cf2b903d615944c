"""What a translation is worth: a shift that ruins a network, and sets that undo it or don't."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import i2ikit
from i2ikit.errors import UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.results import Result
from i2ikit.progress import Progress
from tests.feed.shifted import write_halves, write_squares

CPU = Compute(device="cpu", workers=0)


def measure(**given: Any) -> dict[str, Result]:
    settings: dict[str, Any] = {"seeds": 2, "steps": 20, "batch_size": 8, "compute": CPU} | given
    return i2ikit.feed.adaptation(**settings)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return a source; the same inverted, as a perfect translation; target training and test."""
    folder = tmp_path_factory.mktemp("sets")
    return {
        "source": write_halves(folder / "source", inverted=False),
        "inverted": write_halves(folder / "inverted", inverted=True),
        "target": write_halves(folder / "target", inverted=True, seed=1),
        "test": write_halves(folder / "test", inverted=True, seed=2, count=5),
    }


@pytest.fixture(scope="module")
def found(sets: dict[str, str]) -> dict[str, Result]:
    return measure(
        source=sets["source"],
        adapted={"translated": sets["inverted"], "unchanged": sets["source"]},
        target=sets["target"],
        test=sets["test"],
    )


def test_a_translation_that_undoes_the_shift_closes_the_gap(found: dict[str, Result]) -> None:
    assert list(found) == ["source only", "translated", "unchanged", "oracle"]
    assert found["source only"].value < 0.3
    assert found["oracle"].value > 0.9
    assert found["translated"].parts["gain"] > 0.6
    assert found["translated"].parts["gap_closed"] == pytest.approx(1, abs=0.3)


def test_the_same_set_gives_the_same_numbers(found: dict[str, Result]) -> None:
    again, source = found["unchanged"], found["source only"]
    assert again.value == source.value
    assert again.parts["gain"] == again.parts["gap_closed"] == 0
    assert all(again.parts[part] == value for part, value in source.parts.items())


def test_a_translation_that_does_harm_has_a_negative_gain(sets: dict[str, str]) -> None:
    harm = {"ruined": sets["source"]}
    found = measure(source=sets["inverted"], adapted=harm, test=sets["test"], seeds=1)
    assert found["ruined"].parts["gain"] < -0.6
    assert "gap_closed" not in found["ruined"].parts
    assert "std" not in found["ruined"].parts


def test_parts_agree_with_the_value(found: dict[str, Result]) -> None:
    for result in found.values():
        seeds = [result.parts["seed 0"], result.parts["seed 1"]]
        assert result.value == pytest.approx(sum(seeds) / 2)
        assert result.parts["std"] == pytest.approx(abs(seeds[0] - seeds[1]) / 2**0.5)
        classes = [result.parts["class left"], result.parts["class right"]]
        assert result.value == pytest.approx(sum(classes) / 2)  # as many of each


def test_the_card_says_what_was_done(found: dict[str, Result]) -> None:
    card = found["oracle"].card
    assert card["network"].startswith("small classifier")
    assert (card["training"]["n"], card["test"]["n"]) == (16, 10)
    assert card["protocol"]["resize"] == "to 8×8, bicubic and antialiased"
    assert card["protocol"]["training"].startswith("20 steps of 8 pictures, Adam")


def test_the_global_random_state_is_left_alone(sets: dict[str, str]) -> None:
    before = torch.get_rng_state()
    measure(source=sets["source"], test=sets["test"], steps=1, seeds=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_counts_every_update(sets: dict[str, str]) -> None:
    seen: list[Progress] = []
    compute = Compute(device="cpu", workers=0, on_progress=seen.append)
    measure(source=sets["source"], test=sets["test"], steps=2, compute=compute)
    assert [(one.done, one.total) for one in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_masks_are_measured_by_mean_iou(tmp_path: Path) -> None:
    found = measure(
        source=write_squares(tmp_path / "source", inverted=False),
        target=write_squares(tmp_path / "target", inverted=True, seed=1),
        test=write_squares(tmp_path / "test", inverted=True, seed=2, count=4),
        seeds=1,
        steps=40,
    )
    source, oracle = found["source only"], found["oracle"]
    assert source.metric == "miou"
    assert oracle.value > 0.8 > 0.5 > source.value
    assert oracle.value == pytest.approx((oracle.parts["class 0"] + oracle.parts["class 1"]) / 2)


def test_a_map_gives_ids_their_classes(tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("id,class,name\n0,255,\n1,0,square\n2,1,disc\n")
    source = write_squares(tmp_path / "source", inverted=False)
    given = {"source": source, "test": source, "map": str(tmp_path / "map.csv"), "steps": 1}
    assert "class square" in measure(**given)["source only"].parts


def test_test_pictures_among_the_training_ones_are_noticed(sets: dict[str, str]) -> None:
    found = measure(source=sets["source"], test=sets["source"], steps=1, seeds=1)
    assert "source only: 16 pictures of the test are in it, too" in found["source only"].warnings


def test_a_class_that_one_set_lacks_is_told(sets: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(sets["inverted"] + "/left", tmp_path / "half" / "left")
    shutil.copytree(sets["inverted"] + "/left", tmp_path / "half" / "middle")
    adapted = {"half": str(tmp_path / "half")}
    found = measure(source=sets["source"], adapted=adapted, test=sets["test"], steps=1, seeds=1)
    assert found["half"].warnings[:2] == (
        "half: classes of the test that it lacks: 'right'",
        "half: classes that the test lacks, which only mislead: 'middle'",
    )


def test_a_class_that_nothing_taught_is_refused(sets: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(sets["source"], tmp_path / "named")
    (tmp_path / "named" / "left").rename(tmp_path / "named" / "links")
    with pytest.raises(UsageError, match="no training set has: 'left'") as raised:
        measure(source=str(tmp_path / "named"), test=sets["test"])
    assert raised.value.hint == "those have: 'links', 'right'"


def test_a_set_without_a_class_of_the_test_is_refused(sets: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(sets["inverted"] + "/left", tmp_path / "other" / "links")
    adapted = {"odd": str(tmp_path / "other")}
    with pytest.raises(
        UsageError, match=r"odd: .*other and the test .*test have no class"
    ) as raised:
        measure(source=sets["source"], adapted=adapted, test=sets["test"])
    assert raised.value.hint == "it has 'links'; the test 'left', 'right'"


def test_warnings_are_told_before_the_first_update(sets: dict[str, str]) -> None:
    told: list[object] = []
    compute = Compute(device="cpu", workers=0, on_progress=told.append)
    given: dict[str, Any] = {
        "source": sets["source"],
        "test": sets["source"],
        "on_warning": told.append,
    }
    measure(**given, steps=1, seeds=1, compute=compute)
    assert told[0] == "source only: 16 pictures of the test are in it, too"
    assert isinstance(told[-1], Progress)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 4}, "--size 4 is less than 8"),
        ({"seeds": 0}, "--seeds 0 is less than 1"),
        ({"steps": 0}, "--steps 0 is less than 1"),
        ({"batch_size": 0}, "--batch-size 0 is less than 1"),
        ({"adapted": {"oracle": "x"}}, "--adapted can't be called 'oracle'"),
        ({"map": "cityscapes19"}, "--map cityscapes19 is for masks"),
        ({"network": "nets"}, "--network nets is not module:function"),
    ],
)
def test_what_makes_no_sense_is_refused(
    sets: dict[str, str], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        measure(source=sets["source"], test=sets["test"], **given)


def test_classes_and_masks_dont_go_together(sets: dict[str, str], tmp_path: Path) -> None:
    squares = write_squares(tmp_path / "squares", inverted=False)
    with pytest.raises(UsageError, match=r"test has classes, and .*squares.* masks"):
        measure(source=squares, test=sets["test"])
