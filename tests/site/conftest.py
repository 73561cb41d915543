"""What tests of the pages share."""

from collections.abc import Iterator

import pytest

from tests.conftest import running_service
from tests.site.dashboard import NOBODY, Jobs, made


@pytest.fixture(scope="session")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """A service for the dashboard's tests alone, with some jobs that tests do not change."""
    with running_service(tmp_path_factory.mktemp("dashboard"), outbound_allowed=NOBODY) as address:
        yield made(address)
