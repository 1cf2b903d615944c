"""The page's example for Lightning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_docs import ROOT, render


@pytest.mark.filterwarnings("ignore")  # Lightning's own
def test_the_pages_example_trains_with_lightning(tmp_path: Path) -> None:
    page = tmp_path / "on-the-fly.md"
    text = (ROOT / "docs" / "howto" / page.name).read_text()
    page.write_text(text.replace("```py\n", "```python\n"))
    (tmp_path / "home").mkdir()
    render(page, tmp_path / "home")
    assert list((tmp_path / "home" / "checkpoints").glob("epoch=1-*.ckpt"))
