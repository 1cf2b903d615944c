"""From a translation and a target set to candidates with labels; what has none is said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from i2ikit.data.samples import File, Sample
from i2ikit.errors import SampleError, SourceError
from i2ikit.feed.candidates import Beside, Candidate
from i2ikit.feed.masks import read_geometry
from i2ikit.feed.translated import Translation
from i2ikit.labels.finding import Kind, Labels, open_labels
from i2ikit.labels.labelled import LabelledSource

_SIDECAR = "sidecar:"


@dataclass(frozen=True)
class SourceLabels:
    """Labels by source key.

    Attributes:
        labels: finds them; or says that masks lie beside the pictures.
        takes_text: whether they are read from files that travelled along (`cls`).
    """

    labels: Labels | Beside
    takes_text: bool

    @property
    def kind(self) -> Kind:
        """Whether they are classes or masks."""
        return "mask" if isinstance(self.labels, Beside) else self.labels.kind

    def find(self, translation: Translation, row: Mapping[str, object]) -> str | File | Beside:
        """Return the label of an output's source.

        Raises:
            SampleError: there is none.
        """
        if isinstance(self.labels, Beside):
            return self.labels
        name, key = str(row["file_name"]), str(row["key"])
        text_name = f"{name.rpartition('.')[0]}.cls"
        there = self.takes_text and text_name in translation.store
        sidecars = {".cls": translation.store.file(text_name)} if there else {}
        return self.labels.find(Sample(key, {"image": File(name, b"")}, sidecars, columns=row))


def open_source_labels(how: str) -> SourceLabels:
    """Return what finds the labels of sources: as `open_labels` says, or `sidecar:FIELD`.

    Raises:
        SourceError: a table or folder that can't be read.
        UsageError: `how` is none of these.
    """
    if how.startswith(_SIDECAR):
        field = how.removeprefix(_SIDECAR).strip(".")
        return SourceLabels(Beside(field), takes_text=False)
    return SourceLabels(open_labels(how), takes_text=how == "cls")


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
    if isinstance(labels.labels, Labels):
        problems += labels.labels.strays(names, str(translation.root))


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
