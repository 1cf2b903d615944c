"""Pictures side by side in one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from i2ikit.data.images import Pixels

_GAP = 2


def lay_out(rows: Sequence[Sequence[Pixels]]) -> Image.Image:
    """Return rows of pictures of one size, (H, W, 3), as one picture, on white."""
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    size = (columns * (width + _GAP) - _GAP, len(rows) * (height + _GAP) - _GAP)
    sheet = Image.new("RGB", size, "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet.paste(
                Image.fromarray(np.asarray(picture)), (x * (width + _GAP), y * (height + _GAP))
            )
    return sheet
