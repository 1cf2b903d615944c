"""`i2ikit models [NAME]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from i2ikit.cli.shared import blocked_plugins, complete_model, print_json
from i2ikit.hookspecs import ModelEntry

if TYPE_CHECKING:
    from i2ikit.plugins import Catalogue


def models(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(help="Show this model's options and facts.", autocompletion=complete_model),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """List the models, or show one: options with defaults and bounds, inputs, styles, sizes."""
    from i2ikit.plugins import discover

    catalogue = discover(blocked_plugins(context))
    if name is None:
        _list(catalogue, as_json=as_json)
        return
    from i2ikit.describe import describe_model

    facts = describe_model(catalogue.find(ModelEntry, name))
    if as_json:
        print_json(facts)
    else:
        _show(facts)


def _list(catalogue: Catalogue, *, as_json: bool) -> None:
    found = catalogue.offered(ModelEntry)
    broken = [plugin for plugin in catalogue.plugins if plugin.problem]
    if as_json:
        print_json(
            [
                {
                    "name": entry.name,
                    "summary": entry.summary,
                    "paper": entry.paper,
                    "package": plugin.package,
                    "version": plugin.version,
                }
                for entry, plugin in found
            ]
        )
        return
    width = max((len(entry.name) for entry, _ in found), default=0)
    for entry, plugin in found:
        paper = f" ({entry.paper})" if entry.paper else ""
        typer.echo(f"{entry.name:{width}}  {entry.summary}{paper}  [{plugin.package}]")
    for plugin in broken:
        typer.echo(
            f"plugin '{plugin.name}' of {plugin.package} {plugin.version} is broken: "
            f"{plugin.problem}",
            err=True,
        )


def _show(facts: dict[str, Any]) -> None:
    for title in ("name", "summary", "paper"):
        if facts.get(title):
            typer.echo(f"{title + ':':12}{facts[title]}")
    for title, value in facts["facts"].items():
        typer.echo(f"{title + ':':12}{value}")
    if facts["options"]:
        typer.echo("\noptions (-o name=value):")
    for option in facts["options"]:
        default = "needed" if option["is_required"] else f"default {option['default']}"
        details = "; ".join(filter(None, (option["type"], default, option["bounds"])))
        typer.echo(f"  {option['name']}  [{details}]")
        if option["help"]:
            typer.echo(f"      {option['help']}")
