"""pix2pixHD's styles: pooled features, clusters, and how they reach the pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from i2ikit.errors import SampleError
from i2ikit_pix2pixhd import features
from i2ikit_pix2pixhd.choices import draw, instances_of
from i2ikit_pix2pixhd.model import Pix2PixHD
from i2ikit_pix2pixhd.options import Pix2PixHDOptions
from tests.plugins.test_pix2pixhd import GOLDEN, difference, golden, inputs_of, load

FIXTURES = {"feat_instance": False, "feat_label_local": True}  # and their label_feat
SAMPLED = [("feat_instance", 1), ("feat_instance", 7), ("feat_label_local", 3)]
Rows = list[list[dict[str, int]]]


def ids_map(*rows: list[int]) -> Tensor:
    return torch.tensor(rows)[None, None]


def picture(name: str) -> Tensor:
    """Return a picture of `data` as the original programs' loader does, without resizing."""
    pixels = torch.from_numpy(np.array(Image.open(GOLDEN / "data" / name)))
    if pixels.dim() == 2:
        return pixels.long()[None, None]
    return pixels.permute(2, 0, 1)[None] / 255 * 2 - 1


def sample_inputs(stem: str) -> dict[str, Tensor]:
    kinds = ("label", "inst", "img")
    label, instance, image = (picture(f"test_{kind}/{stem}.png") for kind in kinds)
    return {"label": label, "instance": instance, "image": image}


def official_choices(model: Pix2PixHD, ids: Tensor, seed: int) -> Rows:
    """Draw as the original program does: one `randint` an id, ascending, from NumPy's generator."""
    random = np.random.RandomState(seed)
    rows = []
    for id_ in sorted(set(ids.flatten().tolist())):
        class_ = id_ if id_ < 1000 else id_ // 1000
        count = model.options.num_clusters[class_]
        rows.append({"instance": id_, "cluster": int(random.randint(0, count))})
    return [rows]


@pytest.mark.parametrize("fixture", FIXTURES)
def test_features_of_the_own_picture_are_the_originals(fixture: str) -> None:
    """E before and after pooling, and the picture made with its features."""
    model, tensors = load(GOLDEN / fixture, label_feat=FIXTURES[fixture]), golden(fixture)
    content = model.encode(**inputs_of(model, tensors, "encoded."))
    image = tensors["encoded.img0.image"]
    style = model.style_from_reference(image=image, **{model.options.pooled_by: content["ids"]})
    painted = features.paint(style, content["ids"])
    assert torch.equal(content["planes"], tensors["encoded.img0.input_label"])
    assert difference(model.encoder(image), tensors["encoded.img0.encoder_raw"]) < 1e-5
    assert difference(painted, tensors["encoded.img0.encoded_feat"]) < 1e-5
    assert difference(model.decode(content, style), tensors["encoded.img0.fake_image"]) < 5e-5


@pytest.mark.parametrize(("fixture", "seed"), SAMPLED)
@pytest.mark.parametrize(("index", "stem"), [(0, "cat"), (1, "coffee")])
def test_sampled_features_are_the_originals(fixture: str, seed: int, index: int, stem: str) -> None:
    """The original draw, as explicit choices; features exactly."""
    model, tensors = load(GOLDEN / fixture, label_feat=FIXTURES[fixture]), golden(fixture)
    content = model.encode(**sample_inputs(stem))
    style = model.style_from_choices(official_choices(model, content["ids"], seed + index), content)
    run = f"sampled_s{seed}.img{index}"
    painted = features.paint(style, content["ids"])
    assert torch.equal(painted, tensors[f"{run}.sampled_feat"])
    if f"{run}.fake_image" in tensors:
        assert difference(model.decode(content, style), tensors[f"{run}.fake_image"]) < 5e-5


