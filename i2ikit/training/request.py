"""What a user asks of a training, checked before the first step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

import i2ikit
from i2ikit.data.sources import open_source
from i2ikit.devices import PRECISIONS, Precision
from i2ikit.errors import PluginError, SourceError, UsageError, counted
from i2ikit.hookspecs import ModelEntry
from i2ikit.model import InputKind
from i2ikit.options import make_options
from i2ikit.plugins import Catalogue, resolve
from i2ikit.training.contract import Training
from i2ikit.training.data import Augmentation, Item, Pool, make_items, make_pools, read_samples
from i2ikit.training.labels import LabelledPool, Labels
from i2ikit.training.measures import VALID_METRICS, ValidMetric
from i2ikit.training.process import Process

#: What a training resumes with other values of: they change no number, or only how many there are.
_FREE = {
    "output",
    "settings_file",
    "device",
    "workers",
    "time_limit",
    "save_every",
    "sample_every",
    "log_every",
    "valid_every",
    "tensorboard",
    "restart",
}


@dataclass(frozen=True)
class Request:
    """The arguments of `i2ikit.train`, which documents them."""

    model: str
    a: str
    b: str
    output: Path
    size: int = 256
    load_size: int | None = None
    flip: bool = True
    steps: int = 20_000
    batch_size: int | None = None
    accumulate: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    settings_file: Path | None = None
    start_from: Path | None = None
    fields_a: Mapping[str, str] = field(default_factory=dict)
    fields_b: Mapping[str, str] = field(default_factory=dict)
    valid_a: str | None = None
    valid_b: str | None = None
    valid_fields_a: Mapping[str, str] = field(default_factory=dict)
    valid_fields_b: Mapping[str, str] = field(default_factory=dict)
    valid_metric: ValidMetric | None = None
    valid_every: int = 1000
    semantic_loss: float | None = None
    labels_a: str | None = None
    map: str | None = None
    seed: int = 0
    average: float = 0.999
    precision: Precision = "fp32"
    device: str = "auto"
    workers: int | None = None
    time_limit: float | None = None
    save_every: int = 1000
    sample_every: int = 1000
    log_every: int = 50
    tensorboard: bool = False
    layout: Literal["safetensors", "upstream"] = "safetensors"
    restart: bool = False

    def check(self) -> None:
        """Refuse values out of bounds.

        Raises:
            UsageError: naming the flag.
        """
        for flag, value, least in (
            ("--size", self.size, 16),
            ("--steps", self.steps, 1),
            ("--batch-size", self.batch_size, 1),
            ("--accumulate", self.accumulate, 1),
            ("--workers", self.workers, 0),
            ("--seed", self.seed, 0),
            ("--save-every", self.save_every, 1),
            ("--sample-every", self.sample_every, 0),
            ("--log-every", self.log_every, 1),
            ("--valid-every", self.valid_every, 1),
        ):
            if value is not None and value < least:
                raise UsageError(f"{flag} {value} is less than {least}")
        if self.load_size and self.load_size < self.size:
            raise UsageError(f"--load-size {self.load_size} is less than --size {self.size}")
        if not 0 <= self.average < 1:
            raise UsageError(f"--average {self.average:g} is not in 0 … 1")
        if self.time_limit is not None and self.time_limit <= 0:
            raise UsageError(f"--time-limit {self.time_limit:g} is not positive")
        if self.precision not in PRECISIONS:
            raise UsageError(f"--precision {self.precision} is none of {', '.join(PRECISIONS)}")
        self._check_validation()
        self._check_semantic_loss()

    def _check_validation(self) -> None:
        if self.valid_metric not in (None, *VALID_METRICS):
            names = ", ".join(VALID_METRICS)
            raise UsageError(f"--valid-metric {self.valid_metric} is none of {names}")
        wishes = (self.valid_a, self.valid_b, self.valid_metric)
        if any((*wishes, self.valid_fields_a, self.valid_fields_b)) and None in wishes[:2]:
            missing = "--valid-a" if self.valid_a is None else "--valid-b"
            raise UsageError(f"a validation needs pictures of both domains: {missing} is missing")

    def _check_semantic_loss(self) -> None:
        weight = self.semantic_loss
        if weight is not None and not 0 < weight < float("inf"):
            raise UsageError(f"--semantic-loss {weight:g} is no positive number")
        if (weight is None) != (self.labels_a is None):
            given, missing = "--semantic-loss", "--labels-a"
            if weight is None:
                given, missing = missing, given
            raise UsageError(f"{given} is nothing without {missing}")
        if self.map is not None and self.labels_a is None:
            raise UsageError("--map is nothing without --labels-a")

    @property
    def augmentation(self) -> Augmentation:
        """What is done to pictures."""
        load_size = self.size if self.load_size is None else self.load_size
        return Augmentation(self.size, load_size, self.flip)

    def settings(self, training: Training, process: Process) -> dict[str, Any]:
        """Return everything that decides the numbers."""
        own = {name: value for name, value in asdict(self).items() if name not in _FREE}
        places = ("a", "b", "valid_a", "valid_b", "start_from")
        return {
            **own,
            **{name: own[name] and _absolute(str(own[name])) for name in places},
            "options": training.options.model_dump(mode="json"),
            "processes": process.size if process.size > 1 else None,
            "versions": {"i2ikit": i2ikit.__version__, "torch": torch.__version__},
        }

    def chosen_batch_size(self, training: Training, process: Process) -> int:
        """Return how many pictures of each domain a step has, in all processes.

        Raises:
            UsageError: they can't be shared out evenly.
        """
        size = self.batch_size or training.batch_size
        each = training.batch_multiple
        least = process.size * self.accumulate * each
        if size % least:
            raise UsageError(
                f"a batch of {size} is no multiple of {least}: it is cut into {process.size} ×"
                f" {self.accumulate} equal parts (processes × --accumulate), and model"
                f" '{self.model}' takes multiples of {each}",
                hint=f"--batch-size {-(-size // least) * least}",
            )
        return size


def _absolute(place: str) -> str:
    return place if "://" in place else str(Path(place).absolute())


def make_training(catalogue: Catalogue, request: Request) -> Training:
    """Return the training of a model, its first weights drawn by the seed or taken from a file.

    Raises:
        UsageError: no such model, or it has no training.
        OptionError: an option unknown or out of bounds.
        CheckpointError: what it starts from can't be read, or doesn't fit.
        PluginError: what the plugin names is no training.
    """
    entry = catalogue.find(ModelEntry, request.model)
    if not entry.training:
        raise UsageError(f"model '{request.model}' can't be trained: its plugin has no training")
    kind = resolve(entry.training)
    if not (isinstance(kind, type) and issubclass(kind, Training)):
        raise PluginError(f"model '{request.model}': {entry.training} is no i2ikit.Training")
    options = make_options(kind.Options, request.options, hints=_hints(kind, request))
    with torch.random.fork_rng():
        torch.manual_seed(request.seed)
        training = kind(options)
    _check_size(request, training)
    if request.start_from:
        training.start_from(request.start_from)
    return training


def _hints(kind: type[Training], request: Request) -> dict[str, Any]:
    """Return the options that hold where the user gives none; the last to state one wins."""
    hints = dict(kind.suited(request.size))
    if request.settings_file:
        hints |= kind.read_settings(request.settings_file)
    if request.start_from:
        hints |= kind.start_options(request.start_from, request.options)
    return hints


def _check_size(request: Request, training: Training) -> None:
    size, rule = request.size, training.size
    fitting, _ = rule.fit(size, size)
    if fitting != size:
        least = f" from {rule.minimum} up" if rule.minimum > rule.multiple_of else ""
        takes = f"{fitting} px" if rule.fixed else f"multiples of {rule.multiple_of}{least}"
        raise UsageError(
            f"--size {size} does not suit model '{request.model}' as its options are: it takes"
            f" {takes}",
            hint=f"--size {fitting}",
        )


def open_pools(request: Request, training: Training, labels: Labels | None = None) -> list[Pool]:
    """Return what the training draws its pictures from, those of A with their labels if given.

    Raises:
        SourceError: a domain is not there, too small, or lacks fields or labels.
        UsageError: pictures without partner.
    """
    a, b = (
        _read(place, kinds, fields, name)
        for name, place, kinds, fields in (
            ("a", request.a, training.inputs_a, request.fields_a),
            ("b", request.b, training.inputs_b, request.fields_b),
        )
    )
    pools = make_pools(a, b, request.seed, paired=training.paired)
    return [LabelledPool(a, pools[0].seed, labels), *pools[1:]] if labels else pools


def _read(
    place: str, kinds: Mapping[str, InputKind], fields: Mapping[str, str], domain: str
) -> Mapping[str, Item]:
    samples = read_samples(open_source(place, inputs=tuple(kinds), fields=fields))
    if len(samples) < 2:
        raise SourceError(f"{place} holds {counted(len(samples), 'picture')}, too few to train on")
    return make_items(samples, kinds, domain, f"--field-{domain}")
