"""How results of an evaluation are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import typer

from i2ikit.cli.shared import WITH_FAILURES, print_json
from i2ikit.errors import counted

if TYPE_CHECKING:
    from i2ikit.evaluate.results import Result

_SIDES = ("real", "generated", "pictures", "training", "test")
#: What each result's card has for itself.
_OWN = ("protocol", "warnings")
#: Lines of the card that are told with others, or elsewhere.
_TOLD = {"dims", "weights_sha256", "weights_official", "versions", *_OWN, *_SIDES}


def show_results(results: Sequence[Result], *, as_json: bool) -> None:
    """Print results with their cards; end with status 3 if pictures were left out."""
    if as_json:
        print_json([r.to_json() for r in results] if len(results) > 1 else results[0].to_json())
    else:
        print_results(results)
    if name_failures(results):
        raise typer.Exit(WITH_FAILURES)


def print_results(results: Sequence[Result]) -> None:
    """Print results, those that share a card together."""
    for _, group in groupby(results, key=_shared):
        alike = list(group)
        for result in alike:
            _show_number(result)
        show_card(alike[0].card)
        for warning in dict.fromkeys(w for result in alike for w in result.warnings):
            typer.echo(f"warning: {warning}")


def _shared(result: Result) -> dict[str, Any]:
    """Return what results of one extraction have in common."""
    return {name: value for name, value in result.card.items() if name not in _OWN}


def _failures(result: Result) -> list[str]:
    """Return why pictures were left out."""
    return [line for side in _SIDES for line in result.card.get(side, {}).get("failed", ())]


def name_failures(results: Sequence[Result]) -> bool:
    """Name pictures that could not be measured, and tell whether there were any."""
    return show_failures(list(dict.fromkeys(line for r in results for line in _failures(r))))


def show_failures(failures: Sequence[str]) -> bool:
    """Print why pictures were left out, and tell whether any was."""
    if failures:
        typer.echo(f"{counted(len(failures), 'picture')} left out:", err=True)
    for reason in failures:
        typer.echo(f"  {reason}", err=True)
    return bool(failures)


def _show_number(result: Result) -> None:
    name = result.metric.upper() if len(result.metric) <= 5 else result.metric
    space = result.card.get("features")
    where = f" in {space}" if space not in (None, "inception") else ""
    interval = ""
    if result.interval:
        low, high = result.interval
        interval = f"   95 %: {low:.6g} … {high:.6g}"
    typer.echo(f"{name}{where}: {result.value:.6g}{interval}")
    for part, value in result.parts.items():
        typer.echo(f"  {part}: {value:.6g}")
    for what, said in result.card.get("protocol", {}).items():
        typer.echo(f"  {what}: {said}")


def show_card(card: Mapping[str, Any]) -> None:
    """Print what a card says, but for its protocol and warnings."""
    for name, value in card.items():
        if name in _SIDES:
            typer.echo(f"{name + ':':15}{describe_side(value)}")
        elif name == "weights" and value:
            typer.echo(f"{name + ':':15}{_weights(card)}")
        elif name == "features":
            typer.echo(f"{name + ':':15}{value}, {card['dims']} dims")
        elif name not in _TOLD and value not in ("", None):
            typer.echo(f"{name.replace('_', ' ') + ': ':15}{value}")
    if "versions" in card:
        listed = ", ".join(f"{name} {number}" for name, number in card["versions"].items())
        typer.echo(f"{'versions:':<15}{listed}")


def _weights(card: Mapping[str, Any]) -> str:
    official = {True: ", the official file", False: ", not the official file", None: ""}
    digest = str(card.get("weights_sha256", ""))[:16]
    return f"{card['weights']}, SHA-256 {digest}…{official[card.get('weights_official')]}"


def describe_side(side: Mapping[str, Any]) -> str:
    """Return one side of a card in a line."""
    n = side.get("n")
    told = [f"{side['location']}: " + ("unknown N" if n is None else counted(n, "picture"))]
    told += [f"{count} {kind}" for kind, count in side.get("file_types", {}).items()]
    if ends := side.get("shorter_sides"):
        told.append(f"shorter sides {'…'.join(map(str, dict.fromkeys(ends)))} px")
    if side.get("from_cache"):
        told.append(f"{side['from_cache']} from the cache")
    if side.get("failed"):
        told.append(f"{len(side['failed'])} left out")
    return ", ".join(told)
