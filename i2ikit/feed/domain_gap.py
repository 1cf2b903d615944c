"""Whether translated pictures help where it counts: on held-out, labelled pictures of the target.

Domain adaptation's own measure: the accuracy on the target of a network that learned from a set,
against one that learned from the source alone (the floor) and one from the labelled target (the
oracle): as in CyCADA (Hoffman et al. 2018, arXiv:1711.03213).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from i2ikit.errors import UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.results import Result, versions
from i2ikit.feed.probe import RATE, SHIFT, Confusion, Probe, step_counter
from i2ikit.feed.probe_data import ProbeData, compare, find_kind, load_all
from i2ikit.feed.probe_networks import MakeNetwork, choose_network
from i2ikit.feed.scores import METRICS, Scores, gap_closed, score
from i2ikit.feed.training_sets import open_training_set

SOURCE, ORACLE = "source only", "oracle"
#: The rows of the table have names; the test is no row.
_TEST = ""
#: Below this, the convolutions of a small network leave nothing.
_LEAST_SIDE = 8


def adaptation(
    *,
    source: str,
    test: str,
    adapted: Mapping[str, str] | None = None,
    target: str | None = None,
    size: int | None = None,
    map: str | None = None,
    network: str | MakeNetwork | None = None,
    seeds: int = 5,
    steps: int = 600,
    batch_size: int = 64,
    compute: Compute | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> dict[str, Result]:
    """Train the same probe on several labelled sets, and test all on held-out target pictures.

    A result for each training set: "source only", those of `adapted` by their names, "oracle". Its
    value is the mean over seeds of the accuracy (classes), or of the mean IoU over the classes that
    the test has (masks). `parts` has `std` over the seeds (of n - 1); `gain` over source only;
    `gap_closed`, (adapted - source) / (oracle - source), which may be negative; each seed's value,
    "seed 0" …; and each class's accuracy or IoU, "class dog" …, the mean over seeds.

    A set is `PICTURES[=LABELS]`, see `open_labelled`, or a built feed, of which the training split
    counts. Pictures are decoded once and held in memory. The network has an output for each class
    of any set, so that further classes of one set change the numbers of all rows a little.

    Args:
        source: labelled pictures of the source.
        test: labelled pictures of the target that no training set has, nor any model has seen.
        adapted: further training sets by name: translated pictures, or those with the source's.
        target: labelled training pictures of the target; None: no oracle, no gap closed.
        size: pictures are resized to the test's own shape with a shorter side of so many pixels;
            None: to its own size. A test of several shapes needs a size: of squares.
        map: what the ids of masks mean: "cityscapes19" or a CSV; None: they are the classes, and
            255 doesn't count. A feed whose masks were mapped already is left as it is.
        network: None: a small one. From (B, 3, H, W) in [-1, 1] to logits: a function of the number
            of classes that returns a module, "module:function", or "torchvision:NAME", which
            begins without weights.
        seeds: how often each is trained: from seed 0 on, which decides first weights and order.
        steps: updates in each training.
        batch_size: pictures an update.
        compute: device (the first of them), workers, and what a picture that can't be used does.
        on_warning: told before the first update what doesn't go together, a sentence each; the
            results have the same.

    Raises:
        UsageError: an argument out of bounds, or sets that are too large or don't go together.
        SampleError: a picture or label can't be used, and the work stops at such.
        ModelError: the network breaks its contract.
        I2IError: a set is not there, or can't be read.
    """
    compute = compute or Compute()
    compute.check()
    _check_bounds(size=size, seeds=seeds, steps=steps, batch_size=batch_size)
    places = {_TEST: test, **_name_rows(source, adapted or {}, target)}
    opened = {name: open_training_set(text, compute.on_error) for name, text in places.items()}
    chosen = choose_network(network, find_kind(opened))
    data = load_all(opened, _TEST, size=size, map=map, compute=compute)
    warnings = compare(data)
    if on_warning:
        for warning in chain.from_iterable(warnings.values()):
            on_warning(warning)
    probe = Probe(chosen, len(data.names), steps, batch_size, compute.devices()[0])
    card = _card(probe, data, seeds, map)
    found = _run_all(probe, data, seeds, compute)
    scores = {name: score(data.kind, each) for name, each in found.items()}
    return {
        name: Result(
            METRICS[data.kind],
            one.mean,
            _parts(name, scores, data.names),
            card={
                "row": name,
                "training": data.sets[name].side,
                **card,
                "warnings": warnings[name],
            },
        )
        for name, one in scores.items()
    }


def _check_bounds(*, size: int | None, seeds: int, steps: int, batch_size: int) -> None:
    for flag, value, least in (
        ("--size", size, _LEAST_SIDE),
        ("--seeds", seeds, 1),
        ("--steps", steps, 1),
        ("--batch-size", batch_size, 1),
    ):
        if value is not None and value < least:
            raise UsageError(f"{flag} {value} is less than {least}")


def _name_rows(source: str, adapted: Mapping[str, str], target: str | None) -> dict[str, str]:
    """Return where each training set is, in the order of the table."""
    for name in adapted:
        if name in (SOURCE, ORACLE, _TEST):
            raise UsageError(f"--adapted can't be called '{name}'", hint="a row has that name")
    return {SOURCE: source, **adapted, **({ORACLE: target} if target is not None else {})}


def _run_all(
    probe: Probe, data: ProbeData, seeds: int, compute: Compute
) -> dict[str, list[Confusion]]:
    """Return what each seed's probe of each training set makes of the test."""
    on_step = step_counter(compute, len(data.sets) * seeds * probe.steps)
    return {
        name: [probe.run(training, data.test, seed, on_step) for seed in range(seeds)]
        for name, training in data.sets.items()
    }


def _parts(name: str, scores: Mapping[str, Scores], names: Sequence[str]) -> dict[str, float]:
    """Return the further numbers of a row."""
    one, source, oracle = scores[name], scores[SOURCE], scores.get(ORACLE)
    parts = {} if one.std is None else {"std": one.std}
    if name != SOURCE:
        parts["gain"] = one.mean - source.mean
    if oracle and name not in (SOURCE, ORACLE):
        share = gap_closed(source.mean, one.mean, oracle.mean)
        parts |= {} if share is None else {"gap_closed": share}
    parts |= {f"seed {seed}": value for seed, value in enumerate(one.each)}
    return parts | {f"class {names[place]}": value for place, value in one.classes.items()}


def _card(probe: Probe, data: ProbeData, seeds: int, map: str | None) -> dict[str, Any]:
    """Return what all rows' cards have in common."""
    height, width = data.frame
    return {
        "network": probe.describe(),
        "device": str(probe.device),
        "test": data.test.side,
        "versions": versions(),
        "protocol": {
            "training": f"{probe.steps} steps of {probe.batch_size} pictures, Adam, rate {RATE}"
            " falling to 0; the last weights count",
            "augmentation": f"shifted by up to {SHIFT} px each way, edges repeated; no flips",
            "resize": f"to {width}×{height}, bicubic and antialiased"
            + ("" if data.kind == "class" else "; masks to the nearest pixel"),
            "seeds": f"{'0' if seeds == 1 else f'0…{seeds - 1}'}: first weights, order and shifts;"
            " std is of n - 1",
            **({"map": map} if map else {}),
        },
    }
