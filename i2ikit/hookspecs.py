"""The hooks a plugin can implement, and the entries it returns. Light: imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pluggy

#: The version of the contract between i2ikit and its plugins; raised when old plugins would break.
API_VERSION = 1

hookspec = pluggy.HookspecMarker("i2ikit")
hookimpl = pluggy.HookimplMarker("i2ikit")


@dataclass(frozen=True)
class ModelEntry:
    """One model a plugin offers.

    `model`, `options` and `training` name heavy code as `"module:Name"`, imported only when it is
    needed: an `i2ikit.Model`, its `Options` where that lies in a module of its own, and the
    `i2ikit.Training` that makes its weights, if the plugin has one.
    """

    name: str
    model: str
    options: str = ""
    training: str = ""
    summary: str = ""
    paper: str = ""
    api: int = API_VERSION


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights that a feature space needs, by the name it is known under.

    Attributes:
        name: the official file's name.
        url: where it can be downloaded from; "" if nowhere by itself.
        sha256: the digest of the official file, or its beginning; "" if unknown.
    """

    name: str
    url: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class FeaturesEntry:
    """One feature space a plugin offers, in which metrics can be measured.

    `space` names a function as `"module:function"`; called with the keyword arguments `argument`
    (what follows the colon in `--features NAME:ARGUMENT`, or ""), `dims` (int, or None for the
    usual), `weights` (the path of the entry's file, or of one that the user named; None if neither)
    and `convention` ("" for the usual), it returns an `i2ikit.FeatureSpace`.

    Attributes:
        weights: the file it needs, if one; i2ikit looks for it.
        module: what it imports that may not be installed.
        extra: what pip installs for that, for messages.
    """

    name: str
    space: str
    weights: WeightsFile | None = None
    summary: str = ""
    module: str = ""
    extra: str = ""
    api: int = API_VERSION


@dataclass(frozen=True)
class MetricEntry:
    """One metric a plugin offers: a comparison of two sets of features.

    `metric` names a function as `"module:function"`; called with two `i2ikit.Features` (real,
    generated) and an instance of the class that `options` names, it returns an `i2ikit.Measured`.

    Attributes:
        options: `"module:Name"` of an `i2ikit.Options`; "" for a metric without.
        features: the feature space it is measured in if the user names none.
        only: whether it is defined in no other space.
        by_statistics: whether mean and covariance of each side are all it needs.
        is_biased: whether few pictures push it up: then it comes with a warning, and KID beside it.
        bounds: the least and the greatest that it can be.
    """

    name: str
    metric: str
    options: str = ""
    summary: str = ""
    features: str = "inception"
    only: bool = False
    by_statistics: bool = False
    is_biased: bool = False
    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    api: int = API_VERSION


@dataclass(frozen=True)
class CheckpointEntry:
    """A checkpoint that a plugin's package holds, to be used by its name.

    `place` names a file or folder within the package as `"package:path"`, as the model's
    `read_checkpoint` takes it; `examples` and `truth` name folders of pictures likewise.

    Attributes:
        model: the name of the model that it belongs to.
        place: where it is.
        sha256: what `i2ikit.checkpoints.digest` gives of its files.
        summary: what it does, and for pictures of what size.
        source: where it comes from: data, recipe.
        licence: of the weights.
        card: a text that tells more, `"package:path"`.
        is_default: whether the model uses it where no other is named.
        examples: inputs to show it with, by field name.
        truth: the true pictures of the examples; for a model that goes both ways, inputs too.
    """

    name: str
    model: str
    place: str
    sha256: str
    summary: str = ""
    source: str = ""
    licence: str = ""
    card: str = ""
    is_default: bool = False
    examples: Mapping[str, str] = field(default_factory=dict)
    truth: str = ""
    api: int = API_VERSION


class Hooks:
    """What i2ikit asks of every plugin."""

    @hookspec
    def i2ikit_models(self) -> Sequence[ModelEntry]:  # type: ignore[empty-body]
        """Return the models this plugin offers."""

    @hookspec
    def i2ikit_checkpoints(self) -> Sequence[CheckpointEntry]:  # type: ignore[empty-body]
        """Return the checkpoints this plugin's package holds."""

    @hookspec
    def i2ikit_features(self) -> Sequence[FeaturesEntry]:  # type: ignore[empty-body]
        """Return the feature spaces this plugin offers."""

    @hookspec
    def i2ikit_metrics(self) -> Sequence[MetricEntry]:  # type: ignore[empty-body]
        """Return the metrics this plugin offers."""
