"""A training from outside: what it learns, leaves, resumes, and refuses."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import i2ikit
from i2ikit.errors import (
    CheckpointError,
    I2IError,
    OptionError,
    PluginError,
    RunError,
    SampleError,
    SourceError,
    UsageError,
)
from i2ikit.training.report import Report
from tests.conftest import picture
from tests.training.trained import Domains, log, train, weights


@pytest.mark.parametrize("model", ["pairs", "shade"])
def test_it_learns_and_what_it_leaves_translates(
    domains: Domains, tmp_path: Path, model: str
) -> None:
    summary = train(domains, tmp_path / "out", model, steps=200, average=0.9)
    lines = log(tmp_path / "out")
    assert summary.is_complete
    assert lines[-1]["gap"] < 0.5 * lines[0]["gap"]
    done = i2ikit.translate(
        domains[0], tmp_path / "made", model=model, checkpoint=summary.checkpoint
    )
    assert done.num_outputs == 6


def test_two_runs_are_the_same(domains: Domains, tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(domains, tmp_path / name, workers=0 if name == "one" else 3)
    assert log(tmp_path / "one") == log(tmp_path / "two")


def test_another_seed_is_another_training(domains: Domains, tmp_path: Path) -> None:
    for seed in (0, 1):
        train(domains, tmp_path / str(seed), seed=seed)
    assert log(tmp_path / "0") != log(tmp_path / "1")


@pytest.mark.parametrize("model", ["pairs", "shade"])
def test_a_training_that_goes_on_is_that_of_an_undisturbed_one(
    domains: Domains, tmp_path: Path, model: str
) -> None:
    options = {"noise": 0.1}
    train(domains, tmp_path / "whole", model, options=options)

    class StopError(Exception):
        pass

    def stop(report: Report) -> None:
        if report.step == 13:  # three steps after the last saved state
            raise StopError

    with pytest.raises(StopError):
        train(domains, tmp_path / "parts", model, options=options, on_progress=stop)
    summary = train(domains, tmp_path / "parts", model, options=options)
    assert summary.resumed == 10
    assert log(tmp_path / "parts") == log(tmp_path / "whole")
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "parts")[name], value)


KILLED = """
import sys, tests.training.fakes, i2ikit.plugins
from tests.conftest import fake_distribution
found = [*i2ikit.plugins._distributions(), fake_distribution("t", t="tests.training.fakes")]
i2ikit.plugins._distributions = lambda: found
import torch, i2ikit
torch.set_num_threads(1)
i2ikit.train("pairs", sys.argv[1], sys.argv[2], sys.argv[3], size=16, steps=2000, batch_size=2,
             save_every=50, sample_every=0, log_every=1)
