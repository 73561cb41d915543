"""QuickThumb for a web application: hand a picture in, and ask what became of it. Needs httpx."""

import os
import re
import time
import uuid

import httpx

ATTEMPTS = 3
LONGEST_PAUSE_SECONDS = 2
# Sending a large picture may take long, but no single step of it. Reading waits for `wait_seconds` and more.
TIMEOUT = httpx.Timeout(10, read=40)
quickthumb = httpx.Client(base_url=os.environ.get("THUMBNAILS", "http://localhost:8000"), timeout=TIMEOUT)
# In front of the URLs of thumbnails. Empty if a proxy makes QuickThumb part of the application's site.
PUBLIC = os.environ.get("THUMBNAILS_PUBLIC", "")


class Refused(Exception):
    """QuickThumb does not take this picture. `status` is 413, 415 or 422; the message is for the user."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Unavailable(Exception):
    """QuickThumb takes no pictures now. Ask the user to try again after `retry_after` seconds."""

    def __init__(self, retry_after):
        super().__init__("Pictures cannot be processed just now. Please try again in a moment.")
        self.retry_after = retry_after


def submit(picture, filename, **parameters):
    """Streams an open file to QuickThumb, and returns the job. Raises Refused and Unavailable."""
    # The key stays the same when the request is repeated, so a lost answer does not make a second job.
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    attempts_left = ATTEMPTS
    while True:
        attempts_left -= 1
        picture.seek(0)
        try:
            return answer_to("POST", "/images/", files={"image": (filename, picture)}, data=parameters, headers=headers)
        except Unavailable as error:
            if not attempts_left or error.retry_after > LONGEST_PAUSE_SECONDS:
                raise
            time.sleep(error.retry_after)


def find(job_id, wait_seconds=0):
    """The job as soon as it has ended, or as it is after `wait_seconds`; None if there is no such job."""
    # The id may come from a browser: it must not lead to another URL.
    is_id = re.fullmatch("[0-9a-f]{32}", job_id)
    return answer_to("GET", f"/jobs/{job_id}", params={"wait": wait_seconds}) if is_id else None


def answer_to(method, path, **options):
    try:
        answer = quickthumb.request(method, path, **options)
    except httpx.TransportError as error:  # it is restarting, for example
        raise Unavailable(retry_after=1) from error
    if answer.status_code == 404:
        return None
    if answer.status_code in (413, 415, 422):
        # A proxy in between may refuse a large upload, too; it sends no JSON.
        is_json = answer.headers.get("Content-Type", "").endswith("json")
        raise Refused(answer.status_code, answer.json()["detail"] if is_json else "The picture is too large.")
    if answer.is_server_error or answer.status_code in (408, 409, 429):
        raise Unavailable(retry_after=int(answer.headers.get("Retry-After", 1)))
    return answer.raise_for_status().json()
