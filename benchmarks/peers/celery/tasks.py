"""The Celery application and its task, as in "First Steps with Celery", with Redis as broker and result backend."""

import os

from celery import Celery
from PIL import Image

app = Celery("tasks", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])


@app.task
def make_thumbnails(source: str, sizes: list[int]) -> list[str]:
    made = []
    for size in sizes:
        target = f"{source}-{size}.jpg"
        with Image.open(source) as image:
            image.thumbnail((size, size))
            image.save(target)
        made.append(target)
    return made
