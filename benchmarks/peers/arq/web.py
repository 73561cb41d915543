"""The web application: FastAPI's "Request Forms and Files" and lifespan, and arq's pool, `enqueue_job` and `Job`."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from arq.jobs import Job
from fastapi import FastAPI, Form, HTTPException, Request, UploadFile

UPLOADS = Path("uploads")
UPLOADS.mkdir(exist_ok=True)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.redis = await create_pool(RedisSettings.from_dsn(os.environ["REDIS_URL"]))
    yield
    await app.state.redis.aclose()


app = FastAPI(lifespan=lifespan)


@app.post("/images/", status_code=202)
async def upload(request: Request, image: UploadFile, sizes: Annotated[list[int], Form()] = [128]) -> dict[str, str]:
    source = UPLOADS / str(uuid.uuid4())
    source.write_bytes(await image.read())
    redis: ArqRedis = request.app.state.redis
    job = await redis.enqueue_job("make_thumbnails", str(source), sizes)
    if job is None:
        raise HTTPException(503)
    return {"id": job.job_id}


@app.get("/jobs/{job_id}")
async def status(request: Request, job_id: str) -> dict[str, str]:
    return {"id": job_id, "status": await Job(job_id, redis=request.app.state.redis).status()}
