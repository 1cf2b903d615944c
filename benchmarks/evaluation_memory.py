"""Peak resident memory of FID's path at 50,000 small pictures against that at 5,000.

Everything but the network is the real thing: it is a random projection to 2048 dims.

    python benchmarks/evaluation_memory.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks._inputs import write_pictures
from benchmarks._process import peak_megabytes
from i2ikit import FeatureSpace
from i2ikit.evaluate.compare import choose_metrics, compare
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.resizing import torch_bilinear
from i2ikit.evaluate.sides import Asked, read_sides
from i2ikit.plugins import discover

SIDE, DIMS, COUNTS = 16, 2048, (5_000, 50_000)


class Projection(nn.Module):
    """Stands for a network."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.matrix = nn.Parameter(torch.randn(3 * SIDE * SIDE, DIMS))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.matrix


def measure(source: Path) -> None:
    """Measure the FID of a folder and itself."""
    space = FeatureSpace("stub", DIMS, Projection(), partial(torch_bilinear, side=SIDE), "none")
    sides = read_sides(
        (source, source),
        Asked("stub"),
        Compute(cache=False, device="cpu"),
        by_statistics=True,
        space=space,
    )
    metrics = choose_metrics(discover(), {"fd": {}})
    print(compare(metrics, *sides)["fd"].value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure)
        return
    peaks = {}
    with tempfile.TemporaryDirectory() as name:
        for count in COUNTS:
            folder = Path(name) / str(count)
            write_pictures(folder, count, SIDE, ".png")
            peaks[count] = peak_megabytes([__file__, "--measure", str(folder)])
            print(f"{count} pictures: {peaks[count]:.0f} MB", flush=True)
    ratio = peaks[COUNTS[1]] / peaks[COUNTS[0]]
    print(f"{ratio:.3f} times the memory for ten times the pictures")
    if arguments.json:
        arguments.json.write_text(json.dumps({"megabytes": peaks, "ratio": ratio}, indent=2))


if __name__ == "__main__":
    main()
