"""The text of an API key."""

import json
import re

import pytest

from quickthumb.model.api_key import DIGITS, ApiKey, digest_of, id_in, new_text
from quickthumb.model.caller import Scope
from quickthumb.model.job import now


def test_keys_look_as_scanners_expect_and_differ() -> None:
    texts = [new_text() for _ in range(100)]
    assert all(re.fullmatch(r"qt_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}", text) for text in texts)
    assert len({id_in(text) for text in texts}) == 100


def test_the_checksum_is_that_of_all_that_is_before_it() -> None:
    """A known key, so that scanners that others wrote go on finding ours: CRC-32 in base 62, six digits."""
    known = "qt_000000000000_" + "0" * 32
    assert id_in(known + "3jgALy") == "000000000000"
    text = new_text()
    assert id_in(text) == text[3:15]
    for place in range(3, len(text)):
        if text[place] != "_":
            other = DIGITS[(DIGITS.index(text[place]) + 1) % len(DIGITS)]
            assert id_in(text[:place] + other + text[place + 1 :]) is None


@pytest.mark.parametrize("change", ["", "x", "qt_", " {}", "{} ", "{}\n", "QT{}", "{}0", "Bearer {}"])
def test_nothing_else_is_a_key(change: str) -> None:
    text = new_text()
    assert id_in(change.format(text) if change else "") is None


def test_what_is_kept_does_not_hold_the_text() -> None:
    text = new_text()
    key = ApiKey(id=id_in(text) or "", digest=digest_of(text), scopes=frozenset({Scope.ADMIN}), created_at=now())
    kept = key.model_dump_json()
    assert text[16:] not in kept
    assert ApiKey.model_validate_json(json.dumps(json.loads(kept))) == key
