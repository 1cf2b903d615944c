"""Mean and covariance: one pass equals two, parts merge exactly, files are read with suspicion."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ikit.errors import SourceError, UsageError
from i2ikit.evaluate.moments import (
    Doubles,
    Floats,
    Moments,
    Statistics,
    load_statistics,
    save_statistics,
)
from tests.evaluate.conftest import EVAL


def gathered(rows: Floats, step: int = 1000) -> Moments:
    moments = Moments(rows.shape[1])
    for start in range(0, len(rows), step):
        moments.add(rows[start : start + step])
    return moments


def error(found: Doubles, expected: Any) -> float:
    """Return the relative error by the Frobenius norm."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def in_two_passes(rows: Floats) -> tuple[Any, Any]:
    """Return mean and covariance with more digits than a double has."""
    exact = rows.astype(np.longdouble)
    centred = exact - exact.mean(axis=0)
    return (
        exact.mean(axis=0).astype(np.float64),
        (centred.T @ centred / (len(rows) - 1)).astype(np.float64),
    )


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(0, 700), min_size=2, max_size=6),
    step=st.integers(1, 600),
    offset=st.floats(-100, 100),
    order=st.randoms(use_true_random=False),
)
def test_merged_parts_equal_the_whole(
    seed: int, sizes: list[int], step: int, offset: float, order: Any
) -> None:
    sizes = [*sizes, 2]
    draws = np.random.default_rng(seed)
    rows = draws.normal(offset, 1, (sum(sizes), 4)) * draws.uniform(0.5, 2, 4)
    parts = [gathered(part, step) for part in np.split(rows, np.cumsum(sizes)[:-1])]
    order.shuffle(parts)
    for part in parts[1:]:
        parts[0].merge(part)
    merged, (mean, covariance) = parts[0].statistics(), in_two_passes(rows)
    assert merged.n == len(rows)
    assert error(merged.mu, mean) <= 1e-12
    assert error(merged.sigma, covariance) <= 1e-12


@pytest.mark.parametrize("step", [1, 100, 256, 2000])
def test_an_offset_costs_no_digits_whatever_the_batches(step: int) -> None:
    rows = np.random.default_rng(0).normal(100, 1, (1500, 6)).astype(np.float32)
    found, (mean, covariance) = gathered(rows, step).statistics(), in_two_passes(rows)
    assert error(found.mu, mean) <= 1e-14
    assert error(found.sigma, covariance) <= 1e-13


def test_rows_may_come_after_a_merge() -> None:
    rows = np.random.default_rng(1).normal(3, 1, (900, 3))
    moments = gathered(rows[:10])
    moments.merge(gathered(rows[10:300]))
    moments.merge(Moments(3))
    moments.add(rows[300:])
    assert moments.n == 900
    assert error(moments.statistics().sigma, np.cov(rows.T)) <= 1e-14


def test_the_covariance_is_symmetric_to_the_bit() -> None:
    sigma = gathered(np.random.default_rng(2).normal(size=(700, 9))).statistics().sigma
    assert np.array_equal(sigma, sigma.T)


def test_the_golden_features_have_the_golden_statistics(
    golden: Any, rows: dict[str, np.ndarray]
) -> None:
    for name, features in rows.items():
        side, _, dims = name.partition("_")
        expected, found = golden["inception"]["stats"][side][dims], gathered(features).statistics()
        assert np.linalg.norm(found.mu) == pytest.approx(expected["mu_norm"], rel=1e-6)
        assert found.mu[:8] == pytest.approx(expected["mu_first8"], rel=1e-6)
        assert np.linalg.norm(found.sigma) == pytest.approx(expected["sigma_frobenius"], rel=1e-6)
        assert found.sigma.trace() == pytest.approx(expected["sigma_trace"], rel=1e-6)


@pytest.mark.parametrize(("n", "named"), [(0, "0 pictures"), (1, "1 picture ")])
def test_fewer_than_two_rows_have_no_covariance(n: int, named: str) -> None:
    with pytest.raises(UsageError, match=f"{named}.*can't have a covariance"):
        gathered(np.ones((n, 3))).statistics()


# files


