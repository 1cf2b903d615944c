"""The classifier learns what can be learnt, the same each time, and says how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from i2ikit.data.images import to_tensor
from i2ikit.errors import SampleError, UsageError
from i2ikit.evaluate import pixel_classifier, squares
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.label_maps import open_labels
from i2ikit.evaluate.pixel_classifier import Fitted, fit_classifier
from i2ikit.model import RGB
from tests.evaluate.labelled import COLOURS, draw_ids, save, write_labelled


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a few steps with small squares."""
    monkeypatch.setattr(squares, "SIDE", 16)
    monkeypatch.setattr(pixel_classifier, "_STEPS", 40)


def fit(root: Path, **options: Any) -> Fitted:
    given = {"num_classes": None, "seed": 0, "compute": Compute(workers=0), **options}
    return fit_classifier(root / "pictures", open_labels(root / "labels", {}, (255,)), **given)


def weights(fitted: Fitted) -> bytes:
    return b"".join(value.numpy().tobytes() for value in fitted.network.state_dict().values())


def test_it_finds_in_other_pictures_what_it_was_shown(tmp_path: Path) -> None:
    fitted, ids = fit(write_labelled(tmp_path, classes=3)), draw_ids(100, (32, 40), 3)
    logits = fitted.network(to_tensor(COLOURS[ids], RGB()))
    assert logits.shape == (1, 3, 32, 40)
    assert (logits.argmax(dim=1)[0].numpy() == ids).mean() > 0.8
    assert not fitted.network.training


def test_pictures_of_one_pixel_are_seen(tmp_path: Path) -> None:
    assert fit(write_labelled(tmp_path)).network(torch.zeros(1, 3, 1, 1)).shape == (1, 2, 1, 1)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_a_fit_is_the_same_each_time_and_leaves_the_random_state(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    state = torch.get_rng_state()
    known = weights(fit(write_labelled(tmp_path)))
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    torch.set_num_threads(2)
    assert weights(fit(tmp_path, compute=Compute(workers=2))) == known
    assert weights(fit(tmp_path, seed=1)) != known


def test_a_rare_class_weighs_more_but_not_in_full() -> None:
    found = pixel_classifier._weigh(np.array([900, 0, 100]))
    assert found == pytest.approx([0.9**-0.5, 0, 0.1**-0.5])


def test_the_protocol_says_what_was_done(tmp_path: Path) -> None:
    fitted = fit(write_labelled(tmp_path, 3), seed=4)
    told = fitted.protocol
    assert (told["fit_pictures"], told["fit_seed"], fitted.side["n"]) == (3, 4, 3)
    assert told["fit"].startswith("40 steps of 16 squares")
    assert told["classifier"].endswith("1×1 to 2 classes; 5,122 weights")
    assert len(told["fit_sha256"]) == 64
    save(tmp_path / "labels" / "1.png", draw_ids(100))
    assert fit(tmp_path).protocol["fit_sha256"] != told["fit_sha256"]


def test_classes_may_be_more_than_are_labelled(tmp_path: Path) -> None:
    fitted = fit(write_labelled(tmp_path), num_classes=5)
    assert fitted.num_classes == 5
    assert fitted.network(torch.zeros(1, 3, 8, 8)).shape == (1, 5, 8, 8)


@pytest.mark.parametrize(("label", "present"), [(1, "1"), (255, "none")])
def test_one_class_cannot_be_told_from_others(tmp_path: Path, label: int, present: str) -> None:
    save(tmp_path / "labels" / "a.png", np.full((24, 24), label))
    save(tmp_path / "pictures" / "a.png", np.zeros((24, 24, 3)))
    with pytest.raises(UsageError, match=f"two classes or more apart, and .*labels has: {present}"):
        fit(tmp_path)


def test_pictures_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    write_labelled(tmp_path)
    (tmp_path / "pictures" / "1.png").write_bytes(b"no picture")
    fitted = fit(tmp_path)
    (failed,) = fitted.side["failed"]
    assert "1.png holds no picture" in failed
    assert fitted.protocol["fit_pictures"] == 3
    with pytest.raises(SampleError, match=r"1\.png holds no picture"):
        fit(tmp_path, compute=Compute(on_error="stop"))


def test_a_seed_is_not_negative(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--fit-seed -1 is less than 0"):
        fit(write_labelled(tmp_path), seed=-1)
