"""`translate`: a run from request to summary, on one device of this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from i2ikit.data.images import ImageFormat
from i2ikit.devices import Precision, arithmetic, default_workers
from i2ikit.errors import RunError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.meter import Meter, open_meter
from i2ikit.evaluate.results import Result
from i2ikit.labels.places import LabelFrame
from i2ikit.model import Direction
from i2ikit.progress import Progress
from i2ikit.translation.execution import Execution
from i2ikit.translation.job import Job, Translator
from i2ikit.translation.pipeline import run_shard, worker_pools
from i2ikit.translation.plan import Plan, Shard, load_plan
from i2ikit.translation.prepare import Prepared, agree, prepare
from i2ikit.translation.receipts import Receipt, is_done, read_receipt
from i2ikit.translation.records import METADATA, Totals, is_complete, merge
from i2ikit.translation.request import Request
from i2ikit.translation.stages import Clock
from i2ikit.translation.styles import StylesPer

#: Pictures that wait for a GPU: two of its largest batches.
_GPU_BATCH_SIZE = 32


@dataclass(frozen=True)
class RunSummary:
    """What a run has done, with earlier starts of the same run.

    Attributes:
        output: the folder.
        num_inputs: inputs that have an outcome.
        num_outputs: pictures written.
        num_failed: inputs that failed.
        failures: why, for the first few.
        num_resumed: inputs that earlier starts had done.
        seconds: that this start took after loading.
        stages: of these, seconds spent waiting: "read", "translate", "save" (encoding), "measure"
            (with `evaluate`), "write".
        is_complete: whether every input of the plan has an outcome.
        evaluation: results by the names of the metrics that were asked for; none while outputs
            of other parts (`shard`) are missing.
        unmeasured: why others could not be measured.
    """

    output: Path
    num_inputs: int
    num_outputs: int
    num_failed: int
    failures: tuple[str, ...]
    num_resumed: int
    seconds: float
    stages: Mapping[str, float]
    is_complete: bool
    evaluation: Mapping[str, Result] = field(default_factory=dict)
    unmeasured: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Counter:
    """Counts inputs and tells whoever watches."""

    total: int | None
    watcher: Callable[[Progress], None] | None
    done: int = 0
    failed: int = 0
    resumed: int = 0

    def add(self, *, failed: int, done: int = 1, resumed: int = 0) -> None:
        self.done += done
        self.failed += failed
        self.resumed += resumed
        if self.watcher:
            self.watcher(Progress(self.done, self.total, self.failed, self.resumed))


def translate(
    source: str | Path,
    output: str | Path,
    *,
    model: str,
    checkpoint: str | Path | None = None,
    direction: Direction = "a2b",
    options: Mapping[str, Any] | None = None,
    style_sample: int | None = None,
    style_from: str | Path | None = None,
    styles: str | Path | None = None,
    styles_per: StylesPer = "sample",
    seed: int = 0,
    fields: Mapping[str, str | Path] | None = None,
    size: int | None = None,
    label_frame: LabelFrame | None = None,
    format: ImageFormat = "png",
    range: Literal["fixed", "official"] = "fixed",
    device: str = "auto",
    precision: Precision = "fp32",
    batch_size: int | None = None,
    workers: int | None = None,
    on_error: Literal["skip", "stop"] = "skip",
    shard: tuple[int, int] | None = None,
    restart: bool = False,
    retry_failed: bool = False,
    extend: bool = False,
    allow_version_change: bool = False,
    limit: int | None = None,
    evaluate: Mapping[str, str | Path] | None = None,
    blocked: Iterable[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> RunSummary:
    """Translate a data set; called again with the same arguments, it goes on where it stopped.

    Args:
        source: a folder, one picture, tars (with braces, or URLs), or a manifest.
        output: a folder that will mirror the source; "wds:FOLDER" for tars.
        model: a name that `i2ikit models` lists.
        checkpoint: a file, or the original program's folder.
        direction: "a2b" or "b2a".
        options: the model's own settings.
        style_sample: draw this many styles for each input.
        style_from: a picture, or a folder of them: each is one style for every input;
            "matched:FOLDER": each input takes the style of the picture of its key.
        styles: a file of noise vectors or explicit choices, see `read_styles`.
        styles_per: what shares drawn styles: "sample", "folder" or "run".
        seed: of the drawn styles.
        fields: further pictures of each sample: {"instance": "DIR[:SUFFIX]"}.
        size: resize each input so that its shorter side has this many pixels.
        label_frame: whether labels that don't tell speak of a picture with an EXIF rotation as it
            is "stored", or as a viewer has it "shown".
        format: of the output pictures: "png", "jpg", "webp".
        range: "fixed": [-1, 1] to 0 … 255; "official": what the original program saves.
        device: "auto", "cpu", "cuda", "cuda:1" …
        precision: "fp32", "bf16" or "fp16" (autocast).
        batch_size: pictures that a CPU computes at a time, or that wait for a GPU; changes no
            pixel. None: chosen.
        workers: threads that decode, and as many that encode. None: chosen.
        on_error: "skip" records an input that fails, "stop" ends the run at the first.
        shard: (i, n): run only the plan's shards j with j mod n = i.
        restart: remove what an earlier run wrote, and start over.
        retry_failed: run the shards with failed inputs again.
        extend: add inputs that came since the plan was made.
        allow_version_change: go on with other versions of i2ikit, torch or the codecs.
        limit: stop after the first so many inputs.
        evaluate: a reference, pictures or statistics, by the names of metrics ("fid") that are
            measured on the outputs; features are computed while these are made.
        blocked: plugins not to import.
        on_progress: called after each input.

    Raises:
        I2IError: what and why, in a sentence; see `i2ikit.errors`.
    """
    request = Request(
        source=str(source),
        output=str(output),
        model=model,
        checkpoint=checkpoint,
        direction=direction,
        options=options or {},
        style_sample=style_sample,
        style_from=None if style_from is None else str(style_from),
        styles=Path(styles) if styles else None,
        styles_per=styles_per,
        seed=seed,
        fields={name: str(place) for name, place in (fields or {}).items()},
        size=size,
        label_frame=label_frame,
        format=format,
        range=range,
        device=device,
        precision=precision,
    )
    execution = Execution(
        batch_size=batch_size,
        workers=workers,
        on_error=on_error,
        shard=shard,
        restart=restart,
        retry_failed=retry_failed,
        extend=extend,
        allow_version_change=allow_version_change,
        limit=limit,
        evaluate=evaluate or {},
        blocked=tuple(blocked),
    )
    return run(request, execution, on_progress)


def run(
    request: Request,
    execution: Execution,
    on_progress: Callable[[Progress], None] | None = None,
    on_measured: Callable[[Progress], None] | None = None,
) -> RunSummary:
    """Do what `translate` does, its arguments sorted into what is wanted and how it is done.

    `on_measured` follows the evaluation after the last input.
    """
    execution.check()
    prepared = prepare(request, execution.blocked)
    meter = _open_meter(prepared, execution, on_measured) if execution.evaluate else None
    prepared = agree(prepared, execution)
    counter = _Counter(_count(prepared.plan, execution), on_progress)
    job = Job(
        plan=prepared.plan,
        source=prepared.source,
        translator=_translator(prepared),
        set_labels=prepared.set_labels,
        home=prepared.home,
        batch_size=execution.batch_size or _default_batch_size(prepared.plan),
        workers=default_workers() if execution.workers is None else execution.workers,
        on_error=execution.on_error,
        on_input=lambda has_failed: counter.add(failed=int(has_failed)),
        meter=meter,
    )
    summary = _run_shards(job, execution, counter)
    is_merged = summary.is_complete or execution.shard is None
    if meter is None or not is_merged or not (job.home.root / METADATA).exists():
        return summary
    results, problems = meter.measure(job.home.root)
    return replace(summary, evaluation=results, unmeasured=problems)


def _translator(prepared: Prepared) -> Translator:
    settings, model = prepared.plan.settings, prepared.loaded.model
    return Translator(
        model,
        prepared.styles,
        prepared.device,
        settings.precision,
        settings.size,
        model.official_range if settings.range == "official" else "round",
    )


def _open_meter(
    prepared: Prepared, execution: Execution, on_measured: Callable[[Progress], None] | None
) -> Meter:
    """Return what measures the outputs on the run's device."""
    compute = Compute(
        device=str(prepared.device),
        workers=execution.workers,
        on_error=execution.on_error,
        blocked=tuple(execution.blocked),
        on_progress=on_measured,
    )
    return open_meter(execution.evaluate, compute)


