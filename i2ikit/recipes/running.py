"""The steps of a recipe, run one after the other as commands of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from i2ikit.errors import RunError, UsageError, did_you_mean
from i2ikit.recipes.loading import Recipe
from i2ikit.recipes.lock import Entry, Lock, lock_path, read_lock, versions, write_lock
from i2ikit.recipes.states import Seen, inspect, look_at, open_digests

#: Exit status of a command that is complete but for inputs that failed.
WITH_FAILURES = 3
_PROGRAM = (sys.executable, "-m", "i2ikit")
#: Seconds that a command has to end by itself after Ctrl-C, which a terminal sends to it too.
_GRACE = 10.0


@dataclass(frozen=True)
class StepResult:
    """What became of a step.

    Attributes:
        name: of the step.
        outcome: whether it was done now, had been done, was not asked for, or failed.
        status: exit status of its command; of one that had been done, that of then.
    """

    name: str
    outcome: Literal["done", "done before", "left out", "failed"]
    status: int = 0


@dataclass(frozen=True)
class RecipeSummary:
    """What a run has done.

    Attributes:
        recipe: its name.
        out: the folder of what it makes.
        steps: in order; those after a step that failed are not among them.
        stale: places made by steps that have changed, which may be in the way.
    """

    recipe: str
    out: Path
    steps: tuple[StepResult, ...]
    stale: tuple[Path, ...] = ()

    @property
    def failed(self) -> StepResult | None:
        """The step that failed, if one did."""
        return next((step for step in self.steps if step.outcome == "failed"), None)


def run(
    recipe: Recipe,
    *,
    only: str | None = None,
    start: str | None = None,
    blocked: Sequence[str] = (),
    show: Callable[[str], object] | None = None,
    on_step: Callable[[Seen], object] | None = None,
) -> RecipeSummary:
    """Run the steps that aren't done; the first that fails is the last.

    Args:
        recipe: what `load` returned.
        only: the one step to do.
        start: the first step to do.
        blocked: plugins not to import.
        show: is given what commands print, line by line; it is kept in `OUT/steps`, too.
        on_step: is told of each step that is asked for, before it is run or skipped.

    Raises:
        UsageError: there is no such step.
        RunError: a step uses what another one has yet to make.
    """
    asked = choose_steps(recipe, only, start)
    lock, digests = read_lock(recipe.out, recipe.name), open_digests(recipe)
    seen: dict[str, Seen] = {}
    results: list[StepResult] = []
    for step in recipe.steps:
        found = seen[step.name] = look_at(step, recipe, seen, lock, digests)
        is_due = step.name in asked and found.state != "done"
        if step.name in asked and on_step:
            on_step(found)
        if not is_due:
            results.append(_undone(found, lock))
            continue
        _check_needs(found, results)
        digests.save()
        _mark_begun(recipe, lock, found)
        status = _call(found, blocked, show)
        if status not in (0, WITH_FAILURES):
            results.append(StepResult(step.name, "failed", status))
            return RecipeSummary(recipe.name, recipe.out, tuple(results), _stale(recipe))
        _record(recipe, lock, found, status)
        results.append(StepResult(step.name, "done", status))
    return RecipeSummary(recipe.name, recipe.out, tuple(results))


def _undone(found: Seen, lock: Lock) -> StepResult:
    """Return the result of a step that isn't run."""
    name = found.step.name
    if found.state == "done":
        return StepResult(name, "done before", lock.steps[name].status)
    return StepResult(name, "left out")


def _mark_begun(recipe: Recipe, lock: Lock, found: Seen) -> None:
    """Write down that a step which was done is being done once more, from the same.

    If that is ended half way, what it was to make is there again, but not whole.
    """
    name = found.step.name
    if name in lock.steps and found.state != "changed":
        lock.steps[name] = lock.steps[name].model_copy(update={"begun_again": True})
        write_lock(recipe.out, lock)


def _record(recipe: Recipe, lock: Lock, found: Seen, status: int) -> None:
    """Write down that a step is done."""
    lock.steps[found.step.name] = Entry(
        fingerprint=found.fingerprint,
        status=status,
        argv=found.step.argv,
        inputs=dict(found.inputs),
        versions=versions(),
    )
    write_lock(recipe.out, lock)


def choose_steps(recipe: Recipe, only: str | None, start: str | None) -> list[str]:
    """Return the names of the steps that are asked for.

    Raises:
        UsageError: there is no such step, or both are given.
    """
    names = [step.name for step in recipe.steps]
    if only is not None and start is not None:
        raise UsageError("--only and --from exclude each other")
    for flag, name in (("--only", only), ("--from", start)):
        if name is not None and name not in names:
            hint = did_you_mean(name, names)
            raise UsageError(f"{flag} {name}: recipe '{recipe.name}' has no such step", hint=hint)
    if only is not None:
        return [only]
    return names[0 if start is None else names.index(start) :]


def check_lock(recipe: Recipe) -> None:
    """Hold a recipe against its lock, as `--locked` asks.

    Raises:
        RunError: there is no lock, or a step would be done otherwise than it says.
    """
    path = lock_path(recipe.out)
    if not path.exists():
        raise RunError(f"--locked: there is no {path}", hint="put the recipe's lock there")
    lock = read_lock(recipe.out, recipe.name)
    names = {step.name for step in recipe.steps}
    found = [f"{name}: no step of the recipe" for name in lock.steps if name not in names]
    for seen in inspect(recipe):
        name = seen.step.name
        if name not in lock.steps:
            found.append(f"{name}: not in the lock")
        elif seen.state == "changed":
            found.append(f"{name}: {', '.join(seen.reasons)}")
    if found:
        lines = "".join(f"\n  {line}" for line in found)
        raise RunError(f"--locked: the recipe differs from {path}{lines}")


def _check_needs(found: Seen, results: Iterable[StepResult]) -> None:
    """Refuse a step that would use what another has yet to make, or made otherwise."""
    outcomes = {result.name: result.outcome for result in results}
    for name in found.needed_steps:
        if outcomes[name] == "left out":
            raise RunError(
                f"step '{found.step.name}' uses what step '{name}' makes, which is not done as the"
                " recipe says now",
                hint=f"start with it: --from {name}",
            )


def _stale(recipe: Recipe) -> tuple[Path, ...]:
    """Return what steps have made that have changed since."""
    changed = [seen.step for seen in inspect(recipe) if seen.state == "changed"]
    return tuple(path for step in changed for path in step.outputs[:-1] if path.exists())


def _call(found: Seen, blocked: Sequence[str], show: Callable[[str], object] | None) -> int:
    """Run a step's command, and return its exit status; what it prints is kept, and shown.

    It is kept as `NAME.out.part` until the step is done, and stays there if it fails.
    """
    flags = [word for name in blocked for word in ("-p", f"no:{name}")]
    command = [*_PROGRAM, *flags, *found.step.argv]
    kept = found.step.outputs[-1]
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f"{kept.name}.part")
    with (
        part.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
        ) as child,
    ):
        try:
            for line in child.stdout or ():
                file.write(line)
                if show:
                    show(line)
            status = child.wait()
        except KeyboardInterrupt:
            _end(child)
            raise
        except BaseException:  # what it prints can't be shown or kept any more
            child.terminate()
            raise
    if status in (0, WITH_FAILURES):
        part.replace(kept)
    return status if status >= 0 else 128 - status  # as shells say that a signal ended it


def _end(child: subprocess.Popen[str]) -> None:
    """Wait for a command to end after Ctrl-C; pass the signal on if it had none."""
    try:
        child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
        child.wait()
