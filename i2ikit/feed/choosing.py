"""Which pictures a feed holds: labelled, split without leaks, let through by the gate, mixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from i2ikit.errors import SampleError, UsageError, counted
from i2ikit.feed.candidates import Candidate
from i2ikit.feed.drawing import choose_mix, choose_styles
from i2ikit.feed.gathering import (
    gather_target,
    gather_translated,
    hash_sources,
    open_source_labels,
)
from i2ikit.feed.rejections import read_rejections
from i2ikit.feed.splits import open_splits
from i2ikit.feed.summary import Settings
from i2ikit.feed.translated import Translation
from i2ikit.labels.finding import Kind
from i2ikit.labels.labelled import LabelledSource
from i2ikit.labels.set_objects import read_class_names


@dataclass(frozen=True)
class Gathered:
    """The pictures that a feed may hold.

    Attributes:
        candidates: with labels and splits.
        kind: of their labels.
        source_classes: labelled sources by class, whatever is chosen of them; {} of files.
        numbers: the names of YOLO's classes, of "source" and of "target"; {} without objects.
        notes: what else is to be known.
    """

    candidates: Sequence[Candidate]
    kind: Kind
    source_classes: Mapping[str, int]
    numbers: Mapping[str, Sequence[str]]
    notes: tuple[str, ...]


def gather(
    translation: Translation,
    target: LabelledSource | None,
    settings: Settings,
    problems: list[str],
) -> Gathered:
    """Return translations, originals and target pictures; what is amiss joins the problems.

    Raises:
        UsageError: labels of two kinds, or an argument that makes no sense.
        SourceError: labels or a table of splits that can't be read.
    """
    labels = open_source_labels(settings.labels, translation)
    if target and target.labels.kind != labels.kind:
        raise UsageError(
            f"--target has labels of kind {target.labels.kind}, --labels {settings.labels} of kind"
            f" {labels.kind}",
            hint="say how the target is labelled: --target PICTURES=LABELS",
        )
    outputs = list(gather_translated(translation, labels, problems))
    originals = _originals(outputs)
    targets = list(gather_target(target, problems)) if target else []
    named = _name_splits([*outputs, *originals, *targets], settings, problems)
    apart, notes = _keep_apart(named, translation, problems)
    classes = Counter(one.label for one in originals if isinstance(one.label, str))
    numbers = {}
    if labels.kind == "objects":
        sets = {"source": translation.carried, "target": target.source.carried if target else {}}
        numbers = {side: read_class_names(carried) for side, carried in sets.items()}
    notes = (*notes, *_failures(translation), *_few_styles(translation, settings))
    return Gathered(apart, labels.kind, dict(classes), numbers, notes)


def _failures(translation: Translation) -> list[str]:
    inputs = counted(len(translation.failed), "input")
    return [f"{inputs} failed in the translation: no pictures"] if translation.failed else []


def _few_styles(translation: Translation, settings: Settings) -> list[str]:
    made, wanted = translation.plan.num_styles, settings.styles
    if not isinstance(wanted, int) or wanted <= made:
        return []
    return [f"sources have {counted(made, 'translation')}, fewer than --styles {wanted}"]


@dataclass(frozen=True)
class Choice:
    """The pictures of a feed, before their files are read.

    Attributes:
        candidates: in the order in which they are read.
        rejected: lines of what the gate's report kept out.
    """

    candidates: Sequence[Candidate]
    rejected: Sequence[Mapping[str, Any]]


def choose(gathered: Gathered, translation: Translation, settings: Settings) -> Choice:
    """Return what the gate, `--styles` and `--mix` leave of the candidates.

    Raises:
        UsageError: nothing of an origin to mix in.
        SourceError: the gate's report can't be read, or is of another translation.
    """
    passed, rejected = _pass_gate(gathered.candidates, translation, settings)
    styled = choose_styles(_of(passed, "translated"), settings.styles, settings.seed)
    whole = [*styled, *_of(passed, "original"), *_of(passed, "target")]
    return Choice(choose_mix(whole, settings.mix, settings.styles, settings.seed), rejected)


def _of(candidates: Iterable[Candidate], origin: str) -> list[Candidate]:
    return [one for one in candidates if one.origin == origin]


def _originals(outputs: Iterable[Candidate]) -> list[Candidate]:
    """Return a candidate for the picture that each source is."""
    labels = {one.source_key: one.label for one in outputs}
    return [Candidate("original", key, key, None, label) for key, label in labels.items()]


def _name_splits(
    candidates: Iterable[Candidate], settings: Settings, problems: list[str]
) -> list[Candidate]:
    """Return the candidates whose source has a split, with its name."""
    splits = open_splits(settings.split, settings.seed, problems)
    found: dict[str, str | None] = {}
    for one in candidates:
        if one.source_key not in found:
            try:
                found[one.source_key] = splits(one.source_key)
            except SampleError as error:
                problems.append(str(error))
                found[one.source_key] = None
    return [replace(one, split=split) for one in candidates if (split := found[one.source_key])]


def _keep_apart(
    candidates: Sequence[Candidate], translation: Translation, problems: list[str]
) -> tuple[list[Candidate], tuple[str, ...]]:
    """Leave out sources whose picture another split has under another key.

    Also return notes on sources that can't be compared.
    """
    if len({one.split for one in candidates}) < 2:
        return list(candidates), ()
    digests = hash_sources(translation)
    known = [
        one if one.source_sha256 else replace(one, source_sha256=digests.get(one.source_key, ""))
        for one in candidates
    ]
    owners: dict[str, Candidate] = {}
    leaks: set[tuple[str, str]] = set()
    for one in known:
        owner = owners.setdefault(one.source_sha256, one) if one.source_sha256 else one
        place = (_side(one), one.source_key)
        if owner.split != one.split and place not in leaks:
            leaks.add(place)
            problems.append(
                f"'{one.source_key}' ({one.split}) is the same picture as '{owner.source_key}'"
                f" ({owner.split})"
            )
    unknown = len({one.source_key for one in known if not one.source_sha256})
    note = f"pictures of {unknown} sources can't be read: doubles of them would go unseen"
    kept = [one for one in known if (_side(one), one.source_key) not in leaks]
    return kept, (note,) if unknown else ()


def _side(one: Candidate) -> str:
    return "target" if one.origin == "target" else "source"


def _pass_gate(
    candidates: Sequence[Candidate], translation: Translation, settings: Settings
) -> tuple[list[Candidate], list[Mapping[str, Any]]]:
    """Return the candidates without rejected translations, and a line on each of those."""
    if settings.gate is None:
        return list(candidates), []
    outputs = {row["file_name"] for row in translation.rows()}
    reasons = read_rejections(Path(settings.gate), outputs)
    passed: list[Candidate] = []
    rejected: list[Mapping[str, Any]] = []
    for one in candidates:
        if one.origin == "translated" and one.name in reasons:
            names = {"file_name": one.name, "source_key": one.source_key}
            why = {"style_index": one.style_index, "reasons": reasons[one.name]}
            rejected.append({**names, **why})
        else:
            passed.append(one)
    return passed, rejected
