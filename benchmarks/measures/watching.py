"""What it costs when 1, 100 and 1,000 clients ask for their job once a second, while others upload."""

from collections.abc import Iterator

from benchmarks.figures import percentile
from benchmarks.measures.bench import Bench, Measure, Record, load_of
from benchmarks.processes import cpu_seconds
from benchmarks.stacks import quickthumb, running

CLIENTS = (1, 100, 1_000)
SECONDS = 15.0
ENOUGH = 1_000_000
# About twenty uploads a second, which leaves the machine time for the polls.
UPLOADERS, PAUSE_SECONDS = 2, 0.07
SETTINGS = {"QUICKTHUMB_MAX_CONNECTIONS": "2000", "QUICKTHUMB_MAX_CONNECTIONS_PER_ADDRESS": "2000"}


def take(bench: Bench) -> Iterator[Record]:
    """All clients come from one address, so the limits on connections are raised."""
    photo = bench.photos["flowers"]
    with running(quickthumb("watching", "QuickThumb", settings=SETTINGS)) as service:
        path = f"/jobs/{bench.generator.run(load_of(service, photo, 20, (128,))).last_id}"
        for clients in CLIENTS:
            bench.tell(f"{clients} clients poll")
            options = {
                "uploaders": UPLOADERS,
                "pause_seconds": PAUSE_SECONDS,
                "longest_poll_seconds": 0.03,
                "longest_seconds": max(5.0, SECONDS * bench.scale),
            }
            before = cpu_seconds(service.servers)
            load = load_of(service, photo, ENOUGH, (128,), watchers=clients, watched_path=path, **options)
            measured = bench.generator.run(load)
            cpu = {role: spent - before.get(role, 0) for role, spent in cpu_seconds(service.servers).items()}
            yield {
                "clients": clients,
                "uploads_per_second": round(len(measured.upload_seconds) / measured.seconds, 1),
                "accept_p50_ms": round(percentile(measured.upload_seconds, 50) * 1e3, 2),
                "accept_p99_ms": round(percentile(measured.upload_seconds, 99) * 1e3, 2),
                "polls_per_second": round(len(measured.watched_seconds) / measured.seconds, 1),
                "poll_p50_ms": round(percentile(measured.watched_seconds, 50) * 1e3, 2),
                "poll_p99_ms": round(percentile(measured.watched_seconds, 99) * 1e3, 2),
                "busy_percent": {role: round(100 * spent / measured.seconds, 1) for role, spent in cpu.items()},
            }


MEASURE = Measure("watching", "1, 100 and 1,000 clients that poll once a second", take)
