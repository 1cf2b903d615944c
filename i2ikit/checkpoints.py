"""Checkpoints are data: read without running any code, loaded strictly or not at all."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from i2ikit.errors import CheckpointError
from i2ikit.scratch import new_file, new_folder

#: What files of tensors end with.
TENSOR_SUFFIXES = (".safetensors", ".pt", ".pth")
_EXPECTED = "expected a whole .pt, .pth or .safetensors"


def read_tensors(path: Path) -> Any:
    """Return what a .safetensors, .pt or .pth file holds, tensors on the CPU.

    Zip and older serialisations are read, with tensors, containers and plain values only.

    Raises:
        CheckpointError: missing, damaged, not a checkpoint, or holding anything but data.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise CheckpointError(f"checkpoint {path} {what}", hint="--checkpoint takes a file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refusal(path, error) from None
    except Exception as error:  # damaged files raise whatever their format's parser raises
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path} can't be read as a checkpoint: {reason[:120]}", hint=_EXPECTED
        ) from None


#: What torch says of a pickle that would call something; other complaints are of damage.
_SIGNS_OF_CODE = ("GLOBAL", "Unsupported global", "Trying to call", "Can only")


def _refusal(path: Path, error: pickle.UnpicklingError) -> CheckpointError:
    text = str(error)
    for line in text.splitlines():
        if any(sign in line for sign in _SIGNS_OF_CODE):
            return CheckpointError(
                f"{path} was refused: it holds code, not only tensors: {line.strip()[:200]}",
                hint="save the plain state dict, or convert it to .safetensors",
            )
    return CheckpointError(
        f"{path} can't be read as a checkpoint: it is no file of tensors",
        hint=_EXPECTED,
    )


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Return a file's flat mapping of names to tensors.

    Raises:
        CheckpointError: as `read_tensors`, or the file holds something else than named tensors.
    """
    data = read_tensors(path)
    if not isinstance(data, Mapping) or not data:
        raise CheckpointError(f"{path} holds {_describe(data)}, not named tensors")
    for name, value in data.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path} is not a plain state dict: {name!r} holds {_describe(value)}"
            )
    return dict(data)


def _describe(data: object) -> str:
    if isinstance(data, Mapping):
        return f"a mapping with {', '.join(repr(key) for key in list(data)[:4]) or 'nothing'}"
    return f"a {type(data).__name__}"


def drop_running_statistics(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `weights` without the buffers that torch before 0.4 kept in instance norms."""
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    return {name: value for name, value in weights.items() if not name.endswith(buffers)}


def part_of(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the weights whose names begin with `prefix`, without it."""
    return {n.removeprefix(prefix): value for n, value in weights.items() if n.startswith(prefix)}


def load_strictly(module: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Copy `weights` into `module`: every name, every shape, or an error that lists what is off.

    Raises:
        CheckpointError: missing or unexpected names, or shapes that differ.
    """
    check_fit(module, weights, where)
    module.load_state_dict(dict(weights))


def check_fit(module: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Do nothing if `weights` are those of `module`, which may be on the "meta" device.

    Raises:
        CheckpointError: missing or unexpected names, or shapes that differ.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in weights]
    unexpected = [name for name in weights if name not in own]
    shapes = [
        f"{name} is {tuple(weights[name].shape)}, expected {tuple(own[name].shape)}"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    problems = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for what, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", shapes),
        )
        if names
    ]
    if problems:
        raise CheckpointError(f"{where} does not fit the network: {'; '.join(problems)}")


def pack(source: Path, output: Path) -> int:
    """Write a checkpoint's tensors as safetensors in half precision; return how many bytes.

    Integers stay as they are, and so do the other files of a folder (settings).

    Args:
        source: a file or folder as `--checkpoint` takes it.
        output: a new file, if `source` is one, else a new folder.

    Raises:
        CheckpointError: there is nothing to pack, or a weight is too large for half precision.
        RunError: `output` is there already.
    """
    if source.is_file():
        with new_file(output) as scratch:
            return _pack_file(source, scratch)
    files = sorted(path for path in source.glob("*") if path.is_file())
    if not any(path.suffix in TENSOR_SUFFIXES for path in files):
        raise CheckpointError(f"checkpoint {source} holds no {', '.join(TENSOR_SUFFIXES)}")
    total = 0
    with new_folder(output) as folder:
        for path in files:
            if path.suffix in TENSOR_SUFFIXES:
                total += _pack_file(path, folder / f"{path.stem}.safetensors")
            else:
                total += (folder / path.name).write_bytes(path.read_bytes())
    return total


def _pack_file(source: Path, output: Path) -> int:
    from safetensors.torch import save

    halves = {}
    for name, value in flat(read_tensors(source)):
        half = value.half() if value.is_floating_point() else value
        if value.is_floating_point() and not torch.isfinite(half).all():
            raise CheckpointError(f"{source}: {name} doesn't fit into half precision")
        halves[name] = half.contiguous()
    return output.write_bytes(save(halves))  # `save_file` would keep it from other users


def flat(branch: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a tree of mappings, their names joined with "."."""
    if isinstance(branch, Tensor):
        yield name, branch
        return
    for leaf, value in branch.items():
        yield from flat(value, f"{name}.{leaf}" if name else leaf)


def digest(files: Iterable[Path]) -> str:
    """Return the SHA-256 over the files' own SHA-256s, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        total.update(bytes.fromhex(hash_file(path)))
    return total.hexdigest()


def hash_file(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
