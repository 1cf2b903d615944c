"""Names: which files are pictures, the keys made from them, and the outputs named by keys."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from i2ikit.errors import SourceError

PICTURE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".gif",
        ".jp2",
        ".avif",
        ".tga",
    ]
)

_DRIVE = re.compile(r"[A-Za-z]:")
_TAG = re.compile(r"_s\d{2,}")


def split_picture(path: str) -> tuple[str, str]:
    """Return a picture's path without its suffix, and the suffix; (path, "") for another file."""
    stem, dot, suffix = path.rpartition(".")
    if f".{suffix.lower()}" not in PICTURE_SUFFIXES or not stem or stem.endswith("/"):
        return path, ""
    return stem, dot + suffix


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder of this name is none of the data: `.x`, `Thumbs.db`."""
    return name.startswith(".") or name in ("Thumbs.db", "__MACOSX")


def make_keys(pictures: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield a key for each (stem, suffix): the stem, and the suffix where stems are shared."""
    counts = Counter(stem for stem, _ in pictures)
    for stem, suffix in pictures:
        yield stem + suffix if counts[stem] > 1 else stem


def lexical_path(path: str, folder: str | None = None) -> str:
    """Return an absolute POSIX path to make names from; a URL's protocol and query are left out."""
    if "://" in path:
        url = urlsplit(path)
        path = f"/{url.netloc}/{url.path.lstrip('/')}"
    return posixpath.normpath(posixpath.join(folder or Path.cwd().as_posix(), path))


def names_below(paths: Sequence[str], folder: str | None = None) -> list[str]:
    """Return lexical paths relative to `folder`, or to what they share if one lies outside it."""
    if folder is None or not all(path.startswith(f"{folder.rstrip('/')}/") for path in paths):
        folder = posixpath.commonpath([posixpath.dirname(path) for path in paths])
    start = len(folder.rstrip("/")) + 1
    return [path[start:] for path in paths]


def escapes(name: str) -> bool:
    """Tell whether a relative POSIX name could lead out of the folder it is joined to."""
    return "\0" in name or any(part in ("", ".", "..") for part in name.split("/"))


def key_problem(key: str) -> str:
    """Return why a key from a tar or a manifest can't name an output; "" if it can."""
    if not key:
        return "its name is empty"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in key):
        return f"its name {key!r} holds control characters"
    if not is_utf8(key):
        return f"its name {key!r} is not UTF-8"
    if escapes(key) or "\\" in key or _DRIVE.match(key):
        return f"its name '{key}' is no plain relative path"
    if key.split("/")[0].lower() == ".i2ikit":
        return f"its name '{key}' is reserved for i2ikit's own records"
    return ""


def is_utf8(name: str) -> bool:
    """Tell whether a name can be written as UTF-8: undecodable bytes of a file name can't."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def output_stem(key: str, style_index: int, num_styles: int) -> str:
    """Return an output's name without suffix: `KEY`, or `KEY_s03` if there are several styles."""
    if num_styles == 1:
        return key
    width = max(2, len(str(num_styles - 1)))
    return f"{key}_s{style_index:0{width}d}"


def member_key(key: str) -> str:
    """Return a key as it is named in a tar, where the first dot would end it: `a.b` as `a_b`."""
    folder, slash, base = key.rpartition("/")
    return folder + slash + base.replace(".", "_")


def check_output_names(
    names: Iterable[tuple[str, Sequence[str]]],
    num_styles: int,
    suffix: str,
    taken: Iterable[str] = (),
) -> None:
    """Do nothing if all outputs get names of their own.

    One name a key and suffix is held, whatever `num_styles`: the names of two keys can only meet
    at other style indices if a key or a suffix itself reads like one (`a_s00`), so only those are
    spelled out for every style.

    Args:
        names: each key, with the suffixes of its sidecars.
        num_styles: outputs per key.
        suffix: of the output pictures (".png").
        taken: names that something else gets: files carried along, `metadata.jsonl`.

    Raises:
        SourceError: naming the two that would be written to one place.
    """
    owners: dict[str, str] = {}
    folders: dict[str, str] = {}
    for key, sidecars in names:
        for tail in (suffix, *sidecars):
            spelled = _TAG.search(key) or _TAG.search(tail)
            for index in range(num_styles if spelled else 1):
                name = output_stem(key, index, num_styles) + tail
                if name in owners:
                    raise _clash(name, owners[name], key)
                owners[name] = key
        _add_folders(folders, key)
    places = {**dict.fromkeys(taken, "a file of the whole data set"), **folders}
    for place, user in places.items():
        for name in _first_style_names(place, num_styles):
            if name in owners:
                raise _clash(place, owners[name], user)


def _add_folders(folders: dict[str, str], key: str) -> None:
    folder = key.rpartition("/")[0]
    while folder and folder not in folders:
        folders[folder] = key
        folder = folder.rpartition("/")[0]


def _first_style_names(name: str, num_styles: int) -> Iterator[str]:
    """Yield `name`, and with each tag of a style in it replaced by that of the first style."""
    yield name
    for tag in _TAG.finditer(name):
        index = int(tag.group()[2:])
        if 1 < num_styles > index and output_stem("", index, num_styles) == tag.group():
            yield name[: tag.start()] + output_stem("", 0, num_styles) + name[tag.end() :]


def _clash(name: str, first: str, second: str) -> SourceError:
    if first == second:
        return SourceError(
            f"two files that belong to '{first}' would both be written to '{name}'",
            hint="name one of them as a field (--field NAME=…), or rename it",
        )
    return SourceError(
        f"'{first}' and '{second}' would both be written to '{name}'", hint="rename one of them"
    )
