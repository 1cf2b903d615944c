"""`i2ikit train`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from i2ikit.cli.flags import AsJson, Option
from i2ikit.cli.shared import (
    INTERRUPTED,
    blocked_plugins,
    complete_model,
    parse_named,
    print_json,
)
from i2ikit.errors import UsageError, counted

if TYPE_CHECKING:
    from i2ikit.cli.show import ProgressView
    from i2ikit.training.process import Process
    from i2ikit.training.report import Report, Start, TrainSummary

_Domain = "Folder, tars or manifest of domain "
_FIELD_FORM = "NAME=DIR[:SUFFIX]"
_FieldFlag = typer.Option(
    metavar=_FIELD_FORM, help="Where another picture of each sample is; by name."
)


def train(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help=_Domain + "A.")],
    b: Annotated[
        str, typer.Argument(metavar="B", help=_Domain + "B; of a paired model, of the same names.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Checkpoints, samples, log.")],
    model: Annotated[
        str,
        typer.Option(help="A model that `i2ikit models` lists.", autocompletion=complete_model),
    ],
    size: Annotated[int, typer.Option(metavar="PX", help="Side of the squares trained on.")] = 256,
    load_size: Annotated[
        int | None,
        typer.Option(metavar="PX", help="Shorter side before the cut; --size if left out; 0: any."),
    ] = None,
    flip: Annotated[bool, typer.Option("--flip/--no-flip", help="Mirror half of them.")] = True,
    steps: Annotated[int, typer.Option(metavar="N", help="How many in all.")] = 20_000,
    time_limit: Annotated[
        float | None, typer.Option(metavar="HOURS", help="Save and stop then; go on later.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="Pictures of each domain a step.")
    ] = None,
    accumulate: Annotated[
        int, typer.Option(metavar="N", help="Compute a batch in N parts, for memory.")
    ] = 1,
    option: Option = None,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The original program's: a YAML of MUNIT, an opt.txt."),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(metavar="PATH|NAME", help="Networks to begin with: what translate takes."),
    ] = None,
    field_a: Annotated[list[str] | None, _FieldFlag] = None,
    field_b: Annotated[list[str] | None, _FieldFlag] = None,
    valid_a: Annotated[
        str | None, typer.Option(metavar="DIR", help="Held-out pictures of A: OUT/best is by them.")
    ] = None,
    valid_b: Annotated[
        str | None, typer.Option(metavar="DIR", help="Held-out pictures of B.")
    ] = None,
    valid_field_a: Annotated[list[str] | None, _FieldFlag] = None,
    valid_field_b: Annotated[list[str] | None, _FieldFlag] = None,
    valid_metric: Annotated[
        Literal["fd", "l1", "lpips"] | None,
        typer.Option(help="The least is the best; l1 of pairs, fd of others if left out."),
    ] = None,
    valid_every: Annotated[
        int, typer.Option(metavar="N", help="Steps between validations.")
    ] = 1000,
    semantic_loss: Annotated[
        float | None,
        typer.Option(metavar="WEIGHT", help="Of keeping A's classes in translations; unpaired."),
    ] = None,
    labels_a: Annotated[
        str | None,
        typer.Option(
            metavar="LABELS", help="Of A: folder, cls, column:NAME, FILE.csv, DIR of masks."
        ),
    ] = None,
    map: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="From masks' ids to classes: cityscapes19 or a CSV."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    average: Annotated[
        float, typer.Option(metavar="SHARE", help="Memory of the weights' average; 0: none.")
    ] = 0.999,
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"], typer.Option(help="Of the networks.")
    ] = "fp32",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")] = "auto",
    workers: Annotated[int | None, typer.Option(metavar="N", help="Threads that decode.")] = None,
    save_every: Annotated[
        int, typer.Option(metavar="N", help="Steps that a kill can lose.")
    ] = 1000,
    sample_every: Annotated[
        int, typer.Option(metavar="N", help="Steps between sheets of samples; 0: none.")
    ] = 1000,
    log_every: Annotated[
        int, typer.Option(metavar="N", help="Steps between lines of the log.")
    ] = 50,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files to OUT/tensorboard.")
    ] = False,
    layout: Annotated[
        Literal["safetensors", "upstream"],
        typer.Option(help="Of checkpoints; upstream: files of the original program."),
    ] = "safetensors",
    restart: Annotated[
        bool, typer.Option("--restart", help="Remove what an earlier training wrote; start over.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on your own pictures; the same command goes on where a stopped one was.

    OUT/latest is a checkpoint for `i2ikit translate`. Under torchrun, processes share each batch.
    """
    from i2ikit.options import parse_assignments
    from i2ikit.training.request import Request
    from i2ikit.training.run import run

    request = Request(
        model=model,
        a=a,
        b=b,
        output=output,
        size=size,
        load_size=load_size,
        flip=flip,
        steps=steps,
        batch_size=batch_size,
        accumulate=accumulate,
        options=parse_assignments(option or []),
        settings_file=settings,
        start_from=start_from,
        fields_a=parse_named(field_a or [], "--field-a", _FIELD_FORM),
        fields_b=parse_named(field_b or [], "--field-b", _FIELD_FORM),
        valid_a=valid_a,
        valid_b=valid_b,
        valid_fields_a=parse_named(valid_field_a or [], "--valid-field-a", _FIELD_FORM),
        valid_fields_b=parse_named(valid_field_b or [], "--valid-field-b", _FIELD_FORM),
        valid_metric=valid_metric,
        valid_every=valid_every,
        semantic_loss=semantic_loss,
        labels_a=labels_a,
        map=map,
        seed=seed,
        average=average,
        precision=precision,
        device=device,
        workers=workers,
        time_limit=time_limit,
        save_every=save_every,
        sample_every=sample_every,
        log_every=log_every,
        tensorboard=tensorboard,
        layout=layout,
        restart=restart,
    )
    from i2ikit.cli.show import ProgressView, err, progress_bar

    process = _process_of(os.environ)
    try:
        with progress_bar(err()) as bar:
            view = ProgressView(bar, "training", "steps")
            blocked = blocked_plugins(context)
            summary = run(request, process, blocked, _reporter(view), _announce)
    except KeyboardInterrupt:
        if process.is_first:
            typer.echo(f"i2ikit: interrupted; {_describe_saved(output, save_every)}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if process.is_first:
        _show(summary, as_json=as_json)


def _describe_saved(output: Path, save_every: int) -> str:
    """Return what an interrupted training has left to go on from."""
    from i2ikit.training.state import Home

    if not Home(output).state.exists():
        return "nothing was saved yet, so the same command starts over"
    steps = counted(save_every, "step")
    return f"the same command goes on from the last saved state, at most {steps} ago"


def _process_of(environment: Mapping[str, str]) -> Process:
    """Return which process this is of those that torchrun has started; of one if it hasn't."""
    from i2ikit.training.process import ALONE, Process

    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return ALONE
    words = [environment.get(name, "0") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    if not all(map(str.isdecimal, words)):
        raise UsageError(
            f"RANK, WORLD_SIZE and LOCAL_RANK are {', '.join(words)}, not whole numbers",
            hint="torchrun sets them",
        )
    return Process(*map(int, words))


def _announce(start: Start) -> None:
    """Say what will be done."""
    request = start.request
    pairs = counted(start.num_a, "pair") if start.is_paired else ""
    pictures = pairs or f"{start.num_a} pictures of A, {start.num_b} of B"
    typer.echo(
        f"training {request.model}: {pictures}, squares of {request.size} px,"
        f" {counted(start.batch_size, 'picture')} a step, {counted(request.steps, 'step')};"
        f" {start.num_parameters / 1e6:.1f} million weights on {start.device}"
        + (f", shared by {start.num_processes} processes" if start.num_processes > 1 else ""),
        err=True,
    )
    if start.num_classes:
        typer.echo(
            f"semantic loss: weight {request.semantic_loss:g}, {start.num_classes} classes of A",
            err=True,
        )
    if start.validation:
        typer.echo(
            f"validation: {start.validation.metric} of {len(start.validation.items)} held-out"
            f" pictures of A, every {counted(request.valid_every, 'step')}",
            err=True,
        )
    if start.resumed:
        typer.echo(f"going on after step {start.resumed}", err=True)


def _reporter(view: ProgressView) -> Callable[[Report], None]:
    def report(now: Report) -> None:
        from i2ikit.progress import Progress

        note = " ".join(f"{term} {value:.3g}" for term, value in now.losses.items())
        if found := now.validated:
            note += f"; {found.metric} {found.value:.4g}, best {found.best:.4g}"
        view.report(Progress(now.step, now.steps, 0, now.resumed), note)

    return report


def _show(summary: TrainSummary, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(summary))
        return
    fresh = summary.step - summary.resumed
    typer.echo(f"{counted(summary.step, 'step')} done; checkpoint: {summary.checkpoint}")
    if fresh and summary.seconds:
        typer.echo(
            f"{counted(fresh, 'step')} in {summary.seconds:.0f} s,"
            f" {fresh / summary.seconds:.2f} a second"
        )
    if summary.losses:
        terms = ", ".join(f"{term} {value:.4g}" for term, value in summary.losses.items())
        typer.echo(f"losses of the last step: {terms}")
    if summary.best_checkpoint:
        typer.echo(f"best checkpoint: {summary.best_checkpoint}, validated at {summary.best:.4g}")
    if not summary.is_complete:
        typer.echo("the training is not complete: the same command goes on")
