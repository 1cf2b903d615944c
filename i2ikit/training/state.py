"""What a training leaves behind: its whole state, to go on from, and checkpoints, to use."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from i2ikit.checkpoints import flat
from i2ikit.errors import CheckpointError, RunError
from i2ikit.training.contract import CheckpointFiles, Tensors, Training
from i2ikit.training.process import ALONE, Process
from i2ikit.training.stepping import Stepper


@dataclass
class Average:
    """A moving average of the tensors that a checkpoint holds, by the place of their file and name.

    Attributes:
        decay: how much of it a step keeps; 0: none is kept, checkpoints hold the last weights.
        tensors: the average.
    """

    decay: float
    tensors: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def follow(self, files: CheckpointFiles, step: int) -> None:
        """Take in the weights after a step; the first ones count more than they will later."""
        if not self.decay:
            return
        now = {name: value.detach().float() for name, value in _named(files)}
        if not self.tensors:
            self.tensors = {name: value.clone() for name, value in now.items()}
            return
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        names = list(now)
        torch._foreach_lerp_([self.tensors[n] for n in names], [now[n] for n in names], share)

    def applied(self, files: CheckpointFiles) -> CheckpointFiles:
        """Return the checkpoint with the averages in place of its tensors."""
        if not self.tensors:
            return files
        tensors = {
            name: self._replace(str(place), branch)
            for place, (name, branch) in enumerate(files.tensors.items())
        }
        return CheckpointFiles(tensors, files.texts, files.suffix)

    def _replace(self, name: str, branch: Tensor | Tensors) -> Any:
        if isinstance(branch, Tensor):
            if not branch.is_floating_point():
                return branch
            return self.tensors[name].to(branch.dtype)
        return {leaf: self._replace(f"{name}.{leaf}", value) for leaf, value in branch.items()}


def _named(files: CheckpointFiles) -> Iterator[tuple[str, Tensor]]:
    for place, branch in enumerate(files.tensors.values()):  # a file's name may hold the step
        yield from ((n, v) for n, v in flat(branch, str(place)) if v.is_floating_point())


@dataclass(frozen=True)
class Home:
    """The places of a training's files below OUT."""

    root: Path

    @property
    def folder(self) -> Path:
        """Where the records are."""
        return self.root / ".i2ikit"

    @property
    def settings(self) -> Path:
        """What decides the numbers; it makes OUT that of a training."""
        return self.folder / "training.json"

    @property
    def state(self) -> Path:
        """The state to go on from."""
        return self.folder / "state.pt"

    @property
    def log(self) -> Path:
        """A line for each step that was logged."""
        return self.root / "log.jsonl"

    def checkpoint(self, name: str) -> Path:
        """Return the folder of the checkpoint called `name`: "latest" or "best"."""
        return self.root / name

    def scratch(self) -> Path:
        """Return a new name beside the records."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{uuid.uuid4().hex}.part"

    @property
    def board(self) -> Path:
        """The folder that TensorBoard reads."""
        return self.root / "tensorboard"

    def clear_scratch(self) -> None:
        """Remove what a killed training had half written."""
        for path in self.folder.glob("*.part"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def writing(home: Home) -> Iterator[None]:
    """Turn what files, torch and safetensors raise, of a full disk most likely, into a sentence."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise RunError(
            f"{home.root} can't be written: {reason}",
            hint="the same command goes on from the last saved state",
        ) from None


def write_checkpoint(home: Home, name: str, files: CheckpointFiles, layout: str) -> Path:
    """Put a checkpoint into its place, whole; return its folder.

    Args:
        home: where.
        name: "latest" or "best".
        files: the checkpoint.
        layout: "safetensors", or "upstream" for files as the original program writes them.
    """
    target = home.checkpoint(name)
    with writing(home):
        scratch = home.scratch()
        scratch.mkdir()
        for stem, branch in files.tensors.items():
            if layout == "upstream":
                torch.save(_plain(branch), scratch / (stem + files.suffix))
            else:
                tensors = {n: v.detach().cpu().contiguous() for n, v in flat(branch)}
                save_file(tensors, scratch / f"{stem}.safetensors")
        for file, text in files.texts.items():
            (scratch / file).write_text(text, encoding="utf-8")
        if target.exists():
            target.rename(home.scratch())
        scratch.rename(target)
        home.clear_scratch()
    return target


