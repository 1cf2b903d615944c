"""`feed build`: from a translation and its labels to a training set on disk."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from i2ikit.errors import SampleError, UsageError, counted
from i2ikit.feed.candidates import ORIGINS, Mix, Styles
from i2ikit.feed.choosing import Gathered, choose, gather
from i2ikit.feed.layouts import LayoutName, choose_layout
from i2ikit.feed.loading import Reading, find_files
from i2ikit.feed.manifest import Row
from i2ikit.feed.objects import ObjectReader
from i2ikit.feed.packing import pack_shards
from i2ikit.feed.recording import describe, write_records
from i2ikit.feed.store import Store
from i2ikit.feed.summary import FeedSummary, OnError, Settings
from i2ikit.feed.translated import open_translation
from i2ikit.feed.writing import Writing, load_all
from i2ikit.labels.finding import PLURALS, Kind
from i2ikit.labels.id_maps import IdMap, open_id_map
from i2ikit.labels.labelled import open_labelled_source
from i2ikit.progress import Progress
from i2ikit.scratch import new_folder

_NAMED = 5


def build(
    translated: str | Path,
    output: str | Path,
    *,
    labels: str = "folder",
    map: str | None = None,
    mix: Mix | None = None,
    target: str | None = None,
    styles: Styles = "all",
    split: str | None = None,
    layout: LayoutName | None = None,
    gate: str | Path | None = None,
    seed: int = 0,
    on_error: OnError = "stop",
    on_progress: Callable[[Progress], None] | None = None,
) -> FeedSummary:
    """Build a training set of translated pictures with the labels of their sources.

    Pictures are copied byte for byte; the feed needs neither the translation nor its source.

    Args:
        translated: OUT of a complete translation.
        output: a new folder.
        labels: where the labels of the sources are: "folder", "cls", "column:NAME", a table, a
            folder of masks, see `open_labels`; "sidecar:FIELD", masks that the translation
            carried along; "objects", the files of boxes and outlines that it carried along or
            moved; or a file of COCO's of the sources.
        map: from the ids of masks to classes: "cityscapes19", or a CSV.
        mix: ratios of the numbers of pictures by origin: {"translated": 2, "original": 1,
            "target": 1}; no picture is there twice. None: all translations, nothing else.
        target: "PICTURES[=LABELS]", labelled pictures of the target domain.
        styles: "all"; a number, so many drawn for each source; "epoch": each epoch shows one of
            each source, in an order drawn for it.
        split: None: all is "train"; "train=0.8,val=0.2"; "folder"; a table of keys and splits.
        layout: how files are named; None: "imagefolder" for classes, "cityscapes" for masks,
            "coco" for objects.
        gate: report whose rejected translations are left out: a file, or the folder of `gate`.
        seed: of all that is drawn, each draw by the picture's key.
        on_error: "stop" at what is wrong with labels or pictures, or "skip" it.
        on_progress: told of each picture.

    Raises:
        RunError: no complete translation, or `output` is there already.
        SampleError: a label, a picture or a split is amiss, and `on_error` is "stop".
        SourceError: a table, the source or the target can't be read.
        UsageError: an argument that makes no sense.
    """
    settings = Settings(
        labels=labels,
        map=map,
        mix=mix or {"translated": 1},
        target=target,
        styles=styles,
        split=split,
        layout=layout,
        gate=None if gate is None else str(gate),
        seed=seed,
    )
    _check(settings)
    return _build(Path(translated), Path(output), settings, on_error, on_progress)


def _check(settings: Settings) -> None:
    """Refuse what makes no sense, before anything is read."""
    styles, mix = settings.styles, settings.mix
    if isinstance(styles, int) and styles < 1:
        raise UsageError(f"--styles {styles} leaves no translations")
    if not isinstance(styles, int) and styles not in ("all", "epoch"):
        raise UsageError(f"--styles {styles} is not understood", hint="all, epoch, or a number")
    for origin, ratio in mix.items():
        if origin not in ORIGINS:
            raise UsageError(f"--mix {origin} is no origin", hint=f"those are {', '.join(ORIGINS)}")
        if not (ratio > 0 and math.isfinite(ratio)):
            raise UsageError(f"--mix {origin}={ratio:g}: a ratio is above 0")
    if ("target" in mix) != (settings.target is not None):
        raise UsageError("--target and --mix target=N go together", hint="give both, or neither")


def _build(
    translated: Path,
    output: Path,
    settings: Settings,
    on_error: OnError,
    on_progress: Callable[[Progress], None] | None,
) -> FeedSummary:
    if output.absolute().is_relative_to(translated.absolute()):
        raise UsageError(
            f"FEED {output} lies in TRANSLATED {translated}", hint="name another folder"
        )
    translation = open_translation(translated)
    target = open_labelled_source(settings.target) if settings.target else None
    problems: list[str] = []
    gathered = gather(translation, target, settings, problems)
    if problems and (on_error == "stop" or not gathered.candidates):
        raise _amiss(problems, translated)
    layout = choose_layout(settings.layout, gathered.kind)
    id_map = _open_map(settings.map, gathered.kind)
    choice = choose(gathered, translation, settings)
    with new_folder(output) as folder:
        found = find_files(choice.candidates, translation, target)
        writing = Writing(folder, layout, translation, on_error, problems)
        frame = translation.plan.settings.label_frame
        loaded = load_all(found, Reading(gathered.kind, id_map, frame, gathered.numbers))
        rows = writing.write(loaded, len(choice.candidates), on_progress)
        if not rows:
            raise _amiss(problems, translated)
        if writing.num_blank == len(rows):
            raise UsageError(f"--map {settings.map} leaves no pixel of any mask that counts")
        head = describe(translation, settings, layout, gathered, rows, id_map)
        objects = ObjectReader(Store(folder), gathered.numbers, head["classes"])
        if layout == "shards":
            rows = pack_shards(folder, rows, settings.seed, objects)
        write_records(folder, rows, head, choice, problems, objects)
    return FeedSummary(
        output,
        layout,
        len(rows),
        head["counts"],
        _count_classes(rows),
        len(choice.rejected),
        len(problems),
        tuple(problems[:_NAMED]),
        (
            *gathered.notes,
            *_class_notes(gathered, rows),
            *_split_notes(rows),
            *_blank_notes(writing.num_blank),
        ),
    )


def _open_map(text: str | None, kind: Kind) -> IdMap | None:
    if text is None:
        return None
    if kind != "mask":
        raise UsageError(f"--map {text} is for masks, and the labels are {PLURALS[kind]}")
    return open_id_map(text)


def _amiss(problems: Sequence[str], translated: Path) -> SampleError:
    listed = "; ".join(problems[:_NAMED]) + ("; …" if len(problems) > _NAMED else "")
    return SampleError(
        f"{counted(len(problems), 'problem')} with {translated}: {listed}",
        hint="--labels and --split say where they are found; --on-error skip leaves these out",
    )


def _count_classes(rows: Iterable[Row]) -> dict[str, int]:
    """Return how many pictures, or objects, are of each class; {} of masks."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(row.object_classes or ({row.class_name: 1} if row.class_name else {}))
    return dict(counts)


