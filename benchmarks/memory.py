"""Peak resident memory of the command at 20,000 inputs against that at 1,000, with a tiny model.

python benchmarks/memory.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks._inputs import write_munit, write_pictures
from i2ikit_munit.options import MunitOptions

TINY = MunitOptions(dim=1, n_res=1, n_downsample=1, mlp_dim=2, style_dim=2)
SIDE = 32


def peak_megabytes(source: Path, output: Path, checkpoint: Path) -> float:
    """Return the peak resident memory of a whole translation in a process of its own."""
    words = ["translate", "--model", "munit", "--checkpoint", str(checkpoint)]
    command = [sys.executable, "-m", "i2ikit", *words, str(source), str(output)]
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{command} failed with status {status}")
    return usage.ru_maxrss / 1000


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
            peaks[count] = peak_megabytes(source, output, folder / "gen.pt")
            print(f"{count} inputs: {peaks[count]:.0f} MB", flush=True)
    ratio = peaks[20_000] / peaks[1_000]
    print(f"{ratio:.3f} times the memory for 20 times the inputs")
    if arguments.json:
        arguments.json.write_text(json.dumps({"megabytes": peaks, "ratio": ratio}, indent=2))


if __name__ == "__main__":
    main()
