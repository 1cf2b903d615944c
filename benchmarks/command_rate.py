"""The whole command's rate against that of its network alone, in one run.

MUNIT at its published size, 256×256, eight drawn styles, from JPEG to PNG. Blocks of both take
turns, so that noise meets both alike. Both rates are of the steady state: from the third finished
input to the last. The network alone runs as the command runs it, pictures side by side with a
thread each, on a tensor of the same pictures that is there.

On a GPU the network alone takes batches of the command's size and leaves its outputs there.

    python benchmarks/command_rate.py [--json FILE] [--rounds N] [--inputs N] [--device NAME]
                                      [--precision NAME]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

import i2ikit
from benchmarks._inputs import write_munit, write_pictures
from i2ikit import RGB
from i2ikit.data.images import decode_image, to_tensor
from i2ikit.devices import PRECISIONS, Precision, arithmetic, autocast
from i2ikit.progress import Progress

NUM_STYLES, SIDE, WARM = 8, 256, 3
#: Pictures of 256×256 that the command gives to a GPU at once.
GPU_BATCH = 16


def steady_rate(times: list[float]) -> float:
    """Return inputs a second, from the moments at which they were finished."""
    return (len(times) - WARM) / (times[-1] - times[WARM - 1])


def network_rate(
    model: i2ikit.Model, source: Path, count: int, device: torch.device, precision: Precision
) -> float:
    """Return pictures a second through the network alone."""
    picture = next(source.iterdir()).read_bytes()
    image = to_tensor(decode_image(picture, RGB(), "a picture").array, RGB()).to(device)
    noise = torch.randn(NUM_STYLES, *model.noise_shape, device=device)

    @torch.inference_mode()
    def translate(image: Tensor) -> None:
        with autocast(device, precision):
            content = model.encode(image=image)
            for row in torch.split(noise, 1):
                rows = row.expand(len(image), *row.shape[1:])
                model.decode(content, model.style_from_noise(rows, content))

    if device.type == "cpu":
        return side_by_side(lambda: translate(image), count)
    batch = image.expand(GPU_BATCH, -1, -1, -1).contiguous()
    times = []
    with arithmetic(torch.get_num_threads()):
        for _ in range(WARM + count // GPU_BATCH):
            translate(batch)
            torch.cuda.synchronize()
            times.append(time.perf_counter())
    return GPU_BATCH * steady_rate(times)


def side_by_side(translate: Callable[[], None], count: int) -> float:
    """Return pictures a second of a CPU that takes one on each core."""
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    with ThreadPoolExecutor(cores) as pool:
        times = [time.perf_counter() for _ in pool.map(lambda _: translate(), range(count))]
    torch.set_num_threads(cores)
    return steady_rate(times)


def command_rate(
    source: Path, output: Path, checkpoint: Path, device: str, precision: Precision
) -> float:
    """Return inputs a second of a whole run in its steady state."""
    times: list[float] = []

    def note(progress: Progress) -> None:
        del progress
        times.append(time.perf_counter())

    shutil.rmtree(output, ignore_errors=True)
    i2ikit.translate(
        source,
        output,
        model="munit",
        checkpoint=checkpoint,
        style_sample=NUM_STYLES,
        device=device,
        precision=precision,
        on_progress=note,
    )
    return steady_rate(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--inputs", type=int, default=25, help="of a round")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    arguments = parser.parse_args()
    device, precision = torch.device(arguments.device), arguments.precision
    alone, whole = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "in", arguments.inputs, SIDE, ".jpg")
        write_munit(folder / "gen.pt")
        model = i2ikit.load_model("munit", folder / "gen.pt", device=device)
        for _ in range(arguments.rounds):
            count = arguments.inputs
            alone.append(network_rate(model, folder / "in", count, device, precision))
            paths = (folder / "in", folder / "out", folder / "gen.pt")
            whole.append(command_rate(*paths, arguments.device, precision))
            print(f"network {alone[-1]:.3f}/s, command {whole[-1]:.3f}/s", flush=True)
    ratio = statistics.median(whole) / statistics.median(alone)
    print(f"the whole command runs at {ratio:.3f} of the rate of its network alone")
    if arguments.json:
        found = {"network_per_s": alone, "command_per_s": whole, "ratio": ratio}
        arguments.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
