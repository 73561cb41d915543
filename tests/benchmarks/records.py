"""Records as a run would have made them."""

from benchmarks.measures.bench import Record


def busy(stack: str, rates: list[float], *, photo: str = "street", cpu: float = 10.0) -> list[Record]:
    """A record of each round. Upload times are the same for all stacks."""
    return [
        {
            "stack": stack,
            "photo": photo,
            "round": turn,
            "images_per_second": rate,
            "cpu_ms": {"web": cpu / 4, "worker": cpu * 3 / 4},
            "cpu_ms_total": cpu,
            "upload_p50_ms": 20.0,
            "upload_p99_ms": 50.0,
            "busy_cores": 1.9,
        }
        for turn, rate in enumerate(rates)
    ]


def pillow(cpu: float, *, photo: str = "street") -> Record:
    return {"stack": "pillow", "photo": photo, "round": 0, "images_per_second": 200.0, "cpu_ms_total": cpu}


def waiting(depth: int, accept_ms: float, rate: float = 100.0) -> Record:
    return {
        "depth": depth,
        "accept_p50_ms": accept_ms,
        "accept_p99_ms": 9.0,
        "status_p50_ms": 0.3,
        "list_p50_ms": 0.9,
        "jobs_per_second": rate,
        "redis_bytes_per_waiting_job": 1700,
        "redis_bytes_per_finished_job": 900,
    }


def memory(images: int, share: float, web_mb: float) -> Record:
    sizes = {"web": web_mb, "worker": 60.0, "redis": 6.0, "supervisor": 40.0}
    return {"stack": "quickthumb", "images": images, "share": share, "memory_mb": sizes}
