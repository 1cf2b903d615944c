"""What is done is told by fingerprints; a change reaches what depends on it, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from i2ikit.recipes import Recipe, Seen, inspect, run
from i2ikit.recipes.digests import Digests
from tests.recipes.conftest import Load, Write

CHAIN = """steps:
  first: {command: copy, in: a, out: "${out}/first"}
  side: {command: copy, in: b, out: "${out}/side"}
  second: {command: copy, in: "${out}/first", out: "${out}/second"}
  last: {command: count, in: "${out}/second"}
"""


@pytest.fixture
def recipe(write: Write, read: Load) -> Recipe:
    """Return a chain of steps, and one beside it, none of them done."""
    write(CHAIN)
    for name in "ab":
        Path(name).mkdir()
        Path(name, "file").write_text(name)
    return read()


def states(recipe: Recipe) -> dict[str, str]:
    return {seen.step.name: seen.state for seen in inspect(recipe)}


def of(recipe: Recipe, name: str) -> Seen:
    return next(seen for seen in inspect(recipe) if seen.step.name == name)


def test_looking_writes_nothing(recipe: Recipe) -> None:
    assert set(states(recipe).values()) == {"to do"}
    assert not recipe.out.exists()


def test_after_a_run_all_is_done(recipe: Recipe) -> None:
    run(recipe)
    assert set(states(recipe).values()) == {"done"}


def test_another_parameter_reaches_what_depends_on_it(recipe: Recipe, read: Load) -> None:
    run(recipe)
    changed = read("steps.first.times=2")
    assert states(changed) == {
        "first": "changed",
        "side": "done",
        "second": "changed",
        "last": "changed",
    }
    assert of(changed, "first").reasons == ("--times 2 instead of nothing",)
    assert of(changed, "second").reasons == ("step first has changed",)
    assert of(read("steps.first.in=b"), "first").reasons == (
        "b instead of a",
        "a is no input any more",
        "b is new",
    )


def test_another_content_is_seen_and_another_time_is_not(recipe: Recipe) -> None:
    run(recipe)
    os.utime("a/file", (1, 1))
    assert states(recipe)["first"] == "done"
    Path("a/file").write_text("c")
    assert of(recipe, "first").reasons == ("a has changed",)
    Path("a/file").write_text("a")
    Path("a/file").rename("a/other")
    assert states(recipe)["first"] == "changed"


def test_hidden_files_dont_count(recipe: Recipe) -> None:
    run(recipe)
    Path("a/.DS_Store").write_text("x")
    assert states(recipe)["first"] == "done"


def test_an_output_that_is_gone_is_made_again_and_no_other(recipe: Recipe) -> None:
    run(recipe)
    shutil.rmtree(recipe.out / "second")
    assert [name for name, state in states(recipe).items() if state == "to do"] == ["second"]
    assert of(recipe, "second").reasons == ("runs/r/second is gone",)


def test_a_step_that_only_prints_is_done_while_its_words_are_kept(recipe: Recipe) -> None:
    run(recipe)
    (recipe.out / "steps" / "last.out").unlink()
    assert states(recipe)["last"] == "to do"


def test_another_version_is_a_change(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    run(recipe)
    monkeypatch.setattr("i2ikit.__version__", "99")
    assert of(recipe, "side").reasons == ("i2ikit 99 instead of 0.1.0",)


def test_what_is_missing_is_said_before_the_run(recipe: Recipe) -> None:
    shutil.rmtree("a")
    assert of(recipe, "first").reasons == ("a is not there",)
    assert of(recipe, "second").reasons == ()


def test_a_folder_around_outputs_depends_on_their_steps(write: Write, read: Load) -> None:
    Path("a").write_text("x")
    write(
        'steps:\n  copy: {in: a, out: "${out}/data/a"}\n  count: {in: "${out}/data"}\n'
        "  end: {status: 0}\n"
    )
    before = of(read(), "count")
    assert before.needed_steps == ["copy"]
    run(read())
    assert of(read(), "count").fingerprint == before.fingerprint
    assert of(read("steps.copy.times=2"), "count").state == "changed"


def test_what_reads_a_place_depends_on_the_step_that_added_to_it(write: Write, read: Load) -> None:
    Path("a").write_text("x")
    write(
        'steps:\n  copy: {in: a, out: "${out}/x"}\n  add: {to: "${out}/x"}\n'
        '  count: {in: "${out}/x"}\n'
    )
    run(read())
    assert set(states(read()).values()) == {"done"}
    assert of(read(), "add").needed_steps == ["copy"]
    assert of(read(), "count").needed_steps == ["copy", "add"]


def test_places_in_fields_and_options_are_inputs(write: Write, read: Load) -> None:
    Path("maps").mkdir()
    Path("maps/1").write_text("x")
    Path("vgg.pth").write_text("x")
    Path("word").write_text("x")
    write(
        "steps:\n  say: {words: [word], field: {label: 'maps:_id'}, option: {vgg: vgg.pth, n: 1}}\n"
    )
    assert set(of(read(), "say").inputs) == {"maps", "vgg.pth"}


def test_pictures_and_their_labels_are_inputs(write: Write, read: Load) -> None:
    for name in ("pictures", "labels", "x"):
        Path(name).mkdir()
        (Path(name) / "0").write_text("")
    write("steps:\n  say: {field: {x: pictures=labels:_ids}}\n")
    (seen,) = inspect(read())
    assert set(seen.inputs) == {"pictures", "labels"}


def test_hashes_of_files_are_kept_by_size_and_time(tmp_path: Path) -> None:
    file, kept = tmp_path / "file", tmp_path / "kept"
    file.write_text("x")
    digests = Digests(kept)
    first = digests.of(file)
    digests.save()
    about = file.stat()
    file.write_text("y")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert Digests(kept).of(file) == first
    kept.write_text("not JSON")
    assert Digests(kept).of(file) != first


def test_links_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    before = Digests(tmp_path / "kept").of(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert Digests(tmp_path / "kept").of(tmp_path) == before


def test_the_lock_tells_how_each_step_was_done(recipe: Recipe) -> None:
    run(recipe)
    entry = json.loads((recipe.out / "recipe.lock").read_text())["steps"]["second"]
    assert entry["argv"] == ["copy", "runs/r/first", "runs/r/second"]
    assert entry["inputs"] == {"step first": of(recipe, "first").fingerprint}
    assert entry["fingerprint"] == of(recipe, "second").fingerprint
    assert set(entry["versions"]) == {"i2ikit", "torch", "python"}
