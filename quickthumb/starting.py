"""What a root needs of the configuration before it starts anything. It imports little, so that commands start soon."""

from collections.abc import Iterator
from contextlib import contextmanager

from quickthumb.config import Config
from quickthumb.config.secrecy import unreadable
from quickthumb.service.presets import TenantPresets, read_tenant_presets
from quickthumb.storage.privacy import closed_to_others


@contextmanager
def private_process(config: Config) -> Iterator[None]:
    """Within the block, other users may not read what this process writes, nor other processes what it knows."""
    with closed_to_others(config.storage.data_dir), unreadable():
        yield


def presets_of(config: Config) -> TenantPresets:
    """The presets of all tenants. Raises ConfigError if one is not valid."""
    return read_tenant_presets(config.presets, config.tenants, config.imaging.max_outputs)
