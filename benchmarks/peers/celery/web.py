"""The web application: FastAPI's "Request Forms and Files", and Celery's "Calling Tasks" and AsyncResult."""

import shutil
import uuid
from pathlib import Path
from typing import Annotated

from celery.result import AsyncResult
from fastapi import FastAPI, Form, UploadFile
from tasks import app as celery_app
from tasks import make_thumbnails

UPLOADS = Path("uploads")
UPLOADS.mkdir(exist_ok=True)

app = FastAPI()


@app.post("/images/", status_code=202)
def upload(image: UploadFile, sizes: Annotated[list[int], Form()] = [128]) -> dict[str, str]:
    source = UPLOADS / str(uuid.uuid4())
    with source.open("wb") as file:
        shutil.copyfileobj(image.file, file)
    task = make_thumbnails.delay(str(source), sizes)
    return {"id": task.id}


@app.get("/jobs/{job_id}")
def status(job_id: str) -> dict[str, str]:
    return {"id": job_id, "status": AsyncResult(job_id, app=celery_app).state}
