"""Names: keys, outputs, and what no output may be called."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from i2ikit.data.keys import (
    check_output_names,
    key_problem,
    lexical_path,
    make_keys,
    member_key,
    names_below,
    output_stem,
    split_picture,
)
from i2ikit.errors import SourceError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.JPG", ("a/b", ".JPG")),
        ("a.b.tiff", ("a.b", ".tiff")),
        ("a.txt", ("a.txt", "")),
        ("a.png/b", ("a.png/b", "")),
        ("a/.png", ("a/.png", "")),
        ("png", ("png", "")),
    ],
)
def test_a_picture_is_known_by_its_last_suffix(path: str, expected: tuple[str, str]) -> None:
    assert split_picture(path) == expected


def test_keys_keep_the_suffix_where_a_stem_is_shared() -> None:
    pictures = [("grey", ".jpg"), ("grey", ".png"), ("x/grey", ".png")]
    assert list(make_keys(pictures)) == ["grey.jpg", "grey.png", "x/grey"]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/x",
        "../x",
        "a/../../x",
        "a//b",
        "./a",
        "C:/x",
        "c:x",
        "a\\b",
        "a\0b",
        "a\nb",
        "a\x7fb",
        "a\udcff",
        ".i2ikit/plan",
        ".I2IKIT/plan",
    ],
)
def test_unsafe_keys_are_refused_with_a_reason(key: str) -> None:
    assert key_problem(key)


@pytest.mark.parametrize("key", ["a", "a/b c", "ä/...x", "a..b", "日本/x", "ab:c"])
def test_odd_but_harmless_keys_are_taken(key: str) -> None:
    assert key_problem(key) == ""


@pytest.mark.parametrize(
    ("index", "count", "stem"),
    [(0, 1, "k"), (3, 8, "k_s03"), (3, 100, "k_s03"), (3, 101, "k_s003")],
)
def test_outputs_are_numbered_as_wide_as_their_count(index: int, count: int, stem: str) -> None:
    assert output_stem("k", index, count) == stem


def test_a_key_in_a_tar_has_no_dot_in_its_base_name() -> None:
    assert member_key("v1.0/grey.jpg") == "v1.0/grey_jpg"


def test_names_are_relative_to_the_folder_or_to_what_they_share() -> None:
    assert names_below(["/d/a.png", "/d/e/b.png"], "/d") == ["a.png", "e/b.png"]
    assert names_below(["/d/x/a.png", "/d/y/b.png"], "/other") == ["x/a.png", "y/b.png"]
    assert names_below(["/d/a.png", "/e/b.png"], "/d") == ["d/a.png", "e/b.png"]


def test_a_url_is_named_without_protocol_and_query() -> None:
    assert lexical_path("s3://bucket/x/../a.tar?v=1") == "/bucket/a.tar"


Names = Sequence[tuple[str, Sequence[str]]]

CLASHES: list[tuple[str, Names, int, list[str]]] = [
    ("equal keys", [("a", ()), ("a", ())], 1, []),
    ("sidecar and picture", [("a", (".mask.png",)), ("a.mask", ())], 1, []),
    ("sidecar and its own picture", [("a", (".png",))], 1, []),
    ("a tag in key and sidecar", [("a", (".b_s01.png",)), ("a_s00.b", ())], 2, []),
    ("a tag at a later style", [("a", (".b_s00.png",)), ("a_s01.b", ())], 2, []),
    ("picture and folder", [("a", ()), ("a.png/b", ())], 1, []),
    ("a later style and folder", [("a", ()), ("a_s07.png/b", ())], 8, []),
    ("something carried", [("meta", (".txt",))], 1, ["meta.txt"]),
    ("a later style and something carried", [("a", (".txt",))], 8, ["a_s07.txt"]),
]


@pytest.mark.parametrize(
    ("names", "count", "taken"), [case[1:] for case in CLASHES], ids=[case[0] for case in CLASHES]
)
def test_two_inputs_of_one_output_name_are_an_error(
    names: Names, count: int, taken: list[str]
) -> None:
    with pytest.raises(SourceError, match="would both be written to"):
        check_output_names(names, count, ".png", taken)


HARMLESS: list[tuple[str, Names, int, list[str]]] = [
    ("one reads like the other's output", [("a", ()), ("a_s00", ())], 2, []),
    ("the clash of one style is none of two", [("a", ()), ("a.png/b", ())], 2, []),
    ("suffixes differ", [("a", (".txt",)), ("a.mask", (".txt",))], 1, ["classes.txt"]),
    ("a style beyond the last", [("a", (".txt",))], 4, ["a_s07.txt"]),
]


@pytest.mark.parametrize(
    ("names", "count", "taken"), [case[1:] for case in HARMLESS], ids=[case[0] for case in HARMLESS]
)
def test_names_that_only_look_alike_are_no_clash(
    names: Names, count: int, taken: list[str]
) -> None:
    check_output_names(names, count, ".png", taken)
