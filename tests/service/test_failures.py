"""Why jobs failed, in the words of the catalogue of errors."""

from quickthumb.model.errors import BrokenImage
from quickthumb.queue.failures import Kept, KeptFailures
from quickthumb.service.failures import FailureGroup, failures_of
from quickthumb.service.stats import Times, Window

NONE = Times(None, None)


def window(**failures: int) -> Window:
    return Window(60.0, {}, NONE, NONE, failures)


def test_what_happened_and_what_is_kept_stand_together_the_most_frequent_first() -> None:
    kept = Kept(7, "0" * 32, "default")
    found = failures_of(window(gave_up=2, decoder_crashed=5), KeptFailures(9, 7, {"gave_up": kept}))
    assert (found.seconds, found.kept, found.counted) == (60.0, 9, 7)
    assert [(group.code, group.count, group.kept) for group in found.groups] == [
        ("decoder_crashed", 5, None),
        ("gave_up", 2, kept),
    ]
    assert [group.retryable for group in found.groups] == [False, True]


def test_the_catalogue_says_what_an_error_means() -> None:
    (found,) = failures_of(window(broken_image=1), KeptFailures(0, 0, {})).groups
    assert found.title == BrokenImage.title
    assert found.meaning is not None
    assert found.meaning.startswith("The image is damaged or cut off, so it cannot be decoded. Send it again")
    assert "\n" not in found.meaning


def test_an_error_that_only_another_release_knows_is_counted() -> None:
    (found,) = failures_of(window(), KeptFailures(1, 1, {"once": Kept(1, "0" * 32, "shop")})).groups
    assert found == FailureGroup("once", None, None, None, 0, Kept(1, "0" * 32, "shop"))
