"""How much faster MUNIT's network runs here than in its straightforward form.

One 256×256 picture, eight drawn styles, the published size with random weights. Straightforward:
the content encoder and the style encoder once, then one whole decoding a style with each upsampling
followed by its 5×5 convolution. Ours: no style encoder where styles are drawn, the decoder's first
convolution shared by the styles, upsampling folded into its convolution; then the same in bfloat16,
and with the eight styles as one batch. Forms take turns, so that a busy machine slows all alike;
figures are medians.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from i2ikit import nn
from i2ikit_munit.model import Munit

NUM_STYLES = 8


def make_model() -> Munit:
    torch.manual_seed(0)
    model = Munit()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)
    return model.eval()


def straightforward(model: Munit, image: Tensor, codes: Tensor) -> Tensor:
    content = model.enc_content(image)
    model.enc_style(image)
    return torch.cat([model.dec(content, model.mlp(code)) for code in torch.split(codes, 1)])


def ours(model: Munit, image: Tensor, codes: Tensor, batch: int = 1) -> Tensor:
    content = tuple(t.expand(batch, -1, -1, -1) for t in model.encode(image=image))
    styles = [model.style_from_noise(code, content) for code in torch.split(codes, batch)]
    return torch.cat([model.decode(content, style) for style in styles])


def in_bfloat16(form: Callable[[], Tensor]) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return form().float()


def pixels(output: Tensor) -> Tensor:
    return ((output + 1) * 127.5 + 0.5).clamp(0, 255).floor()


def measure(forms: dict[str, Callable[[], Tensor]], repeats: int) -> dict[str, dict[str, float]]:
    outputs = {name: form() for name, form in forms.items()}  # also warms up
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(repeats):
        for name, form in forms.items():
            start = time.perf_counter()
            form()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    plain = outputs["straightforward"]
    return {
        name: {
            "seconds": medians[name],
            "ratio": medians["straightforward"] / medians[name],
            "largest_difference": (output - plain).abs().max().item(),
            "mean_levels": (pixels(output) - pixels(plain)).abs().mean().item(),
        }
        for name, output in outputs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="side of the picture")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    plain = make_model()
    folded = copy.deepcopy(plain)
    nn.fold(folded)
    image = torch.rand(1, 3, args.size, args.size) * 2 - 1
    codes = torch.randn(NUM_STYLES, plain.options.style_dim)
    forms: dict[str, Callable[[], Tensor]] = {
        "straightforward": lambda: straightforward(plain, image, codes),
        "ours": lambda: ours(folded, image, codes),
        "ours, bf16": lambda: in_bfloat16(lambda: ours(folded, image, codes)),
        "ours, styles as one batch": lambda: ours(folded, image, codes, NUM_STYLES),
    }
    with torch.inference_mode():
        figures = measure(forms, args.repeats)
    for name, row in figures.items():
        print(
            f"{name:26} {row['ratio']:5.2f} times   {row['seconds']:6.2f} s   largest difference "
            f"{row['largest_difference']:.1e}   mean {row['mean_levels']:.4f} levels"
        )
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