def _plain(branch: Tensor | Tensors) -> Any:
    if isinstance(branch, Tensor):
        return branch.detach().cpu().clone()
    return {name: _plain(value) for name, value in branch.items()}


@dataclass
class State:
    """A training under way.

    Attributes:
        training: networks and optimizers.
        stepper: applies its updates.
        rng: draws all numbers of this process.
        average: of the weights.
        process: this one of those that share the training.
        step: how many steps were done.
        best: the least value of the validation metric so far; None before the first. The first
            process alone knows it.
    """

    training: Training
    stepper: Stepper
    rng: torch.Generator
    average: Average
    process: Process = ALONE
    step: int = 0
    best: float | None = None

    def save(self, home: Home) -> None:
        """Put the state into its place, whole; all processes must call it, the first one writes.

        Running statistics of batch norms, in which processes may differ, are the first one's.
        """
        rngs = self.process.gather(self.rng.get_state())
        if not self.process.is_first:
            return
        optimizers = self.training.optimizers.items()
        held = {
            "step": self.step,
            "best": self.best,
            "rng": rngs,
            "networks": self.training.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers},
            "scalers": {name: s.state_dict() for name, s in self.stepper.scalers.items()},
            "average": self.average.tensors,
        }
        with writing(home):
            scratch = home.scratch()
            torch.save(held, scratch)
            scratch.replace(home.state)

    def load(self, home: Home, device: torch.device) -> None:
        """Take on the state that `save` has left.

        Raises:
            CheckpointError: it is damaged.
        """
        try:
            held = torch.load(home.state, map_location=device, weights_only=True)
            self.training.load_state_dict(held["networks"])
            for name, optimizer in self.training.optimizers.items():
                optimizer.load_state_dict(held["optimizers"][name])
                self.stepper.scalers[name].load_state_dict(held["scalers"][name])
            rngs = held["rng"].cpu().view(self.process.size, -1)
            self.rng.set_state(rngs[self.process.rank].clone())  # torch crashes on a part of rows
            self.average.tensors = held["average"]
            self.step, self.best = held["step"], held["best"]
        except Exception as error:  # a damaged file raises whatever its parser raises
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CheckpointError(
                f"{home.state} can't be read: {reason[:120]}", hint="--restart starts over"
            ) from None


def agree(home: Home, settings: Mapping[str, Any], *, restart: bool) -> None:
    """Make OUT that of a training with these settings, or go on with the one that it holds.

    Raises:
        RunError: it holds a training with other settings, or something else.
    """
    if restart and home.settings.exists():
        _remove(home)
    there = _read_settings(home)
    if there is None:
        others = list(home.root.iterdir()) if home.root.exists() else []
        if any(path != home.folder for path in others):
            raise RunError(f"OUT {home.root} is not empty", hint="choose a new folder")
        with writing(home):
            scratch = home.scratch()
            scratch.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
            scratch.replace(home.settings)
        return
    here = json.loads(json.dumps(settings))
    for name in sorted({*there, *here}):
        if there.get(name) != here.get(name):
            raise RunError(
                f"{home.root} holds another training: {name} is {there.get(name)} there and"
                f" {here.get(name)} here",
                hint="--restart starts over, or choose another OUT",
            )


def _read_settings(home: Home) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(home.settings.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{home.settings} can't be read: {error}", hint="--restart starts over"
        ) from None
    return found


def _remove(home: Home) -> None:
    """Delete what a training wrote, its settings last."""
    for name in ("latest", "best", "samples", "tensorboard"):
        shutil.rmtree(home.root / name, ignore_errors=True)
    home.log.unlink(missing_ok=True)
    home.state.unlink(missing_ok=True)
    home.settings.unlink(missing_ok=True)
    home.clear_scratch()
