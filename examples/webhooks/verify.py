import base64
import hashlib
import hmac
import time


def verified(secret, headers, body):
    """Whether QuickThumb has sent this, within the last five minutes. The names of the headers are in lower case."""
    name, moment = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(moment)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{name}.{moment}.".encode() + body, hashlib.sha256)
    expected = b"v1," + base64.b64encode(digest)
    return any(hmac.compare_digest(expected, one.encode()) for one in headers["webhook-signature"].split())
