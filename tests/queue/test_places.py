"""The places of a worker."""

from quickthumb.queue.attempts import Attempt
from quickthumb.queue.keys import DELIVERY, EMAIL, JOB, Kind
from quickthumb.queue.places import Places


def attempt(kind: Kind, item_id: str) -> Attempt:
    return Attempt(kind, item_id, f"token of {item_id}", 1, 1, {})


def test_what_only_waits_for_another_server_takes_no_place_of_an_image() -> None:
    places = Places(2)
    for number in range(5):
        assert places.take(attempt(DELIVERY, f"delivery {number}"))
    assert places.free == 2
    assert places.take(attempt(JOB, "job"))
    assert places.take(attempt(EMAIL, "email"))
    assert places.free == 0
    assert places.of_kind(DELIVERY) == 5
    places.leave("job")
    assert places.free == 1


def test_an_item_has_one_place() -> None:
    places = Places(2)
    assert places.take(attempt(JOB, "job"))
    assert not places.take(attempt(JOB, "job"))
    assert places.free == 1
