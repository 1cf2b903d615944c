"""LPIPS diversity: how far the outputs of one input lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np

from i2ikit.errors import SampleError, SourceError, UsageError, counted, did_you_mean
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.embedding import Embedded, embed
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.groups import Groups, Outputs, read_groups
from i2ikit.evaluate.loaded import tally_up
from i2ikit.evaluate.moments import Doubles
from i2ikit.evaluate.pairings import PROTOCOLS, Pairing, Places, Protocol, parse_pairs
from i2ikit.evaluate.perceptual import Perceptual, distances, open_perceptual
from i2ikit.evaluate.resampling import BOOTSTRAP, interval_of_mean
from i2ikit.evaluate.results import Result, describe_side, versions
from i2ikit.evaluate.sets import Picture

#: Inputs that the protocols of papers have.
_USUAL_INPUTS = 100
#: The size that they measure at.
_USUAL_SIZE = (256, 256)


@dataclass(frozen=True)
class _Plan:
    """What is measured, and how."""

    protocol: str
    version: str
    pairing: Pairing
    num_outputs: int | None
    seed: int

    def take(self, groups: Mapping[str, Sequence[Picture]]) -> dict[str, Sequence[Picture]]:
        """Return the outputs of each input that are measured; inputs with only one are left out.

        Raises:
            UsageError: an input has fewer than the protocol needs.
        """
        due = self.num_outputs
        for name, members in groups.items():
            if due is not None and len(members) < due:
                raise UsageError(
                    f"--protocol {self.protocol} takes {due} outputs of each input, '{name}' has"
                    f" {len(members)}",
                    hint=f"translate with --style-sample {due}",
                )
        return {name: members[:due] for name, members in groups.items() if len(members) > 1}


def lpips_diversity(
    outputs: Outputs,
    *,
    net: str = "alex",
    version: str | None = None,
    pairs: str | None = None,
    protocol: str | None = None,
    backbone: str | Path | None = None,
    seed: int = 0,
    interval: bool = False,
    compute: Compute | None = None,
) -> Result:
    """Measure the mean LPIPS between outputs of an input: over its pairs, then over inputs.

    Args:
        outputs: OUT of a translation; a folder, tars or a manifest with a folder of outputs for
            each input; or groups of pictures as arrays.
        net: "alex", "squeeze" or "vgg".
        version: of LPIPS, "0.0" or "0.1"; None: the protocol's, else 0.1.
        pairs: "all", "consecutive" (0 and 1, 1 and 2 …), "independent" (0 and 1, 2 and 3 …) or
            "random:K" (K different ones of each input); None: the protocol's, else all.
        protocol: a paper's: "munit" (19 independent pairs of 38 outputs), "bicyclegan" (19
            consecutive pairs of 20 outputs, LPIPS 0.0); or "all-pairs". Of more outputs than it
            needs the first are taken.
        backbone: a file to use instead of the network's official weights.
        seed: of the pairs that are drawn.
        interval: whether to add an interval, bootstrapped over inputs.
        compute: devices, batch size and so on.

    Raises:
        I2IError: what and why, in a sentence.
    """
    compute = compute or Compute()
    compute.check()
    if seed < 0:
        raise UsageError(f"--seed {seed} is less than 0")
    plan = _make_plan(protocol, net, version, pairs, seed)
    groups, tally = read_groups(outputs), Tally()
    members = plan.take(_without_lost(groups, compute, tally))
    places = {name: plan.pairing.choose(len(m), name, seed) for name, m in members.items()}
    perceptual = open_perceptual(net, plan.version, backbone, download=compute.download)

    found: dict[str, Doubles] = {}
    pictures = embed(list(members.values()), perceptual, compute)
    for name, embedded in zip(members, pictures, strict=True):
        tally_up(tally, embedded)
        if len(values := _measure(embedded, places[name])):
            found[name] = values
    if not found:
        raise SourceError(f"no pair of {groups.location} can be measured: {tally.failures[0]}")
    card: dict[str, Any] = {
        **perceptual.card(),
        "precision": compute.precision,
        "generated": describe_side(groups.location, tally),
        "protocol": _describe(plan, groups, found),
        "versions": {**versions(), "lpips": installed("lpips")},
        "warnings": _warnings(plan, perceptual, groups, found, tally),
    }
    means = np.array([values.mean() for values in found.values()])
    spread = interval_of_mean(means) if interval else None
    if spread:
        card["protocol"]["interval"] = BOOTSTRAP
    return Result("lpips", float(means.mean()), _standard_error(means), spread, card)


def _make_plan(
    protocol: str | None, net: str, version: str | None, pairs: str | None, seed: int
) -> _Plan:
    """Join a protocol with what was asked for beside it.

    Raises:
        UsageError: no such protocol, or it says otherwise.
    """
    if protocol is not None and protocol not in PROTOCOLS:
        raise UsageError(f"unknown protocol '{protocol}'", hint=did_you_mean(protocol, PROTOCOLS))
    chosen = PROTOCOLS[protocol] if protocol else Protocol("")
    for flag, due, given in (
        ("--net", chosen.net, net),
        ("--lpips-version", chosen.version, version),
        ("--pairs", chosen.pairs, pairs),
    ):
        if due and given not in (None, due):
            raise UsageError(
                f"--protocol {protocol} means {flag} {due}, but {flag} {given} was given",
                hint=f"leave out {flag}, or --protocol",
            )
    return _Plan(
        protocol or "",
        version or chosen.version or "0.1",
        parse_pairs(pairs or chosen.pairs or "all"),
        chosen.num_outputs,
        seed,
    )


def _without_lost(groups: Groups, compute: Compute, tally: Tally) -> dict[str, Sequence[Picture]]:
    """Return the groups but those of which nothing is left, like the rest of a tar cut short.

    Raises:
        SampleError: there is such a group, and the work stops at what can't be read.
    """
    found = {}
    for name, members in groups.members.items():
        if not all(member.problem for member in members):
            found[name] = members
        elif compute.on_error == "stop":
            raise SampleError(
                members[0].problem, hint="--on-error skip leaves it out and counts it"
            )
        else:
            tally.failures += [member.problem for member in members]
    return found


def _measure(members: Sequence[Embedded], places: Places) -> Doubles:
    """Return LPIPS of pairs, those left out with a picture that can't be read."""
    readable = [place for place, member in enumerate(members) if member.vector is not None]
    known = distances([v for member in members if (v := member.vector) is not None]).numpy()
    every: Doubles = np.full((len(members), len(members)), np.nan)
    every[np.ix_(readable, readable)] = known
    values = every[places[:, 0], places[:, 1]]
    return values[~np.isnan(values)]


