"""How an evaluation is carried out: the flags that commands of `i2ikit eval` share; progress."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_type_hints

import typer

from i2ikit.cli.shared import INTERRUPTED, blocked_plugins

if TYPE_CHECKING:
    from i2ikit.evaluate.compute import Compute

Command: TypeAlias = Callable[..., None]

_Device = Annotated[
    str, typer.Option(help="auto, cpu, cuda …; several, with commas, share the work.")
]
_Precision = Annotated[
    Literal["fp32", "bf16", "fp16"],
    typer.Option(help="Of the network; the lower ones change the number by some percent."),
]
_BatchSize = Annotated[
    int | None, typer.Option(metavar="N", help="Pictures a network takes at a time.")
]
_Workers = Annotated[int | None, typer.Option(metavar="N", help="Threads that read and decode.")]
_Cache = Annotated[
    bool, typer.Option("--cache/--no-cache", help="Keep features in ~/.cache/i2ikit.")
]
_OnError = Annotated[
    Literal["skip", "stop"], typer.Option(help="What a picture that can't be read does.")
]
_Download = Annotated[
    bool, typer.Option("--download", help="Fetch official weights that are missing.")
]

_FLAGS: dict[str, tuple[Any, Any]] = {
    "device": (_Device, "auto"),
    "precision": (_Precision, "fp32"),
    "batch_size": (_BatchSize, None),
    "workers": (_Workers, None),
    "cache": (_Cache, True),
    "on_error": (_OnError, "skip"),
    "download": (_Download, False),
}


def takes_compute(*, without: Collection[str] = ()) -> Callable[[Command], Command]:
    """Give a command these flags, or all but some; it gets them as its parameter `compute`."""
    flags = {name: flag for name, flag in _FLAGS.items() if name not in without}
    fixed: dict[str, Any] = {"cache": False} if "cache" in without else {}

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_flags(context: typer.Context, **given: Any) -> None:
            from i2ikit.evaluate.compute import Compute

            own = {name: given.pop(name) for name in flags}
            compute = Compute(blocked=blocked_plugins(context), **own, **fixed)
            command(compute=compute, **given)

        _describe(with_flags, command, flags)
        return with_flags

    return decorate


def _describe(with_flags: Command, command: Command, flags: Mapping[str, tuple[Any, Any]]) -> None:
    """Let Typer see a command's parameters and the flags as one signature."""
    unknown_yet = {"Compute": Any}  # importing it would load torch
    hints = get_type_hints(command, localns=unknown_yet, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("context", keyword, annotation=typer.Context),
        *(
            parameter.replace(kind=keyword, annotation=hints[name])
            for name, parameter in inspect.signature(command).parameters.items()
            if name != "compute"
        ),
        *(
            inspect.Parameter(name, keyword, default=default, annotation=hint)
            for name, (hint, default) in flags.items()
        ),
    ]
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in parameters}


@contextmanager
def following(compute: Compute, noun: str = "pictures") -> Iterator[Compute]:
    """Show the progress of what is done within; Ctrl-C ends it with a sentence."""
    from i2ikit.cli.show import ProgressView, err, progress_bar

    try:
        with progress_bar(err()) as bar:
            yield replace(compute, on_progress=ProgressView(bar, "measuring", noun).report)
    except KeyboardInterrupt:
        kept = "; features so far are in the cache" if compute.cache else ""
        typer.echo(f"i2ikit: interrupted{kept}", err=True)
        raise typer.Exit(INTERRUPTED) from None
