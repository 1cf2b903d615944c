"""What the documentation shows is what happens: commands, their outputs, Python code, links.

The blocks of a page run in order, in a fresh folder that `make_workspace` fills:

- `console`: lines that begin with `$` are run, and what they print stands below them;
- `bash`: each `i2ikit` command must be one that the program understands;
- `python`: is run;
- `yaml`: if it begins with `# FILE`, it is written there.

After a change, `python -m tests.test_docs --write` brings the outputs up to date.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from PIL import Image

from i2ikit.cli import main
from tests.odd_pictures import write_odd_pictures

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def make_workspace(root: Path) -> None:
    """Fill a folder with what the pages translate: tiny checkpoints and pictures."""
    shutil.copytree(GOLDEN / "munit" / "inputs", root / "photos")
    shutil.copy(GOLDEN / "munit" / "base" / "gen_00000001.pt", root / "gen.pt")
    shutil.copytree(GOLDEN / "unit" / "base", root / "unit")
    shutil.copytree(GOLDEN / "pix2pixhd" / "feat_instance", root / "pix2pixhd")
    shutil.copytree(GOLDEN / "pix2pixhd" / "data", root / "streets")
    shutil.copytree(GOLDEN / "bicyclegan" / "all_unet128", root / "bicyclegan")
    for name, left in (("edges", 0), ("shoes", 128)):
        (root / name).mkdir()
        for path in (GOLDEN / "bicyclegan" / "data128" / "val").iterdir():
            with Image.open(path) as pair:
                pair.crop((left, 0, left + 128, 128)).save(root / name / path.name)
    write_odd_pictures(root / "odd")
    shutil.copytree(GOLDEN / "eval" / "images" / "real", root / "real")


def run_i2ikit(words: list[str]) -> tuple[int, str]:
    """Return the program's exit status, and all that it prints."""
    printed = io.StringIO()
    with (
        patch.object(sys, "argv", ["i2ikit", *words]),
        patch.object(sys.modules["__main__"], "__package__", ""),  # else its name is "python -m …"
        patch.dict(os.environ, {"COLUMNS": "80"}),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code or 0
    return (code if isinstance(code, int) else 1), printed.getvalue()


class Terminal:
    """Runs a page's commands; remembers the exit status, as a shell does."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.status = 0

    def run(self, command: str) -> str:
        """Return what a command prints; the program itself runs in this process."""
        command = command.replace("\\\n", " ").replace("$?", str(self.status))
        if not command.startswith("i2ikit "):
            return _shell(command)
        self.status, printed = run_i2ikit(shlex.split(command)[1:])
        return printed.replace(str(self.home), "~")

    def show(self, block: str) -> str:
        """Return a console block with the outputs that its commands really have."""
        lines = []
        for command in re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE):
            lines += [f"$ {command}", *map(str.rstrip, self.run(command).splitlines())]
        return "\n".join(lines) + "\n"


def _shell(command: str) -> str:
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout


def blocks(text: str, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def render(page: Path, folder: Path) -> str:
    """Return a page with the outputs that its console blocks really have; run its Python."""
    if page.name == "tutorial.md":  # it starts in a checkout, and makes what it needs
        (folder / "tests").symlink_to(ROOT / "tests")
    else:
        make_workspace(folder)
    terminal, names = Terminal(folder), {"__name__": "docs"}

    def replace(match: re.Match[str]) -> str:
        language, block = match.groups()
        if language == "yaml":
            if name := re.match(r"# (\S+\.yaml)\n", block):
                Path(name[1]).write_text(block)
            return match.group()
        if language == "python":
            exec(block, names)
            return match.group()
        return f"```console\n{terminal.show(block)}```"

    pattern = r"^```(console|python|yaml)\n(.*?)^```$"
    with contextlib.chdir(folder), patch.dict(os.environ, {"HOME": str(folder)}):
        return re.sub(pattern, replace, page.read_text(), flags=re.MULTILINE | re.DOTALL)


def _timeless(text: str) -> str:
    """Return a page without what differs from run to run and from machine to machine."""
    text = re.sub(r"^\d+ inputs? in .* a second; .*$", "(time)", text, flags=re.MULTILINE)
    text = re.sub(r"^versions: .*$", "(versions)", text, flags=re.MULTILINE)
    return re.sub(r"^( *[\w ]+: )(-?\d+\.\d+)$", _rounded, text, flags=re.MULTILINE)


def _rounded(match: re.Match[str]) -> str:
    return f"{match[1]}{float(match[2]):.3g}"


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


LIVE = [
    page for page in PAGES if re.search(r"^```(console|python)$", page.read_text(), re.MULTILINE)
]


@pytest.mark.filterwarnings(  # webdataset leaves its tars to the garbage collector
    "ignore:.*things.tar:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("page", LIVE, ids=_name)
def test_a_page_shows_what_the_program_prints(page: Path, tmp_path: Path) -> None:
    rendered = render(page, tmp_path)
    assert _timeless(page.read_text()) == _timeless(rendered), "python -m tests.test_docs --write"


SHOWN = [
    (_name(page), command.strip())
    for page in PAGES
    for block in blocks(page.read_text(), "bash")
    for command in re.findall(r"\bi2ikit ((?:[^\n]*\\\n)*[^\n]*)", block)
    if not command.startswith("#")
]


@pytest.mark.parametrize(("page", "command"), SHOWN)
def test_a_command_that_is_only_shown_is_understood(page: str, command: str) -> None:
    words = shlex.split(command.replace("\\\n", " ").rstrip("& "), comments=True)
    code, printed = run_i2ikit([*words, "--help"])
    assert code == 0, f"{page}: {printed}"


def test_every_command_has_its_help_in_the_reference() -> None:
    shown = (ROOT / "docs" / "reference" / "cli.md").read_text()
    _, printed = run_i2ikit(["--help"])
    commands = re.findall(r"^  (\w+)  ", printed.partition("Commands:")[2], re.MULTILINE)
    assert commands
    assert all(f"$ i2ikit {command} --help" in shown for command in commands)


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {_slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), link
        assert not anchor or anchor in _anchors(place), link


def write() -> None:
    """Bring every page's outputs up to date."""
    for page in LIVE:
        with tempfile.TemporaryDirectory() as folder:
            rendered = render(page, Path(folder))
        if _timeless(rendered) != _timeless(page.read_text()):
            page.write_text(rendered)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--write"]:
            write()
        case ["--workspace", folder]:
            Path(folder).mkdir()
            make_workspace(Path(folder))
        case _:
            sys.exit("usage: python -m tests.test_docs --write | --workspace FOLDER")
