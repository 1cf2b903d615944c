"""Whole `i2ikit eval fid` and `eval all` against whole `pytorch-fid`, and the square root alone.

Two folders of JPEGs, 256×256, fp32, no cache, each command in a process of its own, taking turns;
the networks have the same seeded weights. The square root: of two sets of features, 2048 dims, a
decaying spectrum, against scipy's of the product of their covariances.

    python benchmarks/fid_speed.py [--json FILE] [--rounds N] [--pictures N]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks._inputs import write_pictures
from i2ikit.evaluate.features import Features
from i2ikit.evaluate.frechet import frechet_distance
from tests.conftest import GOLDEN
from tests.evaluate.seeded import INCEPTION, write_inception

SIDE, DIMS = 256, 2048


def timed(words: list[str], home: Path) -> tuple[float, float]:
    """Run a Python module; return its seconds and the number that it prints for the FID."""
    environment = {**os.environ, "TORCH_HOME": str(home)}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - start
    found = re.search(r"FID: +([\d.]+)", done.stdout)
    if found is None:
        raise SystemExit(f"no FID in the output of {words}: {done.stdout}")
    return seconds, float(found[1])


def run_rounds(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each command in each round."""
    sides, home = [str(folder / "real"), str(folder / "generated")], folder / "torch"
    weights = home / "hub" / "checkpoints" / INCEPTION
    weights.parent.mkdir(parents=True)
    write_inception(weights, GOLDEN / "eval" / "inception_bn.npz")
    ours = ["--weights", str(weights), "--no-cache", "--device", "cpu"]
    commands = {
        "pytorch-fid": ["pytorch_fid", *sides, "--device", "cpu"],
        "eval fid": ["i2ikit", "eval", "fid", *sides, *ours],
        "eval all": ["i2ikit", "eval", "all", *sides, *ours],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, words in commands.items():
            took, value = timed(words, home)
            seconds[name].append(took)
            print(f"{name}: {took:.1f} s, FID {value:.6g}", flush=True)
    return seconds


def root_ratio(count: int) -> float:
    """Return how many times faster the distance of samples is than scipy's root of covariances."""
    from scipy.linalg import sqrtm

    generator = np.random.default_rng(0)
    spectrum = np.arange(1, DIMS + 1) ** -0.5
    sides = [
        Features("", count, known=rows.astype(np.float32))
        for rows in generator.normal(size=(2, count, DIMS)) * spectrum
    ]
    first, second = (side.statistics.sigma for side in sides)  # before the clock starts
    start = time.perf_counter()
    sqrtm(first @ second)
    scipy_seconds = time.perf_counter() - start
    ours = []
    for _ in range(3):
        start = time.perf_counter()
        frechet_distance(*sides)
        ours.append(time.perf_counter() - start)
    print(f"scipy's root: {scipy_seconds:.2f} s; whole distance here: {min(ours):.3f} s")
    return scipy_seconds / statistics.median(ours)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=500, help="a folder")
    arguments = parser.parse_args()
    root = root_ratio(500)
    print(f"the square root at N = 500: {root:.0f} times scipy's speed", flush=True)
    with tempfile.TemporaryDirectory() as name:
        for index, side in enumerate(("real", "generated")):
            write_pictures(Path(name) / side, arguments.pictures, SIDE, ".jpg", seed=index)
        seconds = run_rounds(Path(name), arguments.rounds)
    middle = {command: statistics.median(found) for command, found in seconds.items()}
    speed = middle["pytorch-fid"] / middle["eval fid"]
    cost = middle["eval all"] / middle["eval fid"]
    print(f"eval fid runs at {speed:.2f} times the speed of pytorch-fid")
    print(f"eval all (FID, KID, precision and recall) takes {cost:.3f} times as long as eval fid")
    if arguments.json:
        found = {"seconds": seconds, "speed": speed, "all": cost, "root": root}
        arguments.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
