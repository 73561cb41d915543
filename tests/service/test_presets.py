import pytest

from quickthumb.config import BUILT_IN_PRESETS, ConfigError, TenantSettings
from quickthumb.model.allowance import Bounds
from quickthumb.model.caller import Caller
from quickthumb.model.order import DEFAULT_PRESET, written_output
from quickthumb.service.errors import PresetNotAllowed
from quickthumb.service.presets import TenantPresets, read_presets, read_tenant_presets, within


def test_the_built_in_ones_are_in_order() -> None:
    presets = read_presets(BUILT_IN_PRESETS)
    (default,) = presets[DEFAULT_PRESET]
    assert written_output(default) == {"name": "thumbnail", "width": 128, "height": 128}
    assert [output.name for output in presets["square-32-64"]] == ["square-32", "square-64"]
    assert presets["gray-blur"][0].grayscale


def test_an_output_without_a_name_gets_the_preset_s() -> None:
    presets = read_presets({"card": [{"width": 600}], "both": [{"width": 1}, {"width": 2, "name": "two"}]})
    assert [output.name for output in presets["card"]] == ["card"]
    assert [output.name for output in presets["both"]] == ["both-1", "two"]


@pytest.mark.parametrize(
    ("preset", "sentence"),
    [
        ({"card": [{"width": 0}]}, "PRESETS: the preset 'card': width: Input should be"),
        (
            {"card": [{}, {"widht": 5}]},
            "PRESETS: output 2 of the preset 'card': widht: there is no such parameter; perhaps you mean width.",
        ),
        ({"card": [{"size": "5"}]}, "PRESETS: the preset 'card': size must look like 128x128."),
        ({"card": [{"fit": "cover"}]}, "PRESETS: the preset 'card': fit cover needs"),
        ({"card": [{"position": "x"}]}, "PRESETS: the preset 'card': position: must be one of center, "),
        ({"card": [{"name": "A"}]}, "PRESETS: the preset 'card': name: "),
        ({"card": []}, "PRESETS: the preset 'card' must have 1 to 32 outputs, not 0."),
        ({"card": [{}] * 33}, "PRESETS: the preset 'card' must have 1 to 32 outputs, not 33."),
        ({"card": [{"name": "a"}, {"name": "a"}]}, "PRESETS: the preset 'card' gives the name 'a' to 2 outputs."),
        ({"My card": [{}]}, "PRESETS: the name 'My card' must consist of lowercase letters, "),
    ],
)
def test_a_mistake_is_one_sentence_with_the_preset_and_the_field(
    preset: dict[str, list[dict[str, object]]], sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_presets(preset)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(".")


def tenants(**presets: dict[str, list[dict[str, object]]]) -> TenantPresets:
    """The presets of a deployment with a preset `card` for all and these for some."""
    settings = {tenant: TenantSettings(presets=given) for tenant, given in presets.items()}
    return read_tenant_presets({"card": [{"width": 600}]}, settings)


def test_a_tenant_has_its_own_beside_those_for_all_and_in_their_place() -> None:
    presets = tenants(shop={"avatar": [{"width": 9}], "card": [{"width": 5}]}, quiet={})
    assert {name: outputs[0].width for name, outputs in presets.of("shop").items()} == {"card": 5, "avatar": 9}
    for other in ("gallery", "quiet", None):
        assert {name: outputs[0].width for name, outputs in presets.of(other).items()} == {"card": 600}


def test_bounds_allow_those_they_name_in_their_order() -> None:
    presets = tenants(shop={"avatar": [{"width": 9}], "icon": [{"width": 5}]})
    shop = Caller("shop", bounds=Bounds(presets=("icon", "gone", "avatar")))
    assert list(presets.allowed(shop)) == ["icon", "avatar"]
    assert list(presets.allowed(Caller("shop"))) == ["card", "avatar", "icon"]
    assert list(presets.allowed(Caller(bounds=Bounds(presets=("avatar",))))) == []


def test_a_mistake_in_a_tenant_s_names_the_tenant() -> None:
    with pytest.raises(ConfigError) as caught:
        tenants(shop={"avatar": [{"widht": 9}]})
    assert str(caught.value) == (
        "TENANTS['shop']['presets']: the preset 'avatar': widht: there is no such parameter; perhaps you mean width."
    )


ALLOWED = read_presets({"card": [{"width": 600}], "icon": [{"width": 9}]})


@pytest.mark.parametrize(
    "given",
    [
        (("width", "5"),),
        (("width", None),),
        (("preset", "card"), ("format", "png")),
        (("outputs", [{}]),),
        (("preset", "thumbnail"),),
        (("preset", ["card", "thumbnail"]),),
        (("preset", "card"), ("preset", "thumbnail")),
    ],
)
def test_no_more_than_the_allowed_may_be_asked_for(given: tuple[tuple[str, object], ...]) -> None:
    with pytest.raises(PresetNotAllowed, match="allows card, icon"):
        within(given, ALLOWED)


@pytest.mark.parametrize(
    "given",
    [
        (("preset", "icon"),),
        (("preset", ["icon", "card"]),),
        (("preset", "icon"), ("webhook", "x")),
        # Left to the parser, which says what is wrong with them.
        (("preset", [5, {}, []]),),
        (("preset", {"icon": 1}), ("widht", 5)),
    ],
)
def test_what_is_allowed_stays_as_it_was_given(given: tuple[tuple[str, object], ...]) -> None:
    assert within(given, ALLOWED) == given


@pytest.mark.parametrize("given", [(), (("width", ""),), (("preset", None),), (("priority", "high"),)])
def test_without_a_name_the_first_is_meant(given: tuple[tuple[str, object], ...]) -> None:
    assert within(given, ALLOWED) == (*given, ("preset", "card"))


def test_if_none_exists_nothing_may_be_asked_for() -> None:
    with pytest.raises(PresetNotAllowed, match="allows none that exists"):
        within((), {})
