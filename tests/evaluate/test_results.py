"""What a result says of itself, and the warnings that keep a number from being misread."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.results import (
    Result,
    compare_sides,
    describe_side,
    versions,
    warn_of_counts,
)


def tally(
    formats: dict[str, int], *sizes: tuple[int, int], traits: dict[str, int] | None = None
) -> Tally:
    return Tally(
        n=sum(formats.values()),
        formats=Counter(formats),
        sizes=Counter(sizes or [(64, 48)]),
        traits=Counter(traits or {}),
    )


def test_a_side_is_described_by_counts_types_and_sizes() -> None:
    side = tally({"JPEG": 1, "PNG": 4}, (64, 48), (20, 30), (64, 48))
    side.failures, side.num_cached = ["x.png is empty"], 2
    assert describe_side("IN", side) == {
        "location": "IN",
        "n": 5,
        "failed": ["x.png is empty"],
        "file_types": {"PNG": 4, "JPEG": 1},
        "sizes": 2,
        "files_sha256": "",
        "passed_over": 0,
        "notes": [],
        "traits": {},
        "shorter_sides": [20, 48],
        "from_cache": 2,
    }


def warnings_of(real: Tally, generated: Tally) -> list[str]:
    return compare_sides(describe_side("real", real), describe_side("generated", generated))


@pytest.mark.parametrize(
    ("real", "generated"),
    [
        (tally({"PNG": 9}), tally({"PNG": 3})),
        (tally({"JPEG": 9}), tally({"JPEG": 3})),
        (tally({"JPEG": 9}), tally({"array": 3})),
        (tally({"PNG": 9}, (64, 48)), tally({"PNG": 9}, (48, 200))),
    ],
)
def test_sides_made_alike_bring_no_warning(real: Tally, generated: Tally) -> None:
    assert warnings_of(real, generated) == []


@pytest.mark.parametrize(
    ("real", "generated", "warning"),
    [
        (
            tally({"JPEG": 2}),
            tally({"PNG": 3}),
            "the sides mix file types (2 JPEG; 3 PNG): their artefacts",
        ),
        (
            tally({"PNG": 1, "JPEG": 2}),
            tally({"PNG": 1, "JPEG": 2}),
            "the sides mix file types (2 JPEG, 1 PNG; 2 JPEG, 1 PNG)",
        ),
        (
            tally({"PNG": 2}, (64, 48), (20, 30)),
            tally({"PNG": 2}, (99, 64)),
            "sizes differ: shorter sides of 20…48 and 64 px",
        ),
        (
            tally({"PNG": 2}, traits={"transparency": 2, "more than 8 bits": 1}),
            tally({"PNG": 2}, traits={"transparency": 1}),
            "files with 3 × transparency, 1 × more than 8 bits: laid over white and scaled",
        ),
        (
            tally({"PNG": 2}, traits={"EXIF rotation": 1}),
            tally({"PNG": 2}, traits={"colour profile": 4}),
            "files with 1 × EXIF rotation, 4 × colour profile: left out of account",
        ),
    ],
)
def test_sides_made_otherwise_bring_one(real: Tally, generated: Tally, warning: str) -> None:
    (found,) = warnings_of(real, generated)
    assert found.startswith(warning)


def test_a_spoilt_cache_is_told_once() -> None:
    one, other = tally({"PNG": 2}), tally({"PNG": 2})
    one.cache_problem = other.cache_problem = "disk full"
    assert warnings_of(one, other) == ["the feature cache can't be used: disk full"]


@pytest.mark.parametrize(
    ("real", "generated", "starts"),
    [
        (10_000, 50_000, []),
        (9_999, 10_000, ["N is small (9999 real, 10000 generated)"]),
        (20_000, 3, ["N is small (20000 real, 3 generated)"]),
        (None, 20_000, ["a statistics file doesn't say"]),
        (None, 3, ["a statistics file doesn't say", "N is small (unknown real, 3 generated)"]),
    ],
)
def test_few_pictures_and_unknown_counts_are_warned_of(
    real: int | None, generated: int | None, starts: list[str]
) -> None:
    found = warn_of_counts(real, generated)
    assert len(found) == len(starts)
    assert all(text.startswith(start) for text, start in zip(found, starts, strict=True))


def test_a_result_survives_json() -> None:
    card = {"real": {"n": 3}, "versions": versions(), "warnings": ["few"]}
    result = Result("fid", 1.5, {"kid": 0.1}, (1.0, 2.0), card)
    found = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert (found["metric"], found["value"], found["interval"]) == ("fid", 1.5, [1.0, 2.0])
    assert found["card"] == card
    assert result.warnings == ("few",)
    assert Result("fid", 1.5).warnings == ()
