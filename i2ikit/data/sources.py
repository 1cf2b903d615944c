"""Opening whatever the user names as input."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from i2ikit.data.folders import (
    FieldFolder,
    FolderSource,
    list_files,
    open_folder,
    open_picture,
    parse_field,
    read_columns,
)
from i2ikit.data.keys import key_problem, lexical_path, names_below, split_picture
from i2ikit.data.manifests import MANIFEST_SUFFIXES, ManifestSource
from i2ikit.data.pictures import scan, walk
from i2ikit.data.samples import Source, check_url
from i2ikit.data.shards import TAR_SUFFIXES, Tar, TarSource
from i2ikit.errors import SourceError

#: pix2pixHD's folders, and the fields they hold.
_PHASE = re.compile(r"(.+)_(label|inst|img)")
_PHASE_FIELDS = {"label": "label", "inst": "instance", "img": "image"}

#: What ends the stems of Cityscapes pictures, after the key that its folders share.
_CITYSCAPES = (
    "_gtFine_labelIds",
    "_gtFine_instanceIds",
    "_gtCoarse_labelIds",
    "_gtCoarse_instanceIds",
    "_leftImg8bit",
)


def open_source(location: str, *, inputs: Sequence[str], fields: Mapping[str, str]) -> Source:
    """Return the source that `location` names.

    Args:
        location: a folder of pictures or of tars, a picture, a manifest (.csv, .jsonl, .parquet),
            or tars, as a path or URL that may hold brace lists (`a-{000..099}.tar`).
        inputs: what the model takes, by field name; outputs are named by the first.
        fields: what the user said of fields, by name: `DIR[:SUFFIX]`, a tar's field, or a column.

    Raises:
        SourceError: nothing there, nothing to translate, names that clash, or a field amiss.
    """
    if location.startswith("pipe:"):
        raise SourceError(
            f"'{location}' was refused: no commands are run", hint="give a path or URL"
        )
    if "://" not in location and Path(location).is_dir():
        return _open_folder(location, inputs, fields)
    if "://" not in location and Path(location).exists():
        return _open_file(location, inputs, fields)
    return TarSource(location, _expand(location), inputs=inputs, fields=fields)


def _open_folder(location: str, inputs: Sequence[str], fields: Mapping[str, str]) -> Source:
    root = Path(location)
    phases = {} if inputs[0] in fields else _find_phases(root, inputs[0])
    if phases:
        return _open_phase(location, phases, inputs, fields)
    files = walk(root)
    tars = [path for path in files if _is_tar(path)]
    if not tars:
        folders = {name: parse_field(name, text) for name, text in fields.items()}
        return open_folder(location, root, files, inputs=inputs, fields=folders)
    if pictures := [path for path in files if split_picture(path)[1]]:
        raise SourceError(
            f"{location} holds both tars and pictures, like {tars[0]} and {pictures[0]}",
            hint="translate them one after the other",
        )
    columns, table = read_columns(root, files)
    return TarSource(
        location,
        [Tar(path, str(root / path)) for path in tars],
        inputs=inputs,
        fields=fields,
        columns=columns,
        carried=list_files(root, [path for path in files if not _is_tar(path) and path != table]),
    )


def _open_file(location: str, inputs: Sequence[str], fields: Mapping[str, str]) -> Source:
    path = Path(location)
    if _is_tar(location):
        return TarSource(location, [Tar(path.name, location)], inputs=inputs, fields=fields)
    if path.suffix.lower() in MANIFEST_SUFFIXES:
        return ManifestSource(location, inputs=inputs, fields=fields)
    if split_picture(path.name)[1]:
        folders = {name: parse_field(name, text) for name, text in fields.items()}
        return open_picture(location, path, inputs=inputs, fields=folders)
    raise SourceError(
        f"{location} is no picture, tar or manifest by its name",
        hint="known are .jpg .png .webp .tif and the like, .tar, .csv, .jsonl and .parquet",
    )


def _is_tar(path: str) -> bool:
    return path.lower().endswith(TAR_SUFFIXES)


def _find_phases(root: Path, primary: str) -> dict[str, dict[str, Path]]:
    """Return pix2pixHD's folders by phase and field; nothing for another layout or model."""
    if primary != "label":
        return {}
    phases: dict[str, dict[str, Path]] = {}
    for entry in scan(root):
        match, path = _PHASE.fullmatch(entry.name), Path(entry)
        if match and path.is_dir():
            phases.setdefault(match[1], {})[_PHASE_FIELDS[match[2]]] = path
        elif path.is_dir() or split_picture(entry.name)[1]:
            return {}
    return {phase: folders for phase, folders in phases.items() if primary in folders}


