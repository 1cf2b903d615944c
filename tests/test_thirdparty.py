"""A foreign package, installed by pip, brings a model to the real program."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2ikit.translation.audit import audit
from tests.conftest import install_foreign, picture, pixels
from tests.translation.test_run import tree


@pytest.fixture
def environment(foreign_site: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(foreign_site)}


def run(environment: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "i2ikit", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_it_is_listed(environment: dict[str, str]) -> None:
    done = run(environment, "plugins")
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("invert ")]
    columns = ["invert", "i2ikit-invert", "1.2.3", "invert, colours, mean-gap", "ok"]
    assert re.split(" {2,}", line) == columns


def test_it_translates(environment: dict[str, str], pictures: Path, tmp_path: Path) -> None:
    done = run(environment, "translate", "--model", "invert", pictures, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    before, after = pixels(pictures / "a" / "0.png"), pixels(tmp_path / "out" / "a" / "0.png")
    assert np.array_equal(after, 255 - before)


def test_its_options_are_shown_and_checked(
    environment: dict[str, str], pictures: Path, tmp_path: Path
) -> None:
    assert "strength  [float; default 1.0" in run(environment, "models", "invert").stdout
    wrong = run(
        environment, "translate", "--model", "invert", "-o", "strength=2", pictures, tmp_path / "o"
    )
    assert wrong.returncode == 2
    assert "-o strength=2" in wrong.stderr


def test_its_metric_is_measured_in_its_feature_space(
    environment: dict[str, str], pictures: Path, tmp_path: Path
) -> None:
    black = tmp_path / "black"
    black.mkdir()
    Image.new("RGB", (20, 20)).save(black / "0.png")
    done = run(
        environment, "eval", "all", black, pictures, "--metrics", "mean-gap", "--json", "--no-cache"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    levels = [pixels(path).mean() / 255 for path in pictures.rglob("*.png")]
    assert found["value"] == pytest.approx(3 * 256 * np.mean(levels), rel=0.05)
    assert found["card"]["features"] == "colours"


def test_a_broken_package_beside_it_harms_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    install_foreign("i2ikit-broken", tmp_path)
    both = {**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}{os.pathsep}{tmp_path}"}
    done = run(both, "models")
    assert done.returncode == 0
    assert "invert" in done.stdout
    assert "this plugin is broken on purpose" in done.stderr


def _hear_interrupts() -> None:
    """Undo what a shell does to the jobs that it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_program_goes_on_where_it_was(
    environment: dict[str, str], tmp_path: Path, sent: signal.Signals
) -> None:
    (tmp_path / "in").mkdir()
    for index in range(400):
        picture(128, 96, seed=index).save(tmp_path / "in" / f"{index:03d}.png")
    words = ["translate", "--model", "invert", str(tmp_path / "in"), str(tmp_path / "out")]
    process = subprocess.Popen(
        [sys.executable, "-m", "i2ikit", *words],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_interrupts,
    )
    while not list((tmp_path / "out").glob("*.png")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(sent)
    _, err = process.communicate()
    if sent == signal.SIGINT:
        assert (process.returncode, "Traceback" in err) == (130, False)
        assert "the same command goes on" in err
    assert not (tmp_path / "out" / "metadata.jsonl").exists()
    assert run(environment, *words).returncode == 0
    assert audit(tmp_path / "out").is_sound
    assert len(tree(tmp_path / "out")) == 401
