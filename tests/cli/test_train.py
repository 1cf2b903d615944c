"""`i2ikit train` as its users meet it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.conftest import picture

SMALL = ("--size", "16", "--steps", "6", "--sample-every", "0")
TINY = [f"-o{text}" for text in ("dim=2", "mlp_dim=2", "n_res=1", "dis_dim=2", "num_scales=1")]


@pytest.fixture(autouse=True)
def _trainings(install: Callable[..., None]) -> None:
    install("trainings", trainings="tests.training.fakes")


@pytest.fixture
def domains(tmp_path: Path) -> list[Path]:
    folders = [tmp_path / "A", tmp_path / "B"]
    for start, folder in enumerate(folders):
        folder.mkdir()
        for index in range(4):
            picture(64, 64, seed=10 * start + index).save(folder / f"{index}.png")
    return folders


def test_it_says_what_it_will_do_and_did(cli: Cli, domains: list[Path], tmp_path: Path) -> None:
    code, out, err = cli("train", "--model", "pairs", *domains, tmp_path / "out", *SMALL)
    assert code == 0
    assert "training pairs: 4 pairs, squares of 16 px, 1 picture a step, 6 steps" in err
    assert f"6 steps done; checkpoint: {tmp_path / 'out' / 'latest'}" in out
    assert "losses of the last step: gap " in out
    _, _, err = cli("train", "--model", "pairs", *domains, tmp_path / "out", *SMALL)
    assert "going on after step 6" in err


def test_json(cli: Cli, domains: list[Path], tmp_path: Path) -> None:
    _, out, _ = cli("train", "--model", "shade", *domains, tmp_path / "out", *SMALL, "--json")
    assert json.loads(out)["is_complete"]


def test_it_says_what_it_validates_and_what_was_best(
    cli: Cli, domains: list[Path], tmp_path: Path
) -> None:
    held_out = ("--valid-a", domains[0], "--valid-b", domains[1], "--valid-every", "4")
    code, out, err = cli("train", "--model", "pairs", *domains, tmp_path / "o", *SMALL, *held_out)
    assert code == 0
    assert "validation: l1 of 4 held-out pictures of A, every 4 steps" in err
    assert f"best checkpoint: {tmp_path / 'o' / 'best'}, validated at 0." in out


def test_it_says_how_many_classes_the_labels_have(
    cli: Cli, domains: list[Path], tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file_name,label\n0.png,cat\n1.png,dog\n2.png,cat\n3.png,cow\n")
    wish = ("--semantic-loss", "0.5", "--labels-a", labels)
    code, out, err = cli("train", "--model", "shade", *domains, tmp_path / "o", *SMALL, *wish)
    assert code == 0
    assert "semantic loss: weight 0.5, 3 classes of A" in err
    assert "gen_sem_ab " in out


def test_it_starts_from_a_checkpoint(cli: Cli, domains: list[Path], tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    cli("train", "--model", "pairs", *domains, first, *SMALL)
    latest = first / "latest"
    code, _, _ = cli("train", "--model", "pairs", *domains, second, *SMALL, "--start-from", latest)
    assert code == 0
    assert json.loads((second / ".i2ikit" / "training.json").read_text())["start_from"] == str(
        latest
    )


@pytest.mark.parametrize(
    ("size", "rank", "words"),
    [
        ("2", "0", "a batch of 1 is no multiple of 2: it is cut into 2 × 1 equal parts"),
        ("two", "0", "RANK, WORLD_SIZE and LOCAL_RANK are 0, two, 0, not whole numbers"),
    ],
)
def test_processes_are_those_of_torchrun(
    cli: Cli,
    domains: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: str,
    rank: str,
    words: str,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setenv("RANK", rank)
    code, out, err = cli("train", "--model", "pairs", *domains, tmp_path / "out", *SMALL)
    assert (code, out) == (2, "")
    assert words in err


def test_a_time_limit_leaves_the_rest_for_later(
    cli: Cli, domains: list[Path], tmp_path: Path
) -> None:
    _, out, _ = cli(
        "train", "--model", "shade", *domains, tmp_path / "out", *SMALL, "--time-limit", "1e-9"
    )
    assert "the training is not complete: the same command goes on" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "nothing"), "unknown model 'nothing'"),
        (("--model", "shade", "-o", "rat=1"), "unknown option -o rat"),
        (("--model", "shade", "--field-a", "x"), "write NAME=DIR[:SUFFIX]"),
        (("--model", "shade", "--settings", "x.yaml"), "reads no settings"),
        (("--model", "shade", "--size", "3"), "--size 3 is less than 16"),
        (("--model", "shade", "--valid-a", "x"), "--valid-b is missing"),
        (("--model", "shade", "--semantic-loss", "1"), "is nothing without --labels-a"),
        (("--model", "shade", "--valid-field-b", "x"), "write NAME=DIR[:SUFFIX]"),
    ],
)
def test_wrong_usage_is_one_sentence(
    cli: Cli, domains: list[Path], tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = cli("train", *domains, tmp_path / "out", *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_ctrl_c_says_what_is_lost(domains: list[Path], tmp_path: Path, new_home: Path) -> None:
    words = ["train", "--model", "munit", *map(str, domains), str(tmp_path / "out"), *TINY]
    command = [sys.executable, "-m", "i2ikit", *words, "--size", "16", "--save-every", "5"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "HOME": str(new_home)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "out" / ".i2ikit" / "state.pt").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on from the last saved state, at most 5 steps ago" in err
    assert "Traceback" not in err


def test_ctrl_c_before_the_first_save_says_that_nothing_was_saved(
    cli: Cli, domains: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("i2ikit.training.loop.Loop.run", stop)
    code, _, err = cli("train", "--model", "shade", *domains, tmp_path / "out", *SMALL)
    assert code == 130
    assert "interrupted; nothing was saved yet, so the same command starts over" in err
