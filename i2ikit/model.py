"""The contract of a model: facts it states, and the four things it does.

A model never sees how many styles are asked for, draws no random number in translation, never pads,
places no tensor on a device and opens no file but its checkpoint. It states facts; i2ikit acts.
On a CPU its methods are called from several threads at once: they keep nothing on the module.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from torch import Tensor, nn

from i2ikit.errors import ModelError
from i2ikit.options import NoOptions, Options

#: What `encode` returns and `decode` takes: trees (dict, tuple, list) of tensors whose first
#: dimension is the batch; opaque to i2ikit.
Tree: TypeAlias = Any
Content: TypeAlias = Tree
Style: TypeAlias = Tree

Direction: TypeAlias = Literal["a2b", "b2a"]


@dataclass(frozen=True)
class RGB:
    """A colour picture: (B, 3, H, W) float in [-1, 1]."""


@dataclass(frozen=True)
class Grey:
    """A grey picture: (B, 1, H, W) float in [-1, 1]."""


@dataclass(frozen=True)
class LabelMap:
    """Class ids: (B, 1, H, W) int64 in 0 … num_classes - 1."""

    num_classes: int


@dataclass(frozen=True)
class InstanceMap:
    """Instance ids: (B, 1, H, W) int64, not negative, any value."""


InputKind: TypeAlias = RGB | Grey | LabelMap | InstanceMap


@dataclass(frozen=True)
class SizeRule:
    """The sizes a network takes; i2ikit pads (or, for `fixed`, resizes) and restores.

    Attributes:
        multiple_of: height and width must be multiples of this.
        minimum: the smallest height and width.
        fixed: the one (height, width), if the network takes no other.
    """

    multiple_of: int = 1
    minimum: int = 1
    fixed: tuple[int, int] | None = None

    def fit(self, height: int, width: int) -> tuple[int, int]:
        """Return the smallest legal size that holds (height, width), or the fixed one."""
        if self.fixed:
            return self.fixed
        return self._legal(height), self._legal(width)

    def _legal(self, side: int) -> int:
        return -(-max(side, self.minimum) // self.multiple_of) * self.multiple_of


@dataclass(frozen=True)
class Checkpoint:
    """What a model's `read_checkpoint` read.

    Attributes:
        weights: tensors under the model's own state-dict names.
        options: option values that the tensors' shapes prove.
        hints: option values that a settings file beside the weights states; may hold names that are
            no options, which are ignored.
        files: the files read; their hash names the checkpoint in a run's records.
    """

    weights: dict[str, Tensor]
    options: Mapping[str, Any] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[Path] = ()


class Model(nn.Module):
    """Base of every model. The smallest one writes `encode` and `decode`.

    Class attributes are facts; `__init__(options)` may set them on the instance from its options.

    Attributes:
        directions: which ways a checkpoint can translate.
        inputs: what `encode` takes, by field name; the first is the picture the output is named by.
        reference_inputs: what `style_from_reference` takes, or None: no styles from examples.
        noise_shape: shape of one style's noise, without batch; () means one output per input.
        size: the sizes `encode` takes.
        reference_size: the sizes `style_from_reference` takes; None: as `size`.
        choice_fields: what a row of explicit choices says ("instance", "cluster"); () if a style
            can't be given that way.
        official_range: how the original program turns [-1, 1] into saved pixels: "round" (half
            up, as i2ikit), "truncate", or "stretch" (each picture's minimum to 0, maximum to 255).
        keeps_places: whether what is at a place in the input is there in the output; labels with
            coordinates are refused where it isn't.
        cluster_files: the name, without suffix, of files beside a checkpoint's weights that hold
            clusters of features, with a star for their number ("clusters_*"); "" if it has none.
    """

    Options: ClassVar[type[Options]] = NoOptions
    directions: tuple[Direction, ...] = ("a2b",)
    inputs: Mapping[str, InputKind] = {"image": RGB()}
    reference_inputs: Mapping[str, InputKind] | None = None
    noise_shape: tuple[int, ...] = ()
    size: SizeRule = SizeRule()
    reference_size: SizeRule | None = None
    choice_fields: tuple[str, ...] = ()
    official_range: Literal["round", "truncate", "stretch"] = "round"
    keeps_places: bool = True
    cluster_files: str = ""

    def __init__(self, options: Any = None) -> None:
        """Make the network; `options` is an instance of the class's `Options`."""
        super().__init__()
        self.options: Any = options if options is not None else type(self).Options()

    @classmethod
    def read_checkpoint(cls, path: Path, direction: Direction) -> Checkpoint:
        """Read the weights for one direction from a file or folder.

        The default reads a file of plain tensors named as the model's own state dict.

        Raises:
            CheckpointError: not this model's checkpoint; the message says what it is.
        """
        from i2ikit.checkpoints import read_state_dict

        del direction
        return Checkpoint(weights=read_state_dict(path), files=(path,))

    @abstractmethod
    def encode(self, *args: Any, **inputs: Any) -> Content:
        """Return what decoding needs of the inputs; called once per input, whatever the styles.

        The inputs come by name, as `inputs` states them; override it as `encode(self, image)`.
        """
        raise NotImplementedError

    @abstractmethod
    def decode(self, content: Content, style: Style) -> Tensor:
        """Return pictures, (B, 3, H, W) in [-1, 1], pairing contents with styles one to one.

        `style` is None for a model without styles.
        """
        raise NotImplementedError

    def style_from_noise(self, noise: Tensor, content: Content) -> Style:
        """Return styles from (B, *noise_shape) standard normal noise, one per content."""
        raise ModelError(f"{type(self).__name__} has a noise_shape but no style_from_noise")

    def style_from_reference(self, *args: Any, **inputs: Any) -> Style:
        """Return the styles of example pictures, which come by name like the inputs of `encode`."""
        raise ModelError(f"{type(self).__name__} has reference_inputs but no style_from_reference")

    def style_from_choices(
        self, rows: Sequence[Sequence[Mapping[str, int]]], content: Content
    ) -> Style:
        """Return styles from explicit choices: for each content, rows that map `choice_fields`.

        Raises:
            SampleError: a row names what the input or the checkpoint doesn't have.
        """
        raise ModelError(f"{type(self).__name__} has choice_fields but no style_from_choices")

    def choices_from_noise(self, noise: Tensor, content: Content) -> list[list[dict[str, int]]]:
        """Return, for each content, the rows from which `style_from_choices` makes this style."""
        raise ModelError(f"{type(self).__name__} has choice_fields but no choices_from_noise")

    def cluster_features(
        self, examples: Iterable[Mapping[str, Tensor]], num_clusters: int, seed: int
    ) -> Mapping[str, Tensor]:
        """Return the centres of a training set's features: of each class, by name, (k, F) float.

        i2ikit saves them, named as `cluster_files`, and `read_checkpoint` takes them in.

        Args:
            examples: what `style_from_reference` takes of each picture, batches of one, once.
            num_clusters: the most centres of a class.
            seed: of all that is drawn.

        Raises:
            SourceError: there is nothing to cluster in the examples.
        """
        raise ModelError(f"{type(self).__name__} has cluster_files but no cluster_features")


def map_tree(function: Callable[[Tensor], Any], tree: Tree) -> Tree:
    """Return `tree` with `function` applied to every tensor."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, Mapping):
        return {name: map_tree(function, branch) for name, branch in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(map_tree(function, branch) for branch in tree)
    return tree
