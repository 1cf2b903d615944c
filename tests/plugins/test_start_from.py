"""Trainings that begin with a checkpoint's networks: our own, and published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import i2ikit
from i2ikit.checkpoints import flat
from i2ikit.errors import CheckpointError, OptionError, UsageError
from i2ikit.plugins import discover
from i2ikit.training.contract import Training
from i2ikit.training.request import Request, make_training
from i2ikit.training.state import Home, write_checkpoint
from tests.conftest import GOLDEN, picture

#: What no checkpoint tells: of the discriminators, and of the maps that a generator takes.
TWO_DOMAINS = {"dis_dim": 2, "num_scales": 1}
LABELS = {"label_nc": 5, "ndf": 2, "num_D": 1}
CASES = [
    ("munit", "munit/base", 32, TWO_DOMAINS),
    ("munit", "munit/base/gen_00000001.pt", 32, TWO_DOMAINS),
    ("unit", "unit/base", 32, TWO_DOMAINS),
    ("bicyclegan", "bicyclegan/all_unet128", 128, {"ndf": 2}),
    ("pix2pixhd", "pix2pixhd/global_a", 32, LABELS),
    ("pix2pixhd", "pix2pixhd/feat_instance", 32, LABELS),
    ("pix2pixhd", "pix2pixhd/local_a", 32, LABELS),
]
Case = tuple[str, str, int, dict[str, Any]]


def make(
    model: str, start: Path | None, size: int, options: dict[str, Any], seed: int = 1
) -> Training:
    wishes = Request(model, "", "", Path(), size=size, options=options, start_from=start, seed=seed)
    return make_training(discover(), wishes)


def files_of(training: Training) -> dict[str, dict[str, torch.Tensor]]:
    """Return the tensors of a training's checkpoint after a step, by file and name."""
    files = training.checkpoint(1).tensors
    return {file: {n: v.clone() for n, v in flat(branch)} for file, branch in files.items()}


def read_file(path: Path) -> dict[str, torch.Tensor]:
    """Return a file's tensors; of a file with two domains, by names as "a.NAME"."""
    return dict(flat(torch.load(path, weights_only=True)))


def is_weight(name: str) -> bool:
    """Tell weights from the statistics of norms that don't use them."""
    return "running_" not in name and "num_batches" not in name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1])
def test_networks_are_those_of_the_published_files(case: Case) -> None:
    """Their options, too, come from the checkpoint."""
    model, place, size, options = case
    folder = GOLDEN / place if (GOLDEN / place).is_dir() else (GOLDEN / place).parent
    for file, made in files_of(make(model, GOLDEN / place, size, options)).items():
        published = read_file(next(folder.glob(f"{file}.pt*")))
        names = set(filter(is_weight, made))
        assert names == set(filter(is_weight, published))
        assert all(torch.equal(made[name], published[name]) for name in names)


@pytest.mark.parametrize("layout", ["safetensors", "upstream"])
@pytest.mark.parametrize("case", CASES[2:], ids=lambda case: case[1])
def test_networks_are_those_of_our_own_files(case: Case, layout: str, tmp_path: Path) -> None:
    model, place, size, options = case
    first = make(model, GOLDEN / place, size, options)
    for parameter in first.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(3))
    latest = write_checkpoint(Home(tmp_path), "latest", first.checkpoint(1), layout)
    one, again = files_of(first), files_of(make(model, latest, size, options))
    assert one.keys() == again.keys()
    for file, values in one.items():
        assert values.keys() == again[file].keys()
        assert all(torch.equal(value, again[file][name]) for name, value in values.items())


@pytest.mark.parametrize("layout", ["safetensors", "upstream"])
def test_munit_goes_on_from_unit_with_styles_around_its_look(layout: str, tmp_path: Path) -> None:
    unit = make("unit", GOLDEN / "unit" / "base", 32, TWO_DOMAINS)
    latest = write_checkpoint(Home(tmp_path), "latest", unit.checkpoint(1), layout)
    training = make("munit", latest, 32, {**TWO_DOMAINS, "style_dim": 3, "mlp_dim": 6})
    made = write_checkpoint(Home(tmp_path / "made"), "latest", training.checkpoint(1), layout)
    for direction in ("a2b", "b2a"):
        one = i2ikit.load_model("unit", latest, direction=direction)
        many: Any = i2ikit.load_model("munit", made, direction=direction)
        image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
        expected = one.decode(one.encode(image=image), None)
        content = many.encode(image=image)
        draw = torch.randn(2, 3, generator=torch.Generator().manual_seed(2))
        first, second = (many.decode(content, many.mlp(code[None])) for code in draw)
        assert 0.01 < (first - second).abs().mean() < 0.3
        many.mlp.model[-1].fc.weight.zero_()
        torch.testing.assert_close(many.decode(content, many.mlp(draw[:1])), expected)


def test_a_name_is_the_checkpoint_that_a_plugin_offers(
    domains: tuple[Path, Path], tmp_path: Path
) -> None:
    options = {**TWO_DOMAINS, "lr": 1e-12}
    i2ikit.train(
        "unit",
        *domains,
        tmp_path / "out",
        size=32,
        options=options,
        start_from="demo-unit",
        steps=1,
    )
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    one, other = (
        i2ikit.load_model("unit", place) for place in ("demo-unit", tmp_path / "out" / "latest")
    )
    torch.testing.assert_close(
        *(unit.decode(unit.encode(image=image), None) for unit in (one, other))
    )


def test_a_name_that_no_plugin_offers_gets_the_nearest(
    domains: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="checkpoint demo-unti does not exist") as caught:
        i2ikit.train("unit", *domains, tmp_path / "out", start_from="demo-unti", steps=1)
    assert caught.value.hint == "did you mean 'demo-unit'?"
    assert not (tmp_path / "out").exists()


