"""Presets: named lists of outputs that a deployment defines for all tenants or for one, checked once at startup; and
what a caller may use of them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quickthumb.config import ConfigError, TenantSettings
from quickthumb.model.caller import Caller
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.limits import MAX_OUTPUTS
from quickthumb.model.order import Presets, flat
from quickthumb.model.output import Output, parse_output
from quickthumb.service.errors import PresetNotAllowed

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
# The fields by which a request asks for outputs of its own.
_OWN_OUTPUTS = {"outputs", *Output.model_fields}

# What a configuration gives: the outputs of each preset by its name, and the parameters of each output.
Given = Mapping[str, Sequence[Mapping[str, Any]]]
Fields = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class TenantPresets:
    """The presets of all tenants: those `shared` by all, and those of each tenant that has `own` ones."""

    shared: Presets
    own: Mapping[str, Presets] = field(default_factory=dict)

    def of(self, tenant: str | None, names: Iterable[str] | None = None) -> Presets:
        """The presets of the tenant: one of its own replaces the shared one of the same name. None: the shared ones.

        With `names`, only these, in their order. Those that the configuration does not have any more are left out.
        """
        presets = {**self.shared, **self.own[tenant]} if tenant is not None and tenant in self.own else self.shared
        return presets if names is None else {name: presets[name] for name in names if name in presets}

    def allowed(self, caller: Caller) -> Presets:
        """The presets that the caller may use."""
        return self.of(caller.tenant, caller.bounds.presets)


def within(given: Fields, allowed: Presets) -> Fields:
    """The fields of a request that may name only these presets. If it names none, the first of them is added.

    Raises PresetNotAllowed if it names another, or asks for outputs of its own.
    """
    present = [(name, value) for name, value in given if value != ""]
    if any(name in _OWN_OUTPUTS for name, _ in present):
        raise not_allowed("Only presets may be used", allowed)
    named = flat(value for name, value in present if name == "preset")
    if any(name not in allowed for name in named if isinstance(name, str)):
        raise not_allowed("This preset may not be used", allowed)
    if named:
        return given
    if not allowed:
        raise not_allowed("No preset may be used", allowed)
    return (*given, ("preset", next(iter(allowed))))


def not_allowed(what: str, allowed: Presets) -> PresetNotAllowed:
    """The error for a request that asks for more than the caller's presets; it names them."""
    which = f"allows {', '.join(allowed)}" if allowed else "allows none that exists"
    return PresetNotAllowed(f"{what}: the API key or upload policy {which}.", field="preset")


def read_presets(given: Given, max_outputs: int = MAX_OUTPUTS, setting: str = "PRESETS") -> Presets:
    """The presets of a configuration. An output without a name gets the preset's name, and a number if the preset has
    several outputs.

    Raises ConfigError with one sentence that names the setting, the preset and the field.
    """
    try:
        return {name: _preset(name, outputs, max_outputs) for name, outputs in given.items()}
    except InvalidParameter as error:
        raise ConfigError(f"{setting}: {error.detail}") from None


def read_tenant_presets(
    given: Given, tenants: Mapping[str, TenantSettings], max_outputs: int = MAX_OUTPUTS
) -> TenantPresets:
    """The presets for all tenants, and those of each. Raises ConfigError as `read_presets` does, naming the tenant."""
    own = {
        tenant: read_presets(settings.presets, max_outputs, f"TENANTS[{tenant!r}]['presets']")
        for tenant, settings in tenants.items()
        if settings.presets
    }
    return TenantPresets(read_presets(given, max_outputs), own)


def _preset(name: str, outputs: Sequence[Mapping[str, Any]], max_outputs: int) -> tuple[Output, ...]:
    if not _NAME.fullmatch(name):
        raise InvalidParameter(
            f"the name {name!r} must consist of lowercase letters, digits, - and _, "
            "start with a letter or digit, and have at most 64 characters."
        )
    if not 0 < len(outputs) <= max_outputs:
        raise InvalidParameter(f"the preset {name!r} must have 1 to {max_outputs} outputs, not {len(outputs)}.")
    read = tuple(_output(name, number, len(outputs), output) for number, output in enumerate(outputs, start=1))
    for result, count in Counter(output.name for output in read).items():
        if count > 1:
            raise InvalidParameter(f"the preset {name!r} gives the name {result!r} to {count} outputs.")
    return read


def _output(preset: str, number: int, count: int, parameters: Mapping[str, Any]) -> Output:
    name = preset if count == 1 else f"{preset[:60]}-{number}"
    try:
        return parse_output({"name": name, **parameters})
    except InvalidParameter as error:
        where = f"output {number} of the preset {preset!r}" if count > 1 else f"the preset {preset!r}"
        raise InvalidParameter(f"{where}: {error.detail}") from None