def _open_phase(
    location: str,
    phases: Mapping[str, Mapping[str, Path]],
    inputs: Sequence[str],
    fields: Mapping[str, str],
) -> FolderSource:
    phase = "test" if "test" in phases else next(iter(phases))
    if phase != "test" and len(phases) > 1:
        raise SourceError(
            f"{location} holds the phases {', '.join(phases)}, and none is 'test'",
            hint=f"give the folder itself, like {phases[phase][inputs[0]]}",
        )
    folders = _cut_suffixes({n: path for n, path in phases[phase].items() if n in inputs})
    given = {name: parse_field(name, text) for name, text in fields.items()}
    root = folders[inputs[0]].path
    source = open_folder(location, root, walk(root), inputs=inputs, fields={**folders, **given})
    loose = [entry.name for entry in scan(Path(location)) if Path(entry).is_file()]
    source.carried = {**list_files(Path(location), loose), **source.carried}
    return source


def _cut_suffixes(folders: Mapping[str, Path]) -> dict[str, FieldFolder]:
    """Return the folders, with the suffixes of Cityscapes if their pictures share no stem."""
    stems = {
        name: {split_picture(path)[0] for path in walk(folder) if split_picture(path)[1]}
        for name, folder in folders.items()
    }
    if set.intersection(*stems.values()):
        return {name: FieldFolder(folder) for name, folder in folders.items()}
    cut = {}
    for name, folder in folders.items():
        ends = [end for end in _CITYSCAPES if all(stem.endswith(end) for stem in stems[name])]
        cut[name] = FieldFolder(folder, ends[0] if ends and stems[name] else "")
    return cut


def _expand(location: str) -> list[Tar]:
    """Return the tars of a brace list or URL, named relative to the folder they share."""
    from braceexpand import braceexpand

    try:
        places = list(braceexpand(location, escape=False))
    except ValueError:  # unbalanced braces are part of the name
        places = [location]
    if "://" not in location and places == [location]:
        raise _missing(Path(location))
    places = [_check_place(place) for place in places]
    tars: dict[str, Tar] = {}
    names = names_below([lexical_path(place) for place in places])
    for name, place in zip(names, places, strict=True):
        if problem := key_problem(name):
            raise SourceError(f"{place} can't name an output: {problem}")
        if name in tars:
            raise SourceError(f"{location} names {place} twice")
        tars[name] = Tar(name, place)
    return list(tars.values())


def _check_place(place: str) -> str:
    """Return a tar's path or URL."""
    url = urlsplit(place) if "://" in place else None
    path = url.path if url else place
    if not _is_tar(path):
        raise SourceError(f"{place} is no tar", hint="brace lists and URLs must name .tar files")
    if url and url.scheme == "file":
        place, url = unquote(path), None
    if url:
        check_url(place)
    elif not Path(place).is_file():
        raise _missing(Path(place))
    return place


def _missing(path: Path) -> SourceError:
    above = next((folder for folder in path.parents if folder.is_dir()), Path())
    wanted = path.relative_to(above).parts[0]
    names = [entry.name for entry in scan(above)[:10_000]]
    close = difflib.get_close_matches(wanted, names, n=1)
    hint = (
        f"did you mean '{above / close[0]}'?"
        if close
        else f"'{above}' exists, but has no '{wanted}'"
    )
    return SourceError(f"{path} does not exist", hint=hint)
