"""Discovery: which plugins there are, what they offer, and what is broken.

pluggy's own loader dies at the first plugin that raises and silently drops a second one of the same
name; here every entry point is loaded on its own, and what goes wrong is kept beside it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pluggy

from i2ikit.errors import I2IError, ModelError, PluginError, UsageError, did_you_mean
from i2ikit.hookspecs import (
    API_VERSION,
    CheckpointEntry,
    FeaturesEntry,
    Hooks,
    MetricEntry,
    ModelEntry,
)

GROUP = "i2ikit"

Entry: TypeAlias = ModelEntry | CheckpointEntry | FeaturesEntry | MetricEntry
AnyEntry = TypeVar("AnyEntry", ModelEntry, CheckpointEntry, FeaturesEntry, MetricEntry)

#: What the entries of each kind are called.
_NOUNS: dict[type[Entry], str] = {
    ModelEntry: "model",
    CheckpointEntry: "checkpoint",
    FeaturesEntry: "feature space",
    MetricEntry: "metric",
}


@dataclass(frozen=True)
class Plugin:
    """One entry point of the group, loaded or not.

    Attributes:
        name: the entry point's name.
        package: the distribution that declares it.
        version: that distribution's version.
        entries: what it offers.
        problem: why it can't be used; "" if it can.
        is_blocked: whether `-p no:NAME` kept it from being imported.
    """

    name: str
    package: str
    version: str
    entries: tuple[Entry, ...] = ()
    problem: str = ""
    is_blocked: bool = False


@dataclass(frozen=True)
class Catalogue:
    """All plugins found, and what they offer."""

    plugins: tuple[Plugin, ...] = field(default_factory=tuple)

    def offered(self, kind: type[AnyEntry]) -> list[tuple[AnyEntry, Plugin]]:
        """Return every usable entry of a kind with its plugin, by name."""
        found = [
            (entry, plugin)
            for plugin in self.plugins
            for entry in plugin.entries
            if isinstance(entry, kind)
        ]
        return sorted(found, key=lambda pair: pair[0].name)

    def find(self, kind: type[AnyEntry], name: str) -> AnyEntry:
        """Return the entry of a kind that is called `name`.

        Raises:
            UsageError: there is none.
            PluginError: two packages offer it.
        """
        found = [(entry, plugin) for entry, plugin in self.offered(kind) if entry.name == name]
        if not found:
            raise UsageError(f"unknown {_NOUNS[kind]} '{name}'", hint=self._hint(kind, name))
        if len(found) > 1:
            owners = " and ".join(f"{p.package} {p.version}" for _, p in found)
            blocks = " or ".join(f"-p no:{p.name}" for _, p in found)
            raise PluginError(
                f"{_NOUNS[kind]} '{name}' is offered by {owners}", hint=f"use {blocks}"
            )
        return found[0][0]

    def default_checkpoint(self, model: str) -> CheckpointEntry | None:
        """Return what a model uses where no checkpoint is named.

        Raises:
            PluginError: two packages offer one.
        """
        found = [
            (entry, plugin)
            for entry, plugin in self.offered(CheckpointEntry)
            if entry.model == model and entry.is_default
        ]
        if len(found) > 1:
            owners = " and ".join(f"'{entry.name}' of {p.package}" for entry, p in found)
            raise PluginError(
                f"model '{model}' has two default checkpoints, {owners}",
                hint="name one with --checkpoint",
            )
        return found[0][0] if found else None

    def _hint(self, kind: type[Entry], name: str) -> str:
        for plugin in self.plugins:
            if plugin.name == name and plugin.is_blocked:
                return f"plugin '{name}' is blocked by -p no:{name}"
            if plugin.name == name and plugin.problem:
                return f"plugin '{name}' of {plugin.package} is broken: {plugin.problem}"
        names = [e.name for p in self.plugins for e in p.entries if isinstance(e, kind)]
        return did_you_mean(name, names)


def discover(blocked: Iterable[str] = ()) -> Catalogue:
    """Load every plugin but the blocked ones; a broken one is listed with its reason.

    Raises:
        UsageError: a blocked plugin doesn't exist.
    """
    blocked = frozenset(blocked)
    found = [
        _load(point, distribution, blocked)
        for distribution in _distributions()
        for point in distribution.entry_points
        if point.group == GROUP
    ]
    names = {plugin.name for plugin in found}
    for name in blocked - names:
        raise UsageError(f"there is no plugin '{name}' to block", hint=did_you_mean(name, names))
    return Catalogue(tuple(sorted(found, key=lambda plugin: (plugin.name, plugin.package))))


def _distributions() -> list[importlib.metadata.Distribution]:
    """Return the installed distributions; of two copies on the path, the one that is imported."""
    first: dict[str, importlib.metadata.Distribution] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"] or ""
        first.setdefault(name.lower().replace("_", "-"), distribution)
    return list(first.values())


def _load(
    point: importlib.metadata.EntryPoint,
    distribution: importlib.metadata.Distribution,
    blocked: frozenset[str],
) -> Plugin:
    package, version = distribution.metadata["Name"], distribution.version
    if point.name in blocked:
        return Plugin(point.name, package, version, is_blocked=True)
    try:
        entries = read_entries(point.load())
    except (Exception, SystemExit) as error:  # a stranger's module may raise, or exit, as it likes
        reason = error.message if isinstance(error, PluginError) else reason_of(error)
        return Plugin(point.name, package, version, problem=reason)
    return Plugin(point.name, package, version, entries=tuple(entries))


@contextmanager
def blaming(what: str) -> Iterator[None]:
    """Turn whatever a plugin's code raises into a sentence that begins with `what`."""
    try:
        yield
    except I2IError:
        raise
    except Exception as error:  # a stranger's code raises what it likes
        raise ModelError(f"{what} failed: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def read_entries(module: Any) -> Sequence[Entry]:
    """Return what a plugin's hooks offer, after checking it.

    Raises:
        PluginError: a hook i2ikit doesn't have, or entries it can't use.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(Hooks)
    manager.register(module)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"hook unknown to i2ikit: {error}") from None
    hooks = manager.hook
    return [
        *_checked(hooks.i2ikit_models, ModelEntry),
        *_checked(hooks.i2ikit_checkpoints, CheckpointEntry),
        *_checked(hooks.i2ikit_features, FeaturesEntry),
        *_checked(hooks.i2ikit_metrics, MetricEntry),
    ]


def _checked(hook: pluggy.HookCaller, kind: type[Entry]) -> list[Entry]:
    entries = [entry for offered in hook() for entry in offered]
    for entry in entries:
        _check_entry(entry, kind, hook.name)
    return entries


def _check_entry(entry: Any, kind: type[Entry], hook: str) -> None:
    if not isinstance(entry, kind):
        raise PluginError(f"{hook} returned {entry!r}, which is no {kind.__name__}")
    what = f"{_NOUNS[kind]} '{entry.name}'"
    if entry.api != API_VERSION:
        raise PluginError(f"{what} was written for API {entry.api}, this i2ikit has {API_VERSION}")
    for path in _heavy_names(entry):
        if path.count(":") != 1:
            raise PluginError(f"{what} names '{path}', not 'module:Name'")


def _heavy_names(entry: Entry) -> tuple[str, ...]:
    """Return what an entry names as `"module:Name"`."""
    if isinstance(entry, FeaturesEntry):
        return (entry.space,)
    if isinstance(entry, CheckpointEntry):
        return tuple(filter(None, (entry.place, entry.card, entry.truth, *entry.examples.values())))
    if isinstance(entry, ModelEntry):
        return tuple(filter(None, (entry.model, entry.options, entry.training)))
    return tuple(filter(None, (entry.metric, entry.options)))


def locate(place: str) -> Path:
    """Return the file or folder in a package that `"package:path"` names.

    Raises:
        PluginError: the package can't be imported, or doesn't lie in plain files.
    """
    package, _, name = place.partition(":")
    try:
        found = importlib.resources.files(package).joinpath(name)
    except Exception as error:  # whatever a stranger's module raises while it is imported
        raise PluginError(f"{place} can't be found: {reason_of(error)}") from error
    if not isinstance(found, Path):
        raise PluginError(f"{place} is in an archive", hint="install its package unpacked")
    return found


def resolve(path: str) -> Any:
    """Import and return what `"module:Name"` names.

    Raises:
        PluginError: the module can't be imported or lacks the name.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever a stranger's module raises while it is imported
        raise PluginError(f"{path} can't be imported: {reason_of(error)}") from error
