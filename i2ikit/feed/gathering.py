"""From a translation and a target set to candidates with labels; what has none is said."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from i2ikit.data.samples import File
from i2ikit.errors import SampleError, SourceError
from i2ikit.feed.candidates import Beside, Candidate
from i2ikit.feed.masks import read_geometry
from i2ikit.feed.translated import Translation
from i2ikit.labels.finding import Kind, Labels, open_labels
from i2ikit.labels.labelled import LabelledSource
from i2ikit.labels.set_objects import ENDS, OBJECTS, are_objects, open_objects

_SIDECAR = "sidecar:"


@dataclass(frozen=True)
class SourceLabels:
    """Labels by source key.

    Attributes:
        labels: finds them; or says that they lie with the pictures.
        ends: of the files beside an output that it is found in.
    """

    labels: Labels | Beside
    ends: Sequence[str] = ()

    @property
    def kind(self) -> Kind:
        """What they are."""
        return self.labels.kind

    def find(self, translation: Translation, row: Mapping[str, object]) -> str | File | Beside:
        """Return the label of an output's source.

        Raises:
            SampleError: there is none.
        """
        sample = translation.sample(str(row["file_name"]), str(row["key"]), self.ends)
        if isinstance(self.labels, Labels):
            return self.labels.find(replace(sample, columns=row))
        if self.kind == OBJECTS:
            translation.objects.find(sample)  # one that isn't there is said at once
        return self.labels

    def strays(self, translation: Translation, names: Collection[str]) -> list[str]:
        """Return what is wrong with labels that no source takes, a sentence each."""
        place = str(translation.root)
        if isinstance(self.labels, Labels):
            return self.labels.strays(names, place)
        return translation.objects.strays(names, place) if self.kind == OBJECTS else []


def open_source_labels(how: str, translation: Translation) -> SourceLabels:
    """Return what finds the labels of sources.

    That is as `open_labels` says, or `sidecar:FIELD`, or as `open_objects` says.

    Raises:
        SampleError: a file of objects can't be read.
        SourceError: a table or folder that can't be read.
        UsageError: `how` is none of these.
    """
    if how.startswith(_SIDECAR):
        field = how.removeprefix(_SIDECAR).strip(".")
        return SourceLabels(Beside("mask", field))
    if how == OBJECTS:
        return SourceLabels(Beside(OBJECTS), ENDS)
    if are_objects(how):
        return SourceLabels(open_objects(how, {}, translation.keys))
    return SourceLabels(open_labels(how), (".cls",) if how == "cls" else ())


def gather_translated(
    translation: Translation, labels: SourceLabels, problems: list[str]
) -> Iterator[Candidate]:
    """Yield the outputs whose source has a label; the others join the problems.

    A label of no source is a problem, too.
    """
    found: str | File | Beside = ""
    key, is_labelled = "", False
    names = set(translation.failed)
    for row in translation.rows():
        if row["key"] != key:  # the outputs of a source follow one another
            key, is_labelled = row["key"], True
            names.add(key)
            try:
                found = labels.find(translation, row)
            except SampleError as error:
                problems.append(str(error))
                is_labelled = False
        if is_labelled:
            yield Candidate(
                "translated",
                key,
                row["file_name"],
                row["style_index"],
                found,
                read_geometry(row),
            )
    problems += labels.strays(translation, names)


def gather_target(source: LabelledSource, problems: list[str]) -> Iterator[Candidate]:
    """Yield the pictures of a target set that have a label; the others join the problems."""
    for one in source.read(problems):
        digest = hashlib.sha256(one.picture.read()).hexdigest()
        yield Candidate("target", one.key, one.key, None, one.label, source_sha256=digest)


def hash_sources(translation: Translation) -> dict[str, str]:
    """Return the SHA-256 of each source picture that can be read, by key; {} if none can."""
    digests: dict[str, str] = {}
    try:
        source = translation.open_sources()
        for part in source.parts:
            for sample in source.read(part.name, part.keys):
                if not sample.problem:
                    data = sample.fields["image"].read()
                    digests[sample.key] = hashlib.sha256(data).hexdigest()
    except (SourceError, SampleError, OSError):
        return {}
    return digests
