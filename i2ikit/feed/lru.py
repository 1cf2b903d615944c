"""Pictures kept for the next time, within a bound of memory."""

from __future__ import annotations

from collections import OrderedDict

from i2ikit.data.images import Pixels


class PictureCache:
    """Translated pictures by key and style index; those used longest ago make room for new ones."""

    def __init__(self, most_bytes: int) -> None:
        """Hold at most so many bytes of pixels; 0: nothing."""
        self._most_bytes = most_bytes
        self._pictures: OrderedDict[tuple[str, int], Pixels] = OrderedDict()
        self.num_bytes = 0

    def get(self, key: str, style_index: int) -> Pixels | None:
        """Return a copy of a picture, if it is there."""
        pixels = self._pictures.get((key, style_index))
        if pixels is None:
            return None
        self._pictures.move_to_end((key, style_index))
        return pixels.copy()

    def put(self, key: str, style_index: int, pixels: Pixels) -> None:
        """Keep a copy of a picture, if it isn't larger than everything may be."""
        if (key, style_index) in self._pictures or pixels.nbytes > self._most_bytes:
            return
        self._pictures[key, style_index] = pixels.copy()
        self.num_bytes += pixels.nbytes
        while self.num_bytes > self._most_bytes:
            self.num_bytes -= self._pictures.popitem(last=False)[1].nbytes
