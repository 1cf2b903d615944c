"""How much faster LPIPS diversity is here than a call of lpips for each pair, in one run.

10 inputs with 20 outputs each of 256×256, all 190 pairs of an input, AlexNet with random weights.
Straightforward: a loop of `lpips.LPIPS(net="alex")`, one pair at a time, on tensors that are there.
Ours: `lpips_diversity` from the PNG files to the number, its network's loading included. The loop
is timed on a sample of the pairs, spread over the run in blocks around ours, so that noise meets
both alike; its time for all pairs is extrapolated, and the values of the sample are compared.

    python benchmarks/lpips_speed.py [--json FILE] [--inputs N] [--outputs N] [--sample N]
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
import warnings
from itertools import combinations
from pathlib import Path

import lpips
import torch
import torchvision
from torch import Tensor

from benchmarks._inputs import write_pictures
from i2ikit import RGB
from i2ikit.data.images import decode_image, to_tensor
from i2ikit.evaluate import Compute
from i2ikit.evaluate.diversity import lpips_diversity

SIDE = 256


def write_groups(folder: Path, inputs: int, outputs: int) -> None:
    """Write each input's outputs into a folder of their own."""
    write_pictures(folder, inputs * outputs, SIDE, ".png")
    for place, path in enumerate(sorted(folder.glob("*.png"))):
        group = folder / f"{place // outputs:03d}"
        group.mkdir(exist_ok=True)
        shutil.move(path, group)


def write_backbone(path: Path) -> None:
    """Write an AlexNet with seeded random weights."""
    torch.manual_seed(0)
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), path)


def make_straightforward(backbone: Path) -> lpips.LPIPS:
    """Return lpips's own module with those weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    values = torch.load(backbone)
    own = model.net.state_dict()
    model.net.load_state_dict({name: values[f"features.{name.partition('.')[2]}"] for name in own})
    return model


def read_group(folder: Path) -> list[Tensor]:
    return [
        to_tensor(decode_image(path.read_bytes(), RGB(), path.name).array, RGB())
        for path in sorted(folder.iterdir())
    ]


@torch.inference_mode()
def time_loop(model: lpips.LPIPS, pairs: list[tuple[Tensor, Tensor]]) -> float:
    """Return the seconds that lpips takes for pairs, one at a time."""
    start = time.perf_counter()
    for a, b in pairs:
        model(a, b).item()
    return time.perf_counter() - start


def time_ours(folder: Path, backbone: Path) -> float:
    """Return the seconds of the whole measurement."""
    start = time.perf_counter()
    lpips_diversity(folder, backbone=backbone, compute=Compute(device="cpu"))
    return time.perf_counter() - start


@torch.inference_mode()
def largest_difference(model: lpips.LPIPS, folder: Path, backbone: Path) -> float:
    """Return how far the diversity of three outputs is from lpips's own, relatively."""
    group = read_group(folder)[:3]
    theirs: float = sum(model(a, b).item() for a, b in combinations(group, 2)) / 3
    ours = lpips_diversity([[t[0] for t in group]], backbone=backbone).value
    return abs(ours / theirs - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--inputs", type=int, default=10)
    parser.add_argument("--outputs", type=int, default=20, help="of each input")
    parser.add_argument("--sample", type=int, default=60, help="pairs timed in the loop")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    total = arguments.inputs * arguments.outputs * (arguments.outputs - 1) // 2
    with tempfile.TemporaryDirectory() as name:
        folder, backbone = Path(name) / "out", Path(name) / "alex.pth"
        write_groups(folder, arguments.inputs, arguments.outputs)
        write_backbone(backbone)
        model = make_straightforward(backbone)
        first = min(folder.iterdir())
        pairs = list(combinations(read_group(first), 2))[: arguments.sample]
        half = len(pairs) // 2
        time_loop(model, pairs[:3])  # warms up
        before = time_loop(model, pairs[:half])
        ours = time_ours(folder, backbone)
        after = time_loop(model, pairs[half:])
        difference = largest_difference(model, first, backbone)
    loop = (before + after) / len(pairs) * total
    print(
        f"{arguments.inputs} inputs × {arguments.outputs} outputs of {SIDE}×{SIDE}, {total} pairs\n"
        f"a call a pair: {loop:.1f} s, extrapolated from {len(pairs)} pairs\n"
        f"ours:          {ours:.1f} s, with reading and decoding\n"
        f"ratio:         {loop / ours:.1f}\n"
        f"values differ by {difference:.1e} (relative)"
    )
    if arguments.json:
        found = {"pairs": total, "loop_s": loop, "sample": len(pairs), "ours_s": ours}
        found |= {"ratio": loop / ours, "difference": difference}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
