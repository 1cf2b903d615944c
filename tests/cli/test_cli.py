"""The program as its users meet it: what it prints, and its exit status."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from i2ikit.cli import main
from tests.cli.conftest import Cli
from tests.conftest import GOLDEN, picture


def test_translate_says_what_it_did(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    code, out, _ = cli(
        "translate", "--model", "tint", "--style-sample", 2, pictures, tmp_path / "o"
    )
    assert code == 0
    assert f"10 outputs of 5 inputs in {tmp_path / 'o'}" in out


def test_translate_prints_json(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    code, out, _ = cli("translate", "--model", "echo", "--json", pictures, tmp_path / "o")
    summary = json.loads(out)
    assert (code, summary["num_outputs"], summary["is_complete"]) == (0, 5, True)


def test_failed_inputs_are_counted_shown_and_in_the_exit_status(
    cli: Cli, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "a" / "0.png").write_bytes(b"")
    code, out, err = cli("translate", "--model", "echo", pictures, tmp_path / "o")
    assert code == 3
    assert "4 outputs of 5 inputs" in out
    assert "1 input failed:" in err
    assert "0.png is empty" in err
    assert "errors.jsonl" in err


def test_stop_exits_with_one(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    (pictures / "a" / "0.png").write_bytes(b"")
    code, _, err = cli(
        "translate", "--model", "echo", "--on-error", "stop", pictures, tmp_path / "o"
    )
    assert code == 1
    assert "0.png is empty" in err


def test_plan_writes_nothing(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    code, out, _ = cli("translate", "--plan", "--model", "echo", pictures, tmp_path / "o")
    assert code == 0
    assert "5 inputs × 1 style = 5 outputs" in out
    assert not (tmp_path / "o").exists()


def test_options_fields_and_shards_are_parsed(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    masks = shutil.copytree(pictures, tmp_path / "masks")
    arguments = ["translate", "--model", "tint", "-o", "strength=1", "--field", f"mask={masks}"]
    for part in ("0/2", "1/2"):
        code, _, _ = cli(*arguments, "--shard", part, "--batch-size", 2, pictures, tmp_path / "o")
        assert code == 0
    assert (tmp_path / "o" / "a" / "0.mask.png").exists()
    assert (tmp_path / "o" / "metadata.jsonl").exists()


def test_torchruns_rank_is_the_shard(
    cli: Cli, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    _, out, _ = cli("translate", "--model", "echo", pictures, tmp_path / "o")
    assert "0 outputs of 0 inputs" in out
    assert "not complete" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        (["--model", "munti", "IN", "OUT"], 2, "unknown model 'munti'", "did you mean 'munit'?"),
        (["--model", "one-way", "IN", "OUT"], 2, "model 'one-way' needs weights", "give --checkp"),
        (
            ["--model", "munit", "--checkpoint", "no.pt", "IN", "OUT"],
            1,
            "checkpoint no.pt does not exist",
            "",
        ),
        (["--model", "echo", "EMPTY", "OUT"], 1, "no pictures", ""),
        (["--model", "echo", "nowhere", "OUT"], 1, "nowhere", ""),
        (["--model", "echo", "IN", "FILE"], 1, "is a file", "name a folder"),
        (["--model", "echo", "--direction", "b2a", "IN", "OUT"], 2, "can't translate b2a", "a2b"),
        (["--model", "echo", "--style-from", "IN", "IN", "OUT"], 2, "no example pictures", ""),
        (["--model", "echo", "-o", "x", "IN", "OUT"], 2, "-o x has no value", "-o name=value"),
        (["--model", "echo", "--field", "x", "IN", "OUT"], 2, "--field x is not", "NAME=DIR"),
        (["--model", "echo", "--shard", "x", "IN", "OUT"], 2, "--shard x is not", "i/n"),
        (["--model", "echo", "--batch-size", "x", "IN", "OUT"], 2, "--batch-size x is", ""),
    ],
)
def test_wrong_input_gets_a_sentence_and_a_hint(
    cli: Cli,
    pictures: Path,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
    hint: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    places = {"IN": pictures, "OUT": tmp_path / "o", "EMPTY": tmp_path / "empty"}
    places["FILE"] = tmp_path / "file"
    given, _, err = cli("translate", *[places.get(text, text) for text in arguments])
    assert given == code
    assert message in err
    assert hint in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 2


def test_an_output_folder_of_another_run_is_refused(
    cli: Cli, pictures: Path, tmp_path: Path
) -> None:
    cli("translate", "--model", "echo", pictures, tmp_path / "o")
    code, _, err = cli("translate", "--model", "tint", pictures, tmp_path / "o")
    assert code == 1
    assert "holds a different run: model is echo there and tint here" in err
    assert "--restart starts over" in err


def test_debug_shows_where(
    fakes: None, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from i2ikit.errors import UsageError

    words = ["--debug", "translate", "--model", "x", str(pictures), str(tmp_path / "o")]
    monkeypatch.setattr(sys, "argv", ["i2ikit", *words])
    with pytest.raises(UsageError):
        main()


def test_models_are_listed(cli: Cli) -> None:
    code, out, _ = cli("models")
    assert code == 0
    assert {"munit", "tint"} <= {line.split()[0] for line in out.splitlines()}
    assert {"munit", "tint"} <= {row["name"] for row in json.loads(cli("models", "--json")[1])}


@pytest.mark.parametrize("name", ["bicyclegan", "munit", "pix2pixhd", "unit", "tint"])
def test_a_model_is_described(cli: Cli, name: str) -> None:
    code, out, _ = cli("models", name)
    assert code == 0
    for title in ("directions:", "inputs:", "styles:", "sizes:"):
        assert title in out


def test_a_models_options_have_help_defaults_and_bounds(cli: Cli) -> None:
    _, out, _ = cli("models", "tint")
    assert "strength  [float; default 0.5; ≥ 0, ≤ 1]" in out
    assert "how much of the colour is added" in out
    options = json.loads(cli("models", "tint", "--json")[1])["options"]
    assert options[0]["default"] == 0.5


def test_a_broken_plugin_is_named_and_the_rest_works(
    cli: Cli, install: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unlucky.py").write_text("raise RuntimeError('no luck')")
    monkeypatch.syspath_prepend(tmp_path)
    install("strange-package", odd="unlucky")
    code, out, err = cli("models")
    assert code == 0
    assert "munit" in out
    assert "plugin 'odd' of strange-package 1.0 is broken: RuntimeError: no luck" in err
    assert "broken: RuntimeError: no luck" in cli("plugins")[1]


def test_a_plugin_can_be_left_out(cli: Cli) -> None:
    plugins = json.loads(cli("-p", "no:munit", "plugins", "list", "--json")[1])
    assert [plugin["name"] for plugin in plugins if plugin["is_blocked"]] == ["munit"]
    code, _, err = cli("-p", "munit", "models")
    assert code == 2
    assert "write -p no:NAME" in err


def test_audit_tells_sound_from_not(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    cli("translate", "--model", "echo", pictures, tmp_path / "o")
    assert cli("audit", tmp_path / "o")[:2] == (
        0,
        "5 inputs × 1 style = 5 outputs + 0 failed inputs × 1\nsound\n",
    )
    (tmp_path / "o" / "a" / "0.png").unlink()
    code, out, _ = cli("audit", tmp_path / "o")
    assert code == 1
    assert "missing files, 1: a/0.png" in out
    assert json.loads(cli("audit", "--json", tmp_path / "o")[1])["missing"] == ["a/0.png"]


def test_audit_with_failures_exits_with_three(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    (pictures / "a" / "0.png").write_bytes(b"")
    cli("translate", "--model", "echo", pictures, tmp_path / "o")
    assert cli("audit", tmp_path / "o")[0] == 3


@pytest.mark.parametrize("command", [[], ["translate"], ["models"], ["plugins"], ["audit"]])
def test_help_ends_with_an_example_that_works(
    cli: Cli, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    picture(16, 16).save("in/x.png")
    shutil.copy(GOLDEN / "munit" / "base" / "gen_00000001.pt", "gen.pt")
    if command == ["audit"]:
        cli("translate", "--model", "echo", "in", "out")
    code, out, _ = cli(*command, "--help")
    assert code == 0
    (example,) = re.findall(r"Example: i2ikit (.*)", " ".join(out.split()))
    assert cli(*shlex.split(example))[0] == 0


def test_the_version_is_shown(cli: Cli) -> None:
    import i2ikit

    assert cli("--version")[1].strip() == i2ikit.__version__


@pytest.mark.parametrize("words", ["i2ikit models mu", "i2ikit translate --model mu"])
def test_the_shell_completes_models(words: str) -> None:
    asked = {"_I2IKIT_COMPLETE": "complete_bash", "COMP_WORDS": words}
    asked["COMP_CWORD"] = str(len(words.split()) - 1)
    program = Path(sys.executable).parent / "i2ikit"
    done = subprocess.run(
        [program], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["munit"]
