"""The rate of `i2ikit train` against that of a plain loop over the same networks, in one run.

BicycleGAN of small width at 64×64, batches of 8. The plain loop reads the same pictures by torch's
DataLoader with one worker, takes the gradients of all parameters that a loss reaches (`backward`),
and keeps no average, log or state. Blocks of both take turns, so that noise meets both alike.

    python benchmarks/training_speed.py [--json FILE] [--rounds N] [--steps N] [--device NAME]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import i2ikit
from benchmarks._inputs import write_pictures
from i2ikit.plugins import discover
from i2ikit.training.report import Report
from i2ikit.training.request import Request, make_training, open_pools

SIZE, BATCH, WARM = 64, 8, 5
OPTIONS = {"ngf": 16, "nef": 16, "ndf": 16}


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """The pairs of a folder and itself, cut as `train` cuts them."""

    def __init__(self, request: Request, count: int) -> None:
        self.pool = open_pools(request, make_training(discover(), request))[0]
        self.augmentation = request.augmentation
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        a, b = self.pool.load(number, self.augmentation)
        return a["image"][0], b["image"][0]


def plain_rate(request: Request, steps: int, device: torch.device) -> float:
    """Return steps a second of a loop as anyone would write it."""
    training = make_training(discover(), request).to(device).train()
    rng = torch.Generator().manual_seed(0)
    loader = DataLoader(Pictures(request, steps * BATCH), batch_size=BATCH, num_workers=1)
    times = []
    for image_a, image_b in loader:
        a, b = {"image": image_a.to(device)}, {"image": image_b.to(device)}
        for update in training.updates(a, b, rng):
            optimizers = [training.optimizers[name] for name in update.optimizers]
            for optimizer in training.optimizers.values():
                optimizer.zero_grad()
            sum(update.losses.values(), torch.zeros((), device=device)).backward()  # type: ignore[no-untyped-call]
            for optimizer in optimizers:
                optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter())
    return (steps - WARM) / (times[-1] - times[WARM - 1])


def our_rate(source: Path, output: Path, steps: int, device: torch.device) -> float:
    """Return steps a second of a training in its steady state."""
    times: list[float] = []

    def note(report: Report) -> None:
        del report
        times.append(time.perf_counter())

    settings: dict[str, Any] = {"size": SIZE, "batch_size": BATCH, "options": OPTIONS}
    i2ikit.train(
        "bicyclegan",
        source,
        source,
        output,
        steps=steps,
        sample_every=0,
        device=str(device),
        on_progress=note,
        **settings,
    )
    return (steps - WARM) / (times[-1] - times[WARM - 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=60, help="of a round")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    arguments = parser.parse_args()
    plain, ours = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "in", 64, 96, ".jpg")
        request = Request(
            "bicyclegan",
            str(folder / "in"),
            str(folder / "in"),
            folder / "out",
            size=SIZE,
            batch_size=BATCH,
            options=OPTIONS,
        )
        for place in range(arguments.rounds):
            plain.append(plain_rate(request, arguments.steps, arguments.device))
            output = folder / f"out{place}"
            ours.append(our_rate(folder / "in", output, arguments.steps, arguments.device))
            print(f"plain loop {plain[-1]:.2f}/s, train {ours[-1]:.2f}/s", flush=True)
    ratio = statistics.median(ours) / statistics.median(plain)
    print(f"train runs at {ratio:.3f} of the rate of a plain loop")
    if arguments.json:
        found = {"plain_per_s": plain, "train_per_s": ours, "ratio": ratio}
        arguments.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
