"""`i2ikit feed`: training sets for domain adaptation, from translations with their labels."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from i2ikit.cli.feed_gate import gate as gate_command
from i2ikit.cli.shared import WITH_FAILURES, parse_named, print_json
from i2ikit.errors import UsageError, counted

if TYPE_CHECKING:
    from i2ikit.feed import Checked, FeedSummary
    from i2ikit.feed.candidates import Mix, Styles

feed = typer.Typer(
    help="Make training sets of translations with the labels of their sources.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_SHOWN = 5

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


@feed.command("build", epilog="Example: i2ikit feed build --split train=0.9,val=0.1 out/ feed/")
def build(
    translated: Annotated[
        Path, typer.Argument(metavar="TRANSLATED", help="OUT of a complete translation.")
    ],
    output: Annotated[Path, typer.Argument(metavar="FEED", help="A new folder.")],
    labels: Annotated[
        str,
        typer.Option(
            metavar="LABELS",
            help="Of the sources: folder, cls, column:NAME, FILE.csv[:COLUMN], masks as"
            " DIR[:SUFFIX], sidecar:FIELD for masks that were translated with --field, objects for"
            " files of boxes and outlines in TRANSLATED, or FILE.json of COCO's.",
        ),
    ] = "folder",
    map_: Annotated[
        str | None,
        typer.Option("--map", metavar="NAME|FILE", help="Ids to classes: cityscapes19, or a CSV."),
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN=N",
            help="Ratio of pictures that are translated, original or target. [translated=1]",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="SET", help="PICTURES[=LABELS] of the target domain, to mix in."),
    ] = None,
    styles: Annotated[
        str,
        typer.Option(
            metavar="all|N|epoch", help="Of each source: all, N drawn ones, or one an epoch."
        ),
    ] = "all",
    split: Annotated[
        str | None,
        typer.Option(
            metavar="SHARES|FILE",
            help="train=0.8,val=0.2 by a hash of the key; folder: the key's first; or a table.",
        ),
    ] = None,
    layout: Annotated[
        Literal["imagefolder", "cityscapes", "coco", "huggingface", "shards"] | None,
        typer.Option(
            help="How files are named. [imagefolder; of masks: cityscapes; of objects: coco]"
        ),
    ] = None,
    gate: Annotated[
        Path | None,
        typer.Option(metavar="REPORT", help="Leave out what it rejects: a file, or its folder."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    on_error: Annotated[
        Literal["stop", "skip"], typer.Option(help="What a wrong label or picture does.")
    ] = "stop",
    as_json: AsJson = False,
) -> None:
    """Build a training set of translated pictures with the labels of their sources.

    Pictures are copied byte for byte. What comes from one source is never in two splits.

    Exit status: 0 all done, 1 failed, 2 wrong usage, 3 finished with something left out.
    """
    from i2ikit.cli.show import ProgressView, err, progress_bar
    from i2ikit.feed import build as run

    with progress_bar(err()) as bar:
        summary = run(
            translated,
            output,
            labels=labels,
            map=map_,
            mix=_parse_mix(mix or []),
            target=target,
            styles=_parse_styles(styles),
            split=split,
            layout=layout,
            gate=gate,
            seed=seed,
            on_error=on_error,
            on_progress=ProgressView(bar, "building", "pictures").report,
        )
    _show_summary(summary, as_json=as_json)
    if summary.num_left_out:
        raise typer.Exit(WITH_FAILURES)


def _parse_mix(texts: list[str]) -> Mix | None:
    ratios: dict[str, float] = {}
    for origin, text in parse_named(texts, "--mix", "ORIGIN=N: translated=2").items():
        try:
            ratios[origin] = float(text)
        except ValueError:
            raise UsageError(f"--mix {origin}={text}: '{text}' is no number") from None
    return cast("Mix", ratios) or None


def _parse_styles(text: str) -> Styles:
    return int(text) if text.isdecimal() else cast("Styles", text)


def _show_summary(summary: FeedSummary, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(summary))
    else:
        what = f"{counted(summary.num_pictures, 'picture')} in {summary.output}"
        typer.echo(f"{what}, layout {summary.layout}")
        for name, counts in summary.counts.items():
            listed = ", ".join(f"{number} {origin}" for origin, number in counts.items())
            typer.echo(f"{name}: {listed}")
        if summary.num_rejected:
            typer.echo(f"rejected by the gate: {summary.num_rejected}, in rejected.jsonl")
        for note in summary.notes:
            typer.echo(f"note: {note}")
    if summary.num_left_out:
        typer.echo(f"left out, {summary.num_left_out}:", err=True)
        for reason in summary.left_out:
            typer.echo(f"  {reason}", err=True)
        typer.echo(f"  all are in {summary.output / 'left_out.jsonl'}", err=True)


@feed.command("check", epilog="Example: i2ikit feed check feed/")
def check(
    output: Annotated[Path, typer.Argument(metavar="FEED", help="Folder of `feed build`.")],
    as_json: AsJson = False,
) -> None:
    """Check that FEED holds what was built: pictures, labels, splits without leaks.

    Labels are compared with those of the sources where these can still be read.

    Exit status: 0 sound, 1 not.
    """
    from i2ikit.cli.show import ProgressView, err, progress_bar
    from i2ikit.feed import check as run

    with progress_bar(err()) as bar:
        found = run(output, on_progress=ProgressView(bar, "checking", "pictures").report)
    _show_checked(found, as_json=as_json)
    if not found.is_sound:
        raise typer.Exit(1)


def _show_checked(found: Checked, *, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(found), "is_sound": found.is_sound})
        return
    for what, names in found.wrong.items():
        more = ", …" if len(names) > _SHOWN else ""
        typer.echo(f"{what}, {len(names)}: {', '.join(names[:_SHOWN])}{more}")
    typer.echo(
        f"{counted(found.num_pictures, 'picture')} of {counted(found.num_sources, 'source')}"
    )
    unit = {"class": "picture", "mask": "pixel", "objects": "object"}[found.kind]
    for name, after in found.classes.items():
        before = counted(found.source_classes.get(name, 0), unit)
        typer.echo(f"  {name}: {before} of the sources, {after} of the feed")
    for note in found.notes:
        typer.echo(f"note: {note}")
    typer.echo("sound" if found.is_sound else "not sound")


feed.command("gate", epilog="Example: i2ikit feed gate out/ gate/ --min-structure 0.1")(
    gate_command
)
