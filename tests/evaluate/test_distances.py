"""From the pictures to the numbers of the original packages; and each function's own options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from i2ikit.errors import CheckpointError, UsageError
from i2ikit.evaluate.compare import measure
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.distances import fd, fid, fid_infinity, kid, precision_recall
from i2ikit.evaluate.results import Result
from tests.evaluate.conftest import EVAL, IMAGES

CPU = Compute(device="cpu", cache=False)
REAL, FAKE = IMAGES / "real", IMAGES / "fake"
METRICS: dict[str, dict[str, Any]] = {
    "fid": {},
    "kid": {"subsets": 20, "subset_size": 40},
    "precision-recall": {"k": 3},
}


def measured(
    convention: str, weights: Path, kid: Mapping[str, Any] | None = None
) -> dict[str, Result]:
    metrics = METRICS if kid is None else {**METRICS, "kid": kid}
    return measure(REAL, FAKE, metrics, weights=weights, convention=convention, compute=CPU)


def check_card(found: Result, package: str) -> None:
    card = found.card
    assert card["convention"] == package
    assert card["real"]["file_types"] == {"PNG": 24, "JPEG": 24}
    assert (card["real"]["n"], card["generated"]["n"]) == (48, 44)
    for words in ("N is small (48 real, 44 gen", "mix file types", "is not the official file"):
        assert any(words in text for text in found.warnings)


def test_pytorch_fids_numbers_are_met(golden: Any, inception_weights: Path) -> None:
    found = measured("pytorch-fid", inception_weights, kid={"subsets": 0})
    known = golden["inception"]
    assert found["fid"].value == pytest.approx(known["fid"]["2048"]["exact"], rel=1e-4)
    assert found["fid"].value == pytest.approx(known["fid"]["2048"]["pytorch_fid"], rel=1e-4)
    assert found["kid"].value == pytest.approx(known["kid"]["2048"]["all_samples"], rel=1e-4)
    assert found["precision-recall"].parts == pytest.approx(known["prdc_2048"]["k3"], rel=1e-12)
    check_card(found["fid"], "pytorch-fid 0.3.0")


def test_torch_fidelitys_numbers_are_met(golden: Any, inception_weights: Path) -> None:
    found = measured("torch-fidelity", inception_weights)
    known = golden["inception"]["peers"]["torch_fidelity"]["metrics"]
    kid_known = {name: known[f"kernel_inception_distance_{name}"] for name in ("mean", "std")}
    parts = found["precision-recall"].parts
    assert found["fid"].value == pytest.approx(known["frechet_inception_distance"], rel=1e-3)
    assert found["kid"].value == pytest.approx(kid_known["mean"], rel=1e-3)
    assert found["kid"].parts["std"] == pytest.approx(kid_known["std"], rel=1e-3)
    assert parts["precision"] == pytest.approx(known["precision"], rel=1e-6)
    assert parts["recall"] == pytest.approx(known["recall"], rel=1e-6)
    check_card(found["fid"], "torch-fidelity 0.4.0")


def test_clean_fids_number_is_met(golden: Any, inception_weights: Path) -> None:
    found = measured("clean-fid", inception_weights)["fid"]
    known = golden["inception"]["peers"]["clean_fid"]["clean_fid"]
    assert found.value == pytest.approx(known, rel=1e-3)
    check_card(found, "clean-fid 0.1.35, mode clean")


def test_pytorch_fids_statistics_may_be_compared_with_pictures(
    golden: Any, inception_weights: Path
) -> None:
    found = fid(EVAL / "stats_real_64.npz", FAKE, dims=64, weights=inception_weights, compute=CPU)
    known = golden["inception"]["fid"]["64"]["exact"]
    assert found.value == pytest.approx(known, rel=1e-4)
    assert any("stats_real_64.npz doesn't say what" in text for text in found.warnings)


def test_batch_size_and_workers_change_no_number(inception_weights: Path) -> None:
    one, other = (
        fid(
            IMAGES / "styles",
            IMAGES / "odd",
            dims=64,
            weights=inception_weights,
            compute=Compute(device="cpu", batch_size=size, workers=workers, cache=False),
        ).value
        for size, workers in ((1, 0), (16, 3))
    )
    assert one == pytest.approx(other, rel=1e-6)


# options


@pytest.mark.parametrize(
    ("function", "options", "protocol"),
    [
        (fd, {}, {}),
        (
            kid,
            {"subsets": 4, "subset_size": 30, "seed": 7},
            {"estimator": "4 subsets of 30", "seed": 7},
        ),
        (kid, {}, {"estimator": "all pictures"}),
        (precision_recall, {"k": 2}, {"k": "2 (precision, recall), 2 (density, coverage)"}),
        (precision_recall, {}, {"k": "3 (precision, recall), 5 (density, coverage)"}),
    ],
)
@pytest.mark.usefixtures("measures")
def test_each_function_hands_its_options_on(
    function: Callable[..., Result], options: dict[str, Any], protocol: dict[str, Any]
) -> None:
    found = function(REAL, FAKE, features="stub", dims=6, compute=CPU, **options)
    assert found.metric == function.__name__.replace("_", "-")
    assert found.card["dims"] == 6
    assert found.card["protocol"] == protocol


@pytest.mark.usefixtures("measures")
def test_extrapolation_in_another_space_has_another_name() -> None:
    options = {"points": 5, "seed": 3}
    found = measure(REAL, FAKE, {"fd-infinity": options}, features="stub", compute=CPU)
    assert found["fd-infinity"].card["protocol"] == {"sizes": "5 from 10 to 44", "seed": 3}
    with pytest.raises(UsageError, match="fid-infinity is measured in 'inception'"):
        measure(REAL, FAKE, {"fid-infinity": options}, features="stub", compute=CPU)


def test_extrapolation_of_fid_asks_for_the_weights_of_inception() -> None:
    with pytest.raises(CheckpointError, match="pt_inception"):
        fid_infinity(REAL, FAKE, points=5, compute=CPU)


@pytest.mark.usefixtures("measures")
def test_an_interval_comes_where_it_is_asked_for() -> None:
    found = fd(REAL, FAKE, features="stub", interval=True, compute=CPU)
    assert found.interval
    assert found.interval[0] < found.value < found.interval[1]
