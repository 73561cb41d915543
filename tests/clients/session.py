"""What a user of the generated Python client writes. `quickthumb_api` is the client; the argument is the service's URL.

Run by test_python_client.py.
"""
# mypy: ignore-errors

import base64
import json
import sys
import time
from io import BytesIO
from pathlib import Path

from PIL import Image
from quickthumb_api import Client
from quickthumb_api.api.images import create_image
from quickthumb_api.api.jobs import delete_job, download_original, download_result, get_job, list_jobs
from quickthumb_api.models import (
    CreateImageFilesBody,
    CreateImageJsonBody,
    CreateImageParameters,
    Job,
    JobStatus,
    Output,
    OutputFormat,
)
from quickthumb_api.types import File

PICTURE = Path("cat.jpg").read_bytes()
client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)


def file():
    return File(BytesIO(PICTURE), file_name="cat.jpg", mime_type="image/jpeg")


def finished(accepted) -> Job:
    assert isinstance(accepted, Job) or accepted.message, accepted
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = get_job.sync(accepted.id, client=client, wait=1)
        if job.status not in (JobStatus.WAITING, JobStatus.IN_PROGRESS):
            return job
    raise AssertionError(accepted)


def show(title, accepted, name):
    job = finished(accepted)
    assert job.status is JobStatus.DONE, job
    result = job.results[name]
    answer = download_result.sync_detailed(job.id, name, client=client)
    picture = Image.open(answer.parsed.payload)
    assert picture.size == (result.width, result.height)
    print(f"{title}: {name} {result.width}x{result.height} {answer.headers['content-type']}")
    return job


outputs = [Output(name="small", size="64x64"), Output(name="wide", width=200, format_=OutputFormat.WEBP)]
listed = json.dumps([output.to_dict() for output in outputs])
data = base64.b64encode(PICTURE).decode()

form = CreateImageFilesBody(image=file(), preset=["thumbnail", "gray-blur"])
show("form with a preset", create_image.sync(client=client, body=form), "thumbnail")
form = CreateImageFilesBody(image=file(), outputs=listed)
show("form with outputs", create_image.sync(client=client, body=form), "small")
body = CreateImageJsonBody(data=data, outputs=outputs, preset=["thumbnail"])
show("JSON with outputs", create_image.sync(client=client, body=body), "small")
parameters = CreateImageParameters(name="tiny", size="40x40")
answer = create_image.sync(client=client, body=File(BytesIO(PICTURE)), parameters=parameters, prefer="wait=1")
job = show("bare image", answer, "tiny")
print("original: {}x{}".format(*Image.open(download_original.sync(job.id, client=client).payload).size))
problem = create_image.sync(client=client, body=CreateImageFilesBody(image=file(), preset=["thumbnial"]))
print("refusal:", problem.code, problem.field)
print("unknown job:", get_job.sync("0" * 32, client=client).code)
page = list_jobs.sync(client=client, status=JobStatus.DONE, limit=1)
following = list_jobs.sync(client=client, status=JobStatus.DONE, cursor=page.cursor)
print("listed:", isinstance(page.jobs[0], Job) and isinstance(following.jobs[0], Job))
print("deleted:", delete_job.sync_detailed(job.id, client=client).status_code.value)
