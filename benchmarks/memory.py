"""Peak resident memory of the command at 20,000 inputs against that at 1,000, with a tiny model.

python benchmarks/memory.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks._inputs import write_munit, write_pictures
from benchmarks._process import peak_megabytes
from i2ikit_munit.options import MunitOptions

TINY = MunitOptions(dim=1, n_res=1, n_downsample=1, mlp_dim=2, style_dim=2)
SIDE = 32


def translation_peak(source: Path, output: Path, checkpoint: Path) -> float:
    """Return the peak resident memory of a whole translation."""
    words = ["translate", "--model", "munit", "--checkpoint", str(checkpoint)]
    return peak_megabytes(["-m", "i2ikit", *words, str(source), str(output)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    peaks = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_munit(folder / "gen.pt", TINY)
        for count in (1_000, 20_000):
            write_pictures(folder / f"in{count}", count, SIDE, ".png")
            source, output = folder / f"in{count}", folder / f"out{count}"
            peaks[count] = translation_peak(source, output, folder / "gen.pt")
            print(f"{count} inputs: {peaks[count]:.0f} MB", flush=True)
    ratio = peaks[20_000] / peaks[1_000]
    print(f"{ratio:.3f} times the memory for 20 times the inputs")
    if arguments.json:
        arguments.json.write_text(json.dumps({"megabytes": peaks, "ratio": ratio}, indent=2))


if __name__ == "__main__":
    main()
