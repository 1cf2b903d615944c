"""A user's own network, a classifier or a segmenter of the target's classes, shown pictures.

Whatever it does wrong becomes a sentence with its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from i2ikit.ahead import ahead
from i2ikit.data.images import Header, Pixels, to_tensor
from i2ikit.errors import I2IError, ModelError, SampleError, SourceError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.networks import Replicas
from i2ikit.evaluate.sets import Picture, PictureSet, read_picture
from i2ikit.model import RGB
from i2ikit.plugins import reason_of, resolve
from i2ikit.progress import Progress

#: The network itself; or `"module:function"`, which is called without arguments and returns it.
OwnLike: TypeAlias = str | Callable[[Tensor], Tensor]
#: What becomes of the network's answer to a picture; called from several threads at once.
Judge: TypeAlias = Callable[[Picture, Tensor], Tensor]

#: A batch holds about this many pixels, unless the user says how many pictures.
_BATCH_PIXELS = 1024 * 1024
#: Decoded pictures that wait for the network.
_MOST_WAITING = 32


class OwnNetwork(nn.Module):
    """The user's network: (B, 3, H, W) float32 in [-1, 1] to a tensor of length B.

    Attributes:
        name: as the user gave it, for messages.
    """

    def __init__(self, name: str, function: Callable[[Tensor], Tensor]) -> None:
        """Wrap it; a module becomes a part of this one."""
        super().__init__()
        self.name = name
        self.function = function

    def forward(self, pictures: Tensor) -> Tensor:
        """Return its answer.

        Raises:
            ModelError: it failed, or returned something else, NaN or infinity.
        """
        asked = f"pictures of shape {tuple(pictures.shape)}"
        try:
            answer = self.function(pictures)
        except (torch.OutOfMemoryError, I2IError):
            raise
        except Exception as error:  # a stranger's network raises what it likes
            raise ModelError(f"{self.name} failed at {asked}: {reason_of(error)}") from error
        if not isinstance(answer, Tensor):
            raise ModelError(
                f"{self.name} returned {type(answer).__name__}, not a tensor",
                hint="wrap it in a function that returns the tensor alone",
            )
        if answer.ndim == 0 or len(answer) != len(pictures):
            raise ModelError(f"{self.name} returned shape {tuple(answer.shape)} for {asked}")
        if answer.is_floating_point() and not torch.isfinite(answer).all():
            raise ModelError(f"{self.name} returned NaN or infinity for {asked}")
        return answer

    def card(self, role: str) -> dict[str, str]:
        """Return what a result says of the network, called `role` there."""
        return {role: self.name, f"{role}_sha256": self._digest()}

    def _digest(self) -> str:
        """Return the SHA-256 over names and values of the weights; "" without weights."""
        total, weights = hashlib.sha256(), self.state_dict()
        tensors = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
        for name, value in tensors.items():
            total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            total.update(value.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return total.hexdigest() if tensors else ""


def load_own(given: OwnLike, flag: str) -> OwnNetwork:
    """Return the user's network, in eval mode; a module given as such is put into it too.

    A text is code to be imported and run: take it from the user alone, never from a file of data.

    Args:
        given: the network, or where it is.
        flag: the option that gave it, for messages.

    Raises:
        UsageError: a text that isn't "module:function".
        PluginError: the module can't be imported or lacks the function.
        ModelError: the function fails, or returns nothing that can be called.
    """
    if not isinstance(given, str):
        network = OwnNetwork(getattr(given, "__qualname__", type(given).__name__), given)
    elif given.count(":") == 1:
        network = OwnNetwork(given, _make(given))
    else:
        raise UsageError(
            f"{flag} {given} is not module:function",
            hint="name a function without arguments that returns the network",
        )
    if not callable(network.function):
        what = type(network.function).__name__
        raise ModelError(f"{network.name} gave a {what}, which is no network: it can't be called")
    return network.eval()


def _make(path: str) -> Any:
    function = resolve(path)
    try:
        return function()
    except I2IError:
        raise
    except Exception as error:  # a stranger's function raises what it likes
        raise ModelError(
            f"{path}() failed: {reason_of(error)}",
            hint="name a function without arguments that returns the network",
        ) from error


@dataclass(frozen=True)
class _Item:
    """A picture on its way: decoded, then the network's answer in its place."""

    picture: Picture
    header: Header | None = None
    pixels: Pixels | None = None
    answer: Tensor | None = None
    failure: str = ""

    @property
    def size(self) -> tuple[int, ...]:
        """Height, width and channels; empty without pixels."""
        return () if self.pixels is None else self.pixels.shape


