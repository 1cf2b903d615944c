"""Translating inside a training: in every epoch a picture has a style of its own, nothing on disk.

What a picture becomes is a function of the seed, its key and the epoch alone, and its pixels are
those of `i2ikit translate --style-sample N --seed S`: the order of samples, batches and workers
can't change them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import torch

from i2ikit.ahead import ahead
from i2ikit.data.images import Pixels
from i2ikit.data.samples import File, Sample
from i2ikit.data.sizes import shrink
from i2ikit.devices import PRECISIONS, Precision, arithmetic, choose_device
from i2ikit.errors import SampleError, UsageError
from i2ikit.feed.lru import PictureCache
from i2ikit.feed.pictures import (
    ORIGINAL,
    FeedPicture,
    KeyedPicture,
    Picture,
    as_file,
    decode,
)
from i2ikit.loading import load_model
from i2ikit.model import RGB, Direction, Grey, Model
from i2ikit.translation.job import Translator
from i2ikit.translation.load import fit_sample
from i2ikit.translation.network import batch, translate_batch
from i2ikit.translation.noise import keyed_generator
from i2ikit.translation.stages import Failed, Loaded
from i2ikit.translation.styles import DrawnStyles, NoStyles, PickedStyles, Styles


class _Asked(NamedTuple):
    """What is wanted of a sample: its translation in a style, or itself."""

    key: str
    fields: Mapping[str, File | Pixels]
    style_index: int


class TranslateOnTheFly:
    """Translates some of the pictures that a training asks for, each epoch in other styles.

    Calls from several threads wait for one another. A `DataLoader` may take it to its workers,
    forked or spawned; each has a cache of its own.

    Attributes:
        model: what translates.
        size: the shorter side that all pictures are resized to, in pixels; None: their own.
    """

    def __init__(
        self,
        model: str | Model,
        checkpoint: str | Path | None = None,
        *,
        direction: Direction = "a2b",
        options: Mapping[str, Any] | None = None,
        p: float = 0.5,
        styles: int = 8,
        seed: int = 0,
        size: int | None = None,
        device: str = "auto",
        precision: Precision = "fp32",
        cache_bytes: int = 2**30,
    ) -> None:
        """Load the model.

        Args:
            model: a name that `i2ikit models` lists; or a model, as `i2ikit.load_model` returns it,
                which is moved to `device` and knows the next three.
            checkpoint: as for `i2ikit.load_model`.
            direction: "a2b" or "b2a".
            options: the model's own settings.
            p: the probability that a picture is translated, 0 … 1.
            styles: how many styles a picture can get; a model that draws none has one.
            seed: of the styles, and of who gets which.
            size: the shorter side that all pictures are resized to, in pixels; None: their own.
            device: "auto", "cpu", "cuda", "cuda:1" …
            precision: "fp32", "bf16" or "fp16" (autocast).
            cache_bytes: how many bytes of translated pictures are kept; those used longest ago
                make room. A key must always name the same picture.

        Raises:
            UsageError: a value out of bounds, or a model that can't draw its styles.
            I2IError: what `i2ikit.load_model` raises.
        """
        _check(p, styles, size, precision, cache_bytes)
        self._device, self._precision = choose_device(device), precision
        if isinstance(model, Model):
            _refuse_further(checkpoint, options)
            self.model = model.to(self._device)
        else:
            self.model = load_model(model, checkpoint, direction, self._device, options)
        if self.model.reference_inputs is not None and not self.model.noise_shape:
            raise UsageError(
                "the model takes its style from an example picture, and draws none",
                hint="i2ikit translate --style-from makes the pictures beforehand",
            )
        self.size = size
        self._p, self._seed = p, seed
        self._num_styles = styles if self.model.noise_shape else 1
        self._cache_bytes = cache_bytes
        self._begin()

    def _begin(self) -> None:
        """Set up what each process has of its own."""
        self._process, self._lock = os.getpid(), Lock()
        self._cache = PictureCache(self._cache_bytes)

    def __getstate__(self) -> dict[str, Any]:
        own = ("_process", "_lock", "_cache")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def choose(self, key: str, epoch: int) -> int:
        """Return the style index that a picture gets in an epoch; -1: it isn't translated."""
        draws = keyed_generator(self._seed, epoch, f"epoch/{key}")
        is_translated = draws.random() < self._p
        return int(draws.integers(self._num_styles)) if is_translated else ORIGINAL

    def __call__(self, samples: Iterable[KeyedPicture], epoch: int = 0) -> list[FeedPicture]:
        """Return what each sample's picture is in an epoch: its translation, or itself.

        Args:
            samples: keys with pictures. For the pixels of `i2ikit translate`, a key is the path in
                IN without suffix. A model that takes more than a picture gets it by name, as in
                `("a", {"label": "a.png", "instance": "a_inst.png"})`; the field `image` is then
                the picture itself.
            epoch: from 0.

        Raises:
            SampleError: a picture can't be read or translated, or a field is missing.
            UsageError: this process was forked from one that has the model on a GPU.
        """
        self._enter_process()
        asked = [self._ask(key, given, epoch) for key, given in samples]
        with self._lock:
            made = self._translations(asked)
        return [
            FeedPicture(made[place] if place in made else self._original(one), one.style_index)
            for place, one in enumerate(asked)
        ]

    def _enter_process(self) -> None:
        if self._process == os.getpid():
            return
        if self._device.type != "cpu":
            raise UsageError(
                f"a model on {self._device} can't translate in a forked process",
                hint="num_workers=0, multiprocessing_context='spawn', or device='cpu'",
            )
        self._begin()  # the lock may have been held when the process was forked

    def _ask(self, key: str, given: Picture | Mapping[str, Picture], epoch: int) -> _Asked:
        named = given if isinstance(given, Mapping) else {self._shown: given}
        fields = {name: as_file(key, picture) for name, picture in named.items()}
        index = self.choose(key, epoch)
        for name in (self._shown,) if index == ORIGINAL else self.model.inputs:
            if name not in fields:
                wanted = ", ".join(dict.fromkeys((*self.model.inputs, self._shown)))
                raise SampleError(f"'{key}' has no {name}", hint=f"give by name: {wanted}")
        return _Asked(key, fields, index)

    @property
    def _shown(self) -> str:
        """The field that is the picture itself."""
        name, kind = next(iter(self.model.inputs.items()))
        return name if isinstance(kind, RGB | Grey) else "image"

    def _original(self, one: _Asked) -> Pixels:
        array = decode(one.key, one.fields[self._shown], RGB()).array
        resized = array if self.size is None else shrink(array, RGB(), self.size)
        pixels: Pixels = resized.astype("uint8", copy=False)
        return pixels

    def _translations(self, asked: list[_Asked]) -> dict[int, Pixels]:
        """Return the pictures that are to be translated, by their places."""
        made: dict[int, Pixels] = {}
        missing: dict[int, _Asked] = {}
        for place, one in enumerate(asked):
            known = self._cache.get(one.key, one.style_index)
            if known is not None:
                made[place] = known
            elif one.style_index != ORIGINAL:
                missing[place] = one
        translator = self._translator({one.key: one.style_index for one in missing.values()})
        loaded = (self._load(translator, place, one) for place, one in missing.items())
        for place, pixels in _translate(translator, loaded):
            made[place] = pixels
            self._cache.put(missing[place].key, missing[place].style_index, pixels)
        return made

    def _translator(self, indices: Mapping[str, int]) -> Translator:
        styles: Styles = NoStyles()
        if self.model.noise_shape:
            styles = PickedStyles(DrawnStyles(self._num_styles, "sample", self._seed), indices)
        return Translator(self.model, styles, self._device, self._precision, self.size)

    def _load(self, translator: Translator, place: int, one: _Asked) -> Loaded:
        decoded = {
            name: decode(one.key, one.fields[name], kind)
            for name, kind in self.model.inputs.items()
        }
        files = {name: file for name, file in one.fields.items() if isinstance(file, File)}
        return fit_sample(translator, place, Sample(one.key, files), decoded)


