"""Translating inside a training: the command's pixels, chosen by seed, key and epoch alone."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import i2ikit
from i2ikit.errors import I2IError, SampleError, UsageError
from i2ikit.feed import FeedPicture, TranslateOnTheFly
from i2ikit.feed.lru import PictureCache
from tests.conftest import GOLDEN, picture, pixels
from tests.fakes import Tint

pytestmark = pytest.mark.usefixtures("fakes")

MUNIT = ("munit", GOLDEN / "munit" / "base" / "gen_00000001.pt")
UNIT = ("unit", GOLDEN / "unit" / "base")
Samples = list[tuple[str, Any]]


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Return keys and paths of IN/a/0.png … IN/a/5.png, of two sizes that need padding."""
    folder = tmp_path / "in" / "a"
    folder.mkdir(parents=True)
    for index in range(6):
        picture(*[(30, 22), (25, 33)][index % 2], seed=index).save(folder / f"{index}.png")
    return [(f"a/{index}", folder / f"{index}.png") for index in range(6)]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the size of each batch that `tint` makes."""
    seen: list[int] = []
    decode = Tint.decode

    def counted(model: Tint, content: Any, style: Any) -> torch.Tensor:
        seen.append(len(style))
        return decode(model, content, style)

    monkeypatch.setattr(Tint, "decode", counted)
    return seen


def shown(pictures: list[FeedPicture]) -> list[tuple[int, bytes]]:
    return [(one.style_index, one.pixels.tobytes()) for one in pictures]


@pytest.mark.parametrize("size", [None, 16])
def test_pixels_are_those_of_the_command(
    samples: Samples, tmp_path: Path, size: int | None
) -> None:
    model, checkpoint = MUNIT
    i2ikit.translate(
        tmp_path / "in",
        tmp_path / "out",
        model=model,
        checkpoint=checkpoint,
        style_sample=4,
        seed=3,
        size=size,
    )
    translate = TranslateOnTheFly(model, checkpoint, p=1, styles=4, seed=3, size=size)
    made = translate(samples, epoch=5)
    assert len({one.style_index for one in made}) > 1
    for (key, _), one in zip(samples, made, strict=True):
        written = pixels(tmp_path / "out" / f"{key}_s{one.style_index:02d}.png")
        assert np.array_equal(one.pixels, written)


def test_pixels_of_a_model_without_styles_are_those_of_the_command(
    samples: Samples, tmp_path: Path
) -> None:
    i2ikit.translate(tmp_path / "in", tmp_path / "out", model=UNIT[0], checkpoint=UNIT[1])
    for (key, _), one in zip(samples, TranslateOnTheFly(*UNIT, p=1)(samples), strict=True):
        assert one.style_index == 0
        assert np.array_equal(one.pixels, pixels(tmp_path / "out" / f"{key}.png"))


def test_epochs_differ_and_can_be_had_again(samples: Samples) -> None:
    translate = TranslateOnTheFly("tint", p=0.7)
    first, second = shown(translate(samples, 0)), shown(translate(samples, 1))
    assert first != second
    assert shown(TranslateOnTheFly("tint", p=0.7)(samples, 0)) == first
    assert shown(TranslateOnTheFly("tint", p=0.7, seed=1)(samples, 0)) != first


def test_neither_order_nor_company_matter(samples: Samples) -> None:
    translate = TranslateOnTheFly("tint", cache_bytes=0)
    singly = [translate([sample], 2)[0] for sample in reversed(samples)]
    assert shown(singly[::-1]) == shown(translate(samples, 2))


def test_a_picture_is_translated_with_probability_p(samples: Samples) -> None:
    never = TranslateOnTheFly("tint", p=0)(samples)
    assert all(one.style_index == -1 for one in never)
    assert np.array_equal(never[0].pixels, pixels(samples[0][1]))
    assert all(one.style_index >= 0 for one in TranslateOnTheFly("tint", p=1)(samples))
    some = TranslateOnTheFly("tint", p=0.3, styles=4)
    chosen = np.array([some.choose(f"{n % 50}", n // 50) for n in range(2000)])
    assert np.bincount(chosen + 1) / 2000 == pytest.approx([0.7, *[0.075] * 4], abs=0.03)


def test_originals_have_the_size_of_translations(samples: Samples) -> None:
    made = TranslateOnTheFly("tint", size=11)(samples, 1)
    assert {one.pixels.shape for one in made} == {(11, 15, 3), (15, 11, 3)}
    assert {one.style_index == -1 for one in made} == {True, False}
    assert made[0].tensor().shape == (3, *made[0].pixels.shape[:2])


def test_paths_bytes_and_arrays_are_the_same(samples: Samples) -> None:
    translate = TranslateOnTheFly("tint", cache_bytes=0)
    expected = shown(translate(samples))

    def read_only(path: Path) -> Any:
        array = pixels(path)
        array.flags.writeable = False
        return array

    for read in (str, Path.read_bytes, read_only):
        assert shown(translate([(key, read(path)) for key, path in samples])) == expected


def test_a_translation_is_kept_within_the_bound(samples: Samples, decoded: list[int]) -> None:
    translate = TranslateOnTheFly("tint", p=1, styles=1, cache_bytes=2 * 30 * 22 * 3)
    first = translate(samples[::2])
    assert shown(translate(samples[4:5])) == shown(first[2:])
    assert len(decoded) == 3
    translate(samples[:1])
    assert len(decoded) == 4


def test_the_cache_drops_what_was_used_longest_ago() -> None:
    cache, one = PictureCache(24), np.zeros((2, 2, 3), np.uint8)
    for key in "ab":
        cache.put(key, 0, one)
    cache.get("a", 0)
    cache.put("c", 0, one)
    assert [cache.get(key, 0) is not None for key in "abc"] == [True, False, True]
    assert cache.num_bytes == 24
    cache.put("d", 0, np.zeros((3, 3, 3), np.uint8))
    assert cache.get("d", 0) is None


def test_what_is_kept_is_no_ones_to_change(samples: Samples) -> None:
    expected = shown(TranslateOnTheFly("tint", p=1)(samples))
    translate = TranslateOnTheFly("tint", p=1)
    for _ in range(2):  # first made, then kept
        for one in translate(samples):
            one.pixels[:] = 0
    assert shown(translate(samples)) == expected


def test_calls_from_threads_wait_for_one_another(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[int] = []
    encode = Tint.encode

    def slow(model: Tint, *, image: torch.Tensor) -> Any:
        inside.append(1)
        assert len(inside) == 1
        time.sleep(0.001)
        inside.pop()
        return encode(model, image=image)

    monkeypatch.setattr(Tint, "encode", slow)
    translate = TranslateOnTheFly("tint", p=1, cache_bytes=3000)
    expected = [shown(translate(samples, epoch)) for epoch in range(8)]
    with ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda epoch: shown(translate(samples, epoch)), range(8))
    assert list(made) == expected


def test_a_picture_is_computed_by_one_thread_whatever_the_process_has(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def encode(model: Tint, *, image: torch.Tensor) -> Any:
        seen.append(torch.get_num_threads())
        return {"image": image}

    monkeypatch.setattr(Tint, "encode", encode)
    torch.set_num_threads(3)
    try:
        TranslateOnTheFly("tint", p=1)(samples)
        assert (seen, torch.get_num_threads()) == ([1] * 6, 3)
    finally:
        torch.set_num_threads(1)


def test_a_fork_does_not_wait_for_its_parents_threads(samples: Samples) -> None:
    translate = TranslateOnTheFly("tint", p=1)
    translate._process = 0  # as a fork finds it, with the lock held by a thread that it lacks
    translate._lock.acquire()
    call = Thread(target=translate, args=(samples,), daemon=True)
    call.start()
    call.join(30)
    assert not call.is_alive()


def test_a_pickled_copy_does_the_same(samples: Samples) -> None:
    translate = TranslateOnTheFly(*MUNIT, p=1)
    expected = shown(translate(samples))
    assert shown(pickle.loads(pickle.dumps(translate))(samples)) == expected


def test_a_loaded_model_is_taken_as_it_is(samples: Samples) -> None:
    expected = shown(TranslateOnTheFly("tint", options={"strength": "0.2"})(samples))
    model = i2ikit.load_model("tint", options={"strength": "0.2"})
    assert shown(TranslateOnTheFly(model)(samples)) == expected
    with pytest.raises(UsageError, match="checkpoint='x' is of no use"):
        TranslateOnTheFly(model, "x")


def test_a_forked_process_cannot_use_a_gpu(samples: Samples) -> None:
    translate = TranslateOnTheFly("tint")
    translate._device, translate._process = torch.device("cuda"), 0
    with pytest.raises(UsageError, match=r"forked process \(num_workers=0"):
        translate(samples)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": "tynt"}, "did you mean 'tint'"),
        ({"p": 1.5}, "p=1.5 is not between 0 and 1"),
        ({"styles": 0}, "styles=0 is less than 1"),
        ({"size": 0}, "size=0 is less than 1"),
        ({"cache_bytes": -1}, "cache_bytes=-1 is less than 0"),
        ({"precision": "fp8"}, "precision='fp8' is none of fp32"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(I2IError, match=said):
        TranslateOnTheFly(**{"model": "tint", **arguments})


def test_styles_must_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tint, "noise_shape", ())
    with pytest.raises(UsageError, match="takes its style from an example picture"):
        TranslateOnTheFly("tint")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Path("gone.png"), "gone.png can't be read"),
        (b"nothing", "'a' holds no picture"),
        (np.zeros((4, 4)), r"'a' is float64 \(4, 4\), not uint8 \(H, W, 3\)"),
        (np.full((4, 4, 3), 0, np.uint8), "'a': the model failed: ValueError: too dark"),
    ],
)
def test_a_picture_that_cannot_be_used_is_named(given: Any, said: str) -> None:
    with pytest.raises(SampleError, match=said):
        TranslateOnTheFly("fragile", p=1)([("a", given)])


@pytest.fixture
def maps(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Return a function that gives a sample's label map, instance map and picture."""
    for name in ("label", "instance"):
        Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) // 4).save(
            tmp_path / f"{name}.png"
        )
    return lambda: {
        "label": tmp_path / "label.png",
        "instance": tmp_path / "instance.png",
        "image": pixels(tmp_path / "label.png")[..., None].repeat(3, 2),
    }


