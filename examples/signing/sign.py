import base64
import hashlib
import hmac
import sys
import time


def signature(text, secret):
    digest = hmac.digest(secret.encode(), text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def signed(path, seconds, secret):
    """The path of a job, a result or an original, such as /jobs/…/results/thumbnail, signed for so many seconds."""
    query = f"expires={int(time.time()) + seconds}"
    return f"{path}?{query}&signature=" + signature(f"GET\n{path}\n{query}", secret)


def policy(terms, secret):
    """The policy for an upload, of the JSON that says what is allowed."""
    text = base64.urlsafe_b64encode(terms.encode()).decode().rstrip("=")
    return f"{text}." + signature(f"POST\n/images/\npolicy={text}", secret)


if __name__ == "__main__":
    what, secret = sys.argv[1:]
    sys.stdout.write(policy(what, secret) if what.startswith("{") else signed(what, 3600, secret))