def _standard_error(values: Doubles) -> dict[str, float]:
    """Return the standard error of a mean as a part of a result; nothing for one value."""
    if len(values) < 2:
        return {}
    return {"standard_error": float(values.std(ddof=1) / len(values) ** 0.5)}


def _describe(plan: _Plan, groups: Groups, found: Mapping[str, Doubles]) -> dict[str, Any]:
    """Return the protocol as a card has it."""
    counts = sorted({len(values) for values in found.values()})
    told = {
        "protocol": plan.protocol,
        "inputs": len(found),
        "pairs_per_input": counts[0] if len(counts) == 1 else f"{counts[0]}…{counts[-1]}",
        "pairs": plan.pairing.kind,
        "seed": plan.seed if plan.pairing.kind == "random" else None,
        "grouped_by": groups.grouped_by,
    }
    return {name: value for name, value in told.items() if value not in ("", None)}


def _warnings(
    plan: _Plan,
    perceptual: Perceptual,
    groups: Groups,
    found: Mapping[str, Doubles],
    tally: Tally,
) -> list[str]:
    warnings = perceptual.warnings()
    if plan.protocol and (question := PROTOCOLS[plan.protocol].open_question):
        warnings.append(question)
    if lost := len(groups.members) - len(found):
        total = counted(len(groups.members), "input")
        warnings.append(f"{lost} of {total} left out: without a pair that can be measured")
    if len(found) < _USUAL_INPUTS:
        warnings.append(
            f"{counted(len(found), 'input')}: the protocols of papers have {_USUAL_INPUTS}"
        )
    if jpegs := tally.formats["JPEG"]:
        warnings.append(f"{jpegs} of {tally.n} pictures are JPEG: its artefacts alone move LPIPS")
    if set(tally.sizes) != {_USUAL_SIZE}:
        sizes = ", ".join(f"{width}x{height}" for width, height in sorted(tally.sizes)[:3])
        more = ", …" if len(tally.sizes) > 3 else ""
        warnings.append(f"sizes are {sizes}{more}, in papers 256x256: LPIPS depends on the size")
    return warnings
