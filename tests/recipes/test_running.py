"""Steps are run in order, skipped where done, and what goes wrong says how to go on."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from i2ikit.errors import RunError, UsageError
from i2ikit.recipes import RecipeSummary, check_lock, load, run
from tests.recipes.conftest import VOCABULARY, Load, Write

CHAIN = """steps:
  first: {command: copy, in: a, out: "${out}/first"}
  second: {command: copy, in: "${out}/first", out: "${out}/second"}
  last: {command: count, in: "${out}/second"}
"""


@pytest.fixture
def chain(write: Write) -> Path:
    """Return the file of a recipe of three steps."""
    Path("a").write_text("x")
    return write(CHAIN)


def outcomes(summary: RecipeSummary) -> list[str]:
    return [step.outcome for step in summary.steps]


@pytest.mark.usefixtures("chain")
def test_steps_are_run_once(read: Load) -> None:
    shown: list[str] = []
    assert outcomes(run(read(), show=shown.append)) == ["done"] * 3
    assert shown == ["copied 1 times\n", "copied 1 times\n", "3\n"]
    assert outcomes(run(read(), show=shown.append)) == ["done before"] * 3
    assert len(shown) == 3


@pytest.mark.usefixtures("chain")
def test_what_a_step_prints_is_kept(read: Load) -> None:
    run(read())
    assert Path("runs/r/steps/last.out").read_text() == "3\n"


@pytest.mark.usefixtures("chain")
def test_a_change_runs_what_depends_on_it(read: Load) -> None:
    run(read())
    changed = read("steps.last.in=a")
    assert outcomes(run(changed)) == ["done before", "done before", "done"]


@pytest.mark.usefixtures("chain")
def test_nothing_is_destroyed_and_what_is_in_the_way_is_named(read: Load) -> None:
    run(read())
    summary = run(read("steps.first.times=2"))
    assert outcomes(summary) == ["failed"]
    assert summary.stale == (Path("runs/r/first"), Path("runs/r/second"))
    assert outcomes(run(read())) == ["done before"] * 3


def test_a_step_that_fails_ends_the_run_and_is_first_in_the_next(write: Write, read: Load) -> None:
    Path("a").write_text("x")
    write('steps:\n  copy: {in: a, out: "${out}/x"}\n  end: {status: 7}\n  count: {in: a}\n')
    summary = run(read())
    assert outcomes(summary) == ["done", "failed"]
    assert summary.steps[-1].status == 7
    assert outcomes(run(read("steps.end.status=0"))) == ["done before", "done", "done"]


def test_inputs_that_failed_are_remembered(write: Write, read: Load) -> None:
    write("steps:\n  end: {status: 3}\n")
    for outcome in ("done", "done before"):
        (result,) = run(read()).steps
        assert (result.outcome, result.status) == (outcome, 3)


@pytest.mark.usefixtures("chain")
def test_only_and_from_leave_others_out(read: Load) -> None:
    assert outcomes(run(read(), only="first")) == ["done", "left out", "left out"]
    assert outcomes(run(read(), start="second")) == ["done before", "done", "done"]


@pytest.mark.usefixtures("chain")
def test_a_step_is_not_run_on_what_another_has_yet_to_make(read: Load) -> None:
    with pytest.raises(RunError, match="step 'second' uses what step 'first' makes") as error:
        run(read(), only="second")
    assert error.value.hint == "start with it: --from first"
    run(read())
    with pytest.raises(RunError, match="step 'second' uses"):
        run(read("steps.first.times=2", "steps.second.times=2"), start="second")


@pytest.mark.usefixtures("chain")
def test_steps_that_there_are_not_are_refused(read: Load) -> None:
    with pytest.raises(UsageError, match="--only frist: recipe 'r' has no such step") as error:
        run(read(), only="frist")
    assert error.value.hint == "did you mean 'first'?"
    with pytest.raises(UsageError, match="exclude each other"):
        run(read(), only="first", start="last")


@pytest.mark.usefixtures("chain")
def test_a_shared_lock_holds(read: Load) -> None:
    with pytest.raises(RunError, match=r"there is no runs/r/recipe\.lock"):
        check_lock(read())
    run(read())
    lock = Path("runs/r/recipe.lock").read_text()
    for folder in ("first", "second", "steps"):
        Path("runs/r", folder).rename(f"{folder}-then")
    check_lock(read())
    assert outcomes(run(read())) == ["done"] * 3
    assert Path("runs/r/recipe.lock").read_text() == lock


@pytest.mark.usefixtures("chain")
def test_what_differs_from_the_lock_is_named(read: Load, write: Write) -> None:
    run(read())
    Path("a").write_text("y")
    with pytest.raises(
        RunError, match=r"differs from .*\n  first: a has changed\n  second: step f"
    ):
        check_lock(read())
    Path("a").write_text("x")
    write(CHAIN.replace("last:", "end:"))
    with pytest.raises(RunError, match=r"last: no step of the recipe\n  end: not in the lock"):
        check_lock(read())


@pytest.mark.usefixtures("chain")
def test_a_folder_of_another_recipe_is_refused(read: Load) -> None:
    run(read())
    Path("other.yaml").write_text("name: other\ndescription: d\n" + CHAIN)
    other = load("other.yaml", VOCABULARY, variables=["out=runs/r"])
    with pytest.raises(RunError, match="runs/r holds what recipe 'r' made"):
        run(other)
    Path("runs/r/recipe.lock").write_text("{}")
    with pytest.raises(RunError, match="can't be read as a lock"):
        run(read())


def test_ctrl_c_is_passed_on_and_the_step_is_to_be_done(
    write: Write, read: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i2ikit.recipes.running._GRACE", 0.1)
    write("steps:\n  wait: {out: started}\n")

    def press() -> None:
        while not Path("started").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(read())
    assert time.monotonic() - start < 30
    assert not Path("runs/r/recipe.lock").exists()


def test_a_reader_that_goes_away_ends_the_step(write: Write, read: Load) -> None:
    Path("a").write_text("x")
    write("steps:\n  count: {in: a}\n  wait: {out: started}\n")

    def broken(line: str) -> None:
        raise BrokenPipeError(line)

    with pytest.raises(BrokenPipeError):
        run(read(), show=broken)
    assert not Path("started").exists()


@pytest.mark.parametrize("gone", ["first/times", "steps/last.out"])
@pytest.mark.usefixtures("chain")
def test_a_step_that_is_made_again_and_cut_off_is_to_be_done(read: Load, gone: str) -> None:
    def broken(line: str) -> None:
        raise BrokenPipeError(line)

    run(read())
    path = Path("runs/r", gone)
    shutil.rmtree(path.parent) if gone == "first/times" else path.unlink()
    with pytest.raises(BrokenPipeError):
        run(read(), show=broken)
    path.parent.mkdir(exist_ok=True)  # what the step had made by then
    assert outcomes(run(read())).count("done") == 1
    assert path.read_text() in {"1", "3\n"}
    assert outcomes(run(read())) == ["done before"] * 3


def test_what_a_failed_step_printed_is_kept_apart(write: Write, read: Load) -> None:
    write("steps:\n  count: {in: a}\n  end: {status: 7}\n")
    Path("a").write_text("x")
    run(read())
    assert sorted(path.name for path in Path("runs/r/steps").glob("*.out*")) == [
        "count.out",
        "end.out.part",
    ]
