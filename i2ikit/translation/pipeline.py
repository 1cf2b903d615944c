"""The story of a shard: read → load → fit → batch → translate → restore → save → write."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from i2ikit.data.samples import Sample
from i2ikit.data.writers import FolderWriter, TarWriter, Writer
from i2ikit.errors import SampleError, SourceError
from i2ikit.translation.job import Job
from i2ikit.translation.load import load_sample
from i2ikit.translation.network import batch, translate_batches
from i2ikit.translation.plan import Shard
from i2ikit.translation.receipts import (
    Outcome,
    Receipt,
    ReceiptWriter,
    drop_notes,
    noted_files,
)
from i2ikit.translation.records import hash_file
from i2ikit.translation.save import output_tar, save_sample
from i2ikit.translation.stages import Clock, Failed, Saved, ahead


@contextmanager
def worker_pool(workers: int) -> Iterator[Executor | None]:
    """Yield threads that decode and encode beside the network, or None for 0 workers."""
    if workers == 0:
        yield None
        return
    pool = ThreadPoolExecutor(2 * workers, thread_name_prefix="i2ikit")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def run_shard(
    job: Job, shard: Shard, pool: Executor | None, clock: Clock, limit: int | None = None
) -> Receipt:
    """Translate a shard's samples, and leave its receipt when all is in place.

    Running it again gives the same files. Not more than `limit` samples, if given.

    Raises:
        SampleError: an input failed and the job stops at failures.
        RunError: OUT can't be written, or the device is out of memory.
        ModelError: the model breaks its contract.
    """
    tar = output_tar(job.plan.settings, shard)
    leftovers = noted_files(job.receipts, shard)

    samples = _read(job, shard, limit)
    loaded = ahead(partial(load_sample, job), samples, pool, job.batch_size + job.workers)
    batches = batch(job, clock.watch("read", loaded))
    translated = clock.watch("translate", translate_batches(job, batches))
    saved = ahead(partial(save_sample, job, tar), translated, pool, job.workers)
    with ReceiptWriter(job.receipts, shard) as notes:
        with _writer(job, tar) as writer:
            for item in clock.watch("save", saved):
                _put(job, item, writer, notes)
        tars = {tar: hash_file(job.root / tar)} if tar else {}
        receipt = notes.commit(is_whole=_is_whole(shard, limit), tars=tars)

    for name in leftovers - set(receipt.files):
        (job.root / name).unlink(missing_ok=True)
    drop_notes(job.receipts, shard)
    return receipt


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
    scratch = job.home / "tmp"
    return TarWriter(job.root, tar, scratch) if tar else FolderWriter(job.root, scratch)


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
