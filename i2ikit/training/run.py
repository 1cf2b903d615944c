"""`train`: from two domains to a checkpoint that translates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from i2ikit.devices import Precision, arithmetic, choose_device, default_workers
from i2ikit.loading import place_of
from i2ikit.plugins import discover
from i2ikit.training.board import open_board
from i2ikit.training.contract import Training
from i2ikit.training.data import Batch, Pool, batches
from i2ikit.training.labels import Labels
from i2ikit.training.log import Log, trim_log
from i2ikit.training.loop import Loop
from i2ikit.training.measures import ValidMetric
from i2ikit.training.process import ALONE, Process, joined
from i2ikit.training.report import Report, Start, TrainSummary
from i2ikit.training.request import Request, make_training, open_pools
from i2ikit.training.semantic import add_semantic_loss
from i2ikit.training.state import Average, Home, State, agree
from i2ikit.training.stepping import Stepper
from i2ikit.training.validation import Validation, open_validation

#: Batches that are loaded ahead.
_AHEAD = 4


def train(
    model: str,
    a: str | Path,
    b: str | Path,
    output: str | Path,
    *,
    size: int = 256,
    load_size: int | None = None,
    flip: bool = True,
    steps: int = 20_000,
    batch_size: int | None = None,
    accumulate: int = 1,
    options: Mapping[str, Any] | None = None,
    settings: str | Path | None = None,
    start_from: str | Path | None = None,
    fields_a: Mapping[str, str] | None = None,
    fields_b: Mapping[str, str] | None = None,
    valid_a: str | Path | None = None,
    valid_b: str | Path | None = None,
    valid_fields_a: Mapping[str, str] | None = None,
    valid_fields_b: Mapping[str, str] | None = None,
    valid_metric: ValidMetric | None = None,
    valid_every: int = 1000,
    semantic_loss: float | None = None,
    labels_a: str | None = None,
    map: str | None = None,
    seed: int = 0,
    average: float = 0.999,
    precision: Precision = "fp32",
    device: str = "auto",
    workers: int | None = None,
    time_limit: float | None = None,
    save_every: int = 1000,
    sample_every: int = 1000,
    log_every: int = 50,
    tensorboard: bool = False,
    layout: Literal["safetensors", "upstream"] = "safetensors",
    restart: bool = False,
    process: Process = ALONE,
    blocked: Iterable[str] = (),
    on_progress: Callable[[Report], None] | None = None,
) -> TrainSummary:
    """Train a model on two domains; called again with the same arguments, it goes on.

    Args:
        model: a name that `i2ikit models` lists.
        a: pictures of domain A: a folder, tars or a manifest.
        b: pictures of domain B; for a paired model, of the same keys.
        output: a folder for checkpoints, samples and the log.
        size: side of the squares that are trained on.
        load_size: the shorter side that pictures are resized to before squares are cut out; None:
            as `size`; 0: they stay as they are.
        flip: whether half of the pictures are mirrored.
        steps: how many there are in all.
        batch_size: pictures of each domain a step, of all processes; None: the model's usual.
        accumulate: parts in which a batch is computed, for the sake of memory.
        options: of the training and its networks.
        settings: a settings file of the original program (MUNIT's YAML, an opt.txt), whose options
            hold where `options` says nothing.
        start_from: a checkpoint, a path or a name that `i2ikit checkpoints list` shows, whose
            networks are taken over before the first step, and whose options of theirs hold where
            `options` says nothing.
        fields_a: further pictures of each sample of A: {"instance": "DIR[:SUFFIX]"}.
        fields_b: the same for B.
        valid_a: held-out pictures of A, of which up to 200 are translated to measure checkpoints.
        valid_b: held-out pictures of B; partners by key, for a paired model or a metric of pairs.
        valid_fields_a: further pictures of each sample of `valid_a`.
        valid_fields_b: the same for `valid_b`.
        valid_metric: "fd", the Fréchet distance in EfficientNet-Lite0's features; "l1", the mean
            absolute difference from the truth on a scale from -1 to 1; or "lpips" in AlexNet, from
            the truth. None: "l1" of a paired model, "fd" of others. The least makes OUT/best.
        valid_every: steps between two validations; there is one after the last step, too.
        semantic_loss: weight of the semantic loss, for unpaired models that offer it: translations
            from A to B must show the classes of their sources. None: there is none.
        labels_a: where the classes of A's pictures are: "folder", "cls", "column:NAME",
            "FILE.csv[:COLUMN]", or masks, "DIR[:SUFFIX]".
        map: from the ids of masks to classes: "cityscapes19" or a CSV. None: they are the classes,
            255 doesn't count.
        seed: of everything that is drawn.
        average: how much of the weights' moving average a step keeps; 0: none.
        precision: "fp32", "bf16" or "fp16".
        device: "auto", "cpu", "cuda" …
        workers: threads that decode. None: chosen.
        time_limit: hours after which it saves and stops.
        save_every: steps between two saved states: what a kill can lose.
        sample_every: steps between two sheets of samples; 0: none.
        log_every: steps between two lines of the log.
        tensorboard: whether event files are written, to OUT/tensorboard.
        layout: of checkpoints: "safetensors", or "upstream" as the original program's.
        restart: remove what an earlier training wrote, and start over.
        process: this one of those that share the training; each calls `train` with the same
            arguments.
        blocked: plugins not to import.
        on_progress: called after each step.

    Raises:
        I2IError: what and why, in a sentence.
    """
    request = Request(
        model=model,
        a=str(a),
        b=str(b),
        output=Path(output),
        size=size,
        load_size=load_size,
        flip=flip,
        steps=steps,
        batch_size=batch_size,
        accumulate=accumulate,
        options=options or {},
        settings_file=None if settings is None else Path(settings),
        start_from=None if start_from is None else Path(start_from),
        fields_a=fields_a or {},
        fields_b=fields_b or {},
        valid_a=None if valid_a is None else str(valid_a),
        valid_b=None if valid_b is None else str(valid_b),
        valid_fields_a=valid_fields_a or {},
        valid_fields_b=valid_fields_b or {},
        valid_metric=valid_metric,
        valid_every=valid_every,
        semantic_loss=semantic_loss,
        labels_a=labels_a,
        map=map,
        seed=seed,
        average=average,
        precision=precision,
        device=device,
        workers=workers,
        time_limit=time_limit,
        save_every=save_every,
        sample_every=sample_every,
        log_every=log_every,
        tensorboard=tensorboard,
        layout=layout,
        restart=restart,
    )
    return run(request, process, blocked, on_progress)


def run(
    request: Request,
    process: Process = ALONE,
    blocked: Iterable[str] = (),
    on_progress: Callable[[Report], None] | None = None,
    on_start: Callable[[Start], None] | None = None,
) -> TrainSummary:
    """Do what `train` does, its arguments in one; `on_start` is told before the first step.

    Only the first process reports.
    """
    request.check()
    if request.start_from:
        request = replace(request, start_from=place_of(request.start_from, blocked=blocked))
    device = choose_device(process.device(request.device))
    training, labels = add_semantic_loss(request, make_training(discover(blocked), request))
    batch_size = request.chosen_batch_size(training, process)
    pools = open_pools(request, training, labels)
    validation = None
    with joined(process, device), ExitStack() as stack:
        home = Home(request.output)
        if process.is_first:
            validation = open_validation(request, training, device, blocked)
            agree(home, request.settings(training, process), restart=request.restart)
            home.clear_scratch()
        process.wait()
        state = _begin(request, training, home, device, process)
        log = None
        if process.is_first:
            trim_log(home, state.step)
            board = None
            if request.tensorboard:
                board = stack.enter_context(open_board(home, state.step))
            log = Log(home, board)
            if on_start:
                on_start(_describe(request, state, pools, batch_size, device, labels, validation))
        loop = Loop(request, home, state, pools, validation, log, tuple(blocked))
        loader = stack.enter_context(_loader(request, state, pools, batch_size))
        stack.enter_context(arithmetic(torch.get_num_threads()))
        return loop.run(loader, on_progress if process.is_first else None)


def _begin(
    request: Request, training: Training, home: Home, device: torch.device, process: Process
) -> State:
    """Return the state of the first step, or the one to go on from."""
    training.to(device).train()
    state = State(
        training,
        Stepper(training, device, request.precision, process),
        # another one in each process, and the seed itself in a single one
        torch.Generator().manual_seed(request.seed * process.size + process.rank),
        Average(request.average),
        process,
    )
    if home.state.exists():
        state.load(home, device)
    return state


@contextmanager
def _loader(
    request: Request, state: State, pools: Sequence[Pool], batch_size: int
) -> Iterator[Iterator[Batch]]:
    """Load the batches from the next step on, or this process's share of them."""
    workers = default_workers() if request.workers is None else request.workers
    with ThreadPoolExecutor(max(1, workers)) as pool:
        loader = batches(
            pools,
            request.augmentation,
            batch_size,
            state.process.share(batch_size),
            state.step,
            pool if workers else None,
            _AHEAD,
        )
        with closing(loader):
            yield loader


def _describe(
    request: Request,
    state: State,
    pools: Sequence[Pool],
    batch_size: int,
    device: torch.device,
    labels: Labels | None,
    validation: Validation | None,
) -> Start:
    parameters = state.training.parameters()
    return Start(
        request,
        state.training.paired,
        len(pools[0].items),
        len(pools[-1].items),
        batch_size,
        sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        str(device),
        state.process.size,
        labels.num_classes if labels else 0,
        validation,
        state.step,
    )
