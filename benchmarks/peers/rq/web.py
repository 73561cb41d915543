"""The web application: FastAPI's "Request Forms and Files", and RQ's "Enqueueing Jobs" and "Retrieving Jobs"."""

import os
import shutil
import uuid
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Form, UploadFile
from redis import Redis
from rq import Queue
from rq.job import Job
from tasks import make_thumbnails

UPLOADS = Path("uploads")
UPLOADS.mkdir(exist_ok=True)

app = FastAPI()
redis = Redis.from_url(os.environ["REDIS_URL"])
queue = Queue(connection=redis)


@app.post("/images/", status_code=202)
def upload(image: UploadFile, sizes: Annotated[list[int], Form()] = [128]) -> dict[str, str]:
    source = UPLOADS / str(uuid.uuid4())
    with source.open("wb") as file:
        shutil.copyfileobj(image.file, file)
    job = queue.enqueue(make_thumbnails, str(source), sizes)
    return {"id": job.id}


@app.get("/jobs/{job_id}")
def status(job_id: str) -> dict[str, str]:
    return {"id": job_id, "status": Job.fetch(job_id, connection=redis).get_status()}
