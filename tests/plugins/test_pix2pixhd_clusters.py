"""pix2pixHD's feature clusters, read from pickles that are not trusted."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from i2ikit.errors import CheckpointError
from i2ikit_pix2pixhd.clusters import read_clusters
from tests.plugins.test_pix2pixhd import GOLDEN


def save_clusters(path: Path, clusters: object) -> None:
    np.save(path, np.array(clusters, dtype=object), allow_pickle=True)


@pytest.mark.parametrize("fixture", ["feat_instance", "feat_label_local"])
def test_clusters_are_read_from_the_originals_pickle(fixture: str) -> None:
    """Centres as the plain tensors beside say, in single precision."""
    centres = read_clusters(GOLDEN / fixture / "features_clustered_010.npy")
    expected = load_file(GOLDEN / fixture / "features_golden.safetensors")
    assert sorted(centres) == [0, 1, 2, 3, 4]
    for label, values in centres.items():
        assert torch.equal(values, expected[f"centers.{label}"].float())


def npy(content: bytes) -> bytes:
    """Return a NumPy file of one object around a pickle."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    return file.getvalue() + content


def python_2_array(shape: bytes, order: bytes, kind: bytes, data: bytes) -> bytes:
    """Return an array as Python 2 and NumPy 1 pickled it: protocol 2, bytes as text."""
    dtype = b"cnumpy\ndtype\n(U\x02" + kind + b"K\x00K\x01tR(K\x03U\x01" + order + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    return array + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"


def test_clusters_of_python_2_are_read(tmp_path: Path) -> None:
    """The time of the original program."""
    centres = np.array([[1.5, -2.0], [1e-300, 0.1]])
    inner = python_2_array(b"K\x02K\x02\x86", b"<", b"f8", b"U\x20" + centres.tobytes())
    outer = python_2_array(b")", b"|", b"O8", b"]}K\x03" + inner + b"sa")
    (tmp_path / "f.npy").write_bytes(npy(b"\x80\x02" + outer + b"."))
    values = read_clusters(tmp_path / "f.npy")
    assert torch.equal(values[3], torch.from_numpy(centres).float())


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
def test_clusters_in_any_order_of_memory_are_read(tmp_path: Path, dtype: str) -> None:
    """Bytes from other machines, and columns first."""
    centres = [[1.5, 2.0], [-0.25, 4.0], [0.0, 8.0]]
    save_clusters(tmp_path / "f.npy", {3: np.asfortranarray(centres, dtype=dtype)})
    assert read_clusters(tmp_path / "f.npy")[3].tolist() == centres


class Malicious:
    def __init__(self, target: Callable[..., object], argument: str) -> None:
        self.target, self.argument = target, argument

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return self.target, (self.argument,)


@pytest.mark.parametrize("target", [os.system, eval, np.fromfile])
def test_a_pickle_that_would_run_code_is_refused(
    tmp_path: Path, target: Callable[..., object]
) -> None:
    """Nothing of it runs, wherever in the file it hides."""
    harm = tmp_path / "harm"
    payload = {0: np.zeros((1, 3)), 1: Malicious(target, f"touch {harm}")}
    file = tmp_path / "features_clustered_010.npy"
    np.save(file, np.array(payload, dtype=object), allow_pickle=True)
    with pytest.raises(CheckpointError, match=r"was refused: it asks for .*\.(system|eval|fromf)"):
        read_clusters(file)
    assert not harm.exists()


@pytest.mark.parametrize(
    ("clusters", "sentence"),
    [
        ({0: np.zeros((2, 3)), 1: np.zeros((2, 4))}, "no centres of one length"),
        ({0: np.zeros(3)}, "no centres of one length"),
        ({0: np.zeros((0, 3))}, "no centres at all"),
        ({-1: np.zeros((2, 3))}, "names a class -1"),
        ({10**9: np.zeros((2, 3))}, "names a class 1000000000"),
        ({"road": np.zeros((2, 3))}, "names a class 'road'"),
        ({0: np.zeros((2, 3), dtype=np.int64)}, "something else than float arrays"),
        ({0: [1.0, 2.0]}, "something else than float arrays"),
        ("centres", "a str, not a dict of centres"),
    ],
)
def test_other_clusters_are_refused(tmp_path: Path, clusters: object, sentence: str) -> None:
    """A file that isn't a dict of centres says so."""
    save_clusters(tmp_path / "f.npy", clusters)
    with pytest.raises(CheckpointError, match=sentence):
        read_clusters(tmp_path / "f.npy")


def test_damaged_clusters_are_refused(tmp_path: Path) -> None:
    """Cut anywhere, or no NumPy file of an object at all."""
    whole = (GOLDEN / "feat_instance" / "features_clustered_010.npy").read_bytes()
    numbers = io.BytesIO()
    np.save(numbers, np.zeros(3))
    cuts = [whole[:end] for end in range(0, len(whole), 100)]
    for data in [*cuts, npy(pickle.dumps(3)), numbers.getvalue(), b"text"]:
        (tmp_path / "f.npy").write_bytes(data)
        with pytest.raises(CheckpointError, match="can't be read as feature clusters"):
            read_clusters(tmp_path / "f.npy")
