"""How the rates of 1, 2 and 4 workers add up when each job waits 50 ms for something that needs no core."""

from collections.abc import Iterator

from benchmarks.assembled import SLOW_WORKER, assembled
from benchmarks.load import Load
from benchmarks.measures.bench import Bench, Measure, Record
from benchmarks.slow_worker import WAIT_SECONDS

WORKERS = (1, 2, 4)
JOBS_OF_EACH = 80


def take(bench: Bench) -> Iterator[Record]:
    """Fills the queue, then lets the workers empty it. Each has one thread."""
    rounds = max(1, bench.rounds // 2)
    with assembled(name="workers") as service:
        for turn in range(rounds):
            for number in WORKERS:
                jobs = JOBS_OF_EACH * number
                bench.generator.run(Load(service.port, str(bench.photos["small"].path), jobs))
                bench.tell(f"{number} worker(s), {jobs} jobs")
                service.start_workers(number, SLOW_WORKER, QUICKTHUMB_WORKER_THREADS="1")
                rate = service.finish_rate(jobs)
                service.stop_workers()
                if rate > 1.05 * number / WAIT_SECONDS:
                    raise RuntimeError("the workers did not wait before they rendered")
                yield {"round": turn, "workers": number, "jobs_per_second": round(rate, 2)}


MEASURE = Measure("workers", "1, 2 and 4 workers with 50 ms of waiting per job", take)
