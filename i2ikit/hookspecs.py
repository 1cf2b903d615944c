"""The hooks a plugin can implement, and the entries it returns. Light: imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pluggy

#: The version of the contract between i2ikit and its plugins; raised when old plugins would break.
API_VERSION = 1

hookspec = pluggy.HookspecMarker("i2ikit")
hookimpl = pluggy.HookimplMarker("i2ikit")


@dataclass(frozen=True)
class ModelEntry:
    """One model a plugin offers.

    `model` and `options` name heavy code as `"module:Name"`, imported only when it is needed: an
    `i2ikit.Model`, and its `Options` where that lies in a module of its own.
    """

    name: str
    model: str
    options: str = ""
    summary: str = ""
    paper: str = ""
    api: int = API_VERSION


class Hooks:
    """What i2ikit asks of every plugin."""

    @hookspec
    def i2ikit_models(self) -> Sequence[ModelEntry]:  # type: ignore[empty-body]
        """Return the models this plugin offers."""
