"""The job: a plain function in a module of its own, as RQ's documentation asks for."""

from PIL import Image


def make_thumbnails(source: str, sizes: list[int]) -> list[str]:
    made = []
    for size in sizes:
        target = f"{source}-{size}.jpg"
        with Image.open(source) as image:
            image.thumbnail((size, size))
            image.save(target)
        made.append(target)
    return made
