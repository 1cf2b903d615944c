"""What a step can say: the commands and their parameters, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

#: What a value is; a place is a path, or a URL.
Kind: TypeAlias = Literal["text", "place", "int", "float", "bool"]
#: A value, a list of values, or a mapping that is given as NAME=VALUE, again and again.
Form: TypeAlias = Literal["one", "many", "named"]

_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


@dataclass(frozen=True)
class Parameter:
    """An argument or a flag of a command.

    Attributes:
        name: what a recipe calls it: `in`, `batch-size`.
        flag: what the command line calls it: `--batch-size`; "" for an argument.
        off_flag: `--no-flip`, if there is one.
        kind: of its values.
        form: in which they are given.
        choices: the values that it takes; empty for no such list.
        minimum: of a number.
        maximum: of a number.
        is_required: whether a step must give it.
        is_input: whether the command reads what is there, if it is a place.
        is_output: whether the command writes there; both, if it changes what is there.
    """

    name: str
    flag: str = ""
    off_flag: str = ""
    kind: Kind = "text"
    form: Form = "one"
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    is_required: bool = False
    is_input: bool = True
    is_output: bool = False

    def problem(self, text: str) -> str:
        """Return what is wrong with a value: `is no whole number`; "" if nothing is."""
        if self.choices and text not in self.choices:
            return f"is none of {', '.join(self.choices)}"
        if self.kind == "bool" and text.lower() not in _TRUE + _FALSE:
            return "is neither true nor false"
        if self.kind == "place" and not text:
            return "is empty"
        return self._number_problem(text) if self.kind in ("int", "float") else ""

    def _number_problem(self, text: str) -> str:
        try:
            number = int(text) if self.kind == "int" else float(text)
        except ValueError:
            return "is no whole number" if self.kind == "int" else "is no number"
        if self.minimum is not None and number < self.minimum:
            return f"is less than {self.minimum:g}"
        if self.maximum is not None and number > self.maximum:
            return f"is more than {self.maximum:g}"
        return ""

    def words(self, text: str) -> list[str]:
        """Return what a command line says for a value."""
        if self.kind == "bool":
            word = self.flag if text.lower() in _TRUE else self.off_flag
            return [word] if word else []
        return [self.flag, text] if self.flag else [text]


@dataclass(frozen=True)
class Command:
    """A command that a step can be.

    Attributes:
        name: "train", "eval fd".
        parameters: arguments in their order, and flags.
        options_of: what its parameter `option` sets: the model's options, those of its training,
            or something else ("").
    """

    name: str
    parameters: tuple[Parameter, ...]
    options_of: Literal["", "model", "training"] = ""


#: The commands by their names.
Vocabulary: TypeAlias = Mapping[str, Command]
