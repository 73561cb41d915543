"""How many requests one worker makes to a receiver, and when it makes none."""

from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from quickthumb.work.hosts import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_TURN_SECONDS,
    MOST_AT_ONCE,
    MOST_FAILURES,
    MOST_HOSTS,
    Hosts,
    Receiver,
)

ONE, TWO = Receiver("shop", "one.example.org", 443), Receiver("shop", "two.example.org", 443)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hosts(clock: Clock) -> Hosts:
    return Hosts(clock)


def test_only_so_many_requests_go_to_one_receiver_at_once(hosts: Hosts) -> None:
    with ExitStack() as under_way:
        for _ in range(MOST_AT_ONCE):
            assert hosts.pause_seconds(ONE) == 0
            under_way.enter_context(hosts.request(ONE))
        assert hosts.pause_seconds(ONE) > 0
        assert hosts.pause_seconds(TWO) == 0
    assert hosts.pause_seconds(ONE) == 0


def test_the_longer_a_receiver_hangs_the_further_apart_are_the_turns(hosts: Hosts, clock: Clock) -> None:
    with ExitStack() as under_way:
        for _ in range(MOST_AT_ONCE):
            under_way.enter_context(hosts.request(ONE))
        clock.now += 10
        turns = [hosts.pause_seconds(ONE) for _ in range(100)]
    assert turns[0] == pytest.approx(10 / MOST_AT_ONCE)
    assert turns[1] - turns[0] == pytest.approx(10 / MOST_AT_ONCE)
    assert turns == sorted(turns)
    assert max(turns) == LONGEST_TURN_SECONDS


def test_after_some_failures_in_a_row_nothing_is_sent_for_a_while(hosts: Hosts, clock: Clock) -> None:
    for _ in range(MOST_FAILURES - 1):
        hosts.failed(ONE)
    assert hosts.pause_seconds(ONE) == 0
    hosts.failed(ONE)
    assert FIRST_PAUSE_SECONDS <= hosts.pause_seconds(ONE) <= 2 * FIRST_PAUSE_SECONDS
    assert hosts.pause_seconds(TWO) == 0
    clock.now += FIRST_PAUSE_SECONDS
    assert hosts.pause_seconds(ONE) == 0
    with hosts.request(ONE):
        assert hosts.pause_seconds(ONE) > 0, "one request finds out whether it is well again"
    hosts.failed(ONE)
    assert hosts.pause_seconds(ONE) >= 2 * FIRST_PAUSE_SECONDS
    clock.now += 2 * FIRST_PAUSE_SECONDS
    hosts.answered(ONE)
    hosts.failed(ONE)
    assert hosts.pause_seconds(ONE) == 0


def test_the_pauses_grow_up_to_a_limit(hosts: Hosts) -> None:
    for _ in range(100):
        hosts.failed(ONE)
    assert LONGEST_PAUSE_SECONDS <= hosts.pause_seconds(ONE) <= LONGEST_PAUSE_SECONDS + LONGEST_TURN_SECONDS


def test_a_receiver_may_ask_for_a_pause(hosts: Hosts) -> None:
    hosts.failed(ONE, 90)
    assert 90 <= hosts.pause_seconds(ONE) <= 90 + LONGEST_TURN_SECONDS


def test_no_tenant_holds_back_the_requests_of_another(hosts: Hosts) -> None:
    for _ in range(MOST_FAILURES):
        hosts.failed(ONE)
    assert hosts.pause_seconds(Receiver("other", ONE.host, ONE.port)) == 0


def test_however_many_receivers_there_are_few_are_remembered(hosts: Hosts) -> None:
    with hosts.request(ONE):
        for number in range(3 * MOST_HOSTS):
            hosts.failed(Receiver("shop", f"{number}.example.org", 443))
        assert len(hosts._hosts) <= MOST_HOSTS
        assert ONE in hosts._hosts
