"""The labels of a feed's sources, read again where they are still to be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from i2ikit.data.samples import File
from i2ikit.errors import I2IError
from i2ikit.feed.candidates import Candidate
from i2ikit.feed.gathering import gather_target, gather_translated, open_source_labels
from i2ikit.feed.loading import find_translated
from i2ikit.feed.manifest import Row
from i2ikit.feed.masks import make_mask, read_ids
from i2ikit.feed.objects import move_objects
from i2ikit.feed.store import Store
from i2ikit.feed.translated import Translation, open_translation
from i2ikit.labels.id_maps import IdMap, open_id_map
from i2ikit.labels.labelled import open_labelled_source


@dataclass
class SourceTruth:
    """What the labels of a feed should be.

    Attributes:
        translation: the run that was fed; None where it is gone.
        id_map: from the ids of masks to classes.
        translated: outputs with their labels, by source key and style index.
        target: target pictures with their labels, by key.
        notes: what can't be read any more.
    """

    translation: Translation | None = None
    id_map: IdMap | None = None
    translated: Mapping[tuple[str, int | None], Candidate] = field(default_factory=dict)
    target: Mapping[str, Candidate] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def differs(self, store: Store, row: Row) -> str:
        """Return how a row's label differs from its source's; "" if it doesn't, or can't be told.

        Raises:
            SampleError: a label of the feed can't be read.
        """
        one = self._find(row)
        if one is None:
            return ""
        if row.class_name is not None:
            return "" if one.label == row.class_name else f"its source is of class '{one.label}'"
        file = self._label_file(one)
        if file is None:
            return ""
        geometry = one.geometry if isinstance(one.label, File) else None
        frame = self.translation.plan.settings.label_frame if self.translation else None
        if row.objects is not None:
            is_same = move_objects(file, geometry, frame) == store.read(row.objects)
            return "" if is_same else f"its objects are not those of {file.name}"
        made = make_mask(file, geometry, self.id_map, frame)
        ids = read_ids(store.read(str(row.mask)), str(row.mask))
        is_same = np.array_equal(read_ids(made.classes or made.ids, file.name), ids)
        return "" if is_same else f"its mask is not that of {file.name}"

    def _find(self, row: Row) -> Candidate | None:
        if row.origin == "target":
            return self.target.get(row.source_key)
        if row.origin == "translated":
            return self.translated.get((row.source_key, row.style_index))
        return self.translated.get((row.source_key, None))

    def _label_file(self, one: Candidate) -> File | None:
        if isinstance(one.label, File):
            return one.label
        if one.origin == "original" or self.translation is None:
            return None  # lies beside the original: the recorded digest holds
        return find_translated(one, self.translation).label


def open_truth(head: Mapping[str, Any]) -> SourceTruth:
    """Return what the labels of a feed should be, as far as its sources can be read."""
    truth = SourceTruth()
    alone = "labels are compared with the records of the feed alone"
    for what, read in (("the translation", _read_translation), ("the target", _read_target)):
        try:
            read(truth, head)
        except (I2IError, OSError) as error:
            reason = error.message if isinstance(error, I2IError) else str(error)
            truth.notes.append(f"{what} can't be read any more, {alone}: {reason}")
    return truth


def _read_translation(truth: SourceTruth, head: Mapping[str, Any]) -> None:
    id_map = open_id_map(head["map"]) if head["map"] else None
    translation = open_translation(Path(head["translated"]))
    labels = open_source_labels(head["labels"], translation)
    outputs: dict[tuple[str, int | None], Candidate] = {}
    for one in gather_translated(translation, labels, []):
        outputs[one.source_key, one.style_index] = one
        key = one.source_key
        outputs.setdefault((key, None), Candidate("original", key, key, None, one.label))
    truth.id_map, truth.translation, truth.translated = id_map, translation, outputs


def _read_target(truth: SourceTruth, head: Mapping[str, Any]) -> None:
    if head["target"] is not None:
        source = open_labelled_source(head["target"])
        truth.target = {one.source_key: one for one in gather_target(source, [])}
