"""`train`: from two domains to a checkpoint that translates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from i2ikit.devices import Precision, arithmetic, choose_device, default_workers
from i2ikit.errors import RunError
from i2ikit.plugins import discover
from i2ikit.training.contract import CheckpointFiles
from i2ikit.training.data import Batch, Pool, batches
from i2ikit.training.log import trim_log, write_log
from i2ikit.training.request import Request, make_training, open_pools
from i2ikit.training.sheet import write_sheet
from i2ikit.training.state import Average, Home, State, agree, write_checkpoint
from i2ikit.training.stepping import Stepper

#: Batches that are loaded ahead.
_AHEAD = 4


@dataclass(frozen=True)
class Report:
    """How far a training is.

    Attributes:
        step: steps done.
        steps: steps in all.
        losses: terms of the last step.
        resumed: steps that earlier starts had done.
    """

    step: int
    steps: int
    losses: Mapping[str, float]
    resumed: int


@dataclass(frozen=True)
class Start:
    """What a training is about to do.

    Attributes:
        request: what was asked for.
        is_paired: whether A and B are pairs.
        num_a: pictures of A.
        num_b: pictures of B.
        batch_size: pictures of each domain a step.
        num_parameters: weights that are trained.
        device: where.
        resumed: steps that earlier starts had done.
    """

    request: Request
    is_paired: bool
    num_a: int
    num_b: int
    batch_size: int
    num_parameters: int
    device: str
    resumed: int


@dataclass(frozen=True)
class TrainSummary:
    """What a training has done, with earlier starts of the same.

    Attributes:
        output: the folder.
        checkpoint: what `translate --checkpoint` takes.
        step: steps done.
        resumed: steps that earlier starts had done.
        seconds: that this start took after loading.
        losses: terms of the last step; none if there was nothing to do.
        is_complete: whether all steps are done.
    """

    output: Path
    checkpoint: Path
    step: int
    resumed: int
    seconds: float
    losses: Mapping[str, float]
    is_complete: bool


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
    fields_a: Mapping[str, str] | None = None,
    fields_b: Mapping[str, str] | None = None,
    seed: int = 0,
    average: float = 0.999,
    precision: Precision = "fp32",
    device: str = "auto",
    workers: int | None = None,
    time_limit: float | None = None,
    save_every: int = 1000,
    sample_every: int = 1000,
    log_every: int = 50,
    layout: Literal["safetensors", "upstream"] = "safetensors",
    restart: bool = False,
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
        batch_size: pictures of each domain a step; None: the model's usual.
        accumulate: parts in which a batch is computed, for the sake of memory.
        options: of the training and its networks.
        settings: a settings file of the original program (MUNIT's YAML, an opt.txt), whose options
            hold where `options` says nothing.
        fields_a: further pictures of each sample of A: {"instance": "DIR[:SUFFIX]"}.
        fields_b: the same for B.
        seed: of everything that is drawn.
        average: how much of the weights' moving average a step keeps; 0: none.
        precision: "fp32", "bf16" or "fp16".
        device: "auto", "cpu", "cuda" …
        workers: threads that decode. None: chosen.
        time_limit: hours after which it saves and stops.
        save_every: steps between two saved states: what a kill can lose.
        sample_every: steps between two sheets of samples; 0: none.
        log_every: steps between two lines of the log.
        layout: of checkpoints: "safetensors", or "upstream" as the original program's.
        restart: remove what an earlier training wrote, and start over.
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
        fields_a=fields_a or {},
        fields_b=fields_b or {},
        seed=seed,
        average=average,
        precision=precision,
        device=device,
        workers=workers,
        time_limit=time_limit,
        save_every=save_every,
        sample_every=sample_every,
        log_every=log_every,
        layout=layout,
        restart=restart,
    )
    return run(request, blocked, on_progress)


def run(
    request: Request,
    blocked: Iterable[str] = (),
    on_progress: Callable[[Report], None] | None = None,
    on_start: Callable[[Start], None] | None = None,
) -> TrainSummary:
    """Do what `train` does, its arguments in one; `on_start` is told before the first step."""
    request.check()
    device = choose_device(request.device)
    training = make_training(discover(blocked), request)
    pools = open_pools(request, training)
    home = Home(request.output)
    with _written(home):
        agree(home, request.settings(training), restart=request.restart)
        training.to(device).train()
        state = State(
            training,
            Stepper(training, device, request.precision),
            torch.Generator().manual_seed(request.seed),
            Average(request.average),
        )
        home.clear_scratch()
        if home.state.exists():
            state.load(home, device)
        trim_log(home, state.step)
        workers = default_workers() if request.workers is None else request.workers
        with ThreadPoolExecutor(max(1, workers)) as pool, arithmetic(torch.get_num_threads()):
            size = request.batch_size or training.batch_size
            if on_start:
                on_start(_describe(request, state, pools, size, device))
            share = slice(None)
            loader = batches(
                pools,
                request.augmentation,
                size,
                share,
                state.step,
                pool if workers else None,
                _AHEAD,
            )
            with closing(loader):
                return _run_steps(request, home, state, pools, loader, on_progress)


def _describe(
    request: Request, state: State, pools: Sequence[Pool], batch_size: int, device: torch.device
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
        state.step,
    )


@contextmanager
def _written(home: Home) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # a full disk, most likely
        raise RunError(
            f"{home.root} can't be written: {error.strerror}",
            hint="the same command goes on from the last saved state",
        ) from None


def _run_steps(
    request: Request,
    home: Home,
    state: State,
    pools: Sequence[Pool],
    loader: Iterator[Batch],
    on_progress: Callable[[Report], None] | None,
) -> TrainSummary:
    start, resumed, saved = time.perf_counter(), state.step, state.step
    deadline = None if request.time_limit is None else start + 3600 * request.time_limit
    losses: dict[str, float] = {}
    while state.step < request.steps and not (deadline and time.perf_counter() > deadline):
        parts = _split(next(loader), request.accumulate)
        losses = state.stepper.step(parts, state.rng, state.step, request.steps)
        state.step += 1
        if state.average.decay:
            state.average.follow(state.training.checkpoint(state.step), state.step)
        if state.step % request.log_every == 0:
            write_log(home, state.step, losses)
        if on_progress:
            on_progress(Report(state.step, request.steps, losses, resumed))
        if state.step % request.save_every == 0:
            _save(request, home, state)
            saved = state.step
        if request.sample_every and state.step % request.sample_every == 0:
            write_checkpoint(home, "latest", _averaged(state), request.layout)
            write_sheet(request, home, pools, state.step)
    if state.step != saved or not home.checkpoint("latest").exists():
        _save(request, home, state)
    return TrainSummary(
        request.output,
        home.checkpoint("latest"),
        state.step,
        resumed,
        time.perf_counter() - start,
        losses,
        state.step >= request.steps,
    )


def _split(batch: Batch, parts: int) -> list[Batch]:
    """Cut a batch into parts of about one size."""
    split: list[tuple[dict[str, Tensor], ...]] = []
    for fields in batch:
        cut = {name: value.chunk(parts) for name, value in fields.items()}
        count = min(map(len, cut.values()))
        split.append(tuple({n: v[i] for n, v in cut.items()} for i in range(count)))
    return list(zip(*split, strict=True))


def _save(request: Request, home: Home, state: State) -> None:
    """Write the checkpoint to use, then the state to go on from."""
    write_checkpoint(home, "latest", _averaged(state), request.layout)
    state.save(home)


def _averaged(state: State) -> CheckpointFiles:
    return state.average.applied(state.training.checkpoint(state.step))
