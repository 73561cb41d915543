"""Which facts about a source are known, and when."""

import pytest

from quickthumb.model.source import Source, SourceState

FACTS = {"format": "jpeg", "width": 400, "height": 300, "bytes": 1_000, "sha256": "0" * 64}


def test_facts_are_unknown_until_they_are_found_out() -> None:
    assert Source(filename="cat.jpg").state is SourceState.EXPECTED
    assert Source(filename="cat.jpg").model_dump() == {"filename": "cat.jpg", **dict.fromkeys(FACTS)}
    assert Source(bytes=1_000, sha256="0" * 64).state is SourceState.RECEIVED
    assert Source.model_validate(FACTS).state is SourceState.IDENTIFIED


@pytest.mark.parametrize("missing", FACTS)
def test_one_unknown_fact_is_enough(missing: str) -> None:
    facts = {name: value for name, value in FACTS.items() if name != missing}
    expected = SourceState.EXPECTED if missing in ("bytes", "sha256") else SourceState.RECEIVED
    assert Source.model_validate(facts).state is expected


def test_the_header_of_an_upload_may_be_known_while_it_is_still_arriving() -> None:
    assert Source(format="jpeg", width=400, height=300).state is SourceState.EXPECTED
