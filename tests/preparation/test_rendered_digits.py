import io
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageFont

from i2ikit.errors import SourceError, UsageError
from i2ikit.preparation.rendered_digits import prepare_rendered_digits


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two faces of a family, which are Pillow's own font, and one of a weight that isn't drawn."""
    folder = tmp_path_factory.mktemp("fonts") / "pillow" / "files"
    folder.mkdir(parents=True)
    own = ImageFont.load_default(20)
    assert isinstance(own, ImageFont.FreeTypeFont)
    with TTFont(io.BytesIO(own.font_bytes)) as font:
        font.flavor = "woff"
        for face in ("400-normal", "700-italic", "300-normal"):
            font.save(folder / f"pillow-latin-{face}.woff")
    return folder.parents[1]


@pytest.fixture(scope="module")
def out(fonts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("drawn") / "out"
    found = prepare_rendered_digits(fonts, output)
    assert (found.train, found.test) == (2 * 10 * 20, 2 * 10 * 4)
    return output


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.array(image)


def test_digits_have_the_framing_of_mnist(out: Path) -> None:
    for path in (out / "test").rglob("*.png"):
        digit = read(path)
        assert digit.shape == (32, 32)
        rows, columns = np.nonzero(digit)
        assert 17 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        mass = digit.sum(axis=1) / digit.sum(), digit.sum(axis=0) / digit.sum()
        centre = [float(profile @ (np.arange(32) + 0.5)) for profile in mass]
        assert centre == pytest.approx([16, 16], abs=0.6)


def test_pictures_of_a_digit_differ(out: Path) -> None:
    pictures = {path.read_bytes() for path in out.rglob("*.png")}
    assert len(pictures) > 0.95 * 480


def test_a_face_depends_on_the_seed_and_its_name_alone(
    fonts: Path, out: Path, tmp_path: Path
) -> None:
    face = fonts / "pillow" / "files" / "pillow-latin-700-italic.woff"
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / face.name).write_bytes(face.read_bytes())
    for seed in (0, 1):
        prepare_rendered_digits(tmp_path / "one", tmp_path / str(seed), seed=seed)
    name = Path("train", "5", "pillow-latin-700-italic-03.png")
    assert (tmp_path / "0" / name).read_bytes() == (out / name).read_bytes()
    assert (tmp_path / "1" / name).read_bytes() != (out / name).read_bytes()


def test_the_notice_names_the_faces(out: Path) -> None:
    assert "pillow-latin-400-normal.woff" in (out / "NOTICE.txt").read_text()


def test_what_is_no_font_is_named(tmp_path: Path) -> None:
    (tmp_path / "x-latin-400-normal.woff").write_bytes(b"wOFFno")
    with pytest.raises(SourceError, match=r"x-latin-400-normal\.woff can't be read as a font"):
        prepare_rendered_digits(tmp_path, tmp_path / "out")


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--seed -1 is less than 0"):
        prepare_rendered_digits(tmp_path, tmp_path / "out", seed=-1)
