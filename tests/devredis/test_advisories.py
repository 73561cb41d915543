import re

import pytest

from quickthumb.devredis import find_server, warning_for
from tests.devredis.test_binary import release

BETTER = {
    "Redis 6.2.14": "CVE-2025-49844: .* Redis 6.2.20",
    "Redis 6.2.24": None,
    "Redis 7.0.15": "CVE-2025-49844: .* Redis 7.2.11",
    "Redis 7.2.16": None,
    "Redis 7.4.5": "CVE-2026-23479: .* Redis 7.4.9",
    "Redis 7.4.8": "CVE-2026-23479: .* Redis 7.4.9",
    "Redis 7.4.11": None,
    "Redis 8.0.6": "CVE-2026-23479: .* Redis 8.2.6",
    "Redis 8.8.0": None,
    "Valkey 8.1.3": "CVE-2026-23479: .* Valkey 8.1.7",
    "Valkey 9.0.3": "CVE-2026-23479: .* Valkey 9.0.4",
    "Valkey 9.1.0": None,
}


@pytest.mark.parametrize("name", BETTER)
def test_a_release_with_a_known_flaw_is_warned_of(name: str) -> None:
    pattern, told = BETTER[name], warning_for(release(name))
    assert (told is None) is (pattern is None)
    assert re.match(pattern or "$", told or "")


def test_nothing_is_known_against_the_server_that_comes_along() -> None:
    assert warning_for(find_server().release) is None
