"""Tars in and out, and what a hostile one can't do."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest
import webdataset

import i2ikit
from i2ikit.errors import I2IError
from i2ikit.translation.audit import audit
from tests.conftest import picture, pixels
from tests.translation.test_run import metadata, tree

pytestmark = pytest.mark.usefixtures("fakes")


def png(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    picture(seed=seed).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def tars(tmp_path: Path) -> str:
    for index in range(2):
        write_tar(
            tmp_path / "in" / f"a-{index}.tar",
            {
                f"x/{index}{sample}.{suffix}": data
                for sample in "pq"
                for suffix, data in (("png", png(index)), ("cls", b"3"), ("meta.json", b"{}"))
            },
        )
    return f"{tmp_path / 'in'}/a-{{0..1}}.tar"


@pytest.fixture
def remote(tars: str, tmp_path: Path) -> str:
    """Return the tars' URLs on a file system that has no listing of keys."""
    del tars
    for path in (tmp_path / "in").iterdir():
        fsspec.filesystem("memory").pipe(f"/{tmp_path.name}/{path.name}", path.read_bytes())
    return f"memory://{tmp_path.name}/a-{{0..1}}.tar"


#: webdataset leaves the tars that it read open.
leaves_files_open = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def read_back(path: Path) -> list[dict[str, Any]]:
    return list(webdataset.WebDataset(str(path), shardshuffle=False))


@leaves_files_open
def test_tars_to_tars_carry_every_field(tars: str, tmp_path: Path) -> None:
    summary = i2ikit.translate(tars, f"wds:{tmp_path / 'out'}", model="tint", style_sample=2)
    assert (summary.num_inputs, summary.num_outputs) == (4, 8)
    assert sorted(tree(tmp_path / "out")) == ["a-0.tar", "a-1.tar", "metadata.jsonl"]
    first, second, *_ = read_back(tmp_path / "out" / "a-1.tar")
    assert (first["__key__"], second["__key__"]) == ("x/1p_s00", "x/1p_s01")
    assert (first["cls"], first["meta.json"]) == (b"3", b"{}")
    assert metadata(tmp_path / "out")[0]["file_name"] == "a-0.tar/x/0p_s00.png"


def test_tars_to_a_folder(tars: str, tmp_path: Path) -> None:
    i2ikit.translate(tars, tmp_path / "out", model="echo")
    made = tree(tmp_path / "out")
    assert sorted(made)[:3] == ["metadata.jsonl", "x/0p.cls", "x/0p.meta.json"]
    assert pixels(tmp_path / "out" / "x" / "1q.png").shape == (8, 12, 3)


@leaves_files_open
def test_a_folder_to_tars(pictures: Path, tmp_path: Path) -> None:
    picture().save(pictures / "a.dotted.name.png")
    i2ikit.translate(pictures, f"wds:{tmp_path / 'out'}", model="echo")
    keys = [sample["__key__"] for sample in read_back(tmp_path / "out" / "shard-000000.tar")]
    assert keys == ["a_dotted_name", "a/0", "a/1", "b/2", "b/3", "b/4"]


