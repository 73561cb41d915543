import base64
import hashlib
import hmac
import sys
import time


def signed(path, seconds, secret):
    """The path of a result or an original, such as /jobs/…/results/thumbnail, with a signature for so long."""
    query = f"expires={int(time.time()) + seconds}"
    digest = hmac.digest(secret.encode(), f"GET\n{path}\n{query}".encode(), hashlib.sha256)
    return f"{path}?{query}&signature={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


if __name__ == "__main__":
    sys.stdout.write(signed(sys.argv[1], 3600, sys.argv[2]))
