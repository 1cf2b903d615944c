"""The model: no weights, no styles."""

from pydantic import Field

from i2ikit import Model, Options


class InvertOptions(Options):
    strength: float = Field(1.0, ge=0, le=1, description="1: the negative; 0: the picture itself")


class Invert(Model):
    Options = InvertOptions

    def encode(self, image):
        return image

    def decode(self, content, style):
        return content * (1 - 2 * self.options.strength)
