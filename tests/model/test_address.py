"""Whom an address is counted for."""

import pytest

from quickthumb.model.address import client_network


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2a00:db8:1:2:3:4:5:6", "2a00:db8:1:2::/64"),
        ("2A00:DB8:1:2::", "2a00:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("fd00::1", "fd00::1"),
        ("::1", "::1"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_counts_for_its_network(address: str, counted: str) -> None:
    assert client_network(address) == counted
