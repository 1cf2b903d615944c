"""`i2ikit run RECIPE`."""

from __future__ import annotations

import shlex
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from i2ikit.cli.flags import AsJson
from i2ikit.cli.shared import INTERRUPTED, WITH_FAILURES, blocked_plugins, print_json
from i2ikit.errors import counted

if TYPE_CHECKING:
    from i2ikit.recipes import Recipe, RecipeSummary, Seen


def run(
    context: typer.Context,
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A name that `i2ikit recipes` lists, or a file.")
    ],
    var: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=VALUE", help="Give a variable another value."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="steps.STEP.KEY=VALUE", help="Give a step another parameter."
        ),
    ] = None,
    only: Annotated[str | None, typer.Option(metavar="STEP", help="Do this step alone.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="Do this step and those after it.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show the commands, and which are done.")
    ] = False,
    locked: Annotated[
        bool, typer.Option("--locked", help="Refuse what differs from OUT/recipe.lock.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a recipe's steps, one after the other; those that are done are skipped.

    The same command goes on where a stopped one was.
    """
    from i2ikit import recipes
    from i2ikit.cli.app import app
    from i2ikit.cli.vocabulary import read_vocabulary

    blocked = blocked_plugins(context)
    vocabulary = read_vocabulary(app)
    loaded = recipes.load(recipe, vocabulary, variables=var or [], sets=set_ or [], blocked=blocked)
    if locked:
        recipes.check_lock(loaded)
    if plan:
        asked = recipes.choose_steps(loaded, only, start)
        seen = [found for found in recipes.inspect(loaded) if found.step.name in asked]
        _show_plan(loaded, seen, blocked, as_json=as_json)
        return
    # else the step's command would outlive a run that is told to end
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        summary = recipes.run(
            loaded,
            only=only,
            start=start,
            blocked=blocked,
            show=lambda line: typer.echo(line, nl=False, err=as_json),
            on_step=_announcer(loaded, blocked),
        )
    except KeyboardInterrupt:
        typer.echo("i2ikit: interrupted; the same command goes on where it stopped", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _show_summary(summary, as_json=as_json)
    if summary.failed:
        raise typer.Exit(summary.failed.status)
    if any(step.status for step in summary.steps):
        raise typer.Exit(WITH_FAILURES)


def _command_line(found: Seen, blocked: tuple[str, ...]) -> str:
    flags = [word for name in blocked for word in ("-p", f"no:{name}")]
    return shlex.join(["i2ikit", *flags, *found.step.argv])


def _standing(found: Seen) -> str:
    return ": ".join(filter(None, (found.state, ", ".join(found.reasons))))


def _show_plan(
    recipe: Recipe, seen: list[Seen], blocked: tuple[str, ...], *, as_json: bool
) -> None:
    if as_json:
        print_json(
            [
                {
                    "step": found.step.name,
                    "command": _command_line(found, blocked),
                    "state": found.state,
                    "reasons": found.reasons,
                    "fingerprint": found.fingerprint,
                }
                for found in seen
            ]
        )
        return
    for found in seen:
        typer.echo(f"# {found.step.name}: {_standing(found)}")
        typer.echo(_command_line(found, blocked))
    typer.echo(f"# {recipe.name}: {counted(len(seen), 'step')}; nothing was run")


def _announcer(recipe: Recipe, blocked: tuple[str, ...]) -> Callable[[Seen], None]:
    names = [step.name for step in recipe.steps]

    def announce(found: Seen) -> None:
        position = f"step {names.index(found.step.name) + 1} of {len(names)}, {found.step.name}"
        typer.echo(f"{position}: {_standing(found)}", err=True)
        if found.state != "done":
            typer.echo(f"  {_command_line(found, blocked)}", err=True)

    return announce


def _show_summary(summary: RecipeSummary, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(summary))
    else:
        counts = Counter(step.outcome for step in summary.steps)
        told = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        typer.echo(f"{summary.recipe} in {summary.out}: {told}")
    for step in summary.steps:
        if step.status == WITH_FAILURES and step.outcome != "failed":
            typer.echo(f"step '{step.name}' is done, with inputs that failed", err=True)
    if failed := summary.failed:
        typer.secho(
            f"i2ikit: step '{failed.name}' failed with exit status {failed.status};"
            f" the same command goes on with it",
            err=True,
            fg="red",
        )
        if summary.stale:
            places = shlex.join(map(str, summary.stale))
            typer.echo(f"  hint: made before steps changed: {places}", err=True)
            typer.echo(
                "        remove what is in the way, or work elsewhere: --var out=FOLDER", err=True
            )
