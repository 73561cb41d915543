"""Every bound and every quota is an option of `quickthumb keys create`."""

import argparse

from quickthumb.cli import allowances
from quickthumb.model.allowance import NO_BOUNDS, NO_QUOTAS, Bounds, Quotas


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    allowances.add_options(parser)
    return parser.parse_args(words)


def test_each_field_is_an_option() -> None:
    names = [name for kind in (Bounds, Quotas) for name in kind.model_fields if name != "presets"]
    given = [word for number, name in enumerate(names, 1) for word in (f"--{name.replace('_', '-')}", str(number))]
    arguments = parsed("--preset", "b", "--preset", "a", "--preset", "b", *given)
    bounds, quotas = allowances.given(Bounds, arguments), allowances.given(Quotas, arguments)
    assert bounds.presets == ("b", "a")
    found = {**bounds.model_dump(exclude={"presets"}), **quotas.model_dump()}
    assert found == {name: number for number, name in enumerate(names, 1)}


def test_without_options_nothing_is_bounded() -> None:
    assert (allowances.given(Bounds, parsed()), allowances.given(Quotas, parsed())) == (NO_BOUNDS, NO_QUOTAS)
    assert list(allowances.told(NO_BOUNDS, NO_QUOTAS)) == []


def test_a_list_shows_what_is_bounded() -> None:
    bounds = Bounds(presets=("a", "b"), max_bytes=5)
    assert list(allowances.told(bounds, Quotas(unended_jobs=3))) == ["presets=a+b,max_bytes=5,unended_jobs=3"]