def test_tars_are_the_same_bytes_every_time(tars: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        i2ikit.translate(tars, f"wds:{tmp_path / name}", model="echo", workers=len(name) % 2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_remote_tar_is_streamed(tars: str, remote: str, tmp_path: Path) -> None:
    summary = i2ikit.translate(remote, tmp_path / "remote", model="echo")
    i2ikit.translate(tars, tmp_path / "local", model="echo")
    assert summary.num_outputs == 4
    assert tree(tmp_path / "remote") == tree(tmp_path / "local")


def test_one_key_in_two_remote_tars_is_an_error(tmp_path: Path) -> None:
    for index in range(2):
        path = write_tar(tmp_path / f"b-{index}.tar", {"same.png": png(index)})
        fsspec.filesystem("memory").pipe(f"/{tmp_path.name}/{path.name}", path.read_bytes())
    with pytest.raises(I2IError, match=r"same\.png was written from both b-0\.tar and b-1\.tar"):
        i2ikit.translate(f"memory://{tmp_path.name}/b-{{0..1}}.tar", tmp_path / "out", model="echo")


def test_one_key_in_two_local_tars_is_an_error_before_the_first_image(tmp_path: Path) -> None:
    for index in range(2):
        write_tar(tmp_path / "in" / f"a-{index}.tar", {"same.png": png(index)})
    with pytest.raises(I2IError, match="same"):
        i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../../evil.png", "/evil.png", "a/../../evil.png"])
@pytest.mark.parametrize("output", ["", "wds:"])
def test_a_member_that_points_outside_harms_nothing(tmp_path: Path, name: str, output: str) -> None:
    write_tar(tmp_path / "deep" / "in" / "a.tar", {"good.png": png(), name: png()})
    out = tmp_path / "deep" / "out"
    summary = i2ikit.translate(out.with_name("in"), f"{output}{out}", model="echo")
    assert (summary.num_outputs, summary.num_failed) == (1, 1)
    assert "evil" in summary.failures[0]
    assert not list(tmp_path.glob("**/evil*"))
    assert not Path("/evil.png").exists()


class Exploit:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_field_is_not_opened_and_not_passed_on(tmp_path: Path) -> None:
    bad = pickle.dumps(Exploit(tmp_path / "mark"))
    write_tar(tmp_path / "in" / "a.tar", {"good.png": png(), "x.png": png(), "x.pkl": bad})
    summary = i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo")
    assert (summary.num_outputs, summary.num_failed) == (1, 1)
    assert "pickle" in summary.failures[0]
    assert not (tmp_path / "mark").exists()
    assert not any(name.endswith("pkl") for name in tree(tmp_path / "out"))


def test_a_truncated_tar_is_recorded_and_the_rest_done(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "in" / "b.tar", {f"{i}.png": png(i) for i in range(8)})
    write_tar(tmp_path / "in" / "c.tar", {"c.png": png()})
    cut = tmp_path / "in" / "b.tar"
    cut.write_bytes(whole.read_bytes()[: 5 * 1024])
    summary = i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo")
    assert summary.num_failed >= 1
    assert "b.tar" in summary.failures[0]
    assert (tmp_path / "out" / "c.png").exists()
    assert (tmp_path / "out" / "0.png").exists()


def test_an_audit_counts_remote_tars(remote: str, tmp_path: Path) -> None:
    i2ikit.translate(remote, tmp_path / "out", model="echo")
    found = audit(tmp_path / "out")
    assert found.is_sound
    assert (found.num_inputs, found.num_outputs) == (4, 4)


def test_two_files_for_one_name_in_a_remote_tar_fail_their_sample(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "t.tar", {"x.jpg": png(), "x.png": png(1), "y.png": png()})
    fsspec.filesystem("memory").pipe(f"/{tmp_path.name}/t.tar", path.read_bytes())
    summary = i2ikit.translate(f"memory://{tmp_path.name}/t.tar", tmp_path / "out", model="echo")
    assert (summary.num_outputs, summary.num_failed) == (1, 1)
    assert "would both be written to 'x.png'" in summary.failures[0]


def test_metadata_beside_tars_joins_that_of_the_outputs(tars: str, tmp_path: Path) -> None:
    i2ikit.translate(tars, f"wds:{tmp_path / 'one'}", model="tint", seed=1)
    i2ikit.translate(tmp_path / "one", tmp_path / "two", model="tint", seed=2)
    made = metadata(tmp_path / "two")
    assert [line["seed"] for line in made] == [2, 2, 2, 2]
    assert [line["source_seed"] for line in made] == [1, 1, 1, 1]


def test_metadata_of_the_data_set_joins_that_of_the_outputs(pictures: Path, tmp_path: Path) -> None:
    line = {"file_name": "a/0.png", "text": "a cat", "seed": 5}
    (pictures / "metadata.jsonl").write_text(json.dumps(line))
    i2ikit.translate(pictures, tmp_path / "out", model="tint", seed=7)
    made = metadata(tmp_path / "out")[0]
    assert (made["text"], made["seed"], made["source_seed"]) == ("a cat", 7, 5)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_manifest_names_the_inputs(pictures: Path, tmp_path: Path, kind: str) -> None:
    rows = [{"image": "in/a/1.png", "split": "train"}, {"image": "in/b/4.png", "split": "val"}]
    path = tmp_path / f"list.{kind}"
    if kind == "csv":
        path.write_text("image,split\n" + "".join(f"{r['image']},{r['split']}\n" for r in rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    i2ikit.translate(path, tmp_path / "out", model="echo")
    made = metadata(tmp_path / "out")
    assert [line["split"] for line in made] == ["train", "val"]
    assert made[0]["file_name"].endswith("a/1.png")


def test_a_member_that_is_a_bomb_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i2ikit.data.shards.MAX_MEMBER_BYTES", 1000)
    write_tar(tmp_path / "in" / "t.tar", {"a.png": png(), "a.txt": bytes(2000), "b.png": png()})
    summary = i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo")
    assert (summary.num_outputs, summary.num_failed) == (1, 1)
    assert "'a.txt' has 2000 bytes; at most 1000 are read" in summary.failures[0]
