"""The feature cache: nothing is computed twice, nothing stale is used, no fault stops the work."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from i2ikit.evaluate.cache import FeatureCache
from i2ikit.evaluate.compare import measure
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.features import Rows
from i2ikit.evaluate.results import Result
from tests.conftest import picture


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


Open = Callable[..., FeatureCache]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def opened(folder: Path) -> Iterator[Open]:
    """Return a function that opens a cache, closed in the end."""
    with ExitStack() as stack:
        yield lambda space="space", dims=1: stack.enter_context(
            closing(FeatureCache(space, dims, folder))
        )


def row(*values: float) -> Rows:
    return np.array(values, np.float32)


def test_features_are_kept_for_the_next_opening(opened: Open) -> None:
    cache = opened(dims=2)
    cache.put({key("a"): row(1, 2), key("b"): row(3, 4)})
    cache.close()
    found = opened(dims=2).find([key("b"), key("c"), key("a")])
    assert {name: values.tolist() for name, values in found.items()} == {
        key("a"): [1, 2],
        key("b"): [3, 4],
    }


def test_two_may_write_at_once(opened: Open) -> None:
    first, second = opened(), opened()
    first.put({key("a"): row(1)})
    second.put({key("a"): row(1), key("b"): row(2)})
    assert len(first.find([key("a"), key("b")])) == 2
    assert first.problem == second.problem == ""


WRITER = """
import sys
from pathlib import Path
import numpy as np
from i2ikit.evaluate.cache import FeatureCache

for number in range(30):
    cache = FeatureCache("space", 1, Path(sys.argv[1]))
    cache.put({f"{int(sys.argv[2]) * 1000 + number:064x}": np.ones(1, np.float32)})
    assert not cache.problem, cache.problem
    cache.close()
"""


def test_several_processes_open_and_write_at_once(folder: Path, opened: Open) -> None:
    command = [sys.executable, "-c", WRITER, str(folder)]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    names = [f"{writer * 1000 + number:064x}" for writer in range(4) for number in range(30)]
    assert len(opened(dims=1).find(names)) == 120


def test_nobodys_home_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    assert "home" in FeatureCache("space", 1).problem


def test_spaces_share_nothing(opened: Open) -> None:
    opened("one").put({key("a"): row(1)})
    assert opened("other").find([key("a")]) == {}
    assert len(opened("one").find([key("a")])) == 1


def test_features_of_another_length_are_ignored(opened: Open) -> None:
    opened(dims=3).put({key("a"): row(1, 2, 3)})
    assert opened(dims=2).find([key("a")]) == {}


def test_more_files_are_asked_for_than_a_statement_takes(opened: Open) -> None:
    cache = opened()
    cache.put({key(str(n)): row(n) for n in range(2000)})
    assert len(cache.find([key(str(n)) for n in range(2500)])) == 2000


def as_a_file(folder: Path) -> None:
    folder.write_text("in the way")


def as_garbage(folder: Path) -> None:
    folder.mkdir()
    (folder / "space.sqlite").write_bytes(b"no database" * 100)


@pytest.mark.parametrize("spoil", [as_a_file, as_garbage])
def test_a_cache_that_cannot_be_used_says_so_and_holds_nothing(
    folder: Path, opened: Open, spoil: Callable[[Path], None]
) -> None:
    spoil(folder)
    cache = opened()
    cache.put({key("a"): row(1)})
    assert cache.find([key("a")]) == {}
    assert cache.problem


def test_damage_that_comes_later_is_noted(folder: Path, opened: Open) -> None:
    opened().put({key(str(n)): row(n) for n in range(500)})
    cache = opened()
    for path in folder.iterdir():
        path.write_bytes(b"no database" * 5000)
    assert cache.find([key("1")]) == {}
    cache.put({key("a"): row(1)})
    assert cache.problem


# in use


def gap(real: Any, generated: Any, convention: str = "", **settings: Any) -> Result:
    compute = Compute(device="cpu", **settings)
    return measure(real, generated, {"gap": {}}, convention=convention, compute=compute)["gap"]


@pytest.fixture
def others(tmp_path: Path) -> Path:
    root = tmp_path / "others"
    root.mkdir()
    for seed in range(10, 14):
        picture(seed=seed).save(root / f"{seed}.png")
    return root


def caches() -> list[Path]:
    return sorted((Path.home() / ".cache").rglob("*.sqlite"))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_run_computes_nothing_and_gives_the_same(
    computed: list[int], pictures: Path, others: Path, workers: int
) -> None:
    first = gap(pictures, others, workers=workers)
    assert sum(computed) == 9
    second = gap(pictures, others, workers=workers, batch_size=2)
    assert sum(computed) == 9
    assert second.value == first.value
    assert (first.card["real"]["from_cache"], second.card["real"]["from_cache"]) == (0, 5)
    assert len(caches()) == 1


def test_a_file_is_known_by_its_content_not_its_name(
    computed: list[int], pictures: Path, others: Path
) -> None:
    before = gap(pictures, others)
    (pictures / "a/0.png").rename(pictures / "z.png")
    picture(seed=99).save(pictures / "a/1.png")
    del computed[:]
    after = gap(pictures, others)
    assert sum(computed) == 1
    assert after.value != before.value
    assert after.value == gap(pictures, others, cache=False).value


def test_without_a_cache_nothing_is_written_or_read(
    computed: list[int], pictures: Path, others: Path
) -> None:
    gap(pictures, others, cache=False)
    assert not (Path.home() / ".cache").exists()
    gap(pictures, others)
    gap(pictures, others, cache=False)
    assert sum(computed) == 27


@pytest.mark.parametrize("change", [{"precision": "bf16"}, {"convention": "other"}])
def test_other_precisions_and_conventions_share_nothing(
    computed: list[int], pictures: Path, others: Path, change: dict[str, Any]
) -> None:
    gap(pictures, others)
    changed = gap(pictures, others, **change)
    assert sum(computed) == 18
    assert changed.card["real"]["from_cache"] == 0
    assert len(caches()) == 2


def test_arrays_are_not_cached(computed: list[int], pictures: Path) -> None:
    arrays = [np.array(picture(seed=seed)) for seed in range(3)]
    for _ in range(2):
        gap(arrays, arrays)
    assert sum(computed) == 12


def damage_files() -> None:
    for path in caches():
        path.write_bytes(b"no database" * 1000)


def stand_in_the_way() -> None:
    (Path.home() / ".cache").mkdir(parents=True)
    (Path.home() / ".cache" / "i2ikit").write_text("in the way")


@pytest.mark.parametrize("spoil", [damage_files, stand_in_the_way])
def test_a_spoilt_cache_costs_a_warning_and_no_more(
    computed: list[int], pictures: Path, others: Path, spoil: Callable[[], None]
) -> None:
    expected = gap(pictures, others, cache=spoil is damage_files)
    spoil()
    found = gap(pictures, others)
    assert found.value == expected.value
    (warning,) = [text for text in found.warnings if "cache" in text]
    assert warning.startswith("the feature cache can't be used: ")
