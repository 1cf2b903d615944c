"""Comparing sides: spaces and metrics of plugins, files of statistics, warnings, and refusals."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import i2ikit
from i2ikit.errors import (
    CheckpointError,
    I2IError,
    ModelError,
    OptionError,
    SourceError,
    UsageError,
)
from i2ikit.evaluate.compare import measure
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.frechet import measure_fid
from i2ikit.evaluate.kernel import KidOptions, measure_kid
from i2ikit.evaluate.moments import Statistics, load_statistics, save_statistics
from i2ikit.evaluate.results import Result
from i2ikit.evaluate.summaries import merge_statistics, statistics
from i2ikit.progress import Progress
from tests.conftest import picture
from tests.evaluate.conftest import EVAL, IMAGES
from tests.evaluate.fakes import open_stub
from tests.evaluate.test_extract import SETTINGS, extracted
from tests.evaluate.test_frechet import side

REAL, FAKE = IMAGES / "real", IMAGES / "fake"
CPU = Compute(device="cpu", cache=False)

pytestmark = pytest.mark.usefixtures("measures")


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Return a folder of four pictures."""
    (tmp_path / "others").mkdir()
    for seed in range(10, 14):
        picture(seed=seed).save(tmp_path / "others" / f"{seed}.png")
    return tmp_path / "others"


def fd(real: Any, generated: Any, **settings: Any) -> Result:
    settings = {"features": "stub", "compute": CPU, **settings}
    return measure(real, generated, {"fd": {}}, **settings)["fd"]


# plugins


def test_a_foreign_metric_is_measured_in_a_foreign_space(pictures: Path, others: Path) -> None:
    found = measure(pictures, others, {"gap": {"power": 2}}, compute=CPU)["gap"]
    real, _ = extracted(pictures, open_stub())
    fake, _ = extracted(others, open_stub())
    expected = ((real.mean(axis=0) - fake.mean(axis=0)) ** 2).sum()
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert found.metric == "gap"
    assert found.card["features"] == "stub"
    assert found.card["protocol"] == {"power": 2}


def test_several_metrics_share_one_extraction(
    computed: list[int], pictures: Path, others: Path
) -> None:
    metrics: dict[str, dict[str, Any]] = {"gap": {}, "kid": {}, "fd": {}}
    found = measure(pictures, others, metrics, features="stub", compute=CPU)
    assert list(found) == ["gap", "kid", "fd"]
    assert sum(computed) == 9


def test_dims_and_convention_reach_the_space(pictures: Path, others: Path) -> None:
    card = fd(pictures, others, dims=3, convention="theirs").card
    assert (card["dims"], card["convention"]) == (3, "theirs")