"""


def test_after_sigkill_it_goes_on_bit_by_bit(domains: Domains, tmp_path: Path) -> None:
    def start(output: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", KILLED, *map(str, (*domains, output))])

    process = start(tmp_path / "killed")
    while not (tmp_path / "killed" / ".i2ikit" / "state.pt").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for output in ("killed", "whole"):
        assert start(tmp_path / output).wait(120) == 0
    assert log(tmp_path / "killed") == log(tmp_path / "whole")
    assert not list((tmp_path / "killed" / ".i2ikit").glob("*.part"))


def test_what_is_complete_does_nothing_more(domains: Domains, tmp_path: Path) -> None:
    first = train(domains, tmp_path / "out")
    again = train(domains, tmp_path / "out")
    assert (first.resumed, again.resumed, again.step) == (0, 20, 20)
    assert len(log(tmp_path / "out")) == 20


def test_a_time_limit_stops_and_saves(domains: Domains, tmp_path: Path) -> None:
    summary = train(domains, tmp_path / "out", time_limit=1e-9)
    assert summary.step < 20
    assert not summary.is_complete
    assert (tmp_path / "out" / "latest" / "step.txt").read_text() == str(summary.step)
    assert train(domains, tmp_path / "out").step == 20


def test_parts_of_a_batch_give_its_gradients(domains: Domains, tmp_path: Path) -> None:
    for parts in (1, 4):
        train(domains, tmp_path / str(parts), batch_size=4, accumulate=parts, average=0)
    for one, other in zip(log(tmp_path / "1"), log(tmp_path / "4"), strict=True):
        assert one["gap"] == pytest.approx(other["gap"], rel=1e-4)


def test_the_average_lags_behind_the_weights(domains: Domains, tmp_path: Path) -> None:
    for average in (0.0, 0.999):
        train(domains, tmp_path / str(average), average=average)
    last, averaged = weights(tmp_path / "0.0"), weights(tmp_path / "0.999")
    assert not torch.equal(last["conv.weight"], averaged["conv.weight"])


def test_checkpoints_can_have_the_layout_of_the_original(domains: Domains, tmp_path: Path) -> None:
    train(domains, tmp_path / "out", layout="upstream")
    assert {path.name for path in (tmp_path / "out" / "latest").iterdir()} == {
        "shade.pth",
        "step.txt",
    }
    i2ikit.load_model("pairs", tmp_path / "out" / "latest")


def test_sheets_show_inputs_styles_and_truth(domains: Domains, tmp_path: Path) -> None:
    train(domains, tmp_path / "out", sample_every=10)
    sheets = sorted(path.name for path in (tmp_path / "out" / "samples").iterdir())
    assert sheets == ["step-00000010-a2b.png", "step-00000020-a2b.png"]
    with Image.open(tmp_path / "out" / "samples" / sheets[0]) as sheet:
        assert sheet.size == (6 * 18 - 2, 4 * 18 - 2)  # the input, four styles, the truth


def test_a_loss_that_is_no_number_stops_before_it_spoils(domains: Domains, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the loss 'gap' is nan"):
        train(domains, tmp_path / "out", options={"fails_at": 12})
    assert all(value.isfinite().all() for value in weights(tmp_path / "out").values())
    assert (tmp_path / "out" / "latest" / "step.txt").read_text() == "10"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 21}, "steps is 20 there and 21 here"),
        ({"seed": 3}, "seed is 0 there and 3 here"),
        ({"options": {"rate": 0.01}}, "options is"),
        ({"size": 20}, "size is 16 there and 20 here"),
        ({"model": "shade"}, "model is pairs there and shade here"),
    ],
)
def test_another_training_in_the_same_place_is_refused(
    domains: Domains, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    train(domains, tmp_path / "out")
    with pytest.raises(RunError, match=words):
        train(domains, tmp_path / "out", **change)
    assert train(domains, tmp_path / "out", **change, restart=True).resumed == 0


def test_what_decides_no_number_may_change(domains: Domains, tmp_path: Path) -> None:
    train(domains, tmp_path / "out", time_limit=1e-9)
    assert train(domains, tmp_path / "out", workers=0, save_every=7, log_every=3).step == 20


def test_a_place_with_other_things_is_refused(domains: Domains, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not empty"):
        train(domains, domains[0])
    assert len(list(domains[0].iterdir())) == 6


def test_a_damaged_state_is_a_sentence(domains: Domains, tmp_path: Path) -> None:
    train(domains, tmp_path / "out", time_limit=1e-9)
    (tmp_path / "out" / ".i2ikit" / "state.pt").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match=r"state\.pt can't be read.*--restart"):
        train(domains, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": "shad"}, UsageError, "unknown model 'shad'"),
        ({"model": "untrained"}, UsageError, "'untrained' can't be trained"),
        ({"model": "wrong"}, PluginError, "is no i2ikit.Training"),
        ({"size": 18}, UsageError, r"it takes multiples of 4 \(--size 20"),
        ({"size": 4}, UsageError, "--size 4 is less than 16"),
        ({"size": 17, "model": "halves"}, UsageError, r"it takes multiples of 4 from 20 up"),
        (
            {"model": "halves", "size": 20, "batch_size": 3},
            UsageError,
            r"batch of 3 is no multiple of 2.*--batch-size 4",
        ),
        (
            {"model": "halves", "size": 20, "accumulate": 2},
            UsageError,
            r"batch of 2 is no multiple of 4.*--batch-size 4",
        ),
        ({"accumulate": 4}, UsageError, r"batch of 2 is no multiple of 4: it is cut into 1 × 4"),
        ({"steps": 0}, UsageError, "--steps 0 is less than 1"),
        ({"load_size": 8}, UsageError, "--load-size 8 is less than --size 16"),
        ({"average": 1.0}, UsageError, "--average 1 is not in"),
        ({"options": {"rat": 1}}, OptionError, "did you mean 'rate'"),
        ({"load_size": 0, "size": 48}, SampleError, "is 40×36, smaller than --size 48"),
    ],
)
def test_wrong_wishes_are_a_sentence(
    domains: Domains, tmp_path: Path, change: dict[str, Any], error: type[I2IError], words: str
) -> None:
    with pytest.raises(error, match=words):
        train(domains, tmp_path / "out", **change)


def test_pictures_without_partner_are_named(domains: Domains, tmp_path: Path) -> None:
    (domains[1] / "3.png").unlink()
    with pytest.raises(UsageError, match="1 of the 6 pictures of A lack their partner: '3'"):
        train(domains, tmp_path / "out")


def test_pairs_of_different_sizes_are_named(domains: Domains, tmp_path: Path) -> None:
    picture(50, 36).save(domains[1] / "3.png")
    with pytest.raises(SampleError, match=r"differ in size: .*3\.png"):
        train(domains, tmp_path / "out", steps=6)


def test_a_domain_of_one_picture_is_too_small(domains: Domains, tmp_path: Path) -> None:
    for path in sorted(domains[0].iterdir())[1:]:
        path.unlink()
    with pytest.raises(SourceError, match="A holds 1 picture, too few"):
        train(domains, tmp_path / "out", "shade")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounts a small disk")
def test_a_full_disk_is_a_sentence(domains: Domains, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with pytest.raises(I2IError, match="can't be written"):
            train(domains, disk / "out")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_it_starts_from_the_weights_of_a_checkpoint(domains: Domains, tmp_path: Path) -> None:
    """At a rate that moves nothing; the same command goes on, another start is refused."""
    summary = train(domains, tmp_path / "one")
    still: dict[str, Any] = {"options": {"rate": 1e-12}, "seed": 5}
    again = train(domains, tmp_path / "two", **still, start_from=summary.checkpoint)
    for name, value in weights(tmp_path / "one").items():
        torch.testing.assert_close(weights(tmp_path / "two")[name], value)
    train(domains, tmp_path / "two", **still, start_from=summary.checkpoint)
    with pytest.raises(RunError, match="start_from is"):
        train(domains, tmp_path / "two", **still, start_from=again.checkpoint)


def test_a_training_may_start_from_nothing_but_its_seed(domains: Domains, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't start from a checkpoint"):
        train(domains, tmp_path / "out", "fixed", start_from=tmp_path)
