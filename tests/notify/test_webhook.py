"""Messages in the form of Standard Webhooks."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from quickthumb.model.webhook import EventType, key_of, new_secret
from quickthumb.notify.webhook import message, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_the_specification_s_example() -> None:
    body = b'{"test": 2432232314}'
    headers = signed_headers([SECRET], "p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), body)
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_says_what_happened_and_when() -> None:
    moment = datetime(2026, 11, 22, 6, 49, 14, 516_000, UTC)
    told = message(EventType.JOB_DONE, moment, {"filename": "Grüße 🐈.jpg"})
    assert json.loads(told) == {
        "type": "job.done",
        "timestamp": "2026-11-22T06:49:14.516Z",
        "data": {"filename": "Grüße 🐈.jpg"},
    }
    assert json.loads(message(EventType.JOB_DONE, moment.replace(microsecond=0), {}))["timestamp"].endswith(":14.000Z")


def test_the_library_verifies_each_of_several_signatures_and_nothing_that_was_changed() -> None:
    secrets, now = [new_secret(), new_secret()], datetime.now(UTC)
    body = message(EventType.JOB_DONE, now, {"filename": "Grüße 🐈.jpg"})
    headers = signed_headers(secrets, "0" * 32, now, body)
    for secret in secrets:
        assert Verifier(secret).verify(body, headers)["type"] == "job.done"
    with pytest.raises(WebhookVerificationError):
        Verifier(new_secret()).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(secrets[0]).verify(body + b" ", headers)
    late = signed_headers(secrets, "0" * 32, now - timedelta(minutes=10), body)
    with pytest.raises(WebhookVerificationError):
        Verifier(secrets[0]).verify(body, late)


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_"),
        ("whsec_***", "base64"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "24 to 64"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "24 to 64"),
        ("whsec_", "24 to 64"),
    ],
)
def test_what_is_no_secret_is_told_apart(secret: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        key_of(secret)
