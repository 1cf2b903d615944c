"""The loop of a training: a step after another, and what is written between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from i2ikit.training.contract import CheckpointFiles
from i2ikit.training.data import Batch, Pool
from i2ikit.training.log import Log
from i2ikit.training.report import Report, TrainSummary, Validated
from i2ikit.training.request import Request
from i2ikit.training.sheet import write_sheets
from i2ikit.training.state import Home, State, write_checkpoint
from i2ikit.training.validation import Validation


@dataclass
class Loop:
    """A training that is ready for its next step, in one of its processes.

    Attributes:
        request: what was asked for.
        home: where it is written.
        state: networks, optimizers and the like.
        pools: what sheets of samples show.
        validation: measures checkpoints; None: nothing does.
        log: what the first process writes to; the others have None.
        blocked: plugins not to import.
    """

    request: Request
    home: Home
    state: State
    pools: Sequence[Pool]
    validation: Validation | None
    log: Log | None
    blocked: tuple[str, ...]
    _validated: Validated | None = None
    _latest: int | None = None
    _start: float = field(default_factory=time.perf_counter)

    def run(
        self, loader: Iterator[Batch], on_progress: Callable[[Report], None] | None
    ) -> TrainSummary:
        """Do all steps that are left, or those that there is time for."""
        state, steps = self.state, self.request.steps
        resumed = saved = state.step
        losses: dict[str, float] = {}
        while state.step < steps and not self._is_late():
            parts = split(next(loader), self.request.accumulate)
            losses = state.stepper.step(parts, state.rng, state.step, steps)
            state.step += 1
            if self.log:
                self._write(self.log, losses)
            if state.step % self.request.save_every == 0:
                self._save()
                saved = state.step
            if on_progress:
                on_progress(Report(state.step, steps, losses, self._validated, resumed))
        if state.step != saved:
            self._save()
        elif self.log and not self.home.checkpoint("latest").exists():
            self._write_latest()
        state.process.wait()
        return self._summary(resumed, losses)

    def _is_late(self) -> bool:
        """Tell whether the time is over, for any of the processes."""
        if self.request.time_limit is None:
            return False
        is_over = time.perf_counter() - self._start > 3600 * self.request.time_limit
        return self.state.process.any(is_so=is_over)

    def _write(self, log: Log, losses: Mapping[str, float]) -> None:
        """Do what the first process does after a step, before its state is saved."""
        state, request, step = self.state, self.request, self.state.step
        if state.average.decay:
            state.average.follow(state.training.checkpoint(step), step)
        if step % request.log_every == 0:
            log.losses(step, losses, state.stepper.rates())
        is_valid_due = step % request.valid_every == 0 or step == request.steps
        if self.validation and is_valid_due:
            self._validate(self.validation, log)
        if request.sample_every and step % request.sample_every == 0:
            self._write_latest()
            log.sheets(step, write_sheets(request, self.home, self.pools, step, self.blocked))

    def _validate(self, validation: Validation, log: Log) -> None:
        """Measure the checkpoint; keep it as the best if it is."""
        self._write_latest()
        state, value = self.state, validation.value(self.home.checkpoint("latest"))
        if state.best is None or value < state.best:
            state.best = value
            self._write_checkpoint("best")
        log.validation(state.step, validation.metric, value)
        self._validated = Validated(validation.metric, value, state.best)

    def _save(self) -> None:
        """Write the checkpoint to use, then the state to go on from."""
        if self.log:
            self._write_latest()
        self.state.save(self.home)

    def _write_latest(self) -> None:
        if self._latest != self.state.step:
            self._write_checkpoint("latest")
            self._latest = self.state.step

    def _write_checkpoint(self, name: str) -> None:
        write_checkpoint(self.home, name, self._averaged(), self.request.layout)

    def _averaged(self) -> CheckpointFiles:
        return self.state.average.applied(self.state.training.checkpoint(self.state.step))

    def _summary(self, resumed: int, losses: Mapping[str, float]) -> TrainSummary:
        best = self.state.best
        return TrainSummary(
            self.request.output,
            self.home.checkpoint("latest"),
            None if best is None else self.home.checkpoint("best"),
            best,
            self.state.step,
            resumed,
            time.perf_counter() - self._start,
            losses,
            self.state.step >= self.request.steps,
        )


def split(batch: Batch, parts: int) -> list[Batch]:
    """Cut a batch into equal parts, of which it holds a multiple."""
    cut = [{name: value.chunk(parts) for name, value in fields.items()} for fields in batch]
    a, b = ([{n: v[i] for n, v in fields.items()} for i in range(parts)] for fields in cut)
    return list(zip(a, b, strict=True))
