"""A program with commands like those of i2ikit, that start at once; told by its last words.

copy [--times N] IN OUT     a file or folder into the folder OUT; refuses an OUT of another N
add TO                      a file to a folder
    count IN                    prints how many files there are
end STATUS                  exits so
wait OUT                    writes OUT, and waits for Ctrl-C
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path


def copy(source: Path, output: Path, times: int) -> None:
    mark = output / "times"
    if mark.exists() and mark.read_text() != str(times):
        sys.exit(f"{output} holds {mark.read_text()}")
    output.mkdir(parents=True, exist_ok=True)
    for index in range(times):
        for path in source.iterdir() if source.is_dir() else [source]:
            shutil.copy(path, output / f"{index}-{path.name}")
    mark.write_text(str(times))


def main(command: str, *words: str) -> None:
    if command == "copy":
        times = int(words[1]) if words[0] == "--times" else 1
        copy(Path(words[-2]), Path(words[-1]), times)
        sys.stdout.write(f"copied {times} times\n")
    elif command == "count":
        source = Path(words[0])
        found = [path for path in [source, *source.rglob("*")] if path.is_file()]
        sys.stdout.write(f"{len(found)}\n")
    elif command == "add":
        Path(words[0], "added").write_text("")
    elif command == "end":
        sys.exit(int(words[0]))
    else:
        Path(words[0]).write_text("")
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])