def look(
    network: nn.Module,
    pictures: PictureSet,
    compute: Compute,
    tally: Tally,
    judge: Judge | None = None,
) -> Iterator[tuple[Picture, Tensor]]:
    """Yield each readable picture with the network's answer to it, on the CPU, in order.

    Pictures have their own sizes; those of one size that follow each other are shown together. The
    network runs on the first of the devices: a stranger's function may not be fit for copies.

    Args:
        network: (B, 3, H, W) float32 in [-1, 1] to (B, …).
        pictures: what to show it.
        compute: how to go about it.
        tally: counts the pictures.
        judge: what becomes of an answer; a `SampleError` counts the picture as a failure.

    Raises:
        SampleError: a picture can't be read, and the work stops at such.
        SourceError: none can be read.
        ModelError: the network breaks its contract.
    """
    device, workers = compute.devices()[0], compute.chosen_workers()
    with ExitStack() as stack:
        stack.enter_context(compute.kernels())
        codecs = stack.enter_context(ThreadPoolExecutor(workers)) if workers else None
        replicas = Replicas(network, [device], compute.precision)
        decoded = ahead(_decode, pictures.read(), codecs, _MOST_WAITING)
        batches = _batched(decoded, partial(_batch_size, compute, device))
        answered = chain.from_iterable(map(partial(_answer, replicas), batches))
        for item in ahead(partial(_judge, judge), answered, codecs, workers):
            _count(item, compute, tally, pictures.count)
            if item.answer is not None:
                yield item.picture, item.answer
    if tally.n == 0:
        first = tally.failures[0] if tally.failures else "there are none"
        raise SourceError(f"no picture of {pictures.location} can be measured: {first}")


def _decode(picture: Picture) -> _Item:
    try:
        return _Item(picture, *read_picture(picture))
    except SampleError as error:
        return _Item(picture, failure=str(error))


def _batch_size(compute: Compute, device: torch.device, item: _Item) -> int:
    """Return how many pictures of an item's size the network takes at a time."""
    if compute.batch_size or item.pixels is None:
        return compute.batch_size or 1
    area: int = item.pixels.shape[0] * item.pixels.shape[1]
    return max(1, min(compute.chosen_batch_size(device), _BATCH_PIXELS // area))


def _batched(items: Iterable[_Item], most: Callable[[_Item], int]) -> Iterator[list[_Item]]:
    """Group items of one size that follow each other."""
    batch: list[_Item] = []
    for item in items:
        if batch and (item.size != batch[0].size or len(batch) >= most(item)):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _answer(replicas: Replicas, items: list[_Item]) -> list[_Item]:
    """Show the network a batch; pictures that couldn't be read pass by."""
    tensors = [to_tensor(item.pixels, RGB()) for item in items if item.pixels is not None]
    if not tensors:
        return items
    answers = replicas(torch.cat(tensors))
    return [
        replace(item, pixels=None, answer=answer)
        for item, answer in zip(items, answers, strict=True)
    ]


def _judge(judge: Judge | None, item: _Item) -> _Item:
    if judge is None or item.answer is None:
        return item
    try:
        return replace(item, answer=judge(item.picture, item.answer))
    except SampleError as error:
        return replace(item, answer=None, failure=str(error))


def _count(item: _Item, compute: Compute, tally: Tally, total: int | None) -> None:
    if item.failure:
        if compute.on_error == "stop":
            raise SampleError(item.failure, hint="--on-error skip leaves it out and counts it")
        tally.failures.append(item.failure)
    elif item.header is not None:
        tally.count(item.header)
    if compute.on_progress:
        failed = len(tally.failures)
        compute.on_progress(Progress(tally.n + failed, total, failed, 0))
