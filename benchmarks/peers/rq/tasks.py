"""The job: a plain function in a module of its own, as RQ's documentation asks for."""

from PIL import Image


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