def test_munit_from_a_part_of_unit_names_what_is_missing(tmp_path: Path) -> None:
    data = torch.load(GOLDEN / "unit" / "base" / "gen_00000001.pt", weights_only=True)
    del data["a"]["dec.model.5.conv.bias"]
    torch.save(data, tmp_path / "gen_00000001.pt")
    with pytest.raises(CheckpointError, match=r"domain A, .*dec\.model\.5\.conv\.bias"):
        make("munit", tmp_path, 32, TWO_DOMAINS)


@pytest.mark.parametrize("case", [CASES[0], *CASES[3:5]], ids=lambda case: case[1])
def test_discriminators_are_new(case: Case) -> None:
    model, place, size, options = case
    one, other = (make(model, GOLDEN / place, size, options, seed).state_dict() for seed in (1, 2))
    moved = {name for name in one if not torch.equal(one[name], other[name])}
    assert moved
    assert all("discriminator" in name for name in moved)


@pytest.fixture
def domains(tmp_path: Path) -> tuple[Path, Path]:
    """Return two folders of pictures; with the first, label maps of the same names."""
    for name in ("A", "B"):
        (tmp_path / name).mkdir()
        for index in range(2):
            picture(64, 64, seed=index).save(tmp_path / name / f"{index}.png")
    return tmp_path / "A", tmp_path / "B"


@pytest.mark.parametrize("case", [CASES[0], CASES[2], CASES[3]], ids=lambda case: case[1])
def test_published_checkpoints_trained_further_keep_their_keys(
    case: Case, domains: tuple[Path, Path], tmp_path: Path
) -> None:
    model, place, size, options = case
    wishes: dict[str, Any] = {
        "size": size,
        "options": options,
        "start_from": GOLDEN / place,
        "steps": 1,
    }
    i2ikit.train(
        model, *domains, tmp_path / "out", **wishes, layout="upstream", sample_every=0, workers=0
    )
    for path in (tmp_path / "out" / "latest").glob("*.pt*"):
        original, trained = read_file(GOLDEN / place / path.name), read_file(path)
        assert {n: v.shape for n, v in trained.items()} == {n: v.shape for n, v in original.items()}
        assert any(not torch.equal(value, original[name]) for name, value in trained.items())


def test_first_sheets_are_those_of_the_checkpoint(
    domains: tuple[Path, Path], tmp_path: Path
) -> None:
    """At a rate that moves nothing."""
    options = {**TWO_DOMAINS, "lr": 1e-12}
    wishes: dict[str, Any] = {"size": 32, "options": options, "sample_every": 1, "steps": 1}
    start = GOLDEN / "munit" / "base"
    i2ikit.train("munit", *domains, tmp_path / "one", **wishes, start_from=start)
    latest = tmp_path / "one" / "latest"
    i2ikit.train("munit", *domains, tmp_path / "two", **wishes, start_from=latest)
    i2ikit.train("munit", *domains, tmp_path / "new", **{**wishes, "options": NEW})
    one, two, new = (
        np.array(Image.open(tmp_path / name / "samples" / "step-00000001-a2b.png"))
        for name in ("one", "two", "new")
    )
    assert np.array_equal(one, two)
    assert not np.array_equal(one, new)


NEW = {**TWO_DOMAINS, "dim": 2, "mlp_dim": 2, "n_res": 1}


def test_an_encoder_is_new_where_there_is_none(tmp_path: Path) -> None:
    generator = GOLDEN / "bicyclegan" / "all_unet128" / "latest_net_G.pth"
    (tmp_path / generator.name).write_bytes(generator.read_bytes())
    training = make("bicyclegan", tmp_path, 128, {"ndf": 2, "nef": 2})
    assert training.options.encoder == "resnet_128"


def test_an_enhancer_starts_from_the_coarser_generator(tmp_path: Path) -> None:
    """Whose layers are twice as wide as its own."""
    start = GOLDEN / "pix2pixhd" / "global_a"
    coarse = make("pix2pixhd", start, 32, LABELS)
    fine = make("pix2pixhd", start, 64, {**LABELS, "n_local_enhancers": "1"})
    assert (coarse.options.ngf, fine.options.ngf) == (2 * fine.options.ngf, fine.options.ngf)
    one, other = (files_of(training)["latest_net_G"] for training in (coarse, fine))
    shared = one.keys() & other.keys()
    assert len(one.keys() - shared) == 2  # the head, which makes the colours
    assert all(torch.equal(one[name], other[name]) for name in shared)


@pytest.mark.parametrize(
    ("model", "place", "options", "error", "words"),
    [
        ("unit", "munit/base", {}, CheckpointError, "is a MUNIT checkpoint"),
        ("munit", "munit/nothing", {}, CheckpointError, "nothing does not exist"),
        ("munit", "munit/base", {"dim": 3}, CheckpointError, "domain A, does not fit"),
        ("munit", "munit/base", {"dims": 3}, OptionError, "did you mean 'dim'"),
        ("pix2pixhd", "bicyclegan/all_unet128", {}, CheckpointError, "not a pix2pixHD"),
    ],
)
def test_what_does_not_fit_is_told(
    model: str, place: str, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make(model, GOLDEN / place, 32, options)


def test_one_start_is_enough() -> None:
    start = GOLDEN / "pix2pixhd" / "global_a"
    with pytest.raises(UsageError, match=r"two checkpoints to start from: .* give one"):
        make("pix2pixhd", start, 32, {**LABELS, "load_pretrain": str(start)})
