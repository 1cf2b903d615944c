"""Where weights are looked for, in which order, and what is made of a wrong file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from i2ikit.errors import CheckpointError
from i2ikit.evaluate.weights import (
    describe_places,
    download_weights,
    find_weights,
    hub_folder,
    weights_folders,
)
from i2ikit.hookspecs import WeightsFile

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NET = WeightsFile("net.pth", sha256=DIGEST[:8])


def put(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NET.name).write_bytes(content)
    return folder / NET.name


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the two folders that $I2IKIT_WEIGHTS names."""
    folders = [tmp_path / "one", tmp_path / "two"]
    monkeypatch.setenv("I2IKIT_WEIGHTS", os.pathsep.join(map(str, folders)))
    return folders


def test_a_given_file_wins_whatever_it_is(tmp_path: Path, named: list[Path]) -> None:
    put(named[0])
    own = put(tmp_path / "own", b"other")
    found = find_weights(NET, own)
    assert (found.path, found.is_official) == (own, False)
    assert found.sha256 == hashlib.sha256(b"other").hexdigest()


def test_a_given_file_must_exist(tmp_path: Path, named: list[Path]) -> None:
    put(named[0])
    with pytest.raises(CheckpointError, match=r"gone\.pth do not exist"):
        find_weights(NET, tmp_path / "gone.pth")


def test_folders_are_searched_in_order_and_torch_hubs_last(named: list[Path]) -> None:
    assert weights_folders() == [*named, hub_folder()]
    for folder in reversed(weights_folders()):
        path = put(folder)
        assert find_weights(NET).path == path


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TORCH_HOME": "/t"}, "/t/hub/checkpoints"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/torch/hub/checkpoints"),
        ({"HOME": "/h"}, "/h/.cache/torch/hub/checkpoints"),
    ],
)
def test_torch_hubs_folder_is_where_torch_hub_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub_folder() == Path(expected)


@pytest.mark.parametrize(("sha256", "official"), [(DIGEST, True), (DIGEST[:8], True), ("", None)])
def test_a_file_is_official_by_its_digest(sha256: str, official: bool | None) -> None:
    put(hub_folder())
    found = find_weights(WeightsFile(NET.name, sha256=sha256))
    assert (found.is_official, found.sha256) == (official, DIGEST)


def test_another_file_under_the_official_name_is_refused_with_both_digests() -> None:
    path = put(hub_folder(), b"cut short")
    other = hashlib.sha256(b"cut short").hexdigest()[:8]
    with pytest.raises(CheckpointError) as caught:
        find_weights(NET)
    for part in (str(path), other, DIGEST[:8], "--weights"):
        assert part in str(caught.value)


@pytest.mark.parametrize("url", ["", "https://example.org/net.pth"])
def test_a_missing_file_is_asked_for_by_name_and_place(named: list[Path], url: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_weights(WeightsFile(NET.name, url=url))
    assert caught.value.message == "net.pth is not on this machine"
    for part in (*map(str, named), str(hub_folder()), "--weights", url):
        assert part in caught.value.hint
    assert ("--download" in caught.value.hint) == bool(url)


def test_places_are_described_with_the_variable(named: list[Path]) -> None:
    assert describe_places() == [
        f"$I2IKIT_WEIGHTS ({named[0]}{os.pathsep}{named[1]})",
        str(hub_folder()),
    ]


def test_an_unset_variable_is_described_as_such() -> None:
    assert describe_places()[0] == "$I2IKIT_WEIGHTS (not set)"


# downloads


def remote(tmp_path: Path, sha256: str, content: bytes = CONTENT) -> WeightsFile:
    return WeightsFile(NET.name, put(tmp_path / "server", content).as_uri(), sha256)


@pytest.mark.parametrize("sha256", [DIGEST[:8], DIGEST, ""])
def test_a_download_lands_in_torch_hubs_folder(tmp_path: Path, sha256: str) -> None:
    found = download_weights(remote(tmp_path, sha256))
    assert found.path == hub_folder() / NET.name
    assert found.path.read_bytes() == CONTENT
    assert [path.name for path in hub_folder().iterdir()] == [NET.name]


def test_a_download_of_another_file_is_refused_and_kept_nowhere(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"net\.pth can't be downloaded: .*hash value"):
        download_weights(remote(tmp_path, DIGEST[:8], b"an error page"))
    assert list(hub_folder().iterdir()) == []


def test_a_download_that_fails_says_where_the_file_belongs(tmp_path: Path) -> None:
    file = WeightsFile(NET.name, (tmp_path / "gone.pth").as_uri(), DIGEST[:8])
    with pytest.raises(CheckpointError, match=r"gone\.pth can't be downloaded") as caught:
        download_weights(file)
    assert str(hub_folder()) in caught.value.hint


def test_a_file_that_is_there_is_not_downloaded_again(tmp_path: Path, named: list[Path]) -> None:
    put(named[1])
    found = download_weights(WeightsFile(NET.name, "file:///gone.pth", DIGEST[:8]))
    assert found.path == named[1] / NET.name


def test_a_file_without_an_address_cannot_be_downloaded() -> None:
    with pytest.raises(CheckpointError, match=r"net\.pth can't be downloaded \(put it into"):
        download_weights(NET)
