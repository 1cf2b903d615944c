"""Everything that is checked and fixed before the first image."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from i2ikit.data.keys import check_output_names, member_key
from i2ikit.data.samples import Source
from i2ikit.data.sources import open_source
from i2ikit.devices import choose_device
from i2ikit.errors import RunError, SourceError, counted
from i2ikit.labels.whole_set import SetLabels
from i2ikit.loading import Loaded, load
from i2ikit.translation.execution import Execution
from i2ikit.translation.home import Home
from i2ikit.translation.plan import (
    Plan,
    Settings,
    changed_tars,
    differences,
    extend,
    load_plan,
    lost_inputs,
    make_plan,
    new_inputs,
    save_plan,
)
from i2ikit.translation.records import METADATA, finish_removal, remove_run
from i2ikit.translation.request import (
    Request,
    all_fields,
    check_request,
    choose_styles,
    make_settings,
)
from i2ikit.translation.save import output_tar
from i2ikit.translation.styles import Styles


@dataclass(frozen=True)
class Prepared:
    """A run that could start: all that was asked for is there and makes sense."""

    request: Request
    loaded: Loaded
    source: Source
    set_labels: SetLabels
    styles: Styles
    device: torch.device
    plan: Plan

    @property
    def home(self) -> Home:
        """Where OUT and the run's records are."""
        return Home(self.request.root)


def prepare(request: Request, blocked: Iterable[str] = ()) -> Prepared:
    """Load the model, list the inputs and make a plan, without writing anything.

    Raises:
        I2IError: something asked for is missing, damaged or contradictory.
    """
    try:
        return _prepare(request, blocked)
    except OSError as error:  # a name that is too long, a folder that is closed to us
        raise SourceError(f"{error.filename} can't be read: {error.strerror}") from None


def _prepare(request: Request, blocked: Iterable[str]) -> Prepared:
    check_request(request)
    device = choose_device(request.device)
    loaded = load(
        request.model,
        request.checkpoint,
        request.direction,
        options=request.options,
        blocked=blocked,
    )
    loaded.model.to(device)
    source = open_source(
        request.source,
        inputs=tuple(loaded.model.inputs),
        fields=all_fields(request, loaded.model),
    )
    set_labels = SetLabels(source, request.label_frame)
    _check_carried(source)
    _check_set_labels(request, loaded, set_labels)
    styles = choose_styles(request, loaded.model, device)
    settings = make_settings(request, loaded, source, styles, device)
    plan = make_plan(settings, styles.num_styles, source)
    _check_names(plan, source)
    return Prepared(request, loaded, source, set_labels, styles, device, plan)


def agree(prepared: Prepared, execution: Execution) -> Prepared:
    """Return the run with the plan that OUT holds: the one there, or the one made now.

    Raises:
        RunError: OUT holds another run, or can't be written.
    """
    home = prepared.home
    try:
        settle(prepared, execution)
        with home.alone():
            plan, is_new = settle(prepared, execution)
            finish_removal(home)
            if execution.restart and home.folder.exists():
                remove_run(home)
            if is_new:
                save_plan(plan, home)
    except OSError as error:
        raise RunError(f"OUT {home.root} can't be written: {error.strerror}") from None
    return dataclasses.replace(prepared, plan=plan)


def settle(prepared: Prepared, execution: Execution) -> tuple[Plan, bool]:
    """Return the plan to run, that in OUT or another, and whether OUT lacks it; writes nothing.

    Raises:
        RunError: OUT holds another run, other inputs, or something else.
    """
    home = prepared.home
    if home.root.exists() and not home.root.is_dir():
        raise RunError(f"OUT {home.root} is a file", hint="name a folder")
    if execution.restart and home.plan.exists():
        return prepared.plan, True
    there = load_plan(home)
    if there is None:
        _refuse_strangers(home)
        return prepared.plan, True
    _compare(there.settings, prepared.plan.settings, home.root, execution)
    plan = _with_new_inputs(there, prepared.source, home.root, extending=execution.extend)
    return plan, plan is not there


def _refuse_strangers(home: Home) -> None:
    """Refuse to write into a folder that holds something else than a run."""
    names = sorted(path.name for path in home.root.iterdir()) if home.root.exists() else []
    others = [name for name in names if name != home.name]
    if others and home.removed.name not in others:  # else a run's removal was cut short
        raise RunError(
            f"OUT {home.root} is not empty and holds no run of i2ikit: it has '{others[0]}'",
            hint="choose a new folder",
        )


def _check_carried(source: Source) -> None:
    """Refuse files of the whole data set that can't be read."""
    for file in source.carried.values():
        if isinstance(file.data, Path) and not os.access(file.data, os.R_OK):
            raise SourceError(f"{file.name} can't be read", hint="mend it, or move it out of IN")


def _check_set_labels(request: Request, loaded: Loaded, set_labels: SetLabels) -> None:
    """Refuse labels of the whole data set that the model or `--size` would make wrong."""
    for name in set_labels.names:
        what = f"{name} may hold coordinates"
        if not loaded.model.keeps_places:
            raise SourceError(
                f"{what}, and model '{request.model}' moves what is in a picture",
                hint="move it out of IN",
            )
        if request.size is not None and not set_labels.can_move(name):
            raise SourceError(
                f"{what}, is no file of COCO's, and --size changes every picture's geometry",
                hint="leave out --size, or move it out of IN",
            )


def _check_names(plan: Plan, source: Source) -> None:
    """Refuse two inputs that would give one output name."""
    settings = plan.settings
    taken = [*source.carried, METADATA]
    named = member_key if settings.output == "shards" else str
    names = ((named(key), sidecars) for key, sidecars in source.names())
    check_output_names(names, plan.num_styles, f".{settings.format}", taken)
    tars = [output_tar(settings, shard) for shard in plan.shards]
    twice = [tar for tar, count in Counter(tars).items() if tar and count > 1]
    if twice:
        raise SourceError(f"two inputs would be written to {twice[0]}", hint="rename one of them")


def _compare(there: Settings, here: Settings, root: Path, execution: Execution) -> None:
    """Refuse to go on with another run than the one that OUT holds."""
    found = differences(there, here)
    versions = [phrase for phrase in found if phrase.startswith("versions.")]
    others = [phrase for phrase in found if phrase not in versions]
    if others:
        raise RunError(
            f"{root} holds a different run: {'; '.join(others)}",
            hint="--restart starts over, or choose another OUT",
        )
    if versions and not execution.allow_version_change:
        raise RunError(
            f"{root} was begun with other versions: {'; '.join(versions)}",
            hint="--allow-version-change goes on all the same, --restart starts over",
        )


def _with_new_inputs(plan: Plan, source: Source, root: Path, *, extending: bool) -> Plan:
    """Return the plan, extended if asked; refuse inputs that changed in the meantime."""
    lost, fresh, changed = (
        lost_inputs(plan, source),
        new_inputs(plan, source),
        changed_tars(plan, source),
    )
    if changed:
        raise RunError(
            f"{changed[0]} has changed since {root} was begun", hint="--restart starts over"
        )
    if lost:
        raise RunError(
            f"{root} was begun with {counted(len(lost), 'input')} now gone, '{lost[0]}' first",
            hint="bring them back, or --restart starts over",
        )
    if fresh and not extending:
        count = sum(len(part.keys or (part.name,)) for part in fresh)
        first = (fresh[0].keys or (fresh[0].name,))[0]
        raise RunError(
            f"{counted(count, 'input')} came since {root} was begun, '{first}' first",
            hint="--extend adds them, --restart starts over",
        )
    return extend(plan, fresh) if fresh else plan