@pytest.mark.parametrize(
    ("metrics", "features", "message"),
    [
        ({"nonsense": {}}, None, r"metric 'nonsense' returned 1\.0, no Measured"),
        ({"gap": {}}, "nothing", "features 'nothing'.* returned 42, no FeatureSpace"),
        ({"gapp": {}}, None, "unknown metric 'gapp'.*did you mean 'gap'"),
        ({"gap": {}}, "stubb", "unknown feature space 'stubb'.*did you mean 'stub'"),
        ({"gap": {}, "kid": {}}, None, "different spaces: inception, stub.*--features NAME"),
        ({"fid": {}}, "stub", "fid is measured in 'inception', not in 'stub'.*fd is the Fréchet"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_a_hint(
    pictures: Path, metrics: dict[str, dict[str, Any]], features: str | None, message: str
) -> None:
    with pytest.raises(I2IError, match=message):
        measure(pictures, pictures, metrics, features=features, compute=CPU)


@pytest.mark.parametrize(
    ("metrics", "features", "message"),
    [
        ({"raising": {}}, None, "metric 'raising' failed: ZeroDivisionError"),
        ({"nan": {}}, None, "metric 'nan' is nan"),
        ({"gap": {}}, "stub:unprepared", "features 'stub' at .* failed: ValueError: no luck"),
        ({"gap": {}}, "stub:unopened", "features 'stub:unopened' failed: KeyError"),
        ({"gap": {}}, "stub:raising", "features 'stub' failed: RuntimeError: no luck"),
    ],
)
def test_what_a_plugins_code_raises_becomes_a_sentence(
    pictures: Path, metrics: dict[str, dict[str, Any]], features: str | None, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        measure(pictures, pictures, metrics, features=features, compute=CPU)


def test_a_network_left_in_training_mode_is_put_into_the_other(
    pictures: Path, others: Path
) -> None:
    one, other = (
        fd(pictures, others, features="stub:training", compute=replace(CPU, batch_size=size)).value
        for size in (1, 4)
    )
    assert one == pytest.approx(other, rel=1e-5)


def test_no_metric_is_a_sentence(pictures: Path) -> None:
    with pytest.raises(UsageError, match="no metric is named"):
        measure(pictures, pictures, {}, compute=CPU)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"powr": 2}, "unknown option -o powr.*did you mean 'power'"),
        ({"power": "0"}, "-o power=0: Input should be greater than 0"),
        ({"power": "much"}, "-o power=much: Input should be a valid number"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        measure("no such folder", "nor this", {"gap": options}, compute=CPU)


def test_a_blocked_plugin_offers_no_metric(pictures: Path) -> None:
    with pytest.raises(UsageError, match="unknown metric 'gap'"):
        measure(pictures, pictures, {"gap": {}}, compute=replace(CPU, blocked=("measures",)))


def test_weights_that_are_missing_are_asked_for_before_pictures_are_read(pictures: Path) -> None:
    (pictures / "a/0.png").write_bytes(b"")
    stopping = replace(CPU, on_error="stop")
    with pytest.raises(CheckpointError, match=r"pt_inception-2015-12-05-6726825d\.pth is not on"):
        measure(pictures, pictures, {"fid": {}}, compute=stopping)


# how it is carried out


@pytest.fixture(scope="module")
def expected() -> float:
    """Return the number that every way of computing must give."""
    rows = [side(extracted(folder, open_stub())[0]) for folder in (REAL, FAKE)]
    return measure_fid(*rows).value


@pytest.mark.parametrize(("batch_size", "workers"), SETTINGS)
def test_batch_size_and_workers_change_no_number(
    expected: float, batch_size: int, workers: int
) -> None:
    compute = replace(CPU, batch_size=batch_size, workers=workers)
    assert fd(REAL, FAKE, compute=compute).value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "fp8"}, "--precision fp8 is none of fp32, bf16, fp16"),
        ({"on_error": "cry"}, "--on-error cry is neither skip nor stop"),
        ({"batch_size": 0}, "--batch-size 0 is less than 1"),
        ({"workers": -1}, "--workers -1 is less than 0"),
        ({"device": "abacus"}, "--device abacus can't be used"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_their_flag(
    pictures: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        fd(pictures, pictures, compute=replace(CPU, **change))


def test_progress_runs_over_both_sides(pictures: Path, others: Path) -> None:
    (pictures / "a/1.png").write_bytes(b"")
    told: list[Progress] = []
    fd(pictures, others, compute=replace(CPU, batch_size=2, on_progress=told.append))
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert told[-1] == Progress(done=9, total=9, failed=1, resumed=0)


# sides


def test_the_card_says_what_was_compared(pictures: Path, others: Path) -> None:
    (others / "bad.png").write_bytes(b"")
    card = fd(pictures, others).card
    assert card["real"]["n"] == 5
    assert card["generated"]["n"] == 4
    assert card["generated"]["location"] == str(others)
    assert card["generated"]["failed"] == [f"{others / 'bad.png'} is empty"]
    assert (card["precision"], card["weights_sha256"]) == ("fp32", "5" * 64)
    assert {"i2ikit", "torch", "numpy", "pillow"} <= set(card["versions"])


def test_one_picture_is_too_few_and_none_is_an_error(pictures: Path, others: Path) -> None:
    with pytest.raises(UsageError, match=r"0\.png has 1 picture: a Fréchet distance needs 2"):
        fd(pictures / "a/0.png", others)
    for path in others.iterdir():
        path.write_bytes(b"")
    with pytest.raises(SourceError, match=r"no picture of .*others can be read: .*10\.png is empt"):
        fd(pictures, others)


def test_arrays_may_be_compared_with_files(pictures: Path) -> None:
    arrays = [np.array(picture(seed=seed)) for seed in range(5)]
    assert fd(arrays, pictures).value == pytest.approx(0, abs=1e-8)


def test_pictures_that_are_given_once_are_read_once(pictures: Path) -> None:
    streamed = (np.array(picture(seed=seed)) for seed in range(5))
    assert fd(streamed, pictures).card["real"]["n"] == 5


# statistics


@pytest.fixture
def saved(pictures: Path, tmp_path: Path) -> Path:
    """Return a file of the statistics of the pictures in the stub space."""
    save_statistics(tmp_path / "s.npz", statistics(pictures, features="stub", compute=CPU))
    return tmp_path / "s.npz"


def test_statistics_stand_for_their_pictures(saved: Path, pictures: Path, others: Path) -> None:
    found, direct = fd(saved, others), fd(pictures, others)
    assert found.value == pytest.approx(
        direct.value, rel=1e-5
    )  # 5 pictures: a deficient covariance
    assert found.card["features"] == "stub"
    assert found.card["real"]["n"] == 5
    assert found.card["real"]["location"] == str(saved)
    assert not any("trust" in text for text in found.warnings)


def test_statistics_say_what_they_were_made_of(saved: Path, pictures: Path) -> None:
    found = load_statistics(saved)
    assert (found.n, found.dims) == (5, 8)
    assert found.card["resize"] == open_stub().resize
    assert found.card["pictures"]["location"] == str(pictures)
    assert "torch" in found.card["versions"]


def test_two_files_of_statistics_need_no_weights(golden: Any) -> None:
    files = EVAL / "stats_real_64.npz", EVAL / "stats_fake_64.npz"
    found = measure(*files, {"fid": {}})["fid"]
    expected = golden["inception"]["fid"]["64"]["exact"]
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert len([text for text in found.warnings if "is taken on trust" in text]) == 2


def test_statistics_may_be_given_as_such(saved: Path, others: Path) -> None:
    assert fd(load_statistics(saved), others).value == fd(saved, others).value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("resize", "by hand"),
        ("weights_sha256", "6" * 64),
        ("precision", "bf16"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_statistics_of_another_space_are_refused(
    saved: Path, others: Path, name: str, value: str, turned: bool
) -> None:
    known = load_statistics(saved)
    other = replace(known, card={**known.card, name: value})
    with pytest.raises(UsageError, match=f"was made with {name} .*make the statistics again"):
        fd(*((others, other) if turned else (other, others)))


def test_statistics_of_other_dims_are_refused(saved: Path, others: Path) -> None:
    with pytest.raises(UsageError, match=r"s\.npz has 8 dims, but --dims 5 was given"):
        fd(saved, others, dims=5)
    foreign = Statistics(np.ones(3), np.eye(3), 9)
    with pytest.raises(UsageError, match=r"statistics has 3 dims, the other side has 8.*--dims"):
        fd(foreign, others)


def test_statistics_must_be_of_the_space_that_was_asked_for(saved: Path) -> None:
    """Of two files no space is opened, so that only their cards can tell."""
    with pytest.raises(UsageError, match="was made with features 'stub', not 'inception'"):
        measure(saved, saved, {"fid": {}}, compute=CPU)
    with pytest.raises(UsageError, match="follows no convention, not clean-fid"):
        fd(saved, saved, convention="clean-fid")
    with pytest.raises(UsageError, match="has 8 dims, but --dims 64 was given"):
        fd(saved, saved, dims=64)
    assert fd(saved, saved).value == 0


def test_statistics_carry_nothing_of_the_day_that_they_were_made(
    pictures: Path, others: Path, tmp_path: Path
) -> None:
    (pictures / "broken.png").write_bytes(b"no picture")
    save_statistics(tmp_path / "s.npz", statistics(pictures, features="stub", compute=CPU))
    card = fd(tmp_path / "s.npz", others).card["real"]
    assert (card["n"], card["file_types"]) == (5, {"PNG": 5})
    assert not {"failed", "from_cache", "cache_problem"} & card.keys()


def test_merged_statistics_are_those_of_the_whole(pictures: Path) -> None:
    parts = [statistics(pictures / name, features="stub", compute=CPU) for name in ("a", "b")]
    whole = statistics(pictures, features="stub", compute=CPU)
    merged = merge_statistics(parts)
    np.testing.assert_allclose(merged.mu, whole.mu, rtol=1e-12)
    np.testing.assert_allclose(merged.sigma, whole.sigma, rtol=1e-9, atol=1e-12)
    assert (merged.n, merged.card["features"]) == (5, "stub")


def test_statistics_that_cannot_be_merged_are_refused(saved: Path) -> None:
    known = load_statistics(saved)
    for other, message in (
        (replace(known, n=None), "doesn't say of how many"),
        (replace(known, card={**known.card, "resize": "by hand"}), "was made with resize"),
        (Statistics(np.ones(3), np.eye(3), 9), "8 dims, part 1 has 3"),
    ):
        with pytest.raises(UsageError, match=message):
            merge_statistics([known, other])
    with pytest.raises(UsageError, match="no statistics"):
        merge_statistics([])


@pytest.mark.parametrize(("metric", "interval"), [("kid", False), ("fd", True)])
def test_statistics_will_not_do_where_pictures_are_needed(
    saved: Path, others: Path, metric: str, interval: bool
) -> None:
    with pytest.raises(UsageError, match=r"s\.npz holds statistics.*needs the pictures themselves"):
        measure(saved, others, {metric: {}}, features="stub", interval=interval, compute=CPU)


def test_statistics_without_a_card_are_taken_on_trust(saved: Path, others: Path) -> None:
    known = load_statistics(saved)
    found = fd(Statistics(known.mu, known.sigma), others)
    assert found.value == fd(saved, others).value
    assert any("doesn't say what it was made with" in text for text in found.warnings)
    assert any("doesn't say how many pictures" in text for text in found.warnings)


# warnings


def warned(result: Result, words: str) -> bool:
    return any(words in text for text in result.warnings)


def test_few_pictures_are_warned_of_and_kid_stands_beside(pictures: Path, others: Path) -> None:
    found = fd(pictures, others)
    real, fake = (side(extracted(folder, open_stub())[0]) for folder in (pictures, others))
    assert warned(found, "N is small (5 real, 4 generated)")
    expected = measure_kid(real, fake, KidOptions(subsets=0)).value
    assert found.parts["kid"] == pytest.approx(expected, rel=1e-5)
    kid = measure(pictures, others, {"kid": {}}, features="stub", compute=CPU)["kid"]
    assert not warned(kid, "N is small")


def test_of_many_pictures_kid_is_not_computed_unasked(
    monkeypatch: pytest.MonkeyPatch, pictures: Path, others: Path
) -> None:
    monkeypatch.setattr("i2ikit.evaluate.compare.SMALL", 4)
    assert "kid" not in fd(pictures, others).parts
    monkeypatch.setattr("i2ikit.evaluate.compare.SMALL", 5)
    assert "kid" in fd(pictures, others).parts  # one side is small


def test_mixed_file_types_and_sizes_are_warned_of(pictures: Path, others: Path) -> None:
    for path in others.iterdir():
        picture(30, 20).save(path.with_suffix(".jpg"))
        path.unlink()
    found = fd(pictures, others)
    assert warned(found, "the sides mix file types (5 PNG; 4 JPEG)")
    assert warned(found, "sizes differ: shorter sides of 8 and 20 px")
    assert not warned(fd(pictures, pictures), "differ")


@pytest.mark.parametrize(("official", "expected"), [(False, True), (None, False), (True, False)])
def test_unofficial_weights_are_warned_of(official: bool | None, expected: bool) -> None:
    card = {"features": "stub", "weights": "own.pth", "weights_official": official}
    one = Statistics(np.ones(2), np.eye(2), 9, card)
    assert warned(fd(one, one), "own.pth is not the official file") == expected


# intervals


def test_an_interval_ends_where_the_metric_does(pictures: Path) -> None:
    found = measure(
        pictures,
        pictures,
        {"fd": {}, "precision-recall": {"k": 1}},
        features="stub",
        interval=True,
        compute=CPU,
    )
    assert found["fd"].interval is not None
    assert found["fd"].interval[0] == 0
    assert found["precision-recall"].interval is not None
    assert found["precision-recall"].interval[1] == 1


def test_an_interval_holds_the_value(pictures: Path, others: Path) -> None:
    found = measure(pictures, others, {"gap": {}}, interval=True, compute=CPU)["gap"]
    assert found.interval
    assert found.interval[0] < found.value < found.interval[1]
    assert measure(pictures, others, {"gap": {}}, compute=CPU)["gap"].interval is None


def test_large_sets_leave_only_statistics_where_these_are_enough(
    monkeypatch: pytest.MonkeyPatch, pictures: Path, others: Path
) -> None:
    expected = fd(pictures, others, dims=2).value
    monkeypatch.setattr("i2ikit.evaluate.sides._KEPT", 3)
    found = fd(pictures, others, dims=2)
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert "kid" not in found.parts
    both = measure(pictures, others, {"fd": {}, "gap": {}}, features="stub", compute=CPU)
    assert "kid" in both["fd"].parts  # another metric needs the features: they are kept


# what is not the whole set


def test_pictures_of_a_tar_that_do_not_count_are_told(tmp_path: Path, others: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name, path in zip(
            ("a.png", "a.b.png", "c.png"), sorted(others.iterdir()), strict=False
        ):
            tar.add(path, name)
    found = fd(tmp_path / "x.tar", others)
    assert found.card["real"]["n"] == 2
    assert warned(found, "1 picture in the tars of")
    assert warned(found, "a.b.png first")


@pytest.mark.usefixtures("fakes")
def test_a_translation_that_is_not_whole_is_warned_of(pictures: Path, tmp_path: Path) -> None:
    (pictures / "a" / "0.png").write_bytes(b"no picture")
    output = tmp_path / "out"
    i2ikit.translate(pictures, output, model="echo", limit=3)
    assert warned(fd(output, output), f"{output} holds a part of its run")
    i2ikit.translate(pictures, output, model="echo")
    found = fd(output, output)
    assert warned(found, f"{output} lacks the outputs of 1 input that failed")
    assert not warned(found, "holds a part of its run")


def test_weights_given_for_two_files_of_statistics_are_refused(tmp_path: Path) -> None:
    one = Statistics(np.ones(2), np.eye(2), 9)
    with pytest.raises(UsageError, match=r"--weights w\.pth is of no use"):
        measure(one, one, {"fid": {}}, weights="w.pth", compute=CPU)


def test_weights_that_are_not_there_are_a_sentence(pictures: Path) -> None:
    for features in (None, "torchvision:resnet18"):
        with pytest.raises(CheckpointError, match=r"weights w\.pth do not exist"):
            measure(pictures, pictures, {"kid": {}}, features=features, weights="w.pth")


def test_nothing_can_be_downloaded_for_a_space_without_a_file(pictures: Path) -> None:
    with pytest.raises(UsageError, match="features 'stub' have no file to download"):
        fd(pictures, pictures, compute=replace(CPU, download=True))
