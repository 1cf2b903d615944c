"""Manifests: rows become samples, and every mistake names its line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from pyarrow import parquet

from i2ikit.data.manifests import ManifestSource
from i2ikit.data.samples import Sample
from i2ikit.errors import SourceError

Rows = Sequence[Mapping[str, Any]]


def write(path: Path, rows: Rows) -> Path:
    """Write a table in the format that the suffix says."""
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines), encoding="utf-8-sig")
    return path


def open_(
    path: Path, inputs: Sequence[str] = ("image",), fields: Mapping[str, str] | None = None
) -> ManifestSource:
    return ManifestSource(str(path), inputs=inputs, fields=fields or {})


def read(source: ManifestSource) -> list[Sample]:
    return list(source.read("", None))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x").mkdir()
    for name in ("a.png", "x/b.jpg", "x/b.png"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_rows_become_samples_with_their_other_columns(folder: Path, suffix: str) -> None:
    rows = [{"image": "x/b.jpg", "text": "tree"}, {"image": "a.png", "text": "ü"}]
    samples = read(open_(write(folder / f"m{suffix}", rows)))
    assert [(sample.key, sample.columns) for sample in samples] == [
        ("x/b", {"text": "tree"}),
        ("a", {"text": "ü"}),
    ]
    assert samples[0].fields["image"].read() == b"x/b.jpg"


@pytest.mark.parametrize("column", ["image", "file_name", "path", "file"])
def test_the_first_input_has_several_names(folder: Path, column: str) -> None:
    [sample] = read(open_(write(folder / "m.csv", [{column: "a.png"}])))
    assert sample.fields.keys() == {"image"}


def test_columns_can_be_renamed_and_others_added(folder: Path) -> None:
    rows: Rows = [{"in": "a.png", "m": "x/b.png", "id": 3}, {"in": "x/b.jpg", "m": None, "id": 4}]
    fields = {"label": "in", "mask": "m"}
    source = open_(write(folder / "m.jsonl", rows), ("label",), fields)
    samples = read(source)
    assert [list(sample.fields) for sample in samples] == [["label"], ["label"]]
    assert [list(sample.sidecars) for sample in samples] == [[".mask.png"], []]
    assert [list(ends) for _, ends in source.names()] == [[".mask.png"], []]
    assert samples[0].columns == {"id": 3}


def test_keys_can_be_given(folder: Path) -> None:
    rows: Rows = [{"image": "a.png", "key": "one/two"}, {"image": "a.png", "key": 7}]
    source = open_(write(folder / "m.jsonl", rows))
    assert source.parts[0].keys == ("one/two", "7")
    assert [sample.columns for sample in read(source)] == [{}, {}]


def test_pictures_that_share_a_stem_keep_their_suffix(folder: Path) -> None:
    rows = [{"image": name} for name in ("x/b.jpg", "x/b.png", "a.png")]
    assert open_(write(folder / "m.csv", rows)).parts[0].keys == ("x/b.jpg", "x/b.png", "a")


def test_keys_of_pictures_elsewhere_are_relative_to_their_common_folder(folder: Path) -> None:
    (folder / "lists").mkdir()
    rows = [{"image": "../a.png"}, {"image": str(folder / "x/b.jpg")}]
    source = open_(write(folder / "lists/m.csv", rows))
    assert source.parts[0].keys == ("a", "x/b")
    assert read(source)[1].fields["image"].read() == b"x/b.jpg"


def test_a_url_is_read_when_asked_for(tmp_path: Path) -> None:
    with fsspec.open("memory://bucket/deep/a.png", "wb") as file:
        file.write(b"far")
    rows = [{"image": "memory://bucket/deep/a.png"}, {"image": "memory://bucket/gone.png"}]
    samples = read(open_(write(tmp_path / "m.csv", rows)))
    assert [sample.key for sample in samples] == ["deep/a", "gone"]
    assert samples[0].fields["image"].read() == b"far"


def test_a_missing_picture_is_a_problem_of_its_sample(folder: Path) -> None:
    samples = read(open_(write(folder / "m.csv", [{"image": "a.png"}, {"image": "gone.png"}])))
    assert [sample.problem for sample in samples] == [
        "",
        f"image {folder}/gone.png does not exist",
    ]


def test_a_key_that_is_gone_is_a_problem(folder: Path) -> None:
    source = open_(write(folder / "m.csv", [{"image": "a.png"}]))
    assert "no longer" in next(source.read("", ["gone"])).problem


def test_dates_join_the_columns_as_text(folder: Path) -> None:
    rows = [{"image": "a.png", "day": date(2020, 1, 2)}]
    assert read(open_(write(folder / "m.parquet", rows)))[0].columns == {"day": "2020-01-02"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.csv", "", "has no rows"),
        ("m.csv", "image\n", "has no rows"),
        ("m.csv", "imaeg\na.png\n", "has no column 'image'.*did you mean 'imaeg'"),
        ("m.csv", "image,x,x\na,b,c\n", "two columns are named 'x'"),
        ("m.csv", "image,x\na.png,1\n,2\n", "line 3: the column 'image' is empty"),
        ("m.csv", "image,x\na.png\n", "line 2: expected 2 cells"),
        ("m.csv", "image,x\na.png,1,2\n", "line 2: expected 2 cells"),
        ("m.csv", 'image\n"a.png', "line 2: unexpected end of data"),
        ("m.csv", "image\na.png\na.png\n", "line 3: the key 'a.png' is taken"),
        ("m.csv", "image,key\na.png,k\nb.png,k\n", "line 3: the key 'k' is taken"),
        ("m.csv", "image,key\na.png,../k\n", "line 2: its name '../k' is no plain relative path"),
        ("m.csv", "image\npipe:ls\n", "line 2: 'pipe:ls' was refused"),
        ("m.csv", "image\nnope://a.png\n", "line 2: nope://a.png can't be read: unknown protocol"),
        ("m.csv", "image\n\udcff.png\n", "is not UTF-8"),
        ("m.jsonl", '{"image": "a.png"}\n\n[1]\n', "line 3: expected a JSON object"),
        ("m.jsonl", '{"image": \n', "line 1: not valid JSON"),
        ("m.jsonl", "[" * 100_000, "line 1: not valid JSON"),
        ("m.jsonl", '{"image": 3}\n', "line 1: the column 'image' holds 3, not a path"),
        ("m.jsonl", '{"image": "a"}\n{"x": 1}\n', "line 2: the column 'image' is empty"),
        ("m.jsonl", '{"image": "a\\u0000b"}\n', "line 1: the column 'image' holds"),
        ("m.jsonl", '{"image": "a", "key": {}}\n', "line 1: the column 'key' holds {}"),
        ("m.parquet", "text", "can't be read as Parquet"),
    ],
)
def test_a_mistake_is_an_error_that_names_its_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(SourceError, match=message):
        open_(tmp_path / name)


def test_bytes_in_a_column_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", [{"image": "a.png", "x": b"\xff"}])
    with pytest.raises(SourceError, match="row 1: bytes in a column"):
        open_(path)


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(SourceError, match=r"without pyarrow \(pip install 'i2ikit\[parquet\]'\)"):
        open_(tmp_path / "m.parquet")
