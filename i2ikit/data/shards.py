"""Tars in webdataset's layout as sources: one tar, one part.

A member's key is its path up to the first dot of its base name, its field is the rest; members of
one sample lie side by side. Read with the standard library's `tarfile`, as a stream over `fsspec`:
webdataset's own reader imports torch, runs `pipe:` commands, drops members that it can't name, and
ends in silence where an archive is damaged. No member is ever decoded, unpacked to disk or followed
as a link. `webdataset.WebDataset` reads the same samples.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

from i2ikit.data.keys import PICTURE_SUFFIXES, is_hidden, key_problem
from i2ikit.data.samples import File, Part, Sample, is_seen, lost_sample, make_sample, travels_as
from i2ikit.errors import SourceError

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

#: What webdataset unpickles, by the parts of a field's name; torch's own files are pickles as well.
_PICKLES = frozenset({"pkl", "pickle", "pyd", "pth", "pt"})

_META = re.compile(r"__[^/]*__(/|$)")


#: A larger member of a tar, which may be compressed, is refused as a bomb.
MAX_MEMBER_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Tar:
    """A tar: its name in the source, and its path or URL."""

    name: str
    location: str

    @property
    def is_remote(self) -> bool:
        """Whether it is read over the network, or by anything else that fsspec knows."""
        return "://" in self.location


class TarSource:
    """The samples of tars. Local ones are indexed by their headers; remote ones are only streamed.

    A million samples stay small: kept are the keys, and for each the shared tuple of its fields.
    """

    def __init__(
        self,
        location: str,
        tars: Sequence[Tar],
        *,
        inputs: Sequence[str],
        fields: Mapping[str, str],
        columns: Mapping[str, str] | None = None,
        carried: Mapping[str, File] | None = None,
    ) -> None:
        """Index the tars.

        Args:
            location: as the user wrote it.
            tars: what there is to read.
            inputs: what the model takes.
            fields: the tar's name for an input or another field ("inst.png"), by its name here.
            columns: metadata by the first input's TAR/MEMBER, as JSON text.
            carried: files of the whole data set.

        Raises:
            SourceError: no tar, no samples, a key that is there twice, or a field in no sample.
        """
        self.location = location
        self.carried = carried or {}
        self._columns = columns or {}
        self._inputs = inputs
        self._mapped = {name: text.lstrip(".").lower() for name, text in fields.items()}
        self._tars = {tar.name: tar for tar in tars}
        self._index = {tar.name: None if tar.is_remote else index_tar(tar) for tar in tars}
        self._check_index()
        self.parts: Sequence[Part] = tuple(
            Part(name, None if index is None else tuple(index), splittable=False)
            for name, index in self._index.items()
        )

    def names(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield each key of the local tars with its sidecars' suffixes."""
        for index in self._index.values():
            for key, members in (index or {}).items():
                chosen = self._choose(members)
                others = {n: m for n, m in chosen.items() if not is_seen(n, self._inputs)}
                ends = [f".{member}" for member in members if member not in chosen.values()]
                yield key, [*ends, *(travels_as(*other) for other in others.items())]

    def read(self, part: str, keys: Sequence[str] | None) -> Iterator[Sample]:
        """Yield a tar's samples in order, their bytes read.

        Raises:
            SourceError: the tar is damaged or cut off, or has a key twice; or the storage failed.
        """
        tar, last = self._tars[part], ""
        missing = dict.fromkeys(keys or ())
        try:
            with _open(tar, "r|*") as archive:
                for key, problem, members in _groups(archive, tar.name):
                    if keys is None or key in missing:
                        missing.pop(key, None)
                        contents, excess = _contents(archive, members)
                        yield self._sample(tar, key, problem or excess, contents)
                    else:
                        deque(members, maxlen=0)  # `last` is a sample that is complete
                    last = key
        except SourceError:
            raise
        except Exception as error:  # every compression and storage backend raises its own
            raise _damaged(tar, last, error) from None
        for key in missing:
            yield lost_sample(key, tar.location)

    def _sample(
        self, tar: Tar, key: str, problem: str, contents: Sequence[tuple[str, str, bytes]]
    ) -> Sample:
        files = {name: File(f"{tar.location}/{path}", data) for name, path, data in contents}
        chosen = self._choose(list(files))
        problem = problem or self._problem(key, [name for name, _, _ in contents], chosen)
        if problem:
            return Sample(key, {}, problem=problem)
        primary = next(path for name, path, _ in contents if name == chosen[self._inputs[0]])
        return make_sample(
            key,
            {name: files[member] for name, member in chosen.items()},
            self._inputs,
            sidecars={f".{n}": file for n, file in files.items() if n not in chosen.values()},
            columns=json.loads(self._columns.get(f"{tar.name}/{primary}", "{}")),
        )

    def _problem(self, key: str, members: Sequence[str], chosen: Mapping[str, str]) -> str:
        for name in members:
            if _PICKLES & set(name.lower().split(".")):
                return f"holds a pickle field '{name}'"
            if members.count(name) > 1:
                return f"holds the field '{name}' twice"
            if reason := key_problem(f"{key}.{name}"):
                return reason
        lacking = [name for name in self._inputs if name not in chosen]
        if not lacking:
            return ""
        return f"holds no {lacking[0]}: its fields are {', '.join(members)}"

    def _choose(self, members: Sequence[str]) -> dict[str, str]:
        """Return the member that each input and named field is, where the sample has it."""
        names = dict.fromkeys((*self._inputs, *self._mapped))
        found = {
            name: next((member for member in members if self._is_field(name, member)), "")
            for name in names
        }
        return {name: member for name, member in found.items() if member}

    def _is_field(self, name: str, member: str) -> bool:
        member = member.lower()
        if name in self._mapped:
            return member == self._mapped[name]
        if name == "image" and f".{member}" in PICTURE_SUFFIXES:
            return True
        return any(member == name + suffix for suffix in PICTURE_SUFFIXES)

    def _check_index(self) -> None:
        local = [index for index in self._index.values() if index is not None]
        if len(local) == len(self._index) and not any(local):
            raise SourceError(f"no samples in {self.location}: {len(local)} tars are empty")
        self._check_keys()
        self._check_fields({members for index in local for members in index.values()})

    def _check_keys(self) -> None:
        owners: dict[str, str] = {}
        for name, index in self._index.items():
            for key in index or ():
                if key in owners:
                    raise SourceError(
                        f"{self._tars[owners[key]].location} and {self._tars[name].location} "
                        f"both hold the key '{key}'",
                        hint="translate them to different outputs",
                    )
                owners[key] = name

    def _check_fields(self, layouts: set[tuple[str, ...]]) -> None:
        found = {name for members in layouts for name in self._choose(members)}
        for name in dict.fromkeys((*self._inputs, *self._mapped)):
            if layouts and name not in found:
                raise SourceError(
                    f"no sample in {self.location} holds {self._mapped.get(name, name)}: "
                    f"fields are like {', '.join(min(layouts))}",
                    hint=f"--field {name}=FIELD",
                )


