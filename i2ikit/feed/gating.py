"""`gate`: from a translation to a report of the outputs that should be kept out of training.

read → measure → compare with each other → judge → write
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from i2ikit.ahead import ahead
from i2ikit.data.images import Pixels
from i2ikit.devices import arithmetic
from i2ikit.errors import SampleError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.own import OwnLike
from i2ikit.feed.checks.agreement import Agreement, load_agreement
from i2ikit.feed.checks.cycle import Cycle, load_cycle
from i2ikit.feed.checks.limits import Limits
from i2ikit.feed.checks.pairs import Output, Outputs, Translated, open_translated
from i2ikit.feed.checks.pixelwise import change, contrast, saturated
from i2ikit.feed.checks.repeats import thumbnail
from i2ikit.feed.checks.report import GateSummary, Measured, write_report
from i2ikit.feed.checks.structure import structure
from i2ikit.progress import Progress
from i2ikit.scratch import new_folder


def gate(
    translated: str | Path,
    report: str | Path,
    *,
    limits: Limits | None = None,
    cycle: str | Path | None = None,
    labels: str | None = None,
    segmenter: OwnLike | None = None,
    classifier: OwnLike | None = None,
    compute: Compute | None = None,
) -> GateSummary:
    """Measure every output of a translation against its source, and say which are bad.

    `report` gets report.jsonl, a line an output with its measures and the reasons why it is bad;
    report.json, with the limits, how many break each, and quantiles of the measures; and
    worst-MEASURE.png, the sixteen worst outputs, each to the right of its source. It is there
    whole, or not at all.

    Args:
        translated: OUT of `translate`, a folder or tars; its IN must still be where it was.
        report: a new folder.
        limits: what is bad. None: the defaults.
        cycle: the checkpoint of the translation, to translate outputs back and compare; the model
            must go both ways.
        labels: of the sources: `PICTURES=LABELS`, see `open_labelled`. Without a network, a small
            one, trained as `adaptation` trains its own, learns them from the sources.
        segmenter: (B, 3, H, W) float32 in [-1, 1] to logits (B, classes, H, W), which may be
            smaller, or ids (B, H, W), in the ids of the masks: a callable, or "module:function",
            which is called without arguments and returns it.
        classifier: to logits (B, classes) likewise, for the classes in the order of their names;
            classes that are numbers are places.
        compute: devices and so on; of several devices, the first.

    Raises:
        RunError: `translated` is no finished translation, or `report` is there already.
        SampleError: a picture can't be read, and the work stops at such.
        UsageError: a network without labels; a model that can't go back.
        I2IError: model, network, labels or IN can't be had.
    """
    compute, limits = compute or Compute(), limits or Limits()
    compute.check()
    with new_folder(Path(report)) as folder:
        made = open_translated(translated, compute.blocked)
        agreement = load_agreement(labels, segmenter, classifier, made.settings.size, compute)
        back = load_cycle(made.settings, cycle, compute) if cycle is not None else None
        measured = _measure_all(_Checks(made, back, agreement), compute)
        summary = write_report(folder, made, limits, _follow(measured, compute, made))
    return replace(summary, report=Path(report))


@dataclass(frozen=True)
class _Checks:
    """What every output is put to.

    Attributes:
        made: the translation.
        cycle: what translates back, if asked for.
        agreement: a network with labels, if asked for.
    """

    made: Translated
    cycle: Cycle | None
    agreement: Agreement | None


def measure_pixels(output: Pixels, source: Pixels) -> dict[str, float]:
    """Return what an output and its source tell without a network, by the names of `Limits`.

    Args:
        output: uint8 (H, W, 3).
        source: the picture that it was made from, uint8 (H, W, 3).
    """
    return {**_measure_levels(output, source), **structure(output, source)}


def _measure_levels(output: Pixels, source: Pixels) -> dict[str, float]:
    return {
        "saturated": saturated(output, source),
        "contrast": contrast(output, source),
        "change": change(output, source),
    }


def _measure_all(checks: _Checks, compute: Compute) -> Iterator[list[Measured]]:
    """Yield the outputs of each input measured, in order, several inputs at a time."""
    workers = compute.chosen_workers()
    with ExitStack() as stack:
        stack.enter_context(arithmetic(max(1, torch.get_num_threads() // max(1, workers))))
        pool = stack.enter_context(ThreadPoolExecutor(workers)) if workers else None
        yield from ahead(partial(_measure, checks), checks.made.read(), pool, 2 * workers)


def _measure(checks: _Checks, made: Outputs) -> list[Measured]:
    try:
        source = checks.made.decode_source(made)
    except SampleError as error:
        return [Measured(made.key, out, failure=str(error)) for out in made.outputs]
    return [_measure_output(checks, made.key, out, source) for out in made.outputs]


def _measure_output(checks: _Checks, key: str, output: Output, source: Pixels) -> Measured:
    try:
        pixels = checks.made.decode_output(output, source)
        measures = _measures(checks, key, pixels, source)
    except SampleError as error:
        return Measured(key, output, failure=str(error))
    return Measured(key, output, measures, (thumbnail(pixels), thumbnail(source)))


def _measures(checks: _Checks, key: str, output: Pixels, source: Pixels) -> Mapping[str, float]:
    # a map has no edges within its regions, where the picture made of it is free to have some
    measure = measure_pixels if checks.made.is_of_pictures else _measure_levels
    measures = measure(output, source)
    if checks.cycle:
        measures["cycle"] = checks.cycle.measure(output, source, key)
    if checks.agreement and (share := checks.agreement.measure(output, key)) is not None:
        measures["agreement"] = share
    return measures


def _follow(
    groups: Iterator[list[Measured]], compute: Compute, made: Translated
) -> Iterator[Measured]:
    """Yield the outputs one by one, report how far they are, and stop at a failure if asked."""
    done = failed = 0
    for group in groups:
        for measured in group:
            if measured.failure and compute.on_error == "stop":
                raise SampleError(measured.failure, hint="--on-error skip rejects it and goes on")
            done, failed = done + 1, failed + (measured.failure != "")
            yield measured
        if compute.on_progress:
            compute.on_progress(Progress(done, made.num_outputs, failed, 0))
