"""pix2pixHD's networks against the original program's numbers, and its options.

`tests/golden/pix2pixhd/manifest.json` says how the golden tensors were made.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from i2ikit.checkpoints import load_strictly
from i2ikit.errors import OptionError, SampleError, UsageError
from i2ikit.model import RGB, InstanceMap, LabelMap, SizeRule
from i2ikit.options import make_options
from i2ikit.testing import check_model
from i2ikit_pix2pixhd.model import Pix2PixHD
from i2ikit_pix2pixhd.options import Pix2PixHDOptions

GOLDEN = Path(__file__).parents[1] / "golden" / "pix2pixhd"
FULL = json.loads((GOLDEN / "full_config_keys.json").read_text())["configs"]


def load(path: Path, **given: object) -> Pix2PixHD:
    """Build and fill a model as `i2ikit.load_model` does."""
    read = Pix2PixHD.read_checkpoint(path, "a2b")
    options = make_options(
        Pix2PixHDOptions, given, certain=read.options, hints=read.hints, where=str(path)
    )
    model = Pix2PixHD(options)
    load_strictly(model, read.weights, str(path))
    return model.eval().requires_grad_(False)


def golden(fixture: str) -> dict[str, Tensor]:
    return dict(load_file(GOLDEN / fixture / "golden.safetensors"))


def inputs_of(model: Pix2PixHD, tensors: dict[str, Tensor], run: str = "") -> dict[str, Tensor]:
    """Return image 0 of a fixture as the model's inputs."""
    label = tensors[f"{run}img0.label"]
    if "image" in model.inputs:
        return {"image": label}
    return {"label": label.long(), "instance": tensors[f"{run}img0.inst"].long()}


def difference(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).abs().max())


@pytest.mark.parametrize(
    "fixture", ["global_a", "global_b", "global_none_rounding", "local_a", "local_b", "rgb_a"]
)
def test_the_generator_gives_the_original_numbers(fixture: str) -> None:
    """Planes come out exactly, pictures within float error; hyper-parameters are found."""
    model, tensors = load(GOLDEN / fixture), golden(fixture)
    content = model.encode(**inputs_of(model, tensors))
    assert torch.equal(content["planes"], tensors["img0.input_label"])
    assert difference(model.decode(content, None), tensors["img0.fake_image"]) < 5e-5


def test_batch_norm_with_each_images_own_statistics_is_the_original() -> None:
    """An odd height comes out rounded up, as from the original network."""
    model, tensors = load(GOLDEN / "rgb_batchnorm", batch_stats="image"), golden("rgb_batchnorm")
    image = tensors["img0.label"]
    both = model.decode(model.encode(image=torch.cat([image, image.flip(3)])), None)
    assert difference(both[:1], tensors["img0.fake_image"]) < 5e-5


def test_batch_norm_takes_the_stored_statistics_by_default() -> None:
    """Evaluation mode, as torch means it."""
    model, tensors = load(GOLDEN / "rgb_batchnorm"), golden("rgb_batchnorm")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    image = model.decode(model.encode(image=tensors["img0.label"]), None)
    assert difference(image, tensors["img0.fake_image"]) > 0.1
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("fixture", ["global_a", "local_a"])
def test_a_batch_is_its_single_images(fixture: str) -> None:
    """No image sees another."""
    model, tensors = load(GOLDEN / fixture), golden(fixture)
    one = inputs_of(model, tensors)
    other = {name: value.flip(3).roll(7, 2) for name, value in one.items()}
    singles = [model.decode(model.encode(**inputs), None) for inputs in (one, other)]
    batch = model.encode(**{name: torch.cat([one[name], other[name]]) for name in one})
    assert difference(model.decode(batch, None), torch.cat(singles)) < 1e-5


@pytest.mark.parametrize(
    ("fixture", "given"),
    [
        ("local_b", {}),
        ("rgb_batchnorm", {"batch_stats": "image"}),
        ("feat_instance", {}),
        ("feat_label_local", {"label_feat": True}),
    ],
)
def test_the_contract_is_kept(fixture: str, given: dict[str, object]) -> None:
    """Sizes, batches, styles and choices, with the facts that each checkpoint gives."""
    check_model(load(GOLDEN / fixture, **given))


def full_model(config: str) -> nn.Module:
    """Build a published configuration on the meta device; return the network it names."""
    network = FULL[config]["network"]
    fields = {name: network[name] for name in ("input_nc", "ngf") if name in network}
    if network["netG"] == "local":
        fields["n_local_enhancers"] = network["n_local_enhancers"]
    if network["netG"] == "encoder":
        fields = {"nef": network["ngf"], "feat_num": network["output_nc"]}
    with torch.device("meta"):
        model = Pix2PixHD(Pix2PixHDOptions(**fields))
    return model.encoder if network["netG"] == "encoder" else model.generator


@pytest.mark.parametrize("config", [name for name in FULL if not name.endswith(".D")])
def test_published_sizes_have_the_original_names_and_shapes(config: str) -> None:
    """Defaults are the original program's."""
    shapes = {name: list(value.shape) for name, value in full_model(config).state_dict().items()}
    assert shapes == FULL[config]["keys"]