def test_the_second_picture_of_the_encoded_run() -> None:
    """Its inputs come from the files: 16-bit instance ids, 8-bit labels, an 8-bit picture."""
    model, tensors = load(GOLDEN / "feat_instance"), golden("feat_instance")
    inputs = sample_inputs("coffee")
    style = model.style_from_reference(image=inputs["image"], instance=inputs["instance"])
    out = model.decode(model.encode(**inputs), style)
    assert difference(out, tensors["encoded.img1.fake_image"]) < 5e-5


def test_the_second_picture_without_features() -> None:
    """As above, for a model that has no styles."""
    model, tensors = load(GOLDEN / "global_a"), golden("global_a")
    out = model.decode(model.encode(**sample_inputs("coffee")), None)
    assert difference(out, tensors["img1.fake_image"]) < 5e-5


@pytest.mark.parametrize("folder", ["data", "data_inst8"])
def test_edges_of_instance_files(folder: str) -> None:
    """The same from 16-bit and 8-bit maps as the original's."""
    expected = load_file(GOLDEN / "preprocessing.safetensors")[f"edges_from_{folder}.cat"]
    edges = features.edge_map(picture(f"../{folder}/test_inst/cat.png"))
    assert torch.equal(edges, expected)


def test_an_edge_is_two_pixels_wide_and_no_border() -> None:
    """One pixel on each side of a change, across and down, whatever the ids' size."""
    edges = features.edge_map(ids_map([7, 7, 65535, 65535], [7, 7, 65535, 65535], [7, 7, 7, 7]))
    assert edges[0, 0].tolist() == [[0, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]


def test_pooling_averages_each_images_instances() -> None:
    """Ids above 32767 stay themselves; the shorter table is padded with -1."""
    values = torch.tensor([[1.0, 3.0, 5.0], [2.0, 4.0, 9.0]])[:, None, None]
    table = features.pool(values, torch.tensor([[33001, 33001, 7], [5, 5, 5]])[:, None, None])
    assert table["ids"].tolist() == [[7, 33001], [5, -1]]
    assert table["features"].tolist() == [[[5.0], [2.0]], [[5.0], [0.0]]]


def test_painting_falls_back_to_the_class_and_then_to_zeros() -> None:
    """An id the style lacks takes its class's mean; a class the style lacks takes zeros."""
    table = {
        "ids": torch.tensor([[33002, 33001, 0, 4, -1]]),
        "features": torch.tensor([[[1.0], [3.0], [6.0], [8.0], [100.0]]]),
    }
    painted = features.paint(table, ids_map([33001, 33005, 4, 4000, 26001, 0]))
    assert painted.flatten().tolist() == [3.0, 2.0, 8.0, 8.0, 0.0, 6.0]


def tiny_model() -> Pix2PixHD:
    """Two label classes; class 0 has three centres, class 1 none, class 33 two."""
    counts = (3, *[0] * 32, 2)
    options = Pix2PixHDOptions(
        label_nc=2,
        ngf=2,
        n_downsample_global=1,
        n_blocks_global=1,
        feat_num=1,
        nef=1,
        n_downsample_encoder=1,
        num_clusters=counts,
    )
    model = Pix2PixHD(options).eval().requires_grad_(False)
    model.clusters[0, :, 0] = torch.tensor([1.0, 2.0, 3.0])
    model.clusters[33, :2, 0] = torch.tensor([4.0, 5.0])
    return model


def content_of(model: Pix2PixHD, *maps: list[list[int]]) -> dict[str, Tensor]:
    instance = torch.tensor(maps)[:, None]
    content: dict[str, Tensor] = model.encode(label=instance * 0, instance=instance)
    return content


def noise(*levels: float) -> Tensor:
    """Return noise whose first entries are at the given quantiles."""
    z = torch.special.ndtri(torch.tensor(levels, dtype=torch.float64)).float()
    return torch.nn.functional.pad(z, (0, 1024 - len(z)))[None]


def test_noise_goes_to_instances_in_ascending_order() -> None:
    """Classes without centres use up their entry, and give zeros."""
    model = tiny_model()
    content = content_of(model, [[33000, 1], [0, 33001]])
    rows = model.choices_from_noise(noise(0.99, 0.99, 0.49, 0.51), content)
    chosen = [{"instance": 0, "cluster": 2}, {"instance": 33000, "cluster": 0}]
    assert rows == [[*chosen, {"instance": 33001, "cluster": 1}]]
    style = model.style_from_noise(noise(0.99, 0.99, 0.49, 0.51), content)
    assert style["ids"].tolist() == [[0, 1, 33000, 33001]]
    assert style["features"].flatten().tolist() == [3.0, 0.0, 4.0, 5.0]


def test_noise_is_used_again_by_more_instances_than_it_has_entries() -> None:
    """The third of two entries is the first."""
    instances = instances_of(torch.tensor([1, 2, 3, 4]), [0, 9, 9, 0, 9])
    rows = draw([0.9, 0.1], instances)
    assert [(row["instance"], row["cluster"]) for row in rows] == [(1, 8), (2, 0), (4, 0)]


def test_extreme_noise_stays_within_the_clusters() -> None:
    """The quantile of large noise rounds to one."""
    model = tiny_model()
    content = content_of(model, [[0, 0], [0, 0]])
    rows = [model.choices_from_noise(torch.full((1, 1024), z), content) for z in (-40.0, 40.0)]
    assert [row[0][0]["cluster"] for row in rows] == [0, 2]


def test_a_batch_takes_each_images_own_instances() -> None:
    """Styles and pictures of a batch are those of its images alone."""
    model = tiny_model()
    maps = [[33000, 1, 0, 0]] * 4, [[7, 7, 33009, 33009]] * 4
    z = torch.randn(2, 1024, generator=torch.Generator().manual_seed(0))
    batch = content_of(model, *maps)
    out = model.decode(batch, model.style_from_noise(z, batch))
    for index, one in enumerate(maps):
        content = content_of(model, one)
        single = model.decode(content, model.style_from_noise(z[index : index + 1], content))
        assert difference(out[index : index + 1], single) < 1e-5


@pytest.mark.parametrize("height", [7, 16])
def test_references_may_have_another_geometry(height: int) -> None:
    """A batch of references is its single ones, on contents of another size."""
    model = tiny_model()
    image = torch.rand(2, 3, height, 12, generator=torch.Generator().manual_seed(1))
    instance = torch.arange(2).view(2, 1, 1, 1) * torch.arange(12).expand(2, 1, height, 12)
    content = content_of(model, [[0, 1, 2, 3]] * 4, [[0, 1, 2, 3]] * 4)
    both = model.style_from_reference(image=image, instance=instance)
    assert both["ids"].shape == (2, 12)
    painted = features.paint(both, content["ids"])
    for index in range(2):
        one = {"image": image[index, None], "instance": instance[index, None]}
        ids = content["ids"][index, None]
        single = features.paint(model.style_from_reference(**one), ids)
        assert difference(painted[index, None], single) < 1e-5
    assert painted[0, 0, 0, 1:].eq(0).all()  # the first reference has instance 0 only


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], r"instance 0 is given no cluster \(class 0 has clusters 0 to 2\)"),
        ([(0, 3)], r"instance 0 can't take cluster 3 \(class 0 has clusters 0 to 2\)"),
        ([(0, -1)], "instance 0 can't take cluster -1"),
        ([(0, 1), (0, 1)], "instance 0 is given two clusters"),
        ([(5, 0)], r"there is no instance 5 in the image \(it has 0, 1\)"),
        ([(0, 1), (1, 0)], r"cluster 0 \(class 1 has no clusters; leave the instance out\)"),
    ],
)
def test_choices_that_can_not_be_made_are_named(rows: list[tuple[int, int]], sentence: str) -> None:
    """Nothing is chosen in silence."""
    model = tiny_model()
    choices = [[{"instance": id_, "cluster": cluster} for id_, cluster in rows]]
    with pytest.raises(SampleError, match=sentence):
        model.style_from_choices(choices, content_of(model, [[0, 1], [0, 0]]))
