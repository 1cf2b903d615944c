"""Checkpoints are data, and are loaded whole or not at all."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from i2ikit.checkpoints import digest, load_strictly, read_state_dict, read_tensors
from i2ikit.errors import CheckpointError
from i2ikit.loading import load, load_model


class Exploit:
    """Unpickling this would run a command."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_plain_tensors_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    if suffix == ".safetensors":
        save_file({"a": torch.ones(2)}, path)
    else:
        torch.save({"a": torch.ones(2)}, path)
    assert read_state_dict(path)["a"].tolist() == [1, 1]


@pytest.mark.parametrize("is_legacy", [False, True])
def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, is_legacy: bool) -> None:
    path, mark = tmp_path / "w.pt", tmp_path / "mark"
    data = {"a": torch.ones(1), "b": Exploit(mark)}
    torch.save(data, path, _use_new_zipfile_serialization=not is_legacy)
    with pytest.raises(CheckpointError, match="it holds code"):
        read_tensors(path)
    assert not mark.exists()


def test_a_bare_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(pickle.dumps(Exploit(tmp_path / "mark")))
    with pytest.raises(CheckpointError):
        read_tensors(tmp_path / "w.pt")
    assert not (tmp_path / "mark").exists()


def test_a_checkpoint_with_code_is_refused_by_the_program(tmp_path: Path) -> None:
    torch.save({"a": Exploit(tmp_path / "mark")}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="was refused"):
        load_model("munit", tmp_path / "w.pt")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 damaged"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    (tmp_path / f"w{suffix}").write_bytes(content)
    with pytest.raises(CheckpointError, match="can't be read as a checkpoint"):
        read_tensors(tmp_path / f"w{suffix}")


@pytest.mark.parametrize(("path", "what"), [("nothing.pt", "does not exist"), ("", "is a folder")])
def test_a_missing_file_is_named(tmp_path: Path, path: str, what: str) -> None:
    with pytest.raises(CheckpointError, match=what):
        read_tensors(tmp_path / path)


@pytest.mark.parametrize("data", [[1, 2], {}, {"a": {"b": torch.ones(1)}}, {3: 4}, 7])
def test_what_is_no_state_dict_is_said(tmp_path: Path, data: Any) -> None:
    torch.save(data, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"not named tensors|no.* state dict"):
        read_state_dict(tmp_path / "w.pt")


def test_strict_loading_lists_everything_that_is_off() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    weights = dict(network.state_dict())
    weights["extra"] = weights.pop("0.bias")
    weights["1.weight"] = torch.ones(1, 4)
    with pytest.raises(CheckpointError) as caught:
        load_strictly(network, weights, "w.pt")
    assert str(caught.value) == (
        "w.pt does not fit the network: 1 missing (0.bias); 1 unexpected (extra); "
        "1 of another shape (1.weight is (1, 4), expected (1, 3))"
    )


def test_the_digest_is_of_contents_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    files = [tmp_path / "a", tmp_path / "b"]
    assert digest(files) == digest(reversed(files))
    before = digest(files)
    (tmp_path / "b").write_bytes(b"3")
    assert digest(files) != before


def test_a_loaded_model_is_ready_to_translate() -> None:
    golden = Path(__file__).parent / "golden" / "munit" / "base" / "gen_00000001.pt"
    loaded = load("munit", golden, "b2a")
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert len(loaded.digest) == 64
