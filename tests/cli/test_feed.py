"""`i2ikit feed`: what a user types and sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import i2ikit
from tests.cli.conftest import Cli
from tests.conftest import picture
from tests.feed.object_sets import write_objects


@pytest.fixture
def out(tmp_path: Path, fakes: None) -> Path:
    for seed, key in enumerate(("cat/a", "dog/b")):
        path = tmp_path / "in" / f"{key}.png"
        path.parent.mkdir(parents=True)
        picture(seed=seed).save(path)
    i2ikit.translate(tmp_path / "in", tmp_path / "out", model="tint", style_sample=2)
    return tmp_path / "out"


def test_a_feed_is_built_and_checked(cli: Cli, out: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    flags = ["--mix", "translated=2", "--mix", "original=1", "--styles", "2"]
    code, printed, _ = cli("feed", "build", out, feed, *flags)
    assert code == 0
    assert printed == f"6 pictures in {feed}, layout imagefolder\ntrain: 4 translated, 2 original\n"
    code, printed, _ = cli("feed", "check", feed)
    assert code == 0
    assert printed.splitlines()[-1] == "sound"


def test_what_is_left_out_is_said_and_shows_in_the_status(
    cli: Cli, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("key,label\ncat/a,cat\n")
    feed = tmp_path / "feed"
    flags = ["--labels", tmp_path / "t.csv", "--on-error", "skip", "--json"]
    code, printed, errors = cli("feed", "build", out, feed, *flags)
    assert code == 3
    assert json.loads(printed)["num_left_out"] == 1
    assert "left out, 1:" in errors
    assert "'dog/b' is not in" in errors


def test_what_is_wrong_is_named(cli: Cli, out: Path, tmp_path: Path) -> None:
    cli("feed", "build", out, tmp_path / "feed")
    (tmp_path / "feed" / "mine.txt").write_text("")
    code, printed, _ = cli("feed", "check", tmp_path / "feed")
    assert code == 1
    assert printed.startswith("strangers, 1: mine.txt\n4 pictures of 2 sources\n")
    assert json.loads(cli("feed", "check", tmp_path / "feed", "--json")[1])["is_sound"] is False


def test_a_feed_of_objects_counts_them(cli: Cli, tmp_path: Path, fakes: None) -> None:
    i2ikit.translate(write_objects(tmp_path, "yolo"), tmp_path / "out", model="echo")
    code, printed, _ = cli("feed", "build", "--labels", "objects", tmp_path / "out", tmp_path / "f")
    assert code == 0
    assert "layout coco" in printed
    code, printed, _ = cli("feed", "check", tmp_path / "f")
    assert code == 0
    assert "  cat: 2 objects of the sources, 2 of the feed" in printed


@pytest.mark.parametrize("mix", ["translated", "translated=many"])
def test_a_mix_that_is_no_ratio_is_refused(cli: Cli, out: Path, tmp_path: Path, mix: str) -> None:
    code, _, errors = cli("feed", "build", out, tmp_path / "feed", "--mix", mix)
    assert code == 2
    assert f"--mix {mix}" in errors
