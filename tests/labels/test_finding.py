"""What LABELS may be, and what is said where it is none of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2ikit.errors import SourceError, UsageError
from i2ikit.labels.finding import open_labels


@pytest.mark.parametrize("how", ["nomasks", "no/masks:_ids", "labels.csv", "t.csv:kind"])
def test_a_place_that_is_not_there_is_named(how: str) -> None:
    with pytest.raises(UsageError, match=f"no folder or file of labels '{how}'") as raised:
        open_labels(how)
    assert raised.value.hint.startswith("LABELS: folder, cls, column:NAME")


def test_a_file_of_another_kind_is_no_labels(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a cat\n")
    with pytest.raises(UsageError, match=r"labels\.txt' says not how pictures are labelled"):
        open_labels(str(tmp_path / "labels.txt"))


@pytest.mark.parametrize(
    ("columns", "column", "lacking"),
    [
        ("file_name,kind", "", "label or class"),
        ("file_name,kind", ":sort", "'sort'"),
        ("name,label", "", "file_name or key"),
    ],
)
def test_a_table_without_the_column_says_which_it_has(
    tmp_path: Path, columns: str, column: str, lacking: str
) -> None:
    (tmp_path / "t.csv").write_text(f"{columns}\na.png,cat\n")
    with pytest.raises(SourceError, match=f"line 2: no column {lacking}") as raised:
        open_labels(f"{tmp_path / 't.csv'}{column}")
    assert raised.value.hint == f"the columns are {columns.replace(',', ', ')}"
