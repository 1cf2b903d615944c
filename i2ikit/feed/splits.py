"""Which split a source belongs to, with all that was made from it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import TypeAlias

from i2ikit.data.keys import key_problem, split_picture
from i2ikit.data.manifests import MANIFEST_SUFFIXES, read_rows
from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.feed.drawing import draw

#: From a source key to its split; a key without one is a `SampleError`.
Splits: TypeAlias = Callable[[str], str]

#: The split of a feed that has no other.
TRAIN = "train"
#: Folders of a feed that hold no split.
_RESERVED = ("annotations", "epochs")
_FORMS = "train=0.8,val=0.2, folder, or FILE.csv with columns key and split"


def open_splits(text: str | None, seed: int, problems: list[str]) -> Splits:
    """Return what tells a source's split.

    Args:
        text: "train=0.8,val=0.2": shares, by a hash of seed and key; "folder": the key's first
            folder; a table with the columns key, or file_name, and split. None: all are "train".
        seed: of the shares.
        problems: gets what is wrong with a table, a sentence each; its earlier row holds.

    Raises:
        UsageError: another text.
        SourceError: a table that can't be read.
    """
    if text is None:
        return _all_train
    if text == "folder":
        return _first_folder
    if Path(text).suffix.lower() in MANIFEST_SUFFIXES:
        return _open_table(Path(text), problems)
    shares = _parse_shares(text)
    ends = list(accumulate(shares.values()))

    def by_share(key: str) -> str:
        drawn = draw(seed, "split", key) * ends[-1]
        return next(name for name, end in zip(shares, ends, strict=True) if drawn < end)

    return by_share


def _all_train(_: str) -> str:
    return TRAIN


def _parse_shares(text: str) -> dict[str, float]:
    shares: dict[str, float] = {}
    for piece in text.split(","):
        name, _, number = piece.strip().partition("=")
        try:
            share = float(number)
        except ValueError:
            raise UsageError(f"--split {text} is not understood", hint=_FORMS) from None
        _check_name(name, f"--split {text}")
        if name in shares or not 0 < share <= 1:
            raise UsageError(f"--split {text}: '{piece}' is no share of its own", hint=_FORMS)
        shares[name] = share
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise UsageError(f"--split {text}: the shares sum to {sum(shares.values()):g}, not to 1")
    return shares


def _first_folder(key: str) -> str:
    folder, slash, _ = key.partition("/")
    if not slash:
        raise SampleError(f"'{key}' lies in no folder that names its split")
    _check_name(folder, "--split folder")
    return folder


def _open_table(path: Path, problems: list[str]) -> Splits:
    rows: dict[str, str] = {}
    for where, row in read_rows(path):
        name, split = row.get("key") or row.get("file_name"), row.get("split")
        if not name or not split:
            raise SourceError(f"{where}: no column key or file_name, no column split, or no value")
        _check_name(str(split), where)
        key = str(name)
        if rows.setdefault(key, str(split)) != split:
            problems.append(f"{where}: '{key}' is in the split '{rows[key]}' already")
    named: dict[str, set[str]] = {}  # with the picture's suffix or without
    for name, split in rows.items():
        for key in {name, split_picture(name)[0]}:
            named.setdefault(key, set()).add(split)

    def by_table(key: str) -> str:
        splits = named.get(key, set())
        if len(splits) != 1:
            where = f"in the splits {' and '.join(sorted(splits))} of" if splits else "not in"
            raise SampleError(f"'{key}' is {where} {path}")
        return next(iter(splits))

    return by_table


def _check_name(name: str, where: str) -> None:
    if key_problem(name) or "/" in name or name.startswith(".") or name in _RESERVED:
        raise UsageError(f"{where}: '{name}' can't name a split's folder")
