"""Recipes of a tiny program, whose commands are the vocabulary."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from i2ikit.recipes import Command, Parameter, Recipe, load, running

Write = Callable[..., Path]
Load = Callable[..., Recipe]

IN = Parameter("in", kind="place", is_required=True)
OUT = Parameter("out", kind="place", is_required=True, is_input=False, is_output=True)
VOCABULARY = {
    "copy": Command(
        "copy", (IN, OUT, Parameter("times", "--times", kind="int", minimum=1, maximum=9))
    ),
    "count": Command("count", (IN,)),
    "add": Command("add", (Parameter("to", kind="place", is_output=True),)),
    "end": Command("end", (Parameter("status", kind="int", is_required=True),)),
    "wait": Command("wait", (OUT,)),
    "say": Command(
        "say",
        (
            Parameter("words", kind="text", form="many"),
            Parameter("flip", "--flip", "--no-flip", kind="bool"),
            Parameter("loud", "--loud", kind="bool"),
            Parameter("rate", "--rate", kind="float"),
            Parameter("way", "--way", choices=("a2b", "b2a")),
            Parameter("option", "-o", form="named"),
            Parameter("field", "--field", kind="place", form="named"),
        ),
    ),
    "train": Command(
        "train",
        (
            Parameter("model", "--model", is_required=True),
            Parameter("option", "-o", form="named"),
        ),
        options_of="training",
    ),
    "translate": Command(
        "translate",
        (Parameter("model", "--model", is_required=True), Parameter("option", "-o", form="named")),
        options_of="model",
    ),
}

HEAD = "name: r\ndescription: One. Two.\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes r.yaml into the folder that commands start in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        running, "_PROGRAM", (sys.executable, str(Path(__file__).parent / "tool.py"))
    )

    def put(text: str, head: str = HEAD) -> Path:
        Path("r.yaml").write_text(head + text)
        return Path("r.yaml")

    return put


@pytest.fixture
def read(write: Write) -> Load:
    """Return a function that loads r.yaml with changes."""

    def again(*sets: str, variables: tuple[str, ...] = ()) -> Recipe:
        return load("r.yaml", VOCABULARY, sets=sets, variables=variables)

    return again
