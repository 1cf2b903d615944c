import numpy as np

from i2ikit.data.grid import lay_out


def test_pictures_lie_in_their_rows_and_columns() -> None:
    shades = [[10, 20, 30], [40, 50]]
    rows = [[np.full((4, 6, 3), shade, np.uint8) for shade in row] for row in shades]
    sheet = np.asarray(lay_out(rows))
    assert sheet.shape == (10, 22, 3)
    for y, row in enumerate(shades):
        for x, shade in enumerate(row):
            assert (sheet[y * 6 : y * 6 + 4, x * 8 : x * 8 + 6] == shade).all()
    assert (sheet[6:, 16:] == 255).all()
