"""What a feed says of itself: `feed.json`, the manifest, and lists of what was kept out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import i2ikit
from i2ikit.feed.choosing import Choice, Gathered
from i2ikit.feed.layouts import LayoutName
from i2ikit.feed.manifest import LEFT_OUT, MANIFEST, REJECTED, Row, write_head, write_lines
from i2ikit.feed.objects import ObjectReader
from i2ikit.feed.packing import write_coco, write_epochs, write_tables
from i2ikit.feed.summary import Settings
from i2ikit.feed.translated import Translation
from i2ikit.labels.finding import Kind
from i2ikit.labels.id_maps import IGNORED, IdMap
from i2ikit.labels.labelled import sort_classes
from i2ikit.labels.set_objects import OBJECTS


def describe(
    translation: Translation,
    settings: Settings,
    layout: LayoutName,
    gathered: Gathered,
    rows: Sequence[Row],
    id_map: IdMap | None,
) -> dict[str, Any]:
    """Return what `feed.json` holds; places are absolute where they are local."""
    run = translation.plan.settings
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row.split, Counter())[row.origin] += 1
    return {
        "i2ikit": i2ikit.__version__,
        "translated": str(translation.root.absolute()),
        "source": run.source,
        "model": run.model,
        "checkpoint": run.checkpoint,
        "direction": run.direction,
        "num_styles": translation.plan.num_styles,
        "kind": gathered.kind,
        "numbers": gathered.numbers,
        "labels": _absolute(settings.labels),
        "map": settings.map if settings.map in (None, "cityscapes19") else _absolute(settings.map),
        "mix": dict(settings.mix),
        "target": None if settings.target is None else _absolute_set(settings.target),
        "styles": settings.styles,
        "split": settings.split,
        "layout": layout,
        "gate": settings.gate,
        "seed": settings.seed,
        "classes": _classes(gathered.kind, rows, id_map),
        "source_classes": gathered.source_classes,
        "counts": {split: dict(origins) for split, origins in counts.items()},
    }


def _classes(kind: Kind, rows: Sequence[Row], id_map: IdMap | None) -> list[str]:
    """Return the names of the classes in the order of their numbers; [] of masks without names."""
    if kind == "class":
        return list(sort_classes(row.class_name for row in rows if row.class_name is not None))
    if kind == "objects":
        return list(sort_classes(name for row in rows for name in row.object_classes or ()))
    if id_map is None or not id_map.names:
        return []
    last = max(number for number in id_map.table.values() if number != IGNORED)
    return [id_map.names.get(number, str(number)) for number in range(last + 1)]


def _absolute(how: str) -> str:
    """Return LABELS with its path absolute, if it has one."""
    is_word = how in ("folder", "cls", OBJECTS) or how.startswith(("column:", "sidecar:"))
    return how if is_word else str(Path(how).absolute())


def _absolute_set(text: str) -> str:
    if Path(text).exists() or "://" in text:
        return text if "://" in text else str(Path(text).absolute())
    place, equals, how = text.rpartition("=")
    return f"{Path(place).absolute()}={_absolute(how)}" if equals else text


def write_records(
    folder: Path,
    rows: Sequence[Row],
    head: Mapping[str, Any],
    choice: Choice,
    problems: Sequence[str],
    objects: ObjectReader,
) -> None:
    """Write all that is no picture and no label of one; `feed.json` comes last."""
    (folder / MANIFEST).write_text("".join(row.to_line() for row in rows), encoding="utf-8")
    write_lines(folder / REJECTED, choice.rejected)
    write_lines(folder / LEFT_OUT, ({"reason": reason} for reason in problems))
    generated = [MANIFEST, *write_epochs(folder, rows)]
    generated += [name for name in (REJECTED, LEFT_OUT) if (folder / name).exists()]
    if head["layout"] == "huggingface":
        generated += write_tables(folder, rows, objects)
    if head["layout"] == "coco":
        generated += write_coco(folder, rows, objects)
    kept_out = {"num_rejected": len(choice.rejected), "num_left_out": len(problems)}
    write_head(folder, {**head, **kept_out}, generated)
