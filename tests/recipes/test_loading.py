"""A recipe is turned into command lines, or all of its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2ikit.errors import UsageError
from i2ikit.recipes import load, read_head
from tests.recipes.conftest import VOCABULARY, Load, Write


def argv(read: Load, *sets: str) -> str:
    return " ".join(read(*sets).steps[0].argv)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("{command: copy, out: o, in: i}", "copy i o"),
        ("{command: copy, times: 2, in: i, out: o}", "copy --times 2 i o"),
        ("{command: say, words: [a, b]}", "say a b"),
        ("{command: say, words: [-a]}", "say -- -a"),
        ("{command: say, flip: true, loud: true}", "say --flip --loud"),
        ("{command: say, flip: no, loud: false}", "say --no-flip"),
        ("{command: say, rate: 1e-4}", "say --rate 1e-4"),
        ("{command: say, way: b2a}", "say --way b2a"),
        ("{command: say, option: {n: 1, list: [1, 2]}}", 'say -o n=1 -o list=["1", "2"]'),
        ("{command: say, field: {label: 'maps:_id'}}", "say --field label=maps:_id"),
    ],
)
def test_a_step_is_a_command_line(write: Write, read: Load, step: str, expected: str) -> None:
    write(f"steps:\n  s: {step}\n")
    assert argv(read) == expected


def test_a_steps_name_is_its_command(write: Write, read: Load) -> None:
    write("steps:\n  count: {in: x}\n")
    assert argv(read) == "count x"


def test_variables_have_defaults_and_can_be_given(write: Write, read: Load) -> None:
    write(
        "vars:\n  data: {default: '${recipe}/pictures', help: h}\n"
        "steps:\n  copy: {in: '${data}/train', out: '${out}/x'}\n"
    )
    assert argv(read) == "copy ./pictures/train runs/r/x"
    recipe = read(variables=("data=d", "out=o"))
    assert (recipe.steps[0].argv, recipe.out) == (("copy", "d/train", "o/x"), Path("o"))


def test_set_changes_adds_and_names_options(write: Write, read: Load) -> None:
    write("steps:\n  say: {rate: 1, option: {a: 1, b: 2}}\n")
    changed = ("steps.say.rate=2", "steps.say.loud=true", "steps.say.option.a=3")
    assert argv(read, *changed) == "say --rate 2 -o a=3 -o b=2 --loud"
    assert argv(read, "steps.say.option.a.b=5") == "say --rate 1 -o a=1 -o b=2 -o a.b=5"
    assert argv(read, "steps.say.words=[x, y]").endswith("x y")


#: What is wrong, and what is said of it.
MISTAKES = [
    ("steps:\n  copy: {in: i, out: o, times: x}", "r.yaml:4: steps.copy.times: 'x' is no whole"),
    ("steps:\n  copy: {in: i, out: o, times: 0}", "steps.copy.times: '0' is less than 1"),
    ("steps:\n  copy: {in: i, out: o, times: 10}", "steps.copy.times: '10' is more than 9"),
    ("steps:\n  say: {rate: fast}", "steps.say.rate: 'fast' is no number"),
    ("steps:\n  say: {way: a2c}", "steps.say.way: 'a2c' is none of a2b, b2a"),
    ("steps:\n  say: {loud: maybe}", "steps.say.loud: 'maybe' is neither true nor false"),
    ("steps:\n  say: {rate: [1, 2]}", "steps.say.rate: should be a single value"),
    ("steps:\n  say: {words: [{a: 1}]}", "steps.say.words: should be a single value"),
    ("steps:\n  say: {option: 3}", "steps.say.option: should have names and values"),
    (
        "steps:\n  say: {rat: 1}",
        "steps.say.rat = 1: `say` has no such parameter; did you mean 'rate'",
    ),
    ("steps:\n  copy: {in: i}", "r.yaml:4: steps.copy: `copy` needs 'out'"),
    ("steps:\n  copy: {in: '', out: o}", "steps.copy.in: '' is empty"),
    ("steps:\n  cop: {in: i}", "r.yaml:4: steps.cop: unknown command 'cop'; did you mean 'copy'?"),
    ("steps:\n  x: {command: cop}", "steps.x.command: unknown command 'cop'; did you mean 'copy'?"),
    ("steps:\n  say: {words: '${oout}'}", "unknown variable ${oout}; did you mean 'out'?"),
    ("steps:\n  say: {rate: '${x}'}\n", "r.yaml:4: steps.say.rate: unknown variable ${x}"),
    ("steps:\n  a/b: {command: say}", "steps.a/b: 'a/b' can't name a step"),
    ("steps: {}", "r.yaml:3: steps: Dictionary should have at least 1 item"),
    ("steps:\n  say:", "r.yaml:4: steps.say: should have keys and values below it"),
    ("stepz:\n  say: {}", "r.yaml:3: stepz: unknown key; did you mean 'steps'?"),
    ("steps:\n  say: {rate: 1, rate: 2}", "steps.say.rate: the key is there twice; see r.yaml:4"),
    ("steps:\n  say: {}\npaper: [x]", "r.yaml:5: paper: should be a text"),
    ("steps:\n  say: {}\ndata: x", "r.yaml:5: data: should be a list"),
    (
        "steps:\n  say: {}\ndata:\n- {name: x, sorce: y}",
        "data.0.sorce = y: unknown key; did you mean",
    ),
    ("steps:\n  say: {}\nvars: {v: {default: x}}", "vars.v.help: is missing"),
    ("steps:\n  say: {}\nvars: {out: {default: x, help: y}}", "vars.out: it is there without"),
    ("steps:\n  translate: {model: munti}", "unknown model 'munti'; did you mean 'munit'?"),
    (
        "steps:\n  translate: {model: munit, option: {dimm: 1}}",
        "option.dimm = 1: model 'munit' has",
    ),
    ("steps:\n  translate: {model: munit, option: {dim: 0}}", "option.dim = 0: Input should be gr"),
    ("steps:\n  train: {model: munit, option: {gan_w: x}}", "option.gan_w = x: Input should be"),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES)
def test_a_mistake_is_told_with_its_line(write: Write, read: Load, text: str, told: str) -> None:
    write(text)
    with pytest.raises(UsageError) as error:
        read()
    assert told in error.value.message


def test_options_of_a_training_are_no_options_of_its_model(write: Write, read: Load) -> None:
    write("steps:\n  train: {model: munit, option: {gan_w: 2}}\n")
    assert argv(read) == "train --model munit -o gan_w=2"
    write("steps:\n  translate: {model: munit, option: {gan_w: 2}}\n")
    with pytest.raises(UsageError, match="no such option"):
        read()


@pytest.mark.parametrize(
    ("sets", "variables", "told"),
    [
        (["steps.sya.rate=1"], [], "--set steps.sya.rate=1: steps.sya: there is no step 'sya'"),
        (["steps.say.rat=1"], [], "steps.say.rat = 1: `say` has no such parameter"),
        (["steps.say.rate=x"], [], "--set steps.say.rate=x: steps.say.rate: 'x' is no number"),
        (["vars.data=1"], [], "--set vars.data=1: 'vars.data' names no parameter of a step"),
        (["steps.say.rate"], [], "names no parameter of a step"),
        (["steps.say.rate=["], [], "--set steps.say.rate=[: '[' is no YAML"),
        ([], ["dta=x"], "--var dta=x: there is no variable 'dta'"),
        ([], ["out"], "--var out: 'out' has no value; write --var name=value"),
        ([], ["out=s3://x"], "a recipe's out is a local folder"),
    ],
)
def test_changes_that_name_nothing_are_told(
    write: Write, sets: list[str], variables: list[str], told: str
) -> None:
    path = write("steps:\n  say: {rate: 1}\n")
    with pytest.raises(UsageError) as error:
        load(str(path), VOCABULARY, sets=sets, variables=variables)
    assert told in error.value.message


def test_all_mistakes_are_told_at_once_in_the_order_of_lines(write: Write, read: Load) -> None:
    write("steps:\n  say: {rate: x}\n  cop: {}\n", head="name: q\ndescripton: d\n")
    with pytest.raises(UsageError) as error:
        read("steps.nix.a=1")
    first, *lines = error.value.message.splitlines()
    assert first == "r.yaml has 6 mistakes"
    places = [line.split(": ")[0].strip() for line in lines]
    assert places == [
        "r.yaml:1",
        "r.yaml:1",
        "r.yaml:2",
        "r.yaml:4",
        "r.yaml:5",
        "--set steps.nix.a=1",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1\nb: 2", r"r\.yaml:2 is no YAML"),
        ("just words", "holds no keys"),
        ("", "holds no keys"),
    ],
)
def test_what_is_no_mapping_is_refused(write: Write, read: Load, text: str, told: str) -> None:
    write(text, head="")
    with pytest.raises(UsageError, match=told):
        read()


def test_files_that_are_not_there_and_names_are_told_apart(write: Write) -> None:
    with pytest.raises(UsageError, match=r"no recipe file nix\.yaml"):
        read_head("nix.yaml")
    with pytest.raises(UsageError, match="no recipe 'facade'") as error:
        read_head("facade")
    assert "did you mean 'facades-bicyclegan'?" in error.value.hint


def test_a_summary_is_the_first_sentence(write: Write) -> None:
    assert read_head(str(write("steps: {say: {}}"))).summary == "One."