def test_a_model_gets_its_further_fields_by_name(maps: Callable[[], dict[str, Any]]) -> None:
    translated, original = (
        TranslateOnTheFly("paint", p=p)([("a", maps())])[0].pixels for p in (1, 0)
    )
    assert translated.shape == (3, 4, 3)
    assert np.array_equal(original, maps()["image"])


def test_a_missing_field_is_named(maps: Callable[[], dict[str, Any]]) -> None:
    translate = TranslateOnTheFly("paint", p=1)
    with pytest.raises(
        SampleError, match=r"'a' has no label \(give by name: label, instance, image\)"
    ):
        translate([("a", maps()["image"])])
    with pytest.raises(SampleError, match="'a' holds a map as an array"):
        translate([("a", {**maps(), "label": maps()["image"]})])
    without_picture = {name: one for name, one in maps().items() if name != "image"}
    with pytest.raises(SampleError, match="'a' has no image"):
        TranslateOnTheFly("paint", p=0)([("a", without_picture)])


@pytest.mark.gpu
def test_a_gpu_gives_the_pictures_of_the_command(samples: Samples, tmp_path: Path) -> None:
    model, checkpoint = MUNIT
    i2ikit.translate(
        tmp_path / "in", tmp_path / "out", model=model, checkpoint=checkpoint, style_sample=4
    )
    translate = TranslateOnTheFly(model, checkpoint, p=1, styles=4, device="cuda")
    for (key, _), one in zip(samples, translate(samples), strict=True):
        written = pixels(tmp_path / "out" / f"{key}_s{one.style_index:02d}.png")
        assert np.abs(one.pixels.astype(int) - written).max() <= 1
