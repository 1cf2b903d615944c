"""Runs that are killed, split and started at once end with the files of an undisturbed one."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from i2ikit.translation.audit import audit
from tests.conftest import fake_distribution, picture
from tests.translation.test_run import metadata, tree

NUM_KILLS = 20
WANTED: dict[str, Any] = {"model": "tint", "style_sample": 2, "workers": 1}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 100 small pictures, one of them broken: four shards."""
    root = tmp_path_factory.mktemp("many") / "in"
    for index in range(100):
        path = root / f"{index % 3}" / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(40, 30, seed=index).save(path)
    (root / "0" / "050.jpg").write_bytes(b"no picture")
    (root / "1" / "049.txt").write_text("a label")
    return root


@pytest.fixture(scope="module")
def undisturbed(many: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    process = start(many, out)
    process.join()
    assert process.exitcode == 0
    assert len(tree(out)) == 203
    return tree(out)


def translate_in_child(source: Path, out: Path, more: dict[str, Any]) -> None:
    """Run in a child process, which knows the fake models too."""
    import i2ikit.plugins

    found = [fake_distribution("fakes", fakes="tests.fakes")]
    i2ikit.plugins._distributions = lambda: found
    i2ikit.translate(source, out, **WANTED, **more)


def start(source: Path, out: Path, **more: Any) -> BaseProcess:
    """Start a run in a process of its own, forked from one that has torch loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["i2ikit.translation.run", "tests.fakes"])
    process = context.Process(target=translate_in_child, args=(source, out, more))
    process.start()
    return process


def leftovers(out: Path) -> list[Path]:
    home = out / ".i2ikit"
    return [*home.glob("tmp"), *home.glob("notes/*"), *home.glob("*.limited.jsonl")]


@pytest.mark.parametrize("output", ["", "wds:"])
def test_twenty_kills_change_no_byte(
    many: Path, undisturbed: dict[str, bytes], tmp_path: Path, output: str
) -> None:
    moments, kills, is_done = random.Random(1), 0, False
    out: Any = f"{output}{tmp_path / 'out'}"
    while kills < NUM_KILLS:
        process = start(many, out, restart=is_done)
        process.join(moments.uniform(0.0, 0.6))
        process.kill()
        process.join()
        is_done = process.exitcode == 0
        kills += process.exitcode == -signal.SIGKILL
    last = start(many, out)
    last.join()
    assert last.exitcode == 0
    assert audit(tmp_path / "out").is_sound
    assert leftovers(tmp_path / "out") == []
    if output:
        calm: Any = f"{output}{tmp_path / 'calm'}"
        assert start_and_wait(many, calm) == 0
        undisturbed = tree(tmp_path / "calm")
    assert tree(tmp_path / "out") == undisturbed


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_a_split_run_gives_the_same_files_in_any_order(
    many: Path, undisturbed: dict[str, bytes], tmp_path: Path, parts: int
) -> None:
    for part in reversed(range(parts)):
        process = start(many, tmp_path / "out", shard=(part, parts))
        process.join()
        assert process.exitcode == 0
    assert tree(tmp_path / "out") == undisturbed


@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_workers_may_start_together_or_one_after_the_other(
    many: Path, undisturbed: dict[str, bytes], tmp_path: Path, delay: float
) -> None:
    processes = []
    for part in range(2):
        processes.append(start(many, tmp_path / "out", shard=(part, 2)))
        time.sleep(delay)
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert tree(tmp_path / "out") == undisturbed


def test_shards_run_in_any_order_are_the_same(
    many: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """The plan has four shards; each is a worker of its own here."""
    for part in (2, 0, 3, 1):
        process = start(many, tmp_path / "out", shard=(part, 4))
        process.join()
    assert tree(tmp_path / "out") == undisturbed


def test_of_two_different_starts_at_once_one_is_refused(many: Path, tmp_path: Path) -> None:
    processes = [start(many, tmp_path / "out", seed=seed) for seed in (1, 2)]
    for process in processes:
        process.join()
    assert sorted(process.exitcode or 0 for process in processes) == [0, 1]
    seeds = {line["seed"] for line in metadata(tmp_path / "out")}
    assert len(seeds) == 1
    assert audit(tmp_path / "out").is_sound


def test_the_same_start_twice_at_once_loses_nothing(
    many: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    for process in [start(many, tmp_path / "out") for _ in range(2)]:
        process.join()
    assert start_and_wait(many, tmp_path / "out") == 0
    assert tree(tmp_path / "out") == undisturbed


def test_a_removal_that_was_cut_short_harms_no_part(
    many: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """A restart was killed; then parts start together, of which one ends the removal."""
    out = tmp_path / "out"
    assert start_and_wait(many, out, seed=3) == 0
    (out / ".i2ikit").rename(out / ".i2ikit-removed")
    processes = [start(many, out, shard=(part, 2)) for part in range(2)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert tree(out) == undisturbed


def test_parts_may_all_extend(many: Path, tmp_path: Path) -> None:
    source = shutil.copytree(many, tmp_path / "in")
    out = tmp_path / "out"
    assert start_and_wait(source, out) == 0
    for index in range(40):
        picture(40, 30, seed=index).save(source / f"new{index}.png")
    processes = [start(source, out, shard=(part, 2), extend=True) for part in range(2)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert audit(out).is_sound
    assert len(metadata(out)) == 280


def start_and_wait(source: Path, out: Path, **more: Any) -> int | None:
    process = start(source, out, **more)
    process.join()
    return process.exitcode
