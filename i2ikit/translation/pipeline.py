"""The story of a shard: read → load → fit → batch → translate → restore → save → write.

Between the last two, outputs are measured where that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain

from i2ikit.ahead import ahead
from i2ikit.checkpoints import hash_file
from i2ikit.data.samples import Sample
from i2ikit.data.writers import FolderWriter, TarWriter, Writer
from i2ikit.errors import SampleError, SourceError
from i2ikit.evaluate.features import Rows
from i2ikit.evaluate.meter import Meter, Prepared
from i2ikit.translation.home import remove_files
from i2ikit.translation.job import Job
from i2ikit.translation.load import load_sample
from i2ikit.translation.network import batch, translate_batch
from i2ikit.translation.plan import Shard
from i2ikit.translation.receipts import (
    Outcome,
    Receipt,
    ReceiptWriter,
    drop_notes,
    noted_files,
    read_receipt,
)
from i2ikit.translation.save import output_tar, save_sample
from i2ikit.translation.stages import Clock, Failed, Saved

#: So many pictures wait for their encoding, or one sample's where it has more styles.
_OUTPUTS_IN_FLIGHT = 64


@dataclass(frozen=True)
class Pools:
    """Threads that work ahead; None where the run's own thread does it.

    Attributes:
        codecs: decode and encode.
        network: each translates a picture at a time, on a CPU.
    """

    codecs: Executor | None
    network: Executor | None


@contextmanager
def worker_pools(job: Job) -> Iterator[Pools]:
    """Start a run's threads, and end them whatever happens."""
    side_by_side = job.batch_size if job.translator.device.type == "cpu" else 1
    codecs = ThreadPoolExecutor(2 * job.workers) if job.workers else None
    network = ThreadPoolExecutor(side_by_side) if side_by_side > 1 else None
    try:
        yield Pools(codecs, network)
    finally:
        for pool in (codecs, network):
            if pool is not None:
                pool.shutdown(cancel_futures=True)


def run_shard(
    job: Job, shard: Shard, pools: Pools, clock: Clock, limit: int | None = None
) -> Receipt:
    """Translate a shard's samples, and leave its receipt when all is in place.

    Running it again gives the same files. Not more than `limit` samples, if given.

    Raises:
        SampleError: an input failed and the job stops at failures.
        RunError: OUT can't be written, or the device is out of memory.
        ModelError: the model breaks its contract.
    """
    tar = output_tar(job.plan.settings, shard)
    leftovers = _earlier_files(job, shard)
    in_flight = job.batch_size + job.workers
    to_save = max(1, min(in_flight, _OUTPUTS_IN_FLIGHT // job.translator.styles.num_styles))

    samples = _read(job, shard, limit)
    loaded = ahead(partial(load_sample, job), samples, pools.codecs, in_flight)
    batches = batch(job.translator, clock.watch("read", loaded))
    groups = ahead(partial(translate_batch, job.translator), batches, pools.network, job.batch_size)
    translated = clock.watch("translate", chain.from_iterable(groups))
    saved = ahead(partial(save_sample, job, tar), translated, pools.codecs, to_save)
    ready = clock.watch("save", saved)
    if job.meter:
        ready = clock.watch("measure", _measured(job.meter, ready, pools, job.batch_size))
    with closing(ReceiptWriter(job.home, shard, tar)) as notes:
        with _writer(job, tar) as writer:
            for item in ready:
                _put(job, item, writer, notes)
        tars = {tar: hash_file(job.home.root / tar)} if tar else {}
        receipt = notes.commit(is_whole=_is_whole(shard, limit), tars=tars)

    remove_files(job.home.root, leftovers - set(receipt.files))
    drop_notes(job.home, shard)
    return receipt


def _earlier_files(job: Job, shard: Shard) -> set[str]:
    """Return what earlier attempts at the shard, finished or not, have put in place."""
    earlier = read_receipt(job.home, shard)
    return noted_files(job.home, shard) | set(earlier.files if earlier else ())


def _read(job: Job, shard: Shard, limit: int | None) -> Iterator[tuple[int, Sample]]:
    """Yield the shard's samples numbered; a source that breaks off ends with a failed one."""
    index = 0
    try:
        for sample in job.source.read(shard.part, shard.keys):
            if limit is not None and index >= limit:
                return
            yield index, sample
            index += 1
    except SourceError as error:
        yield index, Sample(key=shard.part, fields={}, problem=str(error))


def _is_whole(shard: Shard, limit: int | None) -> bool:
    return limit is None or (shard.keys is not None and len(shard.keys) <= limit)


def _writer(job: Job, tar: str) -> Writer:
    root, scratch = job.home.root, job.home.scratch
    return TarWriter(root, tar, scratch) if tar else FolderWriter(root, scratch)


def _measured(
    meter: Meter, items: Iterable[Saved | Failed], pools: Pools, depth: int
) -> Iterator[Saved | Failed]:
    """Yield the items, their pictures' features computed."""

    def compute(
        group: list[Saved | Failed],
    ) -> tuple[list[Saved | Failed], list[Prepared], list[Rows | None]]:
        pictures = [p for item in group if isinstance(item, Saved) for p in item.measured]
        return group, pictures, meter.compute(pictures)

    groups = _grouped(items, meter.batch_size)
    for group, pictures, rows in ahead(compute, groups, pools.network, depth):
        meter.keep(pictures, rows)
        yield from group


def _grouped(items: Iterable[Saved | Failed], size: int) -> Iterator[list[Saved | Failed]]:
    """Yield the items in groups of about so many pictures."""
    group: list[Saved | Failed] = []
    count = 0
    for item in items:
        group.append(item)
        count += len(item.measured) if isinstance(item, Saved) else 0
        if count >= size:
            yield group
            group, count = [], 0
    if group:
        yield group


def _put(job: Job, item: Saved | Failed, writer: Writer, notes: ReceiptWriter) -> None:
    """Note an outcome, then put its files in place."""
    if isinstance(item, Saved):
        notes.note(item.outcome)
        writer.add(item.files)
    elif job.on_error == "stop":
        raise SampleError(item.reason, hint="--on-error skip goes on and records it")
    else:
        notes.note(Outcome(item.index, item.key, failure=item.reason))
    job.on_input(isinstance(item, Failed))