def index_tar(tar: Tar) -> dict[str, tuple[str, ...]]:
    """Return the fields of each sample that is complete, by key.

    Raises:
        SourceError: the tar can't be read up to its first sample, or has a key twice.
    """
    index: dict[str, tuple[str, ...]] = {}
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    try:
        with _open(tar, "r:*") as archive:
            for key, _, members in _groups(archive, tar.name):
                fields = tuple(name for name, _ in members)
                index[key] = shared.setdefault(fields, fields)
    except SourceError:
        raise
    except Exception as error:  # every compression raises its own
        if not index:
            raise _damaged(tar, "", error) from None
    return index


def _damaged(tar: Tar, last: str, error: Exception) -> SourceError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if last:
        return SourceError(f"{tar.location} is damaged or cut off after '{last}': {reason}")
    return SourceError(f"{tar.location} can't be read as a tar: {reason}")


class _Header(tarfile.TarInfo):
    """A member's header. Damage is an error; `tarfile` itself takes it for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # the end mark
            raise tarfile.ReadError(str(error) or "unexpected end of data") from None


@contextmanager
def _open(tar: Tar, mode: str) -> Iterator[tarfile.TarFile]:
    with ExitStack() as stack:
        if tar.is_remote:
            import fsspec

            stream = stack.enter_context(fsspec.open(tar.location, "rb"))
        else:
            stream = stack.enter_context(Path(tar.location).open("rb"))
        options: dict[str, Any] = {"mode": mode, "fileobj": stream, "tarinfo": _Header}
        yield stack.enter_context(tarfile.open(**options, encoding="utf-8"))


def _groups(
    archive: tarfile.TarFile, name: str
) -> Iterator[tuple[str, str, Iterator[tuple[str, tarfile.TarInfo]]]]:
    """Yield each sample's key, why the key is unusable (""), and its members with their fields.

    An unusable key is replaced by one that no member can have, with a dot in its base name.

    Raises:
        SourceError: a key is there twice, not side by side.
    """
    seen: set[str] = set()
    for number, (key, group) in enumerate(groupby(_members(archive), key=itemgetter(0))):
        problem = key_problem(key)
        safe = f"{name}!{number}" if problem else key
        if safe in seen:
            raise SourceError(
                f"{name} holds the key '{key}' twice, with other samples between",
                hint="members of one sample must lie side by side",
            )
        seen.add(safe)
        yield safe, problem, ((field, member) for _, field, member in group)


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, str, tarfile.TarInfo]]:
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # else it keeps every header
        split = split_member(member.name)
        if split and member.isreg() and not member.issparse():  # a sparse one can claim any size
            yield (*split, member)


def split_member(path: str) -> tuple[str, str] | None:
    """Return a member's key and field; None if it belongs to no sample.

    As for webdataset: a hidden file, one without a dot in its base name, `__meta__`. But whatever
    the rest, a path that isn't safe counts, so that it is reported.
    """
    path = path.removeprefix("./")
    folder, slash, base = path.rpartition("/")
    key, dot, name = base.partition(".")
    is_none = not dot or any(map(is_hidden, path.split("/"))) or _META.match(path)
    if is_none and not key_problem(path):
        return None
    return folder + slash + key, name


def _contents(
    archive: tarfile.TarFile, members: Iterator[tuple[str, tarfile.TarInfo]]
) -> tuple[list[tuple[str, str, bytes]], str]:
    """Return field, path and bytes of each member, and what is wrong if one is too large."""
    contents, excess = [], ""
    for name, member in members:
        if member.size > MAX_MEMBER_BYTES:
            excess = f"'{member.name}' has {member.size} bytes; at most {MAX_MEMBER_BYTES} are read"
            continue
        stream = archive.extractfile(member)
        contents.append((name, member.name, stream.read() if stream else b""))
    return contents, excess
