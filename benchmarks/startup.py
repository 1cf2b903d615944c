"""How long the program takes to say something, as a ratio to a bare Typer program in the same run.

python benchmarks/startup.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = """
import typer

app = typer.Typer()


@app.command()
def one(name: str) -> None:
    '''Say hello.'''


@app.command()
def two(name: str, count: int = 1) -> None:
    '''Say goodbye.'''


app()
"""


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        program = [sys.executable, "-m", "i2ikit"]
        commands = {
            "bare typer --help": [sys.executable, str(bare), "--help"],
            "i2ikit --help": [*program, "--help"],
            "i2ikit translate --help": [*program, "translate", "--help"],
            "i2ikit models": [*program, "models"],
            "i2ikit plugins": [*program, "plugins"],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.rounds):  # in turn, so that noise meets all alike
            for name, command in commands.items():
                taken[name].append(seconds(command))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    ratios = {name: median / medians["bare typer --help"] for name, median in medians.items()}
    for name, ratio in ratios.items():
        print(f"{name:24} {medians[name]:.3f} s  {ratio:.2f} times the bare program")
    if arguments.json:
        arguments.json.write_text(json.dumps({"seconds": medians, "ratios": ratios}, indent=2))


if __name__ == "__main__":
    main()