def _default_batch_size(plan: Plan) -> int:
    """Return how many pictures to have in flight: as many as keep all threads busy."""
    if plan.settings.backend != "cpu":
        return _GPU_BATCH_SIZE
    return max(1, torch.get_num_threads() // plan.settings.threads)


def _count(plan: Plan, execution: Execution) -> int | None:
    """Return how many inputs this worker will see."""
    counts = [
        None if shard.keys is None else len(shard.keys) for shard in execution.own(plan.shards)
    ]
    if None in counts:
        return execution.limit
    total = sum(count or 0 for count in counts)
    return total if execution.limit is None else min(total, execution.limit)


def _needs_no_run(
    job: Job, execution: Execution, shard: Shard, earlier: Receipt, room: int | None
) -> bool:
    """Tell whether what an earlier start has left of a shard is all that is wanted now."""
    if execution.retry_failed and earlier.failures:
        return False
    if not all((job.home.root / name).exists() for name in earlier.files):
        return False
    return is_done(job.home, shard) or (room is not None and len(earlier.outcomes) >= room)


def _run_shards(job: Job, execution: Execution, counter: _Counter) -> RunSummary:
    """Run the shards that are not done, then merge what all starts have left."""
    start, clock, totals = time.perf_counter(), Clock(), Totals()
    try:
        measuring = job.meter.at_work() if job.meter else nullcontext()
        with arithmetic(job.plan.settings.threads), worker_pools(job) as pools, measuring:
            job.translator.styles.encode(job.translator.model)
            for shard in execution.own(job.plan.shards):
                room = None if execution.limit is None else execution.limit - totals.num_inputs
                if room is not None and room <= 0:
                    break
                earlier = read_receipt(job.home, shard)
                if earlier and _needs_no_run(job, execution, shard, earlier, room):
                    count = len(earlier.outcomes)
                    counter.add(failed=len(earlier.failures), done=count, resumed=count)
                    totals.add(earlier)
                else:
                    totals.add(run_shard(job, shard, pools, clock, room))
        complete = _merge(job, execution)
    except OSError as error:  # a full disk, most likely
        raise RunError(
            f"{job.home.root} can't be written: {error.strerror}",
            hint="the same command goes on where it stopped",
        ) from None
    seconds = time.perf_counter() - start
    stages = clock.shares()
    return RunSummary(
        output=job.home.root,
        num_inputs=totals.num_inputs,
        num_outputs=totals.num_outputs,
        num_failed=totals.num_failed,
        failures=tuple(totals.failures),
        num_resumed=counter.resumed,
        seconds=seconds,
        stages={**stages, "write": seconds - sum(stages.values())},
        is_complete=complete,
    )


def _merge(job: Job, execution: Execution) -> bool:
    """Merge the records if that is this start's business; return whether the run is complete."""
    with job.home.alone():
        plan = load_plan(job.home) or job.plan  # another start may have extended it
        complete = is_complete(job.home, plan)
        if complete or execution.shard is None:
            merge(job.home, plan, job.source, job.set_labels)
    return complete
