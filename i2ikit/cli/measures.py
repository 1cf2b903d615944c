"""The arguments and flags of `i2ikit eval` that say what is measured, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Real = Annotated[
    str, typer.Argument(metavar="REAL", help="Folder, tars, manifest, or statistics (.npz).")
]
Generated = Annotated[
    str, typer.Argument(metavar="GENERATED", help="The same; or OUT of a translation.")
]
Truth = Annotated[
    str, typer.Argument(metavar="TRUTH", help="Folder, tars or manifest of true pictures.")
]
Images = Annotated[
    str, typer.Argument(metavar="IMAGES", help="Folder, tars, manifest, or OUT of a translation.")
]
Outputs = Annotated[
    str, typer.Argument(metavar="OUT", help="OUT of a translation: outputs grouped by input.")
]
Features = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Feature space that `i2ikit weights` lists."),
]
Dims = Annotated[
    int | None,
    typer.Option(metavar="N", help="Length of its features; Inception: 64 … 2048."),
]
Weights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Weights to use instead of the official ones.")
]
Convention = Annotated[
    str | None,
    typer.Option(
        metavar="PACKAGE", help="Whose number is wanted: pytorch-fid, clean-fid, torch-fidelity."
    ),
]
Option = Annotated[
    list[str] | None, typer.Option("-o", metavar="NAME=VALUE", help="An option of the metric.")
]
Interval = Annotated[bool, typer.Option("--interval", help="Add 95 % of how far it would vary.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

Net = Annotated[Literal["alex", "squeeze", "vgg"], typer.Option(help="The network of LPIPS.")]
Backbone = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The network's weights to use instead of the official ones."),
]
