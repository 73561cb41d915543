"""How QuickThumb's answers and rates depend on the number of waiting jobs; what Redis needs for a job; and how fast a
Redis that has lost everything is rebuilt."""

from collections.abc import Iterator

from benchmarks.assembled import Assembled, assembled
from benchmarks.figures import percentile
from benchmarks.load import Load
from benchmarks.measures.bench import Bench, Measure, Record

DEPTHS = (100, 1_000, 10_000, 100_000)
UPLOADS, LOOKUPS, PAGES = 200, 400, 100
FILLING_UPLOADERS = 16
# A slow machine measures with fewer than 100,000, and says so.
LONGEST_FILLING_SECONDS = 300.0
# Of fewer, the start of the command would take most of the time.
FEWEST_RECORDS = 5_000
MOST_FINISHED = 1_500


def take(bench: Bench) -> Iterator[Record]:
    """Fills the queue to each depth while no worker runs; measures; lets a worker run for a while; then goes on."""
    with assembled(name="depth") as service:
        warm_up = Load(service.port, str(bench.photos["small"].path), 20)
        bench.generator.run(warm_up)
        for depth in DEPTHS:
            if depth <= DEPTHS[-1] * bench.scale:
                yield _at(bench, service, depth)
        known = service.jobs("WAITING") + service.jobs("DONE")
        if known >= FEWEST_RECORDS:
            bench.tell(f"rebuilding Redis from {known} records")
            service.wipe_redis()
            seconds = service.recover()
            yield {"records": known, "seconds": round(seconds, 2), "records_per_second": round(known / seconds, 1)}


def _at(bench: Bench, service: Assembled, depth: int) -> Record:
    photo = str(bench.photos["small"].path)
    before, known = service.redis_memory_bytes(), service.jobs("WAITING")
    bench.tell(f"filling the queue up to {depth}")
    uploads = min(UPLOADS, depth // 2)
    filling = Load(
        service.port,
        photo,
        depth - known - uploads,
        uploaders=FILLING_UPLOADERS,
        longest_seconds=LONGEST_FILLING_SECONDS,
    )
    filled = bench.generator.run(filling)
    added = len(filled.upload_seconds)
    per_waiting = (service.redis_memory_bytes() - before) / added
    accepted = bench.generator.run(Load(service.port, photo, uploads, uploaders=1))
    job = f"/jobs/{accepted.last_id}"
    polled = bench.generator.run(Load(service.port, photo, LOOKUPS, path=job, uploaders=1))
    listed = bench.generator.run(Load(service.port, photo, PAGES, path="/jobs", uploaders=1))
    waiting, finished = service.jobs("WAITING"), service.jobs("DONE")
    full = service.redis_memory_bytes()
    bench.tell(f"a worker takes jobs from {waiting}")
    service.start_workers(1)
    rate = service.finish_rate(min(waiting, MOST_FINISHED))
    service.stop_workers()
    ended, change = service.jobs("DONE") - finished, service.redis_memory_bytes() - full
    return {
        "depth": known + added + uploads,
        "filled_per_second": round(added / filled.seconds, 1),
        "accept_p50_ms": round(percentile(accepted.upload_seconds, 50) * 1e3, 3),
        "accept_p99_ms": round(percentile(accepted.upload_seconds, 99) * 1e3, 3),
        "status_p50_ms": round(percentile(polled.upload_seconds, 50) * 1e3, 3),
        "list_p50_ms": round(percentile(listed.upload_seconds, 50) * 1e3, 3),
        "jobs_per_second": round(rate, 1),
        "redis_bytes_per_waiting_job": round(per_waiting),
        # Of many waiting jobs, too few have ended to tell.
        "redis_bytes_per_finished_job": round(per_waiting + change / ended) if ended == waiting else None,
    }


MEASURE = Measure("depth", "The same with 100 to 100,000 waiting jobs, and rebuilding a wiped Redis", take)