def _blank_notes(count: int) -> list[str]:
    return [f"{counted(count, 'mask')} without a pixel that counts"] if count else []


def _split_notes(rows: Sequence[Row]) -> list[str]:
    """Return what is odd about the splits: classes taken for splits, as `--split folder` can do."""
    classes: dict[str, set[str | None]] = defaultdict(set)
    for row in rows:
        classes[row.split].add(row.class_name)
    alone = [name for name, found in classes.items() if len(found) == 1 and found != {None}]
    if len(alone) < 2 or len(alone) < len(classes):
        return []
    return ["each split holds one class only: --split took classes for splits, perhaps"]


def _class_notes(gathered: Gathered, rows: Sequence[Row]) -> list[str]:
    """Return what is odd about the classes, as a typo in a label would make it."""
    if gathered.kind == "mask":
        return []
    sources = set(gathered.source_classes)
    sources |= set(_count_classes(row for row in rows if row.origin != "target"))
    targets = set(_count_classes(row for row in rows if row.origin == "target"))
    notes = [
        f"the class '{name}' is one of {one} only, not of {other}"
        for mine, theirs, one, other in (
            (sources, targets, "sources", "the target"),
            (targets, sources, "the target", "sources"),
        )
        for name in sorted(mine - theirs)
        if targets
    ]
    if gathered.kind == "class" and len(sources | targets) == 1:
        notes.append(f"all pictures are of one class, '{min(sources | targets)}'")
    return notes
