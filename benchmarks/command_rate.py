"""The whole command's rate against that of its network alone, in one run.

MUNIT at its published size, 256×256, eight drawn styles, from JPEG to PNG. Blocks of both take
turns, so that noise meets both alike. Both rates are of the steady state: from the third finished
input to the last. The network alone runs as the command runs it, pictures side by side with a
thread each, on a tensor of the same pictures that is there.

    python benchmarks/command_rate.py [--json FILE] [--rounds N] [--inputs N]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

import i2ikit
from benchmarks._inputs import write_munit, write_pictures
from i2ikit import RGB
from i2ikit.data.images import decode_image, to_tensor
from i2ikit.progress import Progress

NUM_STYLES, SIDE, WARM = 8, 256, 3


def steady_rate(times: list[float]) -> float:
    """Return inputs a second, from the moments at which they were finished."""
    return (len(times) - WARM) / (times[-1] - times[WARM - 1])


def network_rate(model: i2ikit.Model, source: Path, count: int) -> float:
    """Return pictures a second through the network alone."""
    cores = torch.get_num_threads()
    picture = next(source.iterdir()).read_bytes()
    image = to_tensor(decode_image(picture, RGB(), "a picture").array, RGB())
    noise = torch.randn(NUM_STYLES, *model.noise_shape)

    @torch.inference_mode()
    def translate(_: int) -> None:
        content = model.encode(image=image)
        for row in torch.split(noise, 1):
            model.decode(content, model.style_from_noise(row, content))

    torch.set_num_threads(1)
    with ThreadPoolExecutor(cores) as pool:
        times = [time.perf_counter() for _ in pool.map(translate, range(count))]
    torch.set_num_threads(cores)
    return steady_rate(times)


def command_rate(source: Path, output: Path, checkpoint: Path) -> float:
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
        on_progress=note,
    )
    return steady_rate(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--inputs", type=int, default=25, help="of a round")
    arguments = parser.parse_args()
    alone, whole = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "in", arguments.inputs, SIDE, ".jpg")
        write_munit(folder / "gen.pt")
        model = i2ikit.load_model("munit", folder / "gen.pt")
        for _ in range(arguments.rounds):
            alone.append(network_rate(model, folder / "in", arguments.inputs))
            whole.append(command_rate(folder / "in", folder / "out", folder / "gen.pt"))
            print(f"network {alone[-1]:.3f}/s, command {whole[-1]:.3f}/s", flush=True)
    ratio = statistics.median(whole) / statistics.median(alone)
    print(f"the whole command runs at {ratio:.3f} of the rate of its network alone")
    if arguments.json:
        found = {"network_per_s": alone, "command_per_s": whole, "ratio": ratio}
        arguments.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