@pytest.mark.parametrize("levels", [0, 1, 2])
@pytest.mark.parametrize("enhancers", [0, 1, 2])
def test_the_smallest_legal_size_goes_through(levels: int, enhancers: int) -> None:
    """The size rule is what the network takes: its minimum, and any multiple above."""
    options = Pix2PixHDOptions(
        label_nc=0,
        no_instance=True,
        ngf=2,
        n_downsample_global=levels,
        n_blocks_global=1,
        n_local_enhancers=enhancers,
        n_blocks_local=1,
    )
    model = Pix2PixHD(options).eval()
    height, width = model.size.fit(1, 3 * 2**enhancers * 2**levels + 1)
    image = torch.rand(1, 3, height, width)
    assert model.decode(model.encode(image=image), None).shape == image.shape


def test_facts_of_a_label_model() -> None:
    """What a checkpoint without features states."""
    model = load(GOLDEN / "local_a")
    assert model.inputs == {"label": LabelMap(5), "instance": InstanceMap()}
    assert (model.noise_shape, model.reference_inputs, model.choice_fields) == ((), None, ())
    assert model.size == SizeRule(multiple_of=8, minimum=16)
    assert model.official_range == "truncate"


def test_facts_of_a_model_with_features() -> None:
    """Clusters make noise and choices possible, the encoder references."""
    model = load(GOLDEN / "feat_instance")
    assert model.reference_inputs == {"image": RGB(), "instance": InstanceMap()}
    assert (model.noise_shape, model.choice_fields) == ((1024,), ("instance", "cluster"))
    assert model.reference_size == SizeRule(multiple_of=4, minimum=8)
    labelled = load(GOLDEN / "feat_label_local", label_feat=True)
    assert labelled.reference_inputs == {"image": RGB(), "label": LabelMap(5)}


@pytest.mark.parametrize(
    ("given", "labels", "edges"),
    [
        ({"input_nc": 36}, 35, True),
        ({"input_nc": 3}, 0, False),
        ({"input_nc": 39, "feat_num": 3}, 35, True),
        ({"input_nc": 6, "feat_num": 3}, 0, False),
        ({"input_nc": 36, "label_nc": "36"}, 36, False),
        ({"input_nc": 3, "label_nc": "2"}, 2, True),
        ({"input_nc": 4, "label_nc": "0"}, 0, True),
        ({"input_nc": 36, "no_instance": "true"}, 36, False),
        ({"input_nc": 36, "label_nc": "35", "no_instance": "false"}, 35, True),
        ({"label_nc": 5, "feat_num": 3}, 5, True),
    ],
)
def test_what_is_not_given_of_the_channels_is_worked_out(
    given: dict[str, object], labels: int, edges: bool
) -> None:
    """The weights' channels are labels (or a picture), edges and features."""
    options = make_options(Pix2PixHDOptions, given)
    assert (options.num_labels, options.has_edges) == (labels, edges)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"label_nc": 34}, r"label_nc 34 \+ 1 edge map \+ 0 features make 35 channels.* take 36"),
        ({"label_nc": 30}, r"_net_E.pth or features_clustered_\*.npy is missing"),
        ({"label_nc": 0}, r"3 picture channels .* make 4 channels"),
        ({"label_nc": 35, "no_instance": True}, r"0 edge map .* make 35 channels"),
        ({"input_nc": 3, "feat_num": 3}, "take 3"),
        ({"input_nc": 6, "feat_num": 3, "label_feat": True}, "label_feat needs label maps"),
    ],
)
def test_channels_that_do_not_add_up_are_an_error(given: dict[str, object], sentence: str) -> None:
    """The sum is said, and which options make it."""
    with pytest.raises(OptionError, match=sentence):
        make_options(Pix2PixHDOptions, {"input_nc": 36} | given)


def test_a_model_without_edges_takes_no_instance_map() -> None:
    """Only features by instance would need one."""
    plain = Pix2PixHD(Pix2PixHDOptions(label_nc=3, no_instance=True, ngf=1))
    assert list(plain.inputs) == ["label"]
    featured = Pix2PixHDOptions(label_nc=3, no_instance=True, ngf=1, feat_num=2, nef=1)
    assert list(Pix2PixHD(featured).inputs) == ["label", "instance"]


@pytest.mark.parametrize("value", [-1, 5, 255])
def test_a_label_out_of_range_is_named(value: int) -> None:
    """255 is the usual mark for 'ignore', which the original crashes on."""
    model = load(GOLDEN / "global_a")
    label = torch.full((1, 1, 8, 8), value)
    with pytest.raises(SampleError, match=f"holds {value}, but the model knows 0 to 4"):
        model.encode(label=label, instance=torch.zeros_like(label))


def test_an_encoder_alone_draws_no_styles() -> None:
    """Such a checkpoint asks for a picture to take the style from."""
    options = Pix2PixHDOptions(label_nc=2, ngf=1, n_downsample_global=1, feat_num=1, nef=1)
    model = Pix2PixHD(options)
    label = torch.zeros(1, 1, 4, 4, dtype=torch.int64)
    with pytest.raises(UsageError, match="no clusters"):
        model.decode(model.encode(label=label, instance=label), None)
