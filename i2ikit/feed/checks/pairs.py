"""A translation read back: every output beside the source picture that it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from i2ikit.data.images import Pixels, decode_image
from i2ikit.data.samples import File, Source
from i2ikit.data.sizes import shrink
from i2ikit.data.sources import open_source
from i2ikit.errors import RunError, SampleError
from i2ikit.evaluate.sets import decode_stored
from i2ikit.feed.store import Store
from i2ikit.hookspecs import ModelEntry
from i2ikit.loading import resolve_model
from i2ikit.model import RGB, Grey, InputKind
from i2ikit.options import make_options
from i2ikit.plugins import blaming, discover
from i2ikit.translation.home import Home
from i2ikit.translation.plan import Plan, Settings, load_plan
from i2ikit.translation.receipts import read_receipts
from i2ikit.translation.records import METADATA

#: The ids of maps are shown by multiples of this colour.
_COLOUR = (37, 91, 151)


@dataclass(frozen=True)
class Output:
    """One translated picture.

    Attributes:
        file_name: as metadata.jsonl has it.
        style_index: which of its input's outputs it is.
    """

    file_name: str
    style_index: int


@dataclass(frozen=True)
class Outputs:
    """An input with what was made of it.

    Attributes:
        key: the input's.
        source: its picture; None if it can't be used.
        problem: why it can't.
        outputs: in the order of their styles.
    """

    key: str
    source: File | None
    problem: str
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class Translated:
    """The OUT of a translation.

    Attributes:
        root: the folder.
        plan: what the run fixed.
        source: its IN.
        field: the name of the input that outputs are named by.
        kind: what that input is.
        num_outputs: how many there are.
    """

    root: Path
    plan: Plan
    source: Source
    field: str
    kind: InputKind
    num_outputs: int

    @property
    def settings(self) -> Settings:
        """What decided the outputs."""
        return self.plan.settings

    @property
    def is_of_pictures(self) -> bool:
        """Whether sources are pictures, and not maps of ids."""
        return isinstance(self.kind, RGB | Grey)

    def read(self) -> Iterator[Outputs]:
        """Yield the inputs that have outputs, in the order of metadata.jsonl.

        Raises:
            SourceError: a tar of the source is damaged.
        """
        for shard, receipt in read_receipts(Home(self.root), self.plan):
            outcomes = {o.key: o for o in receipt.outcomes if o.metadata} if receipt else {}
            if receipt is None or not outcomes:
                continue
            for sample in self.source.read(shard.part, tuple(outcomes)):
                if outcome := outcomes.get(sample.key):
                    rows = [(row["file_name"], row["style_index"]) for row in outcome.metadata]
                    outputs = tuple(Output(*row) for row in rows)
                    source = sample.fields.get(self.field)
                    yield Outputs(sample.key, source, sample.problem, outputs)

    def decode_source(self, made: Outputs) -> Pixels:
        """Return the source in the geometry of its outputs, (H, W, 3); maps in colours.

        Raises:
            SampleError: it can't be read.
        """
        if made.source is None:
            raise SampleError(made.problem)
        kind = RGB() if self.is_of_pictures else self.kind
        name = made.source.name
        array = decode_image(made.source.read(), kind, name).array
        if self.settings.size is not None:
            array = shrink(array, kind, self.settings.size)
        if array.ndim == 2:
            array = (array[:, :, None] * np.array(_COLOUR)) % 256
        return array.astype(np.uint8, copy=False)

    def decode_output(self, output: Output, source: Pixels) -> Pixels:
        """Return an output, (H, W, 3), of its source's size.

        Raises:
            SampleError: it can't be read, or has another size.
        """
        file = Store(self.root).file(output.file_name)
        pixels = decode_stored(file.read(), file.name)
        if pixels.shape != source.shape:
            (height, width), (rows, columns) = pixels.shape[:2], source.shape[:2]
            raise SampleError(
                f"{file.name} is {width}x{height}, not {columns}x{rows} as its source"
            )
        return pixels


def open_translated(location: str | Path, blocked: Iterable[str] = ()) -> Translated:
    """Return the OUT of a translation, with its IN.

    Raises:
        RunError: there is no translation, or it hasn't got to its end.
        SourceError: its IN is gone.
        I2IError: its model can't be found.
    """
    root = Path(location)
    plan = load_plan(Home(root))
    if plan is None:
        raise RunError(f"{root} holds no run of i2ikit", hint="name the OUT of a translation")
    if not (root / METADATA).is_file():
        raise RunError(
            f"{root} holds a translation that hasn't finished: it has no {METADATA}",
            hint="run i2ikit translate again, to its end",
        )
    inputs = _inputs(plan.settings, blocked)
    source = open_source(plan.settings.source, inputs=tuple(inputs), fields=plan.settings.fields)
    field, kind = next(iter(inputs.items()))
    with (root / METADATA).open("rb") as lines:
        return Translated(root, plan, source, field, kind, sum(1 for _ in lines))


def _inputs(settings: Settings, blocked: Iterable[str]) -> Mapping[str, InputKind]:
    """Return what the model took, which its options tell without any weights."""
    model_class = resolve_model(discover(blocked).find(ModelEntry, settings.model))
    options = make_options(model_class.Options, settings.options)
    with blaming(f"model '{settings.model}'"), torch.device("meta"):
        return model_class(options).inputs
