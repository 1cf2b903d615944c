"""A program for each of two processes: trainings that they share, one after another.

    python -m tests.training.sharing A B OUT RANK PORT

It writes OUT/RANK.json, by the names of the trainings what each has raised ("" for nothing), and
the weights of each as OUT/NAME.RANK.pt. OUT/labels.csv is there, from `write_labels`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

import i2ikit.plugins
import i2ikit.training.run as running
from i2ikit.plugins import Catalogue
from i2ikit.training.contract import Training
from i2ikit.training.process import Process
from i2ikit.training.report import Report
from i2ikit.training.request import Request, make_training
from tests.conftest import fake_distribution
from tests.training.trained import Domains, train

#: Without draws, with them, and with them up to a NaN in the second process.
PLAIN: dict[str, Any] = {"batch_size": 4, "options": {"dropout": 0}}
NOISY: dict[str, Any] = {"batch_size": 4, "options": {"noise": 0.3}}


def write_labels(folder: Path) -> str:
    """Write a table of two classes of six pictures."""
    rows = "".join(f"{number}.png,{number % 2}\n" for number in range(6))
    (folder / "labels.csv").write_text(f"file_name,label\n{rows}")
    return str(folder / "labels.csv")


class StopError(Exception):
    pass


def stop(report: Report) -> None:
    if report.step == 13:  # three steps after the last saved state
        raise StopError("stopped")


def main(a: Path, b: Path, out: Path, process: Process) -> None:
    found = [*i2ikit.plugins._distributions(), fake_distribution("t", t="tests.training.fakes")]
    i2ikit.plugins._distributions = lambda: found
    made: list[Training] = []

    def keep(catalogue: Catalogue, request: Request) -> Training:
        made.append(make_training(catalogue, request))
        return made[-1]

    running.make_training = keep  # type: ignore[attr-defined]
    raised: dict[str, str] = {}

    def share(name: str, output: str, domains: Domains = (a, b), **more: Any) -> None:
        try:
            train(domains, out / output, process=process, **more)
            raised[name] = ""
        except Exception as error:
            raised[name] = f"{type(error).__name__}: {error}"
        torch.save(made[-1].state_dict(), out / f"{name}.{process.rank}.pt")
        os.environ["MASTER_PORT"] = str(int(os.environ["MASTER_PORT"]) + 1)

    fails_at = 12 if process.rank == 1 else -1
    share("plain", "plain", **PLAIN, valid_a=a, valid_b=b, valid_every=10, sample_every=10)
    share("noisy", "noisy", **NOISY)
    share("cut", "parts", **NOISY, on_progress=stop)
    share("resumed", "parts", **NOISY)
    labels = str(out / "labels.csv")
    share("semantic", "semantic", model="shade", **PLAIN, semantic_loss=1.0, labels_a=labels)
    share("nan", "nan", batch_size=4, options={"fails_at": fails_at})
    share("late", "late", **NOISY, time_limit=1e-9)
    (out / f"{process.rank}.json").write_text(json.dumps(raised))


if __name__ == "__main__":
    torch.set_num_threads(1)
    a, b, out, rank, port = sys.argv[1:]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    main(Path(a), Path(b), Path(out), Process(int(rank), 2, int(rank)))
