"""A translation gated: planted faults are found by their reasons, and good outputs pass."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import i2ikit
from i2ikit.errors import RunError, SampleError, SourceError
from i2ikit.evaluate.compute import Compute
from i2ikit.feed import Limits, gate
from i2ikit.progress import Progress
from tests.conftest import picture, pixels
from tests.feed.scenes import moved, read_lines, save, scene, translated

pytestmark = pytest.mark.usefixtures("fakes")

SCENES = {f"{seed // 10}/{seed}": scene(seed) for seed in range(15)}
#: What is planted in place of the good translations of some keys, and the reason it must have.
PLANTED = {
    "0/0": (np.zeros_like(scene(0)), "saturated"),
    "0/1": (np.full_like(scene(1), 120), "contrast"),
    "0/2": (scene(2), "change"),
    "0/3": (moved(translated(scene(3)), 5, 0), "shift"),
    "0/4": (translated(scene(104)), "structure"),
    "0/5": (255 * (translated(scene(5)) > 128).astype(np.uint8), "saturated"),
    **{f"1/{seed}": (translated(scene(14), seed), "repeats") for seed in range(10, 14)},
}


def made(tmp_path: Path, **options: Any) -> Path:
    """Return OUT of a translation, without faults."""
    for key, source in SCENES.items():
        save(source, tmp_path / "in" / f"{key}.png")
    i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo", **options)
    for key, source in SCENES.items():
        save(translated(source), tmp_path / "out" / f"{key}.png")
    return tmp_path / "out"


def rows(report: Path) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in read_lines(report / "report.jsonl")}


def test_planted_faults_are_found_and_nothing_else(tmp_path: Path) -> None:
    out = made(tmp_path)
    for key, (fault, _) in PLANTED.items():
        save(fault, out / f"{key}.png")
    summary = gate(out, tmp_path / "gate")
    found = rows(tmp_path / "gate")
    assert list(found) == list(SCENES)
    assert {key for key, row in found.items() if not row["ok"]} == {*PLANTED, "1/14"}
    for key, (_, reason) in PLANTED.items():
        assert any(text.startswith(reason) for text in found[key]["reasons"]), found[key]
    assert (summary.num_outputs, summary.num_rejected) == (15, 11)
    assert summary.reasons["repeats > 2"] == 5


def test_the_report_has_limits_counts_quantiles_and_sheets(tmp_path: Path) -> None:
    limits = Limits(min_structure=0.999)
    gate(made(tmp_path), tmp_path / "gate", limits=limits)
    head = json.loads((tmp_path / "gate" / "report.json").read_text())
    assert head["limits"]["min_structure"] == 0.999
    assert head["reasons"] == {"structure < 0.999": 15}
    assert 0 < head["quantiles"]["structure"]["0.01"] < head["quantiles"]["structure"]["1"] < 0.999
    names = {path.name for path in (tmp_path / "gate").iterdir()} - {"report.json", "report.jsonl"}
    checks = ("saturated", "contrast", "repeats", "change", "structure", "shift")
    assert names == {f"worst-{check}.png" for check in checks}
    with Image.open(tmp_path / "gate" / "worst-structure.png") as sheet:
        assert sheet.size == (4 * 256 + 6, 4 * 142 + 6)


def test_the_worst_come_first(tmp_path: Path) -> None:
    out = made(tmp_path)
    save(scene(7), out / "0" / "7.png")
    gate(out, tmp_path / "gate")
    sheet = pixels(tmp_path / "gate" / "worst-change.png")
    assert np.array_equal(sheet[:128, :128], sheet[:128, 128:256])
    assert not np.array_equal(sheet[:128, 258:386], sheet[:128, 386:514])
    lines = [sheet[129:140, start : start + 256] for start in (0, 258)]
    reds = [(line[..., 0].astype(int) - line[..., 1]).max() for line in lines]
    assert reds[0] > 50 > reds[1]


def test_outputs_of_every_style_are_lines(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="tint", style_sample=3)
    assert gate(tmp_path / "out", tmp_path / "gate").num_outputs == 15
    lines = read_lines(tmp_path / "gate" / "report.jsonl")
    metadata = read_lines(tmp_path / "out" / "metadata.jsonl")
    shown = ("file_name", "key", "style_index")
    assert [[row[n] for n in shown] for row in lines] == [
        [row[n] for n in shown] for row in metadata
    ]


@pytest.mark.parametrize("size", [None, 40])
def test_sources_take_the_geometry_of_their_outputs(tmp_path: Path, size: int | None) -> None:
    upright = Image.fromarray(scene(0))
    exif = upright.getexif()
    exif[274] = 6  # to be turned by 90 degrees
    (tmp_path / "in").mkdir()
    upright.save(tmp_path / "in" / "a.png", exif=exif)
    i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo", size=size)
    gate(tmp_path / "out", tmp_path / "gate")
    assert rows(tmp_path / "gate")["a"]["measures"]["change"] == 0


def test_tars_are_read_as_they_were_written(tmp_path: Path) -> None:
    made(tmp_path)
    tar = tmp_path / "in.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(tmp_path / "in" / "0", "")
    i2ikit.translate(tar, f"wds:{tmp_path / 'shards'}", model="echo")
    summary = gate(tmp_path / "shards", tmp_path / "gate")
    assert summary.reasons == {"change < 5": 10}
    assert rows(tmp_path / "gate")["3"]["file_name"] == "in.tar/3.png"


def test_maps_of_labels_are_not_compared_by_their_edges(tmp_path: Path) -> None:
    for folder in ("label", "instance"):
        ids = np.random.default_rng(0).integers(0, 5, (40, 40), dtype=np.uint8)
        save(ids, tmp_path / folder / "a.png")
    fields = {"instance": str(tmp_path / "instance")}
    i2ikit.translate(tmp_path / "label", tmp_path / "out", model="paint", fields=fields)
    gate(tmp_path / "out", tmp_path / "gate")
    measures = rows(tmp_path / "gate")["a"]["measures"]
    assert set(measures) == {"saturated", "contrast", "change", "repeats"}


def test_what_cannot_be_read_is_rejected_and_named(tmp_path: Path) -> None:
    out = made(tmp_path)
    (out / "0" / "1.png").write_bytes(b"no picture")
    picture().save(out / "0" / "2.png")
    (tmp_path / "in" / "0" / "3.png").unlink()
    summary = gate(out, tmp_path / "gate")
    assert summary.num_rejected == 0
    assert len(summary.failures) == 3
    assert "1.png holds no picture" in summary.failures[0]
    assert "2.png is 12x8, not 64x64 as its source" in summary.failures[1]
    assert "'0/3' is no longer in" in summary.failures[2]
    row = rows(tmp_path / "gate")["0/1"]
    assert (row["ok"], row["reasons"], row["measures"]) == (False, [summary.failures[0]], {})


def test_a_failure_can_end_the_work_and_nothing_is_left(tmp_path: Path) -> None:
    out = made(tmp_path)
    (out / "1" / "10.png").unlink()
    with pytest.raises(SampleError, match=r"10\.png can't be read"):
        gate(out, tmp_path / "gate", compute=Compute(on_error="stop"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_nothing_readable_is_an_error(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    for path in (tmp_path / "out").rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(SourceError, match=r"no output of .*out can be measured: .*0\.png is empty"):
        gate(tmp_path / "out", tmp_path / "gate")


def test_interruption_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    out = made(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        gate(out, tmp_path / "gate", compute=Compute(on_progress=interrupt))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_workers_change_nothing(tmp_path: Path) -> None:
    out = made(tmp_path)
    for workers in (0, 3):
        gate(out, tmp_path / f"gate{workers}", compute=Compute(workers=workers))
    assert rows(tmp_path / "gate0") == rows(tmp_path / "gate3")


def test_only_finished_translations_are_taken(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"in holds no run of i2ikit"):
        gate(pictures, tmp_path / "gate")
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    (tmp_path / "out" / "metadata.jsonl").unlink()
    with pytest.raises(RunError, match="hasn't finished"):
        gate(tmp_path / "out", tmp_path / "gate")
