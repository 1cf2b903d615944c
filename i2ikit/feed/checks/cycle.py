"""Whether the other direction of the model finds the way back to the source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from i2ikit.data.images import Pixels, to_pixels, to_tensor
from i2ikit.data.sizes import fit, restore
from i2ikit.devices import Precision, autocast
from i2ikit.errors import CheckpointError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.likeness import l1
from i2ikit.loading import load
from i2ikit.model import RGB, Content, Direction, Model, Style
from i2ikit.plugins import blaming
from i2ikit.translation.noise import draw_noise
from i2ikit.translation.plan import Settings

#: L1 is on -1 … 1, where a level is so much of 1.
_LEVELS = 127.5


@dataclass(frozen=True)
class Cycle:
    """A model that translates back.

    Attributes:
        model: of the other direction, on its device.
        name: for messages.
        device: where it is.
        precision: of its arithmetic.
    """

    model: Model
    name: str
    device: torch.device
    precision: Precision

    def measure(self, output: Pixels, source: Pixels, key: str) -> float:
        """Return the mean absolute difference, in levels, of a source and its reconstruction.

        The style is that of the source itself where the model takes styles from pictures, else
        drawn from the key.

        Raises:
            ModelError: the model fails.
        """
        rule = self.model.size
        with (
            torch.inference_mode(),
            autocast(self.device, self.precision),
            blaming(f"model '{self.name}', translating '{key}' back,"),
        ):
            content = self.model.encode(image=self._tensor(output))
            made = self.model.decode(content, self._style(source, key, content))
            back = restore(to_pixels(made[0]), (output.shape[0], output.shape[1]), rule)
        return l1(back, source) * _LEVELS

    def _tensor(self, pixels: Pixels) -> torch.Tensor:
        return to_tensor(fit(pixels, RGB(), self.model.size), RGB()).to(self.device)

    def _style(self, source: Pixels, key: str, content: Content) -> Style:
        model = self.model
        if model.reference_inputs:
            rule = model.reference_size or model.size
            example = to_tensor(fit(source, RGB(), rule), RGB()).to(self.device)
            return model.style_from_reference(image=example)
        if model.noise_shape:
            noise = draw_noise(0, f"sample/{key}", 0, model.noise_shape)[None].to(self.device)
            return model.style_from_noise(noise, content)
        return None


def load_cycle(settings: Settings, checkpoint: str | Path, compute: Compute) -> Cycle:
    """Return the model of a translation, going the other way.

    Args:
        settings: of the translation.
        checkpoint: the one that it was made with, which a plan knows by its hash alone.
        compute: where, and how precisely.

    Raises:
        UsageError: the model goes one way only, or takes or makes something else than pictures.
        CheckpointError: another checkpoint than the translation's.
    """
    back: Direction = "a2b" if settings.direction == "b2a" else "b2a"
    loaded = load(settings.model, checkpoint, back, blocked=compute.blocked)
    if loaded.digest != settings.checkpoint:
        raise CheckpointError(
            f"--cycle {checkpoint} is not what was translated with: its SHA-256 is"
            f" {loaded.digest[:12]}…, not {settings.checkpoint[:12]}…"
        )
    model = loaded.model
    taken = [model.inputs, model.reference_inputs or model.inputs]
    if any(dict(inputs) != {"image": RGB()} for inputs in taken):
        raise UsageError(
            f"--cycle needs a model that takes a picture; '{settings.model}' takes"
            f" {', '.join(dict.fromkeys(name for inputs in taken for name in inputs))}"
        )
    device = compute.devices()[0]
    return Cycle(model.to(device), settings.model, device, compute.precision)
