"""`i2ikit translate`."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from i2ikit.cli import flags
from i2ikit.cli.checkpoints import announce_default
from i2ikit.cli.results import name_failures, print_results
from i2ikit.cli.shared import (
    INTERRUPTED,
    WITH_FAILURES,
    blocked_plugins,
    format_bytes,
    parse_named,
    print_json,
)
from i2ikit.errors import UsageError, counted

if TYPE_CHECKING:
    from i2ikit.translation.execution import Execution
    from i2ikit.translation.request import Request
    from i2ikit.translation.run import RunSummary

_STAGES = {
    "read": "reading and decoding",
    "translate": "the network",
    "save": "encoding",
    "measure": "measuring",
    "write": "writing",
}


def translate(
    context: typer.Context,
    source: flags.Source,
    output: flags.Output,
    model: flags.Model,
    checkpoint: flags.Checkpoint = None,
    direction: flags.Direction = "a2b",
    option: flags.Option = None,
    style_sample: flags.StyleSample = None,
    style_from: flags.StyleFrom = None,
    styles: flags.Styles = None,
    styles_per: flags.StylesPer = "sample",
    seed: flags.Seed = 0,
    field: flags.Field = None,
    size: flags.Size = None,
    label_frame: flags.LabelFrame = None,
    format: flags.Format = "png",
    range: flags.Range = "fixed",
    device: flags.Device = "auto",
    precision: flags.Precision = "fp32",
    batch_size: flags.BatchSize = "auto",
    workers: flags.Workers = None,
    on_error: flags.OnError = "skip",
    shard: flags.Shard = None,
    plan: flags.Plan = False,
    restart: flags.Restart = False,
    retry_failed: flags.RetryFailed = False,
    extend: flags.Extend = False,
    allow_version_change: flags.AllowVersionChange = False,
    limit: flags.Limit = None,
    evaluate: flags.Eval = None,
    as_json: flags.AsJson = False,
) -> None:
    """Translate a data set; the same command goes on where a stopped one was.

    Exit status: 0 all done, 1 failed, 2 wrong usage, 3 finished with inputs that failed.
    """
    from i2ikit.options import parse_assignments
    from i2ikit.translation.execution import Execution
    from i2ikit.translation.request import Request
    from i2ikit.translation.run import run

    request = Request(
        source=source,
        output=output,
        model=model,
        checkpoint=checkpoint,
        direction=direction,
        options=parse_assignments(option or []),
        style_sample=style_sample,
        style_from=style_from,
        styles=styles,
        styles_per=styles_per,
        seed=seed,
        fields=parse_named(field or [], "--field", "NAME=DIR[:SUFFIX]"),
        size=size,
        label_frame=label_frame,
        format=format,
        range=range,
        device=_own_device(device),
        precision=precision,
    )
    execution = Execution(
        batch_size=_parse_batch_size(batch_size),
        workers=workers,
        on_error=on_error,
        shard=_parse_shard(shard),
        restart=restart,
        retry_failed=retry_failed,
        extend=extend,
        allow_version_change=allow_version_change,
        limit=limit,
        evaluate=parse_named(evaluate or [], "--eval", "METRIC=REF: fid=real/"),
        blocked=blocked_plugins(context),
    )
    if checkpoint is None:
        announce_default(context, model)
    if plan:
        _show_preview(request, execution, as_json=as_json)
        return
    from i2ikit.cli.show import ProgressView, err, progress_bar

    try:
        with progress_bar(err()) as bar:
            summary = run(
                request,
                execution,
                ProgressView(bar, "translating", "inputs").report,
                ProgressView(bar, "measuring", "pictures").report,
            )
    except KeyboardInterrupt:
        typer.echo("i2ikit: interrupted; the same command goes on where it stopped", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _show_summary(summary, as_json=as_json)
    if summary.num_failed or summary.unmeasured:
        raise typer.Exit(WITH_FAILURES)


def _parse_batch_size(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal():
        raise UsageError(f"--batch-size {text} is neither auto nor a number")
    return int(text)


def _parse_shard(text: str | None) -> tuple[int, int] | None:
    """Return (i, n) of `i/n`; torchrun's RANK and WORLD_SIZE stand for it."""
    if text is None and "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        text = f"{os.environ['RANK']}/{os.environ['WORLD_SIZE']}"
    if text is None:
        return None
    worker, _, workers = text.partition("/")
    if not (worker.isdecimal() and workers.isdecimal()):
        raise UsageError(f"--shard {text} is not understood", hint="write i/n, such as 0/4")
    return int(worker), int(workers)


def _own_device(device: str) -> str:
    """Return the GPU that torchrun means for this process, unless another device was asked for."""
    import torch

    if device == "auto" and "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return device


def _show_preview(request: Request, execution: Execution, *, as_json: bool) -> None:
    from i2ikit.translation.preview import preview

    found = preview(request, execution)
    if as_json:
        print_json(asdict(found))
        return
    if found.num_inputs is None or found.num_outputs is None:
        work = f"tars of unknown length × {counted(found.num_styles, 'style')}"
    else:
        work = f"{counted(found.num_inputs, 'input')} × {counted(found.num_styles, 'style')}"
        work += f" = {counted(found.num_outputs, 'output')}"
    done = counted(found.num_done, "input")
    typer.echo(f"{work} in {counted(found.num_shards, 'shard')}; done: {done}")
    if found.pixel_bytes is not None:
        sizes = ", ".join(f"{width}×{height}" for width, height in found.sizes[:5])
        more = ", …" if len(found.sizes) > 5 else ""
        typer.echo(f"sizes: {sizes}{more}")
        typer.echo(f"at most {format_bytes(found.pixel_bytes)}: what the pixels take unpacked")
    typer.echo("nothing was written")


def _show_summary(summary: RunSummary, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(summary))
        return
    fresh = summary.num_inputs - summary.num_resumed
    outputs, inputs = counted(summary.num_outputs, "output"), counted(summary.num_inputs, "input")
    typer.echo(f"{outputs} of {inputs} in {summary.output}")
    if summary.num_resumed:
        typer.echo(f"done by earlier starts: {counted(summary.num_resumed, 'input')}")
    if fresh and summary.seconds:
        bound = max(summary.stages, key=lambda stage: summary.stages[stage], default="read")
        share = summary.stages.get(bound, 0.0) / summary.seconds
        typer.echo(
            f"{counted(fresh, 'input')} in {summary.seconds:.1f} s,"
            f" {fresh / summary.seconds:.2f} a second;"
            f" {share:.0%} of the time went into waiting for {_STAGES[bound]}"
        )
    if not summary.is_complete:
        typer.echo(
            "the run is not complete: the same command without --limit, or with the other"
            " --shard i/n, goes on"
        )
    results = list(summary.evaluation.values())
    print_results(results)
    name_failures(results)
    for metric, reason in summary.unmeasured.items():
        typer.echo(f"{metric} could not be measured: {reason}", err=True)
    if summary.num_failed:
        typer.echo(f"{counted(summary.num_failed, 'input')} failed:", err=True)
        for reason in summary.failures:
            typer.echo(f"  {reason}", err=True)
        where = summary.output / ".i2ikit" / "errors.jsonl"
        listed = f"all are in {where}; " if where.exists() else ""
        typer.echo(f"  {listed}--retry-failed tries them again", err=True)