def _check(p: float, styles: int, size: int | None, precision: str, cache_bytes: int) -> None:
    if not 0 <= p <= 1:
        raise UsageError(f"p={p} is not between 0 and 1")
    bounds = {"styles": (styles, 1), "size": (size, 1), "cache_bytes": (cache_bytes, 0)}
    for name, (value, least) in bounds.items():
        if value is not None and value < least:
            raise UsageError(f"{name}={value} is less than {least}")
    if precision not in PRECISIONS:
        raise UsageError(f"precision={precision!r} is none of {', '.join(PRECISIONS)}")


def _refuse_further(checkpoint: str | Path | None, options: Mapping[str, Any] | None) -> None:
    for name, value in (("checkpoint", checkpoint), ("options", options)):
        if value is not None:
            raise UsageError(f"{name}={value!r} is of no use", hint="the model is loaded already")


def _translate(translator: Translator, loaded: Iterable[Loaded]) -> list[tuple[int, Pixels]]:
    """Return pictures with their numbers; a CPU makes as many at a time as it has threads."""
    threads = torch.get_num_threads() if translator.device.type == "cpu" else 1
    pool = ThreadPoolExecutor(threads) if threads > 1 else None
    made = []
    with arithmetic(threads=1), pool or nullcontext():
        batches = batch(translator, loaded)
        groups = ahead(partial(translate_batch, translator), batches, pool, threads)
        for item in chain.from_iterable(groups):
            if isinstance(item, Failed):
                raise SampleError(item.reason)
            made.append((item.loaded.index, item.pictures[0]))
    return made
