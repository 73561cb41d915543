"""The Celery application and its task, as in "First Steps with Celery", with Redis as broker and result backend."""

import os

from celery import Celery
from PIL import Image

app = Celery("tasks", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])


@app.task
def make_thumbnails(source: str, sizes: list[int]) -> list[str]:
    made = []
    with Image.open(source) as image:
        for size in sizes:
            target = f"{source}-{size}.jpg"
            # thumbnail() changes the image itself, so several need copies; for one alone, it also decodes faster.
            thumbnail = image.copy() if len(sizes) > 1 else image
            thumbnail.thumbnail((size, size))
            thumbnail.save(target)
            made.append(target)
    return made
