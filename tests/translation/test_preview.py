"""`--plan` tells what would be done and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import i2ikit
from i2ikit.errors import RunError, UsageError
from i2ikit.translation.execution import Execution
from i2ikit.translation.preview import preview
from i2ikit.translation.request import Request
from tests.conftest import picture

pytestmark = pytest.mark.usefixtures("fakes")


def test_it_counts_and_measures(pictures: Path, tmp_path: Path) -> None:
    found = preview(
        Request(str(pictures), str(tmp_path / "out"), "tint", style_sample=3), Execution()
    )
    assert (found.num_inputs, found.num_outputs, found.num_done) == (5, 15, 0)
    assert found.sizes == ((12, 8),)
    assert found.pixel_bytes == 15 * 12 * 8 * 3
    assert not (tmp_path / "out").exists()


def test_it_knows_the_size_asked_for(pictures: Path, tmp_path: Path) -> None:
    found = preview(Request(str(pictures), str(tmp_path / "out"), "echo", size=4), Execution())
    assert found.sizes == ((6, 4),)


def test_it_knows_what_is_done(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    assert preview(Request(str(pictures), str(tmp_path / "out"), "echo"), Execution()).num_done == 5


def test_it_refuses_what_the_run_would_refuse(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    with pytest.raises(RunError, match="holds a different run"):
        preview(Request(str(pictures), str(tmp_path / "out"), "tint"), Execution())
    with pytest.raises(UsageError):
        preview(Request(str(pictures), str(tmp_path / "x"), "echo", style_sample=2), Execution())


def test_new_inputs_are_refused_or_counted_as_by_the_run(pictures: Path, tmp_path: Path) -> None:
    request = Request(str(pictures), str(tmp_path / "out"), "echo")
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    picture().save(pictures / "new.png")
    with pytest.raises(RunError, match="--extend adds them"):
        preview(request, Execution())
    found = preview(request, Execution(extend=True))
    assert (found.num_inputs, found.num_done) == (6, 5)
    assert preview(request, Execution(restart=True)).num_done == 0
