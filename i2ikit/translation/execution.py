"""How a run is carried out, as opposed to what it makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from i2ikit.errors import UsageError
from i2ikit.translation.plan import Shard


@dataclass(frozen=True)
class Execution:
    """How a run is carried out; nothing here changes a pixel. `i2ikit.translate` documents it."""

    batch_size: int | None = None
    workers: int | None = None
    on_error: Literal["skip", "stop"] = "skip"
    shard: tuple[int, int] | None = None
    restart: bool = False
    retry_failed: bool = False
    extend: bool = False
    allow_version_change: bool = False
    limit: int | None = None
    evaluate: Mapping[str, str | Path] = field(default_factory=dict)
    blocked: Iterable[str] = ()

    def check(self) -> None:
        """Refuse values out of bounds.

        Raises:
            UsageError: naming the flag.
        """
        for flag, value, least in (
            ("--batch-size", self.batch_size, 1),
            ("--workers", self.workers, 0),
            ("--limit", self.limit, 1),
        ):
            if value is not None and value < least:
                raise UsageError(f"{flag} {value} is less than {least}")
        if self.on_error not in ("skip", "stop"):
            raise UsageError(f"--on-error {self.on_error} is neither skip nor stop")
        if self.shard and self.restart:
            raise UsageError(
                "--restart and --shard exclude each other: each part would remove the others'",
                hint="start over with --restart --limit 1, then start the parts",
            )
        if self.shard and not 0 <= self.shard[0] < self.shard[1]:
            worker, workers = self.shard
            raise UsageError(
                f"--shard {worker}/{workers}: there is no part {worker} of {workers}",
                hint="parts count from 0",
            )

    def own(self, shards: Iterable[Shard]) -> Iterator[Shard]:
        """Yield the shards that are this worker's."""
        worker, workers = self.shard or (0, 1)
        return (shard for shard in shards if shard.index % workers == worker)
