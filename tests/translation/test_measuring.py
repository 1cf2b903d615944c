"""Outputs measured while they are made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import i2ikit
from i2ikit.errors import SourceError, UsageError
from i2ikit.evaluate import Compute, measure
from tests.conftest import picture

pytestmark = pytest.mark.usefixtures("fakes", "measures")


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    folder = tmp_path / "reference"
    folder.mkdir()
    for index in range(3):
        picture(seed=10 + index).save(folder / f"{index}.png")
    return folder


def afterwards(reference: Path, output: Path) -> float:
    """Return what measuring the files by themselves gives."""
    return measure(reference, output, {"gap": {}}, compute=Compute(cache=False))["gap"].value


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_the_number_is_that_of_the_files(
    pictures: Path, reference: Path, tmp_path: Path, suffix: Any
) -> None:
    summary = i2ikit.translate(
        pictures,
        tmp_path / "out",
        model="tint",
        style_sample=2,
        format=suffix,
        evaluate={"gap": reference},
    )
    result = summary.evaluation["gap"]
    assert result.value == pytest.approx(afterwards(reference, tmp_path / "out"), rel=1e-6)
    assert result.card["generated"]["n"] == result.card["generated"]["from_cache"] == 10


def test_outputs_in_tars_are_measured(pictures: Path, reference: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    summary = i2ikit.translate(pictures, f"wds:{output}", model="echo", evaluate={"gap": reference})
    result = summary.evaluation["gap"]
    assert result.card["generated"]["from_cache"] == 5
    assert result.value == pytest.approx(afterwards(reference, output), rel=1e-6)


def test_each_output_passes_the_network_once(
    pictures: Path, reference: Path, tmp_path: Path, computed: list[int]
) -> None:
    arguments: dict[str, Any] = {"model": "echo", "evaluate": {"gap": reference}}
    i2ikit.translate(pictures, tmp_path / "out", limit=2, **arguments)
    assert sum(computed) == 2 + 3  # two outputs, three of the reference
    i2ikit.translate(pictures, tmp_path / "out", **arguments)
    assert sum(computed) == 2 + 3 + 5  # the shard that was cut short is done again
    i2ikit.translate(pictures, tmp_path / "out", **arguments)
    assert sum(computed) == 2 + 3 + 5


def test_outputs_of_starts_that_did_not_measure_are_measured_too(
    pictures: Path, reference: Path, tmp_path: Path, computed: list[int]
) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    summary = i2ikit.translate(
        pictures, tmp_path / "out", model="echo", evaluate={"gap": reference}
    )
    assert summary.num_resumed == 5
    assert sum(computed) == 5 + 3
    assert summary.evaluation["gap"].card["generated"]["n"] == 5


def test_only_the_part_that_ends_last_measures(
    tmp_path: Path, reference: Path, pictures: Path
) -> None:
    for index in range(40):  # two shards
        picture(seed=100 + index).save(pictures / f"{index}.png")

    def part(index: int) -> i2ikit.RunSummary:
        return i2ikit.translate(
            pictures,
            tmp_path / "out",
            model="echo",
            shard=(index, 2),
            evaluate={"gap": reference},
        )

    assert part(0).evaluation == {}
    assert part(1).evaluation["gap"].card["generated"]["from_cache"] == 45


def test_a_run_without_outputs_is_not_measured(reference: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    summary = i2ikit.translate(
        tmp_path / "in", tmp_path / "out", model="echo", evaluate={"gap": reference}
    )
    assert (summary.num_failed, summary.evaluation) == (1, {})


@pytest.mark.parametrize(
    ("evaluate", "error", "words"),
    [
        ({"gaps": "reference"}, UsageError, "unknown metric 'gaps'"),
        ({"gap": "nowhere"}, SourceError, "nowhere"),
        ({"gap": "reference.npz"}, SourceError, "reference.npz does not exist"),
    ],
)
def test_what_cannot_be_measured_is_said_before_the_first_image(
    pictures: Path, tmp_path: Path, evaluate: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        i2ikit.translate(pictures, tmp_path / "out", model="echo", evaluate=evaluate)
    assert not (tmp_path / "out").exists()


def test_statistics_that_do_not_fit_are_refused_before_the_first_image(
    pictures: Path, reference: Path, tmp_path: Path
) -> None:
    npz = tmp_path / "reference.npz"
    i2ikit.evaluate.save_statistics(
        npz, i2ikit.evaluate.statistics(reference, features="stub", dims=4)
    )
    with pytest.raises(UsageError, match="holds statistics"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo", evaluate={"gap": npz})
    with pytest.raises(UsageError, match="4 dims, the other side has 8"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo", evaluate={"stub-fd": npz})
    assert not (tmp_path / "out").exists()


def test_a_metric_that_fails_takes_nothing_with_it(
    pictures: Path, reference: Path, tmp_path: Path
) -> None:
    summary = i2ikit.translate(
        pictures,
        tmp_path / "out",
        model="echo",
        evaluate={"raising": reference, "gap": reference},
    )
    assert summary.num_outputs == 5
    assert set(summary.evaluation) == {"gap"}
    assert "ZeroDivisionError" in summary.unmeasured["raising"]


def test_without_a_cache_the_files_are_measured(
    pictures: Path, reference: Path, tmp_path: Path, new_home: Path
) -> None:
    new_home.write_text("no folder")
    summary = i2ikit.translate(
        pictures, tmp_path / "out", model="echo", evaluate={"gap": reference}
    )
    result = summary.evaluation["gap"]
    assert result.card["generated"]["from_cache"] == 0
    assert any("the feature cache can't be used" in warning for warning in result.warnings)


def test_pixels_are_the_same_with_and_without(
    pictures: Path, reference: Path, tmp_path: Path, install: Callable[..., None]
) -> None:
    for name, evaluate in (("a", {}), ("b", {"gap": reference})):
        i2ikit.translate(pictures, tmp_path / name, model="tint", style_sample=2, evaluate=evaluate)
    for path in (tmp_path / "a").rglob("*.png"):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()
