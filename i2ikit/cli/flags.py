"""The arguments and flags of `i2ikit translate`, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from i2ikit.cli.shared import complete_model

Source = Annotated[
    str,
    typer.Argument(
        metavar="IN", help="Folder, picture, tars (a-{000..099}.tar, URLs) or manifest."
    ),
]
Output = Annotated[
    str, typer.Argument(metavar="OUT", help="Folder that mirrors IN; wds:OUT for tars.")
]
Model = Annotated[
    str,
    typer.Option(help="A model that `i2ikit models` lists.", autocompletion=complete_model),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|NAME",
        help="Weights: a file, the original program's folder, or one of `i2ikit checkpoints`.",
    ),
]
Direction = Annotated[Literal["a2b", "b2a"], typer.Option(help="Which way.")]
Option = Annotated[
    list[str] | None,
    typer.Option("-o", metavar="NAME=VALUE", help="A model's option: see i2ikit models NAME."),
]
StyleSample = Annotated[int | None, typer.Option(metavar="N", help="Draw N styles for each input.")]
StyleFrom = Annotated[
    str | None,
    typer.Option(
        metavar="IMG|DIR", help="Styles of example pictures; matched:DIR pairs them by name."
    ),
]
Styles = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Styles listed in a .npy, .safetensors or .jsonl."),
]
StylesPer = Annotated[
    Literal["sample", "folder", "run"], typer.Option(help="What shares drawn styles.")
]
Seed = Annotated[int, typer.Option(help="Seed of drawn styles.")]
Field = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=DIR[:SUFFIX]", help="Where another picture of each sample is; by name."
    ),
]
Size = Annotated[int | None, typer.Option(metavar="PX", help="Resize inputs to this shorter side.")]
LabelFrame = Annotated[
    Literal["stored", "shown"] | None,
    typer.Option(help="What labels of an EXIF-rotated picture speak of, if they don't tell."),
]
Format = Annotated[Literal["png", "jpg", "webp"], typer.Option(help="Of the output pictures.")]
Range = Annotated[
    Literal["fixed", "official"],
    typer.Option(help="official: pixels as the original program saves them."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")]
Precision = Annotated[Literal["fp32", "bf16", "fp16"], typer.Option(help="Of the network.")]
BatchSize = Annotated[
    str, typer.Option(metavar="auto|N", help="Inputs in flight; changes no pixel.")
]
Workers = Annotated[
    int | None, typer.Option(metavar="N", help="Threads that decode, and as many that encode.")
]
OnError = Annotated[
    Literal["skip", "stop"], typer.Option(help="What an input that fails does to the run.")
]
Shard = Annotated[
    str | None, typer.Option(metavar="i/n", help="Do the i-th of n parts; i counts from 0.")
]
Plan = Annotated[bool, typer.Option("--plan", help="Only say what would be done; write nothing.")]
Restart = Annotated[
    bool, typer.Option("--restart", help="Remove what an earlier run wrote; start over.")
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Try inputs again that failed earlier.")
]
Extend = Annotated[bool, typer.Option("--extend", help="Add inputs that came since the run began.")]
AllowVersionChange = Annotated[
    bool,
    typer.Option("--allow-version-change", help="Go on with other versions of torch etc."),
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="Stop after the first N inputs.")]
Eval = Annotated[
    list[str] | None,
    typer.Option(
        "--eval", metavar="METRIC=REF", help="Measure the outputs too: fid=real/, kid=real/ …"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