@pytest.mark.parametrize("n", [None, 7])
def test_a_file_gives_back_what_was_saved(tmp_path: Path, n: int | None) -> None:
    card = {"features": "inception", "dims": 2, "resize": "to 299×299"}
    save_statistics(tmp_path / "s.npz", Statistics(np.ones(2), np.eye(2) / 3, n, card))
    found = load_statistics(tmp_path / "s.npz")
    assert np.array_equal(found.mu, np.ones(2))
    assert np.array_equal(found.sigma, np.eye(2) / 3)
    assert (found.n, found.card) == (n, card)
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]


def test_pytorch_fids_files_are_read_without_count_and_card() -> None:
    found = load_statistics(EVAL / "stats_real_64.npz")
    assert (found.dims, found.n, found.card) == (64, None, {})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("there.npz", "exists"),
        ("s.npy", "is no name for statistics"),
        ("no/s.npz", "is no folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "there.npz").touch()
    with pytest.raises(UsageError, match=f"{name} .*{reason}"):
        save_statistics(tmp_path / name, Statistics(np.ones(2), np.eye(2)))
    assert (tmp_path / "there.npz").read_bytes() == b""


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


TWO = {"mu": np.ones(2), "sigma": np.eye(2)}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "can't be read as statistics"),
        (b"no zip", "can't be read as statistics"),
        (npz(**TWO)[:-40], "can't be read as statistics"),
        (npy(np.ones(2)), "can't be read as statistics"),
        (npz(), "holds nothing, not mu and sigma"),
        (npz(mu=np.ones(2), cov=np.eye(2)), "holds cov, mu, not mu and sigma"),
        (npz(mu=np.ones(3), sigma=np.eye(2)), r"mu is \(3,\) and sigma \(2, 2\)"),
        (npz(mu=np.ones((2, 2)), sigma=np.eye(2)), r"mu is \(2, 2\)"),
        (npz(mu=np.array([1, np.nan]), sigma=np.eye(2)), "holds NaN or infinity"),
        (npz(mu=np.ones(2), sigma=np.diag([1, np.inf])), "holds NaN or infinity"),
        (npz(mu=np.array(["a", "b"]), sigma=np.eye(2)), "can't be read as statistics"),
        (npz(mu=np.array([{}, {}]), sigma=np.eye(2)), "can't be read as statistics"),
        (npz(**TWO, card=np.array("{")), "can't be read as statistics"),
        (npz(**TWO, card=np.array("[1]")), "can't be read as statistics"),
        (npz(**TWO, n=np.ones(2)), "can't be read as statistics"),
    ],
)
def test_a_file_that_holds_no_statistics_is_refused(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(SourceError, match=rf"x\.npz:? {reason}"):
        load_statistics(tmp_path / "x.npz")


class Trap:
    """Creates a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_no_code_of_a_file_is_run(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(npz(mu=np.array([Trap(tmp_path / "run")]), sigma=np.eye(1)))
    with pytest.raises(SourceError, match=r"x\.npz can't be read as statistics"):
        load_statistics(tmp_path / "x.npz")
    assert not (tmp_path / "run").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.npz does not exist"):
        load_statistics(tmp_path / "gone.npz")


def test_any_damage_is_a_sentence_or_statistics(tmp_path: Path) -> None:
    save_statistics(tmp_path / "s.npz", Statistics(np.ones(4), np.eye(4), 3, {"dims": 4}))
    whole = np.frombuffer((tmp_path / "s.npz").read_bytes(), np.uint8)
    draws = np.random.default_rng(0)
    for _ in range(300):
        data = whole.copy()
        data[draws.integers(0, len(data), 3)] = draws.integers(0, 256, 3)
        (tmp_path / "x.npz").write_bytes(data.tobytes())
        try:
            load_statistics(tmp_path / "x.npz")
        except SourceError as failure:
            assert "x.npz" in failure.message  # noqa: PT017


def test_statistics_are_packed_and_readable_by_numpy_alone(tmp_path: Path) -> None:
    save_statistics(tmp_path / "s.npz", Statistics(np.ones(50), np.eye(50), 9, {"dims": 50}))
    with np.load(tmp_path / "s.npz") as file:
        assert {"mu", "sigma"} <= set(file.files)
        assert json.loads(str(file["card"])) == {"dims": 50}
    with zipfile.ZipFile(tmp_path / "s.npz") as archive:
        assert all(member.compress_type == zipfile.ZIP_DEFLATED for member in archive.filelist)
